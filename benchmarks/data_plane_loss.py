"""What instances lose while their computes go to Ocata: this tool's order against the reference's, on the same nodes, one after the other.

``python -m benchmarks.data_plane_loss LAB cmp003 cmp004``, for a lab in topology computes whose control plane is Ocata's, whose
workloads are made and of whose computes at least one more is at Mitaka. Pings every 20 ms on every path that answers before, as in a
stage. The nodes are at Mitaka again afterwards.

The reference's order (compute upgrade of Mirantis' 2017 pipelines): new sources, dist-upgrade, ``ovs-ctl start``, the states of nova
and neutron; all nodes at once, no host out of service. Two things stand for what is not in the lab: a restart of Open vSwitch for the
package of it that Ubuntu's cloud archive brings with Ocata, and Ocata's own defaults in the agent's configuration for what the
formula's template writes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tabulate import tabulate

from tests.lab.test_data_plane_lab import BEYOND, SOURCES
from upgrader.lab import Lab
from upgrader.lab.machine.node import Node

RUN = "bench-reference"
SETTLE = 150
"""Seconds from the last command on, in which paths may come back."""
AGENT_INI = "/etc/neutron/plugins/ml2/openvswitch_agent.ini"
UPGRADE = (
    f"set -e; sed -i s/mitaka/ocata/ {SOURCES}; apt-get -q update; "
    "DEBIAN_FRONTEND=noninteractive apt-get -y -q --allow-downgrades -o Dpkg::Options::=--force-confdef "
    "-o Dpkg::Options::=--force-confold dist-upgrade"
)
OVS = "systemctl restart openvswitch-switch; /usr/share/openvswitch/scripts/ovs-ctl start"
DEFAULTS = f"sed -i -e /^of_interface/d -e /^ovsdb_interface/d -e /^drop_flows_on_start/d {AGENT_INI}"
AGENTS = "systemctl restart neutron-openvswitch-agent neutron-l3-agent neutron-metadata-agent nova-compute"
Gaps = dict[str, float]


class Bench:
    """One lab, and the nodes that go there and back."""

    def __init__(self, lab: Lab, names: Sequence[str]) -> None:
        self.lab, self.names, self.cfg = lab, names, lab.node("cfg01")

    def tool(self, *words: str) -> None:
        """The command on cfg01, well."""
        self.cfg.run(["upgrader", *words], timeout=2700)

    def call(self, function: str, **arguments: str) -> list[dict[str, Any]]:
        """A module of this tool on each of the nodes, through Salt."""
        target = ",".join(f"{name}.lab.local" for name in self.names)
        words = [f"{name}={value}" for name, value in arguments.items()]
        said = self.cfg.run(["salt", "--static", "--out=json", "--timeout=300", "-L", target, function, *words]).stdout
        return list(json.loads(said).values())

    def each(self, script: str) -> None:
        """A script on all nodes at once."""
        nodes: list[Node] = [self.lab.node(name) for name in self.names]
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(lambda node: node.run(["sh", "-c", script]), nodes))

    def ours(self) -> Gaps:
        """One sample of all nodes, and its way back."""
        names = ",".join(self.names)
        self.tool("data-plane", "--target", names, "--stage", "test")
        sample = ("--stage", "sample", "--sample", names, "--batch", str(len(self.names)), "--beyond", BEYOND)
        self.tool("data-plane", "--target", names, *sample, "--yes")
        newest = self.cfg.run(["sh", "-c", "ls /var/lib/upgrader/lab/runs/*.jsonl | tail -1"]).stdout.strip()
        rows = [json.loads(line) for line in self.cfg.run(["cat", newest]).stdout.splitlines()]
        ends = [row for row in rows if row["event"] == "node-finished" and row["step"].endswith("paths-end")]
        self.tool("data-plane", "--stage", "rollback", "--beyond", BEYOND, "--yes")
        return longest(row["reply"]["value"] for row in ends)

    def reference(self) -> Gaps:
        """The reference's order by hand; afterwards back by this tool's own modules."""
        self.call("upgrader_package.record", run=RUN)
        self.call("upgrader_config.save", run=RUN)
        self.call("upgrader_path.start", run=RUN, interval_ms="20", beyond=BEYOND)
        self.each(UPGRADE)
        self.each(OVS)
        self.call("state.apply", mods="upgrader.compute.configured")
        self.each(DEFAULTS)
        self.each(AGENTS)
        time.sleep(SETTLE)
        gaps = longest(self.call("upgrader_path.stop", run=RUN))
        for function in ("upgrader_package.restore", "upgrader_config.restore", "upgrader_compute.restart"):
            self.call(function, run=RUN)
        return gaps


def longest(said: Any) -> Gaps:
    """The longest silence of each class, over all nodes, in seconds; a path that is dead at the end counts for the whole of it."""
    gaps: Gaps = {}
    for value in said:
        for name, told in value["classes"].items():
            gaps[name] = max(gaps.get(name, 0.0), told["longest_seconds"])
    return gaps


def main(name: str, *names: str) -> None:
    """A table on stdout."""
    bench = Bench(Lab(name), names or ("cmp003",))
    sides: list[Callable[[], Gaps]] = [bench.ours, bench.reference]
    ours, reference = (side() for side in sides)
    rows = [
        (
            kind,
            f"{ours[kind]:.2f}",
            f"{reference[kind]:.2f}",
            f"{ours[kind] / reference[kind]:.2f}" if reference[kind] else "-",
        )
        for kind in sorted(set(ours) & set(reference))
    ]
    print(
        tabulate(
            rows, ["class of path", "ours s", "reference's order s", "ratio"], tablefmt="github", disable_numparse=True
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
