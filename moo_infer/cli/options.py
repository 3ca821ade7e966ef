"""Options that several commands share, and groups of options: a command takes a dataclass for each group."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MooInferError, unknown
from ..core.plugin_files import plugin_file
from ..registry import Registry

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Json", "ModelsFile", "PictureOptions", "PluginFiles", "Strict", "grouped", "registry_with"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, alone, on standard output.")]
ModelsFile = Annotated[
    Path | None,
    typer.Option("--models", metavar="FILE", help="YAML with models to use instead of the built-in ones."),
]
PluginFiles = Annotated[
    list[Path] | None,
    typer.Option("--plugin-file", metavar="FILE", help="A Python file with plugins, not packaged; repeatable."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a file with a record that cannot be read.")]


def grouped(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take option dataclasses: typer sees their fields, in order, as options of the command.

    >>> @dataclass(frozen=True)
    ... class Size:
    ...     width: int = 3
    ...     height: int = 2
    >>> @grouped
    ... def area(size: Size, unit: str = "m2") -> str:
    ...     return f"{size.width * size.height} {unit}"
    >>> str(inspect.signature(area))
    "(*, width: int = 3, height: int = 2, unit: str = 'm2') -> str"
    >>> area(width=5, height=2, unit="cm2")
    '10 cm2'
    """
    signature = inspect.signature(command)
    groups: dict[str, Any] = {n: p.annotation for n, p in signature.parameters.items() if is_dataclass(p.annotation)}
    parameters = []
    for name, parameter in signature.parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        for field in fields(groups[name]) if name in groups else ():
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            parameters.append(
                inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.type)
            )

    @wraps(command)
    def with_groups(**kwargs: Any) -> Any:
        made = {
            name: cls(**{field.name: kwargs.pop(field.name) for field in fields(cls)}) for name, cls in groups.items()
        }
        return command(**made, **kwargs)

    with_groups.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    return with_groups


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """Whether pictures are written, and as what."""

    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Write pictures into a folder as well.")
    ] = None
    picture_format: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Of the pictures: png, svg or pdf; default png.")
    ] = None

    def room(self) -> "ModuleType | None":
        """Return `moo_infer.plot` where pictures are wanted; raises before the work starts where options are wrong."""
        if self.plot is None and self.picture_format is None:
            return None
        from .. import plot

        if self.picture_format is not None and self.picture_format not in plot.FORMATS:
            raise unknown("format", self.picture_format, plot.FORMATS, "--format")
        if self.plot is None:
            raise MooInferError("--format is about pictures; give --plot DIR as well")
        plot.refuse_no_folder(self.plot)
        return plot


def registry_with(plugin_files: list[Path] | None) -> Registry:
    """Everything installed, and the plugins of files that are not."""
    return Registry(*(plugin_file(path) for path in plugin_files or []))
