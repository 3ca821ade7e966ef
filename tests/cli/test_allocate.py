"""The command that chooses a policy for each class of queries under one budget."""

import json
from pathlib import Path

import pytest
import yaml

from moo_infer import MooInferError, Registry, load_models
from moo_infer.read.json_schema import json_schema
from moo_infer.read.profiles import named_classes

FLEET = Path(__file__).parents[2] / "examples" / "fleet.yaml"
USD = {"kind": "linear-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": 1e-6}
SECONDS = {"kind": "linear-latency", "seconds_per_input_token": 0, "seconds_per_output_token": 1e-3}
VOTE = {"kind": "fixed", "aggregator": "majority-vote"}
ROW = {"scenario", "model", "aggregator", "selector", "k", "parallelism", "objectives", "simulated", "warnings"}
ROW |= {"policy", "models", "calls", "waves", "endings", "per_right", "stability"}


def model(p, times=1):
    """Queries that are all alike: 1,000 tokens an inference, right with a known probability."""
    inference = {"kind": "difficulty-classes", "shares": [1], "p": [p], "tokens_in_mean": 500, "tokens_out_mean": 500}
    return {"inference": inference, "costs": [{key: v if key == "kind" else v * times for key, v in USD.items()}]}


@pytest.fixture
def fleet(tmp_path):
    """Writes a file of two models and classes, changed, and returns its path."""

    def write(change=lambda document: None, **classes):
        models = {"easy": model(0.8), "hard": model(0.6), "large-easy": model(0.9, 10), "large-hard": model(0.85, 10)}
        each = classes or {
            name: {"share": share, "models": {"small": name, "large": f"large-{name}"}, "policies": ["one", "vote"]}
            for name, share in (("easy", 0.75), ("hard", 0.25))
        }
        policies = {"one": {**VOTE, "model": "large", "k": 1}, "vote": {**VOTE, "model": "small"}}
        document = {"models": models, "policies": policies, "queries": each}
        change(document)
        path = tmp_path / "my.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    return write


@pytest.fixture
def allocated(cli, fleet):
    """The JSON of the command, on a file that is changed, with the grid 1, 3, 5."""

    def call(*options, path=None, code=0):
        given = ("--budget", "30", "--queries", "10000", "--k", "1,3,5", *options, "--json")
        got, out, err = cli("allocate", path or fleet(), *given)
        assert got == code, err
        return json.loads(out)

    return call


def vote3(p):
    return p**3 + 3 * p**2 * (1 - p)


def test_each_class_has_its_row_within_one_budget(allocated):
    found = allocated()
    easy, hard = found["choices"]["easy"], found["choices"]["hard"]
    # A sample is 1e-3 USD: 7.5 USD for one of each easy query, 3 x 7.5 for three; 25 for a large one of each hard one.
    assert (easy["model"], easy["k"], hard["model"], hard["k"]) == ("small", 3, "small", 3)
    assert found["objectives"]["accuracy"]["mean"] == pytest.approx(0.75 * vote3(0.8) + 0.25 * vote3(0.6))
    assert found["usd"] == pytest.approx(30) == sum(of["usd"] for of in found["choices"].values())
    assert found["bound"] == pytest.approx(found["objectives"]["accuracy"]["mean"])
    assert (found["gap"], found["method"], found["of"], found["schema"]) == (0, "enumeration", "queries", 1)
    assert set(easy) >= ROW
    assert (easy["share"], easy["queries"], easy["policy"]) == (
        0.75,
        7500,
        "fixed:k=3,aggregator=majority-vote,model=small",
    )
    assert {*found["shadow_prices"]} == {"cost"}


def test_a_row_has_the_keys_that_rows_of_recommend_have(allocated, cli, fleet):
    code, out, _ = cli(
        "recommend", "--models", fleet(), "--k", "1,3", "--policy", "fixed:k=3", "--json", "--model", "easy"
    )
    assert code in (0, 2)
    _, out, _ = cli("recommend", "--k", "4,8", "--model", "gpt-5", "--json")
    assert {*json.loads(out)["rows"][0]} <= {*allocated()["choices"]["easy"]}


def test_more_money_buys_the_large_model_where_it_gains_most(allocated):
    found = allocated("--budget", "60")
    assert found["choices"]["hard"]["model"] == "large"
    assert found["choices"]["easy"]["model"] == "small"
    assert found["plain"]["rows"][0]["weight"] > 0
    rows = found["mixture"]["rows"]
    assert {*rows} == {"easy", "hard"}
    assert found["mixture"]["accuracy"] >= found["bound"]
    assert sum(part["weight"] for part in rows["easy"]) == pytest.approx(1)
    assert found["plain"]["accuracy"] < found["objectives"]["accuracy"]["mean"]
    up = found["choices"]["easy"]["upgrade"]
    assert up["right_per_usd"] == pytest.approx(up["gain"] * 10_000 / up["usd"])


def test_text_says_what_each_class_takes_and_what_would_be_without_classes(cli, fleet):
    code, out, _ = cli("allocate", fleet(), "--budget", "60", "--queries", "10000", "--k", "1,3,5")
    assert code == 0
    said = " ".join(out.split())
    assert said.startswith("10,000 queries for at most 60 USD: accuracy 0.8845, 47.5 USD")
    assert "hard 2,500 large, one, k = 1 0.8500 0.01 25" in said
    assert "A better row is worth most in class" in said
    assert "Without classes, " in said
    assert "No plan is better (enumeration)" in said
    assert "Queries cost differently" not in said


def test_where_classes_gain_nothing_that_is_said(cli, fleet):
    same = {"models": {"small": "easy"}, "policies": ["vote"]}
    path = fleet(a={"share": 0.5, **same}, b={"share": 0.5, **same})
    _, out, _ = cli("allocate", path, "--budget", "30", "--queries", "10000", "--k", "1,3,5")
    said = " ".join(out.split())
    assert "Without classes, all to small, vote, k = 3: accuracy 0.8960, which does as well: classes need not" in said


def test_classes_that_share_no_row_have_nothing_to_be_compared_with(cli, fleet):
    path = fleet(
        a={"share": 0.5, "policies": [{**VOTE, "model": "easy"}]},
        b={"share": 0.5, "models": ["hard"], "policies": [VOTE]},
    )
    code, out, _ = cli("allocate", path, "--budget", "30", "--queries", "10000", "--k", "1,3")
    assert code == 0
    assert "Classes share no row within the budget" in " ".join(out.split())


def test_where_nothing_fits_the_report_says_why_with_code_3(allocated):
    found = allocated("--budget", "9.5", code=3)
    assert found["reason"] == "the budget of 9.5 USD is below the cheapest plan, which takes 10 USD"
    assert (found["choices"], found["objectives"], found["bound"], found["gap"]) == ({}, None, None, None)
    assert "class hard: nothing is feasible: accuracy" in allocated("--min-accuracy", "0.88", code=3)["reason"]


def test_limits_hold_for_every_row(allocated):
    found = allocated("--budget", "1000", "--max-cost", "0.004")
    assert all(of["objectives"]["cost"]["mean"] <= 0.004 for of in found["choices"].values())


def test_what_is_paid_once_is_in_no_figure_and_said(allocated, fleet):
    fixed = {"kind": "fixed-cost", "per_deployment": 500}
    path = fleet(lambda document: document["models"]["hard"]["costs"].append(fixed))
    found = allocated(path=path)
    assert "Class hard pays 500 USD once, which is in no figure." in found["notes"]
    assert not [note for note in found["notes"] if "Class easy" in note]
    assert found["usd"] == pytest.approx(30)


def test_files_and_a_picture_are_written(allocated, tmp_path):
    names = [f"out.{ending}" for ending in ("json", "csv", "parquet", "html", "md")]
    options = [text for name in names for text in ("--out", tmp_path / name)]
    found = allocated(*options, "--plot", tmp_path / "pictures", "--format", "svg")
    assert all((tmp_path / name).stat().st_size for name in names)
    assert json.loads((tmp_path / "out.json").read_text())["choices"] == found["choices"]
    assert (tmp_path / "out.csv").read_text().splitlines()[1].startswith("easy,")
    assert "one mixture for all" in (tmp_path / "pictures" / "allocation.svg").read_text()


def test_the_file_says_what_is_not_typed_and_a_run_is_written_down(cli, tmp_path):
    code, out, err = cli("allocate", FLEET, "--json", "--write-run", tmp_path / "again.yaml")
    assert code == 0, err
    first = json.loads(out)
    assert (first["budget_usd"], first["queries"]) == (120, 100_000)
    assert (tmp_path / "again.yaml").read_text().splitlines()[0].endswith("moo-infer allocate again.yaml")
    _, out, _ = cli("allocate", tmp_path / "again.yaml", "--json")
    again = json.loads(out)
    assert {**again, "command": None, "config": None} == {**first, "command": None, "config": None}
    assert cli("allocate", FLEET, "--budget", "40", "--json")[1] != out
    (tmp_path / "config.json").write_text(json.dumps(first))
    assert json.loads(cli("allocate", tmp_path / "config.json", "--json")[1])["choices"] == first["choices"]


def of(**changes):
    """Changes of the class `easy`; None for a key that goes."""

    def change(document):
        own = document["queries"]["easy"]
        own.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del own[key]

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (of(share=0.5), "queries: the shares must sum to 1, got 0.75"),
        (of(share=0), "my.yaml: easy: share: must be > 0, got 0"),
        (of(share=1.5), "my.yaml: easy: share: must be <= 1, got 1.5"),
        (of(share=float("nan")), "my.yaml: easy: share: "),
        (of(share="much"), "my.yaml: easy: share: must be a number, got 'much'"),
        (of(share=True), "my.yaml: easy: share: must be a number, got True"),
        (of(share=None), "my.yaml: easy: missing share; keys: share, policies, models"),
        (of(policies=None), "my.yaml: easy: missing policies"),
        (of(policies=[]), "my.yaml: easy: policies: must be a list of policies such as"),
        (of(policies="vote"), "my.yaml: easy: policies: must be a list of policies such as"),
        (of(policies=[3]), "my.yaml: easy: policies: [0]: must be a policy or the name of one, got 3"),
        (of(policies=["vot"]), "my.yaml: easy: unknown policy 'vot'; available: "),
        (of(policies=[{"kind": "fixd"}]), "my.yaml: easy: policies: [0]: unknown policy 'fixd'; available: fixed"),
        (of(policies=[{"kind": "fixed", "n": 3}]), "my.yaml: easy: policies: [0]: "),
        (of(policies=[{**VOTE, "model": "tiny"}]), "my.yaml: easy: "),
        (of(models={"small": "tiny"}), "my.yaml: easy: models: unknown model 'tiny'; available: "),
        (of(models={}), "my.yaml: easy: models: must be a list of models, or a mapping such as"),
        (of(models=["easy", "easy"]), "my.yaml: easy: models: model 'easy' is named twice"),
        (of(models=[3]), "my.yaml: easy: models: must have names of models, got 3"),
        (of(weight=3), "my.yaml: easy: unknown key 'weight'; keys: share, policies, models"),
        (lambda document: document.update(queries={}), "queries: must be a mapping of names, got {}"),
        (lambda document: document.update(queries=[1]), "queries: must be a mapping of names"),
        (lambda document: document.pop("queries"), "missing queries; a class of queries has a share and policies"),
        (
            lambda document: [of.update(costs=[SECONDS]) for of in document["models"].values()],
            "class easy: its rows need cost, which no part of them says",
        ),
    ],
)
def test_files_with_other_classes_are_refused_in_one_sentence(change, sentence, cli, fleet):
    code, out, err = cli("allocate", fleet(change), "--budget", "30", "--queries", "10000", "--k", "1,3")
    assert (code, out) == (2, "")
    assert sentence in err, err
    assert err.count("\n") == 1
    assert err.startswith("moo-infer: ")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--queries", "5"], "give --budget USD and --queries N"),
        (["--budget", "5"], "give --budget USD and --queries N"),
        (["--budget", "0", "--queries", "5"], "--budget: must be a finite number of USD > 0, got 0"),
        (["--budget", "nan", "--queries", "5"], "--budget: must be a finite number of USD > 0, got nan"),
        (["--budget", "inf", "--queries", "5"], "--budget: must be a finite number of USD > 0, got inf"),
        (["--budget", "5", "--queries", "0"], "--queries"),
        (["--budget", "5", "--queries", "5", "--out", "x.png"], "--out: x.png: must end in one of .json"),
        (["--budget", "5", "--queries", "5", "--format", "png"], "--format is about pictures; give --plot DIR"),
    ],
)
def test_options_that_cannot_be_are_refused(options, sentence, cli, fleet):
    code, out, err = cli("allocate", fleet(), *options)
    assert (code, out) == (2, "")
    assert sentence in err


def test_classes_are_read_beside_everything_else(fleet):
    path = fleet()
    classes = named_classes(path, Registry())
    assert [(name, of.share, of.models["small"]) for name, of in classes.items()] == [
        ("easy", 0.75, "easy"),
        ("hard", 0.25, "hard"),
    ]
    assert len(load_models(path)) == 4
    with pytest.raises(MooInferError, match="missing models; keys: queries"):
        load_models(path.parent / "alone.yaml") if (path.parent / "alone.yaml").write_text("queries: {}") else None


def test_the_json_schema_knows_classes():
    schema = json_schema(Registry())
    text = json.dumps(schema["properties"]["queries"]) + json.dumps(schema["$defs"])
    assert "policies" in text
    assert "share" in text


def test_stages_and_a_budget_of_classes_exclude_each_other_and_what_is_typed_wins(cli, tmp_path):
    agent = FLEET.with_name("agent.yaml")
    stages = ["--workflow", "agent", "--max-cost", "0.05", "--k-max", "2"]
    for words in (["--budget", "10"], ["--queries", "5"]):
        code, out, err = cli("allocate", agent, *stages, *words)
        assert (code, out) == (2, "")
        assert "--workflow and --budget or --queries exclude each other" in err
    path = tmp_path / "both.yaml"
    path.write_text(agent.read_text() + "\nrun: {allocate: {budget: 10, queries: 5}}\n")
    assert cli("allocate", path, *stages)[:2] == cli("allocate", agent, *stages)[:2]
    path.write_text(agent.read_text() + "\nrun: {allocate: {workflow: agent, max_cost: 0.05}}\n")
    assert "missing queries; a class of queries has a share" in cli("allocate", path, "--budget", 1, "--queries", 5)[2]
