"""The picture of policies beside static rows and their mixtures."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from moo_infer import Limit, MooInferError, Pipeline, Scenario, load_models
from moo_infer.plot.files import save
from moo_infer.plot.policies import hull, policies
from moo_infer.policy.mixture import mix


@pytest.fixture(scope="module")
def report():
    models = load_models(Path(__file__).parents[2] / "examples" / "voting.yaml")
    scenario = Scenario("tight", {"cost": 0.02}, {})
    return Pipeline(models=models, policies="menu").run(scenarios=scenario)


def test_it_has_rows_policies_mixtures_and_the_limit(report):
    figure = policies(report)
    (axes,) = figure.axes
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries[:3] == ["rows without a policy", "mixtures of these rows", "mixtures with policies"]
    assert {"decided-in-waves", "two-then-more", "two-agree"} <= {*entries}
    assert entries[-1] == "limit: mean cost ≤ 0.02 USD"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("cost (USD)", "accuracy")
    assert policies(report, x="latency").axes[0].get_xlabel() == "latency (s)"
    assert "small > large" in [text.get_text() for text in axes.texts]


def test_limits_that_are_no_lines_of_it_are_named():
    scenario = Scenario("wide", {"cost": 1e6, "latency": {"p95": 50}}, {"accuracy": 0.9})
    report = Pipeline(k=[1, 2, 4], policies="fixed:k=3,aggregator=best-of-k").run("gpt-5", scenario)
    figure = policies(report)
    entries = [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]
    assert entries[-3:] == [
        "limit: mean cost ≤ 1e+06 USD (beyond the picture)",
        "limit: p95 latency ≤ 50 s (no axis)",
        "limit: mean accuracy ≥ 0.9",
    ]
    assert figure.axes[0].get_xlim()[1] < 1.0  # the dearest row costs 0.09 USD


def test_the_line_is_that_of_the_best_mixtures(report):
    """At every budget the line of all rows is as high as the mixture that a linear program finds."""
    table = report.candidates
    line = next(line for line in policies(report).axes[0].lines if line.get_linestyle() == ":")
    xs, ys = line.get_data()
    for budget in np.geomspace(0.0003, 0.05, 7):
        best = mix(table, [Limit("cost", budget, "max")]).objectives["accuracy"].mean
        assert np.interp(budget, xs, ys) == pytest.approx(best, abs=1e-9)


def test_the_hull_of_one_row_is_that_row():
    assert hull(np.ones(1), np.ones(1), np.arange(1)).tolist() == [0]
    assert hull(np.ones(1), np.ones(1), np.arange(0)).tolist() == []
    assert hull(np.array([1.0, 1.0, 2.0]), np.array([0.4, 0.6, 0.6]), np.arange(3)).tolist() == [1]


def test_it_is_among_the_pictures_where_there_are_policies(report, tmp_path, monkeypatch):
    for other in ("front", "decisions", "space", "page"):
        monkeypatch.setattr(f"moo_infer.plot.files.{other}", lambda *_, **__: Figure())
    assert "tight_policies.svg" in [path.name for path in save(report, tmp_path / "pictures", "svg")]
    plain = Pipeline(k=[4]).run("gpt-5", "essay-feedback")
    assert not any("policies" in path.name for path in save(plain, tmp_path / "plain", "svg"))
    with pytest.raises(MooInferError, match="the table has no policies; ask for some"):
        policies(plain)
