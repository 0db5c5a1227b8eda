"""How much a Galera member holds the others up: flow control, and the queue of what it has received and not applied.

``wsrep_flow_control_paused_ns`` counts the time in which replication stood still, whichever node asked for it;
``wsrep_flow_control_sent`` counts what this node asked (galeracluster.com/library/documentation/galera-status-variables).
A cluster that is held up while nothing happens will stand still under migrations.
"""

import time
import typing

from upgrader_node.database import galera
from upgrader_node.host.findings import WARNING, Findings, of_node

SECONDS = 5.0
SHARE, QUEUED = 0.05, 100
"""Of the time that replication stood still, and write sets that wait to be applied: from here on it is told."""
NAMES = ("wsrep_flow_control_paused_ns", "wsrep_flow_control_sent", "wsrep_local_recv_queue")
Counts = typing.Mapping[str, int]
Answer = typing.Dict[str, typing.Any]


def counts(connection: typing.Any) -> Counts:
    """The counters now; none for a server that stands alone."""
    if not galera.enabled(connection):
        return {}
    said = galera.counters(connection, "wsrep_%")
    return {name: int(float(said[name])) for name in NAMES if name in said}


def state(
    node: str,
    connection: typing.Any,
    seconds: float = SECONDS,
    pause: typing.Callable[[float], None] = time.sleep,
) -> Answer:
    """What the counters did within ``seconds``."""
    before = counts(connection)
    if not before:
        return {"comment": "stands alone", "findings": []}
    pause(seconds)
    after = counts(connection)
    share = _more("wsrep_flow_control_paused_ns", before, after) / (seconds * 1e9)
    comment = "replication stood still for {:.0%} of {:.0f} s".format(share, seconds)
    return {"comment": comment, "paused": round(share, 3), "findings": judge(node, before, after, seconds)}


def judge(node: str, before: Counts, after: Counts, seconds: float) -> Findings:
    """A member that others wait for, and one that is behind."""
    share = _more("wsrep_flow_control_paused_ns", before, after) / (seconds * 1e9)
    waiting, sent = after.get("wsrep_local_recv_queue", 0), _more("wsrep_flow_control_sent", before, after)
    found = []  # type: Findings
    if share >= SHARE:
        whose = ", and this node asked for it {} times".format(sent) if sent else ""
        what = "is in a cluster that stood still for {:.0%} of {:.0f} s by flow control{}".format(share, seconds, whose)
        remedy = "find the member whose wsrep_flow_control_sent grows: its disk or its appliers do not keep up"
        found.append(of_node(node, what, remedy, WARNING, id="galera-flow-control"))
    if waiting >= QUEUED:
        what = "has {} write sets that it has received and not applied".format(waiting)
        remedy = "let it catch up; more wsrep_slave_threads, or a quicker disk, keep it from falling behind"
        found.append(of_node(node, what, remedy, WARNING, id="galera-behind"))
    return found


def _more(name: str, before: Counts, after: Counts) -> int:
    return max(0, after.get(name, 0) - before.get(name, 0))
