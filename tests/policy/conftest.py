import csv
import gzip
from collections import Counter, defaultdict

import numpy as np
import pytest

from moo_infer import ModelProfile, Registry, Samples
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency


@pytest.fixture(scope="session")
def registry():
    return Registry(entry_points=False)


@pytest.fixture(scope="session")
def gpqa_rows(data):
    """By four letters of a run its rows, and USD of an input and an output token: the 22 runs with prices, tokens,
    seconds and eight scored samples of all questions."""
    folder = data / "epoch_gpqa"
    with (folder / "prices.csv").open() as file:
        prices = {row["run_id"]: row for row in csv.DictReader(file)}
    rows = defaultdict(list)
    with gzip.open(folder / "samples_gpqa_diamond.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            rows[row["run_id"]].append(row)
    found = {}
    for run, own in rows.items():
        price = prices[run]
        if not price["input_usd_per_mtok"] or any(not row["tokens_in"] or not row["working_time_s"] for row in own):
            continue
        own.sort(key=lambda row: (row["question_id"], int(row["epoch"])))
        own = [row for row in own if row["correct"]]
        each = Counter(row["question_id"] for row in own)
        blank = np.mean([not row["answer"] for row in own])
        if len(each) == 198 and {*each.values()} == {8} and blank <= 0.1:
            usd = (float(price[f"{tokens}put_usd_per_mtok"]) / 1e6 for tokens in ("in", "out"))
            found[run[:4]] = own, tuple(usd)
    return found


@pytest.fixture(scope="session")
def gpqa(gpqa_rows):
    """The profiles of these runs."""
    found = {}
    for run, (own, (usd_in, usd_out)) in gpqa_rows.items():
        questions = sorted({row["question_id"] for row in own})
        place = np.searchsorted(questions, [row["question_id"] for row in own])
        columns = {
            "answer": np.array(["ABCDEFGHIJ".find(row["answer"]) if row["answer"] else -1 for row in own]),
            "latency_s": np.array([float(row["working_time_s"]) for row in own]),
            "cost_usd": np.array(
                [float(row["tokens_in"]) * usd_in + float(row["tokens_out_billed"]) * usd_out for row in own]
            ),
        }
        right = np.array([float(row["correct"]) for row in own])
        samples = Samples(run, questions, place, right, columns)
        found[run] = ModelProfile(run, Empirical(samples), (LoggedCost(), LoggedLatency()))
    return found
