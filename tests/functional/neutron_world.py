"""Network namespaces with the devices, rules, routes and translations that neutron's l3 and DHCP agents of Ocata make.

A stand-in for the agents, not for the network: Linux bridges stand in for Open vSwitch, namespaces for instances, and everything
that is looked at or asked is the kernel's own. One distributed router (with a floating address, and its shared address), one
central router, one DHCP namespace, and beyond the external network's gateway one address more.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Iterator
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


TRANSLATIONS = {
    ROUTER: (
        f"PREROUTING -d {FLOATING}/32 -i {RFP} -j DNAT --to-destination {FIXED}",
        f"float-snat -s {FIXED}/32 -j SNAT --to-source {FLOATING}",
    ),
    SNAT: (f"snat -s 10.0.0.0/24 -o {SNAT_QG} -j SNAT --to-source 203.0.113.20",),
    LEGACY: (f"snat -o {LEGACY_QG} -j SNAT --to-source 203.0.113.30",),
}


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
    """The world, and where its ``state_path`` is. Commands of ``ip`` are gathered, and given to one ``ip`` for each namespace."""

    state: Path
    ports: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def build(self) -> None:
        for name in ALL:
            self.ip("", "netns", "add", name)
            self.ip(name, "link", "set", "lo", "up")
        for bridge in ("external", "tenant", "other"):
            self.ip(SWITCHES, "link", "add", bridge, "type", "bridge", "forward_delay", "0")
            self.ip(SWITCHES, "link", "set", bridge, "up")
        for part in (self._outside, self._distributed, self._shared, self._central, self._dhcp):
            part()
        self.do()
        for name in (FIP, ROUTER, SNAT, LEGACY, OUTSIDE):
            own = {FIP: f"{FG}.proxy_arp=1", ROUTER: f"{QR}.send_redirects=0"}.get(name, "all.proxy_arp=0")
            settings = (
                "ip_forward=1",
                "conf.all.rp_filter=0",
                "conf.default.rp_filter=0",
                "conf.all.send_redirects=0",
                f"conf.{own}",
            )
            within(name, "sysctl", "-qw", *(f"net.ipv4.{one}" for one in settings))
        self._translations()

    def ip(self, namespace: str, *words: str) -> None:
        """A command for later; in no namespace first, as devices are made there."""
        self.waiting[namespace].append(" ".join(words))

    def do(self) -> None:
        """All that is waiting."""
        for namespace in sorted(self.waiting):
            where = ("-n", namespace) if namespace else ()
            lines = "\n".join(self.waiting.pop(namespace)) + "\n"
            done = subprocess.run(
                ["ip", *where, "-batch", "-"], input=lines, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, (namespace, lines, done.stderr)

    def _outside(self) -> None:
        self.plug(OUTSIDE, "eth0", "external", f"{GATEWAY}/24")
        self.ip(OUTSIDE, "addr", "add", f"{BEYOND}/32", "dev", "lo")

    def _distributed(self) -> None:
        """A compute's part: the router, the namespace of floating addresses, and two instances of which one has such an address."""
        self.plug(FIP, FG, "external", "203.0.113.10/24")
        self.ip("", "link", "add", RFP, "netns", ROUTER, "type", "veth", "peer", "name", FPR, "netns", FIP)
        for namespace, device, address in ((ROUTER, RFP, "169.254.106.114/31"), (FIP, FPR, "169.254.106.115/31")):
            self.ip(namespace, "addr", "add", address, "dev", device)
            self.ip(namespace, "link", "set", device, "up")
        self.ip(FIP, "rule", "add", "iif", FPR, "table", TABLE, "priority", TABLE)
        self.ip(FIP, "route", "add", "default", "via", GATEWAY, "dev", FG, "table", TABLE)
        self.ip(FIP, "route", "add", f"{FLOATING}/32", "via", "169.254.106.114", "dev", FPR)
        self.plug(ROUTER, QR, "tenant", "10.0.0.1/24")
        self.guest(WITH_FLOATING, "tenant", f"{FIXED}/24", "10.0.0.1")
        self.guest(WITHOUT, "tenant", "10.0.0.6/24", "10.0.0.1")
        self.ip(ROUTER, "rule", "add", "from", FIXED, "table", "16", "priority", "32769")
        self.ip(ROUTER, "route", "add", "default", "via", "169.254.106.115", "dev", RFP, "table", "16")
        self.write("fip-priorities", f"{FLOATING},32769\n")

    def route_of_floating(self) -> None:
        """As the agent of Ocata sets it when it is right."""
        within(FIP, "ip", "route", "replace", "default", "via", GATEWAY, "dev", FG, "table", TABLE)

    def _shared(self) -> None:
        """A gateway's part of the same router: its shared address, which those without a floating one leave by."""
        self.plug(SNAT, SNAT_QG, "external", "203.0.113.20/24")
        self.plug(SNAT, "sg-00000006-00", "tenant", "10.0.0.254/24")
        self.ip(SNAT, "route", "add", "default", "via", GATEWAY, "dev", SNAT_QG)
        self.ip(ROUTER, "rule", "add", "from", "10.0.0.1/24", "table", SHARED_TABLE, "priority", SHARED_TABLE)
        self.ip(ROUTER, "route", "add", "default", "via", "10.0.0.254", "dev", QR, "table", SHARED_TABLE)

    def _central(self) -> None:
        self.plug(LEGACY, LEGACY_QG, "external", "203.0.113.30/24")
        self.plug(LEGACY, "qr-00000007-00", "other", "10.1.0.1/24")
        self.ip(LEGACY, "route", "add", "default", "via", GATEWAY, "dev", LEGACY_QG)
        self.guest(BEHIND_LEGACY, "other", "10.1.0.5/24", "10.1.0.1")

    def _dhcp(self) -> None:
        self.plug(QDHCP, TAP, "tenant", "10.0.0.2/24")
        self.ip(QDHCP, "route", "add", "default", "via", "10.0.0.1", "dev", TAP)
        self.write(f"dhcp/{TENANT}/opts", "tag:tag0,option:dns-server,10.0.0.2\ntag:tag0,option:router,10.0.0.1\n")
        ports = ((FIXED, "05"), ("10.0.0.6", "06"), ("10.0.0.2", "02"))
        lines = [f"fa:16:3e:00:00:{end},host-{one.replace('.', '-')}.openstacklocal,{one}\n" for one, end in ports]
        self.write(f"dhcp/{TENANT}/host", "".join(lines))

    def plug(self, namespace: str, device: str, bridge: str, address: str) -> None:
        """A device of a namespace, its other end at a bridge, as Open vSwitch would have it."""
        port = self.ports[(namespace, device)] = f"port{len(self.ports)}"
        self.ip("", "link", "add", device, "netns", namespace, "type", "veth", "peer", "name", port, "netns", SWITCHES)
        self.ip(SWITCHES, "link", "set", port, "master", bridge, "up")
        self.ip(namespace, "addr", "add", address, "dev", device)
        self.ip(namespace, "link", "set", device, "up")

    def guest(self, name: str, bridge: str, address: str, gateway: str) -> None:
        self.plug(name, "eth0", bridge, address)
        self.ip(name, "route", "add", "default", "via", gateway)

    def cable(self, namespace: str, device: str, way: str) -> None:
        """Pull the cable of a device (``down``) or plug it in again (``up``), at the bridge's end."""
        within(SWITCHES, "ip", "link", "set", self.ports[(namespace, device)], way)

    def _translations(self) -> None:
        """The rules of the l3 agent's, in chains of its own that the kernel's lead to."""
        for namespace, rules in TRANSLATIONS.items():
            chains = sorted({rule.split()[0] for rule in rules})
            lines = ["*nat", *(f":neutron-l3-agent-{chain} - [0:0]" for chain in chains)]
            lines += [
                f"-A {'PREROUTING' if chain == 'PREROUTING' else 'POSTROUTING'} -j neutron-l3-agent-{chain}"
                for chain in chains
            ]
            lines += [*(f"-A neutron-l3-agent-{rule}" for rule in rules), "COMMIT"]
            command = ["ip", "netns", "exec", namespace, "iptables-restore"]
            subprocess.run(command, input="\n".join(lines) + "\n", text=True, timeout=120, check=True)

    def write(self, name: str, text: str) -> None:
        path = self.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def down_and_up(namespace: str, device: str) -> None:
    """The real fault: the kernel drops every route of a device that is set down, and nobody puts a default route back."""
    within(namespace, "ip", "link", "set", device, "down")
    within(namespace, "ip", "link", "set", device, "up")


def answers(namespace: str, address: str, *more: str) -> bool:
    """The other door: the system's own ping. A device that was just set up, and a proxy for neighbours, take up to a second each."""
    words = ["ip", "netns", "exec", namespace, "ping", "-n", "-c", "1", "-w", "4", "-i", "0.2", *more, address]
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
