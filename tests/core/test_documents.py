"""YAML that would bring a careless reader down."""

import time
import tracemalloc

import pytest

from moo_infer import MooInferError
from moo_infer.core.documents import MOST_NODES, parse_yaml

LEVELS = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9) if i else ', '.join('0' * 9)}]\n" for i in range(9))
LONG = "t: &t " + 200_000 * "x" + "\nall: [" + ", ".join(["*t"] * 1000) + "]\n"
MODEL = """
models:
  mine:
    inference: {{kind: {kind}, tokens_in_mean: {number}, tokens_in_std: 1, tokens_out_mean: 1, tokens_out_std: 1,
      accuracy_mean: 0.5, accuracy_std: 0.1}}
    costs: {costs}
    source: {source}
"""
PLAIN = {"kind": "gaussian", "number": "1", "costs": "[]", "source": "here"}
BOMBS = {
    "models": "models: *l8\n",
    "a model": "models: {mine: *l8}\n",
    **{name: MODEL.format(**PLAIN | {name: "*l8"}) for name in ("costs", "number", "source", "kind")},
    "shares": "models: {mine: {inference: {kind: difficulty-classes, shares: *l8, p: [1]}, costs: []}}\n",
    "scenarios": "scenarios: *l8\n",
    "a limit": "scenarios: {mine: {max: {cost: *l8}}}\n",
    "an unknown key": "extra: *l8\n",
    "a key": "? *l8\n: 1\n",
    "nothing": "",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_aliases_that_stand_for_a_billion_nodes_are_refused_before_they_are_built(bomb, tmp_path, cli):
    path = tmp_path / "bomb.yaml"
    path.write_text(LEVELS + bomb)
    tracemalloc.start()
    start = time.process_time()
    code, _, error = cli("recommend", "--models", path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code == 2
    assert "is too large: at most 1,000,000 entries, aliases filled in" in error
    assert len(error) < 450
    assert peak < 50 * 2**20
    assert time.process_time() - start < 5  # a bound on work, far from any timing: unbounded it took 40 s


def test_prices_with_such_aliases_are_refused(tmp_path, cli):
    (tmp_path / "prices.yaml").write_text(LEVELS + "prices: *l8\n")
    (tmp_path / "log.csv").write_text("model,question_id,sample,correct\nm,q,0,1\nm,q,1,0\n")
    code, _, error = cli("calibrate", tmp_path / "log.csv", "--prices", tmp_path / "prices.yaml")
    assert (code, "is too large" in error) == (2, True)


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "a: &a {b: *a}", "&a [[[*a]]]", "&a {? *a : 1}", "a: &a\n  b: &b [*a]\n  c: *b"]
)
def test_a_node_that_contains_itself_is_refused(text):
    with pytest.raises(MooInferError, match=r"here: line \d: \*a contains itself"):
        parse_yaml(text, "here")


def test_long_texts_may_not_be_copied_without_end():
    with pytest.raises(MooInferError, match="10,000,000 characters that aliases copy"):
        parse_yaml(LONG, "here")


def test_what_is_large_without_aliases_counts_too():
    with pytest.raises(MooInferError, match="at most 1,000,000 entries"):
        parse_yaml("[" + "0," * (MOST_NODES + 1) + "]", "here")


def test_aliases_that_people_write_are_filled_in():
    text = "base: &base {a: 1, b: [1, 2]}\nmine: {<<: *base, a: 3}\nagain: [*base, *base]"
    found = parse_yaml(text, "here")
    assert found["mine"] == {"a": 3, "b": [1, 2]}
    assert found["again"] == [{"a": 1, "b": [1, 2]}] * 2


def test_an_anchor_that_stands_twice_is_named():
    with pytest.raises(MooInferError, match="here: line 1: found duplicate anchor"):
        parse_yaml("[&base {a: 5}, &base {a: 6}]", "here")


def test_an_unknown_alias_is_named():
    with pytest.raises(MooInferError, match="here: line 1: found undefined alias"):
        parse_yaml("[*nobody]", "here")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2025-02-30", "must be a date, got '2025-02-30'"),
        ("2025-01-01T25:00:00Z", "must be a date, got "),
        ("!!timestamp soon", "must be a date, got 'soon'"),
        ("!!int ten", "must be a whole number of at most 308 digits, got 'ten'"),
        ("!!float ten", "must be a number, got 'ten'"),
        ("!!bool 5", "must be true or false, got '5'"),
        ("9" * 400, "must be a whole number of at most 308 digits, got '99999"),
        ("-" + "9" * 5000, "must be a whole number of at most 308 digits, got '-9999"),
        ("0x" + "f" * 5000, "must be a whole number of at most 308 digits, got '0xffff"),
        ("{[1]: 2}", "a key must be a name or a number, got a list"),
        ("{{a: 1}: 2}", "a key must be a name or a number, got a mapping"),
    ],
)
def test_values_that_are_not_of_their_type_are_refused_in_words(value, message):
    with pytest.raises(MooInferError, match="here: line 2: ") as refused:
        parse_yaml(f"a: 1\nb: {value}", "here")
    assert message in str(refused.value)
    assert len(str(refused.value)) < 110


def test_whole_numbers_that_a_float_can_hold_are_read():
    assert parse_yaml("[" + "9" * 308 + ", 0x10]", "here") == [10**308 - 1, 16]
