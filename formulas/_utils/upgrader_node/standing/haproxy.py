"""What a node's haproxy says of the servers behind it, over its stats socket.

``show stat`` answers CSV with a head (haproxy management guide, 9.1): one line for each frontend, server and backend. The states of
a server are UP, DOWN, MAINT, DRAIN, NOLB and ``no check``, with what they are on the way to behind some (``UP 1/3``).
"""

import csv
import io
import re
import socket
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import BLOCKER, INFO, WARNING, Findings, of_node, some

CONF = "/etc/haproxy/haproxy.cfg"
_SOCKET = re.compile(r"^\s*stats\s+socket\s+(/\S+)", re.M)
SECONDS = 5.0
DOWN, AWAY = ("DOWN", "NOLB"), ("MAINT", "DRAIN")
Row = typing.Dict[str, str]
Answer = typing.Dict[str, typing.Any]
TOLD = 3


def state(node: str, conf: str = CONF) -> Answer:
    """Everything that does not serve behind this node's haproxy; a node that has none says so and no more."""
    try:
        with open(conf, encoding="utf-8", errors="replace") as opened:
            text = opened.read()
    except FileNotFoundError:
        return {"comment": "this node has no haproxy", "haproxy": False, "findings": []}
    sockets = _SOCKET.findall(text)
    if not sockets:
        what = "has no stats socket in {}, so nobody can ask its haproxy which servers are down".format(conf)
        remedy = "add 'stats socket /run/haproxy/admin.sock mode 600 level operator' to its section global"
        return {
            "comment": what,
            "haproxy": True,
            "findings": [of_node(node, what, remedy, WARNING, id="haproxy-unasked")],
        }
    rows = [row for path in sockets for row in parse(ask(path))]
    found = judge(node, rows)
    return {"comment": _comment(rows, found), "haproxy": True, "findings": found}


def ask(path: str, seconds: float = SECONDS) -> str:
    """What haproxy answers to ``show stat``. Raises StepError for a socket that nobody serves."""
    said = []  # type: typing.List[bytes]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
            opened.settimeout(seconds)
            opened.connect(path)
            opened.sendall(b"show stat\n")
            while True:
                piece = opened.recv(65536)
                if not piece:
                    break
                said.append(piece)
    except OSError as error:
        why = error.strerror or "no answer within {:.0f} s".format(seconds)
        what = "haproxy does not answer at its stats socket {} ({}): is it running? See its journal"
        raise StepError(what.format(path, why)) from None
    return b"".join(said).decode("utf-8", "replace")


def parse(text: str) -> typing.List[Row]:
    """The lines by their head's names. Raises StepError for what has no head."""
    if not text.startswith("# pxname,svname,"):
        raise StepError("haproxy answers {!r} to 'show stat', which is no table".format(text[:60]))
    rows = csv.DictReader(io.StringIO(text[2:]))
    return [{str(key): str(value or "") for key, value in row.items() if key} for row in rows]


def judge(node: str, rows: typing.Sequence[Row]) -> Findings:
    """A proxy without any server is a blocker, one with some that are down a warning, one that is in maintenance a note."""
    found = []  # type: Findings
    proxies = {}  # type: typing.Dict[str, typing.List[Row]]
    for row in rows:
        proxies.setdefault(row["pxname"], []).append(row)
    for name, held in sorted(proxies.items()):
        servers = [row for row in held if row["svname"] not in ("FRONTEND", "BACKEND")]
        down = [row for row in servers if row["status"].startswith(DOWN)]
        away = [row for row in servers if row["status"].startswith(AWAY)]
        listed = [_server(row) for row in [*down, *away]]
        if servers and any(row["svname"] == "BACKEND" and row["status"].startswith("DOWN") for row in held):
            found.append(_finding(node, name, "has no server that answers", BLOCKER, listed))
        elif down:
            found.append(_finding(node, name, _number(down, servers, "down"), WARNING, listed))
        elif away:
            found.append(_finding(node, name, _number(away, servers, "taken out"), INFO, listed))
    return found


def _number(some_of: typing.Sequence[Row], servers: typing.Sequence[Row], word: str) -> str:
    return "has {} of {} servers {}".format(len(some_of), len(servers), word)


def _finding(node: str, proxy: str, what: str, severity: str, rows: typing.List[str]) -> typing.Dict[str, typing.Any]:
    remedy = "start the service on these servers, or put them back with 'enable server', and look at haproxy's checks"
    sentence = "sees proxy {}, which {}".format(proxy, what)
    return of_node(node, sentence, remedy, severity, id="haproxy-servers", rows=rows, count=len(rows))


def _server(row: Row) -> str:
    """``ctl02 DOWN (L4CON) for 1234 s``"""
    check = " ({})".format(row["check_status"]) if row.get("check_status") else ""
    since = " for {} s".format(row["lastchg"]) if row.get("lastchg") else ""
    return "{} {}{}{}".format(row["svname"], row["status"], check, since)


def _comment(rows: typing.Sequence[Row], found: Findings) -> str:
    names = sorted({row["pxname"] for row in rows})
    wrong = " and {} to look at".format(len(found)) if found else ""
    return "{} proxies ({}){}".format(len(names), some(names, TOLD), wrong)
