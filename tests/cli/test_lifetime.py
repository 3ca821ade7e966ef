"""The command lifetime, on a small file and on the strategies of a study."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from moo_infer import Pipeline, load_models
from moo_infer.cli.app import run
from moo_infer.decide.lifetime import break_even

DATA = os.environ.get("MOO_INFER_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="MOO_INFER_DATA is not set: the study's figures are not there")

SMALL = """
models:
  bought:
    inference: &half {kind: gaussian, tokens_in_mean: 0, tokens_in_std: 0, tokens_out_mean: 1, tokens_out_std: 0,
                      accuracy_mean: 0.5, accuracy_std: 0}
    costs: [{kind: linear-cost, usd_per_input_token: 0, usd_per_output_token: 0.03}]
  trained:
    inference: *half
    costs:
      - {kind: linear-cost, usd_per_input_token: 0, usd_per_output_token: 0.01}
      - {kind: fixed-cost, per_deployment: {low: 500, high: 1500}}
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    return ["--models", "small.yaml", "--aggregator", "one-call", "--k", "1"]


def asked(capsys, *arguments, code=0):
    assert run(["lifetime", *arguments]) == code
    return capsys.readouterr()


def test_it_says_which_row_is_the_cheapest_for_how_many_queries(small, capsys):
    found = json.loads(asked(capsys, *small, "--json").out)
    first, second = found["segments"]
    assert (first["from"], first["row"]["model"]) == (0, "bought")
    assert first["to"] == second["from"] == pytest.approx(50_000)
    assert (second["to"], second["row"]["model"]) == (None, "trained")
    assert second["interval"] == pytest.approx([26_250, 73_750], rel=0.05)
    assert second["row"]["per_deployment"] == 1000
    assert second["row"]["per_query"] == pytest.approx(0.01)
    assert found["break_even"][0]["queries"] == pytest.approx(50_000)
    assert json.loads(asked(capsys, *small, "--json", "--draws", "0").out)["segments"][1]["interval"] is None


def test_its_text_names_both_and_the_break_even(small, capsys):
    text = " ".join(asked(capsys, *small).out.split())
    assert "bought, one-call, k = 1, up to 50000 queries. trained, one-call, k = 1, from 50000 queries on." in text


def test_limits_hold_for_what_a_query_pays_of_both(small, capsys):
    found = json.loads(asked(capsys, *small, "--json", "--max-cost", "0.02").out)
    assert [(s["from"], s["row"]["model"]) for s in found["segments"]] == [(pytest.approx(1e5), "trained")]
    out = asked(capsys, *small, "--min-accuracy", "0.9", code=3).out
    assert "No row meets the limits, however many queries there are." in " ".join(out.split())


def test_all_forms_of_files_and_the_picture_are_written(small, capsys):
    names = ["life.json", "life.csv", "life.parquet", "life.html", "life.md"]
    out = asked(capsys, *small, "--json", *(f"--out={name}" for name in names), "--plot", "pictures")
    assert json.loads(Path("life.json").read_text()) == json.loads(out.out)
    assert all(Path(name).stat().st_size for name in names)
    assert [path.name for path in Path("pictures").glob("*.png")] == ["no-limits_lifetime.png"]


def test_a_run_that_was_written_down_is_repeated(small, capsys):
    asked(capsys, *small, "--write-run", "again.yaml", "--max-cost", "0.02")
    first = asked(capsys, *small, "--max-cost", "0.02").out
    assert asked(capsys, "--models", "again.yaml").out == first


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--of", "latency"], "unknown --of 'latency'"),
        (["--of", "compute"], "unknown objective 'compute'"),
        (["--min-accuracy", "2"], "limit on accuracy: must be in [0, 1]"),
        (["--format", "png"], "give --plot DIR"),
        (["--out", "life.txt"], "must end in one of"),
    ],
)
def test_what_it_cannot_do_is_refused_in_a_sentence(small, capsys, arguments, why):
    assert why in asked(capsys, *small, *arguments, code=2).err


def test_without_what_is_paid_once_it_says_that_the_number_changes_nothing(small, capsys):
    text = " ".join(asked(capsys, *small, "--model", "bought").out.split())
    assert "at every number of queries" in text
    assert "the number of queries changes nothing" in text


@pytest.fixture
def study(tmp_path):
    """The 16 options of the study, a model each."""
    models = {}
    for row in options():
        models[f"{row['checkpoint']} {row['strategy']} {row['model']}"] = {
            "inference": {
                "kind": "gaussian", "tokens_in_mean": 0, "tokens_in_std": 0, "tokens_out_std": 0, "accuracy_std": 0,
                "tokens_out_mean": float(row["words_per_request"]), "accuracy_mean": float(row["score"]),
            },
            "costs": [
                {"kind": "linear-flops", "active_parameters": float(row["n_params"]), "count_prompt": False},
                {"kind": "fixed-cost", "objective": "compute", "per_deployment": float(row["train_flops"])},
            ],
        }  # fmt: skip
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({"models": models}))
    return path


def options():
    with (Path(str(DATA)) / "strategies" / "options.csv").open() as file:
        return list(csv.DictReader(file))


@needs_data
@pytest.mark.parametrize(
    ("score", "breaks", "names"),
    [
        (".30", ["5.331061e+12"], ["step48000-tokens100B standard", "step954000-tokens2000B standard"]),
        (".305", ["1.342908e+12"], ["step477000-tokens1000B standard", "step954000-tokens2000B standard"]),
        (".33", [], ["main cot"]),
    ],
)
def test_the_envelope_of_the_study(study, capsys, score, breaks, names):
    flags = ["--models", str(study), "--of", "compute", "--min", f"accuracy={score}", "--aggregator", "one-call"]
    found = json.loads(asked(capsys, *flags, "--k", "1", "--json").out)["segments"]
    assert [f"{s['from']:.6e}" for s in found[1:]] == breaks
    assert [s["row"]["model"] for s in found] == [f"{name} OLMo-1B-0724-hf" for name in names]
    totals = {tuple(s["row"][key] for key in ("per_deployment", "per_query")) for s in found}
    known = {(float(o["train_flops"]), float(o["flops_per_request"])) for o in options()}
    assert all(any(np.allclose(each, of, rtol=1e-9) for of in known) for each in totals)


@needs_data
def test_six_options_of_the_study_are_on_the_front(study):
    table = Pipeline("one-call", k=[1]).candidates(load_models(study).values())
    assert len(table.front) == 6


@needs_data
def test_break_even_of_chain_of_thought_against_training_on():
    """Training on until the model is as good, by a regression of the scores of the family on the logarithm of FLOP."""
    olmo = {(o["checkpoint"], o["strategy"]): o for o in options() if o["family"] == "olmo"}
    family = [key for key in olmo if key[1] == "standard"]
    known = {key: {name: float(olmo[key][name]) for name in FIGURES} for key in olmo}
    train = np.log([known[key]["train_flops"] for key in family])
    main, cot = known["main", "standard"], known["main", "cot"]

    def queries(scores, score):
        b, a = np.polyfit(train, scores, 1)
        goal = np.exp((score - a) / b)
        each = main["flops_per_request"], cot["flops_per_request"]
        return break_even(main["train_flops"], each[1], goal, each[0])

    scores = np.array([known[key]["score"] for key in family])
    assert f"{float(queries(scores, cot['score'])):.6e}" == "7.449830e+12"
    for key, value in known.items():
        if key[1] == "cot" and key[0] in ("step477000-tokens1000B", "step954000-tokens2000B"):
            own = known[key[0], "standard"]
            assert _against(own, value, np.polyfit(train, scores, 1)) == np.inf
    rng = np.random.default_rng(0)
    noise = np.array([known[key]["score_se"] for key in family])
    drawn = [
        float(queries(rng.normal(scores, noise), rng.normal(cot["score"], cot["score_se"]))) for _ in range(20_000)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert low == pytest.approx(8.1e11, rel=0.05)
    assert high == pytest.approx(6.9e13, rel=0.05)
    alone = [float(queries(scores, score)) for score in rng.normal(cot["score"], cot["score_se"], 20_000)]
    assert np.quantile(alone, [0.025, 0.975]) == pytest.approx([1.5e12, 2.8e13], rel=0.05)


FIGURES = ("score", "score_se", "train_flops", "flops_per_request")


def _against(own, other, fit):
    goal = np.exp((other["score"] - fit[1]) / fit[0])
    return break_even(own["train_flops"], other["flops_per_request"], goal, own["flops_per_request"])
