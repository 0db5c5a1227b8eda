"""Transport api in the lab: a backup through salt-api over TLS, whose command is killed and taken up, beside the master's own door."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.rehearsal import Rehearsal
from upgrader.lab import Lab
from upgrader.lab.machine.process import wait_until

PASSWORD = "salt-api of the lab"
ACCOUNTS, CERTIFICATE, KEY, SECRET = (
    "/etc/salt/accounts",
    "/etc/salt/api.crt",
    "/etc/salt/api.key",
    "/etc/upgrader-api-password",
)
UNIT = "lab-salt-api"
pytestmark = pytest.mark.soak  # what salt-api does is seen in tests/functional every day


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Rehearsal]:
    the = Rehearsal(lab)
    node = the.cfg
    eauth = {
        "^filename": ACCOUNTS,
        "^filetype": "text",
        "^field_separator": "\t",
        "upgrader": [".*", "@jobs", "@pillar", "@config"],
    }
    master = {
        "external_auth": {"file": eauth}, "netapi_enable_clients": ["local_async", "runner"],
        "rest_cherrypy": {"port": 8000, "ssl_crt": CERTIFICATE, "ssl_key": KEY},
    }  # fmt: skip
    reach = {
        "url": "https://cfg01.lab.local:8000",
        "ca_file": CERTIFICATE,
        "user": "upgrader",
        "eauth": "file",
        "password_file": SECRET,
    }
    subject = ("-subj", "/CN=cfg01.lab.local", "-addext", "subjectAltName=DNS:cfg01.lab.local")
    node.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            *subject,
            "-keyout",
            KEY,
            "-out",
            CERTIFICATE,
        ]
    )
    files = {
        ACCOUNTS: f"upgrader\t{PASSWORD}\n", SECRET: PASSWORD + "\n", "/etc/salt/master.d/api.conf": json.dumps(master),
        "/etc/upgrader.yaml": json.dumps({"transport": "api", "salt_api": reach}),
    }  # fmt: skip
    node.run(["mkdir", "-p", "/etc/salt/master.d"])
    for path, text in files.items():
        node.run(["install", "-m", "600", "/dev/stdin", path], input=text)
    node.run(["systemctl", "restart", "salt-master"])
    node.run(["systemd-run", f"--unit={UNIT}", "/opt/salt/bin/salt-api"])
    the.wait_for_minions()
    wait_until(
        lambda: node.run(["upgrader", "plan", "backup", "create"], check=False).returncode in (0, 2), 60, "salt-api"
    )
    yield the
    node.run(["systemctl", "stop", UNIT])
    node.run(["rm", *files])
    node.run(["systemctl", "restart", "salt-master"])
    the.wait_for_minions()


def test_backup_through_salt_api_whose_command_is_killed_is_taken_up_and_taken_once(site: Rehearsal) -> None:
    before = site.checksums()
    assert site.kill_at(("backup", "create"), "backup-create", "step-submitted", 0.3)
    assert site.step_in_doubt() == "backup-create"
    ran = site.run("resume")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    started = [row for row in site.journal() if row["event"] == "step-started" and row["step"] == "backup-create"]
    assert len(started) == 1
    assert site.checksums() == before


def test_run_that_was_begun_at_the_master_goes_on_through_salt_api(site: Rehearsal) -> None:
    assert site.kill_at(("--transport", "master", "backup", "create"), "backup-create", "step-submitted", 0.3)
    ran = site.run("resume")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_whole_rehearsal_passes_through_salt_api(site: Rehearsal) -> None:
    ran = site.run("control-plane", "--stage", "test-upgrade", timeout=1800)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "finished, all 74 steps done" in ran.stdout
