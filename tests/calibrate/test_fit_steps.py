import json

import numpy as np
import pytest
import yaml

from moo_infer import CostModel, MooInferError, Registry
from moo_infer.calibrate import StepTable, fit_itl, fit_steps, holds_steps, read_steps

B = np.repeat([1.0, 2, 8, 64], 2)
CONTEXT = np.tile([512.0, 4096], 4)
STEPS = {"itl_base_s": 0.009, "itl_per_sequence_s": 1.2e-5, "itl_per_context_token_s": 4e-8}
JOULES = {"joules_per_decode_step": 3.0, "joules_per_output_token": 0.02, "joules_per_context_token": 2e-5}
PROMPTS = np.array([128.0, 1024, 8192])
UNKNOWN = np.full(8, np.nan)


def step(numbers, batch=B, context=CONTEXT):
    base, per_sequence, per_token = numbers.values()
    return base + (per_sequence + per_token * context) * batch


def values(fitted):
    return {name: value for name, (value, _) in fitted.parameters.items()}


def text(names, *columns):
    return "\n".join([names, *(",".join(map(str, row)) for row in zip(*columns, strict=True))]) + "\n"


@pytest.fixture
def steps(file):
    return file(text("batch,context,seconds,joules", B, CONTEXT, step(STEPS), step(JOULES)), "steps.csv")


@pytest.fixture
def prefills(file):
    return file(text("tokens,seconds,joules", PROMPTS, 0.01 + 2e-5 * PROMPTS, 3 + 0.02 * PROMPTS), "prefill.csv")


def test_a_fit_finds_what_was_put_in(steps, prefills):
    (table,) = read_steps([steps, prefills])
    fitted = fit_steps(table)
    assert fitted.kind == "batch"
    assert values(fitted) == pytest.approx(STEPS | {"ttft_seconds": 0.01, "prefill_per_token_s": 2e-5})
    assert fitted.error < 1e-9
    fitted = fit_steps(table, energy=True)
    assert fitted.kind == "batch-energy"
    assert values(fitted) == pytest.approx(JOULES | {"joules_per_prefill": 3, "joules_per_input_token": 0.02})


def test_errors_are_relative_and_standard_errors_those_of_repeated_measurements():
    from scipy.optimize import curve_fit

    rng = np.random.default_rng(0)
    seconds = step(STEPS) * rng.normal(1, 0.02, 8)
    fitted = fit_steps(StepTable(B, CONTEXT, seconds, UNKNOWN))
    best, covariance = curve_fit(
        lambda x, a, b, c: a + (b + c * x[1]) * x[0], (B, CONTEXT), seconds, p0=[0.01, 1e-5, 1e-8], sigma=seconds
    )
    assert [*values(fitted).values()] == pytest.approx(best.tolist(), rel=1e-4)
    errors = [se for _, se in fitted.parameters.values()]
    assert errors == pytest.approx(np.sqrt(np.diag(covariance)).tolist(), rel=1e-3)
    off = np.abs(step(values(fitted)) / seconds - 1)
    assert fitted.error == pytest.approx(off.mean())
    assert f"median error {100 * np.median(off):.1f} %, worst {100 * off.max():.1f} % (batch " in fitted.about


def test_the_range_that_was_measured_is_said_and_refused_beyond(steps, prefills):
    (table,) = read_steps([steps, prefills])
    fitted = fit_steps(table)
    bounds = {"largest_measured_batch": 64, "largest_measured_context": 4096, "largest_measured_prompt": 8192}
    assert fitted.settings == bounds
    assert fitted.part.items() >= bounds.items()
    opening = "seconds of a step; batch 1 to 64; context 512 to 4096; at most 262144 tokens in a batch; median error"
    assert fitted.about.startswith(opening)
    assert "prefills of 128 to 8192 tokens; median error 0.0 %" in fitted.about
    assert fit_steps(table, extrapolate=True).settings == {}


@pytest.mark.parametrize(
    ("context", "why"),
    [
        (np.full(8, 512.0), "contexts of 512 tokens vary too little"),
        (np.tile([508.0, 516], 4), "contexts of 508 to 516 tokens vary too little"),
        (UNKNOWN, "contexts are not known"),
    ],
)
def test_a_context_term_that_is_not_told_apart_is_refused_and_said(context, why):
    seconds = step(STEPS, context=np.nan_to_num(context, nan=700.0))
    fitted = fit_steps(StepTable(B, context, seconds, UNKNOWN))
    said = f"itl_per_context_token_s not told apart: {why}, so use the others at such lengths only"
    assert said in fitted.about
    alpha, beta, error = fit_itl(B, seconds)
    assert fitted.parameters == {"itl_base_s": pytest.approx(alpha), "itl_per_sequence_s": pytest.approx(beta)}
    assert fitted.error == pytest.approx(error)


def test_numbers_no_larger_than_their_errors_and_small_batches_are_said():
    rng, batch = np.random.default_rng(3), B + 7
    about = fit_steps(StepTable(batch, CONTEXT, 0.009 * rng.normal(1, 0.02, 8), UNKNOWN)).about
    assert "not told apart from 0" in about
    assert "below a batch of 8, as of one sequence alone, it is extrapolated" in about


def prompts(tokens, prefills=None):
    tokens = np.array(tokens, dtype=float)
    prefills = np.ones(len(tokens)) if prefills is None else np.array(prefills, dtype=float)
    line = prefills * (0.01 + 2e-5 * tokens)
    return StepTable(B, CONTEXT, step(STEPS), UNKNOWN, tokens, prefills, line, np.full(len(tokens), np.nan))


def test_prefills_of_one_length_tell_no_slope():
    fitted = fit_steps(prompts([512, 512]))
    assert fitted.parameters["ttft_seconds"][0] == pytest.approx(0.01 + 2e-5 * 512)
    assert "prefill_per_token_s" not in fitted.parameters
    assert "prefill_per_token_s not told apart: use the other at such prompts only" in fitted.about
    assert "too few to judge the line by" in fit_steps(prompts([512, 2048])).about


def test_several_prefills_are_compared_with_the_line_of_one():
    fitted = fit_steps(prompts([128, 1024, 8192, 2048], [1, 1, 1, 8]))
    assert "8 of 2048 tokens, one after the other, not fitted: the line says 0.0 % " in fitted.about
    assert values(fit_steps(prompts([128, 8192], [8, 8])))["prefill_per_token_s"] == pytest.approx(2e-5)


def test_without_prefills_that_is_said():
    fitted = fit_steps(prompts([]))
    assert "no prefills were measured: they take nothing here" in fitted.about
    assert "ttft_seconds" not in fitted.parameters


def test_idle_watts_are_put_beside_the_joules(steps, file):
    (table,) = read_steps([steps, file("watts,seconds\n138,3\n140,3\n", "idle.csv")])
    fitted = fit_steps(table, energy=True)
    assert fitted.settings["idle_watts"] == 139
    assert "idle_watts count for the seconds between queries, idle_seconds, which are yours to add" in fitted.about
    assert "idle_watts" not in fit_steps(table).settings


def test_names_of_others_comments_and_gzips_are_read(file, tmp_path):
    import gzip

    rows = text("B,context,attention,seconds,watts", B, CONTEXT, ["sdpa"] * 8, step(STEPS), [300] * 8)
    (tmp_path / "steps.csv.gz").write_bytes(gzip.compress(f"# an H100\n{rows}".encode()))
    (table,) = read_steps([tmp_path / "steps.csv.gz", file("what,tokens,seconds\none,512,0.02\neight,512,0.16\n")])
    np.testing.assert_array_equal(table.batch, B)
    assert np.isnan(table.joules).all()
    assert table.prefills.tolist() == [1, 8]
    assert np.isnan(table.idle_watts)


ML_ENERGY = "model_id,task,gpu_model,num_gpus,weight_precision,avg_batch_size,median_itl_ms,energy_per_token_joules\n"


def setup(model, batches, of="chat,H100,1,bf16"):
    return "".join(f"acme/{model},{of},{b},{9 + 0.1 * b},{0.1 + 2 / b}\n" for b in batches)


def test_ml_energy_has_a_setup_for_each_model_and_machine(file, cli):
    path = file(
        ML_ENERGY + setup("A", (8, 16, 32, 64)) + setup("B", (8, 16)) + setup("A", (8, 16, 32, 64), "chat,B200,2,fp8")
    )
    code, out, err = cli("fit-latency", path, "--energy")
    assert (code, err) == (0, "")
    assert "# 1 of 3 setups have too few batch sizes and are left out: b-chat-h100x1\n" in out
    assert "# a-chat-b200x2: 4 points, mean error 0.0 %; joules of a step; batch 8 to 64" in out
    for given in yaml.safe_load(out):
        part = Registry().build(CostModel, given, "here")
        assert (part.joules_per_output_token, part.joules_per_decode_step) == pytest.approx((0.1, 2))
        assert part.largest_measured_batch == 64
    code, out, _ = cli("fit-latency", path, "--json")
    found = json.loads(out)
    assert [fitted["setup"] for fitted in found["fits"]] == ["a-chat-h100x1", "a-chat-b200x2"]
    assert found["parameters"]["itl_base_s"]["value"] == pytest.approx(0.009)


def test_the_command_writes_parts(cli, steps, prefills, tmp_path):
    for options, kind in (((), "batch"), (("--kind", "batch"), "batch"), (("--energy",), "batch-energy")):
        code, out, err = cli("fit-latency", steps, prefills, *options, "--out", tmp_path / "part.yaml")
        assert (code, err) == (0, "")
        assert (tmp_path / "part.yaml").read_text() == out
        (given,) = yaml.safe_load(out)
        assert given["kind"] == kind
        assert Registry().build(CostModel, given, "here").largest_measured_context == 4096
    assert "# batch-energy is a part of the package moo-infer-energy\n" in out
    (given,) = yaml.safe_load(cli("fit-latency", steps, "--extrapolate")[1])
    assert given.keys() == {"kind", *STEPS}


def test_records_that_cannot_be_read_are_left_out(file, cli):
    rows = text("batch,context,seconds", B, CONTEXT, step(STEPS))
    bad = file(f"{rows}4,512,nan\n", "steps.csv")
    with pytest.warns(
        UserWarning, match="1 of 9 records are left out: line 10: seconds: must be a finite number, got nan"
    ):
        (table,) = read_steps([bad])
    assert len(table.batch) == 8
    code, out, _ = cli("fit-latency", bad)
    assert code == 0
    assert "1 of 9 records are left out" in out
    assert cli("fit-latency", bad, "--strict")[0] == 2


def test_milliseconds_are_questioned(file):
    path = file(text("batch,context,seconds", B, CONTEXT, 1000 * step(STEPS)))
    with pytest.warns(UserWarning, match="the median of seconds is .* s a step: were milliseconds written"):
        read_steps([path])


HEAD = "batch,context,seconds,joules\n"
THREE = "".join(f"{b},512,0.01,3\n" for b in (1, 8, 64))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD, "log.csv: no measurement in it"),
        ("batch,seconds\n1,0.01\n", "log.csv: lacks the columns context (its header: 'batch, seconds')"),
        ("tokens,joules\n1,0.01\n", "log.csv: lacks the columns seconds (its header: 'tokens, joules')"),
        ("B,batch,context,seconds\n1,1,5,0.01\n", "has two columns for batch (its header: 'B, batch, context, seconds')"),
        ("B,context,seconds,seconds\n1,1,5,0.01\n", "has two columns for seconds"),
        (HEAD + "0,512,0.01,3\n", "line 2: batch: must be >= 1, got 0"),
        (HEAD + "1,-1,0.01,3\n", "line 2: context: must be >= 0, got -1"),
        (HEAD + "1,512,0,3\n", "line 2: seconds: must be > 0, got 0"),
        (HEAD + "1,512,inf,3\n", "line 2: seconds: must be a finite number, got inf"),
        (HEAD + "1,512,0.01,-3\n", "line 2: joules: must be > 0, got -3"),
        (HEAD + "one,512,0.01,3\n", "line 2: batch: must be a number, got 'one'"),
        (HEAD + "1,512,0.01,3,4\n", "line 2: has 5 fields, but the header names 4"),
        (HEAD + "1,512,,3\n", "line 2: seconds is missing"),
        (HEAD + "1,512,0.01,3\n" * 9, "batch: steps at 3 or more batch sizes are needed, got 1 (1)"),
        (HEAD + THREE, "batch: at least 4 steps are needed to fit 2 numbers, got 3"),
        (HEAD + THREE + "1,8192,0.012,3\n", "batch: at least 5 steps are needed to fit 3 numbers, got 4"),
        ("tokens,seconds\n512,0.02\n", "batch: no decoding step with batch, context and seconds was measured"),
        ("what,tokens,seconds\ndozen,512,0.02\n", "line 2: prefills: must be a number, got 'dozen'"),
        ("watts\n-5\n", "line 2: watts: must be >= 0, got -5"),
        (ML_ENERGY + "acme/A,,H100,1,bf16,8,9,0.3\n", "line 2: task is missing"),
        (ML_ENERGY + setup("A", (8, 16)), "a-chat-h100x1: batch: steps at 3 or more batch sizes are needed, got 2 (8, 16)"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_file(file, cli, content, message):
    code, out, err = cli("fit-latency", file(content))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_what_else_is_refused(file, steps, cli, tmp_path):
    test = file("concurrency,input_tokens,output_tokens,ttft_s,latency_s\n1,512,100,0.2,1\n", "test.csv")
    configs = file(ML_ENERGY + setup("A", (8, 16, 32, 64)), "configs.csv")
    no_joules = file(text("batch,context,seconds", B, CONTEXT, step(STEPS)), "no_joules.csv")
    for words, message in (
        (
            [steps, test],
            f"{test}: is no table of steps, prefills or idle watts (its header: 'concurrency, input_tokens",
        ),
        ([steps, tmp_path / "none.csv"], "none.csv: no such file"),
        (
            [steps, configs],
            "setups of ML.ENERGY are of many machines, other tables of one: fit them apart",
        ),
        ([steps, "--kind", "slots"], "--kind slots: of tables of steps batch is fitted, or with --energy batch-energy"),
        ([steps, "--out", "steps.txt"], "--out: steps.txt: must end in .yaml or .yml"),
        ([test, "--energy"], f"--energy: is for tables of steps, and {test} is none"),
        ([test, "--extrapolate"], f"--extrapolate: is for tables of steps, and {test} is none"),
        ([no_joules, "--energy"], "batch-energy: no decoding step with batch, context and joules was measured"),
    ):
        code, out, err = cli("fit-latency", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
    assert not holds_steps(tmp_path)
    with pytest.raises(MooInferError, match="is no table of steps, prefills or idle watts \\(its header: 'concurrency"):
        read_steps([test])
    with pytest.raises(MooInferError, match="no file: no measurement in it"):
        read_steps([])
