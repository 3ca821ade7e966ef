"""Real logs: every figure of the table that was computed apart from this package."""

import csv
import re

import numpy as np
import pytest

from moo_infer import Exact
from moo_infer.builtin.answers import PluralityVote
from moo_infer.builtin.policies import AdaptiveConsistency, Fixed, TwoThenMore, VoteUntilDecided, Windows
from moo_infer.builtin.stages import Cascade, Stage
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import evaluated


def policy_of(text, run):
    """The policy that a line of the table is about."""
    numbers = [float(number) for number in re.findall(r"\.?\d+", text.split(" waves ")[0])]
    waves = tuple(int(w) for w in text.split(" waves ")[-1].split(",")) if " waves " in text else ()
    if text.startswith("cascade"):
        first, then = (each.split("#")[1] for each in run.split(" > "))
        return Cascade(Stage(first, int(numbers[0])), Stage(then))
    model = run.split("#")[1]
    if text.startswith("vote"):
        return Fixed(int(numbers[0]), model=model)
    if text.startswith("decided"):
        return VoteUntilDecided(int(numbers[0]), waves, model=model)
    if text.startswith("beta"):
        return AdaptiveConsistency(numbers[0], int(numbers[1]), waves, model=model)
    if text.startswith("window"):
        return Windows(int(numbers[0]), int(numbers[1]), model=model)
    assert text.startswith("as they come, decided")
    return VoteUntilDecided(int(numbers[0]), arrivals=True, model=model)


@pytest.fixture(scope="module")
def expected(data):
    with (data / "policy" / "expected_gpqa.csv").open() as file:
        return list(csv.DictReader(file))


def test_all_386_figures_of_real_logs(expected, gpqa, registry):
    assert len(expected) == 386
    for line in expected:
        policy = policy_of(line["policy"], line["run"])
        found = evaluated(Deployment.of(policy, gpqa, None, registry))
        calls = sum(n * share.mean() for n, share in found.calls.items())
        figures = [found.mean[name].mean() for name in ("accuracy", "cost", "latency")] + [calls]
        given = [float(line[name]) for name in ("accuracy", "cost", "latency", "calls")]
        assert figures == pytest.approx(given, rel=1e-9, abs=1e-9), line


def test_the_vote_that_is_cut_short_is_the_vote_of_all(gpqa, registry):
    for run, profile in gpqa.items():
        cut, whole = (
            evaluated(Deployment.of(policy, {run: profile}, None, registry))
            for policy in (VoteUntilDecided(8, model=run), Fixed(8, model=run))
        )
        np.testing.assert_allclose(cut.mean["accuracy"], whole.mean["accuracy"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_fixed_k_is_a_row_of_the_table_as_it_is(gpqa, registry, k):
    for run, profile in gpqa.items():
        found = evaluated(Deployment.of(Fixed(k, model=run), gpqa, None, registry))
        columns = Exact().estimate(profile, PluralityVote(), np.array([k]), 1).columns
        for name, column in columns.items():
            assert found.mean[name].mean() == pytest.approx(float(column.mean[0]), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("policy", "figures"),
    [
        (TwoThenMore(8, model="fZB3"), {"accuracy": 0.802038239538, "calls": 2.95454545455}),
        (
            VoteUntilDecided(8, (5, 3), model="fZB3"),
            {"calls": 5.86093073593, "cost": 0.0336532684569, "latency": 78.2903364899},
        ),
        (
            VoteUntilDecided(8, arrivals=True, model="fZB3"),
            {"calls": 5.4898989899, "cost": 0.0366850718863, "latency": 37.0757777778},
        ),
        (
            Cascade(Stage("fZB3", 2), Stage("Cg54")),
            {"accuracy": 0.857909451659, "cost": 0.0320069678662, "latency": 61.0645713384},
        ),
    ],
    ids=repr,
)
def test_figures_that_another_program_found(gpqa, registry, policy, figures):
    found = evaluated(Deployment.of(policy, gpqa, None, registry))
    means = {name: values.mean() for name, values in found.mean.items()}
    means["calls"] = sum(n * share.mean() for n, share in found.calls.items())
    assert {name: means[name] for name in figures} == pytest.approx(figures, rel=1e-10)


def test_models_that_are_taken_as_independent_are_overrated(gpqa, registry):
    """The figures of the warning."""

    def found(policy):
        return evaluated(Deployment.of(policy, gpqa, None, registry))

    alone = {model: found(Fixed(1, model=model)).mean for model in gpqa}
    accuracy, money = {}, {}
    for first in gpqa:
        for then in gpqa:
            if first != then:
                cascade, dear = found(Cascade(Stage(first, 2), Stage(then))), alone[then]
                handed = cascade.endings[2, 1]
                gained, paid = (handed * dear[name] for name in ("accuracy", "cost"))
                taken = handed.mean() * dear["accuracy"].mean()
                accuracy[first, then] = taken - gained.mean()
                money[first, then] = handed.mean() * dear["cost"].mean() / paid.mean()
    overrated = np.array([*accuracy.values()])
    assert (overrated.mean(), overrated.max()) == pytest.approx((0.022, 0.054), abs=5e-4)
    assert np.mean([*money.values()]) == pytest.approx(0.55, abs=0.005)
    pair = found(Cascade(Stage("fZB3", 2), Stage("Cg54"))).mean
    assert pair["accuracy"].mean() == pytest.approx(0.857909451659, abs=1e-12)
    assert pair["accuracy"].mean() + accuracy["fZB3", "Cg54"] == pytest.approx(0.872628, abs=5e-7)
