"""Model profiles and scenarios."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar, Literal, Never

import numpy as np

from .core.arguments import check_fields
from .core.arrays import FloatArray
from .core.call_settings import CallSettings
from .core.errors import MooInferError, unknown
from .core.objectives import Limit, Objective
from .core.parts import at_least_one, bounds, check
from .core.uncertainty import Uncertain
from .interfaces import CostModel, InferenceModel
from .quantities.queries import Queries

__all__ = ["ModelProfile", "NotMeasured", "Scenario", "refuse_not_measured"]

CAP = "max_tokens"  # the limit of output tokens of a request: of the lengths, and of the bill


@dataclass(frozen=True)
class NotMeasured(InferenceModel):
    """The inference model of a profile that says how a model is called, and not what its answers are worth.

    Args:
        profile: the name of the profile.

    >>> NotMeasured("small").queries()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: small has no inference model: moo-infer sample makes a first log of it, ...
    """

    name: ClassVar[str] = "not-measured"

    profile: str = ""

    def queries(self) -> Never:
        """Raise MooInferError: nothing is known of them."""
        raise MooInferError(not_measured([self.profile]))

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Never:
        """Raise MooInferError: nothing can be drawn."""
        raise MooInferError(not_measured([self.profile]))


def not_measured(names: Sequence[str], others: Sequence[str] = ()) -> str:
    """Return the sentence about profiles without an inference model, and what to name in their place."""
    have = "has" if len(names) == 1 else "have"
    those = f"; those that have one: {' '.join(f'--model {quote(name)}' for name in others)}" if others else ""
    return (
        f"{', '.join(names)} {have} no inference model: moo-infer sample makes a first log of it, and calibrate a "
        f"profile{those}"
    )


def refuse_not_measured(profiles: Sequence["ModelProfile"], known: Iterable["ModelProfile"] = ()) -> None:
    """Raise MooInferError where nothing is known of the inferences of some of the profiles, naming the others.

    Args:
        profiles: those that a decision is about.
        known: all that there are.
    """
    if names := [profile.name for profile in profiles if not profile.measured]:
        among = [profile for profile in profiles if profile.measured] or known
        raise MooInferError(not_measured(names, [profile.name for profile in among if profile.measured]))


@dataclass(frozen=True, eq=False)
class ModelProfile:
    """A named deployment of a model: its inference model, its cost models, and where the numbers come from.

    Args:
        name: what reports call it.
        inference: its inference model.
        costs: its cost models; those of the same objective add up. Where they take `max_tokens` and have none, they get
            that of the inference model: a request has one limit of output tokens.
        parallelism: P, how many inferences run at a time, >= 1.
        source: where the numbers come from, in words.
        largest_k: the largest number of inferences of one query that the source supports, >= 1; None where it says
            nothing of that.
        extrapolate_to: the largest number beyond it that is offered all the same; reports mark every such choice.
        uncertain: how uncertain numbers are, by their path: ``inference.accuracy_mean``,
            ``costs[0].usd_per_output_token``.
        call: how the model is called, which no decision reads. A profile may have it in place of an inference model;
            decisions about it are refused then. Where it names no model, that is the profile's name without variant.
        variant: the variant of the model that this is, where `name` is ``model/variant``; "" for none.

    Raises:
        MooInferError: for a part that is none, or whose fields are out of range, for a cost model with another
            `max_tokens` than the inference model's, and where there is neither an inference model nor a call.

    >>> from moo_infer.builtin.costs import LinearCost
    >>> from moo_infer.builtin.inference import Gaussian
    >>> ModelProfile("mine", Gaussian(1000, 50, 500, 100, 0.8, 0.1), [LinearCost(1e-6, -1e-6)])
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: mine: costs[0]: linear-cost: usd_per_output_token: must be >= 0, got -1e-06
    """

    name: str
    inference: InferenceModel = field(default_factory=NotMeasured)
    costs: tuple[CostModel, ...] = ()
    parallelism: int = 1
    source: str = ""
    largest_k: int | None = None
    extrapolate_to: int | None = None
    uncertain: Mapping[str, Uncertain] = field(default_factory=dict)
    call: CallSettings | None = None
    variant: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise MooInferError(f"a model profile needs a name, got {self.name!r}")
        self._check_call()
        check_fields(self, self.name, ("source", "uncertain"))
        check(self.inference, InferenceModel, f"{self.name}: inference")
        if not isinstance(self.costs, list | tuple):
            raise MooInferError(f"{self.name}: costs: must be a list of cost models, got {self.costs!r}")
        object.__setattr__(self, "costs", tuple(self.costs))
        for i, cost in enumerate(self.costs):
            check(cost, CostModel, f"{self.name}: costs[{i}]")
            if not isinstance(cost.objective, Objective):
                raise MooInferError(f"{self.name}: costs[{i}]: {cost.name}: needs an Objective, got {cost.objective!r}")
        self._refuse_paid_twice()
        capped = (self._capped(cost, f"{self.name}: costs[{i}]: {cost.name}") for i, cost in enumerate(self.costs))
        object.__setattr__(self, "costs", tuple(capped))
        at_least_one(self.parallelism, f"{self.name}: parallelism")
        for name in ("largest_k", "extrapolate_to"):
            if getattr(self, name) is not None:
                at_least_one(getattr(self, name), f"{self.name}: {name}")
        if self.extrapolate_to is not None and self.extrapolate_to <= (self.largest_k or self.extrapolate_to):
            least = "needs largest_k" if self.largest_k is None else f"must be above largest_k = {self.largest_k}"
            raise MooInferError(f"{self.name}: extrapolate_to: {least}, got {self.extrapolate_to}")
        for path in self.uncertain:
            try:
                i, name = self._place(path)
                bounds(type(self._parts[i]), name)
            except MooInferError as error:
                raise MooInferError(f"{self.name}: uncertain: {path}: {error}") from None

    def _refuse_paid_twice(self) -> None:
        """Refuse a GPU that is paid for as a whole and by the hour."""
        reserved = [cost.name for cost in self.costs if getattr(cost, "reserved_gpu", False)]
        by_hour = [cost.name for cost in self.costs if hasattr(cost, "usd_per_gpu_hour")]
        if reserved and by_hour:
            raise MooInferError(
                f"{self.name}: costs: {reserved[0]} with reserved_gpu pays for the GPU, and so does {by_hour[0]} by "
                "the hour; give one of them"
            )

    def _check_call(self) -> None:
        """Check how the model is called, and say of it what the profile is called."""
        if not isinstance(self.variant, str) or (self.variant and not self.name[1:].endswith(f"/{self.variant}")):
            raise MooInferError(
                f"{self.name}: variant: must be the end of the name, after a /, got {self.variant!r:.80}"
            )
        if isinstance(self.inference, NotMeasured):
            object.__setattr__(self, "inference", NotMeasured(self.name))
            if self.call is None:
                raise MooInferError(f"{self.name}: needs an inference model, or a call")
        if self.call is None:
            return
        if not isinstance(self.call, CallSettings):
            raise MooInferError(f"{self.name}: call: must be a CallSettings object, got {type(self.call).__name__}")
        object.__setattr__(self, "call", self.call if self.call.model else replace(self.call, model=self.model))

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # copies ask for their own queries

    @property
    def model(self) -> str:
        """The name without the variant."""
        return self.name.removesuffix(f"/{self.variant}") if self.variant else self.name

    @property
    def measured(self) -> bool:
        """Whether anything is known of its inferences."""
        return not isinstance(self.inference, NotMeasured)

    @cached_property
    def queries(self) -> Queries:
        """The queries of the inference model, asked for once."""
        return self.inference.queries()

    def draw(self, B: int, seed: int = 0) -> dict[str, FloatArray]:
        """Draw B values (B,) of every uncertain number, by path; models draw independently of each other."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        drawn = {}
        for path, uncertainty in self.uncertain.items():
            i, name = self._place(path)
            part = self._parts[i]
            drawn[path] = uncertainty.draw(getattr(part, name), rng, B, *bounds(type(part), name))
        return drawn

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form of its parts and their numbers; what JSON does not know is shown as text."""
        listed = {path: {k: v for k, v in asdict(of).items() if v is not None} for path, of in self.uncertain.items()}
        return {
            "parallelism": self.parallelism,
            "inference": _to_dict(self.inference) if self.measured else None,
            "costs": [_to_dict(cost) for cost in self.costs],
            **({"uncertain": listed} if listed else {}),
        }

    def with_values(self, values: Mapping[str, Any]) -> "ModelProfile":
        """Return the profile with other numbers, by path; what `draw` gave is taken as it is, (B, 1) arrays too."""
        changes: list[dict[str, Any]] = [{} for _ in self._parts]
        for path, value in values.items():
            i, name = self._place(path)
            changes[i][name] = value
        if CAP in changes[0]:  # the parts that have one have that of the inference model
            for part, change in zip(self.costs, changes[1:], strict=True):
                if getattr(part, CAP, None) is not None:
                    change[CAP] = changes[0][CAP]
        replaced = [replace(p, **change) if change else p for p, change in zip(self._parts, changes, strict=True)]
        profile = copy(self)  # not made anew: arrays would not pass the checks of numbers
        object.__setattr__(profile, "inference", replaced[0])
        object.__setattr__(profile, "costs", tuple(replaced[1:]))
        return profile

    def with_inference(self, inference: InferenceModel) -> "ModelProfile":
        """Return the profile with another inference model, taken as it is."""
        profile = copy(self)
        object.__setattr__(profile, "inference", inference)
        return profile

    def _capped(self, cost: CostModel, where: str) -> CostModel:
        """A cost model with the limit of output tokens that the inference model has."""
        part: Any = cost
        cap, own = getattr(self.inference, CAP, None), getattr(part, CAP, None)
        if cap is None or own == cap or not hasattr(part, CAP):
            return cost
        if own is not None:
            raise MooInferError(f"{where}: {CAP}: must be {cap:g} as in the inference model, or absent, got {own:g}")
        capped: CostModel = replace(part, **{CAP: cap})
        return capped

    @property
    def _parts(self) -> list[Any]:
        return [self.inference, *self.costs]

    def _place(self, path: str) -> tuple[int, str]:
        """Return the number of the part and the field of a path."""
        owner, _, name = path.partition(".")
        part_names = ["inference", *(f"costs[{i}]" for i in range(len(self.costs)))]
        if owner not in part_names:
            raise unknown("part", owner, part_names)
        return part_names.index(owner), name


def _to_dict(part: Any) -> dict[str, Any]:
    numbers = {f.name: _plain(getattr(part, f.name)) for f in fields(part)} if is_dataclass(part) else {}
    return {"kind": part.name, **numbers}


def _plain(value: object) -> Any:
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Objective):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, Path):  # by one name from wherever it is reached
        return os.path.normpath(value)
    return str(value) if isinstance(value, float) else f"{value!r:.200}"


@dataclass(frozen=True)
class Scenario:
    """A name and limits.

    Args:
        name: what reports call it.
        max: the largest acceptable value by objective, in its unit.
        min: the smallest acceptable value by objective, in its unit.
        source: where the limits come from, in words.

        A value limits the mean, as in the paper; ``{"p95": 2.0}`` limits a quantile over trials.

    Raises:
        MooInferError: for limits that are not finite numbers.

    >>> scenario = Scenario("chat", max={"cost": 0.01, "latency": {"p95": 2.0}}, min={"accuracy": 0.9})
    >>> print(*scenario.limits, sep=", ")
    cost <= 0.01, p95 latency <= 2, accuracy >= 0.9
    """

    name: str
    max: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict)
    min: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise MooInferError(f"a scenario needs a name, got {self.name!r}")
        check_fields(self, self.name, ("source",))
        try:
            _ = self.limits
        except MooInferError as error:
            raise MooInferError(f"{self.name}: {error}") from None

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits, those of `max` first."""
        return (*_limits(self.max, "max"), *_limits(self.min, "min"))


def _limits(entries: Mapping[str, Any], sense: Literal["max", "min"]) -> Iterator[Limit]:
    if not isinstance(entries, Mapping):
        raise MooInferError(f"{sense}: must be a mapping of objectives to limits, got {entries!r}")
    for objective, worst in entries.items():
        if not isinstance(objective, str):
            raise MooInferError(f"{sense}: objectives are names, got {objective!r}")
        if isinstance(worst, Mapping) and not worst:
            raise MooInferError(f"{sense}: {objective}: must be a number, or quantiles such as p95, got nothing")
        statistics = worst if isinstance(worst, Mapping) else {"mean": worst}
        for statistic, value in statistics.items():
            yield Limit(objective, _number(value), sense, str(statistic))


def _number(value: Any) -> Any:
    """Read text such as 1e-3, which YAML does not take for a number; everything else is left for the check."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
