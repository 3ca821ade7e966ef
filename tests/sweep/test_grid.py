"""The section grid: of a file: what it may hold, and where its paths lead."""

import pytest

from moo_infer import MooInferError
from moo_infer.sweep.grid import Grid, changed

DOCUMENT = {
    "models": {
        "gpt-4.1": {"parallelism": 2, "costs": [{"kind": "linear-cost", "usd": 1}, {"kind": "loaded", "load": 5}]},
        "gpt-4": {"costs": [{"kind": "linear-cost", "usd": 3}]},
    },
    "scenarios": {"chat": {"max": {"cost": 0.1}}},
}


def of(section):
    return Grid.of(section, ["models", "scenarios"], ["seed", "max_cost"], "f.yaml: grid")


def test_the_last_setting_changes_fastest():
    grid = of({"seed": [0, 1], "max_cost": [0.1, 0.2]})
    assert len(grid) == 4
    assert [(p["seed"], p["max_cost"]) for p in grid.points()] == [(0, 0.1), (0, 0.2), (1, 0.1), (1, 0.2)]


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (None, "f.yaml: grid: must be a mapping of settings and lists of values, got None"),
        ({}, "f.yaml: grid: must be a mapping of settings and lists of values, got {}"),
        ([1], "f.yaml: grid: must be a mapping of settings and lists of values, got [1]"),
        ({1: [2]}, "f.yaml: grid: 1: must be the name of a setting"),
        ({"sed": [1]}, "unknown setting 'sed'; did you mean 'seed'? allowed: seed, max_cost, and paths such as"),
        ({"model.a": [1]}, "f.yaml: grid: model.a: unknown section 'model'; available: models, scenarios"),
        ({"seed": []}, "f.yaml: grid: seed: must be a list of at least one value, got []"),
        ({"seed": 3}, "f.yaml: grid: seed: must be a list of at least one value, got 3"),
        ({"seed": [1, 2, 1]}, "f.yaml: grid: seed: the value 1 stands there twice"),
        ({"seed": [None, None]}, "f.yaml: grid: seed: the value None stands there twice"),
        ({"seed": [float("nan")]}, "f.yaml: grid: seed: must be texts, finite numbers, lists or mappings, got nan"),
        (
            {"seed": [*range(1001)], "max_cost": [*range(1000)]},
            "f.yaml: grid: must have at most 1,000,000 points, has 1,001,000",
        ),
    ],
)
def test_what_is_no_grid_is_refused(section, sentence):
    with pytest.raises(MooInferError) as error:
        of(section)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("models.gpt-4.1.parallelism", lambda d: [d["models"]["gpt-4.1"]["parallelism"]]),
        ("models.gpt-4.parallelism", lambda d: [d["models"]["gpt-4"]["parallelism"]]),
        ("models.gpt-4.1.costs[1].load", lambda d: [d["models"]["gpt-4.1"]["costs"][1]["load"]]),
        ("models.gpt-4.1.costs.loaded.load", lambda d: [d["models"]["gpt-4.1"]["costs"][1]["load"]]),
        ("models.*.costs.linear-cost.usd", lambda d: [m["costs"][0]["usd"] for m in d["models"].values()]),
        ("models.*.costs.loaded.load", lambda d: [d["models"]["gpt-4.1"]["costs"][1]["load"]]),
        ("models.*.costs[*].more", lambda d: [c["more"] for m in d["models"].values() for c in m["costs"]]),
        ("models.gpt-4.costs[0]", lambda d: d["models"]["gpt-4"]["costs"]),
        ("scenarios.chat.max.cost", lambda d: [d["scenarios"]["chat"]["max"]["cost"]]),
        ("scenarios.chat.min", lambda d: [d["scenarios"]["chat"]["min"]]),
    ],
)
def test_a_path_leads_to_entries_and_nothing_else_changes(path, where):
    before = repr(DOCUMENT)
    new = changed(DOCUMENT, {path: 7}, "here")
    assert where(new)
    assert set(where(new)) == {7}
    assert repr(DOCUMENT) == before


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("models.gpt-5.parallelism", "here: models.gpt-5.parallelism: leads nowhere: there is no 'gpt-5' in models"),
        ("models.gpt-4.costs[3].usd", "there is no '3' in models.gpt-4.costs; there is: linear-cost"),
        ("models.gpt-4.costs.loaded.load", "there is no 'loaded' in models.gpt-4.costs; there is: linear-cost"),
        ("models.*.tools.a", "there is no 'tools' in models.*; there is: parallelism, costs"),
        ("scenarios.chat.max.cost.p95", "scenarios.chat.max.cost has no entries"),
        ("models.gpt-4.costs[1]", "there is no '1' in models.gpt-4.costs; there is: linear-cost"),
    ],
)
def test_a_path_that_leads_nowhere_says_how_far_it_leads(path, sentence):
    with pytest.raises(MooInferError) as error:
        changed(DOCUMENT, {path: 7}, "here")
    assert sentence in str(error.value)
