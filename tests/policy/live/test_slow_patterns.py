"""A pattern of the user that needs exponential time, on an answer of 100 kB."""

from live_runs import REGISTRY, Runs, profile, questions, quick

from moo_infer.builtin.policies import Fixed
from moo_infer.policy.live.extract import SECONDS
from moo_infer.policy.live.outcome import judges
from moo_infer.policy.live.resume import Files
from moo_infer.policy.live.run import LiveRun
from moo_infer.testing import FakeEndpoint

PATTERN = r"regex:(a+)+$"
LONG = "a" * 100_000 + "b"


def test_one_answer_is_blank_and_the_others_go_on_meanwhile(tmp_path):
    """The first question gets the long text; others have their rows before its second is over."""
    with quick(), FakeEndpoint(lambda request: LONG if request.prompt == "How many of 0?" else "b aa") as fake:
        own = {"small": profile(fake.base_url, max_tokens=200_000)}
        runs = Runs(tmp_path, (own["small"],), Fixed(1, model="small"), 30, target="aa")
        files = Files(runs.out, "the same", {"small": ""}, tmp_path / "answers.jsonl")
        by = judges(["small"], PATTERN, None, own)
        options = {"parallelism": 2, "told": runs.said.append}
        asked = questions(30, "aa")
        result = LiveRun(runs.policy, asked, own, {}, by, REGISTRY, files, unpriced=True, **options).go()
    rows = {row["question_id"]: row for row in runs.rows}
    assert next(iter(rows)) != "q0"  # although it was asked first
    assert (rows["q0"]["answer"], rows["q0"]["correct"]) == (None, False)
    assert rows["q0"]["why"] == f"extract: the pattern took longer than {SECONDS:g} s"
    assert all(row["answer"] == "aa" and row["correct"] for name, row in rows.items() if name != "q0")
    assert (result.stopped, result.to_dict()["answered"], fake.requests) == (None, 30, 30)
