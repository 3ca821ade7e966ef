"""Runs that are written down: ``run:`` of a file is a command line as a mapping, long options with _ in place of -.

The options of ``recommend`` stand in it as they are, those of every other command in a mapping of the command's name.
What stands there is put before what is typed, so that it means the same; what is typed wins.
"""

import math
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ..core.documents import to_yaml
from ..core.errors import MooInferError, printable
from ..core.files import atomic_write, refuse_unwritable
from ..core.version import __version__
from ..read.config import moved_path
from ..read.profiles import file_of_models, read_document
from .files import keep_apart, named_files
from .loudness import LOG
from .run_options import MAIN, Option, key_of, listed, options

__all__ = ["LIMITS", "SIDES", "RunCommand", "RunOptions", "commands", "left", "said"]

# Where a report is written to, and pictures, and who computes it: a report says the same wherever it is.
OUTSIDE = {"out", "plot", "picture_format", "axes", "table", "workers"}
NAMING_FILES = {"logs", "prices"}  # texts that may name a file, perhaps as NAME=FILE
GRIDS = ({"k"}, {"k_max", "k_step"})  # two ways to say the same
SHORT = {"max_cost": "cost", "max_latency": "latency", "min_accuracy": "accuracy"}  # limits of one objective
SIDES = ("max_", "min_")  # limits of any objective, NAME=VALUE
LIMITS = {*SHORT, *SIDES}
EITHER = (GRIDS, ({"scenario"}, LIMITS), ({"workflow"}, {"budget", "queries"}))  # options that exclude each other
SAID, SECTIONS = "moo_infer.said", "moo_infer.sections"  # where a context keeps what a file says, and other sections

Sections = Callable[[Path], Mapping[str, Any]]  # of a file in a folder


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """A file with models, scenarios and a run, and one that this run is written to."""

    models: Annotated[
        Path | None,
        typer.Option("--models", metavar="FILE", help="YAML with models, scenarios, and run: what is not typed here."),
    ] = None
    write_run: Annotated[
        Path | None,
        typer.Option("--write-run", metavar="FILE.yaml", help="Write down this run; --models FILE.yaml repeats it."),
    ] = None

    def config(self, context: Any, sections: Sections | None = None) -> dict[str, Any]:
        """Return what repeats this run, as a file in the working directory has it, but `OUTSIDE`.

        Args:
            context: that of the command.
            sections: gives what else belongs into the file, its paths from a folder.
        """
        context.meta[SECTIONS] = sections
        return _document(context, Path(), OUTSIDE)


def commands(context: Any) -> dict[str, "RunCommand"]:
    """Return the commands that a run can tell something, by name."""
    there = context.find_root().command.commands
    return {name: command for name, command in there.items() if isinstance(command, RunCommand)}


class RunCommand(TyperCommand):
    """A command that takes what a file says of it, and writes down what it was told."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the options of a file before those that were typed; ``--no-NAME`` takes a flag of the file back."""
        if not ctx.resilient_parsing and not {"-h", "--help"} & set(args):
            own = options(self)
            negated = {f"--no-{of.key.replace('_', '-')}": name for name, of in own.items() if of.only_on}
            off = {negated[argument] for argument in args if argument in negated}
            args = [argument for argument in args if argument not in negated]
            parsed, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            given = {name: value for name, value in parsed.items() if value}  # arguments are there without a value, too
            if "models" in given:
                written = left(said(ctx, Path(given["models"]), str(self.name)), {*given} | off, given)
                ctx.meta[SAID] = [own[name] for name in written]
                args = [*(text for name, value in written.items() for text in own[name].arguments(value)), *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and write down the run once it is done."""
        place = ctx.params.get("write_run")
        if place is None:
            return self._invoked(ctx)
        if place.suffix.lower() not in (".yaml", ".yml"):
            raise MooInferError(f"--write-run: {place}: must end in .yaml or .yml")
        outputs = {f"--{name}": path for name in ("out", "table") for path in _paths(ctx.params.get(name))}
        keep_apart(_read(ctx), outputs, {"--write-run": place})
        refuse_unwritable(place)
        answer = self._invoked(ctx)
        folder = place.parent
        typed = any(of.name == "models" and of.param_type_name == "argument" for of in self.params)
        again = f"moo-infer {self.name} {'' if typed else '--models '}{place.name}"
        head = f"# Written by moo-infer {__version__}. To repeat: {printable(again)}\n"
        with atomic_write(place) as draft:
            draft.write_text(head + to_yaml(_document(ctx, folder), flow=False), encoding="utf-8")
        LOG.warning("wrote %s", printable(str(place)))
        return answer

    def _invoked(self, ctx: Any) -> Any:
        """Run the command; what is refused of an option that the file gave is said of the file."""
        try:
            return super().invoke(ctx)
        except MooInferError as error:
            for of in ctx.meta.get(SAID, ()):
                for begins in (f"{of.flag}:", f"{of.key}:", f"{of.flag} " * (of.parameter in SIDES)):
                    if begins and (rest := str(error).removeprefix(begins)) != str(error):
                        raise MooInferError(f"{_place(ctx)}: {of.key}{begins[-1]}{rest}") from None
            raise


def _read(ctx: Any) -> list[Path | None]:
    """What a run reads that may be YAML: the file of its models, the one that this names, and those of prices."""
    models = ctx.params.get("models")
    texts = [text for name in NAMING_FILES for text in listed(ctx.params.get(name)) or ()]
    return [models, models and file_of_models(models), *named_files(texts)]


def _paths(value: Any) -> list[Path]:
    return value if isinstance(value, list) else [value] if isinstance(value, Path) else []


def _place(context: Any) -> str:
    """Where the options of a command stand in its file."""
    name = context.command.name
    return f"{context.params['models']}: run" + ("" if name == MAIN else f": {key_of(name)}")


def said(context: Any, path: Path, name: str) -> dict[str, Any]:
    """Return what a file says of a command: values by the names of its parameters, paths from the working directory."""
    run = read_document(path).get("run")
    if run is None:
        return {}
    from .run_section import accepted_run  # with pydantic, which takes longer to import than a run without files

    there = commands(context)
    values, own = accepted_run(there, run, str(path)).get(name, {}), options(there[name])
    return {name: _moved(own[name], value, path.parent, Path()) for name, value in values.items()}


def left(said: Mapping[str, Any], typed: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file says, less what options that are typed take the place of.

    Args:
        said: values by parameter.
        typed: parameters that have another value now.
        given: these values, by parameter.
    """
    gone = {*typed} - set(SIDES)
    for one, other in (*EITHER, *(pair[::-1] for pair in EITHER)):
        gone |= other if one & {*typed} else set()
    limited = {objective for name, objective in SHORT.items() if name in given}
    limited |= {_objective(item) for name in SIDES for item in given.get(name, ())}
    kept = {name: value for name, value in said.items() if name not in gone and SHORT.get(name) not in limited}
    for name in set(SIDES) & {*kept}:
        kept[name] = [item for item in kept[name] if _objective(item) not in limited]
    return kept


def _objective(limit: str) -> str:
    return limit.partition("=")[0].strip()


def _document(context: Any, folder: Path, without: Collection[str] = ()) -> dict[str, Any]:
    """What repeats a run, as a file in a folder has it."""
    run = {}
    for name, of in options(context.command).items():
        if name not in without and context.get_parameter_source(name).name == "COMMANDLINE":
            value = context.params[name]
            value = _moved(of, [*value] if isinstance(value, list | tuple) else value, Path(), folder)
            run[of.key] = _number(value, exactly=name not in SHORT) if isinstance(value, str) else value
    name = context.command.name
    sections = context.meta.get(SECTIONS)
    return {**(sections(folder) if sections else {}), "run": run if name == MAIN else {key_of(name): run}}


def _moved(of: Option, value: Any, start: Path, end: Path) -> Any:
    """The value of an option where relative paths start from another folder."""
    if isinstance(value, list):
        return [_moved(of, item, start, end) for item in value]
    if Path in of.kinds:
        return moved_path(str(value), start, end)
    if of.parameter in NAMING_FILES:
        label, equals, path = value.partition("=")
        if equals and not os.path.exists(start / value):
            return f"{label}={moved_path(path, start, end)}"
        return moved_path(value, start, end) if os.path.exists(start / value) else value
    return value


def _number(text: str, *, exactly: bool) -> str | float:
    """The number that a text is, where it is one; exactly: and where nobody would write it otherwise."""
    for kind in (int, float):
        with suppress(ValueError):
            number = kind(text)
            if math.isfinite(number) and (str(number) == text or not exactly):
                return number
    return text
