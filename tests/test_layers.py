"""Who may import what, and what a plain import may load."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import moo_infer
import moo_infer.calibrate

PACKAGE = Path(moo_infer.__file__).parent
# A room imports from rooms above it; of rooms on its level and below types alone.
LEVELS = (
    ("core",),
    ("quantities",),
    ("interfaces",),
    ("hookspecs",),
    ("registry",),
    ("profiles",),
    ("workflows",),  # as they are given; a room of `policy` composes what is known of their stages
    ("read",),
    ("estimate",),
    ("builtin",),
    ("policy",),
    ("decide",),
    ("report",),
    ("plot",),
    ("pipeline",),
    ("calibrate",),
    ("paper", "explore", "testing", "sweep"),
    ("cli",),
)
LEVEL = {room: i for i, rooms in enumerate(LEVELS) for room in rooms}
TYPES_ALONE = "TYPE_CHECKING"


@cache
def parsed(path):
    """The syntax tree of a file."""
    return ast.parse(path.read_text())


@cache
def imports(path):
    """The imports of a file, wherever in it, each with whether it is for types alone."""
    found, left = [], [(parsed(path), False)]
    while left:
        node, alone = left.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append((node, alone))
        elif not isinstance(node, ast.expr):  # which holds no statement
            alone |= isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == TYPES_ALONE
            left += [(child, alone) for child in ast.iter_child_nodes(node)]
    return found


def imported(path, types=True):
    """Every module a file imports, as an absolute name; `types` are those imported for types alone."""
    parts = ["moo_infer", *path.relative_to(PACKAGE).with_suffix("").parts]
    for node, alone in imports(path):
        if alone and not types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            base = ".".join(parts[: -node.level]) if node.level else ""
            yield ".".join(filter(None, (base, node.module)))
            yield from (".".join(filter(None, (base, node.module, alias.name))) for alias in node.names)


@cache
def files():
    """What every file imports, by its name without ending."""
    paths = PACKAGE.rglob("*.py")
    return {path.relative_to(PACKAGE).with_suffix("").as_posix(): set(imported(path)) for path in paths}


PATHS = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
MODULES = {name.removesuffix(".__init__"): path for name, path in PATHS.items() if name != "__init__"}


@cache
def graph():
    """Which modules a module needs to run, those of moo_infer alone."""
    return {
        name: {module.removeprefix("moo_infer.") for module in imported(path, types=False)} & {*MODULES} - {name}
        for name, path in MODULES.items()
    }


def test_a_room_imports_from_rooms_above_it():
    wrong = {}
    for name in {*MODULES} - {"__main__"}:
        room = name.split(".")[0]
        rooms = {module.split(".")[0] for module in graph()[name]} - {room}
        wrong[name] = sorted(other for other in rooms if LEVEL[other] >= LEVEL[room])
    assert {name: rooms for name, rooms in wrong.items() if rooms} == {}


def test_no_modules_import_each_other_in_a_circle():
    packages = {name for name in graph() if any(other.startswith(f"{name}.") for other in graph())}
    tuple(TopologicalSorter({name: needs - packages for name, needs in graph().items()}).static_order())


@pytest.mark.parametrize("room", ["quantities", "interfaces", "estimate", "decide"])
def test_the_inner_rooms_know_nothing_of_yaml_plugins_plots_or_the_command_line(room):
    foreign = ("yaml", "pluggy", "typer", "rich", "matplotlib", "pydantic")
    inside = {name: modules for name, modules in files().items() if name.split("/")[0] == room}
    assert inside
    found = {name: [m for m in modules if m.startswith(foreign)] for name, modules in inside.items()}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_one_place_asks_pymoo_for_a_front_and_only_scalarisations_use_the_rest():
    assert {n for n, modules in files().items() if any(m.startswith("pymoo") for m in modules)} == {
        "decide/front",
        "builtin/scalarisations",
    }


def test_one_room_draws_and_only_the_command_line_and_the_papers_figures_enter_it():
    drawing = {
        n for n, modules in files().items() if any(m.startswith(("matplotlib", "mpl_toolkits")) for m in modules)
    }
    assert drawing
    assert all(name.startswith("plot/") for name in drawing)
    inside = {n for n, modules in files().items() if any(m.startswith("moo_infer.plot") for m in modules)}
    assert {n for n in inside if not n.startswith("plot/")} == {
        "cli/options",
        "explore/explore",
        "paper/figures",
    }


def test_one_place_needs_widgets():
    assert {name for name, modules in files().items() if any(m.startswith("ipywidgets") for m in modules)} == {
        "explore/explore"
    }


def test_the_network_is_called_by_live_endpoints_alone():
    client = ("openai", "httpx2")
    assert {name for name, modules in files().items() if any(m.startswith(client) for m in modules)} == {
        "policy/live/faults",
        "policy/live/openai_endpoint",
        "policy/live/transport",
    }


def test_one_place_needs_a_template_engine():
    page = ("jinja2", "markupsafe")
    assert {name for name, modules in files().items() if any(m.startswith(page) for m in modules)} == {"report/html"}


def test_nothing_outside_builtin_and_the_paper_says_cost_or_latency():
    """That there are three objectives is known to the built-in parts alone; the flags of the command line are sugar."""
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if name.startswith(("builtin/", "paper/", "cli/", "testing/", "core/objectives")):
            continue
        tree = parsed(path)
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


def test_one_place_names_the_kinds_of_arrays():
    aliases = {}
    for path in PACKAGE.rglob("*.py"):
        assigned = [n.value for n in ast.walk(parsed(path)) if isinstance(n, ast.Assign | ast.AnnAssign)]
        if kinds := [kind for value in assigned if value and "NDArray[" in (kind := ast.unparse(value))]:
            aliases[path.relative_to(PACKAGE).as_posix()] = kinds
    assert [*aliases] == ["core/arrays.py"]
    assert len(set(aliases["core/arrays.py"])) == len(aliases["core/arrays.py"]), "two names for one kind"


def test_one_place_computes_nodes_of_quadratures():
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}
    rules = re.compile(r"\b(leg|herme?|lag|cheb)gauss\b|\b(roots|p)_\w+\(|eigh_tridiagonal")
    assert {name for name, text in texts.items() if rules.search(text)} == {"quantities/quadrature.py"}


PLUGINS = PACKAGE.parent / "plugins"
PUBLIC = {"moo_infer", *(f"moo_infer.{name}" for name in moo_infer.__all__)}
PUBLIC |= {f"moo_infer.calibrate.{name}" for name in moo_infer.calibrate.__all__}


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_plugins_know_only_what_is_public(path):
    modules = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    core = {module for module in modules if module.split(".")[0] == "moo_infer"}
    open_rooms = (
        "moo_infer.core.parts.",
        "moo_infer.builtin.",
        "moo_infer.testing.",
        "moo_infer.quantities.laws.",
        "moo_infer.quantities.subsets.",
    )
    tests = ("moo_infer.core.objectives.", "moo_infer.profiles.") if "tests" in path.parts else ()
    assert not {module for module in core - PUBLIC if not module.startswith((*open_rooms, *tests))}
    assert not [module for module in core if any(step.startswith("_") for step in module.split("."))]


def test_a_plain_import_is_light_and_all_names_are_there_without_extras():
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
    extras = ["httpx2", "openai", "jinja2", "plotly", "ipywidgets", "distributed", "kneed", "genai_prices"]
    code = f"""
import sys, moo_infer
print([m for m in {heavy!r} if m in sys.modules])
sys.modules.update(dict.fromkeys({extras!r}))
from moo_infer import *
try:
    OpenAIEndpoint({{}})
except MooInferError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nlive calls need httpx2: pip install 'moo-infer[live]'\n"


def test_the_library_prints_nothing_and_draws_no_global_randomness():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert "np.random.seed" not in text
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert path.parent.name == "cli", path
