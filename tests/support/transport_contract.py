"""What every transport must do, whichever door to Salt it is. A test module subclasses this and gives it a ``site``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pytest

from upgrader.errors import SaltUnreachable
from upgrader.plan.step import Call
from upgrader.transport.base import Transport

NODES = ("n1.lab", "n2.lab")
CALL = Call("module", "do.it", NODES, {"word": "x"})


class Site(Protocol):
    """A Salt of two nodes that a test can steer. ``published`` lists what reached the nodes."""

    transport: Transport
    published: list[tuple[str, tuple[str, ...], Mapping[str, Any]]]

    def answers(self, jid: str, node: str, answer: Mapping[str, Any]) -> None:
        """Let a node's answer to a job arrive."""

    def runs(self, jid: str, node: str, running: bool | None) -> None:
        """Let a node say that it runs a job or not; None: it does not say anything."""

    def away(self) -> None:
        """Let the master be down from now on."""

    def pillar(self, node: str, pillar: Mapping[str, Any]) -> None:
        """Give a node a pillar."""


class TransportContract:
    """Behaviour, not names: each test does what the engine does and looks at what reached the nodes."""

    AWAY = "is salt-master running"

    def test_job_ids_are_made_by_the_caller_and_differ(self, site: Site) -> None:
        made = [site.transport.new_job_id() for _ in range(50)]
        assert len(set(made)) == 50
        assert all(jid.isdigit() for jid in made)

    def test_call_reaches_exactly_the_nodes_it_names_with_its_arguments(self, site: Site) -> None:
        site.transport.submit(Call("module", "do.it", NODES[:1], {"word": "x"}), site.transport.new_job_id())
        assert site.published == [("do.it", NODES[:1], {"word": "x"})]

    def test_job_is_known_once_it_was_published_and_not_before(self, site: Site) -> None:
        jid, other = site.transport.new_job_id(), site.transport.new_job_id()
        assert not site.transport.is_known(jid)
        site.transport.submit(CALL, jid)
        assert site.transport.is_known(jid)
        assert not site.transport.is_known(other)

    def test_submit_does_not_wait_for_answers_and_they_come_one_by_one(self, site: Site) -> None:
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        assert site.transport.answers(CALL, jid) == {}
        site.answers(jid, NODES[1], {"return": 3, "retcode": 0})
        (node,) = site.transport.answers(CALL, jid)
        assert node == NODES[1]
        site.answers(jid, NODES[0], {"return": 4, "retcode": 0})
        assert {node: r.value for node, r in site.transport.answers(CALL, jid).items()} == {NODES[0]: 4, NODES[1]: 3}

    def test_answers_are_judged(self, site: Site) -> None:
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        site.answers(jid, NODES[0], {"return": "ERROR: no", "retcode": 1})
        reply = site.transport.answers(CALL, jid)[NODES[0]]
        assert (reply.node, reply.ok, reply.error, reply.lost) == (NODES[0], False, "no", False)

    def test_job_that_nobody_knows_has_no_answers(self, site: Site) -> None:
        assert site.transport.answers(CALL, site.transport.new_job_id()) == {}

    @pytest.mark.parametrize("said", [(True, False), (True, True), (False, False), (None, True), (None, None)])
    def test_nodes_say_whether_they_run_a_job_and_silence_is_no_answer(
        self, site: Site, said: Sequence[bool | None]
    ) -> None:
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        for node, running in zip(NODES, said, strict=True):
            site.runs(jid, node, running)
        expected = {node: running for node, running in zip(NODES, said, strict=True) if running is not None}
        assert site.transport.still_running(jid, NODES) == expected

    def test_asking_whether_a_job_runs_is_not_an_answer_to_it(self, site: Site) -> None:
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        site.runs(jid, NODES[0], True)
        site.transport.still_running(jid, NODES)
        assert site.transport.answers(CALL, jid) == {}

    def test_only_the_nodes_that_are_asked_about_are_told_of(self, site: Site) -> None:
        jid = site.transport.new_job_id()
        site.transport.submit(CALL, jid)
        for node in NODES:
            site.runs(jid, node, True)
        assert site.transport.still_running(jid, NODES[:1]) == {NODES[0]: True}

    def test_master_that_is_away_is_told_so_with_the_remedy(self, site: Site) -> None:
        site.away()
        with pytest.raises(SaltUnreachable, match=self.AWAY):
            site.transport.submit(CALL, site.transport.new_job_id())

    def test_pillars_are_those_of_exactly_the_nodes_that_were_named(self, site: Site) -> None:
        for node in NODES:
            site.pillar(node, {"name": node})
        assert site.transport.pillars(NODES[:1]) == {NODES[0]: {"name": NODES[0]}}
        assert site.transport.pillars([]) == {}
