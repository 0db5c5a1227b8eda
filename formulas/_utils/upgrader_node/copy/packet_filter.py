"""The packet filter of the kernel as ``nft`` changes and shows it, and the unit that brings the rules back at every boot."""

import json
import os
import subprocess
import typing

from upgrader_node.copy import egress
from upgrader_node.errors import StepError

RULES = "/etc/upgrader/egress.nft"
UNIT = "upgrader-egress.service"
UNIT_FILE = "/etc/systemd/system/" + UNIT
UNIT_TEXT = """\
# Written by upgrader: what may leave the upgrade node of a rehearsal. Taken away by upgrader_egress.lift.
[Unit]
Description=What may leave the upgrade node of a rehearsal
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
# A firewall of the site may flush every table when it starts.
After=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {}

[Install]
WantedBy=sysinit.target
""".format(RULES)
SECONDS = 60


def _nft(*words: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["nft", *words],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise StepError(
            "nft is not on this node: install package nftables, which the rehearsal's isolation needs"
        ) from None
    except subprocess.TimeoutExpired:
        raise StepError("nft did not answer within {} s on this node".format(SECONDS)) from None


def check(text: str) -> None:
    """Raises StepError when this kernel would not take the rules; changes nothing."""
    done = _nft("--check", "-f", "-", text=text)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing"])[0]
        raise StepError(
            "this node's kernel or nft does not take the egress rules (it says: {}): nftables 0.9.3 and Linux 4.18 or newer "
            "are needed on the upgrade node".format(said)
        )


def written() -> str:
    """The rules that ``stand`` wrote down; "" when there are none."""
    try:
        with open(RULES, encoding="utf-8") as held:
            return held.read()
    except FileNotFoundError:
        return ""


def table() -> typing.Optional[typing.Dict[str, typing.Any]]:
    """The table as it stands, with its counters, or None."""
    done = _nft("-j", "list", "table", "inet", egress.TABLE)
    if done.returncode != 0:
        if "No such file" in done.stderr:
            return None
        raise StepError("the egress rules cannot be read: nft says {}".format(done.stderr.strip()[:300]))
    held = json.loads(done.stdout)  # type: typing.Dict[str, typing.Any]
    return held


def stand(text: str) -> bool:
    """Makes exactly these rules stand, now and after every boot; False when they stood already (their counters are kept)."""
    kept = _write(RULES, text, 0o600) | _write(UNIT_FILE, UNIT_TEXT, 0o644)
    there = table()
    if there is not None and egress.made(there) == egress.mark(text):
        return kept
    done = _nft("-f", RULES)
    if done.returncode != 0:
        raise StepError("the egress rules were not taken: nft says {}".format(done.stderr.strip()[:300]))
    return True


def has_unit() -> bool:
    """Whether the rules come back at the next boot."""
    return os.path.exists(UNIT_FILE)


def lift() -> bool:
    """Takes rules and files away; False when there was nothing."""
    gone = False
    if table() is not None:
        _nft("delete", "table", "inet", egress.TABLE)
        gone = True
    for path in (RULES, UNIT_FILE):
        if os.path.exists(path):
            os.unlink(path)
            gone = True
    if table() is not None:
        raise StepError("nftables table {} is still there after it was deleted".format(egress.TABLE))
    return gone


def _write(path: str, text: str, mode: int) -> bool:
    try:
        with open(path, encoding="utf-8") as held:
            if held.read() == text:
                return False
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    partial = path + ".part"
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(partial, path)
    return True
