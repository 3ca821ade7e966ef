"""The contract of every registered class, built-in or from an installed plugin."""

import pytest

from moo_infer import AccuracyAggregator, CostModel, InferenceModel, Registry, Selector
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.testing import AggregatorContract, CostModelContract, InferenceModelContract, SelectorContract

REGISTRY = Registry()
# Parts that have no defaults, with parameters for the test.
GIVEN = {
    "gaussian": [Gaussian(1024, 64, 2048, 128, 0.94, 0.02), Gaussian(2, 3, 5, 0, 0.9, 0.3)],
    "linear-cost": [LinearCost(1e-6, 1e-5)],
    "linear-latency": [LinearLatency(1e-4, 1e-3)],
}


def registered(kind):
    return [part for name in REGISTRY.names(kind) for part in GIVEN.get(name) or [REGISTRY.get(kind, name)]]


class TestSelectors(SelectorContract):
    @pytest.fixture(params=[s for s in registered(Selector) if s.name != "net-value"], ids=lambda part: part.name)
    def selector(self, request):
        return request.param


class TestNetValue(SelectorContract):
    scale_invariant = False  # it weighs dollars against right answers: cents are another price

    @pytest.fixture
    def selector(self):
        return REGISTRY.get(Selector, "net-value:usd_per_right_answer=50")


class TestAggregators(AggregatorContract):
    @pytest.fixture(params=registered(AccuracyAggregator), ids=lambda part: part.name)
    def aggregator(self, request):
        return request.param

    @pytest.fixture(params=registered(InferenceModel), ids=repr)
    def model(self, request):
        return request.param


class TestCostModels(CostModelContract):
    @pytest.fixture(params=registered(CostModel), ids=lambda part: part.name)
    def cost_model(self, request):
        return request.param

    @pytest.fixture(params=registered(InferenceModel), ids=repr)
    def model(self, request):
        return request.param


class TestInferenceModels(InferenceModelContract):
    @pytest.fixture(params=registered(InferenceModel), ids=repr)
    def model(self, request):
        return request.param


def test_a_contract_without_its_fixture_says_so(pytester):
    pytester.makepyfile("from moo_infer.testing import SelectorContract\nclass TestMine(SelectorContract): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*give the fixture 'selector'*"])


@pytest.mark.parametrize(
    ("body", "test"),
    [
        ("return len(candidates)", "test_answers_with_a_row_or_a_reason"),
        ("raise NoSelection('')", "test_answers_with_a_row_or_a_reason"),
        ("candidates.means[:] = 0; return 0", "test_leaves_the_table_alone"),
        ("return int(np.argmax(candidates.means[:, 0]))", "test_ignores_dominated_rows"),
        ("return int(candidates.means[:, 0].max() > 12)", "test_does_not_depend_on_units"),
        ("return int(np.random.default_rng().integers(len(candidates)))", "test_gives_the_same_answer_again"),
    ],
)
def test_a_selector_that_breaks_the_contract_is_found(pytester, body, test):
    pytester.makepyfile(f"""
        import numpy as np, pytest
        from dataclasses import dataclass
        from moo_infer import NoSelection, Selector
        from moo_infer.testing import SelectorContract

        @dataclass(frozen=True)
        class Broken(Selector):
            name = "broken"
            def select(self, candidates, /):
                {body}

        class TestBroken(SelectorContract):
            @pytest.fixture
            def selector(self):
                return Broken()
    """)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-k", test)
    result.assert_outcomes(failed=1, deselected=5)
