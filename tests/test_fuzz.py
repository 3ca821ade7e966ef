"""Damaged files of every kind end in an answer or in one sentence (a longer run: benchmarks/fuzz.py)."""

import os
import sys
import warnings

import numpy as np
import polars as pl
import pytest
from fuzzing import KINDS, complaint, fuzzed, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMITED = settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
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


def says(text, write=lambda text: sys.stderr.write(f"{text}\n")):
    """A command line that says something and ends as bad input does."""

    def run(words):
        write(text)
        return 2

    return run


def panics(words):
    raise pl.exceptions.PanicException("index out of bounds")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        (says("moo-infer: costs: unknown cost model 'tuple'"), ""),  # so the file has it
        (says("moo-infer: costs: must be a number, got 'list'"), "Python words: "),
        (says("moo-infer: 'tuple' object is not iterable"), "Python words: "),
        (says("moo-infer: " + "x" * 500), "511 characters: "),
        (says("moo-infer: \x1b[2J"), "what a terminal acts on: "),
        (says("moo-infer: no\nmore"), "2 lines on standard error: "),
        (says(b"thread panicked", lambda text: os.write(2, text)), "written to standard error by a library: "),
        (panics, "PanicException: index out of bounds"),
    ],
)
def test_the_fuzzer_sees_what_is_wrong(command, wrong, monkeypatch, tmp_path):
    monkeypatch.setattr("fuzzing.run", command)
    path = write(tmp_path, "profiles.yaml", b"costs: [{kind: tuple, listed: 1}]")
    assert complaint(["recommend", "--models", str(path)]).startswith(wrong)
    assert bool(complaint(["recommend", "--models", str(path)])) is bool(wrong)
