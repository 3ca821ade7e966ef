"""What `Queries.draw` draws is what the laws say."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import Bernoulli, ClippedNormal, Draws, InferenceModel, Lognormal, MissingColumn, MooInferError, Queries
from moo_infer.core.streams import Streams
from moo_infer.testing import MODELS, InferenceModelContract

M = 4000
GAPS = MODELS["a log with gaps"]


def column(*values):
    return np.array(values, dtype=float)[:, None]


@dataclass(frozen=True)
class Drawn(InferenceModel):
    """A model that is nothing but its queries."""

    name = "drawn"

    of: Queries

    def queries(self):
        return self.of

    def sample(self, rng, M, K, /):
        return self.of.draw(rng, M, K)


KINDS = Queries([0.6, 0.4], accuracy=Bernoulli(column(0.9, 0.2)), tokens_out=ClippedNormal(column(90, 900), 40, low=0))
PROMPTS = Queries([0.2, 0.3, 0.5], tokens_in=Lognormal(column(100, 500, 4000), 0.3, cap=3000))


class TestDrawn(InferenceModelContract):
    """Every law alone, some of each kind beside others, one query, independent ways to differ, and a log."""

    instances = (
        Drawn(Queries(accuracy=ClippedNormal(0.9, 0.2, 0, 1), tokens_in=ClippedNormal(5, 20, low=1))),
        Drawn(Queries(accuracy=Bernoulli(0.3), tokens_in=ClippedNormal(7, 0), tokens_out=Lognormal(500, 0.8, cap=900))),
        Drawn(Queries(accuracy=Bernoulli(0.0), tokens_out=Lognormal(0, 0.5))),
        Drawn(Queries(accuracy=Bernoulli(1.0), tokens_out=Lognormal(500, 0.0), latency_s=Lognormal(2.0, 0.5))),
        Drawn(Queries([1.0], accuracy=Bernoulli(column(0.4)))),
        Drawn(KINDS),
        Drawn(KINDS * PROMPTS),
        Drawn(MODELS["difficulty classes"].queries()),
        Drawn(GAPS.queries()),
    )


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    weights=st.lists(st.floats(0.05, 1), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["bernoulli", "normal", "lognormal"]),
)
def test_means_and_spreads_are_those_of_the_laws_for_one_inference_and_for_sums_of_a_query(weights, seed, kind):
    rng = np.random.default_rng(seed)
    Q = len(weights)
    shares = np.array(weights) / sum(weights)
    x, y = rng.random((2, Q, 1))
    law = {
        "bernoulli": Bernoulli(x),
        "normal": ClippedNormal(x, 0.5 * y, 0.0, 1.0),
        "lognormal": Lognormal(300 * x, y, cap=400 * x.max()),
    }[kind]
    draws = Queries(shares, accuracy=Bernoulli(x), latency_s=law).draw(rng, M, 3)
    mean, variance = (np.broadcast_to(m, (Q, 1))[:, 0] for m in (law.mean, np.square(law.std)))
    for k in (1, 3):
        values = draws["latency_s"][:, :k].sum(axis=1)
        expected = shares @ (k * mean)
        spread = np.sqrt(shares @ (k * variance + (k * mean - expected) ** 2))
        assert values.mean() == pytest.approx(expected, abs=5.5 * spread / np.sqrt(M) + 1e-12)
        assert values.std() == pytest.approx(spread, rel=0.25, abs=0.02 * mean.max())


def test_columns_belong_to_the_same_query_along_one_way_to_differ_and_not_along_two():
    draws = (KINDS * PROMPTS).draw(np.random.default_rng(0), M, 2)
    hard, long = draws.tokens_out[:, 0] > 450, draws.tokens_in[:, 0] > 1500
    assert draws.accuracy[hard].mean() == pytest.approx(0.2, abs=0.03)
    assert draws.accuracy[~hard].mean() == pytest.approx(0.9, abs=0.03)
    assert long[hard].mean() == pytest.approx(long[~hard].mean(), abs=0.08)
    assert ((draws.tokens_out[:, 1] > 450) == hard).all()  # both inferences of a trial are about the same query


def test_values_follow_the_law():
    law = Lognormal(500.0, 0.7, cap=900.0)
    values = Queries(accuracy=Bernoulli(0.5), tokens_out=law).draw(np.random.default_rng(3), M, 5).tokens_out
    for q in (0.01, 0.2, 0.5, 0.8):
        assert np.mean(values <= law.quantile(np.array(q))) == pytest.approx(q, abs=0.02)
    assert np.mean(values == 900.0) == pytest.approx(law.cut, abs=0.02)


def test_what_is_not_known_is_no_column():
    draws = Queries(accuracy=Bernoulli(0.5)).draw(np.random.default_rng(0), 2, 3)
    assert list(draws) == ["accuracy"]
    with pytest.raises(MissingColumn, match="tokens_out"):
        _ = draws.tokens_out
    with pytest.raises(MooInferError, match="a law of the accuracy must be given to draw from them"):
        Queries(tokens_out=Lognormal(90.0, 0.0)).draw(np.random.default_rng(0), 2, 3)


def test_a_uniform_number_of_zero_gives_a_finite_value():
    class Zeros(np.random.Generator):
        def random(self, size):
            return np.zeros(size)

    draws = Queries(accuracy=Bernoulli(1.0), tokens_out=ClippedNormal(500.0, 50.0)).draw(Zeros(np.random.PCG64()), 1, 1)
    assert np.isfinite(draws.tokens_out).all()
    assert draws.accuracy == 1


def test_of_a_log_its_samples_are_drawn():
    drawn = GAPS.queries().draw(Streams(3, (0,), 50), 50, 6)
    assert isinstance(drawn, Draws)
    sampled = GAPS.sample(Streams(3, (0,), 50), 50, 6)
    assert list(drawn) == list(sampled)
    for name in drawn:
        np.testing.assert_array_equal(drawn[name], sampled[name])
