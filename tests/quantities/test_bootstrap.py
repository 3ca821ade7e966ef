import subprocess
import sys

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.quantities.bootstrap import question_weights


def test_every_draw_weighs_all_questions_like_a_dirichlet():
    weights = question_weights([f"q{i}" for i in range(10)], 4000, seed=1)
    assert weights.shape == (4000, 10)
    assert (weights >= 0).all()
    assert weights.sum(axis=1) == pytest.approx(np.ones(4000))
    assert weights.mean(axis=0) == pytest.approx(np.full(10, 0.1), abs=0.006)
    assert weights.var(axis=0) == pytest.approx(np.full(10, 0.1 * 0.9 / 11), rel=0.15)  # of Dirichlet(1, ..., 1)
    apart = np.corrcoef(weights.T)[~np.eye(10, dtype=bool)]
    assert apart == pytest.approx(np.full(90, -1 / 9), abs=0.06)


def test_models_with_common_questions_are_resampled_together():
    mine = question_weights(["a", "b", "c"], 50, seed=3)
    yours = question_weights(["c", "x", "a"], 50, seed=3)
    assert mine[:, 0] / mine[:, 2] == pytest.approx(yours[:, 2] / yours[:, 0])


def test_the_seed_and_nothing_else_decides():
    code = "from moo_infer.quantities.bootstrap import question_weights; print(question_weights(['é', 'b'], 2, 7).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(question_weights(["é", "b"], 2, 7).tolist())
    assert (question_weights(["é", "b"], 2, 8) != question_weights(["é", "b"], 2, 7)).all()


def test_fewer_draws_are_the_first_of_more():
    assert question_weights(["a", "b"], 5, 0) == pytest.approx(question_weights(["a", "b"], 9, 0)[:5])


@pytest.mark.parametrize(("B", "seed", "message"), [(0, 0, "B: must be >= 1, got 0"), (1, -1, "seed: must be >= 0")])
def test_bad_numbers_are_named(B, seed, message):
    with pytest.raises(MooInferError, match=message):
        question_weights(["a"], B, seed)


@pytest.mark.parametrize(("Q", "least", "most"), [(10, 0.80, 0.93), (60, 0.90, 0.99)])
def test_intervals_of_few_questions_are_too_narrow(Q, least, most):
    """What is said below 20 questions: 95 % intervals of the mean hold too rarely there."""
    rng, held, logs = np.random.default_rng(0), 0, 400
    for log in range(logs):
        solved = rng.binomial(8, rng.beta(9.5, 0.5, Q)) / 8
        drawn = question_weights([f"{log}-{i}" for i in range(Q)], 400, 0) @ solved
        low, high = np.quantile(drawn, [0.025, 0.975])
        held += low <= 0.95 <= high
    assert least <= held / logs <= most
