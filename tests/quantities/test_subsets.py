import csv
import gzip
from collections import defaultdict
from fractions import Fraction
from itertools import combinations
from math import comb, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import MooInferError
from moo_infer.core.errors import MissingColumn
from moo_infer.quantities.samples import Answers, Samples
from moo_infer.quantities.subsets import (
    all_at_k,
    best_scored_of_k,
    distinct_rows,
    largest_of_k,
    mean_pass_at_k,
    pass_at_k,
    total_of_k,
    vote_at_k,
    vote_bounds_at_k,
    votes_at_k,
)

LIMITED = settings(max_examples=60, deadline=None)


def one_question(correct, **columns):
    n = len(correct)
    arrays = {name: np.array(column) for name, column in columns.items()}
    return Samples("mine", ["q"], np.zeros(n, dtype=np.int64), np.array(correct, dtype=np.float64), arrays)


def over_subsets(n, k, worth):
    """The mean of what every subset of k of n is worth."""
    return np.mean([worth(list(subset)) for subset in combinations(range(n), k)])


def chance_of_none(n, c, k):
    few, many = sorted((c, k))
    return Fraction(prod(range(n - many - few + 1, n - many + 1)), prod(range(n - few + 1, n + 1)))


@LIMITED
@given(st.integers(1, 400), st.data())
def test_pass_at_k_is_that_of_whole_numbers(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    exact = 1 - Fraction(comb(n - c, k), comb(n, k))
    assert abs(Fraction(float(pass_at_k([n], [c], [k])[0, 0])) - exact) < 1e-14


@pytest.mark.parametrize(
    ("c", "k"), [(1, 1), (1, 9_999_999), (3, 10**6), (3000, 3000), (6, 5 * 10**6), (5 * 10**6, 6), (10**4, 10**4)]
)
def test_pass_at_k_of_ten_million_samples(c, k):
    exact = 1 - chance_of_none(10**7, c, k)
    assert abs(Fraction(float(pass_at_k([10**7], [c], [k])[0, 0])) - exact) < 1e-12 * exact


def test_pass_at_k_at_its_ends():
    found = pass_at_k([5, 5, 2, 0], [0, 5, 1, 0], [1, 2, 5])
    assert found[:2].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert not np.signbit(found[0]).any()
    assert found[2:] == pytest.approx(np.array([[0.5, 1, np.nan], [np.nan] * 3]), nan_ok=True)


@LIMITED
@given(st.integers(1, 400), st.data())
def test_all_at_k_is_that_of_whole_numbers(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    exact = Fraction(comb(c, k), comb(n, k))
    assert abs(Fraction(float(all_at_k([n], [c], [k])[0, 0])) - exact) < 1e-14


@pytest.mark.parametrize(("wrong", "k"), [(1, 1), (1, 9_999_999), (3, 10**6), (3000, 3000), (10**4, 10**4)])
def test_all_at_k_of_ten_million_samples(wrong, k):
    exact = chance_of_none(10**7, wrong, k)
    assert abs(Fraction(float(all_at_k([10**7], [10**7 - wrong], [k])[0, 0])) - exact) < 1e-13 * exact


@pytest.mark.parametrize("n", [1, 4, 6])
def test_all_at_k_is_the_mean_over_all_subsets(n):
    for c in range(n + 1):
        right = np.arange(n) < c
        expected = [over_subsets(n, k, lambda subset, right=right: right[subset].all()) for k in range(1, n + 1)]
        assert all_at_k([n], [c], np.arange(1, n + 1))[0] == pytest.approx(expected, abs=1e-15)


def test_all_at_k_at_its_ends():
    found = all_at_k([5, 5, 2, 0], [0, 5, 1, 0], [1, 2, 5])
    assert found[:2].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert found[2:] == pytest.approx(np.array([[0.5, 0, np.nan], [np.nan] * 3]), nan_ok=True)
    with pytest.raises(MooInferError, match="c must be <= n, got 4 of 3"):
        all_at_k([3], [4], [1])


def test_the_mean_of_pass_at_k_is_over_questions_with_enough_samples():
    rng = np.random.default_rng(0)
    n = rng.integers(0, 30, 200)
    c = rng.integers(0, n + 1)
    k = np.arange(1, 35)
    table = pass_at_k(n, c, k)
    enough = np.isfinite(table).any(axis=0)
    assert mean_pass_at_k(n, c, k)[enough] == pytest.approx(np.nanmean(table[:, enough], axis=0), abs=1e-15)
    assert np.isnan(mean_pass_at_k(n, c, k)[~enough]).all()


def test_the_mean_of_pass_at_k_of_many_samples_does_not_fill_the_memory():
    n = np.full(2000, 100_000)
    c = np.arange(2000)
    assert mean_pass_at_k(n, c, np.arange(1, 1001))[[0, -1]] == pytest.approx(
        [c.mean() / 1e5, pass_at_k(n, c, [1000]).mean()], rel=1e-12
    )


@pytest.mark.parametrize(
    ("n", "c", "k", "message"),
    [
        ([3], [4], [1], "c must be <= n, got 4 of 3"),
        ([3, 4], [1], [1], "n and c must be as many, got 2 and 1"),
        ([3], [1], [0], "k: must be a list of whole numbers >= 1"),
        ([3], [1], [1.5], "k: must be a list of whole numbers"),
        ([-3], [1], [1], "n: must be a list of whole numbers >= 0"),
    ],
)
def test_counts_out_of_range_are_named(n, c, k, message):
    with pytest.raises(MooInferError, match=message):
        pass_at_k(n, c, k)


def vote(answers, correct, subset):
    """What a plurality vote is worth: the mean over the answers with most votes of their worth."""
    given_ = [answers[i] for i in subset if answers[i] >= 0]
    if not given_:
        return 0.0
    most = max(given_.count(answer) for answer in given_)
    winners = [answer for answer in set(given_) if given_.count(answer) == most]
    return np.mean([np.mean([c for a, c in zip(answers, correct, strict=True) if a == w]) for w in winners])


graded = st.lists(st.tuples(st.integers(-1, 4), st.sampled_from([0.0, 1.0])), min_size=1, max_size=9)


@LIMITED
@given(graded)
def test_a_vote_is_the_mean_over_all_subsets(samples):
    answers, correct = zip(*samples, strict=True)
    n = len(samples)
    expected = [over_subsets(n, k, lambda subset: vote(answers, correct, subset)) for k in range(1, n + 1)]
    assert vote_at_k(one_question(correct, answer=answers), np.arange(1, n + 1))[0] == pytest.approx(
        expected, abs=1e-13
    )


@pytest.mark.parametrize("n", [120, 1500])
def test_a_vote_of_many_samples_is_what_is_simulated(n):
    rng = np.random.default_rng(n)
    answers = rng.choice([-1, 0, 1, 2, 3, 4], n, p=[0.1, 0.3, 0.3, 0.1, 0.1, 0.1])
    correct = np.isin(answers, [0, 3]) * 1.0
    for k in (7, 60):
        drawn = rng.permuted(np.tile(answers, (8000, 1)), axis=1)[:, :k]
        votes = np.stack([(drawn == answer).sum(axis=1) for answer in range(5)], axis=1)
        won = votes == votes.max(axis=1, keepdims=True)
        simulated = ((won @ np.array([1, 0, 0, 1, 0])) / won.sum(axis=1)).mean()
        assert vote_at_k(one_question(correct, answer=answers), [k])[0, 0] == pytest.approx(simulated, abs=0.02)


@pytest.mark.parametrize("n", [1000, 1200, 3000])
def test_a_vote_between_two_answers_of_many_samples_is_hypergeometric(n):
    from scipy.stats import hypergeom

    right = int(0.52 * n)
    samples = one_question(np.arange(n) < right, answer=(np.arange(n) >= right) * 1)
    k = np.array([1, 2, 101, 400])
    law = hypergeom(n, right, k)
    expected = law.sf(k // 2) + 0.5 * np.where(k % 2 == 0, law.pmf(k // 2), 0.0)
    assert vote_at_k(samples, k)[0] == pytest.approx(expected, rel=1e-9)


def test_a_vote_between_a_thousand_different_answers_is_a_lottery():
    samples = one_question(np.arange(1000) < 3, answer=np.arange(1000))
    assert vote_at_k(samples, [1, 10, 1000])[0] == pytest.approx([0.003] * 3, rel=1e-10)


def test_a_vote_knows_questions_apart_and_leaves_out_what_failed():
    question = np.array([0, 0, 0, 1, 1, 2])
    answer = np.array([7, 7, 8, 8, -1, 9])
    correct = np.array([1.0, 1, 0, 1, 0, np.nan])
    samples = Samples("mine", ["a", "b", "c"], question, correct, {"answer": answer})
    expected = [[2 / 3, 2 / 3, 1], [0.5, 1, np.nan], [np.nan] * 3]
    assert vote_at_k(samples, [1, 2, 3]) == pytest.approx(np.array(expected), nan_ok=True)


def test_without_any_answer_a_vote_is_wrong():
    assert vote_at_k(one_question([0, 1], answer=[-1, -1]), [1, 2]).tolist() == [[0.0, 0.0]]


def test_a_vote_needs_answers():
    with pytest.raises(MissingColumn, match="no column 'answer'"):
        vote_at_k(one_question([1.0]), [1])


scored = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.3, np.nan]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=8
)


def best(scores, correct, subset):
    known = [i for i in subset if not np.isnan(scores[i])]
    top = [i for i in known if scores[i] == max(scores[j] for j in known)]
    return np.mean([correct[i] for i in top]) if top else 0.0


@LIMITED
@given(scored)
def test_the_sample_with_the_highest_score_is_the_mean_over_all_subsets(samples):
    scores, correct = zip(*samples, strict=True)
    n = len(samples)
    expected = [over_subsets(n, k, lambda subset: best(scores, correct, subset)) for k in range(1, n + 1)]
    found = best_scored_of_k(one_question(correct, score=scores), np.arange(1, n + 1))
    assert found[0] == pytest.approx(expected, abs=1e-13)


def test_scores_of_other_questions_and_of_failed_samples_do_not_matter():
    samples = Samples(
        "mine", ["a", "b"], np.array([0, 0, 1, 1, 1]), np.array([1.0, 0, 0, 1, np.nan]),
        {"score": np.array([0.9, 0.1, 0.9, 0.1, 5.0])},
    )  # fmt: skip
    assert best_scored_of_k(samples, [1, 2, 3]) == pytest.approx(
        np.array([[0.5, 1, np.nan], [0.5, 0, np.nan]]), nan_ok=True
    )


@LIMITED
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8))
def test_the_largest_and_the_total_are_those_of_all_subsets(values):
    n, question = len(values), np.zeros(len(values), dtype=np.int64)
    array, k = np.array(values), np.arange(1, len(values) + 1)
    for found, reduce in ((largest_of_k, np.max), (total_of_k, np.sum)):
        all_ = [[reduce(subset) for subset in combinations(values, int(size))] for size in k]
        mean, std = found(array, question, k)
        scale = 1e-9 * max(values) * n
        assert mean[0] == pytest.approx([np.mean(a) for a in all_], abs=scale + 1e-300)
        assert std[0] == pytest.approx([np.std(a) for a in all_], abs=1e-6 * max(values) * n + 1e-300)


def test_what_is_unknown_is_no_value():
    values, question = np.array([np.nan, 4.0, 2.0, np.nan, 1.0]), np.array([0, 0, 0, 1, 2])
    for found, last in ((largest_of_k, 4), (total_of_k, 6)):
        mean, std = found(values, question, [1, 2])
        assert mean == pytest.approx(np.array([[3, last], [np.nan] * 2, [1, np.nan]]), nan_ok=True)
        assert std == pytest.approx(np.array([[1, 0], [np.nan] * 2, [0, np.nan]]), nan_ok=True)


def test_the_largest_of_very_many_values_does_not_overflow():
    values = np.arange(100_000.0)
    mean, std = largest_of_k(values, np.zeros(100_000, dtype=np.int64), [1, 2, 99_999])
    assert mean[0] == pytest.approx([49_999.5, 66_666.33333333333, 99_999 - 1e-5], rel=1e-12)
    assert std[0, 0] == pytest.approx(values.std())


def test_the_authors_pass_at_k_of_the_monkeys(data):
    counts = defaultdict(list)
    with gzip.open(data / "monkeys" / "counts_original.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            counts[row["model"]].append((int(row["n"]), int(row["c"])))
    with (data / "monkeys" / "authors_pass_at_k.csv").open() as file:
        points = [row for row in csv.DictReader(file) if row["benchmark"] == "MATH"]
    assert len(points) == 707
    for model, own in counts.items():
        n, c = np.array(own).T
        theirs = [row for row in points if row["model"] == model]
        ours = mean_pass_at_k(n, c, [int(row["k"]) for row in theirs])
        assert np.abs(ours - [float(row["pass_at_k_authors"]) for row in theirs]).max() <= 1e-12, model
    n, c = np.array(counts["Pythia 12B"]).T
    assert mean_pass_at_k(n, c, [1, 64, 1024, 8192]).round(6).tolist() == [0.023191, 0.414022, 0.725107, 0.863727]


@pytest.mark.parametrize("seed", range(5))
def test_bounds_of_the_vote_are_those_of_judgements_made_alike(seed):
    rng = np.random.default_rng(seed)
    question, answer = np.repeat(np.arange(4), 6), rng.integers(-1, 3, 24)
    correct = rng.integers(0, 2, 24).astype(float)
    low, high = vote_bounds_at_k(Samples("m", list("abcd"), question, correct, {"answer": answer}), [1, 3, 6])
    for bound, made in ((low, min), (high, max)):
        alike = correct.copy()
        for q, a in {*zip(question.tolist(), answer.tolist(), strict=True)}:
            same = (question == q) & (answer == a)
            if a >= 0:
                alike[same] = made(correct[same])
        judged = Samples("m", list("abcd"), question, alike, {"answer": answer})
        np.testing.assert_allclose(bound, vote_at_k(judged, [1, 3, 6]), atol=1e-12)


def test_questions_that_differ_in_grades_alone_are_told_apart():
    """What the answers that are the same are worth together is no whole number where they are partly right."""
    answers = Answers(np.repeat([0, 1], 3), np.tile([2, 1, 1], 2), np.array([0.4, 0, 0, 0.8, 0, 0]))
    share = votes_at_k(np.array([4, 4]), answers, np.array([1, 4]))
    np.testing.assert_allclose(share, [[0.1, 0.2], [0.2, 0.4]], rtol=1e-14)


@pytest.mark.parametrize("scale", [1, 0.1, 2**40])
def test_distinct_rows_are_those_of_whole_rows_sorted(scale):
    table = np.random.default_rng(3).integers(0, 3, (200, 5)) * scale
    first, which = distinct_rows(table)
    rows, inverse = np.unique(table, axis=0, return_inverse=True)
    np.testing.assert_array_equal(table[first], rows)
    np.testing.assert_array_equal(which, inverse)
