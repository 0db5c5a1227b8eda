"""Where our Salt lies on every node, and which ports it has."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/opt/upgrader")
CONFIG = ROOT / "etc/salt"
PROGRAMS = ROOT / "salt"
"""A link to the folder of the Salt that is in use, named by the digest of its archive."""
PKI = CONFIG / "pki"
MASTER_UNIT, MINION_UNIT = "upgrader-salt-master", "upgrader-salt-minion"
PUBLISH_PORT, RETURN_PORT, DELIVERY_PORT = 4525, 4526, 4527
"""Salt's usual 4505 and 4506 are the site's."""
STATE = (Path("/var/lib/upgrader"), Path("/srv/backup/upgrader"))
"""Journals, baselines and backups: kept when our Salt goes."""
EGRESS_UNIT = Path("/etc/systemd/system/upgrader-egress.service")


def unit_path(name: str, init: str) -> Path:
    """The file by which this init knows a service."""
    return Path(f"/etc/init/{name}.conf") if init == "upstart" else Path(f"/etc/systemd/system/{name}.service")


def unit_text(daemon: str, program: str, init: str) -> str:
    """A unit (systemd) or job (upstart) that runs ``salt-DAEMON`` with the Python of its own archive."""
    command = f"{PROGRAMS}/bin/python3 {PROGRAMS}/{program} --config-dir={CONFIG}"
    said = f"Salt {daemon} of upgrader, beside the site's own"
    if init == "upstart":
        return (
            f'description "{said}"\nstart on runlevel [2345]\nstop on runlevel [!2345]\n'
            f"limit nofile 100000 100000\nrespawn\nexec {command}\n"
        )
    lines = [
        *("[Unit]", f"Description={said}", "Wants=network-online.target", "After=network-online.target"),
        *("[Service]", "Type=notify", "NotifyAccess=all", "LimitNOFILE=100000", f"ExecStart={command}"),
        *(("KillMode=process", "Restart=on-failure", "RestartSec=5") if daemon == "minion" else ()),
        *("[Install]", "WantedBy=multi-user.target"),
    ]
    return "\n".join(lines) + "\n"
