"""Reports as Markdown, for an issue or a wiki: every name escaped."""

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from .answer import headline, tables
from .by_label import blocks as of_label
from .wording import Block, Cell, TextTable, lines_of

if TYPE_CHECKING:
    from .report import Report

__all__ = ["markdown", "to_markdown"]

MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~])")  # what Markdown would take for its own


def markdown(report: "Report") -> str:
    """Write the answer of every scenario, the contenders, what holds for all, and where the numbers come from."""
    blocks: list[Block] = [headline(report, outcome) for outcome in report.outcomes]
    blocks += tables(report, by_selector=report.by_selector)
    blocks += [*of_label(report), *report.notes]
    sources = tuple(f"{profile.name}: {profile.source or 'source not given'}" for profile in report.profiles)
    return to_markdown([*blocks, ("Sources:", *sources)])


def to_markdown(blocks: Iterable[Block], /) -> str:
    r"""Write blocks as Markdown.

    >>> print(to_markdown(["a*b", ("list:", "one"), TextTable(("model", "k"), ((("a|b", "vote"), "4"),))]))
    a\*b
    <BLANKLINE>
    list:
    <BLANKLINE>
    - one
    <BLANKLINE>
    | model | k |
    | --- | --- |
    | a\|b<br>vote | 4 |
    <BLANKLINE>
    """
    return "\n\n".join(_table(b) if isinstance(b, TextTable) else _paragraph(b) for b in blocks if b) + "\n"


def _plain(line: str) -> str:
    return MARKS.sub(r"\\\1", escape(line, quote=False))


def _paragraph(block: Cell) -> str:
    first, *rest = map(_plain, lines_of(block))
    return "\n".join([first, "", *(f"- {line}" for line in rest)]) if rest else first


def _table(table: TextTable) -> str:
    rows = [table.header, *table.rows]
    lines = [f"| {' | '.join('<br>'.join(map(_plain, lines_of(cell))) for cell in row)} |" for row in rows]
    lines.insert(1, f"| {' | '.join(['---'] * len(table.header))} |")
    return "\n".join([*([_plain(table.caption), ""] if table.caption else []), *lines])
