"""The layering, kept by machine: who may import what, who may print, what the oldest minion can parse."""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import tomllib

from tests.support.sources import (
    ROOT,
    below,
    calls,
    files,
    imports,
    lines_with,
    named,
    nodes,
    place,
    sources,
    text,
    tree,
)

PACKAGE, FORMULAS = ROOT / "upgrader", ROOT / "formulas"
OLDEST_MINION_PYTHON = (3, 6)
MAY_IMPORT_SALT = {"transport"}
MAY_PRINT = {"report", "cli", "lab"}
EVERYWHERE = {"errors", "content"}
LAYERS: dict[str, set[str]] = {
    "cloud": set(),
    "config": set(),
    "reclass": {"cloud"},
    "beside": {"reclass"},
    "plan": {"cloud"},
    "transport": {"plan", "config"},
    "preflight": {"cloud", "plan", "transport"},
    "journal": {"plan"},
    "hooks": {"journal", "plan", "config"},
    "engine": {"plan", "journal", "transport"},
    "report": {"plan", "journal", "transport", "engine", "reclass", "cloud", "beside"},
    "serve": {"plan", "journal", "engine", "report"},
    "cli": {
        "cloud",
        "reclass",
        "plan",
        "journal",
        "transport",
        "engine",
        "report",
        "beside",
        "config",
        "hooks",
        "serve",
        "preflight",
    },
    "lab": {"cloud", "reclass"},
}
"""Which layer may import which; all may import ``EVERYWHERE``. The flow is one-way: nothing imports what stands below it."""
LAZY_DOOR = PACKAGE / "cli" / "lazy.py"
"""The one place that loads the lab, and only when the lab is asked for."""

FILES_OF_A_FOLDER, LINES_OF_A_FILE, MEDIAN_OF_FUNCTIONS, MOST_OF_FUNCTIONS = 22, 300, 7, 20
TEXTS = {".py", ".sls", ".jinja", ".yml", ".yaml", ".json", ".md", ".sh"}


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def outside(allowed: set[str]) -> list[Path]:
    return [path for path in sources(PACKAGE) if layer(path) not in allowed]


def test_only_the_transport_imports_salt() -> None:
    paths = outside(MAY_IMPORT_SALT)
    assert [(where, name) for path in paths for where, name in imports(path) if below(name, "salt")] == []


def test_transport_imports_salt_only_when_used() -> None:
    """Importing Salt costs up to a second: `upgrader status` must not pay for it."""
    paths = sources(PACKAGE / "transport")
    assert [
        (where, name) for path in paths for where, name in named(path, tree(path).body) if name.startswith("salt")
    ] == []


def test_only_reports_and_commands_print() -> None:
    assert [where for path in outside(MAY_PRINT) for where, _, called in calls(path) if called == "print"] == []


def test_only_the_command_exits() -> None:
    paths = [path for path in sources(PACKAGE) if path.name not in ("main.py", "__main__.py", "cli.py")]
    ways = {"sys.exit", "os._exit", "exit", "quit"}
    assert [(where, called) for path in paths for where, _, called in calls(path) if called in ways] == []


def upgrader_imports(path: Path, everywhere: bool = True) -> Iterator[tuple[str, str]]:
    """Names below ``upgrader`` that a file imports, also inside functions; only at the top of the file when not ``everywhere``."""
    for node in nodes(path) if everywhere else tree(path).body:
        if isinstance(node, ast.ImportFrom) and node.module == "upgrader":
            yield from ((place(path, node.lineno), f"upgrader.{name.name}") for name in node.names)
        else:
            yield from (one for one in named(path, [node]) if one[1].startswith("upgrader."))


def may_import(path: Path) -> set[str]:
    own = {layer(path), *LAYERS[layer(path)], *EVERYWHERE, "__version__"}
    return own | {"lab"} if path == LAZY_DOOR else own


def test_layers_import_what_stands_above_them_and_nothing_else() -> None:
    assert [
        (where, name)
        for path in sources(PACKAGE)
        if layer(path) in LAYERS
        for where, name in upgrader_imports(path)
        if name.split(".")[1] not in may_import(path)
    ] == []


def test_every_folder_is_a_layer_and_the_layers_have_no_circle() -> None:
    assert {layer(path) for path in PACKAGE.rglob("*/*.py")} == set(LAYERS)
    assert not circles(LAYERS)


def test_only_the_lab_knows_the_lab_but_for_one_lazy_door() -> None:
    def lab(path: Path, everywhere: bool = True) -> list[str]:
        return [where for where, name in upgrader_imports(path, everywhere) if name.startswith("upgrader.lab")]

    assert [where for path in outside({"lab"}) if path != LAZY_DOOR for where in lab(path)] == []
    assert lab(LAZY_DOOR) != []
    assert lab(LAZY_DOOR, everywhere=False) == []


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Every name that can be reached from itself."""

    def reached(name: str) -> set[str]:
        found: set[str] = set()
        waiting = list(graph[name])
        while waiting:
            found.add(one := waiting.pop())
            waiting += [other for other in graph.get(one, ()) if other not in found]
        return found

    return [name for name in graph if name in reached(name)]


@cache
def modules_of(top: Path, package: str) -> dict[str, set[str]]:
    """Each module below a package with those that it imports, wherever in the file."""
    paths = {
        ".".join(p.relative_to(top).with_suffix("").parts).removesuffix(".__init__"): p for p in sources(top / package)
    }
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        froms = [node for node in nodes(path) if isinstance(node, ast.ImportFrom) and node.module]
        found = {name for _, name in imports(path)} | {
            f"{node.module}.{one.name}" for node in froms for one in node.names
        }
        graph[name] = {
            other for other in found if other in paths and other != name and paths[other].name != "__init__.py"
        }
    return graph


@pytest.mark.parametrize(("top", "package"), [(ROOT, "upgrader"), (FORMULAS / "_utils", "upgrader_node")])
def test_no_module_imports_itself_through_others(top: Path, package: str) -> None:
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == ["a", "b"]
    assert not circles(modules_of(top, package))


def test_folders_of_the_node_package_have_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, others in modules_of(FORMULAS / "_utils", "upgrader_node").items():
        folder = name.split(".")[1] if "." in name else ""
        graph.setdefault(folder, set()).update({other.split(".")[1] for other in others} - {folder})
    assert list(circles(graph)) == []


def test_no_folder_is_too_full_and_no_file_too_long() -> None:
    product = [*sources(PACKAGE), *sources(FORMULAS)]
    # Salt loads its modules from one folder: there it is the number of modules, not of what is in them.
    folders = [str(path.parent.relative_to(ROOT)) for path in product if path.name != "__init__.py"]
    folders = [folder for folder in folders if folder != "formulas/_modules"]
    assert {folder for folder in folders if folders.count(folder) > FILES_OF_A_FOLDER} == set()
    lines = {str(path.relative_to(ROOT)): len(text(path).splitlines()) for path in product}
    assert {name for name, number in lines.items() if number > LINES_OF_A_FILE} == set()


def test_functions_are_short() -> None:
    """Lines of code from the first statement to the last; what it is for, the docstring, is not counted."""
    numbers = []
    for path in [*sources(PACKAGE), *sources(FORMULAS)]:
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                numbers.append(body[-1].end_lineno - body[0].lineno + 1 if body else 0)  # type: ignore[operator]
    numbers.sort()
    assert numbers[len(numbers) // 2] <= MEDIAN_OF_FUNCTIONS
    assert numbers[len(numbers) * 9 // 10] <= MOST_OF_FUNCTIONS


def test_the_product_names_its_sources_itself() -> None:
    """A bug number, a release note, a measured figure: never a file that only its authors had."""
    folders = [ROOT / name for name in ("upgrader", "formulas", "reclass_classes", "docs")]
    assert lines_with(r"\bfacts/\w", [p for folder in folders for p in files(folder) if p.suffix in TEXTS]) == []


def test_cloud_reclass_and_plan_know_neither_engine_nor_journal_nor_transport() -> None:
    paths = [path for name in ("cloud", "reclass", "plan") for path in sources(PACKAGE / name)]
    forbidden = ("upgrader.engine", "upgrader.journal", "upgrader.transport", "upgrader.report", "upgrader.cli")
    assert [(where, name) for path in paths for where, name in imports(path) if name.startswith(forbidden)] == []


def test_nothing_on_a_node_imports_the_control_side() -> None:
    assert [
        (where, name) for path in sources(FORMULAS) for where, name in imports(path) if below(name, "upgrader")
    ] == []


def test_oldest_minion_python_parses_formulas() -> None:
    def refusal(path: Path) -> str:
        try:
            ast.parse(text(path), feature_version=OLDEST_MINION_PYTHON)
        except SyntaxError as error:
            return f"{place(path, error.lineno or 0)}: {error.msg}"
        return ""

    assert [refused for path in sources(FORMULAS) if (refused := refusal(path))] == []


def test_shared_logic_needs_the_standard_library_only() -> None:
    there = {*sys.stdlib_module_names, "upgrader_node"}
    found = [one for path in sources(FORMULAS / "_utils") for one in imports(path)]
    assert [(where, name) for where, name in found if name.split(".")[0] not in there] == []


def of_the_node_package(path: Path) -> dict[str, object]:
    """What a module imports of the node package, by its name there."""
    known: dict[str, object] = {}
    for node in tree(path).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "upgrader_node":
            for name in node.names:
                with contextlib.suppress(ImportError):  # a name that is no module
                    importlib.import_module(f"{node.module}.{name.name}")
                known[name.asname or name.name] = getattr(importlib.import_module(node.module), name.name)
    return known


def test_what_a_module_uses_of_the_node_package_is_there() -> None:
    """Salt's loader imports a module without running it: a name that is gone would show on a node, in the middle of a run."""
    gone = []
    for path in sources(FORMULAS / "_modules") + sources(FORMULAS / "_states"):
        known = of_the_node_package(path)
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
                gone += (
                    [] if hasattr(known[node.value.id], node.attr) else [(place(path, node.lineno), ast.unparse(node))]
                )
    assert gone == []


def test_folders_of_the_node_package_import_each_other_in_one_direction_only() -> None:
    top = FORMULAS / "_utils" / "upgrader_node"
    needs: dict[str, set[str]] = {}
    for path in sources(top):
        own = path.relative_to(top).parts[0].removesuffix(".py")
        names = [name.split(".") for _, name in imports(path) if name.startswith("upgrader_node.")]
        needs.setdefault(own, set()).update(parts[1] for parts in names if parts[1] != own)
    while needs:
        free = [name for name, others in needs.items() if not others & set(needs)]
        assert free, f"a circle among {sorted(needs)}"
        for name in free:
            del needs[name]


def test_nothing_refers_to_notes_that_a_reader_does_not_have() -> None:
    """A fact names its own source: a bug, a release note, the version that it was seen with."""
    folders = [ROOT / name for name in ("upgrader", "formulas", "reclass_classes", "docs", "benchmarks")]
    said = [p for folder in folders for p in files(folder) if p.suffix in TEXTS - {".json"}]
    assert lines_with(r"\bfacts/", [*said, ROOT / "README.md"]) == []


def test_no_shell_is_built_from_strings() -> None:
    found = [one for path in sources(PACKAGE) + sources(FORMULAS) for one in calls(path)]
    shells = ("os.system", "os.popen", "subprocess.getoutput")
    assert [(where, called) for where, _, called in found if called in shells] == []
    keywords = [(where, keyword) for where, node, _ in found for keyword in node.keywords if keyword.arg == "shell"]
    assert [where for where, keyword in keywords if ast.unparse(keyword.value) != "False"] == []


def test_every_public_salt_function_has_a_cli_example() -> None:
    functions = [
        (place(path, node.lineno), node)
        for path in sources(FORMULAS / "_modules")
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    without = [(where, one.name) for where, one in functions if "CLI Example" not in (ast.get_docstring(one) or "")]
    assert without == []


def test_packaging_lists_every_package_and_shared_module() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {"upgrader", *(".".join(p.parent.relative_to(ROOT).parts) for p in PACKAGE.rglob("__init__.py"))}
    utils = FORMULAS / "_utils"
    packages |= {".".join(p.parent.relative_to(utils).parts) for p in utils.rglob("__init__.py")}
    assert packages | {"upgrader._formulas", "upgrader._reclass_classes"} == set(setup["packages"])
    assert {path.parent for path in sources(utils)} == {path.parent for path in utils.rglob("__init__.py")}


def test_readme_quick_start_is_two_commands_of_one_line() -> None:
    section = (ROOT / "README.md").read_text().split("## Quick start", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```\w*\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 2
    assert [len(block.strip().splitlines()) for block in blocks] == [1, 1]


def test_ci_runs_the_readme_test_command_and_nothing_else() -> None:
    section = (ROOT / "README.md").read_text().split("## Quick start", 1)[1].split("\n## ", 1)[0]
    command = re.findall(r"```\w*\n(.*?)```", section, re.DOTALL)[1].strip()
    script = [
        line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.strip() and not line.startswith("#")
    ]
    assert script[-1] == f"exec {command}"
    assert len(script) <= 3
