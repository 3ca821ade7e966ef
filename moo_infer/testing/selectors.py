"""The contract of selectors."""

import numpy as np
import pytest

from ..interfaces import Selector
from .contract import Contract, check_part
from .tables import _bent, _limited, answer_of, row_of, tables

__all__ = ["SelectorContract"]


class SelectorContract(Contract):
    """The contract of selectors.

    Attributes:
        scale_invariant: the answer does not change when an objective and its limit are scaled together.
        ignores_dominated: the answer does not change when dominated rows are added.
        efficient: the answer is a row of the Pareto front.
    """

    fixture = "selector"
    scale_invariant = True
    ignores_dominated = True
    efficient = True

    @pytest.fixture
    def selector(self) -> Selector:
        """Return the selector under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'selector'")

    def test_is_a_part(self, selector: Selector) -> None:
        """A name that people can type, and fields that nobody changes."""
        check_part(selector)

    def test_answers_with_a_row_or_a_reason(self, selector: Selector) -> None:
        """One, two, three and many rows, tied, constant, single-objective, a pool, four objectives."""
        for label, table in tables():
            answer = answer_of(selector, table)
            if isinstance(answer, str):
                assert answer.strip(), f"NoSelection without a reason on {label}"
            else:
                kind = type(answer)
                assert issubclass(kind, int | np.integer), f"a row number is an int, got {kind.__name__} on {label}"
                assert 0 <= answer < len(table), f"row {answer} of {len(table)} on {label}"

    def test_gives_the_same_answer_again(self, selector: Selector) -> None:
        """No hidden state and no randomness of its own."""
        for label, table in tables():
            first, second = (answer_of(selector, table) for _ in range(2))
            assert first == second, f"the same table must give the same answer, got {first} and {second} on {label}"

    def test_leaves_the_table_alone(self, selector: Selector) -> None:
        """The table is shared by all selectors."""
        names = ("means", "losses", "k", "front")
        for label, table in tables():
            before = {name: getattr(table, name).copy() for name in names}
            answer_of(selector, table)
            for name, old in before.items():
                hint = f"the table is shared by all selectors: {name} was modified on {label}"
                np.testing.assert_array_equal(getattr(table, name), old, err_msg=hint)

    def test_does_not_depend_on_units(self, selector: Selector) -> None:
        """Dollars or cents: an objective and its limit scaled together change nothing."""
        if not self.scale_invariant:
            pytest.skip("scale_invariant is not promised")
        k, cost, accuracy = _bent(12)
        for factor in (1e-3, 1e3):
            answers = [
                row_of(selector, _limited(k, np.stack([cost * f, k / 4.0, accuracy], axis=1), 20.0 * f))
                for f in (1.0, factor)
            ]
            assert answers[0] == answers[1], (
                f"the choice depends on the unit of cost: row {answers[0]}, and {answers[1]} where cost and its limit "
                f"are {factor:g} times as large. If that is meant, set scale_invariant = False in the contract"
            )

    def test_ignores_dominated_rows(self, selector: Selector) -> None:
        """Rows that are worse than another in everything are no alternative."""
        if not self.ignores_dominated:
            pytest.skip("ignores_dominated is not promised")
        k, cost, accuracy = _bent(12)
        good = np.stack([cost, k / 4.0, accuracy], axis=1)
        bad = np.stack([cost[-3:] + 2, k[-3:] / 4.0 + 3, accuracy[-1] - [0.03, 0.04, 0.05]], axis=1)
        more_k = np.concatenate([k, k[-1] + np.array([1, 2, 3])])
        without = row_of(selector, _limited(k, good))
        beside = row_of(selector, _limited(more_k, np.vstack([good, bad])))
        assert without == beside, (
            f"the choice depends on rows that are worse than another in everything: row {without}, and {beside} where "
            "there are such rows: choose among candidates.front. If that is meant, set ignores_dominated = False in "
            "the contract"
        )

    def test_answers_with_a_row_that_nothing_dominates(self, selector: Selector) -> None:
        """Where rows tie in what the selector looks at, the other objectives still count."""
        if not self.efficient:
            pytest.skip("efficient is not promised")
        for label, table in tables():
            answer = answer_of(selector, table)
            assert isinstance(answer, str) or answer in table.front, (
                f"takes a row that another dominates on {label}: choose among candidates.front. If that is meant, set "
                "efficient = False in the contract"
            )
