"""What rabbitmqctl says of a cluster, in the words of the releases that Mitaka's clouds have, and in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from upgrader_node.errors import StepError
from upgrader_node.service.draining import Queue
from upgrader_node.standing import rabbitmq

# As 3.2 and 3.5 print them (ctl nodes of an MCP cloud), and as 3.6 does, with its alarms.
WHOLE = """[{nodes,[{disc,[rabbit@ctl01,rabbit@ctl02,rabbit@ctl03]}]},
 {running_nodes,[rabbit@ctl02,rabbit@ctl03,rabbit@ctl01]},
 {cluster_name,<<"rabbit@ctl01">>},
 {partitions,[]}]
...done."""
PARTED = """[{nodes,[{disc,[rabbit@ctl01,rabbit@ctl02]},{ram,['rabbit@msg-03']}]},
 {running_nodes,[rabbit@ctl01]},
 {partitions,[{rabbit@ctl01,[rabbit@ctl02,
                             'rabbit@msg-03']}]}]"""
ALARMED = """[{nodes,[{disc,[rabbit@ctl01,rabbit@ctl02]}]},
 {running_nodes,[rabbit@ctl02,rabbit@ctl01]},
 {partitions,[]},
 {alarms,[{rabbit@ctl02,[]},{rabbit@ctl01,[memory]}]}]"""
OWN = '[{pid,1164},\n {alarms,[]},\n {listeners,[{clustering,25672,"::"},{amqp,5672,"0.0.0.0"}]}]'
OWN_ALARMED = "[{pid,1164},\n {alarms,[{resource_limit,disk,rabbit@ctl01}]}]"


@pytest.mark.parametrize(
    ("status", "own", "expected"),
    [
        (WHOLE, OWN, (("rabbit@ctl01", "rabbit@ctl02", "rabbit@ctl03"),) * 2 + ((), ())),
        (PARTED, OWN, (("rabbit@ctl01", "rabbit@ctl02", "rabbit@msg-03"), ("rabbit@ctl01",), ("rabbit@ctl01", "rabbit@ctl02", "rabbit@msg-03"), ())),
        (ALARMED, OWN, (("rabbit@ctl01", "rabbit@ctl02"),) * 2 + ((), ("memory",))),
        (WHOLE, OWN_ALARMED, (("rabbit@ctl01", "rabbit@ctl02", "rabbit@ctl03"),) * 2 + ((), ("disk",))),
    ],
)  # fmt: skip
def test_terms_are_read(status: str, own: str, expected: tuple[tuple[str, ...], ...]) -> None:
    assert tuple(rabbitmq.of_terms(status, own)) == expected


def said(**more: object) -> dict[str, object]:
    return {
        "alarms": [], "partitions": {}, "disk_nodes": ["rabbit@a", "rabbit@b"], "ram_nodes": [], "running_nodes": ["rabbit@a", "rabbit@b"], **more,
    }  # fmt: skip


def test_json_is_read() -> None:
    parted = rabbitmq.of_json(said(partitions={"rabbit@a": ["rabbit@b"]}, running_nodes=["rabbit@a"]))
    assert (parted.running, parted.parted) == (("rabbit@a",), ("rabbit@a",))
    new = rabbitmq.of_json(said(alarms=[{"node": "rabbit@a", "resource": "memory", "type": "resource_limit"}]))
    old = rabbitmq.of_json(said(alarms=[[["resource_limit", "disk", "rabbit@b"], []]]))
    assert (new.alarms, old.alarms) == (("memory on rabbit@a",), ("disk on rabbit@b",))


def control(
    status: str | None, queues: Sequence[str], old: tuple[str, str] = (WHOLE, OWN)
) -> Callable[[Sequence[str]], str]:
    """rabbitmqctl of 3.7 and newer with this JSON, or an older one that does not know the option."""
    left = list(queues)

    def answer(words: Sequence[str]) -> str:
        if "--formatter" in words:
            if status is None:
                raise StepError("rabbitmqctl cluster_status ended with exit code 2: {bad_argument, ...}")
            return status
        if words[1] == "list_vhosts":
            return "name\n/openstack"
        if words[1] == "list_queues":
            return left.pop(0)
        return old[0] if words[1] == "cluster_status" else old[1]

    return answer


BEFORE = "messages_ready\tmessages_unacknowledged\tconsumers\tname\n150\t0\t1\tconductor\n5000\t0\t0\tnotifications.info\n3\t0\t1\tcert\n"
AFTER = "400\t2\t1\tconductor\n5100\t0\t0\tnotifications.info\n9\t0\t1\tcert\n"


@pytest.mark.parametrize("status", [json.dumps(said()), None])
def test_queue_that_grows_and_one_that_nobody_reads_are_told(status: str | None) -> None:
    waited: list[float] = []
    answer = rabbitmq.state("msg01", 5.0, control(status, [BEFORE, AFTER]), waited.append)
    assert waited == [5.0]
    assert [(one["id"], one["severity"], one["rows"]) for one in answer["findings"]] == [
        ("queue-grows", "warning", ["/openstack conductor: 400 ready, 250 more in 5 s"]),
        ("queue-unread", "info", ["/openstack notifications.info: 5100 ready"]),
    ]


def test_queues_that_are_read_are_no_finding() -> None:
    few = "1\t0\t1\tconductor\n"
    answer = rabbitmq.state("msg01", 5.0, control(json.dumps(said()), [few, few]), lambda seconds: None)
    assert answer["findings"] == [] and answer["comment"] == "2 of 2 members run, 1 queues, 1 messages wait"


def test_alarm_and_partition_stop_and_a_member_that_is_away_is_told() -> None:
    members = rabbitmq.Members(("rabbit@a", "rabbit@b"), ("rabbit@a",), ("rabbit@a",), ("memory on rabbit@a",))
    found = rabbitmq.judge_members("msg01", members)
    assert [(one["id"], one["severity"]) for one in found] == [
        ("queue-alarm", "blocker"), ("queue-partition", "blocker"), ("queue-members", "warning"),
    ]  # fmt: skip
    assert found[2]["rows"] == ["rabbit@b"] and all(one["remedy"] for one in found)


def test_queue_that_is_new_or_empties_does_not_grow() -> None:
    now = {"q": Queue("q", 500, 0), "new": Queue("new", 500, 0)}
    assert rabbitmq.judge_queues("msg01", {"q": Queue("q", 900, 0)}, now, 5.0) == []


def test_node_without_a_queue_says_so() -> None:
    def none(words: Sequence[str]) -> str:
        raise StepError("there is no /usr/sbin/rabbitmqctl: this node has no message queue")

    with pytest.raises(StepError, match="has no message queue"):
        rabbitmq.state("msg01", 5.0, none)
