"""The contract of aggregators."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pytest

from ..builtin.empirical import Empirical
from ..core.arrays import Array, FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MissingColumn, NoChoice, NothingPossible
from ..core.objectives import ACCURACY
from ..core.parts import check
from ..estimate.calls import chosen
from ..estimate.exact import Exact
from ..interfaces import AccuracyAggregator, CostModel, InferenceModel
from ..profiles import ModelProfile
from .agreement import CLOSE, TRIALS, assert_agreement, assert_redraws
from .contract import Contract, check_part
from .models import (
    MODELS,
    aggregator_rng,
    assert_some_model,
    draws_of,
    first_inferences,
    label,
    no_global_randomness,
    sampled,
    skipped_without_columns,
    unchanged,
)

__all__ = ["AggregatorContract"]

GAPS = {("answer", "score"): "an answer (-1) and without a score (-inf)", ("answer",): "an answer (-1)"}
UNLESS = "If that is meant, set abstaining = False in the contract"
CHOSEN = 4.0  # standard errors between what is chosen and what `aggregate` promises, trial by trial
RARE = 12.0  # trials: what happens in three of them by expectation may not have been seen, nor its spread


@dataclass(frozen=True, eq=False, repr=False, init=False)
class RecordedDraws(Draws):
    """Draws that remember which columns were read."""

    read: set[str]

    @classmethod
    def of(cls, draws: Draws, /) -> "RecordedDraws":
        """Return the same draws, of which nothing was read."""
        recorded = cls(columns=draws)
        object.__setattr__(recorded, "read", set())
        return recorded

    def __getitem__(self, column: str) -> Array:
        self.read.add(column)
        return super().__getitem__(column)


def _with_another(draws: Draws, **values: float) -> Draws:
    """Return draws with one more inference in each trial: the first once more, but for some values."""
    columns = {}
    for name, column in draws.columns.items():
        last = np.full_like(column[:, :1], values[name]) if name in values else column[:, :1]
        columns[name] = np.concatenate([column, last], axis=1)
    return Draws(columns=columns)


def _error(change: FloatArray) -> float:
    """How far the mean of a change that is 0 may be from 0."""
    return CLOSE * float(change.std()) / math.sqrt(len(change)) + 1e-9


def _judged_and_graded(draws: Draws) -> tuple[Draws, Draws]:
    """Return draws, and the same with a grade for each inference, higher with its score, whatever its answer is."""
    known = (1.0 + np.tanh(draws["score"])) / 2 if "score" in draws else 1.0
    return draws, Draws(columns={**draws, "accuracy": known * np.random.default_rng(7).random(draws.shape)})


def _choices(
    aggregator: AccuracyAggregator, model: InferenceModel, listed: Iterable[Draws]
) -> Iterator[tuple[Draws, IntArray]]:
    """Yield draws and what is chosen of them, where something can be; skips the test where nothing ever can."""
    why, some, rng = "", False, np.random.default_rng(3)
    for draws in listed:
        try:
            choice = chosen(aggregator, draws, rng)
        except NoChoice as error:
            why = str(error)
        except (MissingColumn, NothingPossible) as error:
            why = f"{label(model)}: {error}"
        else:
            some = True
            yield draws, choice
    if not some:
        pytest.skip(why)


def _worth(draws: Draws, choice: IntArray) -> FloatArray:
    """What each choice is worth, (M,): 0 where there is none."""
    return np.where(choice < 0, 0.0, draws.accuracy[np.arange(len(choice)), choice])


def _assert_as_promised(worth: FloatArray, promised: FloatArray, what: str) -> None:
    change = worth - promised
    error = max(CHOSEN * float(change.std()) / math.sqrt(len(change)), RARE / len(change))
    assert abs(change.mean()) <= error, (
        f"what is chosen of {what} is worth {worth.mean():.4g} in the mean (0 where nothing is chosen), aggregate says "
        f"{promised.mean():.4g} +- {error:.2g}; where several are equal, one is drawn at random"
    )


class AggregatorContract(Contract):
    """The contract of accuracy aggregators.

    Attributes:
        nested: what the first k inferences are worth does not depend on later ones (nor on how many there are).
        abstaining: one that reads answers or scores takes a blank answer for none, and a missing score for unknown.
        blind: one that chooses by answers or scores does not look at which of them are right.
    """

    fixture = "aggregator"
    nested = True
    abstaining = True
    blind = True

    @pytest.fixture
    def aggregator(self) -> AccuracyAggregator:
        """Return the aggregator under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'aggregator'")

    @pytest.fixture(params=MODELS.values(), ids=list(MODELS))
    def model(self, request: pytest.FixtureRequest) -> InferenceModel:
        """Return the inference models that the aggregator is asked about."""
        model: InferenceModel = request.param
        return model

    def test_some_model_brings_what_it_needs(self, aggregator: AccuracyAggregator) -> None:
        """Of the models on which it is tried, not all are skipped."""
        if next(cls for cls in type(self).__mro__ if "model" in vars(cls)) is not AggregatorContract:
            pytest.skip("the fixture 'model' gives others")
        assert_some_model(lambda draws: aggregator.aggregate(draws, aggregator_rng(draws, 0)))

    def test_accuracies_are_shares(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """(M, K), in [0, 1], also where all inferences are equal, right or wrong."""
        for draws in draws_of(model):
            with skipped_without_columns(model):
                accuracy = np.asarray(aggregator.aggregate(draws, aggregator_rng(draws, 0)))
            assert accuracy.shape == draws.accuracy.shape, "an accuracy for each of the first k, in every trial: (M, K)"
            low, high = accuracy.min(), accuracy.max()  # a mean of values at 0 or 1 may leave them by rounding
            assert low >= -1e-12, f"accuracies are in [0, 1], got {low:g}"
            assert high <= 1 + 1e-12, f"accuracies are in [0, 1], got {high:g}"

    def test_is_a_part(self, aggregator: AccuracyAggregator) -> None:
        """A name that people can type, and fields that nobody changes."""
        check_part(aggregator)

    def test_leaves_the_draws_alone(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """The draws are shared by all parts."""
        for draws in draws_of(model):
            with unchanged(draws), skipped_without_columns(model):
                aggregator.aggregate(draws, aggregator_rng(draws, 0))

    def test_is_reproducible_from_a_generator(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """The same generator gives the same answer, and no other randomness is used."""
        draws = sampled(model, 0, 4, 8)
        with no_global_randomness(), skipped_without_columns(model):
            first, second = (aggregator.aggregate(draws, aggregator_rng(draws, 3)) for _ in range(2))
        np.testing.assert_array_equal(first, second, err_msg="the same generator must give the same accuracies")

    def test_an_accuracy_knows_nothing_of_later_inferences(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """Column k-1 belongs to the first k inferences."""
        if not self.nested:
            pytest.skip("nested is not promised")
        draws = sampled(model, 0, 100, 8)
        with skipped_without_columns(model):
            whole = aggregator.aggregate(draws, aggregator_rng(draws, 3))
        for k in (1, 3, 8):
            first = aggregator.aggregate(first_inferences(draws, k), aggregator_rng(draws, 3))
            hint = "column k-1 belongs to the first k; random numbers for each inference: rng.random((M, K))"
            np.testing.assert_allclose(first, whole[:, :k], rtol=1e-12, err_msg=hint)

    def test_a_blank_answer_and_a_missing_score_give_no_vote(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """Where answers or scores are read: -1 is no answer, and -inf an unknown score, not a very low one."""
        if not self.abstaining:
            pytest.skip("abstaining is not promised")
        for k in (1, 4):
            draws = RecordedDraws.of(sampled(model, 0, 1000, k))
            with skipped_without_columns(model):
                aggregator.aggregate(draws, aggregator_rng(draws, 3))
            if not draws.read & {"answer", "score"}:
                pytest.skip("reads neither answers nor scores")
            blanks: list[dict[str, float]] = [{"answer": -1, "score": -np.inf}, {"answer": -1}]
            for blank in blanks if "answer" in draws.read else blanks[:1]:
                more = _with_another(draws, accuracy=1.0, **blank)
                worth = np.asarray(aggregator.aggregate(more, aggregator_rng(more, 3)))
                assert abs((change := worth[:, -1] - worth[:, -2]).mean()) <= _error(change), (
                    f"an inference without {GAPS[tuple(blank)]} gives no vote, and is worth nothing where it is alone, "
                    f"however it was judged; here the accuracy of {k} goes from {worth[:, -2].mean():.4g} to "
                    f"{worth[:, -1].mean():.4g} with one more of them. {UNLESS}"
                )
            if "score" not in draws.read or "score" not in draws:
                continue
            more = _with_another(draws, score=-np.inf)  # the first once more, but for its score
            worth = np.asarray(aggregator.aggregate(more, aggregator_rng(more, 3)))
            for judged, sign in ((1.0, 1), (0.0, -1)):  # a right answer brings no less for it, a wrong one no more
                favour = sign * (worth[:, -1] - worth[:, -2])[draws.accuracy[:, 0] == judged]
                assert not len(favour) or favour.mean() >= -_error(favour), (
                    "a missing score is -inf, which means unknown, not very low; here one more inference with an "
                    "answer that is there already, but without a score, takes from that answer "
                    f"{-favour.mean():.4g} of its chance among {k + 1}: leave it out of what is added up. {UNLESS}"
                )

    def test_a_choice_is_one_of_the_inferences(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """(M,) column numbers, or -1; the same from the same generator, and the draws stay as they are."""

        def watched() -> Iterator[Draws]:
            for draws in draws_of(model):
                with unchanged(draws):
                    yield draws

        for draws, _ in _choices(aggregator, model, watched()):
            with no_global_randomness():
                first, second = (chosen(aggregator, draws, np.random.default_rng(3)) for _ in range(2))
            np.testing.assert_array_equal(first, second, err_msg="the same generator must give the same choice")

    def test_what_is_chosen_is_worth_what_is_promised(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """In the mean over trials, of one, two and five inferences as they are, and with grades."""
        listed = [_judged_and_graded(sampled(model, 4, TRIALS, k)) for k in (1, 2, 5)]
        for draws, choice in _choices(aggregator, model, chain.from_iterable(listed)):
            promised = aggregator.aggregate(draws, aggregator_rng(draws, 3))[:, -1]
            _assert_as_promised(_worth(draws, choice), promised, f"{draws.shape[1]} inferences")

    def test_a_choice_is_made_query_by_query(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """A live run asks about one at a time: the others cannot matter."""
        draws = sampled(model, 4, 200, 3)
        queries = (Draws(columns={n: column[[i]] for n, column in draws.items()}) for i in range(draws.shape[0]))
        worth = [_worth(query, choice)[0] for query, choice in _choices(aggregator, model, queries)]
        promised = aggregator.aggregate(draws, aggregator_rng(draws, 3))[:, -1]
        if len(worth) < len(promised):
            pytest.skip(f"{label(model)}: nothing can be chosen of some queries")
        _assert_as_promised(np.array(worth), promised, "3 inferences, asked about one query at a time,")

    def test_other_judgements_are_those_of_what_is_chosen(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """A log that is judged by another column too: the objective is what the estimator says of the choice."""
        if (samples := model.queries().samples) is None:
            pytest.skip("laws do not say how else answers are judged")
        values = np.round(0.6 * np.random.default_rng(5).random(len(samples)) + 0.4 * (1 - samples.correct), 1)
        judged = Empirical(replace(samples, columns={**samples.columns, "judged": values}), judged={"judged": "down"})
        k = np.array([1, 2, 5])
        with skipped_without_columns(model):
            exact = Exact(TRIALS).estimate(ModelProfile("contract", judged, ()), aggregator, k, 1).columns["judged"]
        for j, n in enumerate(k.tolist()):
            draws = sampled(judged, 4, TRIALS, n)
            for _, choice in _choices(aggregator, model, [draws]):
                worth = np.where(choice < 0, 0.0, draws["judged"][np.arange(TRIALS), choice])
                noise = float(np.nan_to_num(exact.stderr_simulation[j])) * math.sqrt(TRIALS)
                error = CLOSE * math.hypot(worth.std(), noise) / math.sqrt(TRIALS) + 1e-9
                assert abs(worth.mean() - exact.mean[j]) <= error, (
                    f"the answer of {n} inferences that is chosen is judged {worth.mean():.4g} in the mean, and the "
                    f"estimate is {exact.mean[j]:.4g} +- {error:.2g}"
                )

    def test_who_chooses_by_answers_or_scores_does_not_look_at_what_is_right(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """The choice is the same where nobody judged them."""
        if not self.blind:
            pytest.skip("blind is not promised")
        draws = RecordedDraws.of(sampled(model, 0, 1000, 5))
        for _ in _choices(aggregator, model, [draws]):
            if not draws.read & {"answer", "score"}:
                pytest.skip("chooses neither by answers nor by scores")
            unjudged = Draws(columns={name: column for name, column in draws.items() if name != "accuracy"})
            hint = (
                "who chooses by answers or scores does not read accuracy, which is there only where a checker says it "
                "(draws.shape is (M, K)). If that is meant, set blind = False in the contract"
            )
            try:
                blind = chosen(aggregator, unjudged, np.random.default_rng(3))
            except NoChoice:
                pytest.fail(hint)
            judged = chosen(aggregator, draws, np.random.default_rng(3))
            np.testing.assert_array_equal(blind, judged, err_msg=hint)

    def test_costs_are_cost_models(self, aggregator: AccuracyAggregator) -> None:
        """What aggregating spends is counted like everything else."""
        for i, cost in enumerate(aggregator.costs):
            check(cost, CostModel, f"costs[{i}]")

    def test_exact_agrees_with_simulation(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """Mean, standard deviation and quantiles, where they are claimed: as the estimator asks for them."""
        objectives = [ACCURACY.name, *(cost.objective.name for cost in aggregator.costs)]
        assert_agreement(ModelProfile("contract", model, ()), aggregator, 1, objectives)

    def test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """Three draws of every number of the model, or of the questions of a log, as `--stability` asks for them."""
        assert_redraws(model, (), aggregator)
