"""Agents of computes by the real nova-api, placement and neutron-server of a whole controller on an upgraded copy.

No compute runs here: that one is up, and at which version, is written into the tables as it would write it itself. Behind the
tests of verification, which make that controller: what other files do to the server ends it. In the soak, because it takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.controller import Controller, database, systemctl

pytestmark = [pytest.mark.heavy, pytest.mark.soak]
NOVA, NEUTRON = database("nova"), database("neutron")
API = NOVA + "_api"
UP = "last_seen_up = UTC_TIMESTAMP(), updated_at = UTC_TIMESTAMP()"


@dataclass
class Computes:
    """What computes, agents and placement would write."""

    controller: Controller
    hosts: list[str]

    def query(self, statement: str, *values: Any) -> list[Any]:
        return self.controller.bench.query(statement, values)

    def call(self, function: str, **arguments: Any) -> Any:
        given = (
            {"run": "r1", "patience": 1, **arguments}
            if function in ("proven", "closed")
            else {"run": "r1", **arguments}
        )
        return self.controller.call(f"upgrader_agents.{function}", **given)

    def wrong(self, **arguments: Any) -> str:
        """What stops these hosts, in one text."""
        findings = self.call("proven", **arguments)["findings"]
        return "; ".join(one["what"] for one in findings if one["severity"] == "blocker")

    def beat(self) -> None:
        """Every nova-compute has just said that it lives: nova believes that for a minute."""
        self.query(f"UPDATE {NOVA}.services SET {UP} WHERE `binary` = 'nova-compute'")

    def upgraded(self, *hosts: str) -> None:
        """As Ocata's nova-compute at its start: its version, and a resource provider with what its instances have."""
        self.beat()
        for host in hosts:
            self.query(f"UPDATE {NOVA}.services SET version = 16 WHERE host = %s AND `binary` = 'nova-compute'", host)
            [(name,)] = self.query(
                f"SELECT hypervisor_hostname FROM {NOVA}.compute_nodes WHERE host = %s AND deleted = 0", host
            )
            self.query(
                f"INSERT IGNORE INTO {API}.resource_providers (uuid, name, generation, can_host) VALUES (UUID(), %s, 1, 0)",
                name,
            )
            self.query(
                f"INSERT IGNORE INTO {API}.allocations (resource_provider_id, consumer_id, resource_class_id, used) "
                f"SELECT p.id, i.uuid, 0, 1 FROM {API}.resource_providers p, {NOVA}.instances i "
                "WHERE p.name = %s AND i.host = %s AND i.deleted = 0", name, host,
            )  # fmt: skip

    def service(self, host: str) -> tuple[bool, str]:
        """Whether it is disabled and why, by the table itself."""
        statement = f"SELECT disabled, disabled_reason FROM {NOVA}.services WHERE host = %s AND `binary` = 'nova-compute' AND deleted = 0"
        [(disabled, reason)] = self.query(statement, host)
        return bool(disabled), reason or ""


@pytest.fixture(scope="module")
def computes(controller: Controller) -> Iterator[Computes]:
    """Two hosts that have instances, both at Mitaka's version; the tables are as before in the end."""
    bench = controller.bench
    kept = {name: bench._dump(name) for name in (NOVA, NEUTRON, API)}
    found = bench.query(
        f"SELECT i.host FROM {NOVA}.instances i JOIN {NOVA}.services s ON s.host = i.host AND s.deleted = 0 AND s.disabled = 0 "
        f"AND s.`binary` = 'nova-compute' WHERE i.deleted = 0 AND i.vm_state = 'active' GROUP BY i.host ORDER BY i.host LIMIT 2"
    )
    bench.query(f"UPDATE {NOVA}.services SET version = 9 WHERE `binary` = 'nova-compute'")
    bench.query(f"UPDATE {NEUTRON}.agents SET heartbeat_timestamp = UTC_TIMESTAMP() + INTERVAL 1 HOUR")
    yield Computes(controller, [host for (host,) in found])
    for name, text in kept.items():
        bench._load(name, text)
    for receipt in Path("/var/lib/upgrader/agents").glob("r*.json"):
        receipt.unlink()


def test_a_host_is_disabled_by_the_real_api_and_enabled_again(computes: Computes) -> None:
    host, other = computes.hosts
    computes.query(f"UPDATE {NOVA}.services SET disabled = 1, disabled_reason = 'broken fan' WHERE host = %s", other)
    done = computes.call("disable", hosts=[host, other], reason="to Ocata")
    assert (done["disabled"], done["left"]) == ([host], [other])
    assert computes.service(host) == (True, "upgrader r1: to Ocata")
    assert not computes.call("disable", hosts=[host], reason="again")["changed"]
    assert computes.call("enable", hosts=[host, other])["enabled"] == [host]
    assert computes.service(host) == (False, "")
    assert computes.service(other) == (True, "broken fan")
    computes.query(f"UPDATE {NOVA}.services SET disabled = 0, disabled_reason = NULL WHERE host = %s", other)


def test_hosts_are_proven_by_version_placement_and_the_states_of_their_instances(computes: Computes) -> None:
    hosts = computes.hosts
    recorded = computes.call("record", hosts=hosts)
    assert all(recorded["instances"][host] > 0 for host in hosts)
    wrong = computes.wrong(hosts=hosts)
    assert f"{hosts[0]}: nova-compute is at service version 9 instead of 16" in wrong
    assert f"{hosts[1]}: it has no resource provider" in wrong
    computes.upgraded(*hosts)
    assert computes.call("proven", hosts=hosts)["instances"] == recorded["instances"]
    [(one,)] = computes.query(
        f"SELECT uuid FROM {NOVA}.instances WHERE host = %s AND vm_state = 'active' AND deleted = 0 LIMIT 1", hosts[0]
    )
    computes.query(f"UPDATE {NOVA}.instances SET vm_state = 'error' WHERE uuid = %s", one)
    computes.beat()
    assert f"instance {one} has status ERROR instead of ACTIVE" in computes.wrong(hosts=hosts)
    computes.query(f"UPDATE {NOVA}.instances SET vm_state = 'active' WHERE uuid = %s", one)
    computes.query(
        f"UPDATE {NOVA}.services SET last_seen_up = '2017-01-01', updated_at = '2017-01-01' WHERE host = %s", hosts[0]
    )
    assert f"{hosts[0]}: nova-compute is down" in computes.wrong(hosts=hosts)
    computes.beat()
    assert computes.call("proven", hosts=hosts)["findings"] == []


def test_a_dead_agent_is_seen_by_neutrons_own_list(computes: Computes) -> None:
    [(host, binary)] = computes.query(f"SELECT host, `binary` FROM {NEUTRON}.agents WHERE host LIKE 'cmp%%' LIMIT 1")
    computes.call("record", run="r2", hosts=[host])
    computes.upgraded(host)
    computes.query(
        f"UPDATE {NEUTRON}.agents SET heartbeat_timestamp = '2017-01-01' WHERE host = %s AND `binary` = %s",
        host,
        binary,
    )
    alive = computes.controller.call("upgrader_agents.alive", patience=1)
    assert f"{binary} on {host}" in alive["dead"] and alive["alive"] > 0
    assert f"{host}: {binary} is not alive" in computes.wrong(run="r2", hosts=[host])


def test_the_data_plane_is_closed_when_every_compute_and_instance_is_in_placement(computes: Computes) -> None:
    computes.query(f"UPDATE {NOVA}.services SET version = 9 WHERE `binary` = 'nova-compute'")
    everyone = [host for (host,) in computes.query(f"SELECT host FROM {NOVA}.compute_nodes WHERE deleted = 0")]
    computes.upgraded(*everyone[:-1])
    with pytest.raises(
        CommandExecutionError, match=r"below service version 16|has no resource provider|Resource Providers"
    ):
        computes.call("closed")
    computes.upgraded(everyone[-1])
    computes.query(f"DELETE FROM {NOVA}.services WHERE `binary` = 'nova-compute' AND version < 16")
    computes.call("record", hosts=computes.hosts)
    computes.beat()
    computes.call("proven", hosts=computes.hosts)
    with pytest.raises(CommandExecutionError, match="nova-scheduler of this node is older than the proof"):
        computes.call("closed")
    systemctl("restart", "nova-scheduler")
    done = computes.call("closed")
    assert done["computes"] == done["providers"] == len(everyone)
    [(one,)] = computes.query(f"SELECT consumer_id FROM {API}.allocations LIMIT 1")
    computes.query(f"DELETE FROM {API}.allocations WHERE consumer_id = %s", one)
    with pytest.raises(CommandExecutionError, match=f"instance {one} has no allocations on"):
        computes.call("closed")
