"""Live runs do what the replay says: the same calls, answers, dollars and seconds, on a log served in its order."""

import pytest
from logged_models import LoggedModels, small_log, worth

from moo_infer.builtin.policies import AdaptiveConsistency, Fixed, TwoRounds, TwoThenMore, VoteUntilDecided, Windows
from moo_infer.builtin.stages import Cascade, FirstAccepted, Stage
from moo_infer.builtin.stopping import Box, ByLabel, Reservation, ScoreLaw, WorthIt
from moo_infer.policy.live.openai_endpoint import OpenAIEndpoint

PRICES = {"small": (1e-6, 4e-6), "large": (1e-5, 8e-5)}
UNIFORM = ScoreLaw(low=0.0, high=1.0)


def agree(log, policy, registry, money=True, used=None, **settings):
    """Run a policy live and by replay, and compare question by question; the outcomes."""
    told = log.replayed(policy, registry)
    outcomes, billed = log.live(policy, registry, used, **settings)
    models = told.of.models
    same = 0
    for q, outcome in enumerate(outcomes):
        assert outcome.ending == "answered"
        same += [outcome.seen.n(model) for model in models] == told.n[q].tolist()
        assert len(outcome.trace) == told.waves[q]
        if not policy.arrivals:  # whose one wave is all calls
            assert [step.times for step in outcome.trace] == told.called[q]
        assert outcome.spent["latency"] == pytest.approx(told.totals["latency"][q], rel=1e-9, abs=1e-9)
        if money:
            assert outcome.spent["cost"] == pytest.approx(told.totals["cost"][q], rel=1e-9)
        expected = told.totals["accuracy"][q]
        assert worth(policy, outcome, registry) == pytest.approx(expected, abs=1e-12)
        if expected in (0.0, 1.0):  # else right and wrong answers tie, and chance says which is delivered
            assert outcome.correct == expected
    assert same == len(log.names)
    if money and not policy.arrivals:
        assert sum(outcome.spent["cost"] for outcome in outcomes) == pytest.approx(billed, rel=1e-9)
    return outcomes


SMALL = [
    Fixed(3, model="small"),
    Fixed(5, "top-score", model="small"),
    VoteUntilDecided(6, (4, 1), model="small"),
    TwoThenMore(6, "small"),
    AdaptiveConsistency(0.9, 6, model="large"),
    Windows(2, 6, model="small"),
    TwoRounds(2, 4, 0.8, model="small"),
    FirstAccepted(k=4, model="small"),
    FirstAccepted((Stage("small", 3), Stage("large", 2))),
    FirstAccepted((Stage("small", 3), Stage("large", 2)), score_above=0.6),
    Cascade(Stage("small", 2), Stage("large")),
    Cascade((Stage("small", 2), Stage("large", 1)), Stage("dear", 2)),
    Cascade(Stage("small", 3), Stage("large", 2), score_above=0.7),
    Reservation(0.05, UNIFORM, 6, model="small"),
    Reservation(models=(Box("small", 0.02, 4, UNIFORM), Box("large", 0.1, 2, UNIFORM))),
    WorthIt(1.0, (0.5, 1.5), 0.1, k=6, model="small"),
    ByLabel("task", {"sums": Fixed(1)}, TwoThenMore(5), "small"),
]


@pytest.fixture(scope="module")
def small():
    dear = [{**row, "model": "dear"} for row in small_log(1) if row["model"] == "large"]
    return LoggedModels(small_log() + dear, {**PRICES, "dear": (1e-4, 1e-3)})


@pytest.mark.parametrize("policy", SMALL, ids=lambda policy: policy.name)
def test_a_live_run_does_what_the_replay_says(small, registry, policy):
    outcomes = agree(small, policy, registry)
    assert len({len(outcome.trace) for outcome in outcomes}) > 1 or isinstance(policy, Fixed)


@pytest.mark.parametrize("billed", ["none", "full"])
def test_answers_that_nobody_waits_for_are_cancelled(small, registry, billed):
    """What they cost is an assumption: nothing, or live their largest price, which is all that is known of them."""
    policy = VoteUntilDecided(6, arrivals=True, cancelled_billed=billed, model="small")
    used = dict(zip(small.names, small.replayed(policy, registry).n[:, 0].tolist(), strict=True))
    outcomes = agree(small, policy, registry, billed == "none", used, billed_when_cancelled=billed == "full")
    cancelled = [sum(sample.cancelled for sample in outcome.trace[0].samples) for outcome in outcomes]
    assert cancelled == [6 - used[name] for name in small.names]
    assert sum(cancelled) > 0
    if billed == "full":
        endpoint = OpenAIEndpoint(small.called("http://localhost"))
        for question, outcome, n in zip(small.questions, outcomes, cancelled, strict=True):
            answered = sum(sample.inference.cost_usd or 0.0 for sample in outcome.trace[0].samples)
            most = endpoint.largest_usd("small", question, 1)
            assert outcome.spent["cost"] == pytest.approx(answered + n * most, rel=1e-9)


def test_a_request_of_several_bills_its_prompt_once(registry):
    """Decisions and seconds are those of the replay; a prompt that is read once is not in the log of single calls."""
    rows = [row for row in small_log() if row["model"] == "small"]
    log = LoggedModels(rows, {"small": PRICES["small"]}, shape="n")
    outcomes = agree(log, TwoThenMore(6, "small"), registry, money=False)
    saved = [(row["input_tokens"] * PRICES["small"][0]) for row in rows if row["sample"] == 0]
    told = log.replayed(TwoThenMore(6, "small"), registry)
    for outcome, once, cost, n in zip(outcomes, saved, told.totals["cost"], told.n[:, 0], strict=True):
        assert outcome.spent["cost"] == pytest.approx(cost - once * (n - len(outcome.trace)), rel=1e-9)


GPQA = [
    (Fixed(3, model="fZB3"), 198),
    (VoteUntilDecided(8, (5, 3), model="oAu9"), 66),
    (TwoThenMore(8, "fZB3"), 198),
    (AdaptiveConsistency(0.95, 8, model="jP8E"), 66),
    (Windows(2, 8, model="oAu9"), 198),
    (TwoRounds(3, 5, 0.9, model="fZB3"), 66),
    (FirstAccepted((Stage("fZB3", 3), Stage("Cg54", 2))), 198),
    (WorthIt(1.0, (0.5, 1.5), 0.1, k=8, model="jP8E"), 198),
    (Cascade(Stage("fZB3", 2), Stage("Cg54")), 198),
]


@pytest.fixture(scope="module")
def logged(gpqa_rows):
    """Make logged models of some of the 22 runs."""

    def make(*runs, questions=198):
        asked = {*sorted({row["question_id"] for run in runs for row in gpqa_rows[run][0]})[:: 198 // questions]}
        rows = [
            {
                "model": run,
                "question_id": row["question_id"],
                "answer": row["answer"] or None,
                "correct": float(row["correct"]),
                "input_tokens": int(row["tokens_in"]),
                "output_tokens": int(row["tokens_out_billed"]),
                "latency_s": float(row["working_time_s"]),
            }
            for run in runs
            for row in gpqa_rows[run][0]
            if row["question_id"] in asked
        ]
        return LoggedModels(rows, {run: gpqa_rows[run][1] for run in runs})

    return make


@pytest.mark.parametrize(("policy", "questions"), GPQA, ids=lambda given: getattr(given, "name", given))
def test_all_questions_of_a_real_log_agree(logged, registry, policy, questions):
    """Of those that call the most every third is enough."""
    assert len(agree(logged(*policy.most, questions=questions), policy, registry)) == questions


def test_198_of_198_questions_of_a_real_log_agree_where_answers_are_not_waited_for(logged, registry):
    policy, log = VoteUntilDecided(8, arrivals=True, cancelled_billed="none", model="fZB3"), logged("fZB3")
    used = dict(zip(log.names, log.replayed(policy, registry).n[:, 0].tolist(), strict=True))
    assert len(agree(log, policy, registry, used=used, billed_when_cancelled=False)) == 198
