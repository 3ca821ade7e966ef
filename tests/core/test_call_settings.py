"""How a model is called: what is sent, what it can cost at most, and what is refused without repeating a secret."""

import copy
import json
import math
import pickle
from dataclasses import fields, replace

import pytest

from moo_infer import CallSettings, MooInferError
from moo_infer.core.call_settings import TAKEN

SECRET = "sk-hunter2"
LINE = {"question_id": "q1", "question": "What is 1 + 1?"}


def test_by_default_the_question_alone_is_sent():
    call = CallSettings(model="small")
    assert call.messages(LINE) == [{"role": "user", "content": "What is 1 + 1?"}]
    assert call.body() == {"model": "small"}
    assert call.to_dict() == {"model": "small"}


def test_a_system_message_comes_first_and_is_not_filled():
    messages = CallSettings(system="Say {question}.").messages(LINE)
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[0]["content"] == "Say {question}."


def test_all_that_is_given_is_sent():
    call = CallSettings(
        model="small",
        temperature=1,
        top_p=0.9,
        max_tokens=100,
        max_tokens_as="max_completion_tokens",
        reasoning_effort="low",
        extra={"seed": 7, "logprobs": True, "tools": [{"type": "function"}]},
    )
    assert call.body() == {
        "model": "small",
        "temperature": 1.0,
        "top_p": 0.9,
        "max_completion_tokens": 100,
        "reasoning_effort": "low",
        "seed": 7,
        "logprobs": True,
        "tools": [{"type": "function"}],
    }


def test_who_changes_the_body_changes_no_later_one():
    call = CallSettings(extra={"tools": [1]})
    call.body()["tools"].append(2)
    assert call.body()["tools"] == [1]


@pytest.mark.parametrize(
    ("template", "line", "text"),
    [
        ("{question}", {"question": "{target} {question}"}, "{target} {question}"),
        ("{question} {hint}", {"question": "{hint}", "hint": "H"}, "{hint} H"),
        ("{question} {question}", {"question": "x"}, "x x"),
        ('{question} as {"answer": 1} or {} or {1} or { hint }', {"question": "x"}, None),
        ("{{question}}", {"question": "x"}, "{x}"),
        ("{question} {options} {level} {none}", {"question": "x", "options": ["é"], "level": 3, "none": None}, None),
        (r"\boxed{question}", {"question": r"\1 \g<0>"}, r"\boxed\1 \g<0>"),
        ("{größe}", {"größe": "2 m"}, "2 m"),
    ],
)
def test_a_template_is_filled_literally_and_once(template, line, text):
    text = text or template.replace("{question}", "x").replace("{options}", '["é"]').replace("{level}", "3").replace(
        "{none}", "null"
    )
    assert CallSettings(template=template).messages(line)[-1]["content"] == text


def test_a_name_that_the_line_lacks_is_named_with_the_keys_that_it_has():
    call = CallSettings(template="{question} {hint} {question}")
    assert call.placeholders == ("question", "hint")
    with pytest.raises(MooInferError, match=r"\{hint\} is no key .*; keys: question_id, question; "):
        call.messages(LINE)


@pytest.mark.parametrize(
    ("text", "most"),
    [("abc", 19), ("é", 18), ("日本", 22), ("", 16), ("\ud800", 19), ("\N{SLIGHTLY SMILING FACE}", 20)],
)
def test_a_message_has_at_most_its_bytes_and_sixteen_tokens(text, most):
    assert CallSettings().most_input_tokens([{"role": "user", "content": text}]) == most


def test_tools_are_input_too():
    tools = [{"type": "function", "function": {"name": "add"}}]
    messages = CallSettings(system="s").messages({"question": "q"})
    assert CallSettings().most_input_tokens(messages) == 34
    assert CallSettings(extra={"seed": 1}).most_input_tokens(messages) == 34
    assert CallSettings(extra={"tools": tools}).most_input_tokens(messages) == 34 + len(json.dumps(tools))


SENT = {
    "base_url": "http://localhost:8000/v1",
    "model": "other",
    "system": "s",
    "template": "{question}!",
    "temperature": 0.5,
    "top_p": 0.5,
    "max_tokens": 5,
    "max_tokens_as": "max_completion_tokens",
    "reasoning_effort": "low",
    "shape": "n",
    "extra": {"seed": 1},
    "extra_query": {"api-version": "2024-10-21"},
}
NOT_SENT = {
    "key_env": "OTHER",
    "timeout_s": 5,
    "tries": 1,
    "requests_per_minute": 5,
    "tokens_per_minute": 5,
    "billed_when_cancelled": False,
    "text_limit": 5,
    "extract": "letter",
}


def test_the_hash_differs_where_something_else_is_sent_and_nowhere_else():
    assert {*SENT, *NOT_SENT, "api"} == {of.name for of in fields(CallSettings)}
    plain = CallSettings(model="small")
    hashes = {name: replace(plain, **{name: value}).sent_hash for name, value in SENT.items()}
    assert len({plain.sent_hash, *hashes.values()}) == len(SENT) + 1
    assert {replace(plain, **{name: value}).sent_hash for name, value in NOT_SENT.items()} == {plain.sent_hash}
    assert len(plain.sent_hash) == 12
    assert int(plain.sent_hash, 16) >= 0


def test_the_hash_is_of_what_is_meant_not_of_how_it_is_written():
    one = CallSettings(temperature=1, base_url="http://h/v1", extra={"a": 1, "b": 2})
    assert one.sent_hash == CallSettings(temperature=1.0, base_url="http://h/v1/", extra={"b": 2, "a": 1}).sent_hash


def test_it_pickles_and_copies_and_is_equal_to_what_it_was():
    call = CallSettings(**SENT, **NOT_SENT)
    for again in (pickle.loads(pickle.dumps(call)), copy.deepcopy(call), CallSettings(**call.to_dict())):
        assert again == call
        assert hash(again) == hash(call)
        assert again.sent_hash == call.sent_hash


def test_a_mapping_that_is_changed_later_is_not_sent():
    extra = {"seed": 1}
    call = CallSettings(extra=extra)
    extra["seed"] = 2
    assert call.body()["seed"] == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"api": "other"}, "api: must be 'openai', got 'other'"),
        ({"model": " "}, "model: must be text, got ' '"),
        ({"model": 5}, "model: must be text, got 5"),
        ({"system": 5}, "system: must be text, got 5"),
        ({"template": "Answer."}, "template: must be text that holds {question}"),
        ({"template": None}, "template: must be text that holds {question}"),
        ({"temperature": -1}, "temperature: must be >= 0, got -1"),
        ({"temperature": math.nan}, "temperature: must be finite, got nan"),
        ({"temperature": True}, "temperature: must be a number, got True"),
        ({"temperature": "0.5"}, "temperature: must be a number, got '0.5'"),
        ({"top_p": 0}, "top_p: must be > 0, got 0"),
        ({"top_p": 1.5}, "top_p: must be <= 1, got 1.5"),
        ({"max_tokens": 0}, "max_tokens: must be >= 1, got 0"),
        ({"max_tokens": 1.5}, "max_tokens: must be a whole number, got 1.5"),
        ({"max_tokens_as": "tokens"}, "max_tokens_as: must be 'max_tokens' or 'max_completion_tokens', got 'tokens'"),
        ({"reasoning_effort": ""}, "reasoning_effort: must be text, got ''"),
        ({"shape": "batch"}, "shape: must be 'parallel' or 'n', got 'batch'"),
        ({"timeout_s": 0}, "timeout_s: must be > 0, got 0"),
        ({"timeout_s": math.inf}, "timeout_s: must be"),
        ({"timeout_s": 1e6}, "timeout_s: must be <= 86400, got 1000000.0"),
        ({"tries": 0}, "tries: must be >= 1, got 0"),
        ({"requests_per_minute": 0}, "requests_per_minute: must be > 0, got 0"),
        ({"tokens_per_minute": -1}, "tokens_per_minute: must be > 0, got -1"),
        ({"billed_when_cancelled": 1}, "billed_when_cancelled: must be true or false, got 1"),
        ({"text_limit": 0}, "text_limit: must be >= 1, got 0"),
        ({"extract": ""}, "extract: must be text, got ''"),
        ({"extra": {"a": math.nan}}, "extra: a: must be text, a finite number, true, false, null, a list or a mapping"),
        ({"extra": {"a": [object()]}}, "extra: a: must be text, a finite number"),
        ({"extra": {"a": {1: 2}}}, "extra: a: must be text, a finite number"),
        ({"extra_query": {"version": 1}}, "extra_query: version: must be text; put it in quotes"),
        ({"base_url": "http://h:70000"}, "base_url: its port must be <= 65535"),
    ],
)
def test_what_is_refused_is_said_in_words(given, message):
    with pytest.raises(MooInferError) as refused:
        CallSettings(**given)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("name", TAKEN)
def test_the_body_holds_nothing_that_another_key_says(name):
    with pytest.raises(MooInferError, match=f"^extra: must not hold {name}, "):
        CallSettings(extra={name: 1})


@pytest.mark.parametrize(
    "given",
    [
        *({"base_url": url} for url in (f"https://{SECRET}@host/v1", f"https://me:{SECRET}@host/v1")),
        *({"base_url": url} for url in (f"https://host/v1?key={SECRET}", f"https://host/v1#{SECRET}", SECRET)),
        *({"base_url": url} for url in (f"ftp://{SECRET}", f"https:///{SECRET}", f"https://host:{SECRET}/", [SECRET])),
        *({"base_url": url} for url in (f"https://ho st/{SECRET}", f"https://h/{SECRET}\n", f"http:\\\\{SECRET}")),
        *({"key_env": value} for value in (SECRET, [SECRET], {"key": SECRET}, f"A B {SECRET}", "")),
        {"key_env": f"sk_live_{SECRET}"},
        *({"extra": value} for value in (SECRET, {"api_key": SECRET}, {"Authorization": SECRET}, {1: SECRET})),
        *({"extra_query": value} for value in ({"key": SECRET}, {"API-Key": SECRET}, [SECRET], {"v": [SECRET]})),
    ],
)
def test_no_refusal_repeats_a_secret(given):
    with pytest.raises(MooInferError) as refused:
        CallSettings(**given)
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value.__cause__)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "https://host", "HTTPS://host/", "http://[::1]:80/v1"])
def test_an_address_is_http_or_https_and_a_host(url):
    assert CallSettings(base_url=url).base_url == url
