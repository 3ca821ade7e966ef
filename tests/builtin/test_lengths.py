import csv
import json
import math
from collections import defaultdict
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import stats

from moo_infer import Exact, InferenceModel, ModelProfile, MonteCarlo, MooInferError, Pipeline, Registry, Scenario
from moo_infer.builtin.aggregators import BestOfK, Coverage, MajorityVote
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.difficulty import Beta, DifficultyClasses
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.core.uncertainty import Uncertain
from moo_infer.estimate.setup import Setup

K = np.array([1, 2, 16])
PLAIN = LognormalLengths(tokens_in_mean=500, tokens_out_mean=2000, accuracy_mean=0.8, accuracy_std=0.1)
SPREAD = replace(PLAIN, tokens_in_cv=0.4, tokens_out_cv_between=0.8, tokens_out_cv_within=0.24)
CUT = replace(SPREAD, max_tokens=4000.0)
models = pytest.mark.parametrize("model", [PLAIN, SPREAD, CUT, replace(CUT, tokens_out_cv_within=0)], ids=repr)


EXACT, COVERAGE, COST = Exact(), Coverage(), LinearCost(2.0, 1.0)


def column(model, name="cost", estimator=EXACT, aggregator=COVERAGE, cost=COST):
    costs = (cost, LinearLatency(0.1, 0.2))
    return estimator.estimate(ModelProfile("m", model, costs), aggregator, K, 4).columns[name]


def test_the_variance_of_a_sum_is_k_within_and_k_squared_between():
    """Var M W = E[M^2] cv_within^2 within a query, mean^2 cv_between^2 between; the prompt is shared."""
    within = 2000**2 * (1 + 0.8**2) * 0.24**2
    between = 2000**2 * 0.8**2 + (2 * 500 * 0.4) ** 2
    found = column(SPREAD)
    np.testing.assert_allclose(found.mean, K * (2 * 500 + 2000), rtol=1e-12)
    np.testing.assert_allclose(found.std, np.sqrt(K * within + K**2 * between), rtol=1e-12)
    assert found.simulated == ("low", "high")


def cut_reference(between, within, cap):
    """Mean and standard deviation of k outputs, by a fine trapezoidal sum over the means of queries."""
    s, w = (math.sqrt(math.log1p(cv**2)) for cv in (between, within))
    z = np.linspace(-10, 12, 400_001)
    share = stats.norm.pdf(z) * (z[1] - z[0])
    mu = math.log(2000) + s * z - s**2 / 2 - w**2 / 2
    if w:
        bend = (math.log(cap) - mu) / w
        mean, square = (
            np.exp(j * mu + (j * w) ** 2 / 2) * stats.norm.cdf(bend - j * w) + cap**j * stats.norm.sf(bend)
            for j in (1, 2)
        )
        variance = square - mean**2
    else:
        mean, variance = np.minimum(np.exp(mu), cap), 0 * z
    total = share @ mean
    return K * total, np.sqrt(K * (share @ variance) + K**2 * (share @ (mean - total) ** 2))


@pytest.mark.parametrize("cap", [500.0, 2000.0, 6000.0])
@pytest.mark.parametrize(("between", "within"), [(0.8, 0.24), (1.5, 0.0), (0.3, 0.05)])
def test_a_cut_is_integrated_over_queries(between, within, cap):
    model = replace(PLAIN, tokens_out_cv_between=between, tokens_out_cv_within=within, max_tokens=cap)
    found = column(model, cost=LinearCost(0.0, 1.0))
    mean, std = cut_reference(between, within, cap)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-7)
    np.testing.assert_allclose(found.std, std, rtol=1e-7)


@models
@pytest.mark.parametrize("aggregator", [Coverage(), BestOfK(), MajorityVote()], ids=lambda part: part.name)
def test_exact_and_simulated_agree(model, aggregator):
    trials = 20_000
    for name in ("cost", "latency", "accuracy"):
        exact = column(model, name, aggregator=aggregator)
        simulated = column(model, name, MonteCarlo(trials, seed=4), aggregator)
        slack = 4 * simulated.std / math.sqrt(trials) + 1e-9
        assert (np.abs(exact.mean - simulated.mean) <= slack).all(), name
        np.testing.assert_allclose(simulated.std, exact.std, rtol=0.06, atol=1e-9)


def test_the_inferences_of_a_query_share_its_prompt_and_its_mean_length():
    draws = SPREAD.sample(np.random.default_rng(2), 20_000, 3)
    assert (draws.tokens_in == draws.tokens_in[:, :1]).all()
    assert draws.tokens_in[:, 0].std() / 500 == pytest.approx(0.4, rel=0.05)
    between, whole = 0.8**2, (1 + 0.8**2) * (1 + 0.24**2) - 1
    assert np.corrcoef(draws.tokens_out[:, 0], draws.tokens_out[:, 1])[0, 1] == pytest.approx(between / whole, abs=0.03)
    within = draws.tokens_out.std(axis=1, ddof=1) / draws.tokens_out.mean(axis=1)
    assert np.sqrt(np.mean(within**2)) == pytest.approx(0.24, rel=0.05)


def test_where_queries_are_alike_the_laws_are_plain():
    model = replace(PLAIN, tokens_out_cv_within=0.5, max_tokens=4000.0)
    assert model.queries().axes == ()
    assert model.queries().law("tokens_in").mean == 500
    assert model.queries().law("tokens_out").mean < 2000
    assert (SPREAD.queries().law("tokens_in"), SPREAD.queries().law("tokens_out")) == (None, None)
    assert replace(SPREAD, tokens_in_cv=0.0).queries().law("tokens_in").mean == 500
    prompts, outputs = SPREAD.queries().axes
    assert ([*prompts.laws], [*outputs.laws]) == (["tokens_in"], ["tokens_out"])
    both = SPREAD.queries().product({"tokens_in", "tokens_out"}, {})
    assert len(both.weights) == 16 * len(outputs.weights)
    assert both.weights.sum() == pytest.approx(1)
    assert SPREAD.queries().product({"accuracy"}, {}) is None


def test_constant_lengths_are_those_of_gaussian_without_spread():
    gaussian = Gaussian(500, 0, 2000, 0, 0.8, 0.1)
    for name in ("cost", "latency", "accuracy"):
        ours, theirs = column(PLAIN, name, aggregator=BestOfK()), column(gaussian, name, aggregator=BestOfK())
        np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-12)
        np.testing.assert_allclose(ours.quantile(0.1), theirs.quantile(0.1), rtol=1e-12)


def test_queries_may_need_no_tokens():
    free = replace(CUT, tokens_in_mean=0.0, tokens_out_mean=0.0)
    assert column(free).mean.tolist() == column(free).std.tolist() == [0.0] * 3
    assert free.notes() == ()


@pytest.mark.parametrize(
    ("model", "remark"),
    [
        (CUT, "max_tokens = 4000 cuts 9.6 % of the outputs"),
        (replace(PLAIN, tokens_out_cv_within=0.5, max_tokens=4096.0), "max_tokens = 4096 cuts 4.0 % of the outputs"),
        (replace(PLAIN, max_tokens=1999.0), "max_tokens = 1999 cuts 100 % of the outputs"),
        (
            replace(PLAIN, tokens_out_cv_within=0.24, max_tokens=4600.0),
            "max_tokens = 4600 cuts less than 0.1 % of the outputs",
        ),
        (replace(PLAIN, tokens_out_cv_within=0.1, max_tokens=9000.0), ""),
        (SPREAD, ""),
    ],
    ids=repr,
)
def test_the_share_that_is_cut_is_said(model, remark):
    rest = ", not counting reasoning tokens; the accuracy is taken as measured with this cut"
    assert [note.text for note in model.notes()] == ([f"{remark}{rest}"] if remark else [])
    if "less" not in remark and remark:
        drawn = 100 * np.mean(model.sample(np.random.default_rng(1), 40_000, 1).tokens_out == model.max_tokens)
        assert f"{drawn:.0f}" == f"{float(remark.split()[4]):.0f}"


def test_reports_and_json_say_what_is_cut(tmp_path, cli):
    path = tmp_path / "mine.yaml"
    path.write_text("""
models:
  mine:
    inference:
      {kind: lognormal, tokens_in_mean: 500, tokens_in_cv: 0.4, tokens_out_mean: 2000, tokens_out_cv_between: 0.8,
       tokens_out_cv_within: 0.24, max_tokens: 4000, accuracy_mean: 0.8, accuracy_std: 0.1}
    costs: [{kind: linear-cost, usd_per_input_token: 1e-6, usd_per_output_token: 1e-5}]
""")
    code, out, _ = cli("recommend", "--models", path, "--max-cost", "0.1")
    assert code == 0
    assert "mine: max_tokens = 4000 cuts 9.6 % of the outputs, not counting reasoning tokens;" in " ".join(out.split())
    code, out, _ = cli("recommend", "--models", path, "--max-cost", "0.1", "--json")
    assert json.loads(out)["remarks"][0]["remark"].startswith("max_tokens = 4000 cuts 9.6 % of the outputs")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tokens_out_cv_between": -0.1}, "mine: tokens_out_cv_between: must be >= 0, got -0.1"),
        ({"max_tokens": 0}, "mine: max_tokens: must be > 0, got 0"),
        ({"accuracy_mean": 1.2}, "mine: accuracy_mean: must be <= 1, got 1.2"),
        ({"tokens_out_std": 5}, "mine: unknown key 'tokens_out_std'; keys: "),
    ],
)
def test_bad_parameters_are_errors_in_words(changed, message):
    given = {"kind": "lognormal", "tokens_in_mean": 5, "tokens_out_mean": 9, "accuracy_mean": 0.5, **changed}
    with pytest.raises(MooInferError, match=message.replace("?", "\\?")):
        Registry().build(InferenceModel, given, "mine")


@pytest.mark.parametrize("field", ["tokens_out_mean", "tokens_out_cv_between", "max_tokens"])
@pytest.mark.parametrize("model", [PLAIN, CUT], ids=["alike", "different"])
def test_uncertain_numbers_are_drawn(model, field):
    """Also a spread between queries that is none at the given value, but one where it is drawn."""
    model = replace(model, max_tokens=4000.0)
    uncertain = {f"inference.{field}": Uncertain(low=0.5, high=1.5) if "cv" in field else Uncertain(se=300)}
    profile = ModelProfile("m", model, (LinearCost(2.0, 1.0),), uncertain=uncertain)
    (drawn,) = profile.draw(7, 0).values()
    tables = list(Exact().redraw(Setup(profile, Coverage(), K, 1), 7, 0))
    for value, table in zip(drawn, tables, strict=True):
        alone = column(replace(model, **{field: float(value)}))
        np.testing.assert_allclose(table.columns["cost"].mean, alone.mean, rtol=1e-9)
        np.testing.assert_allclose(table.columns["cost"].std, alone.std, rtol=1e-9)


def test_stability_of_a_choice_takes_queries_that_differ():
    profile = ModelProfile(
        "m", CUT, (LinearCost(1e-6, 1e-5),), uncertain={"inference.tokens_out_mean": Uncertain(se=400)}
    )
    report = Pipeline(selectors="max-accuracy", k=range(1, 9)).run(profile, Scenario("s", {"cost": 0.1}))
    shares = report.stability(40).shares["s", "max-accuracy", None, None]
    assert len(shares) > 1
    assert sum(share.share for share in shares) == pytest.approx(1)


def test_lengths_vary_less_within_a_prompt_than_between(data):
    """The LRM token economy: 437 cells of a model and a prompt, five runs each in 430 of them."""
    with (data / "lrm_token_economy" / "runs.csv").open(newline="") as file:
        runs = list(csv.DictReader(file))
    cells = defaultdict(list)
    for run in runs:
        cells[run["model_name"], run["prompt_id"]].append(float(run["tokens_completion"]))
    assert (len(runs), len(cells)) == (2178, 437)
    within = [np.std(v, ddof=1) / np.mean(v) for v in cells.values() if len(v) == 5]
    assert len(within) == 430
    np.testing.assert_allclose(np.percentile(within, [10, 50, 90]), [0.10, 0.24, 0.54], atol=0.005)
    means = defaultdict(list)
    for (model, _), tokens in cells.items():
        means[model].append(np.mean(tokens))
    between = [np.std(v, ddof=1) / np.mean(v) for v in means.values()]
    np.testing.assert_allclose(np.percentile(between, [0, 50, 100]), [0.71, 0.98, 1.64], atol=0.005)


def test_models_of_other_accuracy_have_the_same_lengths():
    lengths = {
        "tokens_in_mean": 500.0, "tokens_in_cv": 0.4, "tokens_out_mean": 2000.0, "tokens_out_cv_between": 0.8,
        "tokens_out_cv_within": 0.24, "max_tokens": 4000.0,
    }  # fmt: skip
    ours = LognormalLengths(accuracy_mean=0.8, **lengths)
    for model in (Beta(a=1.0, b=2.0, **lengths), DifficultyClasses(shares=(0.5, 0.5), p=(0.2, 0.9), **lengths)):
        assert model.notes() == ours.notes() != ()
        for name in ("cost", "latency"):
            lognormal, other = column(ours, name), column(model, name)
            np.testing.assert_allclose(other.mean, lognormal.mean, rtol=1e-12)
            np.testing.assert_allclose(other.std, lognormal.std, rtol=1e-12)


@pytest.mark.parametrize(
    ("model", "order"),
    [
        (LognormalLengths, "tokens_in_mean tokens_out_mean accuracy_mean accuracy_std tokens_in_cv"),
        (Beta, "a b mean concentration unsolvable tokens_in_mean"),
        (DifficultyClasses, "shares p tokens_in_mean tokens_in_cv"),
    ],
)
def test_parameters_that_tell_models_apart_are_listed_first(model, order):
    names = [field.name for field in fields(model)]
    assert names[: len(order.split())] == order.split()
    assert {"tokens_out_cv_between", "tokens_out_cv_within", "max_tokens"} < set(names)
