"""The beta-binomial law: counts of right answers where every question has its own probability, from a beta law."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError

__all__ = ["FEWEST", "LARGEST", "SMALLEST", "FittedBeta", "fit_beta_binomial", "jeffreys"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FEWEST = 3  # questions with two or more samples, so that one can be left out
LARGEST = 1e6  # concentration: p varies by less than 0.0005 around its mean
SMALLEST = 1e-3  # all but one in a thousand questions are always or never solved
ONE_SIDED = 1.352771727047702  # half of the 90 % quantile of chi squared with 1 degree of freedom


@dataclass(frozen=True)
class FittedBeta:
    """A beta law of the probability to solve a question, fitted to counts.

    Args:
        mean, concentration: of the law; a = mean * concentration, b = (1 - mean) * concentration.
        mean_se, concentration_se: standard errors; that of a concentration at an end of its range is 0.
        about: what to know about it, in words; "" where all is as it should be.
    """

    mean: float
    concentration: float
    mean_se: float
    concentration_se: float
    about: str = ""

    def pass_at(self, K: int, /) -> FloatArray:
        """(K,) probability that at least one of the first k inferences is right: ``1 - B(a, b + k) / B(a, b)``.

        >>> FittedBeta(0.25, 2.0, 0.0, 0.0).pass_at(2)
        array([0.25 , 0.375])
        """
        i = np.arange(K, dtype=np.float64)
        failed = ((1 - self.mean) * self.concentration + i) / (self.concentration + i)
        return np.asarray(1 - np.cumprod(failed), dtype=np.float64)


def fit_beta_binomial(n: npt.ArrayLike, right: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> FittedBeta:
    """Fit mean and concentration to counts by maximum likelihood; errors are robust, with questions as clusters.

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
    (0.526, 0.78)
    """
    n, right = np.asarray(n, dtype=np.int64), np.asarray(right, dtype=np.int64)
    given = np.ones(len(n)) if weights is None else np.asarray(weights, dtype=np.float64)
    n, right, given = n[n > 0], right[n > 0], given[n > 0]
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
        return FittedBeta(mean, 1.0, se, 0.0, about)
    given = given * (Q / given.sum())
    pairs, kind = np.unique(np.stack([n, right]), axis=1, return_inverse=True)
    counts = _Counts(pairs[0], pairs[1], np.bincount(kind, weights=given).astype(np.float64))
    pooled = float(given @ right / (given @ n))
    tarone = given @ (right * (right - 1) / pooled + wrong * (wrong - 1) / (1 - pooled) - n * (n - 1))
    if not (right * wrong).any():
        return counts.at_end(SMALLEST)
    if tarone <= 0:
        return counts.at_end(LARGEST)
    return counts.inside(pooled)


def jeffreys(Q: int, right: bool, /) -> tuple[float, float]:
    """Mean and standard deviation of a share that is all or nothing in Q questions, from Jeffreys' prior.

    >>> [round(number, 3) for number in jeffreys(9, True)]
    [0.95, 0.066]
    """
    mean = (Q + 0.5 if right else 0.5) / (Q + 1)
    return mean, math.sqrt(mean * (1 - mean) / (Q + 2))


@dataclass(frozen=True, eq=False)
class _Counts:
    """Different (n, right) of questions, and how many questions have them, by their weights."""

    n: IntArray
    right: IntArray
    questions: FloatArray

    def log_likelihood(self, mean: float, concentration: float) -> float:
        a, b, both = (np.log(x) for x in self._terms(mean, concentration))
        rows = _first(a, self.right) + _first(b, self.n - self.right) - _first(both, self.n)
        return float(self.questions @ rows)

    def scores(self, mean: float, concentration: float) -> FloatArray:
        """(2, U) derivatives of the log-likelihood of a question by mean and concentration."""
        a, b, both = (
            _first(1 / x, upto)
            for x, upto in zip(self._terms(mean, concentration), (self.right, self.n - self.right, self.n), strict=True)
        )
        return np.stack([concentration * (a - b), mean * a + (1 - mean) * b - both])

    def hessian(self, mean: float, concentration: float) -> FloatArray:
        """(2, 2) second derivatives of the log-likelihood of all questions."""
        of = list(zip(self._terms(mean, concentration), (self.right, self.n - self.right, self.n), strict=True))
        (a, b, _), (aa, bb, both) = ([self.questions @ _first(x**-power, upto) for x, upto in of] for power in (1, 2))
        crossed = (a - b) - concentration * (mean * aa - (1 - mean) * bb)
        by_concentration = both - mean**2 * aa - (1 - mean) ** 2 * bb
        return np.array([[-(concentration**2) * (aa + bb), crossed], [crossed, by_concentration]])

    def inside(self, mean: float) -> FittedBeta:
        """The maximum, away from the ends."""
        from scipy.optimize import minimize

        Q = self.questions.sum()

        def loss(at: FloatArray) -> tuple[float, FloatArray]:
            m, s = 1 / (1 + math.exp(-at[0])), math.exp(at[1])
            slope = self.scores(m, s) @ self.questions * np.array([m * (1 - m), s])
            return -self.log_likelihood(m, s) / Q, -slope / Q

        start, bounds = math.log(mean / (1 - mean)), [(-30.0, 30.0), (math.log(SMALLEST), math.log(LARGEST))]
        found = minimize(
            loss,
            np.array([start, 0.0]),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500},
        )
        logit, log_s = found.x.tolist()
        m, s = 1 / (1 + math.exp(-logit)), math.exp(log_s)
        bread = np.linalg.inv(self.hessian(m, s))
        spread = bread @ self._meat(m, s) @ bread
        return FittedBeta(m, s, *np.sqrt(np.diag(spread)).tolist())

    def at_end(self, s: float) -> FittedBeta:
        """The maximum where the concentration is at an end of its range."""
        from scipy.optimize import brentq

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
        return FittedBeta(mean, s, se, 0.0, about)

    def _meat(self, mean: float, concentration: float) -> FloatArray:
        scores, Q = self.scores(mean, concentration), self.questions.sum()
        return np.asarray((scores * self.questions) @ scores.T * (Q / (Q - 1)))

    def _terms(self, mean: float, concentration: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The numbers a + i, b + i and a + b + i, as many as counts need."""
        i = np.arange(self.n.max(), dtype=np.float64)
        return mean * concentration + i, (1 - mean) * concentration + i, concentration + i


def _first(terms: FloatArray, counts: IntArray) -> FloatArray:
    """Sums of the first so many terms."""
    return np.concatenate([[0.0], np.cumsum(terms)])[counts]
