"""Is one model better than another? Differences on the questions that both answered, and whether they are real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from ..core.arguments import typed
from ..core.arrays import FloatArray, Rows
from ..core.errors import MooInferError
from ..core.objectives import ACCURACY, COST, LATENCY
from ..core.parts import AtLeastOne, AtLeastZero, at_least_one, inside
from ..quantities.bootstrap import FEW, QuestionDraws
from ..quantities.provenance import provenance
from ..quantities.samples import Samples
from ..quantities.subsets import largest_of_k, vote_at_k
from .differences import TOKENS, UNITS, Comparison, Difference, Pair, chance_of_none, holm, too_few
from .regression import ROUNDING

__all__ = ["Way", "compare"]

PER_RIGHT = (COST.name, LATENCY.name, TOKENS)


@dataclass(frozen=True, eq=False)
class Way:
    """A way to answer: one call of a model, or a vote of k.

    Args:
        model: its name.
        k: calls.
        columns: by measure (Q,), means given the question, of `questions`.
        questions: Q names.
    """

    model: str
    k: int
    columns: Mapping[str, FloatArray]
    questions: tuple[str, ...]

    @property
    def name(self) -> str:
        """The model, and how many calls vote."""
        return self.model if self.k == 1 else f"{self.model}, vote of {self.k}"

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Which row a question is."""
        return {question: row for row, question in enumerate(self.questions)}

    @classmethod
    def of(cls, samples: Samples, k: int) -> "Way":
        """Take what a log says of k calls, one after the other question."""
        log = samples.scored
        if not len(log):
            raise MooInferError(f"{samples.model}: none of its {len(samples)} samples is right or wrong")
        if k > log.largest_k:
            raise MooInferError(f"{samples.model}: k must be <= {log.largest_k}, its samples a question, got {k}")
        Q, ks = len(log.questions), np.array([k])
        worth = vote_at_k(log, ks)[:, 0] if k > 1 else np.bincount(log.question, log.correct, Q) / log.n
        columns = {ACCURACY.name: worth}
        for measure, column in ((COST.name, "cost_usd"), (TOKENS, TOKENS)):
            if log.known(column).all():
                columns[measure] = k * np.bincount(log.question, log[column], Q) / log.n
        if log.known("latency_s").all():
            columns[LATENCY.name] = largest_of_k(log["latency_s"], log.question, ks)[0][:, 0]
        return cls(samples.model, k, columns, tuple(log.questions))


@typed()
def compare(
    samples: Sequence[Samples],
    k: int | None = None,
    B: AtLeastOne = 10_000,
    seed: AtLeastZero = 0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare models on the questions that they all answered, and a vote of each with one call.

    The mean difference over questions is redrawn by the Bayesian bootstrap over questions, with two pseudo-questions,
    one of -1 and one of +1, where accuracies differ (`QuestionDraws.differences`): without them two equal models with
    few or nearly solved questions are told apart far too often. The p-values of all comparisons of a measure are
    corrected together (Holm, Scand. J. Stat. 6, 1979, 65-70).

    Args:
        samples: the logs of two models or more, or of one whose vote is compared with one call; with ``cost_usd`` where
            dollars are to be compared.
        k: how many calls vote, >= 1; 1 for no votes; None for as many as every question of every log supports, where
            there are answers to vote on.
        B: draws of the bootstrap, >= 1; p is not below 2 / (B + 1), which the correction may make too large for any
            difference to be real, however large it is; a note says so. Of n questions it is not below 2^(1 - n) either.
        seed: of the bootstrap, >= 0.
        confidence: of the intervals, in (0, 1).

    Raises:
        MooInferError: where nothing can be compared: no two models, no vote, or no common questions.

    >>> rng = np.random.default_rng(0)
    >>> names, question = [f"q{i}" for i in range(40)], np.repeat(np.arange(40), 4)
    >>> logs = [Samples(m, names, question, (rng.random(160) < p) * 1.0) for m, p in (("a", 0.9), ("b", 0.4))]
    >>> found = compare(logs)
    >>> found.pairs[0]["accuracy"].real, found.tied_with_best
    (True, ('a',))
    """
    confidence = inside(confidence, "confidence")
    votes = [log for log in samples if not (log.scored.graded or log.scored.no_choice("answer"))]
    largest = min((log.scored.largest_k for log in votes), default=1)
    asked = largest if k is None else at_least_one(k, "k")
    if k is not None and k > 1 and len(votes) < len(samples):
        reasons = [log.scored.no_choice("answer") or "its samples are graded" for log in samples if log not in votes]
        raise MooInferError(f"k = {k}: no vote can be compared: {reasons[0]}")
    calls = [Way.of(log, 1) for log in samples]
    voting = [Way.of(log, asked) for log in votes] if asked > 1 else []
    several = [*combinations(calls, 2), *(combinations(voting, 2) if len(voting) == len(calls) else ())]
    own = [(vote, call) for vote in voting for call in calls if call.model == vote.model]
    if not several and not own:
        raise MooInferError("compare: needs two models, or answers of one to vote on")
    drawn = [_Drawn.of(first, second, B, seed) for first, second in (*several, *own)]
    real = _real(drawn, confidence)
    pairs = tuple(pair.pair(confidence, real) for pair in drawn)
    names = [way.name for way in calls]
    common = [question for question in calls[0].questions if all(question in way.rows for way in calls)]
    if not common:
        raise MooInferError(f"compare: {', '.join(names)} have no question in common")
    best = max(calls, key=lambda way: float(np.mean([way.columns[ACCURACY.name][way.rows[q]] for q in common])))
    apart = {
        name
        for pair in pairs
        if best.name in (pair.first, pair.second) and pair[ACCURACY.name].real
        for name in (pair.first, pair.second)
    }
    tied = (best.name, *(name for name in names if name not in {*apart, best.name})) if len(calls) > 1 else ()
    about = [f"{log.model}: {sentence}" for log in samples for sentence in provenance(log)]
    notes = (*_notes(calls, len(common)), *too_few(B, len(pairs), confidence), *about)
    return Comparison(pairs, tied, len(common), confidence, notes)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Two ways on their common questions: differences by measure, and draws of them."""

    first: Way
    second: Way
    questions: int
    means: Mapping[str, tuple[float, float]]
    draws: Mapping[str, FloatArray]
    shares: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, first: Way, second: Way, B: int, seed: int) -> "_Drawn":
        common = [question for question in first.questions if question in second.rows]
        if not common:
            raise MooInferError(f"{first.name} and {second.name} have no question in common")
        rows: tuple[Rows, Rows] = tuple(np.array([way.rows[q] for q in common]) for way in (first, second))  # type: ignore[assignment]  # two
        draws = QuestionDraws(common, B, seed)
        columns = {
            measure: _alike(first.columns[measure][rows[0]], second.columns[measure][rows[1]])
            for measure in UNITS
            if measure in first.columns and measure in second.columns
        }
        means, drawn, shares = {}, {}, {}
        for measure, (one, other) in columns.items():
            apart = (one - other)[:, None]
            means[measure] = _means(one, other)
            drawn[measure] = (draws.differences(apart) if measure == ACCURACY.name else draws.weights @ apart)[:, 0]
            shares[measure] = float((apart > 0).mean()), float((apart < 0).mean())
        worth = columns[ACCURACY.name]
        if all(of.any() for of in worth):
            right = [draws.weights @ of for of in worth]
            for measure in (name for name in PER_RIGHT if name in means):
                taken = columns[measure]
                each = [draws.weights @ of / per for of, per in zip(taken, right, strict=True)]
                means[f"{measure}_per_right"] = _means(
                    *(t.mean() / w.mean() for t, w in zip(taken, worth, strict=True))
                )
                drawn[f"{measure}_per_right"] = each[0] - each[1]
        return cls(first, second, len(common), means, drawn, shares)

    def pair(self, confidence: float, real: Mapping[tuple["_Drawn", str], tuple[float, bool]]) -> Pair:
        """Put the figures together."""
        return Pair(
            self.first.name,
            self.second.name,
            self.questions,
            tuple(self._difference(measure, confidence, *real[self, measure]) for measure in self.draws),
        )

    def _difference(self, measure: str, confidence: float, p: float, real: bool) -> Difference:
        values, shares = self.means[measure], self.shares.get(measure, (None, None))
        return Difference.of_draws(measure, values, self.draws[measure], confidence, shares=shares, p=p, real=real)


def _alike(one: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two arrays that are the same where only rounding tells them apart, which no draw does."""
    size = max(np.abs(one).max(), np.abs(other).max())
    return np.where(np.abs(one - other) <= ROUNDING * size, other, one), other


def _means(one: FloatArray, other: FloatArray) -> tuple[float, float]:
    """The means of two arrays, the same where only rounding tells them apart."""
    first, second = _alike(np.asarray(one.mean()), np.asarray(other.mean()))
    return float(first), float(second)


def _real(drawn: Sequence[_Drawn], confidence: float) -> dict[tuple[_Drawn, str], tuple[float, bool]]:
    """By pair and measure, the p-value with Holm's correction, and whether the difference is told apart from none."""
    found: dict[tuple[_Drawn, str], tuple[float, bool]] = {}
    for measure in dict.fromkeys(measure for pair in drawn for measure in pair.draws):
        pairs = [pair for pair in drawn if measure in pair.draws]
        # So often all questions differ in the same direction by chance: the bootstrap of few is surer than that.
        corrected = holm([max(chance_of_none(pair.draws[measure]), 2.0 ** (1 - pair.questions)) for pair in pairs])
        found |= {(pair, measure): (p, p <= 1 - confidence) for pair, p in zip(pairs, corrected, strict=True)}
    return found


def _notes(calls: Sequence[Way], common: int) -> list[str]:
    notes = [
        f"{measure.replace('_', ' ')} is not compared: samples of {', '.join(lacking)} lack it"
        for measure in UNITS
        if any(measure in way.columns for way in calls)
        and (lacking := [way.model for way in calls if measure not in way.columns])
    ]
    more = [way for way in calls if len(way.questions) > common]
    if left_out := [f"{len(way.questions) - common} of {way.model}" for way in more]:
        notes.append(f"questions that not all have answered are left out between others: {', '.join(left_out)}")
    if common < FEW:
        notes.append(f"with fewer than {FEW} questions the intervals of tokens, seconds and money are too narrow")
    return notes
