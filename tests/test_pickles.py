"""What people keep, send to another process and copy: it gives the same figures there, bit by bit."""

import copy
import pickle
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from moo_infer import (
    AccuracyAggregator,
    Candidates,
    Exact,
    MissingColumn,
    ModelProfile,
    Moments,
    MonteCarlo,
    Objective,
    Pipeline,
    Registry,
    plugin_file,
)
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.core.uncertainty import Uncertain
from moo_infer.decide.map import decision_map
from moo_infer.decide.stability import resample
from moo_infer.testing import MODELS

STATISTICS = ("mean", "std", "low", "high", "stderr", "stderr_simulation", "p37")
AGGREGATORS = ("best-of-k", "majority-vote", "coverage")
UNCERTAIN = {"costs[0].usd_per_output_token": Uncertain(se=1e-7)}
SIMULATE = "moo_infer.estimate.monte_carlo.simulate"


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


TWINS = pytest.mark.parametrize("twin", [pickled, copy.deepcopy], ids=["pickle", "deep copy"])


def figures(table):
    """Every figure of a table to the last bit."""
    return {(o.name, s): table.column(o.name, s).tobytes() for o in table.objectives for s in STATISTICS}


def pipeline_of(model, estimator, **options):
    costs = [LinearCost(1e-6, 4e-6), LinearLatency(1e-4, 1e-3)]
    profile = ModelProfile(model, MODELS[model], costs, parallelism=2, uncertain=UNCERTAIN)
    selectors = ["utopia", "knee", "max-accuracy"]
    return Pipeline(AGGREGATORS, selectors, estimator, k_max=8, models={model: profile}, **options)


@cache
def made(model, estimator):
    return pipeline_of(model, estimator, confidence=0.5, draws=5).run(model, "essay-feedback")


@pytest.fixture(params=[(m, e) for m in MODELS for e in (Exact(200), MonteCarlo(200))], ids=lambda p: f"{p[0]} {p[1]}")
def report(request):
    """A report of which nothing was asked: a copy, as what was made once is left as it is."""
    return copy.deepcopy(made(*request.param))


@TWINS
@pytest.mark.parametrize("asked", ["before", "after"])
def test_a_report_gives_the_same_figures_whether_they_were_asked_for_before_or_after(report, twin, asked):
    expected = figures(copy.deepcopy(report).candidates)
    if asked == "before":
        figures(report.candidates)
    other = twin(report)
    assert figures(other.candidates) == expected
    assert other.to_json() == report.to_json()
    assert str(other) == str(report)
    assert other.stability(5) == report.stability(5)


@TWINS
def test_tables_of_draws_give_the_same_figures(report, twin):
    for table in report.redraw(3, 1):
        assert figures(twin(table)) == figures(table)


@TWINS
def test_tables_of_resampled_trials_give_the_same_figures(twin):
    table = pipeline_of("a log", MonteCarlo(50)).candidates()
    for drawn in resample(table, 3):
        assert figures(twin(drawn)) == figures(drawn)


@TWINS
def test_a_choice_keeps_its_figures_and_its_table(report, twin):
    for choice in report.rows:
        other = twin(choice)
        assert other.to_dict() == choice.to_dict()
        assert len(other.candidates) == len(report.candidates)


@TWINS
def test_tables_given_as_numbers_and_parts_of_tables_are_kept(twin):
    table = Candidates.from_means([Objective("cost", "USD")], [[0.1], [0.2], [0.4]])
    for view in (table, table.where(model="model"), table.feasible([])):
        other = twin(view)
        np.testing.assert_array_equal(other.losses, view.losses)
        assert figures(other) == figures(view)


@TWINS
def test_arrays_stay_read_only(report, twin):
    table = report.candidates
    _ = table.losses, table.front
    other = twin(table)
    for name in ("means", "k", "rows", "losses", "front"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(other, name)[0] = 7


LOADED = """
import pickle, sys
report = pickle.load(open(sys.argv[1], "rb"))
for o in report.candidates.objectives:
    for s in sys.argv[2:]:
        print(o.name, s, report.candidates.column(o.name, s).tobytes().hex())
"""


@pytest.mark.parametrize("asked", ["before", "after"])
def test_another_process_computes_the_same_figures(tmp_path, asked):
    report = pipeline_of("gaussian", Exact(200)).run(scenarios="essay-feedback")
    expected = figures(copy.deepcopy(report).candidates)
    if asked == "before":
        figures(report.candidates)
    (tmp_path / "report.pickle").write_bytes(pickle.dumps(report))
    command = [sys.executable, "-c", LOADED, str(tmp_path / "report.pickle"), *STATISTICS]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {tuple(line.split()[:2]): bytes.fromhex(line.split()[2]) for line in lines} == expected


@TWINS
def test_nothing_is_simulated_to_make_a_copy_or_before_a_figure_is_asked_for(twin, monkeypatch):
    table = pipeline_of("gaussian", Exact(10_000)).candidates()
    small = len(pickle.dumps(table))
    with monkeypatch.context() as patch:
        patch.setattr(SIMULATE, None)
        other = twin(table)
        other.column("cost", "low")
        with pytest.raises(TypeError, match="not callable"):
            other.column("accuracy", "low")
    other.column("accuracy", "low")
    trials = 10_000 * len(table.k) // 3 * 8  # one objective of two of the three curves
    assert small < 30_000 < 2 * trials < len(pickle.dumps(other)) < 2.1 * trials


@TWINS
def test_trials_that_were_simulated_are_kept_and_not_simulated_again(twin, monkeypatch):
    table = pipeline_of("gaussian", MonteCarlo(50)).candidates()
    expected = figures(table)
    monkeypatch.setattr(SIMULATE, None)
    assert figures(twin(table)) == expected


@dataclass(frozen=True)
class Halves(AccuracyAggregator):
    """Half of best-of-k; its quantile is a function inside another, as plugins write them."""

    name = "halves"

    def aggregate(self, draws, rng, /):
        return np.maximum.accumulate(draws.accuracy, axis=1) / 2

    def exact(self, model, k, /):
        return Moments(np.full(len(k), 0.4), np.zeros(len(k)), lambda q: np.full(len(k), 0.4))


@TWINS
def test_a_part_may_answer_with_a_function_that_does_not_pickle(profile, twin):
    report = Pipeline(Halves(), k_max=4, selectors="utopia").run(profile(), "essay-feedback")
    assert figures(twin(report).candidates) == figures(report.candidates)
    uncertain = replace(profile(), uncertain=UNCERTAIN)
    report = Pipeline(Halves(), k_max=4, selectors="utopia").run(uncertain, "essay-feedback")
    for table in report.redraw(3, 1):
        assert figures(twin(table)) == figures(table)


@TWINS
def test_a_pipeline_keeps_its_estimates_and_leaves_its_progress_behind(twin, monkeypatch):
    told = []
    pipeline = pipeline_of("gaussian", Exact(200), progress=lambda *what: told.append(what))
    report = pipeline.run("gaussian", "essay-feedback")
    told.clear()
    other = twin(pipeline)
    with monkeypatch.context() as patch:
        patch.setattr(Exact, "estimate", None)
        again = other.run("gaussian", "essay-feedback")
    assert told == []
    assert again.to_json() == report.to_json()
    assert other.run("gaussian", "medical-ai").to_json() == pipeline.run("gaussian", "medical-ai").to_json()


@TWINS
def test_a_pipeline_as_it_is_made_and_its_registry_are_kept(twin):
    pipeline = Pipeline()
    other = twin(pipeline)
    assert other.registry.plugins() == pipeline.registry.plugins()
    assert other.run("gpt-5", "essay-feedback").to_json() == pipeline.run("gpt-5", "essay-feedback").to_json()


MINE = """
from dataclasses import dataclass
from moo_infer import Selector, hookimpl

@dataclass(frozen=True)
class First(Selector):
    name = "first"

    def select(self, candidates, /):
        return 0

@hookimpl
def register_selectors():
    return [First]
"""


def test_parts_of_a_plugin_file_are_kept_also_where_another_process_has_loaded_it(file, tmp_path):
    path = file(MINE, "mine.v1.py")
    registry = Registry(plugin_file(path), entry_points=False)
    report = Pipeline(selectors="first", registry=registry).run("gpt-5", "essay-feedback")
    assert {copied(report).to_json() for copied in (pickled, copy.deepcopy)} == {report.to_json()}
    (tmp_path / "report.pickle").write_bytes(pickle.dumps(report))
    code = (
        "import pickle, sys, moo_infer\n"
        "moo_infer.plugin_file(sys.argv[1])\n"
        "print(pickle.load(open(sys.argv[2], 'rb')).to_json())"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "report.pickle")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == report.to_json() + "\n"


@TWINS
def test_a_decision_map_is_kept(twin):
    report = pipeline_of("gaussian", Exact(200), confidence=0.5, draws=3).run("gaussian", "essay-feedback")
    found = decision_map(report, "cost", "latency", size=3)
    again = decision_map(twin(report), "cost", "latency", size=3)
    for other in (twin(found), again):
        np.testing.assert_array_equal(other.rows, found.rows)
        np.testing.assert_array_equal(other.x_values, found.x_values)


@TWINS
def test_the_error_of_a_missing_column_is_kept(twin):
    error = MissingColumn("score", ("accuracy", "tokens_in"), "aggregator 'mine'")
    other = twin(error)
    assert str(other) == str(error)
    assert (other.column, other.available, other.wanted_by) == ("score", ("accuracy", "tokens_in"), "aggregator 'mine'")
