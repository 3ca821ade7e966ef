"""Variants of a model compared: what each gains over a base, by task too, and how many times as much it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..core.arguments import typed
from ..core.errors import MooInferError, unknown
from ..core.parts import AtLeastOne, AtLeastZero
from ..quantities.labels import TASK, label_named, several_tasks
from ..quantities.provenance import provenance
from ..quantities.queries import Doubt
from ..quantities.samples import Samples
from ..report.wording import Block, to_html
from .differences import holm, too_few
from .levels import MEASURES, Level, families, ordered
from .variant_gain import LevelPair, VariantGain, plain
from .variants_text import blocks

if TYPE_CHECKING:
    import polars

__all__ = ["VariantFamily", "VariantGain", "compare_variants"]


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
            head = {"family": self.name, "variant": of.variant, "base": of.base, "ladder": of in self.ladder}
            for value, gain in ((None, of.gains.overall), *of.gains.rows.items()):
                about = {"label": self.label, "label_value": value, "questions": of.questions}
                taken = plain(of.multipliers if value is None else of.by_label.get(value, {}))
                ends = [(name, end) for name in taken for end in ("value", "low", "high")]
                times = {f"{name}.{end}": (taken[name] or {}).get(end) for name, end in ends}
                rows.append(head | about | gain.to_dict() | times)
        return polars.DataFrame(rows, infer_schema_length=None)

    def blocks(self) -> list[Block]:
        """Return what people read."""
        return blocks(self)

    def _repr_html_(self) -> str:
        return to_html(self.blocks())


@typed()
def compare_variants(
    samples: Sequence[Samples],
    base: str | None = None,
    by: str | None = None,
    B: AtLeastOne = 10_000,
    seed: AtLeastZero = 0,
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

    >>> import numpy as np
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
        grouped: Mapping[str | None, Sequence[str]] = families([*logs])
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
        notes += [*apart.values(), *too_few(self.B, max(len(against), len(ladder)), self.confidence), *self._doubts()]
        return VariantFamily(name, first.model, against, ladder, measure, self.label, tuple(notes))

    def _pair(self, variant: Level, base: Level, apart: dict[tuple[str, str], str]) -> VariantGain | None:
        """One comparison; where nothing is shared None, which goes to `apart`."""
        if {*variant.place}.isdisjoint(base.place):
            names = variant.model, base.model
            apart[names] = f"{names[0]} and {names[1]} have no question in common and are not compared"
            return None
        return LevelPair(variant, base, self.label, self.B, self.seed, self.confidence).gain

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
