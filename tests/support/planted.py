"""Oddities of real clouds as public bug reports and operators tell them, each as statements that plant it into a generated cloud."""

from __future__ import annotations

LIVE = "(SELECT uuid FROM nova.instances WHERE deleted = 0 ORDER BY id LIMIT 1)"
SPECLESS = f"DELETE FROM nova_api.request_specs WHERE instance_uuid = {LIVE}"
PROPERTY = "INSERT INTO nova.instance_system_metadata (instance_uuid, `key`, value, deleted) VALUES "
LONE_USER = "INSERT INTO keystone.user (id, extra, enabled) VALUES ('deadbeef', '{}', 1)"
GROUP_OF_USER = (
    "INSERT INTO keystone.user_group_membership (user_id, group_id) SELECT 'deadbeef', MIN(id)"
    " FROM keystone.`group` HAVING MIN(id) IS NOT NULL"
)

# What is planted, by the id of the finding and its service; two of a kind where the kind has forms.
PLANTED: dict[tuple[str, str], tuple[str, ...]] = {
    ("keystone", "users-nameless"): (LONE_USER, GROUP_OF_USER),
    ("keystone", "users-homeless"): (
        LONE_USER,
        "INSERT INTO keystone.local_user (user_id, domain_id, name) VALUES ('deadbeef', 'gone', 'alice')",
    ),
    ("keystone", "leftover-columns"): ("ALTER TABLE keystone.credential ADD COLUMN key_hash VARCHAR(64) NULL",),
    ("keystone", "leftover-tables"): (
        "CREATE TABLE keystone.nonlocal_user (user_id VARCHAR(64), FOREIGN KEY (user_id) REFERENCES keystone.user (id)) CHARACTER SET utf8",
        "CREATE TABLE keystone.user_option (user_id VARCHAR(64)) CHARACTER SET utf8",
    ),
    ("cinder", "leftover-columns"): (
        "ALTER TABLE cinder.volumes ADD COLUMN group_id VARCHAR(36) CHARACTER SET utf8,"
        " ADD CONSTRAINT half FOREIGN KEY (group_id) REFERENCES cinder.consistencygroups (id)",
    ),
    ("nova", "image-properties"): (
        SPECLESS,
        f"{PROPERTY} ({LIVE}, 'image_os_type', 'freebsd', 0), ({LIVE}, 'image_hw_vif_model', 'virtio-net', 1),"
        f" ({LIVE}, 'image_min_ram', 'None', 0)",
    ),
    ("nova", "pci-requests"): (
        SPECLESS,
        f"UPDATE nova.instance_extra SET pci_requests = '[{{\"count\": 1, \"spec' WHERE instance_uuid = {LIVE}",
    ),
    ("nova", "numa-topology"): (
        SPECLESS,
        f"UPDATE nova.instance_extra SET numa_topology = '{{\"cells' WHERE instance_uuid = {LIVE}",
    ),
    ("nova", "instances-without-project"): (
        "UPDATE nova.instances SET project_id = NULL WHERE deleted <> 0 ORDER BY id LIMIT 1",
    ),
    ("nova", "hypervisors-double"): (
        "INSERT INTO nova.services (host, `binary`, topic, report_count, disabled, deleted, last_seen_up, forced_down, version)"
        " VALUES ('renamed', 'nova-compute', 'compute', 1, 1, 0, '2015-03-01', 0, 9)",
        "INSERT INTO nova.compute_nodes (vcpus, memory_mb, local_gb, vcpus_used, memory_mb_used, local_gb_used, hypervisor_type,"
        " hypervisor_version, cpu_info, hypervisor_hostname, deleted, host, uuid) SELECT vcpus, memory_mb, local_gb, 0, 0, 0, hypervisor_type,"
        " hypervisor_version, cpu_info, hypervisor_hostname, 0, 'renamed', UUID() FROM nova.compute_nodes"
        " WHERE deleted = 0 AND host IS NOT NULL ORDER BY id LIMIT 1",
    ),
    ("nova", "instance-types-disabled-null"): (
        "UPDATE nova.instance_types SET disabled = NULL WHERE deleted = 0 AND name = 'm1.tiny'",
    ),
    ("nova", "instance-type-extra-specs-value-null"): (
        "INSERT INTO nova.instance_type_extra_specs (instance_type_id, `key`, deleted) SELECT MIN(id), 'k', 0 FROM nova.instance_types",
    ),
    ("nova", "instance-flavors"): (f"UPDATE nova.instance_extra SET flavor = '{{broken' WHERE instance_uuid = {LIVE}",),
    ("nova", "request-specs"): (f"REPLACE INTO nova_api.request_specs (instance_uuid, spec) VALUES ({LIVE}, '{{')",),
    ("nova", "forced-down"): ("UPDATE nova.services SET forced_down = NULL WHERE deleted = 0 LIMIT 1",),
    ("cinder", "services-hostless"): (
        "INSERT INTO cinder.services (deleted, host, `binary`, topic, report_count, disabled) VALUES (0, NULL, 'cinder-volume', 'v', 1, 0)",
    ),
    ("cinder", "services-double"): (
        "INSERT INTO cinder.services (deleted, host, `binary`, topic, report_count, disabled) SELECT 0, host, `binary`, topic, 1, 0"
        " FROM cinder.services WHERE deleted = 0 AND host IS NOT NULL ORDER BY id LIMIT 1",
    ),
    ("cinder", "groups-busy"): ("UPDATE cinder.consistencygroups SET status = 'updating' WHERE deleted = 0 LIMIT 1",),
    ("cinder", "group-types"): (
        "UPDATE cinder.consistencygroups SET volume_type_id = 'gone,' WHERE deleted = 0 LIMIT 1",
    ),
    ("cinder", "volume-types-gone"): ("UPDATE cinder.volumes SET volume_type_id = 'gone' WHERE deleted = 0 ORDER BY id LIMIT 2",),
    ("cinder", "attach-statuses"): (
        "UPDATE cinder.volumes SET attach_status = 'detaching' WHERE deleted = 0 ORDER BY id LIMIT 1",
        "UPDATE cinder.volume_attachment SET attach_status = '' WHERE deleted = 0 ORDER BY id LIMIT 1",
    ),
    ("cinder", "charsets"): ("CREATE TABLE cinder.volumes_bak DEFAULT CHARSET=latin1 AS SELECT id, host FROM cinder.volumes",),
    ("heat", "charsets"): ("CREATE TABLE heat.stack_bak DEFAULT CHARSET=latin1 AS SELECT id, name FROM heat.stack",),
    ("neutron", "floating-ips-double"): (
        "SET @f = (SELECT id FROM neutron.floatingips WHERE fixed_port_id IS NOT NULL AND fixed_ip_address IS NOT NULL ORDER BY id LIMIT 1)",
        "INSERT INTO neutron.standardattributes (resource_type) VALUES ('ports')",
        "INSERT INTO neutron.ports (id, network_id, mac_address, admin_state_up, status, device_id, device_owner, standard_attr_id)"
        " SELECT 'p-1', floating_network_id, 'fa:16:3e:ff:fe:01', 1, 'N/A', 'f-1', 'network:floatingip', LAST_INSERT_ID()"
        " FROM neutron.floatingips WHERE id = @f",
        "INSERT INTO neutron.standardattributes (resource_type) VALUES ('floatingips')",
        "INSERT INTO neutron.floatingips (id, floating_ip_address, floating_network_id, floating_port_id, fixed_port_id, fixed_ip_address,"
        " status, standard_attr_id) SELECT 'f-1', '203.0.113.254', floating_network_id, 'p-1', fixed_port_id, fixed_ip_address, status,"
        " LAST_INSERT_ID() FROM neutron.floatingips WHERE id = @f",
    ),
    ("neutron", "allocations-double"): (
        "INSERT INTO neutron.ipallocations (port_id, ip_address, subnet_id, network_id) SELECT NULL, a.ip_address, a.subnet_id,"
        " (SELECT MAX(n.id) FROM neutron.networks n WHERE n.id <> a.network_id) FROM neutron.ipallocations a"
        " JOIN neutron.subnets s ON s.id = a.subnet_id AND s.network_id = a.network_id ORDER BY a.ip_address LIMIT 1",
    ),
    ("neutron", "router-ports-double"): (
        "INSERT INTO neutron.routerports (router_id, port_id, port_type) SELECT (SELECT MAX(r.id) FROM neutron.routers r WHERE r.id <> p.router_id),"
        " p.port_id, p.port_type FROM neutron.routerports p LIMIT 1",
    ),
    ("heat", "resources-locked"): (
        "UPDATE heat.resource SET engine_id = 'dead' WHERE properties_data IS NOT NULL ORDER BY id LIMIT 2",
    ),
    ("heat", "events-cut-off"): (
        "UPDATE heat.event SET resource_properties = LEFT(resource_properties, LENGTH(resource_properties) - 1)"
        " WHERE resource_properties IS NOT NULL ORDER BY id LIMIT 1",
    ),
    ("neutron", "default-charset"): ("ALTER DATABASE neutron CHARACTER SET latin1",),
    ("glance", "engines"): ("CREATE TABLE glance.old_notes (id INT PRIMARY KEY) ENGINE = MyISAM DEFAULT CHARSET=utf8",),
    ("glance", "old-dates"): (
        "SET GLOBAL mysql56_temporal_format = OFF",
        "ALTER TABLE glance.images FORCE",
        "SET GLOBAL mysql56_temporal_format = ON",
    ),
    ("nova", "row-formats"): (
        "SET SESSION innodb_strict_mode = OFF",
        "ALTER TABLE nova.shadow_instances ROW_FORMAT = COMPACT",
        "SET SESSION innodb_strict_mode = ON",
    ),
    ("nova", "triggers"): (
        "CREATE TRIGGER nova.audit AFTER UPDATE ON nova.instance_types FOR EACH ROW SET @seen = NEW.name",
    ),
    ("cinder", "views-elsewhere"): ("CREATE VIEW cinder.hosts AS SELECT host FROM nova.services",),
    ("cinder", "views"): ("CREATE VIEW cinder.names AS SELECT display_name FROM cinder.volumes",),
    ("heat", "routines-elsewhere"): ("CREATE PROCEDURE heat.look() SELECT COUNT(*) FROM nova . instances",),
    ("heat", "routines"): ("CREATE PROCEDURE heat.see() SELECT COUNT(*) FROM heat.stack",),
    ("heat", "foreign-keys-elsewhere"): (
        "CREATE TABLE heat.audited (id INT PRIMARY KEY, owner VARCHAR(64), CONSTRAINT away FOREIGN KEY (owner) REFERENCES keystone.user (id))"
        " CHARACTER SET utf8",
    ),
    ("glance", "events"): ("CREATE EVENT glance.sweep ON SCHEDULE EVERY 1 DAY DO DELETE FROM glance.tasks",),
    ("server", "table-names"): ("CREATE TABLE nova.`instances.bak 2016` (id INT PRIMARY KEY)", "CREATE TABLE glance.`été` (id INT)"),
    ("nova", "flavor-access"): (
        "INSERT INTO nova.instance_type_projects (instance_type_id, project_id, deleted) SELECT id, 'a', 0 FROM nova.instance_types"
        " WHERE deleted <> 0 LIMIT 1",
    ),
    ("nova", "flavor-extra-specs"): (
        "INSERT INTO nova.instance_type_extra_specs (instance_type_id, `key`, value, deleted) SELECT id, 'k', 'v', 0 FROM nova.instance_types"
        " WHERE deleted <> 0 LIMIT 1",
    ),
    ("nova", "instance-types-is-public-null"): ("UPDATE nova.instance_types SET is_public = NULL WHERE deleted = 0 LIMIT 1",),
    ("nova", "aggregates-name-null"): ("INSERT INTO nova.aggregates (name, uuid, deleted) VALUES (NULL, UUID(), 0)",),
    ("nova", "flavors-double"): (
        "INSERT INTO nova.instance_types (name, flavorid, memory_mb, vcpus, swap, is_public, disabled, deleted)"
        " VALUES (NULL, NULL, 1, 1, 0, 1, 0, 0)",
    ),
    ("nova", "aggregates-double"): ("INSERT INTO nova.aggregates (name, uuid, deleted) SELECT name, UUID(), 0 FROM nova.aggregates"
                                    " WHERE deleted = 0 LIMIT 1",),
    ("nova", "orphaned-extras"): (
        "SET foreign_key_checks = 0",
        "INSERT INTO nova.instance_extra (instance_uuid, deleted) VALUES ('11111111-0000-0000-0000-000000000000', 0)",
        "SET foreign_key_checks = 1",
    ),
    ("nova", "cell-mappings"): (
        "INSERT INTO nova_api.cell_mappings (uuid, name, database_connection) VALUES (UUID(), 'old', 'mysql://n:x@d/nova')",
        "INSERT INTO nova_api.host_mappings (cell_id, host) SELECT MAX(id), 'h' FROM nova_api.cell_mappings",
    ),
    ("nova", "homeless-mappings"): ("INSERT INTO nova_api.instance_mappings (instance_uuid, project_id) VALUES (UUID(), 'p')",),
    ("nova", "image-properties-later"): (
        PROPERTY + " ((SELECT instance_uuid FROM nova_api.request_specs s JOIN nova.instances i ON i.uuid = s.instance_uuid AND i.deleted = 0"
        " LIMIT 1), 'image_hw_disk_bus', 'VIRTIO', 0)",
    ),
    ("nova", "charsets"): ("ALTER TABLE nova.dns_domains CONVERT TO CHARACTER SET latin1",),
    ("keystone", "tokens-expired"): (
        "INSERT INTO keystone.token (id, expires, valid) VALUES ('t-1', UTC_TIMESTAMP() - INTERVAL 30 DAY, 1)",
    ),
}  # fmt: skip

ALTERNATIVES = {("keystone", "users-homeless"), ("nova", "request-specs")}
"""What cannot be planted beside all the others: it is another form of a row that one of them plants."""

NAMED: dict[tuple[str, str], tuple[str, ...]] = {
    ("heat", "resources-busy"): (
        "UPDATE heat.resource SET engine_id = (SELECT engine_id FROM heat.service WHERE deleted_at IS NULL"
        " ORDER BY COALESCE(updated_at, created_at) DESC LIMIT 1) WHERE properties_data IS NOT NULL ORDER BY id LIMIT 1",
    ),
    ("heat", "stacks-deleted"): ("UPDATE heat.stack SET deleted_at = UTC_TIMESTAMP() ORDER BY id LIMIT 1",),
    ("cinder", "volumes-deleted"): ("UPDATE cinder.volumes SET deleted = 1 ORDER BY id LIMIT 1",),
    ("cinder", "lacking"): ("ALTER TABLE cinder.volumes DROP COLUMN provider_geometry",),
    ("glance", "images-deleted"): ("UPDATE glance.images SET deleted = 1 ORDER BY id LIMIT 1",),
    ("glance", "foreign-tables"): ("CREATE TABLE glance.images_2016 (id INT PRIMARY KEY) CHARACTER SET utf8",),
    ("nova", "soft-deleted"): ("UPDATE nova.instances SET deleted = id ORDER BY id LIMIT 1",),
    ("nova", "foreign-columns"): ("ALTER TABLE nova.instances ADD COLUMN billing_code INT",),
    ("keystone", "endpoints-v2"): (
        "UPDATE keystone.endpoint SET enabled = 1 WHERE url LIKE '%/v2.0%' ORDER BY id LIMIT 1",
    ),
    ("glance", "keyless"): ("CREATE TABLE glance.keyless (id INT) CHARACTER SET utf8",),
    ("server", "database-names"): ("CREATE DATABASE `nova 2016`",),
    ("server", "other-databases"): ("CREATE DATABASE aodh",),
}  # fmt: skip
"""What preflight names without a statement: nothing is to be mended, or nobody but the operator knows how."""
