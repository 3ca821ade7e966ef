"""Sentences and tables as data, and their plain HTML."""

import subprocess
import sys
from dataclasses import replace

from moo_infer import Pipeline, Scenario, builtin_models
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
