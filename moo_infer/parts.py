"""Checks a part (inference model, cost model, aggregator, selector) where it enters, from YAML or as an object."""

import dataclasses
import math
import typing
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, TypeVar

import numpy as np
from annotated_types import Ge, Gt, Le

from .errors import MooInferError

if typing.TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["AtLeastOne", "NonNegative", "Positive", "Share", "build", "check"]

NonNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]
AtLeastOne = Annotated[int, Ge(1)]

Part = TypeVar("Part")


def build(cls: type[Part], given: Mapping[str, object], where: str) -> Part:
    """Make a part from a mapping of its fields.

    Args:
        cls: a dataclass; the annotations of its fields say what is allowed.
        given: values by field name. A number may also be ``{value, se}`` or ``{low, high}``: its value or its middle
            is taken.
        where: where the mapping stands, the beginning of every message.

    Raises:
        MooInferError: for unknown or missing keys, and for values that are not allowed.

    >>> from moo_infer.builtin.costs import LinearCost
    >>> build(LinearCost, {"usd_per_input_token": "1e-6", "usd_per_output_token": True}, "my.yaml: gpt-5: costs[0]")
    Traceback (most recent call last):
    moo_infer.errors.MooInferError: my.yaml: gpt-5: costs[0]: usd_per_output_token: must be a number, got True
    """
    fields = {f.name: f for f in _fields(cls) if f.init}
    for key in given:
        if key not in fields:
            raise MooInferError(f"{where}: unknown key {key!r}; keys: {', '.join(fields) or 'none'}")
    required = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
    if missing := [name for name in required if name not in given]:
        raise MooInferError(f"{where}: missing {', '.join(missing)}; given: {', '.join(map(str, given)) or 'nothing'}")
    values = {str(key): _value(cls, str(key), value, where) for key, value in given.items()}
    try:
        return cls(**values)
    except (TypeError, ValueError, MooInferError) as error:
        raise MooInferError(f"{where}: {error}") from error


def check(part: object, kind: type[Part], where: str) -> Part:
    """Refuse an object that is no instance of `kind`, or whose fields are out of range; return it.

    Raises:
        MooInferError: saying which field, what is allowed and what was given.

    >>> from moo_infer import Selector
    >>> check("knee", Selector, "selectors")
    Traceback (most recent call last):
    moo_infer.errors.MooInferError: selectors: must be a Selector object, got 'knee'
    """
    if isinstance(part, type) or not isinstance(part, kind):
        hint = f" (a class: write {part.__name__}(...))" if isinstance(part, type) and issubclass(part, kind) else ""
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise MooInferError(f"{where}: must be {article} {kind.__name__} object, got {part!r}{hint}")
    for field in _fields(type(part)):
        _value(
            type(part),
            field.name,
            getattr(part, field.name),
            f"{where}: {getattr(part, 'name', '')}".rstrip(": "),
        )
    return part


def _fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()


@cache
def _adapters(cls: type) -> dict[str, tuple[object, "TypeAdapter[Any]"]]:
    # pydantic takes longer to import than a run without files, so it waits for the first part to check.
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: (hints[f.name], TypeAdapter(hints[f.name], config=config)) for f in _fields(cls)}


def _value(cls: type, key: str, value: object, where: str) -> object:
    from pydantic import ValidationError

    hint, adapter = _adapters(cls)[key]
    here = f"{where}: {key}"
    number = _is_number(hint)
    if isinstance(value, np.generic):
        value = value.item()
    if number and isinstance(value, Mapping):
        value = _middle(value, here)
    if number and isinstance(value, bool):
        raise MooInferError(f"{here}: must be a number, got {value!r}")
    if number and isinstance(value, str):
        with suppress(ValueError):  # YAML takes 1e-6 for text
            value = float(value)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        details = error.errors()[0]
        path = ".".join(str(step) for step in details["loc"] if step != "[key]")
        rule = _RULES.get(details["type"], details["msg"].lower()).format(**details.get("ctx", {}))
        raise MooInferError(f"{here}{'.' if path else ''}{path}: {rule}, got {details['input']!r}") from None


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
    "literal_error": "must be {expected}",
}


def _is_number(hint: object) -> bool:
    base = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    return base in (float, int)


def _middle(given: Mapping[object, object], where: str) -> float:
    """The value of ``{value, se}`` or the middle of ``{low, high}``."""
    keys = set(given)
    if not ({"value"} <= keys <= {"value", "se"} or keys == {"low", "high"}):
        allowed = "a number, {value, se} or {low, high}"
        raise MooInferError(f"{where}: must be {allowed}, got keys {', '.join(map(str, given)) or 'none'}")
    numbers = {}
    for key, entry in given.items():
        try:
            numbers[key] = math.nan if isinstance(entry, bool) else float(entry)  # type: ignore[arg-type]  # may fail
        except (TypeError, ValueError):
            numbers[key] = math.nan
        if not math.isfinite(numbers[key]):
            raise MooInferError(f"{where}: {key}: must be a finite number, got {entry!r}")
    if numbers.get("se", 0) < 0:
        raise MooInferError(f"{where}: se: must be >= 0, got {given['se']!r}")
    if numbers.get("low", 0) > numbers.get("high", 0):
        raise MooInferError(f"{where}: low must be <= high, got {given['low']!r} > {given['high']!r}")
    return numbers["value"] if "value" in numbers else (numbers["low"] + numbers["high"]) / 2
