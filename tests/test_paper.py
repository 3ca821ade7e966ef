import json

import numpy as np
import pytest

from moo_infer import ModelProfile, MooInferError, Scenario
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.paper import compare, procedure
from moo_infer.profiles import builtin_models, builtin_scenarios


@pytest.fixture(scope="module")
def comparison():
    return compare()


def test_107_of_108_cells_are_reproduced_and_the_other_is_named(comparison):
    other = [c for c in comparison.cells if (c.published and c.published.k) != (c.reproduced and c.reproduced.k)]
    assert len(comparison.cells) == 108
    assert [(c.scenario, c.model, c.selector) for c in other] == [("medical-ai", "gpt-5-mini", "knee")]
    assert (other[0].published.k, other[0].reproduced.k) == (64, 68)


def test_printed_figures_agree_to_the_printed_digit_but_for_three_costs(comparison):
    differing = []
    for cell in comparison.cells:
        if cell.published is None or cell.published.k != cell.reproduced.k:
            continue
        for name, digits in (("accuracy", 3), ("cost", 2), ("latency", 1)):
            published, reproduced = getattr(cell.published, name), getattr(cell.reproduced, name)
            if abs(published - reproduced) > 0.5000001 * 10**-digits:
                differing.append((name, published, round(reproduced, 4)))
    assert sorted(differing) == [("cost", 0.03, 0.0245), ("cost", 0.04, 0.0348), ("cost", 0.04, 0.0348)]


def test_the_one_cell_without_a_knee(comparison):
    empty = [c for c in comparison.cells if c.published is None]
    assert [(c.scenario, c.model, c.selector) for c in empty] == [("essay-feedback", "nemotron-ultra-253b", "knee")]
    assert empty[0].reproduced is empty[0].exact is None


def test_the_knee_saves_what_the_tables_say_not_what_the_text_says(comparison):
    saving = comparison.to_dict()["summary"]["knee_saving"]
    assert {k: round(v, 2) for k, v in saving["published"].items()} == {"cost": 0.34, "latency": 0.36}
    assert {k: round(v, 2) for k, v in saving["reproduced"].items()} == {"cost": 0.36, "latency": 0.36}
    assert {k: round(v, 2) for k, v in saving["exact"].items()} == {"cost": 0.79, "latency": 0.79}


def test_claims_have_what_is_stated_and_three_figures(comparison):
    claims = comparison.claims()
    assert [c["stated"] for c in claims] == [0.63, 0.58, 7.0, 4.0, 10.0]
    published = [round(c["published"], 2) for c in claims]
    assert published == [0.36, 0.34, 7.0, 4.0, 11.55]
    for claim in claims:
        assert claim["reproduced"] > 0
        assert claim["exact"] > 0


def test_json_is_the_public_contract(comparison):
    document = json.loads(comparison.to_json())
    assert list(document) == ["schema", "cells", "summary"]
    assert list(document["cells"][0]) == ["scenario", "model", "selector", "published", "reproduced", "exact"]
    assert list(document["cells"][0]["exact"]) == ["k", "accuracy", "cost", "latency"]
    assert (document["summary"]["cells"], document["summary"]["k_reproduced"]) == (108, 107)


def test_heuristics_say_what_they_break_or_leave(comparison):
    found = {(h["scenario"], h["model"], h["heuristic"]): h["exact"] for h in comparison.heuristics}
    assert len(found) == 81
    fixed = found["medical-ai", "gpt-5", "fixed k = 16"]
    assert fixed["k"] == 16
    assert fixed["breaks"] == [{"objective": "accuracy", "worst": 0.98, "excess": pytest.approx(0.98 - 0.9751981761)}]
    latency_blind = found["essay-feedback", "nemotron-ultra-253b", "accuracy against cost alone"]
    assert latency_blind["k"] == 72
    assert latency_blind["breaks"][0]["objective"] == "latency"
    left = found["essay-feedback", "gpt-5", "fixed k = 16"]
    assert left["breaks"] == []
    assert left["accuracy_left"] == pytest.approx(0.9772 - 0.9752, abs=1e-4)
    for figures in found.values():
        assert bool(figures["breaks"]) == (figures["accuracy_left"] is None)


def transcription(profile, k, seed=42, trials=300):
    """The authors' procedure the slow way: a loop over trials, one draw after the other."""
    model, (cost, latency), parallelism = profile.inference, profile.costs, profile.parallelism
    rng = np.random.default_rng(seed + k)
    totals = []
    for _ in range(trials):
        tokens_in = np.clip(rng.normal(model.tokens_in_mean, model.tokens_in_std, k), 1, 16 * model.tokens_in_mean)
        tokens_out = np.clip(rng.normal(model.tokens_out_mean, model.tokens_out_std, k), 1, 16 * tokens_in)
        accuracy = np.clip(rng.normal(model.accuracy_mean, model.accuracy_std, k), 0, 1)
        usd = cost.usd_per_input_token * tokens_in + cost.usd_per_output_token * tokens_out
        seconds = latency.seconds_per_input_token * tokens_in + latency.seconds_per_output_token * tokens_out
        totals.append((usd.sum(), k / parallelism * np.mean(seconds), accuracy.max()))
    return np.mean(totals, axis=0)


@pytest.mark.parametrize("name", ["gpt-5", "nemotron-nano-9b-v2"])
def test_the_vectorised_procedure_is_the_loop_over_trials(name):
    profile = builtin_models()[name]
    got = procedure.simulate([profile])[0]
    for k in (4, 8, 64, 128):
        place = k // 4 - 1
        figures = [got.cost[place], got.latency[place], got.accuracy[place]]
        np.testing.assert_allclose(figures, transcription(profile, k), rtol=1e-13)


def test_their_knee_is_noise(comparison):
    """Over seeds the knee of GPT-5 Nano in scenario 2 goes almost anywhere."""
    profile, scenario = builtin_models()["gpt-5-nano"], builtin_scenarios()["medical-ai"]
    knees = set()
    for i in range(10):
        trajectory = procedure.simulate([profile], seed=42 + 1000 * i)[0]
        knees.add(int(trajectory.k[procedure.select(trajectory, scenario)["knee"]]))
    assert len(knees) >= 6
    assert max(knees) - min(knees) >= 60


def test_nothing_feasible_for_the_procedure():
    trajectory = procedure.simulate([builtin_models()["gpt-5"]], trials=2)[0]
    nothing = Scenario("s", {"cost": 1e-9, "latency": 1}, {"accuracy": 0.9})
    assert set(procedure.select(trajectory, nothing).values()) == {None}


def test_the_procedure_takes_only_the_papers_parts():
    model = Gaussian(1, 0, 1, 0, 1, 0)
    with pytest.raises(MooInferError, match="x: the authors' procedure needs gaussian, linear-cost and linear-latency"):
        procedure.simulate([ModelProfile("x", model, (LinearCost(1, 1),))])
    paper = builtin_models()["gpt-5"]
    with pytest.raises(MooInferError, match="x: the authors' procedure needs one parallelism, got 2 and 4"):
        procedure.simulate([paper, ModelProfile("x", model, paper.costs, 2)])
