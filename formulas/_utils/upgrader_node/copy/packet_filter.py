"""The packet filter that this node's kernel has, and the unit that brings the egress rules back at every boot."""

import json
import os
import typing

from upgrader_node.copy import nft, xtables
from upgrader_node.copy.egress import Allowed, Seen, mark
from upgrader_node.errors import StepError
from upgrader_node.host import files

WAYS = {way.NAME: way for way in (nft, xtables)}  # type: typing.Dict[str, typing.Any]
MADE = "/etc/upgrader/egress.json"
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
After=nftables.service netfilter-persistent.service

[Service]
Type=oneshot
RemainAfterExit=yes
{}
[Install]
WantedBy=sysinit.target
"""


def chosen(allowed: typing.Sequence[Allowed]) -> str:
    """The name of the first packet filter that takes the rules. Raises StepError that says what each one lacks."""
    complaints = []
    for name, way in WAYS.items():
        complaint = way.check(allowed)
        if not complaint:
            return name
        complaints.append(complaint)
    raise StepError(
        "this node cannot be closed towards production: {}. Install package {} (0.9.3 or newer, Linux 4.18) or {}".format(
            "; ".join(complaints), *(way.PACKAGE for way in WAYS.values())
        )
    )


def stand(allowed: typing.Sequence[Allowed], run: str) -> bool:
    """Makes exactly these rules stand, now and after every boot; False when they stood already (their counters are kept).

    Raises StepError when this node has no packet filter that takes them.
    """
    name = chosen(allowed)
    way = WAYS[name]
    texts = dict(way.files(allowed, run))
    texts[UNIT_FILE] = UNIT_TEXT.format("".join("ExecStart={}\n".format(" ".join(words)) for words in way.at_boot()))
    texts[MADE] = json.dumps({"way": name, "run": run, "mark": mark(allowed, run)}) + "\n"
    changed = [_write(path, text, 0o644 if path == UNIT_FILE else 0o600) for path, text in texts.items()]
    there = way.seen()
    if there is not None and there.mark == mark(allowed, run):
        return any(changed)
    _lift_others(name)
    way.load()
    there = way.seen()
    if there is None or there.mark != mark(allowed, run):
        raise StepError("the egress rules do not stand though {} took them".format(name))
    return True


def _lift_others(name: str) -> None:
    """Rules that another packet filter holds from an earlier run would go on to refuse, and nobody would read their counters."""
    for other, way in WAYS.items():
        if other != name and way.seen() is not None:
            way.lift()


def standing(run: str) -> typing.Tuple[typing.Optional[Seen], str]:
    """What the kernel shows of the rules, and the mark of those that this run made ("" when it made none)."""
    try:
        with open(MADE, encoding="utf-8") as held:
            made = json.load(held)
    except (FileNotFoundError, ValueError):
        return None, ""
    return WAYS[made["way"]].seen(), made["mark"] if made["run"] == run else ""


def has_unit() -> bool:
    """Whether the rules come back at the next boot."""
    return os.path.exists(UNIT_FILE)


def lift() -> bool:
    """Takes rules and files away; False when there was nothing. Raises StepError when they stay."""
    gone = False
    for way in WAYS.values():
        if way.seen() is not None:
            way.lift()
            gone = True
        if way.seen() is not None:
            raise StepError("the egress rules are still there after {} took them away".format(way.NAME))
    for path in (MADE, UNIT_FILE, *(path for way in WAYS.values() for path in way.files((), ""))):
        if os.path.exists(path):
            os.unlink(path)
            gone = True
    return gone


def _write(path: str, text: str, mode: int) -> bool:
    try:
        with open(path, encoding="utf-8") as held:
            if held.read() == text:
                return False
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    files.write(path, text, mode)
    return True
