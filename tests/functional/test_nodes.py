"""Configuration and restarts on a node by real Salt, read back by Ocata's own nova and neutron, and by systemd.

The agents themselves are stand-ins here: units that sleep under the agents' names.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.bench import VENV, Bench

MITAKA = Path(__file__).resolve().parents[1] / "data" / "mitaka_conf"
PASSWORD = "c@\"mp$$ute's"
FILES = {
    "/etc/nova/nova.conf": "nova-compute-node.conf",
    "/etc/neutron/plugins/ml2/openvswitch_agent.ini": "plugins/ml2/openvswitch_agent.ini",
    "/etc/neutron/l3_agent.ini": "l3_agent.ini",
}
NOVA_READS = """
import json
from keystoneauth1 import loading
import nova.conf
nova.conf.CONF(args=['--config-file', '/etc/nova/nova.conf'], project='nova')
loading.register_auth_conf_options(nova.conf.CONF, 'placement')
auth = loading.load_auth_from_conf_options(nova.conf.CONF, 'placement')
said = {'auth_url': auth.auth_url, 'user': auth._username, 'password': auth._password, 'images': nova.conf.CONF.glance.api_servers,
        'region': nova.conf.CONF.placement.os_region_name}
print(json.dumps(said))
"""
NEUTRON_READS = """
import json
from oslo_config import cfg
import neutron.agent.ovsdb.api
from neutron.plugins.ml2.drivers.openvswitch.agent.common import config
ovs = cfg.CONF
ovs(args=['--config-file', '/etc/neutron/plugins/ml2/openvswitch_agent.ini'], project='neutron')
print(json.dumps({'of': ovs.OVS.of_interface, 'db': ovs.OVS.ovsdb_interface, 'drop': ovs.AGENT.drop_flows_on_start}))
"""


@pytest.fixture
def compute(bench: Bench) -> Iterator[Bench]:
    """This node with Mitaka's files of a compute in place of its own, and a compute's pillar beside the controller's."""
    own = [Path("/etc/nova"), Path("/etc/neutron")]
    for path in own:
        if path.exists():
            path.rename(f"{path}.of-the-bench")
    for name, source in FILES.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(MITAKA / source, name)
        Path(name).chmod(0o640)
    identity = {"host": "10.0.0.10", "user": "nova", "password": PASSWORD, "region": "RegionOne"}
    bench.set_role("nova", {"controller": bench.controller(), "compute": {"identity": identity}})
    source = {"source": "deb [trusted=yes] http://user:geheim@10.0.0.1/ubuntu ocata main"}
    bench.set_role("linux", {"system": {"repo": {"bench-ocata": source}}})
    try:
        yield bench
    finally:
        for role in ("nova", "linux"):
            bench._roles.pop(role)
        bench.configure()
        for path in own:
            for beside in path.parent.glob(f"{path.name}.before-*"):
                shutil.rmtree(beside)
            shutil.rmtree(path, ignore_errors=True)
            kept = Path(f"{path}.of-the-bench")
            if kept.exists():
                kept.rename(path)
        for folder in ("agents-nova", "agents-neutron"):
            shutil.rmtree(f"/var/backups/upgrader/{folder}", ignore_errors=True)
        Path("/etc/apt/sources.list.d/bench-ocata.list").unlink(missing_ok=True)


def applied(bench: Bench, sls: str, **more: Any) -> Any:
    (state,) = bench.call("state.apply", sls, **more).values()
    return state


def ocata_reads() -> Any:
    said: dict[str, Any] = {}
    for script in (NOVA_READS, NEUTRON_READS):  # options of one name, so each in a process of its own
        command = [VENV / "bin/python", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        said.update(json.loads(done.stdout.splitlines()[-1]))
    return said


def test_what_the_state_writes_is_read_by_ocatas_own_code(compute: Bench) -> None:
    assert ocata_reads_nothing_yet()
    state = applied(compute, "upgrader.compute.configured", test=True)
    assert state["result"] is None and "[placement]/password" in state["comment"]
    state = applied(compute, "upgrader.compute.configured")
    assert state["result"] is True and state["changes"]
    assert ocata_reads() == {
        "auth_url": "http://10.0.0.10:35357/v3", "user": "nova", "password": PASSWORD, "images": ["http://10.0.0.10:9292"],
        "region": "RegionOne", "of": "ovs-ofctl", "db": "vsctl", "drop": False,
    }  # fmt: skip
    assert applied(compute, "upgrader.compute.configured")["changes"] == {}
    logged = "".join(path.read_text(errors="replace") for path in (compute.root / "cache").rglob("*") if path.is_file())
    assert PASSWORD not in logged and PASSWORD not in str(state)


def ocata_reads_nothing_yet() -> bool:
    """Ocata by Mitaka's files: no account for placement, and the switch spoken to in another way."""
    return "[placement]" not in Path("/etc/nova/nova.conf").read_text()


def test_configuration_is_kept_checked_and_put_back(compute: Bench) -> None:
    before = {name: Path(name).read_bytes() for name in FILES}
    assert compute.call("upgrader_config.save", run="r1")["changed"]
    applied(compute, "upgrader.compute.configured")
    assert compute.call("upgrader_config.pinned", run="r1")["findings"] == []
    Path("/etc/neutron/plugins/ml2/openvswitch_agent.ini").write_text("[ovs]\n")  # what a site's template may write
    found = compute.call("upgrader_config.pinned", run="r1")["findings"]
    assert len(found) == 3 and "of_interface" in str(found)
    compute.call("upgrader_config.pin", run="r1")
    assert compute.call("upgrader_config.pinned", run="r1")["findings"] == []
    assert compute.call("upgrader_config.restore", run="r1")["changed"]
    assert {name: Path(name).read_bytes() for name in FILES} == before
    assert Path("/etc/nova/nova.conf").stat().st_mode & 0o777 == 0o640


def test_sources_are_written_once_and_no_password_is_left_in_salts_cache(compute: Bench) -> None:
    assert applied(compute, "upgrader.package.sources")["changes"]
    file = Path("/etc/apt/sources.list.d/bench-ocata.list")
    assert file.read_text().endswith("ocata main\n") and file.stat().st_mode & 0o777 == 0o600
    assert applied(compute, "upgrader.package.sources")["changes"] == {}
    logged = "".join(path.read_text(errors="replace") for path in (compute.root / "cache").rglob("*") if path.is_file())
    assert "geheim" not in logged


def unit(name: str, command: str) -> None:
    Path(f"/etc/systemd/system/{name}.service").write_text(
        f"[Service]\nExecStart={command}\n[Install]\nWantedBy=multi-user.target\n"
    )
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "enable", "-q", name], check=True)
    subprocess.run(["systemctl", "restart", name], check=True)


def process(name: str) -> str:
    shown = subprocess.run(
        ["systemctl", "show", "-p", "MainPID", "--value", name], capture_output=True, text=True, check=True
    )
    return shown.stdout.strip()


@pytest.fixture
def agents(compute: Bench) -> Iterator[Bench]:
    names = ("nova-compute", "neutron-l3-agent", "openvswitch-switch")
    for name in names:
        unit(name, "/bin/sleep infinity")
    yield compute
    subprocess.run(["systemctl", "disable", "-q", "--now", *names], check=True)
    for name in names:
        Path(f"/etc/systemd/system/{name}.service").unlink()
    subprocess.run(["systemctl", "daemon-reload"], check=True)


def test_agents_are_restarted_when_their_configuration_is_younger_and_only_then(agents: Bench) -> None:
    slack = ["sleep", "1.1"]  # the slack between the clocks of files and processes
    subprocess.run(slack, check=True)
    agents.call("upgrader_compute.restart", run="r1", patience=30)
    before = {name: process(name) for name in ("nova-compute", "neutron-l3-agent", "openvswitch-switch")}
    again = agents.call("upgrader_compute.restart", run="r1", patience=30)
    assert not again["changed"], again
    subprocess.run(slack, check=True)
    applied(agents, "upgrader.compute.configured")
    done = agents.call("upgrader_compute.restart", run="r1", patience=30)
    assert done["restarted"] == ["neutron-l3-agent", "nova-compute"]
    after = {name: process(name) for name in before}
    assert after["openvswitch-switch"] == before["openvswitch-switch"]
    assert all(after[name] != before[name] for name in done["restarted"])


def test_an_agent_that_does_not_stay_up_is_named_with_its_last_words(agents: Bench) -> None:
    unit("nova-compute", "/bin/sh -c 'echo no placement; exit 1'")
    with pytest.raises(CommandExecutionError, match=r"nova-compute is .*no placement") as caught:
        agents.call("upgrader_compute.restart", run="r1", services=["nova-compute"], patience=4)
    assert "do not stay up" in str(caught.value)
