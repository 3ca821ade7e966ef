"""What the stages of a workflow do with queries, and what is assumed of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np

from ...core.arrays import FloatArray
from ...core.errors import NotExact
from ...core.objectives import ACCURACY, LATENCY
from ...estimate.course import Course, StageCourse, mean_and_tail
from ...quantities.queries import Doubt
from .options import Known
from .paths import counts_added, largest_count
from .rightness import frechet_bounds
from .rows import Trials, WorkflowRow

__all__ = ["assumed", "course_of"]

SLACK = 1e-9  # of the whole, relative: sums in another order


def course_of(row: WorkflowRow, trials: int, seed: int, bounds: tuple[float, float] | None) -> Course:
    """Return what a workflow does with queries."""
    calls, waves = _counted(row, trials, seed)
    steps = []
    for option, stage in zip(row.options, row.workflow.stages, strict=True):
        after = f" after {' and '.join(stage.after)}" if stage.after else ""
        models = f"{' > '.join(option.models)}, " if option.models else ""
        steps.append(f"{option.stage} ({models}{option.label}){after}")
    text = "; ".join(f"{option.stage}: {option.text}" for option in row.options)
    answering = sorted({name for option in row.options if not option.is_tool for name in option.deployment.answering})
    return Course(
        f"{row.name} ({text})",
        tuple(dict.fromkeys(model for option in row.options for model in option.models)),
        calls,
        waves,
        (),
        f"runs {', '.join(steps)}",
        tuple(answering),
        workflow=row.name,
        plan=partial(_stages, row, trials, seed),
        bounds=bounds,
    )


def _counted(row: WorkflowRow, trials: int, seed: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Mean and 95 % quantile of the calls, and of the waves along the longest path."""
    each = row.known_of_stages(trials, seed)
    try:
        if not all(known.calls for known in each):
            raise NotExact("calls of a policy that is replayed")
        calls = [_chances(known.calls) for known in each]
        waves = [_chances(known.waves) for known in each]
        added = row.graph.fold(calls, counts_added, counts_added)
        longest = row.graph.fold(waves, counts_added, largest_count)
    except NotExact:
        return _counted_trials(row, row.replay(trials, seed))
    return tuple(mean_and_tail(dict(enumerate((row.weights @ of).tolist()))) for of in (added, longest))  # type: ignore[return-value]  # two


def _chances(shares: Mapping[int, FloatArray]) -> FloatArray:
    """(Q, n) chances of 0, 1, ... n - 1."""
    return np.stack([shares.get(n, np.zeros(len(next(iter(shares.values()))))) for n in range(max(shares) + 1)], axis=1)


def _counted_trials(row: WorkflowRow, drawn: Trials) -> tuple[tuple[float, float], tuple[float, float]]:
    none = np.zeros(len(drawn.totals[ACCURACY.name]))
    n = [none if option.is_tool else of.n.sum(axis=1) for option, of in zip(row.options, drawn.stages, strict=True)]
    waves = row.graph.longest([of.waves.astype(np.float64) for of in drawn.stages])
    counted = [Counter(values.astype(np.int64).tolist()) for values in (np.sum(n, axis=0), waves)]
    return tuple(mean_and_tail({k: count / len(none) for k, count in of.items()}) for of in counted)  # type: ignore[return-value]  # two


def _stages(row: WorkflowRow, trials: int, seed: int) -> tuple[StageCourse, ...]:
    """What each stage does, and when: exact where it is known and seconds do not vary, else on average of trials."""
    each = row.known_of_stages(trials, seed)
    drawn, seconds = None, [np.zeros(1) for _ in each]
    timed = [objective for objective in row.objectives if objective.name == LATENCY.name]
    spans = [span for objective in timed for span in row.spans(each, objective)]
    if all(span is not None and span.constant for span in spans):
        seconds = [span.mean for span in spans if span is not None] or seconds
    else:
        drawn = row.replay(trials, seed)
        seconds = [replay.totals.get(LATENCY.name, np.zeros(trials)) for replay in drawn.stages]
    seconds = [np.array(of) for of in np.broadcast_arrays(*seconds)]
    start, finish = row.graph.times(seconds)
    slack = row.graph.slack(start, finish)
    end = row.graph.longest(seconds)

    def average(values: FloatArray) -> float:
        return float(row.weights @ values if drawn is None and len(values) == len(row.weights) else values.mean())

    stages = []
    for i, (option, stage) in enumerate(zip(row.options, row.workflow.stages, strict=True)):
        means = {}
        for name in (ACCURACY.name, *(objective.name for objective in row.objectives)):
            means[name] = _mean(row, each[i], i, name, trials, seed)
        stages.append(
            StageCourse(
                stage.name,
                option.text,
                option.label,
                option.models,
                option.k,
                tuple(stage.after),
                means,
                average(start[i]),
                average(finish[i]),
                average(slack[i]),
                average(np.where(slack[i] <= SLACK * end, 1.0, 0.0)),
                () if option.is_tool else tuple(sorted(option.deployment.answering)),
            )
        )
    return tuple(stages)


def _mean(row: WorkflowRow, known: Known, i: int, name: str, trials: int, seed: int) -> float:
    if name in known.mean:
        own = known.mean[name]
        return float(row.weights @ np.broadcast_to(own, row.weights.shape))
    totals = row.replay(trials, seed).stages[i].totals.get(name)
    return 0.0 if totals is None else float(totals.mean())


def assumed(row: WorkflowRow, trials: int, seed: int) -> tuple[Doubt | None, tuple[float, float] | None]:
    """Say which stages are taken as independent, and between which two values the accuracy is whatever they are.

    Returns:
        The sentence, None where nothing is assumed; and the bounds, None where they are not known.
    """
    if row.workflow.right == "last":
        return None, None
    each, weights = _rightness_of_stages(row, trials, seed)
    groups = [group for group in row.groups if any(np.ptp(each[i]) or each[i][0] not in (0, 1) for i in group)]
    if len(groups) < 2:
        return None, None
    names = [" with ".join(row.options[i].stage for i in group) for group in groups]
    text = f"{', '.join(names[:-1])} and {names[-1]} are taken as independent: no logs of the same questions say how "
    text += "often they are right together"
    if row.workflow.cap_seconds is not None:
        return Doubt(text), None
    chances = [(group, _chances_of_cases([each[i] for i in group], weights)) for group in row.groups]
    low, high = frechet_bounds(row.rightness, chances)
    return Doubt(f"{text}; whatever their dependence, accuracy is from {low:.4g} to {high:.4g}"), (low, high)


def _rightness_of_stages(row: WorkflowRow, trials: int, seed: int) -> tuple[list[FloatArray], FloatArray]:
    """How likely each stage is right, given each question or in each trial; and the shares of these."""
    known = [of.mean.get(ACCURACY.name) for of in row.known_of_stages(trials, seed)]
    if row.shares_samples or any(p is None for p in known):
        return [of.totals[ACCURACY.name] for of in row.replay(trials, seed).stages], np.full(trials, 1 / trials)
    return [np.broadcast_to(p, row.weights.shape) for p in known if p is not None], row.weights


def _chances_of_cases(right: Sequence[FloatArray], weights: FloatArray) -> FloatArray:
    """How likely each of the 2^m cases is, in which some of m stages are right."""
    cases = product((False, True), repeat=len(right))
    each = [np.prod([p if yes else 1.0 - p for p, yes in zip(right, case, strict=True)], axis=0) for case in cases]
    return np.array([float(weights @ chance) for chance in each])
