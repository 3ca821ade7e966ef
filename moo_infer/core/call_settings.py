"""How a model is called over the network: the address, the prompt, what is asked for, and how patiently."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import MISSING, Field, dataclass, field, fields
from hashlib import sha256
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from .errors import MooInferError
from .hints import hints, named_types
from .parts import AtLeastOne, NonNegative, Positive, is_number, refuse_unfit

__all__ = ["ADDRESS", "PLACEHOLDER", "TAKEN", "VARIABLE", "CallSettings", "file_and_function"]

PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")  # braces around anything else are text, JSON in a prompt for one
VARIABLE = re.compile(r"(?!sk_)[A-Za-z_][A-Za-z0-9_]{0,199}")  # of the environment; keys of several providers begin so
HOST = r"([^/?#@:\[\]\s\\]+|\[[0-9A-Fa-f:.]+\])"
ADDRESS = re.compile(rf"[Hh][Tt][Tt][Pp][Ss]?://{HOST}(:[0-9]{{1,5}})?(/[^?#\s\\]*)?")
BYTES_A_MESSAGE = 16  # above the tokens that chat templates put around a message: its role, its begin and its end
IN_FILE = re.compile(r"(?!regex:)(.+\.py):(\w+)")
MAPPINGS = ("extra", "extra_query")
PORTS = 65_535
DAY = 86_400.0  # seconds; nobody waits longer for an answer, and clocks of the system overflow at some point
# Fields of the body that other keys of `call:` say, or that the answer could not be read with.
TAKEN = (
    *("messages", "model", "n", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
    *("temperature", "top_p", "reasoning_effort"),
)
SECRET = re.compile(r"(api|access|secret|x-api|x)?[-_]?(key|token|secret|password|authorization)", re.IGNORECASE)
SENT = (  # what decides about the answer: it makes the hash
    *("base_url", "model", "system", "template", "temperature", "top_p", "max_tokens", "max_tokens_as"),
    *("reasoning_effort", "shape", "extra", "extra_query"),
)


@dataclass(frozen=True)
class CallSettings:
    """How a model is called: what a live run sends, and how it waits. A decision does not read it.

    Args:
        api: the protocol; ``openai``: POST {base_url}/chat/completions.
        base_url: http or https with a host; it holds no password and no query.
        model: what the endpoint calls the model; "" for the name of the profile, without its variant.
        key_env: the environment variable with the API key; None for requests without one.
        system: the system message, as it is; None for none.
        template: the user's message; ``{name}`` stands for that key of the question's line.
        temperature: >= 0; None for the endpoint's default, as for what follows.
        top_p: > 0, <= 1.
        max_tokens: the most output tokens of an answer, >= 1.
        reasoning_effort: what the endpoint calls it.
        shape: how several samples are asked for: ``parallel``, a request each, or ``n`` of them in a request.
        extra: more of the body, as it is sent.
        extra_query: the query of the address, text by name.
        timeout_s: seconds that a request may take, > 0, at most a day.
        tries: how often a request is sent until it is given up, >= 1.
        requests_per_minute, tokens_per_minute: rates that are kept, > 0; None for no limit.
        billed_when_cancelled: whether the endpoint bills what a cancelled or timed-out request would have taken.
        text_limit: characters of an answer, >= 1; a longer one is no answer.
        extract: how the answer is found in the text; None for the whole text.
        max_tokens_as: the field of the body that limits the output; reasoning models refuse the first.

    Raises:
        MooInferError: for values out of range, an address with a password or a query, fields in `extra` that others
            say, a template without a ``{name}``, and where an API key is given in place of a name.

    >>> call = CallSettings(model="small", template="{question}\\nThink step by step.", max_tokens=500)
    >>> call.messages({"question": "What is {x} if {x} + 1 = 2?"})
    [{'role': 'user', 'content': 'What is {x} if {x} + 1 = 2?\\nThink step by step.'}]
    >>> call.body()
    {'model': 'small', 'max_tokens': 500}
    """

    api: Literal["openai"] = "openai"
    base_url: str = "https://api.openai.com/v1"
    model: str = ""
    key_env: str | None = None
    system: str | None = None
    template: str = "{question}"
    temperature: NonNegative | None = None
    top_p: Annotated[float, Gt(0), Le(1)] | None = None
    max_tokens: AtLeastOne | None = None
    reasoning_effort: str | None = None
    shape: Literal["parallel", "n"] = "parallel"
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    extra_query: Mapping[str, str] = field(default_factory=dict, hash=False)
    timeout_s: Annotated[float, Gt(0), Le(DAY)] = 120.0
    tries: Annotated[int, Ge(1), Le(1000)] = 4
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    billed_when_cancelled: bool = True
    text_limit: AtLeastOne = 1_000_000
    extract: str | None = None
    max_tokens_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    def __post_init__(self) -> None:
        for name, problem in PROBLEMS.items():
            if sentence := problem(getattr(self, name)):
                raise MooInferError(f"{name}: {sentence}")
        own = {of.name: getattr(self, of.name) for of in fields(self) if of.name not in MAPPINGS}
        numbers = [name for name, value in own.items() if is_number(CallSettings, name) and value is not None]
        for name in numbers:
            if isinstance(own[name], str | Mapping):
                raise MooInferError(f"{name}: must be a number, got {own[name]!r:.80}")
        refuse_unfit(CallSettings, own, "")
        for name in numbers:  # 1 and 1.0 are one temperature, and one hash
            kind = int if int in named_types(hints(CallSettings)[name]) else float
            object.__setattr__(self, name, kind(own[name]) + kind(0))  # -0.0 is 0.0
        for name in MAPPINGS:
            object.__setattr__(self, name, deepcopy(dict(getattr(self, name))))

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The keys of a question's line that the template needs, each once."""
        return tuple(dict.fromkeys(PLACEHOLDER.findall(self.template)))

    def messages(self, fields: Mapping[str, object], /) -> list[dict[str, str]]:
        """Return the messages of a question.

        Args:
            fields: the question's line. Text is put in as it is and never filled again, anything else as JSON.

        Raises:
            MooInferError: where the line lacks a key that the template names.
        """
        for name in self.placeholders:
            if name not in fields:
                keys = ", ".join(map(str, fields)) or "none"
                raise MooInferError(
                    f"template: {{{name}}} is no key of the question's line; keys: {keys:.200}; braces that are text "
                    f"are written {{ {name} }}"
                )
        text = PLACEHOLDER.sub(lambda found: _as_text(fields[found[1]]), self.template)
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*system, {"role": "user", "content": text}]

    def body(self) -> dict[str, Any]:
        """Return what is sent beside the messages and the number of answers; nothing that is None."""
        named = {
            "model": self.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            self.max_tokens_as: self.max_tokens,
            "reasoning_effort": self.reasoning_effort,
        }
        return {name: value for name, value in named.items() if value is not None} | deepcopy(dict(self.extra))

    def most_input_tokens(self, messages: Sequence[Mapping[str, str]], /) -> int:
        """Return a number of input tokens that no vocabulary exceeds: a token has at least one byte.

        Lists and mappings in `extra`, such as tools and schemas of answers, are read as input, too.

        >>> CallSettings().most_input_tokens([{"role": "user", "content": "aé"}])
        19
        """
        texts = [message["content"] for message in messages]
        texts += [json.dumps(value) for value in self.extra.values() if isinstance(value, Mapping | list | tuple)]
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + BYTES_A_MESSAGE * len(messages)

    @property
    def sent_hash(self) -> str:
        """Twelve hexadecimal digits that differ where something else is sent; patience and rates are not in it."""
        sent = {name: getattr(self, name) for name in SENT} | {"base_url": self.base_url.rstrip("/")}
        return sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a file has it."""
        pairs = {of.name: (getattr(self, of.name), _default(of)) for of in fields(self)}
        return {name: deepcopy(value) for name, (value, default) in pairs.items() if value != default}


def file_and_function(text: object, /) -> tuple[str, str] | None:
    """Return the two parts of ``FILE.py:function``, as `extract` may name one; None for any other text.

    >>> file_and_function("mine/answers.py:last_line"), file_and_function("regex:a.py:b"), file_and_function("letter")
    (('mine/answers.py', 'last_line'), None, None)
    """
    found = IN_FILE.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else (found[1], found[2])


def _default(of: Field[Any]) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()


def _address(value: object) -> str:
    """Why an address is none; it is not repeated, for it may hold a password."""
    if not isinstance(value, str):
        return "must be text"
    if "@" in value.partition("://")[2].partition("/")[0]:
        return "must hold no user and no password; the key is in the environment variable that key_env names"
    if "?" in value or "#" in value:
        return "must hold no query and no fragment; extra_query is for what needs a query"
    found = ADDRESS.fullmatch(value)
    if not found or not value.isprintable():
        return "must be http:// or https:// with a host, perhaps a port and a path"
    return f"its port must be <= {PORTS}" if int((found[2] or ":0")[1:]) > PORTS else ""


def _variable(value: object) -> str:
    """Why text names no variable of the environment; it is not repeated, for it may be a key."""
    if value is None or (isinstance(value, str) and VARIABLE.fullmatch(value)):
        return ""
    return "must be the name of an environment variable, such as OPENAI_API_KEY, and not the key itself"


def _template(value: object) -> str:
    if isinstance(value, str) and PLACEHOLDER.search(value):
        return ""
    return f"must be text that holds {{question}}, or another key of a question's line in braces, got {value!r:.80}"


def _named(value: object) -> str:
    return f"must be text, got {value!r:.80}" if isinstance(value, str) and not value.strip() else ""


def _fields(value: object) -> str:
    if problem := _mapping(value):
        return problem
    assert isinstance(value, Mapping)
    if said := [name for name in value if name in TAKEN]:
        return f"must not hold {said[0]}, which other keys of the call say, or a run itself"
    odd = [name for name, entry in value.items() if not _is_json(entry)]
    return f"{odd[0]}: must be text, a finite number, true, false, null, a list or a mapping" if odd else ""


def _query(value: object) -> str:
    if problem := _mapping(value):
        return problem
    assert isinstance(value, Mapping)
    odd = [name for name, entry in value.items() if not isinstance(entry, str)]
    return f"{odd[0]}: must be text; put it in quotes" if odd else ""


def _mapping(value: object) -> str:
    """Why a value is no mapping of names, or holds what may be a secret; no value of it is repeated."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return "must be a mapping of names"
    if secret := [name for name in value if SECRET.fullmatch(name)]:
        return f"must not hold {secret[0]}: keys are in the environment variable that key_env names"
    return ""


def _is_json(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_json(entry) for name, entry in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


PROBLEMS: Mapping[str, Callable[[object], str]] = {
    "base_url": _address,
    "model": lambda value: "" if value == "" else _named(value),
    "key_env": _variable,
    "template": _template,
    "reasoning_effort": _named,
    "extract": _named,
    "extra": _fields,
    "extra_query": _query,
    "billed_when_cancelled": lambda value: "" if isinstance(value, bool) else f"must be true or false, got {value!r}",
}
