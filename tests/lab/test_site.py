"""The lab as an operator's site has it: a Salt of 2017 with packages and formulas of its own, beside ours.

What the formulas do, faults included, test_site_rehearsal.py sees every day through this tool; here the soak sees it alone.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.sources import ROOT
from upgrader.lab import Lab
from upgrader.lab.contents import databases
from upgrader.lab.contents.passwords import load_or_make
from upgrader.lab.contents.site_salt import ETC, FAULTS, PROGRAMS, RECLASS_COMMAND
from upgrader.lab.machine.process import wait_until
from upgrader.lab.narrator import Narrator

NAME = "cisite"
MINIONS = {f"{name}.lab.local" for name in ("cfg01", "dbs01", "dbs02", "dbs03", "upg01")}
UPG01 = "upg01.lab.local"
ENTRY_POINTS = [
    *("rabbitmq", "memcached", "apache", "keystone.server", "keystone.client", "glance"),
    *("nova", "nova.controller", "cinder", "neutron", "heat", "horizon"),
]


@pytest.fixture(scope="module")
def site() -> Iterator[Lab]:
    the = Lab(NAME, narrator=Narrator())
    the.down()
    the.up(instances=10, profile="mcp")
    yield the
    the.down()


def ask(site: Lab, target: str, *words: str, command: str = "site-salt") -> Any:
    """What `salt` prints, whatever its exit code."""
    done = site.node("cfg01").run(
        [command, "--out=json", "--static", "--timeout=30", target, *words], check=False, timeout=600
    )
    return json.loads(done.stdout)


def apply(site: Lab, sls: str, pillar: Mapping[str, Any] | None = None) -> Any:
    """What the site's Salt returns for upg01; ``pillar`` goes on top of the model's."""
    return ask(site, UPG01, "state.sls", sls, f"pillar={json.dumps(pillar or {})}", "queue=True")[UPG01]


def states(answer: Any) -> list[dict[str, Any]]:
    """The states in the order they ran in. The older Salt puts a `retcode` among them, and no id into one whose requisite failed."""
    assert isinstance(answer, dict), answer
    found = [{"__id__": key.split("_|-")[1], **one} for key, one in answer.items() if isinstance(one, dict)]
    return sorted(found, key=lambda one: one["__run_num__"])


def results(answer: Any) -> dict[str, bool]:
    return {state["__id__"]: state["result"] for state in states(answer)}


def broken(answer: Any) -> list[str]:
    return [f"{state['__id__']}: {state['comment']}" for state in states(answer) if state["result"] is False]


def faulty(site: Lab, sls: str, fault: str, **more: Any) -> Any:
    return apply(site, sls, {"site": {"faults": {sls.split(".")[0]: fault}, **more}})


def active(site: Lab, unit: str) -> str:
    return site.node("upg01").run(["systemctl", "is-active", unit], check=False).stdout.strip()


def test_both_salts_answer_with_their_own_versions(site: Lab) -> None:
    theirs = ask(site, "*", "test.version")
    ours = ask(site, "*", "test.version", command="salt")
    assert set(theirs) == set(ours) == MINIONS
    assert set(theirs.values()) == {"2017.7.8"}
    assert all(int(version.split(".")[0]) >= 3006 for version in ours.values())


def test_our_modules_stay_when_the_sites_salt_syncs_its_own(site: Lab) -> None:
    def held() -> list[str]:
        found = site.node("upg01").run(["find", "/var/cache/salt/minion/extmods", "-name", "upgrader_*"]).stdout
        return sorted(found.splitlines())

    ask(site, UPG01, "saltutil.sync_all", command="salt")
    before = held()
    assert "/var/cache/salt/minion/extmods/modules/upgrader_nova.py" in before
    assert set(ask(site, UPG01, "saltutil.sync_all")) == {UPG01}
    assert held() == before
    assert ask(site, UPG01, "sys.list_functions", "upgrader_nova", command="salt")[UPG01]


def test_site_has_the_pillar_that_the_model_gives(site: Lab) -> None:
    """As our own Salt's reclass renders it, and with the keys of the site's own formulas among it."""
    rendered = site.node("cfg01").run(shlex.split(RECLASS_COMMAND.replace("%s", UPG01))).stdout
    theirs = ask(site, UPG01, "pillar.items")[UPG01]
    assert theirs.pop("retcode") == 0  # the older Salt puts it into whatever dictionary a function returns
    assert theirs == yaml.safe_load(rendered)
    assert theirs["nova"]["controller"]["database"]["name"] == "nova_upgrade"
    assert theirs["rabbitmq"]["server"]["enabled"] is True


@pytest.mark.soak
def test_packages_have_ubuntus_names_and_run_the_labs_code(site: Lab) -> None:
    installed = ask(site, UPG01, "pkg.install", "nova-scheduler", "refresh=True")[UPG01]
    assert installed["nova-common"] == {"old": "", "new": "2:15.1.5-0ubuntu1~cloud0"}
    assert ask(site, UPG01, "pkg.version", "nova-scheduler")[UPG01] == "2:15.1.5-0ubuntu1~cloud0"
    assert site.node("upg01").run(["nova-manage", "--version"]).stderr.strip().endswith("15.1.5")
    # As on Ubuntu: what is installed is started, on whatever configuration the package brings.
    assert site.node("upg01").run(["systemctl", "is-enabled", "nova-scheduler"]).stdout.strip() == "enabled"
    ask(site, UPG01, "pkg.purge", "nova-scheduler")


@pytest.mark.soak
@pytest.mark.parametrize("sls", ENTRY_POINTS)
def test_every_entry_point_renders(site: Lab, sls: str) -> None:
    shown = ask(site, UPG01, "state.show_sls", sls)[UPG01]
    assert isinstance(shown, dict), shown
    assert shown


@contextmanager
def switched(site: Lab, **faults: str) -> Iterator[None]:
    """Faults in the file that only the site's master reads. The older `state.sls_id` takes no pillar from the command line."""
    path = site.node("cfg01").root / FAULTS.lstrip("/")
    path.write_text(json.dumps({"site": {"faults": faults}}))
    try:
        yield
    finally:
        path.write_text("{}")


def configured(site: Lab, fault: str = "") -> str:
    """nova.conf as the site's formula writes it, without its schemas and its services."""
    with switched(site, nova=fault):
        answer = ask(site, UPG01, "state.sls_id", "nova_controller_conf", "nova.controller")[UPG01]
    assert results(answer)["nova_controller_conf"] is True, answer
    return site.node("upg01").run(["cat", "/etc/nova/nova.conf"]).stdout


@pytest.fixture
def forbidden(site: Lab) -> Iterator[Path]:
    """No package may start a service."""
    path = site.node("upg01").root / "usr/sbin/policy-rc.d"
    path.write_text("#!/bin/sh\nexit 101\n")
    path.chmod(0o755)
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.soak
def test_configuration_of_the_site_alone_starts_nothing_and_has_keys_that_ours_drops(
    site: Lab, forbidden: Path
) -> None:
    text = configured(site)
    assert "cpu_allocation_ratio = 8.0" in text
    assert "metadata_proxy_shared_secret" in text
    assert active(site, "nova-api") == "inactive"


@pytest.mark.soak
def test_queue_and_cache_run_after_their_states(site: Lab) -> None:
    answer = apply(site, "rabbitmq,memcached")
    assert broken(answer) == []
    users = site.node("upg01").run(["rabbitmqctl", "-q", "list_permissions", "-p", "/openstack"]).stdout
    assert "openstack" in users
    assert (active(site, "rabbitmq-server"), active(site, "memcached")) == ("active", "active")


@pytest.fixture(scope="module")
def empty(site: Lab) -> None:
    """Empty databases under the names that the model has for the copies."""
    passwords = load_or_make(site.folder / "passwords.json").clones
    suffixes = {"nova": ("_upgrade", "_upgrade_api", "_upgrade_cell0")}
    connection = databases.connect(site.node("dbs01"))
    with connection.cursor() as cursor:
        for service, password in passwords.items():
            cursor.execute(f"CREATE USER IF NOT EXISTS {service}_upgrade@'%%' IDENTIFIED BY %s", (password,))
            for suffix in suffixes.get(service, ("_upgrade",)):
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS {service}{suffix} CHARACTER SET utf8")
                cursor.execute(f"GRANT ALL ON {service}{suffix}.* TO {service}_upgrade@'%'")
    connection.close()


@pytest.mark.soak
def test_keystone_of_the_site_serves_and_its_schema_was_synced_unasked(site: Lab, empty: None) -> None:
    assert broken(apply(site, "keystone.server")) == []
    assert broken(apply(site, "keystone.client")) == []
    listed = openstack(site, "user", "list", "-f", "value", "-c", "Name")
    assert listed.split() == ["upgrader"]
    assert "placement" in openstack(site, "service", "list", "-f", "value", "-c", "Name").split()
    # A second run changes things again: its sync and its keys ask nothing first.
    again = apply(site, "keystone.server")
    assert any(state["changes"] for state in states(again) if state["__id__"] == "keystone_syncdb")


def openstack(site: Lab, *words: str) -> str:
    """What the client prints with the account that the site's formula left for root."""
    return site.node("upg01").run(["bash", "-c", '. /root/keystonercv3; openstack "$@"', "openstack", *words]).stdout


@pytest.mark.soak
@pytest.mark.parametrize(
    ("sls", "units", "ports"),
    [
        ("glance", ["glance-api", "glance-registry"], [9292]),
        ("nova", ["nova-api", "nova-conductor", "nova-scheduler", "nova-consoleauth"], [8774]),
        ("cinder", ["cinder-scheduler"], [8776]),
        ("neutron", ["neutron-server"], [9696]),
        ("heat", ["heat-api", "heat-api-cfn", "heat-engine"], [8004, 8000]),
        ("horizon", ["apache2"], []),
    ],
)
def test_each_service_of_the_site_runs_from_an_empty_database(
    site: Lab, empty: None, sls: str, units: list[str], ports: list[int]
) -> None:
    assert broken(apply(site, sls)) == []
    for port in ports:
        wait_until(lambda port=port: listens(site, port), 240, f"port {port} of {sls}")  # type: ignore[misc]
    assert {unit: active(site, unit) for unit in units} == dict.fromkeys(units, "active")


def listens(site: Lab, port: int) -> bool:
    lines = Path(f"/proc/{site.node('upg01').pid}/net/tcp").read_text().splitlines()
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines[1:])


@pytest.mark.soak
def test_placement_is_not_served_before_apache_is_restarted(site: Lab, empty: None) -> None:
    """Salt says success all the same: the site's file is laid beside a server that runs."""
    node = site.node("upg01")
    node.run(["rm", "-f", "/etc/apache2/sites-enabled/nova-placement-api.conf"])
    node.run(["systemctl", "restart", "apache2"])
    assert broken(ask(site, UPG01, "state.sls_id", "nova_placement_service", "nova.controller")[UPG01]) == []
    assert not listens(site, 8778)
    node.run(["systemctl", "restart", "apache2"])
    wait_until(lambda: listens(site, 8778), 120, "placement to be served")


@pytest.mark.soak
def test_fault_fails_is_a_failed_state(site: Lab) -> None:
    assert results(faulty(site, "memcached", "fails"))["memcached_fault_fails"] is False


@pytest.mark.soak
@pytest.mark.parametrize(("fault", "words"), [("missing", "memcached.not_there"), ("unrendered", "not_there")])
def test_fault_in_the_sls_is_a_list_of_sentences(site: Lab, fault: str, words: str) -> None:
    answer = faulty(site, "memcached", fault)
    assert isinstance(answer, list)
    assert words in "".join(answer)


@pytest.mark.soak
def test_fault_slow_takes_its_seconds(site: Lab) -> None:
    answer = faulty(site, "memcached", "slow", slow_seconds=7)
    (slow,) = (state for state in states(answer) if state["__id__"] == "memcached_fault_slow")
    assert slow["duration"] > 7000


@pytest.mark.soak
def test_fault_dies_is_a_service_that_salt_calls_running_and_that_is_gone_soon(site: Lab) -> None:
    answer = faulty(site, "memcached", "dies")
    assert set(results(answer).values()) == {True}
    wait_until(
        lambda: active(site, "memcached") == "failed", 120, "memcached to die", lambda: active(site, "memcached")
    )
    site.node("upg01").run(["rm", "-r", "/etc/systemd/system/memcached.service.d"])
    site.node("upg01").run(["systemctl", "daemon-reload"])


@pytest.mark.soak
def test_fault_opens_takes_away_what_forbids_packages_to_start_services(site: Lab, forbidden: Path) -> None:
    faulty(site, "memcached", "opens")
    assert not forbidden.exists()


@pytest.mark.soak
def test_fault_syncs_runs_although_only_the_configuration_was_asked_for(site: Lab, forbidden: Path) -> None:
    with switched(site, heat="syncs"):
        answer = ask(site, UPG01, "state.sls_id", "heat_server_conf", "heat.server")[UPG01]
    assert "heat_fault_syncs" in results(answer)
    assert "heat_syncdb" not in results(answer)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("fault", "words"),
    [("production_queue", "@ctl01.lab.local:5672"), ("production_identity", "auth_url = http://ctl01.lab.local:35357")],
)
def test_fault_production_names_productions_controller(site: Lab, forbidden: Path, fault: str, words: str) -> None:
    assert words in configured(site, fault)
    assert words not in configured(site)


@pytest.mark.soak
def test_faults_of_the_file_are_the_sites_alone(site: Lab) -> None:
    with switched(site, memcached="fails"):
        assert results(apply(site, "memcached"))["memcached_fault_fails"] is False
        assert ask(site, UPG01, "pillar.get", "site", command="salt")[UPG01] in ("", {})
    assert "memcached_fault_fails" not in results(apply(site, "memcached"))


def documented(block: str) -> list[str]:
    """The commands of one block of docs/site.md, as they are pasted."""
    found = re.search(rf"```bash {block}\n(.*?)```", (ROOT / "docs/site.md").read_text(), re.DOTALL)
    assert found
    return [line.strip() for line in found.group(1).splitlines()]


def pasted(site: Lab, commands: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
    script = "\n".join(["set -e", f"export UPGRADER_SITE_SALT={PROGRAMS}/salt UPGRADER_SITE_CONFIG={ETC}", *commands])
    return site.node("cfg01").run(["bash", "-c", script], check=check, timeout=600)


def everything(site: Lab) -> dict[str, set[str]]:
    """Every file of every node, with its kind and size, and the content of what is configuration."""
    left_out = (
        "/proc",
        "/sys",
        "/run",
        "/tmp",
        "/var/log",
        "/var/cache",
        "/var/tmp",
        "/var/lib/mysql",
        "/opt/site/var",
    )
    pruned = " -o ".join(["-name __pycache__", *(f"-path {path}" for path in left_out)])
    script = f"find / -xdev \\( {pruned} \\) -prune -o -printf '%p %y\\n'; find /etc /opt/site/etc -type f -exec sha256sum {{}} +"
    return {
        name: set(site.node(name).run(["bash", "-c", script], timeout=300).stdout.splitlines())
        for name in ("cfg01", "dbs01", "dbs02", "dbs03", "upg01")
    }


@pytest.fixture(scope="module")
def before(site: Lab) -> dict[str, set[str]]:
    """The site before our Salt joined. The image's own Salt, packed, stands in for Salt's onedir."""
    site.node("cfg01").run(["tar", "-C", "/opt", "-cf", "/root/salt.tar", "salt"], timeout=300)
    site.node("cfg01").run(["mv", "/root/salt.tar", "/root/upgrader-salt.tar.xz"])
    return everything(site)


@pytest.fixture(scope="module")
def joined(site: Lab, before: object) -> str:
    return pasted(site, documented("join")).stdout


def of_ours(site: Lab, *words: str) -> Any:
    program = ["/opt/upgrader/salt/bin/python3", "/opt/upgrader/salt/bin/salt", "--config-dir=/opt/upgrader/etc/salt"]
    return json.loads(site.node("cfg01").run([*program, "--out=json", "--static", "*", *words], timeout=120).stdout)


def test_documented_commands_put_our_salt_beside_the_sites_and_preflight_passes_through_it(
    site: Lab, before: dict[str, set[str]], joined: str
) -> None:
    assert "2017.7.8" in joined and "Every node can join." in joined
    versions = of_ours(site, "test.version")
    assert set(versions) == MINIONS
    assert all(int(version.split(".")[0]) >= 3006 for version in versions.values())
    assert set(ask(site, "*", "test.version").values()) == {"2017.7.8"}
    new = {line for node, held in everything(site).items() for line in held - before[node]}
    # What preflight found and was too long to show lies where journals would.
    ours = ("/opt/upgrader", "upgrader-salt-m", "/var/lib/upgrader")
    assert {line for line in new if not any(name in line for name in ours)} == set()


def test_joining_again_changes_and_restarts_nothing(site: Lab, joined: str) -> None:
    def pids() -> list[str]:
        unit = ["systemctl", "show", "--value", "-p", "MainPID", "upgrader-salt-minion"]
        return [site.node(name).run(unit).stdout for name in ("cfg01", "dbs01", "upg01")]

    first = pids()
    pasted(site, documented("join")[1:2])
    assert pids() == first


def test_key_of_somebody_else_under_a_nodes_name_is_refused(site: Lab, joined: str) -> None:
    node = site.node("dbs03")
    node.run(["systemctl", "stop", "upgrader-salt-minion"])
    held = site.node("cfg01").root / "opt/upgrader/etc/salt/pki/master/minions/dbs03.lab.local"
    told = held.read_text()
    held.write_text((site.node("cfg01").root / "opt/upgrader/etc/salt/pki/master/minions/dbs02.lab.local").read_text())
    try:
        done = pasted(site, [documented("join")[1] + " --target 'dbs03*'"], check=False)
    finally:
        held.write_text(told)
        node.run(["systemctl", "start", "upgrader-salt-minion"])
    assert done.returncode == 1
    assert "is not the one that the node has" in done.stderr


def test_silent_node_refuses_before_anything_is_done(site: Lab, joined: str) -> None:
    site.node("dbs02").run(["systemctl", "stop", "site-salt-minion"])
    try:
        done = pasted(site, [documented("join")[1] + " --target 'dbs*'"], check=False)
    finally:
        site.node("dbs02").run(["systemctl", "start", "site-salt-minion"])
        wait_until(lambda: "dbs02.lab.local" in ask(site, "dbs02*", "test.ping"), 240, "the site's minion of dbs02")
    assert done.returncode == 3, done.stderr
    assert "dbs02.lab.local: silent in the site's Salt" in done.stderr and "nothing was changed" in done.stderr


def test_leaving_leaves_nothing_of_ours(site: Lab, before: dict[str, set[str]], joined: str) -> None:
    done = pasted(site, documented("leave"))
    assert "Our Salt is gone from this site." in done.stdout
    after = everything(site)
    changed = {line for node, held in before.items() for line in after[node] ^ held}
    assert {line for line in changed if "/var/lib/upgrader" not in line} == set()
    assert "/var/lib/upgrader" in done.stdout, "what the preflight wrote stays, and is named"
    assert set(ask(site, "*", "test.version").values()) == {"2017.7.8"}
