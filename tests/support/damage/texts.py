"""Damages of a file as bytes and as YAML: what an editor, a merge or a full disk leaves."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.support.damage.damage import NAMED, SAME, Damage, classes_of, every, kind, nodes_of, relative

Change = Callable[[str, random.Random], "str | bytes"]


def _rewritten(root: Path, chance: random.Random, name: str, change: Change, outcome: str = NAMED) -> Damage:
    path = chance.choice(every(root))
    text = change(path.read_text(), chance)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Damage(name, relative(path, root), outcome=outcome)


def _more(root: Path, chance: random.Random, name: str, lines: Sequence[str]) -> Damage:
    """One of these lines at the end of a file."""
    return _rewritten(root, chance, name, lambda text, chance: f"{text.rstrip()}\n{chance.choice(lines)}\n")


@kind
def latin_1(root: Path, chance: random.Random) -> Damage:
    return _rewritten(root, chance, "latin-1", lambda text, _: "# Köln\n".encode("latin-1") + text.encode())


@kind
def utf_16(root: Path, chance: random.Random) -> Damage:
    return _rewritten(root, chance, "utf-16", lambda text, _: text.encode("utf-16"))


@kind
def binary(root: Path, chance: random.Random) -> Damage:
    return _rewritten(root, chance, "binary", lambda text, chance: chance.randbytes(chance.choice((1, 300, 5000))))


@kind
def nul_byte(root: Path, chance: random.Random) -> Damage:
    return _rewritten(root, chance, "nul-byte", lambda text, _: text.encode() + b"\0")


@kind
def control_character(root: Path, chance: random.Random) -> Damage:
    return _rewritten(
        root, chance, "control-character", lambda text, chance: text + f"# {chr(chance.choice((1, 7, 27, 127)))}\n"
    )


@kind
def tab(root: Path, chance: random.Random) -> Damage:
    return _more(root, chance, "tab", ["parameters:\n\t_param:\n\t\ta: 1"])


@kind
def indentation(root: Path, chance: random.Random) -> Damage:
    return _more(root, chance, "indentation", ["   stray: 1"])


@kind
def unclosed(root: Path, chance: random.Random) -> Damage:
    opening = ("zz: [", "zz: {", 'zz: "', "zz: '", "zz: {a: [b}")
    return _more(root, chance, "unclosed", opening)


@kind
def merge_marks(root: Path, chance: random.Random) -> Damage:
    return _rewritten(
        root, chance, "merge-marks", lambda text, _: f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> theirs\n"
    )


@kind
def second_document(root: Path, chance: random.Random) -> Damage:
    return _more(root, chance, "second-document", ["---\nparameters: {}"])


@kind
def foreign_tag(root: Path, chance: random.Random) -> Damage:
    tags = (
        "!vault |\n  3061",
        "!!python/object/apply:os.system [true]",
        "!!python/name:os.system",
        "!include other.yml",
    )
    return _more(root, chance, "foreign-tag", [f"zz: {tag}" for tag in tags])


@kind
def unknown_alias(root: Path, chance: random.Random) -> Damage:
    return _more(root, chance, "unknown-alias", ["zz: *nowhere"])


@kind
def wrong_scalar(root: Path, chance: random.Random) -> Damage:
    """PyYAML makes a ValueError of these, and no error of YAML's."""
    scalars = (
        "2017-13-45",
        "9" * 5000,
        "!!int abc",
        "!!float x",
        "!!timestamp y",
        "2017-01-01T25:61:00",
        "!!bool maybe",
        "!!binary é",
    )
    return _more(root, chance, "wrong-scalar", [f"zz: {scalar}" for scalar in scalars])


@kind
def wrong_key(root: Path, chance: random.Random) -> Damage:
    keys = ("? [a, b]\n: c", "? {a: b}\n: c", "<<: 5", "<<: [a, b]", "{a: b}: c")
    return _more(root, chance, "wrong-key", keys)


@kind
def no_mapping(root: Path, chance: random.Random) -> Damage:
    texts = ("- a\n- b\n", "text\n", "5\n", "true\n", "2017-01-01\n", "[]\n", '""\n', "!!set {a, b}\n", "1.5\n")
    return _rewritten(root, chance, "no-mapping", lambda text, chance: chance.choice(texts))


@kind
def deep_nesting(root: Path, chance: random.Random) -> Damage:
    deep = chance.choice((900, 5000, 100_000))
    brackets = chance.choice(("[]", "{}"))
    between = "a: " if brackets == "{}" else ""
    body = (brackets[0] + between) * deep + brackets[1] * deep
    return replace(_more(root, chance, "deep-nesting", [f"zz: {body}"]), asked=False)


@kind
def deep_parameters(root: Path, chance: random.Random) -> Damage:
    """Read without complaint, and too deep for what walks through it."""
    path = chance.choice(classes_of(root))
    deep = chance.choice((600, 900))
    path.write_text("parameters:\n  zz: " + "{a: " * deep + "1" + "}" * deep + "\n")
    return Damage("deep-parameters", relative(path, root))


@kind
def alias_of_itself(root: Path, chance: random.Random) -> Damage:
    texts = ("parameters: &p\n  zz: *p\n", "parameters:\n  zz: &l [*l]\n", "parameters:\n  _param: &m {zz: {a: *m}}\n")
    path = chance.choice(classes_of(root))
    path.write_text(chance.choice(texts))
    return Damage("alias-of-itself", relative(path, root))


@kind
def multiplying_aliases(root: Path, chance: random.Random) -> Damage:
    """Nine lines that stand for thousands of millions of values."""
    path = chance.choice(classes_of(root))
    lines = ["parameters:", "  a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    path.write_text("\n".join(lines) + "\n")
    return Damage("multiplying-aliases", relative(path, root), asked=False)


@kind
def cut_off(root: Path, chance: random.Random) -> Damage:
    """A full disk: the file ends in the middle of a list or of a key."""
    path = chance.choice([one for one in classes_of(root) if "parameters:" in one.read_text()])
    text = path.read_text()
    path.write_text(text[: text.index("parameters:") + chance.choice((4, 9))])
    return Damage("cut-off", relative(path, root))


@kind
def empty(root: Path, chance: random.Random) -> Damage:
    names = ("cluster/mcp/init.yml", "infra/config.yml", "openstack/upgrade.yml", "openstack/database_init.yml")
    path = chance.choice([*nodes_of(root), *(one for one in classes_of(root) if str(one).endswith(names))])
    path.write_text(chance.choice(("", "\n", "---\n", "# nothing\n", "null\n", "{}\n")))
    return Damage("empty", relative(path, root))


@kind
def looks(root: Path, chance: random.Random) -> Damage:
    """What changes bytes and no value."""
    changes: tuple[Callable[[str], str], ...] = (
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: "---\n" + text,
        lambda text: text.rstrip("\n") + "\n...\n",
        lambda text: "# a comment\n\n" + text.replace("\n", "\n\n") + "\n# Köln 北京 🌩\n",
        lambda text: "%YAML 1.1\n---\n" + text,
        lambda text: text.rstrip("\n") + "\nzz: [1, 2]\nописание: текст\n",
        lambda text: "# " + "x" * 3_000_000 + "\n" + text,
    )
    return _rewritten(root, chance, "looks", lambda text, chance: chance.choice(changes)(text), outcome=SAME)
