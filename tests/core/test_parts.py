from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from moo_infer import COST, CostModel, Limit, MooInferError, Scenario, Selector
from moo_infer.builtin.costs import LinearCost
from moo_infer.core.parts import AtLeastOne, NonNegative, Positive, Share, at_least_one, bounds, build, check
from moo_infer.core.uncertainty import Uncertain
from moo_infer.read.by_hand import by_hand


@dataclass(frozen=True)
class Many(CostModel):
    """A part with a field of every sort."""

    name = "many"
    objective = COST
    optional: NonNegative | None = None
    weights: Mapping[str, Positive] = field(default_factory=dict)
    pair: tuple[float, ...] = ()
    flag: bool = False
    whole: AtLeastOne = 1
    share: Share = 0.5

    def total(self, draws, /, *, parallelism):
        return draws.tokens_in


def test_values_of_every_sort_are_taken():
    given = {"optional": "1e-6", "weights": {"cost": 2}, "pair": [1, 2.5], "flag": True, "whole": 3}
    assert build(Many, given, "x") == Many(1e-6, {"cost": 2.0}, (1.0, 2.5), True, 3)
    assert build(Many, {"optional": {"value": 3, "se": 1}}, "x").optional == 3.0
    assert build(Many, {"optional": None}, "x").optional is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optional": True}, "x: optional: must be a number, got True"),
        ({"weights": {"cost": True}}, "x: weights: must be a number, got True"),
        ({"weights": {"cost": 0}}, "x: weights.cost: must be > 0, got 0"),
        ({"pair": [1.0, False]}, "x: pair: must be a number, got False"),
        ({"whole": 1.5}, "x: whole: must be a whole number, got 1.5"),
        ({"share": 1.5}, "x: share: must be <= 1, got 1.5"),
        ({"share": {"low": -0.5, "high": 0.9}}, "x: share: low: must be >= 0, got -0.5"),
        ({"share": {"low": 0.5, "high": 1.9}}, "x: share: high: must be <= 1, got 1.9"),
        ({"share": "x" * 500}, "x: share: must be a number, got 'xxx"),
    ],
)
def test_values_that_are_not_allowed_are_named(given, message):
    with pytest.raises(MooInferError) as error:
        build(Many, given, "x")
    assert message in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("value", ["1", {"value": 1.0}, None, True, float("nan")])
def test_objects_are_checked_without_the_leniency_of_files(value):
    with pytest.raises(MooInferError, match="here: linear-cost: usd_per_input_token: must be"):
        check(LinearCost(value, 0.0), CostModel, "here")


def test_numpy_numbers_are_numbers():
    assert check(LinearCost(np.float32(0.5), np.int64(1)), CostModel, "here")


def test_an_object_without_a_name_is_refused():
    class Nameless(Selector):
        def select(self, candidates, /):
            return 0

    with pytest.raises(MooInferError, match="here: Nameless needs a class attribute name, got None"):
        check(Nameless(), Selector, "here")


@pytest.mark.parametrize("value", [0, 10**20, 1.5, "3", True, None, np.array([1, 2])])
def test_whole_numbers_have_bounds(value):
    with pytest.raises(MooInferError, match="^k: must be"):
        at_least_one(value, "k")


def test_bounds_of_fields():
    assert bounds(Many, "share") == (0.0, 1.0)
    assert bounds(Many, "optional") == (0.0, float("inf"))
    for name in ("flag", "weights", "nothing"):
        with pytest.raises(MooInferError, match=f"many has no number called '{name}'"):
            bounds(Many, name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "must be a se, or low and high"),
        ({"low": 1.0}, "must be a se, or low and high"),
        ({"se": 1.0, "low": 1.0, "high": 2.0}, "must be a se, or low and high"),
        ({"se": -1.0}, "se: must be >= 0, got -1.0"),
        ({"se": float("inf")}, "se: must be a finite number, got inf"),
        ({"low": 2.0, "high": 1.0}, "low must be <= high, got 2.0 > 1.0"),
    ],
)
def test_uncertainty_is_checked(given, message):
    with pytest.raises(MooInferError, match=message):
        Uncertain(**given)


def test_draws_stay_within_what_is_allowed():
    rng = np.random.default_rng(0)
    normal = Uncertain(se=0.5).draw(0.9, rng, 1000, 0.0, 1.0)
    assert 0.0 <= normal.min() < normal.max() < 1.0
    from scipy.stats import truncnorm

    expected = truncnorm(-0.9 / 0.5, 0.1 / 0.5, 0.9, 0.5)
    assert normal.mean() == pytest.approx(expected.mean(), abs=0.03)
    assert normal.std() == pytest.approx(expected.std(), rel=0.1)
    tiny = Uncertain(se=1e6).draw(0.5, rng, 1000, 0.0, 1.0)
    assert 0.4 < tiny.mean() < 0.6
    uniform = Uncertain(low=2.0, high=3.0).draw(2.5, rng, 1000)
    assert 2.0 <= uniform.min() < 2.1
    assert 2.9 < uniform.max() <= 3.0


def even_larger(number):
    """Errors of what is paid once may be as large as such a cost."""
    return 2.0**126 if number == 2.0**63 else number


@pytest.mark.parametrize("number", [1e308, -1e308, pytest.param(10**400, id="10^400"), 1e-320, -1e-320])
@pytest.mark.parametrize("made", [lambda x: Limit("cost", x, "max"), lambda x: Scenario("s", {"cost": x})])
def test_limits_may_be_large_but_not_so_large_that_losses_overflow(number, made):
    with pytest.raises(
        MooInferError, match=r"must be at most 1e\+300, got|must be 0 or at least 1e-30, got|finite|a number"
    ):
        made(number)
    made(1e290)


@pytest.mark.parametrize("number", [1e308, -1e308, pytest.param(10**400, id="10^400"), 2.0**63, 1e-320, -1e-320])
@pytest.mark.parametrize(
    "made",
    [
        lambda x: build(Many, {"optional": x}, "here"),
        lambda x: build(Many, {"weights": {"a": x}}, "here"),
        lambda x: build(Many, {"pair": [1, x]}, "here"),
        lambda x: build(Many, {"share": {"value": 0.5, "se": even_larger(x)}}, "here"),
        lambda x: check(Many(optional=x), CostModel, "here"),
        lambda x: Uncertain(se=even_larger(x)),
        lambda x: by_hand({"m": {"usd_per_input_token": x, "usd_per_output_token": 1}}),
    ],
    ids=["field", "mapping", "list", "spread", "object", "se", "price"],
)
def test_numbers_that_cannot_be_reckoned_with_are_refused_in_words(number, made):
    """Their products and squares would overflow, or vanish, somewhere inside."""
    words = r"must be at most 1e\+(15|30), got|must be <= 1e\+30, got|must be 0 or at least 1e-30, got|must be > 0|must be >= 0|must be .*finite|must be a number, got"
    with pytest.raises(MooInferError, match=words):
        made(number)
