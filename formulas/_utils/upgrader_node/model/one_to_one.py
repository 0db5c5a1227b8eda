"""Pillar keys that are one option each: data. What needs more thought stands in the service's template.

An option is ``section/option`` as Ocata calls it. Nothing is written for a key that pillar does not have, so Ocata's own default
stands. A list becomes one value with commas between, or of an option in ``SEVERAL`` one line for each.
"""

import fnmatch
import json
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar

Options = typing.Dict[str, typing.Dict[str, typing.List[str]]]

EVERY_SERVICE = {
    "cors:allow_credentials": "cors/allow_credentials",
    "cors:allow_headers": "cors/allow_headers",
    "cors:allow_methods": "cors/allow_methods",
    "cors:allowed_origin": "cors/allowed_origin",
    "cors:expose_headers": "cors/expose_headers",
    "cors:max_age": "cors/max_age",
    "enable_proxy_headers_parsing": "oslo_middleware/enable_proxy_headers_parsing",
    "max_request_body_size": "oslo_middleware/max_request_body_size",
    "message_queue:rpc_response_timeout": "DEFAULT/rpc_response_timeout",
}

SWIFT = {
    "storage:swift:store:" + key: "glance_store/swift_store_" + option
    for key, option in {
        "admin_tenants": "admin_tenants", "auth:address": "auth_address", "auth:insecure": "auth_insecure",
        "auth:version": "auth_version", "cacert": "cacert", "config_file": "config_file", "container": "container",
        "create_container_on_put": "create_container_on_put", "endpoint": "endpoint", "endpoint_type": "endpoint_type",
        "expire_soon_interval": "expire_soon_interval", "key": "key", "large_object_chunk_size": "large_object_chunk_size",
        "large_object_size": "large_object_size", "multi_tenant": "multi_tenant",
        "multiple_containers_seed": "multiple_containers_seed", "region": "region", "retry_get_count": "retry_get_count",
        "service_type": "service_type", "ssl_compression": "ssl_compression", "use_trusts": "use_trusts", "user": "user",
    }.items()
}  # fmt: skip

# Below keystone:server and below keystone:server:domain:NAME alike; [ldap] of keystone.conf and of the domain's own file.
LDAP = {
    "ldap:bind_user": "ldap/user",
    "ldap:password": "ldap/password",
    "ldap:filter:group": "ldap/group_filter",
    "ldap:filter:user": "ldap/user_filter",
    "ldap:tls:cacertdir": "ldap/tls_cacertdir",
    "ldap:tls:cacertfile": "ldap/tls_cacertfile",
    "ldap:tls:enabled": "ldap/use_tls",
    "ldap:tls:req_cert": "ldap/tls_req_cert",
}
LDAP.update(
    {
        "ldap:" + name: "ldap/" + name
        for name in (
            "chase_referrals", "group_desc_attribute", "group_id_attribute", "group_member_attribute", "group_members_are_ids",
            "group_name_attribute", "group_objectclass", "group_tree_dn", "page_size", "query_scope", "suffix", "url",
            "user_enabled_attribute", "user_enabled_default", "user_enabled_emulation", "user_enabled_emulation_dn",
            "user_enabled_emulation_use_group_config", "user_enabled_invert", "user_enabled_mask", "user_id_attribute",
            "user_mail_attribute", "user_name_attribute", "user_objectclass", "user_pass_attribute", "user_tree_dn",
        )
    }
)  # fmt: skip

DOMAIN = dict(
    LDAP,
    backend="identity/driver",
    **{"identity:driver": "identity/driver", "identity:list_limit": "identity/list_limit"},
)

OF = {
    "keystone": {
        "admin_project:domain": "resource/admin_project_domain_name",
        "admin_project:name": "resource/admin_project_name",
        "assignment:backend": "assignment/driver",
        "auth_methods": "auth/methods",
        "notification_format": "DEFAULT/notification_format",
        **LDAP,
    },
    "glance": {
        "api_limit_max": "DEFAULT/api_limit_max",
        "enable_v1_api": "DEFAULT/enable_v1_api",
        "image_cache:directory": "DEFAULT/image_cache_dir",
        "image_cache:max_size": "DEFAULT/image_cache_max_size",
        "image_cache:stall_time": "DEFAULT/image_cache_stall_time",
        "limit_default": "DEFAULT/limit_param_default",
        "location_strategy": "DEFAULT/location_strategy",
        "quota:image_location": "DEFAULT/image_location_quota",
        "quota:image_member": "DEFAULT/image_member_quota",
        "quota:image_property": "DEFAULT/image_property_quota",
        "quota:image_tag": "DEFAULT/image_tag_quota",
        "quota:user_storage": "DEFAULT/user_storage_quota",
        "storage:swift:store:default_swift_reference": "glance_store/default_swift_reference",
        "registry:cacert_file": "DEFAULT/registry_client_ca_file",
        "registry:host": "DEFAULT/registry_host",
        "registry:port": "DEFAULT/registry_port",
        "registry:protocol": "DEFAULT/registry_client_protocol",
        "show_image_direct_url": "DEFAULT/show_image_direct_url",
        "show_multiple_locations": "DEFAULT/show_multiple_locations",
        "filesystem_store_metadata_file": "glance_store/filesystem_store_metadata_file",
        "storage:chunk_size": "glance_store/rbd_store_chunk_size",
        "storage:cinder:cacert_file": "glance_store/cinder_ca_certificates_file",
        "storage:pool": "glance_store/rbd_store_pool",
        "storage:user": "glance_store/rbd_store_user",
        "store_type_preference": "store_type_location_strategy/store_type_preference",
        **SWIFT,
    },
    "nova": {
        "block_device_allocate_retries": "DEFAULT/block_device_allocate_retries",
        "block_device_allocate_retries_interval": "DEFAULT/block_device_allocate_retries_interval",
        "consoleauth:token_ttl": "consoleauth/token_ttl",
        "consoleauth_token_ttl": "consoleauth/token_ttl",
        "cpu_allocation_ratio": "DEFAULT/cpu_allocation_ratio",
        "cross_az_attach": "cinder/cross_az_attach",
        "default_schedule_zone": "DEFAULT/default_schedule_zone",
        "dhcp_domain": "DEFAULT/dhcp_domain",
        "disk_allocation_ratio": "DEFAULT/disk_allocation_ratio",
        "host": "DEFAULT/host",
        "libvirt:live_migration_permit_auto_converge": "libvirt/live_migration_permit_auto_converge",
        "metadata:bind:address": "DEFAULT/metadata_listen",
        "metadata:bind:port": "DEFAULT/metadata_listen_port",
        "metadata:password": "neutron/metadata_proxy_shared_secret",
        "nfs_mount_options": "libvirt/nfs_mount_options",
        "osapi_max_limit": "api/max_limit",
        "pci:alias": "pci/alias",
        "ram_allocation_ratio": "DEFAULT/ram_allocation_ratio",
        "scheduler_default_filters": "filter_scheduler/enabled_filters",
        "service_down_time": "DEFAULT/service_down_time",
        "bind:novncproxy_address": "vnc/novncproxy_host",
        "bind:novncproxy_port": "vnc/novncproxy_port",
        "bind:vncproxy_port": "vnc/novncproxy_port",
        "vnc_keymap": "vnc/keymap",
    },
    "cinder": {
        "availability_zone_fallback": "DEFAULT/allow_availability_zone_fallback",
        "cinder_internal_tenant_project_id": "DEFAULT/cinder_internal_tenant_project_id",
        "cinder_internal_tenant_user_id": "DEFAULT/cinder_internal_tenant_user_id",
        "default_availability_zone": "DEFAULT/default_availability_zone",
        "enable_force_upload": "DEFAULT/enable_force_upload",
        "nas_secure_file_operations": "DEFAULT/nas_secure_file_operations",
        "nas_secure_file_permissions": "DEFAULT/nas_secure_file_permissions",
        "osapi_max_limit": "DEFAULT/osapi_max_limit",
        "query_volume_filters": "DEFAULT/query_volume_filters",
        "storage_availability_zone": "DEFAULT/storage_availability_zone",
        "wipe_method": "DEFAULT/volume_clear",
    },
    "neutron": {
        "base_mac": "DEFAULT/base_mac",
        "dhcp_lease_duration": "DEFAULT/dhcp_lease_duration",
        "dns_domain": "DEFAULT/dns_domain",
        "dvr_base_mac": "DEFAULT/dvr_base_mac",
        "geneve:vni_ranges": "ml2_type_geneve/vni_ranges",
        "pagination_max_limit": "DEFAULT/pagination_max_limit",
        "rpc_state_report_workers": "DEFAULT/rpc_state_report_workers",
        "security_groups_enabled": "securitygroup/enable_security_group",
        "vxlan:group": "ml2_type_vxlan/vxlan_group",
        "vxlan:vni_ranges": "ml2_type_vxlan/vni_ranges",
    },
    "heat": {
        "bind:api_cloudwatch:address": "heat_api_cloudwatch/bind_host",
        "bind:api_cloudwatch:port": "heat_api_cloudwatch/bind_port",
        "clients:heat:insecure": "clients_heat/insecure",
        "clients:insecure": "clients/insecure",
        "clients:keystone:insecure": "clients_keystone/insecure",
        "dir:plugins": "DEFAULT/plugin_dirs",
        "identity:endpoint_type_default": "clients/endpoint_type",
        "identity:endpoint_type_heat": "clients_heat/endpoint_type",
        "max_nested_stack_depth": "DEFAULT/max_nested_stack_depth",
        "max_stacks_per_tenant": "DEFAULT/max_stacks_per_tenant",
        "region": "DEFAULT/region_name_for_services",
    },
}  # type: typing.Dict[str, typing.Dict[str, str]]

# Options that oslo.config takes several times (those that the services register as MultiOpt, and neutron's service providers);
# every other keeps the last of its values.
SEVERAL = (
    "*/backend_argument", "*/excluded_domain_ip", "*/netapp_replication_aggregate_map", "*/replication_device",
    "*/vmware_cluster_name", "DEFAULT/dhcpbridge_flagfile", "DEFAULT/dns_server", "DEFAULT/force_snat_range",
    "DEFAULT/forward_bridge_interface", "DEFAULT/ldap_dns_servers", "DEFAULT/notification_opt_out",
    "DEFAULT/osapi_volume_extension", "DEFAULT/reserved_huge_pages", "DEFAULT/virt_mkfs", "federation/trusted_dashboard",
    "filter_scheduler/available_filters", "glance_store/filesystem_store_datadirs", "glance_store/vmware_datastores",
    "oslo_messaging_amqp/pre_settled", "oslo_messaging_notifications/driver", "oslo_policy/policy_dirs", "pci/alias",
    "pci/passthrough_whitelist", "service_providers/service_provider", "tokenless_auth/trusted_issuer",
)  # fmt: skip


def table(service: str) -> typing.Dict[str, str]:
    """Key below the service's role to ``section/option``."""
    return dict(EVERY_SERVICE, **OF[service])


def options(held: typing.Any, rows: typing.Mapping[str, str]) -> Options:
    """What ``held``, the pillar of a role, says by these rows, as ``{section: {option: values}}``.

    Raises StepError that names the key, without the value, for what no option can hold.
    """
    said = {}  # type: Options
    for key, place in sorted(rows.items()):
        value = host_pillar.value(held, key)
        if value is not None:
            section, option = place.split("/")
            try:
                said.setdefault(section, {})[option] = values(place, value)
            except StepError as error:
                raise StepError("nothing was written: pillar key {0}: {1}".format(key, error)) from None
    return said


def values(place: str, value: typing.Any) -> typing.List[str]:
    """A value as the lines of an option. Raises StepError, without the value, for what no option can hold."""
    many = any(fnmatch.fnmatchcase(place, pattern) for pattern in SEVERAL)
    if many and isinstance(value, dict):  # by a name of pillar's own, such as aliases of PCI devices
        value = [value[name] for name in sorted(value)]
    if not isinstance(value, (list, tuple)):
        return [_word(place, value)]
    if many:
        return [_word(place, json.dumps(one, sort_keys=True) if isinstance(one, dict) else one) for one in value]
    return [",".join(_word(place, one) for one in value)]


def _word(place: str, value: typing.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise StepError("{0} is given neither a text, a number, true or false, nor a list of these".format(place))
    text = str(value)
    if any(ord(letter) < 32 or letter in "\x7f\x85\u2028\u2029" for letter in text):
        raise StepError("{0} is given a line break or another control character".format(place))
    return text
