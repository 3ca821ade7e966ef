"""Choices in the tables of many draws at once are those in one table after the other."""

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from moo_infer import Candidates, MonteCarlo, MooInferError, Pipeline, Scenario, Selector
from moo_infer.builtin.preferences import CheapestWithin
from moo_infer.builtin.selectors import Knee, KneeChord, MaxAccuracy, MaxCube, MinCost, MinLatency, Utopia
from moo_infer.core.objectives import ACCURACY, COST, LATENCY
from moo_infer.decide.choices import FeasibleShares, decide
from moo_infer.decide.front import SMALL, front, fronts
from moo_infer.decide.redrawn import choices_of_draws
from moo_infer.decide.stability import resample


@dataclass(frozen=True)
class SecondRow(Selector):
    """A selector of somebody else, which knows one table at a time."""

    name = "second-row"

    def select(self, candidates, /):
        return min(1, len(candidates) - 1)


SELECTORS = (
    MaxAccuracy(),
    Knee(),
    MaxCube(),
    Utopia(),
    SecondRow(),
    KneeChord(),
    MinCost(),
    MinLatency(),
    CheapestWithin(),
)
SCENARIOS = [
    Scenario("free", {}, {}),
    Scenario("tight", {"cost": 0.06, "latency": 30.0}, {"accuracy": 0.85}),
    Scenario("slow", {"latency": {"p95": 60.0}}, {}),
    Scenario("nothing", {"cost": 1e-9}, {}),
]


def one_after_the_other(tables, asked, curves):
    for table in tables:
        chosen = {}
        for scenario, sure in asked:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _, of_curves, pooled = decide(table, scenario, SELECTORS, explain=False, sure=sure, curves=curves)
            chosen |= {c.key: c.row for of in (*of_curves.values(), pooled) for c in of}
        yield chosen


@pytest.mark.parametrize("curves", [True, False])
def test_draws_of_trials_are_decided_as_tables_of_their_own(curves):
    models = ["gpt-5", "gpt-5-nano", "nemotron-ultra-253b"]
    pipeline = Pipeline(selectors="utopia", estimator=MonteCarlo(40), k=[1, 2, 3, 5, 8, 13, 21, 34])
    table = pipeline.run(models, Scenario("free", {}, {})).candidates
    sure = FeasibleShares(np.linspace(0.8, 1, len(table)), 0.9, 100)
    asked = [(SCENARIOS[0], None), (SCENARIOS[1], sure), *((scenario, None) for scenario in SCENARIOS[2:])]
    at_once = [dict(chosen) for _, chosen in choices_of_draws(resample(table, 30), asked, SELECTORS, curves=curves)]
    assert at_once == list(one_after_the_other(resample(table, 30), asked, curves))


def test_draws_with_ties_and_straight_lines_are_decided_as_tables_of_their_own():
    rng = np.random.default_rng(5)
    tables = []
    for _ in range(60):
        cost = rng.integers(1, 6, 9) * 0.02 if rng.random() < 0.7 else np.arange(1, 10) * 0.01
        accuracy = rng.integers(80, 96, 9) / 100 if rng.random() < 0.7 else 0.8 + 0.02 * np.arange(9)
        means = np.column_stack([cost, 300 * cost, accuracy])
        tables.append(Candidates.from_means([COST, LATENCY, ACCURACY], means))
    asked = [(scenario, None) for scenario in SCENARIOS[:2]]
    at_once = [dict(chosen) for _, chosen in choices_of_draws(tables, asked, SELECTORS)]
    assert at_once == list(one_after_the_other(tables, asked, True))
    assert len({row for chosen in at_once for row in chosen.values()}) > 5


@pytest.mark.parametrize("n", [1, 2, 9, SMALL, SMALL + 5])
def test_fronts_of_many_tables_are_those_of_each(n):
    rng = np.random.default_rng(n)
    losses, rows = rng.integers(0, 5, (25, n, 3)) / 4.0, rng.random((25, n)) < 0.7
    for table, asked, found in zip(losses, rows, fronts(losses, rows), strict=True):
        places = np.flatnonzero(asked)
        expected = places[front(table[places])] if len(places) else []
        assert np.flatnonzero(found).tolist() == list(expected)


@pytest.mark.parametrize("n", [3, SMALL + 1])
def test_fronts_of_tables_refuse_nan_as_that_of_one_does(n):
    losses = np.zeros((2, n, 2))
    losses[1, 2, 0] = np.nan
    rows = np.ones((2, n), dtype=bool)
    with pytest.raises(MooInferError, match="losses hold 1 NaN"):
        fronts(losses, rows)
    rows[1, 2] = False
    assert fronts(losses, rows).any(axis=1).all()
