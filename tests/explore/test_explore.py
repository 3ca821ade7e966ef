import json
import math
import random
import socket
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from moo_infer import MonteCarlo, MooInferError, Pipeline, Scenario
from moo_infer.explore import server as module
from moo_infer.explore.explore import Explorer
from moo_infer.explore.start import Start
from moo_infer.plot import space
from moo_infer.report.answer import headline, tables
from moo_infer.report.wording import to_html

ROOT = Path(__file__).parents[2]
MODELS = """
models:
  <b>mine</b>:
    inference: {kind: gaussian, tokens_in_mean: 1000, tokens_in_std: 50, tokens_out_mean: 500, tokens_out_std: 50, accuracy_mean: 0.8, accuracy_std: 0.1}
    costs:
      - {kind: linear-cost, usd_per_input_token: 1.0e-06, usd_per_output_token: 1.0e-05}
scenarios:
  slow: {max: {cost: {p95: 0.05}}, min: {accuracy: 0.85}}
  fast: {max: {cost: 0.02}}
"""


@pytest.fixture(scope="module")
def explorer():
    return Explorer()


@pytest.fixture
def unrendered(monkeypatch):
    """Figures are made, but no pixels of them: for tests of what stands beside the picture."""
    monkeypatch.setattr("moo_infer.explore.explore.png", lambda draw, dpi: b"\x89PNG" if draw() else b"")


def shown(explorer, report):
    """Whether the page says what a report says."""
    (outcome,) = report.outcomes
    below = to_html(tables(report, by_selector=False))
    return explorer.answer.value == to_html([headline(report, outcome)]) and explorer.tables.value.startswith(below)


def drawn(explorer):
    return bytes(explorer.image.value[:4]) == b"\x89PNG"


def test_it_opens_with_the_answer_to_the_first_scenario(explorer, pipeline):
    report = pipeline.run(None, "essay-feedback")
    assert shown(explorer, report)
    assert explorer.limits["cost"].value == 0.5
    assert explorer.limits["accuracy"].description == "min accuracy"
    assert drawn(explorer)


@pytest.mark.usefixtures("unrendered")
def test_a_moved_limit_decides_as_a_pipeline_does(explorer, pipeline):
    rng = random.Random(1)
    explorer.model.value = "gpt-5-nano"
    for _ in range(20):
        slider = explorer.limits[rng.choice(["cost", "latency", "accuracy"])]
        slider.value = rng.choice(slider.options)[1]
        values = {name: slider.value for name, slider in explorer.limits.items() if math.isfinite(slider.value)}
        least = {name: value for name, value in values.items() if name == "accuracy"}
        most = {name: value for name, value in values.items() if name != "accuracy"}
        expected = pipeline.run("gpt-5-nano", Scenario("custom", most, least))
        assert explorer.scenario.value == "custom"
        assert shown(explorer, expected)
        assert [c.k for c in explorer.report.rows] == [c.k for c in expected.rows]


@pytest.mark.usefixtures("unrendered")
def test_a_moved_limit_costs_no_estimation(explorer, monkeypatch):
    explorer.model.value = "gpt-5"
    monkeypatch.setattr(type(explorer._pipeline.estimator), "estimate", None)
    explorer.limits["cost"].value = explorer.limits["cost"].options[10][1]
    explorer.limits["cost"].value = math.inf
    assert "custom: k within latency &lt;= " in explorer.tables.value


@pytest.mark.usefixtures("unrendered")
def test_a_scenario_moves_the_sliders(explorer):
    explorer.scenario.value = "medical-ai"
    assert [explorer.limits[name].value for name in ("cost", "latency", "accuracy")] == [0.95, 3600, 0.98]
    assert explorer.scenario.value == "medical-ai"
    assert "medical-ai: k within" in explorer.tables.value


@pytest.mark.usefixtures("unrendered")
def test_every_control_makes_its_report(explorer):
    explorer.scenario.value, explorer.model.value = "essay-feedback", "gpt-5"
    changes = {"k_max": 16, "parallelism": 2, "estimator": "monte-carlo", "trials": 50, "seed": 3}
    changes |= {"aggregators": ("majority-vote", "coverage"), "selectors": ("knee-chord", "max-accuracy")}
    for name, value in changes.items():
        getattr(explorer, name).value = value
    estimator = MonteCarlo(50, 3)
    expected = Pipeline(
        ("majority-vote", "coverage"), ("knee-chord", "max-accuracy"), estimator, k_max=16, parallelism=2
    )
    assert shown(explorer, expected.run("gpt-5", "essay-feedback"))
    explorer.k_max.value = 1
    assert "P = 2 is above k_max = 1" in explorer.answer.value
    assert not drawn(explorer)
    for name, value in {"k_max": 128, "parallelism": 0, "estimator": "exact", "aggregators": ("best-of-k",)}.items():
        getattr(explorer, name).value = value
    assert "use gpt-5" in explorer.answer.value


@pytest.mark.parametrize("picture", ["space", "curves", "front", "decision map"])
def test_every_picture_is_drawn_of_what_is_recommended(explorer, picture):
    explorer.model.value = "all models"
    explorer.picture.value = picture
    assert drawn(explorer)
    assert explorer.remark.value == ""


def test_nothing_feasible_says_so_and_draws_still(explorer):
    explorer.picture.value = "space"
    explorer.limits["accuracy"].value = explorer.limits["accuracy"].options[-1][1]
    explorer.limits["cost"].value = explorer.limits["cost"].options[0][1]
    assert "nothing is feasible" in explorer.answer.value
    assert drawn(explorer)


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(MODELS)
    return path


@pytest.mark.usefixtures("unrendered")
def test_models_and_scenarios_of_a_file(mine):
    """Names are text, quantile limits hold, and a picture that cannot be drawn says why."""
    explorer = Explorer(mine)
    assert explorer.scenario.options == ("slow", "fast", "custom")
    assert explorer.limits["cost"].value == math.inf
    assert "p95 cost &lt;= 0.05 USD" in explorer.tables.value
    assert "<b>" not in explorer.answer.value + explorer.tables.value
    assert explorer.remark.value == "<p>this picture takes 3 objectives, and the table has 2: accuracy, cost</p>"
    explorer.scenario.value = "fast"
    assert explorer.limits["cost"].value == 0.02
    assert explorer.limits["accuracy"].value == -math.inf


@pytest.mark.usefixtures("unrendered")
def test_limits_on_a_quantile_decide_as_a_pipeline_does(mine):
    explorer = Explorer(mine)
    explorer.scenario.value = "slow"
    assert explorer.limits["cost"].value == math.inf
    explorer.statistic.value = "p95"
    assert explorer.limits["cost"].value == 0.05
    assert explorer.scenario.value == "slow"
    assert explorer.limits["cost"].description == "max cost (USD)"
    explorer.limits["cost"].value = explorer.limits["cost"].options[20][1]
    assert explorer.scenario.value == "custom"
    (limit,) = [limit for limit in explorer.report.scenarios[0].limits if limit.objective == "cost"]
    assert (limit.statistic, limit.worst) == ("p95", explorer.limits["cost"].value)
    assert explorer.report.outcome().feasible.any()
    explorer.statistic.value = "mean"
    assert explorer.report.scenarios[0].max["cost"] == {"mean": limit.worst}


@pytest.mark.usefixtures("unrendered")
def test_limits_of_a_scenario_that_no_slider_shows_stay_where_the_sliders_take_it_over(mine):
    explorer = Explorer(mine)
    explorer.scenario.value, explorer.statistic.value = "fast", "p95"
    explorer.scenario.value = "custom"
    assert explorer.limits["cost"].value == math.inf
    assert shown(explorer, explorer.report)
    assert "custom: use" in explorer.answer.value
    assert explorer.report.scenarios[0].max == {"cost": {"mean": 0.02}}
    explorer.scenario.value, explorer.statistic.value = "slow", "mean"
    explorer.limits["accuracy"].value = explorer.limits["accuracy"].options[3][1]
    (scenario,) = explorer.report.scenarios
    assert scenario.max == {"cost": {"p95": 0.05}}
    assert scenario.min == {"accuracy": {"mean": explorer.limits["accuracy"].value}}
    explorer.limits["cost"].value = explorer.limits["cost"].options[50][1]
    assert explorer.report.scenarios[0].max["cost"] == {"p95": 0.05, "mean": explorer.limits["cost"].value}
    explorer.statistic.value = "p95"
    assert explorer.report.scenarios[0].max["cost"] == {"p95": explorer.limits["cost"].value}


@pytest.mark.usefixtures("unrendered")
def test_how_sure_it_is_is_said_where_something_is_uncertain(tmp_path):
    (tmp_path / "my.yaml").write_text(MODELS.replace("accuracy_mean: 0.8", "accuracy_mean: {value: 0.8, se: 0.05}"))
    explorer = Explorer(tmp_path / "my.yaml")
    assert "of 200 draws" not in explorer.answer.value
    explorer.sure.value = True
    assert "of 200 draws" in explorer.answer.value
    explorer.sure.value = False
    assert "of 200 draws" not in explorer.answer.value


@pytest.mark.usefixtures("unrendered")
def test_plugin_files_bring_their_parts(tmp_path):
    plugin = tmp_path / "first.py"
    plugin.write_text(
        "from moo_infer import Selector, hookimpl\n"
        "class First(Selector):\n    name = 'first'\n    def select(self, candidates, /):\n        return 0\n"
        "@hookimpl\ndef register_selectors():\n    return [First]\n"
    )
    explorer = Explorer(plugin_files=[plugin])
    assert "first" in explorer.selectors.options
    assert "verifier" not in explorer.aggregators.options, "it has parameters without defaults"
    explorer.selectors.value = ("first",)
    assert "with k = 4 samples" in explorer.answer.value  # the first row


def test_the_picture_is_that_of_the_report(explorer):
    explorer.model.value, explorer.picture.value = "gpt-5", "space"
    title = space(explorer.report)._suptitle.get_text()
    assert title.startswith("gpt-5, best-of-k")


@pytest.mark.parametrize("notebook_file", sorted(ROOT.glob("examples/*.ipynb")), ids=lambda path: path.name)
def test_notebooks_run(notebook_file, tmp_path, monkeypatch):
    """Executed in a kernel of their own, cell by cell; widgets, tables and pictures come out."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    document = nbformat.read(notebook_file, as_version=4)
    assert not any(cell.get("outputs") for cell in document.cells), "notebooks are kept without outputs"
    nbclient.NotebookClient(document, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [set(o.data) for cell in document.cells for o in cell.get("outputs", []) if o.output_type != "stream"]
    kinds = set().union(*shown)
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "image/png"} <= kinds


@pytest.fixture
def started(monkeypatch):
    """What is started in place of a server: the command, and the cell of the page."""
    seen = {}

    def call(command):
        page = Path(next(word for word in command if word.endswith(".ipynb")))
        seen.update(command=command, source=json.loads(page.read_text())["cells"][0]["source"], page=page)
        return 0

    monkeypatch.setattr(module, "until_stopped", call)
    return seen


@pytest.mark.usefixtures("unrendered")
def test_the_page_holds_the_same_explorer(started, mine):
    assert module.serve(models=mine, port=9000, browser=False) == 0
    assert not started["page"].exists(), "nothing is left behind"
    seen = dict(started)
    assert seen["command"][1:3] == ["-m", "voila"]
    assert {"--port=9000", "--no-browser", "--Voila.ip=127.0.0.1"} <= set(seen["command"])
    names = {}
    exec(seen["source"].replace("\nExplorer", "\nmade = Explorer"), names)
    assert "<b>mine</b>" in names["made"].model.options
    assert module.serve() == 0
    assert "--no-browser" not in started["command"]


def test_bad_files_are_refused_before_anything_is_served(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "until_stopped", lambda _: pytest.fail("nothing may start"))
    assert cli("explore", "--models", tmp_path / "none.yaml")[0] == 2
    assert cli("explore", "--plugin-file", tmp_path / "none.py")[0] == 2
    assert cli("explore", "--port", "0")[0] == 2
    with pytest.raises(MooInferError, match="no such file"):
        Explorer(tmp_path / "none.yaml")


def test_a_port_that_is_taken_is_one_sentence(cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = cli("explore", "--no-browser", "--port", port)
    assert code == 2
    assert f"port {port} is in use" in err


@pytest.mark.usefixtures("unrendered")
def test_it_opens_with_what_the_run_of_a_file_says(started, tmp_path, cli):
    def opened(run):
        (tmp_path / "run.yaml").write_text(f"run: {run}\n")
        code, _, err = cli("explore", "--models", tmp_path / "run.yaml")
        assert code == 0, err
        names = {}
        exec(started["source"].replace("\nExplorer", "\nmade = Explorer"), names)
        return names["made"]

    made = opened(
        "{model: gpt-5-mini, max_cost: 0.5, max_latency: {p95: 60}, k: [4, 8, 700], aggregator: coverage, seed: 3, "
        "selector: ['asf:weights.cost=2'], estimator: monte-carlo, trials: 200, parallelism: 2}"
    )
    report = made.report
    assert made.scenario.value == "limits of the run"
    assert [str(limit) for limit in report.outcomes[0].scenario.limits] == ["cost <= 0.5", "p95 latency <= 60"]
    assert (made.statistic.value, made.limits["latency"].value) == ("p95", 60)
    assert (made.model.value, made.k_max.value, made.parallelism.value) == ("gpt-5-mini", 700, 2)
    assert (made.aggregators.value, made.selectors.value) == (("coverage",), ("asf:weights.cost=2",))
    assert (made.estimator.value, made.trials.value, made.seed.value) == ("monte-carlo", 200, 3)
    assert opened("{scenario: medical-ai}").scenario.value == "medical-ai"


def test_what_a_run_names_wrongly_is_refused_before_anything_is_served(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "until_stopped", lambda _: pytest.fail("nothing may start"))
    for run, message in (
        ("{model: nobody}", "unknown model 'nobody'"),
        ("{scenario: nowhere}", "unknown scenario 'nowhere'"),
        ("{estimator: guess}", "unknown estimator 'guess'"),
        ("{selector: best}", "unknown selector 'best'"),
        ("{k_max: x}", "run: k_max: must be a whole number, got 'x'"),
    ):
        (tmp_path / "run.yaml").write_text(f"run: {run}\n")
        code, _, err = cli("explore", "--models", tmp_path / "run.yaml")
        assert code == 2
        assert message in err, err


def test_a_decision_map_is_drawn_once(explorer, monkeypatch):
    explorer.picture.value = "space"
    drawn, draw = [], Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda figure, renderer: drawn.append(figure) or draw(figure, renderer))
    explorer.picture.value = "decision map"
    assert len(drawn) == 1


@pytest.mark.usefixtures("unrendered")
def test_controls_that_say_what_cannot_be_say_so_at_every_move(tmp_path):
    """No answer of the settings before is shown for them; and a scenario that was chosen meanwhile moves the sliders."""
    path = tmp_path / "my.yaml"
    path.write_text(MODELS)
    explorer = Explorer(path, start=Start(k_max=8))
    explorer.aggregators.value = ()
    said = explorer.answer.value
    assert "at least one is needed" in said
    explorer.limits["cost"].value = explorer.limits["cost"].options[10][1]
    assert (explorer.answer.value, explorer.tables.value) == (said, "")
    explorer.scenario.value = "fast"
    assert explorer.answer.value == said
    explorer.aggregators.value = ("coverage",)
    assert explorer.limits["cost"].value == 0.02
    assert explorer.answer.value.startswith("<p>fast: use")


def test_what_a_run_says_and_no_control_does_is_said(started, cli, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("run: {goal: knee, policy: menu, model: [gpt-5, gpt-5-mini], max_cost: 1}\n")
    code, _, err = cli("explore", "--models", path)
    assert (code, "the explorer does without goal, model, policy of run:" in " ".join(err.split())) == (0, True)
    path.write_text("run: {model: gpt-5, max_cost: 1}\n")
    assert "does without" not in cli("explore", "--models", path)[2]


@pytest.mark.usefixtures("unrendered")
def test_that_policies_of_a_file_are_not_tried_is_said(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(MODELS + "policies:\n  both: {kind: two-then-more, k: 4}\n")
    explorer = Explorer(path, start=Start(k_max=4))
    assert "The policies of the file are not tried here; moo-infer recommend tries them." in explorer.tables.value
