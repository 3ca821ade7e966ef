"""How samples were asked for: what was left out, what requests share, what was lost."""

from collections.abc import Iterator

import numpy as np

from .queries import Doubt
from .samples import Samples

__all__ = ["NO_SPREAD", "provenance"]

NO_SPREAD = "requests of several answers say what they took together: how lengths spread is not known"


def provenance(samples: Samples, /) -> list[str]:
    """Return what is to be known of samples, failed ones too, in sentences.

    >>> columns = {"call": np.array([0, 0, 1]), "lost_usd": np.array([0.25, 0, 0.05])}
    >>> for sentence in provenance(Samples("mine", ["q"], np.zeros(3, int), np.ones(3), columns)):
    ...     print(sentence[:84])
    2 of 3 samples came in requests of up to 2 answers, which share their tokens and dol
    0.3 USD were lost in tries that brought nothing, 0.1 USD a sample: costs are without
    """
    return [*samples.left_out, *_shared(samples), *_lost(samples)]


def _shared(samples: Samples) -> Iterator[str]:
    sizes = samples.request_sizes
    shared, n = int((sizes > 1).sum()), int(sizes.max(initial=1))
    if not shared:
        return
    up_to = "" if (sizes == n).all() else "up to "
    yield Doubt(
        f"{shared} of {len(samples)} samples came in requests of {up_to}{n} answers, which share their tokens and "
        f"dollars evenly and have one time: how lengths spread is not known; below k = {n} costs lack a part of the "
        "prompt and vary too little, and seconds are those of a whole request"
    )


def _lost(samples: Samples) -> Iterator[str]:
    usd = float(np.nansum(samples.columns.get("lost_usd", np.zeros(0))))
    if usd > 0:
        yield (
            f"{usd:.3g} USD were lost in tries that brought nothing, {usd / len(samples):.3g} USD a sample: costs are "
            "without them"
        )
