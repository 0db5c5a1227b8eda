"""What is watched: names and URLs, none of them trusted, and one question to one of them."""

import http.client
import re
import socket
import ssl
import typing
from urllib.parse import urlsplit

from upgrader_node.errors import StepError

SECONDS = 2.0
MOST = 64
SERVER_ERROR = 500
ANSWERS, REFUSES, TIMES_OUT, NAMELESS = "answers", "refuses", "times out", "its name is not known"
PORTS = {"http": 80, "https": 443, "tcp": 0}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,79}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_PATH = re.compile(r"(?:/[!-~]*)?")


class Target(typing.NamedTuple):
    """One address that is asked; ``path`` with its query is nothing for a port that only has to take a connection."""

    name: str
    scheme: str
    host: str
    port: int
    path: str


def parsed(targets: typing.Any) -> typing.List[Target]:
    """The targets by name. Raises StepError with every one that is no http, https or tcp URL."""
    if not isinstance(targets, dict) or not 0 < len(targets) <= MOST:
        raise StepError(
            "targets must be 1 to {} names with a URL each, like {}".format(MOST, '{"nova": "http://vip:8774/"}')
        )
    found, wrong = [], []
    for name in sorted(targets, key=str):
        try:
            found.append(_target(name, targets[name]))
        except ValueError as error:
            wrong.append("{!r}: {}".format(name, error))
    if wrong:
        what = "cannot watch {}: give URLs like http://vip01:8774/ or tcp://vip01:3306"
        raise StepError(what.format("; ".join(wrong)))
    return found


def _target(name: typing.Any, url: typing.Any) -> Target:
    """One of them. Raises ValueError, which never repeats an account that stands in the URL."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("no plain name")
    if not isinstance(url, str):
        raise ValueError("its URL is no text")
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("neither an http nor a tcp URL")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("a URL with an account or a fragment")
    host, path = parts.hostname or "", parts.path + ("?" + parts.query if parts.query else "")
    if not _HOST.fullmatch(host):
        raise ValueError("no host in its URL")
    if not _PATH.fullmatch(path) or (parts.scheme == "tcp" and path not in ("", "/")):
        raise ValueError("a path that cannot be asked")
    return Target(name, parts.scheme, host, _port(parts), path or "/")


def _port(parts: typing.Any) -> int:
    port = parts.port or PORTS[parts.scheme]  # a number beyond 65535 is a ValueError of its own
    if not port:
        raise ValueError("no port in its URL")
    return int(port)


def state(target: Target, seconds: float = SECONDS) -> str:
    """How the target is now: answers, refuses, times out, or the status of a server's error. Never raises.

    A redirection, a refused login and "not found" are answers: somebody is there. Certificates are not looked at, because whether
    they are right does not change in an upgrade, and the names of a node's own list of authorities may.
    """
    try:
        status = _connected(target, seconds) if target.scheme == "tcp" else _status(target, seconds)
    except socket.timeout:
        return TIMES_OUT
    except socket.gaierror:
        return NAMELESS
    except (OSError, http.client.HTTPException, ValueError):
        return REFUSES
    return ANSWERS if status < SERVER_ERROR else "HTTP {}".format(status)


def _connected(target: Target, seconds: float) -> int:
    socket.create_connection((target.host, target.port), seconds).close()
    return 0


def _status(target: Target, seconds: float) -> int:
    if target.scheme == "https":
        context = ssl._create_unverified_context()
        asked = http.client.HTTPSConnection(target.host, target.port, timeout=seconds, context=context)  # type: typing.Any
    else:
        asked = http.client.HTTPConnection(target.host, target.port, timeout=seconds)
    try:
        asked.request("GET", target.path, headers={"User-Agent": "upgrader-prober", "Connection": "close"})
        return int(asked.getresponse().status)
    finally:
        asked.close()
