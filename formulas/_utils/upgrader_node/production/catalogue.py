"""Production's catalogue gets what Ocata adds, and nothing else of it changes. Written before any service of Ocata starts.

* placement, which Ocata's nova cannot do without: where the compute endpoint of the same region and interface leads, its port
* cinder's v3, beside each endpoint of v2 and written as that one is
* identity endpoints that end in ``/v2.0`` become ``/v3``: Ocata's clients take the version from the catalogue, and speak v3 only

By SQL, because no keystone runs then that could be asked.
"""

import re
import typing
from urllib.parse import urlsplit

from upgrader_node.copy.catalogue import Endpoint, Entry, add, change, endpoints, identity_of, service_of
from upgrader_node.errors import StepError
from upgrader_node.host.findings import some

_V2 = re.compile(r"/v2\.0/?$")
Answer = typing.Dict[str, typing.Any]


class Plan(typing.NamedTuple):
    """What is to be written: endpoints that are missing, and (old URL, new one) of identity endpoints by id."""

    missing: typing.List[Endpoint]
    moved: typing.Dict[str, typing.Tuple[str, str]]


def plan(held: typing.Sequence[Endpoint], port: int) -> Plan:
    """Raises StepError, before anything is written, for an endpoint from which nothing can be made.

    :param port: where placement listens
    """
    there = {(one.kind, one.interface, one.region) for one in held}
    wanted = [_beside(one, "placement", _placement(one.url, port)) for one in _on(held, "compute")]
    wanted += [_beside(one, "volumev3", _volume(one.url)) for one in _on(held, "volumev2")]
    missing = [one for one in wanted if (one.kind, one.interface, one.region) not in there]
    if not _on(held, "compute"):
        raise StepError(
            "the catalogue has no compute endpoint that is on: placement's would lead nowhere; look at 'openstack endpoint list'"
        )
    moved = {
        one.identity: (one.url, _V2.sub("/v3", one.url))
        for one in held
        if one.kind == "identity" and _V2.search(one.url)
    }
    return Plan(missing, moved)


def _on(held: typing.Iterable[Endpoint], kind: str) -> typing.List[Endpoint]:
    """One endpoint of this type for each region and interface that has one switched on."""
    seats = {}  # type: typing.Dict[typing.Tuple[str, str], Endpoint]
    for one in sorted(held, key=lambda each: each.identity):
        if one.kind == kind and one.enabled:
            seats.setdefault((one.region or "", one.interface), one)
    return [seats[seat] for seat in sorted(seats)]


def _beside(one: Endpoint, kind: str, url: str) -> Endpoint:
    identity = identity_of("production", "endpoint", kind, one.interface, one.region or "")
    return Endpoint(identity, kind, one.interface, url, 1, one.region)


def _placement(url: str, port: int) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host:
        raise StepError("compute endpoint {} names no host: correct it in the catalogue first".format(url))
    return "{}://{}:{}".format(parts.scheme, "[{}]".format(host) if ":" in host else host, port)


def _volume(url: str) -> str:
    if "/v2/" not in url:
        raise StepError("volumev2 endpoint {} has no /v2/ in it: correct it in the catalogue first".format(url))
    return url.replace("/v2/", "/v3/", 1)


def write(session: typing.Any, schema: str, entries: typing.Sequence[Entry]) -> Answer:
    """In one transaction: all of it or nothing; a second time there is nothing to do.

    :param entries: Ocata's catalogue (``copy.catalogue.wanted``): names of services, and where placement listens
    """
    by_kind = {entry.kind: entry for entry in entries}
    held, made = endpoints(session, schema), []  # type: typing.List[Endpoint], typing.List[str]
    todo, on = plan(held, by_kind["placement"].port), {one.identity: int(one.enabled) for one in held}
    cursor = session.cursor()
    try:
        cursor.execute("START TRANSACTION")
        for kind in sorted({one.kind for one in todo.missing}):
            made += [kind] if service_of(session, cursor, schema, by_kind[kind]) else []
        for one in todo.missing:
            add(session, cursor, schema, one)
        change(cursor, schema, {identity: (new, on[identity]) for identity, (_, new) in todo.moved.items()})
        cursor.execute("COMMIT")
    finally:
        cursor.close()
    return _judged(session, schema, todo, made, by_kind["placement"].port)


def _judged(session: typing.Any, schema: str, todo: Plan, made: typing.Sequence[str], port: int) -> Answer:
    left = plan(endpoints(session, schema), port)
    if left.missing or left.moved:
        raise StepError(
            "the catalogue was written without a complaint and is not as it should be: look at table endpoint"
        )
    added = ["{} {} of {}: {}".format(one.kind, one.interface, one.region, one.url) for one in todo.missing]
    moved = [{"id": identity, "old": old, "new": new} for identity, (old, new) in sorted(todo.moved.items())]
    comment = "added: {}; identity moved to v3: {}".format(some(added, 12, "; ") or "nothing", len(moved))
    return {
        "comment": comment,
        "changed": bool(added or moved or made),
        "services": list(made),
        "added": added,
        "moved": moved,
    }
