"""Who keeps the networks' records: neutron's own database, or an SDN controller with databases of its own (OpenContrail)."""

import typing

from upgrader_node.host import pillar as host_pillar

CONTRAIL = ("contrail", "opencontrail")
# This tool's key, MCP's of Ocata, and nova's of Mitaka.
KEYS = ("neutron:server:plugin", "neutron:server:backend:engine", "nova:controller:networking")


def contrail(pillar: typing.Any) -> str:
    """``key is value`` where this node's pillar says that OpenContrail makes the networks, or ""."""
    for key in KEYS:
        said = host_pillar.value(pillar, key)
        if str(said).lower() in CONTRAIL:
            return "{0} is {1}".format(key, said)
    return ""
