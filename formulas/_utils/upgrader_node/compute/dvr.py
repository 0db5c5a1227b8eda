"""Distributed routing through a restart of neutron's Open vSwitch agent: one flow that is missing for a moment, held in its place.

The agent lays the flow of a bridge without distributed routers first: what comes from the integration bridge goes past DVR_PROCESS (table 1).
Then it asks neutron-server for its DVR address, and only behind the answer it lays the other one back (``ovs_neutron_agent.py`` of 8.x
to 10.x: ``setup_tunnel_br_flows``, ``get_dvr_mac_address``, ``setup_dvr_flows``). Frames that leave meanwhile carry the router's own
address, which is the same on every compute: each of those learns that its router is on the other side of the tunnel, and drops what its
instances send there until its own router speaks, some 30 s later. ``drop_flows_on_start`` has no part in it.

So a copy of that flow, one priority higher, stands in front of it for as long as the agent starts. What it leaves behind after a kill is what the
agent has there itself, and the agent removes it, with every other flow that is not its own, at the end of its next start.
"""

import re
import tempfile
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pipeline

AGENT = "neutron-openvswitch-agent"
COOKIE = 0x7570677261646572  # "upgrader" in ASCII
SECONDS = 20.0
PAUSE = 0.2
_FLOW = re.compile(
    r"^ *cookie=(?P<cookie>0x[0-9a-f]+),.*?\bpriority=(?P<priority>\d+),in_port=(?P<port>\"?[\w.-]+\"?) "
    r"actions=(?:resubmit\(,1\)|goto_table:1)$"
)


class Flow(typing.NamedTuple):
    """A flow that sends what comes from one port to DVR_PROCESS. ``cookie`` tells one start of an agent from the next."""

    bridge: str
    port: str
    priority: int
    cookie: int


def told(bridge: str, text: str) -> typing.List[Flow]:
    """The flows of that kind in what ``ovs-ofctl dump-flows BRIDGE table=0`` prints."""
    found = [match for match in map(_FLOW.match, text.splitlines()) if match]
    return [
        Flow(bridge, match.group("port").strip('"'), int(match.group("priority")), int(match.group("cookie"), 16))
        for match in found
    ]


def look() -> typing.List[Flow]:
    """Such flows of every bridge of this node: none where routers are not distributed."""
    return [flow for bridge in _ovs("ovs-vsctl", "list-br").split() for flow in _of(bridge)]


def hold() -> typing.List[Flow]:
    """Stand in front of the agent's flows; returns those. Raises StepError when Open vSwitch refuses."""
    found = [flow for flow in look() if flow.cookie != COOKIE]
    for flow in found:
        words = "cookie={:#x},table=0,priority={},in_port={},actions=resubmit(,1)"
        _ovs("ovs-ofctl", "add-flow", flow.bridge, words.format(COOKIE, flow.priority + 1, flow.port))
    return found


def release(held: typing.Sequence[Flow], patience: float) -> bool:
    """Step aside once the agent has laid its own flows anew; False, and the copies stay, when it has not within the seconds."""
    until = time.monotonic() + patience
    while not all(_anew(flow) for flow in held):
        if time.monotonic() > until:
            return False
        time.sleep(PAUSE)
    for bridge in sorted({flow.bridge for flow in held}):
        _ovs("ovs-ofctl", "del-flows", bridge, "cookie={:#x}/-1".format(COOKIE))
    return True


def _anew(held: Flow) -> bool:
    now = [flow for flow in _of(held.bridge) if (flow.port, flow.priority) == (held.port, held.priority)]
    return any(flow.cookie not in (held.cookie, COOKIE) for flow in now)


def _of(bridge: str) -> typing.List[Flow]:
    return told(bridge, _ovs("ovs-ofctl", "dump-flows", bridge, "table=0"))


def _ovs(*command: str) -> str:
    with tempfile.TemporaryFile() as said:
        ended = pipeline.run([list(command)], stdout=said, timeout=SECONDS)[0]
        if ended.code:
            what = "'{}': {}; see whether Open vSwitch runs on this node, then 'upgrader resume'"
            raise StepError(what.format(" ".join(command), pipeline.describe(ended)))
        said.seek(0)
        return said.read().decode("utf-8", "replace")
