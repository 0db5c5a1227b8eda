"""How the message queue of a node stands: alarms, partitions, members that are away, queues that grow and that nobody reads.

Since 3.7 ``rabbitmqctl`` says it in JSON; before, as Erlang terms (``{partitions,[]}``), of which the lists that matter are read. An alarm
blocks every publisher (rabbitmq.com/docs/alarms); behind a partition two halves hold different queues (rabbitmq.com/docs/partitions).
"""

import json
import re
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import BLOCKER, INFO, WARNING, Findings, of_node
from upgrader_node.service import draining, queue

Answer = typing.Dict[str, typing.Any]
Control = typing.Callable[[typing.Sequence[str]], str]
GROWS, UNREAD = 100, 1000
"""Messages that are ready: from how many on one that grows is told, and one that nobody reads."""
SECONDS = 10.0
_TERM = re.compile(r"[\w@.\-]+|'[^']*'|[\[\]{},]")


class Members(typing.NamedTuple):
    """Nodes of the cluster, those that run, those that see a partition, and the alarms."""

    known: typing.Tuple[str, ...]
    running: typing.Tuple[str, ...]
    parted: typing.Tuple[str, ...]
    alarms: typing.Tuple[str, ...]


def state(
    node: str,
    seconds: float = SECONDS,
    control: Control = queue.control,
    pause: typing.Callable[[float], None] = time.sleep,
) -> Answer:
    """Everything that is wrong with the queue. Looks at its queues twice, ``seconds`` apart.

    Raises StepError where there is no queue or its node does not run.
    """
    members = cluster(control)
    before = _queues(control)
    pause(seconds)
    after = _queues(control)
    found = judge_members(node, members) + judge_queues(node, before, after, seconds)
    waiting = sum(one.ready for one in after.values())
    comment = "{} of {} members run, {} queues, {} messages wait".format(
        len(members.running), len(members.known), len(after), waiting
    )
    return {"comment": comment, "findings": found}


def cluster(control: Control) -> Members:
    """The cluster as this node sees it."""
    try:
        return of_json(json.loads(control(["-q", "cluster_status", "--formatter", "json"])))
    except (StepError, ValueError):
        # rabbitmqctl before 3.7 knows no --formatter; what really is wrong is said by the next command.
        return of_terms(control(["-q", "cluster_status"]), control(["-q", "status"]))


def of_json(said: typing.Mapping[str, typing.Any]) -> Members:
    """As 3.7 and newer say it. A partition maps a node to those that it does not see."""
    known = [*said.get("disk_nodes", ()), *said.get("ram_nodes", ())]
    parted = said.get("partitions") or {}
    return Members(
        tuple(sorted(map(str, known))), tuple(sorted(map(str, said.get("running_nodes", ())))), tuple(sorted(parted)),
        tuple(sorted(filter(None, map(_alarm, said.get("alarms") or ())))),
    )  # fmt: skip


def _alarm(said: typing.Any) -> str:
    """``memory on rabbit@msg01``: an alarm is a mapping since 3.8, and a list of words before."""
    if isinstance(said, typing.Mapping):
        return "{} on {}".format(said.get("resource") or said.get("type") or "alarm", said.get("node", "a node"))
    words = [str(word) for word in _flat(said) if str(word) != "resource_limit"]
    return "{} on {}".format(*words[:2]) if len(words) > 1 else " ".join(words)


def of_terms(status: str, own: str) -> Members:
    """As Erlang terms. ``own`` is what ``status`` says of this node alone: before 3.6 the alarms stand only there."""
    nodes = _inside(status, "nodes")
    known = [word for word in _words(nodes) if word not in ("disc", "ram", "disk")]
    alarms = _words(_inside(own, "alarms")) + _words(_inside(status, "alarms"))
    return Members(
        tuple(sorted(known)), tuple(sorted(_words(_inside(status, "running_nodes")))),
        tuple(sorted(_words(_inside(status, "partitions")))), tuple(sorted({word for word in alarms if "@" not in word} - {"resource_limit"})),
    )  # fmt: skip


def _inside(text: str, key: str) -> str:
    """What stands in ``{key,[ ... ]}``, to the bracket that closes it; "" where it does not stand."""
    start = re.search(r"\{\s*" + key + r"\s*,\s*\[", text)
    if not start:
        return ""
    depth, begin = 1, start.end()
    for place in range(begin, len(text)):
        depth += {"[": 1, "]": -1}.get(text[place], 0)
        if not depth:
            return text[begin:place]
    return text[begin:]


def _words(text: str) -> typing.List[str]:
    return [word.strip("'") for word in _TERM.findall(text) if word not in "[]{},"]


def _flat(said: typing.Any) -> typing.Iterator[typing.Any]:
    if isinstance(said, (list, tuple)):
        for one in said:
            yield from _flat(one)
    elif said not in (None, ""):
        yield said


def judge_members(node: str, members: Members) -> Findings:
    """Alarms and partitions stop the upgrade; a member that does not run is told."""
    found = []  # type: Findings
    away = sorted(set(members.known) - set(members.running))
    if members.alarms:
        what = "has a queue with an alarm ({}), so that nobody can publish".format(", ".join(members.alarms))
        remedy = "free memory or disk on that node ('rabbitmqctl status' has the limits)"
        found.append(of_node(node, what, remedy, BLOCKER, id="queue-alarm"))
    if members.parted:
        what = "has a queue whose cluster is partitioned ({})".format(", ".join(members.parted))
        remedy = "stop the smaller half and start it again, one node after the other"
        found.append(of_node(node, what, remedy, BLOCKER, id="queue-partition"))
    if away:
        what = "has a queue whose cluster lacks {} of {} members".format(len(away), len(members.known))
        remedy = "start them, or let the cluster forget them ('rabbitmqctl forget_cluster_node')"
        found.append(of_node(node, what, remedy, WARNING, id="queue-members", rows=away, count=len(away)))
    return found


Queues = typing.Mapping[str, draining.Queue]


def _queues(control: Control) -> typing.Dict[str, draining.Queue]:
    found = {}
    hosts = [line for line in control(["-q", "list_vhosts"]).splitlines() if line.strip() and line != "name"]
    for host in hosts:
        text = control(["-q", "list_queues", "-p", host, *draining.NAMES])
        found.update({"{} {}".format(host, one.name): one for one in draining.parse(text)})
    return found


def judge_queues(node: str, before: Queues, after: Queues, seconds: float) -> Findings:
    """Queues whose readers do not keep up, and queues that nobody reads; notifications are unread on many clouds."""
    found = []  # type: Findings
    growing = [
        name for name, one in sorted(after.items()) if one.readers and one.ready >= GROWS and _grew(name, before, one)
    ]
    unread = [name for name, one in sorted(after.items()) if not one.readers and one.ready >= UNREAD]
    if growing:
        rows = [
            "{}: {} ready, {} more in {:.0f} s".format(n, after[n].ready, after[n].ready - before[n].ready, seconds)
            for n in growing
        ]
        what = "has {} queues that grow although somebody reads them".format(len(growing))
        remedy = "look at the service that should read them: it is behind, or stands"
        found.append(of_node(node, what, remedy, WARNING, id="queue-grows", rows=rows, count=len(rows)))
    if unread:
        rows = ["{}: {} ready".format(name, after[name].ready) for name in unread]
        what = "has {} queues with {} messages or more that nobody reads".format(len(unread), UNREAD)
        remedy = "purge them, or set a limit by a policy: they fill the node's memory or disk"
        found.append(of_node(node, what, remedy, INFO, id="queue-unread", rows=rows, count=len(rows)))
    return found


def _grew(name: str, before: Queues, now: draining.Queue) -> bool:
    return name in before and now.ready > before[name].ready
