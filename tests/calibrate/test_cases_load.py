"""Results of load tests of kinds that people have, on which wrong numbers came out once, each with the right ones.

Cases 1 to 3 and 5 are of a server whose step takes 6.5 ms + 0.08 ms a sequence and whose first token comes after 50 ms.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from load_writers import (
    REQUESTS,
    SPOILT,
    WAYS,
    bench,
    genai_perf,
    guidellm,
    in_one_piece,
    llmperf_requests,
    llmperf_summary,
    simulated,
    written,
)

from moo_infer.calibrate import fit_serving, read

CASES = Path(__file__).parents[1] / "cases"
SERVER = {"itl_base_s": 0.0065, "itl_per_sequence_s": 8e-5, "ttft_seconds": 0.05}


def case(number, *names):
    """Files of a case, all of them in order where none are named."""
    folder = next(CASES.glob(f"{number:02}-*"))
    return [folder / name for name in names] or sorted(folder.iterdir())


def values(fitted):
    return {name: value for name, (value, _) in fitted.parameters.items()}


@pytest.fixture
def fitted(cli):
    """What fit-latency says in JSON, and its warnings."""

    def call(*words, code=0):
        got, out, err = cli("fit-latency", "--json", *words)
        assert got == code, err
        return (err, "") if code else (json.loads(out), err)

    return call


def parameters(answer):
    return {name: number["value"] for name, number in answer["parameters"].items()}


# What ran, and the cap.


def test_a_cap_above_the_number_of_prompts_is_not_what_ran(fitted):
    """32 prompts under caps of 64 and 256: 13.5576 requests a second times 2.3603 s are 32 that ran."""
    answer, _ = fitted(*case(1, "cap1.json", "cap8.json", "cap64.json", "cap256.json"))
    assert (answer["kind"], answer["points"]) == ("batch", 4)
    assert parameters(answer) == pytest.approx(SERVER)
    assert "ITL at concurrency 1 to 32;" in answer["about"]


def test_a_sweep_of_rates_under_one_cap_has_several_loads(fitted):
    """SGLang writes what ran beside the cap of 64: 1.74, 7.44 and 40.6 requests."""
    answer, _ = fitted(*case(2))
    assert answer["kind"] == "batch"
    assert parameters(answer) == pytest.approx(SERVER)


def test_the_single_requests_of_a_sweep_are_of_several_loads(fitted):
    answer, _ = fitted(*case(3))
    assert (answer["kind"], answer["points"]) == ("batch", 72)
    assert parameters(answer) == pytest.approx(SERVER)


def test_the_summary_alone_of_a_sweep_says_the_same(tmp_path):
    lists = {"input_lens", "output_lens", "ttfts", "itls", "start_times", "errors", "generated_texts"}
    files = []
    for file in case(3):
        document = json.loads(file.read_text())
        files.append(written(tmp_path / file.name, {key: document[key] for key in document.keys() - lists}))
    assert values(fit_serving(read(files))) == pytest.approx(values(fit_serving(read(case(3)))), rel=1e-12)


def test_requests_of_too_few_loads_are_a_line_and_that_is_said(fitted):
    """Two of the three runs: no batch can be fitted, and the line says that it mixes their loads."""
    answer, _ = fitted(*case(3)[:2])
    assert answer["kind"] == "slots"
    assert "of loads from 0.4618 to 7.997 requests at a time, which this makes no difference of" in answer["about"]


def test_loads_that_hardly_differ_are_one(fitted, tmp_path):
    """Three runs under a cap of 8 ran 7.9, 8.0 and 8.1 at a time: nothing about other loads follows from them."""
    files = []
    for i, duration in enumerate((7.4, 7.48, 7.55)):
        run = json.loads(case(1, "cap8.json")[0].read_text())
        run |= {"duration": duration, "request_throughput": 32 / duration}
        files.append(written(tmp_path / f"{i}.json", run))
    error, _ = fitted(*files, code=2)
    assert "at least 3 different concurrencies with ttft_s are needed to fit ITL(B), got 1 (7.929)" in error


def test_a_cap_alone_does_not_say_what_ran(fitted, tmp_path):
    run = json.loads(case(1, "cap8.json")[0].read_text())
    for name in ("request_throughput", "duration"):
        del run[name]
    error, _ = fitted(written(tmp_path / "run.json", run), code=2)
    assert "max_concurrency is a cap, and neither request_throughput nor duration says how many ran" in error
    assert "got 0; give the files of several runs" in error


# One run, as all tools write it.


@pytest.mark.parametrize("way", WAYS)
def test_a_run_gives_one_answer_however_it_is_written(tmp_path, way):
    """Caps are 500, and 1.5 to 15 ran. ITL of a run is its seconds after the first token by its tokens after it."""
    runs = simulated()
    files = [written(tmp_path / f"{i}.json", *documents) for i, documents in enumerate(WAYS[way](runs))]
    load = np.array([run["latency"].sum() / run["duration"] for run in runs])
    itl = np.array([(run["latency"] - run["ttft"]).sum() / (run["out"] - 1).sum() for run in runs])
    (alpha, beta), *_ = np.linalg.lstsq(np.stack([1 / itl, load / itl], axis=1), np.ones(len(runs)))
    found = fit_serving(read(files))
    assert found.kind == "batch"
    assert values(found)["itl_base_s"] == pytest.approx(alpha, rel=1e-7)
    assert values(found)["itl_per_sequence_s"] == pytest.approx(beta, rel=1e-7)
    assert values(found)["itl_per_sequence_s"] == pytest.approx(8e-5, rel=0.03)
    again = values(fit_serving(read([written(tmp_path / "x.json", *[bench(run, False) for run in runs])])))
    assert values(found) == pytest.approx(again, rel=1e-7)


def test_chunks_of_several_tokens_do_not_slow_tokens_down(tmp_path):
    """With speculative decoding a chunk holds three tokens: mean_itl is for a chunk, mean_tpot for a token."""
    files = []
    for i, run in enumerate(simulated()):
        document = bench(run, False, None)
        document["mean_itl_ms"] = 3 * document["mean_tpot_ms"]
        files.append(written(tmp_path / f"{i}.json", document))
    assert values(fit_serving(read(files)))["itl_base_s"] == pytest.approx(0.0065, rel=0.03)


def test_llmperfs_requests_are_a_line_and_its_summary_says_the_load(fitted, tmp_path):
    answer, _ = fitted(*case(14, "llmperf_individual_responses.json"))
    assert answer["kind"] == "slots"
    assert parameters(answer) == pytest.approx(
        {"overhead_s": 0.54, "seconds_per_input_token": 0.0, "seconds_per_output_token": 0.06}
    )
    run = simulated()[0]
    both = [
        written(tmp_path / "m_summary.json", llmperf_summary(run)),
        written(tmp_path / "m_individual_responses.json", llmperf_requests(run)),
    ]
    answer, _ = fitted(*both)  # as they lie in a folder of results
    assert (answer["kind"], answer["points"]) == ("slots", REQUESTS)
    assert "1 means over runs not used" in answer["about"]


# What is no part of a measurement.


def test_warm_up_is_not_fitted(fitted):
    """Of 20 records 5 are of the warm-up; the others take 50 ms and 7 ms a token."""
    answer, said = fitted(*case(4))
    assert (answer["kind"], answer["points"]) == ("slots", 15)
    assert parameters(answer) == pytest.approx(
        {"overhead_s": 0.05, "seconds_per_input_token": 0.0, "seconds_per_output_token": 0.007}
    )
    assert answer["error"] == pytest.approx(0, abs=1e-12)
    assert "profile_export.jsonl: not fitted: 5 requests of the warm-up" in said
    assert answer["remarks"] == [said.removeprefix("moo-infer: warning: ").strip()]
    assert yaml.safe_load(answer["yaml"])[0]["kind"] == "slots"
    assert "profile_export.jsonl: not fitted: 5 requests of the warm-up" in answer["yaml"]


@pytest.mark.parametrize("kind", SPOILT)
def test_what_a_tool_itself_does_not_count_is_left_out_and_counted(tmp_path, kind):
    spoil, said = SPOILT[kind]
    run = simulated()[2]
    file = written(tmp_path / "run.json", *spoil(run))
    with pytest.warns(UserWarning, match=f"run.json: not fitted: {said}$"):
        measured = read([file])
    if len(measured) > 1:
        np.testing.assert_allclose(np.sort(measured.latency_s), np.sort(run["latency"]), rtol=1e-12)
    else:
        assert measured.latency_s == pytest.approx(run["latency"].mean())
    load = run["latency"].sum() / run["duration"]
    known = np.isfinite(measured.concurrency)
    assert measured.concurrency[known] == pytest.approx(load)
    assert known.all() or kind == "llmperf, failed"


@pytest.mark.parametrize(
    ("mark", "words"),
    [({"was_cancelled": True}, "1 cancelled run"), ({"is_complete": False, "incomplete_reason": "stalled"}, "1 incomplete run")],
)  # fmt: skip
def test_a_run_that_did_not_end_is_not_fitted(fitted, tmp_path, mark, words):
    """Its means are of what was done until then: here a tenth of the seconds."""
    runs = simulated()
    bad = genai_perf(runs[0], {}) | {"request_latency": {"unit": "ms", "avg": 100.0}} | mark
    files = [written(tmp_path / f"{i}.json", genai_perf(run, {})) for i, run in enumerate(runs)]
    alone = parameters(fitted(*files)[0])
    answer, said = fitted(*files, written(tmp_path / "bad.json", bad))
    assert parameters(answer) == alone
    assert f"bad.json: not fitted: {words}" in said
    error, _ = fitted(tmp_path / "bad.json", code=2)
    assert f"bad.json: no completed request in it; {tmp_path / 'bad.json'}: not fitted: {words}" in error


def test_incomplete_requests_are_load_all_the_same(tmp_path):
    """guidellm counts what ran in all: 12 streams of which 2 were cut off at the end."""
    run = guidellm(simulated()[2], True)
    run["metrics"]["request_concurrency"] = {"successful": {"mean": 10.0}, "total": {"mean": 12.0}}
    assert set(read([written(tmp_path / "run.json", {"benchmarks": [run]})]).concurrency) == {12.0}


@pytest.mark.parametrize("way", ["vllm", "guidellm", "aiperf"])
def test_an_answer_in_one_piece_shows_no_time_between_tokens(tmp_path, way):
    """Its 899 tokens in no time would make a step 1 % to 2 % shorter; its seconds count as those of a call."""
    runs = simulated()
    files = [written(tmp_path / f"{i}.json", *in_one_piece(run, way)) for i, run in enumerate(runs)]
    with pytest.warns(UserWarning, match=f"1 of {REQUESTS + 1} answers came in one piece, though of several tokens"):
        measured = read(files)
    assert (measured.latency_s == 2.0).sum() == np.isnan(measured.ttft_s).sum() == len(runs)
    runs_s = measured.averaged(np.isfinite(measured.ttft_s))
    itl = (runs_s["latency_s"] - runs_s["ttft_s"]) / (runs_s["output_tokens"] - 1)
    np.testing.assert_allclose(
        itl, [(run["latency"] - run["ttft"]).sum() / (run["out"] - 1).sum() for run in runs], rtol=1e-9
    )
    assert f"{len(runs)} points without concurrency or ttft_s not used" in fit_serving(measured).about


def test_an_answer_of_one_token_is_its_first(tmp_path):
    """vLLM writes an empty list of steps for it: it says when the first token comes, and nothing of the others."""
    run = simulated()[2]
    document = bench(run, True)
    for name, value in (("input_lens", 9), ("output_lens", 1), ("ttfts", 0.06), ("itls", []), ("errors", "")):
        document[name].append(value)
    measured = read([written(tmp_path / "run.json", document)])
    assert (measured.ttft_s[-1], measured.latency_s[-1], measured.remarks) == (0.06, 0.06, ())


# One odd record.


@pytest.mark.parametrize(("name", "reason"), [("null-tokens", "is null"), ("zero-tokens", "must be >= 1, got 0")])
def test_one_odd_request_of_a_benchmark_is_left_out_aloud(fitted, name, reason):
    """The first request of each of three benchmarks; the nine others are 50 ms and 6.5 ms + 0.08 ms a sequence."""
    (file,) = case(5, f"{name}.json")
    answer, said = fitted(file)
    assert (answer["kind"], answer["points"]) == ("batch", 9)
    assert parameters(answer) == pytest.approx(SERVER)
    assert (
        "3 of 12 records are left out, 1 in each of 3 runs: benchmark 1 request 1, benchmark 2 request 1, benchmark 3 "
        "request 1"
    ) in said
    assert f"output_tokens{':' * ('must' in reason)} {reason}" in said
    error, _ = fitted(file, "--strict", code=2)
    assert f"{name}.json: benchmark 1 request 1, benchmark 2 request 1" in error


def test_seconds_that_may_be_milliseconds_are_questioned(fitted, tmp_path):
    rows = [(n, 512, 256, 40 + n, 1700 + 20 * n) for n in (1, 4, 16, 64)]
    text = "\n".join(
        ["concurrency,input_tokens,output_tokens,ttft_s,latency_s", *(",".join(map(str, row)) for row in rows)]
    )
    (tmp_path / "ms.csv").write_text(text + "\n")
    answer, said = fitted(tmp_path / "ms.csv")
    asked = "the median of latency_s is 1900 s, 7.42 s per output token: were milliseconds written? Seconds are read"
    assert asked in said
    assert any(asked in remark for remark in answer["remarks"])


# Limits of input and of output tokens a minute.


@pytest.mark.parametrize(("name", "seconds"), [("models.yaml", 62.5), ("combined.yaml", 10 + 60 * 7 / 38)])
def test_limits_of_input_and_of_output_are_two(cli, name, seconds):
    """16 calls of 2,000 + 1,000 tokens and 10 s, a minute's allowance of 30,000 and 8,000 tokens there at the start.

    Before the last call starts 30,000 tokens in and 15,000 out are used: 7,000 / 8,000 of a minute, and 10 s. By one
    limit of 38,000 for both it is 7,000 / 38,000 of a minute.
    """
    words = ("--max-latency", "1000", "--k", "16", "--selector", "max-accuracy", "--json")
    code, out, _ = cli("recommend", "--models", *case(29, name), *words)
    assert code == 0
    (row,) = json.loads(out)["rows"]
    assert row["objectives"]["latency"]["mean"] == pytest.approx(seconds)
