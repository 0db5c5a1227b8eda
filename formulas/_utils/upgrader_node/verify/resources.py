"""The eight things that are compared before and after: what a source's tables hold, and what an Ocata API answers. Pure.

Each resource has one question in SQL to a Mitaka database (the baseline) and one call to the API (what a client sees), both
of which give records ``{id: {field: value}}`` with the same fields: those that an upgrade must not change. The baseline counts
as the API counts: ``verify.rows`` says what a list leaves out or shows otherwise.
"""

import typing

from upgrader_node.verify import rows as of_source
from upgrader_node.verify.rows import Fields, Row

# Made and deleted again by the check itself; one that a killed check left behind is no finding, and is swept by the next.
PREFIX = "upgrader-check-"
NETWORKS = "neutron"


class Resource(typing.NamedTuple):
    """One call. ``statement`` takes the names of databases as ``{main}`` and the like; its first column is the id, the others
    are ``fields`` and then ``more``, which only ``row`` needs: it makes the API's record of them.

    ``registers``: what is new in this list did not come from a user; a service that is not of this copy has written it.
    """

    name: str
    command: str
    service: str
    statement: str
    fields: typing.Tuple[str, ...]
    service_type: str
    path: str
    key: str
    record: typing.Callable[[typing.Dict[str, typing.Any]], typing.Tuple[str, Fields]]
    timeout: float = 60.0
    row: Row = of_source.as_it_is
    more: typing.Tuple[str, ...] = ()
    registers: bool = False


def _service(item: typing.Dict[str, typing.Any]) -> typing.Tuple[str, Fields]:
    return item["id"], {"type": item["type"], "enabled": bool(item.get("enabled", True))}


def _image(item: typing.Dict[str, typing.Any]) -> typing.Tuple[str, Fields]:
    names = ("name", "status", "size", "min_disk", "min_ram", "owner", "checksum", "disk_format", "container_format")
    fields = {name: item.get(name) for name in names}
    fields.update(protected=bool(item.get("protected")), visibility=item.get("visibility"))
    return item["id"], fields


def _flavor(item: typing.Dict[str, typing.Any]) -> typing.Tuple[str, Fields]:
    return item["id"], {
        "name": item["name"],
        "ram": item["ram"],
        "vcpus": item["vcpus"],
        "disk": item["disk"],
        "ephemeral": item["OS-FLV-EXT-DATA:ephemeral"],
        "swap": item["swap"] or 0,
        "public": bool(item["os-flavor-access:is_public"]),
        "disabled": bool(item["OS-FLV-DISABLED:disabled"]),
    }


def _compute_service(item: typing.Dict[str, typing.Any]) -> typing.Tuple[str, Fields]:
    fields = {name: item[name] for name in ("binary", "host", "disabled_reason")}
    fields["enabled"] = item["status"] == "enabled"
    return str(item["id"]), fields


def _server(item: typing.Dict[str, typing.Any]) -> typing.Tuple[str, Fields]:
    return item["id"], {
        "name": item["name"],
        "project": item["tenant_id"],
        "user": item["user_id"],
        "vm_state": item["OS-EXT-STS:vm_state"],
        "host": item["OS-EXT-SRV-ATTR:host"],
        "key_name": item["key_name"],
        "image": (item["image"] or {}).get("id", "") if isinstance(item["image"], dict) else item["image"],
        "flavor": (item["flavor"] or {}).get("id"),
    }


def _network(item: typing.Dict[str, typing.Any]) -> typing.Tuple[str, Fields]:
    fields = {name: item[name] for name in ("name", "status")}
    fields.update(project=item["tenant_id"], admin_state_up=bool(item["admin_state_up"]), subnets=len(item["subnets"]))
    return item["id"], fields


def _volume(item: typing.Dict[str, typing.Any]) -> typing.Tuple[str, Fields]:
    return item["id"], {
        "name": item["name"],
        "size": item["size"],
        "status": item["status"],
        "project": item["os-vol-tenant-attr:tenant_id"],
        "user": item["user_id"],
        "bootable": str(item["bootable"]).lower() == "true",
        "type": item["volume_type"],
        "attachments": len(item["attachments"]),
    }


def _engine(item: typing.Dict[str, typing.Any]) -> typing.Tuple[str, Fields]:
    return item["id"], {"status": item["status"], "hostname": item["hostname"], "binary": item["binary"]}


RESOURCES = (
    Resource(
        "catalogue services",
        "openstack service list",
        "keystone",
        "SELECT id, type, enabled FROM {keystone}.service",
        ("type", "enabled"),
        "identity",
        "/services",
        "services",
        _service,
        registers=True,
    ),
    Resource(
        "images",
        "openstack image list",
        "glance",
        "SELECT i.id, i.name, i.status, i.size, i.min_disk, i.min_ram, i.owner, i.checksum, i.disk_format, i.container_format, "
        "i.protected, CASE WHEN i.is_public THEN 'public' WHEN EXISTS (SELECT 1 FROM {glance}.image_members m "
        "WHERE m.image_id = i.id AND NOT m.deleted) THEN 'shared' ELSE 'private' END "
        "FROM {glance}.images i WHERE NOT i.deleted",
        (
            "name",
            "status",
            "size",
            "min_disk",
            "min_ram",
            "owner",
            "checksum",
            "disk_format",
            "container_format",
            "protected",
            "visibility",
        ),
        "image",
        "/v2/images?limit=1000",
        "images",
        _image,
        row=of_source.image,
    ),
    Resource(
        "flavors",
        "openstack flavor list --all",
        "nova",
        "SELECT flavorid, name, memory_mb, vcpus, root_gb, ephemeral_gb, swap, is_public, disabled "
        "FROM {nova}.instance_types WHERE deleted = 0",
        ("name", "ram", "vcpus", "disk", "ephemeral", "swap", "public", "disabled"),
        "compute",
        "/flavors/detail?is_public=none&limit=1000",
        "flavors",
        _flavor,
        row=of_source.flavor,
    ),
    Resource(
        "compute services",
        "openstack compute service list",
        "nova",
        "SELECT id, `binary`, host, disabled_reason, NOT disabled FROM {nova}.services WHERE deleted = 0",
        ("binary", "host", "disabled_reason", "enabled"),
        "compute",
        "/os-services",
        "services",
        _compute_service,
        row=of_source.compute_service,
        registers=True,
    ),
    Resource(
        "servers",
        "openstack server list --all-projects",
        "nova",
        "SELECT i.uuid, i.display_name, i.project_id, i.user_id, i.vm_state, i.host, i.key_name, i.image_ref, "
        "(SELECT e.flavor FROM {nova}.instance_extra e WHERE e.instance_uuid = i.uuid AND e.deleted = 0 LIMIT 1) "
        "FROM {nova}.instances i WHERE i.deleted = 0",
        ("name", "project", "user", "vm_state", "host", "key_name", "image", "flavor"),
        "compute",
        "/servers/detail?all_tenants=1&limit=1000",
        "servers",
        _server,
        300.0,
        of_source.server,
    ),
    Resource(
        "networks",
        "openstack network list",
        "neutron",
        "SELECT n.id, n.name, n.status, n.tenant_id, n.admin_state_up, "
        "(SELECT COUNT(*) FROM {neutron}.subnets s WHERE s.network_id = n.id) FROM {neutron}.networks n",
        ("name", "status", "project", "admin_state_up", "subnets"),
        "network",
        "/v2.0/networks",
        "networks",
        _network,
        120.0,
    ),
    Resource(
        "volumes",
        "openstack volume list --all-projects",
        "cinder",
        "SELECT v.id, v.display_name, v.size, v.status, v.project_id, v.user_id, v.bootable, t.name, "
        "(SELECT COUNT(*) FROM {cinder}.volume_attachment a WHERE a.volume_id = v.id AND NOT a.deleted "
        "AND a.attach_status = 'attached'), v.volume_type_id, t.id, v.attach_status FROM {cinder}.volumes v "
        "LEFT JOIN {cinder}.volume_types t ON t.id = v.volume_type_id WHERE NOT v.deleted",
        ("name", "size", "status", "project", "user", "bootable", "type", "attachments"),
        "volumev3",
        "/volumes/detail?all_tenants=1&limit=1000",
        "volumes",
        _volume,
        120.0,
        of_source.volume,
        ("type_id", "type_there", "attach_status"),
    ),
    Resource(
        "orchestration services",
        "openstack orchestration service list",
        "heat",
        "",
        ("status", "hostname", "binary"),
        "orchestration",
        "/services",
        "services",
        _engine,
        # heat-api itself gives up on its engines after 60 s: "All heat engines are down" (seen with heat 11).
        75.0,
    ),
)
# With its details each server shows its security groups, and nova asks neutron for them; a short list it makes alone
# (nova 15: api/openstack/compute/security_groups.py extends show and detail only).
_SHORT = {
    "servers": {
        "command": "openstack server list --all-projects, ids and names",
        "statement": "SELECT i.uuid, i.display_name, i.vm_state FROM {nova}.instances i WHERE i.deleted = 0",
        "fields": ("name",),
        "path": "/servers?all_tenants=1&limit=1000",
        "record": lambda item: (item["id"], {"name": item["name"]}),
        "row": of_source.server_name,
        "more": ("vm_state",),
    }
}  # type: typing.Dict[str, typing.Dict[str, typing.Any]]


def asked(without: typing.Container[str] = ()) -> typing.Tuple[Resource, ...]:
    """The resources of a cloud. ``without`` are services that this node does not have, so that nothing is asked of them."""
    left = tuple(one for one in RESOURCES if one.service not in without)
    return tuple(one._replace(**_SHORT.get(one.name, {})) for one in left) if NETWORKS in without else left


BOOLEANS = {"enabled", "protected", "public", "disabled", "admin_state_up", "bootable"}


class Taken(typing.NamedTuple):
    """A baseline's records of one resource, and the ids of the rows of which the API leaves out something, by what it is."""

    records: typing.Dict[str, Fields]
    notes: typing.Dict[str, typing.List[str]]


def taken(resource: Resource, rows: typing.Iterable[typing.Sequence[typing.Any]]) -> Taken:
    """What the API will list of these rows; MySQL's 0 and 1 become what the API says."""
    found = Taken({}, {})
    for row in rows:
        fields, note = resource.row(dict(zip(resource.fields + resource.more, row[1:])))
        if fields is not None:
            found.records[str(row[0])] = {
                name: (bool(value) if name in BOOLEANS else value) for name, value in fields.items()
            }
        if note:
            found.notes.setdefault(note, []).append(str(row[0]))
    return found
