"""moo-infer calibrate, as typed."""

import json
from pathlib import Path

import pytest

from moo_infer.cli import run

EXAMPLES = Path(__file__).parents[2] / "examples"
LOG, PRICES = str(EXAMPLES / "log.csv"), str(EXAMPLES / "prices.yaml")


def called(capsys, *words):
    code = run(["calibrate", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_has_the_promised_keys_for_every_k(capsys):
    code, out, err = called(capsys, LOG, "--json", "--bootstrap", "50")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["schema"] == 1
    assert [m["model"] for m in found["models"]] == ["acme/small", "acme/medium", "acme/large"]
    (source,) = found["sources"]
    assert (source["rows"], source["format"], len(source["sha256"])) == (1440, "table", 64)
    small, _, large = found["models"]
    assert (large["questions"], large["samples"], small["failed"]) == (60, 480, 1)
    assert large["k"] == list(range(1, 9))
    assert small["k"] == list(range(1, 8))  # a sample failed
    for name in ("pass_at_k", "vote_at_k", "slowest_of_k_s"):
        assert len(large[name]) == len(large[f"{name}_interval"]) == 8
        assert all(
            low <= value <= high for value, (low, high) in zip(large[name], large[f"{name}_interval"], strict=True)
        )
    assert large["mean_cost_usd"] is None
    low, high = large["mean_output_tokens_interval"]
    assert low < large["mean_output_tokens"] < high


def test_text_shows_powers_of_two_with_intervals_and_what_a_vote_is_worth(capsys):
    code, out, _ = called(capsys, LOG, "--model", "acme/large", "--bootstrap", "200")
    assert code == 0
    rows = [line.split()[0] for line in out.splitlines() if line.startswith(" ") and line[1:2].isdigit()]
    assert rows == ["1", "2", "4", "8"]
    assert "Plurality vote helps: vote@8 0.817" in out
    assert "acme/small" not in out


def test_profiles_and_the_neutral_table_are_written_and_recommend_reads_them(capsys, tmp_path):
    out, table = tmp_path / "profiles.yaml", tmp_path / "table.parquet"
    code, text, _ = called(
        capsys, LOG, "--prices", PRICES, "--out", str(out), "--table", str(table), "--date", "2026-01-02"
    )
    assert code == 0
    written = " ".join(text.split()).split("Written: ")[1]
    assert all(file.name in written for file in (out, table))
    assert run(["recommend", "--models", str(out), "--max-cost", "0.02", "--aggregator", "one-call",
                "--aggregator", "plurality-vote", "--selector", "max-accuracy", "--stability", "50", "--json"]) == 0  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert {row["aggregator"] for row in found["rows"]} == {"one-call", "plurality-vote"}
    assert found["recommended"][0]["stability"]["source"] == "parameters"
    assert all(f"; prices: {PRICES}: by hand: {model['name']}" in model["source"] for model in found["models"])
    assert run(["calibrate", str(table), "--json"]) == 0


def test_a_model_is_renamed_with_its_log(capsys, tmp_path):
    one = tmp_path / "one.csv"
    one.write_text("model,question_id,sample,correct\nm,q1,1,1\nm,q2,1,0\n")
    code, out, _ = called(capsys, f"high={one}", f"low={one}", "--json")
    assert code == 0
    assert [model["model"] for model in json.loads(out)["models"]] == ["high", "low"]


def test_nothing_is_written_over_what_is_read_or_where_something_fails(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prices, old, folder = tmp_path / "prices.yaml", tmp_path / "old.csv", tmp_path / "folder.yaml"
    prices.write_text(Path(PRICES).read_text())
    old.write_text("mine\n")
    folder.mkdir()
    for words, message in (
        (["--prices", str(prices), "--out", str(prices)], "--out: {prices}: would overwrite what is read"),
        (["--table", "old.csv", "--out", "nowhere/p.yaml"], "No such file or directory"),
        (["--out", "folder.yaml"], "cannot be written: is a folder"),
        (["--table", "t.csv", "--out", "p.yaml", "--plot", "old.csv"], "cannot write pictures to old.csv: it must be"),
    ):
        code, _, err = called(capsys, LOG, *words)
        assert code == 2
        assert message.format(prices=prices) in err
    assert prices.read_text() == Path(PRICES).read_text()
    assert old.read_text() == "mine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.yaml", "old.csv", "prices.yaml"]
    assert called(capsys, LOG, "--out", "p.yaml", "--prices", str(prices))[0] == 0
    for place in ("p.yaml", next(tmp_path.glob("p.samples-*.parquet")).name):
        assert run(["recommend", "--models", "p.yaml", "--max-cost", "1", "--out", place]) == 2
        assert "would overwrite what is read" in capsys.readouterr().err
    assert run(["recommend", "--models", "p.yaml", "--max-cost", "1", "--aggregator", "one-call"]) == 0


def test_one_name_for_two_models_is_refused(capsys, tmp_path):
    for model in "ab":
        (tmp_path / f"{model}.csv").write_text(f"model,question_id,sample,correct\n{model},{model}1,1,1\n")
    for words in ((f"{tmp_path}/b.csv", f"b={tmp_path}/a.csv"), (f"b={tmp_path}/a.csv", f"{tmp_path}/b.csv")):
        code, _, err = called(capsys, *words)
        assert code == 2
        assert "'b' is also the name given to 'a'; names must differ" in err


def test_files_of_one_name_are_one_model(capsys, tmp_path):
    for model in "ab":
        (tmp_path / f"{model}.csv").write_text(f"model,question_id,sample,correct\n{model},{model}1,1,1\n")
    code, out, _ = called(capsys, f"x={tmp_path}/a.csv", f"x={tmp_path}/b.csv", "--json")
    (model,) = json.loads(out)["models"]
    assert (code, model["model"], model["questions"]) == (0, "x", 2)


def test_a_renamed_model_has_the_price_of_its_own_name(capsys):
    code, out, _ = called(capsys, f"fast={EXAMPLES / 'log.csv'}", "--json", "--prices", PRICES)
    assert code == 2  # it holds three models
    one = EXAMPLES.parent / "tests" / "fixtures" / "logs" / "arithmetic.eval"
    code, out, _ = called(capsys, f"fast={one}", "--json", "--price", "fast=1e-6,2e-6")
    assert (code, json.loads(out)["models"][0]["price"]["usd_per_output_token"]) == (0, 2e-6)
    code, out, _ = called(capsys, f"fast={one}", "--json", "--price", "mockllm/model=1e-6,3e-6")
    assert (code, json.loads(out)["models"][0]["price"]["usd_per_output_token"]) == (0, 3e-6)


def test_more_than_the_log_supports_is_a_warning_and_beyond_it_is_marked(capsys, tmp_path):
    code, _, err = called(capsys, LOG, "--model", "acme/large", "--k-max", "64")
    assert code == 0
    assert "moo-infer: warning: acme/large: k up to 64 is wanted, but the log supports k up to 8" in err
    code, out, err = called(capsys, LOG, "--model", "acme/large", "--k-max", "64", "--extrapolate", "--json")
    assert (code, err) == (0, "")
    (model,) = json.loads(out)["models"]
    assert model["inference"]["kind"] == "beta"
    assert len(model["pass_at_k"]) == 8
    assert model["extrapolated"]["k"][-1] == 64
    assert max(model["extrapolated"]["pass_at_k"]) <= 1


def test_what_cannot_be_extrapolated_is_a_warning_and_no_promise(capsys, tmp_path):
    log, out = tmp_path / "two.csv", tmp_path / "p.yaml"
    rows = [f"m,q{q},{s},{int(q % 2 and (q + s) % 5 > 0)}" for q in range(20) for s in range(2)]
    log.write_text("\n".join(["model,question_id,sample,correct", *rows]) + "\n")
    code, text, err = called(capsys, str(log), "--extrapolate", "--k-max", "100", "--out", str(out))
    said = (
        "pass@k is not extrapolated: a law of coverage needs at least 3 attempts at every question, got 2; k ends at 2"
    )
    assert code == 0
    assert f"moo-infer: warning: m: {said}" in err
    assert said in " ".join(text.split())
    assert "extrapolate_to" not in out.read_text()
    assert run(["recommend", "--models", str(out), "--aggregator", "coverage", "--k", "1,2,100", "--min-accuracy", "0",
                "--selector", "max-accuracy", "--json"]) == 0  # fmt: skip
    document = json.loads(capsys.readouterr().out)
    assert {row["k"] for row in document["rows"]} == {2}
    assert said in document["models"][0]["source"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file"),
        ([LOG, "--format", "csv"], "unknown log reader 'csv'; available: "),
        ([LOG, "--model", "acme/huge"], "unknown model 'acme/huge'; available: acme/large"),
        ([LOG, "--date", "2026-01-02"], "--date is the day whose prices hold; give --prices as well"),
        ([LOG, "--prices", PRICES, "--date", "yesterday"], "--date: must be YYYY-MM-DD, got 'yesterday'"),
        ([LOG, "--free", "acme/small"], "--free is about prices; give --prices or --price"),
        ([LOG, "--per-million"], "--per-million is about prices; give --prices or --price"),
        (
            [LOG, "--prices", "genai-prices", "--per-million"],
            "--per-million (per_million=True) is about prices by hand; genai",
        ),
        ([LOG, "--prices", PRICES, "--free", "acme/smal"], "models that cost nothing: unknown model 'acme/smal'"),
        (
            [LOG, "--model", "acme/small", "--price", "acme/small=1e-7,4e-7", "--free", "acme/small"],
            "--free (free=...) is about 0 USD in a list; the price of acme/small is given by hand",
        ),
        ([LOG, "--prices", "nowhere.json"], "prices 'nowhere.json': is neither genai-prices nor a file"),
        ([LOG, "--price", "acme/small=1"], "must be MODEL=INPUT,OUTPUT in USD per token"),
        ([LOG, "--price", "acme/small=1e-7,4e-7"], "acme/medium"),
        ([LOG, "--extrapolate", "--inference", "empirical"], "no log can be drawn from beyond its samples"),
        ([LOG, "--extrapolate", "--inference", "lognormal"], "lognormal takes all questions as equally hard"),
        ([LOG, "--bootstrap", "0"], "Invalid value for '--bootstrap'"),
        ([LOG, "--seed", "-1"], "must be >= 0"),
        ([LOG, "--calls", "slots", "--parallelism", "0"], "parallelism: must be >= 1, got 0"),
        ([LOG, "--calls", "slots"], "--calls slots and --parallelism belong together, got --calls slots"),
        ([LOG, "--parallelism", "4"], "--calls slots and --parallelism belong together, got --calls at-once"),
        ([LOG, "--table", LOG], "--table: " + LOG + ": would overwrite what is read"),
        ([LOG, "--table", "t.csv", "--out", "nowhere/p.yaml"], "cannot be written: No such file or directory"),
        ([LOG, "--table", "t.csv", "--out", "p.json"], "must end in .yaml or .yml"),
        ([LOG, "--min-samples", "0"], "min_samples: must be >= 1, got 0"),
        ([LOG, "--k-max", "0"], "k_max: must be >= 1, got 0"),
        ([LOG, "--out", "profiles.json"], "must end in .yaml or .yml"),
        ([LOG, "--max-tokens", "0"], "max_tokens: must be >= 1, got 0"),
        ([LOG, "--max-tokens", "2e3"], "--max-tokens: must be a whole number >= 1, or seconds such as 30s, got '2e3'"),
        ([LOG, "--max-tokens", "s"], "--max-tokens: must be a whole number >= 1, or seconds such as 30s, got 's'"),
        ([LOG, "--max-tokens", "nans"], "max_tokens: seconds must be > 0 and at most a day (86400), got nan"),
        ([LOG, "--max-tokens", "5", "--max-tokens", "05"], "max-tokens-5 is there 2 times"),
        ([LOG, "--max-seconds", "-1"], "max_seconds: seconds must be > 0 and at most a day (86400), got -1.0"),
        ([LOG, "--max-seconds", "soon"], "--max-seconds: must be a number of seconds, got 'soon'"),
        ([LOG, "--max-tokens", "500", "--inference", "beta"], "no law is fitted to lengths that a cap cuts (beta)"),
        ([LOG, "--max-seconds", "5", "--calls", "sequential"], "max_seconds caps a run whose calls are made at once"),
        ([LOG, "--max-tokens", "0.001s"], "acme/small: max-tokens-0.001s: a token takes 0.00"),
    ],
)
def test_bad_input_is_one_sentence(capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = called(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("moo-infer: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_prices_per_million_tokens(capsys, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("acme/small: {usd_per_input_token: 0.1, usd_per_output_token: 0.4}\n")
    small = [LOG, "--model", "acme/small", "--json", "--bootstrap", "20"]
    found = [
        json.loads(called(capsys, *small, *words)[1])["models"][0]["mean_cost_usd"]
        for words in (
            ["--prices", PRICES],
            ["--prices", str(file), "--per-million"],
            ["--price", "acme/small=0.1,0.4", "--per-million"],
        )
    ]
    assert found[1] == found[2] == pytest.approx(found[0])


def test_a_renamed_model_that_costs_nothing(capsys, tmp_path):
    file = tmp_path / "list.json"
    free = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0}
    file.write_text(json.dumps({"acme/small": free}))
    log = tmp_path / "log.csv"
    log.write_text("model,question_id,sample,correct,input_tokens,output_tokens\nacme/small,q,1,1,5,5\n")
    for name in ("fast", "acme/small"):
        code, out, _ = called(capsys, f"fast={log}", "--prices", str(file), "--free", name, "--json")
        assert code == 0
        assert json.loads(out)["models"][0]["mean_cost_usd"] == 0
    code, _, err = called(capsys, f"fast={log}", "--prices", str(file))
    assert code == 2
    assert "--free acme/small" in err


def test_caps_are_variants_beside_their_models_and_can_be_written_down(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = (LOG, "--model", "acme/small", "--model", "acme/large", "--prices", PRICES, "--bootstrap", "20", "--json")
    words += ("--max-tokens", "1000", "--max-tokens", "10s", "--max-seconds", "12.5", "--write-run", "run.yaml")
    code, out, _ = called(capsys, *words)
    models = json.loads(out)["models"]
    assert code == 0
    caps = ("", "/max-tokens-1000", "/max-tokens-10s", "/max-seconds-12.5")
    assert [model["model"] for model in models] == [f"acme/{name}{cap}" for name in ("small", "large") for cap in caps]
    assert models[1]["cap"]["max_tokens"] == 1000
    assert models[2]["cap"]["max_tokens"] == int(10 / models[2]["cap"]["seconds_per_token"])
    assert models[3]["cap"]["max_seconds"] == 12.5
    for whole, cut in zip(models[4:5] * 3, models[5:], strict=True):
        assert 0 < cut["cap"]["cut"] < 1
        for name in ("mean_output_tokens", "mean_cost_usd", "mean_latency_s"):
            assert cut[name] < whole[name]
        assert cut["pass_at_k"][0] < whole["pass_at_k"][0]
    assert "max_tokens:" in (tmp_path / "run.yaml").read_text()
    assert run(["calibrate", "--models", "run.yaml"]) == 0
    assert json.loads(capsys.readouterr().out)["models"] == models


def test_a_table_that_is_streamed_says_what_the_whole_one_says(capsys, tmp_path):
    words = ["--inference", "beta", "--prices", PRICES, "--bootstrap", "50", "--date", "2026-01-02", "--json"]
    whole, streamed = (called(capsys, LOG, *words, *more) for more in ([], ["--stream"]))
    assert (streamed[0], streamed[2]) == (0, whole[2])
    one, other = json.loads(whole[1]), json.loads(streamed[1])
    assert one["models"] == other["models"]
    assert one["sources"] == other["sources"]
    out = tmp_path / "profiles.yaml"
    assert called(capsys, LOG, *words, "--stream", "--out", str(out))[0] == 0
    assert run(["recommend", "--models", str(out), "--max-cost", "0.02", "--stability", "0"]) == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--judged", "unsafe=down"], "goes without --judged"),
        (["--by", "task"], "goes without --by"),
        (["--table", "t.parquet"], "goes without --table"),
        (["--format", "inspect-ai"], "goes without --format"),
        (["--out", "p.yaml"], "--inference beta or lognormal fits them"),
        (["--model", "acme/lagre"], "unknown model 'acme/lagre'"),
    ],
)
def test_what_needs_all_samples_at_once_is_no_matter_of_streams(options, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = called(capsys, LOG, "--stream", *options)
    assert (code, out) == (2, "")
    assert sentence in err
    assert [*tmp_path.iterdir()] == []
