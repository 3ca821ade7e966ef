"""Reads files of JSON: one document, one record a line, or a list of records; and sees what a file begins with.

Python's NaN and Infinity pass, which are no JSON but what tools write. Errors say where, not in which file.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..core.errors import MooInferError
from ..core.files import GZIP, lines

__all__ = ["beginnings", "document", "entries", "first_record", "json_object"]

FIRST = 10  # records whose keys are looked at
FURTHER = 2**22  # bytes that are looked at where a first record does not end within the first 65,536
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|["{}\[\],]', re.DOTALL)
PENDING = re.compile(r'[\s,]*("(?:[^"\\]|\\.)*")\s*:', re.DOTALL)
CLOSING = {"{": "}", "[": "]"}


def document(path: Path, /) -> Any:
    """Return the one JSON document of a file, or of a gzip of it.

    Raises:
        MooInferError: for what is none, or is cut off.
    """
    text = "\n".join(line for _, line in lines(path))
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f": {error.msg} in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise MooInferError(f"is no JSON, or is cut off{where}") from None


def json_object(path: Path, /) -> dict[str, Any]:
    """Return the one JSON object of a file; raises MooInferError as `document` does, and for what is no object."""
    value = document(path)
    if not isinstance(value, dict):
        raise MooInferError(f"must be a JSON object, got {value!s:.40}")
    return value


def entries(path: Path, /) -> Iterator[tuple[str, dict[str, Any] | MooInferError]]:
    """Yield where each record of a file stands, and the record: an object a line, or the objects of a list.

    What is no object is given as the error that says so, so that whoever asks may go on without it.

    Raises:
        MooInferError: for a file that is cut off: whose last line is no JSON, or whose list does not end.
    """
    numbered = iter(lines(path))
    number, text = next(numbered, (1, ""))
    if text.startswith("["):
        for i, record in enumerate(document(path), 1):
            where = f"record {i}"
            yield where, record if isinstance(record, dict) else _no_object(where, json.dumps(record, default=str))
        return
    broken: MooInferError | None = None
    while text:
        where = f"line {number}"
        following = next(numbered, None)
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "cannot be parsed"
            broken = MooInferError(f"{where}: is no JSON: {reason}")
            if following is None:
                raise broken from None
            yield where, broken
        else:
            yield where, record if isinstance(record, dict) else _no_object(where, text)
        number, text = following or (0, "")


def _no_object(where: str, text: str) -> MooInferError:
    return MooInferError(f"{where}: must be a JSON object, got {text:.40}")


def beginnings(head: bytes, path: Path, /) -> Iterator[Any]:
    """Yield the JSON that a file begins with as far as its first bytes show it, then as far as more of them do.

    What is open where the bytes end is closed, and a key without its value has the value None.

    >>> [*beginnings(b'{"id": 1, "choices": [{"text": "It is', Path("none.json"))]
    [{'id': 1, 'choices': [{'text': None}]}]
    """
    beginning, whole = _begun(head)
    if beginning is not None:
        yield beginning
    if not whole and beginning is not None and (more := _more(path)):
        yield _begun(more)[0]


def first_record(begun: object, /) -> dict[str, Any]:
    """Return an object with the keys of the first records of a beginning, as one may be odd; {} if there is none.

    >>> first_record([{"id": 1}, {"id": 2, "passed": True}])
    {'id': 1, 'passed': True}
    """
    fields: dict[str, Any] = {}
    for record in reversed(begun[:FIRST] if isinstance(begun, list) else [begun]):
        fields |= record if isinstance(record, dict) else {}
    return fields


@lru_cache(maxsize=4)  # of a file that several readers look at
def _begun(start: bytes) -> tuple[Any, bool]:
    """The JSON at the beginning, a list where objects follow each other; and whether the first is there to its end."""
    text = start.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if not text.startswith(("{", "[")):
        return None, True
    following = [record for line in text.split("\n", FIRST)[1:FIRST] if (record := _parsed(line)) is not None]
    try:
        first, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        if following and text.startswith("{"):  # the first line alone is odd
            return following, True
        return _parsed(_closed(text)), False
    one_a_line = following and isinstance(first, dict) and "\n" not in text[:end]
    return [first, *following] if one_a_line else first, True


def _parsed(text: str) -> Any:
    """The object or list in a text, or None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _closed(text: str) -> str:
    """JSON that breaks off, as if it ended after the last value that is whole."""
    opened: list[str] = []
    end, still = 0, ""
    for token in TOKEN.finditer(text):
        mark = token[0]
        if mark == '"':  # a text that does not end
            break
        if mark in CLOSING:
            opened.append(CLOSING[mark])
        elif mark in "}]" and (not opened or opened.pop() != mark):
            break
        if mark in "{}[],":
            end, still = token.end() - (mark == ","), "".join(reversed(opened))
        if not opened:
            break
    pending = PENDING.match(text, end)
    if pending and still.startswith("}"):
        comma = "" if text[:end].endswith("{") else ", "
        return f"{text[:end]}{comma}{pending[1]}: null{still}"
    return text[:end] + still


def _more(path: Path) -> bytes:
    """More of a file than `head` gives; nothing where it has no more, or cannot be read."""
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            content = file.read(FURTHER)
    except (OSError, EOFError, zlib.error):
        return b""
    return content
