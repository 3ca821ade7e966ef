"""What options do together, and what is said where one of them does nothing."""

from pathlib import Path

import pytest

from moo_infer import Registry
from moo_infer.cli.app import run
from moo_infer.cli.recommend_options import PartOptions

ONE = ("recommend", "--model", "gpt-5", "--scenario", "essay-feedback", "--k", "4,8")


def test_details_stand_below_the_tables_of_the_selectors(capsys):
    texts = []
    for words in (["--selectors"], ["--details"], ["--selectors", "--details"]):
        assert run([*ONE, *words]) == 0
        texts.append(capsys.readouterr().out)
    tables, figures, both = texts
    assert "knee-chord" in tables
    assert both.startswith(tables.rstrip("\n"))
    assert len(both.splitlines()) > len(figures.splitlines())
    assert set(figures.splitlines()) <= set(both.splitlines())


@pytest.mark.parametrize("k", ["-1", "-200"])
def test_draws_below_none_are_refused_in_words(capsys, k):
    assert run([*ONE, "--stability", k]) == 2
    assert capsys.readouterr().err == f"moo-infer: --stability: must be >= 0, got {k}\n"


@pytest.mark.parametrize("others", [{"policy": ["plan-3"]}, {"aggregator": ["coverage"]}])
def test_what_a_workflow_leaves_out_is_said(others):
    file = Path(__file__).parents[2] / "examples" / "agent.yaml"
    with pytest.warns(UserWarning, match="--workflow leaves out the rows that --policy and --aggregator are about"):
        PartOptions(workflow=["agent"], **others).policies(file, Registry())
