"""The places that the upgrade node of a rehearsal needs, read from pillar and from the node itself.

Pillar ``upgrader:egress:allow`` adds more: a list of ``host``, ``port`` (or ``ports``), ``protocol`` (tcp) and ``why``.
"""

import re
import socket
import typing
from urllib.parse import urlsplit

from upgrader_node.copy import isolation
from upgrader_node.copy.egress import SERVICES, Allowed
from upgrader_node.errors import StepError
from upgrader_node.host import findings, settings
from upgrader_node.host.pillar import value
from upgrader_node.service.roles import ROLE_OF
from upgrader_node.spool import WITHOUT_MASTER

Pillar = typing.Mapping[str, typing.Any]
Resolve = typing.Callable[[str], typing.Tuple[str, ...]]
_PORTS = {"http": 80, "https": 443, "ftp": 21}
_SOURCE = re.compile(r"^\s*(?:deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?|URIs:\s*)(?P<uris>\S.*)$", re.MULTILINE)
_PROXY = re.compile(r'^Acquire::(?:[\w.:-]*::)?(?:http|https|ftp)::Proxy(?:::[^\s"]*)? "(?P<uri>[^"]+)";', re.MULTILINE)


def resolve(host: str) -> typing.Tuple[str, ...]:
    """Every address of a host. Raises OSError when there is none."""
    found = socket.getaddrinfo(host.strip("[]"), None, proto=socket.IPPROTO_TCP)
    return tuple(sorted({str(entry[4][0]).split("%", 1)[0] for entry in found}))


def places(
    pillar: Pillar, opts: Pillar, resolver_text: str, package_text: str, ask: Resolve = resolve
) -> typing.Tuple[typing.List[Allowed], findings.Findings]:
    """What may be reached, and a warning for each package mirror that has no address.

    :param opts: Salt's own options of this minion
    :param resolver_text: resolv.conf
    :param package_text: apt's sources, one after the other, and what ``apt-config dump`` says

    Raises StepError, with key and remedy, for a place that has no address or that no copy may reach.
    """
    found = [*_databases(pillar, ask), *_salt(opts, ask), *_resolvers(resolver_text)]
    mirrors, unknown = _mirrors(package_text, ask)
    return [*found, *mirrors, *_more(pillar, ask)], unknown


def _addresses(host: str, where: str, ask: Resolve) -> typing.Tuple[str, ...]:
    try:
        return ask(host)
    except OSError as error:
        raise StepError(
            "{} names {!r}, which has no address here ({}): mend the name or this node's resolver".format(
                where, host, error
            )
        ) from None


def _databases(pillar: Pillar, ask: Resolve) -> typing.Iterator[Allowed]:
    seen = {}  # type: typing.Dict[typing.Tuple[str, int], typing.List[str]]
    for role in ROLE_OF.values():
        held = value(pillar, role + ":database", {}) or {}
        name = str(held.get("name") or "")
        # Production's own database is nobody's business on a copy; which one it is, ``isolation`` judges by name.
        if held.get("host") and isolation.UPGRADE_MARK in name:
            seen.setdefault((str(held["host"]), int(held.get("port") or 3306)), []).append(role + ":database:host")
    for (host, port), keys in seen.items():
        yield Allowed(_addresses(host, "pillar " + keys[0], ask), "tcp", (port,), "the clones' database server")


def _salt(opts: Pillar, ask: Resolve) -> typing.Iterator[Allowed]:
    if opts.get(WITHOUT_MASTER):
        return
    masters = opts.get("master") or "salt"
    for master in [masters] if isinstance(masters, str) else masters:
        host, _, port = str(master).rpartition(":") if str(master).count(":") == 1 else (str(master), "", "")
        ports = (int(opts.get("publish_port") or 4505), int(port or opts.get("master_port") or 4506))
        yield Allowed(_addresses(host, "the minion's option master", ask), "tcp", ports, "the Salt master")


def _resolvers(text: str) -> typing.Iterator[Allowed]:
    words = [line.split() for line in text.splitlines()]
    hosts = tuple(line[1].split("%", 1)[0] for line in words if len(line) > 1 and line[0] == "nameserver")
    for protocol in ("udp", "tcp") if hosts else ():
        yield Allowed(hosts, protocol, (53,), "name servers")


def _mirrors(text: str, ask: Resolve) -> typing.Tuple[typing.List[Allowed], findings.Findings]:
    """A mirror that has no address here is only told: sources of long ago stay in many a list."""
    uris = [uri for match in _SOURCE.finditer(text) for uri in match.group("uris").split()]
    uris += [match.group("uri") for match in _PROXY.finditer(text)]
    wanted, unknown = {}, []  # type: typing.Dict[typing.Tuple[str, int], None], findings.Findings
    for uri in uris:
        parsed = urlsplit(uri)
        if parsed.hostname and parsed.scheme in _PORTS:
            wanted[(parsed.hostname, parsed.port or _PORTS[parsed.scheme])] = None
    found = []
    for host, port in wanted:
        try:
            found.append(Allowed(ask(host), "tcp", (port,), "packages of " + host))
        except OSError:
            unknown.append(
                findings.finding(
                    "apt",
                    "names {}, which has no address here".format(host),
                    "take the source away if no package is to come from there",
                    findings.WARNING,
                )
            )
    return found, unknown


def _more(pillar: Pillar, ask: Resolve) -> typing.Iterator[Allowed]:
    held = value(pillar, settings.EGRESS_ALLOW, []) or []
    if not isinstance(held, list) or not all(isinstance(one, dict) and one.get("host") for one in held):
        raise StepError("pillar {} must be a list, each entry with host, port and why".format(settings.EGRESS_ALLOW))
    for one in held:
        yield _one(one, ask)


def _one(entry: Pillar, ask: Resolve) -> Allowed:
    where = "pillar {} ({})".format(settings.EGRESS_ALLOW, entry["host"])
    protocol = str(entry.get("protocol") or "tcp")
    ports = entry.get("ports") or [entry.get("port")]
    if protocol not in ("tcp", "udp") or not all(str(port).isdigit() and 0 < int(port) < 65536 for port in ports):
        raise StepError("{} must have a port between 1 and 65535, and protocol tcp or udp".format(where))
    for port in ports:
        if int(port) in SERVICES:
            raise StepError(
                "{} opens port {}, which is a cloud's {}: a copy must not reach one; take the entry away".format(
                    where, port, SERVICES[int(port)]
                )
            )
    why = str(entry.get("why") or "pillar " + settings.EGRESS_ALLOW)
    return Allowed(_addresses(str(entry["host"]), where, ask), protocol, tuple(int(port) for port in ports), why)
