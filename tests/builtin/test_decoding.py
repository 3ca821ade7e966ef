from dataclasses import replace

import numpy as np
import pytest

from moo_infer import CostModel, Draws, Exact, ModelProfile, MonteCarlo, MooInferError, Registry, Samples
from moo_infer.builtin.answers import OneCall
from moo_infer.builtin.decoding import DecodeSteps
from moo_infer.builtin.empirical import Empirical
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.latencies import Batch
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.builtin.queueing import Loaded
from moo_infer.quantities.by_law import LawQuery
from moo_infer.quantities.laws import ClippedNormal
from moo_infer.quantities.laws import Lognormal as LognormalLaw
from moo_infer.quantities.ranked import ranked_of_law, ranked_of_samples

SIZES = (1, 2, 4, 8, 16, 32, 64)
K = np.array([1, 3, 5])


def step_by_step(part, prompts, lengths):
    """The slow and obvious reference: every step of the batch, one after the other."""
    seconds = 0.0
    for t in range(1, int(max(lengths)) + 1):
        running = sum(length >= t for length in lengths)
        batch = part.other_sequences + running
        size = min((size for size in part.batch_sizes if size >= batch), default=batch)
        own = [prompt + t - 1 for prompt, length in zip(prompts, lengths, strict=True) if length >= t]
        longest = prompts[int(np.argmax(lengths))] + t - 1
        read = sum(own) + (size - running) * longest if part.context_bucket is None else size * part.context_bucket
        seconds += part.itl_base_s + size * part.itl_per_sequence_s + part.itl_per_context_token_s * read
    return seconds


PARTS = [
    Batch(0.009, 1e-5, itl_per_context_token_s=4e-8),
    Batch(0.009, 1e-5, itl_per_context_token_s=4e-8, other_sequences=3),
    Batch(0.009, 1e-5, itl_per_context_token_s=4e-8, batch_sizes=(1, 2, 4, 8)),
    Batch(0.009, 1e-5, itl_per_context_token_s=4e-8, batch_sizes=(1, 4)),
    Batch(0.009, 1e-5, itl_per_context_token_s=4e-8, batch_sizes=(2, 4, 8), other_sequences=1),
    Batch(0.009, 1e-5, itl_per_context_token_s=4e-8, batch_sizes=(1, 2, 4, 8), context_bucket=32_768),
    Batch(0.0, 0.0, itl_per_context_token_s=4e-8),
]


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_the_context_is_a_sum_over_steps(part):
    lengths = np.random.default_rng(3).integers(1, 30, (3, 6)).astype(float)
    draws = Draws(np.full((3, 6), 20_000.0), lengths, np.ones((3, 6)))
    expected = [[step_by_step(part, [20_000] * k, trial[:k]) for k in range(1, 7)] for trial in lengths]
    np.testing.assert_allclose(part.total(draws, parallelism=1), expected, rtol=1e-12)


def test_a_full_size_of_a_loaded_batch_reads_every_prompt():
    """Of four that end together none is padded, though three places are there for one of them."""
    draws = Draws(np.array([[20.0, 100.0, 400.0, 900.0]]), np.full((1, 4), 50.0), columns={"noise": np.zeros((1, 4))})
    plain = Loaded(1e-9, 400, 50, 0.007, 4e-5, itl_per_context_token_s=1e-6)
    padded = replace(plain, batch_sizes=(3,))
    expected = plain.total(draws, parallelism=1)[0, 3]
    assert padded.total(draws, parallelism=1)[0, 3] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_each_inference_reads_its_own_prompt(part):
    """Once, whatever is padded; places that are padded, and others in the batch, read as the longest does."""
    prompts, lengths = np.array([[10.0, 900.0, 20.0]]), np.array([[5.0, 3.0, 9.0]])
    expected = [[step_by_step(part, prompts[0, :k], lengths[0, :k]) for k in (1, 2, 3)]]
    np.testing.assert_allclose(
        part.total(Draws(prompts, lengths, np.ones((1, 3))), parallelism=1), expected, rtol=1e-12
    )


@pytest.fixture(scope="module")
def log():
    """Eight answers to each of four questions, two with prompts of 200 tokens and two with 20,000."""
    tokens = np.random.default_rng(5).gamma(2.0, 20.0, (4, 8)).round() + 1
    prompts = np.repeat([200, 20_000, 200, 20_000], 8)
    columns = {"input_tokens": prompts, "output_tokens": tokens.ravel()}
    return Samples("mine", list("abcd"), np.repeat(np.arange(4), 8), np.ones(32), columns), tokens


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_the_context_of_a_log_is_a_sum_over_steps_of_all_subsets(log, part):
    """Figure: prompts of 200 and 20,000 tokens, exact to 1e-9."""
    from itertools import combinations

    samples, tokens = log
    curve = Exact().estimate(ModelProfile("mine", Empirical(samples), (part,)), OneCall(), K, 1)
    column = curve.columns["latency"]
    assert "mean" not in column.simulated
    for i, size in enumerate(K):
        subsets = [
            step_by_step(part, [prompt] * size, subset)
            for prompt, question in zip((200, 20_000, 200, 20_000), tokens, strict=True)
            for subset in list(combinations(question, size))
        ]
        assert column.mean[i] == pytest.approx(np.mean(subsets), rel=1e-9)


def test_a_log_whose_answers_have_prompts_of_their_own_is_simulated(log):
    samples, _ = log
    prompts = np.random.default_rng(1).integers(100, 20_000, 32)
    samples = replace(samples, columns={**samples.columns, "input_tokens": prompts})
    profile = ModelProfile("mine", Empirical(samples), (PARTS[0],))
    exact, drawn = (e.estimate(profile, OneCall(), K, 1).columns["latency"] for e in (Exact(), MonteCarlo(20_000)))
    assert "mean" in exact.simulated
    error = drawn.trials.std(axis=0) / np.sqrt(20_000)
    assert (np.abs(exact.trials.mean(axis=0) - drawn.trials.mean(axis=0)) < 6 * error).all()


MODELS = [
    Gaussian(1000, 50, 40, 12, 0.8, 0.1),
    Gaussian(1000, 0, 40, 0, 0.8, 0.1),
    LognormalLengths(
        tokens_in_mean=500,
        tokens_out_mean=300,
        tokens_out_cv_between=0,
        accuracy_mean=0.8,
        accuracy_std=0.1,
        tokens_out_cv_within=0.5,
        max_tokens=600,
    ),
]


@pytest.mark.parametrize("part", PARTS, ids=repr)
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_exact_mean_is_what_is_simulated(model, part):
    exact = part.exact(model.queries().query, K, parallelism=1)
    total = part.total(model.sample(np.random.default_rng(0), 20_000, 5), parallelism=1)[:, K - 1]
    error = total.std(axis=0) / np.sqrt(len(total))
    assert (np.abs(exact.mean - total.mean(axis=0)) <= 4 * error + 1e-12).all()


@pytest.mark.parametrize("cv", [0.05, 0.5, 1.0, 2.0, 4.0])
def test_of_shared_steps_one_inference_pays_a_share_of_its_own_length_however_long_the_tail(cv):
    for others in (0.5, 3.0, 40.0):
        part = DecodeSteps(2.0, 0.0, other_sequences=others, own_share=True)
        query = LawQuery({"tokens_out": LognormalLaw(500.0, cv)})
        mean = part.exact(query, np.array([1, 2, 8])).mean
        assert mean[0] == pytest.approx(2.0 * 500 / (1 + others), rel=1e-11)
        # Who pays for as many of k sequences more has less company.
        assert (np.diff(mean) > 0).all()
        assert (mean[1:] <= np.array([2, 8]) * mean[0]).all()


def test_lengths_that_do_not_vary_are_exact_in_all():
    part, model = PARTS[2], MODELS[1]
    moments = part.exact(model.queries().query, K, parallelism=1)
    assert moments.mean == pytest.approx([step_by_step(part, [1000] * k, [40] * k) for k in K], rel=1e-12)
    np.testing.assert_allclose(moments.quantile(0.95), moments.mean)
    assert not moments.std.any()


def test_draws_of_uncertain_parameters_are_given_at_once():
    alpha = np.array([[0.009], [0.01]])
    query = MODELS[0].queries().query
    both = replace(PARTS[2], itl_base_s=alpha).exact(query, K, parallelism=1).mean
    for row, base in zip(both, alpha[:, 0], strict=True):
        np.testing.assert_allclose(row, replace(PARTS[2], itl_base_s=base).exact(query, K, parallelism=1).mean)


def test_prompts_of_sequences_add_up_to_the_prefill():
    draws = Draws(np.full((1, 3), 100.0), np.ones((1, 3)), np.ones((1, 3)))
    for prefill, first in (("shared", [0.7, 0.7, 0.7]), ("each", [0.7, 1.4, 2.1])):
        part = Batch(0.0, 0.0, ttft_seconds=0.2, prefill=prefill, prefill_per_token_s=0.005)
        np.testing.assert_allclose(part.total(draws, parallelism=1), [first])
        query = Gaussian(100, 0, 40, 12, 0.8, 0.1).queries().query
        np.testing.assert_allclose(part.exact(query, np.arange(1, 4), parallelism=1).mean, first)


@pytest.mark.parametrize(
    "law", [LognormalLaw(300.0, 0.5, cap=700.0), ClippedNormal(3.0, 2.0, low=1.0, high=4.0)], ids=repr
)
def test_the_ranks_of_k_by_another_integral(law):
    """E X_(r) = low + int P(X_(r) > x) dx, by trapezia; all ranks together are k times one."""
    from scipy.special import betainc

    k = np.array([5, 40, 1000])
    low, high = law.quantile(np.array([1e-18, 1 - 2**-53]))
    x = np.linspace(low, high, 2**18)
    for rank in (1, 2, 5):
        mean, square = ranked_of_law(law, rank, k)
        for i, n in enumerate(k):
            above = betainc(rank, n - rank + 1, 1 - law.cdf(x))
            assert mean[i] == pytest.approx(low + np.trapezoid(above, x), rel=1e-5)
            assert square[i] == pytest.approx(low**2 + np.trapezoid(2 * x * above, x), rel=1e-5)
    five = sum(ranked_of_law(law, rank, np.array([5]))[0] for rank in range(1, 6))
    assert five == pytest.approx(5 * law.mean, rel=1e-10)


def test_the_ranks_of_samples_are_those_of_all_subsets():
    from itertools import combinations

    values = np.array([3.0, 8, 1, 1, 9, 2, 2])
    question = np.array([0, 0, 0, 0, 0, 1, 1])
    mean, square = ranked_of_samples(values, question, 2, np.array([2, 4]))
    for i, k in enumerate((2, 4)):
        second = [sorted(subset)[-2] for subset in combinations(values[:5], k)]
        assert (mean[0, i], square[0, i]) == pytest.approx((np.mean(second), np.mean(np.square(second))))
    assert mean[1, 0] == pytest.approx(2)
    assert np.isnan(mean[1, 1])


def test_many_sizes_are_simulated():
    from moo_infer import NotExact

    query = LawQuery({"tokens_out": ClippedNormal(400.0, 100.0), "tokens_in": ClippedNormal(10.0, 0.0)})
    with pytest.raises(NotExact, match="a mean over more than 64 sizes of a batch"):
        DecodeSteps(1.0, 1.0, batch_sizes=tuple(range(1, 131, 2))).exact(query, np.array([1]))


@pytest.mark.parametrize("others", [0, 2, 2.5, 9])
@pytest.mark.parametrize("sizes", [(1, 2, 4, 8), (1, 2, 4, 8, 16, 32)])
def test_beyond_the_last_batch_size_it_is_exact_too(sizes, others):
    part = Batch(0.009, 1e-3, itl_per_context_token_s=4e-7, batch_sizes=sizes, other_sequences=others)
    k, query = np.array([1, 4, 8, 9, 20, 40]), MODELS[2].queries().query
    exact = part.exact(query, k, parallelism=1).mean
    trials = part.total(MODELS[2].sample(np.random.default_rng(0), 2000, 40), parallelism=1)[:, k - 1]
    assert (np.abs(exact - trials.mean(axis=0)) <= 4 * trials.std(axis=0) / np.sqrt(2000)).all()
    for i in range(len(k)):
        assert part.exact(query, k[i : i + 1], parallelism=1).mean == pytest.approx(exact[i], rel=1e-14)


def test_k_and_contexts_beyond_what_was_measured_are_no_candidates():
    model = Gaussian(1000, 0, 400, 0, 0.8, 0.1)
    k = np.array([1, 16, 64])

    def notes(**fields):
        return Batch(0.009, 1e-5, **fields).notes(model, k, parallelism=1)

    assert notes() == []
    assert notes(largest_measured_batch=64, largest_measured_context=1400) == []
    (note,) = notes(largest_measured_batch=32, other_sequences=17)
    assert note.excludes.tolist() == [False, True, True]
    assert note.text == ("batch: steps were measured up to largest_measured_batch = 32 sequences, which k = 16 exceeds")
    (note,) = notes(largest_measured_context=1300)
    assert note.excludes.all()
    assert "up to largest_measured_context = 1300 tokens, which 100% of the prompts with answers exceed" in note.text
    assert notes(largest_measured_prompt=1000) == []
    (note,) = notes(largest_measured_prompt=999)
    assert note.excludes.all()
    assert (
        "prefills were measured up to largest_measured_prompt = 999 tokens, which 100% of the prompts ex" in note.text
    )
    (note,) = notes(context_bucket=2048, largest_measured_context=2000)
    assert note.excludes.all()
    (note,) = notes(context_bucket=1024)
    assert note.excludes is None
    assert note.text == "batch: 100% of prompts with answers outgrow context_bucket = 1024"


def test_sizes_ascend():
    given = {"kind": "batch", "itl_base_s": 0.01, "itl_per_sequence_s": 0, "batch_sizes": [1, 4, 4]}
    with pytest.raises(MooInferError, match="batch_sizes: must ascend, got 1, 4, 4"):
        Registry().build(CostModel, given, "here")
