"""Laws of coverage: the mean pass@k as a function of k, fitted to counts and used beyond them."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError
from ..core.rounding import TINY
from ..quantities.quadrature import jacobi
from ..quantities.subsets import pass_at_k
from .beta_binomial import BetaFit, fit_beta_binomial, fit_both, fit_zero_inflated, nearest_beta
from .beta_search import Counts
from .counts import counts_of
from .scaling_laws import ScalingLaw, spaced

__all__ = ["LEAST", "BetaBinomial", "CoverageLaw", "ExponentiatedPowerLaw"]

ORDER = 320  # nodes over p: exact up to the power 639
LEAST = 2  # attempts that say how questions differ
VERY_STRONG = 150.0  # a Bayes factor that is very strong evidence (Kass and Raftery, JASA 90, 1995, 773-795)


class CoverageLaw(ScalingLaw):
    """Mean over questions of the probability that one of k attempts is right, which rises with k.

    **Subclassing.** Give `fit` and what `ScalingLaw` says; a law that stands for several, also `each`, and one that is
    fitted to many draws faster than one after the other, also `fits`.
    """

    @classmethod
    @abstractmethod
    def fit(cls, n: npt.ArrayLike, c: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Fit the law to counts.

        Args:
            n: (Q,), attempts at a question, >= 2.
            c: (Q,), how many of them are right, in 0 ... n; not all 0.
            weights: (Q,), of the questions, > 0; default all alike.

        Raises:
            MooInferError: for counts that no law can be fitted to.
        """

    @classmethod
    def fits(cls, n: IntArray, c: IntArray, weights: FloatArray) -> Sequence[Self]:
        """Fit the law to B draws of counts: n (Q,), c and weights (B, Q), as in `fit`."""
        return [cls.fit(n, right, weight) for right, weight in zip(c, weights, strict=True)]

    def each(self, k: npt.ArrayLike) -> FloatArray:
        """Return pass@k by each of the laws that this one is the average of, (L, m); their intervals are joined."""
        return self.predict(k)[None]


@dataclass(frozen=True)
class ExponentiatedPowerLaw(CoverageLaw):
    """pass@k = exp(-a k^-b) (Brown et al., arXiv 2407.21787).

    Fit by a straight line through log(-log(pass@k)) over log k, at log-spaced k up to the fewest attempts at any
    question.

    Args:
        a, b: >= 0.

    >>> law = ExponentiatedPowerLaw.fit([100, 100, 100, 100], [40, 10, 2, 0])
    >>> print(law, law.predict([1, 100, 10_000]).round(3))
    exp(-2.065 k^-0.4342) [0.127 0.756 0.963]
    """

    name = "exponentiated-power-law"

    a: float
    b: float

    def __str__(self) -> str:
        """Return the formula."""
        return f"exp(-{self.a:.4g} k^-{self.b:.4g})"

    @classmethod
    def fit(cls, n: npt.ArrayLike, c: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Fit the law to counts; see `CoverageLaw.fit`."""
        counts, weight = _counts(n, c, weights)
        k = spaced(1, int(counts[:, 0].min()))
        return cls.through(k, weight @ pass_at_k(counts[:, 0], counts[:, 1], k))

    @classmethod
    def fits(cls, n: IntArray, c: IntArray, weights: FloatArray) -> Sequence[Self]:
        """Fit the law to draws of counts; see `CoverageLaw.fits`."""
        counts, k = Counts.of(n, c, weights), spaced(1, int(n.min()))
        weight = counts.questions / counts.questions.sum(axis=1, keepdims=True)
        return [cls.through(k, curve) for curve in weight @ pass_at_k(counts.n, counts.right, k)]

    @classmethod
    def through(cls, k: IntArray, accuracy: FloatArray) -> Self:
        """Return the law of the straight line through log(-log(accuracy)) over log k."""
        k, curve = k[accuracy < 1.0], np.maximum(accuracy[accuracy < 1.0], TINY)  # 0 has no logarithm
        if not len(k):
            return cls(0.0, 0.0)
        x, y = np.log(k), np.log(-np.log(curve))
        away = x - x.mean()
        b = max(float(-(away @ y) / (away @ away)), 0.0) if len(k) > 1 else 0.0
        return cls(float(np.exp(y.mean() + b * x.mean())), b)

    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return pass@k for k (m,)."""
        return np.asarray(np.exp(-self.a * np.asarray(k, dtype=np.float64) ** -self.b))

    @property
    def limit(self) -> float:
        """1, but for a law that does not rise."""
        return 1.0 if self.b else math.exp(-self.a)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers a and b."""
        return self.a, self.b

    @classmethod
    def of(cls, *numbers: float) -> Self:
        """Return the law of these."""
        return cls(*numbers)


@dataclass(frozen=True)
class BetaBinomial(CoverageLaw):
    """Average of two laws: questions are solved with probabilities from a beta law, all of them or all but a share.

    pass@k = (1 - w) (1 - B(a, b + k) / B(a, b)) + w (1 - u) (1 - B(a', b' + k) / B(a', b')), with a share u of
    questions that are never solved. Both laws are fitted to the counts with a weak prior (`fit_beta_binomial`,
    `fit_zero_inflated`). What a few attempts did not solve is hard or hopeless: that decides what coverage becomes, and
    the counts hardly tell. The first law takes all of it as hard, the second as much as can be as hopeless.

    The weight w of the second is one half, and BF / (BF + 150) where that is more, with the Bayes factor BF of the
    second against the first by BIC (Schwarz, Ann. Stat. 6, 1978, 461-464): equal weights until the evidence for
    questions that are never solved is very strong. Weights estimated throughout would carry the noise of a small
    difference of likelihoods and predict worse, which forecasters know as the combination puzzle (Smith and Wallis,
    Oxford Bull. Econ. Stat. 71, 2009, 331-355). No number of attempts shows that everything can be solved, so that w
    does not fall below one half.

    Args:
        beta: the law by which all questions can be solved.
        zero_inflated: the law by which a share cannot.
        weight: w, of the second, in [0, 1].

    >>> law = BetaBinomial.fit([100, 100, 100, 100], [40, 10, 2, 0])
    >>> law.predict([1, 100, 10_000]).round(2), law.each([10_000]).round(2).tolist(), law.weight
    (array([0.13, 0.76, 0.93]), [[0.96], [0.89]], 0.5)
    """

    name = "beta-binomial"

    beta: BetaFit
    zero_inflated: BetaFit
    weight: float = 0.5

    def __str__(self) -> str:
        """Return the formula."""
        if not self.zero_inflated.unsolvable or self.beta == self.zero_inflated:
            return str(self.beta)
        return f"{1 - self.weight:.4g} ({self.beta}) + {self.weight:.4g} * {self.zero_inflated}"

    @classmethod
    def fit(cls, n: npt.ArrayLike, c: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Fit the law to counts; see `CoverageLaw.fit`."""
        _counts(n, c, weights)
        beta = fit_beta_binomial(n, c, weights)
        return cls._of(beta, fit_zero_inflated(n, c, weights, plain=beta), int(np.count_nonzero(np.asarray(n))))

    @classmethod
    def fits(cls, n: IntArray, c: IntArray, weights: FloatArray) -> Sequence[Self]:
        """Fit the law to draws of counts; see `CoverageLaw.fits`."""
        return [cls._of(*laws, len(n)) for laws in fit_both(n, c, weights)]

    @classmethod
    def _of(cls, beta: BetaFit, inflated: BetaFit, questions: int) -> Self:
        """The average of the laws, by the evidence of so many questions."""
        log_factor = inflated.log_likelihood - beta.log_likelihood - math.log(questions) / 2
        more = 1 / (1 + VERY_STRONG * math.exp(-log_factor)) if inflated.unsolvable else 0.0
        return cls(beta, inflated, max(more, 0.5))

    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return pass@k for k (m,)."""
        return np.asarray(np.array([1 - self.weight, self.weight]) @ self.each(k))

    def each(self, k: npt.ArrayLike) -> FloatArray:
        """Return pass@k by both laws (2, m)."""
        return np.stack([law.pass_at(k) for law in (self.beta, self.zero_inflated)])

    @classmethod
    def through(cls, k: IntArray, accuracy: FloatArray) -> Self:
        """Return the law that is nearest to a curve, by least squares: one with a share never solved, no average."""
        nearest = nearest_beta(k, accuracy)
        return cls(nearest, nearest)

    def refitted(self, k: IntArray, accuracy: FloatArray) -> Self:
        """Return the law that is nearest to another curve."""
        nearest = nearest_beta(k, accuracy, near=self.zero_inflated)
        return type(self)(nearest, nearest)

    @property
    def limit(self) -> float:
        """What is not never solved."""
        return 1 - (1 - self.weight) * self.beta.unsolvable - self.weight * self.zero_inflated.unsolvable

    @property
    def numbers(self) -> tuple[float, ...]:
        """Mean, concentration and share never solved of both laws, and the weight of the second."""
        return *(
            n for of in (self.beta, self.zero_inflated) for n in (of.mean, of.concentration, of.unsolvable)
        ), self.weight

    @classmethod
    def of(cls, *numbers: float) -> Self:
        """Return the law of these."""
        m, s, u, *other, weight = numbers
        return cls(BetaFit(m, s, unsolvable=u), BetaFit(other[0], other[1], unsolvable=other[2]), weight)

    def difficulties(self) -> tuple[FloatArray, FloatArray]:
        """Return how questions differ, for `optimal_samples`: chances p (Q,) to solve one, and shares (Q,).

        Polynomials of p, as of what up to a few hundred samples bring, have the same mean as with the law itself.
        """
        p, shares = [np.zeros(1)], [np.array([1 - self.limit])]
        for law, weight in ((self.beta, 1 - self.weight), (self.zero_inflated, self.weight)):
            nodes, weights = jacobi(ORDER, *law.shape)
            p.append(nodes)
            shares.append(weight * (1 - law.unsolvable) * weights)
        return np.concatenate(p), np.concatenate(shares)


def _counts(n: npt.ArrayLike, c: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[IntArray, FloatArray]:
    """Different counts (P, 2) and their weights (P,), with the sum 1."""
    samples, right, given = counts_of(n, c, weights)
    counts = np.column_stack([samples, right])
    if len(counts) == 0 or counts[:, 0].min() < LEAST:
        raise MooInferError(f"a law of coverage needs at least {LEAST} attempts at every question")
    if not counts[:, 1].any():
        raise MooInferError("a law of coverage needs a right attempt, got none")
    pairs, kind = np.unique(counts, axis=0, return_inverse=True)
    weight = np.bincount(kind, given)
    return pairs, weight / weight.sum()
