"""Laws of coverage: the mean pass@k as a function of k, fitted to counts and used beyond them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError
from ..resampling import question_weights
from ..subsets import mean_pass_at_k, pass_at_k
from .beta_binomial import fit_beta_binomial
from .estimates import Estimated

__all__ = ["BetaBinomial", "Chosen", "CoverageLaw", "ExponentiatedPowerLaw", "forward_validated"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

POINTS = 30  # values of k, log-spaced, that a curve is fitted and judged at
SHOWN = 32  # one of so many attempts is shown in forward validation: to predict far is what a law is for
LEAST = 2  # attempts that say how questions differ


class CoverageLaw(ABC):
    """Mean over questions of the probability that one of k attempts is right, in [0, 1] for every k.

    **Subclassing.** Give `fit` and `predict`, and a `name`.
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

    @abstractmethod
    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return pass@k for k (m,), >= 1: (m,), rising, at most 1."""


@dataclass(frozen=True)
class ExponentiatedPowerLaw(CoverageLaw):
    """pass@k = exp(-a k^-b) (Brown et al., arXiv 2407.21787).

    Fitted by a straight line through log(-log(pass@k)) over log k, at log-spaced k up to the fewest attempts at any
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
        curve = weight @ pass_at_k(counts[:, 0], counts[:, 1], k)
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
    """pass@k = 1 - B(a, b + k) / B(a, b): questions are solved with probabilities from a beta law.

    Fitted by maximum likelihood of the counts (`fit_beta_binomial`).

    Args:
        a, b: of the beta law, > 0.

    >>> law = BetaBinomial.fit([100, 100, 100, 100], [40, 10, 2, 0])
    >>> law.predict([1, 100, 10_000]).round(2)
    array([0.12, 0.76, 0.96])
    """

    name = "beta-binomial"

    a: float
    b: float

    def __str__(self) -> str:
        """Return the formula."""
        return f"1 - B({self.a:.4g}, {self.b:.4g} + k) / B({self.a:.4g}, {self.b:.4g})"

    @classmethod
    def fit(cls, n: npt.ArrayLike, c: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Fit the law to counts; see `CoverageLaw.fit`."""
        _counts(n, c, weights)
        found = fit_beta_binomial(n, c, weights)
        return cls(found.mean * found.concentration, (1 - found.mean) * found.concentration)

    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return pass@k for k (m,)."""
        from scipy.special import betaln

        k = np.asarray(k, dtype=np.float64)
        return np.asarray(-np.expm1(np.minimum(betaln(self.a, self.b + k) - betaln(self.a, self.b), 0.0)))


LAWS: tuple[type[CoverageLaw], ...] = (ExponentiatedPowerLaw, BetaBinomial)


@dataclass(frozen=True, eq=False)
class Chosen:
    """The law that predicted best what was hidden from it, fitted to everything.

    Args:
        law: fitted to all attempts.
        errors: RMSE of pass@k in forward validation, by the name of the law.
        shown: attempts a question that the laws were fitted to in validation.
        largest: k up to which they were judged, the fewest attempts at any question.
        n, c: (Q,), the counts.
        questions: Q names.
    """

    law: CoverageLaw
    errors: Mapping[str, float]
    shown: int
    largest: int
    n: IntArray
    c: IntArray
    questions: Sequence[str]

    def __str__(self) -> str:
        """Return the law and its error, beside those of the others, in words."""
        others = ", ".join(f"{name} {error:.3f}" for name, error in self.errors.items() if name != self.law.name)
        return (
            f"{self.law.name} {self.law}: fitted to {self.shown} of {self.largest} attempts it predicts pass@"
            f"{self.shown + 1} to pass@{self.largest} with an RMSE of {self.errors[self.law.name]:.3f} ({others})"
        )

    def predict(self, k: npt.ArrayLike, B: int = 200, seed: int = 0, confidence: float = 0.95) -> Estimated:
        """Predict pass@k, with an interval of the Bayesian bootstrap over questions.

        The law is refitted to every draw. As coverage never falls with k, no prediction is below what the counts say of
        the largest k that they hold. That the law itself may be wrong beyond the data is not in the interval.

        Args:
            k: (m,), >= 1.
            B: draws, >= 1.
            seed: >= 0.
            confidence: in (0, 1).

        >>> chosen = forward_validated(np.full(40, 100), np.arange(40) // 4)
        >>> predicted = chosen.predict([1000])
        >>> predicted.value.round(3), predicted.low.round(3), predicted.high.round(3)
        (array([1.]), array([0.994]), array([1.]))
        """
        weights = question_weights(self.questions, B, seed)
        known = pass_at_k(self.n, self.c, [self.largest])[:, 0]
        beyond = np.asarray(k) > self.largest

        def at_least(predicted: FloatArray, least: float) -> FloatArray:
            return np.where(beyond, np.maximum(predicted, least), predicted)

        draws = np.array(
            [at_least(type(self.law).fit(self.n, self.c, weight).predict(k), weight @ known) for weight in weights]
        )
        low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        return Estimated(at_least(self.law.predict(k), known.mean()), low, high, draws.std(axis=0))


def forward_validated(
    n: npt.ArrayLike,
    c: npt.ArrayLike,
    questions: Sequence[str] | None = None,
    repeats: int = 32,
    seed: int = 0,
    laws: Sequence[type[CoverageLaw]] = LAWS,
) -> Chosen:
    """Choose the law of coverage that predicts many attempts best from few.

    Of the attempts at every question one in 32, at least two, are drawn without replacement, as often as `repeats`
    says. The laws are fitted to these and predict the unbiased pass@k of all attempts at larger k; the one with the
    smallest root mean square error over draws and log-spaced k is fitted to everything.

    Args:
        n: (Q,), attempts at a question, >= 3; those at which there is none are left out.
        c: (Q,), how many of them are right, in 0 ... n; not all 0.
        questions: Q names, which key the bootstrap; default their numbers.
        repeats: draws in validation, >= 1.
        seed: of these draws, >= 0.
        laws: to choose from.

    Raises:
        MooInferError: for counts that no law can be fitted to, and too few to hide some.

    >>> chosen = forward_validated(np.full(40, 100), np.arange(40) // 4)
    >>> chosen.law.name, chosen.shown, {name: round(error, 2) for name, error in chosen.errors.items()}
    ('beta-binomial', 3, {'exponentiated-power-law': 0.25, 'beta-binomial': 0.16})
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
    squares = dict.fromkeys(laws, 0.0)
    for _ in range(repeats):
        right = rng.hypergeometric(c, n - c, shown)
        for law in laws:
            predicted = law.fit(np.full(len(n), shown), right).predict(k) if right.any() else np.zeros(len(k))
            squares[law] += float(np.mean((predicted - seen) ** 2)) / repeats
    best = min(laws, key=lambda law: squares[law])
    errors = {law.name: squares[law] ** 0.5 for law in laws}
    return Chosen(fitted[best], errors, shown, largest, n, c, names)


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
