import locale
import logging
import os
import random
import signal
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from moo_infer_pymcdm import SPOTIS, TOPSIS, VIKOR, PrometheeII

from moo_infer import (
    ACCURACY,
    Candidates,
    Limit,
    MooInferError,
    NoSelection,
    Objective,
    Pipeline,
    Registry,
    Selector,
    builtin_scenarios,
)
from moo_infer.builtin.preferences import WeightedSum
from moo_infer.testing import SelectorContract

COST, SPEED = Objective("cost", "USD"), Objective("speed", "1/s", "max", ideal=10.0)
SELECTORS = [TOPSIS(), VIKOR(), PrometheeII(), SPOTIS()]
ROWS = np.array([[1.0, 4.0, 0.60], [2.0, 7.0, 0.80], [3.0, 6.0, 0.90], [6.0, 5.0, 0.93], [9.0, 8.0, 0.94]])


class TestContracts(SelectorContract):
    instances = (
        *SELECTORS,
        TOPSIS({"accuracy": 3}),
        SPOTIS({"accuracy": 3}),
        VIKOR({"accuracy": 3}, v=0),
        VIKOR(v=1),
        PrometheeII({"accuracy": 3}, indifference=0.1, preference=0.3),
    )


def table(rows=ROWS):
    return Candidates.from_means([COST, SPEED, ACCURACY], rows)


def weighed(weights):
    return {"cost": weights[0], "speed": weights[1], "accuracy": weights[2]}


def by_hand(name, rows, weights):
    """The four methods again, row by row, from their definitions; less is better."""
    signs, n = np.array([1, -1, -1]), len(rows)
    w = np.array(weights) / sum(weights)
    worse = rows * signs
    best, worst = worse.min(axis=0), worse.max(axis=0)
    regret = (worse - best) / (worst - best)  # 0 for the best of the front, 1 for the worst
    if name == "topsis":
        return [-np.linalg.norm(w * (1 - r)) / (np.linalg.norm(w * r) + np.linalg.norm(w * (1 - r))) for r in regret]
    if name == "vikor":
        s, m = regret @ w, (regret * w).max(axis=1)
        return (s - s.min()) / np.ptp(s) / 2 + (m - m.min()) / np.ptp(m) / 2
    if name == "promethee-ii":
        gain = [[sum(w * np.clip(regret[j] - regret[i], 0, 1)) for j in range(n)] for i in range(n)]
        return [-(sum(gain[i]) - sum(g[i] for g in gain)) for i in range(n)]
    ideal, scale = np.array([0, 10, 1]), np.array([9, 6, 1])
    return (np.abs(rows - ideal) / scale) @ w


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda s: s.name)
@pytest.mark.parametrize("weights", [(1, 1, 1), (5, 1, 1), (1, 6, 1), (1, 1, 40), (0.2, 1, 3)])
def test_they_choose_what_their_definitions_say(selector, weights):
    chosen = replace(selector, weights=weighed(weights)).select(table())
    assert chosen == np.argmin(np.round(by_hand(selector.name, ROWS, weights), 12))


def test_their_answers_differ_with_the_weights():
    for selector in SELECTORS:
        assert (
            len({replace(selector, weights=weighed(w)).select(table()) for w in [(20, 1, 1), (1, 1, 1), (1, 1, 40)]})
            > 1
        )


def test_more_is_better_where_the_objective_says_so():
    """The fastest of three that cost the same: the direction is data of the objective."""
    rows = [[1.0, 3.0, 0.9], [1.0, 5.0, 0.9], [1.0, 4.0, 0.9]]
    assert {selector.select(table(rows)) for selector in SELECTORS} == {1}


def test_spotis_within_limits_is_the_weighted_sum_of_losses():
    report = Pipeline(selectors=[SPOTIS({"accuracy": 2}), WeightedSum({"accuracy": 2})]).run()
    for spotis, weighted in zip(report.rows[::2], report.rows[1::2], strict=True):
        assert spotis.row == weighted.row


def test_spotis_takes_the_worst_row_as_bound_where_it_is_beyond_the_scale():
    """On the last digit too: 10 - (10 - x) is not x for every x."""
    depth = Objective("depth", "", "max", ideal=10.0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows = np.sort(rng.random((2, 3)) * [1, 9, 1], axis=0)
        rows[:, 1] = rows[::-1, 1]
        assert SPOTIS().select(Candidates.from_means([COST, depth, ACCURACY], rows)) in (0, 1)


def test_v_moves_vikor_from_the_largest_regret_to_their_sum():
    rows = [[1.0, 5.0, 0.50], [2.0, 8.0, 0.65], [4.0, 7.0, 0.80], [9.0, 6.0, 0.95]]
    regret = (np.array(rows) * [1, -1, -1] - [1, -8, -0.95]) / [8, 3, 0.45]
    assert VIKOR(v=1).select(table(rows)) == np.argmin(regret.sum(axis=1)) == 1
    assert VIKOR(v=0).select(table(rows)) == np.argmin(regret.max(axis=1)) == 2
    tied = [[1.0, 5.0, 0.9], [2.0, 4.0, 0.95]]  # in the largest regret, so that v alone decides what counts
    assert VIKOR(v=0).select(table(tied)) == 0
    assert VIKOR(v=1).select(table([[2.0, 4.0, 0.9], [3.0, 5.0, 0.95]])) == 1


def test_thresholds_of_promethee_decide():
    """Small steps of cost count nothing above the threshold of indifference; beyond that of preference all count alike."""
    rows = np.array([[0.0, 5.0, 0.50], [1.0, 5.0, 0.55], [2.0, 5.0, 0.60], [10.0, 5.0, 0.90]])
    regret = (rows[:, [0, 2]] * [1, -1] - [0, -0.9]) / [10, 0.4]
    for q, p in ((0.0, 1.0), (0.15, 0.2), (0.3, 1.0), (0.0, 0.05)):
        gain = np.clip((regret[None] - regret[:, None] - q) / (p - q), 0, 1).sum(axis=2)
        expected = np.argmax(np.round(gain.sum(axis=1) - gain.sum(axis=0), 12))
        assert PrometheeII(indifference=q, preference=p).select(table(rows)) == expected
    answers = {
        PrometheeII(indifference=q, preference=p).select(table(rows)) for q, p in ((0.0, 1.0), (0.15, 0.2), (0.0, 0.05))
    }
    assert len(answers) > 1


def test_huge_weights_are_weights():
    assert TOPSIS({"cost": 1e308, "accuracy": 1e308}).select(table()) == TOPSIS({"speed": 1e-300}).select(table())


def test_vikor_answers_where_all_rows_tie_in_one_measure():
    """Two rows, one better in two criteria: the largest regret is a third for both, the sum decides."""
    assert VIKOR().select(table([[1.0, 5.0, 0.9], [2.0, 4.0, 0.95]])) == 0
    assert VIKOR().select(table([[1.0, 5.0, 0.9], [1.0, 4.0, 0.95]])) == 0  # in both: the first


def test_vikor_is_not_led_by_rounding_noise():
    """On a line all sums of regrets are equal but for noise; the largest regret is least in the middle."""
    x = np.linspace(0.1, 0.7, 7)
    line = Candidates.from_means([COST, ACCURACY], np.stack([x, x / 7], axis=1))
    assert VIKOR(v=0.9).select(line) == 3


def test_promethee_says_where_pairs_are_too_many():
    n = 5001
    many = Candidates.from_means([COST, ACCURACY], np.stack([np.arange(n), np.linspace(0.1, 0.9, n)], axis=1))
    with pytest.raises(NoSelection, match="compares every pair of Pareto rows, at most 5000 rows, got 5001"):
        PrometheeII().select(many)
    assert PrometheeII().select(many.feasible([Limit("cost", 4999, "max")])) >= 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "topsis:weights.acuracy=2",
            "topsis: weights: unknown objective 'acuracy'; available: accuracy, cost, latency",
        ),
        ("topsis:weights.accuracy=0", "weights.accuracy: must be > 0, got '0'"),
        ("vikor:v=2", "selector 'vikor': v: must be <= 1, got 2.0"),
        (
            "promethee-ii:indifference=0.5,preference=0.5",
            "promethee-ii: indifference must be < preference, got 0.5 and 0.5",
        ),
    ],
)
def test_bad_parameters_are_errors_in_words(name, message):
    with pytest.raises(MooInferError, match=message):
        Pipeline(selectors=name).run("gpt-5", "essay-feedback")


def process():
    """Settings of the whole process that a library must not touch."""
    import matplotlib as mpl

    return {
        "warnings": list(warnings.filters),
        "float errors": np.geterr(),
        "print options": np.get_printoptions(),
        "numpy's randomness": [str(part) for part in np.random.get_state()],  # noqa: NPY002  # the state nobody should touch
        "python's randomness": random.getstate(),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        "logging": (logging.root.level, list(logging.root.handlers)),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "hooks": (sys.excepthook, sys.displayhook),
        "matplotlib": dict(mpl.rcParams),
        "recursion": sys.getrecursionlimit(),
    }


def test_four_objectives_nine_models_every_selector_without_a_trace(energetic, recwarn):
    """No warning, and nothing of the process changed by those of pymcdm, pymoo, or anybody else."""
    every = Registry().names(Selector)
    assert {"topsis", "vikor", "promethee-ii", "spotis", "asf", "pseudo-weights"} <= set(every)
    before = process()
    report = Pipeline(selectors=every, models=energetic, scenarios=builtin_scenarios()).run()
    assert process() == before
    assert not list(recwarn)
    assert [o.name for o in report.candidates.objectives] == ["accuracy", "cost", "latency", "energy"]
    assert len(report.rows) == 9 * 3 * len(every)
    for choice in report.rows:
        if choice.selector in {s.name for s in SELECTORS}:
            assert choice.k or choice.reason.startswith("nothing is feasible")


@pytest.fixture
def energetic():
    from dataclasses import dataclass

    from moo_infer import CostModel, builtin_models

    @dataclass(frozen=True)
    class Energy(CostModel):
        name = "energy"
        objective = Objective("energy", "J")
        joules: float

        def total(self, draws, /, *, parallelism):
            return np.cumsum(self.joules * draws.tokens_out, axis=1)

    return {
        name: replace(p, costs=(*p.costs, Energy(0.1 + 0.05 * i)))
        for i, (name, p) in enumerate(builtin_models().items())
    }


def test_the_same_in_a_fresh_process_where_warnings_are_errors():
    """What imports do shows only where nothing is imported yet."""
    code = (
        "import warnings, numpy as np, scipy.special\n"  # both add filters of their own
        "before, state = list(warnings.filters), np.geterr()\n"
        "from moo_infer import Pipeline\n"
        "Pipeline(selectors=['topsis', 'vikor', 'promethee-ii', 'spotis', 'asf', 'pseudo-weights']).run()\n"
        "assert np.geterr() == state; assert list(warnings.filters) == before, warnings.filters"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
