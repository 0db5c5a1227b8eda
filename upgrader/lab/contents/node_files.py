"""The files a node's disk gets before it starts for the first time: network, names, Salt, units. Text only, no effects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from upgrader.lab.contents import resolver
from upgrader.lab.contents.node_file import MINION, NAMES, RESOLVER, WANTS, NodeFile, without_mounts
from upgrader.lab.contents.passwords import Passwords
from upgrader.lab.contents.salt_keys import KeyPair
from upgrader.lab.control import files as control
from upgrader.lab.dataplane.files import dataplane_files
from upgrader.lab.topology import PREFIX, UPGRADE_ADDRESS, NodePlan, Topology

FORMULAS = "/srv/salt/formulas"
RECLASS = "/srv/salt/reclass"
FORMULAS_OF_THE_SITE = "/srv/site/formulas"
CLUSTER = "openstack_config"
# To the database, which is the upgrade node's right, and to anything else, which is not.
PACKETS_OF_THE_UPGRADE_NODE = f"""#!/usr/sbin/nft -f
flush ruleset
table inet lab {{
    counter database {{ }}
    counter production {{ }}
    chain input {{
        type filter hook input priority filter; policy accept;
        ip saddr {UPGRADE_ADDRESS} tcp dport 3306 counter name database accept
        ip saddr {UPGRADE_ADDRESS} counter name production
    }}
}}
"""
QUESTIONS_TO_NAME_SERVERS = """#!/usr/sbin/nft -f
flush ruleset
table inet lab {
    counter questions { }
    counter answers { }
    chain output {
        type filter hook output priority filter; policy accept;
        meta l4proto { tcp, udp } th dport 53 counter name questions
    }
    chain input {
        type filter hook input priority filter; policy accept;
        meta l4proto { tcp, udp } th sport 53 counter name answers
    }
}
"""


def node_files(
    plan: NodePlan, topology: Topology, keys: Mapping[str, KeyPair], passwords: Passwords
) -> dict[str, NodeFile]:
    """Path below the node's root -> file."""
    files = _network_files(plan, topology)
    files |= {f"{WANTS}/{unit}": NodeFile(link=_unit_path(unit)) for unit in plan.units if not _is_cluster(plan, unit)}
    if plan.runs("salt-minion"):
        files |= _minion_files(plan, topology, keys[plan.name])
    if plan == topology.master:
        files |= _master_files(plan, topology, keys)
    if plan.runs("mariadb"):
        files["etc/mysql/mariadb.conf.d/90-lab.cnf"] = NodeFile(_mariadb_configuration(plan))
    if plan.galera:
        files["etc/mysql/mariadb.conf.d/91-galera.cnf"] = NodeFile(_galera_configuration(plan, topology))
    if plan.runs("haproxy"):
        files["etc/haproxy/haproxy.cfg"] = NodeFile(
            _haproxy_configuration(plan, topology) + control.proxied(plan, topology)
        )
    if plan.counts_packets:
        files["etc/nftables.conf"] = NodeFile(PACKETS_OF_THE_UPGRADE_NODE)
    if plan.counts_questions:
        files["etc/nftables.conf"] = NodeFile(QUESTIONS_TO_NAME_SERVERS)
    if plan.runs("lab-resolver"):
        files["etc/resolv.conf"] = NodeFile("nameserver 127.0.0.1\n")
        files["etc/systemd/system/lab-resolver.service"] = NodeFile(RESOLVER)
        files["usr/local/sbin/lab-resolver"] = NodeFile(Path(resolver.__file__).read_text(encoding="utf-8"), 0o755)
    if plan.runs("ssh") and not plan.by_ssh:
        files["etc/ssh/ssh_host_ed25519_key"] = NodeFile(passwords.store_host_key, 0o600)
        files["etc/ssh/ssh_host_ed25519_key.pub"] = NodeFile(passwords.store_host_key_public)
    if plan.shows_source:
        files["root/nova.password"] = NodeFile(passwords.nova + "\n", 0o600)
    return files | (_control_files(plan, passwords) if topology.machines else {})


def _control_files(plan: NodePlan, passwords: Passwords) -> dict[str, NodeFile]:
    """What only a topology with virtual machines has."""
    if plan.on:
        return control.machine_files(plan, passwords)
    if plan.wired or plan.runs("lab-packages"):
        return dataplane_files(plan, passwords)
    if plan.runs("nova-compute"):
        return control.compute_files(plan, passwords)
    return control.queue_files(plan, passwords) if plan.runs("rabbitmq-server") else {}


def _is_cluster(plan: NodePlan, unit: str) -> bool:
    """A cluster's server is not started at the first boot: there is no cluster yet that it could join."""
    return plan.galera and unit == "mariadb.service"


def _unit_path(unit: str) -> str:
    own = unit.startswith(("salt-", "lab-", "site-", "nova-"))
    return f"/etc/systemd/system/{unit}" if own else f"/lib/systemd/system/{unit}"


def hosts(topology: Topology) -> str:
    """Every node of the lab by name, for each of them."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [f"{node.address} {node.minion_id} {node.name}" for node in topology.nodes]
    return "\n".join(lines) + "\n"


def _network_files(plan: NodePlan, topology: Topology) -> dict[str, NodeFile]:
    wire = f"""ExecStart=/sbin/ip link set lo up
ExecStart=/sbin/ip addr replace {plan.address}/{PREFIX} dev host0
ExecStart=/sbin/ip link set host0 up
"""
    unit = f"""[Unit]
Description=Address of this node in the lab
DefaultDependencies=no
Before=network.target network-pre.target
After=local-fs.target
[Service]
Type=oneshot
RemainAfterExit=yes
{control.bridged(plan) if topology.machines_on(plan) else wire}"""
    names = {
        "etc/hosts": NodeFile(hosts(topology)),
        "etc/hostname": NodeFile(plan.name + "\n"),
        "etc/nsswitch.conf": NodeFile(NAMES),
    }
    if plan.sysvinit:
        script = "\n".join(line.partition("=")[2] for line in unit.splitlines() if line.startswith("ExecStart="))
        return {**names, "etc/lab-network": NodeFile(f"#!/bin/sh\n{script}\n", 0o755)}
    return {
        **names,
        **without_mounts(),
        "etc/systemd/system/lab-network.service": NodeFile(unit),
        f"{WANTS}/lab-network.service": NodeFile(link=_unit_path("lab-network.service")),
    }


def _minion_files(plan: NodePlan, topology: Topology, pair: KeyPair) -> dict[str, NodeFile]:
    assert topology.master is not None
    configuration = {"id": plan.minion_id, "master": topology.master.minion_id, **MINION}
    return {
        "etc/salt/minion": NodeFile(_yaml(configuration)),
        "etc/salt/pki/minion/minion.pem": NodeFile(pair.private, 0o400),
        "etc/salt/pki/minion/minion.pub": NodeFile(pair.public),
    }


def _master_files(plan: NodePlan, topology: Topology, keys: Mapping[str, KeyPair]) -> dict[str, NodeFile]:
    reclass = {"storage_type": "yaml_fs", "inventory_base_uri": RECLASS}
    configuration = {
        "interface": plan.address,
        "worker_threads": 3,
        "auto_accept": False,
        "file_roots": {"base": [FORMULAS, "/srv/salt/lab"]},
        "runner_dirs": [f"{FORMULAS}/_runners"],
        "utils_dirs": [f"{FORMULAS}/_utils"],
        "ext_pillar": [{"reclass": reclass}],
        "master_tops": {"reclass": reclass},
        "log_level": "warning",
        "log_level_logfile": "warning",
    }
    files = {"etc/salt/master": NodeFile(_yaml(configuration)), "srv/salt/lab/.keep": NodeFile()}
    for node in topology.minions:
        files[f"etc/salt/pki/master/minions/{node.minion_id}"] = NodeFile(keys[node.name].public)
    return files


def _mariadb_configuration(plan: NodePlan) -> str:
    return f"""[mariadbd]
bind-address = {plan.address}
skip-name-resolve
character-set-server = utf8
collation-server = utf8_general_ci
"""


def _galera_configuration(plan: NodePlan, topology: Topology) -> str:
    """State transfer logs in as ``mysql`` over the socket, an account that Debian's installation makes: no password."""
    members = ",".join(node.address for node in topology.cluster)
    return f"""[mariadbd]
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_cluster_name = {CLUSTER}
wsrep_cluster_address = gcomm://{members}
wsrep_node_name = {plan.name}
wsrep_node_address = {plan.address}
wsrep_sst_method = mariabackup
wsrep_sst_auth = mysql:
wsrep_provider_options = "gcache.size=64M"
binlog_format = ROW
default_storage_engine = InnoDB
innodb_autoinc_lock_mode = 2
innodb_flush_log_at_trx_commit = 2
# Galera counts as binary logging, with which only SUPER may make triggers; keystone's way to Ocata makes some.
log_bin_trust_function_creators = ON
# haproxy's health checks hang up before the handshake; they are no attack.
max_connect_errors = 4294967295
"""


def _haproxy_configuration(plan: NodePlan, topology: Topology) -> str:
    """As MCP has it: every client on the first node that is up, the others in waiting."""
    servers = "".join(
        f"    server {node.name} {node.address}:3306 check inter 1s fall 2 rise 2{' backup' if number else ''}\n"
        for number, node in enumerate(topology.cluster)
    )
    return f"""global
    maxconn 4096
defaults
    timeout connect 5s
    timeout client 4h
    timeout server 4h
listen mysql_cluster
    bind {plan.address}:3306
    mode tcp
    balance first
{servers}"""


def _yaml(configuration: Mapping[str, object]) -> str:
    return json.dumps(configuration, indent=2) + "\n"
