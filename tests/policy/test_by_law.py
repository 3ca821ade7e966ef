"""Figures of policies on models of laws, from closed forms and from other programs."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from moo_infer import AccuracyAggregator, ModelProfile, MooInferError, Pipeline
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import Beta, DifficultyClasses
from moo_infer.builtin.latencies import SlowestOfK
from moo_infer.builtin.policies import AdaptiveConsistency, Fixed, TwoRounds, VoteUntilDecided, Windows
from moo_infer.builtin.prices import ApiCost
from moo_infer.builtin.queueing import Loaded
from moo_infer.builtin.stages import FirstAccepted, Stage
from moo_infer.builtin.stopping import WorthIt
from moo_infer.policy.by_law import evaluated_by_law
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.replay import replayed

CALL = 1.0  # USD of a call: 1 token


def model(p, costs=None, **lengths):
    given = {"tokens_in_mean": 1, "tokens_out_mean": 1} | lengths
    inference = p if isinstance(p, Beta) else DifficultyClasses(shares=(1.0,), p=(p,), **given)
    return ModelProfile("m", inference, (LinearCost(CALL / 2, CALL / 2),) if costs is None else costs)


def found(policy, profile, registry):
    of = Deployment.of(policy, {"m": profile}, None, registry)
    return of, evaluated_by_law(of)


@pytest.mark.parametrize(
    ("policy", "p", "calls", "accuracy"),
    [
        (VoteUntilDecided(9, (5, 2, 2), model="m"), 0.8, 6.630720, 0.980418560),
        (VoteUntilDecided(9, (5, 4), model="m"), 0.8, 7.688, 0.980418560),
        (AdaptiveConsistency(model="m"), 0.8, 8.717547852576, 0.998126440706),
        (Windows(model="m"), 0.8, 14.609960, 0.999290),
        (TwoRounds(model="m"), 0.7, 22.312537, 0.987474),
    ],
    ids=repr,
)
def test_known_figures_with_two_answers(registry, policy, p, calls, accuracy):
    of, known = found(policy, model(p), registry)
    rounding = 1e-12 if accuracy == 0.998126440706 else 1e-6
    assert known.mean["accuracy"] == pytest.approx(accuracy, abs=rounding)
    assert known.mean["cost"] == pytest.approx(calls, abs=max(rounding, 5e-4 if calls == 7.688 else 0))
    assert sum(sum(n) * share for n, share in known.endings.items()) == pytest.approx(known.mean["cost"])
    drawn = replayed(of, 10_000, 0).totals
    for name, mean in known.mean.items():
        assert abs(drawn[name].mean() - mean) <= 4 * drawn[name].std() / np.sqrt(10_000)


def test_a_right_answer_worth_1_and_a_call_of_half_a_cent(registry):
    profile = ModelProfile("m", Beta(a=0.5, b=1.5, tokens_in_mean=1, tokens_out_mean=1), (LinearCost(0.0025, 0.0025),))
    _, known = found(
        WorthIt(1.0, (0.5, 1.5), k=200, model="m"), profile, registry
    )  # the price is that of the cost model
    assert max(sum(n) for n in known.endings) == 98
    assert known.mean["cost"] / 0.005 == pytest.approx(20.42612833, abs=1e-5)
    assert known.mean["accuracy"] - known.mean["cost"] == pytest.approx(0.78460608, abs=1e-7)
    _, fixed = found(Fixed(22, "coverage", "m"), profile, registry)
    assert fixed.mean["accuracy"] - fixed.mean["cost"] == pytest.approx(0.65599182, abs=1e-7)


def test_a_checker_that_errs_is_exact(registry):
    policy = FirstAccepted(k=10, true_positive=0.95, false_positive=0.10, model="m")
    of, known = found(policy, model(0.4), registry)
    assert known.mean["cost"] == pytest.approx(2.265834, abs=5e-7)
    assert known.mean["accuracy"] == pytest.approx(0.996967 * 0.863636, abs=1e-6)
    assert known.endings[10,] > 0
    drawn = replayed(of, 10_000, 0).totals
    for name, mean in known.mean.items():
        assert abs(drawn[name].mean() - mean) <= 4 * drawn[name].std() / np.sqrt(10_000)
    table = Pipeline(
        k=[1], models={"m": model(0.4)}, policies=policy, registry=registry, aggregators="coverage"
    ).candidates()
    assert "accuracy.mean" not in table.where(aggregator="first-accepted").row(0).simulated


def two_stages(registry, cheap, dear, **checker):
    """First up to five calls for 1 USD, then up to two for 10 USD."""
    costs = {"cheap": LinearCost(0.5, 0.5), "dear": LinearCost(5.0, 5.0)}
    models = {name: replace(model(p, (costs[name],)), name=name) for name, p in (("cheap", cheap), ("dear", dear))}
    policy = FirstAccepted((Stage("cheap", 5), Stage("dear", 2)), **checker)
    return models, policy, Deployment.of(policy, models, None, registry)


def test_a_cheap_stage_and_a_dear_one(registry):
    known = evaluated_by_law(two_stages(registry, 0.3, 0.7)[2]).mean
    assert (known["accuracy"], known["cost"]) == pytest.approx((0.9848737, 4.95801), abs=5e-6)
    assert known["accuracy"] == pytest.approx(1 - 0.7**5 * 0.3**2, abs=1e-12)
    halves = [evaluated_by_law(two_stages(registry, *p)[2]).mean for p in ((0.5, 0.9), (0.1, 0.5))]
    mean = [np.mean([half[name] for half in halves]) for name in ("accuracy", "cost")]
    assert mean == pytest.approx([0.9260325, 7.61685], abs=5e-6)


def test_two_stages_with_a_checker_that_errs_are_those_of_replay(registry):
    _, _, of = two_stages(registry, 0.3, 0.7, true_positive=0.9, false_positive=0.2)
    known, drawn = evaluated_by_law(of), replayed(of, 10_000, 0)
    for name, mean in known.mean.items():
        assert abs(drawn.totals[name].mean() - mean) <= 4 * drawn.totals[name].std() / 100
    assert sum(known.endings.values()) == pytest.approx(1.0)


def test_models_without_logs_are_taken_as_independent_and_that_is_said(registry):
    models, policy, _ = two_stages(registry, 0.3, 0.7)
    table = Pipeline(k=[1], models=models, policies=policy, registry=registry, aggregators="coverage").candidates()
    curve = next(curve for curve in table.curves if curve.aggregator == "first-accepted")
    assert any("cheap and dear are taken as independent" in remark for remark in curve.remarks)
    hard = {
        name: replace(profile, inference=Beta(a=1.0, b=1.0, tokens_in_mean=1, tokens_out_mean=1))
        for name, profile in models.items()
    }
    with pytest.raises(MooInferError, match="first-accepted' calls several models, and cheap has no log"):
        Deployment.of(policy, hard, None, registry)


def test_what_an_aggregator_spends_itself_is_not_left_out(registry):
    @dataclass(frozen=True)
    class Judge(AccuracyAggregator):
        name = "judge"
        costs: ClassVar = (LinearCost(0.5, 0.5),)

        def aggregate(self, draws, rng, /):
            return np.maximum.accumulate(draws.accuracy, axis=1)

    of, known = found(Fixed(3, Judge(), "m"), model(0.4), registry)
    assert "cost" not in known.mean
    assert replayed(of, 10, 0).totals["cost"] == pytest.approx(6.0)


def test_lengths_that_differ_with_difficulty_and_seconds_of_the_slowest_are_exact_too(registry):
    inference = DifficultyClasses(
        shares=(0.6, 0.4),
        p=(0.85, 0.4),
        tokens_in_mean=500,
        tokens_out_mean=900,
        tokens_out_cv_within=0.5,
        tokens_out_cv_between=0.3,
    )
    costs = (LinearCost(1e-6, 4e-6), SlowestOfK(1e-4, 1e-2))
    of, known = found(VoteUntilDecided(8, (5, 3), model="m"), ModelProfile("m", inference, costs), registry)
    drawn = replayed(of, 20_000, 0).totals
    assert known.mean.keys() == drawn.keys()
    for name, mean in known.mean.items():
        assert abs(drawn[name].mean() - mean) <= 4 * drawn[name].std() / np.sqrt(20_000), name


def test_fixed_on_a_law_is_the_static_row(registry):
    profile = model(Beta(a=2.0, b=1.0, tokens_in_mean=1, tokens_out_mean=1))
    table = Pipeline(
        "majority-vote", k=[3, 5], models={"m": profile}, policies="fixed:aggregator=majority-vote", registry=registry
    ).candidates()
    for name in ("accuracy", "cost"):
        fixed, static = (table.where(aggregator=a).column(name) for a in ("fixed", "majority-vote"))
        np.testing.assert_allclose(fixed, static, rtol=1e-12)


def test_a_cached_prompt_is_written_once_in_two_waves_too(registry):
    prices = {"usd_per_input_token": 1e-6, "usd_per_output_token": 4e-6, "usd_per_cached_input_token": 1e-7}
    api = ApiCost(calls="cached", usd_per_cache_write_token=1.25e-6, **prices)
    profile = model(0.5, (api,), tokens_in_mean=2000, tokens_out_mean=100)
    of, known = found(VoteUntilDecided(2, (1, 1), model="m"), profile, registry)  # never decided before both
    assert "cost" not in known.mean  # by a law a wave does not know of calls before: replayed
    assert replayed(of, 10, 0).totals["cost"] == pytest.approx(2000 * 1.35e-6 + 200 * 4e-6)


def test_a_row_of_a_law_is_exact_in_its_means_alone(registry):
    policy = "vote-until-decided:k=9,waves=[5, 2, 2]"
    pipeline = Pipeline("majority-vote", k=[9], models={"m": model(0.8)}, policies=policy, registry=registry)
    table = pipeline.candidates().where(aggregator="vote-until-decided")
    row = table.row(0)
    assert not {"accuracy.mean", "cost.mean"} & set(row.simulated)
    assert {"accuracy.std", "cost.low"} <= set(row.simulated)
    assert row.objectives["cost"].quantile(0.95) == 9.0
    assert table.curves[0].courses[0].calls == pytest.approx((6.630720, 9.0))


def test_load_is_refused_on_laws_too(registry):
    load = Loaded(0.01, 500, 500, itl_base_s=0.007, itl_per_sequence_s=4e-5)
    profile = model(0.8, (LinearCost(1e-6, 1e-6), load), tokens_in_mean=500, tokens_out_mean=500)
    with pytest.raises(MooInferError, match="loaded: how busy the server is"):
        Pipeline(
            "majority-vote", k=[3], models={"m": profile}, policies="two-then-more:k=4", registry=registry
        ).candidates()
