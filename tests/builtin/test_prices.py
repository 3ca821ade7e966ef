from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from moo_infer import (
    CostModel,
    Doubt,
    Draws,
    Exact,
    InferenceModel,
    ModelProfile,
    MooInferError,
    NotExact,
    Queries,
    Registry,
)
from moo_infer.builtin.answers import OneCall
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import Beta
from moo_infer.builtin.empirical import Empirical
from moo_infer.builtin.gpus import GpuCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.lengths import LognormalLengths, percent, share_above
from moo_infer.builtin.prices import ApiCost, LongContext
from moo_infer.core.parts import build
from moo_infer.core.uncertainty import Uncertain
from moo_infer.quantities.samples import Samples

GPT_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
K = np.array([1, 4, 16])
LONG = LongContext(above_input_tokens=1000, usd_per_input_token=3e-6, usd_per_output_token=2e-5)


def api(calls, **more):
    cached = {"usd_per_cached_input_token": 1.25e-7} if calls == "cached" else {}
    return ApiCost(1.25e-6, 1e-5, calls, **(cached | more))


def bill(part, tokens_in, tokens_out):
    """The bill of one query written out request by request."""
    k, total = len(tokens_out), 0.0
    prompts = [tokens_in[0]] * k if part.calls in ("n", "cached") else tokens_in
    least = part.min_cacheable_tokens
    if least is None:
        least = 1024 if part.usd_per_cache_write_token is None else 512
    for i, (prompt, out) in enumerate(zip(prompts, tokens_out, strict=True)):
        prices = part
        for tier in sorted(part.long_context, key=lambda tier: tier.above_input_tokens):
            if prompt > tier.above_input_tokens:
                prices = tier
        usd, write, read = (
            getattr(prices, f"usd_per_{what}_token") for what in ("input", "cache_write", "cached_input")
        )
        write, read = (usd if price is None or prompt < least else price for price in (write, read))
        held, made = part.cached_input_share, part.cache_write_share
        new = part.calls != "n" or i % (part.n_max or k) == 0  # whether the answer comes with a request of its own
        if part.calls == "cached" and i > 0:
            held, made = 1.0, 0.0
        elif part.calls in ("cached", "parallel-writes"):
            usd = write
        total += new * (prompt * ((1 - held - made) * usd + held * read + made * write) + part.usd_per_request)
        billed = out + part.reasoning_tokens + part.reasoning_tokens_per_output_token * out
        total += min(billed, part.max_tokens or np.inf) * prices.usd_per_output_token
    usual = 0.5 if part.calls == "batch" else 0.0
    return total * (1 - (usual if part.batch_discount is None else part.batch_discount))


WRITTEN = {"usd_per_cache_write_token": 1.5625e-6, "usd_per_cached_input_token": 1.25e-7}
PARTS = [
    api("n"),
    api("n", n_max=3, usd_per_request=0.001),
    api("parallel", reasoning_tokens=100.0, usd_per_request=0.001),
    api("sequential", reasoning_tokens_per_output_token=1.5, batch_discount=0.5),
    api("cached", min_cacheable_tokens=0.0, usd_per_cache_write_token=1.5625e-6),
    api("cached"),  # of prompts around 1024 tokens half are long enough
    api("cached", min_cacheable_tokens=1100.0, usd_per_request=0.001, **WRITTEN),
    api("parallel-writes", **WRITTEN),
    api("parallel-writes", min_cacheable_tokens=1000.0, cached_input_share=0.25, **WRITTEN),
    api("parallel", cached_input_share=0.75, batch_discount=0.5, **WRITTEN),
    api("parallel", cached_input_share=0.5, cache_write_share=0.25, **WRITTEN),
    api("n", n_max=4, cache_write_share=0.5, min_cacheable_tokens=1050.0, **WRITTEN),
    api("parallel-writes", cache_write_share=0.5, **WRITTEN),
    api("n", n_max=4, cached_input_share=0.75, min_cacheable_tokens=1050.0, **WRITTEN),
    api("cached", cached_input_share=0.75, min_cacheable_tokens=950.0, **WRITTEN),
    api("cached", long_context=(LongContext(1000, 3e-6, 2e-5, 4e-6, 3e-7), LongContext(1100, 5e-6, 4e-5))),
    api("n", long_context=(LONG,), reasoning_tokens_per_output_token=0.5),
    api("parallel", long_context=(LONG,), reasoning_tokens=64.0, batch_discount=0.5),
    api("parallel", max_tokens=5000.0, reasoning_tokens_per_output_token=1.5),
    api("n", max_tokens=2300.0, reasoning_tokens=200.0, long_context=(LONG,)),
    api("sequential", max_tokens=150.0, reasoning_tokens=200.0),
    api("batch", usd_per_request=0.001),
    api("batch", batch_discount=0.25, cached_input_share=0.5, **WRITTEN),
    api("batch", batch_discount=0.0),
]


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_a_bill_is_the_sum_of_its_requests(part):
    draws = GPT_5.sample(np.random.default_rng(0), 20, 5)
    expected = [
        [bill(part, list(row[:k]), list(out[:k])) for k in range(1, 6)]
        for row, out in zip(draws.tokens_in, draws.tokens_out, strict=True)
    ]
    np.testing.assert_allclose(part.total(draws, parallelism=4), expected, rtol=1e-12)


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_exact_moments_are_those_of_many_draws(part):
    total = part.total(GPT_5.sample(np.random.default_rng(1), 40_000, 16), parallelism=4)[:, K - 1]
    moments = part.exact(GPT_5.queries().query, K, parallelism=4)
    np.testing.assert_allclose(moments.mean, total.mean(axis=0), atol=4 * total.std(axis=0).max() / 200)
    np.testing.assert_allclose(moments.std, total.std(axis=0), rtol=0.02)
    if moments.quantile is not None:
        np.testing.assert_allclose(moments.quantile(0.95), np.quantile(total, 0.95, axis=0), rtol=2e-3)


def test_gpt_5_with_the_prompt_billed_16_times_and_once():
    mean = {
        c: api(c).exact(GPT_5.queries().query, np.array([16]), parallelism=4).mean[0]
        for c in ("n", "parallel", "sequential")
    }
    assert mean["parallel"] == mean["sequential"] == pytest.approx(0.348160, abs=5e-7)
    assert mean["n"] == pytest.approx(0.328960, abs=5e-7)


def test_parallel_calls_without_extras_are_the_bill_of_the_paper():
    linear, mine = (
        part.exact(GPT_5.queries().query, K, parallelism=4) for part in (LinearCost(1.25e-6, 1e-5), api("parallel"))
    )
    for statistic in ("mean", "std"):
        np.testing.assert_allclose(getattr(mine, statistic), getattr(linear, statistic), rtol=1e-14)
    np.testing.assert_allclose(mine.quantile(0.975), linear.quantile(0.975), rtol=1e-14)


def test_a_cache_pays_from_the_second_call_on():
    write = {"usd_per_cache_write_token": 1.25 * 1.25e-6, "min_cacheable_tokens": 0.0}
    once, again = (
        api(c, **m).exact(GPT_5.queries().query, K, parallelism=4).mean
        for c, m in (("parallel", {}), ("cached", write))
    )
    assert (again < once).tolist() == [False, True, True]


@pytest.mark.parametrize("calls", ["n", "parallel", "cached"])
def test_long_context_by_closed_form(calls):
    """Half of the prompts are above the median: mean and variance from the half-normal law."""
    tier = LongContext(1024, 3e-6, 2e-5, 3e-6, 3e-7)
    part = api(calls, long_context=(tier,), **({"min_cacheable_tokens": 0.0} if calls == "cached" else {}))
    half = 64 * np.sqrt(2 / np.pi)  # how far the means of the halves are from the median
    n = K.astype(float)

    def prompt(list_, k):
        read = list_.usd_per_cached_input_token
        return {"n": list_.usd_per_input_token, "parallel": k * list_.usd_per_input_token,
                "cached": list_.usd_per_input_token + (k - 1) * (read or 0.0)}[calls]  # fmt: skip

    short = prompt(part, n) * (1024 - half) + n * 1e-5 * 2048
    long = prompt(tier, n) * (1024 + half) + n * 2e-5 * 2048
    np.testing.assert_allclose(part.exact(GPT_5.queries().query, K, parallelism=1).mean, (short + long) / 2, rtol=1e-9)


def test_a_tier_that_no_prompt_reaches_or_all_reach_keeps_the_moments_exact():
    never, always = (api("n", long_context=(LongContext(above, 3e-6, 2e-5),)) for above in (200_000, 10))
    moments = never.exact(GPT_5.queries().query, K, parallelism=1)
    np.testing.assert_allclose(moments.mean, api("n").exact(GPT_5.queries().query, K, parallelism=1).mean, rtol=1e-14)
    assert moments.quantile is not None
    np.testing.assert_allclose(
        always.exact(GPT_5.queries().query, K, parallelism=1).mean,
        ApiCost(3e-6, 2e-5, "n").exact(GPT_5.queries().query, K, parallelism=1).mean,
    )


def row(values, b):
    """Of moments (B, n), or (n,) where the number that varies plays no role."""
    return values[b] if np.ndim(values) == 2 else values


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_many_prices_at_once(part):
    prices = np.array([1e-6, 2e-6, 5e-6])
    together = replace(part, usd_per_input_token=prices[:, None]).exact(GPT_5.queries().query, K, parallelism=1)
    discounts = replace(part, batch_discount=np.array([[0.1], [0.2], [0.3]])).exact(
        GPT_5.queries().query, K, parallelism=1
    )
    for b, price in enumerate(prices):
        alone = replace(part, usd_per_input_token=price).exact(GPT_5.queries().query, K, parallelism=1)
        np.testing.assert_allclose(row(together.mean, b), alone.mean, rtol=1e-12)
        np.testing.assert_allclose(row(together.std, b), alone.std, rtol=1e-12)
        off = replace(part, batch_discount=(b + 1) / 10).exact(GPT_5.queries().query, K, parallelism=1)
        np.testing.assert_allclose(row(discounts.mean, b), off.mean, rtol=1e-12)


def test_lengths_that_differ_between_many_models_at_once():
    part = api("n", long_context=(LONG,))
    means = np.array([[900.0], [1000.0], [5000.0]])
    together = part.exact(Gaussian(means, 64, 2048, 128, 0.9, 0.0).queries().query, K, parallelism=1)
    for b in range(3):
        alone = part.exact(Gaussian(means[b, 0], 64, 2048, 128, 0.9, 0.0).queries().query, K, parallelism=1)
        np.testing.assert_allclose(row(together.mean, b), alone.mean, rtol=1e-12)
        np.testing.assert_allclose(row(together.std, b), alone.std, rtol=1e-12)


def test_unknown_laws_are_left_to_simulation():
    for part in (api("n"), GpuCost(1.0, output_tokens_per_second=10.0)):
        with pytest.raises(NotExact):
            part.exact(Queries().query, K, parallelism=1)


def test_gpus_by_the_hour():
    """3.6 USD an hour at 100 tokens a second: a thousandth of a cent a token."""
    draws = Draws(np.full((1, 2), 50.0), np.array([[100.0, 300.0]]), np.ones((1, 2)))
    np.testing.assert_allclose(
        GpuCost(3.6, output_tokens_per_second=100.0).total(draws, parallelism=1), [[0.001, 0.004]]
    )
    np.testing.assert_allclose(
        GpuCost(3.6, gpus=4, output_tokens_per_second=100.0).total(draws, parallelism=1), [[0.004, 0.016]]
    )


def test_throughput_of_a_batch():
    """A batch of 64 at 6.5 ms + 64 x 0.079 ms makes 5538 tokens a second."""
    fitted = GpuCost(2.5, itl_base_s=0.0065, itl_per_sequence_s=7.9e-5, batch=64)
    measured = GpuCost(2.5, output_tokens_per_second=64 / 0.011556)
    np.testing.assert_allclose(
        fitted.exact(GPT_5.queries().query, K, parallelism=1).mean,
        measured.exact(GPT_5.queries().query, K, parallelism=1).mean,
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "calls": "cached"},
         "here: calls: cached needs usd_per_cached_input_token, the price of input read from the cache"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "cached_input_share": 0.5},
         "here: cached_input_share needs usd_per_cached_input_token, the price of input read from the cache"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "cache_write_share": 0.5},
         "here: cache_write_share needs usd_per_cache_write_token, the price of input written to a cache"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "cache_write_share": 0.5,
          "usd_per_cache_write_token": 1, "usd_per_cached_input_token": 1, "cached_input_share": 0.75},
         "here: cached_input_share and cache_write_share: must be <= 1 together, got 1.25"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "n_max": 8},
         "here: n_max is the largest n of a request and belongs to calls: n, got calls: parallel"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "calls": "twice"},
         "here: calls: must be 'n', 'parallel', 'parallel-writes', 'cached', 'sequential' or 'batch', got 'twice'"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "batch_discount": 2},
         "here: batch_discount: must be <= 1, got 2"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1,
          "long_context": [{"above_input_tokens": 9, "usd_per_input_token": -1, "usd_per_output_token": 1}]},
         "here: long_context.0.usd_per_input_token: must be >= 0, got -1"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1,
          "long_context": [{"above_input_tokens": 9, "usd_per_input_token": 1, "usd_per_output_token": 1}] * 2},
         "here: long_context: above_input_tokens must differ, got 9.0, 9.0"),
        ({"kind": "gpu-cost", "usd_per_gpu_hour": 1},
         "here: the throughput is either output_tokens_per_second, or itl_base_s, itl_per_sequence_s and batch, got none of them"),
        ({"kind": "gpu-cost", "usd_per_gpu_hour": 1, "output_tokens_per_second": 9, "batch": 2},
         "here: the throughput is either output_tokens_per_second, or itl_base_s, itl_per_sequence_s and batch, got output_tokens_per_second, batch"),
        ({"kind": "gpu-cost", "usd_per_gpu_hour": 1, "itl_base_s": 9, "batch": 2}, "got itl_base_s, batch"),
    ],
)  # fmt: skip
def test_what_is_refused(given, message):
    with pytest.raises(MooInferError) as error:
        Registry(entry_points=False).build(CostModel, given, "here")
    assert str(error.value).endswith(message)


def test_long_context_comes_from_a_file():
    given = {"above_input_tokens": 9, "usd_per_input_token": "1e-6", "usd_per_output_token": 1}
    part = build(ApiCost, {"usd_per_input_token": 1, "usd_per_output_token": 1, "long_context": [given]}, "here")
    assert part.long_context == (LongContext(9.0, 1e-6, 1.0),)
    with pytest.raises(MooInferError, match="here: long_context.0.cheaper"):
        build(
            ApiCost,
            {"usd_per_input_token": 1, "usd_per_output_token": 1, "long_context": [given | {"cheaper": 1}]},
            "here",
        )


def estimated(model, part, k=K, trials=10_000):
    """The column cost, as reports have it, and the remarks."""
    estimate = Exact(trials).estimate(ModelProfile("m", model, [part]), OneCall(), np.array(k), 1)
    return estimate.columns["cost"], estimate.remarks


def test_price_lists_between_prompts_of_different_lengths():
    """The closed form for prompts of 800 tokens, cv 0.5, a list above 2000: queries are integrated on both sides of it."""
    model = LognormalLengths(tokens_in_mean=800, tokens_in_cv=0.5, tokens_out_mean=1, accuracy_mean=0.5)
    dear = LongContext(above_input_tokens=2000, usd_per_input_token=20e-6, usd_per_output_token=0.0)
    column, _ = estimated(model, ApiCost(1e-6, 0.0, "n", long_context=(dear,)))
    sigma = np.sqrt(np.log(1.25))
    above = 800 * norm.cdf((np.log(800 / 2000) + sigma**2 / 2) / sigma)  # what longer prompts have of the mean
    assert column.simulated == ("low", "high")
    assert column.mean == pytest.approx([1e-6 * (800 - above) + 20e-6 * above] * 3, rel=1e-9)


THINKER = LognormalLengths(
    tokens_in_mean=500, tokens_out_mean=400, tokens_out_cv_between=0.5, tokens_out_cv_within=0.2, max_tokens=1000,
    accuracy_mean=0.8,
)  # fmt: skip
THINKING = ApiCost(1.25e-6, 1e-5, reasoning_tokens_per_output_token=3)


def test_reasoning_counts_towards_the_limit_of_output_tokens():
    """The closed form of E[min(4 V, 1000)] for a lognormal V; no call is billed more than 1000 tokens."""
    sigma = np.sqrt(np.log(1.25 * 1.04))
    d = np.log(250 / 400) / sigma + sigma / 2
    billed = 4 * 400 * norm.cdf(d - sigma) + 1000 * norm.sf(d)
    column, _ = estimated(THINKER, THINKING)
    assert column.simulated == ("low", "high")
    np.testing.assert_allclose(column.mean, K * (500 * 1.25e-6 + billed * 1e-5), rtol=1e-6)
    assert column.mean[0] == pytest.approx(0.01001, abs=5e-6)
    draws = THINKER.sample(np.random.default_rng(3), 40_000, 16)
    totals = replace(THINKING, max_tokens=1000.0).total(draws, parallelism=1)
    assert totals[:, 0].max() == pytest.approx(500 * 1.25e-6 + 0.01)
    np.testing.assert_allclose(column.std, totals[:, K - 1].std(axis=0), rtol=0.02)


@pytest.mark.parametrize(
    "model",
    [
        replace(THINKER, accuracy_mean=0.5),
        Beta(a=0.5, b=0.5, **{f.name: getattr(THINKER, f.name) for f in fields(Beta) if hasattr(THINKER, f.name)}),
    ],
    ids=repr,
)
def test_an_accuracy_above_the_share_of_answers_with_a_visible_token_cannot_be(model):
    """Of the answers to any query 46 % have one."""
    said = (
        "with reasoning tokens, which count towards it and come first, max_tokens = 1000 cuts 75 % of the answers; 54 % have "
        "no visible token"
    )
    most = "no more than 46 % of single answers can be right"
    assert estimated(model, THINKING)[1][1] == f"accuracy 0.5 of one call cannot be: {said}, so that {most}"
    assert isinstance(estimated(model, THINKING)[1][1], Doubt)
    fewer = replace(model, b=1.0) if isinstance(model, Beta) else replace(model, accuracy_mean=0.45)
    soft = estimated(fewer, THINKING)[1][1]
    assert soft == f"{said}. The accuracy is taken as measured with these cuts: {most}"
    assert not isinstance(soft, Doubt)


@pytest.mark.parametrize(
    "more", [{}, {"tokens_in_cv": 0.5}, {"tokens_out_cv_within": 0.0}, {"tokens_out_cv_between": 0.0}], ids=str
)
@pytest.mark.parametrize("hidden", [(3.0, 0.0), (0.0, 700.0), (0.5, 600.0), (0.0, 2000.0)], ids=str)
def test_bills_that_are_cut_have_the_moments_of_many_draws(more, hidden):
    model, part = replace(THINKER, **more), ApiCost(1.25e-6, 1e-5, "n", None, None, *hidden)
    column, _ = estimated(model, part)
    totals = replace(part, max_tokens=1000.0).total(model.sample(np.random.default_rng(4), 100_000, 16), parallelism=1)[
        :, K - 1
    ]
    np.testing.assert_allclose(column.mean, totals.mean(axis=0), atol=4 * totals.std(axis=0).max() / 316 + 1e-12)
    assert not {"mean", "std"} & {*column.simulated}
    np.testing.assert_allclose(column.std, totals.std(axis=0), rtol=0.02, atol=1e-9)


def test_a_hundred_samples_at_twenty_a_request_are_five_prompts():
    part = api("n", n_max=20, usd_per_request=0.01)
    mean = part.exact(GPT_5.queries().query, np.array([1, 20, 21, 99, 100, 101]), parallelism=1).mean
    prompts = np.array([1, 1, 2, 5, 5, 6])
    expected = prompts * (1024 * 1.25e-6 + 0.01) + np.array([1, 20, 21, 99, 100, 101]) * 2048 * 1e-5
    np.testing.assert_allclose(mean, expected, rtol=1e-12)


def test_calls_at_once_that_each_write_the_cache_pay_for_every_write():
    """1000 tokens at 3.75e-6 USD: four times, or once and three times read at 3e-7."""
    calls = {"usd_per_cached_input_token": 3e-7, "usd_per_cache_write_token": 3.75e-6}
    model = Gaussian(1000, 0, 0, 0, 0.8, 0.0)
    once, each = (
        ApiCost(3e-6, 0.0, shape, **calls).exact(model.queries().query, np.array([4]), parallelism=1).mean[0]
        for shape in ("cached", "parallel-writes")
    )
    assert once == pytest.approx(0.00465)
    assert each == pytest.approx(0.015)


@pytest.mark.parametrize(
    ("tokens", "given", "cached"),
    [(1023, {}, False), (1024, {}, True), (511, WRITTEN, False), (512, WRITTEN, True), (200, {"min_cacheable_tokens": 0}, True),
     (4095, {"min_cacheable_tokens": 4096}, False), (4096, {"min_cacheable_tokens": 4096}, True)],
)  # fmt: skip
def test_prompts_are_cached_from_a_length_on(tokens, given, cached):
    model, part = Gaussian(tokens, 0, 50, 0, 0.8, 0.0), api("cached", **given)
    column, remarks = estimated(model, part, [16])
    write = part.usd_per_cache_write_token or 1.25e-6
    inputs = (write + 15 * 1.25e-7) if cached else 16 * 1.25e-6
    assert column.mean[0] == pytest.approx(tokens * inputs + 16 * 50 * 1e-5)
    least = part.min_cacheable_tokens
    assumed = "" if least is not None else ", which is assumed"
    least = {True: 512, False: 1024}[bool(given)] if least is None else least
    said = (
        f"100 % of the prompts have fewer than min_cacheable_tokens = {least} tokens{assumed}: they are not cached and pay "
        "the full price"
    )
    unsure = (
        f"100 % of the prompts have {least} to 4096 tokens and are taken as cached; some models cache longer ones alone: "
        "give min_cacheable_tokens"
    )
    assert [*remarks] == ([said] if not cached else [unsure] * bool(assumed))


def test_short_prompts_of_a_log_pay_the_full_price():
    columns = {"input_tokens": np.array([1000.0, 1000, 2000, 2000]), "output_tokens": np.zeros(4)}
    log = Empirical(Samples("mine", ["q1", "q2"], np.array([0, 0, 1, 1]), np.ones(4), columns))
    column, remarks = estimated(log, api("cached"), [1, 2])
    np.testing.assert_allclose(column.mean, [1500 * 1.25e-6, (2 * 1000 * 1.25e-6 + 2000 * 1.375e-6) / 2])
    assert any(remark.startswith("50 % of the prompts have fewer than") for remark in remarks)
    straddling = Empirical(Samples("mine", ["q"], np.zeros(4, int), np.ones(4), columns))
    assert "mean" in estimated(straddling, api("cached"), [1, 2])[0].simulated  # the first call's prompt decides


def agents():
    """Two questions with eight samples each, of whose input more or less was read from a cache; one prompt is short."""
    rng = np.random.default_rng(5)
    tokens_in = np.repeat([800.0, 3000.0], 8)
    columns = {
        "input_tokens": tokens_in,
        "cached_input_tokens": np.floor(rng.random(16) * tokens_in),
        "output_tokens": rng.integers(50, 500, 16).astype(float),
    }
    columns["cache_write_tokens"] = np.floor(rng.random(16) * (tokens_in - columns["cached_input_tokens"]))
    return Samples("agents", ["q1", "q2"], np.repeat([0, 1], 8), np.tile([1.0, 0.0], 8), columns)


@pytest.mark.parametrize("part", [api(calls, **(WRITTEN | more)) for calls, more in (
    ("parallel", {}), ("parallel", {"cached_input_share": 0.5}), ("sequential", {"batch_discount": 0.5, "usd_per_request": 0.01}),
    ("parallel-writes", {"min_cacheable_tokens": 1000}), ("n", {"n_max": 3}), ("cached", {"min_cacheable_tokens": 1000}),
    ("parallel", {"long_context": (LongContext(1000, 3e-6, 2e-5, None, 3e-7),)}),
)], ids=repr)  # fmt: skip
def test_cached_input_of_a_log_is_billed_as_such(part):
    log = agents()
    column, _ = estimated(Empirical(log), part, [1, 4, 8])
    rng = np.random.default_rng(6)
    order = np.array([rng.permutation(np.flatnonzero(log.question == rng.integers(2))) for _ in range(4000)])
    names = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")
    tokens_in, tokens_out, cached, made = (log[name][order] for name in names)
    of_cache = {"cached_input_tokens": cached, "cache_write_tokens": made}
    billed = part.total(Draws(tokens_in, tokens_out, np.ones(order.shape), of_cache), parallelism=1)

    @cache
    def alone(i, o, c, w):
        """The bill of one sample of the log that shares its prompt with none."""
        below = part.calls == "parallel-writes" and i < 1000
        written = w / i * (part.calls != "parallel-writes")
        calls = "parallel" if below else part.calls
        shares = {"cached_input_share": c / i, "cache_write_share": written}
        return bill(replace(part, **shares, min_cacheable_tokens=0.0, calls=calls), [i], [o])

    @cache
    def sharing(calls, i, c, w):
        """What bills calls whose prompt is that of the first."""
        written = w / i if part.calls != "cached" else 0.0
        return replace(part, cached_input_share=c / i, cache_write_share=written, min_cacheable_tokens=0.0, calls=calls)

    def expected(k, i, o, c, w):
        if part.calls not in ("n", "cached"):
            return sum(map(alone, i[:k], o[:k], c[:k], w[:k]))
        least = i[0] >= part.min_cacheable_tokens if part.min_cacheable_tokens else True
        usd = bill(sharing(part.calls if least else "n", i[0], c[0], w[0]), i[:k], o[:k])
        return usd if least or part.calls == "n" else usd + (k - 1) * i[0] * part.usd_per_input_token

    for j, k in enumerate((1, 4, 8)):
        values = [expected(k, *rows) for rows in zip(tokens_in, tokens_out, cached, made, strict=True)]
        np.testing.assert_allclose(billed[:, k - 1], values, rtol=1e-6)
        assert column.mean[j] == pytest.approx(np.mean(values), abs=5 * np.std(values) / np.sqrt(4000))
        if part.calls not in ("n", "cached"):
            assert not {"mean", "std"} & {*column.simulated}
            assert column.std[j] == pytest.approx(np.std(values), rel=0.05)


def test_cached_input_without_a_price_is_said():
    log = agents()
    share = percent(log["cached_input_tokens"].sum() / log["input_tokens"].sum())
    column, remarks = estimated(Empirical(log), api("parallel"), [1])
    assert column.mean[0] == pytest.approx(np.mean(log["input_tokens"] * 1.25e-6 + log["output_tokens"] * 1e-5))
    made = percent(log["cache_write_tokens"].sum() / log["input_tokens"].sum())
    assert remarks[-2:] == (
        f"{share} of the input tokens of the log were read from a cache; they are billed in full, because "
        "usd_per_cached_input_token is not given",
        f"{made} of the input tokens of the log were written to a cache; they are billed as other input, because "
        "usd_per_cache_write_token is not given",
    )
    assert not any("a cache" in r for r in estimated(Empirical(log), api("parallel", **WRITTEN), [1])[1])


def test_a_request_has_one_limit_of_output_tokens():
    profile = ModelProfile("m", THINKER, [THINKING, LinearCost(0.0, 0.0)])
    assert profile.costs == (replace(THINKING, max_tokens=1000), LinearCost(0.0, 0.0))
    assert ModelProfile("m", THINKER, [replace(THINKING, max_tokens=1000.0)]).costs[0].max_tokens == 1000
    assert ModelProfile("m", GPT_5, [THINKING]).costs[0].max_tokens is None
    with pytest.raises(
        MooInferError, match=r"^m: costs\[0\]: api-cost: max_tokens: must be 1000 as in the inf.*, got 900$"
    ):
        ModelProfile("m", THINKER, [replace(THINKING, max_tokens=900.0)])


def test_a_limit_that_is_uncertain_is_one_number_in_all_parts():
    uncertain = {"inference.max_tokens": Uncertain(low=500.0, high=2000.0)}
    drawn = ModelProfile("m", THINKER, [THINKING], uncertain=uncertain).with_values({"inference.max_tokens": 600.0})
    assert (drawn.inference.max_tokens, drawn.costs[0].max_tokens) == (600.0, 600.0)


def test_a_limit_of_the_bill_alone_is_said():
    _, remarks = estimated(GPT_5, api("parallel", max_tokens=2048.0), [1])
    assert remarks == (
        "max_tokens = 2048 of api-cost cuts 50 % of the outputs on the bill; the accuracy is taken as measured with this cut",
    )
    assert estimated(GPT_5, api("parallel", max_tokens=4096.0), [1])[1] == ()
    blank = estimated(GPT_5, api("parallel", max_tokens=100.0, reasoning_tokens=200.0), [1])[1][0]
    assert "cuts 100 % of the answers; 100 % have no visible token" in blank


@pytest.mark.parametrize(
    "more", [{"max_tokens": 200.0}, {"max_tokens": 600.0, "reasoning_tokens_per_output_token": 2.0}]
)
def test_a_limit_below_the_outputs_of_a_log_says_what_whole_answers_were_worth(more):
    """Question q1 is right in 1 of 2, q2 in 3 of 4; the answers that are cut are one of the first and two of the second."""
    question, correct = np.array([0, 0, 1, 1, 1, 1]), np.array([1.0, 0, 1, 1, 1, 0])
    columns = {"input_tokens": np.full(6, 9.0), "output_tokens": np.array([300.0, 200, 10, 201, 200, 999])}
    log = Empirical(Samples("mine", ["q1", "q2"], question, correct, columns))
    said = " ".join(estimated(log, api("parallel", **more), [1, 2])[1])
    assert any(isinstance(remark, Doubt) for remark in estimated(log, api("parallel", **more), [1, 2])[1])
    assert "cuts 50 % of the outputs of the log, whose accuracy is that of whole ones" in said
    assert "where those that are cut are wrong, one call is worth 0.25, not 0.625" in said
    assert "cuts" not in " ".join(estimated(log, api("parallel", max_tokens=999.0), [1])[1])


def test_shares_of_long_outputs_of_models_without_laws():
    @dataclass(frozen=True)
    class Uniform(InferenceModel):
        name = "uniform"

        def sample(self, rng, M, K, /):
            return Draws(np.full((M, K), 10.0), rng.uniform(0, 1000, (M, K)), np.ones((M, K)))

    assert share_above(Uniform(), "tokens_out", 250.0) == pytest.approx(0.75, abs=0.01)
    assert share_above(Gaussian(10, 0, 100, 10, 0.5, 0.0), "tokens_out", 100.0) == pytest.approx(0.5)
    assert [percent(share) for share in (0.0, 1e-5, 0.02, 0.0994, 0.54, 1.0)] == [
        "0 %",
        "less than 0.1 %",
        "2.0 %",
        "9.9 %",
        "54 %",
        "100 %",
    ]
