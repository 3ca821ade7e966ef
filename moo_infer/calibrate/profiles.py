"""From a log and prices to what profiles are made of."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arguments import typed
from ..core.call_settings import CallSettings
from ..core.errors import MooInferError
from ..pipeline import K_MAX
from ..profiles import ModelProfile
from ..quantities.provenance import NO_SPREAD
from ..quantities.queries import Doubt
from ..quantities.samples import Samples
from ..read.log import Log
from ..read.log_parts import LogParts
from ..read.price import Price
from ..report.wording import Block, to_html
from .alike import comparable, compared
from .beta_binomial import BetaFit
from .bills import billed, drawn, fitted_part
from .caps import Capped, TimeCap, TokenCap
from .carried import Carried, Measured
from .cleaning import TAKEN, TOKENS, complete, with_enough
from .extrapolation import Extrapolation, extrapolated
from .fits import fit_beta, fit_lognormal, fit_seconds
from .judged import JudgedSummary, judged_alike, judged_summaries, refuse_unread
from .log_summary import LogSummary, summarise
from .oddities import oddities
from .options import CALLS, ProfileOptions
from .part_fit import Fit
from .report import sentence, tabled

if TYPE_CHECKING:
    import polars

__all__ = ["Calibration", "calibrated"]

_Parts = tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]], list[str]]  # inference, costs by column, notes


@dataclass(frozen=True, eq=False)
class Calibration:
    """One model as a log and prices describe it.

    Args:
        samples: all samples of the log, with ``cost_usd`` from the prices where these are given.
        kept: those that the profile is made of. Of logs that are read in parts, both are one sample of each question.
        supported: the largest k that every question of those has samples for.
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
        call: how the model is called, from a profile, or None.
        cap: what makes it a variant of a model of the log, or None.
        judged: what answers are worth by other judgements, by name.
    """

    samples: Samples
    kept: Samples
    supported: int
    summary: LogSummary
    price: Price | None
    inference: Mapping[str, Any]
    costs: Mapping[str, Mapping[str, Any]]
    source: str
    parallelism: int
    wanted: int | None
    extrapolate_to: int | None
    beyond: Extrapolation | None
    notes: Sequence[str]
    call: CallSettings | None = None
    cap: Capped | None = None
    judged: Mapping[str, JudgedSummary] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: the estimates, and what the profile rests on."""
        return self.summary.to_dict() | {
            "largest_k": self.largest_k,
            "price": None if self.price is None else {**self.price.part, "source": self.price.source},
            "inference": dict(self.inference),
            "costs": [dict(part) for part in self.costs.values()],
            "source": self.source,
            "call": None if self.call is None else self.call.to_dict(),
            "cap": None if self.cap is None else self.cap.to_dict(),
            "judged": {name: summary.to_dict() for name, summary in self.judged.items()},
            "extrapolated": None if self.beyond is None else self.beyond.to_dict(),
            "remarks": [*self.summary.remarks(), *self.notes],
        }

    def blocks(self) -> list[Block]:
        """Return what people read: a table with intervals, and what to know about it."""
        beyond = self.beyond.sentences() if self.beyond else []
        judged = [block for summary in self.judged.values() for block in summary.blocks()]
        return [*tabled(self.summary), *judged, *map(sentence, [*beyond, *self.notes]), ""]

    def to_frame(self) -> "polars.DataFrame":
        """Return the estimates as a polars frame, a row a k; see `LogSummary.to_frame`."""
        return self.summary.to_frame()

    def _repr_html_(self) -> str:
        """What people read, for notebooks."""
        return to_html(self.blocks())

    @property
    def largest_k(self) -> int:
        """The largest k of the profile: the fewest scored samples of any question, or what was wanted."""
        return min(self.supported, self.wanted or self.supported)


@typed()
def calibrated(
    log: Log | LogParts,
    prices: Mapping[str, Price] | None = None,
    options: ProfileOptions | None = None,
    *,
    on: date | None = None,
    profiles: Mapping[str, ModelProfile] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Calibration]:
    """Describe every model of a log.

    Args:
        log: what was read, whole or in parts.
        prices: by model, for input and output tokens; without them the log's ``cost_usd``, where it has that.
        options: how profiles are made of it; None for the defaults of `ProfileOptions`.
        on: the day that stands in the source; default today.
        profiles: by name (``model`` or ``model/variant``) those whose calls are carried over, and whose prices hold
            where no others are given; see `moo_infer.load_models`.
        progress: told (done, total, the model) before every model.

    Raises:
        MooInferError: where a model has no sample that counts, and where answers chose the questions of all models
            (`Log.refused`; some such models are said in the notes of the others); for a law where answers chose the
            questions that are left, as cancelled calls do.

    Warns:
        UserWarning: where a log supports no k as large as wanted, where nothing can be extrapolated, and for profiles
            of which the log has no samples.
    """
    options = options or ProfileOptions()
    if not isinstance(log, LogParts):
        refuse_unread(log, options)
    elif options.judged:
        raise MooInferError(f"judged: {', '.join(options.judged)}: logs that are read in parts have no such columns")
    carried = Carried.of(profiles, log.models, prices)
    for doubt in carried.doubts:
        warnings.warn(doubt, stacklevel=3)
    day, calibrations = (on or date.today()).isoformat(), list[Calibration]()
    for of in _measured(log, carried, options.caps):
        if progress:
            progress(len(calibrations), len(log.models) * (1 + len(options.caps)), of.samples.model)
        said = [*map(str, log.files_of(of.model)), f"calibrated on {day}", *(of.notes if of.cap else ())]
        calibration, doubts = _calibration(of.samples, of.price, "; ".join(said), options)
        for doubt in doubts:
            warnings.warn(f"{of.samples.model}: {doubt}", stacklevel=3)
        notes = [*of.notes, *calibration.notes] if of.cap else [*calibration.notes, *of.notes]
        inference = {**calibration.inference, **({"cut_from": of.model} if of.cap else {})}
        calibration = replace(calibration, inference=inference, call=of.call, cap=of.cap, notes=notes)
        calibrations.append(_of_each_question(calibration) if isinstance(log, LogParts) else calibration)
        del of, calibration  # of a log in parts, before the next one is read
    refused = [f"no profile of {model}: {why}" for model, why in log.refused.items()]
    found = compared(comparable(judged_alike(calibrations, options)))
    return [replace(model, notes=[*model.notes, *refused]) for model in found] if refused else found


def _measured(log: Log | LogParts, carried: Carried, caps: Sequence[TokenCap | TimeCap]) -> Iterator[Measured]:
    """What profiles are made of; of a log in parts, one model after the other is in memory."""
    for samples in (part.samples() for part in log.logs()) if isinstance(log, LogParts) else [log.samples()]:
        yield from carried.measured(samples, caps)
        del samples


def _of_each_question(calibration: Calibration) -> Calibration:
    """The calibration with one scored sample of each question, a graded one where there is one; what it says stays."""
    scored = calibration.kept.scored
    between = (scored.correct > 0) & (scored.correct < 1)
    first = np.zeros(len(scored), dtype=bool)
    order = np.lexsort((~between, scored.question))
    first[order[np.flatnonzero(np.diff(scored.question, prepend=-1))]] = True
    few = replace(scored.where(first), columns={})
    return replace(calibration, samples=few, kept=few)


def _calibration(
    samples: Samples, price: Price | None, source: str, options: ProfileOptions
) -> tuple[Calibration, list[str]]:
    """One model, and what to warn of."""
    notes: list[str] = []
    if price is not None:
        samples, notes = billed(samples, price)
    notes += oddities(samples)
    samples, about_questions = with_enough(samples, options.min_samples)
    kept, about_gaps = complete(samples, priced=price is not None)
    if price is not None:
        kept = drawn(kept)
    reach = _reach(samples, kept.scored.largest_k, options)
    inference, costs, about_parts = _parts(kept, price, options, reach.beyond.model if reach.beyond else None)
    if reach.ends_early:
        source += f"; {reach.refusal}"
    if failed := int(np.isnan(samples.correct).sum()):
        source += f"; {failed} of {len(samples)} samples failed"
    source += "".join(f"; {sentence}" for sentence in samples.left_out)
    k = np.arange(1, min(samples.scored.largest_k, reach.K) + 1)
    calibration = Calibration(
        samples,
        kept,
        kept.scored.largest_k,
        summarise(samples, k, B=options.B, seed=options.seed),
        price,
        inference,
        costs,
        source=source if price is None else f"{source}; prices: {price.source}",
        parallelism=options.parallelism,
        wanted=options.k_max,
        extrapolate_to=reach.K if reach.beyond else None,
        beyond=reach.beyond,
        notes=[*notes, *about_questions, *about_gaps, *([reach.refusal] if reach.refusal else []), *about_parts],
        judged=judged_summaries(kept, k, options),
    )
    return calibration, [*_doubts(samples), *reach.doubts(options)]


def _doubts(samples: Samples) -> list[str]:
    """Why the samples that are left are no sample of the model."""
    return [str(sentence) for sentence in samples.left_out if isinstance(sentence, Doubt)]


@dataclass(frozen=True, eq=False)
class _Reach:
    """How far k goes.

    Args:
        K: the largest k that is wanted.
        supported: the largest k of the log.
        beyond: coverage beyond that, where it was asked for and can be said.
        refusal: why it cannot be said, or nothing.
    """

    K: int
    supported: int
    beyond: Extrapolation | None = None
    refusal: str = ""

    @property
    def ends_early(self) -> bool:
        """Whether k was to be extrapolated and is not."""
        return bool(self.refusal) and self.supported < self.K

    def doubts(self, options: ProfileOptions) -> list[str]:
        """What to warn of."""
        doubts = [self.refusal] if self.ends_early else []
        largest = self.K if self.beyond else min(self.K, self.supported)
        if options.parallelism > largest:
            doubts.append(
                f"no multiple of P = {options.parallelism} is within k = {largest}; choose among all k with recommend "
                "--k-step 1"
            )
        if options.k_max is not None and options.k_max > self.supported and not options.extrapolate:
            doubts.append(
                f"k up to {options.k_max} is wanted, but the log supports k up to {self.supported}, the fewest samples "
                "of a question; --extrapolate (extrapolate=True) goes beyond"
            )
        return doubts


def _reach(samples: Samples, supported: int, options: ProfileOptions) -> _Reach:
    """How far k goes, as wanted and as far as the log or a law of coverage carries."""
    if not options.extrapolate:
        return _Reach(options.k_max or supported, supported)
    K = options.k_max or K_MAX
    beyond = extrapolated(samples, K, seed=options.seed)
    if isinstance(beyond, Extrapolation):
        return _Reach(K, supported, beyond)
    return _Reach(K, supported, refusal=f"{beyond}; k ends at {supported}" if supported < K else beyond)


def _parts(kept: Samples, price: Price | None, options: ProfileOptions, law: BetaFit | None) -> _Parts:
    """The mappings of the inference model and of a cost model for everything that samples took, and notes."""
    empirical, shared, notes = options.inference == "empirical", bool((kept.request_sizes > 1).any()), list[str]()
    if shared and not empirical:
        kept = replace(kept, columns={name: of for name, of in kept.columns.items() if name not in TOKENS})
        notes.append(f"no tokens, and nothing that follows from them, is in the profile: {NO_SPREAD}")
    billed_parts: dict[str, Mapping[str, Any]] = {}
    if price is not None and set(TOKENS) <= kept.columns.keys():
        billed_parts["cost_usd"] = price.part if empirical else fitted_part(price, kept)
    elif price is not None:
        notes.append("no dollars in the profile: prices need input_tokens and output_tokens")
    drawn_by = _drawn_parts(kept, billed_parts, options) if empirical else _laws(kept, billed_parts, options, law)
    return *drawn_by[:2], [*notes, *drawn_by[2]]


def _drawn_parts(kept: Samples, costs: Mapping[str, Mapping[str, Any]], options: ProfileOptions) -> _Parts:
    """Parts that draw the samples themselves, with what they took, but for costs that are there."""
    notes, doubts = [], _doubts(kept)
    logged = {
        "cost_usd": {"kind": "logged-cost"},
        "latency_s": {"kind": "logged-latency", "calls": options.calls},
        "energy_j": {"kind": "logged-energy"},
    }
    known = {name: part for name, part in logged.items() if name in kept.columns} | {**costs}
    if options.calls != "at-once" and "latency_s" in known and (kept.request_sizes > 1).any():
        del known["latency_s"]
        notes.append(
            "latency_s is not in the profile: its requests brought several answers at once, which tells nothing of "
            f"calls that wait for each other (--calls {options.calls})"
        )
    doubt = {"doubt": "; ".join(doubts)} if doubts else {}
    judged = {name: better for name, better in options.judged.items() if name in kept.columns}
    inference = {"kind": "empirical", "model": kept.model, **doubt, **({"judged": judged} if judged else {})}
    return inference, {name: known[name] for name in TAKEN if name in known}, notes


def _laws(
    kept: Samples, costs: Mapping[str, Mapping[str, Any]], options: ProfileOptions, law: BetaFit | None
) -> _Parts:
    """Parts with laws that are fitted to the samples, beside costs that are there."""
    if doubts := _doubts(kept):  # a law would not say what it was fitted to
        raise MooInferError(f"{kept.model}: no law is fitted to what answers chose: {doubts[0]}; take empirical")
    notes, costs = [], {**costs}
    for name in ("cost_usd", "energy_j"):
        if name in kept.columns and name not in costs:
            cure = "; give prices" if name == "cost_usd" else ""
            notes.append(f"{name} of the log is not in the profile, because a fitted model cannot draw it{cure}")
    fitted = fit_beta(kept, law) if options.inference == "beta" else fit_lognormal(kept)
    notes.append(f"{fitted.kind}: {fitted.about}")
    if {"latency_s", *TOKENS} <= kept.columns.keys():
        seconds = replace(fit_seconds(kept), kind=CALLS[options.calls])
        notes.append(f"{seconds.kind}: {seconds.about}")
        costs["latency_s"] = _mapping(seconds)
    return _mapping(fitted), costs, notes


def _mapping(fitted: Fit) -> dict[str, Any]:
    """The mapping of a fitted part, every number of it with its standard error, and the ratios as they are."""
    numbers = {
        name: {"value": float(f"{value:.6g}"), "se": float(f"{se:.3g}")}
        for name, (value, se) in fitted.parameters.items()
    }
    return fitted.part | numbers
