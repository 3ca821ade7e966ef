"""Notes on what a limit of output tokens does to answers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..interfaces import InferenceModel
from ..quantities.queries import Doubt
from ..quantities.subsets import total_of_k
from .lengths import percent, share_above

if TYPE_CHECKING:
    from .prices import ApiCost

__all__ = ["SHOWN", "on_cuts"]

EQUAL = 1e-9  # accuracies that are no further apart differ by the rounding of sums alone
SHOWN = 5e-4  # share below which nothing is said, as it would read 0.0 %


def on_cuts(part: "ApiCost", model: InferenceModel, /) -> Iterator[str]:
    """Yield notes on what the limit of output tokens does to answers; none where the inference model has such notes."""
    if part.max_tokens is None:
        return
    visible, hidden = part.reasoning_tokens_per_output_token, part.reasoning_tokens
    cut = share_above(model, "tokens_out", part._longest)
    if cut < SHOWN or not (part._reasons or getattr(model, "max_tokens", None) is None):
        return
    queries, samples = model.queries(), model.queries().samples
    if samples is not None:
        longer = samples["output_tokens"] > part._longest
        right, kept = (
            float(queries.weights @ total_of_k(worth, samples.question, np.ones(1, dtype=np.int64))[0][:, 0])
            for worth in (samples.correct, np.where(longer, 0.0, samples.correct))
        )
        yield (Doubt if kept < right - EQUAL else str)(
            f"max_tokens = {part.max_tokens:g} of {part.name} cuts {percent(cut)} of the outputs of the log, whose "
            f"accuracy is that of whole ones: where those that are cut are wrong, one call is worth {kept:.3g}, "
            f"not {right:.3g}"
        )
        return
    if not part._reasons:
        yield (
            f"max_tokens = {part.max_tokens:g} of {part.name} cuts {percent(cut)} of the outputs on the bill; the "
            "accuracy is taken as measured with this cut"
        )
        return
    # All of it is reasoning where that alone reaches the limit.
    if visible:
        blank = share_above(model, "tokens_out", np.nextafter((part.max_tokens - hidden) / visible, -np.inf))
    else:
        blank = float(hidden >= part.max_tokens)
    sentence = (
        f"with reasoning tokens, which count towards it and come first, max_tokens = {part.max_tokens:g} cuts "
        f"{percent(cut)} of the answers; {percent(blank)} have no visible token"
    )
    claimed = _of_one_call(model)
    most = f"no more than {percent(1 - blank)} of single answers can be right"
    if claimed is not None and claimed > 1 - blank + EQUAL:
        yield Doubt(f"accuracy {claimed:.3g} of one call cannot be: {sentence}, so that {most}")
    else:
        yield f"{sentence}. The accuracy is taken as measured with these cuts" + (f": {most}" if blank else "")


def _of_one_call(model: InferenceModel) -> float | None:
    """Mean accuracy of one inference over all queries, or None where no law gives it."""
    queries = model.queries()
    if queries.samples is not None:
        return None
    axis = queries.product({"accuracy"}, {})
    law = queries.law("accuracy") if axis is None else axis.laws["accuracy"]
    if law is None:
        return None
    return float(np.mean(law.mean)) if axis is None else float(axis.weights @ np.ravel(law.mean))
