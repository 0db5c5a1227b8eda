"""Which pillar keys a complete Ocata controller needs, per role: data, for both sides.

The command says beforehand what a model lacks; on the node the same table refuses an incomplete model before a file is
written, because a template that meets a missing key leaves half a configuration or none.
"""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar

Keys = typing.Tuple[typing.Tuple[str, str], ...]
OR = "|"
"""Between keys of which one is enough: MCP's formulas name an address differently from service to service."""


def database(service: str) -> Keys:
    """Where a service's clone is and who may open it."""
    return (
        ("database:host", "host name of the database cluster"),
        ("database:name", service + "_upgrade"),
        ("database:user", service + "_upgrade"),
        ("database:password", service + "'s database password"),
    )


MESSAGE_QUEUE = (
    ("message_queue:host|message_queue:members", "the upgrade node's own RabbitMQ"),
    ("message_queue:user", "openstack"),
    ("message_queue:password", "its password"),
)


def identity(service: str) -> Keys:
    """How a service proves to keystone who it is."""
    return (
        ("identity:host", "the upgrade node itself, where the copy's keystone runs"),
        ("identity:user", "upgrader, or " + service + " on production"),
        ("identity:password", "the password of that account"),
    )


ADDRESS = (("bind:address", "address of this node"),)
PRIVATE_ADDRESS = (("bind:address|bind:private_address", "address of this node"),)
OSAPI_ADDRESS = (("bind:address|osapi:host", "address of this node"),)
WORDS = {"ignored", "conf"}
VIRTUAL_HOST = (("host", "/openstack: {enabled: true, user: openstack, password: its password, policies: []}"),)

# Only what has no default: ports, regions and the project's name have one in the templates.
REQUIRED = {
    "keystone:server": database("keystone")
    + (("bind:public_address", "address of this node"), ("bind:private_address", "address of this node")),
    "glance:server": database("glance") + identity("glance") + PRIVATE_ADDRESS,
    "nova:controller": database("nova")
    + MESSAGE_QUEUE
    + identity("nova")
    + PRIVATE_ADDRESS
    + (
        ("glance:host", "the upgrade node itself"),
        ("network:host", "the upgrade node itself"),
        ("network:user", "upgrader, or neutron on production"),
        ("network:password", "the password of that account"),
    ),
    "cinder:controller": database("cinder")
    + MESSAGE_QUEUE
    + identity("cinder")
    + OSAPI_ADDRESS
    + (("glance:host", "the upgrade node itself"),),
    "neutron:server": database("neutron")
    + MESSAGE_QUEUE
    + identity("neutron")
    + PRIVATE_ADDRESS
    + (
        ("compute:host", "the upgrade node itself"),
        ("compute:user", "upgrader, or nova on production"),
        ("compute:password", "the password of that account"),
    ),
    "heat:server": database("heat")
    + MESSAGE_QUEUE
    + identity("heat")
    + (
        ("bind:api:address", "address of this node"),
        ("bind:api_cfn:address", "address of this node"),
        ("auth_encryption_key", "production's own, or no stack can be read"),
        ("stack_domain_admin:name", "heat_domain_admin"),
        ("stack_domain_admin:password", "its password"),
        ("stack_domain_admin:domain", "heat_user_domain"),
    ),
    "horizon:server": ADDRESS
    + (("cache:members|cache:host", "[{host: this node's own memcached, port: 11211}]"),)
    + (("secret_key", "a long random text"), ("identity:host", "the upgrade node itself")),
    "memcached:server": ADDRESS,
    "rabbitmq:server": ADDRESS + VIRTUAL_HOST,
    "upgrader:service:memcached": ADDRESS,
    "upgrader:service:rabbitmq": ADDRESS + VIRTUAL_HOST,
    "haproxy:proxy": (("listen", "<name>: {mode, service_name, binds: [...], servers: [...]}"),),
    "keepalived:cluster": (("instance", "VIP: {address, password, interface, virtual_router_id, priority}"),),
}  # type: typing.Dict[str, Keys]

UPGRADE_NODE = (
    "upgrader:service:memcached",
    "upgrader:service:rabbitmq",
    "keystone:server",
    "glance:server",
    "nova:controller",
    "cinder:controller",
    "neutron:server",
    "heat:server",
    "horizon:server",
)


def foundation(pillar: typing.Any, service: str) -> str:
    """Where this node's ``memcached`` or ``rabbitmq`` is described: under the tool's own key, or else the site's.

    The upgrade node has its own. ``rabbitmq:server`` there would make the site's formula join production's cluster. What is
    said under the tool's key about reading the site's (``WORDS``) describes nothing yet.
    """
    own = "upgrader:service:" + service
    return own if set(host_pillar.value(pillar, own) or ()) - WORDS else service + ":server"


def missing(pillar: typing.Any, role: str) -> typing.List[typing.Tuple[str, str]]:
    """Keys that ``role`` (``nova:controller``) lacks, each from the pillar's root, with what to write there.

    None, an empty text, list or mapping count as missing; False and 0 are values. Of a role that is not in the table (a
    service that only a release path names) nothing but its database is known to be needed.
    """
    absent = []
    for key, example in REQUIRED.get(role) or database(role.partition(":")[0]):
        keys = [role + ":" + one for one in key.split(OR)]
        if all(_empty(host_pillar.value(pillar, one)) for one in keys):
            absent.append((keys[0], example))
    return absent


def _empty(value: typing.Any) -> bool:
    return value is None or (isinstance(value, (str, list, tuple, dict)) and not value)


def lacking(pillar: typing.Any, role: str) -> typing.List[typing.Dict[str, str]]:
    """``missing`` as a module answers it: ``key`` and ``example``. Raises StepError for an unknown role."""
    if role not in REQUIRED:
        raise StepError("no role {0!r} is known; give one of {1}".format(role, ", ".join(sorted(REQUIRED))))
    return [{"key": key, "example": example} for key, example in missing(pillar, role)]


def refuse(absent: typing.Sequence[typing.Mapping[str, str]]) -> None:
    """Raises StepError that names all keys at once, when there are any."""
    if absent:
        told = "; ".join("{0} ({1})".format(entry["key"], entry["example"]) for entry in absent)
        raise StepError(
            "the model is incomplete, nothing was written: pillar lacks {0}; 'upgrader model check' names the file and the"
            " class".format(told)
        )
