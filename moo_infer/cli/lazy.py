"""Commands by name, each loaded when it is asked for: all together take longer to load than most of them to run."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup

__all__ = ["CommandGroup"]

# The module of each command, and its function there, in the order of the help.
RUNS = {  # commands that a file can say the options of
    "recommend": "recommend:recommend",
    "paper": "paper:paper",
    "explore": "explore:explore",
    "calibrate": "calibrate:calibrate",
    "compare": "compare:compare",
    "fit-latency": "fit_latency:fit_latency",
    "lifetime": "lifetime:lifetime",
    "allocate": "allocate:allocate",
    "run": "live:run",
    "sample": "live:sample",
}
OTHERS = {
    "sweep": "sweep:sweep",
    "init": "init:init",
    "diff": "diff:diff",
    "plugins": "listings:list_plugins",
    "models": "listings:list_models",
    "scenarios": "listings:list_scenarios",
    "schema": "schema:schema",
}
PLACES = RUNS | OTHERS


class Commands(Mapping[str, Any]):
    """All commands by name, each made when it is first looked up."""

    def __getitem__(self, name: str) -> Any:
        return _command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class CommandGroup(TyperGroup):
    """The group of all commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = Commands()  # type: ignore[assignment]  # nobody adds a command


@cache
def _command(name: str) -> Any:
    module, function = PLACES[name].split(":")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    kind = import_module(".runs", __package__).RunCommand if name in RUNS else None
    alone.command(name, cls=kind)(getattr(import_module(f".{module}", __package__), function))
    return typer.main.get_command(alone)
