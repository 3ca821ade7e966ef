"""From a log and prices to what profiles are made of."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.errors import MooInferError, unknown
from ..core.parts import at_least_one
from ..pipeline import K_MAX
from ..quantities.samples import Samples
from ..read.log import Log
from ..read.price import Price
from ..report.wording import Block, to_html
from .beta_binomial import FittedBeta
from .bills import billed, drawn, fitted_part
from .estimates import Estimates, estimate
from .extrapolation import Extrapolated, extrapolated
from .fit_latency import Fitted
from .fits import fit_beta, fit_lognormal, fit_seconds
from .oddities import oddities
from .report import sentence, tabled

if TYPE_CHECKING:
    import polars

__all__ = ["CALLS", "INFERENCE", "Calibrated", "calibrated"]

BoolArray = npt.NDArray[np.bool_]

INFERENCE = ("empirical", "beta", "lognormal")
CALLS = {"at-once": "slowest-of-k", "slots": "slots", "sequential": "sequential"}  # and the part with fitted seconds
NOT_BEYOND = {
    "empirical": "no log can be drawn from beyond its samples",
    "lognormal": "lognormal takes all questions as equally hard, which no law of coverage does",
}
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
        wanted: the largest k that was asked for, or None.
        extrapolate_to: the largest k that may go beyond `largest_k`, or None.
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
    wanted: int | None
    extrapolate_to: int | None
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
        return [*tabled(self.estimates), *map(sentence, said), ""]

    def to_frame(self) -> "polars.DataFrame":
        """Return the estimates as a polars frame, a row a k; see `Estimates.to_frame`."""
        return self.estimates.to_frame()

    def _repr_html_(self) -> str:
        """What people read, for notebooks."""
        return to_html(self.blocks())

    @property
    def largest_k(self) -> int:
        """The largest k of the profile: the fewest scored samples of any question, or what was wanted."""
        return min(self.kept.scored.largest_k, self.wanted or self.kept.scored.largest_k)


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
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Calibrated]:
    """Describe every model of a log.

    Args:
        log: what was read.
        prices: by model, for input and output tokens; without them the log's ``cost_usd``, where it has that.
        inference: ``empirical``: the samples themselves; ``beta``: each question has its own probability to be solved;
            ``lognormal``: inferences are alike but for their lengths.
        calls: how k calls are made: ``at-once``, ``slots`` (P at a time) or ``sequential``.
        parallelism: P, >= 1.
        extrapolate: go beyond the fewest scored samples of any question, as far as a law of coverage holds; only with
            ``beta``. Where no law can be had, profiles end where the log does, and say why.
        min_samples: questions with fewer scored samples are left out.
        k_max: the largest k of estimates and profiles; where the log does not support it, that is said. Default
            what it supports, or 128 where k is extrapolated.
        on: the day that stands in the source; default today.
        B, seed: of the bootstrap behind the intervals.
        progress: told (done, total, the model) before every model.

    Raises:
        MooInferError: for unknown kinds, and where a model has no sample that counts.

    Warns:
        UserWarning: where a log supports no k as large as wanted, and where nothing can be extrapolated.
    """
    if inference not in INFERENCE:
        raise unknown("inference model", inference, INFERENCE)
    if calls not in CALLS:
        raise unknown("shape of calls", calls, CALLS)
    if extrapolate and inference != "beta":
        raise MooInferError(f"{NOT_BEYOND[inference]}; to extrapolate, fit beta")
    if parallelism != 1 and calls != "slots":
        raise MooInferError(f"parallelism is for calls in slots; {calls} makes no use of it")
    at_least_one(parallelism, "parallelism")
    at_least_one(min_samples, "min_samples")
    if k_max is not None:
        at_least_one(k_max, "k_max")
    day = (on or date.today()).isoformat()
    found = []
    models = log.samples()
    for done, samples in enumerate(models):
        if progress:
            progress(done, len(models), samples.model)
        source = f"{'; '.join(map(str, log.of(samples.model)))}; calibrated on {day}"
        notes: list[str] = []
        price = (prices or {}).get(samples.model)
        if price is not None:
            samples = billed(samples, price, notes)
        notes += oddities(samples)
        samples = _with_enough(samples, min_samples, notes)
        kept = _complete(samples, price is not None, notes)
        if price is not None:
            kept = drawn(kept)
        supported = kept.scored.largest_k
        K = k_max or (K_MAX if extrapolate else supported)
        outcome = extrapolated(samples, K, seed=seed) if extrapolate else None
        beyond = outcome if isinstance(outcome, Extrapolated) else None
        if isinstance(outcome, str):
            if supported < K:
                outcome += f"; k ends at {supported}"
                source += f"; {outcome}"
                warnings.warn(f"{samples.model}: {outcome}", stacklevel=2)
            notes.append(outcome)
        largest = K if beyond else min(K, supported)
        k = np.arange(1, min(samples.scored.largest_k, K) + 1)
        parts = _parts(kept, price, inference, calls, beyond.model if beyond else None, notes)
        if failed := int(np.isnan(samples.correct).sum()):
            source += f"; {failed} of {len(samples)} samples failed"
        if parallelism > largest:
            warnings.warn(
                f"{samples.model}: no multiple of P = {parallelism} is within k = {largest}; choose among all k with "
                "recommend --k-step 1",
                stacklevel=2,
            )
        found.append(
            Calibrated(
                samples,
                kept,
                estimate(samples, k, B=B, seed=seed),
                price,
                *parts,
                source=source if price is None else f"{source}; prices: {price.source}",
                parallelism=parallelism,
                wanted=k_max,
                extrapolate_to=K if beyond else None,
                beyond=beyond,
                notes=notes,
            )
        )
        if k_max is not None and k_max > supported and not extrapolate:
            warnings.warn(
                f"{samples.model}: k up to {k_max} is wanted, but the log supports k up to {supported}, the fewest "
                "samples of a question; --extrapolate (extrapolate=True) goes beyond",
                stacklevel=2,
            )
    return _compared(_comparable(found))


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
            f"k ends at {cut} because {short} of {len(samples.questions)} questions have fewer than the {usual} scored "
            f"samples that most have; --min-samples {usual} (min_samples={usual}) leaves these out"
        )
    return samples


def _complete(samples: Samples, priced: bool, notes: list[str]) -> Samples:
    """The samples, of which all is known that they took, as far as that can be; what was done is said.

    Few gaps among scored samples are filled with the mean of their question, so that accuracy stays what it is. Failed
    samples stay, so that who draws from them can say how many there are.
    """
    scored: BoolArray = np.isfinite(samples.correct)
    columns = {name: column for name, column in samples.columns.items() if name != "cost_usd" or not priced}
    for name in (*TOKENS, *TAKEN):
        if name not in columns:
            continue
        column, lacks = columns[name], scored & ~np.isfinite(columns[name])
        lacking, of = int(lacks.sum()), int(scored.sum())
        if lacking > GAPS * of:
            del columns[name]
            notes.append(f"{name} is not used: {lacking} of {of} scored samples lack it")
        elif lacking:
            known = scored & ~lacks
            count = np.bincount(samples.question[known], minlength=len(samples.questions))
            total = np.bincount(samples.question[known], column[known], len(samples.questions))
            mean = np.where(count > 0, total / np.maximum(count, 1), column[known].mean())
            mean = np.rint(mean) if name in TOKENS else mean
            columns[name] = np.where(lacks, mean[samples.question], column)
            notes.append(f"{lacking} of {of} scored samples lack {name}; the profile takes the mean of their question")
        elif not column[scored].any():
            notes.append(
                f"{name} is 0 in all {of} scored samples and is taken so; was it not known, leave the column out"
            )
    return replace(samples, columns=columns)


def _parts(
    kept: Samples, price: Price | None, inference: str, calls: str, law: FittedBeta | None, notes: list[str]
) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]:
    """The mappings of the inference model, and of a cost model for everything that samples took."""
    costs: dict[str, Mapping[str, Any]] = {}
    if price is not None and set(TOKENS) <= kept.columns.keys():
        costs["cost_usd"] = price.part if inference == "empirical" else fitted_part(price, kept)
    elif price is not None:
        notes.append("no dollars in the profile: prices need input_tokens and output_tokens")
    if inference == "empirical":
        logged = {
            "cost_usd": {"kind": "logged-cost"},
            "latency_s": {"kind": "logged-latency", "calls": calls},
            "energy_j": {"kind": "logged-energy"},
        }
        known = {name: part for name, part in logged.items() if name in kept.columns} | costs
        costs = {name: known[name] for name in TAKEN if name in known}
        return {"kind": "empirical", "model": kept.model}, costs
    for name in ("cost_usd", "energy_j"):
        if name in kept.columns and name not in costs:
            cure = "; give prices" if name == "cost_usd" else ""
            notes.append(f"{name} of the log is not in the profile, because a fitted model cannot draw it{cure}")
    fitted = fit_beta(kept, law) if inference == "beta" else fit_lognormal(kept)
    notes.append(f"{fitted.kind}: {fitted.about}")
    if {"latency_s", *TOKENS} <= kept.columns.keys():
        seconds = replace(fit_seconds(kept), kind=CALLS[calls])
        notes.append(f"{seconds.kind}: {seconds.about}")
        costs["latency_s"] = _mapping(seconds)
    return _mapping(fitted), costs


def _mapping(fitted: Fitted) -> dict[str, Any]:
    """The mapping of a fitted part, every number of it with its standard error, and the ratios as they are."""
    numbers = {
        name: {"value": float(f"{value:.6g}"), "se": float(f"{se:.3g}")}
        for name, (value, se) in fitted.parameters.items()
    }
    return fitted.part | numbers


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
        if not costs:
            notes.append("the profile has no costs: without prices, seconds or joules only accuracy can be limited")
        found.append(replace(model, costs=costs, notes=notes))
    return found


def _compared(models: list[Calibrated]) -> list[Calibrated]:
    """Models that answered different questions are told so: what differs may be the questions."""
    asked = [set(model.kept.scored.questions) for model in models]
    common = set.intersection(*asked) if asked else set()
    found = []
    for model, mine in zip(models, asked, strict=True):
        notes = list(model.notes)
        if others := len(mine - common):
            notes.append(f"{others} of its {len(mine)} questions were not put to all models, so compare with care")
        found.append(replace(model, notes=notes))
    return found
