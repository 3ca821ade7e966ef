"""Checks a part (inference model, cost model, aggregator, selector) where it enters, from YAML or as an object."""

import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any, TypeVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from .errors import MooInferError, out_of_reach
from .uncertainty import middle

if typing.TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "NAME",
    "AtLeastOne",
    "NonNegative",
    "Positive",
    "Share",
    "at_least_one",
    "bounds",
    "build",
    "check",
    "is_number",
    "unfit",
    "with_parts",
]

LARGEST = 2**31 - 1  # of counts: the product of two still fits into 64 bits
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # what people type: kebab-case

NonNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]
AtLeastOne = Annotated[int, Ge(1)]

Part = TypeVar("Part")


def bounds(cls: type, field: str) -> tuple[float, float]:
    """Return the least and the largest value that the annotation of a numeric field allows.

    Raises:
        MooInferError: for a field that does not exist or is no number.
    """
    hints = _hints(cls)
    if not is_number(cls, field):
        raise MooInferError(f"{getattr(cls, 'name', cls.__name__)} has no number called {field!r}")
    rules = _rules(hints[field])
    values: dict[type, float] = {type(rule): getattr(rule, type(rule).__name__.lower(), 0.0) for rule in rules}
    return values.get(Ge, values.get(Gt, -math.inf)), values.get(Le, values.get(Lt, math.inf))


def is_number(cls: type, field: str) -> bool:
    """Whether a class has a field that holds one number."""
    return field in _hints(cls) and _is_number(_hints(cls)[field])


def with_parts(
    cls: type,
    key: str,
    value: object,
    kinds: Iterable[type],
    make: Callable[[type, object, str], object],
    where: str,
) -> object:
    """Make the parts in a field that holds some: each mapping with a kind, however they are listed.

    Args:
        cls, key: the class and the field.
        value: what is given.
        kinds: of parts.
        make: makes a part of a kind from a mapping; the last argument says where it stands.
        where: where the field stands.
    """
    hints = _named_types(_hints(cls)[key]) if key in _hints(cls) else set()
    held = next((kind for kind in kinds if kind in hints), None)
    if held is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "kind" in value:
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
        where: where the mapping stands, the beginning of every message.
        folder: where paths among the fields start from; None for the working directory.

    Raises:
        MooInferError: for unknown or missing keys, and for values that are not allowed.

    >>> from moo_infer.builtin.costs import LinearCost
    >>> build(LinearCost, {"usd_per_input_token": "1e-6", "usd_per_output_token": True}, "my.yaml: gpt-5: costs[0]")
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: my.yaml: gpt-5: costs[0]: usd_per_output_token: must be a number, got True
    """
    fields = {f.name: f for f in _fields(cls) if f.init}
    for key in entries:
        if key not in fields:
            raise MooInferError(f"{where}: unknown key {key!r}; keys: {', '.join(fields) or 'none'}")
    required = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
    if missing := [name for name in required if name not in entries]:
        raise MooInferError(
            f"{where}: missing {', '.join(missing)}; given: {', '.join(map(str, entries)) or 'nothing'}"
        )
    values = {str(key): _value(cls, str(key), value, where) for key, value in entries.items()}
    if folder is not None:
        values |= {key: folder / value for key, value in values.items() if isinstance(value, Path)}
    try:
        part = cls(**values)
    except (TypeError, ValueError, AttributeError, MooInferError) as error:
        raise MooInferError(f"{where}: {error}") from error
    for name in fields.keys() - entries.keys():  # defaults are checked where they are used
        _accepted(cls, name, getattr(part, name), f"{where}: {name}")
    return part


def unfit(cls: type, kind: type) -> str:
    """Return why a class cannot be a part, whatever the values of its fields; "" where it can."""
    own = [key for key, hint in inspect.get_annotations(cls).items() if "ClassVar" not in str(hint)]
    if own and not dataclasses.is_dataclass(cls):
        return f"{cls.__name__} has the fields {', '.join(own)}, but is no dataclass"
    if taken := [key for key in own if isinstance(getattr(kind, key, None), property | FunctionType)]:
        return f"{cls.__name__} needs another name for the field {taken[0]}, a member of every {kind.__name__}"
    try:
        _hints(cls)
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
    for field in _fields(cls):
        value, here = getattr(part, field.name), f"{where}: {name}: {field.name}"
        if _is_number(_hints(cls)[field.name]) and isinstance(value, str | Mapping):
            raise MooInferError(f"{here}: must be a number, got {value!r}")
        _accepted(cls, field.name, value, here)
    return part


def _fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


@cache
def _adapters(cls: type) -> dict[str, tuple[object, "TypeAdapter[Any]"]]:
    # pydantic takes longer to import than a run without files, so it waits for the first part to check.
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
    hints = _hints(cls)
    adapters: dict[str, TypeAdapter[Any]] = {
        # A dataclass has a configuration of its own, and pydantic refuses another one.
        f.name: TypeAdapter(hint)
        if dataclasses.is_dataclass(hint := hints[f.name])
        else TypeAdapter(hint, config=config)
        for f in _fields(cls)
    }
    return {name: (hints[name], adapter) for name, adapter in adapters.items()}


def _value(cls: type, key: str, value: object, where: str) -> object:
    hint, _ = _adapters(cls)[key]
    here = f"{where}: {key}"
    if _is_number(hint) and isinstance(value, Mapping):
        return middle(value, here, lambda entry, path: _accepted(cls, key, entry, path))
    return _accepted(cls, key, value, here)


def _accepted(cls: type, key: str, value: object, here: str) -> object:
    from pydantic import ValidationError

    hint, adapter = _adapters(cls)[key]
    if isinstance(value, np.generic):
        value = value.item()
    if Path in _named_types(hint) and not isinstance(value, (str, *_classes(hint))):
        raise MooInferError(f"{here}: must be a path, got {value!r:.80}")
    if bool not in _named_types(hint) and (flag := _first_bool(value)) is not None:
        raise MooInferError(f"{here}: must be a number, got {flag!r}")
    if _is_number(hint) and isinstance(value, str):
        with suppress(ValueError):  # YAML takes 1e-6 for text
            value = float(value)
    value = value + 0.0 if isinstance(value, float) else value  # -0.0 is 0.0, which numpy does not take for negative
    try:
        accepted = adapter.validate_python(value)
        if problem := next(filter(None, map(out_of_reach, _numbers(accepted))), None):
            raise MooInferError(f"{here}: {problem}")
        return accepted
    except ValidationError as error:
        details = error.errors()[0]
        path = ".".join(str(step) for step in details["loc"] if step != "[key]")
        rule = _RULES.get(details["type"], details["msg"].lower()).format(**details.get("ctx", {}))
        raise MooInferError(f"{here}{'.' if path else ''}{path}: {rule}, got {details['input']!r:.80}") from None


def _numbers(value: object) -> Iterator[float]:
    """The numbers in a value, however deep in lists and mappings of it; arrays hold draws of numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    elif isinstance(value, Mapping):
        yield from (number for entry in value.values() for number in _numbers(entry))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (number for entry in value for number in _numbers(entry))


_RULES = {
    "greater_than_equal": "must be >= {ge:g}",
    "greater_than": "must be > {gt:g}",
    "less_than_equal": "must be <= {le:g}",
    "less_than": "must be < {lt:g}",
    "finite_number": "must be finite",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "is_instance_of": "must be a {class} object, which only Python can give",
    "dict_type": "must be a mapping such as {{NAME: VALUE}}",
    "mapping_type": "must be a mapping such as {{NAME: VALUE}}",
    "list_type": "must be a list such as [1, 2]",
    "tuple_type": "must be a list such as [1, 2]",
    "literal_error": "must be {expected}",
}


def _is_number(hint: object) -> bool:
    """Whether a field holds one number, perhaps within a range, perhaps optional."""
    kinds = _named_types(hint) - {type(None)}
    return bool(kinds) and kinds <= {float, int}


def _named_types(hint: object) -> set[object]:
    """The plain types in a hint, through Annotated and unions, and one step into containers."""
    if typing.get_origin(hint) is Annotated:
        return _named_types(typing.get_args(hint)[0])
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return {kind for part in typing.get_args(hint) for kind in _named_types(part)}
    arguments = typing.get_args(hint)
    return {typing.get_origin(hint), *(k for part in arguments for k in _named_types(part))} if arguments else {hint}


def _classes(hint: object) -> tuple[type, ...]:
    return tuple(kind for kind in _named_types(hint) if isinstance(kind, type))


def _rules(hint: object) -> list[object]:
    """The rules of annotated-types in a hint, through unions."""
    if typing.get_origin(hint) is Annotated:
        return list(typing.get_args(hint)[1:])
    return [rule for part in typing.get_args(hint) for rule in _rules(part)]


def _first_bool(value: object) -> bool | None:
    """The first truth value in a value or in what it holds; lax parsing would take it for a number."""
    if isinstance(value, bool):
        return value
    held = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((flag for item in held if (flag := _first_bool(item)) is not None), None)


def at_least_one(value: object, where: str) -> int:
    """Return a whole number from 1 to 2^31 - 1, or raise MooInferError naming the place."""
    index = None if isinstance(value, bool | np.ndarray) else getattr(value, "__index__", None)
    if index is None:
        raise MooInferError(f"{where}: must be a whole number >= 1, got {value!r}")
    number = int(index())
    if not 1 <= number <= LARGEST:
        raise MooInferError(f"{where}: must be {'>= 1' if number < 1 else f'<= {LARGEST}'}, got {number}")
    return number
