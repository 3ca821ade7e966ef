"""Numbers in the text of an answer, each in one spelling: 1,000 and $1000.00 are 1000."""

import re
import unicodedata
from collections import deque
from fractions import Fraction

__all__ = ["Ambiguous", "last_number", "one_number"]

SIGNS = (
    r"\-" "\u2212\u2013\ufe63\uff0d"
)  # hyphen, minus, en dash, small and full-width hyphen: all are written for minus
SEPARATOR = r"(?:,\\!|\\,|\{,\}|[,'\u2019_\u00a0\u2009\u202f])"  # of thousands; LaTeX has several
CURRENCY = r"(?:\\?[$\u20ac\u00a3\u00a5\u20b9])"
DIGITS = rf"\d++(?:{SEPARATOR}\d++)*+(?:\.\d++)?+|(?<!\.)\.\d++"
# Before a number stand no letters of a name (CO2; CJK is not parted from numbers by blanks), no part of the same
# number, and no sign of a power.
BEFORE = rf"(?<![A-Za-z\d])(?<![A-Za-z\d]_)(?<!\d[.,])(?<!\^)(?<!\^\{{)(?<!\^[+{SIGNS}])(?<!\^\{{[+{SIGNS}])(?<!\d\*\*)"
POWER = rf"(?:\^|\*\*)\s?\{{?(?P<power>[+{SIGNS}]?\d++)\}}?"
NUMBER = re.compile(
    rf"(?=[\d.$\\+{SIGNS}\u20ac\u00a3\u00a5\u20b9])"  # what it may begin with: text without numbers takes a tenth
    rf"(?:(?<![A-Za-z\d)\]}}.,{SIGNS}])(?P<sign>[+{SIGNS}]))?{CURRENCY}?{BEFORE}(?P<digits>{DIGITS})"
    rf"(?:[eE](?P<e>[+{SIGNS}]?\d++)(?![A-Za-z])|\s?(?:\u00d7|\\times|\\cdot|\u00b7|\*|[xX])\s?10\s?{POWER})?"
    rf"(?:\s?/\s?(?P<under>{DIGITS}))?+"
)
RAISED = re.compile(rf"\s?{POWER}|\s?\^\{{?(?:\(|[A-Za-z]\b)")  # what makes a power of the number before it
GOES_ON = re.compile(r"[.,]\d")  # 1.000,00 and 1.000.000
GROUP = re.compile(r"(?<!\d)\d{1,3} \Z")  # 12 000
SUPERSCRIPTS = str.maketrans("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b", "0123456789+-")
SUPERSCRIPT = re.compile("[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+")
FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]{1,40})\}\s?\{([^{}]{1,40})\}")
EXPONENT = 15  # digits of an exponent that are computed with
ZEROS = 30  # that are written out; more are an exponent
SHORT = 30  # digits of a fraction that is reduced, above and below the line


class Ambiguous(ValueError):
    """A number that can be read in several ways."""


def last_number(text: str, /) -> str | None:
    """Return the last number in a text, in the one spelling of its value; None where there is none.

    Signs of currency and percent are dropped, commas that group thousands too. A fraction is its value where that is a
    decimal number, else it is reduced. Digits that belong to a name or a unit (CO2, cm^2) are no numbers.

    Args:
        text: any text; the time it takes is linear in its length.

    Raises:
        Ambiguous: where the last number can be read in several ways: 3,14 and 0,001 and 1.000,00 and 2^10.

    >>> last_number("First 12, so it costs $1,050.00."), last_number("-1.5e3 or 3 x 10^8"), last_number("9/12 cm^2")
    ('1050', '300000000', '0.75')
    """
    text = _plain(text)
    last = deque(NUMBER.finditer(text), maxlen=1)
    return _spelled(last[0]) if last else None


def one_number(text: str, /) -> str | None:
    r"""Return a text that is nothing but a number in the one spelling of its value; None for other texts.

    >>> one_number("$1,000.00"), one_number("50\\%"), one_number("x = 5"), one_number("3,14")
    ('1000', '50', None, None)
    """
    number = NUMBER.fullmatch(_plain(text).strip().removeprefix("$").rstrip("$%\\ \t\r\n"))
    try:
        return None if number is None else _spelled(number)
    except Ambiguous:
        return None


def _plain(text: str) -> str:
    """Powers written with a sign, fractions in one line."""
    if not text.isascii():
        text = SUPERSCRIPT.sub(lambda found: "^" + found[0].translate(SUPERSCRIPTS), text)
    return FRACTION.sub(_in_one_line, text) if "frac" in text else text


def _in_one_line(fraction: re.Match[str]) -> str:
    """A fraction with a stroke, parted from a letter or digit before it, but not from a sign."""
    apart = fraction.string[max(fraction.start() - 1, 0) : fraction.start()].isalnum()
    return f"{' ' * apart}{fraction[1]}/{fraction[2]}"


def _spelled(number: re.Match[str]) -> str:
    """The one spelling of the value that a match has."""
    text, end = number.string, number.end()
    before = text[max(number.start() - 5, 0) : number.start()]
    power = number["e"] or number["power"] or ""
    whole, part = _digits(number["digits"])
    if GOES_ON.match(text, end) or (len(whole) == 3 and not part and GROUP.search(before)):
        raise Ambiguous
    if raised := RAISED.match(text, end):
        if number["digits"] != "10" or power or not raised["power"]:
            raise Ambiguous
        whole, power = "1", raised["power"]
    sign = "-" if (number["sign"] or "+") != "+" else ""
    if number["under"] is None:
        return _value(sign, whole, part, _exponent(power))
    if power or re.search(r"\d\s\Z", before):  # 1 1/2
        raise Ambiguous
    return _ratio(sign, (whole, part), _digits(number["under"]))


def _digits(text: str) -> tuple[str, str]:
    """The digits before and behind the point; of a list without blanks, its last number."""
    before, _, part = text.partition(".")
    groups = [_ascii(group) for group in re.split(SEPARATOR, before)]
    if len(groups) > 1 and not _thousands(groups):
        if len(groups) == 2 or any(len(group) > 1 and group[0] == "0" for group in groups):
            raise Ambiguous
        groups = groups[-1:]
    return "".join(groups), _ascii(part)


def _thousands(groups: list[str]) -> bool:
    """Whether groups of digits are those of one number: 1,000,000 or, in India, 10,00,000."""
    first, *middle, last = map(len, groups)
    as_in_india = first <= 2 and {*middle} == {2}
    return groups[0][0] != "0" and last == 3 and (as_in_india or (first <= 3 and {*middle} <= {3}))


def _ascii(digits: str) -> str:
    return digits if digits.isascii() else "".join(str(unicodedata.decimal(digit)) for digit in digits)


def _exponent(text: str) -> int:
    if len(text) > EXPONENT:
        raise Ambiguous
    return int(re.sub(f"[{SIGNS}]", "-", text)) if text else 0


def _value(sign: str, whole: str, part: str, exponent: int) -> str:
    """A decimal number without needless zeros; computed on its text, as it may have a million digits."""
    digits = (whole + part).lstrip("0")
    point = len(whole) + exponent - (len(whole) + len(part) - len(digits))  # digits before the point
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    if max(point - len(digits), -point) > ZEROS:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}e{point - 1}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


def _ratio(sign: str, above: tuple[str, str], below: tuple[str, str]) -> str:
    """A fraction: its value where that ends behind the point, else reduced; a long one stays as it is."""
    over, under = (_value("", *number, 0) for number in (above, below))
    if under == "0":
        raise Ambiguous
    if len(over) + len(under) > SHORT:
        return f"{sign}{over}/{under}"
    ratio = Fraction(over) / Fraction(under)
    rest, places = ratio.denominator, 0
    for prime in (2, 5):
        times = 0
        while rest % prime == 0:
            rest, times = rest // prime, times + 1
        places = max(places, times)
    if rest > 1:
        return f"{sign}{ratio.numerator}/{ratio.denominator}"
    return _value(sign, str(int(ratio * 10**places)), "", -places)
