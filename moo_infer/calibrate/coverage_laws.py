"""Laws of coverage: the mean pass@k as a function of k, fitted to counts and used beyond them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError
from ..quantities.bootstrap import question_weights
from ..quantities.subsets import mean_pass_at_k, pass_at_k
from .beta_binomial import BetaFit, fit_beta_binomial, fit_both, fit_zero_inflated
from .beta_search import Counts
from .intervals import Interval

__all__ = ["BetaBinomial", "CoverageLaw", "ExponentiatedPowerLaw", "LawChoice", "forward_validated"]

POINTS = 30  # values of k, log-spaced, that a curve is fitted and judged at
SHOWN = 32  # one of so many attempts is shown in forward validation: to predict far is what a law is for
LEAST = 2  # attempts that say how questions differ
VERY_STRONG = 150.0  # a Bayes factor that is very strong evidence (Kass and Raftery, JASA 90, 1995, 773-795)


class CoverageLaw(ABC):
    """Mean over questions of the probability that one of k attempts is right, in [0, 1] for every k.

    **Subclassing.** Give `fit` and `predict`, and a `name`; a law that stands for several, also `each`, and one that is
    fitted to many draws faster than one after the other, also `fits`.
    """

    name: ClassVar[str]

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

    @abstractmethod
    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return pass@k for k (m,), >= 1: (m,), rising, at most 1."""

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
        k = _spaced(1, int(counts[:, 0].min()))
        return cls._through(k, weight @ pass_at_k(counts[:, 0], counts[:, 1], k))

    @classmethod
    def fits(cls, n: IntArray, c: IntArray, weights: FloatArray) -> Sequence[Self]:
        """Fit the law to draws of counts; see `CoverageLaw.fits`."""
        counts, k = Counts.of(n, c, weights), _spaced(1, int(n.min()))
        weight = counts.questions / counts.questions.sum(axis=1, keepdims=True)
        return [cls._through(k, curve) for curve in weight @ pass_at_k(counts.n, counts.right, k)]

    @classmethod
    def _through(cls, k: IntArray, curve: FloatArray) -> Self:
        """The law through a curve of pass@k."""
        k, curve = k[curve < 1.0], curve[curve < 1.0]
        if not len(k):
            return cls(0.0, 0.0)
        x, y = np.log(k), np.log(-np.log(curve))
        away = x - x.mean()
        b = max(float(-(away @ y) / (away @ away)), 0.0) if len(k) > 1 else 0.0
        return cls(float(np.exp(y.mean() + b * x.mean())), b)

    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return pass@k for k (m,)."""
        return np.asarray(np.exp(-self.a * np.asarray(k, dtype=np.float64) ** -self.b))


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
        a, b, inflated = *self.beta.shape, self.zero_inflated
        first = f"1 - B({a:.4g}, {b:.4g} + k) / B({a:.4g}, {b:.4g})"
        if not inflated.unsolvable:
            return first
        a, b = inflated.shape
        second = f"{1 - inflated.unsolvable:.4g} (1 - B({a:.4g}, {b:.4g} + k) / B({a:.4g}, {b:.4g}))"
        return f"{1 - self.weight:.4g} ({first}) + {self.weight:.4g} * {second}"

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


LAWS: tuple[type[CoverageLaw], ...] = (BetaBinomial, ExponentiatedPowerLaw)


@dataclass(frozen=True, eq=False)
class LawChoice:
    """The law that predicted best what was hidden from it, fitted to everything.

    Args:
        law: fitted to all attempts.
        joined: the laws whose intervals are joined: that one, or all where the attempts are too few to choose by.
        errors: RMSE of pass@k in forward validation, by the name of the law.
        shown: attempts a question that the laws were fitted to in validation.
        largest: k up to which they were judged, the fewest attempts at any question.
        n, c: (Q,), the counts.
        questions: Q names.
    """

    law: CoverageLaw
    joined: Sequence[type[CoverageLaw]]
    errors: Mapping[str, float]
    shown: int
    largest: int
    n: IntArray
    c: IntArray
    questions: Sequence[str]

    def __str__(self) -> str:
        """Return the law and its error, beside those of the others, in words."""
        others = ", ".join(f"{name} {error:.3f}" for name, error in self.errors.items() if name != self.law.name)
        few = (
            f"; fewer than {SHOWN * LEAST} attempts do not choose among laws, so the intervals of all are joined"
            if len(self.joined) > 1
            else ""
        )
        return (
            f"{self.law.name} {self.law}: fitted to {self.shown} of {self.largest} attempts it predicts pass@"
            f"{self.shown + 1} to pass@{self.largest} with an RMSE of {self.errors[self.law.name]:.3f} ({others}){few}"
        )

    def predict(self, k: npt.ArrayLike, B: int = 200, seed: int = 0, confidence: float = 0.95) -> Interval:
        """Predict pass@k, with an interval of the Bayesian bootstrap over questions.

        The laws are refitted to every draw. The interval reaches from the lowest to the highest end of the intervals of
        the laws in `joined`; of an average, those of each law in it. As coverage never falls with k, no prediction is
        below what the counts say of the largest k that they hold. That all laws may be wrong beyond the data is not in
        the interval.

        Args:
            k: (m,), >= 1.
            B: draws, >= 1.
            seed: >= 0.
            confidence: in (0, 1).

        >>> chosen = forward_validated(np.full(40, 100), np.arange(40) // 4)
        >>> predicted = chosen.predict([1000])
        >>> predicted.value.round(3), predicted.low.round(3), predicted.high.round(3)
        (array([0.96]), array([0.806]), array([1.]))
        """
        weights = question_weights(self.questions, B, seed)
        known = pass_at_k(self.n, self.c, [self.largest])[:, 0]
        beyond = np.asarray(k) > self.largest

        def at_least(predicted: FloatArray, least: float) -> FloatArray:
            return np.where(beyond, np.maximum(predicted, least), predicted)

        each, averages = [], []
        drawn = [law.fits(self.n, np.broadcast_to(self.c, weights.shape), weights) for law in self.joined]
        for weight, *fitted in zip(weights, *drawn, strict=True):
            laws = dict(zip(self.joined, fitted, strict=True))
            least = min(float(weight @ known), 1.0)  # weights have the sum 1, but for rounding
            each.append(at_least(np.concatenate([law.each(k) for law in laws.values()]), least))
            averages.append(at_least(laws[type(self.law)].predict(k), least))
        low, high = np.quantile(each, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        value = at_least(self.law.predict(k), known.mean())
        return Interval(value, low.min(axis=0), high.max(axis=0), np.std(averages, axis=0))


def forward_validated(
    n: npt.ArrayLike,
    c: npt.ArrayLike,
    questions: Sequence[str] | None = None,
    repeats: int = 32,
    seed: int = 0,
    laws: Sequence[type[CoverageLaw]] = LAWS,
) -> LawChoice:
    """Choose the law of coverage that predicts many attempts best from few.

    Of the attempts at every question one in 32, at least two, are drawn without replacement, as often as `repeats`
    says. The laws are fitted to these and predict the unbiased pass@k of all attempts at larger k; the one with the
    smallest root mean square error over draws and log-spaced k is fitted to everything.

    With fewer than 64 attempts, one in 32 is less than two. Two are shown then, but they say little of what lies far
    ahead, and nothing of questions that are never solved: the errors do not choose. The first law is taken, and the
    intervals of all are joined.

    Args:
        n: (Q,), attempts at a question, >= 3; those at which there is none are left out.
        c: (Q,), how many of them are right, in 0 ... n; not all 0.
        questions: Q names, which key the bootstrap; default their numbers.
        repeats: draws in validation, >= 1.
        seed: of these draws, >= 0.
        laws: to choose from; the first stands where there are too few attempts to choose by.

    Raises:
        MooInferError: for counts that no law can be fitted to, and too few to hide some.

    >>> chosen = forward_validated(np.full(40, 100), np.arange(40) // 4)
    >>> chosen.law.name, chosen.shown, {name: round(error, 2) for name, error in chosen.errors.items()}
    ('beta-binomial', 3, {'beta-binomial': 0.17, 'exponentiated-power-law': 0.25})
    """
    n, c = np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64)
    names = [str(i) for i in range(len(n))] if questions is None else list(questions)
    names, n, c = [name for name, attempts in zip(names, n, strict=True) if attempts], n[n > 0], c[n > 0]
    largest = int(n.min(initial=2**31 - 1))
    if not len(n) or largest <= LEAST:
        raise MooInferError(
            f"a law of coverage needs at least {LEAST + 1} attempts at every question, got {largest if len(n) else 0}"
        )
    fitted = {law: law.fit(n, c) for law in laws}
    shown = max(largest // SHOWN, LEAST)
    k = _spaced(shown + 1, largest)
    seen, rng = mean_pass_at_k(n, c, k), np.random.default_rng(seed)
    right = np.array([rng.hypergeometric(c, n - c, shown) for _ in range(repeats)])
    right, none = right[right.any(axis=1)], np.zeros((np.count_nonzero(~right.any(axis=1)), len(k)))
    squares = {}
    for law in laws:
        hidden = law.fits(np.full(len(n), shown), right, np.ones(right.shape))
        predicted = np.concatenate([none, *(one.predict(k)[None] for one in hidden)])
        squares[law] = float(np.mean((predicted - seen) ** 2))
    far = largest >= SHOWN * LEAST
    best = min(laws, key=lambda law: squares[law]) if far else laws[0]
    errors = {law.name: squares[law] ** 0.5 for law in laws}
    return LawChoice(fitted[best], (best,) if far else tuple(laws), errors, shown, largest, n, c, names)


def _counts(n: npt.ArrayLike, c: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[IntArray, FloatArray]:
    """Different counts (P, 2) and their weights (P,), with the sum 1."""
    counts = np.column_stack([np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64)])
    if (counts[:, 1] > counts[:, 0]).any() or (counts < 0).any():
        raise MooInferError("c must be in 0 ... n, attempts at a question and how many of them are right")
    if len(counts) == 0 or counts[:, 0].min() < LEAST:
        raise MooInferError(f"a law of coverage needs at least {LEAST} attempts at every question")
    if not counts[:, 1].any():
        raise MooInferError("a law of coverage needs a right attempt, got none")
    pairs, kind = np.unique(counts, axis=0, return_inverse=True)
    weight = np.bincount(kind, None if weights is None else np.asarray(weights, dtype=np.float64))
    return pairs, weight / weight.sum()


def _spaced(first: int, last: int) -> IntArray:
    """Log-spaced whole numbers."""
    return np.unique(np.round(np.geomspace(first, last, POINTS)).astype(np.int64))
