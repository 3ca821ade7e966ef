"""Results of load tests in which something cannot be: what is left out, what is refused, and what is said."""

import gzip
import json

import numpy as np
import pytest
from load_writers import (
    REQUESTS,
    aiperf_records,
    bench,
    genai_perf,
    guidellm,
    llmperf_requests,
    sglang,
    simulated,
    written,
)

from moo_infer import MooInferError
from moo_infer.calibrate import read


def nulled(document, *path):
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = None
    return document


ODD = {  # documents of which one record is odd, and what is said of it
    "vllm detailed": (
        lambda run: [nulled(bench(run, True), "ttfts", 4)],
        "1 of 60 records are left out: line 1 request 5: ttfts is null",
    ),
    "vllm summary": (
        lambda run: [bench(run, False), nulled(bench(run, False), "mean_ttft_ms")],
        r"1 of 2 records are left out: line 2 \(vLLM bench or SGLang\): mean_ttft_ms is null",
    ),
    "sglang detailed": (
        lambda run: [nulled(sglang(run, True), "itls", 2)],
        "1 of 60 records are left out: line 1 request 3: itls: must be a list, got None",
    ),
    "guidellm": (
        lambda run: [{"benchmarks": [nulled(guidellm(run, True), "requests", "successful", 0, "request_latency")]}],
        "1 of 60 records are left out: benchmark 1 request 1: request_latency is null",
    ),
    "guidellm summary": (
        lambda run: [
            {"benchmarks": [guidellm(run, False), nulled(guidellm(run, False), "metrics", "request_latency", "successful")]}
        ],
        r"1 of 2 records are left out: benchmark 2 \(guidellm\): metrics.request_latency.successful is null",
    ),
    "aiperf records": (
        lambda run: [nulled(aiperf_records(run)[0], "metrics", "request_latency", "value"), *aiperf_records(run)[1:]],
        "1 of 60 records are left out: line 1: metrics.request_latency.value is null",
    ),
    "aiperf records without metrics": (
        lambda run: [*aiperf_records(run), aiperf_records(run)[0] | {"metrics": {}}],
        "1 of 61 records are left out: line 61: metrics.input_sequence_length is missing",
    ),
    "aiperf summary": (
        lambda run: [genai_perf(run, {}), nulled(genai_perf(run, {}), "request_latency", "avg")],
        r"1 of 2 records are left out: line 2 \(aiperf or GenAI-Perf\): request_latency.avg is null",
    ),
    "another unit": (
        lambda run: [genai_perf(run, {}), genai_perf(run, {}) | {"request_latency": {"unit": "fortnights", "avg": 1}}],
        "request_latency.unit: must be one of ns, us, ms, s, sec, got 'fortnights'",
    ),
    "beyond what a number holds": (
        lambda run: [*llmperf_requests(run)[1:], llmperf_requests(run)[0] | {"number_output_tokens": 10**400}],
        "1 of 60 records are left out: line 60: number_output_tokens: must be a finite number, got 1000",
    ),
    "llmperf": (
        lambda run: [*llmperf_requests(run)[1:], llmperf_requests(run)[0] | {"end_to_end_latency_s": "9.5 s"}],
        "1 of 60 records are left out: line 60: end_to_end_latency_s: must be a finite number, got '9.5 s'",
    ),
    "another format": (
        lambda run: [*aiperf_records(run), {"hello": 1}],
        r"1 of 61 records are left out: line 61: is of no known format \(its keys: hello\)",
    ),
    "no object": (lambda run: [*aiperf_records(run), 5], "1 of 61 records are left out: line 61: must be a JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_one_odd_record_is_left_out_aloud_and_refused_where_all_are_asked_for(tmp_path, kind):
    make, said = ODD[kind]
    run = simulated()[1]
    file = written(tmp_path / "run.json", *make(run))
    with pytest.warns(UserWarning, match=said):
        measured = read([file])
    assert len(measured) in (1, REQUESTS - 1, REQUESTS)
    right = [*run["latency"], run["latency"].mean()]
    assert all(np.isclose(seconds, right).any() for seconds in measured.latency_s)
    with pytest.raises(MooInferError, match="run.json: "):
        read([file], strict=True)


def test_all_odd_records_are_named_and_where_they_are_most_the_file_is_refused(tmp_path):
    rows = "\n".join(["100,50,1.5"] * 4 + ["100,,1.5", "100,0,1.5", "100,50,-1"])
    file = tmp_path / "log.csv"
    file.write_text(f"input_tokens,output_tokens,latency_s\n{rows}\n")
    named = (
        "line 6: output_tokens is missing; line 7: output_tokens: must be >= 1, got 0; line 8: latency_s: must be > 0"
    )
    with pytest.warns(UserWarning, match=f"log.csv: 3 of 7 records are left out: {named}"):
        assert len(read([file])) == 4
    file.write_text("input_tokens,output_tokens,latency_s\n100,50,1\n100,50,\n100,,1\n")
    with pytest.raises(MooInferError, match="log.csv: line 3: latency_s is missing; line 4: output_tokens is missing"):
        read([file])


def test_all_files_that_are_refused_are_named(tmp_path):
    files = [
        written(tmp_path / f"{i}.json", nulled(bench(run, False), "mean_ttft_ms")) for i, run in enumerate(simulated())
    ]
    with pytest.raises(MooInferError, match=r"0.json: line 1 .*1.json: line 1 .*4.json: line 1 .*mean_ttft_ms is null"):
        read(files)


def test_what_ran_follows_from_the_seconds_of_requests_where_guidellm_does_not_count_it(tmp_path):
    run = simulated()[2]
    document = guidellm(run, True) | {"duration": run["duration"]}
    del document["metrics"]["request_concurrency"]
    assert read([written(tmp_path / "a.json", {"benchmarks": [document]})]).concurrency == pytest.approx(6)
    document["metrics"]["requests_per_second"] = {"successful": {"mean": 2 * REQUESTS / run["duration"]}}
    assert read([written(tmp_path / "b.json", {"benchmarks": [document]})]).concurrency == pytest.approx(12)


def test_a_file_that_breaks_off_is_refused_and_one_broken_line_is_not(tmp_path):
    lines = [json.dumps(record) for record in aiperf_records(simulated()[0])]
    file = tmp_path / "profile_export.jsonl"
    file.write_text("\n".join([*lines[:3], lines[3][:40], *lines[4:]]))
    with pytest.warns(UserWarning, match="1 of 60 records are left out: line 4: is no JSON"):
        assert len(read([file])) == REQUESTS - 1
    file.write_text("\n".join(lines)[:-40])
    with pytest.raises(MooInferError, match="line 60: is no JSON"):
        read([file])
    file.write_text(json.dumps(bench(simulated()[0], True), indent=1)[:-40])
    with pytest.raises(MooInferError, match="is no JSON, or is cut off"):
        read([file])


def test_a_load_that_cannot_be_is_not_known(tmp_path):
    with pytest.warns(UserWarning, match=r"how many requests ran must be > 0 and at most 1e\+12, got -"):
        measured = read([written(tmp_path / "a.json", bench(simulated()[0], False) | {"request_throughput": -1})])
    assert np.isnan(measured.concurrency).all()


def test_a_run_of_which_nothing_completed_is_left_out(tmp_path):
    nothing = {"completed": 0, "failed": 40, "total_input_tokens": 0, "total_output_tokens": 0, "mean_ttft_ms": 0.0}
    files = [written(tmp_path / "a.json", bench(simulated()[0], False)), written(tmp_path / "b.json", nothing)]
    with pytest.warns(UserWarning, match="b.json: not fitted: 40 failed requests"):
        assert len(read(files)) == 1


def test_lists_of_different_lengths_are_refused(tmp_path):
    run = bench(simulated()[0], True)
    del run["ttfts"][-1]
    with pytest.raises(MooInferError, match="input_lens, output_lens, ttfts, itls must be lists of the same length"):
        read([written(tmp_path / "run.json", run)])


def test_what_has_no_tokens_says_which_file_has_them(tmp_path):
    raw = {"service_kind": "openai", "endpoint": "v1/chat/completions", "experiments": []}
    with pytest.raises(MooInferError, match="counts no tokens: give profile_export_genai_perf.json"):
        read([written(tmp_path / "profile_export.json", raw)])


def test_a_gzip_is_read(tmp_path):
    text = "\n".join(json.dumps(bench(run, False)) for run in simulated())
    with gzip.open(tmp_path / "runs.jsonl.gz", "wt") as file:
        file.write(text)
    assert len(read([tmp_path / "runs.jsonl.gz"])) == 5


HEADER = "input_tokens,output_tokens,latency_s\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("100,5\r0,1.5", "is no CSV: a line ends within a field"),
        ('100,"5"0,1.5', "is no CSV: ',' expected after '\"'"),
        ("100,50,1,5", "has 4 fields, but the header names 3"),
    ],
)
def test_a_line_of_a_csv_that_cannot_be_is_left_out_aloud(tmp_path, line, said):
    rows = ["100,50,1.5"] * 4
    (tmp_path / "log.csv").write_bytes(f"# of one GPU\n{HEADER}{line}\n".encode() + "\n".join(rows).encode())
    with pytest.warns(UserWarning, match=f"log.csv: 1 of 5 records are left out: line 3: {said}"):
        assert read([tmp_path / "log.csv"]).latency_s.tolist() == [1.5] * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + '\n# idle\n100,50,1.5\n100,"50,1.5', "line 5: is no CSV: a quote does not end"),
        (HEADER.replace(",", ",\r", 1), "is no CSV with input_tokens, output_tokens, latency_s"),
    ],
)
def test_a_csv_whose_quotes_or_header_break_is_refused(tmp_path, text, message):
    (tmp_path / "log.csv").write_bytes(text.encode())
    with pytest.raises(MooInferError, match=f"log.csv: {message}"):
        read([tmp_path / "log.csv"])


@pytest.mark.parametrize("number", [10**400, 10**308, 1.7e308, -1.7e308], ids=lambda number: f"{number!s:.8}")
@pytest.mark.parametrize("name", ["itls", "ttfts", "output_lens"])
def test_a_number_near_the_largest_or_beyond_it_is_left_out(tmp_path, name, number):
    document = bench(simulated()[1], True)
    document[name][4] = [number, number] if name == "itls" else number
    file = written(tmp_path / "run.json", document)
    with pytest.warns(UserWarning, match=f"1 of 60 records are left out: line 1 request 5: {name}: must be a finite"):
        assert len(read([file])) == REQUESTS - 1


def test_times_whose_difference_no_float_holds_are_no_times(tmp_path):
    records = aiperf_records(simulated()[0])
    for i, record in enumerate(records):
        record["metadata"]["request_start_ns"] = -(10**308) if i else 10**308
    assert np.isnan(read([written(tmp_path / "profile_export.jsonl", *records)]).concurrency).all()


@pytest.mark.parametrize("column", ["concurrency", "input_tokens", "output_tokens", "ttft_s", "latency_s"])
@pytest.mark.parametrize("number", ["1e308", "1e-320", "1e13", "1e-13"])
def test_numbers_that_are_no_measurements_are_refused_in_words(column, number, cli, tmp_path):
    rows = [
        {"concurrency": c, "input_tokens": 100, "output_tokens": n, "ttft_s": 0.1, "latency_s": 0.1 + n * c / 100}
        for c in (1, 4, 16)
        for n in (50, 100, 150)
    ]
    path = tmp_path / "runs.csv"
    path.write_text(
        "\n".join([",".join(rows[0]), *(",".join(map(str, (row | {column: number}).values())) for row in rows)])
    )
    for kind in ([], ["--kind", "batch"], ["--kind", "slots"]):
        code, out, err = cli("fit-latency", path, *kind)
        assert (code, out) == (2, "")
        assert f"{column}: must be" in err
