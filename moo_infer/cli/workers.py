"""The option ``--workers``: who does the tasks of a command."""

import warnings
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pkgutil import resolve_name
from socket import create_connection
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from ..core.errors import MooInferError
from ..core.version import __version__

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Workers", "executor_of"]

Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N|dask://HOST:PORT",
        help="Processes of this machine, or the scheduler of a Dask cluster; the same results to the last bit.",
    ),
]
DASK = "dask://"
MOST = 1024  # processes: who types more has mistyped
PATIENCE = 10  # seconds in which a scheduler has to answer
RETRIES = 3  # of a task, where the worker that had it is gone


@contextmanager
def executor_of(workers: str | None) -> Iterator[Executor | None]:
    """Give who does the tasks, as ``--workers`` says it; None where this process does.

    Raises:
        MooInferError: for what is neither a number nor the address of a Dask cluster; where Dask is not installed, the
            cluster does not answer, or a worker has another version.
    """
    if workers is not None and workers.startswith(DASK):
        with _cluster(workers) as client:
            yield client.get_executor(retries=RETRIES)
        return
    count = _count(workers)
    if count == 1:
        yield None
        return
    from ..core.process_pool import ProcessPool  # takes a moment to load

    pool = ProcessPool.of_size(count)
    try:
        yield pool
    except BaseException:  # nobody waits for what they do
        pool.terminate()
        raise
    pool.shutdown(wait=False)


def _count(workers: str | None) -> int:
    """How many processes work."""
    text = "1" if workers is None else workers.strip()
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise MooInferError(f"--workers: must be a whole number from 1 to {MOST}, or {DASK}HOST:PORT, got {workers!r}")
    return int(text)


def _connected(address: str, client: "type[Client]") -> "Client":
    """A connection to a scheduler; a client that gets none is noisy about it at the end of the process."""
    try:
        place = urlsplit(address)
        host, port = place.hostname, place.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise MooInferError(f"--workers: must be a whole number from 1 to {MOST}, or {DASK}HOST:PORT, got {address!r}")
    try:
        create_connection((host, port), PATIENCE).close()
        scheduler = address.replace(DASK, "tcp://", 1)
        return client(scheduler, timeout=PATIENCE, set_as_default=False)
    except OSError as error:
        raise MooInferError(f"--workers {address}: no scheduler answers there: {error}") from error


@contextmanager
def _cluster(address: str) -> "Iterator[Client]":
    """A connection to a Dask cluster whose workers have this version."""
    try:
        from distributed import Client
    except ImportError:
        raise MooInferError(
            f'--workers {address}: Dask is not installed; pip install "moo-infer[dask]" brings it'
        ) from None
    client = _connected(address, Client)
    with client, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")  # a task takes the logs with it
        versions = client.run(resolve_name, "moo_infer.core.version:__version__", on_error="return")
        if not versions:
            warnings.warn(f"--workers {address}: the cluster has no workers yet; the run waits for some", stacklevel=2)
        for worker, version in versions.items():
            if isinstance(version, Exception):
                raise MooInferError(f"--workers {address}: the worker {worker} cannot load moo-infer: {version}")
            if version != __version__:
                raise MooInferError(
                    f"--workers {address}: the worker {worker} has moo-infer {version}, and this is {__version__}"
                )
        yield client
