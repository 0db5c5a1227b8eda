"""Profile ssh of the lab: no Salt runs anywhere, and every host key is written down before a node starts."""

from __future__ import annotations

import json
import stat

import pytest

from upgrader.errors import LabRefused
from upgrader.lab.contents.node_files import node_files
from upgrader.lab.contents.passwords import make_passwords
from upgrader.lab.contents.sshd import KEY, KNOWN_HOSTS, OPERATOR, ROSTER, ssh_files, ssh_keys
from upgrader.lab.topology import BENCH, CONTROL, NOVA, SSH, Topology, in_profile

PASSWORDS = make_passwords()
REACHED = {"cfg01.lab.local", "dbs01.lab.local", "dbs02.lab.local", "dbs03.lab.local", "upg01.lab.local"}


@pytest.fixture
def topology() -> Topology:
    return in_profile(NOVA, SSH)


def test_no_salt_runs_anywhere_and_minions_have_an_sshd_instead(topology: Topology) -> None:
    assert {node.minion_id for node in topology.by_ssh} == REACHED
    assert [node.name for node in topology.nodes for unit in node.units if "salt" in unit] == []
    assert all(node.runs("ssh") for node in topology.by_ssh)
    assert topology.minions == () and topology.master is not None and topology.master.name == "cfg01"
    assert NOVA.by_ssh == () and BENCH.master is None


def test_other_units_of_a_node_stay(topology: Topology) -> None:
    named = {node.name: node for node in topology.nodes}
    assert named["dbs01"].runs("mariadb") and named["upg01"].runs("lab-resolver")
    assert named["vip01"] in NOVA.nodes and named["ctl01"] in NOVA.nodes


def test_each_node_has_the_host_key_that_the_tools_node_knows(topology: Topology) -> None:
    keys = ssh_keys(topology, PASSWORDS)
    assert topology.master is not None
    known = ssh_files(topology.master, topology, keys)[KNOWN_HOSTS.lstrip("/")].text.splitlines()
    for node in topology.by_ssh:
        files = ssh_files(node, topology, keys)
        public = files["etc/ssh/ssh_host_ed25519_key.pub"].text.strip()
        assert f"{node.minion_id} {public}" in known
        assert files["root/.ssh/authorized_keys"].text == keys[OPERATOR].public
        assert stat.S_IMODE(files["etc/ssh/ssh_host_ed25519_key"].mode) == 0o600
    assert len({line.split()[2] for line in known}) == len(known) == len(REACHED)


def test_only_the_tools_node_can_log_in_elsewhere(topology: Topology) -> None:
    keys = ssh_keys(topology, PASSWORDS)
    with_key = [plan.name for plan in topology.nodes if KEY.lstrip("/") in ssh_files(plan, topology, keys)]
    assert with_key == ["cfg01"]
    assert topology.master is not None
    files = ssh_files(topology.master, topology, keys)
    assert set(json.loads(files[ROSTER.lstrip("/")].text)) == REACHED
    assert json.loads(files["etc/upgrader.yaml"].text)["transport"] == "ssh"
    assert KEY.lstrip("/") not in node_files(topology.master, topology, {}, PASSWORDS)


def test_backup_store_keeps_the_host_key_that_database_nodes_expect(topology: Topology) -> None:
    assert ssh_keys(topology, PASSWORDS)["cfg01"].public == PASSWORDS.store_host_key_public


def test_other_profiles_have_none_of_it() -> None:
    keys = ssh_keys(NOVA, PASSWORDS)
    assert keys == {}
    assert [ssh_files(plan, NOVA, keys) for plan in NOVA.nodes] == [{}] * len(NOVA.nodes)


def test_topologies_that_have_no_such_profile_refuse_it() -> None:
    for topology in (CONTROL, BENCH):
        with pytest.raises(LabRefused):
            in_profile(topology, SSH)
