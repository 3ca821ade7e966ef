"""What stands in the pictures, held against the table."""

import itertools
import re
import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.text import Annotation, Text

from moo_infer import (
    Candidates,
    CostModel,
    Limit,
    ModelProfile,
    MonteCarlo,
    MooInferError,
    Objective,
    Pipeline,
    Registry,
    Samples,
    Scenario,
    Selector,
    builtin_models,
    builtin_scenarios,
)
from moo_infer.builtin.empirical import Empirical, LoggedCost
from moo_infer.core.uncertainty import Uncertain
from moo_infer.decide.map import decision_map
from moo_infer.plot import curve, decisions, front, page, space, stability
from moo_infer.plot.labels import place_texts
from moo_infer.plot.style import limit_text, limit_words, name_of, plain, pool_title, scaled

MODELS = ["gpt-5", "gpt-5-nano", "nemotron-nano-9b-v2"]


class Joules(CostModel):
    name = "joules"
    objective = Objective("energy", "J")

    def total(self, draws, /, *, parallelism):
        return np.cumsum(draws.tokens_out * 0.5, axis=1)


@pytest.fixture(scope="module")
def report():
    return Pipeline().run(MODELS, ["essay-feedback", "medical-ai"])


@pytest.fixture(scope="module")
def four():
    """Four objectives, two aggregators, limits on a mean and on a quantile of the same objective."""
    models = {n: replace(builtin_models()[n], costs=(*builtin_models()[n].costs, Joules())) for n in MODELS[:2]}
    green = Scenario(
        "green", {"cost": {"mean": 0.3, "p95": 0.31}, "latency": {"p95": 100}, "energy": 2e4}, {"accuracy": 0.9}
    )
    return Pipeline(["best-of-k", "majority-vote"], models=models, k_max=64).run(None, green)


@pytest.fixture(scope="module")
def nothing():
    return Pipeline(k_max=32).run(MODELS[:2], Scenario("none", {"cost": 1e-3, "latency": 2}, {"accuracy": 0.9999}))


@pytest.fixture(scope="module")
def unsure():
    models = [
        replace(builtin_models()[n], uncertain={"inference.accuracy_mean": Uncertain(se=0.02)}) for n in MODELS[1:]
    ]
    return Pipeline(k_max=64).run(models, "medical-ai").with_stability(60)


def legend(figure):
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def drawn(axes, label):
    """The artist with a label."""
    found = [a for a in axes.get_children() if a.get_label() == label]
    assert len(found) == 1, [a.get_label() for a in axes.get_children()]
    return found[0]


def points(axes, label):
    """(n, 2) or (n, 3) points of a scatter."""
    artist = drawn(axes, label)
    return np.array(artist._offsets3d).T if hasattr(artist, "_offsets3d") else np.asarray(artist.get_offsets())


def notes(figure):
    return " ".join(figure.get_supxlabel().split())


# The space


def test_the_space_is_the_table_by_model_with_units_and_a_title(report):
    figure = space(report, model="nemotron-nano-9b-v2", scenario="essay-feedback")
    axes, table = figure.axes[0], report.candidates.where(model="nemotron-nano-9b-v2")
    assert figure.get_suptitle() == "nemotron-nano-9b-v2, best-of-k: essay-feedback"
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_zlabel()) == ("cost (USD)", "latency (s)", "accuracy")
    means = np.stack([table.column(name) for name in ("cost", "latency", "accuracy")], axis=1)
    np.testing.assert_array_equal(points(axes, "volume"), means[: len(points(axes, "volume"))])


def test_the_colour_is_the_volume_that_max_cube_takes_the_largest_of(report):
    figure = space(report, model="gpt-5", scenario="essay-feedback")
    table = report.candidates.where(model="gpt-5")
    cost, latency, accuracy = (table.column(n) for n in ("cost", "latency", "accuracy"))
    volume = np.maximum(1 - cost / 0.5, 0) * np.maximum(1 - latency / 60, 0) * accuracy
    colours = drawn(figure.axes[0], "volume").get_facecolor()
    expected = matplotlib.colormaps["viridis"](volume / volume.max())
    np.testing.assert_allclose(colours, expected[: len(colours)], atol=0.01)
    best = int(np.argmax(volume))
    chosen = next(
        c for c in report.rows if (c.scenario, c.model, c.selector) == ("essay-feedback", "gpt-5", "max-cube")
    )
    assert chosen.k == table.k[best]


def test_every_selector_has_its_marker_where_it_chose(report):
    figure = space(report, model="gpt-5-nano", scenario="medical-ai")
    markers = set()
    for name in ("max-accuracy", "max-cube", "utopia", "knee", "knee-chord"):
        choice = report["medical-ai", "gpt-5-nano", name]
        label = f"{name}: k = {choice.k}{'*' * bool(choice.remarks)}"
        assert label in legend(figure)
        spot = [choice.cost.mean, choice.latency.mean, choice.accuracy.mean]
        np.testing.assert_array_equal(points(figure.axes[0], label), [spot])
        handle = next(h for h in figure.legends[0].legend_handles if h.get_label() == label)
        markers.add(handle.get_marker())
    assert markers == {"o", "^", "D", "s", "p"}
    np.testing.assert_array_equal(points(figure.axes[0], "utopia point"), [[0, 0, 1]])
    assert "* knee: the curvature is largest at the edge" in notes(figure)


def test_limits_are_planes_of_the_feasible_box(report):
    axes = space(report, model="gpt-5", scenario="essay-feedback").axes[0]
    for j, (label, worst) in enumerate(
        [
            ("limit: mean cost ≤ 0.5 USD", 0.5),
            ("limit: mean latency ≤ 60 s", 60),
            ("limit: mean accuracy ≥ 0.93", 0.93),
        ]
    ):
        plane = drawn(axes, label)
        corners = plane._faces if hasattr(plane, "_faces") else plane._vec[:3].T  # matplotlib from 3.11 on, and before
        face = np.asarray(corners).reshape(4, 3)
        assert (face[:, j] == worst).all()
        assert [len(set(face[:, i])) for i in range(3)] == [1 if i == j else 2 for i in range(3)]
        opposite = np.abs(face[0] - face[2]) > 0
        assert opposite.sum() == 2  # corners in order around
    assert len(drawn(axes, "feasible box")._segments3d) == 12
    infeasible = points(axes, "infeasible")
    assert ((infeasible[:, 0] > 0.5) | (infeasible[:, 1] > 60)).all()


def test_what_does_not_fit_into_the_space_is_said(report):
    figure = space(report, model="gpt-5", scenario="essay-feedback")
    assert notes(figure).startswith("Shown: k = 4 to 32 of 4 to 128; the rest is far beyond a limit.")
    cheap = space(report, model="gpt-5-nano", scenario="essay-feedback")
    assert "limit: mean cost ≤ 0.5 USD\n(beyond the picture)" in legend(cheap)


def test_any_three_objectives_are_axes(four):
    figure = space(four, model="gpt-5", aggregator="best-of-k", axes=["energy", "accuracy", "cost"])
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_zlabel()) == ("energy (J)", "accuracy", "cost (USD)")
    assert "limit: mean energy ≤ 20000 J" in legend(figure)
    assert "limit: p95 cost ≤ 0.31 USD\n(on a quantile: not drawn)" in legend(figure)
    assert "limit: p95 latency ≤ 100 s\n(no axis)" in legend(figure)
    np.testing.assert_array_equal(points(axes, "utopia point"), [[0, 1, 0]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the report holds 2 models; name one of them: gpt-5, gpt-5-nano"),
        ({"model": "gpt"}, "unknown model 'gpt'; available: gpt-5, gpt-5-nano"),
        ({"model": "gpt-5"}, "the report holds 2 aggregators; name one of them: best-of-k, majority-vote"),
        ({"model": "gpt-5", "aggregator": "best"}, "unknown aggregator 'best'; available: best-of-k"),
        ({"model": "gpt-5", "aggregator": "best-of-k", "scenario": "red"}, "unknown scenario 'red'; available: green"),
        ({"axes": ["cost", "energy"]}, r"axes: must be three objectives, got \['cost', 'energy'\]"),
        ({"axes": "cost"}, "axes: must be a list or None, got 'cost'"),
        (
            {"model": "gpt-5", "aggregator": "best-of-k", "axes": ["cost", "cost", "energy"]},
            "the axes must be different objectives, got cost, cost, energy",
        ),
        (
            {"model": "gpt-5", "aggregator": "best-of-k", "axes": ["cost", "joy", "energy"]},
            "unknown objective 'joy'; available: accuracy, cost, energy, latency",
        ),
    ],
)
def test_what_the_space_cannot_show_it_refuses(four, options, message):
    with pytest.raises(MooInferError, match=message):
        space(four, **options)


def two_objectives():
    models = [replace(builtin_models()[n], costs=builtin_models()[n].costs[:1]) for n in MODELS]
    return Pipeline(k_max=32).run(models, Scenario("cheap", {"cost": 0.4}))


def test_two_objectives_have_no_space_but_every_other_picture():
    report = two_objectives()
    with pytest.raises(MooInferError, match="takes 3 objectives, and the table has 2: accuracy, cost"):
        space(report, model="gpt-5")
    assert [a.get_ylabel() for a in page(report, model="gpt-5").axes] == ["accuracy", "cost (USD)"]
    assert decisions(report).axes[0].get_ylabel() == "budget: mean accuracy"
    assert front(report).axes[0].get_ylabel() == "accuracy"


# Curves


@pytest.mark.parametrize("objective", ["accuracy", "cost", "latency"])
def test_a_curve_is_the_means_over_k_and_their_band(report, objective):
    figure = curve(report, objective, model="gpt-5", scenario="essay-feedback")
    axes, table = figure.axes[0], report.candidates.where(model="gpt-5")
    np.testing.assert_array_equal(
        drawn(axes, "mean").get_xydata(), np.stack([table.k, table.column(objective)], axis=1)
    )
    edges = drawn(axes, "95 % of queries").get_paths()[0].vertices
    for k, low, high in zip(table.k, table.column(objective, "low"), table.column(objective, "high"), strict=True):
        found = edges[edges[:, 0] == k, 1]
        assert (found.min(), found.max()) == (low, high)


def test_a_curve_shows_what_is_feasible_the_limit_and_the_choices(report):
    figure = curve(report, model="gpt-5", scenario="essay-feedback")
    axes = figure.axes[0]
    assert points(axes, "feasible")[:, 0].tolist() == [4, 8, 12, 16, 20]
    assert points(axes, "beyond a limit")[0, 0] == 24
    assert set(drawn(axes, "limit: mean accuracy ≥ 0.93").get_ydata()) == {0.93}
    assert points(axes, "max-accuracy: k = 20").tolist() == [
        [20, report["essay-feedback", "gpt-5", "max-accuracy"].accuracy.mean]
    ]


def test_a_limited_quantile_is_drawn_beside_its_limit(four):
    figure = curve(four, "cost", model="gpt-5", aggregator="best-of-k")
    axes, table = figure.axes[0], four.candidates.where(model="gpt-5", aggregator="best-of-k")
    np.testing.assert_array_equal(drawn(axes, "p95").get_ydata(), table.column("cost", "p95"))
    assert {"limit: p95 cost ≤ 0.31 USD", "limit: mean cost ≤ 0.3 USD", "p95 of cost"} <= set(legend(figure))
    simulated = curve(four, "accuracy", model="gpt-5", aggregator="majority-vote")
    assert "95 % of queries (accuracy simulated)" in legend(simulated)


def test_a_far_limit_is_named_and_not_drawn(report):
    figure = curve(report, "cost", model="gpt-5-nano", scenario="medical-ai")
    assert "limit: mean cost ≤ 0.95 USD\n(above the picture)" in legend(figure)
    assert figure.axes[0].get_ylim()[1] < 0.2


def test_a_page_holds_every_objective_once_with_one_legend(four):
    figure = page(four, model="gpt-5", aggregator="best-of-k")
    assert [a.get_ylabel() for a in figure.axes] == ["accuracy", "cost (USD)", "latency (s)", "energy (J)"]
    assert len(figure.legends) == 1
    assert len(set(legend(figure))) == len(legend(figure))


# The pool


def test_the_front_marks_the_pareto_rows_of_the_feasible_ones(report):
    figure = front(report, scenario="essay-feedback")
    axes, table = figure.axes[0], report.candidates
    pool = table.feasible(builtin_scenarios()["essay-feedback"].limits)
    rows = pool.rows[pool.front]
    expected = {(table.column("cost")[row], table.column("accuracy")[row]) for row in rows}
    found = [tuple(point) for model in MODELS for point in points(axes, model).tolist()]
    assert len(found) == len(rows)
    assert set(found) == expected
    everything = [points(axes, f"{m}: dominated") for m in MODELS] + [points(axes, "infeasible")]
    assert sum(map(len, everything)) + len(found) == len(table)
    assert set(drawn(axes, "limit: mean cost ≤ 0.5 USD").get_xdata()) == {0.5}
    assert "limit: mean latency ≤ 60 s\n(no axis)" in legend(figure)
    assert f"nemotron-nano-9b-v2 ({sum(table.model[rows] == 'nemotron-nano-9b-v2')})" in legend(figure)


def test_a_limit_that_is_not_drawn_does_not_scale_an_axis_of_the_front():
    """On a logarithmic axis, as one up to the limit would have, the rows lie between two decades: it had no number."""
    axes = front(Pipeline(k=[1, 2, 4]).run("gpt-5", Scenario("far", {"cost": 1e6}, {}))).axes[0]
    assert axes.get_xscale() == "linear"
    assert axes.get_xlim()[1] < 0.1


def test_points_of_the_front_say_which_row_they_are_and_choices_stand_at_theirs(report):
    figure = front(report, scenario="essay-feedback", x="latency", y="cost")
    axes, choice = figure.axes[0], report["essay-feedback", "utopia"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("latency (s)", "cost (USD)")
    assert points(axes, f"utopia: k = {choice.k}").tolist() == [[choice.latency.mean, choice.cost.mean]]
    written = {t.get_text(): t.xy for t in axes.texts}
    assert written[f"{choice.model}, k = {choice.k}"] == (choice.latency.mean, choice.cost.mean)


def test_two_aggregators_are_told_apart(four):
    assert any(text.startswith("gpt-5, majority-vote (") for text in legend(front(four)))


def variant_of_nano(name, accuracy, price):
    """gpt-5-nano with another accuracy, at a multiple of its price."""
    own = builtin_models()["gpt-5-nano"]
    cost, latency = own.costs
    prices = {field: price * getattr(cost, field) for field in ("usd_per_input_token", "usd_per_output_token")}
    inference = replace(own.inference, accuracy_mean=accuracy)
    return replace(own, name=name, inference=inference, costs=(replace(cost, **prices), latency))


def test_of_many_curves_those_of_the_front_are_named_and_the_others_grey():
    """Every row is drawn once."""
    worse = [variant_of_nano(f"worse-{i}", 0.9 - 0.001 * i, 1.0) for i in range(20)]
    report = Pipeline(k_max=16).run([*worse, "nemotron-nano-9b-v2", "gpt-5-nano"], "essay-feedback")
    figure, table = front(report), report.candidates
    entries = [text.split()[0] for text in legend(figure) if re.fullmatch(r"\S+ \(\d+\)", text)]
    assert entries == ["nemotron-nano-9b-v2", "gpt-5-nano"]
    assert "20 other curves (0)" in legend(figure)
    labels = [f"{name}{end}" for name in (*entries, "others") for end in ("", ": dominated")]
    assert sum(len(points(figure.axes[0], label)) for label in (*labels, "infeasible")) == len(table)
    assert figure.get_figheight() < 6


def test_of_many_curves_of_the_front_some_have_a_name():
    """Each of 22 is cheaper than the one before, and right less often."""
    report = Pipeline(k=[4]).run(
        [variant_of_nano(f"run-{i}", 0.9 - 0.01 * i, 0.5**i) for i in range(22)], Scenario("any")
    )
    figure, outcome = front(report), report.outcome("any")
    assert len(outcome.pool.front) == 22
    entries = [text for text in legend(figure) if re.fullmatch(r"run-\d+ \(1\)", text)]
    assert len(entries) == 14
    assert "8 other curves (8)" in legend(figure)
    assert {f"{choice.model} (1)" for choice in outcome.pooled if choice.row is not None} <= set(entries)
    assert len(points(figure.axes[0], "others")) == 8


def test_of_a_curve_on_which_more_samples_are_better_in_nothing_the_front_has_the_first_row():
    report = Pipeline(["one-call", "best-of-k"], k=[1, 2, 4]).run("gpt-5", Scenario("any"))
    axes = front(report).axes[0]
    drawn_rows = {
        name: sum(len(points(axes, f"gpt-5, {name}{end}")) for end in ("", ": dominated"))
        for name in ("one-call", "best-of-k")
    }
    assert drawn_rows == {"one-call": 1, "best-of-k": 3}


def test_the_answer_opens_the_legend_and_who_cannot_choose_among_models_is_left_out(report):
    figure = front(report, scenario="essay-feedback")
    choice = report["essay-feedback", report.headline]
    assert legend(figure)[0] == f"the answer ({report.headline}):\n{choice.model}, k = {choice.k}"
    assert not [text for text in legend(figure) if "no choice" in text]
    assert "knee" not in notes(figure)
    of_model = legend(page(report, model="gpt-5", scenario="essay-feedback"))
    assert of_model[0].startswith(f"{report.headline}: k = ")  # of this model alone, so not the answer


def test_an_axis_of_little_more_than_a_decade_has_ticks_enough():
    accuracy = Pipeline(k=[1]).candidates("gpt-5").objectives[0]
    axes, values = Figure().subplots(), np.linspace(0.4, 0.95, 20)
    scaled(axes.yaxis, accuracy, values)
    np.testing.assert_allclose(sorted(axes.yaxis.get_majorticklocs()), [0.5, 0.7, 0.8, 0.9, 0.93, 0.95])


def test_texts_beside_close_points_lie_apart_and_within_the_axes_or_are_left_out():
    figure = Figure(figsize=(5, 4))
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    spots = {(0.5 + 0.001 * i, 0.5): f"a rather long text {i}" for i in range(40)} | {(1.0, 1.0): "in the corner"}
    place_texts(figure, axes, spots, list(spots))
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [Text.get_window_extent(text, renderer) for text in axes.texts]
    assert 5 < len(boxes) < 41
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    inside = axes.get_window_extent(renderer)
    assert all(inside.x0 <= b.x0 and b.x1 <= inside.x1 and inside.y0 <= b.y0 and b.y1 <= inside.y1 for b in boxes)


# Decisions


@pytest.mark.parametrize("selector", ["utopia", "max-accuracy", "knee"])
def test_regions_cover_the_cells_of_the_map(report, selector):
    figure = decisions(report, scenario="medical-ai", selector=selector, size=30)
    found = decision_map(report, "cost", "latency", scenario="medical-ai", selector=selector, size=30)
    axes, table = figure.axes[0], found.candidates
    patches = [p for p in axes.patches if isinstance(p, PathPatch)]
    for j, i in [(0, 0), (2, 20), (15, 15), (29, 29), (29, 1), (5, 10)]:
        spot = found.x_values[i] * (1.001 if i < 29 else 0.999), found.y_values[j] * (1.001 if j < 29 else 0.999)
        inside = [p.get_label() for p in patches if p.get_path().contains_point(spot)]
        assert len(inside) == 1
        row = found.rows[j, i]
        if row < 0:
            assert inside == ["no choice" if found.feasible[j, i] else "nothing is feasible"]
        else:
            name, k = inside[0].split(", k = ")
            assert name == table.model[row]
            assert int(k.split(" to ")[0]) <= table.k[row] <= int(k.split(" to ")[-1])
    assert len(patches) <= 9
    styles = {(p.get_facecolor(), p.get_hatch()) for p in patches}
    assert len(styles) == len(patches)


def test_the_scenarios_own_limits_are_a_point(report):
    figure = decisions(report, scenario="medical-ai", size=20)
    own = "limits of medical-ai:\nmean cost ≤ 0.95 USD\nmean latency ≤ 3600 s"
    assert drawn(figure.axes[0], own).get_xydata().tolist() == [[0.95, 3600]]
    assert notes(figure) == "Everywhere: mean accuracy ≥ 0.98."
    with_one = decisions(report, scenario="medical-ai", x="accuracy", y="cost", size=20)
    assert with_one.axes[0].get_ylabel() == "budget: mean cost (USD)"


def test_a_dollar_in_a_unit_is_written_once():
    table = Candidates.from_means([Objective("price", unit="US$")], [[1.0]])
    limit = Limit("price", 2, "max")
    assert (limit_words(limit, table), limit_text(limit, table, "")) == ("mean price ≤ 2 US$", r"mean price ≤ 2 US\$")
    assert plain(limit_words(limit, table)) == limit_text(limit, table, "")


def test_one_of_two_limited_is_a_line():
    report = Pipeline(k_max=32, selectors="utopia").run("gpt-5", Scenario("fast", {"latency": 40}))
    figure = decisions(report, size=12)
    assert set(drawn(figure.axes[0], "limits of fast:\nmean latency ≤ 40 s").get_ydata()) == {40}
    assert all(text.startswith(("k = ", "limits", "nothing")) for text in legend(figure))


def test_texts_of_regions_lie_within_them(report):
    figure = decisions(report, scenario="essay-feedback", selector="utopia")
    axes = figure.axes[0]
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    patches = {p.get_label(): p for p in axes.patches}
    assert axes.texts
    for text in axes.texts:
        box = text.get_window_extent(renderer)
        corners = axes.transData.inverted().transform(box.corners())
        regions = [p for p in patches if p.endswith(text.get_text().replace("\n", ", "))]
        assert any(all(patches[p].get_path().contains_point(c) for c in corners) for p in regions), text.get_text()


# Stability


def test_bars_are_the_shares(unsure):
    figure = stability(unsure, selector="max-accuracy")
    axes = figure.axes[0]
    shares = unsure.shares(unsure["max-accuracy"])
    texts = [t.get_text() for t in axes.get_yticklabels()]
    found = dict(zip(texts, [bar.get_width() for bar in axes.patches], strict=True))
    assert found == {f"{s.model}, k = {s.k}": pytest.approx(100 * s.share) for s in shares}
    ours = f"{unsure['max-accuracy'].model}, k = {unsure['max-accuracy'].k}"
    assert [bar.get_hatch() is not None for bar in axes.patches] == [text == ours for text in texts]
    assert axes.get_xlabel() == "share of 60 draws of the uncertain parameters (%)"
    assert f"the choice on the given values ({ours})" in legend(figure)


def test_stability_of_one_model_of_one_selector_and_of_no_choice(unsure):
    figure = stability(unsure, model="gpt-5-nano", aggregator="best-of-k", selector="knee-chord")
    assert all(t.get_text().startswith(("k = ", "no choice")) for t in figure.axes[0].get_yticklabels())
    assert figure.get_suptitle().startswith("gpt-5-nano, best-of-k: medical-ai\nhow sure is the choice of knee-chord")
    silent = stability(unsure, selector="knee")
    assert silent.axes[0].get_yticklabels()[-1].get_text() == "no choice"
    assert silent.axes[0].patches[-1].get_hatch() is not None


def test_rare_rows_share_a_bar():
    dear = replace(
        builtin_models()["gpt-5"], uncertain={"costs[0].usd_per_output_token": Uncertain(low=1e-6, high=2e-5)}
    )
    report = Pipeline(selectors="max-accuracy", k_step=1).run(dear, Scenario("s", {"cost": 1})).with_stability(99)
    shares = report.shares(report["max-accuracy"])
    figure = stability(report)
    assert len(shares) > 20
    assert figure.axes[0].get_yticklabels()[-1].get_text() == f"{len(shares) - 20} others"
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == pytest.approx(100)


@pytest.mark.parametrize(
    ("draws", "options", "message"),
    [
        (False, {}, "does not say how sure .* Report.with_stability, .* --stability"),
        (True, {"selector": "luck"}, "unknown selector 'luck'; available: cheapest"),
        (True, {"model": "gpt"}, "unknown model 'gpt'; available: gpt-5-nano"),
        (True, {"scenario": "x"}, "unknown scenario 'x'; available: medical-ai"),
    ],
)
def test_stability_that_is_not_there_is_refused(unsure, draws, options, message):
    with pytest.raises(MooInferError, match=message):
        stability(unsure if draws else replace(unsure, stable=None), **options)


# All of them


def every(report):
    """Every kind of picture a report has."""
    scenario = report.scenarios[0].name
    model, aggregator = report.candidates.curve(0).label
    one = {"model": model, "aggregator": aggregator, "scenario": scenario}
    yield page(report, **one)
    yield curve(report, **one)
    if len(report.candidates.objectives) > 2:
        yield space(report, **one)
    yield front(report, scenario=scenario)
    yield decisions(report, scenario=scenario, size=15)
    if report.stable:
        yield stability(report, scenario=scenario)


@pytest.fixture(scope="module")
def crowd():
    """Every selector, and more models than there are colours, shapes and lines in a legend."""
    base = builtin_models()["gpt-5-nano"]
    costs = [replace(base.costs[0], usd_per_output_token=(1 + i) * 1e-6) for i in range(30)]
    models = [replace(base, name=f"model-{i}", costs=(cost, base.costs[1])) for i, cost in enumerate(costs)]
    every = sorted(set(Registry().names(Selector)) - {"kneedle"})
    return Pipeline(selectors=every, k_max=32).run(models, "essay-feedback")


@pytest.fixture(params=["report", "four", "nothing", "unsure", "crowd"])
def any_report(request):
    return request.getfixturevalue(request.param)


def test_legends_titles_notes_and_data_do_not_overlap(any_report):
    for figure in every(any_report):
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw_without_rendering()
        boxes = {"legend": figure.legends[0].get_window_extent(renderer)}
        boxes["title"] = figure._suptitle.get_window_extent(renderer)
        if figure.get_supxlabel():
            boxes["notes"] = figure._supxlabel.get_window_extent(renderer)
        boxes |= {f"axes {i}": a.get_tightbbox(renderer) for i, a in enumerate(figure.axes)}
        for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
            shared = max(0, min(a.x1, b.x1) - max(a.x0, b.x0)) * max(0, min(a.y1, b.y1) - max(a.y0, b.y0))
            allowed = (
                0.12 if "3d" in {axes.name for axes in figure.axes} else 0.005
            )  # the corners of a 3-D box are empty
            assert shared <= allowed * min(a.width * a.height, b.width * b.height), (one, other, figure.get_suptitle())
        whole = figure.bbox
        for name, box in boxes.items():
            assert box.x0 >= whole.x0 - 8, name
            assert box.x1 <= whole.x1 + 8, (name, figure.get_suptitle())
            assert box.y0 >= whole.y0 - 8, name
        for axes in figure.axes:
            texts = [t for t in axes.texts if isinstance(t, Annotation) and t.get_text()]
            drawn_at = [Text.get_window_extent(t, renderer) for t in texts]
            assert not any(a.overlaps(b) for a, b in itertools.combinations(drawn_at, 2))


def test_where_nothing_is_feasible_every_picture_says_so(nothing):
    figures = list(every(nothing))
    for figure in figures[:-1]:
        assert notes(figure).startswith("No choice: nothing is feasible")
        assert "max-accuracy: no choice" in legend(figure)
    assert legend(figures[-1])[0] == "nothing is feasible"


def test_one_model_and_one_k_make_every_picture():
    report = Pipeline(k=[4]).run("gpt-5", Scenario("free"))
    for figure in every(report):
        figure.draw_without_rendering()
    low, high = report["max-accuracy"].accuracy.low, report["max-accuracy"].accuracy.high
    segments = curve(report).axes[0].collections
    assert any(
        np.allclose(s[:, 1], [low, high]) for c in segments if hasattr(c, "get_segments") for s in c.get_segments()
    )


def test_names_are_shown_as_they_are_whatever_is_in_them():
    base = builtin_models()["gpt-5"]
    models = [replace(base, name=name) for name in ("_a/b:$c$", "$x^{", "<script>\nalert(1)</script> " + "long " * 30)]
    report = Pipeline(k_max=16).run(models, Scenario("$s$ & co", {"cost": 0.5}))
    for figure in every(report):
        figure.draw_without_rendering()
        assert not any(text.get_usetex() for text in figure.findobj(Text))
    assert curve(report, model="_a/b:$c$").get_suptitle().strip() == r"_a/b:\$c\$, best-of-k: \$s\$ & co"
    assert any(text.strip().startswith("_a/b") for text in legend(front(report)))


def test_rows_that_hold_in_too_few_draws_count_as_infeasible():
    profile = replace(builtin_models()["gpt-5"], uncertain={"inference.accuracy_mean": Uncertain(se=0.03)})
    scenario = Scenario("s", {"cost": 1}, {"accuracy": 0.97})
    sure, plain = (Pipeline(confidence=c, draws=50).run(profile, scenario) for c in (0.95, None))
    counts = [len(points(curve(r).axes[0], "feasible")) for r in (sure, plain)]
    assert counts[0] < counts[1]
    assert "Limits hold in 95 % of the draws." in notes(decisions(sure, size=8))


def test_pictures_touch_no_settings_backend_or_pyplot():
    code = """
import matplotlib
settings = lambda: {k: v for k, v in dict.items(matplotlib.rcParams)}  # asking for the backend alone would choose one
before = settings()
import sys, tempfile
from moo_infer import Pipeline
from moo_infer.plot import save
save(Pipeline(k_max=16).run(["gpt-5", "gpt-5-mini"], "essay-feedback"), tempfile.mkdtemp())
assert settings() == before and "backend" in before
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_colours_differ_in_grey_or_shape(report):
    """Whoever sees no colour tells regions by hatching and lightness, and models by their markers."""
    handles = front(report, scenario="medical-ai").legends[0].legend_handles
    shapes = [h.get_marker() for h in handles if h.get_label().split(" (")[0] in MODELS]
    assert len(set(shapes)) == len(MODELS)
    figure = decisions(report, scenario="medical-ai", selector="max-accuracy", size=20)
    shades = {}
    for patch in figure.axes[0].patches:
        lightness = np.dot(to_rgba(patch.get_facecolor())[:3], (0.299, 0.587, 0.114))
        shades.setdefault(patch.get_hatch(), []).append(lightness)
    for values in shades.values():
        assert len(values) == 1 or np.min(np.abs(np.diff(values))) > 0.02


def test_simulated_means_are_marked():
    report = Pipeline(estimator=MonteCarlo(50), k_max=16).run("gpt-5", "essay-feedback")
    assert "mean (accuracy simulated)" in legend(curve(report))


@pytest.fixture
def of_a_log():
    rng = np.random.default_rng(0)
    question = np.repeat(np.arange(12), 5)
    answer = np.where(rng.random(60) < 0.6, 0, rng.integers(1, 4, 60))
    columns = {"answer": answer, "cost_usd": rng.random(60)}
    samples = Samples("mine", [f"q{i}" for i in range(12)], question, (answer == 0) * 1.0, columns)
    return Pipeline("plurality-vote", "max-accuracy").run(ModelProfile("mine", Empirical(samples), (LoggedCost(),)))


def test_of_a_log_the_bands_are_the_intervals_that_the_text_says(of_a_log):
    figure = curve(of_a_log)
    column = of_a_log.candidates.curves[0].columns["accuracy"]
    for text, (low, high) in (
        ("mean, other questions (95 %)", column.other_questions),
        ("mean, these questions again (95 %)", column.same_questions[:, :-1]),
    ):
        ends = drawn(figure.axes[0], text).get_datalim(figure.axes[0].transData)
        assert (ends.y0, ends.y1) == (pytest.approx(low.min()), pytest.approx(high.max()))
        assert text in legend(figure)
    assert not any("of queries" in text for text in legend(figure))  # each is right or wrong
    assert "95 % of queries (cost simulated)" in legend(curve(of_a_log, "cost"))


def test_of_uncertain_numbers_bars_show_where_the_mean_is(unsure):
    figure = curve(unsure, model=MODELS[1])
    low, high = unsure.drawn(unsure[MODELS[1], "utopia"], "accuracy")
    segments = [segment[:, 1].tolist() for segment in drawn(figure.axes[0], "draws").get_segments()]
    assert [low, high] in segments
    assert "mean in 95 % of 60 draws" in legend(figure)
    assert "mean in 95 % of 60 draws" not in legend(curve(replace(unsure, stable=None), model=MODELS[1]))


def test_an_axis_of_accuracy_ends_where_nobody_can_measure():
    report = Pipeline(k_max=64).run(["gpt-5-nano", "nemotron-nano-9b-v2"], "medical-ai")
    assert report.candidates.column("accuracy").max() > 0.99999
    axes = front(report).axes[0]
    axes.figure.canvas.draw()
    ticks = [text.get_text() for text in axes.get_yticklabels()]
    assert ticks[-1] == "≥ 0.9999" or "≥ 0.9999" in ticks
    assert not [tick for tick in ticks if "0.99999" in tick]
    top = axes.transData.transform([(0.1, 0.99999), (0.1, 0.9999999)])[:, 1]
    assert top[0] == pytest.approx(top[1])
    assert top[0] < axes.bbox.y1 - 10  # so that marks there are whole


def test_a_choice_that_no_draw_made_is_in_the_picture_of_how_sure_it_is(unsure):
    choice = unsure.choice("utopia")
    shares = tuple(share for share in unsure.shares(choice) if share.row != choice.row)
    stable = replace(unsure.stable, shares={**unsure.stable.shares, choice.key: shares})
    figure = stability(replace(unsure, stable=stable), selector="utopia")
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert any(label.endswith(f"k = {choice.k}") for label in labels)
    assert "0 %" in [text.get_text() for text in figure.axes[0].texts]


def test_rows_whose_names_are_alike_where_they_are_cut_are_told_apart():
    long = "a-model-with-a-name-of-more-than-32-characters"
    models = [replace(builtin_models()["gpt-5"], name=f"{long}-{n}") for n in range(2)]
    table = Pipeline(["best-of-k", "coverage"], k=[4]).candidates(models)
    names = [name_of(table, *curve.label) for curve in table.curves]
    assert len({*names}) == len(names) == 4
    alone = table.where(model=f"{long}-0")
    assert [name_of(alone, *curve.label) for curve in alone.curves] == ["best-of-k", "coverage"]
    assert max(map(len, pool_title(alone, "a scenario with a long name").splitlines())) <= 50
