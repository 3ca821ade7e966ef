"""What samples cost where a cache was read, in words and in profiles."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from moo_infer import Exact, MooInferError, load_models
from moo_infer.builtin.answers import OneCall
from moo_infer.calibrate import Price, ProfileOptions, calibrated, read_log, save
from moo_infer.calibrate.bills import billed
from moo_infer.calibrate.cleaning import complete
from moo_infer.quantities.samples import Samples
from moo_infer.read.price_lists import Unpriced

WHERE = {"cached": 1e-7, "written": None}
LONGER = {"above_input_tokens": 1500.0, "usd_per_input_token": 2e-6, "usd_per_output_token": 8e-6}


def bill(price, tokens_in, tokens_out, cached, written):
    """One request after the other, written out."""
    total = []
    for n, out, read, made in zip(tokens_in, tokens_out, np.nan_to_num(cached), np.nan_to_num(written), strict=True):
        prices = vars(price)
        for tier in price.long_context:
            prices = tier if n > tier["above_input_tokens"] else prices
        usd = prices["usd_per_input_token"]
        from_cache, to_cache = (prices.get(f"usd_per_{what}_token") for what in ("cached_input", "cache_write"))
        input_usd = (n - read - made) * usd
        input_usd += read * (usd if from_cache is None else from_cache) + made * (usd if to_cache is None else to_cache)
        total.append(input_usd + out * prices["usd_per_output_token"] + price.usd_per_request)
    return np.array(total)


PRICES = [
    Price(1e-6, 4e-6),
    Price(1e-6, 4e-6, 1e-7, usd_per_request=0.01),
    Price(1e-6, 4e-6, 1e-7, (LONGER,)),
    Price(1e-6, 4e-6, 1e-7, ({**LONGER, "usd_per_cached_input_token": 2e-7},)),
    Price(1e-6, 4e-6, 1e-7, usd_per_cache_write_token=1.25e-6),
    Price(1e-6, 4e-6, None, ({**LONGER, "usd_per_cache_write_token": 2.5e-6},), usd_per_cache_write_token=1.25e-6),
]


@pytest.mark.parametrize("price", PRICES, ids=repr)
def test_a_bill_is_the_sum_of_its_tokens(price):
    rng = np.random.default_rng(0)
    tokens_in = rng.integers(0, 3000, 200).astype(float)
    tokens_out, cached = rng.integers(0, 500, 200).astype(float), np.floor(tokens_in * rng.random(200))
    written = np.floor((tokens_in - cached) * rng.random(200))
    cached[::7] = np.nan
    np.testing.assert_allclose(
        price.usd(tokens_in, tokens_out, np.nan_to_num(cached), written),
        bill(price, tokens_in, tokens_out, cached, written),
        rtol=1e-12,
    )
    without = bill(price, tokens_in, tokens_out, np.zeros(200), np.zeros(200))
    np.testing.assert_allclose(price.usd(tokens_in, tokens_out), without, rtol=1e-12)


def samples(tokens_in, cached=None, correct=None, tokens_out=0.0, written=None):
    n = len(tokens_in)
    columns = {"input_tokens": np.array(tokens_in, float), "output_tokens": np.full(n, tokens_out)}
    columns |= {} if cached is None else {"cached_input_tokens": np.array(cached, float)}
    columns |= {} if written is None else {"cache_write_tokens": np.array(written, float)}
    return Samples("m", ["q"], np.zeros(n, int), np.ones(n) if correct is None else np.array(correct, float), columns)


@pytest.mark.parametrize(
    ("log", "price", "said"),
    [
        (samples([1000, 3000]), Price(1e-6, 4e-6), []),
        (samples([1000, 3000]), Price(1e-6, 4e-6, 1e-6), []),  # cached input is no cheaper
        (samples([1000, 3000], [0, 0]), Price(1e-6, 4e-6, 1e-7), []),
        (samples([1000, 3000]), Price(1e-6, 4e-6, 1e-7),
         ["the log has no cached_input_tokens: all input is billed in full, which is at most 0.0018 of 0.002 USD a call too much"]),
        (samples([1000, 3000], [500, 2500]), Price(1e-6, 4e-6, 1e-7),
         ["75 % of the input tokens were read from a cache and are billed as such: 0.00065 USD a call, not 0.002"]),
        (samples([1000, 3000], [500, 2500]), Price(1e-6, 4e-6),
         ["1500 input tokens a call were read from a cache, at a price that is not known: they are billed in full, which is at "
          "most 0.0015 of 0.002 USD a call too much; a price file may have usd_per_cached_input_token"]),
        (samples([1000, 3000], [500, np.nan]), Price(1e-6, 4e-6, 1e-7),
         ["12.5 % of the input tokens were read from a cache and are billed as such: 0.001775 USD a call, not 0.002",
          "1 of 2 samples lack cached_input_tokens: their input is billed in full, which is at most 0.00135 of 0.002 USD a call "
          "too much"]),
        (samples([1000, 3000], [500, 2500]), Price(1e-6, 4e-6, 1e-7, usd_per_cache_write_token=1.25e-6),
         ["75 % of the input tokens were read from a cache and are billed as such: 0.00065 USD a call, not 0.002",
          "the log has no cache_write_tokens: input that was written to the cache is billed as other input, which may be up to "
          "0.000125 of 0.00065 USD a call too little"]),
        (samples([1000, 3000], [500, 2500], written=[400, 500]), Price(1e-6, 4e-6, 1e-7, usd_per_cache_write_token=1.25e-6),
         ["75 % of the input tokens were read from a cache and are billed as such: 0.0007625 USD a call, not 0.002112",
          "22.5 % of the input tokens were written to a cache and are billed as such: 0.0007625 USD a call, not 0.00065"]),
        (samples([1000, 3000], [500, 2500], written=[400, np.nan]), Price(1e-6, 4e-6, 1e-7, usd_per_cache_write_token=1.25e-6),
         ["75 % of the input tokens were read from a cache and are billed as such: 0.0007 USD a call, not 0.00205",
          "10 % of the input tokens were written to a cache and are billed as such: 0.0007 USD a call, not 0.00065",
          "1 of 2 samples lack cache_write_tokens: input that was written to the cache is billed as other input, which may be up "
          "to 6.25e-05 of 0.0007 USD a call too little"]),
        (samples([1000, 3000], [0, 0], written=[500, 1500]), Price(1e-6, 4e-6, 1e-7),
         ["1000 input tokens a call were written to a cache, at a price that is not known: they are billed as other input; a "
          "price file may have usd_per_cache_write_token"]),
        (samples([1000, 3000, 9e9], [500, 2500, 0], [1, 0, np.nan]), Price(1e-6, 4e-6, 1e-7),  # failed samples count nowhere
         ["75 % of the input tokens were read from a cache and are billed as such: 0.00065 USD a call, not 0.002"]),
        (samples([1000], tokens_out=100.0), Price(2e-6, 4e-6, remarks=("odd",), hours="9 of 168 hours a week",
                                                  other_hours=(("night", Price(1e-6, 2e-6)),)),
         ["odd", "prices depend on the hour: cost_usd, 0.0024 USD a call, is at the dearest (9 of 168 hours a week); it is "
          "0.0012 USD at night"]),
    ],
)  # fmt: skip
def test_what_is_not_known_of_the_cache_is_said_with_its_dollars(log, price, said):
    found, notes = billed(log, price)
    assert notes == said
    scored = np.isfinite(log.correct)
    read = log.columns.get("cached_input_tokens", np.full(len(log), np.nan))
    if price.usd_per_cached_input_token is None:
        read = np.zeros(len(log))
    written = log.columns.get("cache_write_tokens", np.zeros(len(log)))
    expected = bill(price, log["input_tokens"], log["output_tokens"], read, written)
    np.testing.assert_allclose(found["cost_usd"][scored], expected[scored])


@pytest.fixture
def log(tmp_path):
    """Twelve questions with eight samples each, most of whose input was read from a cache or written to one."""
    rng = np.random.default_rng(1)
    rows = [
        "model,question_id,sample,correct,input_tokens,cached_input_tokens,cache_write_tokens,output_tokens,latency_s"
    ]
    for q in range(12):
        p, tokens = rng.beta(2, 2), rng.integers(500, 4000)
        for s in range(8):
            cached = rng.integers(0, tokens)
            made, out = rng.integers(0, tokens - cached), rng.integers(100, 400)
            rows.append(f"m,q{q},{s},{int(rng.random() < p)},{tokens},{cached},{made},{out},{rng.gamma(2, 2):.3f}")
    (tmp_path / "log.csv").write_text("\n".join(rows) + "\n")
    return read_log(tmp_path / "log.csv")


@pytest.mark.parametrize("price", PRICES, ids=repr)
def test_a_profile_of_the_log_bills_what_calibrate_says_at_every_k(log, tmp_path, price):
    (model,) = calibrated(log, {"m": price}, ProfileOptions(B=20))
    save([model], tmp_path / "p.yaml")
    (profile,) = load_models(tmp_path / "p.yaml").values()
    column = Exact().estimate(profile, OneCall(), np.array([1, 4, 8]), 1).columns["cost"]
    said = float(model.summary.mean_cost_usd.value)
    assert not {"mean", "std"} & {*column.simulated}
    np.testing.assert_allclose(column.mean, said * np.array([1, 4, 8]), rtol=1e-9)
    assert model.costs["cost_usd"] == price.part


@pytest.mark.parametrize("inference", ["beta", "lognormal"])
@pytest.mark.parametrize("price", [PRICES[1], PRICES[4]], ids=repr)
def test_a_fitted_profile_has_the_shares_of_the_input_that_a_cache_had_or_got(log, tmp_path, inference, price):
    (model,) = calibrated(log, {"m": price}, ProfileOptions(inference=inference, B=20))
    save([model], tmp_path / "p.yaml")
    part = yaml.safe_load((tmp_path / "p.yaml").read_text())["models"]["m"]["costs"][0]
    (samples,) = log.samples()
    share = samples["cached_input_tokens"].sum() / samples["input_tokens"].sum()
    assert part["cached_input_share"] == pytest.approx(share, rel=1e-5)
    made = samples["cache_write_tokens"].sum() / samples["input_tokens"].sum()
    known = {} if price.usd_per_cache_write_token is None else {"cache_write_share": pytest.approx(made, rel=1e-5)}
    assert {name: part[name] for name in part if name == "cache_write_share"} == known
    assert part["min_cacheable_tokens"] == 0  # the log shows that they are cached, however short
    (profile,) = load_models(tmp_path / "p.yaml").values()
    column = Exact().estimate(profile, OneCall(), np.array([1, 4]), 1).columns["cost"]
    said = float(model.summary.mean_cost_usd.value)
    np.testing.assert_allclose(column.mean, said * np.array([1, 4]), rtol=0.02)  # as far as the lengths fit


def test_samples_without_tokens_have_no_share_of_a_cache(log):
    price = Price(1e-6, 4e-6)
    (model,) = calibrated(log, {"m": price}, ProfileOptions(inference="lognormal", B=20))
    assert model.costs["cost_usd"] == price.part


@pytest.mark.parametrize(
    ("tokens", "have"),
    [
        ({"cached_input_tokens": [0.0, np.nan, 3.0]}, "input that was read from a cache"),
        ({"cache_write_tokens": [0.0, np.nan, 3.0]}, "input that was written to a cache"),
        ({"reasoning_tokens": [0.0, 0.0, np.nan]}, "reasoning tokens, or do not say how many"),
    ],
)
def test_samples_for_which_a_price_is_none_are_refused_with_what_to_do(tokens, have):
    ((name, numbers),) = tokens.items()
    log = samples([1000.0, 2000.0, 3000.0])
    price = Price(1e-6, 2e-6, source="a list, entry m", unpriced=(Unpriced({name: 0.0}, "the list says 0 USD"),))
    if name != "reasoning_tokens":
        billed(log, price)  # what the log does not say at all was none
    billed(replace(log, columns={**log.columns, name: np.zeros(3)}), price)
    said = (
        f"^m: a list, entry m: no price of 1 of 3 samples, which have {have}: the list says 0 USD; else give the price"
    )
    with pytest.raises(MooInferError, match=said):
        billed(replace(log, columns={**log.columns, name: np.array(numbers)}), price)


def test_of_input_tokens_that_are_filled_in_none_are_taken_as_cached():
    tokens = {"input_tokens": np.array([np.nan] + [100.0] * 11), "cached_input_tokens": np.full(12, 90.0)}
    kept, _ = complete(Samples("mine", ["a"], np.zeros(12, dtype=int), np.ones(12), tokens), priced=True)
    assert kept["input_tokens"][0] == 100
    assert np.isnan(kept["cached_input_tokens"]).tolist() == [True] + [False] * 11
