"""From a log and prices to what profiles are made of."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError, unknown
from ..parts import at_least_one
from ..pipeline import K_MAX
from ..samples import Samples
from ..tables import Block
from .beyond import Extrapolated, extrapolated
from .estimates import Estimates, estimate
from .fits import fit_beta, fit_lognormal, fit_seconds
from .logs import Log
from .prices import Price
from .serving import Fitted
from .words import tabled

__all__ = ["CALLS", "INFERENCE", "Calibrated", "calibrated"]

BoolArray = npt.NDArray[np.bool_]

INFERENCE = ("empirical", "beta", "lognormal")
CALLS = {"at-once": "slowest-of-k", "slots": "slots", "sequential": "sequential"}  # and the part with fitted seconds
GAPS = 0.1  # share of the samples that may lack a number; with more, the number is not used
TOKENS = ("input_tokens", "output_tokens")
TAKEN = ("cost_usd", "latency_s", "energy_j")  # what samples took, each an objective


@dataclass(frozen=True, eq=False)
class Calibrated:
    """One model as a log and prices describe it.

    Args:
        samples: all samples of the log, with ``cost_usd`` from the prices where these are given.
        kept: those that the profile is made of.
        estimates: what they all say, with intervals.
        price: what its tokens cost, or None.
        inference: the mapping of its inference model, but for the file of the samples.
        costs: the mappings of its cost models, by the column of the log that they stand for.
        source: where the numbers come from, in words.
        parallelism: P, >= 1.
        extrapolate: whether k may go beyond `largest_k`.
        beyond: coverage beyond the samples, where that was asked for and can be said.
        notes: what was left out, and how well the fits fit, in words.
    """

    samples: Samples
    kept: Samples
    estimates: Estimates
    price: Price | None
    inference: Mapping[str, Any]
    costs: Mapping[str, Mapping[str, Any]]
    source: str
    parallelism: int
    extrapolate: bool
    beyond: Extrapolated | None
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: the estimates, and what the profile rests on."""
        price = None if self.price is None else {**self.price.part, "source": self.price.source}
        return self.estimates.to_dict() | {
            "largest_k": self.largest_k,
            "price": price,
            "inference": dict(self.inference),
            "costs": [dict(part) for part in self.costs.values()],
            "source": self.source,
            "extrapolated": None if self.beyond is None else self.beyond.to_dict(),
            "remarks": [*self.estimates.remarks(), *self.notes],
        }

    def blocks(self) -> list[Block]:
        """Return what people read: a table with intervals, and what to know about it."""
        said = [*(self.beyond.sentences() if self.beyond else []), *self.notes]
        return [*tabled(self.estimates), *(f"{note[0].upper()}{note[1:]}." for note in said), ""]

    @property
    def largest_k(self) -> int:
        """The largest k that the log supports: the fewest samples that count of any question."""
        return self.kept.largest_k


def calibrated(
    log: Log,
    prices: Mapping[str, Price] | None = None,
    *,
    inference: str = "empirical",
    calls: str = "at-once",
    parallelism: int = 1,
    extrapolate: bool = False,
    min_samples: int = 1,
    k_max: int | None = None,
    on: date | None = None,
    B: int = 1000,
    seed: int = 0,
) -> list[Calibrated]:
    """Describe every model of a log.

    Args:
        log: what was read.
        prices: by model, for input and output tokens; without them the log's ``cost_usd``, where it has that.
        inference: ``empirical``: the samples themselves; ``beta``: each question has its own probability to be solved;
            ``lognormal``: inferences are alike but for their lengths.
        calls: how k calls are made: ``at-once``, ``slots`` (P at a time) or ``sequential``.
        parallelism: P, >= 1.
        extrapolate: allow k beyond the fewest scored samples of any question; not with ``empirical``.
        min_samples: questions with fewer scored samples are left out.
        k_max: the largest k that is wanted; where the log does not support it, that is said. Default what it
            supports, or 128 where k is extrapolated.
        on: the day that stands in the source; default today.
        B, seed: of the bootstrap behind the intervals.

    Raises:
        MooInferError: for unknown kinds, and where a model has no sample that counts.

    Warns:
        UserWarning: where a log supports no k as large as wanted.
    """
    if inference not in INFERENCE:
        raise unknown("inference model", inference, INFERENCE)
    if calls not in CALLS:
        raise unknown("shape of calls", calls, CALLS)
    if extrapolate and inference == "empirical":
        raise MooInferError("no log can be drawn from beyond its samples; to extrapolate, fit beta or lognormal")
    at_least_one(parallelism, "parallelism")
    at_least_one(min_samples, "min_samples")
    if k_max is not None:
        at_least_one(k_max, "k_max")
    files = "; ".join(f"{s.file} (sha256 {s.sha256[:12]}, {s.rows} rows, {s.format})" for s in log.sources)
    source = f"{files}; calibrated on {(on or date.today()).isoformat()}"
    found = []
    for samples in log.samples():
        price = (prices or {}).get(samples.model)
        if price is not None:
            samples = _billed(samples, price)
        notes: list[str] = []
        samples = _with_enough(samples, min_samples, notes)
        kept = _complete(samples, notes)
        beyond = extrapolated(samples, k_max or K_MAX, seed=seed) if extrapolate else None
        if isinstance(beyond, str):
            notes.append(beyond)
        found.append(
            Calibrated(
                samples,
                kept,
                estimate(samples, B=B, seed=seed),
                price,
                *_parts(kept, price, inference, calls, notes),
                source=source if price is None else f"{source}; prices: {price.source}",
                parallelism=parallelism,
                extrapolate=extrapolate,
                beyond=beyond if isinstance(beyond, Extrapolated) else None,
                notes=notes,
            )
        )
        if k_max is not None and k_max > kept.largest_k and not extrapolate:
            warnings.warn(
                f"{samples.model}: k up to {k_max} is wanted, but the log supports k up to {kept.largest_k}, "
                "the fewest samples of a question; to go beyond, extrapolate",
                stacklevel=2,
            )
    return _comparable(found)


def _billed(samples: Samples, price: Price) -> Samples:
    """The samples with what their tokens cost."""
    if missing := [name for name in TOKENS if name not in samples.columns]:
        raise MooInferError(f"{samples.model}: has prices, but the log lacks {' and '.join(missing)}")
    billed = price.usd(*(samples[name] for name in TOKENS))
    return replace(samples, columns={**samples.columns, "cost_usd": billed})


def _with_enough(samples: Samples, least: int, notes: list[str]) -> Samples:
    """The questions with enough scored samples; which questions cut the range of k for all others is said."""
    scored = samples.scored
    if not len(scored):
        raise MooInferError(f"{samples.model}: none of the {len(samples)} samples is right or wrong")
    number = np.bincount(samples.question, np.isfinite(samples.correct), len(samples.questions)).astype(np.int64)
    few = number < least
    if few.all():
        raise MooInferError(
            f"{samples.model}: no question has {least} scored samples, the most that one has is {number.max()}"
        )
    if least > 1 and few.any():
        notes.append(f"{few.sum()} of {len(few)} questions are left out, with fewer than {least} scored samples")
        samples = samples.where(~few[samples.question])
    usual = int(np.median(number[number >= max(least, 1)]))
    if (cut := samples.scored.largest_k) < usual:
        short = int((number[number >= max(least, 1)] < usual).sum())
        notes.append(
            f"k ends at {cut} because {short} of {len(samples.questions)} questions have fewer than {usual} scored "
            f"samples, as most have; min_samples = {usual} leaves these out"
        )
    return samples


def _complete(samples: Samples, notes: list[str]) -> Samples:
    """The scored samples of which all is known that the others took; what is left out is said."""
    kept = samples.scored
    unused = set()
    complete: BoolArray = np.ones(len(kept), dtype=bool)
    for name in (*TOKENS, *TAKEN):
        if name in kept.columns and not (known := np.isfinite(kept[name])).all():
            lacking = int((~known).sum())
            if lacking > GAPS * len(kept):
                unused.add(name)
                notes.append(f"{name} is not used: {lacking} of {len(kept)} samples lack it")
            else:
                complete &= known
                notes.append(f"{lacking} of {len(kept)} samples are left out of the profile, for want of {name}")
    columns = {name: column for name, column in kept.columns.items() if name not in unused}
    kept = replace(kept, columns=columns).where(complete)
    if not len(kept):
        raise MooInferError(f"{samples.model}: no sample is left: {'; '.join(notes)}")
    return kept


def _parts(
    kept: Samples, price: Price | None, inference: str, calls: str, notes: list[str]
) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]:
    """The mappings of the inference model, and of a cost model for everything that samples took."""
    costs: dict[str, Mapping[str, Any]] = {}
    if price is not None and set(TOKENS) <= kept.columns.keys():
        costs["cost_usd"] = price.part
    if inference == "empirical":
        logged = {
            "cost_usd": {"kind": "logged-cost"},
            "latency_s": {"kind": "logged-latency", "calls": calls},
            "energy_j": {"kind": "logged-energy"},
        }
        costs = {name: part for name, part in logged.items() if name in kept.columns} | costs
        return {"kind": "empirical", "model": kept.model}, costs
    fitted = fit_beta(kept) if inference == "beta" else fit_lognormal(kept)
    notes.append(f"{fitted.kind}: {fitted.about}")
    if {"latency_s", *TOKENS} <= kept.columns.keys():
        seconds = replace(fit_seconds(kept), kind=CALLS[calls])
        notes.append(f"{seconds.kind}: {seconds.about}")
        costs["latency_s"] = _mapping(seconds)
    return _mapping(fitted), costs


def _mapping(fitted: Fitted) -> dict[str, Any]:
    """The mapping of a fitted part, every number with its standard error."""
    numbers = {
        name: {"value": float(f"{value:.6g}"), "se": float(f"{se:.3g}")}
        for name, (value, se) in fitted.parameters.items()
    }
    return {"kind": fitted.kind, **numbers}


def _comparable(models: list[Calibrated]) -> list[Calibrated]:
    """Models in the same objectives: what one of them lacks is left out of all, and said."""
    every = {name for model in models for name in model.costs}
    common = {name for name in every if all(name in model.costs for model in models)}
    found = []
    for model in models:
        notes = list(model.notes)
        for name in sorted(every - common):
            without = [other.kept.model for other in models if name not in other.costs]
            notes.append(f"{name} is left out, because it is not known for {', '.join(without)}")
        costs = {name: part for name, part in model.costs.items() if name in common}
        found.append(replace(model, costs=costs, notes=notes))
    return found
