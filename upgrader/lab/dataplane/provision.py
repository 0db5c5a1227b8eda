"""What `upgrader lab workloads` does: agents that have given up waiting are started anew, then everything is made through the APIs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from upgrader.errors import LabError, LabRefused
from upgrader.lab.contents.shipped import PACKAGE
from upgrader.lab.lab import Lab
from upgrader.lab.machine.node import Node
from upgrader.lab.narrator import Narrator

SECONDS = 1200
PROGRAM = ("/opt/salt/bin/python", "-B", "-m", "upgrader.lab.dataplane.workloads")


def provision(lab: Lab, narrator: Narrator) -> dict[str, Any]:
    """Returns the instances and the paths between them. May be called again: what is there stays as it is."""
    wired = [node for node in lab.nodes() if node.plan.wired]
    master = lab.topology.master
    if not wired or master is None:
        raise LabRefused(
            f"The lab {lab.name} has topology {lab.topology.name}, which has no computes with agents; take topology computes."
        )
    anew = narrator.doing("Starting the agents anew: each waits longer and longer for a server that was not there")
    with anew:
        agents_anew(lab)
    with narrator.doing("Making networks, routers, floating IPs and instances on the computes"):
        return _fill(lab.node(master.name), wired)


def agents_anew(lab: Lab) -> None:
    """Neutron's agents of every compute and gateway. At a site they were in touch with Mitaka's server, for which nobody stands here."""
    wired = [node for node in lab.nodes() if node.plan.wired]
    with ThreadPoolExecutor(len(wired)) as pool:
        list(pool.map(_restart, wired))


def _restart(node: Node) -> None:
    """Of a program that runs through neutron's server: it doubles what it waits for an answer each time there is none."""
    listed = node.run(["systemctl", "list-units", "--plain", "--no-legend", "neutron-*.service"]).stdout
    units = [line.split()[0] for line in listed.splitlines() if line.strip()]
    node.run(["systemctl", "restart", *units])


def _fill(master: Node, wired: list[Node]) -> dict[str, Any]:
    hosts = {kind: ",".join(node.name for node in wired if node.plan.layer == kind) for kind in ("compute", "gateway")}
    words = ["env", f"PYTHONPATH=/{PACKAGE}", *PROGRAM, hosts["compute"], hosts["gateway"]]
    done = master.run(words, check=False, timeout=SECONDS)
    if done.returncode != 0:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise LabError(f"The workloads could not be made: {last.partition('LabError: ')[2] or last}")
    made: dict[str, Any] = json.loads(done.stdout)
    return made
