"""Other judgements of a log, as typed: calibrate --judged, then recommend --max unsafe=..."""

import csv
import json
import re

import numpy as np
import pytest

from moo_infer import MooInferError, load_models
from moo_infer.calibrate import ProfileOptions, calibrated, read_log
from moo_infer.cli import run

NAMES = [
    "model",
    "question_id",
    "sample",
    "correct",
    "answer",
    "score",
    "output_tokens",
    "cost_usd",
    "latency_s",
    "unsafe",
    "format_ok",
    "notes",
]


def rows(Q=12, n=5, seed=0):
    rng = np.random.default_rng(seed)
    for model, p, unsafe in (("small", 0.5, 0.3), ("large", 0.8, 0.05)):
        for q, s in np.ndindex(Q, n):
            right = rng.random() < p
            yield [
                *(model, f"q{q}", s, int(right), "A" if right else rng.choice([*"BC", ""]), round(rng.random(), 2)),
                *(int(rng.integers(20, 90)), 0.001 * (1 + 9 * (model == "large")), round(1 + rng.random(), 2)),
                *(int(rng.random() < unsafe), round(rng.random(), 1), "said"),
            ]


@pytest.fixture
def written(tmp_path):
    """Writes a log, with some cells changed: (row, column) to text."""

    def write(name="log.csv", cells=None, without=()):
        table = [list(map(str, row)) for row in rows()]
        for (row, column), text in (cells or {}).items():
            table[row][NAMES.index(column)] = text
        kept = [i for i, column in enumerate(NAMES) if column not in without]
        path = tmp_path / name
        with path.open("w", newline="") as file:
            if name.endswith(".jsonl"):
                file.writelines(json.dumps({NAMES[i]: row[i] for i in kept}) + "\n" for row in table)
            else:
                csv.writer(file).writerows([[NAMES[i] for i in kept], *([row[i] for i in kept] for row in table)])
        return path

    return write


def called(capsys, *words):
    code = run([*map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_from_a_log_to_a_limit_on_what_is_unsafe(written, tmp_path, capsys):
    profiles, judged = tmp_path / "p.yaml", ["--judged", "unsafe=down", "--judged", "format_ok=up"]
    code, text, err = called(capsys, "calibrate", written(), *judged, "--out", profiles)
    assert (code, err) == (0, "")
    assert re.search(r"unsafe of the delivered answer \(down is better\): one call 0\.\d+ \[", text)
    assert "judged: {unsafe: down, format_ok: up}" in profiles.read_text()
    assert "# unsafe (down is better): one call 0." in profiles.read_text()
    code, out, err = called(capsys, "calibrate", written(), *judged, "--json")
    told = {model["model"]: model["judged"]["unsafe"] for model in json.loads(out)["models"]}
    limit = ["--max", "unsafe=0.1", "--min", "format_ok=0.2", "--stability", "20", "--json"]
    code, out, err = called(capsys, "recommend", "--models", profiles, *limit)
    assert (code, err) == (0, "")
    report = json.loads(out)
    (answer,) = report["headline"]
    assert answer["model"] == "large"
    found = answer["objectives"]["unsafe"]
    assert found["mean"] <= 0.1
    assert found["mean"] == pytest.approx(told["large"]["vote_at_k"][answer["k"] - 1], abs=1e-12)
    low, high = told["large"]["vote_at_k_interval"][answer["k"] - 1]
    assert found["interval"]["other_questions"] == pytest.approx([low, high], abs=1e-9)
    assert answer["per_right"]["unsafe"] is None
    assert {"cost", "unsafe", "format_ok"} <= {*answer["by_question"]}
    code, out, _ = called(capsys, "recommend", "--models", profiles, "--max", "unsafe=0.00001")
    assert (code, "no recommendation" in out) == (3, True)


def test_the_report_says_it_with_its_interval_and_writes_pages_and_pictures(written, tmp_path, capsys, sketches):
    profiles, page, pictures = tmp_path / "p.yaml", tmp_path / "r.html", tmp_path / "pictures"
    assert called(capsys, "calibrate", written(), "--judged", "unsafe=down", "--out", profiles)[0] == 0
    words = ["--max", "unsafe=0.2", "--policy", "first-accepted:k=3", "--trials", "300", "--stability", "20"]
    code, out, _ = called(capsys, "recommend", "--models", profiles, *words, "--out", page, "--plot", pictures)
    assert code == 0
    assert re.search(r"unsafe 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] on average", " ".join(out.split()))
    assert "Per right answer: cost" in called(capsys, "recommend", "--models", profiles, "--details")[1]
    assert '"unsafe"' in page.read_text()
    assert list(pictures.glob("*_page.png"))
    for goal in ("mixture", "max-accuracy"):
        assert called(capsys, "recommend", "--models", profiles, "--goal", goal, *words[:2])[0] == 0


def test_a_judgement_is_no_price_where_there_is_none(written, tmp_path, capsys):
    profiles = tmp_path / "p.yaml"
    log = written(without=("cost_usd", "latency_s", "output_tokens"))
    assert called(capsys, "calibrate", log, "--judged", "unsafe=down", "--out", profiles)[0] == 0
    code, out, _ = called(capsys, "recommend", "--models", profiles, "--json")
    assert (code, json.loads(out)["headline"][0]["selector"]) == (0, "max-accuracy")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["unsafe=sideways"], "--judged: must be NAME=down or NAME=up, got 'unsafe=sideways'"),
        (["unsafe"], "--judged: must be NAME=down or NAME=up, got 'unsafe'"),
        (["=down"], "--judged: must be NAME=down or NAME=up, got '=down'"),
        (["unsafe=down", "unsafe=up"], "--judged: each name is given once, got 'unsafe=up'"),
        (["nsafe=down"], "no sample has a value in a column 'nsafe'; columns beside: unsafe, format_ok, notes"),
        (["score=up"], "judged: score is a column of the neutral table"),
        (["latency=down"], "latency: a judgement needs a name of its own"),
        (["notes=up"], "row 1 (question 'q0'): notes: must be in [0, 1], true or false, or blank, got 'said'"),
        (["output_tokens=up"], "judged: output_tokens is a column of the neutral table"),
    ],
)
@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_what_is_no_judgement_is_refused_in_a_sentence(written, capsys, words, message, name):
    code, out, err = called(capsys, "calibrate", written(name), *(w for word in words for w in ("--judged", word)))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize("value", ["7", "-0.5", "maybe", "1e400"])
def test_a_value_that_is_no_judgement_is_refused_with_its_row(written, capsys, value):
    code, _, err = called(capsys, "calibrate", written(cells={(2, "unsafe"): value}), "--judged", "unsafe=down")
    assert code == 2
    assert f"row 3 (question 'q0'): unsafe: must be in [0, 1], true or false, or blank, got '{value}'" in err


def test_laws_say_nothing_of_judgements(written, capsys):
    code, _, err = called(capsys, "calibrate", written(), "--judged", "unsafe=down", "--inference", "beta")
    assert (code, "a law says nothing of how else answers are judged; take empirical" in err) == (2, True)


def test_words_and_other_names_of_columns_are_read(written, capsys):
    cells = {(row, "unsafe"): text for row, text in enumerate(("true", "FALSE", "yes", "no", "0.5", "25%"))}
    log = read_log(written(cells=cells), judged=["unsafe"])
    assert log.frame["unsafe"][:6].to_list() == [1.0, 0.0, 1.0, 0.0, 0.5, 0.25]
    named = read_log(written(), judged=["harm"], columns={"harm": "unsafe"})
    assert named.samples()[0]["harm"].tolist() == read_log(written(), judged=["unsafe"]).samples()[0]["unsafe"].tolist()


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.jsonl.gz", "log.parquet"])
def test_judgements_stay_through_every_kind_of_table(written, tmp_path, name):
    log = read_log(written(), judged=["unsafe", "format_ok"])
    log.write(tmp_path / f"again-{name}")
    again = read_log(tmp_path / f"again-{name}", judged=["unsafe", "format_ok"])
    assert again.frame.equals(log.frame)
    assert "unsafe" not in read_log(tmp_path / f"again-{name}").frame.columns


def test_few_gaps_take_the_mean_of_their_question_and_accuracy_stays_what_it_is(written, tmp_path):
    options = ProfileOptions(judged={"unsafe": "down"}, B=50)
    whole = calibrated(read_log(written(), judged=["unsafe"]), options=options)[0]
    cells = {(0, "unsafe"): "", (9, "unsafe"): ""}
    gaps = calibrated(read_log(written(cells=cells), judged=["unsafe"]), options=options)[0]
    assert "2 of 60 scored samples lack unsafe; the profile takes the mean of their question" in gaps.notes
    of = read_log(written(), judged=["unsafe"]).samples()[0]["unsafe"]
    assert gaps.kept["unsafe"][0] == pytest.approx(of[1:5].mean())
    assert gaps.summary.vote_at_k.value == pytest.approx(whole.summary.vote_at_k.value, abs=1e-12)
    assert gaps.largest_k == whole.largest_k


@pytest.mark.parametrize("lacking", [12, 60])
def test_a_judgement_that_a_model_lacks_is_left_out_of_all_and_said(written, tmp_path, lacking):
    cells = {(row, "unsafe"): "" for row in range(lacking)}
    options = ProfileOptions(judged={"unsafe": "down", "format_ok": "up"}, B=50)
    said = "unsafe is left out, because not all samples of small are judged so"
    with pytest.warns(UserWarning, match=said):
        models = calibrated(read_log(written(cells=cells), judged=["unsafe", "format_ok"]), options=options)
    for model in models:
        assert model.inference["judged"] == {"format_ok": "up"}
        assert said in model.notes


def test_a_sample_that_failed_needs_no_judgement(written):
    cells = {(0, "correct"): "", (0, "unsafe"): ""}
    options = ProfileOptions(judged={"unsafe": "down"}, B=50)
    small = calibrated(read_log(written(cells=cells), judged=["unsafe"]), options=options)[0]
    assert not [note for note in small.notes if "unsafe" in note]
    assert small.judged["unsafe"].one_call.value == pytest.approx(_of_questions(small.kept.scored, "unsafe"))


def _of_questions(samples, column):
    return np.mean([samples[column][samples.question == q].mean() for q in range(len(samples.questions))])


def test_a_log_that_was_read_without_it_is_refused(written):
    with pytest.raises(MooInferError, match=r"judged: the log was read without 'unsafe'; read_log\(judged=\['unsafe'"):
        calibrated(read_log(written()), options=ProfileOptions(judged={"unsafe": "down"}))


def test_profiles_are_read_again_and_odd_ones_refused(written, tmp_path, capsys):
    profiles = tmp_path / "p.yaml"
    called(capsys, "calibrate", written(), "--judged", "unsafe=down", "--out", profiles)
    text = profiles.read_text()
    assert load_models(profiles)["small"].inference.judged == {"unsafe": "down"}
    for given, message in (
        ("unsafe: sideways", "small: inference: judged.unsafe: must be 'down' or 'up', got 'sideways'"),
        ("toxic: down", "no sample has a value in a column 'toxic'; columns beside: notes, unsafe"),
    ):
        profiles.write_text(text.replace("unsafe: down}", f"{given}}}"))
        with pytest.raises(MooInferError, match=re.escape(message)):
            load_models(profiles)


def test_diff_tells_judgements_from_noise_as_shares(written, tmp_path, capsys):
    documents = {"recommend": [], "calibrate": []}
    for i, cells in enumerate(({}, {(row, "unsafe"): "1" for row in range(60, 65)})):
        profiles, log = tmp_path / f"{i}.yaml", written(f"{i}.csv", cells)
        judged = ["--judged", "unsafe=down"]
        out = called(capsys, "calibrate", log, *judged, "--json")[1]
        documents["calibrate"].append(out)
        called(capsys, "calibrate", log, *judged, "--out", profiles)
        limits = ["--model", "large", "--aggregator", "one-call", "--k", "1", "--json"]
        documents["recommend"].append(called(capsys, "recommend", "--models", profiles, *limits)[1])
    for command, pair in documents.items():
        files = [tmp_path / f"{command}-{i}.json" for i in range(2)]
        for file, text in zip(files, pair, strict=True):
            file.write_text(text)
        changes = json.loads(called(capsys, "diff", *files, "--json")[1])["numbers"]
        change = next(each for each in changes if each["what"] in ("unsafe", "unsafe one_call"))
        assert change["new"] > change["old"]
        assert change["low"] is not None
    assert change is not None


def test_decisions_by_label_are_judged_as_all_questions_are(written, tmp_path, capsys):
    """All questions have one label here, so that its decision is that for all."""
    profiles = tmp_path / "p.yaml"
    assert called(capsys, "calibrate", written(), "--judged", "unsafe=down", "--out", profiles)[0] == 0
    words = ["--by", "notes", "--max", "unsafe=0.2", "--stability", "5"]
    code, out, _ = called(capsys, "recommend", "--models", profiles, *words, "--json")
    (headline,), (value,) = (document := json.loads(out))["headline"], document["by"]["values"]
    assert code == 0
    assert (value["value"], value["model"], value["k"]) == ("said", headline["model"], headline["k"])
    assert value["objectives"]["unsafe"]["mean"] == pytest.approx(headline["objectives"]["unsafe"]["mean"], abs=1e-12)
    assert "unsafe" in document["by"]["gain"]
    assert called(capsys, "recommend", "--models", profiles, *words)[0] == 0
