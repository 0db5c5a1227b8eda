"""What the lab remembers and how it judges it: processes by identity, passwords, options, dumps by name, node files."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from upgrader.errors import LabError, LabRefused
from upgrader.lab import Lab
from upgrader.lab.contents.dumps import find_dumps
from upgrader.lab.contents.node_files import node_files
from upgrader.lab.contents.passwords import AWKWARD, load_or_make, make_passwords
from upgrader.lab.contents.salt_keys import KeyPair
from upgrader.lab.contents.shipped import write_files
from upgrader.lab.machine.node import Node, node_environment
from upgrader.lab.machine.process import identify, is_init_of_a_namespace, wait_until
from upgrader.lab.options import Options
from upgrader.lab.topology import BENCH, NOVA


def test_a_process_is_known_by_pid_and_start_time() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert me.alive
    assert not replace(me, started=me.started - 1).alive
    assert not replace(me, boot="another boot").alive


def test_a_zombie_does_not_run() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identify(child.pid) is None
    child.wait()


def test_a_process_of_this_namespace_is_no_init() -> None:
    assert not is_init_of_a_namespace(os.getpid())


def test_a_deadline_says_what_was_awaited_and_last_seen() -> None:
    with pytest.raises(LabError, match="in vain for the tide; last seen: sand"):
        wait_until(lambda: False, 0.01, "the tide", lambda: "sand")


def test_passwords_are_kept_private_and_reused(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    made = load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make(path) == made
    assert make_passwords() != made


def test_the_services_passwords_need_right_quoting_and_repr_shows_none() -> None:
    made = make_passwords()
    assert all(character in made.nova and character in made.clone for character in AWKWARD)
    assert made.nova not in repr(made)
    parameters = yaml.safe_load(made.parameters())["parameters"]["_param"]
    assert parameters["mysql_nova_password"] == made.nova


def test_every_service_has_an_account_of_its_own() -> None:
    made = make_passwords()
    assert set(made.services) == {"keystone", "glance", "nova", "cinder", "neutron", "heat"}
    assert len(set(made.services.values())) == 6
    parameters = yaml.safe_load(made.parameters())["parameters"]["_param"]
    for service, password in made.services.items():
        assert parameters[f"mysql_{service}_password"] == password
        assert all(character in password for character in AWKWARD)


def test_passwords_of_another_version_of_the_tool_are_an_error_that_leaves_the_lab_alone(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    load_or_make(path)
    held = json.loads(path.read_text())
    del held["heat"]
    path.write_text(json.dumps(held))
    with pytest.raises(LabError, match="upgrader lab down") as told:
        load_or_make(path)
    assert not isinstance(told.value, LabRefused)
    assert held["nova"] not in str(told.value)


def test_a_lab_without_state_is_down(tmp_path: Path) -> None:
    lab = Lab("test", tmp_path, tmp_path)
    assert lab.status()["state"] == "down"
    with pytest.raises(LabRefused, match="upgrader lab up"):
        lab.node("cfg01")


@pytest.mark.parametrize("action", ["up", "down"])
def test_a_lab_is_for_root_alone(action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabRefused, match=f"sudo upgrader lab {action}"):
        getattr(Lab("test", tmp_path / "state", tmp_path), action)()
    assert not (tmp_path / "state").exists()


def test_an_unknown_node_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "lab.json").write_text(json.dumps({"topology": "nova"}))
    with pytest.raises(LabRefused, match="has no node cmp01; it has cfg01, dbs01, dbs02, dbs03, ctl01, vip01, upg01"):
        Lab("test", tmp_path, tmp_path).node("cmp01")


def test_a_lab_whose_processes_are_gone_is_partial(tmp_path: Path) -> None:
    node = tmp_path / "test" / "nodes" / "cfg01"
    node.mkdir(parents=True)
    (node / "process.json").write_text(json.dumps({"pid": os.getpid(), "started": 1, "boot": "x"}))
    (tmp_path / "test" / "lab.json").write_text(json.dumps({"topology": "nova", "loaded": True}))
    status = Lab("test", tmp_path, tmp_path).status()
    assert status["state"] == "partial"
    assert [one["running"] for one in status["nodes"]] == [False] * 7


@pytest.mark.parametrize("torn", ["", "{", "[]", '"x"'])
def test_a_record_that_a_power_loss_tore_counts_as_none(torn: str, tmp_path: Path) -> None:
    node = tmp_path / "test" / "nodes" / "cfg01"
    node.mkdir(parents=True)
    (node / "process.json").write_text(torn)
    (tmp_path / "test" / "lab.json").write_text(json.dumps({"topology": "nova", "loaded": True}))
    assert Lab("test", tmp_path, tmp_path).node("cfg01").supervisor is None
    (tmp_path / "test" / "lab.json").write_text(torn)
    assert Lab("test", tmp_path, tmp_path).status()["state"] == "down"


def test_disks_without_a_record_of_what_they_are_are_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    disk = tmp_path / "test" / "nodes" / "cfg01"
    disk.mkdir(parents=True)
    with pytest.raises(LabRefused, match="no record of what they are; `upgrader lab down`"):
        Lab("test", tmp_path, tmp_path).up()
    assert disk.is_dir()


def test_torn_passwords_are_told_and_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    path.write_text("")
    with pytest.raises(LabError, match="lab down"):
        load_or_make(path)


@pytest.mark.parametrize("name", ["", "a/b", "../x", "thirteenchars"])
def test_a_name_that_is_no_safe_folder_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(LabRefused, match="letters and digits"):
        Lab(name, tmp_path, tmp_path)


def test_an_overlay_of_an_earlier_boot_is_not_trusted(tmp_path: Path) -> None:
    node = Node(NOVA.nodes[0], tmp_path, "none")
    (tmp_path / "work" / "work" / "incompat" / "volatile").mkdir(parents=True)
    (tmp_path / "boot").write_text("another boot")
    with pytest.raises(LabError, match="lab reset"):
        node._trust_disk()


def test_nothing_of_the_hosts_environment_reaches_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    monkeypatch.setenv("TERM", "xterm")
    environment = node_environment()
    assert "SOME_TOKEN" not in environment
    assert environment["TERM"] == "xterm"


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("SELECT 1;")
    return folder


def test_dumps_are_found_in_every_form(tmp_path: Path) -> None:
    found = find_dumps(fill(tmp_path, "nova.sql", "nova_api.sql.gz", "nova_cell0.sql.xz"))
    assert {dump.database: dump.reader[0] for dump in found} == {"nova": "cat", "nova_api": "gzip", "nova_cell0": "xz"}


def test_dumps_of_any_services_are_taken(tmp_path: Path) -> None:
    found = find_dumps(fill(tmp_path, "keystone.sql", "neutron.sql.gz", "heat.sql.xz"))
    assert {dump.database for dump in found} == {"keystone", "neutron", "heat"}


def test_dumps_of_all_seven_databases_are_taken(tmp_path: Path) -> None:
    names = {"keystone", "glance", "nova", "nova_api", "cinder", "neutron", "heat"}
    assert {dump.database for dump in find_dumps(fill(tmp_path, *(f"{name}.sql" for name in names)))} == names


def test_a_packed_dump_asks_for_the_room_it_unpacks_to(tmp_path: Path) -> None:
    fill(tmp_path, "nova.sql.xz", "nova_api.sql")
    for path in tmp_path.iterdir():
        os.truncate(path, 1_000_000)
    assert {dump.database: dump.megabytes for dump in find_dumps(tmp_path)} == {"nova": 60, "nova_api": 4}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["nova.sql"], "no dump of nova_api, though there is one of nova; nova's databases belong together"),
        (["nova_api.sql", "glance.sql"], "no dump of nova, though there is one of nova_api"),
        (["nova_cell0.sql"], "no dump of nova and nova_api, though there is one of nova_cell0"),
        (["nova.sql", "nova_api.sql", "swift.sql"], "swift.sql is no dump that the lab knows"),
        ([], "there is no dump in it"),
        (["nova.sql", "nova.sql.gz", "nova_api.sql"], "keep one of them"),
        (["nova.sql", "nova_api.dump"], "nova_api.dump is no dump"),
    ],
)
def test_dumps_that_are_missing_unknown_or_double_are_refused(tmp_path: Path, names: list[str], words: str) -> None:
    with pytest.raises(LabRefused, match=words):
        find_dumps(fill(tmp_path, *names))


def test_an_empty_dump_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "nova.sql", "nova_api.sql")
    (tmp_path / "nova.sql").write_text("")
    with pytest.raises(LabRefused, match=r"nova\.sql is empty"):
        find_dumps(tmp_path)
    with pytest.raises(LabRefused, match="no such directory"):
        find_dumps(tmp_path / "absent")


def test_a_node_gets_what_it_runs_and_nothing_else() -> None:
    passwords = make_passwords()
    keys = {node.name: KeyPair(f"private {node.name}", f"public {node.name}") for node in NOVA.nodes}
    files = {node.name: node_files(node, NOVA, keys, passwords) for node in NOVA.nodes}
    assert "etc/salt/master" in files["cfg01"]
    assert "etc/salt/master" not in files["dbs01"]
    assert files["cfg01"]["etc/salt/pki/master/minions/dbs01.lab.local"].text == "public dbs01"
    assert "etc/mysql/mariadb.conf.d/90-lab.cnf" in files["dbs01"]
    assert "10.20.0.12 upg01.lab.local upg01" in files["dbs01"]["etc/hosts"].text
    assert (
        "server dbs02 10.20.0.22:3306 check inter 1s fall 2 rise 2 backup"
        in files["vip01"]["etc/haproxy/haproxy.cfg"].text
    )
    assert "gcomm://10.20.0.21,10.20.0.22,10.20.0.23" in files["dbs01"]["etc/mysql/mariadb.conf.d/91-galera.cnf"].text
    for name, own in files.items():
        texts = "".join(file.text for file in own.values())
        own_keys = [] if name in ("vip01", "ctl01") else [name]
        assert [other for other in files if f"private {other}" in texts] == own_keys
        assert passwords.nova not in texts


def test_the_bench_holds_its_password_in_a_private_file() -> None:
    files = node_files(BENCH.nodes[0], BENCH, {}, make_passwords())
    assert files["root/nova.password"].mode == 0o600


def test_files_are_written_with_their_modes_and_replaced(tmp_path: Path) -> None:
    keys = {node.name: KeyPair("private", "public") for node in NOVA.nodes}
    files = node_files(NOVA.nodes[0], NOVA, keys, make_passwords())
    for _ in range(2):
        write_files(tmp_path, files)
    assert (tmp_path / "etc/salt/pki/minion/minion.pem").stat().st_mode & 0o777 == 0o400
    assert (tmp_path / "etc/salt/pki").stat().st_mode & 0o777 == 0o700
    assert os.readlink(tmp_path / "etc/systemd/system/multi-user.target.wants/ssh.service").startswith("/lib/systemd")


def test_a_lab_remembers_its_profile_and_refuses_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was started before there were profiles is builtin."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "test").mkdir()
    held = tmp_path / "test" / "lab.json"
    lab = Lab("test", tmp_path, tmp_path / "cache")
    held.write_text(json.dumps({"topology": "nova", "instances": 10, "dumps": "", "loaded": True}))
    assert lab.status()["profile"] == "builtin"
    with pytest.raises(LabRefused, match="profile builtin and 10 instances, not with topology nova, profile mcp"):
        lab.up(profile="mcp")
    held.write_text(json.dumps({"topology": "nova", "instances": 10, "loaded": True, "profile": "mcp"}))
    assert lab.status()["profile"] == "mcp"
    assert lab.topology.site_minions
    with pytest.raises(LabRefused, match="profile mcp and 10 instances, not with topology nova, profile builtin"):
        lab.up(profile="builtin")


def test_a_lab_remembers_the_model_that_was_laid_over_it_and_refuses_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "test").mkdir()
    held = {"topology": "nova", "instances": 10, "loaded": True, "model": "/srv/reclass", "master": "cfg01.a.local"}
    (tmp_path / "test" / "lab.json").write_text(json.dumps(held))
    lab = Lab("test", tmp_path, tmp_path / "cache")
    assert lab.status()["model"] == "/srv/reclass"
    with pytest.raises(LabRefused, match=r"with topology nova, profile builtin, the model of /srv/reclass and 10"):
        lab.up(model=tmp_path)


def test_a_model_needs_a_topology_with_a_salt_master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(LabRefused, match="--model: topology bench has no Salt master to render it"):
        Lab("test", tmp_path, tmp_path / "cache").up(topology="bench", model=tmp_path)
    assert not (tmp_path / "test").exists()


def test_a_model_that_is_refused_later_costs_a_running_lab_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise LabRefused("--model: dbs01 does not render")

    lab = Lab("test", tmp_path, tmp_path / "cache")
    monkeypatch.setattr("upgrader.lab.startup.provide_images", lambda *_: [])
    monkeypatch.setattr(lab, "_bring_up", refused)
    lab.folder.mkdir()
    for loaded, stays in ((True, True), (False, False)):
        with pytest.raises(LabRefused, match="does not render"):
            lab._start(Options(loaded=loaded), (), "")
        assert lab.folder.exists() is stays
