"""A rehearsal that the site's own formulas deploy, through the site's own Salt of 2017, and the faults that such formulas have."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.rehearsal import STAGE, Rehearsal
from upgrader.lab import Lab
from upgrader.lab.contents.site_salt import FAULTS
from upgrader.lab.narrator import Narrator

NAME = "cisiterun"
SERVICES = (
    *("apache2", "glance-api", "nova-api", "nova-conductor", "nova-scheduler"),
    *("cinder-scheduler", "neutron-server", "heat-api", "heat-engine", "rabbitmq-server", "memcached"),
)


@pytest.fixture(scope="module")
def site() -> Iterator[Rehearsal]:
    lab = Lab(NAME, narrator=Narrator())
    lab.down()
    lab.up(instances=20, profile="mcp")
    yield Rehearsal(lab)
    lab.down()


@contextmanager
def faults(site: Rehearsal, **given: str) -> Iterator[None]:
    """Faults of the site's formulas, in the file that only the site's master reads."""
    path = site.cfg.root / FAULTS.lstrip("/")
    path.write_text(json.dumps({"site": {"faults": given, "slow_seconds": 600}}))
    try:
        yield
    finally:
        path.write_text("{}")


def asked(site: Rehearsal, function: str, *words: str) -> str:
    """One call of this tool's modules on the upgrade node, as text, whatever became of it."""
    return site.cfg.run(["salt", "--out=txt", "-t", "600", "upg01*", function, *words], check=False).stdout


@pytest.fixture(scope="module")
def refused(site: Rehearsal) -> subprocess.CompletedProcess[str]:
    """The stage on a site that lacks two formulas: the first run, so that the gate is asked before anything is there."""
    with faults(site, neutron="missing", heat="unrendered"):
        return site.run(*STAGE)


@pytest.fixture(scope="module")
def stopped(site: Rehearsal, refused: object) -> subprocess.CompletedProcess[str]:
    """A rehearsal whose last service dies seconds after the site's Salt called it running."""
    with faults(site, heat="dies"):
        return site.run(*STAGE, "--restart", timeout=2700)


@pytest.fixture(scope="module")
def ended(site: Rehearsal, stopped: object) -> subprocess.CompletedProcess[str]:
    """The fault is mended, and the run resumed to its end."""
    site.upg.run(["rm", "-rf", "/etc/systemd/system/heat-engine.service.d"])
    site.upg.run(["systemctl", "daemon-reload"])
    return site.run("resume", timeout=2700)


def test_formulas_that_are_not_there_refuse_the_stage_before_anything_is_done(
    refused: subprocess.CompletedProcess[str],
) -> None:
    assert refused.returncode == 3
    assert "site-formulas" in refused.stderr
    assert "the site's Salt master has no such formula" in refused.stderr or "does not render" in refused.stderr
    assert "neutron" in refused.stderr and "heat" in refused.stderr
    assert "nothing was changed" in refused.stderr


def test_service_that_dies_after_its_start_stops_the_stage_with_its_name(
    site: Rehearsal, stopped: subprocess.CompletedProcess[str]
) -> None:
    last = stopped.stderr.strip().splitlines()[-1]
    assert stopped.returncode == 1, stopped.stderr
    assert "at step deploy-heat, which failed" in last
    assert "says that it started heat-engine, and 8 s later it does not run, or only anew: " in last
    assert "Result=" in last
    assert last.endswith("then 'upgrader resume'")


def test_nothing_of_the_site_ran_before_the_schemas(site: Rehearsal, stopped: object) -> None:
    """What MCP's neutron.server takes away is told, and what the others' packages would have started by it did not start."""
    finished = {row["step"]: row for row in site.journal() if row["event"] == "step-finished"}
    told = json.dumps(finished["services-configure"])
    assert finished["services-configure"]["ok"]
    assert "/usr/sbin/policy-rc.d" in told and "nothing had started by then" in told


def test_rehearsal_ends_at_ocata_once_the_fault_is_mended(
    site: Rehearsal, ended: subprocess.CompletedProcess[str]
) -> None:
    assert ended.returncode == 0, ended.stderr
    assert site.scalar("SELECT version FROM nova_upgrade.migrate_version") == 347
    active = site.upg.run(["systemctl", "is-active", *SERVICES], check=False).stdout.split()
    assert active == ["active"] * len(SERVICES)


def test_what_only_the_sites_pillar_sets_is_in_the_upgrade_nodes_configuration(site: Rehearsal, ended: object) -> None:
    text = site.upg.run(["cat", "/etc/nova/nova.conf"]).stdout
    assert "cpu_allocation_ratio = 8.0" in text
    assert "Written by Salt" not in text


def test_production_saw_no_packet_of_the_sites_services(site: Rehearsal, ended: object) -> None:
    assert {name: site.packets(name)["production"] for name in ("ctl01", "vip01")} == {"ctl01": 0, "vip01": 0}


def test_formula_that_names_productions_queue_is_stopped_before_a_service_starts(
    site: Rehearsal, ended: object
) -> None:
    with faults(site, nova="production_queue"):
        assert "states of the site's" in asked(site, "upgrader_site.configured", "mods=[nova]")
    said = asked(site, "upgrader_copy.all_isolated", "services=[keystone, nova]")
    assert "[DEFAULT]/transport_url names ctl01.lab.local" in said
    assert "s3cret" not in said


@pytest.mark.soak
def test_formula_that_starts_on_productions_queue_is_refused_by_the_kernel_and_named(
    site: Rehearsal, ended: object
) -> None:
    before = site.packets("ctl01")["production"]
    asked(site, "upgrader_site.configured", "mods=[nova]")
    with faults(site, nova="production_queue"):
        asked(site, "upgrader_site.applied", "mods=[nova]")
    assert site.packets("ctl01")["production"] == before
    said = asked(site, "upgrader_egress.refused", f"run={site.run_id()}")
    assert "10.20.0.11 port 5672 (tcp), message queue (" in said


@pytest.mark.parametrize(
    ("fault", "function", "sentence"),
    [
        ("fails", "applied", "memcached_fault_fails (test.fail_without_changes)"),
        pytest.param("missing", "applied", "memcached.not_there", marks=pytest.mark.soak),
        pytest.param("unrendered", "configured", "the site's memcached does not render", marks=pytest.mark.soak),
        ("opens", "configured", "nothing had started by then"),
    ],
)
def test_fault_of_a_formula_ends_in_a_sentence(
    site: Rehearsal, ended: object, fault: str, function: str, sentence: str
) -> None:
    with faults(site, memcached=fault):
        assert sentence in asked(site, f"upgrader_site.{function}", "mods=[memcached]")


def test_formula_that_syncs_a_schema_before_us_does_not_get_to_it(site: Rehearsal, ended: object) -> None:
    with faults(site, heat="syncs"):
        said = asked(site, "upgrader_site.configured", "mods=[heat]")
    assert "heat_server_conf (file.managed): The following requisites were not found" in said


def test_state_run_that_is_killed_is_told(site: Rehearsal, ended: object) -> None:
    with faults(site, memcached="slow"):
        command = ["salt", "--out=txt", "-t", "600", "upg01*", "upgrader_site.applied", "mods=[memcached]"]
        started = subprocess.Popen(site.cfg.command(command), stdout=subprocess.PIPE, text=True)
        try:
            site.upg.run(["sh", "-c", "until pgrep -f '[s]leep 600'; do sleep 0.2; done"], timeout=600)
            site.upg.run(["pkill", "-KILL", "-f", "salt-call.*state.sls memcached"])
            said, _ = started.communicate(timeout=600)
        finally:
            started.kill()
            site.upg.run(["pkill", "-KILL", "-f", "sleep 600"], check=False)
    assert "the site's salt-call ended with exit code -9 and no answer" in said
