"""The parts of the fast path that need no database: judging a worker, casting specs, keeping statements small."""

from __future__ import annotations

import json

import pytest
from upgrader_node.nova import bulk, door, records, worker
from upgrader_node.service.manage import Outcome

DONE = {"specs": 7, "keypairs": 9, "left": {}, "memory": 90 * 1024, "died": 0}
UUID = "11111111-2222-4333-8444-555555555555"


def ended(exit_code: int = 0, stderr: str = "", **changes: object) -> Outcome:
    return Outcome(
        bulk.WORKER, exit_code, "a warning of some library\n" + json.dumps({**DONE, **changes}) + "\n", stderr, 1.0
    )


def test_a_worker_that_did_all_says_how_many_rows() -> None:
    found = bulk.judge_worker(ended())
    assert found.made == {"request specs": 7, "keypair records": 9} and found.left == {} and found.memory_mb == 90
    assert found.said == "7 request spec(s) and 9 keypair record(s) made in bulk by nova's own objects"


def test_rows_left_to_nova_are_told_by_reason() -> None:
    found = bulk.judge_worker(ended(left={"member of a server group": 3, "no flavor in instance_extra": 1}))
    assert found.said.endswith("; left to nova-manage: 3 member of a server group, 1 no flavor in instance_extra")
    assert sum(found.left.values()) == 4


def test_a_process_that_died_leaves_the_rest_to_nova_and_is_told() -> None:
    found = bulk.judge_worker(
        ended(1, "Traceback (most recent call last):\nAssertionError: a request spec from a mould differs\n", died=1)
    )
    assert "the rest is left to nova-manage because 1 worker process(es) died (AssertionError" in found.said
    assert found.made["request specs"] == 7


def test_a_refusal_means_plain_nova_manage() -> None:
    outcome = Outcome(bulk.WORKER, worker.REFUSED, json.dumps({"refused": "the installed nova is 16.0.0"}), "", 1.0)
    assert bulk.judge_worker(outcome) == bulk.Bulk({}, {}, "plain nova-manage, because the installed nova is 16.0.0")


@pytest.mark.parametrize("text", ["", "Killed", "[1, 2]", '{"other": 1}'])
def test_no_result_means_plain_nova_manage(text: str) -> None:
    found = bulk.judge_worker(Outcome(bulk.WORKER, -9, text, "MemoryError: no memory\n", 1.0))
    assert found.made == {} and found.said.startswith("plain nova-manage, because the bulk worker")


def test_a_cast_has_its_own_uuid_project_and_zone_escaped() -> None:
    blank = json.dumps(
        {"uuid": records.MOULD.uuid, "again": records.MOULD.uuid, "p": records.MOULD.project, "z": records.MOULD.zone}
    )
    text = records.cast(blank, UUID, 'büro "7"', "az\\1")
    assert json.loads(text) == {"uuid": UUID, "again": UUID, "p": 'büro "7"', "z": "az\\1"} and text.isascii()


def test_statements_stay_below_their_size_and_lose_no_row() -> None:
    rows = ["x" * size for size in (5, 5, 5, 40, 1, 9)]
    packets = list(door.packets(rows, len, 10))
    assert [len(packet) for packet in packets] == [2, 1, 1, 2] and [row for packet in packets for row in packet] == rows
    assert list(door.packets([], len, 10)) == []


def test_shares_of_all_processes_are_all_chunks_once() -> None:
    chunks = worker.chunks(list(range(1003)), 250)
    shares = [chunks[number::3] for number in range(3)]
    assert sorted(one for share in shares for chunk in share for one in chunk) == list(range(1003))


def test_what_is_kept_of_kinds_never_grows_without_bound() -> None:
    kept = dict.fromkeys(range(door.KINDS_KEPT))
    door.room(kept)
    assert kept == {}
