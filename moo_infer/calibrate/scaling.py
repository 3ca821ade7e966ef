"""An accuracy curve beyond its largest k: by the law that predicts it best from its smaller k."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.arguments import typed
from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError
from ..core.numeric import numbers_of
from ..core.parts import AtLeastOne, AtLeastZero, at_least_one, inside
from ..quantities.bootstrap import QuestionDraws
from .coverage_laws import BetaBinomial, ExponentiatedPowerLaw
from .intervals import Interval
from .scaling_laws import POINTS, ScalingLaw
from .vote_laws import BetaVote, MixedVote

__all__ = ["SCALING_LAWS", "VOTE_LAWS", "AccuracyCurve", "ScalingFit", "fit_scaling"]

VOTE_LAWS: tuple[type[ScalingLaw], ...] = (BetaVote, MixedVote)
SCALING_LAWS: tuple[type[ScalingLaw], ...] = (BetaBinomial, ExponentiatedPowerLaw, *VOTE_LAWS)
STAYS = "stays-as-it-is"  # the last value that is shown, with which laws are compared
ORIGINS = (8, 4, 2)  # laws are shown a curve up to its largest k over each of these
FEWEST = 4  # values of k that are shown: one more than a law has numbers, or a vote of 2 is one of 1
MOST = 1e15  # of k: floats below 2^53 are whole numbers
REACH = 4.0  # how many times the largest k a law is asked for: the part in the middle was shown as little


@dataclass(frozen=True, eq=False)
class AccuracyCurve:
    """An accuracy measured at several k.

    Args:
        k: (m,), whole numbers, ascending, >= 1.
        accuracy: (m,) means, or (Q, m) by question, in [0, 1].
        stderr: (m,) standard errors of means, >= 0, or None. As all k are asked about the same questions, errors are
            taken to move together, all up or all down.
        questions: Q names, which key the bootstrap; None for their numbers.

    Raises:
        MooInferError: for shapes that do not fit and numbers out of range.

    >>> AccuracyCurve([1, 2, 4], [[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]]).mean
    array([0.5 , 0.75, 1.  ])
    """

    k: IntArray
    accuracy: FloatArray
    stderr: FloatArray | None = None
    questions: Sequence[str] | None = None

    def __post_init__(self) -> None:
        k, accuracy = _whole(self.k), numbers_of(self.accuracy, "accuracy").copy()
        if not k.size or (np.diff(k) <= 0).any():
            raise MooInferError(f"k: must be ascending, at least one, got {np.array2string(k):.80}")
        if accuracy.ndim not in (1, 2) or accuracy.shape[-1] != len(k) or not accuracy.size:
            raise MooInferError(f"accuracy: must be (m,) or (Q, m) with m = {len(k)} like k, got {accuracy.shape}")
        if not ((accuracy >= 0) & (accuracy <= 1)).all():
            raise MooInferError("accuracy: must be in [0, 1] at every k; leave out k that not all questions have")
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "accuracy", accuracy)
        self._check_errors(accuracy)

    def _check_errors(self, accuracy: FloatArray) -> None:
        if accuracy.ndim == 1 and self.questions is not None:
            raise MooInferError("questions: are for accuracies by question, (Q, m), got (m,)")
        if accuracy.ndim == 2 and self.questions is not None and len(self.questions) != len(accuracy):
            raise MooInferError(f"questions: must be {len(accuracy)} names like the rows, got {len(self.questions)}")
        if self.stderr is None:
            return
        stderr = numbers_of(self.stderr, "stderr").copy()
        if accuracy.ndim == 2:
            raise MooInferError("stderr: is for means, (m,); accuracies by question bring their own")
        if stderr.shape != accuracy.shape or not (np.isfinite(stderr) & (stderr >= 0)).all():
            raise MooInferError(f"stderr: must be {accuracy.size} finite numbers >= 0, got {stderr.tolist()!r:.80}")
        object.__setattr__(self, "stderr", stderr)

    @property
    def mean(self) -> FloatArray:
        """(m,) means."""
        return self.accuracy if self.accuracy.ndim == 1 else self.accuracy.mean(axis=0)

    @property
    def digest(self) -> str:
        """SHA-256 of all that it holds, to the last bit."""
        arrays = [self.k, self.accuracy, np.zeros(0) if self.stderr is None else self.stderr]
        parts = [part for array in arrays for part in (str(array.shape).encode(), array.astype("<f8").tobytes())]
        names = repr(None if self.questions is None else list(self.questions)).encode("utf-8", "surrogatepass")
        return sha256(b"\0".join([*parts, names])).hexdigest()

    def draws(self, B: int, seed: int) -> FloatArray:
        """Return B curves (B, m) that might have been measured as well; none where no error is known."""
        if self.accuracy.ndim == 2 and len(self.accuracy) > 1:
            names = [str(i) for i in range(len(self.accuracy))] if self.questions is None else self.questions
            return QuestionDraws(names, B, seed).shares(self.accuracy)
        if self.stderr is None:
            return np.empty((0, len(self.k)))
        if seed < 0:
            raise MooInferError(f"seed: must be >= 0, got {seed}")
        z = np.random.default_rng([seed, *b"scaling"]).standard_normal((at_least_one(B, "B"), 1))
        return np.clip(self.mean + z * self.stderr, 0.0, 1.0)

    def thinned(self) -> IntArray:
        """Return the places of up to 30 log-spaced k."""
        wanted = np.geomspace(self.k[0], self.k[-1], POINTS)
        return np.unique(np.abs(np.log(self.k[:, None] / wanted)).argmin(axis=0))


@dataclass(frozen=True)
class ScalingFit:
    """The law that predicted best what was hidden from it, fitted to the whole curve.

    Args:
        law: fitted to the means.
        errors: RMSE of the accuracy in forward validation by the name of the law, and of `stays-as-it-is`.
        shown: the largest k of each part of the curve that laws were fitted to in validation.
        smallest, largest: between which k the curve was measured.
        draws: the same kind of law, fitted to curves that might have been measured as well; none where no error of the
            curve is known.
    """

    law: ScalingLaw
    errors: Mapping[str, float]
    shown: tuple[int, ...]
    smallest: int
    largest: int
    draws: tuple[ScalingLaw, ...] = field(default=(), repr=False)

    @property
    def helps(self) -> bool:
        """Whether the law predicted better than that the accuracy stays as it is."""
        return self.errors[self.law.name] < self.errors[STAYS]

    def accuracy(self, k: npt.ArrayLike, reach: float = REACH) -> FloatArray:
        """Return the accuracy (m,) at k (m,), >= 1, within the reach of what was measured.

        Args:
            k: (m,).
            reach: how many times k may lie above the largest, or below the smallest, that was measured, >= 1.

        Raises:
            MooInferError: for k beyond that, and what is no k.
        """
        k = _whole(k)
        if isinstance(reach, bool) or not isinstance(reach, int | float | np.number) or not reach >= 1:
            raise MooInferError(f"reach: must be >= 1, got {reach!r:.80}")
        for far, end in ((k > reach * self.largest, self.largest), (k * reach < self.smallest, self.smallest)):
            if far.any():
                raise MooInferError(
                    f"k = {k[far][-1]} is too far from what was measured, k = {self.smallest} to {self.largest}: the "
                    f"law is asked within {reach:g} times k = {end}; a larger reach goes further"
                )
        return self.law.predict(k)

    def predict(self, k: npt.ArrayLike, reach: float = REACH, confidence: float = 0.95) -> Interval:
        """Return the accuracy at k with its interval, for other questions; NaN where no interval is known.

        That the law may be wrong beyond the data is not in the interval. Arguments and errors are those of `accuracy`.

        Args:
            k, reach: as there.
            confidence: of the interval, in (0, 1).
        """
        value, confidence = self.accuracy(k, reach), inside(confidence, "confidence")
        if not self.draws:
            return Interval(value, *np.full((3, *value.shape), np.nan))
        drawn = np.array([law.predict(_whole(k)) for law in self.draws])
        low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        return Interval(value, np.minimum(low, value), np.maximum(high, value), drawn.std(axis=0))

    def __str__(self) -> str:
        """Return the law and its error, beside those of the others, in words."""
        others = ", ".join(f"{name} {error:.4f}" for name, error in self.errors.items() if name != self.law.name)
        no_better = "" if self.helps else ", which is no better than that the accuracy stays as it is"
        unknown = "" if self.draws else "; no interval is known, as no error of the curve is"
        return (
            f"{self.law.name}, {self.law}: fitted to k up to {', '.join(map(str, self.shown))} of {self.largest} it "
            f"predicts the rest with an RMSE of {self.errors[self.law.name]:.4f}{no_better} ({others}){unknown}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without the draws."""
        return {
            "law": self.law.name,
            "formula": str(self.law),
            "numbers": list(self.law.numbers),
            "limit": self.law.limit,
            "fitted_to": list(self.shown),
            "measured": [self.smallest, self.largest],
            "rmse": dict(self.errors),
            "helps": self.helps,
        }


@typed()
def fit_scaling(
    curve: AccuracyCurve, laws: Sequence[type[ScalingLaw]] = SCALING_LAWS, B: AtLeastOne = 100, seed: AtLeastZero = 0
) -> ScalingFit:
    """Choose the law that predicts the large k of a curve best from its small ones, and fit it to all.

    Forward validation: laws are fitted to the curve up to an eighth, a fourth and half of its largest k, as far as that
    leaves four values of k, and predict the rest. The one with the smallest root mean square error is fitted to the
    whole curve. For pass@k of a log `forward_validated` is better, which reads counts and not only their curve.

    Args:
        curve: what was measured.
        laws: to choose from; `VOTE_LAWS` where the curve is that of a vote, which need not come to 1.
        B: draws for the interval, >= 1.
        seed: of these, >= 0.

    Raises:
        MooInferError: for curves with too few k to hide some, and where nothing is right at any k.

    >>> k = np.arange(1, 33)
    >>> found = fit_scaling(AccuracyCurve(k, MixedVote((0.85, 0.4), (0.6, 0.4)).predict(k)))
    >>> found.law.name, found.accuracy([101]).round(2), round(found.law.limit, 2)
    ('mixed-vote', array([0.61]), 0.6)
    """
    if not laws or not all(isinstance(law, type) and issubclass(law, ScalingLaw) for law in laws):
        raise MooInferError(f"laws: must be at least one class of laws, got {laws!r:.80}")
    if len({law.name for law in laws}) < len(laws):
        raise MooInferError("laws: must have different names")
    places = curve.thinned()
    k, mean = curve.k[places], curve.mean[places]
    if not mean.any():
        raise MooInferError("accuracy: a law needs a right answer at some k, got none")
    cuts = [k <= k[-1] / part for part in ORIGINS]
    shown = [cut for cut in cuts if cut.sum() >= FEWEST]
    if not shown:
        raise MooInferError(
            f"k: a law needs at least {FEWEST} values up to half of the largest, {k[-1]}, got {cuts[-1].sum()}"
        )
    squares = {law.name: [_square(law.through(k[s], mean[s]).predict(k[~s]), mean[~s]) for s in shown] for law in laws}
    squares[STAYS] = [_square(mean[s][-1], mean[~s]) for s in shown]
    errors = {name: float(np.mean(of_parts) ** 0.5) for name, of_parts in squares.items()}
    best = min(laws, key=lambda law: errors[law.name])
    law = best.through(k, mean)
    draws = tuple(law.refitted(k, drawn) for drawn in curve.draws(B, seed)[:, places])
    return ScalingFit(law, errors, tuple(int(k[s][-1]) for s in shown), int(curve.k[0]), int(curve.k[-1]), draws)


def _whole(k: npt.ArrayLike) -> IntArray:
    """Numbers k (m,) as integers; raises MooInferError for what is none."""
    given = np.atleast_1d(numbers_of(k, "k"))
    if given.ndim != 1 or not ((given >= 1) & (given <= MOST) & (given == np.floor(given))).all():
        raise MooInferError(f"k: must be whole numbers >= 1, got {np.array2string(given):.80}")
    return given.astype(np.int64)


def _square(predicted: FloatArray | np.floating[Any], seen: FloatArray) -> float:
    return float(np.mean((predicted - seen) ** 2))
