"""The key ``call`` of a profile in a file: what it may hold, as a check and as a JSON schema."""

from collections.abc import Mapping
from dataclasses import Field as DataclassField
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, Strict, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ..core.call_settings import ADDRESS, PLACEHOLDER, TAKEN, VARIABLE, CallSettings, file_and_function
from ..core.entries import JsonSchema, in_words, mapping_type, plain_number, refused
from ..core.errors import MooInferError
from ..core.hints import hints
from ..core.parts import is_number

__all__ = ["OfCall"]

WORDS = {"type": "string", "pattern": r"\S"}
SCHEMAS: dict[str, JsonSchemaValue] = {  # of what `CallSettings` checks itself, so that no refusal repeats a secret
    "base_url": {"type": "string", "pattern": f"^{ADDRESS.pattern}$"},
    "model": {"type": "string", "pattern": r"^$|\S"},
    "key_env": {"type": ["string", "null"], "pattern": f"^{VARIABLE.pattern}$"},
    "template": {"type": "string", "pattern": PLACEHOLDER.pattern},
    "reasoning_effort": WORDS | {"type": ["string", "null"]},
    "extract": WORDS | {"type": ["string", "null"]},
    "extra": {"type": "object", "propertyNames": {"not": {"enum": [*TAKEN]}}},
    "extra_query": {"type": "object", "additionalProperties": {"type": "string"}},
}


class OfCall:
    """An annotation: a mapping of fields of `CallSettings`, of which it keeps those that are given."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            lambda entries, info: _accepted(entries, info.context.folder)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = _described().json_schema(schema_generator=JsonSchema)
        for entry in described["properties"].values():
            entry.pop("default", None)
        return described


def _accepted(entries: Any, folder: Path) -> dict[str, Any]:
    """The fields that are given, checked; the file among them starts from a folder."""
    if not isinstance(entries, Mapping):
        raise refused("must be a mapping such as {base_url: ..., model: ...}")
    try:
        made = _described().validate_python(entries)
        values = {key: getattr(made, key) for key in entries}
        _ = CallSettings(**values)
    except ValidationError as error:
        raise refused(in_words(error)) from None
    except MooInferError as error:
        raise refused(str(error)) from None
    if found := file_and_function(values.get("extract")):
        values["extract"] = f"{folder / found[0]}:{found[1]}"
    return values


@cache
def _described() -> TypeAdapter[Any]:
    """What checks the form of a call."""
    made = [(of.name, _annotation(of), None) for of in fields(CallSettings)]
    return mapping_type("call", made, doc="How the model is called, in a live run.")


def _annotation(of: DataclassField[Any]) -> Any:
    """The annotation of a field: numbers may be written as text, truth values may not."""
    hint = hints(CallSettings)[of.name]
    if of.name in SCHEMAS:
        return Annotated[Any, WithJsonSchema(SCHEMAS[of.name])]
    if is_number(CallSettings, of.name):
        return plain_number(hint)
    return Annotated[hint, Strict()] if hint is bool else hint
