"""What the contracts say to the author of a plugin: in words, what is wrong and how it is meant."""

import ast
import textwrap
from pathlib import Path

import pytest
import scipy.special  # noqa: F401  # here, as modules that load in a session inside cannot load again

import moo_infer.testing

FOLDER = Path(moo_infer.testing.__file__).parent
HEAD = """
    import numpy as np
    from dataclasses import dataclass
    from moo_infer import *
    from moo_infer import testing
"""


def outcome(pytester, code, test):
    pytester.makepyfile(textwrap.dedent(HEAD) + textwrap.dedent(code))
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rs", "-W", "ignore", "-k", test)


def test_no_check_of_a_contract_is_without_words():
    """A part that fails one shows its author a sentence, not a comparison; those for mypy alone say so."""
    for path in sorted(FOLDER.glob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.Assert):
                line = lines[node.lineno - 1]
                assert node.msg is not None or "#" in line, f"{path.name}: {line}"
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("np.testing."):
                assert "err_msg" in [keyword.arg for keyword in node.keywords], f"{path.name}: {ast.unparse(node)}"


VOTE = """
    @dataclass(frozen=True)
    class Vote(AccuracyAggregator):
        name = "vote"
        def aggregate(self, draws, rng, /):
            answer, score, right = draws["answer"], draws["score"], draws.accuracy
            counts = {counts}
            score, worth = np.where(counts, score, 0.0), np.zeros(right.shape)
            for k in range(1, right.shape[1] + 1):
                alike, each = answer[:, :k, None] == answer[:, None, :k], score[:, None, :k]
                weight = np.where(counts[:, :k], ({product}).sum(axis=2), -np.inf)
                wins = counts[:, :k] & (weight == weight.max(axis=1, keepdims=True))
                worth[:, k - 1] = (wins * right[:, :k]).sum(axis=1) / np.maximum(wins.sum(axis=1), 1)
            return worth

    class TestVote(testing.AggregatorContract):
        instances = (Vote(),)
"""
ALL, ANSWERED, SCORED = "answer >= -1", "answer >= 0", "score > -np.inf"
ADDED, MULTIPLIED = "np.where(alike, each, 0.0)", "alike * each"  # False * -inf is NaN
BLANK = "*an inference without an answer (-1)* gives no vote, and is worth nothing where it is alone*"
UNSCORED = "*a missing score is -inf, which means unknown, not very low; here one more inference with an answer*"


@pytest.mark.parametrize(
    ("counts", "product", "sentence"),
    [
        (ALL, ADDED, BLANK),
        (ALL, MULTIPLIED, BLANK),
        (SCORED, ADDED, BLANK),
        (ANSWERED, ADDED, UNSCORED),
        (ANSWERED, MULTIPLIED, UNSCORED),
    ],
)
def test_a_score_vote_without_care_for_gaps_is_told_what_they_mean(pytester, counts, product, sentence):
    result = outcome(pytester, VOTE.format(counts=counts, product=product), "give_no_vote")
    result.stdout.fnmatch_lines([sentence, "*If that is meant, set abstaining = False in the contract*"])
    assert result.parseoutcomes()["failed"] == 2  # on both logs


def test_a_score_vote_with_care_keeps_the_contract(pytester):
    result = outcome(pytester, VOTE.format(counts=f"({ANSWERED}) & ({SCORED})", product=ADDED), "Vote")
    result.stdout.fnmatch_lines(["SKIPPED*: gaussian: the draws have no column 'answer'*"])
    assert result.ret == 0


SELECTOR = """
    @dataclass(frozen=True)
    class Mine(Selector):
        name = "mine"
        def select(self, candidates, /):
            {body}

    class TestMine(testing.SelectorContract):
        instances = (Mine(),)
"""
MODEL = """
    @dataclass(frozen=True)
    class Mine(InferenceModel):
        name = "mine"
        def queries(self):
            return Queries(accuracy=Bernoulli(0.5), tokens_out=ClippedNormal(100.0, 60.0))
        def sample(self, rng, M, K, /):
            {body}

    class TestMine(testing.InferenceModelContract):
        instances = (Mine(),)
"""
NEEDY = """
    @dataclass(frozen=True)
    class Mine(CostModel):
        name = "mine"
        objective = COST
        def total(self, draws, /, *, parallelism):
            return np.cumsum(draws["tool_calls"], axis=1)

    class TestMine(testing.CostModelContract):
        instances = (Mine(),)
"""


@pytest.mark.parametrize(
    ("code", "test", "sentence"),
    [
        (
            SELECTOR.format(body="return int(candidates.means[:, 0].max() > 12)"),
            "units",
            "*the choice depends on the unit of cost: row 0, and 1 where*set scale_invariant = False in the contract*",
        ),
        (
            SELECTOR.format(body="return int(candidates.column('cost').argmin())"),
            "row_or_a_reason",
            "*got MooInferError: unknown objective 'cost'; available: accuracy. A table need not have the objectives*",
        ),
        (
            SELECTOR.format(body="return 0.0"),
            "row_or_a_reason",
            "*a row number is an int, got float on 1 rows*",
        ),
        (
            MODEL.format(body="return self.queries().draw(rng, M, K)"),
            "asked_for",
            "*tokens_out must be >= 0, got -*",
        ),
        (
            MODEL.format(body="return Draws(None, None, (rng.random((M, K)) < 0.5) * 1.0)"),
            "laws_agree",
            "*queries() has a law of tokens_out, and the draws have no such column*",
        ),
        (
            MODEL.format(body="return Draws(None, None, np.ones((M, K)), {'score': np.full((M, K), np.nan)})"),
            "asked_for",
            "*score: a missing one is -inf, got NaN*",
        ),
        (NEEDY, "some_model", "*give the fixture 'model' an inference model that brings what it needs (gaussian: *"),
    ],
)
def test_who_breaks_a_contract_is_told_how_it_is_meant(pytester, code, test, sentence):
    result = outcome(pytester, code, test)
    result.stdout.fnmatch_lines([sentence])
    assert result.parseoutcomes() == {"failed": 1, "deselected": result.parseoutcomes()["deselected"]}


def test_a_reason_may_show_figures_in_their_unit(pytester):
    code = SELECTOR.format(body="raise NoSelection(f'{candidates.means[:, 0].min()} is too much')")
    assert outcome(pytester, code, "units or dominated").ret == 0
