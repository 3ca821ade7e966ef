import heapq
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from moo_infer import Draws, MooInferError, NotExact, Queries
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.latencies import Batch
from moo_infer.builtin.queueing import Loaded, _states, _steps
from moo_infer.core.noise import with_noise
from moo_infer.quantities.laws import ClippedNormal

H100 = {
    "itl_base_s": 0.006958, "itl_per_sequence_s": 4.2e-5, "prefill_base_s": 0.0052, "prefill_per_token_s": 2e-6,
}  # fmt: skip
NOISE = {"noise": np.full((1, 3), 0.5)}  # half of the queries find no more
MODEL = Gaussian(1024, 0, 512, 0, 0.8, 0.1)
SMALL = Loaded(1.0, 100, 101, itl_base_s=0.01, itl_per_sequence_s=0.002, max_batch=16, max_queue=200)  # 3.8 a second


def texts(notes):
    return [note.text for note in notes if note.text]


def drawn(model, seed, M, K):
    rng = np.random.default_rng(seed)
    return with_noise(model.sample(rng, M, K), rng)


def mean(part, model, *k):
    return part.exact(model.queries().query, np.array(k), parallelism=1).mean


def size(part, n):
    """Of a step with n sequences, as it is padded."""
    return next((size for size in part.batch_sizes if size >= n), n)


def events(part, k, spread, queries, rng):
    """A server event by event: what a query takes, in a batch whose sequences advance token by token, and beside it the
    sequences that arriving queries find. Prefill takes no time."""
    clock = advanced = 0.0  # seconds, and tokens that a sequence that is always there would have made
    batch, queue, left, began, took, found = [], deque(), {}, {}, [], []
    arrival, number = rng.exponential(1 / part.queries_per_second), 0
    while len(took) < queries:
        step = part.itl_base_s + part.itl_per_sequence_s * size(part, len(batch))
        end = clock + (batch[0][0] - advanced) * step if batch else np.inf
        if arrival < end:
            advanced += (arrival - clock) / step if batch else 0.0
            clock = arrival
            found.append(len(batch) + len(queue))
            left[number], began[number] = k, clock
            lengths = np.maximum(rng.normal(part.mean_tokens_out, spread, k), 1.0) - 1
            queue.extend((length, number) for length in lengths)
            arrival, number = clock + rng.exponential(1 / part.queries_per_second), number + 1
        else:
            clock, (advanced, ended) = end, heapq.heappop(batch)
            left[ended] -= 1
            if not left[ended]:
                took.append(clock - began[ended])
        while queue and len(batch) < part.max_batch:
            length, owner = queue.popleft()
            heapq.heappush(batch, (advanced + length, owner))
    return np.array(took), np.array(found)


@pytest.mark.parametrize(("queries_per_second", "seconds"), [(1, 3.67), (10, 4.69), (17, 5.97)])
def test_an_h100_at_three_rates(queries_per_second, seconds):
    assert mean(Loaded(queries_per_second, 1024, 512, **H100), MODEL, 1)[0] == pytest.approx(seconds, abs=0.005)


@pytest.mark.parametrize("queries_per_second", [0.1, 5, 20])
def test_one_sequence_a_query_obeys_littles_law(queries_per_second):
    """While nobody waits, mean seconds times arrivals per second is the mean number in the system."""
    part = Loaded(queries_per_second, 1024, 512, **H100)
    seen = _states(part, (1,)).seen[:, 0]
    in_system = (seen * np.arange(len(seen))).sum()
    assert mean(part, MODEL, 1)[0] * queries_per_second == pytest.approx(in_system, rel=1e-6)


def test_the_states_are_those_of_a_queue_solved_as_equations():
    """Every rate in and out written into a matrix, whose null vector is the stationary law."""
    part = replace(SMALL, max_batch=3, max_queue=4)
    for k in (1, 2, 5):
        S = 7
        rates = np.zeros((S + 1, S + 1))
        for n in range(S + 1):
            if n + k <= S:
                rates[n, n + k] += part.queries_per_second
            if n > 0:
                b = min(n, 3)
                rates[n, n - 1] += b / (100 * (0.01 + 0.002 * b))
        rates -= np.diag(rates.sum(axis=1))
        law = np.linalg.lstsq(np.vstack([rates.T, np.ones(S + 1)]), np.append(np.zeros(S + 1), 1.0), rcond=None)[0]
        states = _states(part, (k,))
        np.testing.assert_allclose(states.refused[0], law[S - k + 1 :].sum(), rtol=1e-9)
        np.testing.assert_allclose(states.seen[: S - k + 1, 0], law[: S - k + 1] / law[: S - k + 1].sum(), rtol=1e-9)


def test_with_one_slot_and_one_sequence_it_is_the_mm1_queue():
    """Seen are geometric numbers, and a query waits for as many to end."""
    part = Loaded(0.7, 100, 101, itl_base_s=0.01, itl_per_sequence_s=0.0, max_batch=1, max_queue=2000)
    seen = _states(part, (1,)).seen[:, 0]
    np.testing.assert_allclose(seen[:50], 0.3 * 0.7 ** np.arange(50), rtol=1e-7)
    assert mean(part, Gaussian(100, 0, 101, 0, 0.8, 0.1), 1)[0] == pytest.approx(1 / (1 - 0.7), rel=1e-6)


@pytest.mark.parametrize("sizes", [(), (1, 2, 4, 8, 16), (4, 8, 16)], ids=str)
@pytest.mark.parametrize(("queries_per_second", "k", "off"), [(2.0, 1, 0.02), (0.5, 4, 0.06), (0.35, 8, 0.06)])
def test_single_events_take_about_as_long(queries_per_second, k, off, sizes):
    part = replace(SMALL, queries_per_second=queries_per_second, batch_sizes=sizes)
    took, found = events(part, k, 24, 20_000, np.random.default_rng(0))
    seen = _states(part, (k,)).seen[:, 0]
    assert (seen * np.arange(len(seen))).sum() == pytest.approx(found.mean(), rel=0.15)
    model = Gaussian(100, 0, 101, 24, 0.8, 0.1)
    total = part.total(drawn(model, 1, 20_000, k), parallelism=1)[:, -1]
    expected = total.mean() if sizes else mean(part, model, k)[0]
    assert expected == pytest.approx(took.mean(), rel=off)
    for q in (0.5, 0.95, 0.99):
        assert np.quantile(total, q) == pytest.approx(np.quantile(took, q), rel=0.12)


def test_simulated_trials_have_the_exact_mean():
    model = Gaussian(100, 30, 101, 24, 0.8, 0.1)
    part = replace(SMALL, prefill_base_s=0.05, prefill_per_token_s=1e-5, queries_per_second=0.8)
    k = np.array([1, 2, 4])
    total = part.total(drawn(model, 0, 40_000, 4), parallelism=1)[:, k - 1]
    np.testing.assert_allclose(total.mean(axis=0), part.exact(model.queries().query, k, parallelism=1).mean, rtol=0.01)


def test_an_idle_server_is_a_batch_of_ones_own():
    draws = Draws(np.full((1, 3), 100.0), np.array([[101.0, 51.0, 201.0]]), np.ones((1, 3)), NOISE)
    idle = replace(SMALL, queries_per_second=1e-9, prefill_base_s=0.5)
    steps = [100 * 0.012, 50 * 0.014 + 50 * 0.012, 50 * 0.016 + 50 * 0.014 + 100 * 0.012]
    np.testing.assert_allclose(idle.total(draws, parallelism=1), [0.5 + np.array(steps)], rtol=1e-12)


def test_what_attention_reads_is_a_sum_over_steps():
    """Beside nobody, step by step: the first of 101 tokens is the prefill's, step t reads the prompt and t - 1 more."""
    lengths = [101, 51, 201]
    draws = Draws(np.full((1, 3), 100.0), np.array([lengths], dtype=float), np.ones((1, 3)), NOISE)
    idle = replace(SMALL, queries_per_second=1e-9)
    read = [sum(100 + t - 1 for t in range(2, length + 1)) for length in lengths]
    for bucket, tokens in ((None, read), (4096, [4096 * (length - 1) for length in lengths])):
        reading = replace(idle, itl_per_context_token_s=1e-7, context_bucket=bucket)
        more = reading.total(draws, parallelism=1) - idle.total(draws, parallelism=1)
        np.testing.assert_allclose(more, [1e-7 * np.cumsum(tokens)], rtol=1e-9)


@pytest.mark.parametrize("bucket", [None, 2048])
def test_the_context_of_the_traffic_is_a_load_too(bucket):
    """Little's law holds on a server whose sequences read, and simulated trials have the exact mean."""
    part = replace(SMALL, queries_per_second=0.3, itl_per_context_token_s=1e-6, context_bucket=bucket)
    n, shares = np.arange(part.max_batch + part.max_queue + 1), _states(part, (1,)).seen[:, 0]
    per_step = 0.01 + n * (0.002 + 1e-6 * (bucket or 100 + 101 / 2))
    alike = Gaussian(100, 0, 101, 0, 0.8, 0.1)
    assert mean(part, alike, 1)[0] == pytest.approx(100 * (per_step[1:] @ shares[:-1]), rel=1e-6)
    k, model = np.array([1, 2, 4]), Gaussian(100, 30, 101, 24, 0.8, 0.1)
    total = part.total(drawn(model, 0, 40_000, 4), parallelism=1)[:, k - 1]
    np.testing.assert_allclose(total.mean(axis=0), part.exact(model.queries().query, k, parallelism=1).mean, rtol=0.01)


def padded_steps(part, running, lengths, tokens_in):
    """The seconds of the steps one after the other, of a query beside others who are replaced as they end."""
    seconds, most = 0.0, part.max_batch
    full = running + len(lengths) > most

    traffic = part.itl_per_sequence_s + part.itl_per_context_token_s * (part.mean_tokens_in + part.mean_tokens_out / 2)
    for t in range(2, max(lengths) + 1):
        if full:
            seconds += part.itl_base_s + traffic * size(part, most)
            continue
        own = part.itl_per_sequence_s + part.itl_per_context_token_s * (tokens_in + t - 1)
        left = sum(length >= t for length in lengths)
        seconds += part.itl_base_s + traffic * running + own * (size(part, running + left) - running)
    return seconds


@pytest.mark.parametrize("lengths", [[101, 51, 201], [20, 80, 80, 30, 45]])
def test_a_padded_batch_takes_what_its_steps_add_up_to(lengths):
    """Whatever a query finds, up to a full batch, with sizes that end below the largest batch and beyond it."""
    K = len(lengths)
    for sizes in ((2, 4, 8), (1, 2, 4, 8, 16), (32,)):
        part = replace(SMALL, queries_per_second=1.3 / K, itl_per_context_token_s=2e-5, batch_sizes=sizes)
        drawn_lengths = np.tile(np.array(lengths, dtype=float), (50, 1))
        noise = {"noise": np.repeat((np.arange(50)[:, None] + 0.5) / 50, K, axis=1)}
        draws = Draws(np.full((50, K), 100.0), drawn_lengths, np.ones((50, K)), noise)
        total = part.total(draws, parallelism=1)
        least = 0.0
        for k in range(1, K + 1):
            law = _states(part, (k,))
            running = np.searchsorted(law.no_more[:, 0], noise["noise"][:, 0])
            waited = np.maximum(running + k - 16, 0) / part._most_served
            expected = [padded_steps(part, n, lengths[:k], 100) for n in running.tolist()]
            least = np.maximum(least, waited + expected)
            np.testing.assert_allclose(total[:, k - 1], least, rtol=1e-9)
        assert running.max() > 8


def test_an_idle_padded_server_is_a_padded_batch_of_ones_own():
    """Of a batch with a prefill of nothing and one token less."""
    lengths = np.random.default_rng(0).integers(1, 300, (20, 12)).astype(float)
    part = replace(SMALL, queries_per_second=1e-9, itl_per_context_token_s=1e-5, batch_sizes=(1, 4, 8))
    steps = Batch(0.01, 0.002, itl_per_context_token_s=1e-5, batch_sizes=(1, 4, 8))
    noise = {"noise": np.full(lengths.shape, 0.5)}
    of_server = part.total(Draws(np.full(lengths.shape, 99.0), lengths, lengths, noise), parallelism=1)
    # the server's step t reads t - 1 tokens from t = 2 on, the batch's from t = 1 on
    of_batch = steps.total(Draws(np.full(lengths.shape, 100.0), lengths - 1, lengths), parallelism=1)
    np.testing.assert_allclose(of_server, of_batch, rtol=1e-9)


def test_more_sequences_never_take_less():
    """Also where one more of the traffic's takes the place of padding that reads as much as a long answer does."""
    part = replace(SMALL, queries_per_second=0.2, itl_per_context_token_s=1e-5, batch_sizes=(16,))
    total = part.total(drawn(Gaussian(900, 0, 300, 0, 0.8, 0.1), 0, 500, 8), parallelism=1)
    assert (np.diff(total, axis=1) == 0).any()
    assert (np.diff(total, axis=1) >= 0).all()


def test_littles_law_holds_where_batches_are_padded():
    """One sequence a query and all of a length: mean seconds times arrivals a second is the mean number in the system."""
    part = replace(SMALL, queries_per_second=0.9, batch_sizes=(1, 2, 4, 8, 16))
    seen = _states(part, (1,)).seen[:, 0]
    total = part.total(drawn(Gaussian(100, 0, 101, 0, 0.8, 0.1), 0, 100_000, 1), parallelism=1)
    # A query counts those it finds as it is, while padding makes the mean of the others depend on when they end.
    assert total.mean() * 0.9 == pytest.approx((seen * np.arange(len(seen))).sum(), rel=0.02)


def test_padded_batches_are_simulated_and_their_sizes_ascend():
    padded = replace(SMALL, batch_sizes=(1, 2, 4))
    with pytest.raises(NotExact, match="padded batch"):
        padded.exact(MODEL.queries().query, np.array([1]), parallelism=1)
    with pytest.raises(MooInferError, match="batch_sizes: must ascend, got 4, 2"):
        replace(SMALL, batch_sizes=(4, 2))
    sixteen = replace(SMALL, batch_sizes=(32,))  # a full batch of 16 takes what one of 32 takes
    assert sixteen._most_served == pytest.approx(16 / (100 * 0.074))


def test_every_sequence_in_the_batch_adds_to_the_prefill():
    """Three of one's own beside nobody: a tenth of a second for each, by a prompt of 100 tokens."""
    draws = Draws(np.full((1, 3), 100.0), np.full((1, 3), 101.0), np.ones((1, 3)), NOISE)
    idle, without = (replace(SMALL, queries_per_second=1e-9, prefill_per_token_s=delta) for delta in (0.001, 0.0))
    added = idle.total(draws, parallelism=1) - without.total(draws, parallelism=1)
    np.testing.assert_allclose(added, [[0.1, 0.2, 0.3]], rtol=1e-9)


def test_more_than_can_be_served_is_not_possible_and_said():
    part, k = Loaded(10, 1024, 512, **H100), np.array([1, 2, 3, 8])
    assert part.notes(MODEL, k, parallelism=1)[0].excludes.tolist() == [False, False, True, True]
    assert texts(part.notes(MODEL, k, parallelism=1)) == [
        "loaded: from k = 3 on 10 queries a second are too many: 30 sequences arrive in a second, at most 26.72 can be served"
    ]
    assert texts(part.notes(MODEL, k[:2], parallelism=1)) == []


def test_a_query_must_fit_into_the_batch():
    part = Loaded(0.01, 1024, 512, **H100, max_batch=4)
    assert part.notes(MODEL, np.array([4, 5]), parallelism=1)[0].excludes.tolist() == [False, True]
    (said,) = texts(part.notes(MODEL, np.array([4, 5]), parallelism=1))
    assert said.endswith("a batch has room for 4 sequences")


def test_refused_queries_and_unlike_traffic_are_said():
    part = replace(SMALL, queries_per_second=3.5, max_queue=2)
    said = texts(part.notes(Gaussian(500, 0, 101, 0, 0.8, 0.1), np.array([1]), parallelism=1))
    assert said[0] == "loaded: at k = 1 a full queue of 2 refuses 5.4 % of the queries"
    assert said[1:] == ["loaded: the traffic has mean_tokens_in = 100, the model's own are 500"]


@pytest.mark.parametrize(
    ("law", "mean", "longest"),
    [
        (ClippedNormal(101.0, 20.0), 100.0, 100 + 20 / np.sqrt(np.pi)),
        (ClippedNormal(1.0, 3.0, low=1.0), 3 / np.sqrt(2 * np.pi), None),
        (ClippedNormal(1.0, 3.0, low=-50.0), 3 / np.sqrt(2 * np.pi), None),
        (ClippedNormal(7.0, 0.0), 6.0, 6.0),
        (ClippedNormal(0.0, 0.0), 0.0, 0.0),
    ],
    ids=["normal", "clipped at one token", "below one token", "constant", "no tokens"],
)
def test_the_steps_of_the_longest_are_exact(law, mean, longest):
    """Prefill gives the first token; of two normals the larger is sigma / sqrt(pi) above the mean."""
    one, two = _steps(law, np.array([1, 2]))[0]
    assert one == pytest.approx(mean, rel=1e-7, abs=1e-12)
    assert longest is None or two == pytest.approx(longest, rel=1e-7, abs=1e-12)


def test_waiting_means_a_full_batch():
    """Found 15 of 16, with k = 4: three must end first, then the batch is full to the end."""
    part = replace(SMALL, max_batch=16)
    seconds = part._seconds(np.array([15]), np.array([4]), 100.0, np.array([100.0]), np.array([0.8]))
    assert seconds[0] == pytest.approx(3 / (16 / (100 * 0.042)) + 100 * 0.042)


def test_what_no_law_is_known_of_is_simulated():
    with pytest.raises(NotExact):
        SMALL.exact(Queries().query, np.array([1]), parallelism=1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("tokens_out", "prefill_base_s"), [(1, 0.0), (0.5, 0.01)])
def test_traffic_of_one_token_takes_its_prefill_alone(tokens_out, prefill_base_s):
    part = Loaded(50.0, 100, tokens_out, 0.03, 0.002, prefill_base_s, max_batch=4, max_queue=20)
    seconds = mean(part, MODEL, 1)[0]
    found = _states(part, (1,)).seen[:, 0]
    a = 50.0 * prefill_base_s  # as many sequences are there at a time as arrive in the seconds of a prefill
    assert found[:2] == pytest.approx(np.exp(-a) * np.array([1.0, a]), rel=1e-3)
    assert seconds >= 511 * 0.03
