"""The log of a run that decided as answers came, on command lines."""

import json

import pytest

HEADER = "model,question_id,sample,correct,answer,wave,why,input_tokens,output_tokens\n"


@pytest.fixture
def log(tmp_path):
    """A cascade: two samples of one model, and where they differ a third, and one of another."""
    rows = [HEADER]
    for q in range(24):
        second = "no" if q % 3 == 0 else "yes"
        rows += [
            f"small,q{q},0,1,yes,0,,100,{20 + q}\n",
            f"small,q{q},1,{int(second == 'yes')},{second},0,,100,{30 + q}\n",
        ]
        if q % 3 == 0:
            rows += [f"small,q{q},2,1,yes,1,,100,40\n", f"large,q{q},0,1,yes,2,,100,50\n"]
    path = tmp_path / "log.csv"
    path.write_text("".join(rows))
    return path


def test_calibrate_refuses_a_model_whose_questions_answers_chose_and_goes_on(cli, log, tmp_path):
    prices = ("--price", "small=1e-7,1e-6", "--price", "large=1e-6,1e-5", "--free", "large")
    out = tmp_path / "profiles.yaml"
    code, text, err = cli("calibrate", log, "--bootstrap", "20", *prices, "--out", out)
    assert (code, err) == (0, "")
    words = " ".join(text.split())
    assert "No profile of large: all its samples are of later waves than 0: the answers of another model chose" in words
    assert "large:" not in out.read_text().replace("of large: all", "")
    code, text, _ = cli("calibrate", log, "--bootstrap", "20", "--json")
    document = json.loads(text)
    assert [model["model"] for model in document["models"]] == ["small"]
    (refused,) = document["refused"]
    assert refused["model"] == "large"
    assert "nothing is estimated of it and it is not compared" in refused["reason"]


def test_a_table_has_all_rows_and_says_the_same(cli, log, tmp_path):
    table = tmp_path / "table.jsonl"
    code, text, _ = cli("calibrate", log, "--bootstrap", "20", "--table", table)
    assert code == 0
    assert len(table.read_text().splitlines()) == 24 * 2 + 8 * 2
    again = cli("calibrate", table, "--bootstrap", "20")[1]
    assert again.strip() == text.split("Written: ")[0].strip()


def test_compare_leaves_out_a_model_whose_questions_answers_chose(cli, log):
    code, text, err = cli("compare", log, "--bootstrap", "50", "--json")
    assert (code, err) == (0, "")
    document = json.loads(text)
    assert document["models"] == ["small"]
    assert any(note.startswith("large: all its samples are of later waves") for note in document["notes"])
    code, _, err = cli("compare", log, "--k", "1")
    assert code == 2
    assert "compare: needs two models, or answers of one to vote on; large: all its samples are of later waves" in err


@pytest.mark.parametrize("command", ["calibrate", "compare"])
def test_one_refusal_says_that_nothing_is_left(cli, log, tmp_path, command):
    code, out, err = cli(command, log, "--model", "large")
    assert (code, out) == (2, "")
    assert err.startswith(
        "moo-infer: large: all its samples are of later waves than 0: the answers of another model chose"
    )
    assert len(err.splitlines()) == 1
    cancelled = tmp_path / "cancelled.csv"
    cancelled.write_text(HEADER + "m,q,0,1,yes,0,,1,1\nm,q,1,,,0,cancelled,1,\n")
    code, _, err = cli(command, cancelled)
    assert code == 2
    assert err.startswith("moo-infer: m: all its 1 questions have a cancelled call: answers decided which calls ended")


def test_a_profile_may_draw_from_such_a_log_itself_and_says_what_is_left_out(cli, log, tmp_path):
    models = tmp_path / "my.yaml"
    part = "{kind: linear-cost, usd_per_input_token: 1.0e-7, usd_per_output_token: 1.0e-6}"
    entry = "  {0}: {{inference: {{kind: empirical, samples: log.csv, model: {0}}}, costs: [{1}]}}\n"
    models.write_text("models:\n" + entry.format("small", part))
    code, text, _ = cli("recommend", "--models", models, "--max-cost", "1", "--k-max", "2", "--stability", "5")
    assert code == 0
    assert "small: 8 of 56 samples are of later waves, which earlier answers decided on," in text
    models.write_text("models:\n" + entry.format("small", part) + entry.format("large", part))
    code, _, err = cli("recommend", "--models", models, "--max-cost", "1")
    assert code == 2
    assert "large: all its samples are of later waves" in err
