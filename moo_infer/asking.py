"""Asks the parts: what is known exactly, what can be had, what is to be said; and refuses what cannot be an answer."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import MooInferError
from .interfaces import AccuracyAggregator, CostModel, InferenceModel, Moments
from .mixing import mixed, over_questions, rows
from .objectives import ACCURACY, Objective
from .profiles import ModelProfile

__all__ = ["AT_ONCE", "Given", "cost_models", "guarded", "known", "numbers", "possible", "remarks"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Result = TypeVar("Result")
AT_ONCE = 2**14  # draws of parameters times values of k in one go


class Given:
    """Moments (Q, n) of the questions of a log, kept for draws that weigh them anew.

    Args:
        parts: those that are the same in all draws.
    """

    def __init__(self, parts: Sequence[AccuracyAggregator | CostModel] = ()) -> None:
        self.parts = parts
        self.moments: dict[tuple[int, int], Moments | None] = {}

    def ask(
        self,
        part: AccuracyAggregator | CostModel,
        model: InferenceModel,
        compute: Callable[[], Moments | None],
    ) -> Moments | None:
        """Return what the part says of the questions of a model."""
        place = next((i for i, kept in enumerate(self.parts) if kept is part or kept == part), None)
        if place is None:
            return compute()
        key = id(model), place  # the model stays: those that draws give have it in common
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


def possible(
    profile: ModelProfile, aggregator: AccuracyAggregator, k: IntArray, parallelism: int
) -> npt.NDArray[np.bool_]:
    """(n,) which numbers of inferences all cost models say can be had."""
    most = _most(profile)
    every = np.ones(len(k), dtype=bool) if most is None else k <= most
    k = k[every]
    had = np.ones(len(k), dtype=bool)
    for part in (*profile.costs, *aggregator.costs) if len(k) else ():
        who = f"cost model {part.name!r} on {profile.name!r}"
        found = np.asarray(guarded(partial(part.possible, profile.inference, k, parallelism=parallelism), who))
        if found.shape != k.shape or found.dtype != bool:
            raise MooInferError(f"{who}: possible must return {k.shape} of true and false, got {found!r:.80}")
        had &= found
    every[every] = had
    return every


def _most(profile: ModelProfile) -> int | None:
    """The largest k of a profile that is a candidate, or None where there is no end."""
    ends = [profile.inference.largest_k, profile.extrapolate_to or profile.largest_k]
    return min((end for end in ends if end is not None), default=None)


def remarks(profile: ModelProfile, aggregator: AccuracyAggregator, k: IntArray, parallelism: int) -> tuple[str, ...]:
    """What the parts have to say, each sentence once."""
    model = profile.inference
    said = [*guarded(model.remarks, f"inference model {model.name!r} of {profile.name!r}")]
    most = _most(profile)
    supported = profile.largest_k or most
    if most is not None and len(k) and k.max() > most:
        why = "the largest that its source supports" if most == supported else "as far as it is extrapolated"
        said.append(f"no k above {most}, {why}")
    if supported is not None and most is not None and supported < min(most, k.max(initial=0)):
        said.append(f"what is above k = {supported}, the largest that its source supports, is extrapolated")
    k = k if most is None else k[k <= most]
    for part in (*profile.costs, *aggregator.costs) if len(k) else ():
        who = f"cost model {part.name!r} on {profile.name!r}"
        said += guarded(partial(part.remarks, model, k, parallelism=parallelism), who)
    return tuple(dict.fromkeys(said))


def known(
    part: AccuracyAggregator | CostModel,
    exact: Callable[[InferenceModel, IntArray], Moments | None],
    profile: ModelProfile,
    k: IntArray,
    objective: Objective,
    who: str,
    kept: Given,
    draws: int = 1,
) -> Moments | None:
    """Ask a part for exact moments; where queries differ, for those given each query, and mix them.

    Where the profile holds (B, 1) numbers, `draws` is B.
    """
    model = profile.inference
    of: Literal["tokens", "accuracy"] = "accuracy" if isinstance(part, AccuracyAggregator) else "tokens"
    queries = guarded(partial(model.queries, of), f"inference model {model.name!r} of {profile.name!r}")
    if queries is None:
        return _checked(partial(exact, model, k), k, objective, who, draws)
    given, Q = queries.model, len(queries.weights)
    if given.logged is not None:
        moments = kept.ask(part, given, lambda: _checked(partial(exact, given, k), k, objective, who, Q))
        if moments is None:
            return None
        each = (Q, len(k))
        std = None if moments.std is None else np.broadcast_to(moments.std, each)
        return over_questions(queries.weights, np.broadcast_to(moments.mean, each), std)
    if not part.per_query:  # it may know what holds over all queries
        return _checked(partial(exact, model, k), k, objective, who, draws)
    step = max(1, AT_ONCE // len(k)) if part.vectorised and given.vectorised else 1  # memory stays bounded
    found = []
    for start in range(0, Q, step):
        some = rows(given, slice(start, start + step))
        count = min(step, Q - start)
        moments = _checked(partial(exact, some, k), k, objective, who, count)
        if moments is None:
            return None
        found.append((count, moments))
    mean = np.concatenate([np.broadcast_to(m.mean, (count, len(k))) for count, m in found])
    stds = [np.broadcast_to(m.std, (count, len(k))) for count, m in found if m.std is not None]
    return mixed(queries.weights, mean, np.concatenate(stds) if len(stds) == len(found) else None)


def _checked(
    compute: Callable[[], Moments | None], k: IntArray, objective: Objective, who: str, rows: int
) -> Moments | None:
    """Ask a part for exact moments of so many queries or draws at once, and refuse what cannot be one."""
    moments = guarded(compute, who)
    if moments is None:
        return None
    if not isinstance(moments, Moments):
        raise MooInferError(f"{who} must return exact Moments or None, got {type(moments).__name__}")
    mean = numbers(moments.mean, k.shape, f"{who} must return an exact mean", rows)
    std = None if moments.std is None else numbers(moments.std, k.shape, f"{who} must return an exact std", rows)
    if std is not None and std.min() < 0:
        raise MooInferError(f"{who} must return an exact std >= 0, got {std.min():g}")
    if objective == ACCURACY and (mean.min() < -1e-9 or mean.max() > 1 + 1e-9):
        raise MooInferError(f"{who} must return an exact mean in [0, 1], got {mean.min():g} to {mean.max():g}")
    exact = moments.quantile
    if exact is None:
        return Moments(mean, std)

    def quantile(q: float) -> FloatArray:
        return numbers(guarded(lambda: exact(q), who), k.shape, f"{who} must return an exact quantile", rows)

    return Moments(mean, std, quantile)


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
