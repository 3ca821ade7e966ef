"""Beta-binomial laws: counts of right answers where every question has its own probability, from a beta law.

In the zero-inflated law a share of the questions is never solved, whatever the number of attempts.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError

__all__ = [
    "FEWEST",
    "LARGEST",
    "PRIOR_SD",
    "SMALLEST",
    "BetaFit",
    "fit_beta_binomial",
    "fit_zero_inflated",
    "jeffreys",
]

FEWEST = 3  # questions with two or more samples, so that one can be left out
LARGEST = 1e6  # concentration: p varies by less than 0.0005 around its mean
SMALLEST = 1e-3  # all but one in a thousand questions are always or never solved
PRIOR_SD = 10.0  # of log a and log b: one standard deviation is a factor of 22,000, so that only ridges feel it
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
            about how questions differ.

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
    pooled = float(given @ right / (given @ n))
    tarone = given @ (right * (right - 1) / pooled + wrong * (wrong - 1) / (1 - pooled) - n * (n - 1))
    if not (right * wrong).any():
        return counts.at_end(SMALLEST)
    if tarone <= 0:
        return counts.at_end(LARGEST)
    return counts.inside(pooled)


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
    counts = _Counts.of(*_with_samples(n, right, weights))
    return max((counts.inflated(plain, start) for start in STARTS), key=lambda law: law[1])[0]


def jeffreys(Q: int, right: bool, /) -> tuple[float, float]:
    """Mean and standard deviation of a share that is all or nothing in Q questions, from Jeffreys' prior.

    >>> [round(number, 3) for number in jeffreys(9, True)]
    [0.95, 0.066]
    """
    mean = (Q + 0.5 if right else 0.5) / (Q + 1)
    return mean, math.sqrt(mean * (1 - mean) / (Q + 2))


def _with_samples(
    n: npt.ArrayLike, right: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[IntArray, IntArray, FloatArray]:
    """The questions that have samples; their weights have the mean 1."""
    n, right = np.asarray(n, dtype=np.int64), np.asarray(right, dtype=np.int64)
    given = np.ones(len(n)) if weights is None else np.asarray(weights, dtype=np.float64)
    n, right, given = n[n > 0], right[n > 0], given[n > 0]
    return n, right, given * (len(n) / given.sum()) if len(n) else given


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
        a, b, both = _first(np.log(self._terms(mean, concentration)), self.upto)
        return np.asarray(a + b - both)

    def log_likelihood(self, mean: float, concentration: float) -> float:
        return float(self.questions @ self.rows(mean, concentration))

    def scores(self, mean: float, concentration: float) -> FloatArray:
        """(2, U) derivatives of the log-likelihood of a question by mean and concentration."""
        a, b, both = _first(1 / self._terms(mean, concentration), self.upto)
        return np.array([concentration * (a - b), mean * a + (1 - mean) * b - both])

    def hessian(self, mean: float, concentration: float) -> FloatArray:
        """(2, 2) second derivatives of the log-likelihood of all questions."""
        terms = self._terms(mean, concentration)
        (a, b, _), (aa, bb, both) = (_first(terms**-power, self.upto) @ self.questions for power in (1, 2))
        crossed = (a - b) - concentration * (mean * aa - (1 - mean) * bb)
        by_concentration = both - mean**2 * aa - (1 - mean) ** 2 * bb
        return np.array([[-(concentration**2) * (aa + bb), crossed], [crossed, by_concentration]])

    def inside(self, mean: float) -> BetaFit:
        """The maximum, away from the ends."""
        law, _ = self._maximum(mean, 1.0, 0.0, most=0.0)
        bread = np.linalg.inv(self.hessian(law.mean, law.concentration))
        mean_se, concentration_se = np.sqrt(np.diag(bread @ self._meat(law.mean, law.concentration) @ bread)).tolist()
        return replace(law, mean_se=mean_se, concentration_se=concentration_se)

    def inflated(self, plain: BetaFit, start: float) -> tuple[BetaFit, float]:
        """The maximum with a share that is never solved, and its height, from a start (see `STARTS`)."""
        u = start * float(self.questions[self.right == 0].sum() / self.questions.sum())
        # A start inside the bounds; at a share of 1, log(1 - u) is infinite.
        return self._maximum(min(plain.mean / (1 - u), 0.99), max(plain.concentration, 0.1), u, most=1 - 1e-9)

    def _maximum(self, mean: float, s: float, unsolvable: float, most: float) -> tuple[BetaFit, float]:
        """The law with the largest likelihood times prior near a start, and the logarithm of that."""
        from scipy.optimize import minimize

        Q, zero = self.questions.sum(), self.right == 0

        def loss(at: FloatArray) -> tuple[float, FloatArray]:
            m, s, u = 1 / (1 + math.exp(-at[0])), math.exp(at[1]), float(at[2])
            rows, by_law = self.rows(m, s), self.scores(m, s) * np.array([[m * (1 - m)], [s]])
            never = math.log(u) if u > 0 else -math.inf
            total = np.where(zero, np.logaddexp(never, math.log1p(-u) + rows), math.log1p(-u) + rows)
            most_steep = np.minimum(-total, 500)  # exp of it does not overflow where u = 0
            by_share = np.where(zero, -np.expm1(rows) * np.exp(most_steep), -1 / (1 - u))
            by_law *= np.exp(math.log1p(-u) + rows - total)
            log_a, log_b = math.log(m * s), math.log((1 - m) * s)
            height = self.questions @ total - (log_a**2 + log_b**2) / (2 * PRIOR_SD**2)
            slope = np.array([*by_law, by_share]) @ self.questions
            slope -= np.array([(1 - m) * log_a - m * log_b, log_a + log_b, 0.0]) / PRIOR_SD**2
            return -float(height) / Q, -slope / Q

        found = minimize(
            loss,
            np.array([math.log(mean / (1 - mean)), math.log(s), unsolvable]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-30.0, 30.0), (math.log(SMALLEST), math.log(LARGEST)), (0.0, most)],
            # A memory as long as there are numbers: the larger matrices of a longer one wake the threads of BLAS, which
            # wait for each other on a busy machine.
            options={"maxcor": 3, "ftol": 1e-15, "gtol": 1e-9, "maxiter": 500},
        )
        logit, log_s, u = found.x.tolist()
        m, s = 1 / (1 + math.exp(-logit)), math.exp(log_s)
        rows = self.rows(m, s) + math.log1p(-u)
        likelihood = float(self.questions @ np.where(zero & (u > 0), np.logaddexp(math.log(u or 1), rows), rows))
        return BetaFit(m, s, unsolvable=u, log_likelihood=likelihood), -float(found.fun) * Q

    def at_end(self, s: float) -> BetaFit:
        """The maximum where the concentration is at an end of its range."""
        from scipy.optimize import brentq

        # The scores are infinite at means of 0 and 1, and fall from one to the other.
        mean = brentq(lambda m: float(self.scores(m, s)[0] @ self.questions), 1e-12, 1 - 1e-12, xtol=1e-15)
        information = -float(self.hessian(mean, s)[0, 0])
        # Questions that are more alike than chance has it leave no residuals, but are not known without error.
        se = max(math.sqrt(float(self._meat(mean, s)[0, 0])) / information, math.sqrt(1 / information))
        best, other = self.log_likelihood(mean, s), LARGEST if s == SMALLEST else SMALLEST

        def drop(log_s: float) -> float:
            return best - self.log_likelihood(mean, math.exp(log_s)) - ONE_SIDED

        said = (
            "every question is always or never solved" if s == SMALLEST else "questions differ by no more than chance"
        )
        about = f"{said}: the concentration is at the end of its range"
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


def _first(terms: FloatArray, upto: IntArray) -> FloatArray:
    """Sums of the first so many terms of each row, (3, U) of (3, N)."""
    sums = np.zeros((3, terms.shape[1] + 1))
    terms.cumsum(axis=1, out=sums[:, 1:])
    return sums[np.arange(3)[:, None], upto]
