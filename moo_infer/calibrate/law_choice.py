"""Chooses the law of coverage that predicts many attempts best from few, by counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.arguments import typed
from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError
from ..core.numeric import whole_numbers
from ..core.parts import AtLeastOne, AtLeastZero, inside
from ..quantities.bootstrap import question_weights
from ..quantities.subsets import mean_pass_at_k, pass_at_k
from .coverage_laws import LEAST, BetaBinomial, CoverageLaw, ExponentiatedPowerLaw
from .intervals import Interval
from .scaling_laws import spaced

__all__ = ["LawChoice", "forward_validated"]

SHOWN = 32  # one of so many attempts is shown in forward validation: to predict far is what a law is for
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

    def predict(
        self, k: npt.ArrayLike, B: AtLeastOne = 200, seed: AtLeastZero = 0, confidence: float = 0.95
    ) -> Interval:
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
        confidence = inside(confidence, "confidence")
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


@typed()
def forward_validated(
    n: npt.ArrayLike,
    c: npt.ArrayLike,
    questions: Sequence[str] | None = None,
    repeats: AtLeastOne = 32,
    seed: AtLeastZero = 0,
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
    n, c = whole_numbers(n, "n", 0), whole_numbers(c, "c", 0)
    if len(n) != len(c) or (questions is not None and len(questions) != len(n)):
        raise MooInferError(f"n, c and questions: must be of the same questions, got {len(n)} n and {len(c)} c")
    names = [str(i) for i in range(len(n))] if questions is None else list(questions)
    names, n, c = [name for name, attempts in zip(names, n, strict=True) if attempts], n[n > 0], c[n > 0]
    largest = int(n.min(initial=2**31 - 1))
    if not len(n) or largest <= LEAST:
        raise MooInferError(
            f"a law of coverage needs at least {LEAST + 1} attempts at every question, got {largest if len(n) else 0}"
        )
    fitted = {law: law.fit(n, c) for law in laws}
    shown = max(largest // SHOWN, LEAST)
    k = spaced(shown + 1, largest)
    seen, rng = mean_pass_at_k(n, c, k), np.random.default_rng(seed)
    order = np.lexsort((c, n))  # so that a log whose rows come in another order is shown the same
    right = np.array([rng.hypergeometric(c[order], (n - c)[order], shown) for _ in range(repeats)])
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
