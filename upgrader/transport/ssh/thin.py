"""Salt on machines that have none: salt-ssh lays its thin there, with the modules that our formulas import besides."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from upgrader.transport.ssh.roster import THIN, Host

EXTRA = "pymysql"
"""``thin_extra_mods``. The package upgrader_node comes with the formulas of its version, so that no older one stands before it."""
STRICT = ("StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no", "BatchMode=yes")
Told = Mapping[str, Any]


def version() -> str:
    """The version of Salt that machines get."""
    import salt.version

    return str(salt.version.__version__)


def lay(opts: Mapping[str, Any], roster: Path, known_hosts: Path, hosts: Sequence[Host]) -> dict[str, str]:
    """``salt-ssh test.ping`` on these machines; what went wrong, by node. Host keys are pinned, as everywhere."""
    import salt.client.ssh.client
    import salt.exceptions

    logging.getLogger("salt").addHandler(logging.NullHandler())
    logging.getLogger("salt").propagate = False
    given = {
        **opts, "roster": "flat", "roster_file": str(roster), "known_hosts_file": str(known_hosts), "ssh_options": list(STRICT),
        "thin_extra_mods": EXTRA, "ssh_key_deploy": False, "ignore_host_keys": False, "no_host_keys": False,
        "roster_defaults": {"thin_dir": THIN, **(opts.get("roster_defaults") or {})},
    }  # fmt: skip
    client = salt.client.ssh.client.SSHClient(mopts=given)
    nodes = [host.node for host in hosts]
    try:
        said = client.cmd(nodes, "test.ping", tgt_type="list")
    except (salt.exceptions.SaltException, salt.exceptions.SaltSystemExit, OSError) as error:
        return dict.fromkeys(nodes, f"salt-ssh cannot bring Salt there ({error}): is ssh installed here?")
    return {node: _wrong(said.get(node)) for node in nodes if _wrong(said.get(node))}


def _wrong(said: Any) -> str:
    if isinstance(said, Mapping) and said.get("return") is True:
        return ""
    words = said.get("stderr") or said.get("_error") or said.get("return") if isinstance(said, Mapping) else said
    last = (str(words or "no answer").strip().splitlines() or [""])[-1][:300]
    return f"salt-ssh cannot bring Salt there ({last}): try 'salt-ssh' with the same roster and test.ping"
