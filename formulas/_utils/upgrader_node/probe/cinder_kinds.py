"""Cinder's rows that its own objects judge: fields that became enumerations, and what may no longer be NULL.

No words of a row are read, and no ``provider_auth``: where an object takes any text, only whether there is one.
"""

import sys

from upgrader_node.probe.kind import Kind

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)


def _text(column, instead="''"):
    # type: (str, str) -> str
    return "IF({0} IS NULL, NULL, {1})".format(column, instead)


_UUID = "'5afe0000-0000-4000-8000-00000000c0de'"


def _rows(identity, table, judge, what, values, remedy, code, mend="", key="t.id", first="", name="t.id"):
    # type: (str, str, str, str, typing.Tuple[str, ...], str, str, str, str, typing.Any, str) -> Kind
    return Kind(
        id=identity, service="cinder", subject=table, what=what + " that cinder refuses", fails="Ocata's lists of them answer 500",
        remedy=remedy, source="cinder 10.0.8 " + code, judge=judge, tables="{db}." + table + " t", where="t.deleted = 0", key=key,
        name=name, values=values, first=first, mend=mend and "UPDATE {db}." + table + " SET " + mend + " WHERE id = {key}",
    )  # fmt: skip


_EMPTY = "`key` = COALESCE(`key`, ''), value = COALESCE(value, '')"
_STATE = "write a state that cinder knows, such as 'error', with 'cinder reset-state' of its kind or by hand"
_OWNER = ("t.status", _text("t.user_id"), _text("t.project_id"))

KINDS = (
    _rows(
        "volumes", "volumes", "volume", "live volumes", ("t.attach_status",), "write 'attached' or 'detached'",
        "objects/volume.py: attach_status is an enumeration",
    ),
    _rows(
        "volume-metadata", "volume_metadata", "volume_metadata", "metadata of live volumes", (_text("t.`key`"), _text("t.value")),
        "write an empty text, or delete the row", "objects/volume.py: metadata is DictOfStringsField", _EMPTY, first=0,
        name="t.volume_id",
    ),
    _rows(
        "snapshots", "snapshots", "snapshot", "live snapshots", ("t.status",), _STATE, "objects/snapshot.py: status is an enumeration",
        "status = 'error'",
    ),
    _rows(
        "snapshot-metadata", "snapshot_metadata", "snapshot_metadata", "metadata of live snapshots",
        (_text("t.`key`"), _text("t.value")), "write an empty text, or delete the row", "objects/snapshot.py: metadata is DictOfStringsField",
        _EMPTY, first=0, name="t.snapshot_id",
    ),
    _rows(
        "backups", "backups", "backup", "live backups", _OWNER + (_text("t.volume_id", _UUID),),
        _STATE, "objects/backup.py: status is an enumeration, its owner may not be None",
    ),
    _rows(
        "consistency-groups", "consistencygroups", "consistencygroup", "live consistency groups", _OWNER, _STATE,
        "objects/consistencygroup.py: status is an enumeration, its owner may not be None",
    ),
    _rows(
        "consistency-group-snapshots", "cgsnapshots", "cgsnapshot", "live snapshots of consistency groups", _OWNER,
        "write the user and the project that own them", "objects/cgsnapshot.py: their owner may not be None",
    ),
    _rows(
        "attachments", "volume_attachment", "attachment", "live attachments", ("t.attach_status", _text("t.volume_id", _UUID)),
        "write 'attached' or 'detached'", "objects/volume_attachment.py: attach_status is an enumeration",
    ),
    _rows(
        "services", "services", "service", "live services", ("t.replication_status", "t.disabled", "t.frozen"),
        "NULL is taken", "objects/service.py: replication_status is an enumeration", "replication_status = NULL", first=0,
        name="CONCAT(t.id, ' ', COALESCE(t.`binary`, ''), ' on ', COALESCE(t.host, ''))",
    ),
)  # fmt: skip
