"""Which states of a site's formula are packages and configuration. The others (schema syncs, services) have their time later. Pure."""

import typing

from upgrader_node.site.answer import Chunk

# What puts code and files on a node and starts nothing that works on a database.
CONFIGURES = frozenset(
    (
        "alternatives",
        "apache_conf",
        "apache_module",
        "apache_site",
        "archive",
        "augeas",
        "debconf",
        "environ",
        "file",
        "git",
        "grains",
        "group",
        "host",
        "ini",
        "kmod",
        "linux",
        "locale",
        "pip",
        "pkg",
        "pkgrepo",
        "ssh_known_hosts",
        "sysctl",
        "user",
        "virtualenv",
    )
)


class Selection(typing.NamedTuple):
    """Ids that are left out, those of them that hold configuration too, and the services that are not started now."""

    excluded: typing.Tuple[str, ...]
    mixed: typing.Tuple[str, ...]
    services: typing.Tuple[str, ...]


def configuration(chunks: typing.Iterable[Chunk]) -> Selection:
    """What to leave out of a state run so that only packages and configuration are left.

    Salt excludes whole ids: one that has a file and a service loses its file too, which is told.
    """
    kinds = {}  # type: typing.Dict[str, typing.Set[str]]
    services = set()
    for chunk in chunks:
        kinds.setdefault(str(chunk["__id__"]), set()).add(str(chunk["state"]))
        if chunk["state"] == "service" and chunk.get("fun") == "running":
            services.add(str(chunk.get("name") or chunk["__id__"]))
    excluded = [name for name, held in kinds.items() if held - CONFIGURES]
    mixed = [name for name in excluded if kinds[name] & CONFIGURES]
    return Selection(tuple(excluded), tuple(mixed), tuple(sorted(services)))
