"""One list of behaviours, seen at a real Salt through each of its doors: what a node does or fails to do comes out the same."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.functional.doors import QUICK, engine, opened
from tests.functional.salt_site import MASTER, NODES, SaltSite, running, until
from tests.functional.ssh_site import SshSite
from upgrader.errors import SaltUnreachable
from upgrader.journal.journal import Journal, read_journal
from upgrader.plan.step import Call
from upgrader.transport.base import Patience, Transport
from upgrader.transport.collect import collect
from upgrader.transport.reply import Reply

ONE, OTHER = NODES
SOAK = pytest.mark.soak
SSH = pytest.param("ssh", marks=pytest.mark.heavy)  # the other two Salts of the bench have no paramiko
UNICODE = {"name": "Größe ☃ 漢字", "rows": [1, 2.5, None, True, {"deep": ["'", '"', "\\", "a\nb", "$(id)", "{{ x }}"]}]}


@pytest.fixture(autouse=True)
def usual_pillar() -> None:
    """These tests need no database."""


class World(Protocol):
    """What a test does to the nodes, and to the way to them."""

    folder: Path

    def lines(self, name: str) -> list[str]: ...

    def silenced(self, node: str) -> AbstractContextManager[None]: ...

    def break_the_way(self) -> None: ...

    def away(self) -> AbstractContextManager[None]: ...


@pytest.fixture(scope="module")
def salt_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SaltSite]:
    with running(SaltSite(tmp_path_factory.mktemp("salt"))) as made:
        yield made


@pytest.fixture(scope="module")
def ssh_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshSite]:
    with running(SshSite(tmp_path_factory.mktemp("ssh"))) as made:
        yield made


@pytest.fixture(params=["master", "api", SSH])
def door(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def site(door: str, request: pytest.FixtureRequest) -> World:
    made: World = request.getfixturevalue("ssh_site" if door == "ssh" else "salt_site")
    return made


@pytest.fixture
def transport(door: str, site: World) -> Transport:
    return opened(door, site.folder)


def ask(transport: Transport, function: str, nodes: tuple[str, ...] = NODES, **args: Any) -> dict[str, Reply]:
    kind = "state" if function.startswith("state.") else "module"
    call, jid = Call(kind, function, nodes, args, timeout=60), transport.new_job_id()
    transport.submit(call, jid)
    return collect(transport, call, jid, QUICK)


def one(transport: Transport, function: str, **args: Any) -> Reply:
    return ask(transport, function, (ONE,), **args)[ONE]


def test_answer_comes_back_as_it_was_given_in_any_script(transport: Transport) -> None:
    replies = ask(transport, "contract.value", value=UNICODE)
    assert {node: (reply.ok, reply.value) for node, reply in replies.items()} == dict.fromkeys(NODES, (True, UNICODE))


def test_call_reaches_the_nodes_that_it_names_and_no_other(transport: Transport, site: World, door: str) -> None:
    assert one(transport, "contract.counted", path=str(site.folder / f"only-{door}")).ok
    assert site.lines(f"only-{door}") == [ONE]


def test_huge_answer_comes_back_whole(transport: Transport) -> None:
    assert len(one(transport, "contract.many", count=900_000).value) == 900_000


def test_answer_that_salt_would_cut_comes_whole_or_is_a_failure_with_the_remedy(
    transport: Transport, door: str
) -> None:
    reply = one(transport, "contract.many", count=4_000_000)
    if door == "ssh":
        assert len(reply.value) == 4_000_000
    else:
        assert not reply.ok and "set max_event_size" in reply.error


@pytest.mark.parametrize("value", [None, 0, "", [], {}, "some words", 3.5, [{"a": 1}]], ids=repr)
def test_any_value_of_a_function_is_an_answer(transport: Transport, value: Any) -> None:
    reply = one(transport, "contract.value", value=value)
    assert (reply.ok, reply.value) == (True, value)


def test_function_that_refuses_is_told_in_its_own_sentence(transport: Transport) -> None:
    reply = one(transport, "contract.fails", words="disk ☃ is full; make room")
    assert (reply.ok, reply.lost, reply.error) == (False, False, "disk ☃ is full; make room")


def test_function_that_breaks_is_told_by_its_last_line(transport: Transport) -> None:
    reply = one(transport, "contract.breaks")
    assert not reply.ok and "what is not there" in reply.error and "\n" not in reply.error


def test_function_that_no_node_has_is_told_by_name(transport: Transport) -> None:
    reply = one(transport, "contract.nowhere")
    assert not reply.ok and "contract.nowhere" in reply.error


def test_argument_that_a_function_does_not_take_is_told_by_name(transport: Transport) -> None:
    reply = one(transport, "contract.value", worth=1)
    assert not reply.ok and not reply.lost and "worth" in reply.error


def test_states_that_pass_are_counted(transport: Transport) -> None:
    reply = one(transport, "state.apply", mods="contract.good")
    assert (reply.ok, reply.value) == (True, {"states": 1})


@pytest.mark.parametrize(
    ("sls", "named"),
    [("contract.bad", "bad: "), ("contract.absent", "contract.absent"), ("contract.broken", "contract.broken")],
)
def test_states_that_fail_are_missing_or_do_not_render_are_told_by_name(
    transport: Transport, sls: str, named: str
) -> None:
    reply = one(transport, "state.apply", mods=sls)
    assert not reply.ok and not reply.lost and named in reply.error


def test_answer_of_the_wrong_type_where_states_are_expected_is_a_failure(transport: Transport) -> None:
    call, jid = Call("state", "contract.value", (ONE,), {"value": "well"}, timeout=30), transport.new_job_id()
    transport.submit(call, jid)
    reply = collect(transport, call, jid, QUICK)[ONE]
    assert not reply.ok and not reply.lost and "well" in reply.error


# Salt waits long for what does not come; what comes of it is collected by the same code for every door.
@pytest.mark.parametrize("door", ["master", pytest.param("api", marks=SOAK), SSH])
def test_silent_node_is_lost_and_the_others_answer_stands(transport: Transport, site: World) -> None:
    with site.silenced(OTHER):
        replies = ask(transport, "contract.value", value=1)
    assert replies[ONE].ok
    assert (replies[OTHER].ok, replies[OTHER].lost) == (False, True)
    assert re.search(rf"{OTHER}(: nothing answers at| does not answer)", replies[OTHER].error), replies


def test_call_to_nodes_that_nobody_knows_is_refused_by_name(transport: Transport) -> None:
    with pytest.raises(SaltUnreachable, match=r"contract\.value .*nobody: .*gone\.contract\.local"):
        ask(transport, "contract.value", ("gone.contract.local",), value=1)


# The kind is that of the silent node, where somebody carries the question to minions.
@pytest.mark.parametrize("door", [pytest.param("master", marks=SOAK), pytest.param("api", marks=SOAK), SSH])
def test_node_that_nobody_knows_among_others_is_lost(transport: Transport) -> None:
    replies = ask(transport, "contract.value", (ONE, "gone.contract.local"), value=1)
    assert replies[ONE].ok and replies["gone.contract.local"].lost


def test_node_that_works_on_when_time_is_up_is_running_and_its_answer_is_read_later(transport: Transport) -> None:
    call, jid = Call("module", "test.sleep", (ONE,), {"length": 25}, timeout=3), transport.new_job_id()
    transport.submit(call, jid)
    reply = collect(transport, call, jid, QUICK)[ONE]
    assert (reply.ok, reply.running, reply.lost) == (False, True, False)
    assert f"{ONE} still runs test.sleep" in reply.error and transport.looked_after(ONE, jid) in reply.error
    assert transport.still_running(jid, NODES) == {ONE: True, OTHER: False}
    until(lambda: transport.answers(call, jid), "the answer")
    assert transport.answers(call, jid)[ONE].ok
    assert transport.still_running(jid, (ONE,)) == {ONE: False}


def test_job_that_was_killed_on_its_node_is_lost_and_not_waited_for(transport: Transport) -> None:
    began, call, jid = time.monotonic(), Call("module", "contract.dies", (ONE,), timeout=300), transport.new_job_id()
    transport.submit(call, jid)
    reply = collect(transport, call, jid, QUICK)[ONE]
    assert reply.lost and "no longer runs contract.dies" in reply.error
    assert time.monotonic() - began < 150


def test_job_is_known_to_another_command_once_it_was_published(door: str, site: World) -> None:
    first, second = opened(door, site.folder), opened(door, site.folder)
    jid, never = first.new_job_id(), first.new_job_id()
    assert not second.is_known(jid)
    first.submit(Call("module", "test.ping", NODES), jid)
    assert second.is_known(jid) and not second.is_known(never)
    assert second.answers(Call("module", "test.ping", NODES), never) == {}


def test_pillar_is_the_masters_own_of_nodes_that_are_dead_too(transport: Transport) -> None:
    assert transport.master_id() == MASTER
    wanted = (ONE, "never.contract.local")
    assert transport.pillars(wanted) == {node: {"name": node, "word": "Größe ☃", "secret": "s3cret"} for node in wanted}


def test_function_reads_its_pillar_and_salt_keeps_the_value_as_it_is(transport: Transport) -> None:
    assert one(transport, "contract.secret").value == "s3cret"


def test_what_a_function_makes_has_the_rights_that_a_minion_gives(transport: Transport) -> None:
    assert one(transport, "contract.umask").value == 0o022


def test_killed_command_is_taken_up_by_the_next_one_and_nothing_runs_twice(
    door: str, site: World, tmp_path: Path
) -> None:
    mark, path = f"work-{door}", tmp_path / "r.jsonl"
    words = [door, str(site.folder), str(path), str(site.folder / mark), "8"]
    command = subprocess.Popen([sys.executable, "-m", "tests.functional.doors", *words], cwd=Path(__file__).parents[2])
    until(lambda: len(site.lines(mark)) == 2, "both nodes at work")
    command.send_signal(signal.SIGKILL)
    command.wait()
    assert not [record for record in read_journal(path) if record["event"] == "step-finished"]
    outcome = engine(Journal.open(path), opened(door, site.folder)).resume("test")
    assert outcome.ok
    assert sorted(site.lines(mark)) == sorted(NODES)


def test_job_that_runs_while_the_way_to_it_breaks_is_collected(door: str, site: World) -> None:
    transport, mark = opened(door, site.folder), f"broken-{door}"
    work = {"path": str(site.folder / mark), "seconds": 20}
    call, jid = Call("module", "contract.counted", (ONE,), work, timeout=120), transport.new_job_id()
    transport.submit(call, jid)
    until(lambda: site.lines(mark) == [ONE], "the job at work")
    site.break_the_way()
    patience = Patience(tick=0.1, probe_every=3.0, silence=90.0, grace=20.0)
    reply = collect(transport if door == "ssh" else opened(door, site.folder), call, jid, patience)[ONE]
    assert (reply.ok, reply.value, site.lines(mark)) == (True, "counted", [ONE]), reply


@pytest.mark.parametrize("door", ["master", "api"])
def test_two_minions_of_one_id_are_told_and_not_waited_for_long(door: str, salt_site: SaltSite) -> None:
    transport = opened(door, salt_site.folder)
    call, jid = Call("module", "test.ping", NODES, timeout=60, once=True), transport.new_job_id()
    with salt_site.clone(OTHER):
        transport.submit(call, jid)
        replies = collect(transport, call, jid, QUICK)
    assert replies[ONE].ok
    assert f"{OTHER} answers twice" in replies[OTHER].error


# Before Salt says that its master is away one minute passes, and three through salt-api.
@pytest.mark.parametrize("door", [pytest.param("master", marks=SOAK), pytest.param("api", marks=SOAK), SSH])
def test_nobody_who_carries_calls_is_told_with_the_remedy(door: str, site: World) -> None:
    transport = opened(door, site.folder)
    with site.away(), pytest.raises(SaltUnreachable, match=r"is salt-master running|sshd running there\?") as told:
        transport.submit(Call("module", "test.ping", NODES), transport.new_job_id())
    assert told.value.exit_code == 5


def test_no_secret_is_in_a_log_or_a_command_line(salt_site: SaltSite) -> None:
    """The last of the list: whatever the tests before it did has left its words."""
    site = salt_site
    password = site.password_file.read_text().strip().encode()
    kept = {site.password_file, site.folder / "accounts"}
    logs = [path for path in site.folder.rglob("*") if path.is_file() and path not in kept and path.name in site.LOGS]
    assert logs and [path for path in logs if password in path.read_bytes()] == []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            line = Path("/proc", entry, "cmdline")
            assert not line.exists() or password not in _bytes(line)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
