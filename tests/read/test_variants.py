"""The column variant: prompting strategies of a model are models of their own, on the same questions."""

import pytest

from moo_infer.calibrate import read_log

TABLE = """model,variant,question_id,sample,correct,latency_s
small,cot,q1,1,1,2
small,cot,q2,1,0,2
small,program,q1,1,0,1
small,program,q2,1,1,1
small,,q1,1,1,3
small,,q2,1,1,3
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(TABLE)
    return path


def test_variants_are_models_of_the_same_questions(table):
    samples = read_log(table).samples()
    assert [of.model for of in samples] == ["small/cot", "small/program", "small"]
    assert {tuple(of.questions) for of in samples} == {("q1", "q2")}
    assert [of["latency_s"].tolist() for of in samples] == [[2, 2], [1, 1], [3, 3]]


def test_a_new_name_of_the_model_keeps_its_variants(table):
    log = read_log(f"mine={table}")
    assert [of.model for of in log.samples()] == ["mine/cot", "mine/program", "mine"]


def test_calibrate_makes_a_profile_for_each_variant(table, tmp_path, cli):
    out = tmp_path / "profiles.yaml"
    code, _, _ = cli("calibrate", table, "--out", out)
    assert code == 0
    code, text, _ = cli(
        "recommend", "--models", out, "--model", "small/cot", "--model", "small/program", "--goal", "mixture"
    )
    assert code == 0
    assert "small/" in text
