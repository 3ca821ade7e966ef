import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moo_infer import MooInferError
from moo_infer.decide import front as pareto


def slow_front(losses):
    """A row is on the front where no other is at least as good everywhere and better somewhere; equal rows: first."""
    front = []
    for i, row in enumerate(losses):
        dominated = any((other <= row).all() and (other < row).any() for other in losses)
        repeated = any((losses[j] == row).all() for j in range(i))
        if not dominated and not repeated:
            front.append(i)
    return front


@given(
    st.integers(1, 4).flatmap(
        lambda m: arrays(float, st.tuples(st.integers(1, 15), st.just(m)), elements=st.integers(0, 4))
    )
)
def test_front_is_the_definition(losses):
    assert pareto.front(losses).tolist() == slow_front(losses)


def test_nan_is_refused():
    with pytest.raises(MooInferError, match="losses hold 1 NaN"):
        pareto.front(np.array([[0.0, np.nan]]))
