"""A salt-api in a lab, over TLS, and the command's configuration set to it: after that every command of the Salt master goes through it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from tests.support.rehearsal import Rehearsal
from upgrader.lab.machine.process import wait_until

PASSWORD = "salt-api of the lab"
ACCOUNTS, CERTIFICATE, KEY, SECRET = (
    "/etc/salt/accounts",
    "/etc/salt/api.crt",
    "/etc/salt/api.key",
    "/etc/upgrader-api-password",
)
UNIT = "lab-salt-api"
SUBJECT = ("-subj", "/CN=cfg01.lab.local", "-addext", "subjectAltName=DNS:cfg01.lab.local")
MASTER = {
    "external_auth": {
        "file": {
            "^filename": ACCOUNTS, "^filetype": "text", "^field_separator": "\t",
            "upgrader": [".*", "@jobs", "@pillar", "@config"],
        }
    },
    "netapi_enable_clients": ["local_async", "runner"],
    "rest_cherrypy": {"port": 8000, "ssl_crt": CERTIFICATE, "ssl_key": KEY},
}  # fmt: skip
REACH = {
    "url": "https://cfg01.lab.local:8000", "ca_file": CERTIFICATE, "user": "upgrader", "eauth": "file", "password_file": SECRET,
}  # fmt: skip
FILES = {
    ACCOUNTS: f"upgrader\t{PASSWORD}\n", SECRET: PASSWORD + "\n", "/etc/salt/master.d/api.conf": json.dumps(MASTER),
    "/etc/upgrader.yaml": json.dumps({"transport": "api", "salt_api": REACH}),
}  # fmt: skip


@contextlib.contextmanager
def through_salt_api(the: Rehearsal) -> Iterator[None]:
    """salt-api serves and is asked; at the end neither is left."""
    node = the.cfg
    pair = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", KEY, "-out", CERTIFICATE)
    node.run(["openssl", "req", "-x509", *SUBJECT, *pair])
    node.run(["mkdir", "-p", "/etc/salt/master.d"])
    for path, text in FILES.items():
        node.run(["install", "-m", "600", "/dev/stdin", path], input=text)
    node.run(["systemctl", "restart", "salt-master"])
    node.run(["systemd-run", f"--unit={UNIT}", "/opt/salt/bin/salt-api"])
    the.wait_for_minions()
    asked = ["upgrader", "plan", "backup", "create"]
    wait_until(lambda: node.run(asked, check=False).returncode in (0, 2), 60, "salt-api")
    try:
        yield
    finally:
        node.run(["systemctl", "stop", UNIT])
        node.run(["rm", *FILES])
        node.run(["systemctl", "restart", "salt-master"])
        the.wait_for_minions()
