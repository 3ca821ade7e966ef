"""Which questions and samples of a log a profile is made of, and what stands in for gaps."""

from dataclasses import replace

import numpy as np

from ..core.arrays import BoolArray
from ..core.errors import MooInferError
from ..quantities.samples import WAVE, Samples

__all__ = ["TAKEN", "TOKENS", "complete", "with_enough"]

CACHED = ("cached_input_tokens", "cache_write_tokens")  # of the input
GAPS = 0.1  # share of the samples that may lack a number; with more, the number is not used
TOKENS = ("input_tokens", "output_tokens")
TAKEN = ("cost_usd", "latency_s", "energy_j")  # what samples took, each an objective


def with_enough(samples: Samples, least: int, /) -> tuple[Samples, list[str]]:
    """Keep the questions with enough scored samples, and say which questions cut the range of k for all others.

    Raises:
        MooInferError: where no question is left.

    >>> log = Samples("mine", ["a", "b"], np.array([0, 0, 1]), np.array([1.0, 0.0, 1.0]))
    >>> kept, notes = with_enough(log, 2)
    >>> len(kept), notes
    (2, ['1 of 2 questions are left out, with fewer than 2 scored samples'])
    """
    scored = samples.scored
    if not len(scored):
        raise MooInferError(f"{samples.model}: none of the {len(samples)} samples is right or wrong")
    number = np.bincount(samples.question, np.isfinite(samples.correct), len(samples.questions)).astype(np.int64)
    few = number < least
    if few.all():
        raise MooInferError(
            f"{samples.model}: no question has {least} scored samples, the most that one has is {number.max()}"
        )
    notes = []
    if least > 1 and few.any():
        notes.append(f"{few.sum()} of {len(few)} questions are left out, with fewer than {least} scored samples")
        samples = samples.where(~few[samples.question])
    usual = int(np.median(number[number >= max(least, 1)]))
    explored, about_waves = _explored(samples)
    notes += about_waves if explored != usual else []  # else the note on k says it
    if (cut := samples.scored.largest_k) < usual:
        short = int((number[number >= max(least, 1)] < usual).sum())
        notes.append(
            f"k ends at {cut} because {short} of {len(samples.questions)} questions have fewer than the {usual} scored "
            f"samples that most have; --min-samples {usual} (min_samples={usual}) leaves these out"
        )
    return samples, notes


def _explored(samples: Samples) -> tuple[int, list[str]]:
    """Of a run with waves, how many scored samples questions have whose first wave was the largest, and how to say it.

    0 and nothing where first waves are alike. Samples that failed count in a wave.
    """
    sizes, scored = samples.n[samples.n > 0], samples.scored_n[samples.n > 0]
    if WAVE not in samples or not len(sizes) or (sizes == sizes[0]).all():
        return 0, []
    largest = sizes == sizes.max()
    least = int(max(scored[largest].min(), sizes[~largest].max() + 1))
    note = (
        f"first waves differ in size: {largest.sum()} of {len(sizes)} questions have {sizes.max()} samples in theirs, "
        f"others fewer; where those were drawn at random (run --explore), --min-samples {least} (min_samples={least}) "
        "takes them alone, with a larger k"
    )
    return least, [note]


def complete(samples: Samples, /, *, priced: bool) -> tuple[Samples, list[str]]:
    """Fill the few gaps among scored samples with the mean of their question, and say what was done.

    A column with many gaps goes. Accuracy stays what it is, and failed samples stay, so that who draws from them can
    say how many there are. Other judgements are filled likewise.

    Args:
        samples: of one model.
        priced: whether ``cost_usd`` comes from prices, which belongs in the profile as a part and not as a column.

    >>> gap = {"latency_s": np.array([1.0, np.nan] + [3.0] * 10)}
    >>> log = Samples("mine", ["a"], np.zeros(12, dtype=int), np.ones(12), gap)
    >>> kept, notes = complete(log, priced=False)
    >>> kept["latency_s"][1].round(3), notes
    (np.float64(2.818), ['1 of 12 scored samples lack latency_s; the profile takes the mean of their question'])
    """
    notes = []
    scored: BoolArray = np.isfinite(samples.correct)
    columns = {name: column for name, column in samples.columns.items() if name != "cost_usd" or not priced}
    for name in (*TOKENS, *TAKEN, *samples.judgements):
        if name not in columns:
            continue
        column, lacks = columns[name], scored & ~np.isfinite(columns[name])
        lacking, of = int(lacks.sum()), int(scored.sum())
        if lacking > GAPS * of:
            del columns[name]
            notes.append(f"{name} is not used: {lacking} of {of} scored samples lack it")
        elif lacking:
            known = scored & ~lacks
            count = np.bincount(samples.question[known], minlength=len(samples.questions))
            total = np.bincount(samples.question[known], column[known], len(samples.questions))
            mean = np.where(count > 0, total / np.maximum(count, 1), column[known].mean())
            mean = np.rint(mean) if name in TOKENS else mean
            columns[name] = np.where(lacks, mean[samples.question], column)
            if name == "input_tokens":  # of a mean nobody knows which were read from a cache
                columns |= {part: np.where(lacks, np.nan, columns[part]) for part in CACHED if part in columns}
            notes.append(f"{lacking} of {of} scored samples lack {name}; the profile takes the mean of their question")
        elif name not in samples.judgements and not column[scored].any():
            notes.append(
                f"{name} is 0 in all {of} scored samples and is taken so; was it not known, leave the column out"
            )
    return replace(samples, columns=columns), notes
