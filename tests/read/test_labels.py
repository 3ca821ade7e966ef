"""Labels of questions: which columns of a log are such, through tables, readers, several files and profiles."""

import json
import warnings
from pathlib import Path

import polars as pl
import pytest

from moo_infer import MooInferError, Samples, load_models
from moo_infer.calibrate import calibrated, read_log, save

QUESTIONS = 8
LOGS = Path(__file__).parent.parent / "fixtures" / "logs"
LONG = "A prompt that is as long as prompts are, which is longer than any label is by far."


def rows(**extra):
    """Two samples of each question of a model; `extra` gives a column by the number of a question and of a sample."""
    numbers = [(q, i) for q in range(QUESTIONS) for i in range(2)]
    return [
        {"model": "m", "question_id": f"q{q}", "sample": i, "correct": (q + i) % 2}
        | {name: of(q, i) for name, of in extra.items()}
        for q, i in numbers
    ]


def write(path, records):
    frame = pl.DataFrame(records, infer_schema_length=None)
    if path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        path.write_text(json.dumps(records))
    return path


def labels(path):
    (samples,) = read_log(path).samples()
    return {name: list(values) for name, values in samples.labels.items()}


TASKS = ["sums" if q < 4 else "law" for q in range(QUESTIONS)]


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.json", "log.parquet"])
def test_short_texts_and_whole_numbers_of_questions_are_labels_and_prompts_are_not(tmp_path, name):
    path = write(
        tmp_path / name,
        rows(
            task=lambda q, i: TASKS[q],
            grade=lambda q, i: q % 3,
            prompt=lambda q, i: "2 + 2?",
            stem=lambda q, i: LONG,
            hint=lambda q, i: f"hint {q}",
            worker=lambda q, i: f"w{i}",
            reward=lambda q, i: "0.5" if q % 2 else "0.25",
            subject_name=lambda q, i: TASKS[q],
            author_name=lambda q, i: TASKS[q],
        ),
    )
    assert labels(path) == {"task": TASKS, "grade": [str(q % 3) for q in range(QUESTIONS)], "subject_name": TASKS}


@pytest.mark.parametrize("blank", [None, "", "NaN", " "])
@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet"])
def test_blank_labels_are_unknown_and_a_question_has_one_label_in_all_rows(tmp_path, name, blank):
    path = write(tmp_path / name, rows(task=lambda q, i: blank if q == 0 or i == 1 else TASKS[q]))
    assert labels(path) == {"task": ["", *TASKS[1:]]}


def test_names_that_mean_a_label_may_have_a_value_for_every_question(tmp_path):
    path = write(tmp_path / "log.csv", rows(task=lambda q, i: f"task {q}", kind=lambda q, i: f"kind {q}"))
    assert [*labels(path)] == ["task"]


def test_a_label_that_differs_among_the_rows_of_a_question_is_said_and_left_out(tmp_path):
    path = write(tmp_path / "log.csv", rows(kind=lambda q, i: "odd" if (q, i) == (2, 1) else TASKS[q]))
    with pytest.warns(UserWarning, match="kind differs among the rows of question 'q2', 1 of 8: these questions have"):
        assert labels(path)["kind"][:4] == ["sums", "sums", "", "sums"]
    path = write(tmp_path / "log.csv", rows(task=lambda q, i: f"t{i}"))
    with pytest.warns(UserWarning, match="7 others, 8 of 8: it is no label here; where question_id begins anew"):
        assert labels(path) == {}


def test_labels_of_several_files_are_joined(tmp_path):
    first = write(tmp_path / "first.csv", rows(task=lambda q, i: TASKS[q]))
    second = write(tmp_path / "second.csv", [row | {"model": "other"} for row in rows()])
    assert [of.labels["task"] for of in read_log([first, second]).samples()] == [tuple(TASKS)] * 2


@pytest.mark.parametrize("name", ["table.csv", "table.jsonl", "table.parquet"])
def test_labels_survive_the_neutral_table(tmp_path, name):
    path = write(tmp_path / "log.csv", rows(task=lambda q, i: TASKS[q], level=lambda q, i: q % 2))
    read_log(path).write(tmp_path / name)
    assert labels(tmp_path / name) == labels(path)
    assert [*labels(path)] == ["task", "level"]


def test_labels_are_in_the_profile(tmp_path):
    path = write(tmp_path / "log.csv", rows(task=lambda q, i: TASKS[q], level=lambda q, i: q % 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(calibrated(read_log(path)), tmp_path / "profiles.yaml")
    (profile,) = load_models(tmp_path / "profiles.yaml").values()
    assert {name: list(values) for name, values in profile.queries.samples.labels.items()} == labels(path)


def test_samples_of_some_questions_keep_their_labels():
    samples = Samples("m", ["a", "b"], [0, 0, 1], [1.0, 0.0, 1.0], labels={"task": ["x", "y"]})
    assert dict(samples.where(samples.question == 1).labels) == {"task": ("y",)}
    with pytest.raises(MooInferError, match="m: the label task must have 2 values, got 1"):
        Samples("m", ["a", "b"], [0, 1], [1.0, 0.0], labels={"task": ["x"]})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "path", [*sorted(LOGS.glob("lm-eval/*/samples_*.jsonl"))[:1], LOGS / "arithmetic.eval"], ids=str
)
def test_readers_that_know_the_task_give_it(path):
    (samples,) = read_log(path).samples()
    assert samples.labels["task"] == tuple(name.partition(":")[0] for name in samples.questions)
