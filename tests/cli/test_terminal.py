"""Names that a terminal would act on, through every command and every door: shown escaped, and whole in JSON."""

import io
import json
import sys
import time
import warnings
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import yaml
from matplotlib.text import Text
from rich.cells import cell_len

from moo_infer import Pipeline, Samples, load_models, load_scenarios, plot
from moo_infer.builtin.empirical import Empirical
from moo_infer.cli import run
from moo_infer.core.errors import printable
from moo_infer.plot.labels import laid_out as drawn
from moo_infer.profiles import ModelProfile, Scenario
from moo_infer.report.answer import notebook
from moo_infer.report.html import page
from moo_infer.report.text import laid_out
from moo_infer.report.wording import TextTable, to_html

pytestmark = pytest.mark.usefixtures("sketches")
EVIL = {
    "escape": "m\x1b[2J\x1b]0;owned\x07",
    "C1": "m\x9b31m\x85\x90",
    "NUL": "m\x00n",
    "direction": "m\u202egpt\u2066x",
    "line end": "m\nmoo-infer: all is well\r\nx",
    "invisible": "m\u200b\u00ad\ufeff\u2028",
}
NAMES = [*EVIL.values(), "m [bold red]x[/] [/nothing]", "$m_$a", "_m", "m" + "e\u0301" * 3]
PROFILE = {
    "parallelism": 2,
    "inference": {
        "kind": "gaussian",
        **dict.fromkeys(("tokens_in_mean", "tokens_out_mean"), 100),
        **dict.fromkeys(("tokens_in_std", "tokens_out_std", "accuracy_std"), 0.01),
        "accuracy_mean": {"value": 0.8, "se": 0.01},
    },
    "costs": [
        {"kind": "linear-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": 1e-5},
        {"kind": "linear-latency", "seconds_per_input_token": 1e-4, "seconds_per_output_token": 1e-3},
    ],
}


def clean(text, *, lines=True):
    """Whether a terminal shows text as it is; line ends are what lays it out."""
    bad = sorted(c for c in set(text) if not c.isprintable() and not (lines and c == "\n"))
    assert not bad, f"{bad} in {text!r:.300}"
    return text


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two models and two scenarios for every name, in a file with a name of that kind."""
    monkeypatch.chdir(tmp_path)
    given = {
        "models": {name: PROFILE | {"source": f"said {name}"} for name in [*NAMES, "plain"]},
        "scenarios": {name: {"max": {"cost": 0.02, "latency": 3}, "source": f"by {name}"} for name in NAMES},
    }
    path = tmp_path / "my\x1b[2J\u202e\n.yaml"
    path.write_text(yaml.safe_dump(given, sort_keys=False))
    return path


@pytest.fixture
def command(capsys):
    """Run a command line; both streams must be clean."""

    def ran(*words, code=0):
        capsys.readouterr()
        assert run([str(word) for word in words]) == code
        told = capsys.readouterr()
        clean(told.err)
        return clean(told.out) if code == 0 else clean(told.err)

    return ran


EVIL_NAMES = tuple(EVIL.values())


def shown(text, names=EVIL_NAMES):
    """Every name is there, escaped; tables may break it over lines."""
    whole = "".join(text.split())
    for name in names:
        assert "".join(printable(name).split()) in whole, name


def test_lists_of_what_there_is(command, files):
    shown(command("models", "--models", files))
    shown(command("scenarios", "--models", files))
    assert [m["name"] for m in json.loads(command("models", "--models", files, "--json"))["models"]] == [
        *NAMES,
        "plain",
    ]
    listed = json.loads(command("scenarios", "--models", files, "--json"))["scenarios"]
    assert [(s["name"], s["source"]) for s in listed] == [(name, f"by {name}") for name in NAMES]


def test_recommend_in_text_and_json(command, files, tmp_path):
    told = [name for name in EVIL.values() if "\0" not in name]  # which no argument can hold
    some = list(chain.from_iterable(("--scenario", name) for name in told))
    for more in (
        ("--selectors", "--stability", "0"),
        ("--details", "--stability", "0"),
        ("--stability", "5", "--selectors"),
        ("--confidence", "0.9", "--selectors"),
    ):
        shown(command("recommend", "--models", files, "--k", "2,4", *some, *more).replace("│", ""))
    document = json.loads(command("recommend", "--models", files, "--k", "2,4", *some, "--stability", "5", "--json"))
    assert {row["model"] for row in document["rows"]} == {*NAMES, "plain"}
    assert [scenario["name"] for scenario in document["scenarios"]] == told
    assert str(files) in document["command"].replace("'", "")
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)
def test_errors_quote_names_escaped(command, files, name):
    for words in (
        ("recommend", "--model", name),
        ("recommend", "--scenario", name),
        ("recommend", "--selector", name),
        ("recommend", "--selector", f"knee:{name}=1"),
        ("recommend", "--selector", f"net-value:usd_per_right_answer={name}"),
        ("recommend", "--aggregator", name),
        ("recommend", "--estimator", name),
        ("recommend", "--max", f"{name}=1"),
        ("recommend", "--max", name),
        ("recommend", "--max-cost", name),
        ("recommend", "--k", name),
        ("recommend", "--trials", name),
        ("recommend", "--k-max", name),
        ("recommend", f"--{name}"),
        ("recommend", name),
        (name,),
        ("recommend", "--plot", "p", "--format", name),
        ("recommend", "--plot", "p", "--axes", name),
        ("paper", f"--{name}"),
        ("plugins", name),
        ("models", name),
        ("scenarios", name),
        ("explore", "--port", name),
    ):
        assert "m" in command(*words, code=2), words
    for word in ("models", "scenarios"):
        assert command(word, "--models", f"{name}.yaml", code=2)
    for word in ("recommend", "explore"):
        assert command(word, "--models", f"{name}.yaml", code=2)
        assert command(word, "--plugin-file", f"{name}.py", code=2)
    assert command("plugins", "--plugin-file", f"{name}.py", code=2)
    assert command("calibrate", f"{name}.csv", code=2)
    assert command("calibrate", f"{name}=log.csv", code=2)
    assert command("fit-latency", f"{name}.json", code=2)
    assert command("recommend", "--out", f"{name}/x.html", code=2)
    assert command("models", "--models", files.with_name("missing\x1b.yaml"), code=2)


def test_errors_of_files_name_keys_escaped(cli, tmp_path):
    for name in EVIL.values():
        for content in (
            {"models": {name: {name: 1}}},
            {"models": {name: PROFILE | {name: 1}}},
            {"models": {name: PROFILE | {"inference": {"kind": name}}}},
            {"models": {name: PROFILE | {"inference": PROFILE["inference"] | {name: 1}}}},
            {"models": {name: PROFILE | {"inference": PROFILE["inference"] | {"accuracy_mean": name}}}},
            {"models": {name: PROFILE | {"source": [name]}}},
            {"scenarios": {name: {"max": {name: name}}}},
            {"scenarios": {name: {name: {"cost": 1}}}},
            {name: 1},
        ):
            path = tmp_path / "my.yaml"
            path.write_text(yaml.safe_dump(content))
            for word in ("models", "scenarios", "recommend"):
                code, out, err = cli(word, "--models", path)
                clean(err)
                if code != 2:
                    clean(out)


def test_plugins_with_such_names_and_words(command, tmp_path, files):
    path = tmp_path / "mine\x9b.py"
    path.write_text('''
from dataclasses import dataclass
import warnings
import moo_infer as m

@dataclass(frozen=True)
class Bad(m.Selector):
    """A \\x1b[2J rule\\u202e."""
    name = "bad"
    def select(self, candidates, /):
        raise m.NoSelection("nothing\\x1b[2J here\\u202e")

@dataclass(frozen=True)
class Warns(m.Selector):
    """First\\x9b row."""
    name = "warns"
    wild: str = "\\x1b[2J"
    def select(self, candidates, /):
        warnings.warn("odd\\x1b[2J\\u202e", m.SelectionWarning)
        warnings.warn("very\\x1b[2J\\u202e")
        return 0

@dataclass(frozen=True)
class Mean(m.AccuracyAggregator):
    """Of the first\\x1b[2J."""
    name = "first"
    def aggregate(self, draws, rng, /):
        raise ValueError("no\\x1b[2J\\u202e\\nyes")

@m.hookimpl
def register_selectors():
    return [Bad, Warns]

@m.hookimpl
def register_aggregators():
    return [Mean]
''')
    plugins = ("--plugin-file", path)
    command("plugins", *plugins)
    json.loads(command("plugins", *plugins, "--json"))
    said = command("recommend", "--models", files, *plugins, "--selector", "warns", "--k-max", 4)
    assert "odd\\x1b[2J\\u202e" in " ".join(said.split())
    command("recommend", *plugins, "--selector", "warns", "--selector", "bad", "--k-max", 4)
    assert "no\\x1b[2J\\u202e yes" in command("recommend", *plugins, "--aggregator", "first", "--k-max", 4, code=2)


LOG = "model,question_id,sample,correct,answer,input_tokens,output_tokens,latency_s\n"


def test_calibrate_and_what_it_writes(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [name for key, name in EVIL.items() if key not in ("NUL", "line end")]
    log = tmp_path / "log\x1b[2J\u202e.csv"
    rows = [
        f"{m},q\u202e{q},{i},{(q + i) % 2},a{i % 2},9,{20 + i},1\n" for m in names for q in range(3) for i in range(4)
    ]
    log.write_text(LOG + "".join(rows))
    out = "out\x1b[2J\u202e.yaml"
    prices = [word for name in names for word in ("--price", f"{name}=1e-6,2e-6")]
    for inference in ("empirical", "beta", "lognormal"):
        shown(command("calibrate", log, *prices, "--out", out, "--inference", inference, "--bootstrap", 20), names)
        clean((tmp_path / out).read_text())
        assert [*load_models(tmp_path / out)] == names
        shown(command("recommend", "--models", out, "--k-max", 4, "--selectors", "--stability", "5"), names)
    document = json.loads(command("calibrate", log, "--json", "--bootstrap", 20))
    assert [model["model"] for model in document["models"]] == names
    command("calibrate", log, "--price", "nobody\x1b=1,1", code=2)
    command("calibrate", log, "--price", "\x1b\u202e", code=2)
    command("calibrate", log, "--model", "no\x1b\u202e", code=2)
    command("calibrate", log, "--format", "no\x1b\u202e", code=2)
    command("calibrate", log, "--prices", "no\x1b\u202e.yaml", code=2)
    command("calibrate", log, "--date", "\x1b", "--prices", "genai-prices", code=2)
    renamed = command("calibrate", f"new\u202e\x1b[2J={tmp_path / 'one.csv'}", code=2)
    assert "one.csv" in renamed
    (tmp_path / "one.csv").write_text(LOG + "m,q,1,1,a,9,20,1\nm,q,2,0,b,9,30,2\n")
    assert "new\\u202e\\x1b[2J" in command("calibrate", f"new\u202e\x1b[2J={tmp_path / 'one.csv'}", "--bootstrap", 20)


def test_fit_latency_names_its_files_escaped(command, tmp_path):
    path = tmp_path / "run\x1b[2J\n- {kind: evil}\u202e.csv"
    lines = ["concurrency,input_tokens,output_tokens,ttft_s,latency_s"]
    lines += [
        f"{c},100,{50 + 7 * i},0.1,{0.1 + 0.01 * (50 + 7 * i) * (1 + c / 50)}" for c in (1, 4, 16) for i in range(9)
    ]
    path.write_text("\n".join(lines) + "\n")
    text = command("fit-latency", path)
    assert text.startswith("# fitted to run\\x1b[2J\\n- {kind: evil}\\u202e.csv\n")
    assert [part["kind"] for part in yaml.safe_load(text)] == ["batch"]
    assert json.loads(command("fit-latency", path, "--json"))["files"] == [str(path)]


@pytest.fixture
def report(files):
    models = {name: m for name, m in load_models(files).items() if name in (*list(EVIL.values())[:4], "$m_$a", "_m")}
    scenarios = {name: s for name, s in load_scenarios(files).items() if name in list(EVIL.values())[:2]}
    return Pipeline(k=[2, 4, 8], models=models, scenarios=scenarios).run().with_stability(5)


def test_pictures_show_names_escaped(report):
    """Titles, labels of axes and ticks, legends and notes: whatever is text in a figure."""
    model, scenario = EVIL["direction"], EVIL["escape"]
    one = {"model": model, "scenario": scenario}
    figures = [
        plot.space(report, **one),
        plot.page(report, **one),
        plot.curve(report, "cost", **one),
        plot.front(report, scenario=scenario),
        plot.decisions(report, scenario=scenario),
        plot.stability(report, scenario=scenario),
    ]
    for figure in figures:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a font need not have every letter
            drawn(figure)
        texts = [text.get_text() for text in figure.findobj(Text)]
        for text in texts:
            clean(text)
        assert any("m\\x1b[2J" in text or "m\\u202e" in text for text in texts)
        for text in figure.findobj(Text):
            assert not text.get_text() or text.get_text().replace(r"\$", "").count("$") % 2 == 0
            assert "$" not in text.get_text().replace(r"\$", ""), "a name is no formula"


def test_a_name_that_begins_with_an_underscore_stands_in_the_legend(report):
    figure = plot.front(report, scenario=EVIL["escape"])
    drawn(figure)
    legends = [
        text.get_text().strip()
        for axes in figure.axes
        for legend in [axes.get_legend()]
        if legend
        for text in legend.get_texts()
    ]
    legends += [text.get_text().strip() for legend in figure.legends for text in legend.get_texts()]
    assert any("_m" in text for text in legends)


def test_files_of_pictures_have_plain_names(report, tmp_path):
    one = replace(report, outcomes=report.outcomes[:1])  # a scenario is enough
    written = plot.save(one, tmp_path / "p", "svg")
    assert all(path.name.isascii() and path.name.isprintable() and "/" not in path.name for path in written)
    for path in written:
        clean(path.read_text())


def test_pages_and_notebooks_show_names_escaped(report):
    text = page(report, "moo-infer recommend --model 'm\x1b[2J\u202e'")
    body = text[: text.index('id="data"')]
    clean(body)
    assert "m\\x1b[2J" in body
    start = text.index('id="data">') + len('id="data">')
    data = json.loads(text[start : text.index("</script>", start)])
    for label in [c["label"] for c in data["curves"]] + [s["name"] for s in data["scenarios"]]:
        clean(label, lines=False)
    clean(notebook(report))
    clean(report.to_text())
    clean(report.to_text(details=True))


def test_explorer_shows_names_escaped(report, files):
    pytest.importorskip("ipywidgets")
    from moo_infer.explore.explore import Explorer

    explorer = Explorer(files)
    labels = [label for label, _ in explorer.model.options[1:]] + [label for label, _ in explorer.scenario.options]
    for label in labels:
        clean(label, lines=False)
    explorer.model.value = EVIL["escape"]
    assert EVIL["escape"] in explorer.report.candidates.models
    for widget in (explorer.answer, explorer.tables):
        clean(widget.value)
    explorer.model.value = NAMES[6]


def test_progress_reaches_a_terminal(monkeypatch):
    from moo_infer.cli import progress as cli_progress

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with cli_progress.progress_bar() as told:
        for name in NAMES:
            told(1, 2, name)
            time.sleep(0.15)  # the bar is drawn ten times a second
    for bad in ("\x1b[2J", "\x1b]0;", "\x9b", "\x00", "\u202e"):
        assert bad not in sys.stderr.getvalue()
    assert "m [bold red]x[/] [/nothing]" in sys.stderr.getvalue()
    assert "m\\x1b[2J" in sys.stderr.getvalue()


def test_tables_stay_aligned_beside_marks_that_take_no_room():
    rows = tuple((name, "1") for name in ("plain", "m" + "e\u0301" * 9, "中文", "e" + "\u0301" * 40, "a\u200bb"))
    lines = laid_out([TextTable(("model", "k"), rows)]).splitlines()
    assert len({cell_len(line) for line in lines[2:-1]}) == 1


def test_a_line_end_within_a_text_is_data():
    assert laid_out(["a\nb", ("list\n:", "of\none")]) == "a\\nb\nlist\\n:\n  of\\none\n"
    assert to_html([TextTable(("a\nb",), ((("1", "2\n3"),),), caption="c\nd")]).count("\\n") == 3


def test_samples_of_a_log_say_their_name_escaped():
    log = Samples("m\x1b[2J", ["q"], np.zeros(3, dtype=int), np.array([1.0, 0, 1]))
    report = Pipeline(models={"m": ModelProfile("m\u202e", Empirical(log), ())}, scenarios={}, k=[1, 2]).candidates()
    assert report.models[0] == "m\u202e"
    pipeline = Pipeline("coverage", k=[1, 2], models={"m": ModelProfile("m\u202e", Empirical(log), ())})
    clean(pipeline.run("m", Scenario("s", {}, {})).to_text())


def test_a_text_is_as_wide_as_the_terminal_and_its_answer_stands_out(monkeypatch):
    from moo_infer.cli import terminal

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def shown(**variables):
        screen = Terminal()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", screen)
            patched.setattr(sys, "__stdout__", screen)
            patched.delenv("NO_COLOR", raising=False)
            for name, value in {"TERM": "xterm", "COLUMNS": "110", **variables}.items():
                patched.setenv(name, value)
            columns = terminal.columns()
            terminal.show(laid_out(["m\x1b[2J: use it.", "", TextTable(("model", "k"), (("m", "1"),))], columns))
        return columns, screen.getvalue()

    assert shown() == (110, shown()[1])
    assert "\x1b[1mm\\x1b[2J: use it.\x1b[0m\n" in shown()[1]
    assert "\x1b[36m" in shown()[1]
    assert "\x1b[36m" not in shown(NO_COLOR="1")[1]
    assert [shown(COLUMNS=wide)[0] for wide in ("20", "500")] == [60, 160]
    assert terminal.columns() == 80  # a pipe
