"""What is said of variants of a model: tables and sentences."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..quantities.fieller import Estimate
from ..report.wording import Block, Cell, TextTable
from .differences import POWER, Difference
from .levels import MEASURES

if TYPE_CHECKING:
    from .variant_gain import VariantGain
    from .variants import VariantFamily

__all__ = ["blocks"]

NAMES = dict(zip(MEASURES, ("money", "tokens", "output tokens"), strict=True))
ABREAST = 4  # variants with their intervals in 80 columns
MOST = 12  # rows of labels that are shown; of more, those that are told apart


def blocks(family: "VariantFamily") -> list[Block]:
    """Return the tables of a family, and what is odd in it."""
    if not family.against_base:
        return [f"Variants of {family.name}: nothing is compared.", *(_sentence(note) for note in family.notes), ""]
    level = f"{100 * family.against_base[0].gains.confidence:g} %"
    whose = f"Variants of {family.name}" if family.name else "All models"
    counts = sorted({of.questions for of in family.compared})
    questions = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    found: list[Block] = [
        f"{whose} against {family.base}, on the {questions} questions that both answered (in brackets its accuracy "
        f"there); {level} intervals, had other questions been asked; * is told apart from no gain, corrected for how "
        "many are compared."
    ]
    found.append(_table(family, family.against_base, ladder=False))
    steps = {(of.variant, of.base) for of in family.ladder}
    if family.ordered_by and steps - {(of.variant, of.base) for of in family.against_base}:
        found += [
            f"From each level to the next, by {NAMES[family.ordered_by]}:",
            _table(family, family.ladder, ladder=True),
        ]
    found += _by_label(family)
    found += [_nothing(of) for of in family.nothing_changed]
    found += [_mixed(of, family.label or "label") for of in family.compared if of.gains.helps_and_hurts]
    notes = dict.fromkeys(note for of in family.compared for note in of.notes)
    return [*found, *(_sentence(note) for note in (*notes, *family.notes)), ""]


def _short(model: str, family: "VariantFamily") -> str:
    """The name of a variant within its family."""
    return model.removeprefix(f"{family.name}/") if family.name else model


def _table(family: "VariantFamily", pairs: Sequence["VariantGain"], *, ladder: bool) -> TextTable:
    """A row a comparison."""
    measures = [name for name in NAMES if any(name in of.multipliers for of in pairs)]
    header = ("", "accuracy", "gain", *(f"{NAMES[name]} x" for name in measures))
    several = len({of.questions for of in pairs}) > 1
    rows: list[tuple[Cell, ...]] = []
    for of in pairs:
        gain = of.gains.overall
        base, variant = (_short(name, family) for name in (of.base, of.variant))
        name: tuple[str, ...] = (base, f"> {variant}") if ladder else (variant,)
        name += (f"{of.questions} questions",) * several
        accuracy = (f"{gain.first:.4f}", f"({gain.second:.4f})")
        taken = [_times(of.multipliers[m]) if m in of.multipliers else "-" for m in measures]
        rows.append((name, accuracy, _gain(gain), *taken))
    return TextTable(header, tuple(rows), 1)


def _by_label(family: "VariantFamily") -> list[Block]:
    """Gains by label, a column a variant."""
    labels = dict.fromkeys(label for of in family.against_base for label in of.gains.rows)
    if family.label is None or len(labels) < 2:
        return []
    shown = [*labels]
    found: list[Block] = []
    if len(labels) > MOST:
        shown = [x for x in labels if any(x in of.gains.rows and of.gains[x].real for of in family.against_base)]
        left = len(labels) - len(shown)
        found.append(f"Of {len(labels)} values of {family.label} {left} are told apart for no variant; --json has all.")
    for start in range(0, len(family.against_base) if shown else 0, ABREAST):
        some = family.against_base[start : start + ABREAST]
        rows: list[tuple[Cell, ...]] = [
            (label, *(_of_label(of, label) if label in of.gains.rows else "-" for of in some)) for label in shown
        ]
        header = (family.label, *(_short(of.variant, family) for of in some))
        found.append(TextTable(header, tuple(rows), 1, f"Gains by {family.label} over {family.base}:"))
    for of in family.against_base:
        if (n := len(of.gains.rows)) > 1:
            chance = (1 - of.gains.confidence) * n
            each = f"better on {len(of.gains.better)} of {n}, worse on {len(of.gains.worse)}"
            found.append(
                f"{of.variant}: by {family.label}, each seen by itself, {each}; where nothing differs, about "
                f"{chance:.2g} of {n} would seem to."
            )
    return found


def _nothing(of: "VariantGain") -> str:
    """Say that a level changes nothing, and what this log could have shown."""
    gain, taken = of.gains.overall, of.taken or ""
    least = f"the smallest gain that this log shows in {100 * POWER:.0f} % of cases is {100 * gain.smallest:.1f} points"
    average = " on average" if of.gains.helps_and_hurts else ""
    more = f"{of.multipliers[taken].value:.3g} x the {NAMES[taken]}"
    gains = f"{100 * gain.value:+.2f} points [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"
    return (
        f"{of.variant} changes nothing over {of.base}{average}: it takes {more} and gains {gains}, not told apart from "
        f"none; {least}."
    )


def _mixed(of: "VariantGain", label: str) -> str:
    helps, hurts = (
        ", ".join(value for value, gain in of.gains.rows.items() if gain.real and (gain.value > 0) is forth)
        for forth in (True, False)
    )
    return (
        f"{of.variant} helps with {helps} and hurts with {hurts}, against {of.base}: decide by {label} "
        f"(recommend --by {label})."
    )


def _gain(gain: Difference) -> tuple[str, ...]:
    apart = " *" if gain.real else ""
    return f"{gain.value:+.4f}{apart}", f"[{gain.low:+.3f}, {gain.high:+.3f}]"


def _of_label(of: "VariantGain", label: str) -> Cell:
    """The gain by a label, and how many times as much is taken there."""
    taken = of.by_label.get(label, {})
    times = f"{taken[of.taken].value:.3g} x {NAMES[of.taken]}" if of.taken and of.taken in taken else ""
    return tuple(filter(None, (*_gain(of.gains[label]), times)))


def _times(more: Estimate) -> Cell:
    if not (math.isfinite(more.low) and math.isfinite(more.high)):
        return f"{more.value:.3g}", "[not known]"
    return f"{more.value:.3g}", f"[{more.low:.3g}, {more.high:.3g}]"


def _sentence(note: str) -> str:
    return f"{note}."
