"""What a copy is not given of its pillar, and why: data. A copy is a controller whose database is a clone (``nova_upgrade``).

The model of the upgrade node is meant to be production's, so these keys may be set: they are read as if they were not there, the
state says which, and on production's own controllers they are written. Nothing of a copy may reach beyond its node: what names
a store, a directory, a queue or a host of production's is held back even where nobody would connect.
"""

import fnmatch
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.options.judgement import folded
from upgrader_node.service.oslo_conf import UPGRADE_MARK
from upgrader_node.service.roles import ROLE_OF

Keys = typing.Dict[str, str]

EVERY_SERVICE = {
    "cors:allowed_origin": "it names a host of production's",
    "message_queue:ssl": "the queue is the node's own, which speaks no TLS",
    "notification": "nobody reads them here, and production's readers must not",
}  # type: Keys

OF = {
    "keystone": {
        "backend": "people of the directory do not log in to a copy, which is not to ask production's directory",
        "domain": "people of the directory do not log in to a copy, which is not to ask production's directory",
        "ldap": "people of the directory do not log in to a copy, which is not to ask production's directory",
    },
    "glance": {
        "filesystem_store_datadir": "an image that is deleted on the copy would be production's",
        "filesystem_store_metadata_file": "it describes production's store",
        "registry": "the copy has no registry; its API asks the clone",
        "storage": "an image that is deleted on the copy would be production's",
        "store_type_preference": "it names production's stores",
    },
    "nova": {
        "host": "the services of the copy are those of this node",
        "metadata": "no instance runs here to ask",
        "vncproxy_url": "it names production's address, and there is no console to show",
    },
    "cinder": {
        "backend": "a volume that is deleted on the copy would be production's",
        "backup": "backups are production's",
    },
    "neutron": {
        "backend:extension:dns": "records of production's name service would be changed",
        "notify_nova": "no port is plugged in here",
    },
    "heat": {
        "metadata": "it names production's address; instances of the copy do not run",
        "waitcondition": "it names production's address; instances of the copy do not run",
        "watch": "it names production's address; instances of the copy do not run",
    },
}  # type: typing.Dict[str, Keys]

# What a copy has in any case: pillar that says just this is not held back, and nobody is told of it.
OF_A_COPY = {
    ("glance", "storage"): {"engine": "file"},
    ("neutron", "notify_nova"): False,
}  # type: typing.Dict[typing.Tuple[str, str], typing.Any]

# The like of the pass-through: sections and options of the service's file, ``section/option``.
OPTIONS = {
    "keystone": ("identity/driver", "identity/domain*", "ldap/*"),
    "glance": ("DEFAULT/registry_*", "DEFAULT/*swift*", "glance_store/*", "store_type_location_strategy/*"),
    "nova": ("DEFAULT/enabled_apis", "DEFAULT/host", "DEFAULT/metadata_*", "vnc/novncproxy_base_url"),
    "cinder": ("DEFAULT/backup_*", "DEFAULT/enabled_backends"),
    "neutron": ("DEFAULT/external_dns_driver", "DEFAULT/notify_nova_*", "designate/*"),
    "heat": (
        "DEFAULT/heat_metadata_server_url",
        "DEFAULT/heat_waitcondition_server_url",
        "DEFAULT/heat_watch_server_url",
    ),
}
OPTIONS_OF_EVERY_SERVICE = ("cors*/allowed_origin", "oslo_messaging_notifications/*", "oslo_messaging_rabbit/*ssl*")


def is_copy(pillar: typing.Any, service: str) -> bool:
    """Whether the service's database is a clone, by its name, as everything else of a copy goes by it."""
    return UPGRADE_MARK in str(host_pillar.value(pillar, ROLE_OF[service] + ":database:name") or "")


def keys(pillar: typing.Any, service: str) -> typing.List[str]:
    """The keys below the service's role that pillar sets and that are held back here."""
    if not is_copy(pillar, service):
        return []
    held = host_pillar.value(pillar, ROLE_OF[service])
    known = dict(EVERY_SERVICE, **OF[service])
    return sorted(key for key in known if host_pillar.value(held, key) not in (None, {}, OF_A_COPY.get((service, key))))


def told(pillar: typing.Any, service: str) -> typing.List[str]:
    """``keys`` without those whose host is the upgrade node itself, as the classes of this tool set it: nothing is lost."""
    held, own = host_pillar.value(pillar, ROLE_OF[service]), host_pillar.value(pillar, "_param:upgrader_upgrade_node")
    return [key for key in keys(pillar, service) if not own or host_pillar.value(held, key + ":host") != own]


def role(pillar: typing.Any, service: str) -> typing.Dict[str, typing.Any]:
    """The service's role as it is to be read here: pillar's, and of a copy without what is held back."""
    if service not in ROLE_OF:
        raise StepError("no service {0!r}; there are {1}".format(service, ", ".join(sorted(ROLE_OF))))
    held = host_pillar.value(pillar, ROLE_OF[service])
    reading = dict(held) if isinstance(held, dict) else {}
    for key in keys(pillar, service):
        _without(reading, key.split(":"))
    return reading


def _without(values: typing.Dict[str, typing.Any], way: typing.Sequence[str]) -> None:
    """Takes a key away; mappings on the way become copies, because pillar itself stays as it is."""
    for part in way[:-1]:
        values[part] = dict(values[part])
        values = values[part]
    del values[way[-1]]


def holds_option(service: str, section: str, option: str, backends: typing.Iterable[str]) -> bool:
    """Whether an option of the pass-through is held back on a copy.

    :param backends: sections that are volume backends
    """
    place = "{0}/{1}".format(folded(section), option.lower())
    named = folded(section) in {folded(name) for name in backends}
    return named or any(fnmatch.fnmatchcase(place, pattern) for pattern in OPTIONS_OF_EVERY_SERVICE + OPTIONS[service])
