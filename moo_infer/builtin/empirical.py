"""Inferences drawn from the log of an evaluation, with the money, seconds and joules that were logged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MooInferError, NotExact, unknown
from ..core.moments import Moments
from ..core.objectives import COST, ENERGY, LATENCY, Objective, judged_objective
from ..hookspecs import hookimpl
from ..interfaces import CostModel, InferenceModel
from ..quantities.bootstrap import FEW
from ..quantities.by_samples import CHOICE
from ..quantities.provenance import provenance
from ..quantities.quantity import Query
from ..quantities.queries import Doubt, Note, Queries
from ..quantities.samples import ANSWER_KEY, COLUMNS, Samples
from .latencies import scheduled

__all__ = ["Empirical", "LoggedCost", "LoggedEnergy", "LoggedLatency"]

TOKENS = ("input_tokens", "output_tokens")
TAKEN = ("latency_s", "cost_usd", "energy_j")  # what samples took
CACHE = ("cached_input_tokens", "cache_write_tokens")  # of the input, what was read from a cache and written to one


@dataclass(frozen=True, eq=False)
class _Kept:
    """Scored samples of the questions with at least `largest_k` of them; the number of failed ones; unused columns."""

    samples: Samples
    failed: int
    unused: tuple[str, ...]  # which columns are left out, and why, in words
    about: tuple[str, ...]  # how the samples were asked for, in words


@dataclass(frozen=True)
class Empirical(InferenceModel):
    """The samples of a log themselves: a question at random, then samples of it without replacement.

    Means are therefore unbiased estimates over all subsets of k of a question's samples (pass@k of Chen et al., arXiv
    2107.03374, is one), exact at every k up to the fewest scored samples of any question; beyond that there are no
    candidates. Draws bring along which ``question`` they are about, and what the log has: ``answer``, ``score``,
    ``cached_input_tokens``, ``cache_write_tokens``, ``latency_s``, ``cost_usd``, ``energy_j``. Samples that failed
    (neither right nor wrong) are left out, and so are tokens, seconds, dollars and joules that some of the others lack.
    Samples without an answer or a score stay, and abstain. Of a log with waves the first is drawn from, which no answer
    decided on. Reports say all of that.

    How sure a decision is follows from the questions: other logs of as many would have held others (Bayesian bootstrap
    over questions, Rubin 1981; models that answered the same questions are resampled together).

    Args:
        samples: a file with the neutral table, relative to the file it is named in; or `Samples`.
        model: which model of the file; may be left out where there is one.
        sha256: of the file; where it is given, another file is refused.
        doubt: why the samples may be no sample of the model, in a sentence that is said beside every choice.
        cut_from: the model whose samples these are, but for a cap (``calibrate --max-tokens``); no policy calls both,
            as it would see one sample twice.
        judged: how else answers were judged: columns of the samples, in [0, 1], and whether ``down`` or ``up`` is
            better. Each is an objective of its name: the mean over questions of what the delivered answer is worth by
            it, 0 where nothing is delivered. It is what an aggregator chooses (`AccuracyAggregator.choose`); of several
            inferences that could be it, the mean.

    Raises:
        MooInferError: for a file that cannot be read, is another than it was, or holds no scored sample of the model,
            and for a judgement that samples lack or that is not in [0, 1].

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
    doubt: str = ""
    cut_from: str = ""
    judged: Mapping[str, Literal["down", "up"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        samples = self._kept.samples
        for objective in self._objectives:
            _refuse_odd(samples, objective.name)

    @property
    def _objectives(self) -> tuple[Objective, ...]:
        if reserved := [name for name in self.judged if name in (*COLUMNS, ANSWER_KEY)]:
            raise MooInferError(f"judged: {reserved[0]} is a column of the neutral table, which means something else")
        return tuple(judged_objective(name, better) for name, better in self.judged.items())

    @property
    def _kept(self) -> _Kept:
        if isinstance(self.samples, Samples):
            return _of(self.samples)
        return _of(_from_file(self.samples, self.model, self.sha256, tuple(self.judged)))

    def queries(self) -> Queries:
        """The questions of the log."""
        return Queries.of_samples(self._kept.samples, judged=self._objectives)

    def notes(self) -> Sequence[Note]:
        """Note where the log is too small for a statement, and which columns it lacks."""
        samples = self._kept.samples
        sentences: list[str] = [Doubt(self.doubt)] if self.doubt else []
        if len(samples.questions) < 2:
            sentences.append("one question says nothing of others: no uncertainty can be given")
        if self._kept.failed:
            of = self._kept.failed + len(samples)
            sentences.append(f"{self._kept.failed} of {of} samples failed; neither they nor what they took is counted")
        sentences += [*self._kept.about, *self._kept.unused, *samples.caveats]
        if 1 < len(samples.questions) < FEW:
            sentences.append(f"with only {len(samples.questions)} questions, choices look surer than they are")
        return [Note(sentence) for sentence in sentences]

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences, K up to the fewest samples of a question."""
        return self.queries().draw(rng, M, K)


@dataclass(frozen=True)
class _Logged(CostModel):
    """Logged consumption: a column of the log, added up."""

    column: ClassVar[str]

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Sum of the first k inferences, (M, K)."""
        return np.cumsum(draws[self.column], axis=1)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact mean and standard deviation over the samples of a log."""
        return query[self.column].sum(k)


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

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact mean and standard deviation given a question; with slots where no call waits, or all do."""
        seconds = query[self.column]
        if self.calls == "sequential" or (self.calls == "slots" and parallelism == 1):
            return seconds.sum(k)
        if self.calls == "at-once" or k.max() <= parallelism:
            return seconds.max(k)
        raise NotExact("when the calls of more than P are done is not known")


@lru_cache(maxsize=256)
def _of(samples: Samples) -> _Kept:
    """Scored samples, without the columns that have gaps."""
    scored = samples.scored
    if not len(scored):
        raise MooInferError(f"{samples.model}: none of the {len(samples)} samples is right or wrong")
    lacking = {name: int((~scored.known(name)).sum()) for name in scored.columns}
    complete = {name: column for name, column in scored.columns.items() if name in CHOICE or not lacking[name]}
    unused = tuple(
        f"{name} is not used: {lacking[name]} of {len(scored)} scored samples lack it"
        for name in (*TOKENS, *CACHE, *TAKEN)
        if name in scored.columns and name not in complete
    )
    kept = replace(scored, columns=complete, left_out=())
    return _Kept(kept, len(samples) - len(scored), unused, tuple(provenance(samples)))


def _refuse_odd(samples: Samples, name: str) -> None:
    """Raise where samples are not all judged, or otherwise than in [0, 1]."""
    if name not in samples.columns:
        there = ", ".join(samples.judgements) or "none"
        raise MooInferError(f"{samples.model}: judged: not all scored samples have {name!r}; all have: {there}")
    odd = ~((samples[name] >= 0) & (samples[name] <= 1))
    if odd.any():
        raise MooInferError(f"{samples.model}: judged: {name} must be in [0, 1], got {samples[name][odd][0]:g}")


def _from_file(path: Path, model: str, sha256: str, judged: tuple[str, ...]) -> Samples:
    try:
        stat = path.stat()
    except OSError as error:
        raise MooInferError(f"{path}: cannot be read: {error.strerror}") from None
    by_model, refused, digest = _read(path, stat.st_mtime_ns, stat.st_size, judged)
    if sha256 and sha256 != digest:
        raise MooInferError(f"{path}: is another file than it was (sha256 {digest}, not {sha256}); calibrate again")
    if not model and len(by_model) == 1 and not refused:
        return next(iter(by_model.values()))
    if model in refused:
        raise MooInferError(f"{path}: {model}: {refused[model]}")
    if model not in by_model:
        raise unknown("model", model, by_model, str(path))
    return by_model[model]


@lru_cache(maxsize=1024)
def _read(
    path: Path, modified: int, size: int, judged: tuple[str, ...]
) -> tuple[dict[str, Samples], Mapping[str, str], str]:
    """Read a file once; `modified` and `size` tell a file that has changed since."""
    from ..read.grading import Grading
    from ..read.logs import read_log

    log = read_log(path, format="table", grading=Grading(scale=(0, 1)), judged=judged)  # it may hold grades
    return {samples.model: samples for samples in log.samples()}, log.refused, log.sources[0].sha256


@hookimpl
def register_inference_models() -> list[type[InferenceModel]]:
    """Register the log itself."""
    return [Empirical]


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register what was logged of money, seconds and joules."""
    return [LoggedCost, LoggedEnergy, LoggedLatency]
