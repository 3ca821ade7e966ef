"""A marked key, prompt and completion through every fault: no file and no stream holds them, however much is logged."""

import json
import re
import stat

import pytest
import yaml
from forks import Forks
from live_runs import lines

from moo_infer.testing import FAULTS, FakeEndpoint

KEY, PROMPT, SYSTEM, TEXT = "sk-marked-a7c1", "MARKED-PROMPT-b83f", "MARKED-SYSTEM-11d9", "MARKED-TEXT-93ee"
SECRETS = (KEY, PROMPT, SYSTEM, TEXT)
TALK = re.compile(r"^(?:openai|httpx2|httpcore2)\b.*", re.MULTILINE)
STOPS = ("echo-401", "echo-403")
LOADED = """
import openai.resources.chat.completions, httpx2, httpcore2, anyio._backends._asyncio
import moo_infer.cli.app, moo_infer.cli.live_setup, moo_infer.policy.live.run, moo_infer.policy.live.rehearsal
moo_infer.Registry()
"""
LOUD = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(name)s %(message)s %(args)s", force=True)
logging.root.addHandler(logging.FileHandler("debug.log"))
import openai, httpx2, httpcore2
children = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("openai", "httpx2", "httpcore2")]
for name in ["", "openai", "openai._base_client", "httpx2", "httpcore2", "httpcore2.http11", "asyncio", *children]:
    logging.getLogger(name).setLevel(logging.DEBUG)
"""
LOGGED = {
    "OPENAI_LOG": "debug",
    "PYTHONASYNCIODEBUG": "1",
    "PYTHONDEVMODE": "1",
    "HTTPX_LOG_LEVEL": "trace",
    "PYTHONWARNINGS": "ignore",
}
OWN = """
import os, pathlib

def find(text):
    return "42"

def judge(answer, question):
    number = int(question.id[1:])
    if number == 9 and not pathlib.Path("crashed").exists():
        pathlib.Path("crashed").touch()
        os._exit(70)
    if number % 3 == 0:
        raise RuntimeError(f"{answer} is wrong for {question.text} {question.fields}")
    if number % 3 == 1:
        return question.text
    raise SystemExit(question.text)
"""


@pytest.fixture(scope="module")
def forking():
    """Starts commands that log all there is. Nothing was run before them, and what they need is loaded once."""
    with Forks(None, LOADED, LOUD, ACME_KEY=KEY, **LOGGED) as forks:
        yield forks


@pytest.fixture
def forks(forking, tmp_path):
    forking.folder = tmp_path
    yield forking
    forking.clear()


@pytest.fixture
def folder(tmp_path):
    """Where a run finds its files."""
    n = len(FAULTS) + 4
    asked = [{"question_id": f"q{i}", "question": f"{PROMPT} {i}", "target": "42"} for i in range(n)]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked))
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def command(forks, fake, *options, policy="fixed:k=1,model=small"):
    """Run once more, and return exit code, report and streams."""
    call = {"base_url": fake.base_url, "max_tokens": 10, "key_env": "ACME_KEY", "tries": 2, "timeout_s": 1.0}
    costs = [{"kind": "linear-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": 1e-5}]
    models = {"small": {"call": call | {"system": SYSTEM}, "costs": costs}}
    (forks.folder / "my.yaml").write_text(yaml.safe_dump({"models": models}))
    said = f"run questions.jsonl --models my.yaml --policy {policy} --out log.jsonl --answers answers.jsonl --json"
    said += " --extract own.py:find --check own.py:judge --parallelism 4"
    forks.start(*said.split(), *options)
    code, out, err = forks.ended()
    report = json.loads(out) if out else None
    apart = {name: value for name, value in (report or {}).items() if name != "config"}  # which is the file of models
    return code, report, json.dumps(apart) + err


def leaks(folder, apart=()):
    """Which files hold what they may not."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    held = {(path.name, of) for path in files for of in SECRETS if of.encode() in path.read_bytes()}
    given = {("questions.jsonl", PROMPT), ("my.yaml", SYSTEM), *((name, of) for name in apart for of in SECRETS[1:])}
    return held - given


def in_words(said):
    """What streams hold that they may not: secrets, and what the libraries below log of requests."""
    return [of for of in SECRETS if of in said] + TALK.findall(said)


def test_no_file_and_no_stream_holds_key_prompt_or_completion(folder, forks):
    faults = [None, None, *(name for name in FAULTS if name not in (*STOPS, "too-many-tokens"))]
    with (
        FakeEndpoint(lambda request: "elsewhere") as elsewhere,
        FakeEndpoint(
            lambda request: TEXT, faults, elsewhere=elsewhere.base_url, retry_after_s=0.0, slow_s=30.0, keep=True
        ) as fake,
    ):
        code, report, said = command(forks, fake, "--budget", "1")
        assert (code, report, in_words(said), leaks(folder)) == (70, None, [], set())  # `judge` has ended it
        code, report, said = command(forks, fake, "--budget", "2")
        assert (code, report["stopped"], report["resumed"]) == (0, None, True)
        assert (in_words(said), leaks(folder)) == ([], set())
        assert {of.request.headers["authorization"] for of in fake.exchanges} == {f"Bearer {KEY}"}
        assert set(fake.faults) == {name for name in faults if name}
        # The run that `judge` ended may have had a request on its way, which is counted, and never arrived.
        assert fake.requests <= report["requests"] <= fake.requests + 1
        assert report["spent_usd"] >= fake.billed_usd({"small": (1e-6, 1e-5)})
        assert elsewhere.requests == 0
    assert "check: RuntimeError in own.py:judge" in {row["why"] for row in lines(folder / "log.jsonl")}
    assert "moo-infer" in said
    assert (folder / "debug.log").stat().st_size > 0


@pytest.mark.parametrize("fault", [*STOPS, "too-many-tokens"])
def test_what_stops_a_run_is_said_in_words_of_our_own(fault, folder, forks):
    with FakeEndpoint(lambda request: TEXT, [None, fault]) as fake:
        code, report, said = command(forks, fake)
        assert (code, report["stopped"]) == (2, "endpoint")
        assert report["requests"] == fake.requests
        assert (in_words(said), leaks(folder)) == ([], set())
        assert "Traceback" not in said
        assert "stopped: small: the server" in said


def test_prompts_and_completions_are_kept_where_that_is_asked_for_and_the_key_never(folder, forks):
    (folder / "texts.jsonl").touch(0o666)
    with FakeEndpoint(lambda request: TEXT) as fake:
        code, _, said = command(forks, fake, "--keep-text", "texts.jsonl")
        assert code == 70
        code, _, said = command(forks, fake, "--keep-text", "texts.jsonl")
    assert (code, in_words(said), leaks(folder, ["texts.jsonl"])) == (0, [], set())
    kept = (folder / "texts.jsonl").read_text()
    assert [of for of in SECRETS if of in kept] == [PROMPT, SYSTEM, TEXT]
    assert stat.S_IMODE((folder / "texts.jsonl").stat().st_mode) == 0o600
