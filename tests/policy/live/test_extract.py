"""Answers are taken out of texts: quickly, within bounds, and a blank says why it is one."""

import asyncio
import re
import sys
import threading
import time
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_infer import MooInferError
from moo_infer.policy.live.extract import Extracted, extractor


@pytest.mark.parametrize("spec", [None, "text"])
def test_without_more_the_whole_text_is_the_answer(spec):
    assert extractor(spec)(" What I say\n") == Extracted("What I say")
    assert extractor(spec)(" \n") == Extracted(None)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("\\boxed{x} or \\fbox{y}", "y"),
        ("\\boxed{x^{2}}", "x^{2}"),
        ("\\boxed{x} and \\boxed{y", "x"),
        ("\\boxed{a \\boxed{b} c}", "b"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed {x}", "x"),
        ("\\\\boxed{x}", "x"),
        ("} { \\boxed{x}", "x"),
        ("\\boxed{\\text{ Paris }}", "Paris"),
        ("\\boxed{1,000.00}", "1000"),
        ("\\boxed{\\frac{1}{2}}", "0.5"),
        ("\\boxed{}", None),
        ("\\boxed{", None),
        ("boxed{x}", None),
    ],
)
def test_the_last_box_that_closes_is_the_answer(text, content):
    assert extractor("boxed")(text) == Extracted(content)


def last_box(text):
    """The obvious way: from every box go on to where its braces close."""
    found = ""
    for start in re.finditer(r"\\boxed\{", text):
        depth = 1
        for end in range(start.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if not depth:
                found = text[start.end() : end]
                break
    return found.strip() or None


@given(st.lists(st.sampled_from(["\\boxed{", "{", "}", "x", "y ", "z"])).map("".join))
def test_boxes_are_found_among_any_braces(text):
    assert extractor("boxed")(text).answer == last_box(text)


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        (r"#### (\S+)", "#### 1\n#### 2", "2"),
        (r"\d+", "1 then 22", "22"),
        (r"(?:x|(y))", "y x", None),
        (r"(a)(b)", "ab", "a"),
        (r"(?i)answer:\s*(.+)", "Answer: Paris", "Paris"),
        (r"\d+", "none", None),
        ("", "any", None),
    ],
)
def test_the_last_match_of_a_pattern_is_the_answer(pattern, text, answer):
    assert extractor(f"regex:{pattern}")(text) == Extracted(answer)


def test_a_pattern_of_exponential_time_ends_at_its_limit():
    slow = extractor(r"regex:((?:a|aa)+)$", seconds=0.2)
    assert slow("a" * 100_000 + "b") == Extracted(None, "extract: the pattern took longer than 0.2 s")
    assert slow("baa").answer == "aa"
    assert slow.target("a" * 100_000 + "b") == "a" * 100_000 + "b"


def test_a_pattern_holds_nobody_up():
    """While it searches, the event loop goes on."""
    turns = 0

    async def both():
        nonlocal turns
        search = asyncio.create_task(extractor(r"regex:(?:a|aa)+$", seconds=0.3).awaited("a" * 100_000 + "b"))
        while not search.done():
            turns += 1
            await asyncio.sleep(0.01)
        return await search

    assert asyncio.run(both()).answer is None
    assert turns > 3


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "*", "[", "(?P<a>x", "\\"])
def test_a_bad_pattern_is_refused_at_once(pattern):
    with pytest.raises(MooInferError, match=re.escape(f"extract: regex: {pattern!r} is no pattern: ")):
        extractor(f"regex:{pattern}")


def test_patterns_need_their_package_which_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "regex", None)
    with pytest.raises(MooInferError, match=r"needs the package regex; install moo-infer with the extra \[live\]"):
        extractor("regex:x")


def test_a_text_beyond_the_limit_is_blank_and_never_cut():
    for spec in ("text", "last-number", "boxed", "letter", "regex:5", lambda text: text):
        take = extractor(spec, text_limit=10)
        assert take("5" * 10 if spec != "letter" else "B").answer or spec == "boxed"
        assert take("5" * 11) == Extracted(None, "extract: the text has more than 10 characters")
    assert extractor("text")("x" * 1_000_000).answer == "x" * 1_000_000
    assert extractor("text")("x" * 1_000_001).answer is None


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (" Paris ", "Paris"),
        ("", None),
        (None, None),
        (42, "42"),
        (42.0, "42"),
        (-0.0, "0"),
        (np.float64(0.5), "0.5"),
        (np.int64(7), "7"),
        (1e300, "1e300"),
    ],
)
def test_a_function_gives_a_text_a_number_or_nothing(value, answer):
    assert extractor(lambda _: value)("any") == Extracted(answer)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (True, "the function must return a text, a number or None, returned bool"),
        (["a secret"], "the function must return a text, a number or None, returned list"),
        (b"secret", "the function must return a text, a number or None, returned bytes"),
        (float("nan"), "the function returned a number that is not finite"),
        (float("inf"), "the function returned a number that is not finite"),
        ("secret \ud800", "the answer has half of a character, which no file can hold"),
        pytest.param(10**5000, "ValueError in <lambda>", id="5001 digits"),
    ],
)
def test_what_else_a_function_gives_is_a_blank_that_says_why(value, why):
    assert extractor(lambda _: value)("any") == Extracted(None, f"extract: {why}")


@pytest.mark.parametrize("error", [ValueError, KeyError, SystemExit, RecursionError])
def test_an_exception_is_a_blank_that_names_its_type_and_keeps_the_text(error):
    def raising(text):
        raise error(text)

    assert extractor(raising)("a secret") == Extracted(None, f"extract: {error.__name__} in raising")


def test_who_interrupts_is_not_held_back():
    def interrupted(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extractor(interrupted)("any")


def test_halves_of_characters_in_a_text_make_no_answer_that_cannot_be_written():
    assert extractor("text")("is \ud800").answer is None
    assert extractor("last-number")("\ud800 is 5").answer == "5"


def test_a_function_is_found_in_a_file_and_called_in_a_thread(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def last_word(text):\n    return text.split()[-1]\n\nnumber = 5\nasync def later(text):\n    pass\n"
    )
    take = extractor(f"{tmp_path}/mine.py:last_word")
    assert take("It is Paris").answer == "Paris"
    threads = []
    asyncio.run(extractor(lambda text: threads.append(threading.current_thread())).awaited("any"))
    assert threads[0] is not threading.main_thread()
    for name in ("number", "nothing"):
        with pytest.raises(MooInferError, match=f"extract: .*mine.py has no function '{name}'"):
            extractor(f"{tmp_path}/mine.py:{name}")
    with pytest.raises(MooInferError, match="extract: later must be a plain function, is an async one"):
        extractor(f"{tmp_path}/mine.py:later")
    with pytest.raises(MooInferError, match="must be an existing file"):
        extractor(f"{tmp_path}/none.py:last_word")


@pytest.mark.parametrize("spec", ["", "last number", "Boxed", "mine.py", "mine.txt:f", 5, []])
def test_other_names_are_refused_with_those_there_are(spec):
    with pytest.raises(
        MooInferError, match="extract: must be text, last-number, boxed, letter, regex:PATTERN or FILE.py:FUNCTION, got"
    ):
        extractor(spec)


def test_an_extractor_stays_what_it_is():
    take = extractor("boxed")
    assert extractor(take) is take


HARD = ["1,", "1e", "1e1", "(", "{", "}", "\\boxed{", "\\boxed", "\\", "answer ", "answer: ", "answer is ", " ", "\n", "\t", "A ", "I ", "*", "**", "-", "1/", "1 / ", "^{", "\\frac{", "\\frac{1}{", "0", "0,001", "1 1 ", ".", "$", "C)", "option ", "\u00b2", "9\u00b2", "1 x 10^", "{,}", "1{,}", "(A", "C is the ", "boxed text "]  # fmt: skip


def seconds(take, text):
    """The least processor time of two, so that what else runs counts little."""
    spent = []
    for _ in range(2):
        start = time.process_time()
        take(text)
        spent.append(time.process_time() - start)
    return min(spent)


@pytest.mark.parametrize("spec", ["text", "last-number", "boxed", "letter"])
def test_ten_times_the_text_takes_about_ten_times_as_long(spec):
    """What is quadratic takes a hundred times as long."""
    take = extractor(spec)
    for part in HARD:
        short, long = (seconds(take, (part * (size // len(part) + 1))[:size]) for size in (4_000, 40_000))
        assert long < 40 * max(short, 0.0005), part


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_boxed_number_and_the_last_number_are_spelled_alike(value):
    boxed = extractor("boxed")(f"\\boxed{{{value:,f}}}").answer
    assert boxed == extractor("last-number")(f"It is {value:f}").answer
    assert Decimal(boxed) == value
