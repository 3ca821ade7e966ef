"""Writing pictures: all of them or none, under names any file system takes; and the command line."""

import json
import re
import sys
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from moo_infer import MonteCarlo, MooInferError, Pipeline, Scenario, builtin_models, builtin_scenarios
from moo_infer.core.files import exchanged as exchange
from moo_infer.paper import figures
from moo_infer.plot import FORMATS, save, write

pytestmark = pytest.mark.usefixtures("sketches")


@pytest.fixture(scope="module")
def report():
    return Pipeline(k_max=16).run(["gpt-5", "gpt-5-nano"], "essay-feedback")


def names(folder):
    """Files beside the index."""
    return sorted(path.name for path in folder.iterdir() if path.name != "index.html")


@pytest.mark.parametrize("format", FORMATS)
def test_all_pictures_of_a_report_in_every_format(report, tmp_path, format):
    told = []
    folder = tmp_path / "new" / "pictures"
    found = save(report, folder, format, progress=lambda *news: told.append(news))
    stems = ["front", "decisions", "gpt-5_space", "gpt-5_page", "gpt-5-nano_space", "gpt-5-nano_page"]
    assert [path.name for path in found] == [f"essay-feedback_{stem}.{format}" for stem in stems]
    assert names(folder) == sorted(path.name for path in found)
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[format]
    assert all(path.read_bytes().startswith(start) for path in found)
    assert [(done, total) for done, total, _ in told] == [(i, 6) for i in range(6)]
    assert told[2][2] == "drawing essay-feedback, gpt-5, space"


def test_several_scenarios_and_aggregators_and_stability(tmp_path):
    pipeline = Pipeline(["best-of-k", "coverage"], "utopia", MonteCarlo(30), k=[1, 2])
    report = pipeline.run("gpt-5", ["essay-feedback", "medical-ai"]).with_stability(10)
    found = [path.stem for path in save(report, tmp_path)]
    assert len(found) == len(set(found)) == 2 * (3 + 2 * 2)
    assert "medical-ai_stability" in found
    assert "medical-ai_gpt-5_coverage_space" in found


def test_fewer_objectives_have_fewer_pictures(tmp_path):
    two = replace(builtin_models()["gpt-5"], costs=builtin_models()["gpt-5"].costs[:1])
    one = replace(two, costs=())
    scenario = Scenario("s", {}, {"accuracy": 0.9})
    assert [p.stem for p in save(Pipeline(k_max=8).run(two, scenario), tmp_path)] == [
        "s_front",
        "s_decisions",
        "s_gpt-5_page",
    ]
    assert [p.stem for p in save(Pipeline(k_max=8).run(one, scenario), tmp_path / "one")] == ["s_gpt-5_page"]


def test_names_are_safe_and_do_not_collide(tmp_path):
    base = builtin_models()["gpt-5"]
    given = ["a/b:c", "A b c", "<script>", "../../etc", "é", "☃", "☂", "x" * 300]
    models = [replace(base, name=name, costs=base.costs[:1]) for name in given]
    report = Pipeline(k=[4, 8]).run(models, Scenario("..", {"cost": 1}))
    found = save(report, tmp_path / "p")
    assert len({path.name.lower() for path in found}) == len(found)
    assert names(tmp_path / "p") == sorted(path.name for path in found)
    assert names(tmp_path) == ["p"]
    pages = [path.name for path in found if "page" in path.name]
    assert pages[:5] == [
        "unnamed_a-b-c_page.png",
        "unnamed_a-b-c_page-2.png",
        "unnamed_script_page.png",
        "unnamed_etc_page.png",
        "unnamed_e_page.png",
    ]
    assert len(pages[-1]) < 100


def test_files_of_the_same_name_are_replaced_and_others_left(tmp_path):
    (tmp_path / "essay-feedback_front.png").write_text("old")
    (tmp_path / "mine.txt").write_text("mine")
    write([(("essay-feedback", "front"), Figure)], tmp_path)
    assert (tmp_path / "essay-feedback_front.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def identity(folder):
    return folder.stat().st_ino


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="no other system can exchange two folders")
def test_a_folder_of_nothing_but_pictures_changes_in_one_step(tmp_path, monkeypatch):
    folder = tmp_path / "p"
    pictures = [(("a",), Figure), (("b",), Figure)]
    write(pictures, folder)
    assert names(tmp_path) == ["p"]
    folder.chmod(0o750)
    (folder / "a.png").write_text("old")
    (folder / "b.png").write_text("old")
    (tmp_path / "link").symlink_to(folder)
    before = identity(folder)
    exchanged = []
    monkeypatch.setattr(
        "moo_infer.plot.files.exchanged",
        lambda new, place: (
            exchanged.append({path.read_bytes()[:4] for path in new.glob("*.png")}),
            exchange(new, place),
            (new / "arrives.txt").write_text("meanwhile"),
        )[1],
    )
    write(pictures, tmp_path / "link")
    assert exchanged == [{b"\x89PNG"}]
    assert identity(folder) != before
    assert folder.stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "link").is_symlink()
    assert names(folder) == ["a.png", "arrives.txt", "b.png"]
    assert names(tmp_path) == ["link", "p"]
    before = identity(folder)
    write(pictures, folder)
    assert identity(folder) == before, "it holds a file of somebody else's"
    assert len(exchanged) == 1


def test_where_folders_cannot_be_exchanged_pictures_are_moved(tmp_path, monkeypatch):
    monkeypatch.setattr("moo_infer.plot.files.exchanged", lambda new, place: False)
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_text("old")
    write([(("a",), Figure), (("b",), Figure)], tmp_path / "p")
    assert names(tmp_path / "p") == ["a.png", "b.png"]
    assert (tmp_path / "p" / "a.png").read_bytes().startswith(b"\x89PNG")
    assert names(tmp_path) == ["p"]


def broken():
    raise RuntimeError("out of ink")


def test_where_a_picture_fails_nothing_is_left_behind(tmp_path):
    pictures = [(("first",), Figure), (("second",), broken)]
    with pytest.raises(RuntimeError, match="out of ink"):
        write(pictures, tmp_path / "deep" / "new")
    assert names(tmp_path) == []
    (tmp_path / "first.png").write_text("old")
    with pytest.raises(RuntimeError, match="out of ink"):
        write(pictures, tmp_path)
    assert names(tmp_path) == ["first.png"]
    assert (tmp_path / "first.png").read_text() == "old"


def test_places_that_cannot_be_written_are_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MooInferError, match=r"cannot write pictures to .*file: it must be a folder"):
        write([(("a",), Figure)], tmp_path / "file")
    with pytest.raises(MooInferError, match=r"cannot write pictures to .*file/below: .*file must be a folder"):
        write([(("a",), Figure)], tmp_path / "file" / "below")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(MooInferError, match=r"cannot write .*b.png: it is a folder"):
        write([(("a",), Figure), (("b",), Figure)], tmp_path)
    assert names(tmp_path) == ["b.png", "file"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "jpg"}, "unknown format 'jpg'; available: png, pdf, svg"),
        ({"axes": ["cost"]}, r"axes: must be three objectives, got \['cost'\]"),
        ({"axes": ["cost", "latency", "joy"]}, "unknown objective 'joy'; available: accuracy, cost, latency"),
    ],
)
def test_what_it_cannot_write_it_refuses_before_it_makes_a_folder(report, tmp_path, options, message):
    with pytest.raises(MooInferError, match=message):
        save(report, tmp_path / "new", **options)
    assert names(tmp_path) == []


# The command line

SMALL = ("recommend", "--model", "gpt-5", "--scenario", "essay-feedback", "--k-max", "12")


def test_recommend_draws_and_answers_as_before(cli, tmp_path):
    _, plain, _ = cli(*SMALL)
    code, out, err = cli(*SMALL, "--plot", tmp_path / "p", "--format", "svg")
    assert (code, out, err) == (0, plain, "")
    assert "essay-feedback_gpt-5_space.svg" in names(tmp_path / "p")
    code, out, err = cli(*SMALL, "--plot", tmp_path / "p", "--json")
    assert "essay-feedback_gpt-5_space.png" in names(tmp_path / "p")
    assert json.loads(out)["rows"][0]["model"] == "gpt-5"


def test_axes_of_the_space_are_chosen(cli, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("moo_infer.plot.files.space", lambda report, axes, **_: asked.append(axes) or Figure())
    assert cli(*SMALL, "--plot", tmp_path, "--axes", "latency, accuracy,cost")[0] == 0
    assert asked == [["latency", "accuracy", "cost"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "p", "--format", "jpg"], "--format: unknown format 'jpg'; available: png, pdf, svg"),
        (["--format", "svg"], "--format is about pictures; give --plot DIR as well"),
        (["--axes", "cost,latency,accuracy"], "--axes is about pictures; give --plot DIR as well"),
        (["--plot", "p", "--axes", "cost,latency"], "axes: must be three objectives, got ['cost', 'latency']"),
        (["--plot", "p", "--axes", "cost,latency,joy"], "unknown objective 'joy'; available: accuracy, cost, latency"),
        (["--plot", "file"], "cannot write pictures to file: it must be a folder"),
    ],
)
def test_wrong_options_leave_one_sentence_and_no_folder(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert cli(*SMALL, *arguments) == (2, "", f"moo-infer: {message}\n")
    assert names(tmp_path) == ["file"]


def test_the_papers_figures_are_a_space_and_a_curve_of_every_model_in_every_scenario():
    found = figures.figures()
    words = [words for words, _ in found]
    assert len(found) == 54
    assert {(s, m) for s, m, _ in words} == {(s, m) for s in builtin_scenarios() for m in builtin_models()}
    assert [kind for *_, kind in words].count("space") == 27
    drawn = {kind: draw() for (*_, kind), draw in found[-2:]}
    assert drawn["space"].axes[0].get_zlabel() == drawn["accuracy"].axes[0].get_ylabel() == "accuracy"
    texts = [t.get_text().split(":")[0] for t in drawn["space"].legends[0].get_texts()]
    assert texts[:5] == ["max-accuracy", "max-cube", "utopia", "knee", "knee-chord"]


def test_paper_draws_them(cli, tmp_path, monkeypatch):
    first = figures.figures()[:2]
    monkeypatch.setattr(figures, "figures", lambda: first)
    code, out, err = cli("paper", "--plot", tmp_path / "p", "--format", "pdf")
    assert (code, err) == (0, "")
    assert out.startswith("The authors' procedure gives 107")
    assert names(tmp_path / "p") == ["essay-feedback_gpt-5_accuracy.pdf", "essay-feedback_gpt-5_space.pdf"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_index_shows_every_picture(tmp_path, format):
    words = [("chat", "a<b>", "page"), ("chat", "front"), ("night & day", "front")]
    found = write([(of, Figure) for of in words], tmp_path, format)
    text = (tmp_path / "index.html").read_text()
    assert re.findall(r'<a href="([^"]*)">', text) == [path.name for path in found]
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["chat", "night &amp; day"]
    assert len(re.findall(r'<img src="[^"]*" alt="(a&lt;b&gt;, page|front)"', text)) == (0 if format == "pdf" else 3)
    assert "http" not in text


def test_curves_on_which_more_samples_are_worth_no_more_have_no_pictures(tmp_path):
    report = Pipeline(["one-call", "best-of-k"], k=[1, 2, 4]).run("gpt-5", "essay-feedback")
    stems = [path.stem for path in save(report, tmp_path)]
    assert "essay-feedback_gpt-5_best-of-k_page" in stems
    assert not [stem for stem in stems if "one-call" in stem]
    assert len(save(Pipeline(k=[4]).run("gpt-5", "essay-feedback"), tmp_path / "one")) == 2  # front and decisions
