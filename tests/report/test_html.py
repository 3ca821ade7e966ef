"""The page to share, without a browser: what stands in it, and how it is written."""

import json
import os
import re
import sys
from dataclasses import replace
from html import unescape
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from moo_infer import MonteCarlo, MooInferError, Pipeline, Scenario, __version__, builtin_models, builtin_scenarios
from moo_infer.report.html import page, refuse_unwritable, write_page
from moo_infer.report.page_data import pictures

PLOTLYJS = (files("moo_infer.report") / "page" / "plotly-gl3d.min.js").read_text(encoding="utf-8")
MEBI = 2**20


@pytest.fixture(scope="module")
def report(pipeline):
    return pipeline.run()


@pytest.fixture(scope="module")
def small(pipeline):
    """A report whose page takes little time."""
    return pipeline.run("gpt-5", "essay-feedback")


@pytest.fixture(scope="module")
def text(report):
    return page(report, "moo-infer recommend --out 'a & b.html'")


def data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def body(text):
    return text[: text.index('<script type="application/json"')]


def test_the_page_is_one_file_of_moderate_size(text):
    assert len(text.encode()) < 2.6 * MEBI
    assert text.count("* plotly.js (gl3d - minified) v") == 1
    assert len(re.findall(r"<script[ >]", text[: text.index("* plotly.js (")])) == 2  # the data, and plotly's own
    assert "src=" not in body(text).replace('<img id="space-still"', "")
    assert set(re.findall(r'href="([^"]*)"', body(text))) == {"data:,"}
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert "unsafe-eval" not in policy


def test_the_answer_comes_first_and_every_choice_is_in_the_tables(text, report):
    assert body(text).index("use nemotron-nano-9b-v2 with k = 16 samples") < body(text).index("<table>")
    for scenario in report.scenarios:
        for model in report.candidates.models:
            mine = [c for c in report.rows if (c.scenario, c.model) == (scenario.name, model)]
            cells = "".join(f"<td>{c.k or '-'}{'*' * bool(c.remarks)}</td>" for c in mine)
            assert f'<tr><th scope="row">{model}</th>{cells}</tr>' in text, (scenario.name, model)


def test_the_command_the_version_the_sources_and_the_numbers_are_named(text, small):
    assert "<code>moo-infer recommend --out &#39;a &amp; b.html&#39;</code>" in text
    assert f"moo_infer {__version__}" in text
    for scenario in builtin_scenarios().values():
        assert scenario.source in text
    assert text.count("arXiv 2510.18905, Table 3") == 9
    assert "tokens_out_mean = 2048" in text
    assert "usd_per_input_token = 1.25e-06" in text
    assert "Nothing is simulated" in text
    assert "Report.to_html()" in small.to_html()


def test_uncertain_numbers_and_simulated_figures_say_so(cli, tmp_path):
    (tmp_path / "my.yaml").write_text(
        "models: {m: {inference: {kind: gaussian, tokens_in_mean: 10, tokens_in_std: 1, tokens_out_mean: 10,"
        " tokens_out_std: 1, accuracy_mean: {value: 0.8, se: 0.01}, accuracy_std: 0.05},"
        " costs: [{kind: linear-cost, usd_per_input_token: {low: 1.0e-07, high: 3.0e-07}, usd_per_output_token: 0}]}}"
    )
    flags = ["--aggregator", "majority-vote", "--max-cost", "1", "--seed", "7", "--stability", "5"]
    code, _, err = cli("recommend", "--models", tmp_path / "my.yaml", *flags, "--out", tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert (code, err) == (0, f"moo-infer: wrote {tmp_path / 'a.html'}\n")
    assert "accuracy_mean = 0.8 ± 0.01 (standard error)" in text
    assert "usd_per_input_token between 1e-07 and 3e-07" in text
    assert "Simulated (10000 trials, seed 7): accuracy.high, accuracy.low" in text
    assert "5 draws of\nthe uncertain numbers" in text
    assert [sum(s["share"] for s in c["shares"]) for c in data(text)["scenarios"][0]["choices"]] == pytest.approx(
        [1.0] * 12
    )


def test_the_pictures_hold_every_figure_and_every_choice(text, report):
    drawn, table = data(text), report.candidates
    assert [o["name"] for o in drawn["objectives"]] == [o.name for o in table.objectives]
    for curve, (model, _) in zip(drawn["curves"], [c.label for c in table.curves], strict=True):
        view = table.where(model=model)
        assert curve["k"] == view.k.tolist()
        np.testing.assert_allclose(np.transpose(curve["mean"]), view.means, rtol=1e-5)
        np.testing.assert_allclose(curve["high"][1], view.column(table.objectives[1].name, "high"), rtol=1e-5)
    for scenario, found in zip(report.scenarios, drawn["scenarios"], strict=True):
        pool = table.feasible(scenario.limits)
        assert found["front"] == pool.rows[pool.front].tolist()
        assert sum(map(sum, found["feasible"])) == len(pool)
        outcome = report.outcome(scenario.name)
        chosen = [choice.row for choice in (*outcome.of_curves, *outcome.pooled)]
        assert [c["row"] for c in found["choices"]] == chosen
        cells = {(r["curve"], r["k"]) for r in found["map"]["regions"]}
        choice = report.choice(report.headline, scenario=scenario.name)
        assert ([c.label for c in table.curves].index((choice.model, choice.aggregator)), choice.k) in cells


def test_what_is_unknown_is_null_not_nan():
    report = Pipeline(estimator="monte-carlo", k=[1, 2]).run("gpt-5", "essay-feedback")
    assert "NaN" not in json.dumps(pictures(report))
    single = Pipeline(estimator=MonteCarlo(1), k=[1, 2]).run("gpt-5", "essay-feedback")
    assert "NaN" not in single.to_html().replace(PLOTLYJS, "")


def test_long_curves_are_thinned_but_every_choice_is_drawn():
    report = Pipeline(k_max=8_000, k_step=1, selectors=["max-accuracy", "knee-chord", "utopia"]).run(
        ["gpt-5", "gpt-5-nano"], Scenario("wide", max={"cost": 20, "latency": 1e5})
    )
    drawn = pictures(report)
    points = [len(curve["rows"]) for curve in drawn["curves"]]
    assert len(report.candidates) == 16_000
    assert all(1_000 < n < 4_100 for n in points)
    shown = {row for curve in drawn["curves"] for row in curve["rows"]}
    assert {c["row"] for c in drawn["scenarios"][0]["choices"]} - {None} <= shown
    assert set(drawn["scenarios"][0]["front"]) <= shown
    assert drawn["curves"][0]["k"][:20] == list(range(1, 21))
    assert drawn["curves"][0]["k"][-1] == 8_000
    text = page(report)
    assert f"of 16000 candidates {sum(points)} are drawn" in text
    assert len(text.encode()) < 6 * MEBI


def test_names_are_escaped_wherever_they_stand():
    name = "</script><img src=x onerror=alert(1)>"
    model = replace(builtin_models()["gpt-5"], name=name, source=f"{name} source")
    text = page(Pipeline().run([model], Scenario(name, max={"cost": 1}, source=name)), command=f"moo-infer {name}")
    assert "<img src=x" not in text
    assert text.count("</script>") == 3
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert data(text)["curves"][0]["label"] == name


def test_the_same_report_gives_the_same_page(report, text):
    assert page(report, "moo-infer recommend --out 'a & b.html'") == text


def test_the_command_line_writes_the_page_and_answers_as_before(cli, tmp_path):
    path, words = tmp_path / "report.html", ("recommend", "--model", "gpt-5", "--scenario", "essay-feedback")
    plain = cli(*words)
    assert cli(*words, "--out", path) == (*plain[:2], f"moo-infer: wrote {path}\n")
    assert cli(*words, "--out", path, "--quiet") == plain
    assert "recommend --model gpt-5 --scenario essay-feedback --out" in path.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["report.html"]
    code, out, _ = cli(*words, "--out", path, "--json")
    assert (code, json.loads(out)["schema"]) == (0, 1)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("folder.html", "must be a file to write, is a folder"),
        ("missing/report.html", "there is no folder"),
        ("file/report.html", "there is no folder"),
        ("x" * 300 + ".html", "cannot be written: File name too long"),
    ],
)
def test_a_path_that_cannot_be_written_is_one_sentence(cli, tmp_path, place, said):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html").mkdir()
    code, out, err = cli("recommend", "--model", "gpt-5", "--out", tmp_path / place)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.html"]


def test_a_device_is_refused_and_stays():
    with pytest.raises(MooInferError, match="/dev/null: must be a file to write"):
        refuse_unwritable(Path(os.devnull))


def test_what_stood_there_stays_where_writing_fails(small, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(MooInferError, match=r"report\.html: cannot be written: No space left on device"):
        write_page(small, path)
    assert (path.read_text(), os.listdir(tmp_path)) == ("before", ["report.html"])


def test_a_link_is_written_through(small, tmp_path):
    (tmp_path / "link.html").symlink_to(tmp_path / "there.html")
    write_page(small, tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "there.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_missing_extra_is_named(cli, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    code, out, err = cli("recommend", "--out", tmp_path / "report.html")
    assert (code, out) == (2, "")
    assert err == "moo-infer: an HTML page needs jinja2: pip install 'moo-infer[html]'\n"
    assert os.listdir(tmp_path) == []
