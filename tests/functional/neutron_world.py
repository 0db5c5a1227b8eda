"""Network namespaces with the devices, rules, routes and translations that neutron's l3 and DHCP agents of Ocata make.

A stand-in for the agents, not for the network: Linux bridges stand in for Open vSwitch, namespaces for instances, and everything
that is looked at or asked is the kernel's own. One distributed router (with a floating address, and its shared address), one
central router, one DHCP namespace, and beyond the external network's gateway one address more.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

NETWORK = "e7a1c0de-0000-4000-8000-000000000001"
DISTRIBUTED = "d15a0001-1111-4111-8111-111111111111"
CENTRAL = "ce27a001-2222-4222-8222-222222222222"
TENANT = "7e4a4700-3333-4333-8333-333333333333"
FIP, ROUTER, SNAT = f"fip-{NETWORK}", f"qrouter-{DISTRIBUTED}", f"snat-{DISTRIBUTED}"
LEGACY, QDHCP = f"qrouter-{CENTRAL}", f"qdhcp-{TENANT}"
WITH_FLOATING, WITHOUT, BEHIND_LEGACY = "i-floating", "i-without", "i-legacy"
FPR, RFP, FG, SNAT_QG, LEGACY_QG = (
    "fpr-d15a0001-1",
    "rfp-d15a0001-1",
    "fg-00000001-00",
    "qg-00000002-00",
    "qg-00000003-00",
)
QR, TAP = "qr-00000004-00", "tap00000005-00"
TABLE, SHARED_TABLE = str((169 << 24) + (254 << 16) + (106 << 8) + 115), str(10 << 24 | 1)
GATEWAY, BEYOND, FLOATING, FIXED = "203.0.113.1", "198.51.100.1", "203.0.113.77", "10.0.0.5"
OUTSIDE, SWITCHES = "world-outside", "world-switches"
ALL = (FIP, ROUTER, SNAT, LEGACY, QDHCP, WITH_FLOATING, WITHOUT, BEHIND_LEGACY, OUTSIDE, SWITCHES)


def run(*words: str) -> str:
    """A program's words. Raises when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def within(namespace: str, *words: str) -> str:
    """What a program says in a namespace; ``ip`` goes there by itself, which is quicker."""
    return run("ip", "-n", namespace, *words[1:]) if words[0] == "ip" else run("ip", "netns", "exec", namespace, *words)


@dataclass
class World:
    """The world, and where its ``state_path`` is."""

    state: Path
    ports: dict[tuple[str, str], str] = field(default_factory=dict)

    def build(self) -> None:
        for name in ALL:
            run("ip", "netns", "add", name)
            within(name, "ip", "link", "set", "lo", "up")
            within(
                name, "sysctl", "-qw", f"net.ipv4.ip_forward={int(name.startswith(('fip', 'qr', 'snat', 'world-o')))}"
            )
            within(name, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        for bridge in ("external", "tenant", "other"):
            within(SWITCHES, "ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0")
            within(SWITCHES, "ip", "link", "set", bridge, "up")
        self._outside()
        self._distributed()
        self._shared()
        self._central()
        self._dhcp()

    def _outside(self) -> None:
        self.plug(OUTSIDE, "eth0", "external", f"{GATEWAY}/24")
        within(OUTSIDE, "ip", "addr", "add", f"{BEYOND}/32", "dev", "lo")

    def _distributed(self) -> None:
        """A compute's part: the router, the namespace of floating addresses, and two instances of which one has such an address."""
        self.plug(FIP, FG, "external", "203.0.113.10/24")
        within(FIP, "sysctl", "-qw", f"net.ipv4.conf.{FG}.proxy_arp=1")
        run("ip", "link", "add", RFP, "netns", ROUTER, "type", "veth", "peer", "name", FPR, "netns", FIP)
        for namespace, device, address in ((ROUTER, RFP, "169.254.106.114/31"), (FIP, FPR, "169.254.106.115/31")):
            within(namespace, "ip", "addr", "add", address, "dev", device)
            within(namespace, "ip", "link", "set", device, "up")
        within(FIP, "ip", "rule", "add", "iif", FPR, "table", TABLE, "priority", TABLE)
        self.route_of_floating()
        within(FIP, "ip", "route", "add", f"{FLOATING}/32", "via", "169.254.106.114", "dev", FPR)
        self.plug(ROUTER, QR, "tenant", "10.0.0.1/24")
        self.guest(WITH_FLOATING, "tenant", f"{FIXED}/24", "10.0.0.1")
        self.guest(WITHOUT, "tenant", "10.0.0.6/24", "10.0.0.1")
        within(ROUTER, "ip", "rule", "add", "from", FIXED, "table", "16", "priority", "32769")
        within(ROUTER, "ip", "route", "add", "default", "via", "169.254.106.115", "dev", RFP, "table", "16")
        self.nat(ROUTER, "PREROUTING", "-d", f"{FLOATING}/32", "-i", RFP, "-j", "DNAT", "--to-destination", FIXED)
        self.nat(ROUTER, "float-snat", "-s", f"{FIXED}/32", "-j", "SNAT", "--to-source", FLOATING)
        self.write("fip-priorities", f"{FLOATING},32769\n")

    def route_of_floating(self) -> None:
        """As the agent of Ocata sets it when it is right."""
        within(FIP, "ip", "route", "replace", "default", "via", GATEWAY, "dev", FG, "table", TABLE)

    def _shared(self) -> None:
        """A gateway's part of the same router: its shared address, which those without a floating one leave by."""
        self.plug(SNAT, SNAT_QG, "external", "203.0.113.20/24")
        self.plug(SNAT, "sg-00000006-00", "tenant", "10.0.0.254/24")
        within(SNAT, "ip", "route", "add", "default", "via", GATEWAY, "dev", SNAT_QG)
        self.nat(SNAT, "snat", "-s", "10.0.0.0/24", "-o", SNAT_QG, "-j", "SNAT", "--to-source", "203.0.113.20")
        within(ROUTER, "ip", "rule", "add", "from", "10.0.0.1/24", "table", SHARED_TABLE, "priority", SHARED_TABLE)
        within(ROUTER, "ip", "route", "add", "default", "via", "10.0.0.254", "dev", QR, "table", SHARED_TABLE)
        # A router of two hosts that is whole on one: else each side would answer neighbours for itself.
        within(ROUTER, "sysctl", "-qw", f"net.ipv4.conf.{QR}.send_redirects=0", "net.ipv4.conf.all.send_redirects=0")

    def _central(self) -> None:
        self.plug(LEGACY, LEGACY_QG, "external", "203.0.113.30/24")
        self.plug(LEGACY, "qr-00000007-00", "other", "10.1.0.1/24")
        within(LEGACY, "ip", "route", "add", "default", "via", GATEWAY, "dev", LEGACY_QG)
        self.nat(LEGACY, "snat", "-o", LEGACY_QG, "-j", "SNAT", "--to-source", "203.0.113.30")
        self.guest(BEHIND_LEGACY, "other", "10.1.0.5/24", "10.1.0.1")

    def _dhcp(self) -> None:
        self.plug(QDHCP, TAP, "tenant", "10.0.0.2/24")
        within(QDHCP, "ip", "route", "add", "default", "via", "10.0.0.1", "dev", TAP)
        self.write(f"dhcp/{TENANT}/opts", "tag:tag0,option:dns-server,10.0.0.2\ntag:tag0,option:router,10.0.0.1\n")
        ports = ((FIXED, "05"), ("10.0.0.6", "06"), ("10.0.0.2", "02"))
        lines = [f"fa:16:3e:00:00:{end},host-{one.replace('.', '-')}.openstacklocal,{one}\n" for one, end in ports]
        self.write(f"dhcp/{TENANT}/host", "".join(lines))

    def plug(self, namespace: str, device: str, bridge: str, address: str) -> None:
        """A device of a namespace, its other end at a bridge, as Open vSwitch would have it."""
        port = self.ports[(namespace, device)] = f"port{len(self.ports)}"
        run("ip", "link", "add", device, "netns", namespace, "type", "veth", "peer", "name", port, "netns", SWITCHES)
        within(SWITCHES, "ip", "link", "set", port, "master", bridge, "up")
        within(namespace, "ip", "addr", "add", address, "dev", device)
        within(namespace, "ip", "link", "set", device, "up")

    def guest(self, name: str, bridge: str, address: str, gateway: str) -> None:
        self.plug(name, "eth0", bridge, address)
        within(name, "ip", "route", "add", "default", "via", gateway)

    def cable(self, namespace: str, device: str, way: str) -> None:
        """Pull the cable of a device (``down``) or plug it in again (``up``), at the bridge's end."""
        within(SWITCHES, "ip", "link", "set", self.ports[(namespace, device)], way)

    def nat(self, namespace: str, chain: str, *words: str) -> None:
        """A rule in a chain of the l3 agent's, which its own of the kernel leads to."""
        ours, hook = f"neutron-l3-agent-{chain}", "PREROUTING" if chain == "PREROUTING" else "POSTROUTING"
        within(namespace, "iptables", "-t", "nat", "-N", ours)
        within(namespace, "iptables", "-t", "nat", "-A", hook, "-j", ours)
        within(namespace, "iptables", "-t", "nat", "-A", ours, *words)

    def write(self, name: str, text: str) -> None:
        path = self.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def down_and_up(namespace: str, device: str) -> None:
    """The real fault: the kernel drops every route of a device that is set down, and nobody puts a default route back."""
    within(namespace, "ip", "link", "set", device, "down")
    within(namespace, "ip", "link", "set", device, "up")


def answers(namespace: str, address: str, *more: str) -> bool:
    """The other door: the system's own ping."""
    words: Sequence[str] = (
        "ip",
        "netns",
        "exec",
        namespace,
        "ping",
        "-n",
        "-c",
        "5",
        "-i",
        "0.2",
        "-W",
        "1",
        *more,
        address,
    )
    return subprocess.run(words, capture_output=True, timeout=60, check=False).returncode == 0


@contextmanager
def world(state: Path) -> Iterator[World]:
    """A fresh world; what a test that was killed left is removed first."""
    remove()
    made = World(state)
    try:
        made.build()
        yield made
    finally:
        remove()


def remove() -> None:
    there = [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line]
    for name in set(there) & set(ALL):
        run("ip", "netns", "delete", name)
