"""Which option each stage of a workflow takes, so that the whole is right most often within limits of a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, NoSelection, unknown
from ..core.objectives import ACCURACY
from ..estimate.course import Course
from ..policy.workflow.course import assumed, course_of
from ..policy.workflow.options import StageOption
from ..policy.workflow.plans import Plans
from .allocate import MOST_PLANS, Allocation, allocate, best_plan, beyond, with_upgrades

__all__ = ["StageAllocation", "allocate_stages"]


@dataclass(frozen=True, eq=False)
class StageAllocation:
    """An option for every stage of a workflow.

    Args:
        name: of the workflow.
        options: of each stage, the one that it takes.
        upgrades: by stage, the option that would gain most for more of the first limit; without those of which none
            gains.
        allocation: their numbers, shadow prices in accuracy for a unit of the limit, bound and gap. Of more than
            1,000,000 plans there are no shadow prices, and `mixture` is NaN.
        objectives: means of the whole by objective, accuracy first.
        units: of the objectives.
        course: what the stages do.
        remarks: what is assumed, in sentences without their ends.
    """

    name: str
    options: tuple[StageOption, ...]
    upgrades: Mapping[str, tuple[StageOption, float]]
    allocation: Allocation
    objectives: Mapping[str, float]
    units: Mapping[str, str]
    course: Course
    remarks: tuple[str, ...]


def allocate_stages(plans: Plans, limits: Mapping[str, float], /) -> StageAllocation:
    """Choose one option for every stage of a workflow.

    Up to 1,000,000 plans are all looked at. More are chosen among where stages are independent and must all be right:
    then the logarithms of their accuracies add up, as what they take does. A mixture is right as often as the mean of
    its plans, of which logarithms say nothing: what the best one is worth, and prices, are not known then.

    Args:
        plans: what the stages may do.
        limits: by objective, the most that a query may take on average.

    Raises:
        NoSelection: where no plan is within the limits, with what the cheapest takes.
        MooInferError: for a limit on something else, and for more plans than can be looked at.
    """
    names = [objective.name for objective in plans.objectives]
    for name in limits:
        if name not in names:
            raise unknown("objective", name, names, "a limit of a workflow is on what its stages take")
    columns = [1 + names.index(name) for name in limits]
    sizes = [len(options) for options in plans.options]

    def evaluate(numbers: IntArray) -> tuple[FloatArray, FloatArray]:
        means = plans.means(numbers)
        return means[:, 0], means[:, columns]

    if np.prod(sizes, dtype=np.float64) <= MOST_PLANS:
        found = best_plan(sizes, evaluate, limits)
    else:
        found = _by_logarithms(plans, limits)
    row = plans.row(found.choices.tolist())
    estimator = plans.estimator
    doubt, bounds = assumed(row, estimator.trials, estimator.seed)
    means = plans.means(found.choices[None])[0].tolist()
    better = {
        options[0].stage: (options[up], float(rate))
        for options, up, rate in zip(plans.options, found.upgrades.tolist(), found.rates.tolist(), strict=True)
        if up >= 0
    }
    return StageAllocation(
        plans.name,
        row.options,
        better,
        found,
        dict(zip([ACCURACY.name, *names], means, strict=True)),
        {objective.name: objective.unit for objective in plans.objectives},
        course_of(row, estimator.trials, estimator.seed, bounds),
        (doubt,) if doubt else (),
    )


def _by_logarithms(plans: Plans, limits: Mapping[str, float]) -> Allocation:
    """Choose among more plans than can be looked at: what multiplies adds up in logarithms."""
    parts = plans.independent()
    if parts is None:
        raise MooInferError(
            f"workflow {plans.name!r}: its stages may do more than {MOST_PLANS:,} things together, which can be chosen "
            "among where all stages have to be right, independently, and what they take is known; name fewer policies"
        )
    right, taken = parts
    for options, p in zip(plans.options, right, strict=True):
        if not p.any():
            raise NoSelection(f"stage {options[0].stage} is never right, whatever it does")
    open_ones = [np.flatnonzero(p > 0) for p in right]
    columns = [(name, path) for name in limits for path in plans.paths(name)]
    costs = [
        np.stack([taken[name][g] * (g in path) for name, path in columns], axis=1)[kept]
        if columns
        else np.zeros((len(kept), 0))
        for g, kept in enumerate(open_ones)
    ]
    stages = [options[0].stage for options in plans.options]
    named = {_named(name, [stages[g] for g in path], len(stages)): limits[name] for name, path in columns}
    logarithms = [np.log(p[kept]) for p, kept in zip(right, open_ones, strict=True)]
    found = allocate(logarithms, costs, named, groups=stages)
    known = _in_accuracy(found, open_ones, [name for name, _ in columns])
    first = next(iter(limits), None)
    return _upgraded(known, right, *(([], []) if first is None else (taken[first], plans.paths(first))))


def _in_accuracy(found: Allocation, open_ones: Sequence[IntArray], names: Sequence[str]) -> Allocation:
    """An allocation of logarithms in accuracy, by the numbers of all options and by objective.

    Args:
        found: over the options that are open, with limits along paths.
        open_ones: by stage, the numbers of these options.
        names: the objective of each limit.
    """
    spent = list(zip(names, found.spent.values(), strict=True))
    return replace(
        found,
        choices=np.array([kept[i] for kept, i in zip(open_ones, found.choices, strict=True)]),
        value=float(np.exp(found.value)),
        spent={name: max(value for own, value in spent if own == name) for name in dict.fromkeys(names)},
        shadow_prices={},
        prices_below={},
        bound=float(np.exp(found.bound)),
        mixture=np.nan,  # of logarithms it is a geometric mean, below what the best mixture is worth
    )


def _upgraded(
    found: Allocation, right: Sequence[FloatArray], taken: Sequence[FloatArray], paths: Sequence[Sequence[int]]
) -> Allocation:
    """Add which option each stage would take next, by what the whole is worth and takes with it.

    Args:
        found: in accuracy.
        right: by stage (n,), how likely each option is right.
        taken: by stage (n,), what each takes of the first limit; empty without limits.
        paths: along which that adds up.
    """
    n = max(map(len, right))
    gains, more = np.full((len(right), n), np.nan), np.full((len(right), n), np.nan)
    for g, p in enumerate(right):
        others = np.repeat(found.choices[None], len(p), axis=0)
        others[:, g] = np.arange(len(p))
        worth = np.prod([own[others[:, h]] for h, own in enumerate(right)], axis=0)
        along = [np.sum([taken[h][others[:, h]] for h in path], axis=0) for path in paths]
        spent = np.max(along, axis=0) if along else np.zeros(len(p))
        now = found.choices[g]
        gains[g, : len(p)], more[g, : len(p)] = beyond(worth, worth[now]), beyond(spent, spent[now])
    return with_upgrades(found, gains, more)


def _named(objective: str, path: Sequence[str], stages: int) -> str:
    """What a limit along a path is called."""
    return objective if len(path) == stages else f"{objective} along {' > '.join(path)}"
