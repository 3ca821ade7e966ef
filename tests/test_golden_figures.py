"""Figures of five profiles under nine aggregators, all statistics, as they were: what is rebuilt inside changes none.

Run this file as a script to write them anew, where a figure changed for a reason.
"""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moo_infer import AccuracyAggregator, CostModel, Exact, MissingColumn, ModelProfile, Registry
from moo_infer.builtin.difficulty import Beta
from moo_infer.core.errors import NothingPossible
from moo_infer.testing import MODELS

FIGURES = Path(__file__).parent / "golden" / "figures.csv"
K = np.array([1, 4, 16])
CALL = "seconds_per_input_token=1e-4,seconds_per_output_token=1e-3"
COSTS = {
    "gaussian": [
        "linear-cost:usd_per_input_token=1e-6,usd_per_output_token=1e-5",
        f"linear-latency:{CALL}",
        "token-energy:joules_per_input_token=0.01,joules_per_output_token=0.4",
    ],
    "lognormal": [
        "api-cost:usd_per_input_token=1e-6,usd_per_output_token=4e-6,calls=n,n_max=3,usd_per_request=1e-4",
        f"slots:{CALL},overhead_s=0.3",
        "batch-energy:joules_per_output_token=0.07,joules_per_decode_step=3,joules_per_input_token=0.01,other_sequences=8,"
        "prefill=each",
    ],
    "beta": [
        "gpu-cost:usd_per_gpu_hour=2.5,output_tokens_per_second=900,gpus=2",
        f"slowest-of-k:{CALL},overhead_s=0.3",
        "batch-energy:joules_per_output_token=0.07,joules_per_decode_step=3",
    ],
    "difficulty classes": [
        "api-cost:usd_per_input_token=1e-6,usd_per_output_token=4e-6,usd_per_cached_input_token=1e-7,calls=cached,"
        "min_cacheable_tokens=0",
        "batch:itl_base_s=0.0065,itl_per_sequence_s=7.9e-05,ttft_seconds=0.2,other_sequences=8",
        "carbon:joules_per_output_token=0.07,grid_gco2_per_kwh=400,joules_per_decode_step=3,pue=1.2",
    ],
    "a log": [
        "linear-cost:usd_per_input_token=1e-6,usd_per_output_token=1e-5",
        "logged-latency:calls=slots",
        "token-energy:joules_per_input_token=0.01,joules_per_output_token=0.4",
    ],
}
AGGREGATORS = [
    *("one-call", "best-of-k", "coverage", "all-of-k", "majority-vote", "plurality-vote", "top-score"),
    "verifier:tpr=0.9,fpr=0.1,usd_per_output_token=1e-6,seconds_per_output_token=0.01,verdict_tokens=5",
    "noisy-score:rho=0.5",
]
INFERENCE = MODELS | {
    "difficulty classes": replace(MODELS["difficulty classes"], tokens_out_cv_within=0.4),
    "beta": Beta(
        mean=0.4, concentration=3, wrong_agreement=0.2, tokens_in_mean=400, tokens_in_cv=0.3, tokens_out_mean=600,
        tokens_out_cv_between=0.5,
    )
}  # fmt: skip


def figures():
    """A line for each profile, aggregator, P, objective and k."""
    registry = Registry()
    for name, texts in COSTS.items():
        profile = ModelProfile(name, INFERENCE[name], [registry.get(CostModel, text) for text in texts])
        for text in AGGREGATORS:
            aggregator = registry.get(AccuracyAggregator, text)
            for parallelism in (1, 4):
                try:
                    yield from rows(profile, aggregator, parallelism)
                except (MissingColumn, NothingPossible):
                    continue


def rows(profile, aggregator, parallelism):
    curve = Exact(trials=400, seed=5).estimate(profile, aggregator, K, parallelism)
    listed = []
    for objective, column in curve.columns.items():
        statistics = {
            "mean": column.mean, "std": column.std, "low": column.quantile(0.025), "high": column.quantile(0.975),
            "p95": column.quantile(0.95), "stderr": column.stderr, "stderr_simulation": column.stderr_simulation,
        }  # fmt: skip
        for i, k in enumerate(K):
            label = {
                "profile": profile.name, "aggregator": aggregator.name, "parallelism": str(parallelism),
                "objective": objective, "k": str(k), "simulated": " ".join(column.simulated),
            }  # fmt: skip
            listed.append(label | {statistic: f"{values[i]:.15g}" for statistic, values in statistics.items()})
    return listed


def test_figures_stay():
    before, now = list(csv.DictReader(io.StringIO(FIGURES.read_text(encoding="utf-8")))), list(figures())
    assert len(now) == len(before) > 700
    for old, new in zip(before, now, strict=True):
        for key, value in old.items():
            if key in ("profile", "aggregator", "objective", "k", "parallelism", "simulated"):
                assert new[key] == value
            else:
                assert float(new[key]) == pytest.approx(float(value), rel=1e-12, abs=1e-300, nan_ok=True), (old, key)


if __name__ == "__main__":
    lines = list(figures())
    with FIGURES.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
