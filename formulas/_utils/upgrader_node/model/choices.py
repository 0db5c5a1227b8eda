"""Keys that are read and of which not every value can be written: data. A template would make something else of another one."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.model import unread


class Choice(typing.NamedTuple):
    """A key below the role, the values that these states can write, and what to do about another one."""

    key: str
    values: typing.Tuple[str, ...]
    remedy: str


CONF = "take it away, and write what it needs under upgrader:service:{0}:conf"
STORES = ("file", "http", "rbd", "swift", "cinder", "sheepdog", "vmware")

OF = {
    "keystone:server": (
        Choice("backend", ("sql", "ldap"), CONF.format("keystone")),
        Choice("domain:*:backend", ("sql", "ldap"), "such a domain is beyond these states"),
        Choice("domain:*:identity:driver", ("sql", "ldap"), "such a domain is beyond these states"),
        Choice("tokens:engine", ("fernet", "uuid", "database"), "Ocata has no other tokens"),
    ),
    "glance:server": (
        Choice("storage:engine", STORES, "Ocata has no such store"),
        Choice("storage:default_store", STORES, "Ocata has no such store"),
    ),
    "cinder:controller": (
        Choice(
            "backend:*:engine",
            ("ceph", "lvm", "nfs"),
            "take the key away and say volume_driver and all that it needs under options of the same backend",
        ),
    ),
    "neutron:server": (
        Choice("plugin", ("ml2", "contrail", "opencontrail"), CONF.format("neutron")),
        Choice("backend:engine", ("ml2", "contrail", "opencontrail"), CONF.format("neutron")),
    ),
}  # type: typing.Dict[str, typing.Tuple[Choice, ...]]


def refuse(pillar: typing.Any, role: str) -> None:
    """Raises StepError for the first key of ``OF`` that has another value."""
    for way, value in unread.leaves(host_pillar.value(pillar, role) or {}, []):
        for choice in OF.get(role, ()):
            said = value if isinstance(value, list) else [value]
            if unread.covers(choice.key.split(":"), way) and not all(one in choice.values for one in said):
                what = "nothing was written: pillar {0}:{1} is {2}, and these states write {3} only: {4}"
                shown = ", ".join(sorted(str(one)[:40] for one in said))
                raise StepError(what.format(role, ":".join(way), shown, ", ".join(choice.values), choice.remedy))
