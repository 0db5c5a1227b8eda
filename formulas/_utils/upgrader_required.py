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
CACHE = (("cache:members", "[{host: the upgrade node's own memcached, port: 11211}]"),)


IDENTITY = (
    ("identity:host", "the upgrade node itself, where the copy's keystone runs"),
    ("identity:port", "35357"),
    ("identity:region", "RegionOne"),
    ("identity:tenant", "service"),
    ("identity:user", "upgrader, the copy's own account"),
    ("identity:password", "its password, as keystone:server:admin_password"),
)


def _service(service: str, *own: typing.Tuple[str, str]) -> Keys:
    return (("version", "ocata"),) + database(service) + MESSAGE_QUEUE + IDENTITY + CACHE + own


REQUIRED = {
    "keystone:server": (("version", "ocata"),)
    + database("keystone")
    + MESSAGE_QUEUE
    + CACHE
    + (
        ("region", "RegionOne"),
        ("admin_name", "upgrader, the one account of the copy's services"),
        ("admin_password", "its password; of no use on production"),
        ("bind:public_address", "address of this node"),
        ("bind:public_port", "5000"),
        ("bind:private_address", "address of this node"),
        ("bind:private_port", "35357"),
        ("tokens:engine", "fernet"),
        ("tokens:location", "/var/lib/keystone/fernet-keys"),
        ("credential:location", "/var/lib/keystone/credential-keys"),
    ),
    "glance:server": _service(
        "glance",
        ("bind:address", "address of this node"),
        ("bind:port", "9292"),
        ("storage:engine", "file"),
    ),
    "nova:controller": _service(
        "nova",
        ("bind:address", "address of this node"),
        ("bind:port", "8774"),
        ("placement:bind:address", "address of this node"),
        ("placement:bind:port", "8778"),
        ("glance:host", "the upgrade node itself"),
        ("glance:port", "9292"),
        ("network:host", "the upgrade node itself"),
        ("network:port", "9696"),
        ("network:region", "RegionOne"),
        ("network:tenant", "service"),
        ("network:user", "upgrader, the copy's own account"),
        ("network:password", "its password"),
        ("upgrade_levels:compute", "mitaka, as long as computes of that release run"),
    ),
    "cinder:controller": _service(
        "cinder",
        ("bind:address", "address of this node"),
        ("bind:port", "8776"),
        ("glance:host", "the upgrade node itself"),
        ("glance:port", "9292"),
    ),
    "neutron:server": _service(
        "neutron",
        ("bind:address", "address of this node"),
        ("bind:port", "9696"),
        ("plugin", "ml2"),
        ("backend:engine", "ml2"),
        ("compute:host", "the upgrade node itself"),
        ("compute:region", "RegionOne"),
        ("compute:tenant", "service"),
        ("compute:user", "upgrader, the copy's own account"),
        ("compute:password", "its password"),
    ),
    "heat:server": _service(
        "heat",
        ("bind:api:address", "address of this node"),
        ("bind:api:port", "8004"),
        ("bind:api_cfn:address", "address of this node"),
        ("bind:api_cfn:port", "8000"),
        ("auth_encryption_key", "production's own, or no stack can be read"),
        ("stack_domain_admin:name", "heat_domain_admin"),
        ("stack_domain_admin:password", "its password"),
        ("stack_domain_admin:domain", "heat_user_domain"),
    ),
    "horizon:server": (
        ("bind:address", "address of this node"),
        ("bind:port", "8078"),
        ("secret_key", "a long random text"),
        ("identity:host", "the upgrade node itself"),
    )
    + CACHE,
    "memcached:server": (
        ("bind:address", "address of this node"),
        ("bind:port", "11211"),
        ("bind:protocol", "tcp"),
    ),
    "rabbitmq:server": (
        ("bind:address", "address of this node"),
        ("bind:port", "5672"),
        ("secret_key", "a long random text"),
        ("admin:name", "admin"),
        ("admin:password", "its password"),
        ("host", "/openstack: {enabled: true, user: openstack, password: its password, policies: []}"),
    ),
    "haproxy:proxy": (
        ("enabled", "true"),
        ("mode", "http"),
        ("listen", "<name>: {mode, service_name, binds: [...], servers: [...]}"),
    ),
    "keepalived:cluster": (
        ("enabled", "true"),
        ("instance", "VIP: {address, password, interface, virtual_router_id, priority}"),
    ),
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
