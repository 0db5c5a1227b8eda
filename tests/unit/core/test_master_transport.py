"""The door on the Salt master itself, beyond what every transport does: what it asks of Salt, and what it waits for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.salt_stub import StubbedSite
from tests.support.transport_contract import CALL, NODES
from upgrader.errors import Refused, SaltUnreachable, UsageError
from upgrader.plan.step import Call
from upgrader.transport import echoes, master
from upgrader.transport.doors import DOORS, Access

ONCE = Call("module", "test.ping", NODES, once=True)
WELL = {"return": True, "retcode": 0}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StubbedSite:
    return StubbedSite(tmp_path, monkeypatch)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time of the transport's own waiting."""
    clock = Clock()
    monkeypatch.setattr(master.time, "monotonic", clock)
    monkeypatch.setattr(master.time, "sleep", clock.pause)
    return clock


def pinged(site: StubbedSite) -> str:
    """A job of which each node must be heard once, answered by both nodes, by the first one twice."""
    jid = site.transport.new_job_id()
    site.transport.submit(ONCE, jid)
    for node in NODES:
        site.answers(jid, node, WELL)
    for node in (*NODES, NODES[0]):
        site.bus.answer(jid, node)
    return jid


def test_bus_is_listened_to_before_a_job_whose_second_answers_count_is_published(site: StubbedSite) -> None:
    site.transport.submit(CALL, site.transport.new_job_id())
    site.transport.submit(ONCE, site.transport.new_job_id())
    assert site.bus.heard_when_published == [False, True]
    assert site.bus.timeout == master.PROBE_SECONDS, "a bus that is away holds nobody up for longer"


def test_answers_that_must_come_once_are_given_when_no_second_one_is_to_come(
    site: StubbedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    jid = pinged(site)
    assert site.transport.answers(ONCE, jid) == {}
    monkeypatch.setattr(echoes, "LATE", -1.0)
    assert set(site.transport.answers(ONCE, jid)) == set(NODES)


def test_id_that_answered_twice_has_failed_and_the_others_have_not(
    site: StubbedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    jid = pinged(site)
    site.bus.answer(jid, "stranger.lab")
    site.bus.answer(jid, "stranger.lab")
    monkeypatch.setattr(echoes, "LATE", -1.0)
    replies = site.transport.answers(ONCE, jid)
    assert {node: (reply.node, reply.ok) for node, reply in replies.items()} == {
        NODES[0]: (NODES[0], False),
        NODES[1]: (NODES[1], True),
    }
    assert replies[NODES[0]].error.startswith("n1.lab answers twice: two minions have that id")
    assert not replies[NODES[0]].lost


def test_answers_of_any_other_job_wait_for_no_second_one(site: StubbedSite) -> None:
    pinged(site)
    jid = site.transport.new_job_id()
    site.transport.submit(CALL, jid)
    site.answers(jid, NODES[0], WELL)
    assert set(site.transport.answers(CALL, jid)) == {NODES[0]}


def test_pillar_is_compiled_with_the_grains_that_the_master_keeps_of_a_node(site: StubbedSite) -> None:
    site.grains[NODES[0]] = {"id": NODES[0], "os": "Ubuntu"}
    site.transport.pillars(NODES)
    assert site.asked_with == [
        (NODES[0], {"id": NODES[0], "os": "Ubuntu"}, "base"),
        (NODES[1], {"id": NODES[1]}, "base"),
    ]


def test_every_reason_why_a_pillar_does_not_compile_is_told(site: StubbedSite) -> None:
    site.compiled[NODES[0]] = {"_errors": ["no class a", "no class b"]}
    with pytest.raises(Refused) as told:
        site.transport.pillars(NODES[:1])
    assert str(told.value) == ("pillar of n1.lab cannot be compiled: no class a; no class b; mend the model in reclass")


def test_master_is_known_by_the_minion_file_beside_its_own(site: StubbedSite) -> None:
    site.config.with_name("minion").write_text("id: another.lab\n")
    assert site.transport.master_id() == "another.lab"


def test_salts_own_log_does_not_come_between_what_the_command_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    salt = logging.getLogger("salt")
    monkeypatch.setattr(salt, "propagate", True)
    monkeypatch.setattr(salt, "handlers", [])
    StubbedSite(tmp_path, monkeypatch)
    logging.getLogger("salt.transport").warning("an extra return was detected")
    assert capsys.readouterr().err == "" and caplog.records == []


def test_master_that_published_to_nobody_is_told_so_also_where_it_names_a_job(
    site: StubbedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Salt's own word for it: ``{"jid": "0", "minions": []}``."""
    monkeypatch.setattr(site, "run_job", lambda *words, **more: {"jid": "0", "minions": []})
    with pytest.raises(SaltUnreachable, match="has an accepted key; see 'salt-key -L'"):
        site.transport.submit(CALL, "7")


def test_kinds_that_this_door_carries_are_named(site: StubbedSite) -> None:
    with pytest.raises(UsageError, match=r"of kind runner; it knows module, state$"):
        site.transport.submit(Call("runner", "do.it", NODES), "1")


def test_master_has_a_quarter_of_a_minute_to_take_a_job(site: StubbedSite, clock: Clock) -> None:
    site.transport.submit(CALL, "1")
    site.transport.still_running("1", NODES)
    assert site.waits == [15, 15]


def test_who_asks_what_runs_goes_on_as_soon_as_everybody_has_answered(site: StubbedSite, clock: Clock) -> None:
    for node in NODES:
        site.runs("1", node, True)
    assert site.transport.still_running("1", NODES) == dict.fromkeys(NODES, True)
    assert clock.seconds == 0


def test_node_that_needs_a_moment_to_say_what_it_runs_is_heard(site: StubbedSite, clock: Clock) -> None:
    def late(jid: str) -> Mapping[str, Any]:
        return {NODES[0]: {"return": {"pid": 7}}} if clock.seconds >= 1.0 else {}

    site.late = late
    assert site.transport.still_running("1", NODES[:1]) == {NODES[0]: True}
    assert clock.seconds == pytest.approx(1.0, abs=0.2)


def test_silent_node_holds_nobody_up_for_longer_than_four_seconds(site: StubbedSite, clock: Clock) -> None:
    site.runs("1", NODES[0], True)
    assert site.transport.still_running("1", NODES) == {NODES[0]: True}
    assert clock.seconds == pytest.approx(master.PROBE_SECONDS, abs=0.2)


def test_question_what_runs_has_a_job_of_its_own(site: StubbedSite, clock: Clock) -> None:
    asked = site.transport.new_job_id()
    site.transport.still_running(asked, NODES)
    [probe] = site.jobs
    assert probe.isdigit() and probe != asked


def test_node_that_says_nothing_is_looked_for_at_its_machine_and_its_minion(site: StubbedSite) -> None:
    assert site.transport.silent_because(NODES[0]) == "is the machine up and salt-minion running there?"


def test_door_on_the_master_is_opened_with_the_configuration_that_was_named(tmp_path: Path) -> None:
    with pytest.raises(SaltUnreachable, match=f"no Salt master configuration at {tmp_path}/elsewhere: run this on"):
        DOORS["master"](Access(tmp_path / "elsewhere"))
