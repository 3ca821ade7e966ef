import copy
import dataclasses
import pickle
from collections.abc import Mapping

import numpy as np
import pytest

from moo_infer import Draws, InferenceModel, MissingColumn, ModelProfile, MooInferError, Pipeline, Scenario


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
    with pytest.raises(MooInferError, match=r"accuracy must be \(M, K\), got \(3,\)"):
        Draws(*np.ones((3, 3)))


def test_a_missing_column_is_named_with_those_there_are():
    draws = Draws(*np.ones((3, 2, 3)), {"answer": np.zeros((2, 3), dtype=int)})
    with pytest.raises(MissingColumn, match="no column 'score'; columns: tokens_in, tokens_out, accuracy, answer"):
        draws["score"]


@pytest.mark.parametrize("known", [(), ("tokens_in",), ("tokens_out",), ("tokens_in", "tokens_out")])
def test_draws_print_pickle_and_are_replaced_whatever_is_not_known(known):
    arrays = {name: np.full((2, 3), 7.0) for name in known}
    draws = Draws(arrays.get("tokens_in"), arrays.get("tokens_out"), np.ones((2, 3)), {"score": np.zeros((2, 3))})
    assert repr(draws) == f"<Draws of (M, K) = (2, 3): {', '.join((*known, 'accuracy', 'score'))}>"
    changed = dataclasses.replace(draws, accuracy=np.zeros((2, 3)))
    assert (changed.accuracy == 0).all()
    assert (draws.accuracy == 1).all()
    for other in (Draws(columns=draws), pickle.loads(pickle.dumps(draws)), copy.deepcopy(draws), changed):
        assert tuple(other) == (*known, "accuracy", "score")
        with pytest.raises(ValueError, match="read-only"):
            other.accuracy[0, 0] = 5
        for name in {"tokens_in", "tokens_out"} - {*known}:
            assert name not in other
            with pytest.raises(MissingColumn, match=f"no column '{name}'; columns: {', '.join((*known, 'accuracy'))}"):
                getattr(other, name)


def test_draws_are_a_mapping_of_their_columns():
    draws = Draws(None, np.full((2, 3), 500.0), np.ones((2, 3)), {"score": np.zeros((2, 3), dtype=int)})
    assert isinstance(draws, Mapping)
    assert list(draws) == list(draws.keys()) == ["tokens_out", "accuracy", "score"]
    assert len(draws) == 3
    assert "score" in draws
    assert "tokens_in" not in draws
    assert draws.get("tokens_in") is None
    assert all(column is draws[name] for name, column in draws.items())
    more = Draws(columns={**draws, "noise": np.full((2, 3), 0.5)})
    assert list(more) == [*draws, "noise"]
    assert more["score"].dtype == int
    assert draws == draws  # by identity, as nobody says whether arrays are equal
    assert draws != Draws(columns=draws)
    assert len({draws, more}) == 2


def test_a_missing_column_is_a_key_error_and_still_a_plain_sentence():
    with pytest.raises(KeyError) as caught:
        Draws(accuracy=np.ones((1, 1)))["score"]
    assert str(caught.value) == "the draws have no column 'score'; columns: accuracy"


def test_draws_that_nobody_judged_have_a_shape_and_no_accuracy():
    draws = Draws(columns={"answer": np.array([[2, 0, -1]])})
    assert draws.shape == (1, 3)
    assert repr(draws) == "<Draws of (M, K) = (1, 3): answer>"
    for ask in (lambda: draws.accuracy, lambda: draws["accuracy"]):
        with pytest.raises(MissingColumn, match="no column 'accuracy'; columns: answer"):
            ask()
    with pytest.raises(MooInferError, match=r"score must be \(M, K\) = \(1, 3\) like answer, got \(1, 2\)"):
        Draws(columns={**draws, "score": np.ones((1, 2))})
    with pytest.raises(MooInferError, match=r"one column must be given, \(M, K\), got none"):
        Draws()


@dataclasses.dataclass(frozen=True)
class Unjudged(InferenceModel):
    name = "unjudged"

    def sample(self, rng, M, K, /):
        return Draws(np.ones((M, K)), np.ones((M, K)))


def test_a_model_that_draws_no_accuracy_is_refused():
    message = r"of 'mine' must draw accuracy, \(M, K\) numbers in \[0, 1\]; columns: tokens_in, tokens_out"
    with pytest.raises(MooInferError, match=message):
        Pipeline("best-of-k", "max-accuracy", k=[1]).run(ModelProfile("mine", Unjudged(), ()), Scenario("any"))
