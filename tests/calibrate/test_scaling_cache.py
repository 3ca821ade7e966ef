"""Fitted laws that are kept: a hit gives the same numbers, and any change misses."""

import json

import numpy as np
import pytest

from moo_infer import CallSettings, MooInferError
from moo_infer.calibrate import VOTE_LAWS, AccuracyCurve, ScalingCache, fit_scaling, scaling_cache

K = np.arange(1, 17)
TABLE = np.sort(np.random.default_rng(0).random((12, 16)), axis=1)
CURVE = AccuracyCurve(K, TABLE)
GIVEN = {"model": "m", "revision": "2026-11", "sampler": {"temperature": 1.0, "top_p": 0.9}, "laws": VOTE_LAWS, "B": 5}


@pytest.fixture
def fits(monkeypatch):
    """How often a law was fitted, and not found."""
    fits = []

    def counted(*args):
        fits.append(args)
        return fit_scaling(*args)

    monkeypatch.setattr(scaling_cache, "fit_scaling", counted)
    return fits


def test_a_hit_gives_the_same_numbers_to_the_last_bit(tmp_path, fits):
    cache = ScalingCache(tmp_path / "laws")
    first, second = cache.fit(CURVE, **GIVEN), cache.fit(AccuracyCurve(list(K), TABLE.tolist()), **GIVEN)
    assert len(fits) == 1
    assert first == second == fit_scaling(CURVE, VOTE_LAWS, 5)
    for of in ("value", "low", "high", "stderr"):
        assert getattr(first.predict([30]), of).tolist() == getattr(second.predict([30]), of).tolist()
    assert len(list((tmp_path / "laws").iterdir())) == 1


CHANGES = {
    "model": {"model": "n"},
    "revision": {"revision": "2026-12"},
    "temperature": {"sampler": {"temperature": 0.9, "top_p": 0.9}},
    "one setting less": {"sampler": {"temperature": 1.0}},
    "call settings": {"sampler": CallSettings(temperature=1.0, top_p=0.9)},
    "laws": {"laws": VOTE_LAWS[:1]},
    "draws": {"B": 6},
    "seed": {"seed": 1},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_of_the_key_misses(tmp_path, fits, change):
    cache = ScalingCache(tmp_path)
    cache.fit(CURVE, **GIVEN)
    cache.fit(CURVE, **{**GIVEN, **change})
    assert len(fits) == 2
    assert len(list(tmp_path.iterdir())) == 2


def other_data():
    nudged = TABLE.copy()
    nudged[3, 4] = np.nextafter(nudged[3, 4], 1)
    yield "one bit", AccuracyCurve(K, nudged)
    yield "a question less", AccuracyCurve(K, TABLE[1:])
    yield "other k", AccuracyCurve(K + 1, TABLE)
    yield "names of questions", AccuracyCurve(K, TABLE, questions=[f"q{i}" for i in range(12)])
    yield "means alone", AccuracyCurve(K, TABLE.mean(axis=0))
    yield "with errors", AccuracyCurve(K, TABLE.mean(axis=0), stderr=np.full(16, 0.1))


@pytest.mark.parametrize("curve", [c for _, c in other_data()], ids=[name for name, _ in other_data()])
def test_other_data_miss(tmp_path, fits, curve):
    cache = ScalingCache(tmp_path)
    cache.fit(CURVE, **GIVEN)
    cache.fit(curve, **GIVEN)
    assert len(fits) == 2


def test_all_curves_have_different_digests():
    digests = [curve.digest for _, curve in other_data()] + [CURVE.digest]
    assert len(set(digests)) == len(digests)


def test_another_version_and_every_setting_that_is_sent_miss(tmp_path, fits, monkeypatch):
    cache = ScalingCache(tmp_path)
    call = CallSettings(temperature=1.0, max_tokens=100)
    cache.fit(CURVE, **{**GIVEN, "sampler": call})
    cache.fit(CURVE, **{**GIVEN, "sampler": CallSettings(temperature=1.0, max_tokens=100, timeout_s=5)})
    assert len(fits) == 1  # patience changes no answer
    cache.fit(CURVE, **{**GIVEN, "sampler": CallSettings(temperature=1.0, max_tokens=101)})
    monkeypatch.setattr(scaling_cache, "__version__", "9.9")
    cache.fit(CURVE, **{**GIVEN, "sampler": call})
    assert len(fits) == 3


def broken(path):
    document = json.loads(path.read_text())
    for field in document["fit"]:
        changed = json.loads(path.read_text())
        changed["fit"][field] = None
        yield f"no {field}", json.dumps(changed)
        changed["sha256"] = scaling_cache._digest(changed["fit"])
        yield f"no {field}, with a checksum", json.dumps(changed)
    changed = json.loads(path.read_text())
    changed["fit"]["numbers"][0] += 1e-9
    yield "one number", json.dumps(changed)
    for field, wrong in (
        ("numbers", ["x", 1]),
        ("errors", {"beta-vote": 0.1}),
        ("measured", [1, "16"]),
        ("shown", [1.5]),
    ):
        changed = json.loads(path.read_text())
        changed["fit"][field] = wrong
        changed["sha256"] = scaling_cache._digest(changed["fit"])
        yield f"other {field}", json.dumps(changed)
    changed = json.loads(path.read_text())
    changed["key"]["model"] = "another"
    yield "another key", json.dumps(changed)
    yield "cut off", path.read_text()[:-20]
    yield "empty", ""
    yield "a list", "[1, 2]"
    yield "no JSON", "import os"


def test_a_file_that_is_damaged_or_foreign_is_said_and_fitted_anew(tmp_path, fits):
    cache = ScalingCache(tmp_path)
    right = cache.fit(CURVE, **GIVEN)
    (path,) = tmp_path.iterdir()
    whole = path.read_text()
    for n, (_, text) in enumerate([*broken(path)], start=2):
        path.write_text(text)
        with pytest.warns(UserWarning, match="fitted anew, as the cache cannot be trusted: .*json"):
            assert cache.fit(CURVE, **GIVEN) == right
        assert len(fits) == n
        assert path.read_text() == whole
    assert n > 15


def test_settings_that_are_no_json_and_folders_that_are_none_are_refused(tmp_path):
    with pytest.raises(MooInferError, match="sampler: must be text, finite numbers and lists or mappings of these"):
        ScalingCache(tmp_path).fit(CURVE, **{**GIVEN, "sampler": {"temperature": float("nan")}})
    with pytest.raises(MooInferError, match="sampler: must be text"):
        ScalingCache(tmp_path).fit(CURVE, **{**GIVEN, "sampler": {"stop": {1, 2}}})
    (tmp_path / "file").write_text("")
    with pytest.raises(MooInferError, match=r"file: cannot be made"):
        ScalingCache(tmp_path / "file").fit(CURVE, **GIVEN)
    with pytest.raises(MooInferError, match="no/folder: cannot be made"):
        ScalingCache(tmp_path / "no" / "folder").fit(CURVE, **GIVEN)
