"""The catalogue of a copied keystone: every endpoint leads to the copy's own node, and Ocata's services are all there.

A cloned catalogue names production, so each client of the copy would verify production instead. Written by SQL into the
clone, before any service of the copy starts; production's catalogue is added to and not rewritten (``production.catalogue``).
"""

import hashlib
import json
import typing
from urllib.parse import urlsplit

from upgrader_node.database import sql
from upgrader_node.errors import StepError

INTERFACES = ("public", "internal", "admin")
SERVICE_OF = {
    "identity": "keystone",
    "image": "glance",
    "artifact": "glance",
    "compute": "nova",
    "placement": "nova",
    "volumev2": "cinder",
    "volumev3": "cinder",
    "network": "neutron",
    "orchestration": "heat",
    "cloudformation": "heat",
}
"""Whose each wanted type is."""
Answer = typing.Dict[str, typing.Any]


class Entry(typing.NamedTuple):
    """One service as Ocata's catalogue has it. ``port`` may differ for the admin interface."""

    kind: str
    name: str
    port: int
    path: str
    admin_port: int


def wanted(pillar: typing.Mapping[str, typing.Any]) -> typing.List[Entry]:
    """Ocata's catalogue from where the services of this node listen (pillar ``<service>:<role>:bind``).

    Types and paths as the services' own install guides for Ocata have them. Identity is v3 alone, and nova's legacy v2 and cinder's v1 are not
    wanted any more: Ocata serves neither unless it is asked to.
    """

    def port(default: int, *path: str) -> int:
        value = pillar  # type: typing.Any
        for word in path:
            value = value.get(word) if isinstance(value, typing.Mapping) else None
        return int(value or default)

    public = port(5000, "keystone", "server", "bind", "public_port")
    entries = [
        Entry("identity", "keystone", public, "/v3", port(35357, "keystone", "server", "bind", "private_port")),
        _entry("image", "glance", port(9292, "glance", "server", "bind", "port"), ""),
        _entry("compute", "nova", port(8774, "nova", "controller", "bind", "port"), "/v2.1/$(project_id)s"),
        _entry("placement", "placement", port(8778, "nova", "controller", "placement", "bind", "port"), ""),
        _entry("volumev2", "cinderv2", port(8776, "cinder", "controller", "bind", "port"), "/v2/$(project_id)s"),
        _entry("volumev3", "cinderv3", port(8776, "cinder", "controller", "bind", "port"), "/v3/$(project_id)s"),
        _entry("network", "neutron", port(9696, "neutron", "server", "bind", "port"), ""),
        _entry("orchestration", "heat", port(8004, "heat", "server", "bind", "api", "port"), "/v1/$(project_id)s"),
        _entry("cloudformation", "heat-cfn", port(8000, "heat", "server", "bind", "api_cfn", "port"), "/v1"),
    ]
    glare = (((pillar.get("glance") or {}).get("server") or {}).get("glare")) or {}
    if glare.get("enabled"):
        entries.append(_entry("artifact", "glare", port(9494, "glance", "server", "glare", "bind", "port"), ""))
    return entries


def _entry(kind: str, name: str, port: int, path: str) -> Entry:
    return Entry(kind, name, port, path, port)


def identity_of(*parts: str) -> str:
    """An id that is the same on every run, in the form of keystone's own."""
    return hashlib.md5("/".join(("upgrader",) + parts).encode("utf-8")).hexdigest()


class Endpoint(typing.NamedTuple):
    """A row of keystone's table ``endpoint`` with its service's type."""

    identity: str
    kind: str
    interface: str
    url: str
    enabled: int
    region: typing.Optional[str]


def endpoints(connection: typing.Any, schema: str) -> typing.List[Endpoint]:
    """Every endpoint of the copy."""
    statement = (
        "SELECT e.id, s.type, e.interface, e.url, e.enabled, e.region_id FROM {0}.endpoint e "
        "JOIN {0}.service s ON s.id = e.service_id ORDER BY s.type, e.interface, e.id"
    ).format(sql.identifier(schema))
    return [Endpoint(*row) for row in sql.rows(connection, statement)]


def strangers(held: typing.Iterable[Endpoint], own: typing.Iterable[str]) -> typing.List[str]:
    """Endpoints that lead away from this node, switched-off ones too, as phrases."""
    own = {name.lower() for name in own}
    return [
        "endpoint {0} ({1} of {2}) leads to {3}".format(
            endpoint.identity, endpoint.interface, endpoint.kind, _host(endpoint.url) or endpoint.url
        )
        for endpoint in held
        if _host(endpoint.url) not in own
    ]


def _host(url: str) -> str:
    """The host that a URL names; "" when it cannot be told: no node is called that."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def plan(
    held: typing.Sequence[Endpoint], entries: typing.Sequence[Entry], address: str
) -> typing.Dict[str, typing.Any]:
    """What is to be written: ``{endpoint id: (url, enabled)}`` for rows that are there, and the entries that are missing.

    Of a wanted type one endpoint for each interface stays on, that of the identity service's region first; every other
    endpoint is switched off and leads to this node like the rest, so that nothing in the table names production.
    """
    by_kind, region = {entry.kind: entry for entry in entries}, region_of(held)
    changes, kept = {}, {}  # type: typing.Dict[str, typing.Tuple[str, int]], typing.Dict[typing.Tuple[str, str], str]
    for endpoint in sorted(held, key=lambda one: (one.region != region, not one.enabled, one.identity)):
        entry = by_kind.get(endpoint.kind)
        seat = (endpoint.kind, endpoint.interface)
        if entry is not None and seat not in kept:
            kept[seat] = endpoint.identity
            target = (_url(entry, endpoint.interface, address), 1)
        else:
            target = (_moved(endpoint.url, address), 0)
        if target != (endpoint.url, int(endpoint.enabled)):
            changes[endpoint.identity] = target
    missing = [
        (entry, interface) for entry in entries for interface in INTERFACES if (entry.kind, interface) not in kept
    ]
    return {"changes": changes, "missing": missing}


def _url(entry: Entry, interface: str, address: str) -> str:
    port = entry.admin_port if interface == "admin" else entry.port
    return "http://{0}:{1}{2}".format(address, port, entry.path)


def _moved(url: str, address: str) -> str:
    """The same port and path at this node; of what cannot be read as a URL (an unfilled template) nothing is kept."""
    try:
        parts = urlsplit(url)
        port = ":{0}".format(parts.port) if parts.port else ""
    except ValueError:
        return "http://{0}".format(address)
    return "{0}://{1}{2}{3}".format(parts.scheme or "http", address, port, parts.path)


def region_of(held: typing.Iterable[Endpoint]) -> typing.Optional[str]:
    """The region of the identity endpoints, else of any."""
    ordered = sorted(held, key=lambda endpoint: (endpoint.kind != "identity", not endpoint.enabled))
    return next((endpoint.region for endpoint in ordered if endpoint.region), None)


def rewrite(
    connection: typing.Any, role: typing.Mapping[str, typing.Any], pillar: typing.Mapping[str, typing.Any]
) -> Answer:
    """The catalogue of this node's copy, as its pillar wants it. ``role`` is keystone's, and its database is a clone."""
    address = str(role["bind"]["public_address"])
    if address in ("0.0.0.0", "::"):
        raise StepError(
            "pillar keystone:server:bind:public_address is {}: name the one address of this node that the copy's endpoints "
            "shall lead to".format(address)
        )
    done = write(connection, role["database"]["name"], wanted(pillar), address)
    comment = "{} endpoint(s) moved to {}, added: {}, switched off: {}".format(
        done["moved"], address, ", ".join(done["added"]) or "none", ", ".join(done["off"]) or "none"
    )
    return dict(done, comment=comment)


def write(connection: typing.Any, schema: str, entries: typing.Sequence[Entry], address: str) -> Answer:
    """Make the copy's catalogue Ocata's, in one transaction; a second time there is nothing to do."""
    held = endpoints(connection, schema)
    todo = plan(held, entries, address)
    cursor = connection.cursor()
    try:
        cursor.execute("START TRANSACTION")
        change(cursor, schema, todo["changes"])
        for entry, interface in todo["missing"]:
            service_of(connection, cursor, schema, entry)
            identity = identity_of("endpoint", entry.kind, interface)
            url = _url(entry, interface, address)
            add(connection, cursor, schema, Endpoint(identity, entry.kind, interface, url, 1, region_of(held)))
        cursor.execute("COMMIT")
    finally:
        cursor.close()
    return {
        "changed": bool(todo["changes"] or todo["missing"]),
        "moved": len(todo["changes"]),
        "added": sorted({entry.name for entry, _ in todo["missing"]}),
        "off": sorted({endpoint.kind for endpoint in held} - {entry.kind for entry in entries}),
    }


def change(cursor: typing.Any, schema: str, changes: typing.Mapping[str, typing.Tuple[str, int]]) -> None:
    """Give endpoints, by id, another URL and say whether they are on."""
    statement = "UPDATE {0}.endpoint SET url = %s, enabled = %s WHERE id = %s".format(sql.identifier(schema))
    for identity, (url, enabled) in sorted(changes.items()):
        cursor.execute(statement, (url, enabled, identity))


def add(connection: typing.Any, cursor: typing.Any, schema: str, endpoint: Endpoint) -> None:
    """One more endpoint, of a service that is there (``service_of``)."""
    service = _held(connection, schema, endpoint.kind)
    statement = (
        "INSERT INTO {0}.endpoint (id, interface, service_id, url, extra, enabled, region_id) "
        "VALUES (%s, %s, %s, %s, '{{}}', %s, %s)"
    ).format(sql.identifier(schema))
    values = (endpoint.identity, endpoint.interface, service, endpoint.url, endpoint.enabled, endpoint.region)
    cursor.execute(statement, values)


def _held(connection: typing.Any, schema: str, kind: str) -> str:
    held = sql.rows(
        connection,
        "SELECT id FROM {0}.service WHERE type = %s ORDER BY id".format(sql.identifier(schema)),
        (kind,),
    )
    return str(held[0][0]) if held else ""


def service_of(connection: typing.Any, cursor: typing.Any, schema: str, entry: Entry) -> bool:
    """Have the service of an entry; whether it was made, with a name of its own, because there was none of this type."""
    if _held(connection, schema, entry.kind):
        return False
    extra = json.dumps({"name": entry.name, "description": "OpenStack {0}".format(entry.kind)})
    cursor.execute(
        "INSERT INTO {0}.service (id, type, enabled, extra) VALUES (%s, %s, 1, %s)".format(sql.identifier(schema)),
        (identity_of("service", entry.kind), entry.kind, extra),
    )
    return True
