"""The engine itself, on a made-up service: look, run, judge; order, phases on demand, and what this version cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.database import watched
from upgrader_node.errors import StepError
from upgrader_node.release import reading
from upgrader_node.release.path import Phase
from upgrader_node.schema import driver, exclusive
from upgrader_node.schema.session import Done, Look, Service, Session, Tool, Work
from upgrader_node.schema.target import Target

PATH = reading.read(
    {
        "source": "a",
        "target": "b",
        "services": {
            "panko": {
                "role": "panko:server",
                "databases": {"main": {"source": 1}},
                "phases": [
                    {"id": "first", "title": "x", "minutes": 1, "work": "add", "args": {"by": 2}},
                    {"id": "mend", "title": "x", "minutes": 1, "work": "add", "option": "mend"},
                    {"id": "second", "title": "x", "minutes": 1, "work": "add"},
                    {"id": "free", "title": "x", "minutes": 1, "work": "add", "after": []},
                    {"id": "ask", "title": "x", "minutes": 1, "after": []},
                    {"id": "idle", "title": "x", "minutes": 1, "after": []},
                    {"id": "strange", "title": "x", "minutes": 1, "after": []},
                ],
            }
        },
    },
    "made up",
).services["panko"]


class Panko:
    """A service whose database is a dictionary: phase to the number that was added."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.asked = 0

    def look(self, session: Session, phase: Phase) -> Look:
        held = self.held.get(phase.id, 0)
        return Look(held, "" if held else "nothing is added", f"{held} is added")

    def add(self, session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
        self.held[phase.id] = int(phase.args.get("by", 1))
        return Done("added", {"timeout": timeout})

    def settled(self, session: Session, phase: Phase) -> Look:
        return Look("well", "", "well")

    def ask(self, session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
        self.asked += 1
        return Done("asked", {}, False)

    def idle(self, session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
        return None

    def session(self, folder: Path) -> Session:
        works = {
            "add": Work(self.look, self.add),
            "ask": Work(self.settled, self.ask, always=True),
            "idle": Work(self.look, self.idle),
        }
        service = Service("panko-manage", "/etc/panko.conf", works, recorded=False)
        target = Target({"main": _url()}, "/etc/panko.conf", {})
        connection: Any = watched.WatchedConnection(None)
        return Session(service, PATH, target, connection, "/bin/panko-manage", "python", None, str(folder / "lock"))


def _url() -> Any:
    from upgrader_node.database import sql

    return sql.parse_url("mysql+pymysql://u:p@h/panko_upgrade")


@pytest.fixture
def panko(monkeypatch: pytest.MonkeyPatch) -> Panko:
    @contextmanager
    def unlocked(ground: exclusive.Ground) -> Iterator[int]:
        yield 0

    monkeypatch.setattr(exclusive, "exclusively", unlocked)
    return Panko()


def done(panko: Panko, folder: Path, identity: str, **args: Any) -> dict[str, Any]:
    session = panko.session(folder)
    return driver.phase(session, driver.known(session, identity, args), 60)


def test_a_phase_is_done_once_and_tells_before_and_after(panko: Panko, tmp_path: Path) -> None:
    first = done(panko, tmp_path, "first")
    assert first == {"before": 0, "after": 2, "changed": True, "comment": "added", "timeout": 60}
    again = done(panko, tmp_path, "first")
    assert (again["changed"], again["comment"]) == (False, "2 is added") and "timeout" not in again


def test_a_call_may_replace_arguments_of_a_phase(panko: Panko, tmp_path: Path) -> None:
    assert done(panko, tmp_path, "first", by=7)["after"] == 7


def test_earlier_phases_are_demanded_but_none_that_is_on_demand(panko: Panko, tmp_path: Path) -> None:
    with pytest.raises(
        StepError, match=r"second comes after first, which is not done \(nothing is added\); run phase first"
    ):
        done(panko, tmp_path, "second")
    done(panko, tmp_path, "first")
    assert done(panko, tmp_path, "second")["changed"]


def test_a_phase_that_says_what_it_comes_after_needs_nothing_else(panko: Panko, tmp_path: Path) -> None:
    assert done(panko, tmp_path, "free")["changed"]


def test_a_tool_that_has_a_word_of_its_own_is_asked_although_nothing_is_left(panko: Panko, tmp_path: Path) -> None:
    assert done(panko, tmp_path, "ask")["changed"] is False and panko.asked == 1


def test_a_tool_is_imported_early_for_a_phase_that_runs_it_and_is_not_done(
    panko: Panko, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []
    monkeypatch.setattr(driver, "prepare", lambda session: prepared.append(session.tool))
    session = panko.session(tmp_path)
    works = dict(session.service.works, add=Work(panko.look, panko.add, commands=("add",)))
    session = session._replace(service=session.service._replace(works=works))
    for identity in ("first", "first", "ask"):
        driver.phase(session, driver.known(session, identity), 60)
    assert prepared == ["/bin/panko-manage"]


def test_a_run_without_complaint_and_without_effect_is_a_failure(panko: Panko, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="phase idle ran without a complaint, and yet nothing is added"):
        done(panko, tmp_path, "idle")


def test_a_phase_that_this_version_cannot_do_is_refused_with_those_that_it_can(panko: Panko, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="asks for 'strange', which this version cannot do; it can: add, ask, idle"):
        done(panko, tmp_path, "strange")


def test_an_unknown_phase_is_refused_with_the_known_ones(panko: Panko, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="known: first, mend, second"):
        done(panko, tmp_path, "third")
