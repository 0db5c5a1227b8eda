"""Which pillar keys a complete Ocata controller needs, per role: data, for both sides.

The command says beforehand what a model lacks; on the node the same table refuses an incomplete model before a file is
written, because a template that meets a missing key leaves half a configuration or none.
"""

import typing

import upgrader_pillar

Keys = typing.Tuple[typing.Tuple[str, str], ...]


def database(service: str) -> Keys:
    """Where a service's clone is and who may open it."""
    return (
        ("database:host", "host name of the database cluster"),
        ("database:name", service + "_upgrade"),
        ("database:user", service + "_upgrade"),
        ("database:password", service + "'s database password"),
    )


MESSAGE_QUEUE = (
    ("message_queue:host", "the upgrade node's own RabbitMQ"),
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
CACHE = (("cache:members", "[{host: this node's own memcached, port: 11211}]"),)

# Only what has no default: ports, regions and the project's name have one in the templates.
REQUIRED = {
    "keystone:server": database("keystone")
    + (("bind:public_address", "address of this node"), ("bind:private_address", "address of this node"))
    + CACHE,
    "glance:server": database("glance") + identity("glance") + ADDRESS + CACHE,
    "nova:controller": database("nova")
    + MESSAGE_QUEUE
    + identity("nova")
    + ADDRESS
    + CACHE
    + (
        ("placement:bind:address", "address of this node"),
        ("glance:host", "the upgrade node itself"),
        ("network:host", "the upgrade node itself"),
        ("network:user", "upgrader, or neutron on production"),
        ("network:password", "the password of that account"),
    ),
    "cinder:controller": database("cinder")
    + MESSAGE_QUEUE
    + identity("cinder")
    + ADDRESS
    + CACHE
    + (("glance:host", "the upgrade node itself"),),
    "neutron:server": database("neutron")
    + MESSAGE_QUEUE
    + identity("neutron")
    + ADDRESS
    + CACHE
    + (
        ("compute:host", "the upgrade node itself"),
        ("compute:user", "upgrader, or nova on production"),
        ("compute:password", "the password of that account"),
    ),
    "heat:server": database("heat")
    + MESSAGE_QUEUE
    + identity("heat")
    + CACHE
    + (
        ("bind:api:address", "address of this node"),
        ("bind:api_cfn:address", "address of this node"),
        ("auth_encryption_key", "production's own, or no stack can be read"),
        ("stack_domain_admin:name", "heat_domain_admin"),
        ("stack_domain_admin:password", "its password"),
        ("stack_domain_admin:domain", "heat_user_domain"),
    ),
    "horizon:server": ADDRESS
    + CACHE
    + (("secret_key", "a long random text"), ("identity:host", "the upgrade node itself")),
    "memcached:server": ADDRESS,
    "rabbitmq:server": ADDRESS
    + (("host", "/openstack: {enabled: true, user: openstack, password: its password, policies: []}"),),
    "haproxy:proxy": (("listen", "<name>: {mode, service_name, binds: [...], servers: [...]}"),),
    "keepalived:cluster": (("instance", "VIP: {address, password, interface, virtual_router_id, priority}"),),
}  # type: typing.Dict[str, Keys]

UPGRADE_NODE = (
    "memcached:server",
    "rabbitmq:server",
    "keystone:server",
    "glance:server",
    "nova:controller",
    "cinder:controller",
    "neutron:server",
    "heat:server",
    "horizon:server",
)


def missing(pillar: typing.Any, role: str) -> typing.List[typing.Tuple[str, str]]:
    """Keys that ``role`` (``nova:controller``) lacks, each from the pillar's root, with what to write there.

    None, an empty text, list or mapping count as missing; False and 0 are values. Raises KeyError for an unknown role.
    """
    absent = []
    for key, example in REQUIRED[role]:
        found = upgrader_pillar.value(pillar, role + ":" + key)
        if found is None or (isinstance(found, (str, list, tuple, dict)) and not found):
            absent.append((role + ":" + key, example))
    return absent
