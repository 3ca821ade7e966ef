"""Results of load tests of kinds that people have, on which wrong numbers came out once, each with the right ones.

Cases 1 to 3 and 5 are of a server whose step takes 6.5 ms + 0.08 ms a sequence and whose first token comes after 50 ms.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from moo_infer import MooInferError
from moo_infer.calibrate import fit_serving, read

CASES = Path(__file__).parent / "cases"
SERVER = {"itl_base_s": 0.0065, "itl_per_sequence_s": 8e-5, "ttft_seconds": 0.05}


def case(number, *names):
    """Files of a case, all of them in order where none are named."""
    folder = next(CASES.glob(f"{number:02}-*"))
    return [folder / name for name in names] or sorted(folder.iterdir())


def values(fitted):
    return {name: value for name, (value, _) in fitted.parameters.items()}


def written(path, *documents):
    """A file of JSON, a record a line where there are several."""
    path.write_text("\n".join(map(json.dumps, documents)))
    return path


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

TOKENS_IN, REQUESTS = 512, 60


def simulated(seed=0):
    """Runs of a noisy server at five loads: lengths, seconds to the first token and between two, starts, duration."""
    rng = np.random.default_rng(seed)
    found = []
    for load in (1.5, 3, 6, 10, 15):
        out = rng.integers(20, 400, REQUESTS)
        ttft = 0.05 * rng.gamma(25, 1 / 25, REQUESTS)
        step = (0.0065 + 8e-5 * load) * rng.gamma(400, 1 / 400, REQUESTS)
        latency = ttft + (out - 1) * step
        duration = latency.sum() / load  # by Little's law
        start = rng.random(REQUESTS) * (duration - latency)
        start[0], start[-1] = 0.0, duration - latency[-1]
        found.append({"out": out, "ttft": ttft, "step": step, "latency": latency, "start": start, "duration": duration})
    return found


def bench(run, detailed, e2e="mean_e2el_ms"):
    out, ttft, step, latency = (run[name] for name in ("out", "ttft", "step", "latency"))
    steps = np.repeat(step, out - 1)
    document = {
        "backend": "openai", "num_prompts": REQUESTS, "request_rate": "inf", "max_concurrency": 500,
        "duration": run["duration"], "completed": REQUESTS, "failed": 0, "total_input_tokens": REQUESTS * TOKENS_IN,
        "total_output_tokens": int(out.sum()), "request_throughput": REQUESTS / run["duration"],
        "max_concurrent_requests": 500, "mean_ttft_ms": 1000 * ttft.mean(), "mean_tpot_ms": 1000 * step.mean(),
        "mean_itl_ms": 1000 * steps.mean(),
    }  # fmt: skip
    if e2e:
        document[e2e] = 1000 * latency.mean()
    if detailed:
        document |= {
            "input_lens": [TOKENS_IN] * REQUESTS, "output_lens": out.tolist(), "ttfts": ttft.tolist(),
            "itls": [[s] * (n - 1) for s, n in zip(step.tolist(), out.tolist(), strict=True)],
            "errors": [""] * REQUESTS,
        }  # fmt: skip
    return document


def sglang(run, detailed):
    found = bench(run, detailed, "mean_e2e_latency_ms") | {"concurrency": run["latency"].sum() / run["duration"]}
    for name in ("failed", "num_prompts", "max_concurrent_requests"):
        del found[name]
    return found


def guidellm(run, detailed):
    def spread(mean):
        return {"successful": {"mean": mean}, "incomplete": {"mean": 0.0}, "errored": {"mean": 0.0}}

    means = {
        "request_latency": run["latency"].mean(), "prompt_token_count": TOKENS_IN, "output_token_count": run["out"].mean(),
        "time_to_first_token_ms": 1000 * run["ttft"].mean(), "request_concurrency": run["latency"].sum() / run["duration"],
    }  # fmt: skip
    requests = [
        {
            "prompt_tokens": TOKENS_IN, "output_tokens": out, "request_latency": latency,
            "time_to_first_token_ms": 1000 * ttft, "request_start_time": start, "request_end_time": start + latency,
        }
        for out, latency, ttft, start in zip(
            *(run[name].tolist() for name in ("out", "latency", "ttft", "start")), strict=True
        )
    ]  # fmt: skip
    return {
        "config": {"strategy": {"type_": "concurrent", "streams": 500, "max_concurrency": 500}},
        "metrics": {name: spread(mean) for name, mean in means.items()},
        "requests": {"successful": requests if detailed else [], "incomplete": [], "errored": []},
        "start_time": 0.0,
        "end_time": run["duration"],
    }


def genai_perf(run, config):
    def metric(unit, mean):
        return {"unit": unit, "avg": float(mean)}

    return {
        "input_config": config,
        "request_count": metric("requests", REQUESTS),
        "request_throughput": metric("requests/sec", REQUESTS / run["duration"]),
        "request_latency": metric("ms", 1000 * run["latency"].mean()),
        "time_to_first_token": metric("ms", 1000 * run["ttft"].mean()),
        "inter_token_latency": metric("ms", 1000 * run["step"].mean()),
        "input_sequence_length": metric("tokens", TOKENS_IN),
        "output_sequence_length": metric("tokens", run["out"].mean()),
    }


def aiperf_records(run, phase="profiling", **metadata):
    return [
        {
            "metadata": {
                "session_num": i, "benchmark_phase": phase, "was_cancelled": False,
                "request_start_ns": 1_759_813_207_000_000_000 + round(1e9 * start), **metadata,
            },
            "metrics": {
                "input_sequence_length": {"value": TOKENS_IN, "unit": "tokens"},
                "output_sequence_length": {"value": out, "unit": "tokens"},
                "time_to_first_token": {"value": 1000 * ttft, "unit": "ms"},
                "request_latency": {"value": 1e9 * latency, "unit": "ns"},
            },
            "error": None,
        }
        for i, (out, latency, ttft, start) in enumerate(
            zip(*(run[name].tolist() for name in ("out", "latency", "ttft", "start")), strict=True)
        )
    ]  # fmt: skip


def llmperf_summary(run):
    means = {
        "number_input_tokens": TOKENS_IN, "number_output_tokens": run["out"].mean(), "ttft_s": run["ttft"].mean(),
        "end_to_end_latency_s": run["latency"].mean(),
    }  # fmt: skip
    return {
        "name": "m_512_200_summary", "num_concurrent_requests": 500, "results_number_errors": 0,
        "results_num_completed_requests_per_min": 60 * REQUESTS / run["duration"],
    } | {f"results_{name}_mean": mean for name, mean in means.items()}  # fmt: skip


def llmperf_requests(run):
    return [
        {
            "error_code": None, "error_msg": "", "ttft_s": ttft, "end_to_end_latency_s": latency,
            "number_input_tokens": TOKENS_IN, "number_output_tokens": out, "number_total_tokens": TOKENS_IN + out,
        }
        for out, latency, ttft in zip(*(run[name].tolist() for name in ("out", "latency", "ttft")), strict=True)
    ]  # fmt: skip


WAYS = {  # of writing the runs: the documents of each file
    "vllm summary": lambda runs: [[bench(run, False)] for run in runs],
    "vllm summary as it is by default": lambda runs: [[bench(run, False, None)] for run in runs],
    "vllm detailed": lambda runs: [[bench(run, True)] for run in runs],
    "vllm detailed as it is by default": lambda runs: [[bench(run, True, None)] for run in runs],
    "vllm appended": lambda runs: [[bench(run, False) for run in runs]],
    "sglang summary": lambda runs: [[sglang(run, False) for run in runs]],
    "sglang detailed": lambda runs: [[sglang(run, True) for run in runs]],
    "guidellm summary": lambda runs: [[{"benchmarks": [guidellm(run, False) for run in runs]}]],
    "guidellm detailed": lambda runs: [[{"benchmarks": [guidellm(run, True) for run in runs]}]],
    "aiperf summary": lambda runs: [[genai_perf(run, {"loadgen": {"concurrency": 500}})] for run in runs],
    "aiperf records": lambda runs: [aiperf_records(run) for run in runs],
    "aiperf records of phases": lambda runs: [
        [record for i, run in enumerate(runs) for record in aiperf_records(run, profiling_index=i)]
    ],
    "genai-perf": lambda runs: [
        [genai_perf(run, {"perf_analyzer": {"stimulus": {"concurrency": 500}}})] for run in runs
    ],
    "llmperf": lambda runs: [[llmperf_summary(run)] for run in runs],
}


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


SLOW = {"out": np.full(3, 100), "latency": np.full(3, 90.0), "ttft": np.full(3, 60.0), "start": np.zeros(3)}


def spoilt_vllm(run):
    document = bench(run, True)
    for name, value in (("input_lens", 9), ("output_lens", 0), ("ttfts", 0.0), ("itls", [])):
        document[name] += [value] * 3
    return [document | {"errors": [""] * REQUESTS + ["timed out"] * 3, "failed": 3}]


def spoilt_vllm_summary(run):
    document = bench(run, False)
    return [{**document, "num_prompts": REQUESTS + 3, "failed": None}]


def spoilt_guidellm(run, status):
    document = guidellm(run, True)
    document["requests"][status] = [{"prompt_tokens": 9, "output_tokens": 1, "request_latency": 90.0}] * 3
    return [{"benchmarks": [document]}]


def spoilt_guidellm_window(run):
    document = guidellm(run, True)
    late = {"prompt_tokens": 9, "output_tokens": 100, "request_latency": 90.0, "time_to_first_token_ms": 60_000.0}
    document["requests"]["successful"] += [
        late | {"request_start_time": -100.0, "request_end_time": -10.0},
        late | {"request_start_time": -95.0, "request_end_time": -5.0},
        late | {"request_start_time": run["duration"] + 1, "request_end_time": run["duration"] + 91},
    ]
    return [{"benchmarks": [document]}]


def spoilt_aiperf(run, **changed):
    bad = aiperf_records(SLOW, changed.pop("phase", "profiling"))
    for record in bad:
        record["metadata"] |= changed.get("metadata", {})
        record |= {key: value for key, value in changed.items() if key != "metadata"}
    return [*aiperf_records(run), *bad]


def spoilt_llmperf(run):
    bad = {
        "error_code": 429,
        "error_msg": "slow down",
        "ttft_s": 0,
        "end_to_end_latency_s": 0,
        "number_output_tokens": 0,
    }
    return [*llmperf_requests(run), *[bad | {"number_input_tokens": 9}] * 3]


SPOILT = {
    "vllm, failed": (spoilt_vllm, "3 failed requests"),
    "vllm summary, fewer completed than sent": (spoilt_vllm_summary, "3 failed requests"),
    "guidellm, errored": (lambda run: spoilt_guidellm(run, "errored"), "3 failed requests"),
    "guidellm, incomplete": (lambda run: spoilt_guidellm(run, "incomplete"), "3 incomplete requests"),
    "guidellm, outside of what was measured": (spoilt_guidellm_window, "3 requests of the warm-up or the cool-down"),
    "aiperf, warm-up": (lambda run: spoilt_aiperf(run, phase="warmup"), "3 requests of the warm-up"),
    "aiperf, cancelled": (
        lambda run: spoilt_aiperf(run, metadata={"was_cancelled": True}, error={"type": "RequestCancellationError"}),
        "3 cancelled requests",
    ),
    "aiperf, failed": (
        lambda run: spoilt_aiperf(run, error={"code": 500}, metrics={"error_isl": {"value": 9, "unit": "tokens"}}),
        "3 failed requests",
    ),
    "aiperf summary, failed": (
        lambda run: [genai_perf(run, {}) | {"error_request_count": {"unit": "requests", "avg": 3.0}}],
        "3 failed requests",
    ),
    "llmperf, failed": (spoilt_llmperf, "3 failed requests"),
    "llmperf summary, failed": (lambda run: [llmperf_summary(run) | {"results_number_errors": 3}], "3 failed requests"),
}


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


# One odd record.


@pytest.mark.parametrize(("name", "reason"), [("null-tokens", "is null"), ("zero-tokens", "must be >= 1, got 0")])
def test_one_odd_request_of_a_benchmark_is_left_out_aloud(fitted, name, reason):
    """The first request of each of three benchmarks; the nine others are 50 ms and 6.5 ms + 0.08 ms a sequence."""
    (file,) = case(5, f"{name}.json")
    answer, said = fitted(file)
    assert (answer["kind"], answer["points"]) == ("batch", 9)
    assert parameters(answer) == pytest.approx(SERVER)
    assert "3 of 12 records are left out: benchmark 1 request 1, benchmark 2 request 1, benchmark 3 request 1" in said
    assert f"output_tokens{':' * ('must' in reason)} {reason}" in said
    error, _ = fitted(file, "--strict", code=2)
    assert f"{name}.json: benchmark 1 request 1, benchmark 2 request 1" in error


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
    with pytest.warns(UserWarning, match="how many requests ran must be > 0, got -"):
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
