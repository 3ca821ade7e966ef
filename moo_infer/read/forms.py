"""What entries of files are made of: parts by their kind, sections of names, counts and texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from annotated_types import MinLen
from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ..core.entries import refused
from ..core.errors import MooInferError
from ..core.parts import LARGEST, at_least_one
from ..core.uncertainty import Uncertain, uncertain
from ..registry import Registry

__all__ = ["KINDS", "NO_PART", "AtLeastOne", "Built", "Context", "OfKind", "PartList", "Section", "Text", "in_place"]

KINDS = "kinds"  # of a JSON schema: stands for all parts of an interface


@dataclass(frozen=True)
class Context:
    """What the check of a file needs besides the file: where kinds are looked up, and where its paths start from."""

    registry: Registry
    folder: Path


class Built(NamedTuple):
    """A part, and how uncertain its numbers are."""

    part: Any
    uncertain: dict[str, Uncertain]


NO_PART = Built(None, {})


@dataclass(frozen=True)
class OfKind:
    """An annotation: a mapping with a ``kind``, which makes a part of the class of that name."""

    interface: type

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._built)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {KINDS: self.interface.__name__}  # filled in with the classes of a registry

    def _built(self, fields: Any, info: ValidationInfo) -> Built:
        context = info.context
        assert isinstance(context, Context)
        part: Any = in_place(lambda: context.registry.build(self.interface, fields, "", context.folder))
        return Built(part, uncertain(fields))


def in_place(make: Any) -> Any:
    """Return what a function makes; where it refuses, its sentence is that of the place."""
    try:
        return make()
    except MooInferError as error:
        raise refused(str(error), part=True) from None


def _named(section: Any) -> Any:
    if not isinstance(section, Mapping) or not section:
        raise refused(f"must be a mapping of names, got {section!r:.80}")
    for name in section:
        if not isinstance(name, str) or not name.strip():
            raise refused(f"names must be text, got {name!r}; put it in quotes")
    return section


def _listed(costs: Any) -> Any:
    if not isinstance(costs, list):
        raise refused(f"must be a list of cost models, got {costs!r:.80}")
    return costs


def _text(value: Any) -> Any:
    return value if isinstance(value, Mapping | list) or value is None else str(value)


Whole = BeforeValidator(lambda value: in_place(lambda: at_least_one(value, "")))
AtLeastOne = Annotated[int, Field(ge=1, le=LARGEST), Whole]  # the range first, or its schema does not have it
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
PartList = BeforeValidator(_listed)
Name = Annotated[str, WithJsonSchema({"pattern": r"\S"})]
Entries = TypeVar("Entries")
Section = Annotated[dict[Name, Entries], BeforeValidator(_named), MinLen(1)]
