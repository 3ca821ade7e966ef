"""How long files and functions may be, so that each can be read at once; ruff holds how many branches they have."""

import ast
from pathlib import Path

import moo_infer

PACKAGE = Path(moo_infer.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES, MOST_IN_A_BODY = 350, 40
# What was longer when this began; it may only become shorter.
LONGER_FILES = {"builtin/latencies.py": 351}
LONGER_BODIES = {("report/html.py", "page"): 50}


def name(path):
    return path.relative_to(PACKAGE).as_posix()


def bodies(text):
    """The name of every function, and how many lines its body has: without signature and docstring."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1 if ast.get_docstring(node) is not None else 0 :]
            yield node.name, first[-1].end_lineno - first[0].lineno + 1 if first else 0


def test_a_body_is_counted_without_signature_and_docstring():
    text = 'def f(\n    a,\n):\n    """Say.\n\n    More.\n    """\n    b = a\n\n    return (\n        b\n    )\n\n\ndef g():\n    """Say."""\n'
    assert dict(bodies(text)) == {"f": 5, "g": 0}


def test_a_file_is_about_one_thing():
    lines = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {file: n for file, n in lines.items() if n > LONGER_FILES.get(file, MOST_LINES)} == {}


def test_functions_are_short():
    lengths = [(name(path), *body) for path in FILES for body in bodies(path.read_text(encoding="utf-8"))]
    assert [body for body in lengths if body[2] > LONGER_BODIES.get(body[:2], MOST_IN_A_BODY)] == []
