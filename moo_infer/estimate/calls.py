"""Calls the optional methods of a part (`exact`, `notes`) and checks what they return."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import MooInferError, NotExact
from ..core.moments import CONSTANT, Moments
from ..core.objectives import ACCURACY, Objective
from ..interfaces import AccuracyAggregator, CostModel
from ..profiles import ModelProfile
from ..quantities.by_law import LawQuery
from ..quantities.quantity import Query
from ..quantities.queries import Axis, Note, Queries, Recorder, law_rows
from ..quantities.samples import Samples
from .mixture import mixed, over_questions

__all__ = [
    "AT_ONCE",
    "MomentCache",
    "Noted",
    "agree",
    "cost_models",
    "guarded",
    "known",
    "noted",
    "numbers",
]

Result = TypeVar("Result")
AT_ONCE = 2**14  # draws of parameters times values of k in one go


class MomentCache:
    """Moments (Q, n) of the questions of a log, kept for draws that weigh them anew.

    Args:
        parts: those that are the same in all draws.
    """

    def __init__(self, parts: Sequence[AccuracyAggregator | CostModel] = ()) -> None:
        self.parts = parts
        self.moments: dict[tuple[Samples, int], Moments | None] = {}

    def ask(
        self,
        part: AccuracyAggregator | CostModel,
        samples: Samples,
        compute: Callable[[], Moments | None],
    ) -> Moments | None:
        """Return what the part says of the questions of a log."""
        place = next((i for i, kept in enumerate(self.parts) if kept is part or kept == part), None)
        if place is None:
            return compute()
        key = samples, place  # which are kept by that, so that no others take their place
        if key not in self.moments:
            self.moments[key] = compute()
        return self.moments[key]


def cost_models(profile: ModelProfile, aggregator: AccuracyAggregator) -> dict[Objective, list[CostModel]]:
    """Cost models of the profile and of the aggregator, by objective.

    Raises:
        MooInferError: where a cost model claims the accuracy, or two parts disagree about an objective.
    """
    parts: dict[Objective, list[CostModel]] = {}
    for part in (*profile.costs, *aggregator.costs):
        objective = part.objective
        for known in (ACCURACY, *parts):
            if known.name == objective.name and (known is ACCURACY or known != objective):
                raise MooInferError(
                    f"{profile.name}: cost model {part.name!r} has the objective {objective!r}, "
                    f"but {objective.name!r} is already {known!r}"
                )
        parts.setdefault(objective, []).append(part)
    return parts


@dataclass(frozen=True, eq=False)
class Noted:
    """What the parts of a curve have to say.

    Args:
        texts: each sentence once.
        possible: (n,) which numbers of inferences can be had.
        bounded: whether that depends on more than how far the model goes.
    """

    texts: tuple[str, ...]
    possible: BoolArray
    bounded: bool


def noted(profile: ModelProfile, aggregator: AccuracyAggregator, k: IntArray, parallelism: int) -> Noted:
    """Ask the parts for their notes at n values of `k`."""
    model = profile.inference
    notes = [*guarded(model.notes, f"inference model {model.name!r} of {profile.name!r}")]
    most = _most(profile)
    supported = profile.largest_k or most
    if most is not None and len(k) and k.max() > most:
        why = "the largest that its source supports" if most == supported else "as far as it is extrapolated"
        notes.append(Note(f"no k above {most}, {why}"))
    if supported is not None and most is not None and supported < min(most, k.max(initial=0)):
        notes.append(Note(f"what is above k = {supported}, the largest that its source supports, is extrapolated"))
    possible = np.ones(len(k), dtype=bool) if most is None else k <= most
    asked, bounded = k[possible], False
    had = np.ones(len(asked), dtype=bool)
    for part in (*profile.costs, *aggregator.costs) if len(asked) else ():
        who = f"cost model {part.name!r} on {profile.name!r}"
        for note in guarded(partial(part.notes, model, asked, parallelism=parallelism), who):
            notes.append(note)
            if note.excludes is not None:
                bounded = True
                had &= ~_mask(note.excludes, asked, who)
    possible[possible] = had
    return Noted(tuple(dict.fromkeys(note.text for note in notes if note.text)), possible, bounded)


def _mask(given: object, k: IntArray, who: str) -> BoolArray:
    mask = np.asarray(given)
    if mask.shape != k.shape or mask.dtype != bool:
        raise MooInferError(f"{who}: excludes must be {k.shape} of true and false, got {given!r:.80}")
    return mask


def _most(profile: ModelProfile) -> int | None:
    """The largest k of a profile that is a candidate, or None where there is no end."""
    ends = [profile.inference.queries().largest_k, profile.extrapolate_to or profile.largest_k]
    return min((end for end in ends if end is not None), default=None)


def known(
    part: AccuracyAggregator | CostModel,
    exact: Callable[[Query, IntArray], Moments],
    profile: ModelProfile,
    k: IntArray,
    objective: Objective,
    who: str,
    kept: MomentCache,
    draws: int = 1,
) -> Moments | None:
    """Ask a part for exact moments over all queries; None where they must be simulated.

    Where the profile holds (B, 1) numbers, `draws` is B.
    """
    model = profile.inference
    queries = guarded(model.queries, f"inference model {model.name!r} of {profile.name!r}")

    def asked(query: Query, rows: int) -> Moments | None:
        try:
            return _checked(partial(exact, query, k), k, objective, who, rows)
        except NotExact:
            return None

    if queries.samples is not None:
        Q, samples = len(queries.weights), queries.samples
        moments = kept.ask(part, samples, lambda: asked(queries.query, Q))
        if moments is None:
            return None
        each = (Q, len(k))
        std = None if moments.std is None else np.broadcast_to(moments.std, each)
        return over_questions(queries.weights, np.broadcast_to(moments.mean, each), std)
    if not queries.axes:
        return asked(LawQuery(queries.laws), draws)
    try:
        return _over_axes(asked, queries, len(k), who)
    except NotExact:
        return None


def _over_axes(asked: Callable[[Query, int], Moments | None], queries: Queries, n: int, who: str) -> Moments | None:
    """Mix the moments given the query over the axes along which something differs that the part reads."""
    differing = frozenset(name for axis in queries.axes for name in axis.laws)
    first = {name: law_rows(law, slice(0, 1)) for axis in queries.axes for name, law in axis.laws.items()}
    probe = Recorder({**queries.laws, **first}, differing)
    moments = asked(LawQuery(probe), 1)
    axis = None if moments is None else queries.product(probe.read, probe.bends)
    while axis is not None:
        seen = Recorder({**queries.laws, **first, **axis.laws}, differing, {*probe.read}, {**probe.bends})
        moments = _given_each(asked, axis, seen, n, who)
        if not (seen.read & differing) - probe.read:  # else it reads more of other queries: once more, with all of it
            return moments
        probe = seen
        axis = queries.product(probe.read, probe.bends)
    return moments


def _given_each(
    asked: Callable[[Query, int], Moments | None], axis: Axis, laws: Recorder, n: int, who: str
) -> Moments | None:
    """Moments given each query of an axis, mixed: many at once where the part takes arrays, else one by one."""

    def given(rows: slice, count: int) -> Moments | None:
        some = {name: law_rows(law, rows) if name in axis.laws else law for name, law in laws.laws.items()}
        return asked(LawQuery(replace(laws, laws=some)), count)

    Q, means, stds = len(axis.weights), [], []
    for count, moments in in_arrays(given, Q, max(1, AT_ONCE // n), who):
        if moments is None:
            return None
        means.append(np.broadcast_to(moments.mean, (count, n)))
        stds.append(None if moments.std is None else np.broadcast_to(moments.std, (count, n)))
    known_stds = [std for std in stds if std is not None]
    std = np.concatenate(known_stds) if len(known_stds) == len(stds) else None
    return mixed(axis.weights, np.concatenate(means), std)


def in_arrays(
    ask: Callable[[slice, int], Moments | None], rows: int, step: int, who: str
) -> Iterator[tuple[int, Moments | None]]:
    """Ask for rows of queries or draws, so many at a time; one by one where the part does not take arrays.

    A part that does gives the same of the first and the last row alone; one that does not, but answers, is refused.

    Yields:
        How many rows there are, and their moments.
    """
    for start in range(0, rows, step):
        count = min(step, rows - start)
        try:
            moments = ask(slice(start, start + count), count)
        except MooInferError:
            if count == 1:
                raise
            yield from ((1, ask(slice(i, i + 1), 1)) for i in range(start, start + count))
            continue
        if moments is not None and count > 1:
            for i in (0, count - 1):
                agree(moments, i, count, ask(slice(start + i, start + i + 1), 1), who)
        yield count, moments


def agree(moments: Moments | None, row: int, count: int, alone: Moments | None, who: str) -> None:
    """Refuse moments of many rows at once that are others than those of a row alone."""
    if moments is None or alone is None:
        return
    rounding = CONSTANT * float(np.abs(alone.mean).max())  # of deviations too, where they are none
    for name in ("mean", "std"):
        together, one = getattr(moments, name), getattr(alone, name)
        if together is None or one is None:
            continue
        got = together[row] if np.ndim(together) == 2 and len(together) == count else np.ravel(together)
        if not np.allclose(got, np.ravel(one), rtol=1e-6, atol=rounding):
            raise MooInferError(
                f"{who} gives another {name} for (B, 1) numbers at once than for each of them: its exact moments must "
                "be array operations, or raise an error where they are none"
            )


def _checked(compute: Callable[[], Moments], k: IntArray, objective: Objective, who: str, rows: int) -> Moments:
    """Ask a part for exact moments of so many queries or draws at once, and refuse what cannot be one."""
    moments = guarded(compute, who)
    if not isinstance(moments, Moments):
        raise MooInferError(
            f"{who} must return exact Moments, or raise NotExact where they are not known, got {type(moments).__name__}"
        )
    mean = numbers(moments.mean, k.shape, f"{who} must return an exact mean", rows)
    std = None if moments.std is None else numbers(moments.std, k.shape, f"{who} must return an exact std", rows)
    if std is not None and std.min() < 0:
        raise MooInferError(f"{who} must return an exact std >= 0, got {std.min():g}")
    if objective == ACCURACY and (mean.min() < -1e-9 or mean.max() > 1 + 1e-9):
        raise MooInferError(f"{who} must return an exact mean in [0, 1], got {mean.min():g} to {mean.max():g}")
    exact = moments.quantile
    if exact is None:
        return Moments(mean, std)
    return Moments(mean, std, partial(_quantile, exact, k.shape, who, rows))


def _quantile(exact: Callable[[float], Any], shape: tuple[int, ...], who: str, rows: int, q: float) -> FloatArray:
    """Return a quantile that a part gives, checked: a function by name, so that moments pickle."""
    return numbers(guarded(partial(exact, q), who), shape, f"{who} must return an exact quantile", rows)


def numbers(given: object, shape: tuple[int, ...], what: str, rows: int = 1) -> FloatArray:
    """Real finite numbers of a shape, or of as many rows of it."""
    allowed = shape if rows == 1 else (rows, *shape)
    if given is None:
        raise MooInferError(f"{what} of shape {allowed}, got None")
    array = np.asarray(given)
    if array.shape not in (shape, (1, *shape), (rows, *shape)):
        raise MooInferError(f"{what} of shape {allowed}, got {array.shape}")
    if rows == 1:
        array = array.reshape(shape)
    if array.dtype.kind not in "fiu":
        raise MooInferError(f"{what} of numbers, got {array.dtype}")
    values = array.astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        column = int(np.argwhere(~np.isfinite(values))[0][-1])
        raise MooInferError(f"{what} of finite numbers, got {values[~np.isfinite(values)][0]} in column {column}")
    return values


def guarded(call: Callable[[], Result], who: str) -> Result:
    """Call into a part; whatever it raises becomes an error that names it."""
    try:
        return call()
    except (MooInferError, MemoryError):
        raise
    except OverflowError as error:
        raise MooInferError(f"{who} fails: its numbers are too large or too small to be computed with") from error
    except Exception as error:
        raise MooInferError(f"{who} fails: {type(error).__name__}: {error}") from error
