"""The layering, kept by machine: who may import what, who may print, what the oldest minion can parse."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).parents[2]
PACKAGE, FORMULAS = ROOT / "upgrader", ROOT / "formulas"
OLDEST_MINION_PYTHON = (3, 6)
MAY_IMPORT_SALT = {"transport"}
MAY_PRINT = {"report", "cli", "lab"}


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def outside(allowed: set[str]) -> list[Path]:
    return [path for path in sources(PACKAGE) if layer(path) not in allowed]


@pytest.mark.parametrize("path", outside(MAY_IMPORT_SALT), ids=str)
def test_only_the_transport_imports_salt(path: Path) -> None:
    assert not [name for name in imports(path) if name == "salt" or name.startswith("salt.")]


def test_transport_imports_salt_only_when_used() -> None:
    """Importing Salt costs up to a second: `upgrader status` must not pay for it."""
    for path in sources(PACKAGE / "transport"):
        top = [node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert not [ast.unparse(node) for node in top if re.match(r"(import|from) salt", ast.unparse(node))]


@pytest.mark.parametrize("path", outside(MAY_PRINT), ids=str)
def test_only_reports_and_commands_print(path: Path) -> None:
    called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [f for f in called if isinstance(f, ast.Name) and f.id == "print"]


@pytest.mark.parametrize(
    "path", [p for p in sources(PACKAGE) if p.name not in ("main.py", "__main__.py", "cli.py")], ids=str
)
def test_only_the_command_exits(path: Path) -> None:
    called = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not {"sys.exit", "os._exit", "exit", "quit"} & set(called)


PURE = [p for name in ("model", "plan") for p in sources(PACKAGE / name)]


@pytest.mark.parametrize("path", PURE, ids=str)
def test_model_and_plan_know_neither_engine_nor_journal_nor_transport(path: Path) -> None:
    forbidden = ("upgrader.engine", "upgrader.journal", "upgrader.transport", "upgrader.report", "upgrader.cli")
    assert not [name for name in imports(path) if name.startswith(forbidden)]


@pytest.mark.parametrize("path", sources(FORMULAS), ids=str)
def test_nothing_on_a_node_imports_the_control_side(path: Path) -> None:
    assert not [name for name in imports(path) if name == "upgrader" or name.startswith("upgrader.")]


@pytest.mark.parametrize("path", sources(FORMULAS), ids=str)
def test_oldest_minion_python_parses_formulas(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=OLDEST_MINION_PYTHON)


@pytest.mark.parametrize("path", sources(FORMULAS / "_utils"), ids=str)
def test_shared_logic_needs_the_standard_library_only(path: Path) -> None:
    import sys

    for name in imports(path):
        top = name.split(".")[0]
        assert top in sys.stdlib_module_names or top.startswith("upgrader_"), name


@pytest.mark.parametrize("path", sources(PACKAGE) + sources(FORMULAS), ids=str)
def test_no_shell_is_built_from_strings(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("os.system", "os.popen", "subprocess.getoutput")
            assert not [k for k in node.keywords if k.arg == "shell" and ast.unparse(k.value) != "False"]


def test_every_function_that_a_plan_names_exists_in_the_formulas() -> None:
    from tests.support.clouds import lab_pillar
    from upgrader.model.cloud import cloud_from_pillar
    from upgrader.plan import STAGES, make_plan
    from upgrader.plan.step import Options

    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    given = Options(receipt="20170801T101500Z-1a2b")
    plans = [make_plan(cloud, part, stage, "f", given) for part, stages in STAGES.items() for stage in stages]
    calls = [call for plan in plans for s in plan.steps() for call in (s.call, s.check, s.undo, s.progress) if call]
    for call in calls:
        module, function = call.function.split(".")
        if call.kind == "state":
            for name in str(call.args["mods"]).split(","):
                sls = FORMULAS / name.replace(".", "/")
                assert sls.with_suffix(".sls").is_file() or (sls / "init.sls").is_file(), call
        elif module.startswith("upgrader_"):
            tree = ast.parse((FORMULAS / "_modules" / f"{module}.py").read_text())
            found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert function in found, call.function
            assert set(call.args) <= {argument.arg for argument in found[function].args.args}, call.function


def test_every_public_salt_function_has_a_cli_example() -> None:
    for path in sources(FORMULAS / "_modules"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert "CLI Example" in (ast.get_docstring(node) or ""), f"{path.name}:{node.name}"


def test_packaging_lists_every_package_and_shared_module() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {"upgrader", *(".".join(p.parent.relative_to(ROOT).parts) for p in PACKAGE.rglob("__init__.py"))}
    assert packages | {"upgrader._formulas", "upgrader._reclass_classes"} == set(setup["packages"])
    assert {path.stem for path in sources(FORMULAS / "_utils")} == set(setup["py-modules"])


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
