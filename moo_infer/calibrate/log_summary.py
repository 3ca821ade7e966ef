"""What a log says of a model, for every number of calls: unbiased summary, with intervals over questions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.arguments import typed
from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError
from ..core.numeric import whole_numbers
from ..core.parts import AtLeastOne, AtLeastZero, inside
from ..quantities.bootstrap import FEW, QuestionDraws
from ..quantities.provenance import provenance
from ..quantities.samples import Samples
from ..quantities.subsets import all_at_k, best_scored_of_k, pass_at_k, vote_at_k, vote_bounds_at_k
from ..quantities.within import all_variance, pass_variance, vote_variance
from .intervals import Interval, QuestionMeans

if TYPE_CHECKING:
    import polars

__all__ = ["INTERVALS", "Interval", "LogSummary", "plain", "summarise"]

NOISE = 1e-12  # what rounding may make of no gain
MEANS = {
    "mean_input_tokens": "input_tokens",
    "mean_output_tokens": "output_tokens",
    "mean_latency_s": "latency_s",
    "mean_cost_usd": "cost_usd",
    "mean_energy_j": "energy_j",
}
INTERVALS = {"interval": "", "same_questions": "same_", "second_run": "again_"}  # what JSON calls them; their fields
CURVES = ("pass_at_k", "all_at_k", "best_at_k", "vote_at_k", "best_scored_at_k", "slowest_of_k_s")


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
        digest: SHA-256 of the names of the questions, by which two logs are known to ask the same.
        respelt: how many questions have several right answers, which may be one in several spellings.
        unanswered: how many samples that were judged right have a blank answer, and abstain in votes.
        caveats: of votes, choices by score and judgements, and of how samples were asked for, in words.
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
    digest: str = ""
    caveats: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists for JSON: every name with its value, and its intervals [low, high].

        ``_interval`` is that of other questions, ``_same_questions`` that of these, and ``_second_run`` where another
        run of these questions of the same size falls.
        """
        result: dict[str, Any] = {
            "model": self.model,
            "questions": self.questions,
            "unscored_questions": self.unscored,
            "questions_sha256": self.digest,
            "samples": self.samples,
            "scored": self.scored,
            "failed": self.failed,
            "confidence": self.confidence,
            "k": self.k.tolist(),
        }
        for name in (*CURVES, "vote_gain", *MEANS):
            known: Interval | None = getattr(self, name)
            result[name] = None if known is None else plain(known.value)
            for key, what in INTERVALS.items():
                ends = None if known is None else [getattr(known, f"{what}low"), getattr(known, f"{what}high")]
                result[f"{name}_{key}"] = None if ends is None else plain(np.stack(ends, axis=-1))
        return result

    def to_frame(self) -> "polars.DataFrame":
        """Return the estimates as a polars frame, a row a k; what is unknown is null.

        Columns are ``model``, ``k``, and those of an `Interval` for every curve: ``pass_at_k.low``.
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
            said.append("one question: nothing tells what others would give")
        elif self.questions < FEW:
            said.append(
                f"with fewer than {FEW} questions the intervals of tokens, seconds and money are too narrow, the more "
                "so the fewer there are"
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


@typed()
def summarise(
    samples: Samples,
    k: npt.ArrayLike | None = None,
    B: AtLeastOne = 1000,
    seed: AtLeastZero = 0,
    confidence: float = 0.95,
) -> LogSummary:
    """Estimate from a log what k calls of its model are worth, unbiased, for every k that the log supports.

    Everything at k is the mean over the questions with at least k samples of the exact mean over all subsets of k of
    them (see `moo_infer.quantities.subsets`). Means of tokens, seconds, dollars and joules are over samples. What
    failed counts nowhere. Where samples are graded, there is the best of k instead of pass@k and votes.

    Each estimate has two intervals. Of **other questions**: the 2.5 and 97.5 % quantiles, for a confidence of 95 %, of
    the Bayesian bootstrap over questions, which are the clusters (`QuestionDraws`). Of **these questions** in the long
    run: normal, by the variance within questions (`moo_infer.quantities.within`); not known where a question has no
    more than k samples, nor of what requests of several answers took, which is known of all their answers together.

    Votes are None where no question has two answers, and so is the choice by score where none has
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
    confidence = inside(confidence, "confidence")
    log = samples.scored
    if not len(log):
        raise MooInferError(f"{samples.model}: none of its {len(samples)} samples is right or wrong")
    asked = np.arange(1, log.largest_k + 1) if k is None else np.unique(whole_numbers(k, "k"))
    if not len(asked) or asked[0] < 1 or asked[-1] > log.n.max():
        raise MooInferError(f"{samples.model}: k must be in 1 ... {log.n.max()}, its samples a question, got {k!r}")
    shared = bool((samples.request_sizes > 1).any())
    means = QuestionMeans(log, _draws(tuple(log.questions), B, seed), asked, confidence)
    votes = vote_at_k(log, asked) if not (log.graded or log.no_choice("answer")) else None
    gain = None if votes is None or asked[-1] == 1 else means.difference(votes[:, -1] - log.right / log.n)
    return LogSummary(
        model=samples.model,
        questions=len(log.questions),
        unscored=len(np.unique(samples.question)) - len(log.questions),
        samples=len(samples),
        scored=len(log),
        failed=len(samples) - len(log),
        k=asked,
        confidence=confidence,
        pass_at_k=None if log.graded else means.counted(pass_at_k, pass_variance),
        all_at_k=None if log.graded else means.counted(all_at_k, all_variance),
        best_at_k=means.largest("correct") if log.graded else None,
        vote_at_k=None if votes is None else means.share(votes, vote_variance(log, asked)),
        vote_gain=gain,
        best_scored_at_k=None if log.no_choice("score") else means.share(best_scored_of_k(log, asked)),
        slowest_of_k_s=_of_requests(means.largest("latency_s"), shared) if log.known("latency_s").any() else None,
        **{name: _of_requests(means.of_samples(column), shared) for name, column in MEANS.items()},
        respelt=0 if votes is None else log.answers.several_right,
        unanswered=0 if votes is None else int((~log.known("answer") & (log.correct == 1)).sum()),
        digest=sha256("\0".join(sorted(log.questions)).encode("utf-8", "surrogatepass")).hexdigest(),
        caveats=(*provenance(samples), *log.caveats, *_bounds(log, int(asked[-1]))),
    )


@lru_cache(maxsize=1)  # models of a log mostly have the same questions; the weights may take much memory
def _draws(questions: tuple[str, ...], B: int, seed: int) -> QuestionDraws:
    return QuestionDraws(questions, B, seed)


def _of_requests(mean: Interval | None, shared: bool) -> Interval | None:
    """What samples took; where they share requests, without the intervals that their spread within questions gives."""
    if mean is None or not shared:
        return mean
    unknown = np.full_like(mean.value, np.nan)
    return replace(mean, same_low=unknown, same_high=unknown, again_low=unknown, again_high=unknown)


def _bounds(log: Samples, k: int) -> Iterator[str]:
    """Say what the vote of k is worth at worst and at best, where answers were judged both right and wrong."""
    if log.graded or log.no_choice("answer") or not log.answers.judged_both_ways.any():
        return
    worst, best = (np.nanmean(bound) for bound in vote_bounds_at_k(log, [k]))
    yield (
        f"vote@{k} is {worst:.3f} where answers that were judged both ways are wrong and {best:.3f} where they are "
        "right; the column target, the right answer of a question, settles which"
    )


def plain(values: FloatArray) -> Any:
    """Nested lists of numbers, None where one is NaN."""
    if values.ndim:
        return [plain(value) for value in values]
    return None if np.isnan(values) else float(values)
