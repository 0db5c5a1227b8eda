"""What only the door of ssh can meet: a machine that is not what the roster says, host keys, rights, and what it leaves on a machine."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.doors import QUICK, access_of, opened
from tests.functional.salt_site import running, until
from tests.functional.ssh_site import NODES, SshSite
from upgrader.errors import SaltUnreachable, UsageError
from upgrader.plan.step import Call
from upgrader.transport.base import Transport
from upgrader.transport.collect import collect

ONE, OTHER = NODES
PING = Call("module", "test.ping", NODES, timeout=60)
pytestmark = pytest.mark.heavy  # the other two Salts of the bench have no paramiko


@pytest.fixture(autouse=True)
def usual_pillar() -> None:
    """These tests need no database."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshSite]:
    with running(SshSite(tmp_path_factory.mktemp("ssh"))) as made:
        yield made


@pytest.fixture
def site(whole: SshSite) -> Iterator[SshSite]:
    """Whatever a test does to roster and known hosts is undone."""
    known = whole.known_hosts.read_text()
    yield whole
    whole.known_hosts.write_text(known)
    whole.write_roster()


def pinged(transport: Transport) -> dict[str, str]:
    """What stands in the way of each node; empty where nothing does."""
    jid = transport.new_job_id()
    transport.submit(PING, jid)
    return {node: reply.error for node, reply in collect(transport, PING, jid, QUICK).items()}


def in_the_way(site: SshSite) -> str:
    """The sentence about the second machine, while the first one is well."""
    said = pinged(opened("ssh", site.folder))
    assert said[ONE] == ""
    assert said[OTHER].startswith(f"{OTHER}: ") and "\n" not in said[OTHER]
    return said[OTHER]


def test_name_that_nobody_knows_is_told(site: SshSite) -> None:
    site.write_roster(**{OTHER: {"host": "nowhere.invalid"}})
    assert "nobody knows the name nowhere.invalid: correct host in the roster" in in_the_way(site)


def test_port_at_which_nobody_listens_is_told(site: SshSite) -> None:
    site.write_roster(**{OTHER: {"port": 1}})
    assert "nothing answers at 127.0.0.1 port 1" in in_the_way(site)


def test_host_key_that_was_never_written_down_is_not_accepted(site: SshSite) -> None:
    lines = site.known_hosts.read_text().splitlines(keepends=True)
    site.known_hosts.write_text("".join(line for line in lines if str(site.ports[OTHER]) not in line))
    assert "has no host key of 127.0.0.1" in in_the_way(site)


def test_another_host_key_than_the_one_that_was_written_down_is_not_accepted(site: SshSite) -> None:
    ports, text = site.ports, site.known_hosts.read_text().splitlines()
    site.known_hosts.write_text(f"{text[0]}\n[127.0.0.1]:{ports[OTHER]} {' '.join(text[0].split()[1:])}\n")
    assert "has another host key than" in in_the_way(site)


def test_user_who_is_not_let_in_is_told(site: SshSite, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    site.write_roster(**{OTHER: {"priv": str(tmp_path / "other")}})
    assert "does not let user root in with key" in in_the_way(site)
    site.write_roster(**{OTHER: {"priv": str(tmp_path / "absent")}})
    assert f"{tmp_path / 'absent'} cannot be read" in in_the_way(site)


def test_machine_without_a_python_is_told(site: SshSite, tmp_path: Path) -> None:
    site.write_roster(**{OTHER: {"set_path": str(tmp_path)}})
    assert "cannot run python3 there" in in_the_way(site)


@pytest.fixture
def user(site: SshSite) -> Iterator[str]:
    """Somebody on this machine who is not root, and is let in."""
    subprocess.run(["useradd", "--create-home", "--password", "*", "--shell", "/bin/sh", "operator1"], check=True)
    keys = Path("/home/operator1/.ssh/authorized_keys")
    keys.parent.mkdir()
    keys.write_text((site.folder / "id.pub").read_text())
    yield "operator1"
    subprocess.run(["userdel", "--force", "--remove", "operator1"], check=True, capture_output=True)


def test_user_who_is_not_root_is_told_to_use_sudo(site: SshSite, user: str) -> None:
    site.write_roster(**{OTHER: {"user": user}})
    assert f"user {user} is not root there: say 'sudo: True' in the roster" in in_the_way(site)
    site.write_roster(**{OTHER: {"user": user, "sudo": True}})
    assert "there is no sudo" in in_the_way(site)


def test_nobody_in_reach_is_one_sentence_with_each_machines_reason_and_exit_code_5(site: SshSite) -> None:
    site.known_hosts.write_text("")
    with pytest.raises(SaltUnreachable, match=rf"reached nobody: {ONE}: .*; {OTHER}: ") as told:
        pinged(opened("ssh", site.folder))
    assert told.value.exit_code == 5


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"passwd": "x"}, f"gives {OTHER} a password, with which salt-ssh takes any host key"),
        ({"priv": ""}, f"gives {OTHER} no priv"),
        ({"port": "ssh"}, f"gives {OTHER} a port that is no number"),
    ],
)
def test_roster_that_does_not_pin_a_machine_down_is_refused(site: SshSite, said: dict[str, str], sentence: str) -> None:
    site.write_roster(**{OTHER: said})
    with pytest.raises(UsageError, match=sentence):
        opened("ssh", site.folder)
    site.roster.write_text("- not a roster")
    with pytest.raises(UsageError, match="names no machine, or Salt cannot read it"):
        opened("ssh", site.folder)


def test_what_lies_on_a_machine_is_for_root_alone_and_pillar_goes_with_its_job(site: SshSite) -> None:
    assert pinged(opened("ssh", site.folder)) == dict.fromkeys(NODES, "")
    until(lambda: not list((site.folder / "spool").glob("*/jobs/*/pillar")), "no pillar any more", 30)
    made = [
        path for path in (site.folder / "spool").rglob("*") if "roots" not in path.parts and "cache" not in path.parts
    ]
    assert len(made) > 10
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert [path for path in made if path.is_file() and b"s3cret" in path.read_bytes()] == []


def test_pillar_is_in_no_command_line(site: SshSite) -> None:
    transport = opened("ssh", site.folder)
    call, jid = Call("module", "test.sleep", (ONE,), {"length": 3}, timeout=60), transport.new_job_id()
    transport.submit(call, jid)
    seen: set[bytes] = set()
    while not transport.answers(call, jid):
        seen.update(_command_lines())
    assert any(b"upgrader_spool.run" in line for line in seen)
    assert [line for line in seen if b"s3cret" in line] == []


def _command_lines() -> Iterator[bytes]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                yield Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue


def test_job_that_was_begun_is_not_begun_again_under_its_id(site: SshSite) -> None:
    transport, mark = opened("ssh", site.folder), site.folder / "once"
    call, jid = Call("module", "contract.counted", (ONE,), {"path": str(mark)}, timeout=60), transport.new_job_id()
    for _ in range(2):
        transport.submit(call, jid)
    assert collect(transport, call, jid, QUICK)[ONE].ok
    assert mark.read_text().splitlines() == [ONE]


def test_salt_that_cannot_start_there_is_told_with_its_last_words(site: SshSite) -> None:
    transport = opened("ssh", site.folder)
    assert pinged(transport)[ONE] == ""
    program = site.folder / ONE / "thin" / "salt-call"
    text = program.read_text()
    program.write_text("raise SystemExit('no room left')\n")
    try:
        assert "salt-call ended with exit code 1: no room left" in pinged(transport)[ONE]
    finally:
        program.write_text(text)


def test_salt_that_was_taken_away_is_laid_there_again_by_the_next_command(site: SshSite) -> None:
    assert pinged(opened("ssh", site.folder))[ONE] == ""
    shutil.rmtree(site.folder / ONE / "thin")
    assert pinged(opened("ssh", site.folder))[ONE] == ""
    assert (site.folder / ONE / "thin" / "version").exists()


def test_stage_that_needs_a_master_is_refused_by_step_and_reason_before_anything_starts(
    site: SshSite, tmp_path: Path
) -> None:
    began = time.time()
    made = upgrader(site, tmp_path, "plan", "control-plane", "--stage", "test-upgrade")
    assert made.returncode == 0, made.stderr
    assert "nova-map-instances" in made.stdout
    refused = upgrader(site, tmp_path, "plan", "control-plane", "--stage", "real-upgrade", real=True)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "which the transport cannot do: it is about keys of minions on a Salt master" in refused.stderr
    assert [path for path in (site.folder / "spool").rglob("order.json") if path.stat().st_mtime > began] == []


def upgrader(site: SshSite, home: Path, *words: str, real: bool = False) -> subprocess.CompletedProcess[str]:
    """The command with a user's configuration, which names the roster; pillar is that of a whole cloud."""
    config = site.write_cloud(home, real)
    ssh = access_of(site.folder).salt_ssh
    assert ssh is not None
    said = {"roster": str(ssh.roster), "known_hosts": str(ssh.known_hosts), "master": ssh.master, "spool": ssh.spool}
    document = {"transport": "ssh", "salt_ssh": said, "salt_config": str(config), "state_dir": str(home / "state")}
    (home / ".config").mkdir(exist_ok=True)
    (home / ".config" / "upgrader.yaml").write_text(json.dumps(document))
    return subprocess.run(
        [sys.executable, "-m", "upgrader", *words], env={**os.environ, "HOME": str(home)}, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
