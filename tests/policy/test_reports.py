"""What reports say of policies: calls, waves and endings, in text, JSON, frames and on the page."""

from pathlib import Path

import pytest

from moo_infer import Pipeline, Scenario, load_models
from moo_infer.estimate.course import Course

EXAMPLE = Path(__file__).parents[2] / "examples" / "voting.yaml"


@pytest.fixture(scope="module")
def report():
    policies = ["two-then-more:k=6", "cascade:first={model: small, k: 2},then={model: large}"]
    scenario = Scenario("s", {"cost": 0.02, "latency": {"p95": 120}}, {})
    return Pipeline("plurality-vote", goal="max-accuracy", k=[1], models=load_models(EXAMPLE), policies=policies).run(
        ["small", "large"], scenario
    )


def row_of(report, aggregator):
    return next(row for row in report.to_dict()["contenders"] if row["aggregator"] == aggregator)


def test_contenders_have_calls_and_waves_with_their_tails_and_no_number_is_broken(report):
    text = report.to_text()
    header = next(line for line in text.splitlines() if "accuracy" in line and "waves" in line)
    assert header.split()[:5] == ["model", "k", "calls", "waves", "accuracy"]
    cascade = row_of(report, "cascade")
    assert cascade["calls"]["p95"] == 3
    line = next(
        line for line in text.splitlines() if line.split()[:3] == ["small", ">", "3"] or "small > large" in line
    )
    figures = line.split()
    assert f"{cascade['calls']['mean']:.3g}" in figures
    assert f"{cascade['objectives']['cost']['mean']:.4g}" in figures
    for page in (text, report.to_html()):
        assert "p95 3" in page and "p95 2" in page  # noqa: PT018  # of calls, of waves


def test_the_answer_says_after_how_many_calls_it_ends(report):
    endings = {ending["what"]: ending["share"] for ending in row_of(report, "cascade")["endings"]}
    assert sum(endings.values()) == pytest.approx(1)
    kept = endings["2 samples of small"]
    sentence = (
        f"answers after 2 samples of small for {100 * kept:.0f} % of queries, asks for 1 sample of large for the rest"
    )
    assert sentence in " ".join(report.to_text(details=True).split())
    own = Pipeline("plurality-vote", "max-accuracy", k=[1], models=load_models(EXAMPLE), policies="two-then-more:k=6")
    text = " ".join(own.run("large").to_text().split())
    assert "It answers after 2 samples for 65 % of queries, asks 4 more for the rest." in text


def test_per_sample_is_over_the_calls_that_were_made(report):
    row = row_of(report, "cascade")
    usd = row["objectives"]["cost"]["mean"] / row["calls"]["mean"]
    assert f"Per sample: cost {usd:.4g} USD" in " ".join(report.to_text(details=True).split())


def test_frames_have_the_policy_and_its_means(report):
    frame = report.to_frame()
    row = row_of(report, "cascade")
    own = next(frame.filter(frame["aggregator"] == "cascade", ~frame["recommended"]).iter_rows(named=True))
    assert (own["policy"], own["calls"], own["waves"]) == (row["policy"], row["calls"]["mean"], row["waves"]["mean"])
    static = frame.filter(frame["aggregator"] == "plurality-vote")["policy"]
    assert static.null_count() == len(static) > 0


@pytest.mark.parametrize(
    ("models", "endings", "sentence"),
    [
        (("m",), {(2,): 0.61, (8,): 0.39}, "answers after 2 samples for 61 % of queries, asks 6 more for the rest"),
        (("m",), {(3,): 1.0}, "answers after 3 samples for all queries"),
        (
            ("m",),
            {(5,): 0.5, (6,): 0.3, (8,): 0.2},
            "answers after 5 samples for 50 % of queries, after 6 for 30 % and after 8 for the rest",
        ),
        (
            ("m",),
            {(n,): 0.2 for n in range(1, 6)},
            "answers after 1 sample for 20 % of queries, after 2 for 20 %, after 3 for 20 %, after 4 for 20 % and after "
            "others, 5 calls at most, for the rest",
        ),
        (
            ("a", "b"),
            {(1, 1): 0.998, (1, 2): 0.002},
            "answers after 1 sample of a and 1 of b for more than 99 % of queries, asks for 1 sample of b for the rest",
        ),
        (
            ("a", "b"),
            {(2, 0): 0.7, (0, 1): 0.3},
            "answers after 1 sample of b for 30 % of queries and after 2 samples of a for the rest",
        ),
    ],
)
def test_endings_in_words(models, endings, sentence):
    assert Course.of("p", models, endings, {1: 1.0}).sentence == sentence
