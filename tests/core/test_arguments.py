"""Wrong types at public functions and dataclasses: one sentence that names the argument, never an error from inside."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pytest
from annotated_types import Ge

from moo_infer import Limit, MooInferError, Objective, Pipeline, Registry, Samples, Scenario, Selector, hookimpl
from moo_infer.calibrate import by_hand, compare, forward_validated, paired_gains, read_log, summarise
from moo_infer.core.arguments import refuse_unlike, typed
from moo_infer.core.budgets import affordable
from moo_infer.core.numeric import numbers_of, whole_numbers
from moo_infer.decide.allocate import allocate, best_plan
from moo_infer.decide.capacity import MachineKind
from moo_infer.decide.fleet import QueryClass, allocate_classes
from moo_infer.decide.lifetime import break_even
from moo_infer.plot import space
from moo_infer.quantities.subsets import largest_of_k, pass_at_k
from moo_infer.workflows import Tool

SAMPLES = Samples("m", ["a", "b"], np.array([0, 0, 1, 1]), np.array([1.0, 0, 1, 1]))
MENU = [[0.9, 0.95], [0.3, 0.6]], [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: allocate(5, 5, {}), "values: must be a list or an array, got 5"),
        (lambda: allocate(*MENU, {"cost": 3}, groups=5), "groups: must be a list or None, got 5"),
        (lambda: allocate(*MENU, {"cost": 3}, groups="ab"), "groups: must be a list or None, got 'ab'"),
        (lambda: allocate(*MENU, {"cost": 3}, tolerance=float("nan")), "tolerance: must be >= 0, got nan"),
        (lambda: allocate(*MENU, None), "limits: must be a mapping, got None"),
        (lambda: best_plan(5, print, {}), "sizes: must be a list, got 5"),
        (lambda: best_plan({2, 3}, print, {}), "sizes: must be a list, got {2, 3}"),
        (lambda: best_plan([2, True], print, {}), "sizes[1]: must be a whole number >= 1, got True"),
        (lambda: best_plan([2], 5, {}), "evaluate: must be a function, got 5"),
        (lambda: allocate_classes([5], 1, 1), "classes[0]: must be a QueryClass object, got 5"),
        (lambda: allocate_classes([], 1, 1, [5]), "limits[0]: must be a Limit object, got 5"),
        (lambda: QueryClass(5, 0.5, None), "name: must be text, got 5"),
        (lambda: affordable(True, 1), "budget: must be a number, got True"),
        (lambda: MachineKind("a", "4", 1.0, 1.0, 1), "a: slots: must be a number, got '4'"),
        (lambda: Tool("3", 0.1, 0.9), "seconds: must be a number, got '3'"),
        (lambda: Tool(3, 0.1, 0.9, spends=5), "spends: must be a mapping, got 5"),
        (lambda: Limit(None, 1, "max"), "a limit needs the name of an objective, got None"),
        (lambda: Limit("cost", 1, "max", 95), "limit on cost: must be the mean or a percentile such as p95, got 95"),
        (lambda: Objective("x", ideal="0.5"), "objective 'x': ideal: must be a number or None, got '0.5'"),
        (lambda: Objective("x", scale=True), "objective 'x': scale: must be a number or None, got True"),
        (lambda: Scenario("s", source=5), "s: source: must be text, got 5"),
        (lambda: Samples("m", 5, [], []), "questions: must be a list, got 5"),
        (lambda: Pipeline(registry={}), "registry: must be a Registry object or None, got {}"),
        (lambda: Pipeline(models={"m": 5}), "models: m: must be a ModelProfile object, got 5"),
        (lambda: Pipeline(day=5), "day: must be a Day object or None, got 5"),
        (lambda: Registry(entry_points=False).get(Selector, 5), "name: must be text, got 5"),
        (lambda: Registry(entry_points=False).names(int), "a kind of parts must be InferenceModel, CostModel, "),
        (lambda: compare(SAMPLES), "samples[0]: must be a Samples object, got 'correct'"),
        (lambda: compare([SAMPLES], seed=-1), "seed: must be >= 0, got -1"),
        (lambda: compare([SAMPLES], B=True), "B: must be a whole number >= 1, got True"),
        (lambda: summarise(SAMPLES, k=1.5), "k: must be a list of whole numbers >= 1, got 1.5"),
        (lambda: summarise(SAMPLES, k="1"), "k: must be numbers, got '1'"),
        (lambda: forward_validated([9.5], [1]), "n: must be a list of whole numbers >= 0, got [9.5]"),
        (lambda: paired_gains(["1"], [0], ["q"]), "variant[0]: must be a number, got '1'"),
        (lambda: read_log(5), "paths: must be text or a path or a list, got 5"),
        (lambda: space(5), "report: must be a Report object, got 5"),
        (lambda: pass_at_k([2], [1], ["1"]), "k: must be numbers, got ['1']"),
        (lambda: largest_of_k([1, 2], [0], 1), "question: must be ascending, one for each of 2 values, got 1"),
        (lambda: break_even(None, 1, 2, 3), "first: must be numbers, got None"),
    ],
)
def test_a_wrong_type_is_said_in_a_sentence_that_names_the_argument(wrong, sentence):
    with pytest.raises(MooInferError) as error:
        wrong()
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (np.float32(1), float),
        (np.int64(1), float),
        (np.int64(1), int),
        (np.bool_(True), bool),
        (range(3), Sequence[int]),
        ({"a": 1}.keys(), Sequence[str]),
        (np.array(["a"]), Sequence[str]),
        ({1}, Iterable[int]),
        (iter([None]), Iterable[int]),  # read once, so not looked at
        ([True, 0.5], Sequence[float]),  # right or wrong
        ((0, 10), tuple[float, float]),
        (Path("x"), str | Path),
        (print, Callable[[str], None]),
        ({"a": np.int64(1)}, Mapping[str, float]),
        ("anything", Literal["a", "b"]),  # what is meant is said by who knows the names
        (None, npt.ArrayLike | None),
        ([[1, 2], [3]], Sequence[npt.ArrayLike]),
        (0, Annotated[int, Ge(0)] | None),
    ],
)
def test_what_fits_is_left_alone(value, hint):
    refuse_unlike(value, hint, "it")


@pytest.mark.parametrize("text", ["10", ["1"], [0.5, "1"], None, [None], [1, [2]], 1j, 10**400, {}, np.array(["1"])])
def test_text_is_no_number(text):
    with pytest.raises(MooInferError, match="it: must be numbers, got"):
        numbers_of(text, "it")
    with pytest.raises(MooInferError, match="it: must be numbers, got"):
        whole_numbers(text, "it")


def test_names_that_are_there_for_types_alone_need_not_be_there():
    @typed()
    def show(it: "Selector | Absent | far.Away | None") -> "Nowhere":  # noqa: F821
        return it

    class Away:
        pass

    assert [show(None), type(show(Away()))] == [None, Away]
    with pytest.raises(
        MooInferError, match="it: must be a Selector object or an Absent object or an Away object or None, got 5"
    ):
        show(5)


class Breaks:
    """A plugin with a hook that fails."""

    @hookimpl
    def register_selectors(self):
        raise ValueError("broken")


def test_warnings_point_at_who_calls(tmp_path):
    for right, name in enumerate(("a.csv", "b.csv")):
        (tmp_path / name).write_text(f"model,question_id,correct\nm,q,{right}\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_log([tmp_path / "a.csv", tmp_path / "b.csv"])
        Registry(Breaks(), entry_points=False)
        by_hand(["m=1e-7,1e-7"], per_million=True)
    assert [Path(w.filename).name for w in caught] == ["test_arguments.py"] * len(caught)
    assert len(caught) >= 3
