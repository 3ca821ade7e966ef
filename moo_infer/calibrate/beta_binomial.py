"""Beta-binomial laws: counts of right answers where every question has its own probability, from a beta law.

In the zero-inflated law a share of the questions is never solved, whatever the number of attempts.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import MooInferError
from .beta_search import LARGEST, NEXT_TO_NONE, SMALLEST, Counts, Peak, first_terms
from .counts import counts_of

__all__ = ["FEWEST", "BetaFit", "fit_beta_binomial", "fit_both", "fit_zero_inflated", "jeffreys", "nearest_beta"]

FEWEST = 3  # questions with two or more samples, so that one can be left out
STARTS = (0.05, 0.95)  # shares of the questions without a right sample that are taken as never solved at first
ONE_SIDED = 1.352771727047702  # half of the 90 % quantile of chi squared with 1 degree of freedom


@dataclass(frozen=True)
class BetaFit:
    """A beta law of the probability to solve a question, and a share of questions that are never solved.

    Args:
        mean, concentration: of the beta law; a = mean * concentration, b = (1 - mean) * concentration.
        mean_se, concentration_se: standard errors; that of a concentration at an end of its range is 0.
        unsolvable: share of the questions that are never solved, in [0, 1); the beta law is that of the others.
        unsolvable_se: its standard error.
        log_likelihood: of the counts that it was fitted to, weights having the mean 1; NaN where all samples are right,
            or all wrong.
        about: what to know about it, in words; "" where all is as it should be.
    """

    mean: float
    concentration: float
    mean_se: float = 0.0
    concentration_se: float = 0.0
    unsolvable: float = 0.0
    unsolvable_se: float = 0.0
    log_likelihood: float = math.nan
    about: str = ""

    def __str__(self) -> str:
        """Return the formula of pass@k."""
        a, b = self.shape
        solved = f"1 - B({a:.4g}, {b:.4g} + k) / B({a:.4g}, {b:.4g})"
        return f"{1 - self.unsolvable:.4g} ({solved})" if self.unsolvable else solved

    @property
    def shape(self) -> tuple[float, float]:
        """The numbers a and b."""
        return self.mean * self.concentration, (1 - self.mean) * self.concentration

    def pass_at(self, k: npt.ArrayLike, /) -> FloatArray:
        """Probability (m,) that at least one of k (m,) inferences is right: ``(1 - u) (1 - B(a, b + k) / B(a, b))``.

        >>> BetaFit(0.25, 2.0).pass_at([1, 2]), BetaFit(0.5, 2.0, unsolvable=0.5).pass_at([1, 2])
        (array([0.25 , 0.375]), array([0.25      , 0.33333333]))
        """
        from scipy.special import betaln

        a, b = self.shape
        never = np.minimum(betaln(a, b + np.asarray(k, dtype=np.float64)) - betaln(a, b), 0.0)
        return np.asarray((self.unsolvable - 1) * np.expm1(never), dtype=np.float64)


def fit_beta_binomial(n: npt.ArrayLike, right: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> BetaFit:
    """Fit mean and concentration to counts, with a weak prior; errors are robust, with questions as clusters.

    It is the maximum of the likelihood times the prior: log a and log b are normal around 0 with the standard deviation
    `PRIOR_SD`. Where the counts say anything, it changes nothing that could be seen; where the likelihood has a ridge
    (two samples a question, few questions that differ) it keeps the maximum from running off along it.

    The likelihood is written with sums of logarithms of a + i, b + i and a + b + i, which nothing cancels in. Standard
    errors are those of the sandwich H^-1 G H^-1, so that they hold where the law of p is no beta law.

    At the edges, in this order: where all samples are right, or all wrong, the mean is that of Jeffreys' prior over
    questions, (r + 1/2) / (Q + 1), and the concentration, of which nothing is known, is 1. Where every question is
    always or never solved it is `SMALLEST`, and where questions differ by no more than chance (Tarone's score, 1979, is
    not positive) `LARGEST`; `about` then bounds it by the likelihood ratio.

    Args:
        n: (Q,) samples of a question, >= 1.
        right: (Q,) how many of them are right.
        weights: (Q,) of the questions, > 0, of any sum; None for all alike.

    Raises:
        MooInferError: for fewer than three questions with two or more samples: one sample a question says nothing
            about how questions differ; for what is no count, and weights that are not > 0.

    >>> found = fit_beta_binomial([8, 8, 8, 8, 4], [8, 7, 1, 0, 3])
    >>> round(found.mean, 3), round(found.concentration, 2)
    (0.526, 0.79)
    """
    n, right, given = _with_samples(n, right, weights)
    if (n > 1).sum() < FEWEST:
        raise MooInferError(
            f"at least {FEWEST} questions with two or more samples are needed, got {(n > 1).sum()}; one sample a "
            "question does not tell how questions differ"
        )
    Q, wrong = len(n), n - right
    if not right.any() or not wrong.any():
        mean, se = jeffreys(Q, bool(right.any()))
        about = (
            f"all samples are {'right' if right.any() else 'wrong'}: the mean is that of Jeffreys' prior over {Q} "
            "questions, the concentration is not known and set to 1"
        )
        return BetaFit(mean, 1.0, se, about=about)
    counts = _Counts.of(n, right, given)
    if not (right * wrong).any():
        return counts.at_end(SMALLEST)
    if not _differ(n, right, given):
        return counts.at_end(LARGEST)
    return counts.inside()


def fit_zero_inflated(
    n: npt.ArrayLike, right: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, plain: BetaFit | None = None
) -> BetaFit:
    """Fit the beta-binomial law with a share of questions that are never solved, with the same weak prior.

    The share has a flat prior. What was not solved yet may be unsolvable or hard: the maximum is looked for from both
    ends. At the edges of `fit_beta_binomial` counts tell nothing of such a share, and the law is that of
    `fit_beta_binomial`.

    Args:
        n, right, weights: as in `fit_beta_binomial`.
        plain: what `fit_beta_binomial` says of them, where that is known.

    Returns:
        The law, without standard errors.

    Raises:
        MooInferError: as `fit_beta_binomial`.

    >>> found = fit_zero_inflated([8] * 12, [8, 7, 8, 6, 8, 7, 0, 0, 0, 0, 0, 0])
    >>> round(found.unsolvable, 3), found.pass_at([1, 100]).round(3)
    (0.5, array([0.458, 0.5  ]))
    """
    plain = plain or fit_beta_binomial(n, right, weights)
    if plain.about or not (np.asarray(right)[np.asarray(n) > 0] == 0).any():
        return plain
    n, right, given = _with_samples(n, right, weights)
    counts = Counts.of(n, right[None], given[None])
    return _laws(_inflated(counts, np.array([plain.mean]), np.array([plain.concentration])))[0]


def fit_both(n: IntArray, right: IntArray, weights: FloatArray) -> list[tuple[BetaFit, BetaFit]]:
    """Fit `fit_beta_binomial` and `fit_zero_inflated` to many draws at once: a hundred take as long as a few.

    Args:
        n: (Q,) samples of a question, >= 1.
        right: (B, Q) how many of them are right.
        weights: (B, Q), > 0.

    Returns:
        Both laws of each draw, without standard errors.

    Raises:
        MooInferError: as `fit_beta_binomial`.

    >>> _, (beta, inflated) = fit_both(np.full(4, 8), np.array([[8, 7, 1, 0], [0, 8, 0, 7]]), np.ones((2, 4)))
    >>> round(beta.mean, 3), round(inflated.unsolvable, 3)
    (0.401, 0.5)
    """
    right = np.broadcast_to(right, weights.shape)
    weights = weights * (len(n) / weights.sum(axis=1, keepdims=True))
    inside = ((right > 0) & (right < n)).any(axis=1) & ((n > 1).sum() >= FEWEST)
    inside[inside] = _differ(n, right[inside], weights[inside])
    found = iter(_inside(n, right[inside], weights[inside]) if inside.any() else [])
    return [next(found) if inside[b] else 2 * (fit_beta_binomial(n, right[b], weights[b]),) for b in range(len(right))]


def nearest_beta(
    k: IntArray, pass_at_k: FloatArray, weight: FloatArray | float = 1.0, near: BetaFit | None = None
) -> BetaFit:
    """Return the beta law, with a share never solved, whose pass@k is nearest to a curve by least squares.

    Args:
        k: (m,), ascending, >= 1.
        pass_at_k: (m,), in [0, 1].
        weight: (m,), how much each counts; default all alike.
        near: a law from which the search begins; None for three starts.

    >>> nearest = nearest_beta(np.arange(1, 9), BetaFit(0.25, 2.0).pass_at(np.arange(1, 9)))
    >>> round(nearest.mean, 4), round(nearest.concentration, 3), nearest.unsolvable < 0.001
    (0.25, 2.0, True)
    """
    from scipy.optimize import least_squares

    def off(at: FloatArray) -> FloatArray:
        law = BetaFit(1 / (1 + math.exp(-at[0])), math.exp(at[1]), unsolvable=float(at[2]))
        return np.asarray((law.pass_at(k) - pass_at_k) * weight)

    # A mean and a share so far below 1 that they are so in the six digits of a profile.
    bounds = ([-30.0, math.log(SMALLEST), 0.0], [11.5, math.log(LARGEST), 0.99999])
    first, last = float(pass_at_k[0]), float(pass_at_k[-1])
    shares = (0.01, 0.5 * (1 - last) + 1e-6, 0.99 * (1 - last))
    starts = [(min(max(first / (1 - u), 1e-6), 0.98), 1.0, u) for u in shares]
    found = []
    for mean, s, u in starts if near is None else [(near.mean, near.concentration, near.unsolvable)]:
        start = np.clip([math.log(mean / (1 - mean)), math.log(s), u], *bounds)
        found.append(least_squares(off, start, bounds=bounds, x_scale=[1.0, 1.0, 0.1]))
    logit, log_concentration, unsolvable = min(found, key=lambda one: float(one.cost)).x.tolist()
    unsolvable = unsolvable if unsolvable > 1e-6 else 0.0  # a search that ends beside the bound means the bound
    return BetaFit(1 / (1 + math.exp(-logit)), math.exp(log_concentration), unsolvable=unsolvable)


def jeffreys(Q: int, right: bool, /) -> tuple[float, float]:
    """Mean and standard deviation of a share that is all or nothing in Q questions, from Jeffreys' prior.

    >>> [round(number, 3) for number in jeffreys(9, True)]
    [0.95, 0.066]
    """
    mean = (Q + 0.5 if right else 0.5) / (Q + 1)
    return mean, math.sqrt(mean * (1 - mean) / (Q + 2))


def _with_samples(*counts: Any) -> tuple[IntArray, IntArray, FloatArray]:
    """The questions that have samples; their weights have the mean 1."""
    n, right, given = counts_of(*counts)
    n, right, given = n[n > 0], right[n > 0], given[n > 0]
    return n, right, given * (len(n) / given.sum()) if len(n) else given


def _pooled(n: IntArray, right: IntArray, weights: FloatArray) -> FloatArray:
    """The share of samples that are right, of (..., Q) questions."""
    return np.asarray((weights * right).sum(axis=-1) / (weights * n).sum(axis=-1))


def _differ(n: IntArray, right: IntArray, weights: FloatArray) -> BoolArray:
    """Whether (..., Q) questions differ by more than chance: Tarone's score is positive."""
    wrong, pooled = n - right, _pooled(n, right, weights)[..., None]
    score = right * (right - 1) / pooled + wrong * (wrong - 1) / (1 - pooled) - n * (n - 1)
    return np.asarray((weights * score).sum(axis=-1) > 0)


def _inside(n: IntArray, right: IntArray, weights: FloatArray) -> list[tuple[BetaFit, BetaFit]]:
    """Both laws of draws at no edge."""
    counts = Counts.of(n, right, weights)
    plain = counts.peak(_pooled(n, right, weights), np.ones(len(right)))
    return list(zip(_laws(plain), _laws(_inflated(counts, plain.mean, plain.concentration)), strict=True))


def _inflated(counts: Counts, mean: FloatArray, concentration: FloatArray) -> Peak:
    """The better of the maxima that are found from `STARTS` and the laws (B,) without a share never solved."""
    none = (counts.questions * (counts.right == 0)).sum(axis=1) / counts.questions.sum(axis=1)
    B, u = len(none), np.concatenate([start * none for start in STARTS])
    twice = Counts(counts.n, counts.right, np.tile(counts.questions, (2, 1)))
    found = twice.peak(np.minimum(np.tile(mean, 2) / (1 - u), 0.99), np.maximum(np.tile(concentration, 2), 0.1), u)
    better = np.arange(B) + B * (found.height[B:] > found.height[:B])
    return Peak(*(getattr(found, name)[better] for name in Peak.__match_args__))


def _laws(peak: Peak) -> list[BetaFit]:
    """The laws of a search."""
    numbers = (peak.mean, peak.concentration, peak.unsolvable, peak.log_likelihood)
    return [
        BetaFit(mean, s, unsolvable=u, log_likelihood=likelihood)
        for mean, s, u, likelihood in zip(*(values.tolist() for values in numbers), strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Counts:
    """Different (n, right) of questions, and how many questions have them, by their weights."""

    n: IntArray
    right: IntArray
    questions: FloatArray

    @classmethod
    def of(cls, n: IntArray, right: IntArray, weights: FloatArray) -> Self:
        pairs, kind = np.unique(np.stack([n, right]), axis=1, return_inverse=True)
        return cls(pairs[0], pairs[1], np.bincount(kind, weights=weights).astype(np.float64))

    @cached_property
    def upto(self) -> IntArray:
        """(3, U), how many of the terms a + i, b + i and a + b + i the likelihood of a question has."""
        return np.stack([self.right, self.n - self.right, self.n])

    def rows(self, mean: float, concentration: float) -> FloatArray:
        """(U,) log-likelihood of a question, but for the number of its orders."""
        a, b, both = first_terms(np.log(self._terms(mean, concentration)), self.upto)
        return np.asarray(a + b - both)

    def log_likelihood(self, mean: float, concentration: float) -> float:
        return float(self.questions @ self.rows(mean, concentration))

    def scores(self, mean: float, concentration: float) -> FloatArray:
        """(2, U) derivatives of the log-likelihood of a question by mean and concentration."""
        a, b, both = first_terms(1 / self._terms(mean, concentration), self.upto)
        return np.array([concentration * (a - b), mean * a + (1 - mean) * b - both])

    def hessian(self, mean: float, concentration: float) -> FloatArray:
        """(2, 2) second derivatives of the log-likelihood of all questions."""
        terms = self._terms(mean, concentration)
        (a, b, _), (aa, bb, both) = (first_terms(terms**-power, self.upto) @ self.questions for power in (1, 2))
        crossed = (a - b) - concentration * (mean * aa - (1 - mean) * bb)
        by_concentration = both - mean**2 * aa - (1 - mean) ** 2 * bb
        return np.array([[-(concentration**2) * (aa + bb), crossed], [crossed, by_concentration]])

    def inside(self) -> BetaFit:
        """The maximum, away from the ends."""
        one = Counts(self.n, self.right, self.questions[None])
        pooled = _pooled(self.n, self.right, self.questions)
        (law,) = _laws(one.peak(pooled[None], np.ones(1)))
        bread = np.linalg.inv(self.hessian(law.mean, law.concentration))
        mean_se, concentration_se = np.sqrt(np.diag(bread @ self._meat(law.mean, law.concentration) @ bread)).tolist()
        return replace(law, mean_se=mean_se, concentration_se=concentration_se)

    def at_end(self, s: float) -> BetaFit:
        """The maximum where the concentration is at an end of its range."""
        from scipy.optimize import brentq

        def score(m: float) -> float:
            return float(self.scores(m, s)[0] @ self.questions)

        # The scores are infinite at means of 0 and 1, and fall from one to the other.
        low, high = NEXT_TO_NONE, 1 - NEXT_TO_NONE  # where weights differ by as much, the maximum lies beyond
        mean = low if score(low) <= 0 else high if score(high) >= 0 else brentq(score, low, high, xtol=1e-15)
        information = -float(self.hessian(mean, s)[0, 0])
        # Questions that are more alike than chance has it leave no residuals, but are not known without error.
        se = max(math.sqrt(float(self._meat(mean, s)[0, 0])) / information, math.sqrt(1 / information))
        best, other = self.log_likelihood(mean, s), LARGEST if s == SMALLEST else SMALLEST

        def drop(log_s: float) -> float:
            return best - self.log_likelihood(mean, math.exp(log_s)) - ONE_SIDED

        said = "every question is always or never solved", "questions differ by no more than chance"
        about = f"{said[s == LARGEST]}: the concentration is at the end of its range"
        if drop(math.log(other)) > 0:  # otherwise nothing bounds it
            bound = math.exp(brentq(drop, math.log(s), math.log(other)))
            about += f", and with 95 % {'below' if s == SMALLEST else 'above'} {bound:.3g}"
        return BetaFit(mean, s, se, log_likelihood=best, about=about)

    def _meat(self, mean: float, concentration: float) -> FloatArray:
        scores, Q = self.scores(mean, concentration), self.questions.sum()
        return np.asarray((scores * self.questions) @ scores.T * (Q / (Q - 1)))

    def _terms(self, mean: float, concentration: float) -> FloatArray:
        """(3, N), the numbers a + i, b + i and a + b + i, as many as counts need."""
        start = np.array([[mean * concentration], [(1 - mean) * concentration], [concentration]])
        return start + np.arange(self.n.max(), dtype=np.float64)
