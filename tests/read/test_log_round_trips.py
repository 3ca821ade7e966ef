"""Logs with a known truth, written in every format: all that the format knows comes back, and so does pass@k."""

import copy
import itertools
import json
import math
import warnings

import numpy as np
import pytest
from log_writers import FAILURES, FORMATS, ONE, by_question, comma_separated, table, truth, zipped

from moo_infer import MooInferError, Registry
from moo_infer.calibrate import read_log
from moo_infer.interfaces import LogReader
from moo_infer.quantities.subsets import mean_pass_at_k

REGISTRY = Registry(entry_points=False)
LOGS = 16


def read(paths, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_log(paths, registry=REGISTRY, **options)


def written(tmp_path, log, content):
    path = tmp_path / log.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def assert_true(log, samples, made, left=None):
    """All that the format knows of the samples that are left."""
    left = range(len(samples)) if left is None else left
    (found,) = log.samples()
    assert found.model == made.model
    asked = list(dict.fromkeys(samples[i].question for i in left))
    assert sorted(found.questions) == sorted(made.question(q) for q in asked)
    rows = {}
    for i in left:
        rows.setdefault(made.question(samples[i].question), []).append(samples[i])
    codes = {}
    for q, question in enumerate(found.questions):
        own = found.question == q
        true = sorted(rows[question], key=lambda s: s.sample)
        if made.score == ["pass@1"] or "answer" not in found.columns:  # which are right may not be known
            known = sum(bool(s.correct) for s in true if s.correct is not None)
            assert np.nansum(found.correct[own]) == known
        else:
            expected = [math.nan if s.correct is None else float(s.correct) for s in true]
            np.testing.assert_array_equal(found.correct[own], expected)
        for name in made.knows - {"answer"}:
            np.testing.assert_allclose(found[name][own], [getattr(s, name) for s in true], rtol=1e-12)
        if "answer" in found.columns:
            for s, code in zip(true, found["answer"][own], strict=True):
                assert codes.setdefault(code, s.answer) == s.answer
    assert len(set(codes.values())) == len(codes)
    for_each = [[bool(s.correct) for s in own if s.correct is not None] for own in rows.values()]
    for_each = [own for own in for_each if own]
    if not for_each:
        return
    judged = np.bincount(found.question[~np.isnan(found.correct)], minlength=len(found.questions))
    some, K = judged > 0, min(map(len, for_each))
    assert judged[some].min() == K
    shares = mean_pass_at_k(judged[some], found.right[some], range(1, K + 1))
    for k, value in enumerate(shares, 1):
        subsets = [np.mean([any(chosen) for chosen in itertools.combinations(own, k)]) for own in for_each]
        assert abs(value - np.mean(subsets)) <= 1e-12


def test_every_reader_has_a_writer_here():
    assert {reader for reader, _ in FORMATS.values()} == {*REGISTRY.names(LogReader)}


@pytest.mark.parametrize("name", FORMATS)
def test_many_logs_come_back_as_they_were_written(tmp_path, name):
    for seed in range(LOGS):
        rng = np.random.default_rng([seed, 1])
        samples = truth(rng, n=1 if name in ONE else None, failures=name in FAILURES)
        log = FORMATS[name][1](samples)
        options = (
            [{}, {"sort": True}, {"gz": True}] + [{"as_list": True}] * log.lines + [{"indent": 2}] * (not log.lines)
        )
        path = written(tmp_path, log, log.bytes(**options[seed % len(options)]))
        found = read(path)
        assert found.sources[0].format == FORMATS[name][0]
        assert_true(found, samples, log)


def test_many_archives_come_back_as_they_were_written(tmp_path):
    for seed in range(LOGS):
        samples = truth(np.random.default_rng([seed, 2]))
        log = FORMATS["inspect-ai"][1](samples)
        assert_true(read(written(tmp_path, log, zipped(log))), samples, log)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_many_tables_come_back_as_they_were_written(tmp_path, kind):
    import polars as pl

    for seed in range(LOGS):
        samples = truth(np.random.default_rng([seed, 3]))
        log = table(samples)
        path = written(tmp_path, log, comma_separated(log.document))
        if kind == "parquet":
            pl.DataFrame(log.document, infer_schema_length=None).write_parquet(path)
        assert_true(read(path), samples, log)


@pytest.mark.parametrize("name", FORMATS)
def test_several_files_are_further_samples(tmp_path, name):
    """Seeds in files of their own: k of them make k samples, whatever the format."""
    for seed in range(LOGS // 5):
        rng = np.random.default_rng([seed, 4])
        samples = truth(rng, n=3, failures=False)
        for s in samples:  # so that no two runs are the same by chance
            s.answer, s.latency_s = ("right" if s.correct else f"wrong {s.sample}"), s.sample + 1.0
        runs = [[copy.copy(s) for s in samples if s.sample == i] for i in range(3)]
        paths = []
        for i, run in enumerate(runs):
            for s in run:
                s.sample = 0
            log = FORMATS[name][1](run)
            log.name = f"run{i}/{log.name}"
            paths.append(f"mine={written(tmp_path, log, log.bytes())}")
        log.model, log.knows = "mine", log.knows - {"answer"}
        try:
            found = read(paths)
        except MooInferError as error:
            assert "one run twice is no further samples" in str(error)
            rows = [[bool(s.correct) for s in run] for run in runs]
            assert len({tuple(row) for row in rows}) < 3
            continue
        (own,) = found.samples()
        for q, question in enumerate(own.questions):
            true = sum(bool(s.correct) for s in samples if log.question(s.question) == question)
            assert own.n[q] == 3
            assert own.right[q] == true


DAMAGES = {
    "no object": lambda record, score: 5,
    "null": lambda record, score: None,
    "nothing in it": lambda record, score: {},
    "no score": lambda record, score: _without(record, score),
    "a score of another type": lambda record, score: _with(record, score, {"a": [1]}),
    "a score that is no number": lambda record, score: _with(record, score, "great"),
    "a score out of range": lambda record, score: _with(record, score, 1e400),
}


def _with(record, path, value):
    if not path:
        return value
    record = copy.deepcopy(record)
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return record


def _without(record, path):
    if not path:
        return []
    record = copy.deepcopy(record)
    place = record
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return record


UNSCORED = {("inspect-ai", "no score"), ("table", "no score")}  # a sample without a value was not scored: it failed
WRONG = {("nemo-skills-judged", "a score that is no number")}  # a judgement that says neither is no


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_record_is_left_out_aloud_and_refused_where_that_is_wanted(tmp_path, name, damage):
    rng = np.random.default_rng(5)
    samples = []
    while len(by_question(samples)) < 5:
        samples = truth(rng, n=1 if name in ONE else 3, failures=False)
    log = FORMATS[name][1](samples)
    container, key, lost = log.slots[len(log.slots) // 2]
    if damage == "null" and name == "evalplus-2023":
        pytest.skip("null is a program that was not tested with plus tests")
    container[key] = DAMAGES[damage](container[key], log.score)
    path = written(tmp_path, log, log.bytes())
    if (name, damage) in UNSCORED | WRONG:
        for i in lost:
            samples[i].correct = None if (name, damage) in UNSCORED else False
        assert_true(read_log(path, registry=REGISTRY), samples, log)
        return
    with pytest.warns(UserWarning, match="[12] of .* records are left out: ") as caught:
        found = read_log(path, registry=REGISTRY)
    assert len([w for w in caught if "left out" in str(w.message)]) == 1
    if name in ("human-eval",):  # lines of a task are numbered as they stand
        for i in range(len(samples)):
            later = samples[i].question == samples[lost[0]].question and i > lost[0]
            samples[i].sample -= later
    assert_true(found, samples, log, [i for i in range(len(samples)) if i not in lost])
    with pytest.raises(MooInferError, match=log.name.split("/")[-1]):
        read(path, strict=True)


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name][1](truth(np.random.default_rng(0))).lines])
def test_a_broken_line_is_left_out_aloud_and_a_broken_last_line_is_a_file_that_is_cut_off(tmp_path, name):
    samples = []
    while len(by_question(samples)) < 5:
        samples = truth(np.random.default_rng(len(samples) + 6), n=1 if name in ONE else 3, failures=False)
    log = FORMATS[name][1](samples)
    lines = log.bytes().splitlines(keepends=True)
    _, place, lost = log.slots[2]
    for at in (place, log.slots[0][1]):
        broken = [line[: len(line) // 2] + b"\n" if i == at else line for i, line in enumerate(lines)]
        path = written(tmp_path, log, b"".join(broken))
        with pytest.warns(UserWarning, match=rf"[12] of .* records are left out: line {at + 1}: is no JSON"):
            assert len(read_log(path, registry=REGISTRY).frame) == len(samples) - len(lost)
    with pytest.raises(MooInferError, match=rf"line {len(lines)}: is no JSON"):
        read(written(tmp_path, log, b"".join(lines)[:-9]))


def test_all_odd_records_are_named_at_once(tmp_path):
    log = table(truth(np.random.default_rng(11), n=6, failures=False) + truth(np.random.default_rng(12), n=1))
    rows = [row | {"sample": i} for i, row in enumerate(log.document)]
    rows[1] |= {"latency_s": -1}
    rows[3] |= {"input_tokens": 1.5}
    rows[4] |= {"correct": "maybe"}
    rows[6] |= {"latency_s": -1}
    path = written(tmp_path, log, "\n".join(json.dumps(row) for row in rows).encode())
    with pytest.warns(UserWarning, match="4 of .* records are left out") as caught:
        read_log(path, registry=REGISTRY)
    (said,) = [str(w.message) for w in caught if "left out" in str(w.message)]
    for what in (
        "row 2 (question 'q/0'), row 7 ",
        "latency_s: must be a finite number >= 0, got '-1'",
        "row 4 ",
        "row 5 ",
    ):
        assert what in said
