"""The command sweep: the decisions of recommend at every point, kept whole, and gone on with after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
import typer.main
import yaml

from moo_infer import MooInferError, Pipeline, Registry, read_sweep
from moo_infer.cli import run
from moo_infer.cli.app import app
from moo_infer.cli.sweep_plan import Sweep
from moo_infer.core.parcels import packed
from moo_infer.plot import sweep_pictures
from moo_infer.sweep.decisions import Columns
from moo_infer.sweep.results import Results

MODELS = {
    name: {
        "parallelism": 2,
        "inference": {
            "kind": "gaussian",
            "tokens_in_mean": 100,
            "tokens_in_std": 1,
            "tokens_out_mean": 200,
            "tokens_out_std": 5,
            "accuracy_mean": {"value": mean, "se": 0.02},
            "accuracy_std": 0.1,
        },
        "costs": [
            {"kind": "linear-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": price},
            {"kind": "linear-latency", "seconds_per_input_token": 0, "seconds_per_output_token": 0.02},
        ],
    }
    for name, mean, price in (("small", 0.6, 2e-6), ("large", 0.7, 8e-6))
}
RUN = {"stability": 30, "k": [1, 2, 4, 8], "aggregator": "best-of-k"}
GRID = {"max_cost": [0.0001, 0.001, 0.002, 0.004, 0.01], "models.*.parallelism": [2, 4]}


def write(path, grid=GRID, run=RUN, **sections):
    path.write_text(yaml.safe_dump({"models": MODELS, "run": run, "grid": grid, **sections}, sort_keys=False))
    return path


def content(folder):
    """The bytes of all files of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A file, and the folder of its results, which one process made at a stretch."""
    place = tmp_path_factory.mktemp("swept")
    file = write(place / "sweep.yaml")
    assert run(["sweep", str(file), "--out", str(place / "results"), "--quiet"]) == 0
    return file, place / "results"


def test_every_point_has_the_answer_of_recommend(swept, cli):
    file, results = swept
    frame = read_sweep(results)
    assert len(frame) == frame["task"].n_unique() == 10
    for point in frame.to_dicts():
        sections = yaml.safe_load(file.read_text())
        for model in sections["models"].values():
            model["parallelism"] = point["models.*.parallelism"]
        single = file.with_name("single.yaml")
        single.write_text(yaml.safe_dump({"models": sections["models"], "run": sections["run"]}))
        _, out, _ = cli("recommend", "--models", single, "--max-cost", point["max_cost"], "--json")
        answer = json.loads(out)["headline"][0]
        for name in ("scenario", "selector", "model", "aggregator", "k", "parallelism"):
            assert point[name] == answer[name]
        if answer["k"] is None:
            assert (point["state"], point["reason"]) == ("infeasible", answer["reason"])
            continue
        assert point["state"] == "decided"
        assert point["sure"] == answer["sure"]["share"]
        assert point["draws"] == answer["stability"]["shares"]
        for objective, figures in answer["objectives"].items():
            for statistic in ("mean", "std", "low", "high"):
                assert point[f"{objective}.{statistic}"] == figures[statistic]
            ends = figures["interval"]["draws"]
            assert [point[f"{objective}.interval_low"], point[f"{objective}.interval_high"]] == ends


def test_the_folder_reads_as_one_table_with_polars_alone(swept):
    whole = pl.read_parquet(f"{swept[1]}/*.parquet")
    assert whole.sort("task").equals(read_sweep(swept[1]).sort("task"))


def test_what_is_there_is_not_done_again(swept, tmp_path, cli):
    file, results = swept
    names = sorted(content(results))
    for name in names[::2]:
        (tmp_path / name).write_bytes((results / name).read_bytes())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    code, out, _ = cli("sweep", file, "--out", tmp_path, "--json")
    assert code == 0
    assert content(tmp_path) == content(results)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert json.loads(out)["before"] == pl.concat([pl.read_parquet(path) for path in before])["task"].n_unique()


def test_values_that_are_added_alone_are_decided(swept, tmp_path, cli):
    _file, results = swept
    for name, of in content(results).items():
        (tmp_path / name).write_bytes(of)
    wider = write(tmp_path.parent / "wider.yaml", GRID | {"max_cost": [*GRID["max_cost"], 0.02]})
    _, out, _ = cli("sweep", wider, "--out", tmp_path, "--json")
    found = json.loads(out)
    assert (found["before"], found["points"]) == (10, 12)
    kept = content(tmp_path)
    assert {name: kept[name] for name in content(results)} == content(results)
    frame = read_sweep(tmp_path)
    assert frame["task"].n_unique() == len(frame) == 12


def test_decisions_of_other_settings_are_not_mixed_in(swept, tmp_path, cli):
    other = write(tmp_path / "other.yaml", run=RUN | {"stability": 31})
    before = content(swept[1])
    code, out, err = cli("sweep", other, "--out", swept[1])
    assert (code, out) == (2, "")
    assert "decisions of other settings, files or versions; name another folder, or remove that file" in err
    assert content(swept[1]) == before


def test_another_log_makes_other_tasks(tmp_path, cli):
    log = "model,question_id,sample,correct,answer,cost_usd\n" + "".join(
        f"m,q{q},{s},{int((q * s) % 3 == 0)},{'A' if (q * s) % 3 == 0 else 'B'},0.01\n"
        for q in range(6)
        for s in range(4)
    )
    (tmp_path / "log.csv").write_text(log)
    cli("calibrate", tmp_path / "log.csv", "--out", tmp_path / "m.yaml")
    file = tmp_path / "sweep.yaml"
    file.write_text("run: {models: m.yaml, stability: 10}\ngrid: {max_cost: [0.01, 0.05]}\n")
    keys = []
    for text in (log, log.replace("m,q0,0,1", "m,q0,0,0")):
        (tmp_path / "log.csv").write_text(text)
        cli("calibrate", tmp_path / "log.csv", "--out", tmp_path / "m.yaml")
        folder = tmp_path / f"results{len(keys)}"
        code, _, err = cli("sweep", file, "--out", folder)
        assert code == 0, err
        keys.append(set(read_sweep(folder)["task"]))
    assert not keys[0] & keys[1]


def test_a_setting_with_the_name_of_a_column_keeps_apart_from_it(tmp_path, cli):
    grid = {"k": [[1, 2], [4]], "selector": ["max-accuracy", "utopia"], "seed": [0, None]}
    cli("sweep", write(tmp_path / "f.yaml", grid, RUN | {"stability": 0}), "--out", tmp_path / "r")
    frame = read_sweep(tmp_path / "r")
    assert frame.columns[:5] == ["task", "grid.k", "grid.selector", "seed", "state"]
    assert set(frame["grid.k"]) == {"[1, 2]", "[4]"}
    assert frame.schema["seed"] == pl.Int64
    assert frame["seed"].null_count() == 4
    assert frame.filter(pl.col("grid.k") == "[4]")["k"].unique().to_list() == [4]
    assert (frame["grid.selector"] == frame["selector"]).all()


def test_every_selector_that_is_named_decides(tmp_path, cli):
    run_of = RUN | {"selector": ["max-accuracy", "utopia"], "goal": "cheapest-within", "stability": 0}
    cli("sweep", write(tmp_path / "f.yaml", {"max_cost": [0.01]}, run_of), "--out", tmp_path / "r")
    assert read_sweep(tmp_path / "r")["selector"].to_list() == ["cheapest-within", "max-accuracy", "utopia"]


def test_a_mixture_says_its_rows(tmp_path, cli):
    run_of = RUN | {"goal": "mixture", "stability": 0}
    cli("sweep", write(tmp_path / "f.yaml", {"max_cost": [0.003]}, run_of), "--out", tmp_path / "r")
    (row,) = read_sweep(tmp_path / "r").to_dicts()
    assert row["state"] == "decided"
    assert row["aggregator"] == "mixture"
    assert sum(part["share"] for part in row["mixture"]) == pytest.approx(1)


def test_scenarios_of_the_file_are_decided_where_nothing_else_is_asked(tmp_path, cli):
    scenarios = {"cheap": {"max": {"cost": 0.001}}, "fast": {"max": {"latency": {"p95": 5}}}}
    file = write(tmp_path / "f.yaml", {"seed": [1, 2]}, RUN, scenarios=scenarios)
    cli("sweep", file, "--out", tmp_path / "all")
    frame = read_sweep(tmp_path / "all")
    assert frame["scenario"].to_list() == ["cheap", "fast"] * 2
    assert frame.filter(pl.col("scenario") == "fast")["latency.p95"].max() <= 5
    file = write(tmp_path / "g.yaml", {"scenario": ["fast", ["cheap", "fast"]]}, RUN, scenarios=scenarios)
    cli("sweep", file, "--out", tmp_path / "named")
    frame = read_sweep(tmp_path / "named")
    assert sorted(zip(frame["grid.scenario"], frame["scenario"], strict=True)) == [
        ("[cheap, fast]", "cheap"),
        ("[cheap, fast]", "fast"),
        ("fast", "fast"),
    ]


def test_a_point_that_cannot_be_decided_says_why_and_stops_no_other(tmp_path, cli):
    grid = {"aggregator": ["best-of-k", "plurality-vote"], "max_cost": [0.004]}
    code, out, _ = cli("sweep", write(tmp_path / "f.yaml", grid), "--out", tmp_path / "r")
    assert code == 0
    frame = read_sweep(tmp_path / "r")
    assert frame["state"].to_list() == ["decided", "refused"]
    assert "have no column 'answer', needed by aggregator 'plurality-vote'" in frame["reason"][1]
    assert "Refused:" in out
    assert "1 points:" in out


def test_nothing_feasible_anywhere_ends_with_3(tmp_path, cli):
    code, out, _ = cli("sweep", write(tmp_path / "f.yaml", {"max_cost": [1e-9, 2e-9]}), "--out", tmp_path / "r")
    assert code == 3
    assert "2 infeasible" in out


@pytest.mark.parametrize(
    ("grid", "run_of", "sentence"),
    [
        ({"max_cost": [-1]}, RUN, "f.yaml: grid: at max_cost = -1"),
        ({"max_cost": ["cheap"]}, RUN, "must be a number, or a quantile such as p95=2, got 'cheap'"),
        ({"max": [{"energy": 1}]}, RUN, "unknown objective 'energy'; available: accuracy, cost, latency"),
        ({"seed": ["x"]}, RUN, "f.yaml: grid: seed"),
        ({"model": ["tiny"]}, RUN, "unknown model 'tiny'; available: large, small"),
        ({"scenario": ["none"]}, RUN, "unknown scenario 'none'"),
        ({"aggregator": ["best"]}, RUN, "unknown aggregator 'best'"),
        (
            {"models.small.parallelism": [1, 0]},
            RUN,
            "at models.small.parallelism = 0: small: parallelism: must be >= 1",
        ),
        ({"models.small.costs.api-cost.usd": [1]}, RUN, "there is no 'api-cost' in models.small.costs"),
        ({"by": ["task"]}, RUN, "unknown setting 'by'"),
        ({"out": ["a.json"]}, RUN, "unknown setting 'out'"),
        ({"max_cost": [1], "scenario": ["a"]}, RUN, "--scenario and limits exclude each other"),
        ({"max_cost": [1], "max": [{"cost": 2}]}, RUN, "the mean of cost is limited twice"),
        ({"seed": [1]}, RUN | {"by": "task"}, "run: by: a sweep decides for all queries alike; leave it out"),
        ({"seed": [1]}, RUN | {"sed": 1}, "f.yaml: run: unknown key 'sed'"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_decided(grid, run_of, sentence, tmp_path, cli):
    code, out, err = cli("sweep", write(tmp_path / "f.yaml", grid, run_of), "--out", tmp_path / "r")
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_bad_places_are_refused(swept, tmp_path, cli):
    file, _results = swept
    plain = tmp_path / "plain.yaml"
    plain.write_text(yaml.safe_dump({"models": MODELS}))
    (tmp_path / "file").touch()
    for arguments, sentence in [
        ((plain, "--out", tmp_path / "r"), "plain.yaml: missing grid; keys: models"),
        ((tmp_path / "no.yaml", "--out", tmp_path / "r"), "no.yaml: no such file"),
        ((file, "--out", tmp_path / "file"), "file: must be a folder, is a file"),
        ((file, "--out", tmp_path / "a" / "b"), "cannot be made"),
        ((file, "--out", tmp_path / "r", "--workers", "0"), "--workers: must be a whole number from 1 to 1024"),
        ((file,), "Missing option '--out'"),
    ]:
        code, out, err = cli("sweep", *arguments)
        assert (code, out) == (2, "")
        assert sentence in err
    for folder, sentence in [(tmp_path / "no", "there is no such folder"), (tmp_path, "holds no results of a sweep")]:
        with pytest.raises(MooInferError, match=sentence):
            read_sweep(folder)
    (tmp_path / "part-0000000-0.parquet").write_bytes(b"PAR1 damaged")
    with pytest.raises(MooInferError, match="is no part of a sweep, or is damaged; remove it to decide anew"):
        read_sweep(tmp_path)


def test_two_sweeps_do_not_write_into_one_folder(swept, cli):
    file, results = swept
    with Results(results).opened():
        code, _, err = cli("sweep", file, "--out", results)
    assert code == 2
    assert "another sweep is writing there" in err


def test_a_sweep_of_limits_estimates_each_table_once(tmp_path, cli, monkeypatch):
    tables = []
    made = Pipeline.run
    monkeypatch.setattr(Pipeline, "run", lambda self, *of: tables.append(self) or made(self, *of))
    grid = {"max_cost": [0.001 * i for i in range(1, 41)]}
    cli("sweep", write(tmp_path / "f.yaml", grid, RUN | {"stability": 5}), "--out", tmp_path / "r")
    assert len(read_sweep(tmp_path / "r")) == 40
    assert len(tables) == 4  # batches
    assert len({id(pipeline) for pipeline in tables}) == 1  # which share the estimates of one table


def test_what_changed_between_two_sweeps_is_said_and_ends_with_4(swept, tmp_path, cli):
    file, results = swept
    code, out, _ = cli("diff", results, results)
    assert code == 0
    assert "0 of 10 choices changed" in out
    sections = yaml.safe_load(file.read_text())
    sections["models"]["small"]["inference"]["accuracy_mean"] = 0.99
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))
    cli("sweep", tmp_path / "new.yaml", "--out", tmp_path / "new")
    code, out, _ = cli("diff", results, tmp_path / "new", "--json")
    found = json.loads(out)
    assert code == 4
    assert found["kind"] == "sweep"
    assert len(found["choices"]) == 10
    changed = [choice for choice in found["choices"] if choice["changed"]]
    assert f"{len(changed)} of 10 choices changed" in found["sentences"][0]
    old, new = read_sweep(results), read_sweep(tmp_path / "new")
    same = [old[name].eq_missing(new[name]) for name in ("model", "aggregator", "k")]
    assert len(changed) == sum(not (a and b and c) for a, b, c in zip(*same, strict=True))
    other = write(tmp_path / "other.yaml", {"seed": [0]})
    cli("sweep", other, "--out", tmp_path / "other")
    code, _, err = cli("diff", results, tmp_path / "other")
    assert code == 2
    assert "the old sweep is over max_cost, models.*.parallelism, the new one over seed" in err
    assert cli("diff", results, file)[0] == 2


def test_points_that_two_sweeps_share_are_compared_whatever_others_stand_beside_them(tmp_path, cli):
    limits = {name: {"max": {"cost": usd}} for name, usd in (("dear", 0.004), ("cheap", 0.001))}
    few, more = [1], [1, 2.5]  # a column of whole numbers, and one of others
    for name, volumes, scenarios in (("old", few, ["dear"]), ("new", more, ["dear", "cheap"])):
        grid = {"volume": volumes}
        chosen = {scenario: limits[scenario] for scenario in scenarios}
        cli("sweep", write(tmp_path / "s.yaml", grid, {"stability": 0}, scenarios=chosen), "--out", tmp_path / name)
    code, out, _ = cli("diff", tmp_path / "old", tmp_path / "new", "--json")
    found = json.loads(out)["choices"]
    assert code == 4  # three of them are new
    assert [choice["old"] is None for choice in found] == [False, True, True, True]
    assert not found[0]["changed"]
    assert found[0]["scenario"] == "volume = 1, scenario = dear"


def test_the_picture_has_a_line_for_each_value_of_the_second_setting(swept, tmp_path, cli):
    ((words, draw),) = sweep_pictures(read_sweep(swept[1]))
    assert words == ["sweep"]
    figure = draw()
    top, *others = figure.axes
    assert [axes.get_ylabel().split("\n")[0] for axes in others] == ["cost (USD)", "latency (s)"]
    assert top.get_xscale() == "log"
    assert others[-1].get_xlabel() == "max_cost"
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:2] == ["parallelism = 2", "parallelism = 4"]
    assert texts[-1].startswith("no choice: nothing is feasible: cost <= 0.0001 fails")
    code, _, err = cli("sweep", swept[0], "--out", swept[1], "--plot", tmp_path / "p", "--format", "svg")
    assert code == 0, err
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["index.html", "sweep.svg"]


def test_a_point_without_the_setting_is_drawn_too(tmp_path, cli):
    grid = {"parallelism": [None, 1, 4]}  # without it the models have their own
    results = tmp_path / "results"
    assert cli("sweep", write(tmp_path / "s.yaml", grid, RUN | {"stability": 0}), "--out", results)[0] == 0
    frame = read_sweep(results)
    ((_, draw),) = sweep_pictures(frame)
    figure = draw()
    figure.draw_without_rendering()
    (line, *_) = figure.axes[-1].lines
    assert line.get_xydata()[:, 1].tolist() == frame["latency.mean"].to_list()
    assert line.get_xydata()[:, 0].tolist() == [0, 1, 2]
    assert [text.get_text() for text in figure.axes[-1].get_xticklabels()] == ["left out", "1", "4"]


def test_the_picture_says_why_nothing_is_chosen_within_the_limits(tmp_path, cli):
    results = tmp_path / "results"
    plan = write(tmp_path / "s.yaml", {"parallelism": [1, 4]}, RUN | {"stability": 0, "goal": "knee"})
    assert cli("sweep", plan, "--out", results)[0] == 3
    ((_, draw),) = sweep_pictures(read_sweep(results))
    (text,) = [text.get_text() for text in draw().legends[0].get_texts()]
    assert text.startswith("no choice: needs one model under one aggregator")


def test_more_pictures_than_anybody_looks_at_are_refused():
    cells = {"task": "t", "state": "decided", "scenario": "s", "selector": "x", "model": "m"}
    rows = [cells | {"a": a, "b": b, "c": c} for a in range(11) for b in range(10) for c in range(12)]
    frame = pl.DataFrame(rows).select("task", "a", "b", "c", "state", "scenario", "selector", "model")
    with pytest.raises(MooInferError, match="110 pictures would be drawn, at most 100 are"):
        sweep_pictures(frame)


def test_columns_take_the_types_of_their_values():
    settings = {
        "whole": [1, 2],
        "number": [1, 2.5],
        "written": ["1e-3", 2],
        "flag": [True, False],
        "text": ["a", 1],
        "mixed": [True, 1],
        "huge": [2**70, 1],
        "list": [[1, 2], {"a": 1}],
        "none": [None, 3],
    }
    columns = Columns(settings, ("accuracy",), {"accuracy": ("p05",)})
    types = {name: columns.schema[name] for name in settings}
    assert types == {
        "whole": pl.Int64,
        "number": pl.Float64,
        "written": pl.Float64,
        "flag": pl.Boolean,
        "text": pl.String,
        "mixed": pl.String,
        "huge": pl.Float64,
        "list": pl.String,
        "none": pl.Int64,
    }
    row = columns.row("t", {name: values[0] for name, values in settings.items()}, {"accuracy.p05": float("nan")})
    assert [row[name] for name in settings] == [1, 1.0, 0.001, True, "a", "true", float(2**70), "[1, 2]", None]
    assert row["accuracy.p05"] is None


def test_a_worker_is_asked_for_the_packages_of_all_parts(tmp_path):

    command = typer.main.get_command(app).commands["recommend"]
    models = {
        **MODELS["small"],
        "costs": [
            *MODELS["small"]["costs"],
            {"kind": "token-energy", "joules_per_input_token": 1, "joules_per_output_token": 1},
        ],
    }
    file = tmp_path / "f.yaml"
    file.write_text(yaml.safe_dump({"models": {"small": models}, "grid": {"seed": [1]}}))
    sweep = Sweep(file, command, {}, (), Registry())
    assert "moo-infer-energy" in dict(packed(sweep.decider()).needs)


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A sweep of some seconds, and what one process makes of it."""
    place = tmp_path_factory.mktemp("slow")
    grid = {"seed": [*range(6)], "max_cost": [0.002, 0.01]}
    file = write(place / "sweep.yaml", grid, RUN | {"stability": 150})
    assert run(["sweep", str(file), "--out", str(place / "whole"), "--quiet"]) == 0

    return file, place / "whole"


def wait_for(condition):
    end = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def test_a_killed_sweep_goes_on_where_it_was(slow, tmp_path, cli):
    file, whole = slow
    folder = tmp_path / "results"
    words = ["sweep", str(file), "--out", str(folder)]
    process = subprocess.Popen([sys.executable, "-m", "moo_infer", *words], stdout=subprocess.DEVNULL)
    wait_for(lambda: len(list(folder.glob("part-*"))) >= 2)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (folder / ".moo-infer-left").mkdir()  # what it was writing
    (folder / ".moo-infer-left" / "part-0000001-0.parquet").write_bytes(b"PAR1")
    assert len(list(folder.glob("part-*"))) < len(content(whole))
    assert cli(*words)[0] == 0
    assert content(folder) == content(whole)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the workers in /proc")
def test_workers_give_the_same_bytes_and_none_is_missed_that_is_killed(slow, tmp_path, cli):
    file, whole = slow
    folder = tmp_path / "results"
    before = workers_of(os.getpid())

    def kill():
        wait_for(lambda: list(folder.glob("part-*")))
        killed = [number for number in workers_of(os.getpid()) if number not in before][-1]
        os.kill(killed, signal.SIGKILL)
        return killed

    with ThreadPoolExecutor(1) as beside:
        killed = beside.submit(kill)
        code, _, err = cli("sweep", file, "--out", folder, "--workers", "2")
        assert killed.result()
    assert code == 0, err
    assert content(folder) == content(whole)


def workers_of(parent):
    """The processes that a process started to work."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")  # a thread of it may have started them
    children = [int(number) for task in tasks for number in task.read_text().split()]
    return [number for number in children if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes()]
