"""Sentences and tables of a report, as data, and their plain HTML for notebooks and pages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ..core.errors import printable
from ..decide.choices import Choice
from ..decide.infeasible import describe
from ..decide.stability import ChoiceShare
from ..decide.volume import fixed_costs
from .facts import Outcome

if TYPE_CHECKING:
    from .report import Report

__all__ = [
    "NOTHING_UNCERTAIN",
    "Block",
    "Cell",
    "TextTable",
    "choices",
    "footnotes",
    "lines_of",
    "loosened",
    "named",
    "notes",
    "title",
    "to_html",
    "uncertain",
]


Cell = str | tuple[str, ...]


@dataclass(frozen=True)
class TextTable:
    """Words in rows and columns.

    Args:
        header: n names of columns.
        rows: n cells each; a cell of several lines is a tuple of them.
        labels: how many of the first columns say what a row is about; the others are figures.
        caption: what stands above it.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    labels: int = 1
    caption: str = ""


JUDGES = {  # what an aggregator that is a perfect judge takes for granted
    "best-of-k": "if you can tell the best of {k}",
    "coverage": "if you can tell a right one among {k}",
    "accepted": "if something tells each answer that is right, and no other",
}

NOTHING_UNCERTAIN = (
    "nothing is uncertain here: no model has a log or an uncertain number, and nothing is simulated, so that every "
    "draw would choose the same"
)

# A paragraph, one with a list of lines below it, or a table; an empty paragraph is a gap. Within a text a line end is
# data, as it may stand in a name, and shown escaped.
Block = str | tuple[str, ...] | TextTable


def notes(report: "Report") -> list[str]:
    """Say what holds for all tables: scales, draws, what is simulated and with which seed."""
    sentences = [*remarks(report), *_once(report)]
    for outcome in report.outcomes:
        sentences += outcome.notes
    if len(report.candidates.aggregators) > 1 and {*report.candidates.aggregators} & {*JUDGES}:
        sentences.append("Accuracy means what each aggregator makes of it; compare aggregators only where that agrees.")
    if different := _different_questions(report):
        sentences.append(different)
    if report.stable:
        source = uncertain(report) if report.stable.source == "parameters" else "the simulated trials (bootstrap)"
        again = " (the same questions again)" * (_logs(report) and report.questions == "same")
        share = f"the share of {report.stable.draws} draws of {source}{again}"
        sentences.append(f"How sure: {share} in which the same row was chosen.")
    if report.confidence is not None:
        share = f"{100 * report.confidence:g} % of the draws of {uncertain(report)}"
        sentences.append(f"A row is feasible where it meets the limits as given, and in at least {share}.")
    if report.estimator.name != "exact":
        sentences.append(f"Simulated with {report.estimator.trials} trials, seed {report.estimator.seed}.")
    elif any(
        f"{limit.objective}.low" in report.simulated
        for s in report.scenarios
        for limit in s.limits
        if limit.statistic != "mean"
    ):
        sentences.append(
            f"Limited quantiles are simulated, {report.estimator.trials} trials, seed {report.estimator.seed}."
        )
    return sentences


def _once(report: "Report") -> list[str]:
    """Say of what is paid once whether it is in the figures."""
    units = {o.name: f"{o.unit} of {o.name}" for o in report.candidates.objectives}
    costs = {profile.name: fixed_costs([profile]) for profile in report.profiles}
    listed = [f"{name} {once:.4g} {units[o]}" for name, of in costs.items() for o, once in of.items()]
    volume = report.volume
    if not listed:
        return ["Nothing is paid once, so that the number of queries changes nothing."] if volume else []
    if volume is None:
        return [f"Paid once and in no figure: {', '.join(listed)}; --volume spreads it over the queries of the life."]
    ends = f", the middle of {volume.low:.4g} to {volume.high:.4g}" * volume.uncertain
    return [f"Paid once and spread over {volume.queries:.4g} queries{ends}: {', '.join(listed)}."]


def _different_questions(report: "Report") -> str:
    """Say that logs hold different questions, which may be what makes one of them look better."""
    asked: dict[str, set[str]] = {}
    for profile in report.profiles:
        if questions := profile.queries.questions:
            asked[profile.name] = set(questions)
    common = set.intersection(*asked.values()) if asked else set()
    if all(len(questions) == len(common) for questions in asked.values()):
        return ""
    most = max(map(len, asked.values()))
    return (
        f"The models answered different questions, {len(common)} of which are common to all (a model has up to "
        f"{most}); what looks like a better model may be easier questions."
    )


def uncertain(report: "Report") -> str:
    """Name what draws are of: numbers of profiles, questions of logs, or both."""
    sources = ["uncertain parameters"] * any(profile.uncertain for profile in report.profiles)
    sources += ["number of queries"] * bool(report.volume and report.volume.uncertain and fixed_costs(report.profiles))
    return f"the {' and '.join([*sources, *['log questions'] * _logs(report)])}"


def _logs(report: "Report") -> bool:
    """Whether some of the models draw from a log, whose questions are then uncertain too."""
    return any(profile.queries.largest_k is not None for profile in report.profiles)


def remarks(report: "Report") -> list[str]:
    """The notes of the parts, each once, with the models it is about."""
    whose: dict[str, list[str]] = {}
    for curve in report.candidates.curves:
        for remark in curve.remarks:
            models = whose.setdefault(remark, [])
            models += [] if curve.model in models else [curve.model]
    return [f"{', '.join(models)}: {remark}." for remark, models in whose.items()]


def title(outcome: Outcome) -> str:
    """Name a scenario and its limits."""
    scenario, units = outcome.scenario, {o.name: o.unit for o in outcome.candidates.objectives}
    limits = ", ".join(f"{limit} {units.get(limit.objective, '')}".rstrip() for limit in scenario.limits)
    return f"{scenario.name}: k within {limits}" if limits else f"{scenario.name}: k without limits"


def choices(report: "Report", outcome: Outcome) -> list[Block]:
    """Models down, selectors across, k in the cells; what is marked or missing stands below."""
    selectors = report.asked
    several = len({aggregator for _, aggregator in outcome.choices}) > 1
    rows = tuple(
        (model, *[aggregator] * several, *(_cell(c, report.shares(c)) for c in of_curve if c.selector in selectors))
        for (model, aggregator), of_curve in outcome.choices.items()
    )
    labels = ("model", *["aggregator"] * several)
    blocks: list[Block] = [TextTable((*labels, *selectors), rows, len(labels))]
    several_curves = len(outcome.choices) > 1
    pooled = [c for c in outcome.pooled if c.selector in selectors and c.applicable] if several_curves else []
    over_all = [
        f"{c.selector}: {c.model}{f' {c.aggregator}' * several} k = {_cell(c, report.shares(c))}" for c in pooled if c.k
    ]
    if over_all:
        blocks.append(f"Over all: {'; '.join(over_all)}.")
    return [
        *blocks,
        *loosened(outcome),
        *footnotes([*(c for c in outcome.of_curves if c.selector in selectors), *pooled]),
    ]


def loosened(outcome: Outcome) -> list[Block]:
    """Say what loosening one limit would buy, where it buys something that four digits show."""
    lines = [
        describe(outcome.candidates, relaxation)
        for relaxation in outcome.relaxations
        if relaxation.row is not None
        and (not relaxation.buys or any(f"{now:.4g}" != f"{then:.4g}" for now, then in relaxation.buys.values()))
    ]
    return [("If one limit were loosened:", *(f"{line}." for line in lines))] if lines else []


def _cell(choice: Choice, shares: Sequence[ChoiceShare] = ()) -> str:
    """The chosen k, marked where there is a remark, and in which share of the draws the same row was chosen."""
    k = "-" if choice.k is None else f"{choice.k}{'*' * bool(choice.remarks)}"
    return f"{k} ({100 * sum(s.share for s in shares if s.row == choice.row):.0f} %)" if shares else k


def footnotes(choices: Sequence[Choice]) -> list[Block]:
    """Remarks and reasons, each once; the figures in parentheses are left to the details."""
    remarks: dict[tuple[str, str], int] = {}
    reasons: dict[tuple[str, str], list[str]] = {}
    for choice in choices:
        for remark in choice.remarks:
            key = (choice.selector, remark.split(" (")[0])
            remarks[key] = remarks.get(key, 0) + 1
        if choice.k is None:
            subject = choice.model or "over all"
            reasons.setdefault((subject, choice.reason), []).append(choice.selector)
    blocks: list[Block] = [
        f"* {selector}: {remark} ({count} cell{'s' * (count > 1)})." for (selector, remark), count in remarks.items()
    ]
    for (subject, reason), selectors in reasons.items():
        every = len(set(selectors)) == len({c.selector for c in choices}) > 1
        blocks.append(f"- {subject}: {reason if every else f'{named(selectors)}: {reason}'}.")
    return blocks


def named(names: Sequence[str]) -> str:
    """List names, each once."""
    return ", ".join(dict.fromkeys(names))


def to_html(blocks: Iterable[Block], /) -> str:
    """Write blocks as HTML, every word escaped.

    >>> to_html(["<k>", TextTable(("model", "k"), (("a", "4"),))])  # doctest: +ELLIPSIS
    '<p>&lt;k&gt;</p><table>...<tbody><tr><th scope="row">a</th><td>4</td></tr></tbody></table>'
    """
    return "".join(_table(block) if isinstance(block, TextTable) else _paragraph(block) for block in blocks if block)


def lines_of(cell: Cell) -> tuple[str, ...]:
    """Return the lines of a cell or a paragraph, each of them printable."""
    return tuple(map(printable, (cell,) if isinstance(cell, str) else cell))


def _paragraph(block: Cell) -> str:
    first, *rest = map(escape, lines_of(block))
    return f"<p>{first}</p>" + (f"<ul>{''.join(f'<li>{line}</li>' for line in rest)}</ul>" if rest else "")


def _indented(line: str) -> str:
    """Escape a line of a cell; blanks at its beginning, which HTML drops, stay as one wide blank."""
    text = line.lstrip(" ")
    return f"{'&emsp;' * (text != line)}{escape(text)}"


def _table(table: TextTable) -> str:
    def line(cells: Sequence[Cell], labels: int, scope: str) -> str:
        written = ["<br>".join(map(_indented, lines_of(cell))) for cell in cells]
        heads = [f'<th scope="{scope}">{cell}</th>' for cell in written[:labels]]
        return f"<tr>{''.join(heads)}{''.join(f'<td>{cell}</td>' for cell in written[labels:])}</tr>"

    caption = f"<caption>{escape(printable(table.caption))}</caption>" if table.caption else ""
    head = line(table.header, len(table.header), "col")
    body = "".join(line(row, table.labels, "row") for row in table.rows)
    return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"
