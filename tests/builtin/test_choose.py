"""Which inference an aggregator takes as its answer: by hand, and as often as `aggregate` promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_infer import AccuracyAggregator, Draws, MissingColumn, MooInferError, NoChoice, Registry
from moo_infer.builtin.aggregators import AllOfK, BestOfK, Coverage, MajorityVote
from moo_infer.builtin.answers import OneCall, PluralityVote, TopScore, WeightedVote
from moo_infer.builtin.stages import Accepted
from moo_infer.core.chance import one_of_each
from moo_infer.core.errors import NothingPossible
from moo_infer.estimate.calls import chosen

RNG = np.random.default_rng(0)
UNKNOWN = -np.inf


def query(**columns):
    """One query, a list of numbers for each column."""
    return Draws(columns={name: np.array([column]) for name, column in columns.items()})


def choosable(part, draws):
    """The columns that are drawn in a thousand goes."""
    many = Draws(columns={name: np.repeat(column, 1000, axis=0) for name, column in draws.items()})
    return {*chosen(part, many, np.random.default_rng(1)).tolist()}


class Grid(np.random.Generator):
    """Numbers as even as they can be, in place of random ones."""

    def random(self, size):
        return (np.arange(size) + 0.5) / size


@pytest.mark.parametrize(
    ("part", "draws", "expected"),
    [
        (OneCall(), query(answer=[-1, 2, 2]), {0}),
        (BestOfK(), query(accuracy=[0.2, 0.9, 0.4, 0.9]), {1, 3}),
        (BestOfK(), query(accuracy=[0.0, 0.0]), {0, 1}),
        (Coverage(), query(accuracy=[0.0, 1.0, 0.0, 1.0]), {1, 3}),
        (Coverage(), query(accuracy=[0.0, 0.0]), {-1}),
        (PluralityVote(), query(answer=[7, 3, 7]), {0, 2}),
        (PluralityVote(), query(answer=[7, 3, -1, -1, -1]), {0, 1}),
        (PluralityVote(), query(answer=[-1, -1]), {-1}),
        (TopScore(), query(score=[0.1, -4.0, 0.1]), {0, 2}),
        (TopScore(), query(score=[UNKNOWN, -4.0]), {1}),
        (TopScore(), query(score=[UNKNOWN, UNKNOWN]), {-1}),
        (WeightedVote(), query(answer=[7, 3, 3], score=[0.6, 0.3, 0.1]), {0}),
        (WeightedVote(), query(answer=[7, 3, 3], score=[0.4, 0.3, 0.1]), {0, 1, 2}),
        (WeightedVote(), query(answer=[7, 3, 3], score=[0.6, 0.7, -9.0]), {1}),
        (WeightedVote(), query(answer=[7, 3, 3], score=[-1.0, UNKNOWN, 0.0]), {1, 2}),
        (WeightedVote(), query(answer=[-1, 3, 3], score=[0.9, UNKNOWN, 0.1]), {2}),
        (WeightedVote(), query(answer=[-1, -1], score=[0.9, 0.8]), {-1}),
        (Accepted(), query(accuracy=[0.0, 1.0, 1.0]), {1, 2}),
        (Accepted(0.5), query(score=[0.5, 0.6, UNKNOWN]), {1}),
        (Accepted(0.5), query(score=[0.5, UNKNOWN]), {-1}),
        (Accepted(None, 0.9, 0.1), query(accuracy=[1.0, 0.0, 0.0], noise=[0.95, 0.05, 0.5]), {1}),
    ],
    ids=repr,
)
def test_the_answer_is_one_of_those_that_are_equally_good(part, draws, expected):
    assert choosable(part, draws) == expected


# Readers of logs refuse scores beyond 1e15, and such below 1e-30 that are not 0.
FLOATS = st.sampled_from([-1.0, UNKNOWN, 0.0, 0.1, 0.2, 0.3, 1e15, 1e-30]) | st.floats(-1, 3, allow_subnormal=False)


@given(st.lists(st.tuples(st.integers(-1, 2), FLOATS, st.floats(0, 1)), min_size=1, max_size=6))
@pytest.mark.parametrize(
    "part", [OneCall(), BestOfK(), PluralityVote(), TopScore(), WeightedVote(), Accepted(0.15)], ids=repr
)
def test_the_chance_of_each_inference_is_what_aggregate_makes_of_it(part, rows):
    answer, score, accuracy = (np.array(column) for column in zip(*rows, strict=True))
    goes = 2000
    draws = Draws(
        columns={
            n: np.tile(c, (goes, 1))
            for n, c in zip(("answer", "score", "accuracy"), (answer, score, accuracy), strict=True)
        }
    )
    choice = chosen(part, draws, Grid(np.random.PCG64(0)))
    worth = np.where(choice < 0, 0.0, accuracy[choice]).mean()
    promised = part.aggregate(query(answer=answer, score=score, accuracy=accuracy), RNG)[0, -1]
    assert worth == pytest.approx(promised, abs=len(rows) / goes + 1e-9)


def test_weights_are_shares_however_large_or_small_they_are():
    for size in (1.0, 1e308, 5e-324):
        column = one_of_each(np.tile([1 * size, 0.0, 1 * size], (1000, 1)), Grid(np.random.PCG64(0)))
        assert np.bincount(column).tolist() == [500, 0, 500]
    assert one_of_each(np.tile([1e308, 1.0], (1000, 1)), Grid(np.random.PCG64(0))).max() == 0
    column = one_of_each(np.tile([3.0, 1.0], (1000, 1)), Grid(np.random.PCG64(0)))
    assert np.bincount(column).tolist() == [750, 250]


def test_no_more_is_drawn_from_the_generator_where_there_is_a_tie():
    """So that the queries after it see the same numbers."""
    for answers in ([1, 2, 3], [1, 1, 1], [-1, -1, -1]):
        rng = np.random.default_rng(4)
        PluralityVote().choose(query(answer=answers), rng)
        assert rng.random() == np.random.default_rng(4).random(2)[1]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (AllOfK(), "all-of-k takes no answer: it says how often all of k inferences are right"),
        (MajorityVote(), "majority-vote takes no answer: .* plurality-vote takes the answer that most inferences give"),
        (
            "verifier:tpr=0.9,fpr=0.1",
            "verifier takes no answer: it describes a verifier by numbers and calls none; top-score takes",
        ),
        ("noisy-score:rho=0.5", "noisy-score takes no answer: it describes a verifier by numbers"),
    ],
    ids=repr,
)
def test_who_takes_no_answer_says_why(part, message):
    part = Registry().get(AccuracyAggregator, part) if isinstance(part, str) else part
    with pytest.raises(NoChoice, match=message):
        chosen(part, query(accuracy=[1.0, 0.0]), RNG)


class Silent(AccuracyAggregator):
    name = "silent"

    def aggregate(self, draws, rng, /):
        return draws.accuracy


class Odd(Silent):
    name = "odd"

    def __init__(self, given):
        self.given = given

    def choose(self, draws, rng, /):
        return self.given


def test_an_aggregator_without_choose_takes_no_answer():
    with pytest.raises(
        NoChoice, match=r"aggregator 'silent' does not say which of the inferences is its answer \(choose\)"
    ):
        chosen(Silent(), query(answer=[1]), RNG)


@pytest.mark.parametrize("part", [BestOfK(), Coverage(), Accepted(), Accepted(None, 0.9, 0.1)], ids=repr)
def test_what_needs_a_checker_says_so_where_there_is_none(part):
    message = (
        f"aggregator '{part.name}' takes what a checker says is right, and there is none: give targets or a checker"
    )
    with pytest.raises(NoChoice, match=message):
        chosen(part, query(answer=[1, 2], score=[0.1, 0.2], noise=[0.1, 0.2]), RNG)


def test_any_other_column_that_is_missing_is_named_with_who_needs_it():
    with pytest.raises(MissingColumn, match="no column 'score', needed by aggregator 'top-score'; columns: answer"):
        chosen(TopScore(), query(answer=[1, 2]), RNG)


@pytest.mark.parametrize("part", [Coverage(), Accepted()], ids=repr)
def test_what_is_right_cannot_be_taken_of_grades(part):
    with pytest.raises(NothingPossible, match="a checker accepts.*, and here inferences are graded"):
        chosen(part, query(accuracy=[1.0, 0.5]), RNG)


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ([0.0], r"got float64 \(1,\)"),
        ([True], r"got bool \(1,\)"),
        (0, r"got int64 \(\)"),
        ([[0]], r"got int64 \(1, 1\)"),
        ([0, 0], r"got int64 \(2,\)"),
        ([2], "got 2 to 2"),
        ([-2], "got -2 to -2"),
        (None, r"got object \(\)"),
    ],
)
def test_what_is_no_choice_is_refused(given, got):
    rule = r"'odd' must choose a column of each of 1 trials, 2 inferences each: whole numbers \(M,\) in \[-1, 1\], "
    with pytest.raises(MooInferError, match=rule + got):
        chosen(Odd(given), query(answer=[1, 2]), RNG)


def test_whole_numbers_of_any_size_are_a_choice():
    assert chosen(Odd(np.array([1], dtype=np.uint8)), query(answer=[1, 2]), RNG).dtype == np.int64


def test_of_no_inference_nothing_is_chosen():
    assert chosen(PluralityVote(), Draws(columns={"answer": np.zeros((2, 0), dtype=int)}), RNG).tolist() == [-1, -1]
