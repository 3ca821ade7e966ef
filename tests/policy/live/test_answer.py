"""A policy that runs: its answer, what it took, and how it goes on from an earlier run."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import Answer, MooInferError, Registry
from moo_infer.builtin.policies import Fixed, TwoThenMore, VoteUntilDecided, Windows
from moo_infer.builtin.stages import Cascade, FirstAccepted, Stage
from moo_infer.policy.live.course import Sample
from moo_infer.policy.live.inference import Inference
from moo_infer.policy.live.outcome import LiveQuery, answer, described, judges
from moo_infer.policy.live.question import Question
from moo_infer.policy.live.rows import row_of

QUESTION = {"question_id": "t:1", "question": "What is 3 + 4?", "target": "7", "task": "t"}


def saying(*texts, **fields):
    """An endpoint that says these in turn, whatever it is asked."""
    left = iter(texts)

    async def endpoint(model, question, times, /):
        return [Inference(next(left), cost_usd=1.0, latency_s=2.0, **fields) for _ in range(times)]

    return endpoint


def test_the_answer_is_taken_out_of_the_text_that_is_delivered(live):
    outcome = live(Fixed(3, model="m"), saying("It is 8.", "It is 7!", "So: 7"), QUESTION, extract="last-number")
    assert outcome.answer == "7"
    assert outcome.correct is True
    assert outcome.text == outcome.sample.inference.text in {"It is 7!", "So: 7"}
    assert (outcome.ending, outcome.spent["cost"], outcome.spent["latency"]) == ("answered", 3.0, 2.0)


def test_blanks_alone_are_no_answer_and_wrong(live):
    outcome = live(Fixed(2, model="m"), saying(None, "nothing"), QUESTION, extract="last-number")
    assert (outcome.text, outcome.answer, outcome.sample, outcome.correct) == (None, None, None, False)
    assert not outcome.nothing_came


def test_what_an_endpoint_failed_to_bring_is_no_answer_of_the_model(live):
    outcome = live(Fixed(2, model="m"), saying(None, None, failed=True, why="status 500"), QUESTION)
    assert outcome.nothing_came
    assert [sample.correct for sample in outcome.trace[0].samples] == [None, None]


def test_without_a_target_nobody_says_what_is_right(live):
    assert live(Fixed(1, model="m"), saying("7")).correct is None


def test_nothing_accepted_is_no_answer(live):
    outcome = live(FirstAccepted(k=3, model="m"), saying("1", "2", "3"), QUESTION)
    assert (outcome.answer, outcome.correct, len(outcome.trace)) == (None, False, 3)


def test_a_policy_that_answers_before_any_call_delivers_nothing(live):
    class Silent(Fixed):
        def decide(self, seen, /):
            return Answer()

    outcome = live(Silent(1, model="m"), saying(), QUESTION)
    assert (outcome.trace, outcome.correct, dict(outcome.spent)) == ((), False, {"cost": 0, "latency": 0, "energy": 0})


def test_ties_go_by_the_seed_and_the_question(live):
    def answers(**fields):
        texts = ("1", "2", "3", "4")
        return [live(Fixed(4, model="m"), saying(*texts), {**QUESTION, "question_id": f"q{i}"}, **fields).answer
                for i in range(12)]  # fmt: skip

    assert answers() == answers()
    assert len(set(answers())) > 1
    assert answers(seed=1) != answers()


def test_a_policy_knows_the_labels_of_the_question(live):
    known = []

    class Looks(Fixed):
        def decide(self, seen, /):
            known.append(dict(seen.query))
            return super().decide(seen)

    live(Looks(1, model="m"), saying("7"), QUESTION)
    assert known[0] == {"question": "t:1", "length": 14, "task": "t", "load": 0}


@pytest.mark.parametrize(
    ("labels", "task", "level"),
    [
        ({"task": " sums ", "level": 3}, "sums", "3"),
        ({"task": None, "level": 3.0}, "t", "3"),
        ({"task": "", "level": None}, "t", ""),
        ({"task": 7, "level": 0.5}, "7", 0.5),
    ],
)
def test_labels_are_what_they_are_in_the_log_that_a_run_writes(labels, task, level):
    """There they are texts, and a blank task is that of the id."""
    question = Question.of(QUESTION | labels)
    known = described(question)
    assert (known["task"], known["level"]) == (task, level)
    written = row_of(question, Sample("m", Inference("7")), {})["task"]
    assert (written or "t") == task


def test_an_answer_of_some_models_is_of_these_alone(live):
    policy = Cascade(Stage("small", 2), Stage("large"))
    outcome = live(policy, saying("1", "2", "7"), QUESTION)
    assert (outcome.answer, outcome.sample.model, outcome.correct) == ("7", "large", True)


@pytest.mark.parametrize("limit", ["most_usd", "most_seconds"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_limits_that_are_none_are_refused(limit, value):
    with pytest.raises(MooInferError, match=f"{limit}: must be > 0, got {value}"):
        asyncio.run(answer(Fixed(1, model="m"), "What is 3 + 4?", saying("7"), **{limit: value}))


def test_a_limit_of_dollars_needs_an_endpoint_that_keeps_it(live):
    with pytest.raises(MooInferError, match="most_usd: this endpoint keeps no budget"):
        live(Fixed(1, model="m"), saying("7"), most_usd=1.0)


def test_what_is_no_inference_is_refused(live):
    async def texts(model, question, times, /):
        return ["7"] * times

    with pytest.raises(MooInferError, match="must bring each answer as an Inference, got '7'"):
        live(Fixed(2, model="m"), texts)


@pytest.mark.parametrize("amount", ["cost_usd", "lost_usd", "latency_s", "energy_j"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-9])
def test_an_inference_that_took_no_number_is_refused(amount, value):
    with pytest.raises(MooInferError, match=f"{amount} of an inference: must be a finite number >= 0, got {value}"):
        Inference("7", **{amount: value})


def test_what_an_endpoint_raises_is_raised():
    async def broken(model, question, times, /):
        raise ValueError("no route")

    for policy in (Fixed(2, model="m"), VoteUntilDecided(3, arrivals=True, model="m")):
        with pytest.raises(ValueError, match="no route"):
            asyncio.run(answer(policy, "What is 3 + 4?", broken))


POLICIES = [
    Fixed(5, model="small"),
    TwoThenMore(5, "small"),
    Windows(2, 6, model="small"),
    VoteUntilDecided(5, (3, 1), model="small"),
    VoteUntilDecided(5, arrivals=True, model="small"),
    FirstAccepted((Stage("small", 3), Stage("large", 2))),
    Cascade((Stage("small", 2), Stage("large", 1)), Stage("dear", 2)),
]
REGISTRY = Registry(entry_points=False)


class Stops(Exception):
    """Where a run is killed."""


def went(policy, texts, before=(), kill_after=None, shuffle=None):
    """Run a policy on an endpoint that serves what a model says in its order, from where it stopped; outcome, samples.

    Calls of a wave end in a random order; after so many samples it is killed. A policy that is asked after every
    arrival gets one answer after the other: which of those that come at once are counted is not written down.
    """
    recorded = list(before)
    given = {model: sum(sample.model == model for sample in before) for model in texts}

    def record(question, samples):
        recorded.extend(samples)
        if kill_after is not None and len(recorded) >= kill_after:
            raise Stops

    async def endpoint(model, question, times, /):
        number, given[model] = given[model], given[model] + 1
        turns = 20 * number if policy.arrivals else 0
        for _ in range(shuffle.randrange(4) if shuffle else turns):
            await asyncio.sleep(0)
        return [Inference(texts[model][number], cost_usd=0.25, latency_s=float(number + 1))]

    endpoint.split = lambda model, times: [1] * times
    query = LiveQuery(policy, endpoint, judges(policy.most, None, None), REGISTRY, record)
    try:
        return asyncio.run(query.outcome(Question.of(QUESTION), before)), recorded
    except Stops:
        return None, recorded


def as_seen(seen):
    """All that a policy sees, whatever answers are called."""
    answers = seen.votes().tolist()
    columns = {
        model: {name: sorted(seen.column(model, name).tolist()) for name in ("correct", "latency_s", "cost_usd")}
        for model in ("small", "large", "dear")
        if seen.n(model)
    }
    spent = {name: round(seen.spent(name), 9) for name in ("cost", "latency")}
    return answers, columns, spent, [as_seen(wave) for wave in seen.waves]


words = st.lists(st.sampled_from(["7", "8", "9", None]), min_size=6, max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(POLICIES), st.fixed_dictionaries(dict.fromkeys(("small", "large", "dear"), words)), st.data())
def test_a_question_that_is_resumed_goes_on_as_if_nothing_had_happened(policy, texts, data):
    """Whenever it was killed, and in whatever order the calls of a wave had ended."""
    whole, _ = went(policy, texts)
    calls = sum(len(step.samples) for step in whole.trace)
    kill_after = data.draw(st.integers(1, calls))
    shuffle = None if policy.arrivals else random.Random(data.draw(st.integers(0, 99)))
    _, rows = went(policy, texts, kill_after=kill_after, shuffle=shuffle)
    resumed, all_rows = went(policy, texts, before=rows)
    assert as_seen(resumed.seen) == as_seen(whole.seen)
    assert [step.times for step in resumed.trace] == [step.times for step in whole.trace]
    assert len(all_rows) == calls
    assert resumed.correct == whole.correct or policy.name != "first-accepted"
    for model in policy.most:
        numbers = [sample.number for sample in all_rows if sample.model == model]
        assert sorted(numbers) == [*range(len(numbers))]
