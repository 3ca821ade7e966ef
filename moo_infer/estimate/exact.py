"""Exact moments where the parts know them, and simulation of the rest."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError, NotExact
from ..core.moments import Moments, is_constant
from ..core.objectives import ACCURACY, Objective
from ..quantities.by_law import LawQuery
from ..quantities.quantity import Query
from ..quantities.queries import Axis, Recorder, law_rows
from ..quantities.samples import Samples
from ..quantities.steps import EvenSteps
from .calls import AT_ONCE, agree, checked_moments, in_arrays
from .curve_draws import CurveDraws, ranges
from .curves import Curve, MomentSource
from .law_quantile import LawQuantile
from .mixture import mixed, over_questions, summed_by_question
from .monte_carlo import Estimator
from .reweighed import QuestionTrials, ReweighedColumn
from .setup import Part, Setup
from .setup_draws import QUESTIONS, Asked, Questions, SetupDraws
from .weighed import WeighedCurves

__all__ = ["QUESTIONS", "Asked", "Exact", "MomentCache", "Questions"]


@dataclass(frozen=True)
class Exact(Estimator):
    """Exact moments where the parts know them; only what is missing is simulated, and listed as such.

    >>> Exact()
    Exact(trials=10000, seed=0)
    """

    name = "exact"

    def moments(self, setup: Setup, cache: "MomentCache | None" = None, draws: int = 1) -> dict[str, Moments | None]:
        """Ask the parts.

        Args:
            setup: which parts, at which k.
            cache: keeps what they say of every question of a log, for draws that weigh them anew.
            draws: B, where the profile holds (B, 1) numbers.
        """
        asked = _Asked(setup, cache or MomentCache(), draws)
        moments = {objective.name: asked.moments(part, objective) for objective, part in setup.worths.items()}
        for objective, parts in setup.costs.items():
            each = [asked.moments(part, objective) for part in parts]
            moments[objective.name] = summed_by_question(each)
        return moments

    def redraw(self, setup: Setup, B: int, seed: int, questions: Asked = "other") -> CurveDraws:
        """Estimate a curve for B draws of what is uncertain in it, all at once where the parts allow it.

        All curves have the k that can be had at the given values, so that all tables have the same rows.

        Args:
            setup: at the given values.
            B: draws, >= 1.
            seed: of the draws.
            questions: of a log: ``other`` ones might have been asked, or the ``same`` ones again; or ``halves`` of
                them, in turn one and the other, at the given values of all numbers.
        """
        draws = SetupDraws.of(setup, B, seed, questions)
        if draws is None:
            curve = self.curve(setup)
            return CurveDraws(B, lambda some: repeat(curve, len(some)))
        if draws.again:
            return CurveDraws(B, partial(self._centred, draws, B))
        cache = MomentCache(setup.parts)
        if draws.weights_alone:
            return CurveDraws(B, partial(map, self._weighed(draws, cache).curve))
        if draws.separate:
            trials = self._trials_of_questions(draws, cache)
            return CurveDraws(B, partial(self._one_by_one, draws, cache, trials))
        return CurveDraws(B, partial(self._in_chunks, draws, B, cache, {}))

    def _trials_of_questions(self, draws: SetupDraws, cache: "MomentCache") -> QuestionTrials | None:
        """What serves all draws that weigh the questions of a log anew, where something is simulated."""
        if draws.questions is None:
            return None
        Q = len(draws.questions.questions)
        even = draws.setup.with_weights(np.full(Q, 1 / Q))
        missing = [name for name, m in self.moments(even, cache).items() if not _complete(m)]
        return QuestionTrials(even, self.trials, self.seed, tuple(missing)) if missing else None

    def _weighed(self, draws: SetupDraws, cache: "MomentCache") -> WeighedCurves:
        """What draws that weigh the questions of a log anew, and change nothing else, are made of."""
        setup, samples = draws.setup, draws.setup.queries.samples
        assert samples is not None
        asked = _Asked(setup, cache, 1)
        parts: dict[Objective, Sequence[Part]] = {worth: [part] for worth, part in setup.worths.items()}
        given = {
            objective.name: [asked.by_question(part, samples) for part in of]
            for objective, of in (parts | setup.costs).items()
        }
        return WeighedCurves(self, draws, given, self._trials_of_questions(draws, cache))

    def _one_by_one(
        self, draws: SetupDraws, cache: "MomentCache", trials: QuestionTrials | None, some: range
    ) -> Iterator[Curve]:
        """Curves of some of the draws."""
        for together in ranges(some):
            own = cache.without_levels()
            yield from (self._drawn(draws, b, own, trials) for b in together)

    def _drawn(self, draws: SetupDraws, b: int, cache: "MomentCache", trials: QuestionTrials | None = None) -> Curve:
        """The curve of one draw."""
        setup = draws[b]
        source = MomentSource(partial(self.moments, setup), self.moments(setup, cache))
        possible = setup.notes.possible if draws.setup.notes.bounded else np.ones(len(setup.k), dtype=bool)
        curve = self._curve(setup, source)
        columns = {
            name: ReweighedColumn(column, trials, partial(trials.mixed, name, setup))
            if trials and trials.knows(name, setup)
            else column
            for name, column in curve.columns.items()
        }
        return replace(curve, possible=possible, columns=columns)

    def _centred(self, draws: SetupDraws, B: int, some: range) -> Iterator[Curve]:
        """Curves of samples that were drawn with replacement, which lowers what k different ones are worth.

        Their means are moved, by as much in all draws, to have the mean that the log itself has; quantiles are not.
        """
        given = self.moments(draws.setup)
        drawn = [self.moments(draws[b]) for b in range(B)]
        shifts = {
            name: moments.mean - np.mean([m.mean for each in drawn if (m := each[name]) is not None], axis=0)
            for name, moments in given.items()
            if moments is not None
        }
        shares = [objective.name for objective in draws.setup.worths]
        for b in some:
            each, drawn[b] = drawn[b], {}  # what is known of their questions is large
            moved = {
                name: moments and (_moved(moments, shifts[name], name in shares) if name in shifts else moments)
                for name, moments in each.items()
            }
            setup = draws[b]
            yield self._curve(setup, MomentSource(partial(self.moments, setup), moved))

    def _in_chunks(
        self, draws: SetupDraws, B: int, cache: "MomentCache", kept: dict[int, list[MomentSource | None]], some: range
    ) -> Iterator[Curve]:
        """Curves of draws, a few hundred at once so that memory stays bounded; alone where a part takes no arrays.

        The chunks are those of all draws, for some of them too: sums in arrays of another shape differ in the last bit.
        """
        step = max(1, AT_ONCE // len(draws.setup.k))
        for wanted in ranges(some, step):
            first = wanted.start - wanted.start % step
            chunk = range(first, min(first + step, B))
            known = kept.get(first)
            if known is None:
                known = [self._together(draws, chunk)]
                kept.clear()  # one at a time in memory
                kept[first] = known
            (source,) = known
            if source is None:
                yield from (self._drawn(draws, b, cache) for b in wanted)
            else:
                yield from (self._curve(draws.setup, source, draws.values_of(b), b - first) for b in wanted)

    def _together(self, draws: SetupDraws, chunk: range) -> MomentSource | None:
        """The moments of several draws at once; None where a part takes no arrays."""
        try:
            source = MomentSource(partial(self.moments, draws.together(chunk), draws=len(chunk)))
            known = source.moments
        except MooInferError:  # a part that takes no arrays
            return None
        for i in {0, len(chunk) - 1}:
            alone = self.moments(draws[chunk[i]])
            for name, moments in known.items():
                agree(moments, i, len(chunk), alone[name], f"{name} of {draws.setup.profile.name!r}")
        return source


class MomentCache:
    """Moments (Q, n) of the questions of a log, kept for draws that weigh them anew.

    Args:
        parts: those that are the same in all draws.
    """

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self.parts = parts
        self.moments: dict[tuple[Samples, int], Moments | None] = {}
        self.levels: dict[tuple[str, int], dict[float, list[int]]] = {}
        self.in_arrays: set[str] = set()  # parts that have given the same of many queries at once as of each alone

    def without_levels(self) -> "MomentCache":
        """Return one with the same moments, in which no draw has told anything for the next."""
        other = MomentCache(self.parts)
        other.moments, other.in_arrays = self.moments, self.in_arrays
        return other

    def levels_of(self, part: Part, axes: int) -> dict[float, list[int]]:
        """Return how fine the axes have to be for the cdf of a part, as the last draw told; see `LawQuantile`."""
        return self.levels.setdefault((part.name, axes), {})

    def ask(self, part: Part, samples: Samples, compute: Callable[[], Moments | None]) -> Moments | None:
        """Return what the part says of the questions of a log."""
        place = next((i for i, kept in enumerate(self.parts) if kept is part or kept == part), None)
        if place is None:
            return compute()
        key = samples, place  # which are kept by that, so that no others take their place
        if key not in self.moments:
            self.moments[key] = compute()
        return self.moments[key]


@dataclass(frozen=True, eq=False)
class _Asked:
    """Asks parts of a setup for exact moments over all queries; arguments as in `Exact.moments`."""

    setup: Setup
    cache: MomentCache
    draws: int

    def moments(self, part: Part, objective: Objective) -> Moments | None:
        """Return the moments of a part; None where they must be simulated."""
        queries, given = self.setup.queries, partial(self._given, part)
        if queries.samples is not None:
            moments = self.by_question(part, queries.samples)
            if moments is None:
                return None
            share, pseudo = queries.is_share(objective.name), queries.pseudo_of(objective.name)
            of = queries.weights, moments.mean, moments.std
            return over_questions(*of, pseudo, queries.questions, cdf=moments.cdf, share=share)
        if not queries.axes:
            return given(LawQuery(queries.laws), self.draws)
        try:
            moments, probe = self._over_axes(given, self.setup.part_name(part))
        except NotExact:
            return None
        # An accuracy may be 0 or 1 alone, where a search for quantiles ends beside them.
        if probe is None or moments is None or moments.std is None or objective == ACCURACY:
            return moments
        levels = self.cache.levels_of(part, len(queries.axes_of(probe)))
        quantile = LawQuantile(self.setup, part, probe, moments.mean, moments.std, levels)
        return moments if moments.quantile is not None else replace(moments, quantile=quantile)

    def by_question(self, part: Part, samples: Samples) -> Moments | None:
        """Return the moments (Q, n) of a part given each question of a log; None where they must be simulated."""
        shape = len(samples.questions), len(self.setup.k)
        query = self.setup.queries.query
        return self.cache.ask(part, samples, lambda: _of_all(self._given(part, query, shape[0]), shape))

    def _given(self, part: Part, query: Query, rows: int) -> Moments | None:
        """Moments given so many queries or draws at once."""
        compute, name = partial(self.setup.exact, part, query), self.setup.part_name(part)
        try:
            return checked_moments(compute, self.setup.k, part, name, rows)
        except NotExact:
            return None

    def _over_axes(
        self, given: Callable[[Query, int], Moments | None], name: str
    ) -> tuple[Moments | None, frozenset[str] | None]:
        """Mix the moments given the query over the axes along which something differs that the part reads.

        Returns:
            The moments; and the columns that it reads, where queries differ in them and it knows the cdf given each.
        """
        queries = self.setup.queries
        differing = frozenset(column for axis in queries.axes for column in axis.laws)
        first = {column: law_rows(law, slice(0, 1)) for axis in queries.axes for column, law in axis.laws.items()}
        probe = Recorder({**queries.laws, **first}, differing)
        moments = given(LawQuery(probe), 1)
        knows = moments is not None and moments.cdf is not None
        axis = None if moments is None else queries.product(probe.read, probe.bends)
        while axis is not None:
            seen = Recorder({**queries.laws, **first, **axis.laws}, differing, {*probe.read}, {**probe.bends})
            moments = _along(given, axis, seen, len(self.setup.k), name, name not in self.cache.in_arrays)
            self.cache.in_arrays.add(name)
            if not (seen.read & differing) - probe.read:  # else it reads more of other queries: once more, with all
                return moments, frozenset(probe.read & differing) if knows else None
            probe = seen
            axis = queries.product(probe.read, probe.bends)
        return moments, None


def _complete(moments: Moments | None) -> bool:
    """Whether nothing of it has to be simulated."""
    return moments is not None and moments.std is not None and moments.quantile is not None


def _of_all(moments: Moments | None, shape: tuple[int, int]) -> Moments | None:
    """Moments (Q, n) of all questions of a log; with their cdf, where each of them has but one value at every k."""
    if moments is None:
        return None
    mean = np.broadcast_to(moments.mean, shape)
    std = None if moments.std is None else np.broadcast_to(moments.std, shape)
    steps = moments.cdf is None and is_constant(moments)
    return Moments(mean, std, None, EvenSteps(mean, np.arange(shape[0])) if steps else moments.cdf)


def _along(
    given: Callable[[Query, int], Moments | None], axis: Axis, laws: Recorder, n: int, name: str, check: bool
) -> Moments | None:
    """Moments given each query of an axis, mixed: many at once where the part takes arrays, else one by one."""

    def of(rows: slice, count: int) -> Moments | None:
        some = {column: law_rows(law, rows) if column in axis.laws else law for column, law in laws.laws.items()}
        return given(LawQuery(replace(laws, laws=some)), count)

    Q, means, stds = len(axis.weights), [], []
    for count, moments in in_arrays(of, Q, max(1, AT_ONCE // n), name, check=check):
        if moments is None:
            return None
        means.append(np.broadcast_to(moments.mean, (count, n)))
        stds.append(None if moments.std is None else np.broadcast_to(moments.std, (count, n)))
    known_stds = [std for std in stds if std is not None]
    std = np.concatenate(known_stds) if len(known_stds) == len(stds) else None
    return mixed(axis.weights, np.concatenate(means), std)


def _moved(moments: Moments, shift: FloatArray, worth: bool) -> Moments:
    """Moments with another mean; what an answer is worth stays within [0, 1]."""
    mean = moments.mean + shift
    return replace(moments, mean=np.clip(mean, 0.0, 1.0) if worth else mean)
