from dataclasses import replace

import numpy as np
import pytest

from moo_infer import CostModel, Draws, MooInferError, Registry
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.prices import ApiCost, GpuCost, LongContext
from moo_infer.parts import build

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
    for i, (prompt, out) in enumerate(zip(prompts, tokens_out, strict=True)):
        prices = part
        for tier in part.long_context:
            if prompt > tier.above_input_tokens:
                prices = tier
        token = prices.usd_per_input_token
        if part.calls == "n" and i > 0:
            token = 0.0
        if part.calls == "cached":
            token = prices.usd_per_cache_write_token if i == 0 else prices.usd_per_cached_input_token
            token = prices.usd_per_input_token if token is None else token
        hidden = part.reasoning_tokens + part.reasoning_tokens_per_output_token * out
        total += prompt * token + (out + hidden) * prices.usd_per_output_token
    return total * (1 - part.batch_discount)


PARTS = [
    api("n"),
    api("parallel", reasoning_tokens=100.0),
    api("sequential", reasoning_tokens_per_output_token=1.5, batch_discount=0.5),
    api("cached", usd_per_cache_write_token=1.5625e-6),
    api("cached", long_context=(LongContext(1000, 3e-6, 2e-5, 4e-6, 3e-7), LongContext(1100, 5e-6, 4e-5))),
    api("n", long_context=(LONG,), reasoning_tokens_per_output_token=0.5),
    api("parallel", long_context=(LONG,), reasoning_tokens=64.0, batch_discount=0.5),
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
    moments = part.exact(GPT_5, K, parallelism=4)
    np.testing.assert_allclose(moments.mean, total.mean(axis=0), atol=4 * total.std(axis=0).max() / 200)
    np.testing.assert_allclose(moments.std, total.std(axis=0), rtol=0.02)
    if moments.quantile is not None:
        np.testing.assert_allclose(moments.quantile(0.95), np.quantile(total, 0.95, axis=0), rtol=2e-3)


def test_gpt_5_with_the_prompt_billed_16_times_and_once():
    mean = {c: api(c).exact(GPT_5, np.array([16]), parallelism=4).mean[0] for c in ("n", "parallel", "sequential")}
    assert mean["parallel"] == mean["sequential"] == pytest.approx(0.348160, abs=5e-7)
    assert mean["n"] == pytest.approx(0.328960, abs=5e-7)


def test_parallel_calls_without_extras_are_the_bill_of_the_paper():
    linear, mine = (part.exact(GPT_5, K, parallelism=4) for part in (LinearCost(1.25e-6, 1e-5), api("parallel")))
    for statistic in ("mean", "std"):
        np.testing.assert_allclose(getattr(mine, statistic), getattr(linear, statistic), rtol=1e-14)
    np.testing.assert_allclose(mine.quantile(0.975), linear.quantile(0.975), rtol=1e-14)


def test_a_cache_pays_from_the_second_call_on():
    write = {"usd_per_cache_write_token": 1.25 * 1.25e-6}
    once, again = (api(c, **m).exact(GPT_5, K, parallelism=4).mean for c, m in (("parallel", {}), ("cached", write)))
    assert (again < once).tolist() == [False, True, True]


@pytest.mark.parametrize("calls", ["n", "parallel", "cached"])
def test_long_context_by_closed_form(calls):
    """Half of the prompts are above the median: mean and variance from the half-normal law."""
    tier = LongContext(1024, 3e-6, 2e-5, 3e-6, 3e-7)
    part = api(calls, long_context=(tier,))
    half = 64 * np.sqrt(2 / np.pi)  # how far the means of the halves are from the median
    n = K.astype(float)

    def prompt(list_, k):
        read = list_.usd_per_cached_input_token
        return {"n": list_.usd_per_input_token, "parallel": k * list_.usd_per_input_token,
                "cached": list_.usd_per_input_token + (k - 1) * (read or 0.0)}[calls]  # fmt: skip

    short = prompt(part, n) * (1024 - half) + n * 1e-5 * 2048
    long = prompt(tier, n) * (1024 + half) + n * 2e-5 * 2048
    np.testing.assert_allclose(part.exact(GPT_5, K, parallelism=1).mean, (short + long) / 2, rtol=1e-9)


def test_a_tier_that_no_prompt_reaches_or_all_reach_keeps_the_moments_exact():
    never, always = (api("n", long_context=(LongContext(above, 3e-6, 2e-5),)) for above in (200_000, 10))
    moments = never.exact(GPT_5, K, parallelism=1)
    np.testing.assert_allclose(moments.mean, api("n").exact(GPT_5, K, parallelism=1).mean, rtol=1e-14)
    assert moments.quantile is not None
    np.testing.assert_allclose(
        always.exact(GPT_5, K, parallelism=1).mean, ApiCost(3e-6, 2e-5, "n").exact(GPT_5, K, parallelism=1).mean
    )


def row(values, b):
    """Of moments (B, n), or (n,) where the number that varies plays no role."""
    return values[b] if np.ndim(values) == 2 else values


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_many_prices_at_once(part):
    prices = np.array([1e-6, 2e-6, 5e-6])
    together = replace(part, usd_per_input_token=prices[:, None]).exact(GPT_5, K, parallelism=1)
    discounts = replace(part, batch_discount=np.array([[0.1], [0.2], [0.3]])).exact(GPT_5, K, parallelism=1)
    for b, price in enumerate(prices):
        alone = replace(part, usd_per_input_token=price).exact(GPT_5, K, parallelism=1)
        np.testing.assert_allclose(row(together.mean, b), alone.mean, rtol=1e-12)
        np.testing.assert_allclose(row(together.std, b), alone.std, rtol=1e-12)
        off = replace(part, batch_discount=(b + 1) / 10).exact(GPT_5, K, parallelism=1)
        np.testing.assert_allclose(row(discounts.mean, b), off.mean, rtol=1e-12)


def test_lengths_that_differ_between_many_models_at_once():
    part = api("n", long_context=(LONG,))
    means = np.array([[900.0], [1000.0], [5000.0]])
    together = part.exact(Gaussian(means, 64, 2048, 128, 0.9, 0.0), K, parallelism=1)
    for b in range(3):
        alone = part.exact(Gaussian(means[b, 0], 64, 2048, 128, 0.9, 0.0), K, parallelism=1)
        np.testing.assert_allclose(row(together.mean, b), alone.mean, rtol=1e-12)
        np.testing.assert_allclose(row(together.std, b), alone.std, rtol=1e-12)


def test_unknown_laws_are_left_to_simulation():
    class Log:
        tokens_in = tokens_out = logged = None

    assert api("n").exact(Log(), K, parallelism=1) is None
    assert GpuCost(1.0, output_tokens_per_second=10.0).exact(Log(), K, parallelism=1) is None


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
        fitted.exact(GPT_5, K, parallelism=1).mean, measured.exact(GPT_5, K, parallelism=1).mean, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "calls": "cached"},
         "here: calls: cached needs usd_per_cached_input_token, the price of input read from the cache"),
        ({"kind": "api-cost", "usd_per_input_token": 1, "usd_per_output_token": 1, "calls": "twice"},
         "here: calls: must be 'n', 'parallel', 'cached' or 'sequential', got 'twice'"),
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


def test_price_lists_between_prompts_of_different_lengths_are_simulated():
    """A quadrature over prompts would miss the step: the closed form for prompts of 800 tokens, cv 0.5, a list above 2000."""
    from scipy.stats import lognorm

    from moo_infer import Exact, ModelProfile
    from moo_infer.builtin.aggregators import BestOfK
    from moo_infer.builtin.lengths import LognormalLengths

    model = LognormalLengths(tokens_in_mean=800, tokens_in_cv=0.5, tokens_out_mean=1, accuracy_mean=0.5)
    dear = LongContext(above_input_tokens=2000, usd_per_input_token=20e-6, usd_per_output_token=0.0)
    part = ApiCost(1e-6, 0.0, "n", long_context=(dear,))
    column = Exact(200_000).estimate(ModelProfile("m", model, [part]), BestOfK(), np.array([1, 4]), 1).columns["cost"]
    sigma = np.sqrt(np.log(1.25))
    law = lognorm(sigma, scale=800 * np.exp(-(sigma**2) / 2))
    above = law.expect(lambda x: x, lb=2000)
    assert "mean" in column.simulated
    assert column.mean == pytest.approx([1e-6 * (800 - above) + 20e-6 * above] * 2, rel=0.03)
