"""The command line: ``moo-infer recommend | calibrate | fit-latency | explore | paper | plugins | models | ...``."""

import io
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from functools import cache
from typing import Annotated, Any

import typer
import typer.main

from ..core.errors import MooInferError, in_short
from ..core.version import __version__
from .lazy import CommandGroup
from .loudness import LOG, LOUDNESS, installed, told
from .terminal import Answer, show

__all__ = ["main", "run"]

app = typer.Typer(
    cls=CommandGroup,
    help="""Which LLM, how many samples k, aggregated how - under budgets of money, seconds, joules and accuracy.

    \b
    Example:
      moo-infer recommend --max-cost 0.50 --max-latency 60 --min-accuracy 0.93
    """,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

TELLS = {"-h", "--help", "--version", "--show-completion", "--install-completion"}  # what goes to standard output
COMPLETION = "_MOO_INFER_COMPLETE"  # by which a shell asks for the words that may come next
INTERRUPTED = 130  # as shells report a program that SIGINT ended: 128 + 2
# The usage error of whichever click typer brings along.
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


def main() -> None:
    """Entry point of the command."""
    if sys.stderr is None:  # closed: there is nobody to tell
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character still gets the rest
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        os._exit(code)  # Python would end by the signal instead where it came while a class was being made by `exec`
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code: 0, or 2 with one sentence on standard error.

    With the whole answer on standard output it is 3 where nothing is feasible, 4 where `diff` sees another choice, and
    5 where a budget or a signal stopped `run` or `sample`.

    Commands return their text. What plugins print meanwhile goes to standard error, so that JSON stands alone.
    """
    if nul_argument := next((argument for argument in arguments if "\0" in argument), None):
        return _fail(f"an argument must not hold a NUL character, got {nul_argument!r:.80}")
    asks_for_help = not arguments or TELLS & set(arguments) or COMPLETION in os.environ
    loud = [argument for argument in arguments if argument not in LOUDNESS]
    level = next((LOUDNESS[argument] for argument in arguments if argument in LOUDNESS), logging.WARNING)
    with warnings.catch_warnings(), ExitStack() as stack:
        stack.enter_context(told(level))
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_, **__: LOG.warning("warning: %s", in_short(message))
        if not asks_for_help:
            stack.enter_context(redirect_stdout(sys.stderr))
        answer = _answer(loud)
    if isinstance(answer, Answer):
        return _print(answer.text) or answer.code
    return answer


def _answer(arguments: Sequence[str]) -> Answer | int:
    """The text of a command, or an exit code: 0 where it has none, others where it was refused or stopped."""
    try:
        answer = _command()(args=list(arguments), prog_name="moo-infer", standalone_mode=False, obj=list(arguments))
    except MooInferError as error:
        return _fail(str(error))
    except USAGE_ERROR as error:
        return _fail(getattr(error, "format_message", error.__str__)().rstrip("."))
    except MemoryError:
        return _fail("not enough memory for this grid and number of trials; try a smaller --k-max, or --k")
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", INTERRUPTED)
    if answer == INTERRUPTED:
        return _fail("stopped", INTERRUPTED)
    if isinstance(answer, str):
        return Answer(answer)
    return answer if isinstance(answer, Answer | int) else 0


@cache
def _command() -> Any:
    """The group of all commands, made once: each that was asked for is kept in it."""
    return typer.main.get_command(app)


def _print(answer: str) -> int:
    """Write the text of a command to standard output and return the exit code."""
    if sys.stdout is None:
        return _fail("cannot write the answer: standard output is closed")
    try:
        show(answer)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output, for example head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(f"cannot write the answer: {error.strerror}")
    return 0


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and those of what it is installed with.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="With any command: no progress, no warnings.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="With any command: say what is done.")] = False,
) -> None:
    if version:
        typer.echo("\n".join([f"moo-infer {__version__}", *installed()]))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def _fail(message: str, code: int = 2) -> int:
    typer.echo(f"moo-infer: {in_short(message)}", err=True)
    return code
