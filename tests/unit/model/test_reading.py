"""One file of a model: what is told of it beyond what YAML itself says, and where a value was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from upgrader_node.host import quick_yaml

from tests.support.models import inventory
from upgrader.reclass.origin import origin
from upgrader.reclass.reading import BadFile, Doubled, read


@pytest.mark.parametrize("value", ["2017-13-45", "!!int x", "!!bool maybe", "!!timestamp y", "9" * 5000, "!!float x"])
def test_value_that_is_not_what_its_form_says_has_its_line(value: str) -> None:
    """PyYAML raises errors that are none of its own there, without a line."""
    with pytest.raises(yaml.MarkedYAMLError) as wrong:
        quick_yaml.load(yaml, f"a: 1\nb:\n- {value}\n")
    assert wrong.value.problem_mark.line == 2
    with pytest.raises(BadFile, match="line 3"):
        read("/m/a.yml", f"a: 1\nb:\n- {value}\n")


def test_keys_that_stand_twice_have_their_lines_and_whether_they_agree() -> None:
    text = "a: {b: 1, c: [1], b: 2}\nparameters:\n  x: {k: 1}\n  y: 1\n  x: {k: 1}\n"
    assert set(read("/m/a.yml", text)[1]) == {
        Doubled("/m/a.yml", "x", 3, 5, True),
        Doubled("/m/a.yml", "a:b", 1, 1, False),
    }


def test_what_a_merge_key_brings_stands_once() -> None:
    text = "parameters:\n  a: &a {k: 1, l: 2}\n  b: {<<: *a, k: 3}\n  c: {<<: [*a], l: 4}\n"
    held, doubled = read("/m/a.yml", text)
    assert doubled == () and held["parameters"]["b"] == {"k": 3, "l": 2}


def test_aliases_that_stand_for_little_are_as_good_as_what_they_stand_for() -> None:
    held, _ = read("/m/a.yml", "a: &a [1, 2]\nb: [*a, *a]\n")
    assert held["b"] == [[1, 2], [1, 2]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "nodes/a.x.yml": "classes: [one, two]\nparameters: {own: here}\n",
        "classes/one.yml": "parameters: {k: '${_param:v}', _param: {v: 1, w_x: deep, suffix: _x}, listed: ['${_param:v}']}\n",
        "classes/two.yml": "parameters: {m: '${_param:w${_param:suffix}}', all: '${below}', below: {p: q}, ~over: {z: 1}, k2: 'a${own}'}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("key", "file", "written"),
    [
        ("own", "nodes/a.x.yml", "own"),
        ("k", "classes/one.yml", "_param:v"),
        ("listed:0", "classes/one.yml", "_param:v"),
        ("m", "classes/one.yml", "_param:w_x"),
        ("all:p", "classes/two.yml", "below:p"),
        ("over:z", "classes/two.yml", "over:z"),
        ("k2", "classes/two.yml", "k2"),
    ],
)
def test_value_is_followed_to_the_file_and_the_key_where_it_was_written(
    key: str, file: str, written: str, root: Path
) -> None:
    held = inventory(root)
    assert origin(held, held.render("a.x"), key) == (str(root / file), written)


def test_key_that_nobody_writes_has_no_origin(root: Path) -> None:
    held = inventory(root)
    assert origin(held, held.render("a.x"), "no:where") is None
