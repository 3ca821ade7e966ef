"""Compares exact moments with simulation, and the moments of several draws with those of each alone."""

import math
from typing import Any, get_type_hints

import numpy as np
import pytest

from ..core.arrays import FloatArray
from ..core.uncertainty import Uncertain
from ..estimate.curves import Column
from ..estimate.exact import Exact
from ..estimate.monte_carlo import simulate
from ..estimate.setup import Setup
from ..interfaces import AccuracyAggregator, CostModel, InferenceModel
from ..profiles import ModelProfile
from ..quantities.bootstrap import QuestionDraws
from .contract import fields_of
from .models import DrawnOnce, skipped_without_columns

__all__ = ["CLOSE", "TRIALS", "K", "assert_agreement", "assert_close", "assert_redraws"]

CLOSE = 5.0  # standard errors between what is exact and what is simulated

TRIALS = 4000  # so that `CLOSE` standard errors of a share are 0.04 at most, and a contract takes seconds
NEAR = 1e-9  # relative: sums of the same numbers in another order differ by rounding, which is far less
TINY = 1e-12  # absolute, for what is 0 but for rounding
# Asked for what is exact alone; what it simulates is not looked at, so a few trials of it will do.
ESTIMATOR = Exact(trials=64)
K = np.array([1, 4, 16])  # where exact and simulated moments are compared


def assert_close(exact: float, values: FloatArray, name: str) -> None:
    """Compare an exact mean with that of trials."""
    error = CLOSE * values.std() / np.sqrt(len(values)) + NEAR * abs(exact) + TINY
    if np.isin(values, (0.0, 1.0)).all():  # what happens in one trial of a thousand may not have been seen
        error = max(error, 3 * CLOSE / len(values))
    assert abs(values.mean() - exact) <= error, (
        f"{name}: exact {exact:.9g}, simulated {values.mean():.9g} +- {error:.2g}"
    )


def _error_of_std(values: FloatArray) -> float:
    """Relative difference to allow between a standard deviation and that of a sample: more where it has long tails."""
    kurtosis = float((((values - values.mean()) / values.std()) ** 4).mean()) if values.std() > 0 else 0.0
    return max(0.1, CLOSE * math.sqrt(max(kurtosis - 1, 0.0) / (4 * len(values))))


def assert_agreement(
    profile: ModelProfile, aggregator: AccuracyAggregator, parallelism: int, objectives: list[str]
) -> None:
    """Compare what the estimator takes as exact of some objectives with what it simulates."""
    with skipped_without_columns(profile.inference):
        exact = ESTIMATOR.estimate(profile, aggregator, K, parallelism)
        drawn = Setup(profile.with_inference(DrawnOnce(profile.inference)), aggregator, exact.k, parallelism)
        trials = simulate(drawn, TRIALS, 2, objectives).totals
    for name in objectives:
        column = exact.columns[name]
        statistics = {"mean", "std", "quantile"} - {"quantile" if s in ("low", "high") else s for s in column.simulated}
        for j, values in enumerate(trials[name].T):
            where = f"{name} at k = {exact.k[j]}, P = {parallelism}"
            if "mean" in statistics:
                assert_close(float(column.mean[j]), values, f"mean of {where}")
            # Where nearly all trials are equal, the few others are too few to measure a spread.
            if "std" in statistics and np.ptp(np.quantile(values, [0.025, 0.975])) > 0:
                assert column.std[j] == pytest.approx(values.std(), rel=_error_of_std(values), abs=NEAR), (
                    f"std of {where}"
                )
            for q in (0.025, 0.5, 0.975) if "quantile" in statistics else ():
                x = float(column.quantile(q)[j])
                slack = CLOSE * np.sqrt(q * (1 - q) / len(values))
                tiny = NEAR * max(abs(x), NEAR)
                assert np.mean(values <= x + tiny) >= q - slack, f"quantile {q} of {where}"
                assert np.mean(values < x - tiny) <= q + slack, f"quantile {q} of {where}"


def assert_redraws(model: InferenceModel, costs: tuple[CostModel, ...], aggregator: AccuracyAggregator) -> None:
    """Compare the moments of three draws, asked for as `--stability` does, with those of each draw alone."""
    owners = {"inference": model} | {f"costs[{i}]": cost for i, cost in enumerate(costs)}
    uncertain = {
        f"{owner}.{name}": Uncertain(low=getattr(part, name) / 2, high=getattr(part, name))
        for owner, part in owners.items()
        for name in _numbers_of(part)
    }
    profile = ModelProfile("contract", model, costs, uncertain=uncertain)
    with skipped_without_columns(model):
        setup = Setup(profile, aggregator, K, 2).possible()
        curves = [*ESTIMATOR.redraw(setup, 3, 0)]
    values, questions = profile.draw(3, 0), model.queries().questions
    drawn_questions = QuestionDraws(questions, 3, 0) if len(questions) > 1 else None
    for b, together in enumerate(curves):
        drawn = Setup(profile.with_values({p: float(v[b]) for p, v in values.items()}), aggregator, together.k, 2)
        if drawn_questions is not None:
            low, high = drawn_questions.pseudo[b].tolist()
            drawn = drawn.with_weights(drawn_questions.weights[b], (low, high))
        alone = ESTIMATOR.moments(drawn)
        for name, column in together.columns.items():
            single = Column(alone[name])
            # A law that is normal in one draw may not be so in all, so less may be exact of three.
            assert {*single.simulated} <= {*column.simulated}, f"{name}: more is exact of three draws than of one"
            for statistic in {"mean", "std", "low", "high"} - {*column.simulated}:
                got, expected = column.statistic(statistic), single.statistic(statistic)
                # A quantile is searched for as closely as mean or standard deviation are large, which may be far more.
                size = np.maximum(np.abs(single.mean), single.std) if statistic in ("low", "high") else np.abs(expected)
                close = TINY + NEAR * size
                same = np.isclose(got, expected, rtol=0, atol=close, equal_nan=True)
                assert same.all(), f"{statistic} of {name}: {got} among three draws, {expected} of one alone"


def _numbers_of(part: Any) -> list[str]:
    """The fields that hold one number, which a profile may call uncertain."""
    hints = get_type_hints(type(part))
    numbers = [f.name for f in fields_of(type(part)) if hints[f.name] in (float, float | None)]
    return [name for name in numbers if getattr(part, name) is not None]
