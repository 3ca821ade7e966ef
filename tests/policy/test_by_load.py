"""The policy by load: which one it asks, how it is written, and where the load comes from."""

import json

import pytest

from moo_infer import MooInferError, Pipeline, Policy, Seen
from moo_infer.builtin.by_load import ByLoad, UpTo
from moo_infer.builtin.policies import Fixed, TwoThenMore, VoteUntilDecided
from moo_infer.cli import run
from moo_infer.policy.live.outcome import judges
from moo_infer.policy.live.question import Question
from moo_infer.policy.live.rehearsal import rehearse
from moo_infer.policy.tried import text_of

TEXT = "by-load:loads=[{up_to: 0.2, policy: {kind: fixed, k: 5}}, {up_to: 1.5, policy: {kind: two-then-more, k: 4}}],otherwise={kind: fixed, k: 1}"
POLICY = ByLoad((UpTo(1, TwoThenMore(4)), UpTo(0.2, Fixed(5))), Fixed(1), model="m")


@pytest.mark.parametrize(("load", "calls"), [(0.0, 5), (0.2, 5), (0.21, 2), (1, 2), (1.5, 1)])
def test_it_asks_the_policy_with_the_least_load_that_is_not_below(load, calls):
    assert POLICY.decide(Seen(query={"queries_per_second": load})).times == {"m": calls}
    assert POLICY.most == {"m": 5}


def test_it_is_written_in_one_line(registry):
    policy = registry.get(Policy, TEXT)
    assert [of.up_to for of in policy.loads] == [0.2, 1.5]
    assert registry.get(Policy, text_of(policy)) == policy
    assert text_of(policy) == TEXT


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("loads=[],otherwise={kind: fixed}", "loads: one at least is needed, got none"),
        ("loads=[{up_to: 1}],otherwise={kind: fixed}", r"policy: is missing"),
        ("loads=[{up_to: -1, policy: {kind: fixed}}],otherwise={kind: fixed}", "up_to: must be >= 0, got -1"),
        ("loads=[{up_to: 1, policy: {kind: fixt}}],otherwise={kind: fixed}", r"loads\[0\].policy: unknown policy 'fixt'"),
        ("loads=[{up_to: 1, policy: {kind: fixed}}, {up_to: 1, policy: {kind: fixed, k: 2}}],otherwise={kind: fixed}",
         "loads: up_to 1 is there 2 times"),
        ("loads=[{up_to: 1, policy: {kind: vote-until-decided, arrivals: true}}],otherwise={kind: fixed}",
         "vote-until-decided is asked at every arrival, which by-load is not"),
    ],
)  # fmt: skip
def test_what_is_refused(registry, text, sentence):
    with pytest.raises(MooInferError, match=sentence):
        registry.get(Policy, f"by-load:{text}")


@pytest.mark.parametrize("load", [None, "many", -1, float("nan"), True])
def test_a_load_that_is_none_is_refused(load):
    with pytest.raises(MooInferError, match="'queries_per_second' of a query must be a finite number >= 0, got"):
        POLICY.decide(Seen(query={"queries_per_second": load}))


def test_live_the_load_is_a_label_of_each_question_and_requests_on_their_way_are_none(registry):
    """A live run knows how many requests are on their way (``load``), which is no rate of queries."""
    question = {"question_id": "q1", "question": "What is 3 + 4?"}
    known = judges({"m": 5}, None, None)
    with pytest.raises(MooInferError, match=r"'queries_per_second' is not known of a query before: .*known: .*load"):
        rehearse(POLICY, [Question.of(question)], known, registry)
    for load in (0.4, 2, 2.0):  # a label that is whole is a text
        rehearse(POLICY, [Question.of(question | {"queries_per_second": load})], known, registry)


def test_a_policy_that_is_asked_as_answers_arrive_does_without_the_load():
    with pytest.raises(MooInferError, match="which by-load is not"):
        ByLoad((UpTo(1, VoteUntilDecided(arrivals=True)),), Fixed(1))


FILE = """
models:
  small:
    inference: {kind: difficulty-classes, shares: [1.0], p: [0.7], tokens_in_mean: 400, tokens_out_mean: 300}
    costs:
      - {kind: erlang-c, queries_per_second: 0.5, slots: 32, seconds: 10}
      - {kind: linear-flops, active_parameters: 1.0e+9}
policies:
  more-at-night: {kind: by-load, loads: [{up_to: 0.2, policy: {kind: fixed, k: 9}}], otherwise: {kind: fixed, k: 3}}
day: {queries_per_second: {0-20: 0.2, 20-24: 1.0}}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture
def asked(capsys):
    def ask(*words):
        code = run([*map(str, words)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return ask


def test_recommend_takes_the_day_of_the_file(file, asked, tmp_path):
    code, out, _ = asked(
        "recommend", "--models", file, "--aggregator", "majority-vote", "--k", "1,3", "--max-latency", 25, "--json"
    )
    report = json.loads(out)
    (headline,) = report["headline"]
    assert (code, headline["policy"]) == (0, f"by-load:{_fields()}")
    assert headline["calls"]["mean"] == pytest.approx(6.0)
    assert headline["objectives"]["accuracy"]["mean"] == pytest.approx((0.90119134 + 0.784) / 2, abs=1e-7)
    assert report["config"]["day"] == {"queries_per_second": {"0-20": 0.2, "20-24": 1.0}}
    again = tmp_path / "again.json"
    again.write_text(out, encoding="utf-8")
    assert json.loads(asked("recommend", "--models", again, "--json")[1])["headline"] == report["headline"]


def _fields():
    return "loads=[{up_to: 0.2, policy: {kind: fixed, k: 9}}],otherwise={kind: fixed, k: 3}"


def test_lifetime_takes_it_too(file, asked):
    code, out, _ = asked(
        "lifetime", "--models", file, "--of", "compute", "--aggregator", "majority-vote", "--k", "1,3", "--json"
    )
    (segment,) = json.loads(out)["segments"]
    assert (code, segment["row"]["objectives"]["latency"]["mean"]) == (0, pytest.approx(10.0, abs=1e-6))


def test_a_bad_day_is_one_sentence(file, asked):
    file.write_text(FILE.replace("0-20: 0.2, ", ""), encoding="utf-8")
    code, _, err = asked("recommend", "--models", file)
    assert (code, err.strip().splitlines()[-1]) == (
        2,
        f"moo-infer: {file}: queries_per_second: hour 0 is not given",
    ) or "hour 0 is not given" in err


def test_a_pipeline_of_the_file_in_python(file, registry):
    from moo_infer import load_models, load_policies
    from moo_infer.read.profiles import load_day

    table = Pipeline(
        "majority-vote", k=[3], day=load_day(file), policies="more-at-night", named_policies=load_policies(file)
    ).candidates(load_models(file).values())
    assert table.column("latency").round(2).tolist() == [19.91, 24.89]
