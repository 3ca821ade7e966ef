"""Damaged files of every kind end in an answer or in one sentence (a longer run: benchmarks/fuzz.py)."""

import warnings

import numpy as np
import pytest
from fuzzing import KINDS, complaint, fuzzed, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMITED = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("name", KINDS)
@LIMITED
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_file_ends_in_an_answer_or_in_one_sentence(name, seed, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as on a command line
        words = fuzzed(KINDS[name], np.random.default_rng(seed), tmp_path)
        assert complaint(words) == "", f"seed {seed}: moo-infer {' '.join(words)}"


@pytest.mark.parametrize("name", KINDS)
def test_files_without_damage_are_read(name, cli, tmp_path):
    for i, make in enumerate(KINDS[name].seeds):
        folder = tmp_path / str(i)
        path = write(folder, *make(np.random.default_rng(3)))
        for words in KINDS[name].words:
            code, _, err = cli(*(path if word == "FILE" else word for word in words))
            assert code == 0, err
