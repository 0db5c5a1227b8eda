"""What the formulas of a folder offer to plans: functions with their arguments, and states. Read from the files, without Salt."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

SALTS_OWN: Mapping[str, frozenset[str]] = {
    "test.ping": frozenset(),
    "saltutil.sync_all": frozenset({"refresh"}),
    "state.apply": frozenset({"mods"}),
}
"""Functions of Salt itself that plans may call, with the arguments they may give."""


@dataclass(frozen=True)
class Catalogue:
    """``functions`` maps a function's full name to its arguments; ``states`` are the names that ``state.apply`` takes."""

    functions: Mapping[str, frozenset[str]]
    states: frozenset[str]


@lru_cache(maxsize=4)
def catalogue_of(formulas: Path) -> Catalogue:
    """Everything below a formulas folder. Raises OSError when a file cannot be read."""
    functions = dict(SALTS_OWN)
    for path in sorted((formulas / "_modules").glob("*.py")):
        functions.update(_functions(path))
    slses = [path.relative_to(formulas).with_suffix("").parts for path in formulas.rglob("*.sls")]
    return Catalogue(functions, frozenset(".".join(parts[:-1] if parts[-1] == "init" else parts) for parts in slses))


@lru_cache(maxsize=4)
def purposes(formulas: Path) -> Mapping[str, str]:
    """What each function of a formulas folder is for: the first sentence that it says of itself."""
    return {
        f"{path.stem}.{node.name}": " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
        for path in sorted((formulas / "_modules").glob("*.py"))
        for node in _defined(path)
    }


def _functions(path: Path) -> dict[str, frozenset[str]]:
    """The public functions of one execution module; its loaded name is its file's, as ours all say."""
    return {
        f"{path.stem}.{node.name}": frozenset(one.arg for one in (*node.args.args, *node.args.kwonlyargs))
        for node in _defined(path)
    }


def _defined(path: Path) -> list[ast.FunctionDef]:
    defined = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return [node for node in defined if not node.name.startswith("_")]
