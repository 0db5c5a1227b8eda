"""What nova's own rows do to the upgrade. The numbers of traps are those of docs/traps.md."""

from upgrader_node.nova import documents
from upgrader_node.nova.rows import CELL0_UUID
from upgrader_node.preflight.question import BLOCKER, NOTE, NOVA, WARNING, Question

SERVER_GROUPS = "server-groups"
ALONE = "nova-osapi_compute", "nova-ec2", "nova-metadata"  # these never report in; their rows say nothing about life

MITAKAS_CODE = "only Mitaka's own 'nova-manage db online_data_migrations' can repair it, Ocata's code has lost it: run it on the live cloud"
REPAIR_STEP = "start the stage with --repair-server-groups: it names each member's group in the spec that nova breaks"
_UUIDS = (
    "(table_schema, table_name, column_name) IN (('{main_name}', 'instances', 'uuid'), ('{main_name}', 'instance_extra', 'instance_uuid'),"
    " ('{main_name}', 'instance_group_member', 'instance_id'), ('{api_name}', 'request_specs', 'instance_uuid'),"
    " ('{api_name}', 'instance_mappings', 'instance_uuid'))"
)
_HOSTS = "(table_schema, table_name, column_name) IN (('{main_name}', 'compute_nodes', 'host'), ('{api_name}', 'host_mappings', 'host'))"
_MIXED = (
    "SELECT CONCAT(table_schema, '.', table_name, '.', column_name, ' ', collation_name) AS named FROM information_schema.columns WHERE {0}"
    " AND 1 < (SELECT COUNT(DISTINCT collation_name) FROM information_schema.columns WHERE {0})"
    " AND 1 = (SELECT COUNT(DISTINCT character_set_name) FROM information_schema.columns WHERE {0})"
)


def _mixed(columns: str) -> str:
    return _MIXED.replace("{0}", columns)


_SPECLESS_MEMBERS = (
    "SELECT i.uuid AS named FROM {main}.instances i WHERE i.deleted = 0 AND (i.vm_state IS NULL OR i.vm_state <> 'soft-delete')"
    " AND EXISTS (SELECT 1 FROM {main}.instance_group_member m JOIN {main}.instance_groups g ON g.id = m.group_id"
    " WHERE m.instance_id = i.uuid AND m.deleted = 0 AND g.deleted = 0)"
    " AND NOT EXISTS (SELECT 1 FROM {api}.request_specs s WHERE s.instance_uuid = i.uuid) ORDER BY named"
)
# From another instance of the same flavor whose own can be read.
_ANEW = (
    "UPDATE {main}.instance_extra e JOIN {main}.instances i ON i.uuid = e.instance_uuid JOIN (SELECT h.flavor FROM {main}.instance_extra h"
    " JOIN {main}.instances o ON o.uuid = h.instance_uuid JOIN {main}.instances b ON b.id = {id} AND b.instance_type_id = o.instance_type_id"
    ' WHERE h.deleted = 0 AND o.id <> b.id AND h.flavor LIKE \'%%"cur": {{%%"nova_object.data": {{%%\' LIMIT 1) h'
    " SET e.flavor = h.flavor WHERE i.id = {id}"
)
_FLAVORS = (
    "SELECT i.id, i.uuid, (SELECT MAX(e.flavor) FROM {main}.instance_extra e WHERE e.instance_uuid = i.uuid AND e.deleted = 0)"
    " FROM {main}.instances i WHERE i.deleted = 0 AND i.id > %s ORDER BY i.id LIMIT 1000"
)
_SPECS = (
    "SELECT s.id, s.instance_uuid, s.spec FROM {api}.request_specs s WHERE s.id > %s AND s.instance_uuid <> '"
    + CELL0_UUID
    + "'"
    " AND EXISTS (SELECT 1 FROM {main}.instances i WHERE i.uuid = s.instance_uuid AND i.deleted = 0) ORDER BY s.id LIMIT 1000"
)
_DOWN = (
    "SELECT CONCAT(s.`binary`, ' on ', s.host) AS named FROM {main}.services s WHERE s.deleted = 0 AND s.`binary` NOT IN "
    + repr(ALONE)
    + ""
    " AND (s.forced_down = 1 OR COALESCE(s.last_seen_up, s.updated_at, s.created_at) < (SELECT MAX(n.last_seen_up)"
    " FROM {main}.services n WHERE n.deleted = 0) - INTERVAL 60 SECOND) ORDER BY named"
)

_BY_MIGRATION_330 = "db sync to Newton stops at migration 330 and leaves the schema at 329"
_GROUPS = "online migrations die at each of them, exit 0, and leave all later instances without spec (nova bug 1830747)"
_RENAME = "CONCAT('UPDATE {main}.TABLE SET name = CONCAT(name, ''-'', id) WHERE id = ', t.id) AS mend"

QUESTIONS = (
    Question(
        "compute-node-uuids", NOVA, "compute nodes", BLOCKER, "live compute nodes without uuid", _BY_MIGRATION_330, MITAKAS_CODE,
        "nova db migration 330",
        "SELECT CONCAT(id, ' ', COALESCE(hypervisor_hostname, host, '')) AS named FROM {main}.compute_nodes"
        " WHERE deleted = 0 AND uuid IS NULL ORDER BY id",
    ),
    Question(
        "aggregate-uuids", NOVA, "aggregates", BLOCKER, "live aggregates without uuid", _BY_MIGRATION_330,
        "run Mitaka's own 'nova-manage db online_data_migrations' on the live cloud (Ocata's could do these too, but not before 330)",
        "nova db migration 330",
        "SELECT CONCAT(id, ' ', COALESCE(name, '')) AS named FROM {main}.aggregates WHERE deleted = 0 AND uuid IS NULL ORDER BY id",
    ),
    Question(
        "vf-parents", NOVA, "PCI devices", BLOCKER, "live virtual functions without parent address", _BY_MIGRATION_330,
        MITAKAS_CODE + " while nova-osapi_compute and nova-conductor have service rows of version 4 or later, else it does nothing",
        "nova db migration 330",
        "SELECT CONCAT(id, ' ', address) AS named FROM {main}.pci_devices"
        " WHERE deleted = 0 AND dev_type = 'type-VF' AND parent_addr IS NULL ORDER BY id",
    ),
    Question(
        "flavors-taken", NOVA, "flavors", BLOCKER, "live flavors whose id, name or flavorid nova_api holds already",
        "the online migration never moves them, and the last db sync stops at migration 345",
        "delete the flavor in one of the two databases, or give one of them another name and flavorid", "nova db migration 345",
        "SELECT t.name AS named FROM {main}.instance_types t WHERE t.deleted = 0 AND EXISTS (SELECT 1 FROM {api}.flavors f"
        " WHERE f.id = t.id OR f.name = t.name OR f.flavorid = t.flavorid) ORDER BY t.id",
    ),
    Question(
        "flavors-double", NOVA, "flavors", BLOCKER, "live flavors that share name or flavorid with an older one, or have none",
        "nova_api takes only one of them; the last db sync stops at migration 345",
        "give them names and flavorids of their own, or delete them, on the live cloud", "nova db migration 345",
        "SELECT CONCAT(t.id, ' ', COALESCE(t.name, '')) AS named, CONCAT('UPDATE {main}.instance_types SET name ="
        " CONCAT(COALESCE(name, ''flavor''), ''-'', id), flavorid = CONCAT(COALESCE(flavorid, ''flavor''), ''-'', id) WHERE id = ', t.id) AS mend"
        " FROM {main}.instance_types t WHERE t.deleted = 0"
        " AND (t.name IS NULL OR t.flavorid IS NULL OR EXISTS (SELECT 1 FROM {main}.instance_types o"
        " WHERE o.deleted = 0 AND o.id < t.id AND (o.name = t.name OR o.flavorid = t.flavorid))) ORDER BY t.id",
    ),
    Question(
        "aggregates-double", NOVA, "aggregates", BLOCKER, "live aggregates that share their name with an older one",
        "nova_api takes only one of them; the last db sync stops at migration 345",
        "rename all but one on the live cloud", "nova db migration 345",
        "SELECT CONCAT(t.id, ' ', t.name) AS named, " + _RENAME.replace("TABLE", "aggregates") + " FROM {main}.aggregates t"
        " WHERE t.deleted = 0 AND EXISTS (SELECT 1"
        " FROM {main}.aggregates o WHERE o.deleted = 0 AND o.id < t.id AND o.name = t.name) ORDER BY t.id",
    ),
    Question(
        SERVER_GROUPS, NOVA, "server groups", BLOCKER, "live server-group members without request spec", _GROUPS, REPAIR_STEP,
        "LP 1830747", _SPECLESS_MEMBERS,
    ),
    Question(
        "group-specs", NOVA, "server groups", BLOCKER, "request specs of live instances that name a server group without uuid",
        "online migrations die at each of them, exit 0 (nova bug 1830747)", REPAIR_STEP, "LP 1830747",
        _SPECS, reads=documents.spec_without_group_uuid,
    ),
    Question(
        "instance-flavors", NOVA, "instances", BLOCKER, "live instances whose flavor in instance_extra cannot be read",
        "online migrations die at each of them and exit 0", "write the flavor anew from a healthy instance of the same flavor",
        "nova 15.1.5 objects/instance.py", _FLAVORS, (_ANEW,), documents.unreadable_flavor,
    ),
    Question(
        "request-specs", NOVA, "request specs", BLOCKER, "request specs of live instances that cannot be read",
        "online migrations die at each of them and exit 0", "delete the row: the online migration writes it anew",
        "nova 15.1.5 objects/request_spec.py", _SPECS, ("DELETE FROM {api}.request_specs WHERE id = {id}",),
        documents.unreadable_spec,
    ),
    Question(
        "orphaned-extras", NOVA, "instance_extra", BLOCKER, "live instance_extra rows of instances that are purged",
        "nova moves no keypair while one exists, and the last db sync stops at migration 345", "delete the rows",
        "nova 15.1.5 objects/keypair.py: _count_unmigrated_instances",
        "SELECT CONCAT(e.id, ' ', e.instance_uuid) AS named FROM {main}.instance_extra e WHERE e.deleted = 0"
        " AND NOT EXISTS (SELECT 1 FROM {main}.instances i WHERE i.uuid = e.instance_uuid) ORDER BY e.id",
        ("DELETE FROM {main}.instance_extra WHERE deleted = 0"
         " AND instance_uuid NOT IN (SELECT uuid FROM {main}.instances WHERE uuid IS NOT NULL)",),
    ),
    Question(
        "cell-mappings", NOVA, "cells", BLOCKER, "cell mappings exist already",
        "the copy would lead to the databases and queues that they name, which are production's",
        "find out who made them; remove them with their host and instance mappings if nothing uses them", "nova cells v2",
        "SELECT CONCAT(c.id, ' ', COALESCE(c.name, 'nameless')) AS named, CONCAT('DELETE FROM {api}.host_mappings WHERE cell_id = ', c.id)"
        " AS mend, CONCAT('DELETE FROM {api}.instance_mappings WHERE cell_id = ', c.id) AS mend_instances,"
        " CONCAT('DELETE FROM {api}.cell_mappings WHERE id = ', c.id) AS mend_cell FROM {api}.cell_mappings c ORDER BY c.id",
    ),
    Question(
        "cells-double", NOVA, "cells", BLOCKER, "cell mappings that share name or database with another",
        "nova takes one of them silently, and instances are mapped to the wrong one", "remove all but one", "nova cells v2",
        "SELECT CONCAT(c.id, ' ', COALESCE(c.name, 'nameless')) AS named FROM {api}.cell_mappings c WHERE EXISTS (SELECT 1"
        " FROM {api}.cell_mappings o WHERE o.id <> c.id AND (o.name = c.name OR o.database_connection = c.database_connection)) ORDER BY c.id",
    ),
    Question(
        "homeless-mappings", NOVA, "instance mappings", BLOCKER, "instance mappings without a cell",
        "map_instances passes over them, and Ocata never finds these instances", "delete the rows: map_instances writes them anew",
        "nova 15.1.5 cmd/manage.py: CellV2Commands.map_instances",
        "SELECT instance_uuid AS named FROM {api}.instance_mappings WHERE cell_id IS NULL ORDER BY id",
        ("DELETE FROM {api}.instance_mappings WHERE cell_id IS NULL",),
    ),
    Question(
        "forced-down", NOVA, "services", BLOCKER, "live services whose forced_down is NULL",
        "Ocata's nova-api answers 500 to 'compute service list'", "write the default", "nova 15.1.5 objects/service.py: BooleanField",
        "SELECT CONCAT(`binary`, ' on ', host) AS named FROM {main}.services WHERE deleted = 0 AND forced_down IS NULL ORDER BY id",
        ("UPDATE {main}.services SET forced_down = 0 WHERE forced_down IS NULL",),
    ),
    Question(
        "collations", NOVA, "tables", BLOCKER, "columns that are compared with each other have different collations",
        "the server refuses to compare them (error 1267), so nobody can tell what is left to migrate",
        "ALTER TABLE ... CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci", "MySQL error 1267",
        _mixed(_UUIDS) + " UNION ALL " + _mixed(_HOSTS) + " ORDER BY named",
    ),
    Question(
        "transitions", NOVA, "instances", WARNING, "live instances with a task in progress",
        "what the copy says of them is out of date when the rehearsal ends, and a real upgrade would strand them",
        "let the tasks end, or reset their state, before the real upgrade", "nova compute/task_states.py",
        "SELECT CONCAT(uuid, ' ', task_state) AS named FROM {main}.instances WHERE deleted = 0 AND task_state IS NOT NULL ORDER BY id",
    ),
    Question(
        "services-down", NOVA, "services", WARNING, "live services that are down (more than 60 s behind the newest report)",
        "nobody can tell a service that the upgrade broke from one that was broken before", "start or remove them first",
        "nova servicegroup/drivers/db.py: service_down_time", _DOWN,
    ),
    Question(
        "soft-deleted", NOVA, "instances", NOTE, "instances are soft-deleted",
        "the upgrade walks them too", "'nova-manage db archive_deleted_rows' before the upgrade saves that time", "measured",
        "SELECT uuid AS named FROM {main}.instances WHERE deleted <> 0 ORDER BY id", milliseconds=5.5,
    ),
)  # fmt: skip
