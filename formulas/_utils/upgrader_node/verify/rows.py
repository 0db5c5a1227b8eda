"""What an API makes of a row: shows it as it is, shows it otherwise, or leaves it out. Pure.

Read in the code that answers after the upgrade: keystone 12 and glance 15 (Pike), nova 15, cinder 10 and neutron 10 (Ocata). What
differs from Mitaka's is the upgrade's own doing and is counted as the new API counts. Networks and the catalogue's services
are all listed to an administrator, whatever is in the row.
"""

import json
import typing
from urllib.parse import urlsplit

Fields = typing.Dict[str, typing.Any]


class Shown(typing.NamedTuple):
    """The record that the API gives, or None for a row that its list leaves out; ``note`` says what is left out, or ""."""

    fields: typing.Optional[Fields]
    note: str = ""


Row = typing.Callable[[Fields], Shown]

# nova 15, api/openstack/compute/services.py ``_get_services``: rows that API processes write about themselves.
API_SERVICES = ("nova-osapi_compute", "nova-ec2", "nova-metadata")
# glance 15, db/sqlalchemy/api.py: ``STATUSES`` without ``killed``, in ``_make_conditions_from_filters``.
IMAGE_STATUSES = ("active", "saving", "queued", "pending_delete", "deleted", "deactivated", "importing", "uploading")
# cinder 10, api/v2/views/volumes.py ``_get_volume_status``.
VOLUME_STATUSES = {"managing": "creating", "error_managing": "error", "error_managing_deleting": "deleting"}


def as_it_is(row: Fields) -> Shown:
    return Shown(row)


def image(row: Fields) -> Shown:
    """What failed to upload with glance's first API, and any status that glance does not know."""
    if str(row["status"]).lower() in IMAGE_STATUSES:
        return Shown(row)
    return Shown(None, "images with status {}".format(row["status"]))


def compute_service(row: Fields) -> Shown:
    if row["binary"] in API_SERVICES:
        return Shown(None, "rows of {}".format(row["binary"]))
    return Shown(row)


def flavor(row: Fields) -> Shown:
    """nova 13 to 15, objects/flavor.py ``_from_db_object``: a size that the row does not say is 0."""
    return Shown(dict(row, **{name: row[name] or 0 for name in ("ram", "vcpus", "disk", "ephemeral", "swap")}))


def server(row: Fields) -> Shown:
    """nova 15: db/sqlalchemy/api.py ``instance_get_all_by_filters_sort``, api/openstack/compute/views/servers.py ``show``.

    A server shows the flavor that stands in its own instance_extra, not the table of flavors: that one may be gone or changed.
    """
    if str(row["vm_state"]).lower() == "soft-delete":
        return Shown(None, "soft-deleted servers")
    fields = dict(row, project=row["project"] or "", user=row["user"] or "", flavor=_flavor(row["flavor"]))
    fields["image"] = urlsplit(row["image"] or "").path.split("/")[-1]  # common.get_id_from_href: it may be a whole URL
    return Shown(fields)


def server_name(row: Fields) -> Shown:
    """``server`` where no more than the name is shown."""
    if str(row["vm_state"]).lower() == "soft-delete":
        return Shown(None, "soft-deleted servers")
    return Shown({"name": row["name"]})


def _flavor(text: typing.Optional[str]) -> typing.Optional[str]:
    """The flavor's public id in instance_extra.flavor (objects/instance.py ``_flavor_from_db``); None when it says none."""
    try:
        return str(json.loads(text or "")["cur"]["nova_object.data"]["flavorid"])
    except (ValueError, KeyError, TypeError):
        return None


def volume(row: Fields) -> Shown:
    """cinder 10, api/v2/views/volumes.py ``detail``: attachments are those of a volume that says itself that it is attached.

    ``reset-state`` of a Mitaka before 8.0.1 left attachments behind (Launchpad 1568034). objects/volume.py makes a size of None 0.
    A type shows its name, though it have none.
    """
    fields = dict(row, size=row["size"] or 0, status=VOLUME_STATUSES.get(row["status"], row["status"]))
    fields["type"] = row["type"] if row["type_there"] else row["type_id"]
    left = row["attachments"] if row["attach_status"] != "attached" else 0
    fields["attachments"] = row["attachments"] - left
    for name in ("type_id", "type_there", "attach_status"):
        del fields[name]
    return Shown(fields, "attachments of volumes that are not attached" if left else "")
