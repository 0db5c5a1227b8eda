"""Calls as commands that can be pasted into a POSIX shell: Salt's command line reads the very values of the plan from them.

What is only known during a run becomes a variable of the shell. One that was not set stops the command (``${NAME:?}``).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from upgrader.plan.step import Call

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.,/@+-]*\Z")
"""Texts that may be words of Salt's command line as they are, where YAML reads no more into them (``yes``, ``None``)."""
ESCAPED = re.compile("[#\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""Salt takes ``#`` for a comment, and YAML does not take the others as they are; within JSON's quotes each has a number."""


@dataclass(frozen=True)
class Hole:
    """A value that is not known yet: the variable that holds it, and the step and the key of its answer (none for the run's id).

    ``least``: not the value itself, but the node that answered the smallest one.
    """

    variable: str
    step: str = ""
    key: str = ""
    least: bool = False


RUN = Hole("RUN")
Pieces = Iterator["str | Hole"]


def salt_command(call: Call, nodes: Sequence[str] | None = None, more: Sequence[str] = ()) -> str:
    """The call on the Salt master, to exactly its nodes (or these of them)."""
    target = _word([target_hole(call)]) if call.only else shlex.quote(",".join(nodes or call.nodes))
    return " ".join(["salt", *more, f"--timeout={call.timeout}", "-L", target, *_function(call)])


def node_command(call: Call) -> str:
    """The call on a node itself."""
    return " ".join(["salt-call", *_function(call)])


def holes(call: Call) -> list[Hole]:
    """What has to be known before the call can be pasted, each once."""
    found = [piece for value in call.args.values() for piece in _pieces(value, top=True) if isinstance(piece, Hole)]
    return list(dict.fromkeys([*([target_hole(call)] if call.only else []), *found]))


def target_hole(call: Call) -> Hole:
    """Of a call that goes to one of its nodes: which one."""
    assert call.only is not None
    step, key = call.only["$least"], call.only["key"]
    return Hole(_name(step, key, "node"), step, key, least=True)


def fill(hole: Hole, file: str, nodes: Sequence[str]) -> str:
    """The command that sets the variable, from the file that holds the answers of the step's nodes (``salt --out=json --static``)."""
    code = TAKE_LEAST if hole.least else TAKE
    words = " ".join(shlex.quote(word) for word in (code, file, hole.key, *nodes))
    return f"{hole.variable}=$(python3 -c {words})"


TAKE = (
    "import json,sys; a=json.load(open(sys.argv[1])); "
    "print(json.dumps(next(a[n] for n in sys.argv[3:] if n in a)[sys.argv[2]]))"
)
"""As ``references.reply_of``: the key of what the step's first node answered."""
TAKE_LEAST = (
    "import json,sys; a=json.load(open(sys.argv[1])); "
    "print(min(reversed(sys.argv[3:]), key=lambda n: a[n][sys.argv[2]]))"
)
"""As ``references.least_of``: of equals the last node."""


def _function(call: Call) -> list[str]:
    return [call.function, *(_word([f"{name}=", *_pieces(value, top=True)]) for name, value in call.args.items())]


def _word(pieces: Sequence[str | Hole]) -> str:
    """One word for the shell: what is known is quoted, what is not is a variable in double quotes."""
    parts, text = [], ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        parts += [*([shlex.quote(text)] if text else []), f'"${{{piece.variable}:?is not set}}"']
        text = ""
    return "".join([*parts, *([shlex.quote(text)] if text or not parts else [])])


def _pieces(value: Any, top: bool = False) -> Pieces:
    """A value as Salt's command line reads it: plain words where that is safe, else JSON, with holes in it."""
    if isinstance(value, Mapping) and "$run" in value:
        yield from (RUN,) if top else ('"', RUN, '"')
    elif isinstance(value, Mapping) and "$reply" in value:
        step, key = str(value["$reply"]), str(value["key"])
        yield Hole(_name(step, key), step, key)
    elif isinstance(value, Mapping) and "$hosts" in value:
        yield from _pieces(list(value["of"].values()))
    elif isinstance(value, Mapping):
        yield from _between("{", "}", [[f"{_json(key)}: ", *_pieces(item)] for key, item in value.items()])
    elif isinstance(value, (list, tuple)):
        yield from _between("[", "]", [list(_pieces(item)) for item in value])
    else:
        yield value if top and isinstance(value, str) and _is_plain(value) else _json(value)


def _between(begin: str, end: str, items: Sequence[Sequence[str | Hole]]) -> Pieces:
    yield begin
    for number, item in enumerate(items):
        yield from [", ", *item] if number else item
    yield end


def _is_plain(text: str) -> bool:
    return bool(PLAIN.match(text)) and text != "None" and yaml.safe_load(text) == text


def _json(value: Any) -> str:
    return ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(value, ensure_ascii=False))


def _name(*words: str) -> str:
    return re.sub(r"\W", "_", "_".join(words)).upper()
