"""Stand-in for Ocata's own heat-manage, which is not on PyPI (README, Stand-ins): Rocky's, without what came after Ocata.

Its commands are those of heat/cmd/manage.py in ocata-eol, and the real argparse of Rocky's tool refuses the others; its last
migration is 079, as in ocata-eol. What runs is Rocky's code all the same.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.functional.copies import VENVS

COMMANDS = (
    "db_version", "db_sync", "migrate_convergence_1", "purge_deleted", "update_params", "resource_data_list",
    "reset_stack_status", "service",
)  # fmt: skip
LAST = 79
TOOL = f"""\
import sys
from heat.cmd import manage
rockys = manage.command_opt.handler
def ocatas(subparsers):
    rockys(subparsers)
    for name in set(subparsers.choices) - set({COMMANDS!r}):
        del subparsers.choices[name]
manage.command_opt.handler = ocatas
sys.exit(manage.main())
"""


def installed(folder: Path) -> Path:
    """A venv in ``folder`` with the stand-in: its Python finds Rocky's heat without the later migrations first."""
    rocky, venv = VENVS["heat"], folder / "ocata-heat"
    (venv / "bin").mkdir(parents=True)
    (package,) = rocky.glob("lib/python*/site-packages/heat")
    shutil.copytree(package, venv / "lib" / "heat", ignore=shutil.ignore_patterns("*.pyc", "tests", "locale"))
    for migration in (venv / "lib" / "heat" / "db" / "sqlalchemy" / "migrate_repo" / "versions").glob("0*.py"):
        if int(migration.name[:3]) > LAST:
            migration.unlink()
    _script(venv / "bin" / "python", f'#!/bin/sh\nPYTHONPATH={venv}/lib exec {rocky}/bin/python "$@"\n')
    _script(venv / "bin" / "heat-manage", f"#!{venv}/bin/python\n{TOOL}")
    return venv


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
