import re
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal

import polars as pl
import pytest

from moo_infer import MooInferError, Registry
from moo_infer.calibrate import COLUMNS, Log, read_log
from moo_infer.quantities.samples import RUN

REGISTRY = Registry(entry_points=False)
HEADER = "model,question_id,sample,correct\n"
ROWS = "m,q1,1,1\nm,q1,2,0\n"
ALL = "model,question_id,sample,correct,answer,score,input_tokens,cached_input_tokens,output_tokens,reasoning_tokens,latency_s,cost_usd,energy_j,cache_write_tokens\n"


def read(*paths, **options):
    return read_log(list(paths), registry=REGISTRY, **options)


def test_the_types_are_fixed(file):
    frame = read(file(ALL + "1,2,3.0,1.0,4,5,6,0,7,1,8,9,10,2\n")).frame
    assert frame.columns == [name for name in COLUMNS if name not in ("target", "variant", *RUN)]
    text, whole, number = (pl.String, pl.String), pl.Int64, pl.Float64
    assert frame.dtypes == [*text, whole, pl.Boolean, pl.String, number, *[whole] * 5, *[number] * 3]
    assert frame.row(0)[:5] == ("1", "2", 3, True, "4")


def test_columns_that_say_nothing_are_left_out(file):
    frame = read(file("correct,score,model,answer,question_id,sample\n1,,m, ,q,0\n,,m,,q,1\n")).frame
    assert frame.columns == ["model", "question_id", "sample", "correct", "answer"]
    assert "answer" not in Log(frame).samples()[0].columns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,question_id,sample,took\nm,q,1,5\n", r"missing correct; columns: model, question_id, sample, took"),
        ("model,prompt_id,sample,Passed\nm,q,1,5\n", r"missing question_id, correct; .*; is prompt_id meant\? --column question_id=prompt_id; is Passed meant\? --column correct=Passed"),
        ("model_name,question_id,correct\nm,q,1\n", r"missing model; is model_name meant\? --column model=model_name; NAME=FILE names the model of a file"),
        (HEADER, "holds no samples"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        (HEADER + "m,q,1,C\n", r"row 1 \(question 'q'\): correct: the score 'C' is neither right nor wrong; a mark says what is right: --right-if \"== C\""),
        (HEADER + ROWS + "m,q3,1,0.5\nm,q3,2,0.7\nm,q3,3,0.2\n", r"3 of 5 samples have scores between 0 and 1: they are graded, not right or wrong; a threshold"),
        (HEADER + "m,q,,1\nm,q,,1\nm,q,1,1\n", r"row 1 \(question 'q'\), row 2 \(question 'q'\): sample is blank"),
        (HEADER + "m,q,1.5,1\n", r"sample: must be a whole number from 0 to 2.53, got '1.5'"),
        (HEADER + "m,q,1e30,1\n", r"sample: must be a whole number from 0 to 2.53, got '1e30'"),
        (HEADER + "m,q,-1,1\n", r"sample: must be a whole number from 0 to 2.53, got '-1'"),
        (HEADER + ",q,2,1\n,q,1,1\nm,q,1,1\n", r"row 1 \(question 'q'\), row 2 \(question 'q'\): model is blank"),
        (HEADER + "m, ,1,1\n", r"row 1 \(question ' '\): question_id is blank"),
        (HEADER + ROWS + "m,q1,1,0\n", r"row 3: model 'm', question 'q1', sample 1 stands in .*row 1 already, 1 such in all"),
        (ALL + "m,q,1,1,,,-5,,,,,,\n", r"input_tokens: must be a whole number from 0 to 2.53, got '-5'"),
        (ALL + "m,q,1,1,,,5.5,,,,,,\n", r"input_tokens: must be a whole number from 0 to 2.53, got '5.5'"),
        (ALL + "m,q,1,1,,,many,,,,,,\n", r"input_tokens: must be a whole number from 0 to 2.53, got 'many'"),
        (ALL + "m,q,1,1,,,,,,,-0.1,,\n", r"latency_s: must be a finite number >= 0, got '-0.1'"),
        (ALL + "m,q,1,1,,,,,,,,-1e-9,\n", r"cost_usd: must be a finite number >= 0, got '-1e-9'"),
        (ALL + "m,q,1,1,,,,,,,,,nan\n", r"energy_j: must be a finite number >= 0, got 'nan'"),
        (ALL + "m,q,1,1,,inf,,,,,,,\n", r"score: must be a finite number, got 'inf'"),
        (ALL + "m,q,1,1,,-1e300,,,,,,,\n", r"score: must be a number of at most 2.53, got '-1e300'"),
        (ALL + "m,q,1,1,,,,,,,1e300,,\n", r"latency_s: must be a number of at most 2.53, got '1e300'"),
        (ALL + "m,q,1,1,,,10,11,,,,,\n", r"cached_input_tokens = 11 is more than input_tokens = 10, which are all"),
        (ALL + "m,q,1,1,,,10,,,,,,,11\n", r"cache_write_tokens = 11 is more than input_tokens = 10, which are all"),
        (ALL + "m,q,1,1,,,10,6,,,,,,5\n",
         r"cached_input_tokens = 6 and cache_write_tokens = 5 are together more than input_tokens = 10, which are all"),
        ("model,sample,question_id,correct,model\nm,1,q,1,n\n", "the header has model twice"),
        ("a;b;c\n1;2;3\n", r"is of no known format \(it begins 'a;b;c'; columns are separated by commas\); where it is one of these, --format NAME \(format=\) reads it: bigcodebench, .*, table; of a table"),
        ('{"id": 1, "text": "x"}\n', r"is of no known format \(its keys: id, text\)"),
        (HEADER + "m,q2,1,1,7\nm,q3,1,1,8\nm,q4,1,1\n", "line 2, line 3: has 5 fields, but the header names 4"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_table(file, text, message):
    with pytest.raises(MooInferError, match=rf"log\.csv: .*{message}"):
        read(file(text))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("correct", 2, "correct: the score 2 is neither right nor wrong, not from 0 to 1; a threshold"),
        ("latency_s", float("nan"), "latency_s: must be a finite number >= 0, got nan"),
        ("latency_s", float("inf"), "latency_s: must be a finite number >= 0, got inf"),
        ("output_tokens", 2.5, "output_tokens: must be a whole number from 0 to 2.53, got 2.5"),
        ("output_tokens", -2, "output_tokens: must be a whole number from 0 to 2.53, got -2"),
        ("output_tokens", True, "output_tokens: must be numbers, got true and false"),
        ("score", [1.0], r"score: must be numbers, got lists"),
        ("correct", [True], r"correct: the score is a list of 1; name the place .*: --score-key 0"),
        ("answer", ["A"], r"answer: must be text, got lists"),
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
            "missing correct; columns: model, question_id, sample",
        ),
        ("GOOD\nGOOD\n" + '{"model": "m", "question\n', "line 3: is no JSON: Unterminated string"),
        ('{"model": "m"\n' * 2 + "GOOD\n", "line 1, line 2: is no JSON: Expecting ',' delimiter"),
        ("[GOOD,\n", "is no JSON, or is cut off"),
        ("GOOD\n" + "[1, 2]\n" * 2, r"line 2, line 3: must be a JSON object, got \[1, 2\]"),
        ("GOOD\n".replace("1, ", "-1, "), "sample: must be a whole number from 0 to 2.53, got '-1'"),
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


@pytest.mark.parametrize(
    "name", ["model", "question_id", "sample", "correct", "answer", "score", "output_tokens", "latency_s"]
)
@pytest.mark.parametrize(
    "value",
    [
        timedelta(1),
        date(2025, 1, 1),
        datetime(2025, 1, 1),
        clock(1),
        [1],
        {"a": 1},
        b"\xff",
        Decimal("1.5"),
        2**63 - 1,
        2**64 - 1,
    ],
    ids=lambda value: type(value).__name__,
)
def test_columns_of_any_type_are_read_or_refused_in_words(name, value, cli, tmp_path):
    columns = {"model": ["m"] * 4, "question_id": list("aabb"), "sample": [1, 2, 1, 2], "correct": [1, 0, 1, 1]}
    file = tmp_path / "log.parquet"
    pl.DataFrame(columns | {name: pl.Series([value] * 4)}).write_parquet(file)
    code, out, err = cli("calibrate", file, "--bootstrap", "2")
    assert code == 0 or (code == 2 and not out and len(err.splitlines()) == 1)
    assert not re.search(r"Error|datetime\.|time_unit|Int64", err)
