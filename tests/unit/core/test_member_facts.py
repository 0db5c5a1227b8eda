"""What a node says of itself around a kept member, before, in the window, on the way back and on the way forward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.restore import facts, judgement, kept_back, kept_facts, kept_holding, servers

from tests.support.member_world import GIVEN, MEMBERS, NODE, OTHER, UUID, World

HELD = {"unrenamable": lambda where: "", "option_files": dict, "free": lambda where: 10**12}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "node").mkdir()
    made = World(tmp_path / "node", monkeypatch)
    for name, answer in HELD.items():
        monkeypatch.setattr(facts, name, answer)
    monkeypatch.setattr(kept_facts.local_server, "options", lambda which: {"wsrep_cluster_address": "gcomm://a,b,c"})
    monkeypatch.setattr(servers, "can_found", lambda salt: True)
    monkeypatch.setattr(servers, "would_found", lambda: "")
    monkeypatch.setattr(kept_facts, "_of_server", lambda server, state: {"clients": 0, "data": 0, "gcache": 0})
    return made


def at(world: World, node: str) -> Any:
    return world.server._replace(node=node)


def hold(world: World) -> None:
    kept_holding.hold(world.server, "run-1", MEMBERS, 1, world.salt())


def whats(answer: dict[str, Any]) -> list[str]:
    return [one["what"] for one in answer["findings"]]


def test_member_says_where_it_is_before_and_that_it_is_kept_after(world: World) -> None:
    said = kept_facts.check(world.server, "run-1", NODE, MEMBERS, world.salt())
    assert (said["comment"], said["findings"]) == ("Synced, seqno 518", [])
    hold(world)
    said = kept_facts.check(world.server, "run-1", NODE, MEMBERS, world.salt())
    assert (said["comment"], said["findings"]) == ("is kept by this run already", [])
    assert whats(kept_facts.check(world.server, "run-2", NODE, MEMBERS, world.salt())) == [
        f"{NODE} is the kept member of run run-1"
    ]


def test_window_is_judged_on_both_sides(world: World) -> None:
    with pytest.raises(StepError, match="run run-1 keeps no member on dbs03"):
        kept_facts.window(world.server, "run-1", NODE, MEMBERS, world.salt())
    world.say(size=2)
    said = kept_facts.window(at(world, OTHER), "run-1", NODE, MEMBERS, world.salt())
    assert (said["comment"], said["findings"]) == ("2 members serve; one more that fails ends the quorum", [])
    world.say(size=1, status="non-Primary")
    assert "no quorum" in whats(kept_facts.window(at(world, OTHER), "run-1", NODE, MEMBERS, world.salt()))[0]
    world.say(size=3, status="Primary")
    hold(world)
    said = kept_facts.window(world.server, "run-1", NODE, MEMBERS, world.salt())
    assert (said["comment"], said["findings"]) == (f"kept at {UUID}:518", [])


def other(world: World, run: str = "back-1") -> dict[str, Any]:
    return kept_facts.check_other(at(world, OTHER), GIVEN, run, MEMBERS, world.salt())


def test_other_says_how_far_it_went_on_as_long_as_it_can(world: World) -> None:
    world.say(size=2, seqno=900)
    said = other(world)
    assert (said["comment"], said["seqno"], said["findings"]) == (
        "is at seqno 900: 382 events since the kept moment are given up", 900, [],
    )  # fmt: skip
    world.stop()
    assert other(world)["seqno"] == 900
    world.write_state(-1)
    assert other(world)["comment"] == "cannot say how far it went on since seqno 518"


def test_other_that_was_put_aside_says_so(world: World) -> None:
    world.say(size=2)
    kept_back.stop("back-1", 1, world.salt())
    kept_back.set_aside(OTHER, GIVEN, "back-1", world.salt())
    assert other(world)["comment"] == "was put aside by this run already"


def test_other_of_another_cluster_and_a_fourth_member_are_refused(world: World) -> None:
    world.say(size=3)
    assert "a member was added since" in whats(other(world))[0]
    world.stop()
    world.write_state(3, "11111111-2222-3333-4444-555555555555")
    assert "the cluster was founded anew since" in whats(other(world))[0]


def test_kept_member_says_its_position_on_the_way_back(world: World) -> None:
    hold(world)
    said = kept_facts.check_back(world.server, GIVEN, "back-1", world.salt())
    assert (said["comment"], said["findings"]) == (f"kept at {UUID}:518", [])
    world.start("by somebody")
    assert "was started by somebody" in whats(kept_facts.check_back(world.server, GIVEN, "back-1", world.salt()))[0]


def test_member_after_the_way_back_is_one_of_the_whole_cluster(world: World) -> None:
    said = kept_facts.verify(world.server, GIVEN, MEMBERS)
    assert (said["comment"], said["findings"]) == ("Synced, seqno 518: 0 events since the kept moment", [])
    world.say(size=2)
    assert "sees 2 members" in whats(kept_facts.verify(world.server, GIVEN, MEMBERS))[0]
    world.stop()
    assert "says nothing" in whats(kept_facts.verify(world.server, GIVEN, MEMBERS))[0]


def test_cluster_that_takes_its_member_back_is_well_and_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.say(size=2)
    there = at(world, OTHER)
    assert kept_facts.check_rejoin(there, GIVEN, MEMBERS, world.salt())["findings"] == []
    foreign = {**GIVEN, "galera": {**GIVEN["galera"], "uuid": judgement.NO_UUID}}
    assert "is in cluster" in whats(kept_facts.check_rejoin(there, foreign, MEMBERS, world.salt()))[0]
    world.say(size=3)
    hold(world)
    said = kept_facts.check_rejoin(world.server, GIVEN, MEMBERS, world.salt())
    assert (said["comment"], said["findings"]) == ("is kept", [])
