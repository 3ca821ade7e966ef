"""How answers are written to standard output: as wide as the terminal, in colour where it has some."""

import shutil
import sys
from dataclasses import dataclass

from ..core.errors import printable
from ..report.text import WIDTH

__all__ = ["CHANGED", "NOT_FEASIBLE", "STOPPED", "Answer", "columns", "show"]

NOT_FEASIBLE = 3  # exit code: the report is there, and no row of it keeps the limits
CHANGED = 4  # exit code: the choice is another one
STOPPED = 5  # exit code: a budget or a signal stopped it, and what was done is kept

NARROW, WIDE = 60, 160  # between these a table and a sentence can be read


@dataclass(frozen=True)
class Answer:
    """The text of a command that ends with another exit code than 0.

    Args:
        text: what goes to standard output.
        code: the exit code.
    """

    text: str
    code: int = 0


def _is_terminal() -> bool:
    return sys.__stdout__ is not None and not sys.__stdout__.closed and sys.__stdout__.isatty()


def columns() -> int:
    """Return how many columns a text may take: those of the terminal within reason, 80 in a pipe and in a file."""
    if not _is_terminal():
        return WIDTH
    return max(NARROW, min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDE))


def show(answer: str) -> None:
    """Write an answer; in a terminal its first paragraph and the heads of its tables stand out (NO_COLOR: not so)."""
    lines = [printable(line) for line in answer.rstrip("\n").split("\n")]
    if sys.stdout is not sys.__stdout__ or not _is_terminal() or lines[0][:1] in ("{", "["):
        sys.stdout.write("\n".join(lines) + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
    opens = True
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        opens = opens and bool(line)
        style = "bold" if opens else "dim" if _is_rule(line) else "cyan" if _is_rule(below) else ""
        console.print(Text(line, style=style))


def _is_rule(line: str) -> bool:
    return bool(line.strip()) and not line.strip().strip("─")
