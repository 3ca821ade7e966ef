"""The letter that answers a question of multiple choice."""

import re
from collections import deque

__all__ = ["last_letter"]

# What may stand around a letter: white space and marks of Markdown, LaTeX and quotation. Bounded, so that a megabyte
# of white space is not gone through again from each of its characters.
MARKS = r"[\s*_`\"'\u201c\u201d\u2018\u2019({\[\\$:=>\uff1a\uff08]{0,12}"
STYLE = rf"(?:(?:boxed|text(?:bf|rm|it)?|mathrm|mathbf|option|choice|letter){MARKS})"
# Behind it: no further letter, no word that it belongs to (A-level, C's, C++), no second letter (A and C).
END = r"(?![\w+#\u00b0'\u2019]|[-/.&]\w|\W{1,3}(?:and|or|&)\W{1,3}[A-J]\b)"
# A and I are words where another one follows, but for those that go on after a choice: "A because it is round".
NO_WORD = r"(?!(?<=[AI])[^\S\n]+(?!(?:is|as|because|since|with|which|for|due|and|or|but|not)\b)[a-z])"
# One that is ruled out is no choice, and at the end of a text neither is one of two.
NOT_OUT = r"(?!\W{1,4}(?:is|are|was|seems)\s(?:not|wrong|incorrect|false|too|ruled|eliminated|impossible)\b)"
NOT_BEFORE = r"(?<!\bnot\s)"
LETTER = rf"(?P<letter>[A-J]{END}{NO_WORD})"
NAMED = re.compile(
    rf"(?i:\b(?:answer|correct\s(?:option|choice|letter))\b(?:\s(?:choice|option|letter))?{MARKS}"
    rf"(?:(?:is|s|would\sbe|must\sbe|should\sbe)\b{MARKS})?{STYLE}{{0,3}}){LETTER}"
)
ALONE = re.compile(
    rf"(?<!\w){NOT_BEFORE}\([^\S\n]?(?P<a>[A-Ja-hj])[^\S\n]?\){NOT_OUT}"  # (C)
    rf"|(?:\*\*|__)\(?(?P<b>[A-J])(?:[).:]|(?=\*\*|__))"  # **C**, **C) text**
    rf"|\\(?:boxed|fbox){MARKS}{STYLE}?(?P<c>[A-J]){END}"
    rf"|(?m:^)[^\S\n]{{0,8}}(?:[-*>#][^\S\n]{{1,4}})?(?P<d>[A-Ja-hj])\)(?=\s|\*|$)"  # C) text
    rf"|(?m:^)[^\S\n]{{0,8}}(?P<e>[A-J])[.:](?=\s|$)"  # C. text
    rf"|(?m:^)[\s>*_`(\"'$\u201c]{{0,8}}(?P<f>[A-J])[*_`)\"'$.\u201d]{{0,8}}(?m:$)"  # a line of it
    rf"|\b(?i:option|choice|letter){MARKS}(?P<g>[A-J]){END}{NO_WORD}{NOT_OUT}"
    rf"|(?<![A-Za-z\d_'\u2019.-]){NOT_BEFORE}(?P<i>[A-J])[\s*)\"'$]{{1,4}}(?i:is\s(?:the\s)?(?:correct|right|best|answer))"
    rf"|(?<![A-Za-z\d_'\u2019.-]){NOT_BEFORE}(?<!\band\s)(?<!\bor\s)"  # the last word of all
    r"(?P<h>[A-J])[\s*_`)\]}\"'$.!]{0,12}\Z"
)
WHOLE = re.compile(
    r"[\s*_`\"'\u201c(\[{$]{0,12}(?:\\?(?:boxed|text)\{)?(?P<letter>[A-Ja-j])[\s*_`\"'\u201d)\]}$.:]{0,12}"
)


def last_letter(text: str, /) -> str | None:
    """Return the letter A to J, in capitals, that a text answers with; None where it names none.

    The last one that it calls its answer ("the answer is C", "Answer: (C)"). Where it calls none so, the last that
    stands as a choice does: (C), **C**, C) or C. before a text, option C, a line of its own, the end of the text. "A"
    and "I" before another word are words.

    Args:
        text: any text; the time it takes is linear in its length.

    >>> last_letter("The answer is (C), as (D) is too large."), last_letter("A cat. I think so, too.")
    ('C', None)
    """
    if whole := WHOLE.fullmatch(text.strip()):
        return whole["letter"].upper()
    for pattern in (NAMED, ALONE):
        if last := deque(pattern.finditer(text), maxlen=1):
            return str(last[0][last[0].lastgroup or 0]).upper()
    return None
