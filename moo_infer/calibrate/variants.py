"""Variants of a model compared: what each gains over a base, by task too, and how many times as much it takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import MooInferError, unknown
from ..quantities.bootstrap import FEW
from ..quantities.fieller import Estimate
from ..quantities.labels import TASK, label_named, several_tasks
from ..quantities.provenance import provenance
from ..quantities.queries import Doubt
from ..quantities.samples import Samples
from ..report.wording import Block, to_html
from .differences import holm
from .gains import Gains, changes_nothing, paired_gains, paired_length_multiplier
from .levels import MEASURES, Level, families, ordered
from .variants_text import blocks

if TYPE_CHECKING:
    import polars

__all__ = ["VariantFamily", "VariantGain", "compare_variants"]


@dataclass(frozen=True)
class VariantGain:
    """What a variant gains over another model on the questions that both answered, and what it takes.

    Args:
        variant, base: names of models.
        questions: how many both answered, all of which weigh the same.
        gains: in accuracy, by label and overall. Whether the overall gain is told apart is corrected for how many such
            comparisons there are (Holm).
        multipliers: how many times as much the variant takes: ``cost`` (money), ``tokens`` (with the prompt),
            ``output_tokens``; a ratio of means over questions. Without what is not known.
        notes: what to know, in words.
    """

    variant: str
    base: str
    questions: int
    gains: Gains
    multipliers: Mapping[str, Estimate]
    notes: tuple[str, ...] = ()

    @property
    def taken(self) -> str | None:
        """In what the variant is called dearer: money, where that is not known tokens, else None."""
        return next((name for name in MEASURES if name in self.multipliers), None)

    @property
    def changes_nothing(self) -> bool | None:
        """Whether it takes more and its gain is not told apart from none; None where nothing says what it takes."""
        return None if self.taken is None else changes_nothing(self.gains.overall, self.multipliers[self.taken])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "variant": self.variant,
            "base": self.base,
            "questions": self.questions,
            "gains": self.gains.to_dict(),
            "multipliers": {n: self.multipliers[n].to_dict() if n in self.multipliers else None for n in MEASURES},
            "changes_nothing": self.changes_nothing,
            "helps_and_hurts": self.gains.helps_and_hurts,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class VariantFamily:
    """Models that are variants of one another, compared with one of them and along their ladder.

    Args:
        name: what they are variants of; None where a base was named for all models.
        base: the model that the others are compared with.
        against_base: the others, each compared with it.
        ladder: each level compared with the next cheaper one.
        ordered_by: what orders the ladder: ``cost``, ``tokens`` or ``output_tokens``; None where nothing does.
        label: of the rows of gains, such as ``task``; None without one.
        notes: what to know, in words.
    """

    name: str | None
    base: str
    against_base: tuple[VariantGain, ...]
    ladder: tuple[VariantGain, ...]
    ordered_by: str | None
    label: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[VariantGain, ...]:
        """Every comparison once."""
        there = {(of.variant, of.base): of for of in (*self.ladder, *self.against_base)}
        return tuple(there.values())

    @property
    def nothing_changed(self) -> tuple[VariantGain, ...]:
        """Those in which the variant takes more and gains nothing that is told apart."""
        return tuple(of for of in self.compared if of.changes_nothing)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "family": self.name,
            "base": self.base,
            "label": self.label,
            "against_base": [of.to_dict() for of in self.against_base],
            "ladder": [of.to_dict() for of in self.ladder],
            "ordered_by": self.ordered_by,
            "notes": list(self.notes),
        }

    def to_frame(self) -> "polars.DataFrame":
        """Return a polars frame, by comparison a row for all questions (``label_value`` is null) and one a value.

        Columns are ``family``, ``variant``, ``base``, ``ladder`` (whether it is a step of that), ``label`` and
        ``label_value``, ``questions`` (of all), the fields of a `Difference` (``value`` is the gain), and
        ``cost.value``, ``cost.low`` and so on of the multipliers.
        """
        import polars

        rows = []
        for of in self.compared:
            taken = {
                f"{measure}.{end}": of.multipliers[measure].to_dict()[end] if measure in of.multipliers else None
                for measure in MEASURES
                for end in ("value", "low", "high")
            }
            head = {"family": self.name, "variant": of.variant, "base": of.base, "ladder": of in self.ladder}
            for value, gain in ((None, of.gains.overall), *of.gains.rows.items()):
                about = {"label": self.label, "label_value": value, "questions": of.questions}
                rows.append(head | about | gain.to_dict() | (taken if value is None else {}))
        return polars.DataFrame(rows, infer_schema_length=None)

    def blocks(self) -> list[Block]:
        """Return what people read."""
        return blocks(self)

    def _repr_html_(self) -> str:
        return to_html(self.blocks())


def compare_variants(
    samples: Sequence[Samples],
    base: str | None = None,
    by: str | None = None,
    B: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[VariantFamily, ...]:
    """Compare the variants of every model with a base, and each level of their ladder with the next cheaper one.

    Models called ``a``, ``a/x`` and ``a/y`` are a family, and so are ``a/x`` and ``a/y``. The base is the plain model,
    or the cheapest level. Questions weigh the same, however many samples they have; only those that both answered
    count. Intervals are for other questions: of gains by the bootstrap that `compare` has, of multipliers by Fieller.

    Args:
        samples: the logs, with ``cost_usd`` where money is to be compared.
        base: the model that all others are compared with, as one family, whatever they are called; None for families.
        by: the label (`Samples.labels`) by which gains are told as well; None for ``task`` where there is one.
        B: draws of the bootstrap, >= 1.
        seed: of the bootstrap, >= 0.
        confidence: of the intervals, in (0, 1).

    Raises:
        MooInferError: for an unknown base or label, and where a named base shares no question with any other model.

    >>> rng, names = np.random.default_rng(0), [f"q{i}" for i in range(300)]
    >>> right = rng.random(300) < 0.7
    >>> logs = [
    ...     Samples(f"m/{level}", names, np.arange(300), of * 1.0, {"cost_usd": np.full(300, usd)})
    ...     for level, of, usd in (("low", right & (rng.random(300) < 0.7), 1), ("mid", right, 2), ("high", right, 5))
    ... ]
    >>> (family,) = compare_variants(logs)
    >>> family.base, [(of.variant, of.base, of.changes_nothing) for of in family.ladder]
    ('m/low', [('m/mid', 'm/low', False), ('m/high', 'm/mid', True)])
    """
    logs = {log.model: log for log in samples}
    label = _label(samples, by)
    if base is None:
        grouped: dict[str | None, Sequence[str]] = dict(families([*logs]))
    elif base not in logs:
        raise unknown("model", base, logs)
    elif len(logs) < 2:
        raise MooInferError(f"base: {base} is the only model here, so that there is nothing to compare it with")
    else:
        grouped = {None: [*logs]}
    found = []
    for name, members in grouped.items():
        levels = [Level.of(logs[model]) for model in members]
        chosen = base if base is not None else name if name in members else None
        found.append(_Comparing(levels, label, B, seed, confidence).family(name, chosen))
    if base is not None and not found[0].against_base:
        raise MooInferError(f"base: {base} has no question in common with {', '.join(m for m in logs if m != base)}")
    return tuple(found)


def _label(samples: Sequence[Samples], by: str | None) -> str | None:
    """The label that gains are told by."""
    if by is not None:
        return label_named(samples, by)
    return TASK if any(TASK in log.labels for log in samples) else None


@dataclass(frozen=True, eq=False)
class _Comparing:
    """Levels, and how they are compared; see `compare_variants`."""

    levels: Sequence[Level]
    label: str | None
    B: int
    seed: int
    confidence: float

    def family(self, name: str | None, base: str | None) -> VariantFamily:
        """Compare them all."""
        measure, by_price = ordered(self.levels)
        notes = [] if measure else [self._without_order()]
        first = by_price[0] if base is None else next(level for level in self.levels if level.model == base)
        if base is None and measure is None:
            notes.append(f"the base is {first.model}, the first of the log")
        others = [level for level in (by_price if measure else self.levels) if level is not first]
        apart: dict[tuple[str, str], str] = {}
        against = self._corrected([self._pair(level, first, apart) for level in others])
        steps = pairwise(by_price) if measure else ()
        ladder = self._corrected([self._pair(later, earlier, apart) for earlier, later in steps])
        notes += [*apart.values(), *self._doubts()]
        return VariantFamily(name, first.model, against, ladder, measure, self.label, tuple(notes))

    def _pair(self, variant: Level, base: Level, apart: dict[tuple[str, str], str]) -> VariantGain | None:
        """One comparison; where nothing is shared None, which goes to `apart`."""
        shared = [question for question in base.place if question in variant.place]
        if not shared:
            names = variant.model, base.model
            apart[names[0], names[1]] = f"{names[0]} and {names[1]} have no question in common and are not compared"
            return None
        rows = [np.array([level.place[question] for question in shared]) for level in (variant, base)]
        one, other = (level.right[row] for level, row in zip((variant, base), rows, strict=True))
        notes = [
            f"{level.model} answered {more} more questions, which do not count"
            for level in (variant, base)
            if (more := len(level.place) - len(shared))
        ]
        drawn = {"B": self.B, "seed": self.seed, "confidence": self.confidence}
        gains = replace(paired_gains(one, other, shared, **drawn), rows={})  # type: ignore[arg-type]  # by name
        labels, about = self._labels(variant, base, shared)
        notes += about
        if known := [i for i, label in enumerate(labels) if label]:
            rights, names = (one[known], other[known]), [shared[i] for i in known]
            of = paired_gains(*rights, names, [labels[i] for i in known], **drawn)  # type: ignore[arg-type]  # by name
            gains = replace(gains, rows=of.rows)
        multipliers: dict[str, Estimate] = {}
        for measure in MEASURES:
            notes += self._multiplied(measure, variant, base, rows, multipliers)
        if len(shared) < FEW:
            notes.append(f"with fewer than {FEW} questions the intervals of tokens and money are too narrow")
        return VariantGain(variant.model, base.model, len(shared), gains, multipliers, tuple(notes))

    def _labels(self, variant: Level, base: Level, shared: Sequence[str]) -> tuple[list[str], list[str]]:
        """The label of each question that both answered, "" where it is not known, and remarks."""
        if self.label is None:
            return [], []
        both = [level.labels(self.label, shared) for level in (variant, base)]
        labels = [one or other if "" in (one, other) or one == other else "" for one, other in zip(*both, strict=True)]
        unknown_ones = labels.count("")
        remark = f"{unknown_ones} of {len(shared)} questions have no {self.label}: they count overall alone"
        return labels, [remark] if unknown_ones else []

    def _multiplied(
        self, measure: str, variant: Level, base: Level, rows: Sequence[Any], found: dict[str, Estimate]
    ) -> Iterator[str]:
        """Put in how many times as much is taken, where both know it; say of few questions that lack it."""
        if not (variant.knows(measure) and base.knows(measure)):
            return
        one, other = (level.means(measure)[row] for level, row in zip((variant, base), rows, strict=True))
        known = np.isfinite(one) & np.isfinite(other)
        if known.sum() < 2 or not other[known].any():
            return
        found[measure] = paired_length_multiplier(one[known], other[known], self.confidence)
        if lacking := int((~known).sum()):
            yield f"{lacking} of {len(known)} questions lack {measure} and do not count in its multiplier"

    def _corrected(self, pairs: Sequence[VariantGain | None]) -> tuple[VariantGain, ...]:
        """The comparisons that there are, with Holm's correction for how many."""
        there = [pair for pair in pairs if pair is not None]
        corrected = []
        for pair, p in zip(there, holm([pair.gains.overall.p for pair in there]), strict=True):
            overall = replace(pair.gains.overall, p=p, real=p <= 1 - self.confidence)
            corrected.append(replace(pair, gains=replace(pair.gains, overall=overall)))
        return tuple(corrected)

    def _without_order(self) -> str:
        lacking = {m: [level.model for level in self.levels if not level.knows(m)] for m in MEASURES}
        models = ", ".join(next(iter(lacking.values())))
        return f"there is no ladder, because neither money nor tokens are known for all levels (no money: {models})"

    def _doubts(self) -> list[str]:
        """What makes figures doubtful, and which measures are known for some levels alone."""
        said = [f"{v.model}: {text}" for v in self.levels for text in provenance(v.samples) if isinstance(text, Doubt)]
        said += several_tasks([level.samples for level in self.levels], self.label)
        for measure in MEASURES:
            without = [level for level in self.levels if not level.knows(measure)]
            if without and len(without) < len(self.levels):
                lacks = ", ".join(f"{v.model} ({v.lacking(measure)} of {len(v.samples)} samples)" for v in without)
                said.append(f"{measure.replace('_', ' ')} is not known of {lacks}")
        return said
