"""Mixtures of rows: shares of the queries for several deployments, within limits on their means and quantiles."""

import json
import warnings
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog

from moo_infer import (
    ACCURACY,
    COST,
    LATENCY,
    Candidates,
    Limit,
    ModelProfile,
    MonteCarlo,
    MooInferError,
    NoSelection,
    Objective,
    Pipeline,
    Samples,
    Scenario,
)
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.estimate.mixed_column import share_within
from moo_infer.policy.mixture import mix


def table(rows):
    """A table of (cost, seconds, accuracy)."""
    return Candidates.from_means([COST, LATENCY, ACCURACY], rows)


def random_table(seed, n=12):
    rng = np.random.default_rng(seed)
    cost, seconds = rng.lognormal(0, 1, n), rng.lognormal(1, 1, n)
    return table(
        np.stack([cost, seconds, np.clip(0.5 + 0.1 * np.log(cost + seconds) + rng.normal(0, 0.1, n), 0, 1)], 1)
    )


def log(name, seconds, correct, usd=1.0, questions=None):
    """A model that was asked each question the same number of times; seconds and correct are (Q, n)."""
    seconds, correct = np.asarray(seconds, float), np.asarray(correct, float)
    Q, n = seconds.shape
    columns = {"latency_s": seconds.ravel(), "cost_usd": np.full(Q * n, usd)}
    names = questions or [f"q{i}" for i in range(Q)]
    samples = Samples(name, names, np.repeat(np.arange(Q), n), correct.ravel(), columns)
    return ModelProfile(name, Empirical(samples), (LoggedCost(), LoggedLatency()))


def test_two_rows_are_mixed_until_the_budget_is_spent():
    mixture = mix(Candidates.from_means([COST, ACCURACY], [[1, 0.6], [5, 0.9]]), [Limit("cost", 2, "max")])
    assert mixture.rows.tolist() == [0, 1]
    assert mixture.weights == pytest.approx([0.75, 0.25], abs=1e-12)
    figures = mixture.objectives
    assert figures["accuracy"].mean == pytest.approx(0.675, abs=1e-12)
    assert figures["cost"].mean == pytest.approx(2, abs=1e-12)
    assert figures["cost"].std == pytest.approx((0.75 * 0.25) ** 0.5 * 4, abs=1e-12)
    assert [figures["cost"].quantile(q) for q in (0.7, 0.8)] == [1, 5]
    assert mixture.shadow_prices["cost"] == pytest.approx(0.3 / 4, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_no_two_or_three_rows_are_better(seed):
    """Against brute force: of two limits, the corners of every pair and triple of rows."""
    rows = random_table(seed)
    limits = [Limit("cost", float(np.quantile(rows.column("cost"), 0.4)), "max"), Limit("latency", 3.0, "max")]
    bounds = np.array([limit.worst for limit in limits])
    used = np.stack([rows.column(limit.objective) for limit in limits])
    accuracy, best = rows.column("accuracy"), -1.0
    for count in (1, 2, 3):
        for some in map(list, combinations(range(len(rows)), count)):
            for tight in combinations(range(2), count - 1):  # as many limits are just met as there are rows, less one
                equations = np.vstack([np.ones(count), *(used[j, some] for j in tight)])
                if abs(np.linalg.det(equations)) < 1e-12:
                    continue
                weights = np.linalg.solve(equations, [1, *bounds[list(tight)]])
                if (weights >= -1e-12).all() and (used[:, some] @ weights <= bounds * (1 + 1e-12)).all():
                    best = max(best, float(accuracy[some] @ weights))
    mixture = mix(rows, limits)
    assert mixture.objectives["accuracy"].mean == pytest.approx(best, abs=1e-9)
    assert len(mixture.rows) <= 3
    assert all(limit.excess(np.array(mixture.objectives[limit.objective].mean)) <= 0 for limit in limits)


@pytest.mark.parametrize("seed", range(5))
def test_a_shadow_price_is_what_one_more_unit_of_the_budget_buys(seed):
    rows = random_table(seed)
    cost, step = rows.column("cost"), 1e-6
    worst = float(cost.min() + cost[rows.column("accuracy").argmax()]) / 2
    here, there = (mix(rows, [Limit("cost", worst + h, "max")]) for h in (0.0, step))
    gain = (there.objectives["accuracy"].mean - here.objectives["accuracy"].mean) / step
    assert here.shadow_prices["cost"] == pytest.approx(gain, abs=1e-6)
    assert (gain > 0) == (worst < cost[rows.column("accuracy").argmax()])


@pytest.mark.parametrize(
    ("rows", "limit", "price"),
    [
        ([[0.01, 0.3], [0.02, 0.7], [0.04, 0.8]], Limit("cost", 0.02, "max"), 5.0),  # a cent less is worth 0.4
        ([[0.01, 0.3], [0.02, 0.7], [0.04, 0.8]], Limit("cost", 0.04, "max"), 0.0),
        ([[0.01, 0.3], [0.02, 0.5], [0.03, 0.6], [0.05, 0.65]], Limit("cost", 0.01, "max"), 20.0),
        ([[0.0, 0.3], [0.02, 0.5]], Limit("cost", 0.0, "max"), 10.0),
        ([[0.04, 0.8]], Limit("cost", 0.04, "max"), 0.0),
        ([[0.02, 0.7], [0.04, 0.8]], Limit("accuracy", 0.8, "min"), 0.2),
        ([[0.02, 0.7], [0.04, 0.8]], Limit("accuracy", 0.7, "min"), 0.0),
    ],
)
def test_at_a_row_a_price_is_that_of_one_more_unit(rows, limit, price):
    candidates = Candidates.from_means([COST, ACCURACY], rows)
    for limits in ([limit], [limit, limit]):
        assert mix(candidates, limits).shadow_prices == {limit.objective: pytest.approx(price, rel=1e-9)}


@pytest.mark.parametrize("names", [["cost"], ["latency"], ["cost", "latency"]])
def test_prices_are_differences_of_linear_programs_where_limits_are_on_rows(names):
    rng, step = np.random.default_rng(0), 1e-4
    for _ in range(60):
        n = int(rng.integers(1, 8))
        means = np.stack([rng.integers(1, 6, n), rng.integers(1, 6, n) * 10, rng.integers(0, 11, n) / 10], 1).astype(
            float
        )
        columns = [("cost", "latency").index(name) for name in names]
        bounds = means[rng.integers(n), columns]

        def best(worst, means=means, columns=columns):
            found = linprog(
                -means[:, 2], A_ub=means[:, columns].T, b_ub=worst, A_eq=np.ones((1, len(means))), b_eq=[1.0]
            )
            return -found.fun

        limits = [Limit(name, float(bound), "max") for name, bound in zip(names, bounds, strict=True)]
        prices = mix(table(means), limits).shadow_prices
        for name, looser in zip(names, np.eye(len(names)) * step, strict=True):
            gain = (best(bounds + looser) - best(bounds)) / step
            assert prices[name] == pytest.approx(gain, abs=1e-6), (means, limits)


def test_what_is_consumed_is_least_where_accuracy_is_limited():
    """And not what is there before it, of which more is better."""
    useful = Objective("useful", direction="max", ideal=9.0)
    rows = Candidates.from_means([useful, LATENCY, ACCURACY], [[8.0, 1.0, 0.8], [2.0, 3.0, 0.8]])
    mixture = mix(rows, [Limit("accuracy", 0.7, "min")])
    assert (mixture.cheapest, mixture.objectives["latency"].mean) == ("latency", 1.0)


def test_a_limit_that_leaves_room_has_no_price():
    mixture = mix(random_table(0), [Limit("cost", 1e6, "max")])
    assert mixture.shadow_prices == {"cost": 0}
    assert len(mixture.rows) == 1


def test_without_limits_the_most_accurate_row_is_taken_and_of_equal_ones_the_cheapest():
    mixture = mix(table([[3, 1, 0.9], [2, 1, 0.9], [1, 1, 0.5]]), [])
    assert mixture.rows.tolist() == [1]
    assert mixture.weights.tolist() == [1]


def test_where_accuracy_alone_is_limited_the_cheapest_mixture_is_sought():
    mixture = mix(table([[1, 9, 0.5], [2, 1, 0.6], [4, 1, 0.9]]), [Limit("accuracy", 0.7, "min")])
    assert mixture.rows.tolist() == [0, 2]
    assert mixture.weights == pytest.approx([0.5, 0.5])
    assert mixture.objectives["cost"].mean == pytest.approx(2.5)
    assert mixture.shadow_prices["accuracy"] == pytest.approx(3 / 0.4)  # USD saved, where it may be 1 less


def test_of_a_view_the_rows_are_those_of_the_whole_table():
    whole = Candidates.from_means([COST, ACCURACY], [[1, 0.6], [2, 0.7], [5, 0.9]])
    view = whole.feasible([Limit("cost", 5, "max"), Limit("accuracy", 0.65, "min")])
    mixture = mix(view, [Limit("cost", 3.5, "max")])
    assert mixture.rows.tolist() == [1, 2]
    assert mixture.objectives["cost"].mean == pytest.approx(3.5)


def test_numbers_far_from_one_do_not_matter():
    for unit in (1e-9, 1e9):
        mixture = mix(
            Candidates.from_means([COST, ACCURACY], [[unit, 0.6], [5 * unit, 0.9]]), [Limit("cost", 2 * unit, "max")]
        )
        assert mixture.weights == pytest.approx([0.75, 0.25], abs=1e-9)
        assert mixture.shadow_prices["cost"] * unit == pytest.approx(0.3 / 4)


def test_what_no_mixture_meets_is_said():
    rows = table([[1, 9, 0.6], [9, 1, 0.9]])
    with pytest.raises(NoSelection, match=r"mixed or not: cost <= 0.5 fails in every row, the best of which has 1 USD"):
        mix(rows, [Limit("cost", 0.5, "max")])
    with pytest.raises(NoSelection, match=r"no mixture meets cost <= 2 and latency <= 2 together"):
        mix(rows, [Limit("cost", 2, "max"), Limit("latency", 2, "max")])
    with pytest.raises(NoSelection, match="needs the objective accuracy"):
        mix(Candidates.from_means([COST], [[1.0]]), [])
    with pytest.raises(MooInferError, match="unknown objective 'energy'"):
        mix(rows, [Limit("energy", 2, "max")])
    with pytest.raises(MooInferError, match="higher is better"):
        mix(rows, [Limit("accuracy", 0.5, "max")])


def test_a_limit_on_a_quantile_is_one_on_the_mixtures_own():
    """Of the fast model all queries take 1 s, of the right one a tenth takes 5 s: the mixture may have twice as many."""
    fast = log("fast", np.ones((10, 1)), np.zeros((10, 1)))
    slow = log("right", np.r_[np.ones((8, 1)), np.full((2, 1), 5.0)], np.ones((10, 1)))
    rows = Pipeline("one-call", k=[1]).candidates([fast, slow])
    limit = Limit("latency", 2, "max", "p90")
    assert not rows.met([limit])[rows.model == "right"].any()
    mixture = mix(rows, [limit])
    shares = dict(zip(rows.model[mixture.rows].tolist(), mixture.weights.tolist(), strict=True))
    assert shares == pytest.approx({"fast": 0.5, "right": 0.5}, abs=1e-6)
    assert mixture.objectives["latency"].quantile(0.9) <= 2
    assert mixture.objectives["latency"].quantile(0.95) == 5
    assert mixture.objectives["accuracy"].mean == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("estimator", ["exact", MonteCarlo(2000)])
def test_quantiles_of_a_mixture_are_those_of_trials_drawn_from_its_rows(pipeline, estimator):
    rows = Pipeline(estimator=estimator, k=[1, 4, 16]).candidates(["gpt-5", "gpt-5-nano"])
    limits = [Limit("cost", 0.1, "max"), Limit("latency", 20, "max", "p95")]
    mixture = mix(rows, limits)
    assert mixture.objectives["latency"].quantile(0.95) <= 20 * (1 + 1e-9)
    trials = Pipeline(estimator=MonteCarlo(20_000, 1), k=[1, 4, 16]).candidates(["gpt-5", "gpt-5-nano"]).trials
    rng = np.random.default_rng(0)
    drawn = trials[np.arange(20_000), rng.choice(mixture.rows, 20_000, p=mixture.weights)]
    for j, objective in enumerate(rows.objectives):
        figures = mixture.objectives[objective.name]
        assert figures.mean == pytest.approx(drawn[:, j].mean(), rel=0.02)
        assert figures.std == pytest.approx(drawn[:, j].std(), rel=0.05)
        for q in (0.1, 0.5, 0.95):
            x = figures.quantile(q)
            assert (drawn[:, j] < x * (1 - 1e-9)).mean() - 0.03 <= q <= (drawn[:, j] <= x * (1 + 1e-9)).mean() + 0.03


def test_a_smallest_quantile_of_accuracy_can_be_limited():
    sure = log("sure", np.ones((10, 1)), np.ones((10, 1)), usd=9)
    cheap = log("cheap", np.ones((10, 1)), np.r_[np.zeros((4, 1)), np.ones((6, 1))], usd=1)
    rows = Pipeline("one-call", k=[1]).candidates([sure, cheap])
    mixture = mix(rows, [Limit("accuracy", 0.5, "min", "p20")])
    shares = dict(zip(rows.model[mixture.rows].tolist(), mixture.weights.tolist(), strict=True))
    assert shares == pytest.approx({"sure": 0.5, "cheap": 0.5}, abs=1e-5)
    assert mixture.objectives["accuracy"].quantile(0.2) == 1


def test_shares_of_trials_are_inverse_to_their_quantiles():
    column = Pipeline(estimator=MonteCarlo(500), k=[1]).candidates("gpt-5").curves[0].columns["latency"]
    for q in (0.1, 0.5, 0.9):
        assert share_within(column, 0, float(column.quantile(q)[0]))[0] == pytest.approx(q, abs=1e-9)
    assert share_within(column, 0, 0.0) == (0, 0)
    assert share_within(column, 0, 1e9) == (1, 1)


def test_means_are_mixed_question_by_question():
    """One is right where the other is wrong: half of each is as good on every question, and that is certain."""
    right = np.r_[np.ones((10, 1)), np.zeros((10, 1))]
    rows = Pipeline("one-call", k=[1]).candidates(
        [log("a", np.ones((20, 1)), right, usd=1), log("b", np.ones((20, 1)), 1 - 0.9 * right, usd=3)]
    )
    mixture = mix(rows, [Limit("cost", 2, "max")])
    assert mixture.weights == pytest.approx([0.5, 0.5])
    figures = mixture.objectives["accuracy"]
    assert figures.stderr == pytest.approx(0.05 * (20 / 19) ** 0.5 / 20**0.5 / 2, rel=1e-9)
    assert figures.interval is not None
    single = [rows.row(int(row)).objectives["accuracy"].interval for row in mixture.rows]
    assert np.ptp(figures.interval) < 0.6 * min(map(np.ptp, single))


def test_logs_of_other_questions_have_no_common_interval():
    right = np.r_[np.ones((10, 1)), np.zeros((10, 1))]
    others = log("b", np.ones((20, 1)), np.ones((20, 1)), usd=3, questions=[f"other {i}" for i in range(20)])
    rows = Pipeline("one-call", k=[1]).candidates([log("a", np.ones((20, 1)), right), others])
    figures = mix(rows, [Limit("cost", 2, "max")]).objectives["accuracy"]
    assert figures.mean == pytest.approx(0.75)
    assert figures.interval is None
    assert np.isnan(figures.stderr)


def test_simulated_parts_make_a_simulated_mixture():
    rows = Pipeline(estimator=MonteCarlo(500), k=[4, 8]).candidates("gpt-5")
    figures = mix(rows, [Limit("cost", 0.12, "max")]).objectives["accuracy"]
    assert figures.column.simulated == ("mean", "std", "low", "high")
    assert figures.stderr_simulation > 0


def test_the_mixture_at_the_money_of_a_cascade(data):
    """Figures of policies on the GPQA runs: weights and accuracy at the money of a cascade of two runs."""
    runs = pytest.importorskip("benchmarks.calibration").runs
    logs = {log.model[:4]: log for log in runs(data / "epoch_gpqa")}
    profiles = [
        ModelProfile(logs[run].model, Empirical(logs[run]), (LoggedCost(), LoggedLatency())) for run in ("fZB3", "Cg54")
    ]
    rows = Pipeline("plurality-vote", k_max=8).candidates(profiles)
    mixture = mix(rows, [Limit("cost", 0.0320069678662, "max")])
    assert rows.k[mixture.rows].tolist() == [1, 1]
    assert mixture.weights == pytest.approx([0.716526, 0.283474], abs=5e-7)
    figures = mixture.objectives
    assert figures["accuracy"].mean == pytest.approx(0.824809393, abs=5e-10)
    assert figures["latency"].mean == pytest.approx(49.7298787, abs=5e-8)
    low, high = figures["accuracy"].interval
    assert low < 0.824809393 < high


def test_the_report_opens_with_the_mixture(pipeline):
    report = Pipeline(goal="mixture").run(["gpt-5-mini", "gpt-5-nano"], Scenario("mine", max={"cost": 0.05}))
    text = report.to_text()
    assert text.startswith("mine: send ")
    assert "of queries to" in text.splitlines()[0]
    choice = report.choice("mixture")
    assert choice.cost.mean == pytest.approx(0.05)
    assert choice.accuracy.mean >= report.outcome().pool.column("accuracy").max()
    document = json.loads(report.to_json())
    assert sum(row["weight"] for row in document["mixture"]) == pytest.approx(1)
    assert {"row", "weight", "model", "aggregator", "k", "policy"} == {*document["mixture"][0]}
    assert document["shadow_prices"]["cost"] > 0
    assert document["headline"][0]["mixture"] == document["mixture"]
    assert [row["selector"] for row in document["contenders"]] == ["mixture", "cheapest-within", "cheapest-within"]
    tokens = sum(weight * report.tokens[part.model].of(part.k) for part, weight in choice.parts)
    assert document["headline"][0]["per_right"]["tokens"] == pytest.approx(tokens / choice.accuracy.mean)


def test_of_several_scenarios_each_headline_has_its_mixture():
    document = json.loads(Pipeline(goal="mixture").run(["gpt-5", "gpt-5-nano"]).to_json())
    assert document["mixture"] is None
    assert all(row["mixture"] for row in document["headline"])


def test_another_goal_has_no_mixture(pipeline):
    report = pipeline.run(["gpt-5", "gpt-5-nano"], "essay-feedback")
    document = json.loads(report.to_json())
    assert document["mixture"] is None
    assert document["shadow_prices"] == {}


def test_the_report_says_why_there_is_no_mixture():
    report = Pipeline(goal="mixture").run("gpt-5", Scenario("poor", max={"cost": 1e-6}))
    assert report.to_text().startswith("poor: no recommendation: nothing is feasible, mixed or not: cost <= 1e-06")
    headline = json.loads(report.to_json())["headline"][0]
    assert headline["k"] is None
    assert headline["mixture"] is None
    with pytest.raises(MooInferError, match="scenario 'odd': unknown objective 'carbon'"):
        Pipeline(goal="mixture").run("gpt-5", Scenario("odd", max={"carbon": 1}))


def test_a_single_row_is_said_as_one():
    report = Pipeline(goal="mixture", k=[1, 2]).run("gpt-5", Scenario("rich", max={"cost": 9}))
    assert report.to_text().startswith("rich: use gpt-5 with k = 2 samples, best-of-k (4 at a time): accuracy")


def test_a_mixture_takes_no_confidence(cli):
    with pytest.raises(MooInferError, match="takes no confidence"):
        Pipeline(goal="mixture", confidence=0.9)
    code, out, err = cli("recommend", "--goal", "mixture", "--confidence", "0.9")
    assert (code, out) == (2, "")
    assert "takes no confidence" in err


def test_the_command_line_has_the_goal_mixture(cli):
    code, out, _ = cli(
        "recommend", "--model", "gpt-5", "--model", "gpt-5-nano", "--goal", "mixture", "--max-cost", "0.2",
        "--max-latency", "p95=30", "--json",
    )  # fmt: skip
    document = json.loads(out)
    assert code == 0
    assert document["headline"][0]["objectives"]["latency"]["p95"] <= 30 * (1 + 1e-9)
    assert {*document["shadow_prices"]} == {"cost", "p95 latency"}
    code, out, _ = cli("recommend", "--model", "gpt-5", "--goal", "mixture", "--max-cost", "0.2", "--stability", "20")
    assert code == 0


def test_a_table_without_money_is_mixed_by_what_it_has():
    carbon = Objective("carbon", "g")
    mixture = mix(Candidates.from_means([carbon, ACCURACY], [[1, 0.5], [3, 0.9]]), [Limit("accuracy", 0.7, "min")])
    assert mixture.cheapest == "carbon"
    assert mixture.objectives["carbon"].mean == pytest.approx(2)


def test_a_mixture_warns_of_nothing(recwarn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mix(random_table(3), [Limit("cost", 1, "max"), Limit("accuracy", 0.3, "min")])
