"""What more processes buy: draws and curves of large decisions on one process, on 1 and on 2 workers.

Seconds of a clock say little where others use the machine too, so processor seconds are measured beside them: those of
the client, and those of all workers, their start included. From 1 and 2 workers follow

    each   what every worker does for itself, whatever it is given: it starts, and makes what all draws share
    split  what is divided among them

as workers take each + split together where there is one, and 2 each + split where there are two. On N cores of their
own a run takes client + each + split / N seconds, as long as there are N tasks or more; that is the last column.

It takes some minutes. To repeat:

    python benchmarks/workers.py [--dask]
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from typing import Any

from quantiles import K, fitted, logged  # type: ignore[import-not-found]  # beside this script

from moo_infer import ModelProfile, Pipeline, Scenario
from moo_infer.builtin.aggregators import BestOfK
from moo_infer.builtin.empirical import LoggedCost, LoggedLatency
from moo_infer.cli.workers import executor_of
from moo_infer.core.process_pool import ProcessPool

Job = Callable[[Executor | None], str]
CORES = (2, 4, 8, 16)


def job(profiles: list[ModelProfile], seconds: float, draws: int, **options: Any) -> Job:
    """A decision over models under a limit on p95, with draws that say how sure it is."""
    scenario = Scenario("limited", max={"latency": {"p95": seconds}})
    given: dict[str, Any] = {"models": {p.name: p for p in profiles}, "scenarios": {"limited": scenario}, "k": K}

    def run(executor: Executor | None) -> str:
        pipeline = Pipeline(BestOfK(), **given | options, executor=executor)
        return pipeline.run().with_stability(draws).to_json()

    return run


JOBS: dict[str, tuple[Job, int]] = {  # with the number of their tasks
    "logs, 10 models, 2000 draws": (job(logged(LoggedCost(), LoggedLatency()), 12.0, 2000), 32),
    "fitted profiles, 10 models, 256 draws": (job(fitted(), 25.0, 256), 4),
    "logs, 10 models, 4 policies each": (
        job(
            logged(LoggedCost(), LoggedLatency())[:4],
            12.0,
            128,
            policies=["fixed:k=4,aggregator=best-of-k"],
            k=[1, 2, 4],
        ),
        2,
    ),
}


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    with ProcessPool.of_size(count) as pool:
        yield pool


def children() -> float:
    """Processor seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(run: Job, count: int) -> tuple[str, float, float, float]:
    """What a job gives; seconds of a clock, and processor seconds of the client and of its workers."""
    clock, own, others = time.perf_counter(), time.process_time(), children()
    with processes(count) if count else nullcontext() as executor:
        found = run(executor)
    return found, time.perf_counter() - clock, time.process_time() - own, children() - others


def row(what: str, run: Job, tasks: int) -> None:
    """Measure a job on this process, 1 and 2 workers; print that, and what it takes on more cores by arithmetic."""
    runs = [measured(run, count) for count in (0, 1, 2)]
    assert len({found for found, *_ in runs}) == 1, f"{what}: another report"
    (_, alone, cpu, _), (_, _, _, one), (_, two_clock, client, two) = runs
    each = max(two - one, 0.0)
    split = one - each
    print(f"{what:38}{alone:8.1f}{cpu:8.1f}{two_clock:8.1f}{client:8.1f}{each:7.1f}{split:7.1f}", end="")
    for n in CORES:
        rounds = -(-tasks // n) / tasks  # of the tasks that the worker has that has most
        print(f"{cpu / (client + each + split * rounds):7.1f}", end="")
    print(flush=True)


def on_dask(run: Job, alone: str) -> None:
    """The same on a cluster of two processes."""
    from distributed import LocalCluster

    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address.replace("tcp", "dask")
        with executor_of(address) as executor:
            start = time.perf_counter()
            assert run(executor) == alone
            print(f"Dask, two workers that are there: {time.perf_counter() - start:.1f} s, the same bytes")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dask", action="store_true")
    wanted = parser.parse_args()
    print(f"{'':38}{'one process':>16}{'2 workers':>16}{'':14}{'ratio on so many cores':>28}")
    heads = f"{'clock':>8}{'cpu':>8}{'clock':>8}{'client':>8}{'each':>7}{'split':>7}"
    print(f"{'':38}{heads}" + "".join(f"{n:7}" for n in CORES))
    for what, (run, tasks) in JOBS.items():
        row(what, run, tasks)
    if wanted.dask:
        run, _ = next(iter(JOBS.values()))
        on_dask(run, run(None))


if __name__ == "__main__":
    main()
