"""Every transport, the one of the tests included, has exactly the methods of the contract, with its arguments."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.salt_in_memory import SaltInMemory
from upgrader.errors import SaltUnreachable
from upgrader.plan.step import Call
from upgrader.transport.base import Patience, Transport, collect
from upgrader.transport.master import MasterTransport

CONTRACT = [name for name, member in inspect.getmembers(Transport, inspect.isfunction) if not name.startswith("_")]
CALL = Call("module", "do.it", ("n1", "n2"), timeout=100)


@pytest.mark.parametrize("transport", [MasterTransport, SaltInMemory])
@pytest.mark.parametrize("method", CONTRACT)
def test_transport_keeps_the_contract(transport: type, method: str) -> None:
    wanted = inspect.signature(getattr(Transport, method))
    assert list(inspect.signature(getattr(transport, method)).parameters) == list(wanted.parameters)


def test_machine_without_a_salt_master_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SaltUnreachable, match="run this on the Salt master, or name it with --salt-config"):
        MasterTransport(tmp_path / "master")


def gather(salt: SaltInMemory) -> tuple[dict[str, str], float]:
    clock, jid = Clock(), salt.new_job_id()
    salt.submit(CALL, jid)
    replies = collect(salt, CALL, jid, Patience(), clock=clock, pause=clock.pause)
    return {node: reply.error for node, reply in replies.items()}, clock.seconds


def test_every_node_of_the_call_has_a_reply() -> None:
    salt = SaltInMemory(lambda call, node: {"return": 1, "retcode": 0} if node == "n1" else None)
    errors, seconds = gather(salt)
    assert errors["n1"] == ""
    assert "no longer runs" in errors["n2"]
    assert seconds < 30


def test_node_that_works_on_is_waited_for_until_the_timeout() -> None:
    salt = SaltInMemory(lambda call, node: None)
    salt.still_running = lambda jid, nodes: dict.fromkeys(nodes, True)  # type: ignore[method-assign]
    errors, seconds = gather(salt)
    assert "did not finish" in errors["n1"]
    assert seconds == pytest.approx(100, abs=10)


def test_answer_of_a_node_that_was_given_up_still_counts_while_others_are_waited_for() -> None:
    clock, salt = Clock(), SaltInMemory(lambda call, node: None)
    salt.still_running = lambda jid, nodes: {n: True for n in nodes if n == "n1"}  # type: ignore[method-assign]
    jid = salt.new_job_id()
    salt.submit(CALL, jid)

    def pause(seconds: float) -> None:
        clock.pause(seconds)
        if clock.seconds > 50:
            salt.jobs[jid] = (CALL, {node: {"return": 1, "retcode": 0} for node in CALL.nodes})

    replies = collect(salt, CALL, jid, Patience(), clock=clock, pause=pause)
    assert all(reply.ok for reply in replies.values())
