"""What only the release notes tell of options: removed with which remedy, other defaults, what is needed, values that went.

Sources are the services' own release notes (the file's name in releasenotes/notes of the service's repository stands behind
each) and, where it says so, trials with the installed packages. A test holds every default against the derived data.
"""

import typing

At = typing.Tuple[str, str, str]


class Changed(typing.NamedTuple):
    """A default that is another one than in Mitaka; it matters where the option is not set. ``file``: where it belongs."""

    service: str
    group: str
    option: str
    was: str
    now: str
    what: str
    remedy: str
    file: str = ""


class Needed(typing.NamedTuple):
    """An option without which the new release cannot work."""

    service: str
    group: str
    option: str
    what: str
    remedy: str


class Value(typing.NamedTuple):
    """Values (fnmatch patterns, lower case) that an option no longer takes."""

    at: At
    patterns: typing.Tuple[str, ...]
    what: str
    remedy: str
    severity: str = "warning"


# service, group, names, release that removed them, note, remedy
_REMOVED = (
    ("keystone", "DEFAULT", "domain_id_immutable", "Ocata",
     "removed-as-of-ocata", "remove it: domain ids never change"),
    ("keystone", "endpoint_policy", "enabled", "Ocata", "removed-as-of-ocata", "remove it: it is always on"),
    ("keystone", "os_inherit", "enabled", "Ocata", "removed-as-of-ocata", "remove it: it is always on"),
    ("keystone", "ldap", "user_allow_create user_allow_update user_allow_delete group_allow_create group_allow_update group_allow_delete", "Ocata",
     "removed-as-of-ocata", "remove it: LDAP is only read"),
    ("keystone", "eventlet_server", "admin_workers public_workers tcp_keepalive", "Newton",
     "removed-as-of-newton", "remove it: keystone runs under a WSGI server only"),
    ("nova", "DEFAULT", "osapi_compute_ext_list osapi_compute_extension", "Newton",
     "remove-deprecated-legacy_api-config-options", "remove it: the v2 API is gone, v2.1 has no such choice"),
    ("nova", "DEFAULT", "network_api_class security_group_api", "Newton",
     "network-api-class-removed, remove_security_group_api", "remove it; [DEFAULT]/use_neutron decides"),
    ("nova", "DEFAULT", "volume_api_class", "Newton", "remove_volume_api_class", "remove it: cinder is the only one"),
    ("nova", "DEFAULT", "compute_available_monitors", "Ocata",
     "rm-deprecated-compute_available_monitors-option", "remove it; name monitors in [DEFAULT]/compute_monitors"),
    ("nova", "DEFAULT", "memcached_servers", "Newton",
     "remove-memcached-default-option", "write [cache]/memcache_servers, enabled and backend"),
    ("nova", "DEFAULT", "metadata_manager compute_manager console_manager consoleauth_manager cert_manager scheduler_manager", "Ocata",
     "remove_service_manager_config_options", "remove it: managers cannot be replaced"),
    ("nova", "conductor", "manager", "Ocata", "remove_service_manager_config_options", "remove it"),
    ("nova", "conductor", "use_local", "Ocata", "rm-conductor-local-apis", "remove it: nova-conductor must run"),
    ("nova", "DEFAULT", "network_device_mtu", "Newton",
     "remove_config_network_device_mtu", "remove it; the MTU is the network's, neutron's [DEFAULT]/global_physnet_mtu"),
    ("nova", "glance", "host port protocol", "Newton",
     "rm_glance_opts", "write [glance]/api_servers, which has no default"),
    ("nova", "glance", "use_glance_v1", "Ocata", "remove-deprecated-glance-v1-opt", "remove it; glance v2 must answer"),
    ("nova", "neutron", "ca_certificates_file api_insecure url_timeout", "Newton",
     "rm-deprecated-neutron-opts-newton", "write [neutron]/cafile, insecure or timeout"),
    ("nova", "cinder", "ca_certificates_file api_insecure http_timeout", "Newton",
     "remove-deprecated-cinder-options-newton", "write [cinder]/cafile, insecure or timeout"),
    ("nova", "osapi_v21", "enabled", "Newton", "v21enable", "remove it: v2.1 is always on"),
    ("nova", "libvirt", "live_migration_flag block_migration_flag", "Newton",
     "remove-libvirt-migration-flags-config", "write [libvirt]/live_migration_tunnelled or live_migration_permit_post_copy"),
    ("nova", "libvirt", "remove_unused_kernels", "Newton", "remove-deprecated-remove_unused_kernels", "remove it"),
    ("nova", "DEFAULT", "s3_host s3_port s3_access_key s3_secret_key s3_use_ssl s3_affix_tenant image_decryption_dir", "Ocata",
     "remove-image-s3", "remove it"),
    ("cinder", "DEFAULT", "glance_host glance_port", "Newton", "change 3aa3238cd, Use the catalog to retrieve glance_api_servers",
     "write [DEFAULT]/glance_api_servers, or leave it to the catalogue"),
    ("cinder", "DEFAULT", "scheduler_topic volume_topic backup_topic", "Ocata",
     "removed-rpc-topic-config-options", "remove it"),
    ("neutron", "DEFAULT", "advertise_mtu", "Ocata", "remove-advertise_mtu", "remove it: the MTU is always told"),
    ("neutron", "DEFAULT", "min_l3_agents_per_router", "Ocata", "remove-min-l3-agents-per-router", "remove it"),
    ("neutron", "DEFAULT", "network_device_mtu", "Newton",
     "remove-network_device_mtu-option", "write [DEFAULT]/global_physnet_mtu, and [ml2]/path_mtu and physical_network_mtus for ML2"),
    ("neutron", "quotas", "quota_items", "Newton", "remove-quota_items", "remove it: it has no effect"),
    ("neutron", "DEFAULT", "router_id", "Newton", "remove-router_id", "remove it"),
    ("neutron", "DEFAULT", "default_ipv4_subnet_pool default_ipv6_subnet_pool", "Newton",
     "remove-subnetpool-config", "remove it; mark the pool itself with is_default"),
)  # fmt: skip
REMOVED = {
    (service, group, name): ("removed in {0} ({1})".format(release, note), remedy)
    for service, group, names, release, note, remedy in _REMOVED
    for name in names.split()
}

CHANGED = (
    Changed(
        "keystone", "token", "provider", "uuid", "fernet",
        "every keystone node needs the same key repository before it starts (bug-1561054)",
        "keystone-manage fernet_setup and spread the keys, or write [token]/provider = uuid",
    ),
    Changed(
        "keystone", "DEFAULT", "notification_format", "basic", "cadf",
        "who reads the notifications gets another format (bug-1641660)",
        "write basic where a reader needs it",
    ),
    Changed(
        "nova", "DEFAULT", "use_neutron", "False", "True",
        "nova-network works in cells v1 only (ocata-use-neutron-by-default)",
        "nothing with neutron; nova-network has no way to Ocata",
    ),
    Changed(
        "nova", "libvirt", "live_migration_tunnelled", "None", "False",
        "live migrations are no longer encrypted by libvirt (libvirt-change-default-value-of-live-migration-tunnelled)",
        "write True on computes that need the tunnel",
        "nova-compute.conf",
    ),
    Changed(
        "cinder", "DEFAULT", "enable_v1_api", "True", "False",
        "the v1 API no longer answers (default-apiv1-disabled)",
        "write True if a client still uses v1; take the endpoint out of the catalogue otherwise",
    ),
    Changed(
        "cinder", "DEFAULT", "backup_service_inithost_offload", "False", "True",
        "unfinished backups are cleaned up in the background at start (bug-1570845)",
        "write False to keep Mitaka's way",
    ),
    Changed(
        "neutron", "DEFAULT", "external_network_bridge", "br-ex", "",
        "routers of an L3 agent without the option lose their bridge (change_external_network_bridge_default)",
        "write br-ex, or give the external network a flat segment and a bridge mapping",
        "l3_agent.ini",
    ),
    Changed(
        "neutron", "ovs", "of_interface", "ovs-ofctl", "native",
        "the agent listens on 127.0.0.1:6633 (of_interface-native-by-default)",
        "write ovs-ofctl to keep Mitaka's way",
        "openvswitch_agent.ini",
    ),
    Changed(
        "neutron", "ovs", "ovsdb_interface", "vsctl", "native",
        "ovsdb-server listens on 127.0.0.1:6640 (ovsdb-native-by-default)",
        "write vsctl to keep Mitaka's way",
        "openvswitch_agent.ini",
    ),
    Changed(
        "neutron", "DEFAULT", "ipam_driver", "None", "internal",
        "addresses move to the pluggable IPAM, unconditionally (pluggable-ipam-is-default)",
        "nothing: the migration moves the rows",
    ),
    Changed(
        "heat", "DEFAULT", "convergence_engine", "False", "True",
        "new stacks use the convergence engine (heat/common/config.py of both releases)",
        "write False to keep Mitaka's engine",
    ),
)  # fmt: skip

NEEDED = (
    Needed(
        "nova", "placement", "os_region_name",
        "nova-compute refuses to start without it, and the scheduler asks placement (ocata_prelude; nova/compute/manager.py)",
        "write [placement] with os_region_name and the account of nova (auth_type, auth_url, username, ...)",
    ),
    Needed(
        "nova", "DEFAULT", "transport_url",
        "cells are recorded with it: 'nova-manage cell_v2' stops without it; rabbit_* options do not count",
        "write [DEFAULT]/transport_url",
    ),
    Needed(
        "nova", "glance", "api_servers", "it has no default since Newton (rm_glance_opts)", "write [glance]/api_servers",
    ),
    Needed(
        "cinder", "DEFAULT", "enabled_backends",
        "cinder-volume starts no service without it: a backend in [DEFAULT] is not supported (remove-single-backend)",
        "move the backend's options to a section of its own and name it in [DEFAULT]/enabled_backends",
    ),
)  # fmt: skip

VALUES = (
    Value(
        ("keystone", "token", "provider"), ("pki", "pkiz", "*.pki.provider", "*.pkiz.provider"),
        "keystone does not start with it: PKI tokens are removed in Ocata (removed-as-of-ocata; tried with Pike)",
        "write fernet (keystone-manage fernet_setup first) or uuid",
        "blocker",
    ),
    Value(
        ("keystone", "token", "provider"), ("keystone.token.*",),
        "a class for a name: Ocata warns, Pike does not start with it (tried)",
        "write the short name, fernet or uuid",
    ),
    Value(
        ("keystone", "token", "driver"), ("memcache", "memcache_pool", "*.memcache.token", "*.memcache_pool.token"),
        "tokens can no longer be kept in memcached (removed-as-of-ocata)",
        "write [token]/provider = fernet, which keeps none, or [token]/driver = sql",
    ),
    Value(
        ("cinder", "DEFAULT", "volume_clear"), ("shred",),
        "the value is no longer taken (remove-volume-clear-shred)", "write zero, which it has meant since Newton",
    ),
    Value(
        ("glance", "glance_store", "default_store"), ("s3",),
        "the S3 store is removed (remove-s3-driver)", "move the images to another store first",
    ),
)  # fmt: skip
