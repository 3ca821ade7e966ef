"""What a live run costs beside the requests that it makes: processor time, wall time, memory, and going on with a log.

- Overhead: a `LiveRun` with 64 requests on their way, against bare loops that make the same requests: 64 workers of
  asyncio, each of which awaits `chat.completions.create` and keeps nothing. One loop is over `openai.AsyncOpenAI` as
  anyone makes it (`max_retries=0`), one over the HTTP client of the package. Each run writes its log, its journal and
  a line of answers a question. Policies are ``fixed:k=1``, and ``vote-until-decided`` with five calls a question. They
  take turns; starting Python, imports and making questions are not timed. The least and the median of all turns are
  printed, and the ratio of medians to the first loop.
- Memory: the command ``moo-infer run`` on as many questions as there are rows, one call each, which is the most that
  a run can have to keep. Resident memory where 10 %, 50 % and all of the rows are written; then the same command on
  the finished log, which makes no call. Beside it stands the command on one question, which is what starting takes.

The server is a `FakeEndpoint` in a process of its own that answers after 20 ms (for memory at once). Processor seconds
are those of the client alone, so that other work beside it counts little; wall seconds depend on it, and on the server
where there are few processors. It reads ``/proc``, so it needs Linux, and takes about ten minutes. To repeat:

    python benchmarks/live.py [--requests 2000] [--turns 5] [--rows 50000]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import openai

from moo_infer import ModelProfile, Policy, Registry
from moo_infer.builtin.policies import Fixed, VoteUntilDecided
from moo_infer.core.call_settings import CallSettings
from moo_infer.policy.live.outcome import judges
from moo_infer.policy.live.question import Question
from moo_infer.policy.live.resume import Files
from moo_infer.policy.live.run import LiveRun
from moo_infer.policy.live.transport import http_client
from moo_infer.read.price import Price
from moo_infer.testing import FakeEndpoint

AT_ONCE, DELAY_S, VOTES, REQUIRED = 64, 0.02, 5, 1.15
SHARES = (0.1, 0.5, 1.0)
MIB = 2**20
PRICE = Price(1e-6, 4e-6)


@dataclass(frozen=True)
class Taken:
    """What a run took of the client: seconds of the clock and of the processor."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Ended:
    """What a command took: seconds of the processor, the most memory, and memory where shares of it were done, MiB."""

    wall: float
    cpu: float
    most: float
    on_the_way: tuple[float, ...]


def texts(number: int) -> list[str]:
    return [f"What is {i} + {i}?" for i in range(number)]


def served(delay_s: float, pipe: Connection) -> None:
    """Serve until the other side says a word."""
    with FakeEndpoint(lambda request: "It is 4.", delay_s=delay_s) as fake:
        pipe.send(fake.base_url)
        pipe.recv()


@contextmanager
def server(delay_s: float) -> Iterator[str]:
    """A fake endpoint in a process of its own, by its base URL."""
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=served, args=(delay_s, its))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


def bare(prompts: Sequence[str], client: Callable[[], openai.AsyncOpenAI]) -> None:
    """Make all requests, and keep nothing."""

    async def loop() -> None:
        pending = iter(prompts)

        async def work(own: openai.AsyncOpenAI) -> None:
            for prompt in pending:
                completion = await own.chat.completions.create(
                    model="small", messages=[{"role": "user", "content": prompt}], max_tokens=50
                )
                assert completion.choices[0].message.content == "It is 4."

        async with client() as own:
            await asyncio.gather(*(work(own) for _ in range(AT_ONCE)))

    asyncio.run(loop())


def live(policy: Policy, prompts: Sequence[str], url: str, registry: Registry) -> None:
    """Let a policy answer all questions, with all the files that a run has."""
    profiles = {"small": ModelProfile("small", call=CallSettings(base_url=url, model="small", max_tokens=50))}
    questions = [Question(f"q{i}", prompt, "4") for i, prompt in enumerate(prompts)]
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder, "log.jsonl"), "a run", {}, Path(folder, "answers.jsonl"))
        judged = judges(["small"], "last-number", None, profiles)
        run = LiveRun(policy, questions, profiles, {"small": PRICE}, judged, registry, files, AT_ONCE, budget=1e6)
        result = run.go()
        assert (result.tally.unanswered, result.tally.accuracy, result.stopped) == ([], 1.0, None)


def taken(run: Callable[[], None]) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Taken(time.perf_counter() - wall, time.process_time() - cpu)


def overhead(requests: int, turns: int) -> None:
    registry = Registry(entry_points=False)
    with server(DELAY_S) as url:

        def client() -> openai.AsyncOpenAI:
            return openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0)

        def same_http() -> openai.AsyncOpenAI:
            return openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0, http_client=http_client(AT_ONCE))

        few = texts(requests // VOTES)
        runs: dict[str, Callable[[], None]] = {
            "bare loop, AsyncOpenAI": lambda: bare(texts(requests), client),
            "bare loop, HTTP of the package": lambda: bare(texts(requests), same_http),
            "fixed:k=1": lambda: live(Fixed(model="small"), texts(requests), url, registry),
            "vote-until-decided": lambda: live(VoteUntilDecided(model="small"), few, url, registry),
        }
        bare(texts(AT_ONCE), client)  # loads what is loaded by the first request
        took: dict[str, list[Taken]] = {name: [] for name in runs}
        for _ in range(turns):
            for name, run in runs.items():
                took[name].append(taken(run))
    print(f"{requests} requests, {AT_ONCE} on their way, answered after {1000 * DELAY_S:g} ms; {turns} turns")
    print(f"{'':32} {'cpu s: least':>13} {'median':>7} {'x bare':>7} {'wall s: least':>14} {'median':>7} {'x bare':>7}")
    middle = {name: [statistics.median(column) for column in columns(of)] for name, of in took.items()}
    base_cpu, base_wall = middle["bare loop, AsyncOpenAI"]
    for name, of in took.items():
        (cpu, wall), (least_cpu, least_wall) = middle[name], map(min, columns(of))
        ratios = cpu / base_cpu, wall / base_wall
        print(
            f"{name:32} {least_cpu:13.2f} {cpu:7.2f} {ratios[0]:7.2f} {least_wall:14.2f} {wall:7.2f} {ratios[1]:7.2f}"
        )
    print(f"required of the runs: <= {REQUIRED:g} x bare\n")


def columns(took: Sequence[Taken]) -> tuple[list[float], list[float]]:
    return [of.cpu for of in took], [of.wall for of in took]


def resident(pid: int) -> float:
    """MiB of a process that are in memory now; 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def command(folder: Path, rows: int, url: str) -> Ended:
    """Run the command on so many questions, and look at its memory while its log grows."""
    questions, models, out = folder / f"{rows}.jsonl", folder / "models.yaml", folder / f"log-{rows}.jsonl"
    asked = ({"question_id": f"q{i}", "question": text, "target": "4"} for i, text in enumerate(texts(rows)))
    questions.write_text("".join(json.dumps(line) + "\n" for line in asked))
    call = {"base_url": url, "max_tokens": 50, "extract": "last-number"}
    price = {"kind": "linear-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": 4e-6}
    models.write_text(json.dumps({"models": {"small": {"call": call, "costs": [price]}}}))  # JSON is YAML
    words = ["run", questions, "--models", models, "--policy", "fixed:k=1", "--out", out, "--budget", "1000000"]
    words += ["--answers", folder / f"answers-{rows}.jsonl", "--parallelism", str(AT_ONCE)]
    wall = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "moo_infer", *map(str, words)], stdout=subprocess.DEVNULL)
    on_the_way: list[float] = []
    written, place = 0, 0
    while True:
        if out.exists():
            with out.open("rb") as log:
                log.seek(place)
                new = log.read()
            written, place = written + new.count(b"\n"), place + len(new)
        while len(on_the_way) < len(SHARES) and written >= SHARES[len(on_the_way)] * rows:
            on_the_way.append(resident(process.pid))
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.02)
    assert process.returncode == 0
    seconds = usage.ru_utime + usage.ru_stime
    return Ended(time.perf_counter() - wall, seconds, usage.ru_maxrss * 1024 / MIB, tuple(on_the_way))


def memory(rows: int) -> None:
    with tempfile.TemporaryDirectory() as name, server(0.0) as url:
        folder = Path(name)
        one, all_of_them, again = command(folder, 1, url), command(folder, rows, url), command(folder, rows, url)
    print(f"moo-infer run, {rows} questions, one call each; memory in MiB")
    print(f"{'':32} {'cpu s':>8} {'wall s':>8} {'at 10 %':>8} {'50 %':>8} {'100 %':>8} {'most':>8}")
    shown = {"one question (start)": one, "all questions": all_of_them, "again, on the finished log": again}
    for what, of in shown.items():
        steps = [f"{mib:8.1f}" for mib in of.on_the_way] if of is all_of_them else [f"{'':8}"] * len(SHARES)
        print(f"{what:32} {of.cpu:8.2f} {of.wall:8.2f} {' '.join(steps)} {of.most:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rows", type=int, default=50_000)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, openai {openai.__version__}, {os.cpu_count()} processors\n")
    if given.turns:
        overhead(given.requests, given.turns)
    if given.rows:
        memory(given.rows)


if __name__ == "__main__":
    main()
