"""Reports as text for people, 80 columns wide where nobody says otherwise."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING

from .answer import headline, tables
from .by_label import blocks as of_label
from .details import figures
from .wording import Block, Cell, TextTable, lines_of, title

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .report import Report

__all__ = ["WIDTH", "laid_out", "write"]

WIDTH = 80  # characters of a line
FIGURES_ABREAST = 8  # figures of a contender
POLICIES_ABREAST = 7  # as many where calls and waves are among them, which are wider
SELECTORS_ABREAST = 5  # as many cells as fit into a line beside the model
MOST = 10_000  # characters of a line that is not cut
LABEL = 13  # characters of a name in a table that is too wide
SHORTEST = 5  # characters of a name or of a head where figures leave no room for more
SURE_ABREAST = 4  # cells that also say how sure a choice is are wider


def write(report: "Report", *, details: bool, by_selector: bool, width: int = WIDTH) -> str:
    """Write the headline of every scenario, then what stands below it, then what holds for all."""
    blocks: list[Block] = [headline(report, outcome) for outcome in report.outcomes]
    if by_selector or not details:
        abreast = (SURE_ABREAST if report.stable else SELECTORS_ABREAST) if by_selector else FIGURES_ABREAST
        shown = tables(report, by_selector=by_selector)
        if any(isinstance(block, TextTable) and "waves" in block.header for block in shown):
            abreast = min(abreast, POLICIES_ABREAST)
        blocks += [part for block in shown for part in _abreast(block, abreast)]
    if details:
        blocks += [block for outcome in report.outcomes for block in ("", title(outcome), *figures(report, outcome))]
    blocks += of_label(report)
    blocks += ["", *report.notes] if report.notes else []
    if details:
        blocks += ["", *(f"{profile.name}: {profile.source or 'source not given'}." for profile in report.profiles)]
    return laid_out(blocks, width)


def laid_out(blocks: Sequence[Block], width: int = WIDTH) -> str:
    r"""Write paragraphs and tables below each other, so many columns wide, without colour or trailing blanks.

    What a terminal would act on instead of showing it is escaped.

    >>> laid_out(["a name\x1b[2J", ("a list:", "of one")])
    'a name\\x1b[2J\na list:\n  of one\n'
    """
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, markup=False, emoji=False)
    for block in blocks:
        if isinstance(block, TextTable):
            table = _fitted(console, block)
            console.width = MOST
            console.print(table)
            console.width = width
        else:
            console.print("\n  ".join(lines_of(block)))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO from above
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _abreast(block: Block, columns: int) -> Iterator[Block]:
    """Cut a table with more columns into several with the same labels."""
    if not isinstance(block, TextTable):
        yield block
        return
    for start in range(block.labels, len(block.header), columns):
        keep = [*range(block.labels), *range(start, min(start + columns, len(block.header)))]
        header, *rows = (tuple(line[i] for i in keep) for line in (block.header, *block.rows))
        yield replace(block, header=header, rows=tuple(rows))


def _lines(cell: Cell) -> str:
    return "\n".join(lines_of(cell))


def _at_hyphens(cell: str, width: int) -> Iterator[str]:
    """The lines of a cell, those of more characters broken behind a hyphen where they have one."""
    for line in cell.split("\n"):
        yield from wrap(line, width, break_long_words=False, subsequent_indent="  ") if len(line) > width else [line]


def _fitted(console: "Console", content: TextTable) -> "Table":
    """A table as wide as the console at most: first cells are broken between words, then names and heads within them.

    No figure is broken, whatever the room.
    """
    options = console.options.update(width=MOST)
    table = _drawn(content)
    if content.labels < len(content.header) and console.measure(table, options=options).maximum > console.width:
        table = _drawn(content, LABEL)
    over = console.measure(table, options=options).maximum - console.width
    if over > 0:
        texts = [[str(cell) for cell in (column.header, *column.cells)] for column in table.columns]
        words = [max(map(_longest_word, cells)) for cells in texts]
        widths = _narrowed(texts, words, content.labels, over)
        for column, width in zip(table.columns, widths, strict=True):
            column.width = width
    return table


def _narrowed(texts: Sequence[Sequence[str]], words: Sequence[int], labels: int, over: int) -> list[int]:
    """Widths of columns, some characters narrower in all: heads and cells by column, and their longest words."""
    from rich.cells import cell_len

    widths = [max(cell_len(line) for text in cells for line in text.split("\n")) for cells in texts]
    least = [min(SHORTEST, width) for width in widths]
    for i, cells in enumerate(texts[labels:], labels):
        figures = [word for text in cells[1:] for word in text.split() if any(map(str.isdigit, word))]
        least[i] = max([least[i], *(len(word) for word in figures if len(word) <= LABEL)])
    for floors in (words, least):
        while over > 0 and (wide := [i for i, width in enumerate(widths) if width > floors[i]]):
            widths[max(wide, key=lambda i: (i >= labels, widths[i]))] -= 1  # figures with their intervals before names
            over -= 1
    return widths


def _longest_word(text: str) -> int:
    """The characters of the longest word, with what a line is indented by; a number and its % are one."""
    from rich.cells import cell_len

    text = text.replace(" %", "_%")
    lines = [line for line in text.split("\n") if line.strip()]
    first = [len(line) - len(line.lstrip()) + cell_len(line.split()[0]) for line in lines]
    return max([0, *first, *map(cell_len, text.split())])


def _drawn(content: TextTable, label: int | None = None) -> "Table":
    """A table; names of more characters than `label` are broken at hyphens."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, title=_lines(content.caption) or None, title_justify="left", pad_edge=False, padding=(0, 1)
    )
    for i, name in enumerate(content.header):
        table.add_column(_lines(name), justify="left" if i < content.labels else "right", overflow="fold")
    for row in content.rows:
        cells = [_lines(cell) for cell in row]
        if label is not None:
            cells[: content.labels] = ["\n".join(_at_hyphens(cell, label)) for cell in cells[: content.labels]]
        table.add_row(*cells)
    return table
