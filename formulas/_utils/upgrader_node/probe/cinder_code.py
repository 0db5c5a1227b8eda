"""Cinder's own objects as judges: each takes the values of one row and raises what cinder would raise over it."""

import functools
import sys

from upgrader_node.nova.door import novas
from upgrader_node.probe.kind import ITSELF

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

# The object of a word, and the fields that a kind's values are.
OBJECTS = {
    "volume": ("Volume", ("attach_status",)),
    "snapshot": ("Snapshot", ("status",)),
    "backup": ("Backup", ("status", "user_id", "project_id", "volume_id")),
    "consistencygroup": ("ConsistencyGroup", ("status", "user_id", "project_id")),
    "cgsnapshot": ("CGSnapshot", ("status", "user_id", "project_id")),
    "attachment": ("VolumeAttachment", ("attach_status", "volume_id")),
    "service": ("Service", ("replication_status", "disabled", "frozen")),
}


def judges():
    # type: () -> typing.Dict[str, typing.Callable[..., typing.Any]]
    """By the word that a kind names. Imports cinder: what goes wrong here is no row's fault."""
    objects = novas("cinder.objects")
    objects.register_all()
    context = novas("cinder.context").get_admin_context()
    found = {}  # type: typing.Dict[str, typing.Callable[..., typing.Any]]
    for word, (name, fields) in OBJECTS.items():
        found[word] = functools.partial(_judge, objects, context, name, fields)
    found["volume_metadata"] = functools.partial(_metadata, objects, context, "Volume")
    found["snapshot_metadata"] = functools.partial(_metadata, objects, context, "Snapshot")
    return found


def _judge(objects, context, name, fields, *values):
    # type: (typing.Any, typing.Any, str, typing.Sequence[str], *typing.Any) -> None
    """``_from_db_object`` of a row that holds these values and nothing else: every other field may be None."""
    made = getattr(objects, name)(context)
    row = dict(zip(fields, values), id=1 if name == "Service" else ITSELF)
    made._from_db_object(context, made, row)


def _metadata(objects, context, name, key, value):
    # type: (typing.Any, typing.Any, str, typing.Any, typing.Any) -> None
    getattr(objects, name)(context).metadata = {key: value}
