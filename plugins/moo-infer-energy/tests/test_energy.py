import os
import runpy
import statistics
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from moo_infer_energy import CARBON, BatchEnergy, Carbon, TokenEnergy, fits
from moo_infer_energy.__main__ import main
from moo_infer_energy.fits import refit, table

from moo_infer import (
    ENERGY,
    CostModel,
    Draws,
    Exact,
    ModelProfile,
    MonteCarlo,
    MooInferError,
    Pipeline,
    Registry,
    Samples,
    Scenario,
    load_models,
)
from moo_infer.builtin.answers import OneCall
from moo_infer.builtin.empirical import Empirical
from moo_infer.builtin.inference import Gaussian
from moo_infer.testing import MODELS, CostModelContract

CHAT = Gaussian(700, 90, 396, 95, 0.74, 0.12)
FIXED = replace(CHAT, tokens_out_std=0)
K = np.array([1, 4, 16])
A, B = 0.0665, 3.162
BOUNDS = {"largest_measured_batch": 1000, "largest_measured_context": 100_000, "largest_measured_prompt": 90_000}


class TestContracts(CostModelContract):
    instances = (
        TokenEnergy(0.01, 0.4),
        BatchEnergy(A, B),
        BatchEnergy(A, B, 0.02, 0.5),
        BatchEnergy(A, B, other_sequences=40),
        BatchEnergy(A, B, 0.02, prefill="each", joules_per_prefill=3, joules_per_context_token=2e-5, **BOUNDS),
        BatchEnergy(A, B, batch_sizes=(1, 2, 4, 8, 16), context_bucket=4096, idle_watts=140, idle_seconds=2),
        BatchEnergy(A, 0.0),
        Carbon(400, A, B, 0.02, 8, 1.3),
        Carbon(400, A),
        Carbon(400, A, B, 0.02, prefill="each", joules_per_prefill=3, joules_per_context_token=2e-5, **BOUNDS),
        Carbon(400, A, B, batch_sizes=(1, 2, 4, 8, 16), context_bucket=4096, idle_watts=140, idle_seconds=2),
    )

    @pytest.fixture(params=[*MODELS.values(), CHAT, FIXED, Gaussian(2, 3, 5, 8, 0.9, 0.3)], ids=repr)
    def model(self, request):
        return request.param


def test_on_a_log_the_steps_are_those_of_all_subsets_of_its_samples():
    """Exact against the slow and obvious mean over subsets, and against simulation."""
    tokens = np.random.default_rng(5).gamma(2.0, 200.0, (4, 8)).round()
    columns = {"input_tokens": np.full(32, 100), "output_tokens": tokens.ravel()}
    samples = Samples("mine", list("abcd"), np.repeat(np.arange(4), 8), np.ones(32), columns)
    profile = ModelProfile("mine", Empirical(samples), (BatchEnergy(A, B, 0.02), Carbon(400, A, B)))
    k = np.array([1, 4, 8])
    exact, simulated = (e.estimate(profile, OneCall(), k, 1) for e in (Exact(), MonteCarlo(20_000)))
    for i, size in enumerate(k):
        subsets = [subset for question in tokens for subset in combinations(question, size)]
        joules = np.mean([2 + A * sum(subset) + B * max(subset) for subset in subsets])
        assert exact.columns["energy"].mean[i] == pytest.approx(joules, rel=1e-12)
    for name in ("energy", "carbon"):
        column, trials = exact.columns[name], simulated.columns[name].trials
        assert "mean" not in column.simulated
        error = trials.std(axis=0) / np.sqrt(len(trials))
        assert (np.abs(column.mean - trials.mean(axis=0)) <= 4 * error + 1e-9).all()


def test_beside_other_sequences_the_energy_of_a_log_is_simulated():
    tokens = np.random.default_rng(5).gamma(2.0, 200.0, 32)
    columns = {"input_tokens": np.full(32, 100), "output_tokens": tokens}
    samples = Samples("mine", list("abcd"), np.repeat(np.arange(4), 8), np.ones(32), columns)
    profile = ModelProfile("mine", Empirical(samples), (BatchEnergy(A, B, other_sequences=8),))
    assert "mean" in Exact().estimate(profile, OneCall(), np.array([1, 4]), 1).columns["energy"].simulated


def test_they_are_found_where_they_are_installed():
    registry = Registry()
    assert registry.get(CostModel, "token-energy:joules_per_input_token=0,joules_per_output_token=0.4") == TokenEnergy(
        0, 0.4
    )
    assert {p.package for p in registry.plugins() if p.name in ("token-energy", "batch-energy", "carbon")} == {
        "moo-infer-energy"
    }


@pytest.mark.parametrize("others", [0, 3, 250])
def test_a_token_takes_a_plus_b_over_the_batch(others):
    """All of one length: k samples beside B0 others take k L (a + b / (k + B0)) joules."""
    mean = BatchEnergy(A, B, other_sequences=others).exact(FIXED.queries().query, K, parallelism=1).mean
    assert mean == pytest.approx(K * 396 * (A + B / (K + others)), rel=1e-12)


def test_the_first_sample_pays_b():
    first, *more = np.diff(
        BatchEnergy(A, B).exact(FIXED.queries().query, np.arange(1, 6), parallelism=1).mean, prepend=0
    )
    assert first == pytest.approx(396 * (A + B))
    assert more == pytest.approx([396 * A] * 4)


def test_totals_are_a_sum_over_decoding_steps():
    """The slow and obvious reference: step by step, every running sample takes a and its share of b."""
    lengths = np.random.default_rng(3).integers(1, 40, (5, 7)).astype(float)
    draws = Draws(np.ones((5, 7)), lengths, np.ones((5, 7)))
    for others in (0, 0.5, 6):
        expected = np.zeros((5, 7))
        for trial in range(5):
            for k in range(1, 8):
                for step in range(1, 41):
                    n = int((lengths[trial, :k] >= step).sum())
                    if n:
                        expected[trial, k - 1] += n * (A + B / (others + n))
        np.testing.assert_allclose(BatchEnergy(A, B, 0, others).total(draws, parallelism=1), expected, rtol=1e-12)


def test_the_exact_mean_is_the_limit_of_many_steps():
    """Another route to the same expectation: the binomial sum at every length, by scipy."""
    from scipy.integrate import quad
    from scipy.stats import binom

    for others, k in ((0, 5), (0.5, 9), (12, 3), (12, 40), (300, 64), (1e7, 8)):

        def paid(t, others=others, k=k):
            n = np.arange(1, k + 1)
            runs = 1 - float(CHAT.queries().law("tokens_out").cdf(np.array([t]))[0])
            return float(binom.pmf(n, k, runs) @ (n / (n + others)))

        steps = quad(paid, 0, 396, limit=200, epsabs=1e-9)[0] + quad(paid, 396, 1300, limit=200, epsabs=1e-9)[0]
        exact = BatchEnergy(0, 1, other_sequences=others).exact(CHAT.queries().query, np.array([k]), parallelism=1).mean
        assert exact == pytest.approx(steps, rel=1e-7)


@pytest.mark.parametrize(("prefill", "prompts"), [("shared", 1), ("each", 3)])
def test_a_prompt_is_paid_once_or_for_every_sample(prefill, prompts):
    """4 J and 0.5 J for each of 700 tokens of a prompt, 2 J for each of 396 output tokens, and b once."""
    fixed, joules = replace(FIXED, tokens_in_std=0), prompts * (4 + 350) + 3 * 792 + 396
    energy = BatchEnergy(2.0, 1.0, joules_per_input_token=0.5, joules_per_prefill=4, prefill=prefill)
    assert energy.exact(fixed.queries().query, np.array([3]), parallelism=1).mean == pytest.approx([joules])
    draws = fixed.sample(np.random.default_rng(0), 1, 3)
    assert energy.total(draws, parallelism=1)[0, 2] == pytest.approx(joules)


def test_an_idle_machine_is_paid_between_queries_alone():
    """140 W for 2 s, whatever k; the joules of steps hold idle watts already. A policy pays with its first wave."""
    part = BatchEnergy(A, B, idle_watts=140, idle_seconds=2)
    draws = CHAT.sample(np.random.default_rng(0), 2, 3)
    more = part.total(draws, parallelism=1) - BatchEnergy(A, B).total(draws, parallelism=1)
    np.testing.assert_allclose(more, 280)
    later = Draws(columns={**draws, "calls_before": np.ones((2, 3))})
    np.testing.assert_allclose(part.total(later, parallelism=1), BatchEnergy(A, B).total(draws, parallelism=1))


def test_steps_that_are_shared_and_read_a_context_are_a_sum_over_steps():
    """The slow and obvious reference, padded and not, beside others and not."""
    lengths = np.random.default_rng(3).integers(1, 40, (4, 6)).astype(float)
    draws = Draws(np.full((4, 6), 30.0), lengths, np.ones((4, 6)))
    for others, sizes, bucket in (
        (0, (), None),
        (3, (), None),
        (3, (4, 6, 9), None),
        (0, (4, 6, 9), 64),
        (2, (1, 4), 64),
    ):
        part = BatchEnergy(A, B, 0, others, joules_per_context_token=0.01, batch_sizes=sizes, context_bucket=bucket)
        expected = np.zeros((4, 6))
        for trial, k, step in np.ndindex(4, 6, 40):
            if n := int((lengths[trial, : k + 1] > step).sum()):
                batch = min((size for size in sizes if size >= others + n), default=others + n)
                read = 30 + step if bucket is None else bucket
                expected[trial, k] += n / (others + n) * (B + batch * (A + 0.01 * read))
        np.testing.assert_allclose(part.total(draws, parallelism=1), expected, rtol=1e-12)


def test_some_draws_without_b_are_draws_like_others():
    both = BatchEnergy(A, np.array([[0.0], [B]])).exact(CHAT.queries().query, K, parallelism=1).mean
    for row, b in zip(both, (0.0, B), strict=True):
        assert row == pytest.approx(BatchEnergy(A, b).exact(CHAT.queries().query, K, parallelism=1).mean)


def test_carbon_is_energy_times_intensity_and_pue():
    """1 kWh at 400 gCO2 and a PUE of 1.2 are 480 g."""
    carbon = Carbon(400, joules_per_output_token=3.6e6 / 396, pue=1.2)
    assert carbon.exact(FIXED.queries().query, np.array([1]), parallelism=1).mean == pytest.approx(480)
    assert (CARBON.unit, ENERGY.unit) == ("gCO2", "J")
    with pytest.raises(MooInferError, match="pue: must be >= 1, got 0.9"):
        Registry().get(CostModel, "carbon:grid_gco2_per_kwh=400,joules_per_output_token=1,pue=0.9")


def test_a_limit_on_energy_limits(tmp_path):
    path = tmp_path / "served.yaml"
    path.write_text(f"""
models:
  llama:
    inference: {{kind: gaussian, tokens_in_mean: 700, tokens_in_std: 90, tokens_out_mean: 396, tokens_out_std: 0, accuracy_mean: 0.74, accuracy_std: 0.12}}
    costs:
      {fits()["llama-3.1-8b-instruct-lm-arena-chat-h100x1"].yaml}
      - {{kind: carbon, grid_gco2_per_kwh: 400, joules_per_output_token: 0.4}}
""")
    models = load_models(path)
    assert set(models["llama"].uncertain) == {"costs[0].joules_per_output_token", "costs[0].joules_per_decode_step"}
    report = Pipeline(selectors="max-accuracy", models=models, k=range(1, 65)).run(
        "llama", Scenario("s", {"energy": 1500})
    )
    assert report["max-accuracy"].k == int((1500 - 396 * B) / (396 * A))
    assert [o.name for o in report.candidates.objectives] == ["accuracy", "energy", "carbon"]
    sure = report.stability(200)
    assert sure.source == "parameters"
    assert len(sure.shares["s", "max-accuracy", None, None]) > 1


def test_an_uncertain_load_is_drawn_like_any_other_number():
    from moo_infer import Uncertain

    uncertain = {"costs[0].other_sequences": Uncertain(low=5, high=15), "inference.tokens_out_mean": Uncertain(se=20)}
    profile = ModelProfile("m", CHAT, [BatchEnergy(A, B, other_sequences=10)], uncertain=uncertain)
    pipeline = Pipeline(selectors="max-accuracy", k=[1, 4, 8, 12])
    report = pipeline.run(profile, Scenario("s", {"energy": 1000}))
    shares = report.stability(50).shares["s", "max-accuracy", None, None]
    tables = [profile.with_values({path: float(v[b]) for path, v in profile.draw(50, 0).items()}) for b in range(50)]
    one_by_one = [
        pipeline.run(replace(t, name=f"m{i}"), Scenario("s", {"energy": 1000}))["max-accuracy"].k
        for i, t in enumerate(tables)
    ]
    assert {s.k: s.share for s in shares} == {k: one_by_one.count(k) / 50 for k in set(one_by_one)}


def test_a_known_fit():
    llama = fits()["llama-3.1-8b-instruct-lm-arena-chat-h100x1"]
    assert (round(llama.a, 3), round(llama.b, 2), llama.points) == (0.067, 3.16, 11)


def test_the_shipped_fits_are_those_of_the_benchmark_and_close():
    folder = os.environ.get("MOO_INFER_DATA")
    if not folder:
        pytest.skip("MOO_INFER_DATA does not name the folder of the shared data")
    measured = refit(Path(folder) / "mlenergy" / "configs.csv")
    assert len(measured) == 67
    shipped = fits()
    assert table(measured).splitlines()[1] == table(list(shipped.values())).splitlines()[1]
    for new in measured:
        old = shipped[new.name]
        assert (old.a, old.b, old.error) == pytest.approx((new.a, new.b, new.error), rel=2e-3)
        assert (old.points, old.model_id) == (new.points, new.model_id)
    assert statistics.median(f.error for f in measured) <= 0.065


def test_every_line_of_yaml_is_a_cost_model(tmp_path):
    import yaml

    for f in fits().values():
        (given,) = yaml.safe_load(f.yaml)
        assert Registry().build(CostModel, given, "here") == f.cost_model()


def test_the_module_lists_fits_and_prints_lines_to_paste(capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.count(" points, batch ") == 67
    assert main(["Llama-3.1-8B"]) == 0
    out = capsys.readouterr().out
    assert fits()["llama-3.1-8b-instruct-lm-arena-chat-h100x1"].yaml in out
    assert out.count("\n") == 4
    assert main(["gpt-9"]) == 2
    assert "no fit is called 'gpt-9'" in capsys.readouterr().err


def test_the_script_writes_the_shipped_file(tmp_path, monkeypatch):
    script = runpy.run_path(str(Path(__file__).parent.parent / "refit.py"))
    header = "model_id,task,gpu_model,num_gpus,weight_precision,avg_batch_size,median_itl_ms,energy_per_token_joules"
    rows = [f"x/Y,chat,H100,1,bf16,{b},9,{0.1 + 2 / b}" for b in (8, 16, 32, 64)]
    (tmp_path / "configs.csv").write_text("\n".join([header, *rows]))
    (tmp_path / "moo_infer_energy").mkdir()
    monkeypatch.setitem(script["main"].__globals__, "__file__", str(tmp_path / "refit.py"))
    script["main"](str(tmp_path / "configs.csv"))
    assert (
        "y-chat-h100x1,x/Y,chat,H100,1,bf16,4,8.0,64.0,0.1," in (tmp_path / "moo_infer_energy" / "fits.csv").read_text()
    )
