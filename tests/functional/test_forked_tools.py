"""The services' real tools, imported once and forked: the same words, exit codes and databases as ever, and what else may be there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.service import forked, manage, resident

from tests.functional.bench import API, INSTANCES, MAIN, STEPS, VENV, Bench, of_phase
from tests.functional.copies import SERVICES, TOOLS, VENVS, Copies
from tests.functional.minion import Minion, until
from tests.support.rehearsal import contents_of

pytestmark = pytest.mark.heavy
NOVA = "nova-manage"
MAPPED = f"SELECT COUNT(*) FROM {API}.instance_mappings WHERE cell_id IS NOT NULL"
# Keys and ids that a migration makes at random, and times that it writes as numbers: of these tables the rows are counted.
RANDOM = {
    "credential", "password", "groups", "group_snapshots", "group_types", "group_type_specs", "ipamallocationpools", "ipamallocations",
}  # fmt: skip
VERSIONS = {
    "nova": ("db", "version"), "keystone": ("db_version",), "glance": ("db", "version"), "cinder": ("db", "version"),
    "neutron": ("current",), "heat": ("db_version",),
}  # fmt: skip


@pytest.fixture(autouse=True)
def usual_roles(copies: Copies) -> Iterator[None]:
    copies.usual()
    copies.bench.set_role("upgrader", {})
    yield
    copies.bench.set_role("upgrader", {})
    copies.usual()


def command_lines() -> Iterator[tuple[int, str]]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            yield int(name), Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")


def servers(tool: str) -> list[int]:
    return [pid for pid, text in command_lines() if text.startswith(f"upgrader-fork {tool}: imported")]


def ended(tool: str) -> None:
    """Whatever is resident of a tool, an older version of it as well."""
    for pid in servers(tool):
        os.kill(pid, signal.SIGTERM)
    until(lambda: not servers(tool), f"the end of what has imported {tool}")


@pytest.mark.parametrize("service", [*SERVICES, "nova"])
def test_a_forked_tool_says_and_answers_what_the_tool_itself_does(copies: Copies, service: str) -> None:
    venv, name = (VENV, NOVA) if service == "nova" else (VENVS[service], TOOLS[service])
    conf = copies.bench.conf if service == "nova" else copies.conf(service)
    user = None if service == "nova" else manage.account(service)
    script = str(venv / "bin" / name)
    copies.bench.restore("mitaka")
    python = manage.interpreter(script, Path(script).read_text().splitlines()[0])
    for words in (VERSIONS[service], ("no_such_command",), ("--no-such-option",)):
        command = forked.Command(python, script, ("--config-file", str(conf), *words))
        ours, plain = forked.run(command, 120, user=user), manage.run(command.argv(), 120, user=user)
        # neutron prints its two heads in the order of a set.
        assert (ours.exit_code, sorted(ours.stdout.splitlines())) == (
            plain.exit_code,
            sorted(plain.stdout.splitlines()),
        ), words
        # The order in which argparse names options in a usage goes by places in memory; times and processes differ.
        assert sorted(without_prefix(ours).split()) == sorted(without_prefix(plain).split()), words
        assert ours.exit_code == (2 if words[0].startswith(("no", "--no")) else 0), ours.stderr
    assert servers(name)


def without_prefix(outcome: manage.Outcome) -> str:
    return re.sub(r"^\d{4}-\d\d-\d\d \S+ \d+ ", "", outcome.stderr, flags=re.MULTILINE)


def both_ways(bench: Bench, run: Any) -> tuple[Any, Any]:
    """What a whole upgrade answers and leaves, without forks and with them."""
    bench.set_role("upgrader", {"schema": {"fork": False}})
    plain = run()
    bench.set_role("upgrader", {})
    return plain, run()


@pytest.mark.parametrize("service", SERVICES)
def test_phases_of_a_forked_tool_leave_what_the_tool_itself_leaves(copies: Copies, service: str) -> None:
    def run() -> tuple[Any, Any, Any]:
        database = copies.fresh(service)
        answers = copies.phases(service)
        rows = contents_of(copies.bench.connection, [database])
        left = {name: text.split()[0] if name.split(".")[1] in RANDOM else text for name, text in rows.items()}
        return [answer["comment"] for answer in answers.values()], copies.shape(database), left

    ended(TOOLS[service])
    plain, ours = both_ways(copies.bench, run)
    assert plain == ours
    assert servers(TOOLS[service])


def test_novas_steps_forked_leave_what_they_leave_unforked(bench: Bench) -> None:
    def run() -> tuple[Any, Any]:
        bench.restore("mitaka")
        answers = [bench.phase(phase, **arguments)["after"] for phase, arguments in STEPS]
        return [answer for answer in answers if not isinstance(answer, str)], contents_of(bench.connection)

    ended(NOVA)
    bench.configure()
    plain, ours = both_ways(bench, run)
    assert plain == ours
    assert servers(NOVA)


def test_a_switch_in_pillar_keeps_every_command_a_process_of_its_own(mitaka: Bench) -> None:
    ended(NOVA)
    mitaka.set_role("upgrader", {"schema": {"fork": False}})
    assert mitaka.nova("api_db_sync", version=20)["changed"] and not servers(NOVA)
    mitaka.set_role("upgrader", {"schema": {"fork": "no"}})
    with pytest.raises(CommandExecutionError, match="pillar upgrader:schema:fork must be true or false, not 'no'"):
        mitaka.nova("db_sync", version=334)


def test_a_package_that_changes_under_it_is_imported_anew(mitaka: Bench) -> None:
    mitaka.nova("api_db_sync", version=20)
    (before,) = until_one(NOVA)
    (file,) = VENV.glob("lib/python*/site-packages/nova/utils.py")
    seen = file.stat()
    os.utime(
        file, (seen.st_atime, seen.st_mtime)
    )  # as dpkg does: the content's time is the package's, the entry's is now
    mitaka.nova("db_sync", version=334)
    (after,) = until_one(NOVA)
    assert after != before


def until_one(tool: str) -> list[int]:
    until(lambda: len(servers(tool)) == 1, f"one process that has {tool} imported")
    return servers(tool)


def test_verification_ends_what_is_resident(ocata: Bench) -> None:
    ocata.nova("online_data_migrations")
    until_one(NOVA)
    ocata.nova("verify")
    until(lambda: not servers(NOVA), "its end")


def test_it_holds_no_connection_and_nothing_of_the_step(mitaka: Bench) -> None:
    mitaka.nova("api_db_sync", version=20)
    (server,) = until_one(NOVA)
    links = [os.readlink(one) for one in Path(f"/proc/{server}/fd").iterdir()]
    assert len([link for link in links if link.startswith("socket:")]) == 1  # what it listens on
    assert {link for link in links if not link.startswith("socket:")} <= {"/dev/null", "/dev/urandom"}
    assert oct(os.stat(resident.FOLDER).st_mode & 0o777) == "0o700"
    sockets = [one for one in Path(resident.FOLDER).iterdir() if one.is_socket()]
    assert sockets and {oct(one.stat().st_mode & 0o777) for one in sockets} == {"0o600"}


def test_a_folder_of_somebody_elses_is_not_used(mitaka: Bench) -> None:
    ended(NOVA)
    shutil.chown(resident.FOLDER, "nobody")
    try:
        assert mitaka.nova("api_db_sync", version=20)["changed"] and not servers(NOVA)
    finally:
        shutil.chown(resident.FOLDER, "root")


def test_an_impostors_socket_is_not_asked(mitaka: Bench) -> None:
    ended(NOVA)
    script = str(VENV / "bin" / NOVA)
    python = manage.interpreter(script, Path(script).read_text().splitlines()[0])
    path = Path(resident.Server(python, script, "/var/lib/nova", None).path)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as impostor:
        impostor.bind(str(path))
        impostor.listen()
        impostor.setblocking(False)
        shutil.chown(path, "nobody")
        try:
            assert mitaka.nova("api_db_sync", version=20)["changed"]
            with pytest.raises(BlockingIOError):
                impostor.accept()
        finally:
            path.unlink()


def test_a_step_whose_waiting_process_is_killed_says_so_and_is_finished_by_the_next(migrated: Bench) -> None:
    migrated.nova("map_cell0")
    migrated.nova("create_cell")
    minion = Minion(migrated, "upgrader_schema.phase", **of_phase("map-instances", fast=False, max_count=2000))
    until(lambda: migrated.number(MAPPED) > 0, "a first mapping")
    waiting = [pid for pid, text in command_lines() if text.startswith(f"upgrader-fork {NOVA}: waits for process")]
    os.kill(waiting[0], signal.SIGKILL)
    out, _ = minion.process.communicate(timeout=120)
    assert minion.process.returncode != 0 and f"the process that waits for '{NOVA}' was lost" in out
    assert not minion.tools(NOVA)
    assert migrated.number(MAPPED) < INSTANCES
    migrated.nova("map_instances", fast=False)
    assert migrated.number(MAPPED) == INSTANCES


def test_a_killed_resident_process_disturbs_no_step(migrated: Bench) -> None:
    migrated.nova("map_cell0")
    migrated.nova("create_cell")
    minion = Minion(migrated, "upgrader_schema.phase", **of_phase("map-instances", fast=False, max_count=2000))
    until(lambda: migrated.number(MAPPED) > 0, "a first mapping")
    for pid in servers(NOVA):
        os.kill(pid, signal.SIGKILL)
    assert minion.answer()["changed"]
    assert migrated.number(MAPPED) == INSTANCES == migrated.number(f"SELECT COUNT(*) FROM {MAIN}.instances")
