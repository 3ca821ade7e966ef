"""What the samples of a log cost by a price, and how sure that is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from ..quantities.samples import Samples
from ..read.price import Price
from .report import counted

__all__ = ["billed", "drawn", "fitted_part"]

TOKENS = ("input_tokens", "output_tokens")
READ, WRITTEN = "cached_input_tokens", "cache_write_tokens"  # of the input
BILLED = (*TOKENS, READ, WRITTEN, "reasoning_tokens")


def billed(samples: Samples, price: Price, /) -> tuple[Samples, list[str]]:
    """Return the samples with what their tokens cost, and notes on what the log or the price does not know.

    Input that was read from a cache, or written to one, has its own price, where log and price know it.

    Raises:
        MooInferError: where the log has no tokens, and where it has samples for which this is no price.

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
    read, written = _of_input(samples, READ), _of_input(samples, WRITTEN)
    usd = price.usd(tokens_in, tokens_out, np.nan_to_num(read), np.nan_to_num(written))
    known = {name: samples[name].astype(np.float64) for name in BILLED if name in samples.columns}
    for case in price.unpriced:
        if (among := case.among(known)).any():
            raise MooInferError(
                f"{samples.model}: {price.source}: no price of {among.sum()} of {counted(len(among), 'sample')}, which "
                f"have {case.have}: {case.why}; else give the price by hand: --price or a file of your own"
            )
    counts = np.isfinite(samples.correct) & np.isfinite(usd)
    notes = []
    if counts.any():
        tokens = (tokens_in[counts], tokens_out[counts], read[counts], written[counts])
        notes += [*_on_reads(price, READ in samples.columns, *tokens)]
        notes += [*_on_writes(price, WRITTEN in samples.columns, *tokens), *price.remarks]
        for hours, other in price.other_hours:
            mean = float(np.mean(other.usd(*map(np.nan_to_num, tokens))))
            notes.append(
                f"prices depend on the hour: cost_usd, {usd[counts].mean():.4g} USD a call, is at the dearest "
                f"({price.hours}); it is {mean:.4g} USD at {hours}"
            )
    return replace(samples, columns={**samples.columns, "cost_usd": usd}), notes


def drawn(kept: Samples, /) -> Samples:
    """Return samples to draw from that are billed alike: what is not known of a cache is billed as other input."""
    there = [name for name in (READ, WRITTEN) if name in kept.columns]
    return replace(kept, columns={**kept.columns, **{name: np.nan_to_num(_of_input(kept, name)) for name in there}})


def fitted_part(price: Price, kept: Samples, /) -> Mapping[str, Any]:
    """Return the cost model of a fitted profile: the price, and which shares of the input a cache had or got."""
    scored, shares = np.isfinite(kept.correct), dict[str, float]()
    for name, field, usd in (
        (READ, "cached_input_share", price.usd_per_cached_input_token),
        (WRITTEN, "cache_write_share", price.usd_per_cache_write_token),
    ):
        tokens = np.nan_to_num(_of_input(kept, name))[scored].sum()
        if usd is not None and tokens:
            shares[field] = float(f"{tokens / max(kept['input_tokens'][scored].sum(), 1.0):.6g}")
    # The log shows that its prompts are cached, however short they are.
    return {**price.part, **shares, "min_cacheable_tokens": 0.0} if shares else price.part


def _of_input(samples: Samples, name: str) -> FloatArray:
    """(N,) input tokens that were read from a cache, or written to one; NaN where it is not known."""
    if name not in samples.columns:
        return np.full(len(samples), np.nan)
    return samples[name].astype(np.float64)


def _on_reads(
    price: Price, logged: bool, tokens_in: FloatArray, tokens_out: FloatArray, cached: FloatArray, written: FloatArray
) -> list[str]:
    """What is to be known about reads from the cache: of samples that count, with their tokens."""
    unknown, read, written = np.isnan(cached), np.nan_to_num(cached), np.nan_to_num(written)
    known = price.usd_per_cached_input_token is not None
    full = price.usd(tokens_in, tokens_out, np.zeros_like(read), written).mean()
    said = []
    if read.any() and known:
        mean = price.usd(tokens_in, tokens_out, read, written).mean()
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
    could = np.where(unknown, tokens_in - written, 0.0)
    saved = price.at_most_saved(could, tokens_in).mean() if known else 0.0
    if saved > 1e-9 * full and not logged:  # less is rounding of two sums
        said.append(
            "the log has no cached_input_tokens: all input is billed in full, which is at most "
            f"{saved:.3g} of {full:.3g} USD a call too much"
        )
    elif saved > 1e-9 * full:
        said.append(
            f"{unknown.sum()} of {counted(len(unknown), 'sample')} lack cached_input_tokens: their input is billed in "
            f"full, which is at most {saved:.3g} of {full:.3g} USD a call too much"
        )
    return said


def _on_writes(
    price: Price, logged: bool, tokens_in: FloatArray, tokens_out: FloatArray, cached: FloatArray, written: FloatArray
) -> list[str]:
    """What is to be known about writes to the cache: of samples that count, with their tokens."""
    unknown, read, made = np.isnan(written), np.nan_to_num(cached), np.nan_to_num(written)
    mean = price.usd(tokens_in, tokens_out, read, made).mean()
    said = []
    if made.any() and price.usd_per_cache_write_token is not None:
        other = price.usd(tokens_in, tokens_out, read).mean()
        said.append(
            f"{100 * made.sum() / tokens_in.sum():.3g} % of the input tokens were written to a cache and are billed as "
            f"such: {mean:.4g} USD a call, not {other:.4g}"
        )
    elif made.any():
        said.append(
            f"{made.mean():.4g} input tokens a call were written to a cache, at a price that is not known: they are "
            "billed as other input; a price file may have usd_per_cache_write_token"
        )
    most = price.usd(tokens_in, tokens_out, read, np.where(unknown, tokens_in - read, made)).mean()
    if (read.any() or made.any()) and most - mean > 1e-9 * mean:
        lack = f"{unknown.sum()} of {counted(len(unknown), 'sample')} lack" if logged else "the log has no"
        said.append(
            f"{lack} cache_write_tokens: input that was written to the cache is billed as other input, which may be up "
            f"to {most - mean:.3g} of {mean:.3g} USD a call too little"
        )
    return said
