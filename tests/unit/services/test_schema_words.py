"""What tools say, what keys look like, and which service rows are Mitaka's: judged without a tool or a database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from upgrader_node.database import sql as database
from upgrader_node.errors import StepError
from upgrader_node.schema import installed, resume
from upgrader_node.schema.services import cinder, glance, keystone
from upgrader_node.schema.session import judged
from upgrader_node.service import manage
from upgrader_node.service.manage import TIMED_OUT, Outcome

from upgrader.cloud.release import release_path

KEY = b"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="
WHO = ("keystone", os.getuid(), os.getgid())


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    for number in (0, 1):
        (folder / str(number)).write_bytes(KEY)
        (folder / str(number)).chmod(0o600)
    return folder


def test_a_repository_with_proper_keys_is_no_trouble(keys: Path) -> None:
    assert keystone.trouble(str(keys), *WHO) == ""
    assert keystone.keys(str(keys)) == {0: KEY, 1: KEY}


def test_what_keystone_could_not_use_or_should_not_is_said(keys: Path) -> None:
    (keys / "1").write_bytes(keystone.NULL_KEY)
    assert "null key" in keystone.trouble(str(keys), *WHO)
    (keys / "1").write_bytes(b"short")
    assert "is not a fernet key" in keystone.trouble(str(keys), *WHO)
    (keys / "1").chmod(0o640)
    assert "can be read by others" in keystone.trouble(str(keys), *WHO)
    assert "does not belong to keystone" in keystone.trouble(str(keys), "keystone", os.getuid() + 1, os.getgid())
    for number in (0, 1):
        (keys / str(number)).unlink()
    assert "holds no key" in keystone.trouble(str(keys), *WHO)
    assert "does not exist" in keystone.trouble(str(keys / "none"), *WHO)


@pytest.mark.parametrize(
    ("binary", "rpc", "stale"),
    [
        ("cinder-scheduler", "1.11", True),
        ("cinder-scheduler", "2.0", True),
        ("cinder-scheduler", "3.5", False),
        ("cinder-volume", "1.40", True),
        ("cinder-volume", "3.10", False),
        ("cinder-backup", "1.3", True),
        ("cinder-backup", "2.0", False),
        ("cinder-backup", "", True),
        ("cinder-api", "", False),
    ],
)
def test_rows_of_services_before_ocata_are_known_by_their_rpc_version(binary: str, rpc: str, stale: bool) -> None:
    assert (
        cinder.is_stale(release_path("mitaka", "ocata").service("cinder").phase("services").args, binary, rpc) is stale
    )


def test_an_exception_in_a_log_is_told_without_the_logs_prefix() -> None:
    log = "2026-11-23 07:57:54.466 766 ERROR glance "
    said = f"{log}Traceback (most recent call last):\n{log}  File x\n{log}ValueError: no\n{log}\n"
    assert manage.last_words(Outcome("x", 1, "", said, 1.0)) == "ValueError: no"


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (1, "ERROR: (1060, u\"Duplicate column name 'x'\")", "fill the copy again"),
        (0, "Traceback (most recent call last):\nKeyError: 'x'", "ended with exit code 0: KeyError"),
        (TIMED_OUT, "", "was stopped after 5 s"),
        (2, "ERROR: (1142, 'denied')", "must be granted"),
    ],
)
def test_a_run_is_judged_by_code_and_words(code: int, said: str, words: str) -> None:
    with pytest.raises(StepError, match=words):
        judged(Outcome("heat-manage db_sync", code, said, "", 5.0))


def test_an_allowed_exit_code_is_no_failure() -> None:
    assert judged(Outcome("x", 3, "fine", "", 1.0), (2, 3)).exit_code == 3


@pytest.mark.parametrize(
    ("found", "wanted", "there"),
    [
        (database.Marks({"nova": 319}, ()), 319, True),
        (database.Marks({"nova": 320}, ()), 319, False),
        (database.Marks({}, ()), 319, False),
        (database.Marks({"Glance Migrations": 44}, ("mitaka02",)), 44, False),
        (database.Marks({"keystone": 97, "federation": 8}, ()), {"keystone": 97}, True),
        (database.Marks({"keystone": 109, "keystone_expand": 16}, ()), {"keystone": 97}, False),
        (database.Marks({}, ("4ffceebfcdc",)), "4ffceebfcdc", True),
        (database.Marks({}, ("4ffceebfcdc", "a9c43481023c")), "4ffceebfcdc", False),
    ],
)
def test_where_a_source_stands(found: database.Marks, wanted: database.Wanted, there: bool) -> None:
    assert database.stands_at(found, wanted) is there


def test_marks_are_said_shortly() -> None:
    assert database.Marks({"heat": 71}, ()).shown() == "71"
    assert database.Marks({"a": 1, "b": 2}, ()).shown() == "a 1, b 2"
    assert database.Marks({"Glance Migrations": 44}, ("pike01",)).shown() == "pike01"
    assert database.Marks({}, ()).shown() == "none"


def test_the_last_migration_is_read_from_the_files(tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    for name in ("071_mitaka.py", "086_drop.py", "086_drop.pyc", "099_x.sql", "__init__.py"):
        (tmp_path / "versions" / name).touch()
    assert installed.latest_number(str(tmp_path)) == 86
    with pytest.raises(StepError, match="cannot be read"):
        installed.latest_number(str(tmp_path / "none"))
    (tmp_path / "none" / "versions").mkdir(parents=True)
    with pytest.raises(StepError, match="has no migrations"):
        installed.latest_number(str(tmp_path / "none"))


@pytest.mark.parametrize("program", [resume.PROGRAM, glance.GLANCE_MANAGE, resume.PROGRAM + glance.GLANCE_MANAGE])
def test_programs_for_the_tools_python_can_be_read_by_it(program: str) -> None:
    """They run in Python 2.7 as in 3: nothing in them is of one alone, and none hides a name of the other."""
    compile(program, "program", "exec")
    names = [line.split(" = ")[0] for line in program.splitlines() if line[:1].isalpha() and " = " in line]
    assert len(names) == len(set(names))
    assert "print(" not in program and "f'" not in program


def test_no_such_user_is_said() -> None:
    with pytest.raises(ValueError, match="no system user nobody-of-that-name"):
        manage.account("nobody-of-that-name")


def test_a_tool_runs_as_its_user_and_with_its_home() -> None:
    if os.getuid():
        pytest.skip("only root can become another user")
    outcome = manage.run(["/usr/bin/id", "-un"], 10, user=manage.account("nobody"))
    assert outcome.stdout.strip() == "nobody"
