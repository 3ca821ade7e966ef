"""One number has one spelling, and what can be read in several ways has none."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_infer.policy.live.numerals import Ambiguous, last_number, one_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[(text, "1000") for text in ("1,000", "1000", "1000.00", "+1000", "$1,000", "\\$1,000", "1{,}000", "1,\\!000", "1e3")],
        *[(text, "1000") for text in ("1\u202f000", "1\u00a0000", "1'000", "1_000", "\u20ac1,000", "001000", "10^3", "1 \u00d7 10\u00b3")],
        *[(text, "-5") for text in ("-5", "\u22125", "\u20135", "-$5", "$-5", "-5.0", "x=-5", "(-5)", "[3, -5]", "-\\$5", "\u662f-5")],
        *[(text, "72") for text in ("#### 72\n", "**72**", "__72__", "$72$", "\\boxed{72}", "72.", "72!", "72%", "72\\%", "\uff17\uff12")],
        *[(text, "5") for text in ("10-5", "3-5", "3\u20135", "so 5 cm^2", "5 m\u00b2", "5 g CO2", "5^\\circ", "5^{th}", "\u7b54\u6848\u662f5\u5143", "\u00b15")],
        ("1.50", "1.5"),
        ("-0", "0"),
        ("-0.00", "0"),
        (".5", "0.5"),
        ("10,00,000", "1000000"),
        ("\u20b91,00,000", "100000"),
        ("1,2,3", "3"),
        ("first 1, then 22", "22"),
        ("3 \\times 10^{8} m", "300000000"),
        ("3*10**-2", "0.03"),
        ("1e400", "1e400"),
        ("1.5E-400", "1.5e-400"),
        ("3/4", "0.75"),
        ("6/8", "0.75"),
        ("-\\frac{2}{6}", "-1/3"),
        ("60 / 3", "20"),
        ("version v2.5", None),
        ("none", None),
        ("", None),
        ("x^2", None),
    ],
)  # fmt: skip
def test_the_last_number_has_one_spelling(text, number):
    assert last_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["3,14", "0,5", "0,001", "1000,000", "1.000,00", "1.000.000", "1 000", "2^10", "2**10", "2^n", "5\u00b2", "1 1/2", "1\\frac{1}{2}", "3/0", "1e9999999999999999", "1.2.3"],
)  # fmt: skip
def test_what_can_be_read_in_several_ways_is_not_read(text):
    with pytest.raises(Ambiguous):
        last_number(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("$1,000.00", "1000"), ("50\\%", "50"), (" $-5$ ", "-5"), ("x = 5", None), ("3,14", None), ("5 apples", None), ("5^2", None), ("nan", None), ("", None)],
)  # fmt: skip
def test_a_text_is_one_number_or_none(text, number):
    assert one_number(text) == number


def test_numbers_of_a_million_digits_stay_text():
    assert last_number("is 1" + "0" * 999_998 + "7.50") == "1" + "0" * 999_998 + "7.5"


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)


@st.composite
def spelled(draw, value):
    """A decimal in one of its spellings."""
    style = draw(st.sampled_from(["", ",", "e", "E", "plus", "zeros", "$"]))
    if style in ("e", "E"):
        return f"{value:.25{style}}"
    text = f"{value:,f}" if style in (",", "$") else f"{value:f}"
    negative, text = text.startswith("-"), text.removeprefix("-")
    if style == "zeros":
        text = f"{text}000" if "." in text else f"{text}.000"
    return ("-" if negative else "+" if style == "plus" else "") + ("$" if style == "$" else "") + text


@given(DECIMALS.flatmap(lambda value: st.tuples(st.just(value), spelled(value), spelled(value))), DECIMALS)
def test_two_texts_are_one_number_exactly_where_decimals_are_equal(given_texts, other):
    value, first, second = given_texts
    assert last_number(f"It is {first}.") == last_number(second) == one_number(first)
    assert (last_number(first) == last_number(f"{other:f}")) == (value == other)
    assert Decimal(last_number(first)) == value


@given(st.integers(-999, 999), st.integers(1, 999))
def test_a_fraction_is_its_value(above, below):
    assert Fraction(last_number(f"{above}/{below}")) == Fraction(above, below)
    assert last_number(f"{above}/{below}") == last_number(f"{7 * above}/{7 * below}")


@given(st.integers(0, 10**6), st.integers(-60, 60))
def test_scientific_notation_is_consistent(mantissa, exponent):
    assert last_number(f"{mantissa}e{exponent}") == last_number(f"{mantissa}0e{exponent - 1}")
    assert Decimal(last_number(f"{mantissa}e{exponent}")) == Decimal(f"{mantissa}e{exponent}")
