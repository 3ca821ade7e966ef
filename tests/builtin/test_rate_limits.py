from dataclasses import replace

import numpy as np
import pytest

from moo_infer import CostModel, Draws, MooInferError, Registry
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.rate_limits import RateLimited

CHAT = Gaussian(100, 0, 400, 100, 0.8, 0.1)  # calls of about 4 s
CALL = {"seconds_per_input_token": 0.0, "seconds_per_output_token": 0.01}
K = np.arange(1, 33)


def event_by_event(part, tokens_in, tokens_out, slots):
    """One query: a clock that moves from event to event, with buckets that refill."""
    done, running, clock = [], [], 0.0
    for i in range(len(tokens_out)):
        while len(running) >= slots:
            clock = max(clock, min(running))
            running.remove(min(running))
        counted_in = sum(max(tokens - part.uncounted_input_tokens, 0) for tokens in tokens_in[:i])
        counted_out = sum(part.reserved_output_tokens or tokens for tokens in tokens_out[:i])
        for limit, used in (
            (part.requests_per_minute, i),
            (part.tokens_per_minute, counted_in + counted_out),
            (part.input_tokens_per_minute, counted_in),
            (part.output_tokens_per_minute, counted_out),
        ):
            if limit is not None and used > part.burst * limit:
                clock = max(clock, (used - part.burst * limit) / (limit / 60))
        running = [end for end in running if end > clock]
        end = clock + part.overhead_s + part.seconds_per_output_token * tokens_out[i]
        running.append(end)
        done.append(max([end, *done[-1:]]))
    return done


@pytest.mark.parametrize("slots", [1, 3, 50])
@pytest.mark.parametrize(
    "part",
    [
        RateLimited(**CALL, requests_per_minute=60),
        RateLimited(**CALL, overhead_s=0.5, tokens_per_minute=20_000),
        RateLimited(**CALL, requests_per_minute=40, tokens_per_minute=30_000, burst=0.2),
        RateLimited(**CALL, input_tokens_per_minute=3_000, output_tokens_per_minute=15_000),
        RateLimited(
            **CALL, requests_per_minute=60, input_tokens_per_minute=2_000, uncounted_input_tokens=80, burst=0.1
        ),
        RateLimited(**CALL, tokens_per_minute=30_000, uncounted_input_tokens=400, reserved_output_tokens=900),
    ],
    ids=repr,
)
def test_every_trial_is_that_of_a_clock_with_events(part, slots):
    draws = CHAT.sample(np.random.default_rng(0), 10, 20)
    expected = [
        event_by_event(part, list(a), list(b), slots) for a, b in zip(draws.tokens_in, draws.tokens_out, strict=True)
    ]
    np.testing.assert_allclose(part.total(draws, parallelism=slots), expected, rtol=1e-12)


def test_a_wide_limit_leaves_the_slots_alone():
    """List scheduling: the fourth call starts when the second ends."""
    draws = Draws(np.zeros((1, 4)), np.array([[300.0, 100.0, 200.0, 500.0]]), np.ones((1, 4)))
    wide = RateLimited(**CALL, requests_per_minute=1e9)
    np.testing.assert_allclose(wide.total(draws, parallelism=3), [[3, 3, 3, 6]], atol=1e-5)


def test_a_narrow_limit_sets_the_pace():
    draws = CHAT.sample(np.random.default_rng(0), 500, 32)
    narrow = RateLimited(**CALL, requests_per_minute=6).total(draws, parallelism=4)
    assert (narrow[:, -1] >= 10 * 31).all()
    tokens = RateLimited(**CALL, tokens_per_minute=5_000).total(draws, parallelism=4).mean(axis=0)
    assert tokens[-1] == pytest.approx(31 * 500 / 5_000 * 60 + 4, rel=0.01)


def test_a_full_bucket_is_used_up_first():
    draws = CHAT.sample(np.random.default_rng(0), 50, 32)
    part = RateLimited(**CALL, requests_per_minute=10, burst=1.0)
    free = RateLimited(**CALL, requests_per_minute=1e9)
    full, open_ = (p.total(draws, parallelism=32) for p in (part, free))
    np.testing.assert_allclose(full[:, :11], open_[:, :11], atol=1e-5)
    assert (full[:, 12] > open_[:, 12]).all()


def said(part, parallelism=4):
    return [note.text for note in part.notes(CHAT, K, parallelism=parallelism)]


def test_the_report_says_from_which_k_on_a_limit_decides():
    """Four slots start a call a second: 60 requests a minute hold up P = 8 and not P = 2."""
    part = RateLimited(**CALL, requests_per_minute=60)
    (sentence,) = said(part, 8)
    assert sentence == "from k = 2 on, 60 requests per minute decide, not P = 8"
    assert said(part, 2) == ["at k = 2, 60 requests per minute decide, not P = 2"]  # the first starts alone
    assert said(part, 1) == []
    (later,) = said(replace(part, burst=0.2), 8)
    assert later == "from k = 23 on, 60 requests per minute decide, not P = 8"
    tokens = RateLimited(**CALL, requests_per_minute=6_000, tokens_per_minute=10_000)
    assert said(tokens, 4) == ["from k = 2 on, 10000 tokens per minute decide, not P = 4"]
    both = RateLimited(**CALL, requests_per_minute=60, tokens_per_minute=10_000)
    assert said(both, 8) == ["from k = 2 on, 10000 tokens per minute decide, not P = 8"]
    slow = RateLimited(0.0, 0.4, requests_per_minute=60)  # 40 s a call: with a ninth, slots take longer than the limit
    assert said(slow, 8) == ["from k = 5 to 8, 60 requests per minute decide, not P = 8"]


def test_it_is_no_limit_without_a_limit():
    given = {"kind": "rate-limited", "seconds_per_input_token": 0, "seconds_per_output_token": 1}
    several = (
        "needs requests_per_minute, tokens_per_minute, input_tokens_per_minute or output_tokens_per_minute; without"
    )
    for also, message in (
        ({}, several),
        ({"requests_per_minute": 1, "uncounted_input_tokens": 1}, "uncounted_input_tokens needs tokens_per_minute or inp"),
        ({"input_tokens_per_minute": 1, "reserved_output_tokens": 1}, "reserved_output_tokens needs tokens_per_minute or"),
    ):  # fmt: skip
        with pytest.raises(MooInferError, match=f"^here: {message}"):
            Registry(entry_points=False).build(CostModel, given | also, "here")


def test_input_and_output_are_counted_apart():
    """16 calls of 2,000 + 1,000 tokens, a full minute's allowance: the last waits for 7,000 of 8,000 tokens a minute.

    Published limits are of this kind: 30,000 input and 8,000 output tokens a minute. Their sum would let the last call
    start after 11.05 s.
    """
    draws = Draws(np.full((1, 16), 2000.0), np.full((1, 16), 1000.0), np.ones((1, 16)))
    apart = RateLimited(**CALL, input_tokens_per_minute=30_000, output_tokens_per_minute=8_000, burst=1.0)
    assert apart.total(draws, parallelism=8)[0, -1] == pytest.approx(60 * 7 / 8 + 10)
    together = RateLimited(**CALL, tokens_per_minute=38_000, burst=1.0)
    assert together.total(draws, parallelism=8)[0, -1] == pytest.approx(60 * 7 / 38 + 10)
    notes = apart.notes(Gaussian(2000, 0, 1000, 0, 0.8, 0.1), np.array([16]), parallelism=8)
    assert [note.text for note in notes] == ["from k = 16 on, 8000 output tokens per minute decide, not P = 8"]


def test_cached_input_does_not_count_and_what_is_set_aside_does():
    """Of 2,000 tokens of a prompt 1,900 are read from a cache; of 4,096 tokens set aside 1,000 are used."""
    draws = Draws(np.full((1, 11), 2000.0), np.full((1, 11), 1000.0), np.ones((1, 11)))
    cached = RateLimited(**CALL, input_tokens_per_minute=1_000, uncounted_input_tokens=1_900)
    assert cached.total(draws, parallelism=11)[0, -1] == pytest.approx(60 * 10 * 100 / 1_000 + 10)
    reserved = RateLimited(**CALL, output_tokens_per_minute=8_192, reserved_output_tokens=4_096)
    assert reserved.total(draws, parallelism=11)[0, -1] == pytest.approx(60 * 10 * 4_096 / 8_192 + 10)
