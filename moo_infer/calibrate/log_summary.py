"""What a log says of a model, for every number of calls: unbiased summary, with intervals over questions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.arrays import Array, FloatArray, IntArray
from ..core.errors import MooInferError
from ..quantities.bootstrap import FEW, question_weights, unseen
from ..quantities.samples import Samples
from ..quantities.subsets import all_at_k, best_scored_of_k, largest_of_k, pass_at_k, vote_at_k, vote_bounds_at_k

if TYPE_CHECKING:
    import polars

__all__ = ["Interval", "LogSummary", "summarise"]

BLOCK = 2**20  # numbers at a time
NOISE = 1e-12  # what rounding may make of no gain
MEANS = {
    "mean_input_tokens": "input_tokens",
    "mean_output_tokens": "output_tokens",
    "mean_latency_s": "latency_s",
    "mean_cost_usd": "cost_usd",
    "mean_energy_j": "energy_j",
}
CURVES = ("pass_at_k", "all_at_k", "best_at_k", "vote_at_k", "best_scored_at_k", "slowest_of_k_s")


@dataclass(frozen=True, eq=False)
class Interval:
    """Numbers estimated from a log, all of the same shape: (m,) for m values of k, or () for one number.

    Args:
        value: the estimate; NaN where no question has enough samples.
        low, high: the ends of the interval; NaN with fewer than two questions.
        stderr: standard deviation over the bootstrap, or NaN.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    stderr: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class LogSummary:
    """What a log says of one model; see `summarise`.

    Args:
        model: its name.
        questions: how many have a sample that is right or wrong; all estimates are over these.
        unscored: how many questions have samples, all of them failed.
        samples, scored, failed: how many there are, are right or wrong, and are neither.
        k: (m,), ascending.
        confidence: of all intervals, in (0, 1).
        pass_at_k: probability that one of k samples is right, or None where they are graded.
        all_at_k: probability that all k samples are right (pass^k), or None where they are graded.
        best_at_k: expected grade of the best of k samples, or None where they are right or wrong.
        vote_at_k: probability that the plurality vote of k is right, or None.
        vote_gain: of the largest k over one sample (pass@1), or None.
        best_scored_at_k: probability that the sample with the highest score is right (or its grade), or None.
        slowest_of_k_s: expected seconds of the slowest of k calls, or None.
        mean_input_tokens, mean_output_tokens, mean_latency_s, mean_cost_usd, mean_energy_j: of a sample, or None.
        respelt: how many questions have several right answers, which may be one in several spellings.
        unanswered: how many samples that were judged right have a blank answer, and abstain in votes.
        caveats: of votes, choices by score and judgements, in words.
    """

    model: str
    questions: int
    unscored: int
    samples: int
    scored: int
    failed: int
    k: IntArray
    confidence: float
    pass_at_k: Interval | None
    all_at_k: Interval | None
    best_at_k: Interval | None
    vote_at_k: Interval | None
    vote_gain: Interval | None
    best_scored_at_k: Interval | None
    slowest_of_k_s: Interval | None
    mean_input_tokens: Interval | None
    mean_output_tokens: Interval | None
    mean_latency_s: Interval | None
    mean_cost_usd: Interval | None
    mean_energy_j: Interval | None
    respelt: int = 0
    unanswered: int = 0
    caveats: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists for JSON: every name with its value, and with ``_interval`` [low, high]."""
        result: dict[str, Any] = {
            "model": self.model,
            "questions": self.questions,
            "unscored_questions": self.unscored,
            "samples": self.samples,
            "scored": self.scored,
            "failed": self.failed,
            "confidence": self.confidence,
            "k": self.k.tolist(),
        }
        for name in (*CURVES, "vote_gain", *MEANS):
            known: Interval | None = getattr(self, name)
            result[name] = None if known is None else _plain(known.value)
            result[f"{name}_interval"] = None if known is None else _plain(np.stack([known.low, known.high], axis=-1))
        return result

    def to_frame(self) -> "polars.DataFrame":
        """Return the estimates as a polars frame, a row a k; what is unknown is null.

        Columns are ``model``, ``k``, and ``value``, ``low``, ``high`` and ``stderr`` of every curve: ``pass_at_k.low``.
        """
        import polars

        columns: dict[str, Any] = {"model": [self.model] * len(self.k), "k": self.k}
        for name in CURVES:
            curve = getattr(self, name)
            for statistic in Interval.__match_args__:
                unknown = np.full(len(self.k), np.nan)
                columns[f"{name}.{statistic}"] = unknown if curve is None else getattr(curve, statistic)
        return polars.DataFrame(columns, nan_to_null=True)

    def remarks(self) -> Sequence[str]:
        """Return what to know about the summary, in words: what failed or is missing, and whether a vote helps."""
        said = []
        if self.failed:
            said.append(f"{self.failed} of {self.samples} samples failed: they count neither as right nor as wrong")
        if self.unscored:
            said.append(f"{self.unscored} of {self.questions + self.unscored} questions have only such samples")
        said += self.caveats
        if self.questions < 2:
            said.append("one question: nothing tells how sure the estimates are")
        else:
            said += self._flat("pass@k", self.pass_at_k, "solved")
            said += self._flat("all@k", self.all_at_k, "solved every time")
        if 2 <= self.questions < FEW:
            said.append(
                f"with fewer than {FEW} questions the intervals are too narrow, the more so the fewer there are"
            )
        if self.vote_at_k is not None and self.vote_gain is not None:
            vote, gain = self.vote_at_k, self.vote_gain
            if gain.low > NOISE:
                verdict = "plurality vote helps"
            elif gain.value > NOISE:
                verdict = "whether plurality vote helps cannot be told"
            else:
                verdict = "plurality vote does not help"
            if self.respelt or self.unanswered:
                verdict = f"with answers as they are written, {verdict}"
            range_ = "" if np.isnan(vote.low[-1]) else f" ({vote.low[-1]:.3f} to {vote.high[-1]:.3f})"
            gained = (
                "" if np.isnan(gain.low) else f": a gain of {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
            )
            said.append(
                f"{verdict}: vote@{self.k[-1]} {vote.value[-1]:.3f}{range_} against "
                f"{vote.value[-1] - gain.value:.3f} for one call{gained}"
            )
        return said

    def _flat(self, name: str, curve: Interval | None, what: str) -> Sequence[str]:
        """Say of a curve that ends at 0 or 1 what its interval does not show."""
        if curve is None or curve.value[-1] not in (0, 1):
            return ()
        k, otherwise = self.k[curve.value == curve.value[-1]][0], "not be" if curve.value[-1] else "be"
        return [
            f"{name} is {curve.value[-1]:g} from k = {k} on: the bootstrap sees no spread there, but up to "
            f"{100 * unseen(self.questions):.2g} % of other questions may {otherwise} {what} (95 %)"
        ]


def summarise(
    samples: Samples, k: npt.ArrayLike | None = None, B: int = 1000, seed: int = 0, confidence: float = 0.95
) -> LogSummary:
    """Estimate from a log what k calls of its model are worth, unbiased, for every k that the log supports.

    Everything at k is the mean over the questions with at least k samples of the exact mean over all subsets of k of
    them (see `moo_infer.quantities.subsets`). Means of tokens, seconds, dollars and joules are over samples. What
    failed counts nowhere. Where samples are graded, there is the best of k instead of pass@k and votes. Intervals are
    of the Bayesian bootstrap over questions, which are the clusters (Rubin 1981): the 2.5 and 97.5 % quantiles, for a
    confidence of 95 %. Votes are None where no question has two answers, and so is the choice by score where none has
    two scores.

    Args:
        samples: the log of one model.
        k: (m,), ascending, >= 1; default 1 ... n, with n the smallest number of scored samples of any question that
            has one. Votes take long where k is in the thousands.
        B: draws of the bootstrap, >= 1.
        seed: of the bootstrap, >= 0.
        confidence: of the intervals, in (0, 1).

    Raises:
        MooInferError: where no sample is right or wrong or graded, and for a k that no question supports.

    >>> samples = Samples("mine", ["q1", "q2"], np.array([0, 0, 0, 1, 1]), np.array([1.0, 0, 0, 1, 1]))
    >>> summary = summarise(samples)
    >>> summary.pass_at_k.value.round(6), summary.vote_at_k
    (array([0.666667, 0.833333]), None)
    """
    if not 0 < confidence < 1:
        raise MooInferError(f"confidence: must be between 0 and 1, got {confidence}")
    log = samples.scored
    if not len(log):
        raise MooInferError(f"{samples.model}: none of its {len(samples)} samples is right or wrong")
    asked = np.arange(1, log.largest_k + 1) if k is None else np.unique(np.asarray(k, dtype=np.int64))
    if not len(asked) or asked[0] < 1 or asked[-1] > log.n.max():
        raise MooInferError(f"{samples.model}: k must be in 1 ... {log.n.max()}, its samples a question, got {k!r}")
    weights = question_weights(log.questions, B, seed)

    def curve(table: FloatArray) -> Interval:
        return _mean(table, weights, confidence)

    votes = vote_at_k(log, asked) if not (log.graded or log.no_choice("answer")) else None
    gain = None if votes is None or asked[-1] == 1 else curve(votes[:, -1] - log.right / log.n)
    return LogSummary(
        model=samples.model,
        questions=len(log.questions),
        unscored=len(np.unique(samples.question)) - len(log.questions),
        samples=len(samples),
        scored=len(log),
        failed=len(samples) - len(log),
        k=asked,
        confidence=confidence,
        pass_at_k=None if log.graded else _counted(pass_at_k, log, asked, weights, confidence),
        all_at_k=None if log.graded else _counted(all_at_k, log, asked, weights, confidence),
        best_at_k=curve(largest_of_k(log.correct, log.question, asked)[0]) if log.graded else None,
        vote_at_k=None if votes is None else curve(votes),
        vote_gain=gain,
        best_scored_at_k=curve(best_scored_of_k(log, asked)) if not log.no_choice("score") else None,
        slowest_of_k_s=(
            curve(_same_questions(largest_of_k(log["latency_s"], log.question, asked)[0], log, asked))
            if log.known("latency_s").any()
            else None
        ),
        **{name: _mean_of_samples(log, column, weights, confidence) for name, column in MEANS.items()},
        respelt=0 if votes is None else log.answers.several_right,
        unanswered=0 if votes is None else int((~log.known("answer") & (log.correct == 1)).sum()),
        caveats=(*log.caveats(), *_bounds(log, int(asked[-1]))),
    )


def _counted(
    chance: Callable[[IntArray, IntArray, IntArray], FloatArray],
    log: Samples,
    k: IntArray,
    weights: FloatArray,
    confidence: float,
) -> Interval:
    """A curve of what depends on the counts of a question alone, its samples and how many of them are right.

    Questions with the same counts are one row, with their weights added up.
    """
    pairs, kind = np.unique(np.column_stack([log.n, log.right]), axis=0, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    starts = np.searchsorted(kind[order], np.arange(len(pairs)))
    grouped, times = np.add.reduceat(weights[:, order], starts, axis=1), np.bincount(kind)
    step = max(BLOCK // len(pairs), 1)
    parts = [
        _mean(chance(pairs[:, 0], pairs[:, 1], k[i : i + step]), grouped, confidence, times)
        for i in range(0, len(k), step)
    ]
    return Interval(*(np.concatenate([getattr(part, of) for part in parts]) for of in Interval.__match_args__))


def _bounds(log: Samples, k: int) -> Iterator[str]:
    """Say what the vote of k is worth at worst and at best, where answers were judged both right and wrong."""
    if log.graded or log.no_choice("answer") or not log.answers.judged_both_ways.any():
        return
    worst, best = (np.nanmean(bound) for bound in vote_bounds_at_k(log, [k]))
    yield (
        f"vote@{k} is {worst:.3f} where answers that were judged both ways are wrong and {best:.3f} where they are "
        "right; the column target, the right answer of a question, settles which"
    )


def _same_questions(slowest: FloatArray, log: Samples, k: IntArray) -> FloatArray:
    """Where seconds have gaps, leave out every k that not all questions with seconds have: means would not compare."""
    known = np.bincount(log.question[np.isfinite(log["latency_s"])], minlength=len(log.questions))
    if (known == log.n).all():
        return slowest
    return np.where(k <= known[known > 0].min(), slowest, np.nan)


def _mean(table: FloatArray, weights: FloatArray, confidence: float, times: IntArray | None = None) -> Interval:
    """Mean over the questions (Q, ...) that have a value, and its bootstrap; a row may stand for several questions."""
    known = np.isfinite(table)
    value = np.where(known, table, 0.0)
    if times is None:
        times = np.ones(len(table), dtype=np.int64)
    questions = times @ known
    return _interval(times @ value, questions, weights @ value, weights @ known, questions, confidence)


def _mean_of_samples(log: Samples, column: str, weights: FloatArray, confidence: float) -> Interval | None:
    """Mean over the samples whose value is known, and its bootstrap over questions: a ratio of sums."""
    known = log.known(column)
    if not known.any():
        return None
    total = np.bincount(log.question[known], log[column][known], minlength=len(log.questions))
    count = np.bincount(log.question[known], minlength=len(log.questions))
    questions = np.asarray((count > 0).sum())
    return _interval(
        np.asarray(total.sum()), np.asarray(count.sum()), weights @ total, weights @ count, questions, confidence
    )


def _interval(
    total: Array, count: Array, totals: FloatArray, counts: FloatArray, questions: Array, confidence: float
) -> Interval:
    """A ratio and the same of B draws (B, ...)."""
    with np.errstate(invalid="ignore"):
        value, draws = np.asarray(total / count), totals / counts
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    several = questions >= 2
    low, high, stderr = (np.where(several, end, np.nan) for end in (low, high, draws.std(axis=0)))
    return Interval(value, low, high, stderr)


def _plain(values: FloatArray) -> Any:
    """Nested lists of numbers, None where one is NaN."""
    if values.ndim:
        return [_plain(value) for value in values]
    return None if np.isnan(values) else float(values)
