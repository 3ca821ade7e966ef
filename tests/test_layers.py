"""Who may import what, and what a plain import may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import moo_infer

PACKAGE = Path(moo_infer.__file__).parent
CORE = (
    "interfaces",
    "objectives",
    "columns",
    "candidates",
    "pareto",
    "errors",
    "feasibility",
    "laws",
    "samples",
    "subsets",
    "votes",
    "resampling",
)


def imported(path):
    """Every module a file imports, wherever in it, as an absolute name."""
    parts = ["moo_infer", *path.relative_to(PACKAGE).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: -node.level]) if node.level else ""
            yield ".".join(filter(None, (base, node.module)))
            yield from (".".join(filter(None, (base, node.module, alias.name))) for alias in node.names)


FILES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): set(imported(path)) for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("name", CORE)
def test_the_core_knows_nothing_of_yaml_plugins_plots_or_the_command_line(name):
    foreign = ("yaml", "pluggy", "typer", "rich", "matplotlib", "pydantic")
    outer = tuple(
        f"moo_infer.{m}"
        for m in (
            "registry",
            "hookspecs",
            "profiles",
            "pipeline",
            "decisions",
            "report",
            "tables",
            "text",
            "html",
            "pictures",
            "cli",
            "builtin",
        )
    )
    assert not [module for module in FILES[name] if module.startswith((*foreign, *outer))]


def test_the_core_does_not_know_builtin_or_the_paper():
    inner = {name: modules for name, modules in FILES.items() if not name.startswith(("builtin/", "paper/", "testing"))}
    for name, modules in inner.items():
        assert not [m for m in modules if m.startswith("moo_infer.builtin")], name
        assert name == "cli" or not [m for m in modules if m.startswith("moo_infer.paper")], name


def test_one_place_asks_pymoo_for_a_front_and_only_scalarisations_use_the_rest():
    assert {n for n, modules in FILES.items() if any(m.startswith("pymoo") for m in modules)} == {
        "pareto",
        "builtin/scalarisations",
    }


def test_one_room_draws_and_only_the_command_line_and_the_papers_figures_enter_it():
    drawing = {n for n, modules in FILES.items() if any(m.startswith(("matplotlib", "mpl_toolkits")) for m in modules)}
    assert drawing
    assert all(name.startswith("plot/") for name in drawing)
    inside = {n for n, modules in FILES.items() if any(m.startswith("moo_infer.plot") for m in modules)}
    assert {n for n in inside if not n.startswith("plot/")} == {"cli", "explore", "paper/figures"}


def test_one_place_needs_widgets():
    assert {name for name, modules in FILES.items() if any(m.startswith("ipywidgets") for m in modules)} == {"explore"}


def test_one_place_needs_a_template_engine_and_plotly():
    page = ("jinja2", "markupsafe", "plotly")
    assert {name for name, modules in FILES.items() if any(m.startswith(page) for m in modules)} == {"html"}


def test_nothing_outside_builtin_and_the_paper_says_cost_or_latency():
    """That there are three objectives is known to the built-in parts alone; the flags of the command line are sugar."""
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if name.startswith(("builtin/", "paper/", "cli", "testing")):
            continue
        tree = ast.parse(path.read_text())
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and isinstance(node.body[0], ast.Expr)
        }
        said = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
        ]
        assert not {"cost", "latency", "energy"} & set(said), name


PLUGINS = PACKAGE.parent / "plugins"
PUBLIC = {"moo_infer", *(f"moo_infer.{name}" for name in moo_infer.__all__)}


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_plugins_know_only_what_is_public(path):
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    core = {module for module in modules if module.split(".")[0] == "moo_infer"}
    open_rooms = (
        "moo_infer.parts.",
        "moo_infer.builtin.",
        "moo_infer.testing.",
        "moo_infer.laws.",
        "moo_infer.subsets.",
    )
    tests = ("moo_infer.objectives.", "moo_infer.profiles.") if "tests" in path.parts else ()
    assert not {module for module in core - PUBLIC if not module.startswith((*open_rooms, *tests))}
    assert not [module for module in core if any(step.startswith("_") for step in module.split("."))]


def test_a_plain_import_is_light():
    heavy = [
        "matplotlib",
        "pymoo",
        "scipy.stats",
        "scipy.special",
        "pydantic",
        "polars",
        "rich",
        "typer",
        "plotly",
        "jinja2",
    ]
    code = f"import sys, moo_infer; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_library_prints_nothing_and_draws_no_global_randomness():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert "np.random.seed" not in text
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert path.name == "cli.py", path
