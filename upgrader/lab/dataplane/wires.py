"""The wires of computes and gateways beside the lab's own: the provider network with what lies outside, and the mesh of the tunnels.

Both are bridges in the lab's network namespace. On the provider network that namespace is the outside: the gateway of the generated
cloud's external network, and behind it an address that no router has in a subnet of its own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from functools import partial

from upgrader.errors import LabError
from upgrader.lab.machine.network import LabNetwork
from upgrader.lab.machine.process import wait_until
from upgrader.lab.mitaka.networks import OUTSIDE_CIDR, OUTSIDE_GATEWAY
from upgrader.lab.topology import NodePlan

OUTSIDE, MESH = "br-phys", "br-mesh"
# What an instance reaches by its default route only (a network for documentation: RFC 5737).
BEYOND = "198.51.100.1"
# Bridge -> (prefix of the lab's end, name of the node's end).
ENDS = {OUTSIDE: ("vp-", "phys0"), MESH: ("vm-", "mesh0")}
# Tunnels carry whole packets of instances and their own head.
MESH_MTU = "1600"
WIRE_SECONDS = 10


def lay(network: LabNetwork, plans: Iterable[NodePlan]) -> None:
    """Makes the bridges where there are nodes for them; what is there stays."""
    if not any(plan.wired for plan in plans):
        return
    for bridge in ENDS:
        if not _there(network, bridge):
            _ip(network, "link", "add", bridge, "type", "bridge", "forward_delay", "0")
        _ip(network, "link", "set", bridge, "up")
    length = OUTSIDE_CIDR.partition("/")[2]
    _ip(network, "addr", "replace", f"{OUTSIDE_GATEWAY}/{length}", "dev", OUTSIDE)
    _ip(network, "addr", "replace", f"{BEYOND}/32", "dev", "lo")


def options(plan: NodePlan) -> list[str]:
    """What nspawn is told: interfaces, the right to make more of them, and the kernel's door for a switch in userspace."""
    if not plan.wired:
        return []
    pairs = [f"--network-veth-extra={prefix}{plan.name}:{inner}" for prefix, inner in ENDS.values()]
    return ["--capability=all", "--bind=/dev/net/tun", *pairs]


def clear(network: LabNetwork, plan: NodePlan) -> None:
    """Takes away what is left of a node that was killed."""
    for prefix, _ in ENDS.values() if plan.wired else ():
        if _there(network, prefix + plan.name):
            _ip(network, "link", "delete", prefix + plan.name)


def attach(network: LabNetwork, plan: NodePlan) -> None:
    """Puts the lab's ends of a started node on the bridges; nspawn makes them while the node's init starts."""
    for bridge, (prefix, _) in ENDS.items() if plan.wired else ():
        end = prefix + plan.name
        wait_until(partial(_there, network, end), WIRE_SECONDS, f"interface {end} of the node")
        mtu = ("mtu", MESH_MTU) if bridge == MESH else ()
        _ip(network, "link", "set", end, *mtu, "master", bridge, "up")


def _there(network: LabNetwork, name: str) -> bool:
    command = ["ip", "-n", network.namespace, "link", "show", "dev", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _ip(network: LabNetwork, *words: str) -> None:
    done = subprocess.run(["ip", "-n", network.namespace, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"`ip {' '.join(words)}` failed in the lab's network {network.namespace}: {done.stderr.strip()}")
