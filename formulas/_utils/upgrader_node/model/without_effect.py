"""Pillar keys that no state of a service reads and that need none: data, with the reason of each.

Either they never reach a configuration file (packages, user ids), or they speak of something that is not the service's own
(the virtual address in front of it, accounts that the database holds), or what they say is so in any case: those name the values
that they may have, and another value is refused like any other key that nobody reads.
"""

import typing


class Row(typing.NamedTuple):
    """A key below the role (``*`` is any name, ``[]`` any item), and why it has no effect.

    ``values``: those of which that is true, all where none is named. ``off``: a key that must not be set, or else it is not true.
    """

    key: str
    why: str
    values: typing.Tuple[typing.Any, ...] = ()
    off: str = ""


def _rows(why: str, keys: str, *values: typing.Any, off: str = "") -> typing.List[Row]:
    return [Row(key, why, values, off) for key in keys.split()]


OFF = (False, None, 0, "", "false", "False")
PACKAGES = "what is installed is the release path's matter"
FRONT = "the address in front of the service is in keystone's catalogue, which the database holds"
LOGS = "logs go to the node's journal"
ACCOUNTS = "accounts, roles and endpoints are in the database already"
AUDIT = "without effect as long as audit:enabled is false"
NAMED = "it names what is used in any case"
MCP = "MCP's own templates for Ocata do not read it"

EVERY_SERVICE = (
    _rows(PACKAGES, "pkg pkgs service services service_name")
    + _rows("which node works on the database first is the tool's matter", "role")
    + _rows(LOGS, "logging")
    + _rows(NAMED, "database:engine", "mysql", "mysql+pymysql")
    + _rows(NAMED, "identity:engine", "keystone")
    + _rows(NAMED, "message_queue:engine", "rabbitmq")
    + _rows(NAMED, "cache:engine", "memcached")
    + _rows(MCP, "message_queue:ha_queues cache:prefix cacert")
    + _rows("an audit needs a filter in the service's pipeline, which these states do not write", "audit:enabled", *OFF)
    + _rows(AUDIT, "audit:filter_factory audit:map_file")
    + _rows("a word instead of a mapping, which is read", "notification", True, False)
    + _rows("keys kept by barbican are not written by these states", "barbican:enabled", *OFF)
    + _rows("without effect as long as barbican:enabled is false", "barbican:cacert_file barbican:protocol")
)

OF = {
    "keystone:server": _rows(ACCOUNTS, "service tenant roles admin_email admin_region service_tenant")
    + _rows("Ocata's pipeline has no filter that takes it", "service_token")
    + _rows(
        "keys are rotated by the site's own job", "credential:credential_rotation_driver tokens:fernet_rotation_driver"
    )
    + _rows(FRONT, "bind:protocol bind:private_protocol bind:public_protocol")
    + _rows("only of PKI tokens, which Ocata has not", "hash_algorithm")
    + _rows("the domain itself is in the database already", "domain:*:description domain:*:default")
    + _rows(
        "Ocata keeps assignments of all domains in the database",
        "domain:*:assignment:driver domain:*:assignment:backend",
        "sql",
    )
    + _rows("Ocata only reads a directory", "ldap:read_only domain:*:ldap:read_only")
    + _rows("without an account nothing is asked", "ldap:auth domain:*:ldap:auth", True),
    "glance:server": _rows(PACKAGES, "glance_uid glance_gid")
    + _rows("images are in the database already", "image images")
    + _rows("jobs of cron are the site's", "cron")
    + _rows("keystone is asked at identity:host and not looked up", "identity:endpoint_type")
    + _rows(FRONT, "bind:public_address bind:public_protocol bind:public_port")
    + _rows(MCP, "rabbit"),
    "nova:controller": _rows(PACKAGES, "nova_uid nova_gid")
    + _rows(FRONT, "bind:public_address bind:public_name bind:public_protocol")
    + _rows("keystone is asked at identity:host and not looked up", "identity:endpoint_type")
    + _rows("the cells are made by the tool's own steps", "update_cells")
    + _rows("of xenserver only, since Newton", "block_device_creation_timeout")
    + _rows("which network there is, neutron says", "networking network:mtu")
    + _rows(NAMED, "network:engine", "neutron")
    + _rows("consoles over TLS need certificates, which these states do not write", "novncproxy:tls:enabled", *OFF)
    + _rows("without effect as long as novncproxy:tls:enabled is false", "novncproxy:tls:server")
    + _rows("Ocata's nova has no such encryption (Queens has)", "novncproxy:vencrypt:tls:enabled", *OFF)
    + _rows("without effect as long as novncproxy:vencrypt:tls:enabled is false", "novncproxy:vencrypt")
    + _rows(MCP, "security_group cpu_allocation"),
    "cinder:controller": _rows(PACKAGES, "cinder_uid cinder_gid")
    + _rows(FRONT, "bind:public_address bind:public_protocol")
    + _rows("keystone is asked at identity:host and not looked up", "identity:endpoint_type")
    + _rows("keystone v3 is used in any case", "identity:api_version", 3, "3", "v3")
    + _rows("backups need cinder-backup, which these states do not configure", "backup:engine", *OFF)
    + _rows("without effect as long as backup:engine is empty", "backup:pkgs backup:services"),
    "neutron:server": _rows(PACKAGES, "pkgs_bagpipe pkgs_bgpvpn pkgs_l2gw pkgs_ml2 pkgs_ovn services_ovn")
    + _rows(FRONT, "bind:public_address bind:public_protocol controller_vip")
    + _rows("Ocata's neutron has no such option", "agent_boot_time")
    + _rows("pages are always possible since Newton", "allow_pagination")
    + _rows("a plugin that these states do not install", "bgp_vpn:enabled l2gw:enabled lbaas:enabled sfc:enabled", *OFF)
    + _rows("a plugin that these states do not install", "fwaas ironic_enabled dpdk", *OFF)
    + _rows("without effect as long as bgp_vpn:enabled is false", "bgp_vpn:driver")
    + _rows("without effect as long as lbaas:enabled is false", "lbaas:providers")
    + _rows("without effect as long as ironic_enabled is false", "backend:ironic_vlan_range backend:ironic_net_mtu")
    + _rows(
        "without effect as long as the extension is off",
        "backend:extension:dns:engine backend:extension:dns:url",
        off="backend:extension:dns:enabled",
    )
    + _rows(MCP, "tunnel_type public_networks backend:extension:dns:protocol backend:extension:dns:host")
    + _rows(MCP, "backend:extension:dns:port contrail:version"),
    "heat:server": _rows(FRONT, "bind:public_address bind:public_protocol")
    + _rows("keystone is asked at identity:host and not looked up", "identity:endpoint_type")
    + _rows("the catalogue says it", "clients:protocol"),
    "haproxy:proxy": _rows(PACKAGES, "pkgs service")
    + _rows(LOGS, "logging")
    + _rows("every listen is written as one", "listen:*:format", "listen")
    + _rows(MCP, "max_connections listen:*:service_name listen:*:check"),
    "rabbitmq:server": _rows(PACKAGES, "pkg service version config_file cookie_file default_file env_file limits_file")
    + _rows(PACKAGES, "plugins_runas_user")
    + _rows("one node of its own, so no cookie is shared", "secret_key")
    + _rows("its own tool looks after it, so no administrator and no web page is needed", "admin management plugins")
    + _rows("a node of its own mirrors nothing", "host:*:policies")
    + _rows("without TLS there is nothing to say", "ssl:enabled x509:enabled", *OFF)
    + _rows("the unit's own limit stands", "ulimit"),
    "memcached:server": _rows(PACKAGES, "pkgs collectd_pkgs config config_template service")
    + _rows("it is served over TCP, and never over UDP", "bind:protocol", "tcp")
    + _rows("it is served over TCP", "bind:proto:tcp:enabled", True)
    + _rows("it is never served over UDP, which was used to amplify attacks", "bind:proto:udp:enabled", *OFF),
    "keepalived:cluster": _rows(PACKAGES, "pkgs collectd_pkgs config service"),
    "horizon:server": _rows(PACKAGES, "pkgs package ssl_pkgs service config")
    + _rows(NAMED, "cache:engine", "memcached")
    + _rows(NAMED, "identity:engine", "keystone")
    + _rows("keystone is asked over the protocol that identity:protocol says", "identity:encryption")
    + _rows("one keystone and one region unless regions says more", "identity:region")
    + _rows("sessions are kept in the cache", "session:engine", "cache", "django.contrib.sessions.backends.cache")
    + _rows(
        "the web server is the distribution's",
        "apache_config apache_log_dir apache_log_filename apache_log_format wsgi",
    )
    + _rows("nothing is developed on a controller", "development", *OFF)
    + _rows(LOGS, "logging"),
}  # type: typing.Dict[str, typing.List[Row]]
# Under the tool's own key the same is said as under the site's.
SAME = {"upgrader:service:memcached": "memcached:server", "upgrader:service:rabbitmq": "rabbitmq:server"}


def of(role: str) -> typing.List[Row]:
    """The keys of a role that need no reader."""
    known = SAME.get(role, role)
    own = _rows("the tool's own word on what is ignored", "ignored") if role in SAME else []
    services = ("haproxy", "rabbitmq", "memcached", "keepalived", "horizon")
    return OF[known] + own + ([] if known.split(":")[0] in services else EVERY_SERVICE)
