"""What the samples of a log cost by a price, and how sure that is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.errors import MooInferError
from ..quantities.samples import Samples
from ..read.price import Price
from .report import counted

__all__ = ["billed", "drawn", "fitted_part"]

FloatArray = npt.NDArray[np.float64]

TOKENS = ("input_tokens", "output_tokens")


def billed(samples: Samples, price: Price, /) -> tuple[Samples, list[str]]:
    """Return the samples with what their tokens cost, and notes on what the log or the price does not know.

    Input that was read from a cache has its own price, where log and price know it.

    Raises:
        MooInferError: where the log has no tokens.

    >>> tokens = {"input_tokens": 1000, "cached_input_tokens": 800, "output_tokens": 0}
    >>> columns = {name: np.array([number]) for name, number in tokens.items()}
    >>> log = Samples("mine", ["q"], np.array([0]), np.array([1.0]), columns)
    >>> with_cost, notes = billed(log, Price(1e-06, 2e-06, 1e-07))
    >>> with_cost["cost_usd"].round(6), len(notes)
    (array([0.00028]), 1)
    """
    if missing := [name for name in TOKENS if name not in samples.columns]:
        raise MooInferError(f"{samples.model}: has prices, but the log lacks {' and '.join(missing)}")
    tokens_in, tokens_out = (samples[name].astype(np.float64) for name in TOKENS)
    cached = _cached(samples)
    usd = price.usd(tokens_in, tokens_out, np.nan_to_num(cached))
    counts = np.isfinite(samples.correct) & np.isfinite(usd)
    notes = []
    if counts.any():
        tokens = (tokens_in[counts], tokens_out[counts], cached[counts])
        notes += [*_on_cache(price, "cached_input_tokens" in samples.columns, *tokens), *price.remarks]
        for hours, other in price.other_hours:
            mean = float(np.mean(other.usd(*tokens[:2], np.nan_to_num(tokens[2]))))
            notes.append(
                f"prices depend on the hour: cost_usd, {usd[counts].mean():.4g} USD a call, is at the dearest "
                f"({price.hours}); it is {mean:.4g} USD at {hours}"
            )
    return replace(samples, columns={**samples.columns, "cost_usd": usd}), notes


def drawn(kept: Samples, /) -> Samples:
    """Return samples to draw from that are billed alike: what is not known to come from a cache is billed in full."""
    if "cached_input_tokens" not in kept.columns:
        return kept
    return replace(kept, columns={**kept.columns, "cached_input_tokens": np.nan_to_num(_cached(kept))})


def fitted_part(price: Price, kept: Samples, /) -> Mapping[str, Any]:
    """Return the cost model of a fitted profile: the price, and the share of the input that was read from a cache."""
    cached = np.nan_to_num(_cached(kept))
    if price.usd_per_cached_input_token is None or not cached.any():
        return price.part
    scored = np.isfinite(kept.correct)
    share = float(cached[scored].sum() / max(kept["input_tokens"][scored].sum(), 1.0))
    # The log shows that its prompts are cached, however short they are.
    return {**price.part, "cached_input_share": float(f"{share:.6g}"), "min_cacheable_tokens": 0.0}


def _cached(samples: Samples) -> FloatArray:
    """(N,) input tokens that were read from a cache; NaN where it is not known."""
    if "cached_input_tokens" not in samples.columns:
        return np.full(len(samples), np.nan)
    return samples["cached_input_tokens"].astype(np.float64)


def _on_cache(
    price: Price, logged: bool, tokens_in: FloatArray, tokens_out: FloatArray, cached: FloatArray
) -> list[str]:
    """What is to be known about the cache: of samples that count, with their tokens."""
    unknown, read = np.isnan(cached), np.nan_to_num(cached)
    known = price.usd_per_cached_input_token is not None
    full = price.usd(tokens_in, tokens_out).mean()
    said = []
    if read.any() and known:
        mean = price.usd(tokens_in, tokens_out, read).mean()
        said.append(
            f"{100 * read.sum() / tokens_in.sum():.3g} % of the input tokens were read from a cache and are billed as "
            f"such: {mean:.4g} USD a call, not {full:.4g}"
        )
    elif read.any():
        saved = price.at_most_saved(read, tokens_in).mean()
        said.append(
            f"{read.mean():.4g} input tokens a call were read from a cache, at a price that is not known: they are "
            f"billed in full, which is at most {saved:.3g} of {full:.3g} USD a call too much; a price file may have "
            "usd_per_cached_input_token"
        )
    could = np.where(unknown, tokens_in, 0.0)
    saved = price.at_most_saved(could, tokens_in).mean() if known else 0.0
    if saved > 1e-9 * full and not logged:
        said.append(
            "the log has no cached_input_tokens: all input is billed in full, which is at most "
            f"{saved:.3g} of {full:.3g} USD a call too much"
        )
    elif saved > 1e-9 * full:
        said.append(
            f"{unknown.sum()} of {counted(len(unknown), 'sample')} lack cached_input_tokens: their input is billed in "
            f"full, which is at most {saved:.3g} of {full:.3g} USD a call too much"
        )
    write = price.usd_per_cache_write_token
    if read.any() and write is not None and write > price.usd_per_input_token:
        more = (write - price.usd_per_input_token) * (tokens_in - read).mean()
        said.append(
            "what input was written to the cache is not read from logs, so it is billed as other input: at "
            f"{write:g} USD a token it is at most {more:.3g} USD a call more"
        )
    return said
