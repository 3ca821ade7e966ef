"""Inferences drawn from the log of an evaluation, and what they took as it was logged."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError, unknown
from ..hookspecs import hookimpl
from ..interfaces import CostModel, Draws, InferenceModel, Moments, Queries
from ..objectives import Objective
from ..resampling import FEW, question_weights, unseen
from ..samples import Samples
from ..subsets import largest_of_k, total_of_k
from .costs import COST, LATENCY
from .latencies import scheduled

__all__ = ["Empirical", "LoggedCost", "LoggedEnergy", "LoggedLatency"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ENERGY = Objective("energy", unit="J")
TOKENS = ("input_tokens", "output_tokens")
CHOICE: tuple[Literal["answer", "score"], ...] = ("answer", "score")  # what one answer of several is chosen by
TAKEN = ("latency_s", "cost_usd", "energy_j")  # what samples took
CACHE = ("cached_input_tokens", "cache_write_tokens")  # of the input, what was read from a cache and written to one
AT_ONCE = 2**22  # random keys in one go; bounds memory


@dataclass(frozen=True, eq=False)
class _Given(InferenceModel):
    """The samples of Q questions, all with at least `largest_k` of them."""

    name = "given-question"

    samples: Samples
    failed: int  # how many more there were
    unused: tuple[str, ...]  # which columns are left out, and why, in words

    @property
    def logged(self) -> Samples:
        return self.samples

    @cached_property
    def brought(self) -> Sequence[str]:
        """The columns that draws have: answers and scores only where something can be chosen by them."""
        there = [name for name in (*CACHE, *TAKEN) if name in self.samples.columns]
        return [*(name for name in CHOICE if not self.samples.no_choice(name)), *there]

    @cached_property
    def rows(self) -> IntArray:
        """(Q, S) which samples a question has; -1 beyond its last."""
        n = self.samples.n
        places = np.arange(n.max()) < n[:, None]
        rows = np.full(places.shape, -1)
        rows[places] = np.arange(len(self.samples))
        return rows

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        return self.drawn(rng, np.full(self.samples.n.shape, 1 / len(self.samples.n)), M, K)

    def drawn(self, rng: np.random.Generator, weights: FloatArray, M: int, K: int, /) -> Draws:
        """Draw questions by their weights, then samples of each without replacement."""
        samples, S = self.samples, self.rows.shape[1]
        if samples.largest_k < K:
            raise MooInferError(f"{samples.model}: the log has only {samples.largest_k} samples of a question, not {K}")
        chosen, question = np.empty((M, K), dtype=np.int64), np.empty(M, dtype=np.int64)
        step = max(1, AT_ONCE // S)
        for start in range(0, M, step):
            question[start : start + step] = rng.choice(len(weights), min(step, M - start), p=weights)
            rows = self.rows[question[start : start + step]]
            order = np.where(rows < 0, 2.0, rng.random(rows.shape)).argsort(axis=1)[:, :K]
            chosen[start : start + step] = np.take_along_axis(rows, order, axis=1)
        tokens_in, tokens_out = (
            samples.columns[name][chosen].astype(np.float64) if name in samples.columns else None for name in TOKENS
        )
        brought = {name: samples.columns[name][chosen] for name in self.brought}
        brought["question"] = np.broadcast_to(question[:, None], (M, K))
        if "score" in brought:
            brought["score"] = np.where(np.isnan(brought["score"]), -np.inf, brought["score"])
        return Draws(tokens_in, tokens_out, samples.correct[chosen], brought)


@dataclass(frozen=True)
class Empirical(InferenceModel):
    """The samples of a log themselves: a question at random, then samples of it without replacement.

    Means are therefore unbiased estimates over all subsets of k of a question's samples (pass@k of Chen et al., arXiv
    2107.03374, is one), exact at every k up to the fewest scored samples of any question; beyond that there are no
    candidates. Draws bring along which ``question`` they are about, and what the log has: ``answer``, ``score``,
    ``cached_input_tokens``, ``cache_write_tokens``, ``latency_s``, ``cost_usd``, ``energy_j``. Samples that failed
    (neither right nor wrong) are left out, and so are tokens, seconds, dollars and joules that some of the others lack.
    Samples without an answer or a score stay, and abstain. Reports say all of that.

    How sure a decision is follows from the questions: other logs of as many would have held others (Bayesian bootstrap
    over questions, Rubin 1981; models that answered the same questions are resampled together).

    Args:
        samples: a file with the neutral table, relative to the file it is named in; or `Samples`.
        model: which model of the file; may be left out where there is one.
        sha256: of the file; where it is given, another file is refused.

    Raises:
        MooInferError: for a file that cannot be read, is another than it was, or holds no scored sample of the model.

    >>> from moo_infer import Exact, ModelProfile
    >>> from moo_infer.builtin.aggregators import Coverage
    >>> log = Samples("mine", ["q1", "q2"], np.array([0, 0, 0, 1, 1, 1]), np.array([1.0, 0, 0, 1, 1, 0]))
    >>> profile = ModelProfile("mine", Empirical(log), ())
    >>> Exact().estimate(profile, Coverage(), np.array([1, 2, 3]), 1).columns["accuracy"].mean.round(6)
    array([0.5     , 0.833333, 1.      ])
    """

    name = "empirical"

    samples: Samples | Path
    model: str = ""
    sha256: str = ""
    _weights: ClassVar[FloatArray | None] = None  # set on what `resampled` gives

    def __post_init__(self) -> None:
        _ = self._given

    @property
    def largest_k(self) -> int:
        """The fewest scored samples of any question."""
        return self._given.samples.largest_k

    @property
    def _given(self) -> _Given:
        if isinstance(self.samples, Samples):
            return _of(self.samples)
        return _of(_from_file(self.samples, self.model, self.sha256))

    def queries(self, of: Literal["tokens", "accuracy"], /) -> Queries:
        """The questions of the log."""
        given = self._given
        Q = len(given.samples.questions)
        return Queries(np.full(Q, 1 / Q) if self._weights is None else self._weights, given)

    def resampled(self, B: int, seed: int, /) -> Sequence[InferenceModel] | None:
        """Return B models whose questions weigh otherwise; None with one question, which says nothing of others."""
        questions = self._given.samples.questions
        if len(questions) < 2:
            return None
        models = []
        for weights in question_weights(questions, B, seed):
            model = copy(self)
            object.__setattr__(model, "_weights", weights)
            models.append(model)
        return models

    def remarks(self) -> Sequence[str]:
        """Say where the log is too small to say something, and what it does not know."""
        samples = self._given.samples
        said = []
        if len(samples.questions) < 2:
            said.append("one question says nothing of others: no uncertainty can be given")
        if self._given.failed:
            of = self._given.failed + len(samples)
            said.append(f"{self._given.failed} of {of} samples failed; neither they nor what they took is counted")
        said += [*self._given.unused, *samples.caveats()]
        if np.ptp(samples.correct) == 0:
            what, Q = {1.0: "right", 0.0: "wrong"}.get(samples.correct[0], "graded alike"), len(samples.questions)
            said.append(
                f"all samples are {what}, so that resampling shows no spread; of other questions up to "
                f"{100 * unseen(Q):.2g} % may be otherwise (95 %)"
            )
        elif 1 < len(samples.questions) < FEW:
            said.append(f"with only {len(samples.questions)} questions, choices look surer than they are")
        return said

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences, K up to `largest_k`."""
        queries = self.queries("accuracy")
        return self._given.drawn(rng, queries.weights, M, K)


@dataclass(frozen=True)
class _Logged(CostModel):
    """What the samples took, by a column of the log."""

    column: ClassVar[str]

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Sum of the first k inferences, (M, K)."""
        return np.cumsum(draws[self.column], axis=1)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact mean and standard deviation given a question of a log."""
        samples = model.logged
        return None if samples is None else Moments(*total_of_k(samples[self.column], samples.question, k))


@dataclass(frozen=True)
class LoggedCost(_Logged):
    """Money as it was billed: the column ``cost_usd`` of the draws, added up.

    >>> LoggedCost().total(Draws(*np.ones((3, 1, 2)), {"cost_usd": np.array([[0.1, 0.2]])}), parallelism=1).round(2)
    array([[0.1, 0.3]])
    """

    name = "logged-cost"
    objective = COST
    column = "cost_usd"


@dataclass(frozen=True)
class LoggedEnergy(_Logged):
    """Joules as they were measured: the column ``energy_j`` of the draws, added up.

    >>> LoggedEnergy().total(Draws(*np.ones((3, 1, 2)), {"energy_j": np.array([[50.0, 70.0]])}), parallelism=1)
    array([[ 50., 120.]])
    """

    name = "logged-energy"
    objective = ENERGY
    column = "energy_j"


@dataclass(frozen=True)
class LoggedLatency(_Logged):
    """Seconds as they were measured: the column ``latency_s`` of the draws, by the shape of the calls.

    It holds as far as calls are independent given the question: whoever sends k at once where the log sent one should
    measure that.

    Args:
        calls: ``at-once``: the slowest of k, whatever P; ``slots``: P at a time, the next as soon as one ends;
            ``sequential``: one after the other.

    >>> draws = Draws(*np.ones((3, 1, 4)), {"latency_s": np.array([[3.0, 1.0, 1.0, 5.0]])})
    >>> for calls in ("at-once", "slots", "sequential"):
    ...     print(LoggedLatency(calls).total(draws, parallelism=2))
    [[3. 3. 3. 5.]]
    [[3. 3. 3. 7.]]
    [[ 3.  4.  5. 10.]]
    """

    name = "logged-latency"
    objective = LATENCY
    column = "latency_s"

    calls: Literal["at-once", "slots", "sequential"] = "at-once"

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k calls are done, (M, K)."""
        seconds = draws[self.column]
        if self.calls == "at-once":
            return np.maximum.accumulate(seconds, axis=1)
        return np.cumsum(seconds, axis=1) if self.calls == "sequential" else scheduled(seconds, parallelism)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact mean and standard deviation given a question; with slots where no call waits, or all do."""
        samples = model.logged
        if samples is None:
            return None
        seconds = samples[self.column]
        if self.calls == "sequential" or (self.calls == "slots" and parallelism == 1):
            return Moments(*total_of_k(seconds, samples.question, k))
        if self.calls == "at-once" or k.max() <= parallelism:
            return Moments(*largest_of_k(seconds, samples.question, k))
        return None


@lru_cache(maxsize=256)
def _of(samples: Samples) -> _Given:
    """The samples that count: scored ones, without columns that some of them lack."""
    scored = samples.scored
    if not len(scored):
        raise MooInferError(f"{samples.model}: none of the {len(samples)} samples is right or wrong")
    lacking = {name: int((~scored.known(name)).sum()) for name in scored.columns}
    known = {name: column for name, column in scored.columns.items() if name in CHOICE or not lacking[name]}
    unused = tuple(
        f"{name} is not used: {lacking[name]} of {len(scored)} scored samples lack it"
        for name in (*TOKENS, *CACHE, *TAKEN)
        if name in scored.columns and name not in known
    )
    kept = Samples(scored.model, scored.questions, scored.question, scored.correct, known)
    return _Given(kept, len(samples) - len(scored), unused)


def _from_file(path: Path, model: str, sha256: str) -> Samples:
    try:
        stat = path.stat()
    except OSError as error:
        raise MooInferError(f"{path}: cannot be read: {error.strerror}") from None
    found, digest = _read(path, stat.st_mtime_ns, stat.st_size)
    if sha256 and sha256 != digest:
        raise MooInferError(f"{path}: is another file than it was (sha256 {digest}, not {sha256}); calibrate again")
    if not model and len(found) == 1:
        return next(iter(found.values()))
    if model not in found:
        raise unknown("model", model, found, str(path))
    return found[model]


@lru_cache(maxsize=1024)
def _read(path: Path, modified: int, size: int) -> tuple[dict[str, Samples], str]:
    """Read a file once; `modified` and `size` tell a file that has changed since."""
    from ..calibrate.grading import Grading
    from ..calibrate.reading import read_log

    log = read_log(path, format="table", grading=Grading(scale=(0, 1)))  # it may hold grades
    return {samples.model: samples for samples in log.samples()}, log.sources[0].sha256


@hookimpl
def register_inference_models() -> list[type[InferenceModel]]:
    """Register the log itself."""
    return [Empirical]


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register what was logged of money, seconds and joules."""
    return [LoggedCost, LoggedEnergy, LoggedLatency]
