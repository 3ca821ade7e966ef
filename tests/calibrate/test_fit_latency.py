import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import yaml

from moo_infer import CostModel, Exact, ModelProfile, MooInferError, Registry
from moo_infer.builtin.aggregators import Coverage
from moo_infer.builtin.inference import Gaussian
from moo_infer.calibrate import LoadTest, fit_batch, fit_itl, fit_serving, fit_slots, read
from moo_infer.core.noise import ratio_at, ratio_moments

FIXTURES = Path(__file__).parents[1] / "fixtures"
AIPERF = [FIXTURES / f"aiperf-0.5-concurrency-{n}.json" for n in (1, 4, 16)]
BATCH = {"itl_base_s": 0.010, "itl_per_sequence_s": 0.001, "ttft_seconds": 0.2}
SLOTS = {"overhead_s": 0.3, "seconds_per_input_token": 0.0001, "seconds_per_output_token": 0.01}


def values(fitted):
    return {name: value for name, (value, _) in fitted.parameters.items()}


@pytest.mark.parametrize(
    ("files", "points"),
    [([FIXTURES / "vllm-bench.json"], 3), ([FIXTURES / "guidellm-0.5.json"], 5), (AIPERF, 3)],
    ids=["vllm", "guidellm", "aiperf"],
)
def test_runs_at_several_concurrencies_give_a_batch(files, points):
    """The fixtures are of a server with ITL = 10 + B ms and 200 ms to the first token."""
    fitted = fit_serving(read(files))
    assert (fitted.kind, fitted.points) == ("batch", points)
    assert values(fitted) == pytest.approx(BATCH, rel=1e-6)
    assert fitted.error < 1e-6


@pytest.mark.parametrize("file", ["vllm-bench-detailed.json", "aiperf-0.5-records.jsonl"])
def test_logs_of_single_requests_give_slots(file):
    """The fixtures are of calls with 0.3 s + 0.1 ms tokens_in + 10 ms tokens_out, and one that did not end well."""
    with pytest.warns(UserWarning, match=f"{file}: not fitted: 1 (failed|cancelled) request$"):
        fitted = fit_serving(read([FIXTURES / file]))
    assert fitted.kind == "slots"
    assert values(fitted) == pytest.approx(SLOTS, rel=1e-5)


def test_without_a_concurrency_littles_law_gives_it():
    assert read([FIXTURES / "vllm-bench.json"]).concurrency.tolist() == pytest.approx([1, 4, 16], rel=1e-6)
    assert read(AIPERF).concurrency.tolist() == pytest.approx([1, 4, 16], rel=1e-6)


def written(tmp_path, text, name="log.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_the_neutral_csv_of_runs(tmp_path):
    rows = [f"{n},512,101,0.2,{0.2 + 100 * (0.01 + 0.001 * n)}" for n in (1, 2, 8, 64)]
    header = "concurrency, input_tokens, output_tokens, ttft_s, latency_s\n"
    assert values(fit_serving(read([written(tmp_path, header + "\n".join(rows))]))) == pytest.approx(BATCH)


def test_the_neutral_csv_of_requests(tmp_path):
    rng = np.random.default_rng(0)
    tokens = rng.integers(50, 2000, (50, 2))
    rows = [f"{i},{o},{0.3 + 0.0001 * i + 0.01 * o},and more" for i, o in tokens]
    file = written(tmp_path, "input_tokens,output_tokens,latency_s,note\n" + "\n".join(rows))
    assert values(fit_serving(read([file]))) == pytest.approx(SLOTS, rel=1e-6)


def noisy(rng, n=400, sd=0.1):
    tokens_in, tokens_out = rng.lognormal(6, 0.8, n), rng.lognormal(6, 0.5, n)
    nothing = np.full(n, np.nan)
    seconds = 0.3 + 0.0001 * tokens_in + 0.01 * tokens_out
    return LoadTest(nothing, tokens_in, tokens_out, nothing, seconds * rng.gamma(1 / sd**2, sd**2, n))


def test_relative_errors_make_numbers_lower_by_twice_their_square():
    batch = np.repeat(np.arange(1.0, 33.0), 200)
    seconds = 0.01 + 0.0005 * batch
    (alpha, _), (beta, _), _ = fit_itl(batch, seconds * (1 + 0.1 * np.random.default_rng(0).standard_normal(6400)))
    assert (alpha + beta * batch).mean() / seconds.mean() == pytest.approx(0.98, abs=0.003)


def test_standard_errors_are_those_of_repeated_measurements():
    fits = [fit_slots(noisy(np.random.default_rng(seed))) for seed in range(40)]
    for name, value in SLOTS.items():
        found, errors = np.array([fit.parameters[name] for fit in fits]).T
        assert found.mean() == pytest.approx(value, abs=4 * found.std() / np.sqrt(40))
        if name == "seconds_per_output_token":  # the others lie at their bound at times
            assert errors.mean() == pytest.approx(found.std(), rel=0.35)
    rng, B = np.random.default_rng(0), np.array([1.0, 2, 4, 8, 16, 32])
    found = [fit_itl(B, (0.01 + 0.001 * B) * rng.normal(1, 0.02, 6)) for _ in range(300)]
    for i in (0, 1):
        assert np.mean([f[i][1] for f in found]) == pytest.approx(np.std([f[i][0] for f in found]), rel=0.15)


@pytest.mark.parametrize("cv", [0.1, 0.5, 1.0])
def test_single_requests_in_a_csv_have_the_means_of_their_loads(cv, tmp_path):
    rng, n = np.random.default_rng(0), 300
    B, shape = np.repeat([1, 8, 32, 64], n), 1 / cv**2
    ttft = 0.5 * rng.gamma(shape, 1 / shape, 4 * n)
    itl = (0.01 + 2e-4 * B) * rng.gamma(4 * shape, 1 / (4 * shape), 4 * n)
    rows = "".join(f"{b},500,101,{first},{first + 100 * each}\n" for b, first, each in zip(B, ttft, itl, strict=True))
    fitted = fit_batch(read([written(tmp_path, f"concurrency,input_tokens,output_tokens,ttft_s,latency_s\n{rows}")]))
    assert fitted.points == 4 * n
    for name, value in {"ttft_seconds": 0.5, "itl_base_s": 0.01, "itl_per_sequence_s": 2e-4}.items():
        assert fitted.parameters[name][0] == pytest.approx(value, rel=0.15 * cv + 0.01), name


@pytest.mark.parametrize("cv", [0.1, 0.5])
def test_standard_errors_of_robust_lines_are_those_of_repeated_measurements(cv):
    fits = [fit_slots(noisy(np.random.default_rng(seed), 400, cv)) for seed in range(200)]
    found, errors = np.array([fit.parameters["seconds_per_output_token"] for fit in fits]).T
    assert errors.mean() == pytest.approx(found.std(), rel=0.15)  # three errors of the spread of 200


def test_outputs_without_tokens_tell_the_overhead_alone():
    fitted = fit_slots(requests(np.array([10.0, 20, 30, 40, 50]), np.zeros(5), np.array([0.3, 0.4, 0.5, 0.6, 0.7])))
    assert values(fitted) == pytest.approx(
        {"overhead_s": 0.2, "seconds_per_input_token": 0.01, "seconds_per_output_token": 0.0}
    )


def test_a_few_hiccups_do_not_matter():
    rng = np.random.default_rng(1)
    clean = noisy(rng, sd=0.05)
    late = clean.latency_s.copy()
    late[::25] += 60.0
    hurt = LoadTest(clean.concurrency, clean.input_tokens, clean.output_tokens, clean.ttft_s, late)
    assert values(fit_slots(hurt))["seconds_per_output_token"] == pytest.approx(0.01, rel=0.03)


def test_nothing_negative_is_fitted():
    """Seconds that fall with the prompt: its share is 0, not below."""
    out, into = np.array([100.0, 200, 300, 400, 500]), np.array([500.0, 400, 350, 100, 20])
    seconds = 0.01 * out + 0.5 - 0.0005 * into
    nothing = np.full(5, np.nan)
    assert values(fit_slots(LoadTest(nothing, into, out, nothing, seconds)))["seconds_per_input_token"] == 0
    batch = np.array([1.0, 8, 64])
    (_, (beta, _), _) = fit_itl(batch, 0.02 - 0.0001 * batch)
    assert beta == 0


def requests(tokens_in, tokens_out, seconds):
    nothing = np.full(len(tokens_out), np.nan)
    return LoadTest(nothing, np.broadcast_to(tokens_in, tokens_out.shape).astype(float), tokens_out, nothing, seconds)


def test_lengths_that_do_not_vary_are_said():
    out = np.linspace(100, 500, 6)
    fitted = fit_slots(requests(512, out, 0.4 + 0.01 * out))
    assert values(fitted) == pytest.approx(
        {"overhead_s": 0.4, "seconds_per_input_token": 0, "seconds_per_output_token": 0.01}
    )
    assert "seconds_per_input_token not told apart" in fitted.about
    assert "overhead_s" not in fitted.about


@pytest.mark.parametrize(("low", "high", "words"), [(128, 128, "128"), (126, 130, "126 to 130")])
def test_outputs_that_hardly_vary_do_not_tell_the_overhead_and_that_is_said(low, high, words):
    """All seconds are given to the tokens, with the small error that they have at such lengths."""
    rng = np.random.default_rng(0)
    out = rng.integers(low, high + 1, 1000).astype(float)
    fitted = fit_slots(requests(512, out, (0.3 + 0.01 * out) * rng.gamma(25, 1 / 25, 1000)))
    assert values(fitted)["overhead_s"] == 0
    value, se = fitted.parameters["seconds_per_output_token"]
    assert value == pytest.approx((0.3 + 1.28) / 128, rel=0.03)
    assert se < 0.02 * value
    assert (
        f"overhead_s and seconds_per_output_token not told apart: outputs of {words} tokens vary too little, so the "
        "tokens are given all seconds, which holds at such lengths only"
    ) in fitted.about


def test_a_slope_no_larger_than_its_error_is_said():
    """Of outputs, where the overhead is known beside it; of prompts that vary too little; not of a slope that is nil."""
    rng = np.random.default_rng(1)
    out, into, noise = rng.integers(1, 6, 200) * 1.0, rng.integers(500, 520, 200) * 1.0, rng.gamma(4, 1 / 4, 200)
    about = fit_slots(requests(512, out, 2 * noise)).about
    assert "seconds_per_output_token = " in about
    assert "not told apart from 0 by 1 to 5 output_tokens, so take it for such lengths only" in about
    out = rng.integers(100, 600, 200) * 1.0
    about = fit_slots(requests(into, out, (0.3 + 0.01 * out) * noise)).about
    assert "seconds_per_output_token" not in about
    assert "not told apart from 0 by 500 to 519 input_tokens" in about
    prompts = rng.integers(1, 2000, 200) * 1.0
    assert "input" not in fit_slots(requests(prompts, out, (0.3 + 0.01 * out) * rng.normal(1, 0.001, 200))).about


def service(rng, shape):
    """The lengths and seconds of calls to a noisy service: lognormal with the mean 1 and a variation of 0.3."""
    lengths, sigma = np.maximum(rng.normal(400, 100, shape), 1.0), np.sqrt(np.log1p(0.3**2))
    return lengths, (0.3 + 0.01 * lengths) * rng.lognormal(-(sigma**2) / 2, sigma, shape)


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_of_a_noisy_service_foretells_its_quantiles_and_its_slowest_of_k(tmp_path, cli, seed):
    """1,000 requests; the 95 % quantile of a call and of the slowest of 8, against 2 million calls of the service."""
    lengths, seconds = service(np.random.default_rng(seed), 1000)
    rows = [f"500,{tokens:.0f},{took:.6f}" for tokens, took in zip(lengths, seconds, strict=True)]
    file = written(tmp_path, "input_tokens,output_tokens,latency_s\n" + "\n".join(rows))
    assert cli("fit-latency", file, "--out", tmp_path / "slots.yaml")[0] == 0
    (given,) = yaml.safe_load((tmp_path / "slots.yaml").read_text())
    assert len(given["ratios"]) == 20
    part = Registry(entry_points=False).build(CostModel, given, "here")
    profile = ModelProfile("service", Gaussian(500, 0, 400, 100, 0.8, 0.1), (part,), parallelism=8)
    column = Exact(trials=40_000).estimate(profile, Coverage(), np.array([1, 8]), 8).columns["latency"]
    _, own = service(np.random.default_rng(99), (250_000, 8))
    slowest = own.max(axis=1)
    assert column.mean == pytest.approx([own.mean(), slowest.mean()], rel=0.05)
    calls, slowest_95 = column.quantile(0.95)
    assert calls == pytest.approx(np.quantile(own, 0.95), rel=0.05)
    # The 99.4 % quantile of a call: 1,000 requests know it to 3 % (one standard error).
    assert slowest_95 == pytest.approx(np.quantile(slowest, 0.95), rel=0.09)


def test_ratios_foretell_the_held_out_requests_of_measured_services(data):
    """Half of the requests of each of 47 public runs is fitted; mean, 95 % quantile and slowest of 8 of the others."""
    import polars

    names = ("tokens_in", "tokens_out_billed", "working_time_s")
    log = polars.scan_csv(data / "epoch_gpqa" / "samples_gpqa_diamond.csv.gz", infer_schema_length=None)
    log = log.select("run_id", *(polars.col(name).cast(float) for name in names)).drop_nulls()
    log = log.filter(polars.col("tokens_out_billed") > 0, polars.col("working_time_s") > 0).collect()
    off = {"line": [], "ratios": []}
    for run in log.partition_by("run_id", maintain_order=True):
        if len(run) < 100:
            continue
        rng = np.random.default_rng(0)
        fitted_half = rng.random(len(run)) < 0.5
        measured = run.select(names).to_numpy().T
        fitted = fit_slots(requests(*measured[:, fitted_half]))
        into, out, seconds = measured[:, ~fitted_half]
        per = values(fitted)
        line = per["overhead_s"] + per["seconds_per_input_token"] * into + per["seconds_per_output_token"] * out
        calls, noise = rng.integers(0, len(out), (20_000, 8)), rng.random((20_000, 8))
        own = np.array(statistics(seconds[calls]))
        off["line"].append(statistics(line[calls]) / own - 1)
        off["ratios"].append(statistics(line[calls] * ratio_at(noise, fitted.ratios)) / own - 1)
    assert len(off["line"]) == 47
    line, ratios = (np.median(np.abs(off[name]), axis=0) for name in ("line", "ratios"))
    assert (line > [0.02, 0.05, 0.055]).all()
    assert (ratios < [0.015, 0.04, 0.035]).all()


def statistics(seconds):
    """Mean and 95 % quantile of a call, and the mean of the slowest of 8."""
    return seconds.mean(), np.quantile(seconds, 0.95), seconds.max(axis=1).mean()


def test_rare_delays_are_no_part_of_what_is_typical_and_all_of_what_was_waited():
    rng = np.random.default_rng(4)
    out, seconds = service(rng, 1000)
    seconds = seconds + 60 * (rng.random(1000) < 0.02)
    fitted = fit_slots(requests(512, out, seconds))
    assert fitted.typical_s == pytest.approx(4.3, rel=0.05)
    assert fitted.waited_s == seconds.mean() > 5.2
    line = values(fitted)["overhead_s"] + values(fitted)["seconds_per_output_token"] * out
    assert fitted.typical_s == pytest.approx(line.mean())
    assert fitted.typical_s * ratio_moments(fitted.ratios)[0] == pytest.approx(fitted.waited_s, rel=1e-3)
    assert (
        f"mean seconds of a call: typical_s = {fitted.typical_s:.3g} by the fit alone, which makes little of rare "
        f"delays; waited_s = {fitted.waited_s:.3g} as measured, with all of them"
    ) in fitted.about


def test_seconds_that_the_tokens_explain_have_no_ratios():
    out = np.linspace(100, 500, 40)
    fitted = fit_slots(requests(512, out, 0.4 + 0.01 * out))
    assert fitted.ratios == ()
    assert "ratios" not in fitted.yaml
    assert "ratios" not in fitted.part


def test_few_requests_say_little_of_rare_delays():
    for n, few in ((30, True), (100, False)):
        fitted = fit_slots(requests(512, *service(np.random.default_rng(0), n)))
        assert len(fitted.ratios) == 20
        assert (f"{n} requests say little of rare delays" in fitted.about) == few


def test_itl_of_measured_servers(data):
    """A straight line in the batch size is within 7 % for half of the groups of the ML.ENERGY benchmark."""
    groups = defaultdict(list)
    setup = ("model_id", "task", "gpu_model", "num_gpus", "tensor_parallel", "expert_parallel", "data_parallel")
    with (data / "mlenergy" / "configs.csv").open() as file:
        for row in csv.DictReader(file):
            point = float(row["avg_batch_size"] or "nan"), float(row["median_itl_ms"] or "nan") / 1000
            if np.isfinite(point).all():
                groups[tuple(row[name] for name in setup)].append(point)
    fits = {key: fit_itl(*np.transpose(points)) for key, points in groups.items() if len(points) >= 4}
    assert len(fits) >= 60
    assert np.median([error for _, _, error in fits.values()]) <= 0.07
    alpha, beta, error = fits["meta-llama/Llama-3.1-8B-Instruct", "lm-arena-chat", "H100", "1", "1", "1", "1"]
    assert (1000 * alpha[0], 1000 * beta[0], error) == pytest.approx((6.5, 0.079, 0.02), rel=0.02, abs=0.005)


def test_the_command_writes_yaml_that_is_a_cost_model(cli, tmp_path):
    code, out, _ = cli("fit-latency", *AIPERF, "--out", tmp_path / "batch.yaml")
    assert code == 0
    assert out == (tmp_path / "batch.yaml").read_text()
    assert out.startswith(
        "# fitted to aiperf-0.5-concurrency-1.json, aiperf-0.5-concurrency-4.json, aiperf-0.5-concurrency-16.json\n"
        "# 3 points, mean error 0.0 %; ITL at concurrency 1 to 16; TTFT off by 0 %\n- {kind: batch, itl_base_s: {value: 0.01, se: "
    )
    (part,) = yaml.safe_load(out)
    built = Registry(entry_points=False).build(CostModel, part, "here")
    assert built.itl_base_s == pytest.approx(0.01)


def test_the_command_in_json(cli):
    code, out, _ = cli("fit-latency", FIXTURES / "vllm-bench-detailed.json", "--kind", "slots", "--json")
    found = json.loads(out)
    assert (code, found["schema"], found["kind"], found["points"]) == (0, 1, "slots", 8)
    assert {name: p["value"] for name, p in found["parameters"].items()} == pytest.approx(SLOTS, rel=1e-5)
    assert yaml.safe_load(found["yaml"])[0]["kind"] == "slots"
    assert (found["ratios"], found["typical_s"]) == ([], pytest.approx(found["waited_s"]))
    code, out, _ = cli("fit-latency", *AIPERF, "--json")
    assert (code, json.loads(out)["typical_s"], json.loads(out)["waited_s"]) == (0, None, None)


GOOD = "concurrency,input_tokens,output_tokens,ttft_s,latency_s\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "log.csv: is empty"),
        (GOOD, "log.csv: no completed request in it"),
        ("a,b\n1,2\n", "log.csv: is no CSV with input_tokens, output_tokens, latency_s (its header: 'a, b')"),
        (GOOD + "1,512,100,0.2,nan\n", "log.csv: line 2: latency_s: must be a finite number, got nan"),
        (GOOD + "1,512,100,0.2,-1\n", "log.csv: line 2: latency_s: must be > 0, got -1"),
        (GOOD + "0,512,100,0.2,1\n", "log.csv: line 2: concurrency: must be > 0, got 0"),
        (GOOD + "1,-5,100,0.2,1\n", "log.csv: line 2: input_tokens: must be >= 0, got -5"),
        ("# an H100\n" + GOOD + "\n# idle\n1,512,100,0.2,0\n", "log.csv: line 5: latency_s: must be > 0, got 0"),
        (GOOD + "1,512,100,0.2,\n", "log.csv: line 2: latency_s is missing"),
        (GOOD + "1,512,100,2,1\n", "log.csv: line 2: ttft_s = 2 is more than latency_s = 1"),
        (GOOD + "1,512,many,0.2,1\n", "log.csv: line 2: output_tokens: must be a number, got 'many'"),
        (GOOD + "1,512,100,0.2,1\n" * 3, "slots: at least 4 requests are needed to fit three numbers, got 3"),
        ("{", "log.csv: is no JSON, or is cut off: Expecting property name"),
        ("[1, 2]", "log.csv: record 1: must be a JSON object, got 1; record 2: must be a JSON object, got 2"),
        ('{"hello": 1}', "log.csv: line 1: is of no known format (its keys: hello); read are vLLM bench"),
        ('{"mean_ttft_ms": 1}', "log.csv: line 1 (vLLM bench or SGLang): completed is missing"),
        ('{"benchmarks": [{"metrics": {}}]}', "benchmark 1 (guidellm): metrics.prompt_token_count is missing"),
        ('{"metadata": {}, "metrics": {"input_sequence_length": 5}}', "line 1: metrics.input_sequence_length: must be a JSON object, got 5"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_file(tmp_path, cli, text, message):
    code, out, err = cli("fit-latency", written(tmp_path, text))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_what_else_is_refused(tmp_path, cli):
    points = written(tmp_path, GOOD + "1,512,100,0.2,1.2\n4,512,100,0.2,1.3\n")
    for arguments, message in (
        ([tmp_path / "none.csv"], "none.csv: no such file"),
        ([points, "--kind", "batch"], "batch: at least 3 different concurrencies with ttft_s are needed to fit ITL(B), got 2"),
        ([points, "--kind", "line"], "unknown kind 'line'; available: batch, slots"),
        ([*AIPERF, "--kind", "slots"], "slots: needs single requests, got means over runs"),
        ([*AIPERF, "--out", tmp_path / "none" / "x.yaml"], "cannot be written: No such file or directory"),
        ([tmp_path], "must be a file, is a folder"),
    ):  # fmt: skip
        code, out, err = cli("fit-latency", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MooInferError, match="binary: must be UTF-8 text, is UTF-16"):
        read([tmp_path / "binary"])
    unstreamed = LoadTest(
        *(np.array(column, dtype=float) for column in ([1, 2, 3], [9, 9, 9], [9, 9, 9], [1, 1, 1], [1, 1, 1]))
    )
    with pytest.raises(MooInferError, match="batch: needs 0 < ttft_s < latency_s"):
        fit_batch(unstreamed)


@pytest.mark.parametrize(
    "measured",
    [
        LoadTest(np.array([1.0, 4, 16]), np.full(3, 512.0), np.array([100, 1e12, 100]), np.full(3, 0.2), np.full(3, 1.5)),
        LoadTest(np.array([1.0, 4, 16]), np.full(3, 512.0), np.full(3, 1e12), np.full(3, 1e-320), np.full(3, 1e-310)),
    ],
    ids=["of one run nothing is left", "no float"],
)  # fmt: skip
def test_measurements_too_far_apart_for_one_fit_are_refused(measured):
    with pytest.raises(MooInferError, match="the measurements cannot be fitted together: their lengths or times are"):
        fit_batch(measured)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("batch", "itl", "message"),
    [
        ([1, 2, 3], [0.1, 0.2], r"itl_s: must have the shape \(3,\), got \(2,\)"),
        ([1, 2, 3], [0.1, 0, 0.3], r"itl_s\[1\]: must be > 0"),
        ([0, 2, 3], [0.1, 0.2, 0.3], r"batch\[0\]: must be > 0"),
        ([1, 2], [0.1, 0.2], "at least 3 points are needed"),
        ("x", [0.1], "batch: must be numbers"),
    ],
)
def test_what_is_no_itl_is_refused(batch, itl, message):
    with pytest.raises(MooInferError, match=message):
        fit_itl(batch, itl)


def test_a_number_at_its_bound_without_any_of_the_groups_is_not_taken_as_certain():
    """Its standard error is about that of least squares without bounds."""
    rng = np.random.default_rng(1)
    question = np.repeat(np.arange(20), 10)
    tokens_in, tokens_out = rng.uniform(100, 1000, 200), rng.uniform(100, 1000, 200)
    unknown = np.full(200, np.nan)
    seconds = (0.01 * tokens_out - 0.0005 * tokens_in + 2) * (1 + 0.1 * rng.standard_normal(200))
    fitted = fit_slots(LoadTest(unknown, tokens_in, tokens_out, unknown, seconds), question)
    value, se = fitted.parameters["seconds_per_input_token"]
    X = np.stack([tokens_out, np.ones(200), tokens_in], axis=1) / seconds[:, None]
    ordinary = np.sqrt(np.linalg.inv(X.T @ X)[2, 2]) * 0.1
    assert value == 0
    assert se == pytest.approx(ordinary, rel=0.4)
    assert "not told apart from 0" in fitted.about
