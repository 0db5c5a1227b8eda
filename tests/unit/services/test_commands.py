"""What a phase makes of a tool without its command: real argparse in a real process, of a tool that knows three commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.database import sql, watched
from upgrader_node.errors import StepError
from upgrader_node.release import reading
from upgrader_node.release.path import Phase
from upgrader_node.schema import commands, driver, exclusive
from upgrader_node.schema.session import Look, Service, Session, Tool, Work
from upgrader_node.schema.target import Target
from upgrader_node.upgrade.services import SERVICES

TOOL = """\
import argparse, sys
parser = argparse.ArgumentParser(prog="panko-manage")
parser.add_argument("--config-file")
kinds = parser.add_subparsers(dest="command")
sync = kinds.add_parser("db_sync")
sync.add_argument("--expand", action="store_true")
inner = kinds.add_parser("service").add_subparsers(dest="action")
inner.add_parser("clean")
kinds.add_parser("broken")
if "broken" in sys.argv:
    raise KeyError("no such driver")
parser.parse_args()
with open(%r, "a") as ran:
    ran.write(" ".join(sys.argv[3:]) + "\\n")
"""
WHY = "b's panko needs no moving"


def path(absent: str = "") -> Any:
    move = {"id": "move", "title": "x", "minutes": 1, **({"absent": absent} if absent else {})}
    phases = [{"id": "sync", "title": "x", "minutes": 1}, move, {"id": "last", "title": "x", "minutes": 1}]
    service = {"role": "panko:server", "databases": {"main": {"source": 1}}, "phases": phases}
    return reading.read({"source": "a", "target": "b", "services": {"panko": service}}, "made up").services["panko"]


class Panko:
    """Phases that are done when the tool has run; ``ran`` is the file that the tool writes its words to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ran = folder, folder / "ran"
        script = folder / "panko-manage"
        script.write_text(f"#!{sys.executable}\n" + TOOL % str(self.ran))
        script.chmod(0o755)
        self.done: set[str] = set()

    def look(self, session: Session, phase: Phase) -> Look:
        return Look(phase.id, "" if phase.id in self.done else "rows are left", "no row is left")

    def work(self, *words: str) -> Work:
        def do(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
            tool.run(words, timeout)
            self.done.add(phase.id)

        return Work(self.look, do, commands=(" ".join(words),))

    def session(self, absent: str = "", **words: str) -> Session:
        given = {"sync": "db_sync --expand", "move": "move_rows", "last": "service clean", **words}
        works = {identity: self.work(*said.split()) for identity, said in given.items()}
        service = Service("panko-manage", "/etc/panko.conf", works, recorded=False)
        target = Target({"main": sql.parse_url("mysql+pymysql://u:p@h/panko_upgrade")}, "/etc/panko.conf", {})
        connection: Any = watched.WatchedConnection(None)
        tool, lock = str(self.folder / "panko-manage"), str(self.folder / "lock")
        return Session(service, path(absent), target, connection, tool, sys.executable, None, lock)


@pytest.fixture
def panko(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Panko:
    @contextmanager
    def unlocked(ground: exclusive.Ground) -> Iterator[int]:
        with open(tmp_path / "lock", "w") as lock:
            yield lock.fileno()

    monkeypatch.setattr(exclusive, "exclusively", unlocked)
    monkeypatch.setattr(watched.WatchedConnection, "demand_lock", lambda self: None)
    return Panko(tmp_path)


def done(session: Session, identity: str) -> dict[str, Any]:
    return driver.phase(session, driver.known(session, identity), 60)


@pytest.mark.parametrize(
    ("asked", "lacks"),
    [
        (("db_sync", "db_sync --expand", "service clean"), ""),
        (("db_sync --expand", "db_sync --check"), "db_sync --check"),
        (("service remove",), "service remove"),
        (("move_rows", "db_sync"), "move_rows"),
    ],
)
def test_commands_their_parts_and_options_are_asked_for_and_nothing_is_run(
    panko: Panko, asked: tuple[str, ...], lacks: str
) -> None:
    assert commands.lacking(panko.session(), asked) == lacks
    assert not panko.ran.exists()


def test_a_phase_is_passed_over_where_the_path_says_that_the_tool_may_be_without_its_command(panko: Panko) -> None:
    session = panko.session(WHY)
    assert done(session, "sync")["changed"]
    answer = done(session, "move")
    assert (answer["changed"], answer["before"], answer["after"]) == (False, "move", "move")
    assert answer["comment"] == (
        "passed over: panko-manage on this node has no command 'move_rows', as the release path has it: " + WHY
    )
    assert done(session, "last")["changed"], "what comes after it may begin"
    assert driver._unfinished(session) == []
    assert panko.ran.read_text().splitlines() == ["db_sync --expand", "service clean"]


def test_a_tool_that_has_the_command_does_the_phase_all_the_same(panko: Panko) -> None:
    session = panko.session(WHY, move="db_sync")
    done(session, "sync")
    assert done(session, "move")["changed"] and panko.ran.read_text().splitlines() == ["db_sync --expand", "db_sync"]


def test_without_such_a_word_an_unknown_command_fails_before_anything_is_run(panko: Panko) -> None:
    session = panko.session()
    done(session, "sync")
    with pytest.raises(StepError) as caught:
        done(session, "move")
    sentence = str(caught.value)
    assert sentence.startswith("'panko-manage move_rows' is no command of the tool on this node (")
    assert (
        "invalid choice: 'move_rows'" in sentence and "the release path does not say that it may be without" in sentence
    )
    assert sentence.endswith("; install B's panko; nothing was done")
    with pytest.raises(StepError, match="last comes after move, which is not done"):
        done(session, "last")
    assert panko.ran.read_text().splitlines() == ["db_sync --expand"]


def test_a_tool_that_cannot_say_what_it_knows_is_broken_not_without(panko: Panko) -> None:
    with pytest.raises(
        StepError, match=r"'panko-manage broken --help' ended with exit code 1: KeyError: 'no such driver'"
    ):
        commands.lacking(panko.session(), ("broken",))


def test_an_option_that_the_tool_does_not_know_is_no_command_either(panko: Panko) -> None:
    with pytest.raises(StepError, match=r"'panko-manage db_sync --contract' is no command .*--contract"):
        done(panko.session(sync="db_sync --contract"), "sync")


# Phases that remove rows by id need no tool; the repair runs nova-manage only where there is something to repair.
WITHOUT_TOOL = {("cinder", "services"), ("heat", "engines"), ("nova", "repair-server-groups"), ("nova", "services")}


def test_every_kind_of_phase_says_which_commands_it_needs() -> None:
    works = {(service, name): work for service, held in SERVICES.items() for name, work in held.works.items()}
    assert {key for key, work in works.items() if not work.commands} == WITHOUT_TOOL
