"""What mappings of fields may hold, by pydantic: it checks what stands in files and objects, and gives JSON schemas.

Imported with the first mapping that is checked: pydantic takes longer to import than a run without files.
"""

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, Union

import numpy as np
from annotated_types import Ge, Le
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Tag,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from .errors import LARGEST_NUMBER, LARGEST_TOTAL, MooInferError, out_of_reach
from .hints import hints, is_number, largest, named_types, parts_of_union
from .objectives import Objective

__all__ = ["Entry", "JsonSchema", "accepted", "entry_type", "in_words", "mapping_type", "plain_number", "refused"]

CONFIG = ConfigDict(extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)
# YAML 1.1 takes 1e-6 for text, which is read as the number that it is.
DIGITS = r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
NUMBER = "a number, {value, se} or {low, high}"

BRANCH = re.compile(r"[A-Z]\w*|(tuple|list|dict|literal)\[.*")  # of a union: how pydantic calls classes and containers

T = TypeVar("T")
Error = Annotated[float, Ge(0), Le(LARGEST_TOTAL)]


def refused(reason: str, *, part: bool = False) -> PydanticCustomError:
    """Return the error of a validator that has said all in words: what is allowed, and what was given.

    Args:
        reason: the words.
        part: whether a part refuses what it was given; faults of the form around it are named before.
    """
    return PydanticCustomError("part" if part else "form", "{reason}", {"reason": reason})


@dataclasses.dataclass(frozen=True)
class Keys:
    """Refuses mappings with unknown or missing keys, before their values are looked at.

    Args:
        allowed: all keys.
        required: those that must be there.
        given: whether the message of a missing key has the keys that were given in place of all.
    """

    allowed: Sequence[str]
    required: Sequence[str] = ()
    given: bool = False

    def __call__(self, entries: Any) -> Any:
        """Return what was given."""
        if not isinstance(entries, Mapping):
            return entries
        listed = ", ".join(self.allowed) or "none"
        for key in entries:
            if key not in self.allowed:
                close = get_close_matches(str(key), self.allowed, n=1)
                raise refused(
                    f"unknown key {key!r:.80}; keys: {listed}" + (f"; did you mean {close[0]}?" if close else "")
                )
        if missing := ", ".join(key for key in self.required if key not in entries):
            names = ", ".join(map(str, entries)) or "nothing"
            raise refused(f"missing {missing}; " + (f"given: {names}" if self.given else f"keys: {listed}"))
        return entries


class Entry(BaseModel):
    """A mapping in a file: its annotated fields are the keys that it may have."""

    model_config = CONFIG

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, entries: Any) -> Any:
        fields = cls.model_fields
        return Keys([*fields], [name for name, field in fields.items() if field.is_required()])(entries)


class Spread(Entry, Generic[T]):
    """A number, and its standard error."""

    value: T
    se: Annotated[Error, WrapValidator(lambda value, accept: _taken(value, accept, Error))] = 0.0

    @property
    def middle(self) -> T:
        """The number itself."""
        return self.value


class Between(Entry, Generic[T]):
    """A number that lies anywhere between two others."""

    low: T
    high: T

    @model_validator(mode="after")
    def _in_order(self) -> "Between[T]":
        low, high = typing.cast(tuple[float, float], (self.low, self.high))
        if low > high:
            raise refused(f"low must be <= high, got {low!r} > {high!r}")
        return self

    @property
    def middle(self) -> float:
        """The number between them."""
        low, high = typing.cast(tuple[float, float], (self.low, self.high))
        return (low + high) / 2


def accepted(cls: Any, entries: Mapping[str, Any], *, every: bool = False) -> dict[str, Any]:
    """Return the values of fields as their annotations have them, of an uncertain number its middle.

    Args:
        cls: a dataclass.
        entries: values by field.
        every: whether fields may stand among them that cannot be given.

    Raises:
        MooInferError: naming the field, what is allowed and what was given.
    """
    try:
        made = entry_type(cls, every).validate_python(entries)
    except ValidationError as error:
        raise MooInferError(in_words(error)) from None
    values = {key: getattr(made, key) for key in entries}
    return {key: value.middle if isinstance(value, Spread | Between) else value for key, value in values.items()}


@cache
def entry_type(cls: Any, every: bool = False) -> TypeAdapter[Any]:
    """Return what checks a mapping of the fields of a dataclass, as their annotations have them.

    Args:
        cls: the dataclass.
        every: take the fields that cannot be given as well, as an object has them.
    """
    own = [f for f in dataclasses.fields(cls) if f.init or every] if dataclasses.is_dataclass(cls) else []
    fields = []
    for f in own:
        default = dataclasses.field(default=f.default, default_factory=f.default_factory)
        fields.append((f.name, _field(hints(cls)[f.name]), default))
    required = [f.name for f in own if f.default is f.default_factory is dataclasses.MISSING]
    return mapping_type(cls.__name__, fields, required, cls.__doc__)


def mapping_type(
    name: str, fields: Sequence[tuple[str, Any, Any]], required: Sequence[str] = (), doc: str | None = None
) -> TypeAdapter[Any]:
    """Return what checks a mapping of that name: of every field the key, the annotation and the default."""
    made = dataclasses.make_dataclass(
        name, fields, kw_only=True, namespace={"__pydantic_config__": CONFIG, "__doc__": doc}
    )
    checked: Any = Annotated[made, BeforeValidator(Keys([key for key, *_ in fields], required, given=True))]
    return TypeAdapter(checked)


def plain_number(hint: Any) -> Any:
    """Return the annotation of one number as its annotation says, no truth value, perhaps written as text."""
    return Annotated[hint, WrapValidator(_for(hint))]


def _field(hint: Any) -> Any:
    """What a field takes: what its annotation says, but no truth value for a number, and numbers written as text."""
    plain = Annotated[hint, WrapValidator(_for(hint))]
    if not is_number(hint):
        return plain
    number: Any = Union[tuple(part for part in parts_of_union(hint) or (hint,) if part is not type(None))]  # noqa: UP007
    number = Annotated[number, WrapValidator(_for(number))]
    return Annotated[
        Union[  # noqa: UP007  # of annotated types
            Annotated[plain, Tag("[number]")],
            Annotated[Spread[number], Tag("[spread]")],
            Annotated[Between[number], Tag("[between]")],
        ],
        Discriminator(_sort, custom_error_type="keys_of_number", custom_error_message=NUMBER),
    ]


def _sort(value: Any) -> str | None:
    """Which of the forms of a number a value has."""
    if not isinstance(value, Mapping):
        return "[number]" if not isinstance(value, Entry) else None
    if set(value) == {"low", "high"}:
        return "[between]"
    return "[spread]" if {"value"} <= set(value) <= {"value", "se"} else None


def _for(hint: Any) -> Any:
    return lambda value, accept: _taken(value, accept, hint)


def _taken(value: Any, accept: Any, hint: Any = float) -> Any:
    """Take a value as its annotation has it, a little more strictly than pydantic does, and a little less."""
    kinds = named_types(hint)
    if isinstance(value, np.generic):
        value = value.item()
    classes = tuple(kind for kind in kinds if isinstance(kind, type))
    if Path in kinds and not isinstance(value, (str, *classes)):
        raise refused(f"must be a path, got {value!r:.80}")
    if bool not in kinds and (flag := _first_bool(value)) is not None:
        raise refused(f"must be a number, got {flag!r}")
    if is_number(hint) and isinstance(value, str):
        with suppress(ValueError):
            value = float(value)
    value = value + 0.0 if isinstance(value, float) else value  # -0.0 is 0.0, which numpy does not take for negative
    taken = accept(value)
    if problem := next(filter(None, (out_of_reach(n, largest(hint)) for n in _numbers(taken))), None):
        raise refused(problem)
    return taken


def _numbers(value: object) -> Iterator[float]:
    """The numbers in a value, however deep in lists and mappings of it; arrays hold draws of numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    elif isinstance(value, Mapping):
        yield from (number for entry in value.values() for number in _numbers(entry))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (number for entry in value for number in _numbers(entry))


def _first_bool(value: object) -> bool | None:
    """The first truth value in a value or in what it holds; lax parsing would take it for a number."""
    if isinstance(value, bool):
        return value
    held = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((flag for item in held if (flag := _first_bool(item)) is not None), None)


RULES = {
    "unexpected_keyword_argument": "is no key here",
    "missing": "is missing",
    "greater_than_equal": "must be >= {ge:g}",
    "greater_than": "must be > {gt:g}",
    "less_than_equal": "must be <= {le:g}",
    "less_than": "must be < {lt:g}",
    "finite_number": "must be finite",
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "is_instance_of": "must be a {class} object, which only Python can give",
    "dict_type": "must be a mapping such as {{NAME: VALUE}}",
    "mapping_type": "must be a mapping such as {{NAME: VALUE}}",
    "model_type": "must be a mapping",
    "dataclass_type": "must be a mapping",
    "list_type": "must be a list such as [1, 2]",
    "tuple_type": "must be a list such as [1, 2]",
    "literal_error": "must be {expected}",
}


def in_words(error: ValidationError, within: str = ".") -> str:
    """Return the first fault of a mapping as a sentence: where it stands, what is allowed, what was given.

    Args:
        error: what pydantic found.
        within: what leads into a field that is a mapping.
    """
    faults = error.errors(include_url=False)
    details: Any = min(faults, key=lambda fault: fault["type"] == "part")
    if within == ".":
        details = _closest(faults, details)
    branches = {step for i, step in enumerate(details["loc"]) if within == "." and _branch(i, step)}
    steps = [step for step in details["loc"] if not (str(step).startswith("[") or step in branches)]
    if within != "." and len(steps) > 1:
        steps = steps[1:]  # names stand in sections, which need not be said
    lead = ": " if {"[spread]", "[between]"} & {*details["loc"]} else within
    place = ""
    for step in steps:
        place += f"[{step}]" if isinstance(step, int) and within != "." else f"{lead}{step}" if place else str(step)
    return (f"{place}: " if place else "") + _reason(details)


def _closest(faults: Sequence[Any], first: Any) -> Any:
    """The fault of what a value is most like, where it may be several things."""
    branch = next((i for i, step in enumerate(first["loc"]) if _branch(i, step)), None)
    if branch is None:
        return first
    return max((f for f in faults if f["loc"][:branch] == first["loc"][:branch]), key=lambda f: len(f["loc"]))


def _branch(i: int, step: object) -> bool:
    """Whether a step to a fault, behind the name of the field, is no key but what a value of a union was taken for."""
    return i > 0 and isinstance(step, str) and BRANCH.fullmatch(step) is not None


def _reason(details: Any) -> str:
    if details["type"] in ("form", "part"):
        return str(details["ctx"]["reason"])
    if details["type"] == "keys_of_number":
        return f"must be {NUMBER}, got keys {', '.join(map(str, details['input'])) or 'none'}"
    rule = RULES.get(details["type"], details["msg"].lower()).format(**details.get("ctx", {}))
    return f"{rule}, got {details['input']!r:.80}"


class JsonSchema(GenerateJsonSchema):
    """Describes what is accepted: numbers of a size to compute with, also as text, and no objects of Python."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  # as pydantic declares it

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """A number, or its digits."""
        return _with_text(super().float_schema(schema))

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        """A whole number, or its digits."""
        return _with_text(super().int_schema(schema))

    def encode_default(self, dft: Any) -> Any:
        """The value of a field that is left out, an objective by its name."""
        return super().encode_default(str(dft) if isinstance(dft, Objective) else dft)

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        """Nothing in a file makes an object of Python."""
        return {"not": {}}


def _with_text(number: JsonSchemaValue) -> JsonSchemaValue:
    largest = {} if {"maximum", "exclusiveMaximum"} & {*number} else {"maximum": LARGEST_NUMBER}
    smallest = {} if {"minimum", "exclusiveMinimum"} & {*number} else {"minimum": -LARGEST_NUMBER}
    sign = "[-+]?" if smallest else "[+]?"
    return {"anyOf": [number | largest | smallest, {"type": "string", "pattern": f"^{sign}{DIGITS}"}]}
