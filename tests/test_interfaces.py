import numpy as np
import pytest

from moo_infer import Draws, MissingColumn, MooInferError


def test_draws_are_read_only_views_and_leave_the_given_arrays_alone():
    given = np.ones((2, 3))
    draws = Draws(given, given, given, {"score": given})
    for name in ("tokens_in", "tokens_out", "accuracy", "score"):
        with pytest.raises(ValueError, match="read-only"):
            draws[name][0, 0] = 5
    given[0, 0] = 7
    assert draws.accuracy[0, 0] == 7


def test_draws_of_different_shapes_are_refused_with_both_shapes():
    with pytest.raises(MooInferError, match=r"score must be \(M, K\) = \(2, 3\) like accuracy, got \(2, 4\)"):
        Draws(*np.ones((3, 2, 3)), {"score": np.ones((2, 4))})
    with pytest.raises(MooInferError, match=r"tokens_in must be \(M, K\) = \(3,\) like accuracy, got \(3,\)"):
        Draws(*np.ones((3, 3)))


def test_a_missing_column_is_named_with_those_there_are():
    draws = Draws(*np.ones((3, 2, 3)), {"answer": np.zeros((2, 3), dtype=int)})
    with pytest.raises(MissingColumn, match="no column 'score'; columns: tokens_in, tokens_out, accuracy, answer"):
        draws["score"]
