"""Uncertain numbers: how a profile states them, and draws of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray
from .errors import LARGEST_TOTAL, MooInferError, out_of_reach

__all__ = ["Uncertain", "uncertain"]


@dataclass(frozen=True)
class Uncertain:
    """How uncertain a number is: normal with a standard error around it, or anywhere between two bounds.

    Args:
        se: standard error, in the unit of the number, >= 0; draws are kept within what the field allows.
        low, high: both or none; uniform between them.

    Raises:
        MooInferError: for a negative or missing standard error, and for bounds in the wrong order.

    >>> Uncertain(low=1.0, high=3.0).draw(2.0, np.random.default_rng(0), 3).round(2).tolist()
    [2.27, 1.54, 1.08]
    """

    se: float | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if (self.se is None) != (len(bounds) == 2) or len(bounds) == 1:
            raise MooInferError(f"uncertainty must be a se, or low and high, got {self!r}")
        for name in ("se", "low", "high"):
            if getattr(self, name) is not None:
                _finite(getattr(self, name), f"uncertainty: {name}")
        if (self.se or 0) < 0:
            raise MooInferError(f"uncertainty: se: must be >= 0, got {self.se!r}")
        if bounds and bounds[0] > bounds[1]:
            raise MooInferError(f"uncertainty: low must be <= high, got {self.low!r} > {self.high!r}")

    def draw(
        self, value: float, rng: np.random.Generator, B: int, /, least: float = -math.inf, most: float = math.inf
    ) -> FloatArray:
        """Draw B values (B,) around `value`; the normal law is truncated to [least, most]."""
        if self.se is None:
            return rng.uniform(self.low or 0.0, self.high or 0.0, B)
        drawn = rng.normal(value, self.se, B)
        beyond = (drawn < least) | (drawn > most)
        if beyond.any():  # drawn anew from the normal law between the bounds
            from scipy.special import ndtr, ndtri

            low, high = ndtr((np.array([least, most]) - value) / self.se)
            u = low + (high - low) * rng.random(int(beyond.sum()))
            drawn[beyond] = np.clip(value + self.se * ndtri(u), least, most)
        return drawn


def uncertain(entries: Mapping[str, object]) -> dict[str, Uncertain]:
    """Return the uncertainties in a mapping of fields that were accepted, by field."""
    uncertainties = {}
    for key, value in entries.items():
        if isinstance(value, Mapping) and ("se" in value or "low" in value):
            uncertainties[key] = Uncertain(**{name: float(number) for name, number in value.items() if name != "value"})
    return uncertainties


def _finite(value: object, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool | np.bool_ | str) else float(value)  # type: ignore[arg-type]  # may fail
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise MooInferError(f"{where}: must be a finite number, got {value!r:.80}")
    if problem := out_of_reach(number, LARGEST_TOTAL):
        raise MooInferError(f"{where}: {problem}")
    return number
