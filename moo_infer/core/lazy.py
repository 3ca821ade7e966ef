"""Names of a package that are loaded when they are asked for (SPEC 1 of Scientific Python)."""

from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["lazily"]


def lazily(
    package: dict[str, object], where: Mapping[str, str], /
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: its `globals`, in which what was asked for once is kept.
        where: by name the module of the package that has it.

    >>> inside = {"__name__": "moo_infer.core"}
    >>> get, listed = lazily(inside, {"Draws": "draws"})
    >>> get("Draws").__name__, "Draws" in inside, "Draws" in listed()
    ('Draws', True, True)
    """
    name = package["__name__"]

    def get(wanted: str) -> object:
        if wanted not in where:
            raise AttributeError(f"module {name!r} has no attribute {wanted!r}")
        value: object = getattr(import_module(f".{where[wanted]}", str(name)), wanted)
        package[wanted] = value
        return value

    return get, lambda: sorted({*package, *where})
