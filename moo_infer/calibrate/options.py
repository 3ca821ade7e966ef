"""How profiles are made of a log."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.arguments import check_fields
from ..core.errors import MooInferError, unknown
from ..core.objectives import judged_objective
from ..core.parts import AtLeastOne, AtLeastZero, at_least_one
from .caps import TimeCap, TokenCap

__all__ = ["CALLS", "INFERENCE", "ProfileOptions"]

INFERENCE = ("empirical", "beta", "lognormal")
CALLS = {"at-once": "slowest-of-k", "slots": "slots", "sequential": "sequential"}  # and the part with fitted seconds
NOT_BEYOND = {
    "empirical": "no log can be drawn from beyond its samples",
    "lognormal": "lognormal takes all questions as equally hard, which no law of coverage does",
}


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """How profiles are made of a log.

    Args:
        inference: ``empirical``: the samples themselves; ``beta``: each question has its own probability to be solved;
            ``lognormal``: inferences are alike but for their lengths.
        calls: how k calls are made: ``at-once``, ``slots`` (P at a time) or ``sequential``.
        parallelism: P, >= 1; other than 1 only for ``slots``.
        extrapolate: go beyond the fewest scored samples of any question, as far as a law of coverage holds; only with
            ``beta``. Where no law can be had, profiles end where the log does, and say why.
        min_samples: questions with fewer scored samples are left out, >= 1.
        k_max: the largest k of estimates and profiles, >= 1; where the log does not support it, that is said. Default
            what it supports, or 128 where k is extrapolated.
        judged: other columns of the log by which answers are judged, and whether ``down`` or ``up`` is better; each is
            an objective of the profiles, which draw from the samples themselves (``empirical``).
        B: resamples of the bootstrap behind the intervals.
        seed: of that bootstrap.
        caps: on output tokens or on seconds; each makes a variant of every model, beside it. Only with ``empirical``,
            as no law is fitted to lengths that are cut, and those on seconds only with calls ``at-once``.

    Raises:
        MooInferError: for unknown kinds, numbers out of range, options that exclude each other, and a cap that is there
            twice.

    >>> ProfileOptions(extrapolate=True)
    Traceback (most recent call last):
        ...
    moo_infer.core.errors.MooInferError: no log can be drawn from beyond its samples; to extrapolate, fit beta
    """

    inference: str = "empirical"
    calls: str = "at-once"
    parallelism: int = 1
    extrapolate: bool = False
    min_samples: int = 1
    k_max: int | None = None
    judged: Mapping[str, str] = field(default_factory=dict)
    B: AtLeastOne = 1000
    seed: AtLeastZero = 0
    caps: tuple[TokenCap | TimeCap, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        if self.inference not in INFERENCE:
            raise unknown("inference model", self.inference, INFERENCE)
        if self.calls not in CALLS:
            raise unknown("shape of calls", self.calls, CALLS)
        if self.extrapolate and self.inference != "beta":
            raise MooInferError(f"{NOT_BEYOND[self.inference]}; to extrapolate, fit beta")
        for name, better in self.judged.items():
            judged_objective(name, better)
        if self.judged and self.inference != "empirical":
            raise MooInferError(
                f"judged: {', '.join(self.judged)}: a law says nothing of how else answers are judged; take empirical"
            )
        if self.parallelism != 1 and self.calls != "slots":
            raise MooInferError(f"parallelism is for calls in slots; {self.calls} makes no use of it")
        at_least_one(self.parallelism, "parallelism")
        at_least_one(self.min_samples, "min_samples")
        if self.k_max is not None:
            at_least_one(self.k_max, "k_max")
        self._check_caps()

    def _check_caps(self) -> None:
        names = [cap.name for cap in self.caps]
        if twice := [name for name in names if names.count(name) > 1]:
            raise MooInferError(f"{twice[0]} is there {names.count(twice[0])} times")
        if names and self.inference != "empirical":
            raise MooInferError(
                f"{names[0]}: no law is fitted to lengths that a cap cuts ({self.inference}); a variant with a cap "
                "draws from the log: empirical"
            )
        if self.calls != "at-once" and any(isinstance(cap, TimeCap) for cap in self.caps):
            raise MooInferError(
                f"max_seconds caps a run whose calls are made at once; with calls {self.calls} those that wait begin "
                "later"
            )
