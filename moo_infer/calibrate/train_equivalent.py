"""How much training would have brought what a prompting strategy brings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arguments import typed
from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from ..quantities.fieller import Estimate, fieller, student
from ..report.wording import Block, TextTable, to_html
from .regression import ROUNDING, Regression, numbers, regression

__all__ = ["ComputeTrend", "TrainEquivalent", "compute_trend"]

FEWEST = 3  # points; through two goes a line always, and nothing is known of their scatter


@dataclass(frozen=True)
class TrainEquivalent:
    """The training FLOP at which a family reaches a score, and what that is beside the FLOP that the model had.

    Args:
        trend: of the family.
        score: that is to be reached, of the model with the strategy.
        had: FLOP that the model was trained with.
        flops: FLOP at which the trend reaches the score.
        ratio: these over `had`.
        gain_only: exp(gain / slope): by which factor training has to grow for the gain alone, wherever the model itself
            stands beside the trend; None where no gain was given.
        told_apart: whether the interval of `flops` leaves out what the model had.
        gain_told_apart: whether the interval of `gain_only` leaves out 1; None without a gain.
        notes: where it extrapolates, and what else to know, in words.
    """

    trend: "ComputeTrend"
    score: float
    had: float
    flops: Estimate
    ratio: Estimate
    gain_only: Estimate | None
    told_apart: bool
    gain_told_apart: bool | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; an end of an interval that is not known is None."""
        return {
            "score": self.score,
            "had_flops": self.had,
            "flops": self.flops.to_dict(),
            "ratio": self.ratio.to_dict(),
            "gain_only": self.gain_only.to_dict() if self.gain_only else None,
            "told_apart": self.told_apart,
            "gain_told_apart": self.gain_told_apart,
            "trend": self.trend.to_dict(),
            "notes": list(self.notes),
        }

    def blocks(self) -> list[Block]:
        """What people read: a table, the trend behind it, and whether it is told apart from nothing."""
        level = f"{100 * self.trend.confidence:g} %"
        named = {"training FLOP": self.flops, "over what it had": self.ratio, "for the gain alone": self.gain_only}
        rows = tuple((name, f"{of.value:.4g}", _interval(of)) for name, of in named.items() if of)
        caption = f"Training that brings a score of {self.score:.4g} (the model had {self.had:.3g} FLOP):"
        verdict = [self.verdict]
        if self.gain_told_apart is not None:
            apart = "told apart from nothing" if self.gain_told_apart else "not told apart from nothing"
            verdict.append(f"The gain alone is {apart}.")
        notes = [f"{note}." for note in self.notes]
        return [TextTable(("", "", f"{level} interval"), rows, 1, caption), str(self.trend), *verdict, *notes]

    @property
    def verdict(self) -> str:
        """Whether it is more, or less, than what the model had, in a sentence."""
        if not self.told_apart:
            had = f"the interval holds the {self.had:.3g} FLOP that the model had"
            return f"Not told apart from nothing: {had}."
        return f"Told apart from nothing: {'more' if self.ratio.value > 1 else 'less'} training than the model had."

    def _repr_html_(self) -> str:
        return to_html(self.blocks())


@dataclass(frozen=True, eq=False)
class ComputeTrend:
    """How the score of a family of models grows with training: y = a + b ln F.

    Args:
        flops: (n,) training FLOP of the points.
        scores: (n,) of them.
        fit: coefficients ``intercept`` (a) and ``slope`` (b, per factor e of compute).
        noise: mean variance of a score by its items; 0 where it is not known.
    """

    flops: FloatArray
    scores: FloatArray
    fit: Regression
    noise: float

    def __str__(self) -> str:
        """Write the trend as a sentence."""
        a, b = self.fit["intercept"].value, self.fit["slope"].value
        line = f"{a:.6g} {'-' if b < 0 else '+'} {abs(b):.6g} ln F"
        return f"The trend: {line} over {self.fit.n} points, R2 {self.r2:.3f}."

    @property
    def intercept(self) -> float:
        """Score at one FLOP: a number of the formula, far away from all points."""
        return self.fit["intercept"].value

    @property
    def slope(self) -> float:
        """By how much the score grows when compute grows by the factor e."""
        return self.fit["slope"].value

    @property
    def r2(self) -> float:
        """Share of the variance of the scores that the trend explains."""
        return self.fit.r2

    @property
    def confidence(self) -> float:
        """Of all intervals."""
        return self.fit.confidence

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"flops": self.flops.tolist(), "scores": self.scores.tolist(), **self.fit.to_dict()}

    def equivalent(
        self, score: float, had: float, *, stderr: float = 0.0, gain: tuple[float, float] | None = None
    ) -> TrainEquivalent:
        """Ask with how much training the family reaches a score.

        Intervals are those of Fieller with Student's quantile of the fit. How far single scores are off the trend is
        the larger of the scatter of the points and of the noise of items, not their sum: points scatter by their items
        too. The gain is taken as independent of the slope.

        Args:
            score: of the model with the strategy.
            had: FLOP that it was trained with, > 0.
            stderr: of the score by its items, >= 0.
            gain: over the same model without the strategy, and its standard error, >= 0.

        Raises:
            MooInferError: where scores do not grow with compute, and where the answer lies further beyond the points
                than these span (by factors): there is nothing to tell that the line goes on so far.

        >>> trend = compute_trend([1e20, 1e21, 1e22, 1e23], [0.30, 0.36, 0.39, 0.45])
        >>> found = trend.equivalent(0.42, had=1e22, gain=(0.03, 0.01))
        >>> f"{found.flops.value:.3g} [{found.flops.low:.2g}, {found.flops.high:.2g}]", found.told_apart
        ('2.74e+22 [3.1e+21, 5.1e+23]', False)
        """
        score, stderr = (float(numbers([n], of)[0]) for n, of in ((score, "score"), (stderr, "stderr")))
        had = float(numbers([had], "had", positive=True)[0])
        of_gain = None if gain is None else numbers(gain, "gain", 2).tolist()
        if min(stderr, of_gain[1] if of_gain else 0.0) < 0:
            raise MooInferError("stderr: must be >= 0")
        x = np.log(self.flops)
        if self.slope * np.ptp(x) <= ROUNDING * np.abs(self.scores).max():
            raise MooInferError(
                f"no training is equivalent: scores of the family do not grow with compute (slope {self.slope:.3g})"
            )
        centre = float(x.mean())
        step = self._steps(
            score - float(self.scores.mean()), max(self._variance, stderr**2) + self._variance / self.fit.n
        )
        notes = self._beyond(centre + step.value, "the score is reached")
        flops = Estimate(*(centre + end for end in (step.value, step.low, step.high))).exp()
        ratio = Estimate(*(number / had for number in (flops.value, flops.low, flops.high)))
        gain_only = None
        if of_gain:
            more = self._steps(of_gain[0], of_gain[1] ** 2)
            notes += self._beyond(math.log(had) + more.value, "by the gain alone it is reached")
            gain_only = more.exp()
        gain_told_apart = None if gain_only is None else not gain_only.holds(1.0)
        notes += self._notes(had, flops)
        return TrainEquivalent(self, score, had, flops, ratio, gain_only, not flops.holds(had), gain_told_apart, notes)

    @property
    def _variance(self) -> float:
        """Of a score about the trend."""
        return max(self.fit.scatter**2, self.noise)

    def _steps(self, rise: float, variance: float) -> Estimate:
        """By how much ln F grows for a rise of the score that is known with a variance."""
        x = np.log(self.flops)
        of_slope = self._variance / float(((x - x.mean()) ** 2).sum())
        return fieller(rise, self.slope, (variance, of_slope), quantile=student(self.confidence, self.fit.freedom))

    def _beyond(self, at: float, what: str) -> tuple[str, ...]:
        """Say that ln F lies beyond the points, or refuse it."""
        first, last = math.log(self.flops.min()), math.log(self.flops.max())
        off, side = (at - last, "above") if at > last else (first - at, "below")
        if off > last - first:
            end = f"{math.exp(last if side == 'above' else first):.3g}"
            raise MooInferError(
                f"{what} a factor of 10^{off / math.log(10):.1f} {side} the points ({end} FLOP), further than these "
                f"span (10^{(last - first) / math.log(10):.1f}): the trend is not known there"
            )
        edge = "largest" if side == "above" else "smallest"
        return (
            (f"extrapolated: {what} {math.exp(off):.3g} times {side} the {edge} of the points",) if off > 1e-9 else ()
        )

    def _notes(self, had: float, flops: Estimate) -> tuple[str, ...]:
        """What to know of the model, of the points and of the ends of the interval."""
        low, high = float(self.flops.min()), float(self.flops.max())
        notes = []
        if not low <= had <= high:
            notes.append(f"the {had:.3g} FLOP that the model had lie beyond the points")
        if self._variance == 0:
            notes.append("the points lie on a line and have no standard errors, so no interval knows of their scatter")
        ends = ["lower"] * (flops.low < low / (high / low)) + ["upper"] * (flops.high / high > high / low)
        if flops.low == 0 and math.isinf(flops.high):
            notes.append("that the family grows with compute is not told apart from chance, so no end is known")
        elif ends:
            notes.append(f"far beyond the points, the {' and '.join(ends)} end of the interval is no forecast")
        return tuple(notes)


@typed()
def compute_trend(
    flops: Sequence[float] | FloatArray,
    scores: Sequence[float] | FloatArray,
    stderr: Sequence[float] | FloatArray | None = None,
    confidence: float = 0.95,
) -> ComputeTrend:
    """Fit the scores of a family by y = a + b ln F.

    Points are models of one family, trained alike and asked alike: checkpoints on the way of a schedule that lowers the
    learning rate at its end are worse than models trained to their end with as much compute.

    Args:
        flops: (n,) training FLOP, > 0, three different ones or more.
        scores: (n,) of the same base strategy.
        stderr: (n,) of scores by their items, >= 0; None where they are not known.
        confidence: of all intervals, in (0, 1).

    Raises:
        MooInferError: for fewer points, and for values that are not allowed.

    >>> trend = compute_trend([1e20, 1e21, 1e22, 1e23], [0.30, 0.36, 0.39, 0.45])
    >>> print(trend)
    The trend: -0.657 + 0.0208461 ln F over 4 points, R2 0.985.
    """
    F = numbers(flops, "flops", positive=True)
    y = numbers(scores, "scores", len(F))
    errors = np.zeros(len(F)) if stderr is None else numbers(stderr, "stderr", len(F))
    if (errors < 0).any():
        raise MooInferError(f"stderr: must be >= 0, got {errors.min()}")
    if (different := len(np.unique(F))) < FEWEST:
        raise MooInferError(f"a trend over compute needs at least {FEWEST} points with different FLOP, got {different}")
    fit = regression({"intercept": np.ones(len(F)), "slope": np.log(F)}, y, confidence)
    return ComputeTrend(F, y, fit, float((errors**2).mean()))


def _interval(of: Estimate) -> str:
    low, high = (f"{end:.3g}" if math.isfinite(end) else "unknown" for end in (of.low, of.high))
    return f"[{low}, {high}]"
