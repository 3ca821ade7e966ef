"""Sentences and tables as data, and their plain HTML."""

import subprocess
import sys
from dataclasses import replace

import pytest

from moo_infer import Pipeline, Scenario, builtin_models
from moo_infer.core.uncertainty import Uncertain
from moo_infer.decide.stability import ChoiceShare
from moo_infer.report.details import figures
from moo_infer.report.page_data import SHARES, pictures
from moo_infer.report.text import laid_out
from moo_infer.report.wording import TextTable, choices, to_html


def test_a_table_of_choices_has_a_row_a_curve_and_a_column_a_selector(pipeline):
    report = pipeline.run(["gpt-5", "gpt-5-nano"], "essay-feedback")
    table = choices(report, report.outcomes[0])[0]
    assert isinstance(table, TextTable)
    assert table.header == ("model", "max-accuracy", "max-cube", "utopia", "knee", "knee-chord")
    assert table.rows == (("gpt-5", "20", "4", "4", "8*", "8"), ("gpt-5-nano", "108", "4", "4", "8*", "28"))


def test_several_aggregators_are_a_second_label(profile):
    report = Pipeline(aggregators=["best-of-k", "coverage"], selectors="utopia").run(profile(), Scenario("free"))
    table = choices(report, report.outcomes[0])[0]
    assert (table.header[:2], table.labels) == (("model", "aggregator"), 2)
    assert [row[:2] for row in table.rows] == [("mine", "best-of-k"), ("mine", "coverage")]


def test_html_of_blocks_is_escaped_and_lines_are_lists():
    written = to_html([("a < b", "<one>", "two"), "", TextTable(("x",), ((("1", "2"),),), labels=0, caption="&")])
    assert written == (
        "<p>a &lt; b</p><ul><li>&lt;one&gt;</li><li>two</li></ul>"
        '<table><caption>&amp;</caption><thead><tr><th scope="col">x</th></tr></thead>'
        "<tbody><tr><td>1<br>2</td></tr></tbody></table>"
    )


def test_a_notebook_shows_the_answer_and_the_choices(pipeline):
    shown = pipeline.run()._repr_html_()
    assert shown.startswith("<p>essay-feedback: use nemotron-nano-9b-v2 with k = 16 samples")
    assert '<th scope="row">nemotron-nano-9b-v2</th><td>16</td>' in shown
    assert "<script" not in shown
    assert len(shown) < 20_000


def test_a_notebook_escapes_names():
    bad = "<script>alert(1)</script>"
    shown = Pipeline().run(replace(builtin_models()["gpt-5"], name=bad), Scenario(bad))._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_notebooks_need_no_extra():
    code = (
        "import sys; from moo_infer import Pipeline; Pipeline().run('gpt-5')._repr_html_();"
        "print([m for m in ('jinja2', 'markupsafe', 'plotly', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("width", [60, 72, 80])
def test_no_figure_is_broken_however_narrow_the_table(width):
    """0.0009006 over two lines reads as 0.000900; names and heads give way."""
    header = ("model", "k", "calls", "waves", "accuracy", "USD", "s", "how sure")
    shares = ("54 % small > large, three-agree", "46 % large, two-then-more")
    intervals = ("0.759", "[0.669, 0.825]")
    rows = (
        (shares, ("4", "7"), ("3.71 p95 4", "3.77 p95 7"), "1.71", intervals, "0.0009006", "42.49", "100 %"),
        ("small", "7", ("4.76", "p95 7"), "1.55", intervals, "1.234e-09", "1.234e+05", "80 %"),
    )
    text = laid_out([TextTable(header, rows)], width)
    words = text.split()
    assert {"0.0009006", "1.234e-09", "1.234e+05", "[0.669,", "0.825]", "42.49"} <= {*words}
    assert width < 72 or max(map(len, text.splitlines())) <= width


def test_names_are_whole_where_intervals_that_are_broken_at_a_space_make_room():
    header = ("model", "k", "calls", "waves", "accuracy", "USD", "s", "how sure")
    rest = (("0.695", "[0.480, 0.833]"), "0.0009006", "42.49", "100 %")
    rows = [(("small", name), "6", "p95 6", "p95 2", *rest) for name in ("two-then-more", "adaptive-consistency")]
    text = laid_out([TextTable(header, tuple(rows))], 76)
    assert {"two-then-more", "adaptive-", "consistency", "accuracy", "[0.480,", "0.833]"} <= {*text.split()}
    assert text.count("100 %") == 2
    assert max(map(len, text.splitlines())) <= 76


def test_shares_of_draws_name_the_aggregator_where_there_are_several_and_always_the_choice():
    models = [replace(builtin_models()["gpt-5"], uncertain={"inference.accuracy_mean": Uncertain(se=0.02)})]
    report = Pipeline(["best-of-k", "coverage"], "max-accuracy", k=[4, 8]).run(models, "medical-ai").with_stability(2)
    choice = report.choice("max-accuracy")
    ways = [(k, aggregator) for k in (4, 8) for aggregator in report.candidates.aggregators]
    others = [ChoiceShare(100 + i, "gpt-5", ways[i % 4][1], i, 0.14) for i in range(SHARES)]
    shares = (others[0], replace(others[0], aggregator="coverage"), *others[1:])
    mine = ChoiceShare(choice.row, choice.model, choice.aggregator, choice.k, 0.02)
    stable = replace(report.stable, shares={**report.stable.shares, choice.key: (*shares, mine)})
    report = replace(report, stable=stable)
    listed = next(c for c in pictures(report)["scenarios"][0]["choices"] if c["curve"] is None)["shares"]
    assert len({entry["text"] for entry in listed}) == len(listed)
    assert [entry["share"] for entry in listed if entry["same"]] == [0.02]
    said = next(b for b in figures(report, report.outcomes[0])[::-1] if str(b).startswith("max-accuracy, how sure"))
    assert "gpt-5 best-of-k k = 0 (14 %)" in said
