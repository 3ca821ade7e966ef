import hashlib
import json
import os
import re
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from moo_infer import LogReader, MooInferError, Registry, hookimpl
from moo_infer.builtin.logs import Table
from moo_infer.calibrate import COLUMNS, read_log
from moo_infer.quantities.samples import RUN
from moo_infer.read import log as module

REGISTRY = Registry(entry_points=False)
HEADER = "model,question_id,sample,correct\n"
ROWS = "m,q1,1,1\nm,q1,2,0\n"
ALL = "model,question_id,sample,correct,answer,score,input_tokens,cached_input_tokens,output_tokens,reasoning_tokens,latency_s,cost_usd,energy_j,cache_write_tokens\n"


def read(*paths, **options):
    return read_log(list(paths), registry=REGISTRY, **options)


def test_a_table_becomes_samples_of_every_model(file):
    path = file(
        ALL
        + "b,q2,2,True,B,0.5,10,2,20,5,1.5,0.001,3,4\n"
        + "b,q2,1,0, A ,,10,,20,,2.5,0.002,\n"
        + "a,q1,1,,,,,,,,,,\n"
        + "b,q1,1,false,B ,0.25,10,,30,,0.5,,\n"
        + "b,q1,2,1,  ,,,,,,,,\n"
    )
    log = read(path)
    b, a = log.samples()
    assert (b.model, b.questions, b.question.tolist()) == ("b", ("q2", "q1"), [0, 0, 1, 1])
    assert b.correct.tolist() == [0, 1, 0, 1]
    assert b["answer"].tolist() == [0, 1, 1, -1]
    assert b["answer"].dtype == np.int64
    np.testing.assert_array_equal(b["score"], [np.nan, 0.5, 0.25, np.nan])
    np.testing.assert_array_equal(b["latency_s"], [2.5, 1.5, 0.5, np.nan])
    assert set(b.columns) == set(COLUMNS[4:]) - {"target", "variant", *RUN} | {"answer_key"}
    assert b["answer_key"][3] == -1 < b["answer_key"][0] != b["answer_key"][1] == b["answer_key"][2]
    assert (a.model, a.questions, dict(a.columns)) == ("a", ("q1",), {})
    assert np.isnan(a.correct).tolist() == [True]
    (source,) = log.sources
    assert (source.file, source.rows, source.format) == (str(path), 5, "table")
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_what_is_written_is_read_again(file, tmp_path, ending):
    text = ALL + 'b,"q,""2""",2,1,"say ""x""\nand é",0.5,10,2,20,5,1.5,0.001,3\na,[b]q[/b],1,,,1e-07,,,,,0.1,,\n'
    log = read(file(text))
    log.write(tmp_path / f"new.{ending}")
    again = read(tmp_path / f"new.{ending}")
    assert again.frame.equals(log.frame)
    assert again.frame.schema == log.frame.schema
    assert sorted(os.listdir(tmp_path)) == ["log.csv", f"new.{ending}"]


def test_where_nothing_can_be_written_nothing_is_left(file, tmp_path, monkeypatch):
    log = read(file(HEADER + ROWS))
    with pytest.raises(
        MooInferError, match=r"new\.txt: must end in one of \.csv, \.csv\.gz, \.jsonl, \.jsonl\.gz, \.parq"
    ):
        log.write(tmp_path / "new.txt")
    with pytest.raises(MooInferError, match=r"none/new\.csv: cannot be written: No such file"):
        log.write(tmp_path / "none" / "new.csv")

    def full(self, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(MooInferError, match=r"log\.csv: cannot be written: No space left on device"):
        log.write(tmp_path / "log.csv")
    assert os.listdir(tmp_path) == ["log.csv"]
    assert (tmp_path / "log.csv").read_text() == HEADER + ROWS


def test_a_sample_that_is_there_twice_just_the_same_is_counted_once_and_more_are_refused(file):
    path = file(HEADER + ROWS + "m,q1,1,1\n")
    with pytest.warns(
        UserWarning, match="row 3: .* stands in row 1 already, just the same, and is left out; 1 such in all"
    ):
        assert read(path).frame["sample"].to_list() == [1, 2]
    for text, options in ((ROWS + "m,q1,1,1\n", {"strict": True}), (ROWS + ROWS, {})):
        with pytest.raises(MooInferError, match=r"sample 1 stands in row 1 already, [12] such in all"):
            read(file(HEADER + text), **options)


def test_the_order_of_rows_does_not_matter_within_a_question(file):
    rows = ["b,q2,1,1", "b,q2,2,0", "b,q1,1,1", "a,q2,1,0", "a,q2,10,1"]
    straight = read(file(HEADER + "\n".join(rows), "straight.csv"))
    mixed = read(file(HEADER + "\n".join(rows[i] for i in (1, 4, 2, 3, 0)), "mixed.csv"))
    assert mixed.frame.equals(straight.frame)


def test_several_files_and_names_for_their_models(file, tmp_path, monkeypatch):
    one, two = file(HEADER + ROWS, "one.csv"), file(HEADER + "m,q1,3,1\n", "two=2.csv")
    assert [s.n.tolist() for s in read(one, two).samples()] == [[3]]
    named = read(f"low effort={one}", f"high={two}", str(two))
    assert [s.model for s in named.samples()] == ["low effort", "high", "m"]
    assert [source.file for source in named.sources] == [str(one), str(two), str(two)]
    monkeypatch.chdir(tmp_path)
    assert read("two=2.csv").samples()[0].model == "m"
    assert read_log("one.csv", registry=REGISTRY).samples()[0].model == "m"
    with pytest.raises(MooInferError, match=r"x=none\.csv: no such file"):
        read("x=none.csv")
    with pytest.raises(MooInferError, match="the name before = is blank"):
        read(f" ={one}")
    with pytest.raises(MooInferError, match="m= names one model, but the file has 2: b, a"):
        read(f"m={file(HEADER + 'b,q,1,1' + chr(10) + 'a,q,1,1')}")
    with pytest.raises(MooInferError, match="no log was given"):
        read()


def test_names_are_text_whatever_is_in_them(file):
    names = ["../../etc/passwd", "[bold]x[/bold]", "=1+1", "a\nb", "<b>"]
    rows = [{"model": name, "question_id": name, "sample": 0, "correct": 1} for name in names]
    samples = read(file("".join(json.dumps(row) + "\n" for row in rows), "l[og]*.jsonl")).samples()
    assert [s.model for s in samples] == names
    assert [s.questions for s in samples] == [(name,) for name in names]


def test_answers_of_a_million_characters(file):
    long = ["x" * 1_000_000 + end for end in "aba"]
    rows = [{"model": "m", "question_id": "q", "sample": i, "correct": 1, "answer": a} for i, a in enumerate(long)]
    (samples,) = read(file("".join(json.dumps(row) + "\n" for row in rows), "log.jsonl")).samples()
    assert samples["answer"].tolist() == [0, 1, 0]


@dataclass(frozen=True)
class Marks(LogReader):
    """Plus and minus."""

    name = "marks"
    given: object = None

    def recognises(self, head, path, /):
        return set(head) <= set(b"+- model,question_id,sample,correct\n")

    def read(self, path, /):
        if callable(self.given):
            return self.given()
        return [
            {"model": "pupil", "question_id": "q", "sample": i, "correct": mark == "+"}
            for i, mark in enumerate(path.read_text().split())
        ]


def test_a_reader_of_ones_own(file):
    class Plugin:
        @hookimpl
        def register_log_readers(self):
            return [Marks]

    registry = Registry(Plugin(), entry_points=False)
    for options in ({}, {"format": "marks"}, {"format": Marks()}):
        log = read_log(file("+ - +"), registry=registry, **options)
        assert log.samples()[0].correct.tolist() == [1, 0, 1]
        assert log.sources[0].format == "marks"
    with pytest.raises(MooInferError, match=r"log\.csv: may be marks or table; name its format"):
        read_log(file("model,question_id"), registry=registry)
    with pytest.raises(MooInferError, match="unknown log reader 'mark'; available: marks, "):
        read_log(file("+"), format="mark", registry=registry)
    with pytest.raises(MooInferError, match="format: must be text or a LogReader object or None, got 5"):
        read_log(file("+"), format=5, registry=registry)


def rows_of(**columns):
    row = {"model": "m", "question_id": "q", "correct": 1}
    return [
        row | {"sample": i} | dict(zip(columns, values, strict=True))
        for i, values in enumerate(zip(*columns.values(), strict=True))
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: [][0], "log reader 'marks' fails: IndexError: list index out of range"),
        (lambda: 5, "log reader 'marks' must return rows or a lazy frame, got int"),
        (lambda: "no", "log reader 'marks' must return rows or a lazy frame, got str"),
        (lambda: iter([5]), "row 1: must be a mapping, got 5"),
        (list, "holds no samples"),
        (
            lambda: [{"model": "m", "right": 1}],
            "missing question_id, correct; columns: model, right; is right meant? --column correct=right",
        ),
        (lambda: rows_of(score=["bad", "good"]), "score: must be a finite number, got 'bad'"),
        (lambda: rows_of(correct=[7, 3]), "row 1 (question 'q'): correct: the score 7 is neither right nor wrong"),
        (lambda: pl.LazyFrame({"model": ["m"]}), "missing question_id, correct; columns: model"),
    ],
)
def test_what_a_reader_gives_is_checked(file, given, message):
    with pytest.raises(MooInferError, match=re.escape(message)):
        read_log(file("+"), format=Marks(given), registry=REGISTRY)


def test_rows_may_differ_in_their_keys_and_types(file):
    rows = [
        *rows_of(correct=[True, 0, None, "true"]),
        {"question_id": 7, "model": "m", "sample": 4, "correct": 1, "score": 2},
    ]
    frame = read_log(file("+"), format=Marks(lambda: iter(rows)), registry=REGISTRY).frame
    assert frame["correct"].to_list() == [True, False, None, True, True]
    assert frame["score"].to_list() == [None] * 4 + [2.0]


def test_a_million_rows_need_no_sorting_where_they_are_in_order(file, monkeypatch):
    """What makes reading fast: rows in order are not sorted; where they are not, they are."""
    sorted_by = []
    monkeypatch.setattr(module.np, "lexsort", lambda keys: sorted_by.append(1) or np.argsort(keys[1] * 10 + keys[0]))
    read(file(HEADER + "m,q2,1,1\nm,q2,2,1\nm,q1,1,1\nn,q2,1,1\n"))
    assert not sorted_by
    read(file(HEADER + "m,q2,1,1\nm,q1,1,1\nm,q2,2,1\n"))
    assert sorted_by


def test_a_reader_that_fails_to_recognise_is_named(file):
    class Careless(Marks):
        name = "careless"

        def recognises(self, head, path, /):
            return head[10**6]

    class Plugin:
        @hookimpl
        def register_log_readers(self):
            return [Careless]

    with pytest.raises(MooInferError, match="log reader 'careless' fails: IndexError: index out of range"):
        read_log(file(HEADER), registry=Registry(Plugin(), entry_points=False))


def test_the_format_may_be_an_object(file):
    assert read_log(file(HEADER + ROWS), format=Table(), registry=REGISTRY).sources[0].rows == 2


def test_the_runs_of_epoch_ai(data, tmp_path):
    """Counted as its own reports count: samples that were scored, and the share of them that is right."""
    source = data / "epoch_gpqa"
    columns = {
        "run_id": "model",
        "epoch": "sample",
        "tokens_out_billed": "output_tokens",
        "working_time_s": "latency_s",
    }
    kept = ["model", "question_id", "sample", "correct", "answer", "output_tokens", "latency_s"]
    table = pl.read_csv(source / "samples_gpqa_diamond.csv.gz", infer_schema=False).rename(columns).select(kept)
    table.write_csv(tmp_path / "log.csv")
    log = read(tmp_path / "log.csv")
    runs = {run["run_id"]: run for run in pl.read_csv(source / "runs.csv", infer_schema=False).iter_rows(named=True)}
    assert {samples.model for samples in log.samples()} == set(table["model"])
    assert len(log.samples()) > 60
    for samples in log.samples():
        run = runs[samples.model]
        assert len(samples) == int(run["n_samples"])
        assert len(samples.scored) == int(run["n_scored"])
        assert samples.right.sum() == int(run["n_correct"])
        with_tokens = np.isfinite(samples.columns.get("output_tokens", np.array([]))).sum()
        assert with_tokens == int(run["n_with_tokens"])
