"""The section ``run:`` of a file: what it may hold, as a check and as a JSON schema.

Imported with the first file that has one: pydantic takes longer to import than a run without files.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from ..core.entries import JsonSchema, Keys, in_words, mapping_type, plain_number, refused
from ..core.errors import MooInferError, located
from .run_options import MAIN, Option, key_of, listed, options, text

__all__ = ["accepted_options", "accepted_run", "run_schema"]

FILE = "models"  # another file, which has the models

SCALAR = {"type": ["string", "number"]}
SCALARS = {"type": "array", "items": SCALAR}
PART = {"type": "object", "required": ["kind"]}
ENTRIES = {"type": "object", "additionalProperties": {"anyOf": [SCALAR, SCALARS, {"type": "object"}]}}
ENTRY = {"anyOf": [PART, ENTRIES | {"minProperties": 1, "maxProperties": 1}]}
TEXT = {"anyOf": [SCALAR, SCALARS, ENTRY]}
TEXTS = {"anyOf": [SCALAR, {"type": "array", "items": {"anyOf": [SCALAR, ENTRY]}}, PART, ENTRIES]}


def accepted_run(commands: Mapping[str, Any], run: Any, where: str) -> dict[str, dict[str, Any]]:
    """Return what a run says, by command: the values of its options, by their names in Python.

    Args:
        commands: the commands, by name.
        run: the section of a file.
        where: the file, the beginning of every message.

    Raises:
        MooInferError: naming the key, what is allowed and what was given.
    """
    if run is None:  # none, or every line of it is a comment
        return {}
    own = [of.key for of in options(commands[MAIN]).values()]
    others = {key_of(name): name for name in commands if name != MAIN}
    where = f"{where}: run"
    if not isinstance(run, Mapping):
        raise MooInferError(f"{where}: must be a mapping of options, got {run!r:.80}")
    try:
        Keys([FILE, *own, *others])(run)
    except PydanticCustomError as error:
        raise MooInferError(f"{where}: {error.message()}") from None
    said = {MAIN: accepted_options(commands[MAIN], {key: value for key, value in run.items() if key in own}, where)}
    for key in sorted({*others} & {*run}):
        place = f"{where}: {key}"
        if not isinstance(run[key], Mapping | None):
            raise MooInferError(f"{place}: must be a mapping of options, got {run[key]!r:.80}")
        # YAML reads the word yes as true, as a key, too: `sample` has an option of that name.
        entries = {"yes" if name is True else name: value for name, value in (run[key] or {}).items()}
        said[others[key]] = accepted_options(commands[others[key]], entries, place)
    return said


def run_schema(commands: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of the section."""
    schema = _schema(commands[MAIN])
    schema["properties"] = {FILE: {"type": "string", "description": "A file with the models."}} | schema["properties"]
    for name, command in commands.items():
        if name != MAIN:
            schema["properties"][key_of(name)] = _schema(command) | {"type": ["object", "null"]}
    return schema | {"type": ["object", "null"], "description": "What a command line leaves out; what is typed wins."}


def _schema(command: Any) -> dict[str, Any]:
    schema = _described(command).json_schema(schema_generator=JsonSchema)
    for entry in schema["properties"].values():
        entry.pop("default", None)
    return schema | {"title": command.name}


def accepted_options(command: Any, entries: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the values of options of one command, by their names in Python; see `accepted_run`."""
    try:
        said = _described(command).validate_python(entries)
    except ValidationError as error:
        raise MooInferError(located(where, in_words(error))) from None
    values = {of.parameter: getattr(said, of.key) for of in options(command).values()}
    return {parameter: value for parameter, value in values.items() if value is not None}


@cache
def _described(command: Any) -> TypeAdapter[Any]:
    """What checks what a file says of a command."""
    fields = [
        (of.key, Annotated[_hint(of) | None, Field(description=of.summary)], None) for of in options(command).values()
    ]
    return mapping_type(key_of(command.name), fields)


def _hint(of: Option) -> Any:
    """The annotation of an option: files are named, lists may be written in several ways."""
    if bool in of.kinds:
        return Annotated[bool, Strict()]
    if of.kinds <= {int, float}:
        return plain_number(of.hint)
    if of.many:
        return Annotated[list[str], BeforeValidator(_words(listed)), WithJsonSchema(TEXTS)]
    return Annotated[str, BeforeValidator(_words(text)), WithJsonSchema(TEXT)]


def _words(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def validator(value: Any) -> Any:
        try:
            return make(value)
        except MooInferError as error:
            raise refused(str(error)) from None

    return validator
