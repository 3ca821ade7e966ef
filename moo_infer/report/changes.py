"""What changed between two documents of the same command, as data and as people read it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .wording import Block, Cell, TextTable

__all__ = ["ChoiceChange", "Diff", "Kind", "NumberChange", "SettingChange"]

Kind = Literal["recommend", "calibrate", "sweep"]
MOST = 20  # lines of a kind in the text


@dataclass(frozen=True)
class ChoiceChange:
    """The answers of a scenario.

    Args:
        scenario: its name.
        old, new: model, aggregator and k, or None where nothing is feasible, or the scenario is not there.
        changed: whether they are different rows, one of them is none, or the scenario is in one document alone.
        noise: whether chance alone explains that: draws of one of the reports chose the other row often enough, and of
            both where limits or cost models changed too. None where nothing was drawn.
        why: what is said of that.
    """

    scenario: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    changed: bool
    noise: bool | None
    why: str


@dataclass(frozen=True)
class NumberChange:
    """A number that changed.

    Args:
        where: the scenario, or the model.
        what: the objective, or the measure.
        old, new: its values.
        low, high: the 95 % interval of new minus old; None where it is not known.
        noise: whether that holds 0; None where it is not known.
        paired: whether it is of differences by question, because both name the same questions.
    """

    where: str
    what: str
    old: float
    new: float
    low: float | None
    high: float | None
    noise: bool | None
    paired: bool


@dataclass(frozen=True)
class SettingChange:
    """A limit, a number of a profile, a price, a version or a seed that changed; None where it is not there."""

    where: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Diff:
    """What changed between two documents.

    Args:
        kind: the command that wrote both.
        choices: one a scenario; none between calibrations; between sweeps one a scenario and selector at each point.
        numbers: those that changed.
        settings: likewise.
    """

    kind: Kind
    choices: tuple[ChoiceChange, ...]
    numbers: tuple[NumberChange, ...]
    settings: tuple[SettingChange, ...]

    def changed(self, *, ignore_noise: bool = False) -> bool:
        """Whether the choice of a scenario changed; where noise is ignored, by more than that."""
        return any(choice.changed and not (ignore_noise and choice.noise) for choice in self.choices)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "kind": self.kind,
            "changed": self.changed(),
            "sentences": list(self.sentences()),
            "choices": [asdict(choice) for choice in self.choices],
            "numbers": [asdict(number) for number in self.numbers],
            "settings": [asdict(setting) for setting in self.settings],
        }

    def sentences(self) -> Iterator[str]:
        """Say in a sentence a scenario what became of the choice; of sweeps, of those that changed; else what moved."""
        numbers: dict[str, list[NumberChange]] = {}
        for number in self.numbers:
            numbers.setdefault(number.where, []).append(number)
        changed = [choice for choice in self.choices if choice.changed]
        if self.kind == "sweep":
            within = sum(choice.noise is True for choice in changed)
            yield f"{len(changed):,} of {len(self.choices):,} choices changed, {within:,} of them within noise."
        for choice in changed[:MOST] if self.kind == "sweep" else self.choices:
            if choice.changed:
                became = _named(choice.old) + f" became {_named(choice.new)}" * (choice.old != choice.new)
                yield f"{choice.scenario}: {became}; {choice.why}."
            else:
                yield f"{choice.scenario}: still {_named(choice.new)}; {_moved(numbers.get(choice.scenario, ()))}."
        if self.kind == "calibrate":
            yield from (f"{model}: {_moved(of)}." for model, of in numbers.items())
            alone = [f"{model}: is in the {which} calibration alone." for model, which in self._alone()]
            yield from alone
            if not numbers:
                yield f"No {'other ' * bool(alone)}number changed."

    def _alone(self) -> Iterator[tuple[str, str]]:
        """The models that one calibration has, and which: those of which the other counts no samples."""
        for setting in self.settings:
            model, dot, counted = setting.where.removeprefix("models.").rpartition(".")
            if dot and counted == "samples" and None in (setting.old, setting.new):
                yield model, "old" if setting.new is None else "new"

    def blocks(self) -> list[Block]:
        """What people read: sentences, the numbers that changed, and the settings."""
        blocks: list[Block] = [*self.sentences()]
        if self.numbers and self.kind == "sweep":
            blocks += ["", _summary(self.numbers)]
        elif self.numbers:
            rows = tuple(_row(number) for number in self.numbers)
            header = ("", "what", "old", "new", "new - old", "[95 %]", "more than noise")
            blocks += ["", TextTable(header, rows, labels=2)]
        if self.settings:
            lines = [f"{s.where}: {_shown(s.old)} became {_shown(s.new)}" for s in self.settings[:MOST]]
            left = len(self.settings) - len(lines)
            blocks.append(("What was given has changed:", *lines, *[f"{left} more; --json has all"] * (left > 0)))
        return blocks


def _named(row: Mapping[str, Any] | None) -> str:
    return "no choice" if row is None else f"{row['model']}, {row['aggregator']}, k = {row['k']}"


def _moved(numbers: Sequence[NumberChange]) -> str:
    real = [f"{n.what} {n.old:.4g} became {n.new:.4g}" for n in numbers if n.noise is False]
    if real:
        return f"more than noise: {', '.join(real)}"
    if not numbers:
        return "no number of it changed"
    unknown = ", as far as that is known" * any(number.noise is None for number in numbers)
    return f"what changed in its numbers is within noise{unknown}"


def _summary(numbers: Sequence[NumberChange]) -> TextTable:
    """The changes of many points, in a line a figure."""
    by_figure: dict[str, list[NumberChange]] = {}
    for number in numbers:
        by_figure.setdefault(number.what, []).append(number)
    rows = []
    for what, of in by_figure.items():
        apart = sorted(number.new - number.old for number in of)
        real = sum(number.noise is False for number in of)
        rows.append((what, f"{len(of):,}", f"{real:,}", f"{apart[0]:+.3g}", f"{apart[-1]:+.3g}"))
    header = ("what", "changed at points", "by more than noise", "least new - old", "most")
    return TextTable(header, tuple(rows))


def _row(number: NumberChange) -> tuple[Cell, ...]:
    ends = "" if number.low is None else f"[{number.low:+.3g}, {number.high:+.3g}]"
    verdict = "not known" if number.noise is None else "no" if number.noise else "yes"
    change = f"{number.new - number.old:+.3g}"
    return number.where, number.what, f"{number.old:.4g}", f"{number.new:.4g}", change, ends, verdict


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{value:.6g}" if isinstance(value, float) else f"{value}"[:120]
