"""Figures over a day: mixtures of those at each load, by formulas, in trials, on laws and on logs."""

from dataclasses import replace

import numpy as np
import pytest

from moo_infer import ENERGY, CostModel, Limit, ModelProfile, Moments, MonteCarlo, MooInferError, Pipeline, Uncertain
from moo_infer.builtin.by_load import ByLoad, UpTo
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import DifficultyClasses
from moo_infer.builtin.erlang import ErlangC
from moo_infer.builtin.policies import Fixed, VoteUntilDecided
from moo_infer.builtin.queueing import Loaded
from moo_infer.core.day import Day
from moo_infer.estimate.at_load import at_load
from moo_infer.quantities.erlang import KServices
from moo_infer.testing import MODELS

MODEL = DifficultyClasses(shares=(1.0,), p=(0.7,), tokens_in_mean=100, tokens_out_mean=100)
SHARED = ErlangC(0.5, slots=32, seconds=10.0)
SMALL = ModelProfile("small", MODEL, [SHARED, LinearCost(1e-6, 1e-6)])
DAY = Day([0.2] * 20 + [1.0] * 4)  # half of the queries at each load


class Joules(CostModel):
    name = "joules"
    objective = ENERGY

    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.full(draws.shape, 720.0), axis=1)

    def exact(self, query, k, /, *, parallelism):
        return Moments(720.0 * k, 0.0 * k, lambda q: 720.0 * k)


def queue(load, k):
    return KServices(32, 10.0, np.array([load * k]), np.array([k]))


def rows(table, aggregator="majority-vote"):
    return [i for i in range(len(table)) if table.curve(i).aggregator == aggregator]


def pipeline(**options):
    return Pipeline("majority-vote", **({"k": [1, 3], "day": DAY} | options))


def test_hours_weigh_as_many_queries_as_come_in_them():
    table = pipeline().candidates(SMALL)
    for k, mean in zip(table.k, table.column("latency"), strict=True):
        assert mean == pytest.approx(0.5 * queue(0.2, k).mean[0] + 0.5 * queue(1.0, k).mean[0])
    assert table.column("accuracy") == pytest.approx([0.7, 0.784])
    assert table.curve(0).remarks[0] == (
        "figures are means over the queries of a day with 0.2 to 1 queries a second, each hour as if its load lasted"
    )


def test_spread_and_quantiles_are_those_of_all_queries_together():
    rng = np.random.default_rng(1)
    M = 400_000
    each = []
    for load in (0.2, 1.0):
        of = queue(load, 3)
        wait = np.where(rng.random(M) < of.waits[0], rng.exponential(1 / of.rate[0], M), 0.0)
        each.append(wait + rng.exponential(10.0, (3, M)).max(axis=0))
    trials = np.concatenate(each)
    column = pipeline().candidates(SMALL).curve(1).columns["latency"]
    assert column.std[1] == pytest.approx(trials.std(), rel=0.01)
    assert column.quantile(0.95)[1] == pytest.approx(np.quantile(trials, 0.95), rel=0.03)
    assert column.simulated == ("low", "high")
    assert len(column.trials) == 10_000


def test_simulation_gives_the_same_means():
    exact, simulated = (pipeline(estimator=of).candidates(SMALL) for of in ("exact", MonteCarlo(40_000)))
    assert simulated.means == pytest.approx(exact.means, rel=0.02)
    column = simulated.curve(1).columns["latency"]
    assert column.simulated[:2] == ("mean", "std")
    assert column.stderr_simulation[1] == pytest.approx(column.std[1] / 200, rel=0.1)


def test_one_load_all_day_is_that_load():
    table = pipeline(day=Day([0.2] * 24)).candidates(SMALL)
    alone = pipeline(day=None).candidates(at_load(SMALL, 0.2))
    assert table.means == pytest.approx(alone.means)


def test_what_cannot_be_served_at_one_hour_is_no_candidate():
    table = pipeline(k=[1, 3, 5, 7]).candidates(SMALL)
    assert table.k.tolist() == [1, 3]
    with pytest.raises(MooInferError, match="too many queries come"):
        pipeline(k=[5, 7]).candidates(SMALL)


def test_electricity_adds_money_and_carbon_by_the_hour():
    """720 J are 0.0002 kWh; half of the queries come at 0.10 and 400 g, half at 0.30 and 200 g."""
    profile = replace(SMALL, costs=(*SMALL.costs, Joules()))
    day = replace(DAY, usd_per_kwh=[0.1] * 20 + [0.3] * 4, gco2_per_kwh=[400] * 20 + [200] * 4)
    table = pipeline(day=day).candidates(profile)
    assert [objective.name for objective in table.objectives] == ["accuracy", "latency", "cost", "energy", "carbon"]
    assert table.column("carbon") == pytest.approx([0.06, 0.18])
    assert table.column("cost") == pytest.approx([0.0002 + 0.0002 * 0.2, 0.0006 + 0.0006 * 0.2])
    assert table.curve(0).columns["carbon"].std == pytest.approx([0.02, 0.06])
    assert table.met([Limit("carbon", 0.1, "max")]).tolist() == [True, False]


def test_electricity_needs_joules_and_says_carbon_once():
    day = replace(DAY, gco2_per_kwh=[400] * 24)
    with pytest.raises(MooInferError, match="day: gco2_per_kwh needs the joules of a query, and no cost model says"):
        pipeline(day=day).candidates(SMALL)


def test_a_policy_by_load_calls_as_often_as_its_hour_allows():
    policy = ByLoad((UpTo(0.2, Fixed(11)),), Fixed(1))
    table = pipeline(policies=policy).candidates(SMALL)
    (row,) = rows(table, "by-load")
    seconds = 0.5 * queue(0.2, 11).mean[0] + 0.5 * queue(1.0, 1).mean[0]
    right = 0.5 * 0.921775209 + 0.5 * 0.7
    assert table.column("latency")[row] == pytest.approx(seconds)
    assert table.column("accuracy")[row] == pytest.approx(right, abs=1e-7)
    assert table.column("cost")[row] == pytest.approx(0.5 * 11 * 2e-4 + 0.5 * 2e-4)
    course = table.curve(row).courses[0]
    assert (course.calls, course.endings) == ((6.0, 11.0), (("1 sample", 0.5), ("11 samples", 0.5)))


def test_a_policy_that_is_the_same_at_all_loads_is_the_row_of_its_k():
    for cost in (SHARED, LOADED):
        table = pipeline(policies=Fixed(3)).candidates(ModelProfile("small", MODEL, [cost]))
        (fixed,), static = rows(table, "fixed"), rows(table)[1]
        assert table.means[fixed] == pytest.approx(table.means[static])


LOADED = Loaded(1.0, 100, 100, itl_base_s=0.01, itl_per_sequence_s=0.002, max_batch=16, max_queue=200)


def test_every_query_pays_for_the_calls_that_others_make_on_average():
    """A vote of 3 in waves of 2 and 1 calls 2.42 times, so 2.42 requests come for every query."""
    table = pipeline(policies=VoteUntilDecided(3, (2, 1)), day=Day([1.0] * 24)).candidates(SMALL)
    (row,) = rows(table, "vote-until-decided")
    calls = 2 + 2 * 0.7 * 0.3
    wait = KServices(32, 10.0, np.array([calls]), np.array([1])).mean[0] - 10.0
    assert table.column("latency")[row] == pytest.approx((wait + 15.0) + 0.42 * (wait + 10.0))


def test_a_batch_that_all_share_takes_policies_of_one_wave_alone():
    profile = ModelProfile("small", MODEL, [LOADED])
    with pytest.raises(MooInferError, match="loaded: every query is taken to make as many calls, all at once"):
        pipeline(policies=VoteUntilDecided(3, (2, 1))).candidates(profile)


def test_a_policy_by_load_needs_a_day():
    with pytest.raises(MooInferError, match="'queries_per_second' is not known of a query before: give the file a day"):
        pipeline(day=None, policies=ByLoad((UpTo(0.2, Fixed(3)),), Fixed(1))).candidates(
            ModelProfile("small", MODEL, [LinearCost(1e-6, 1e-6)])
        )


@pytest.mark.parametrize("name", ["a log", "a log with gaps"])
def test_on_a_log_intervals_and_draws_are_those_of_its_questions(name):
    """The accuracy does not depend on the load, so its figures over a day are those without one."""
    profile = ModelProfile("logged", MODELS[name], [SHARED])
    day = Pipeline("one-call", k=[1, 2], day=DAY, policies="fixed:k=2")
    alone = Pipeline("one-call", k=[1, 2]).candidates(profile)
    report = day.run(profile)
    column, known = report.candidates.curve(0).columns["accuracy"], alone.curve(0).columns["accuracy"]
    assert column.mean == pytest.approx(known.mean)
    assert column.stderr == pytest.approx(known.stderr, nan_ok=True)
    assert column.other_questions == pytest.approx(known.other_questions, nan_ok=True)
    drawn = list(report.redraw(5, 0))
    assert [len(table) for table in drawn] == [len(report.candidates)] * 5
    assert len({float(table.column("accuracy")[0]) for table in drawn}) > 1
    with_draws, without = drawn[0], next(iter(Pipeline("one-call", k=[1, 2]).run(profile).redraw(5, 0)))
    assert with_draws.column("accuracy")[0] == pytest.approx(without.column("accuracy")[0])


def test_a_load_takes_the_place_of_the_one_that_a_profile_says():
    uncertain = {"costs[0].queries_per_second": Uncertain(se=0.1), "costs[0].seconds": Uncertain(se=0.1)}
    profile = replace(SMALL, uncertain=uncertain)
    told = at_load(profile, 0.2, calls=2.5)
    assert (told.costs[0].queries_per_second, told.costs[0].calls_per_query) == (0.2, 2.5)
    assert [*told.uncertain] == ["costs[0].seconds"]
    assert at_load(ModelProfile("other", MODEL, [LinearCost(1e-6, 1e-6)]), 0.2).costs[0] == LinearCost(1e-6, 1e-6)


def test_a_mixture_would_change_the_load_of_its_rows():
    with pytest.raises(MooInferError, match="small: erlang-c is for a load that all queries bring; goal mixture sends"):
        pipeline(goal="mixture").run(SMALL)
