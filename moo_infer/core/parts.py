"""Checks a part (inference model, cost model, aggregator, selector) where it enters, from YAML or as an object."""

import dataclasses
import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any, TypeVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from .errors import LARGEST_TOTAL, MooInferError, located
from .hints import fits, hints, named_types, rules
from .hints import is_number as one_number

__all__ = [
    "NAME",
    "AtLeastOne",
    "AtLeastZero",
    "Large",
    "NonNegative",
    "Positive",
    "Share",
    "at_least_one",
    "bounds",
    "build",
    "check",
    "inside",
    "is_number",
    "parameters",
    "refuse_unfit",
    "share",
    "split",
    "unfit",
    "with_parts",
]

LARGEST = 2**31 - 1  # of counts: the product of two still fits into 64 bits
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # what people type: kebab-case

NonNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Large = Annotated[float, Ge(0), Le(LARGEST_TOTAL)]
Share = Annotated[float, Ge(0), Le(1)]
AtLeastOne = Annotated[int, Ge(1)]
AtLeastZero = Annotated[int, Ge(0)]

Part = TypeVar("Part")


def bounds(cls: type, field: str) -> tuple[float, float]:
    """Return the least and the largest value that the annotation of a numeric field allows.

    Raises:
        MooInferError: for a field that does not exist or is no number.
    """
    if not is_number(cls, field):
        raise MooInferError(f"{getattr(cls, 'name', cls.__name__)} has no number called {field!r}")
    given = rules(hints(cls)[field])
    values: dict[type, float] = {type(rule): getattr(rule, type(rule).__name__.lower(), 0.0) for rule in given}
    return values.get(Ge, values.get(Gt, -math.inf)), values.get(Le, values.get(Lt, math.inf))


def is_number(cls: type, field: str) -> bool:
    """Whether a class has a field that holds one number."""
    return field in hints(cls) and one_number(hints(cls)[field])


def with_parts(
    cls: type,
    key: str,
    value: object,
    kinds: Iterable[type],
    make: Callable[[type, object, str], object],
    where: str,
) -> object:
    """Make the parts in a field that holds some: each mapping with a kind, however they are listed.

    What holds parts may lie in dataclasses that the field lists.

    Args:
        cls, key: the class and the field.
        value: what is given.
        kinds: of parts.
        make: makes a part of a kind from a mapping; the last argument says where it stands.
        where: where the field stands.
    """
    named = named_types(hints(cls)[key]) if key in hints(cls) else set()
    held = next((kind for kind in kinds if kind in named), None)
    inner = next((kind for kind in named if isinstance(kind, type) and dataclasses.is_dataclass(kind)), None)
    if (held is None and inner is None) or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and held is None and inner is not None:
        return {n: with_parts(inner, str(n), entry, kinds, make, f"{where}.{n}") for n, entry in value.items()}
    if isinstance(value, Mapping) and held is not None and "kind" in value:
        return make(held, value, where)
    if isinstance(value, Mapping):
        return {n: with_parts(cls, key, entry, kinds, make, f"{where}.{n}") for n, entry in value.items()}
    if isinstance(value, list | tuple):
        return tuple(with_parts(cls, key, entry, kinds, make, f"{where}[{i}]") for i, entry in enumerate(value))
    return value


def build(cls: type[Part], entries: Mapping[str, object], where: str, folder: Path | None = None) -> Part:
    """Make a part from a mapping of its fields.

    Args:
        cls: a dataclass; the annotations of its fields say what is allowed.
        entries: values by field name. A number may also be ``{value, se}`` or ``{low, high}``: its value or its middle
            is taken.
        where: where the mapping stands, the beginning of every message; "" for none.
        folder: where paths among the fields start from; None for the working directory.

    Raises:
        MooInferError: for unknown or missing keys, and for values that are not allowed.

    >>> from moo_infer.builtin.costs import LinearCost
    >>> build(LinearCost, {"usd_per_input_token": "1e-6", "usd_per_output_token": True}, "my.yaml: gpt-5: costs[0]")
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: my.yaml: gpt-5: costs[0]: usd_per_output_token: must be a number, got True
    """
    own = _fields(cls)
    required = any(f.init and f.default is f.default_factory is dataclasses.MISSING for f in own)
    values = _accepted(cls, entries, where) if entries or required else {}
    if folder is not None:
        values |= {key: folder / value for key, value in values.items() if isinstance(value, Path)}
    try:
        part = cls(**values)
    except (TypeError, ValueError, AttributeError, MooInferError) as error:
        raise MooInferError(located(where, str(error))) from error
    defaults = {f.name: getattr(part, f.name) for f in own if f.name not in entries}
    if not _all_fit(cls, defaults):  # they are checked where they are used
        _accepted(cls, {**entries, **defaults}, where, every=True)
    return part


def split(parameters: str) -> Iterator[str]:
    """Split what stands behind the colon of a name at the commas outside brackets, braces and quotes.

    >>> list(split("a=1,weights={accuracy: 3, cost: 0.5}"))
    ['a=1', 'weights={accuracy: 3, cost: 0.5}']
    """
    item, depth, quote = "", 0, ""
    for character in parameters:
        if character == "," and not (depth or quote):
            yield item
            item = ""
            continue
        item += character
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and (depth or item.endswith(f"={character}")):  # an apostrophe in a text is none
            quote = character
        else:
            depth += (character in "[{") - (character in "]}")
    yield item


def parameters(cls: type) -> tuple[str, ...]:
    """Return the fields of a part that can be given, as ``NAME`` or ``NAME=DEFAULT``."""
    listed = []
    for field in _fields(cls):
        missing = field.default is field.default_factory is dataclasses.MISSING
        shown = "" if missing or field.default is dataclasses.MISSING else f"={field.default}"
        listed += [f"{field.name}{shown}"] if field.init else []
    return tuple(listed)


def unfit(cls: type, kind: type) -> str:
    """Return why a class cannot be a part, whatever the values of its fields; "" where it can."""
    own = [key for key, hint in inspect.get_annotations(cls).items() if "ClassVar" not in str(hint)]
    if own and not dataclasses.is_dataclass(cls):
        return f"{cls.__name__} has the fields {', '.join(own)}, but is no dataclass"
    if taken := [key for key in own if isinstance(getattr(kind, key, None), property | FunctionType)]:
        return f"{cls.__name__} needs another name for the field {taken[0]}, a member of every {kind.__name__}"
    try:
        hints(cls)
    except NameError as error:
        return f"{cls.__name__} has a field whose type is unknown: {error}"
    return ""


def check(part: object, kind: type[Part], where: str) -> Part:
    """Refuse an object that is no instance of `kind`, or whose fields are out of range; return it.

    Raises:
        MooInferError: saying which field, what is allowed and what was given.

    >>> from moo_infer import Selector
    >>> check("knee", Selector, "selectors")
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: selectors: must be a Selector object, got 'knee'
    """
    if isinstance(part, type) or not isinstance(part, kind):
        hint = f" (a class: write {part.__name__}(...))" if isinstance(part, type) and issubclass(part, kind) else ""
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise MooInferError(f"{where}: must be {article} {kind.__name__} object, got {part!r}{hint}")
    name = getattr(part, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise MooInferError(f"{where}: {type(part).__name__} needs a class attribute name, got {name!r}")
    cls: Any = type(part)
    if problem := unfit(cls, kind):
        raise MooInferError(f"{where}: {problem}")
    values = {field.name: getattr(part, field.name) for field in _fields(cls)}
    refuse_unfit(cls, values, f"{where}: {name}")
    return part


def refuse_unfit(cls: type, values: Mapping[str, object], where: str) -> None:
    """Refuse values of fields that are not as the annotations of a dataclass have them.

    Raises:
        MooInferError: saying which field, what is allowed and what was given.
    """
    for field, value in values.items():  # files may have numbers as text, which are numbers then
        if is_number(cls, field) and isinstance(value, str | Mapping):
            raise MooInferError(located(where, f"{field}: must be a number, got {value!r}"))
    if not _all_fit(cls, values):
        _accepted(cls, values, where, every=True)


def _fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()


def _all_fit(cls: type, values: Mapping[str, object]) -> bool:
    return all(fits(value, hints(cls)[key]) for key, value in values.items())


def _accepted(cls: type, entries: Mapping[str, Any], where: str, *, every: bool = False) -> dict[str, Any]:
    """The values of fields as their annotations have them; raises MooInferError naming the place."""
    from .entries import accepted  # pydantic takes longer to import than a run without files

    try:
        return accepted(cls, entries, every=every)
    except MooInferError as error:
        raise MooInferError(located(where, str(error))) from None


def at_least_one(value: object, where: str) -> int:
    """Return a whole number from 1 to 2^31 - 1, or raise MooInferError naming the place."""
    index = None if isinstance(value, bool | np.ndarray) else getattr(value, "__index__", None)
    if index is None:
        raise MooInferError(located(where, f"must be a whole number >= 1, got {value!r}"))
    number = int(index())
    if not 1 <= number <= LARGEST:
        raise MooInferError(located(where, f"must be {'>= 1' if number < 1 else f'<= {LARGEST}'}, got {number}"))
    return number


def share(value: object, where: str) -> float:
    """Return a number above 0 and up to 1, or raise MooInferError naming the place."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value <= 1:
        raise MooInferError(f"{where}: must be > 0 and <= 1, got {value!r}")
    return float(value)


def inside(value: object, where: str) -> float:
    """Return a number between 0 and 1, neither of them, or raise MooInferError naming the place."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise MooInferError(f"{where}: must be between 0 and 1, got {value!r}")
    return float(value)
