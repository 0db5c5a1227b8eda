"""The site's own Salt, 2017.7 on Python 2.7, beside ours: every path of it lies below one root, and it has ports of its own.

`root_dir` moves what `cachedir` leaves: without it the older Salt's `saltutil.sync_all` would write into our minion's
extension modules, and remove every one that is not the site's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from upgrader.lab.contents.node_file import NodeFile
from upgrader.lab.contents.node_files import FORMULAS_OF_THE_SITE, RECLASS
from upgrader.lab.contents.salt_keys import KeyPair
from upgrader.lab.topology import NodePlan, Topology

ROOT = "/opt/site"
PROGRAMS = "/opt/salt-2017.7/bin"
ETC = f"{ROOT}/etc/salt"
PILLAR = "/srv/site/pillar"
# What a test switches on: the site's master alone reads it.
FAULTS = f"{PILLAR}/faults.sls"
PUBLISH_PORT, RETURN_PORT = 4515, 4516
COMMANDS = ("salt", "salt-key", "salt-run", "salt-call")
# What the nodes of a Mitaka cloud say of themselves after their rebuild; the lab's are Debian.
XENIAL = {
    "os": "Ubuntu",
    "osfullname": "Ubuntu",
    "os_family": "Debian",
    "osrelease": "16.04",
    "osmajorrelease": 16,
    "oscodename": "xenial",
    "osfinger": "Ubuntu-16.04",
    "lsb_distrib_id": "Ubuntu",
    "lsb_distrib_codename": "xenial",
    "lsb_distrib_release": "16.04",
}
# The same model as ours, rendered by the reclass of our Python: none of today's packages of it runs on Python 2.7.
RECLASS_COMMAND = (
    f"/opt/salt/bin/python -m reclass.adapters.salt --inventory-base-uri {RECLASS} --output yaml --pillar %s"
)


def site_salt_files(
    plan: NodePlan, topology: Topology, keys: Mapping[str, KeyPair], below: str = ETC.lstrip("/")
) -> dict[str, NodeFile]:
    """Path below the node's root -> file; ``keys`` are the pairs of the site's minions."""
    files: dict[str, NodeFile] = {}
    if plan.runs("site-salt-minion"):
        files |= _commands() | _unit("minion", ("KillMode=process", "Restart=on-failure", "RestartSec=1"))
        files[f"{below}/minion"] = NodeFile(_json(_minion(plan, topology)))
        files[f"{below}/pki/minion/minion.pem"] = NodeFile(keys[plan.name].private, 0o400)
        files[f"{below}/pki/minion/minion.pub"] = NodeFile(keys[plan.name].public)
    if plan.runs("site-salt-master"):
        files |= _unit("master", ())
        files[f"{below}/master"] = NodeFile(_json(_master(plan)))
        files[f"{PILLAR.lstrip('/')}/top.sls"] = NodeFile(_json({"base": {"*": ["faults"]}}))
        files[FAULTS.lstrip("/")] = NodeFile(_json({}))
        for node in topology.site_minions:
            files[f"{below}/pki/master/minions/{node.minion_id}"] = NodeFile(keys[node.name].public)
    return files


def _commands() -> dict[str, NodeFile]:
    text = "#!/bin/sh\nexec {program} --config-dir=" + ETC + ' "$@"\n'
    return {
        f"usr/local/bin/site-{name}": NodeFile(text.format(program=f"{PROGRAMS}/{name}"), 0o755) for name in COMMANDS
    }


def _minion(plan: NodePlan, topology: Topology) -> dict[str, object]:
    assert topology.master is not None
    return {
        "root_dir": ROOT,
        "id": plan.minion_id,
        "master": topology.master.minion_id,
        "master_port": RETURN_PORT,
        "acceptance_wait_time": 1,
        "random_reauth_delay": 1,
        "recon_default": 100,
        "recon_max": 500,
        "grains": XENIAL,
        "log_level": "warning",
        "log_level_logfile": "warning",
    }


def _master(plan: NodePlan) -> dict[str, object]:
    return {
        "root_dir": ROOT,
        "interface": plan.address,
        "publish_port": PUBLISH_PORT,
        "ret_port": RETURN_PORT,
        "worker_threads": 3,
        "auto_accept": False,
        "file_roots": {"base": [FORMULAS_OF_THE_SITE]},
        "pillar_roots": {"base": [PILLAR]},
        "ext_pillar": [{"cmd_yaml": RECLASS_COMMAND}],
        "log_level": "warning",
        "log_level_logfile": "warning",
    }


def _unit(daemon: str, more: tuple[str, ...]) -> dict[str, NodeFile]:
    lines = [
        "[Unit]",
        f"Description=The site's Salt {daemon}, 2017.7",
        "After=network.target lab-network.service site-salt-master.service",
        "[Service]",
        "Type=notify",
        "NotifyAccess=all",
        "LimitNOFILE=100000",
        f"ExecStart={PROGRAMS}/salt-{daemon} --config-dir={ETC}",
        "TimeoutStopSec=5",
        *more,
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return {f"etc/systemd/system/site-salt-{daemon}.service": NodeFile("\n".join(lines) + "\n")}


def _json(configuration: Mapping[str, object]) -> str:
    """JSON is YAML, of which Salt's files are made."""
    return json.dumps(configuration, indent=2) + "\n"
