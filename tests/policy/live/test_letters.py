"""The letter that a text answers with, and words that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_infer.policy.live.letters import last_letter

NAMED = ["Answer: {}", "the answer is {}.", "The answer is **({})**", "**Answer: {}**", "Answer: \\boxed{{{}}}", "The correct option is {}", "Final Answer:\n{}", "The answer is\n\n**{}. text**", "The answer is: $\\mathbf{{{}}}$", "ANSWER: {}", "The answer is {} because it fits", "the answer's {}", "<answer>{}</answer>", "Answer: [{}]"]  # fmt: skip
ALONE = ["({})", "**{}**", "{}", "{}.", "${}$", "{}) Paris", "{}. Paris", "**{}) Paris**", "- {}) Paris", "So it must be {}.", "$\\boxed{{\\text{{{}}}}}$", "\u201c{}\u201d", "I take option {}", "Of these, {} is correct.", "\u7b54\u6848\u662f{}"]  # fmt: skip


@pytest.mark.parametrize("template", NAMED + ALONE)
def test_a_letter_is_read_as_people_write_it(template):
    for letter in "ABCDEFGHJ":
        assert last_letter(template.format(letter)) == letter
        assert last_letter(f"A cat and I think.\n{template.format(letter)}") == letter


@pytest.mark.parametrize(
    "text", ["", "A dog barks", "I think so", "Answer: A dog", "Answer: I do not know", "the answer is a tree", "The answer is Apple", "my answer. Carbon", "C++", "It has grade A-levels", "none", "option I think", "The answer is C++", "The answer is not C.", "Both A and B", "Answer: A or B", "(A) is wrong"]
)  # fmt: skip
def test_words_are_no_letters(text):
    assert last_letter(text) is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("(A) is wrong, (B) is wrong, so (C)", "C"),
        ("Answer: A. No, wait. Answer: D", "D"),
        ("Answer: B\n\nA) is too small\nC) is too large", "B"),
        ("The answer is B, not A.", "B"),
        ("Answer: A, B or C? The answer is C", "C"),
        ("(B) is right, (A) is wrong", "B"),
        ("option D, since option B is not large enough", "D"),
        ("c", "C"),
        ("(c)", "C"),
        ("I", "I"),
        ("The answer is I.", "I"),
    ],
)
def test_the_last_one_wins_and_one_that_is_called_the_answer_wins_over_others(text, letter):
    assert last_letter(text) == letter


@given(
    st.sampled_from(NAMED), st.sampled_from("ABCDEFGHJ"), st.sampled_from(NAMED + ALONE), st.sampled_from("ABCDEFGHJ")
)
def test_whatever_stands_before_an_answer_does_not_change_it(template, letter, before, other):
    assert last_letter(f"{before.format(other)}\nBut think again: {template.format(letter)}") == letter
