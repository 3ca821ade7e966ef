"""The results of a sweep: a folder of Parquet files, each written whole, with a row for every decision."""

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.arguments import typed
from ..core.errors import MooInferError
from ..core.files import atomic_write, panics_as_errors

if TYPE_CHECKING:
    import polars

__all__ = ["TASK", "Results", "read_sweep"]

TASK = "task"  # the column with the key of the task that a row is of
PARTS = "part-*.parquet"
DRAFTS = ".moo-infer-*"  # what a killed process leaves of `atomic_write`
DIGITS = 16  # of the hash in the name of a part


@typed()
def read_sweep(folder: str | Path, /) -> "polars.DataFrame":
    """Read the results of ``moo-infer sweep`` as one frame: a row a decision, in the order of the settings.

    Columns are ``task``, the key of the point of the grid; the settings of the grid under their own names, or as
    ``grid.k`` and its like where a decision has a column of that name; ``state``, one of decided, infeasible and
    refused; ``scenario``, ``selector``, ``model``, ``aggregator``, ``k``, ``parallelism``, ``policy``, ``calls``,
    ``waves``; ``reason`` why nothing was chosen; ``remarks``; ``sure``, the share of draws in which the same row was
    chosen, and ``draws``, every row that they chose; ``mixture``, the rows and shares of a mixture; and by objective
    ``cost.mean`` and its like, as `Candidates.to_frame` has them, with the 95 % interval of the mean as
    ``cost.interval_low`` and ``cost.interval_high``. What is unknown is null.

    Args:
        folder: what ``--out`` of the sweep named.

    Raises:
        MooInferError: for a folder that is not there or holds no results, and for a file that cannot be read.
    """
    return Results(Path(folder)).frame()


@dataclass(frozen=True)
class Results:
    """A folder of results.

    Args:
        folder: where they are.
    """

    folder: Path

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder, keep other processes out of it, and clear away what a killed one left half-written.

        Raises:
            MooInferError: where there can be no such folder, and where another process writes to it.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise MooInferError(f"--out: {self.folder}: must be a folder, is a file")
        try:
            self.folder.mkdir(exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY)
        except OSError as error:
            raise MooInferError(f"--out: {self.folder}: cannot be made: {error.strerror}") from None
        try:
            self._lock(descriptor)
            for draft in self.folder.glob(DRAFTS):
                shutil.rmtree(draft, ignore_errors=True)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        with suppress(ImportError):  # without locks of files nobody is kept out
            import fcntl

            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise MooInferError(f"--out: {self.folder}: another sweep is writing there; wait for its end") from None

    @property
    def parts(self) -> list[Path]:
        """The files, in the order in which their points stand in the grid."""
        return sorted(self.folder.glob(PARTS))

    def done(self, planned: Collection[str]) -> set[str]:
        """Return the keys of the tasks whose decisions are there.

        Args:
            planned: the keys of all tasks of the sweep.

        Raises:
            MooInferError: for decisions of tasks that are none of its.
        """
        import polars as pl

        found: set[str] = set()
        for part in self.parts:
            tasks = set(self._read(part, [TASK])[TASK].cast(pl.String).to_list())
            if other := tasks - set(planned):
                raise MooInferError(
                    f"--out: {self.folder}: {part.name} holds {len(other):,} decisions of other settings, files or "
                    "versions; name another folder, or remove that file"
                )
            found |= tasks
        return found

    def write(self, first: int, tasks: Sequence[str], rows: Sequence[Mapping[str, Any]], schema: Any) -> None:
        """Write the decisions of some tasks as a part, whole or not at all.

        Args:
            first: the number of the first task in the grid.
            tasks: their keys.
            rows: the decisions.
            schema: the type of every column.
        """
        import polars as pl

        content = hashlib.sha256("\n".join(tasks).encode()).hexdigest()[:DIGITS]
        with atomic_write(self.folder / f"part-{first:07d}-{content}.parquet") as draft:
            pl.DataFrame(list(rows), schema=schema, orient="row").write_parquet(draft)

    def frame(self) -> "polars.DataFrame":
        """Return all decisions; see `read_sweep`."""
        import polars as pl

        if not self.folder.is_dir():
            raise MooInferError(f"{self.folder}: there is no such folder")
        parts = [self._read(part) for part in self.parts]
        if not parts:
            raise MooInferError(f"{self.folder}: holds no results of a sweep ({PARTS})")
        frame = pl.concat(parts, how="diagonal_relaxed")
        return frame.sort([*frame.columns[1 : frame.columns.index("state")], "scenario"], maintain_order=True)

    def _read(self, part: Path, columns: list[str] | None = None) -> "polars.DataFrame":
        import polars as pl

        try:
            with panics_as_errors():
                frame = pl.read_parquet(part, columns=columns, glob=False)
        except (pl.exceptions.PolarsError, OSError):
            raise MooInferError(f"{part}: is no part of a sweep, or is damaged; remove it to decide anew") from None
        if TASK not in frame.columns:
            raise MooInferError(f"{part}: is no part of a sweep; remove it")
        return frame
