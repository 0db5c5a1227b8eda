"""Our Salt master on this machine: its files below one folder, its unit, its keys."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from upgrader_node.host import files

from upgrader.beside.bundle import Bundle
from upgrader.beside.paths import (
    CONFIG,
    MASTER_UNIT,
    PKI,
    PROGRAMS,
    PUBLISH_PORT,
    RETURN_PORT,
    ROOT,
    unit_path,
    unit_text,
)
from upgrader.content import FORMULAS
from upgrader.errors import Refused, StepFailed
from upgrader.reclass.place import merged_config

PILLAR_KEYS = (
    *("pillar_roots", "ext_pillar", "ext_pillar_first", "pillar_source_merging_strategy", "pillar_merge_lists"),
    *("reclass", "decrypt_pillar", "decrypt_pillar_default", "gpg_keydir", "pillar_safe_render_error"),
)
"""What of the site's master says where pillar comes from: ours gives its minions the very same."""
START_SECONDS = 60
UNIT = unit_path(MASTER_UNIT, "systemd")


def master_config(site_config: Path) -> dict[str, Any]:
    """Our master's configuration: pillar as the site's master has it, formulas of this version and nothing else."""
    theirs = merged_config(site_config / "master")
    interface = {"interface": theirs["interface"]} if "interface" in theirs else {}
    return {
        **{key: theirs[key] for key in PILLAR_KEYS if key in theirs},
        **interface,
        "root_dir": str(ROOT),
        "publish_port": PUBLISH_PORT,
        "ret_port": RETURN_PORT,
        "file_roots": {"base": [str(FORMULAS)]},
        "runner_dirs": [str(FORMULAS / "_runners")],
        "auto_accept": False,
    }


def ports_taken(ports: Sequence[int]) -> list[int]:
    """Those of these ports at which this machine listens already."""
    return [port for port in ports if not _free(port)]


def _free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("", port))
        except OSError:
            return False
    return True


def running() -> bool:
    """Whether our master runs on this machine."""
    return _systemctl("is-active", MASTER_UNIT, check=False).stdout.strip() == "active"


def install(bundle: Bundle, config: Mapping[str, Any]) -> str:
    """Unpack, configure and start our master; gives its public key. What is there as it must be stays, and goes on running."""
    if not Path("/run/systemd/system").is_dir():
        raise Refused("this machine has no systemd: the master of our Salt needs one")
    changed = [
        _unpack(bundle),
        _link(bundle),
        _write(CONFIG / "master", json.dumps(dict(config), indent=2, sort_keys=True)),
    ]
    if _write(UNIT, unit_text("master", f"{bundle.programs}salt-master", "systemd"), 0o644):
        _systemctl("daemon-reload")
        changed.append(True)
    _systemctl("enable", "--quiet", MASTER_UNIT)
    _systemctl("restart" if any(changed) else "start", MASTER_UNIT)
    return _public_key()


def _unpack(bundle: Bundle) -> bool:
    folder = ROOT / bundle.name
    if folder.is_dir():
        return False
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    done = _run(["tar", "-xf", str(bundle.path), "--strip-components=1", "-C", str(fresh)])
    if done.returncode:
        raise StepFailed(f"{bundle.path} could not be unpacked into {fresh}: {done.stderr.strip()[-300:]}")
    fresh.rename(folder)
    return True


def _link(bundle: Bundle) -> bool:
    if PROGRAMS.is_symlink() and PROGRAMS.readlink() == ROOT / bundle.name:
        return False
    fresh = PROGRAMS.with_name("salt.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(ROOT / bundle.name)
    fresh.replace(PROGRAMS)
    return True


def _write(path: Path, text: str, mode: int = 0o600) -> bool:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(str(path), text, mode)
    return True


def _public_key() -> str:
    key = PKI / "master/master.pub"
    deadline = time.monotonic() + START_SECONDS
    while not (key.is_file() and running()):
        if time.monotonic() > deadline:
            raise StepFailed(f"our Salt master did not start within {START_SECONDS} s: journalctl -u {MASTER_UNIT}")
        time.sleep(0.2)
    return key.read_text(encoding="utf-8").strip()


def key_of(node: str) -> tuple[str, str]:
    """``("accepted" | "pending" | "", text)`` of a minion's public key as our master holds it."""
    for state, folder in (("accepted", "minions"), ("pending", "minions_pre"), ("denied", "minions_denied")):
        path = PKI / "master" / folder / node
        if path.is_file():
            return state, path.read_text(encoding="utf-8").strip()
    return "", ""


def accepted() -> list[str]:
    """Nodes whose key our master has accepted."""
    folder = PKI / "master/minions"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def accept(node: str) -> None:
    """Accept the pending key of this node."""
    salt_key(f"--accept={node}")


def delete_key(node: str) -> None:
    """Forget whatever key our master holds of this node."""
    salt_key(f"--delete={node}")


def salt_key(*words: str) -> None:
    """Our master's own ``salt-key``. Raises StepFailed with what it said."""
    program = next(path for path in (PROGRAMS / "salt-key", PROGRAMS / "bin/salt-key") if path.exists())
    done = _run([str(PROGRAMS / "bin/python3"), str(program), f"--config-dir={CONFIG}", "--yes", *words])
    if done.returncode:
        raise StepFailed(f"salt-key {words[0]} of our master failed: {(done.stderr or done.stdout).strip()[-300:]}")


def answering(nodes: Sequence[str], seconds: int) -> set[str]:
    """Those nodes whose minion of ours answers our master."""
    program = next(path for path in (PROGRAMS / "salt", PROGRAMS / "bin/salt") if path.exists())
    command = [
        str(PROGRAMS / "bin/python3"),
        str(program),
        f"--config-dir={CONFIG}",
        "--out=json",
        "--static",
        f"--timeout={seconds}",
    ]
    done = _run([*command, "-L", ",".join(nodes), "test.ping"])
    try:
        said = json.loads(done.stdout[done.stdout.index("{") :])
    except ValueError:
        return set()
    return {node for node, pong in said.items() if pong is True}


def remove() -> None:
    """Nothing of our master is on this machine any more; the last thing that goes is the folder that this command may run from."""
    if UNIT.is_file():
        _systemctl("disable", "--quiet", "--now", MASTER_UNIT)
        UNIT.unlink()
        _systemctl("daemon-reload")
    if ROOT.is_dir():
        shutil.rmtree(ROOT)


def _systemctl(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = _run(["systemctl", *words])
    if check and done.returncode:
        raise StepFailed(f"systemctl {' '.join(words)} failed: {done.stderr.strip()[-300:]}")
    return done


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
