"""How the answer is taken out of the text of a completion."""

import asyncio
import dataclasses
import inspect
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

from ...core.errors import MooInferError
from ...core.plugin_files import plugin_file
from .letters import last_letter
from .numerals import Ambiguous, last_number, one_number

__all__ = ["SECONDS", "TEXT_LIMIT", "Extracted", "Extractor", "extractor", "file_function", "function_name"]

TEXT_LIMIT = 1_000_000  # characters; a book has fewer, and an answer that long is none
SECONDS = 1.0  # that a pattern of the user may search one text
KINDS = "text, last-number, boxed, letter, regex:PATTERN or FILE.py:FUNCTION"
IN_FILE = re.compile(r"(?P<file>.+\.py):(?P<name>\w+)", re.DOTALL)
BRACES = re.compile(r"\\(?:boxed|fbox)\s*+\{|\\[{}]|[{}]")
STYLED = re.compile(r"\\(?:text(?:bf|rm|it)?|mathrm|mathbf)\s?\{([^{}]*)\}")


class Blank(Exception):
    """There is no answer in a text, for a reason that is said."""


@dataclass(frozen=True)
class Extracted:
    """What was taken out of a text.

    Args:
        answer: the answer; None = blank.
        why: the reason for a blank that is not simply that the text has none.
    """

    answer: str | None
    why: str = ""


@dataclass(frozen=True)
class Extractor:
    """Takes the answer out of a text.

    Calling it does so at once; ``await extractor.awaited(text)`` does it in a thread where it may take long (a pattern,
    a function), so that others are not held up. Nothing of a text is executed.

    Args:
        name: how it is called on the command line, or what the function is called.
        method: gives the answer in a text, or None; what it raises makes a blank.
        slow: whether it may take long.
        of_target: brings a target to the form of the answers; None where these may have any form.
        text_limit: characters; a longer text has a blank answer.

    >>> extractor("last-number")("It costs $1,050.00."), extractor("boxed")(r"So \\boxed{\\frac{1}{2}}.").answer
    (Extracted(answer='1050', why=''), '0.5')
    """

    name: str
    method: Callable[[str], object] = field(repr=False)
    slow: bool = False
    of_target: Callable[[str], object] | None = None
    text_limit: int = TEXT_LIMIT

    def __call__(self, text: str, /) -> Extracted:
        """Return the answer in a text; a text makes it raise nothing."""
        if len(text) > self.text_limit:
            return Extracted(None, f"extract: the text has more than {self.text_limit:,} characters")
        try:
            answer = _answer(self.method(text))
        except Blank as error:
            return Extracted(None, f"extract: {error}")
        except (Exception, SystemExit) as error:  # whatever a foreign function raises; its message may hold the text
            return Extracted(None, f"extract: {type(error).__name__} in {self.name}")
        return Extracted(answer)

    async def awaited(self, text: str, /) -> Extracted:
        """Return the answer in a text, found in a thread where that may take long."""
        return await asyncio.to_thread(self, text) if self.slow else self(text)

    def target(self, text: str, /) -> str:
        """Return a target in the form of the answers, or, where nothing is found in it, itself without outer blanks."""
        return text.strip() if self._in_targets is None else self._in_targets(text).answer or text.strip()

    @cached_property
    def _in_targets(self) -> "Extractor | None":
        """What brings targets to the form of the answers."""
        return None if self.of_target is None else dataclasses.replace(self, method=self.of_target)

    def same(self, answer: str, target: str, /) -> bool:
        """Whether an answer is the target; where answers may have any form, the same number too."""
        if answer == self.target(target):
            return True
        return self.of_target is None and (number := one_number(answer)) is not None and number == one_number(target)


def extractor(
    spec: str | Callable[[str], object] | Extractor | None = None,
    /,
    *,
    text_limit: int = TEXT_LIMIT,
    seconds: float = SECONDS,
) -> Extractor:
    """Return what takes answers out of texts.

    Args:
        spec: ``text`` (the whole text without outer blanks; the same without `spec`), ``last-number``, ``boxed`` (the
            last ``\\boxed{...}``), ``letter`` (of multiple choice), ``regex:PATTERN`` (the last match: its first
            group, or all of it), ``FILE.py:FUNCTION``, or a function. A function takes the text and returns a text, a
            number, or None for a blank; it is called in threads.
        text_limit: characters; a longer text has a blank answer, and is not cut.
        seconds: that a pattern may search one text.

    Raises:
        MooInferError: for an unknown name, a pattern that is none, a file or function that is not there, and where the
            package regex is missing.
    """
    if isinstance(spec, Extractor):
        return spec
    if callable(spec):
        return Extractor(function_name(spec, "extract"), spec, slow=True, text_limit=text_limit)
    name = "text" if spec is None else spec
    if isinstance(name, str) and name in BUILT_IN:
        return Extractor(name, BUILT_IN[name], of_target=TARGETS.get(name, BUILT_IN[name]), text_limit=text_limit)
    if isinstance(name, str) and name.startswith("regex:"):
        search = _pattern(name.removeprefix("regex:"), seconds)
        return Extractor(name, search, slow=True, of_target=search, text_limit=text_limit)
    if function := file_function(name, "extract"):
        return Extractor(str(name), function, slow=True, text_limit=text_limit)
    raise MooInferError(f"extract: must be {KINDS}, got {name!r:.80}")


def file_function(spec: object, option: str, /) -> Callable[..., object] | None:
    """Return the function that ``FILE.py:FUNCTION`` names; None for what is not of that form.

    Args:
        spec: what was given.
        option: for what, the beginning of messages.

    Raises:
        MooInferError: where there is no such file, it cannot be loaded, or has no such function.
    """
    if not isinstance(spec, str) or not (named := IN_FILE.fullmatch(spec)):
        return None
    function: Any = getattr(plugin_file(Path(named["file"])), named["name"], None)
    if not callable(function):
        raise MooInferError(f"{option}: {named['file']} has no function {named['name']!r:.80}")
    function_name(function, option)
    return function  # type: ignore[no-any-return]  # it is callable


def function_name(function: Callable[..., object], option: str) -> str:
    """What a function is called, refused where nobody would await it."""
    name = str(getattr(function, "__name__", type(function).__name__))
    if inspect.iscoroutinefunction(function):
        raise MooInferError(f"{option}: {name} must be a plain function, is an async one")
    return name


def _answer(value: object) -> str | None:
    """The answer that a method gave, as text that can be written; None for a blank."""
    if value is None:
        return None
    if isinstance(value, Real) and not isinstance(value, bool):
        if (number := one_number(str(value))) is None:
            raise Blank("the function returned a number that is not finite")
        return number
    if not isinstance(value, str):
        raise Blank(f"the function must return a text, a number or None, returned {type(value).__name__}")
    answer = value.strip()
    if not answer.isascii() and any("\ud800" <= letter <= "\udfff" for letter in answer):
        raise Blank("the answer has half of a character, which no file can hold")
    return answer or None


def _last_number(text: str) -> str | None:
    try:
        return last_number(text)
    except Ambiguous:
        raise Blank("the last number can be read in several ways") from None


def _last_box(text: str) -> str | None:
    r"""What stands in the last \boxed{...} that closes; gone through once, whatever is open or closed too often."""
    last, span, pending = -1, (0, 0), list[tuple[bool, int]]()
    for brace in BRACES.finditer(text):
        if brace[0][-1] == "{" and brace[0] != "\\{":
            pending.append((len(brace[0]) > 1, brace.end()))
        elif brace[0] == "}" and pending:
            boxed, start = pending.pop()
            if boxed and start > last:
                last, span = start, (start, brace.start())
    return _content(text[slice(*span)])


def _content(text: str) -> str:
    """What stands in a box: a number in its one spelling, other texts without a change of the type."""
    styled = STYLED.fullmatch(text.strip())
    content = styled[1] if styled else text
    return one_number(content) or content.strip()


def _pattern(pattern: str, seconds: float) -> Callable[[str], str | None]:
    """Search with a pattern of the user, which may need exponential time, within a limit."""
    try:
        import regex
    except ImportError:
        raise MooInferError("extract: regex needs the package regex; install moo-infer with the extra [live]") from None
    try:
        compiled = regex.compile(pattern)
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise MooInferError(f"extract: regex: {pattern!r:.80} is no pattern: {error}") from None

    def search(text: str) -> str | None:
        try:
            # The limit holds for all matches together; `concurrent` lets other threads run meanwhile.
            last = deque(compiled.finditer(text, timeout=seconds, concurrent=True), maxlen=1)
        except TimeoutError:
            raise Blank(f"the pattern took longer than {seconds:g} s") from None
        return last[0][1 if compiled.groups else 0] if last else None

    return search


BUILT_IN: dict[str, Callable[[str], str | None]] = {
    "text": str.strip,
    "last-number": _last_number,
    "boxed": _last_box,
    "letter": last_letter,
}
TARGETS: dict[str, Callable[[str], str | None]] = {"boxed": lambda target: _last_box(target) or _content(target)}
