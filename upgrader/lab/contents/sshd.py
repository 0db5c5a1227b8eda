"""Profile ``ssh``: nodes with an sshd in place of a minion, and on the tool's own node what names them: roster, host keys, configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping

from upgrader.lab.contents.node_file import NodeFile
from upgrader.lab.contents.passwords import Passwords
from upgrader.lab.contents.salt_keys import KeyPair, ssh_key_pair
from upgrader.lab.topology import NodePlan, Topology

KEY, KNOWN_HOSTS, ROSTER = "/root/.ssh/upgrader", "/etc/upgrader-known-hosts", "/etc/salt/roster"
COMMAND = (
    "ssh", "-i", KEY, "-o", f"UserKnownHostsFile={KNOWN_HOSTS}", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
    "-o", "ConnectTimeout=3",
)  # fmt: skip
"""How the tool's node reaches another one by hand."""
OPERATOR = ""


def ssh_keys(topology: Topology, passwords: Passwords) -> dict[str, KeyPair]:
    """The operator's pair, and a host key for each node; the tool's own node has the one that the backup store is known by."""
    own = topology.master.name if topology.master else ""
    store = KeyPair(passwords.store_host_key, passwords.store_host_key_public)
    hosts = {plan.name: store if plan.name == own else ssh_key_pair() for plan in topology.by_ssh}
    return {OPERATOR: ssh_key_pair(), **hosts} if hosts else {}


def ssh_files(plan: NodePlan, topology: Topology, keys: Mapping[str, KeyPair]) -> dict[str, NodeFile]:
    """Path below the node's root -> file; nothing for a node that is not reached by ssh."""
    if not plan.by_ssh:
        return {}
    files = {
        "root/.ssh/authorized_keys": NodeFile(keys[OPERATOR].public, 0o600),
        "etc/ssh/ssh_host_ed25519_key": NodeFile(keys[plan.name].private, 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": NodeFile(keys[plan.name].public),
    }
    return files | (_of_the_tool(plan, topology, keys) if plan == topology.master else {})


def _of_the_tool(plan: NodePlan, topology: Topology, keys: Mapping[str, KeyPair]) -> dict[str, NodeFile]:
    roster = {node.minion_id: {"host": node.minion_id, "user": "root", "priv": KEY} for node in topology.by_ssh}
    known = "".join(f"{node.minion_id} {keys[node.name].public.strip()}\n" for node in topology.by_ssh)
    said = {"roster": ROSTER, "known_hosts": KNOWN_HOSTS, "master": plan.minion_id}
    return {
        KEY.lstrip("/"): NodeFile(keys[OPERATOR].private, 0o600),
        KNOWN_HOSTS.lstrip("/"): NodeFile(known),
        ROSTER.lstrip("/"): NodeFile(_json(roster)),
        "etc/upgrader.yaml": NodeFile(_json({"transport": "ssh", "salt_ssh": said})),
    }


def _json(document: Mapping[str, object]) -> str:
    """JSON, which is YAML as well."""
    return json.dumps(document, indent=2) + "\n"
