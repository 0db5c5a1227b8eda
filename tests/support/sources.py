"""The sources of this checkout, each read and parsed once, and where in them something stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts))


def sources(folder: Path) -> list[Path]:
    return [path for path in files(folder) if path.suffix == ".py"]


@cache
def text(path: Path) -> str:
    return path.read_text()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything in a file, however deep."""
    return tuple(ast.walk(tree(path)))


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def named(path: Path, found: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Where and what: the modules that ``found`` imports by their whole names."""
    for node in found:
        if isinstance(node, ast.Import):
            yield from ((place(path, node.lineno), name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield place(path, node.lineno), node.module


def imports(path: Path) -> Iterator[tuple[str, str]]:
    return named(path, nodes(path))


def calls(path: Path) -> Iterator[tuple[str, ast.Call, str]]:
    """Where, and what is called."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            yield place(path, node.lineno), node, dotted(node.func)


def dotted(node: ast.expr) -> str:
    """``os.path.join`` as it is written; nothing for what is more than names."""
    if isinstance(node, ast.Name):
        return node.id
    head = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{head}.{node.attr}" if head and isinstance(node, ast.Attribute) else ""


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def lines_with(pattern: str, paths: Iterable[Path]) -> list[str]:
    """Where a pattern stands."""
    texts = ((path, text(path)) for path in paths)
    return [
        place(path, held.count("\n", 0, found.start()) + 1)
        for path, held in texts
        for found in re.finditer(pattern, held)
    ]
