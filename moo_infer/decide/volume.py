"""How many queries a deployment serves in its life, and each one's share of what is paid once for all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from ..estimate.curves import Curve
from ..estimate.raised import raised
from ..profiles import ModelProfile

__all__ = ["Volume", "drawn_fixed_costs", "fixed_costs", "models_of"]

ONCE = "per_deployment"  # the field of a cost model that says what is paid once
MOST = 1e18  # queries: a hundred million a second for three centuries


@dataclass(frozen=True)
class Volume:
    """The number of queries over the life of a deployment; of a range its middle is taken, draws are uniform in it.

    Args:
        low, high: between which numbers of queries it is, from 1 to 1e18; equal where it is known.

    Raises:
        MooInferError: for numbers out of range or in the wrong order.

    >>> Volume.of("1e5..3e5").queries
    200000.0
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        for end in (self.low, self.high):
            if isinstance(end, bool) or not isinstance(end, int | float | np.number) or not 1 <= end <= MOST:
                raise MooInferError(f"volume: must be a number of queries from 1 to {MOST:g}, got {end!r:.80}")
        if self.low > self.high:
            raise MooInferError(f"volume: LOW..HIGH in this order, got {self.low:g}..{self.high:g}")

    @classmethod
    def of(cls, given: "Volume | float | str") -> "Volume":
        """Return the volume that a number or the text ``R`` or ``LOW..HIGH`` stands for."""
        if isinstance(given, Volume):
            return given
        if not isinstance(given, str):
            return cls(given, given)
        low, dots, high = given.partition("..")
        try:
            ends = float(low), float(high if dots else low)
        except ValueError:
            raise MooInferError(f"volume: must be a number of queries or LOW..HIGH, got {given!r:.80}") from None
        return cls(*ends)

    @property
    def queries(self) -> float:
        """The number, or the middle of the range."""
        return (self.low + self.high) / 2

    @property
    def uncertain(self) -> bool:
        """Whether it is a range."""
        return self.low < self.high

    def draw(self, B: int, seed: int = 0) -> FloatArray:
        """Draw B numbers of queries (B,), the same for all models."""
        return np.random.default_rng([seed, *b"volume"]).uniform(self.low, self.high, B)

    def spread(self, curves: Iterable[Curve], profiles: Iterable[ModelProfile]) -> list[Curve]:
        """Return curves of these models with each query's share of what those of a curve cost once."""
        named = {profile.name: profile for profile in profiles}
        once = [(curve, fixed_costs(models_of(curve, named))) for curve in curves]
        return [raised(curve, {name: cost / self.queries for name, cost in costs.items()}) for curve, costs in once]

    def shares(self, profiles: Iterable[ModelProfile], B: int, seed: int) -> dict[str, FloatArray]:
        """Return B draws (B,) of what `spread` adds, by objective."""
        queries = self.draw(B, seed)
        return {name: cost / queries for name, cost in drawn_fixed_costs(profiles, B, seed).items()}

    def to_dict(self) -> dict[str, float]:
        """Return the JSON form."""
        return {"queries": self.queries, "low": self.low, "high": self.high}


def fixed_costs(profiles: Iterable[ModelProfile]) -> dict[str, float]:
    """Return what the deployment of all these models takes once, by objective; none where nothing is paid once."""
    sums: dict[str, float] = {}
    for profile in profiles:
        for cost in profile.costs:
            if once := float(getattr(cost, ONCE, 0.0)):
                sums[cost.objective.name] = sums.get(cost.objective.name, 0.0) + once
    return sums


def drawn_fixed_costs(profiles: Iterable[ModelProfile], B: int, seed: int) -> dict[str, FloatArray]:
    """Return B draws (B,) of the same, those that figures at the same seed are drawn with."""
    sums: dict[str, FloatArray] = {}
    for profile in profiles:
        drawn = profile.draw(B, seed)
        for i, cost in enumerate(profile.costs):
            if hasattr(cost, ONCE):
                once = drawn.get(f"costs[{i}].{ONCE}", np.full(B, float(getattr(cost, ONCE))))
                sums[cost.objective.name] = sums.get(cost.objective.name, np.zeros(B)) + once
    return {name: once for name, once in sums.items() if once.any()}


def models_of(curve: Curve, profiles: Mapping[str, ModelProfile]) -> list[ModelProfile]:
    """Return the profiles of a curve, given by name: of its model, or of all models of a policy."""
    models = curve.courses[0].models if curve.courses else (curve.model,)
    return [profiles[model] for model in models if model in profiles]
