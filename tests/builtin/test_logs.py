import gzip
import json
import re
from pathlib import Path

import pytest

from moo_infer import MooInferError, Registry
from moo_infer.builtin.logs import Table
from moo_infer.calibrate import read_log
from moo_infer.core.files import called_after

FIXTURES = Path(__file__).parents[1] / "fixtures" / "logs"
REGISTRY = Registry(entry_points=False)
PLUS, HUMAN = FIXTURES / "toy_eval_results.json", FIXTURES / "toy_samples.jsonl_results.jsonl"


def read(path, format=None):
    return read_log(path, format=format, registry=REGISTRY)


def right(path, format=None):
    """Model, and whether each of the two samples of the three tasks is right."""
    (samples,) = read(path, format).samples()
    assert samples.questions == ("Toy/0", "Toy/1", "Toy/2")
    return samples.model, samples.correct.reshape(3, 2).tolist()


@pytest.mark.parametrize(
    "content", [b"model,sample", b'{"model": 1, "correct": 0', b'"question_id", correct ,x\n1,2,3']
)
def test_a_table_is_recognised_by_two_of_its_columns(content):
    assert Table().recognises(content, Path("x"))


@pytest.mark.parametrize(
    "content", [b"model,score", b'{"model": 1}', b"model;sample;correct", b"PK\x03\x04", b"\x00\xff"]
)
def test_other_things_are_no_table(content):
    assert not Table().recognises(content, Path("x"))


def test_the_results_of_humaneval():
    assert right(HUMAN) == ("toy", [[1, 0], [1, 1], [0, 0]])


def test_lines_of_one_task_are_its_samples_wherever_they_stand(tmp_path):
    lines = HUMAN.read_text().splitlines()
    (tmp_path / "x.jsonl").write_text("\n".join(lines[i] for i in (3, 0, 1, 5, 2, 4)))
    assert right(tmp_path / "x.jsonl") == ("x", [[0, 1], [1, 1], [0, 0]])


def test_a_long_program_is_recognised_too(tmp_path):
    line = json.dumps({"task_id": "t", "completion": "x" * 20_000, "result": "timed out", "passed": False})
    with gzip.open(tmp_path / "samples.jsonl.gz", "wt") as file:
        file.write(line)
    (samples,) = read(tmp_path / "samples.jsonl.gz").samples()
    assert (samples.model, samples.correct.tolist()) == (tmp_path.name, [0])


def test_programs_that_were_not_scored_are_refused(tmp_path):
    line = '{"task_id": "t", "completion": ""}\n'
    (tmp_path / "x.jsonl").write_text('{"task_id": "t", "completion": "", "passed": true}\n' + line * 2)
    with pytest.raises(MooInferError, match=r"x\.jsonl: line 2, line 3: passed is neither true nor false; only scored"):
        read(tmp_path / "x.jsonl")


def test_the_results_of_evalplus():
    assert right(PLUS) == ("toy", [[1, 0], [0, 0], [0, 0]])
    assert right(PLUS, "evalplus:tests=base") == ("toy", [[1, 0], [1, 1], [0, 0]])
    assert right(PLUS, "evalplus:tests=plus") == right(PLUS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:500], "is no JSON, or is cut off: .* in line 1"),
        (lambda text: re.sub('"plus_status": "[a-z]+"', '"plus_status": null', text), "only base tests were run; .*evalplus:tests=base"),
        (lambda text: text.replace('"base_status"', '"status"'), "Toy/0, sample 1, .*: has no status: were its tests run"),
        (lambda text: text[: text.index("[")] + '[]}}', "holds no samples"),
    ],
)  # fmt: skip
def test_what_is_refused_in_the_results_of_evalplus(tmp_path, change, message):
    (tmp_path / "x.json").write_text(change(PLUS.read_text()))
    with pytest.raises(MooInferError, match=rf"x\.json: {message}"):
        read(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-4_samples.jsonl_results.jsonl", "gpt-4"),
        ("a.b-1.5_eval_results.json", "a.b-1.5"),
        ("samples.jsonl_results.jsonl.gz", "folder"),
        ("eval_results.json", "folder"),
        ("mysamples.jsonl", "mysamples"),
    ],
)
def test_models_are_called_as_their_files(tmp_path, name, model):
    assert called_after(tmp_path / "folder" / name) == model
