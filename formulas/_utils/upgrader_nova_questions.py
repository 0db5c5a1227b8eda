"""What the upgrade will stumble over, asked of a live Mitaka database: each question is a row of data, each a plain SELECT.

The numbers of traps are those of docs/traps.md. ``{main}`` and ``{api}`` are the quoted names of the two databases,
``{main_name}`` and ``{api_name}`` the bare ones for information_schema; a literal per cent sign is doubled.
"""

import typing

from upgrader_nova_rows import CELL0_UUID

BLOCKER, WARNING, NOTE = "blocker", "warning", "info"
SERVER_GROUPS = "server-groups"
ALONE = "nova-osapi_compute", "nova-ec2", "nova-metadata"  # these never report in; their rows say nothing about life
# nova's own migrations 314 and 315 make these in the server's character set, and they hold numbers and uuids only.
NOVAS_OWN = "resource_providers", "inventories", "allocations", "resource_provider_aggregates"

MITAKAS_CODE = "only Mitaka's own 'nova-manage db online_data_migrations' can repair it, Ocata's code has lost it: run it on the live cloud"
REPAIR_STEP = "start the stage with --repair-server-groups: it names each member's group in the spec that nova breaks"


class Question(typing.NamedTuple):
    """One question. ``sql`` gives one line for each row that is wrong, in a column ``found``.

    With ``reads`` the question is about texts: ``sql`` gives ``id, found, text`` a page at a time, and the function of
    that name in upgrader_nova_documents says which of them are wrong. ``milliseconds`` is what each row costs later.
    """

    id: str
    subject: str
    severity: str
    what: str
    fails: str
    remedy: str
    sql: str
    reads: str = ""
    milliseconds: float = 0.0


_UUIDS = (
    "(table_schema, table_name, column_name) IN (('{main_name}', 'instances', 'uuid'), ('{main_name}', 'instance_extra', 'instance_uuid'),"
    " ('{main_name}', 'instance_group_member', 'instance_id'), ('{api_name}', 'request_specs', 'instance_uuid'),"
    " ('{api_name}', 'instance_mappings', 'instance_uuid'))"
)
_HOSTS = "(table_schema, table_name, column_name) IN (('{main_name}', 'compute_nodes', 'host'), ('{api_name}', 'host_mappings', 'host'))"
_MIXED = (
    "SELECT CONCAT(table_schema, '.', table_name, '.', column_name, ' ', collation_name) AS found FROM information_schema.columns WHERE {0}"
    " AND 1 < (SELECT COUNT(DISTINCT collation_name) FROM information_schema.columns WHERE {0})"
    " AND 1 = (SELECT COUNT(DISTINCT character_set_name) FROM information_schema.columns WHERE {0})"
)


def _mixed(columns: str) -> str:
    return _MIXED.replace("{0}", columns)


_SPECLESS_MEMBERS = (
    "SELECT i.uuid AS found FROM {main}.instances i WHERE i.deleted = 0 AND (i.vm_state IS NULL OR i.vm_state <> 'soft-delete')"
    " AND EXISTS (SELECT 1 FROM {main}.instance_group_member m JOIN {main}.instance_groups g ON g.id = m.group_id"
    " WHERE m.instance_id = i.uuid AND m.deleted = 0 AND g.deleted = 0)"
    " AND NOT EXISTS (SELECT 1 FROM {api}.request_specs s WHERE s.instance_uuid = i.uuid) ORDER BY found"
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
    "SELECT CONCAT(s.`binary`, ' on ', s.host) AS found FROM {main}.services s WHERE s.deleted = 0 AND s.`binary` NOT IN "
    + repr(ALONE)
    + ""
    " AND (s.forced_down = 1 OR COALESCE(s.last_seen_up, s.updated_at, s.created_at) < (SELECT MAX(n.last_seen_up)"
    " FROM {main}.services n WHERE n.deleted = 0) - INTERVAL 60 SECOND) ORDER BY found"
)
_TABLES = "SELECT CONCAT(table_schema, '.', table_name, ' ', {0}) AS found FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
_TABLES += " AND table_schema IN ('{main_name}', '{api_name}') AND {1} ORDER BY found"

QUESTIONS = (
    Question(
        "compute-node-uuids", "compute nodes", BLOCKER, "live compute nodes without uuid",
        "db sync to Newton stops at migration 330 and leaves the schema at 329", MITAKAS_CODE,
        "SELECT CONCAT(id, ' ', COALESCE(hypervisor_hostname, host, '')) AS found FROM {main}.compute_nodes"
        " WHERE deleted = 0 AND uuid IS NULL ORDER BY id",
    ),
    Question(
        "aggregate-uuids", "aggregates", BLOCKER, "live aggregates without uuid",
        "db sync to Newton stops at migration 330 and leaves the schema at 329",
        "run Mitaka's own 'nova-manage db online_data_migrations' on the live cloud (Ocata's could do these too, but not before 330)",
        "SELECT CONCAT(id, ' ', COALESCE(name, '')) AS found FROM {main}.aggregates WHERE deleted = 0 AND uuid IS NULL ORDER BY id",
    ),
    Question(
        "vf-parents", "PCI devices", BLOCKER, "live virtual functions without parent address",
        "db sync to Newton stops at migration 330 and leaves the schema at 329",
        MITAKAS_CODE + " while nova-osapi_compute and nova-conductor have service rows of version 4 or later, else it does nothing",
        "SELECT CONCAT(id, ' ', address) AS found FROM {main}.pci_devices"
        " WHERE deleted = 0 AND dev_type = 'type-VF' AND parent_addr IS NULL ORDER BY id",
    ),
    Question(
        "flavors-taken", "flavors", BLOCKER, "live flavors whose id, name or flavorid nova_api holds already",
        "the online migration never moves them, and the last db sync stops at migration 345",
        "delete the flavor in one of the two databases, or give one of them another name and flavorid",
        "SELECT t.name AS found FROM {main}.instance_types t WHERE t.deleted = 0 AND EXISTS (SELECT 1 FROM {api}.flavors f"
        " WHERE f.id = t.id OR f.name = t.name OR f.flavorid = t.flavorid) ORDER BY t.id",
    ),
    Question(
        "flavors-double", "flavors", BLOCKER, "live flavors that share name or flavorid with another, or have none",
        "nova_api takes only one of them; the last db sync stops at migration 345",
        "rename or delete them on the live cloud",
        "SELECT CONCAT(t.id, ' ', COALESCE(t.name, '')) AS found FROM {main}.instance_types t WHERE t.deleted = 0"
        " AND (t.name IS NULL OR t.flavorid IS NULL OR EXISTS (SELECT 1 FROM {main}.instance_types o"
        " WHERE o.deleted = 0 AND o.id <> t.id AND (o.name = t.name OR o.flavorid = t.flavorid))) ORDER BY t.id",
    ),
    Question(
        "aggregates-double", "aggregates", BLOCKER, "live aggregates that share their name with another",
        "nova_api takes only one of them; the last db sync stops at migration 345",
        "rename all but one on the live cloud",
        "SELECT CONCAT(a.id, ' ', a.name) AS found FROM {main}.aggregates a WHERE a.deleted = 0 AND EXISTS (SELECT 1"
        " FROM {main}.aggregates o WHERE o.deleted = 0 AND o.id <> a.id AND o.name = a.name) ORDER BY a.id",
    ),
    Question(
        SERVER_GROUPS, "server groups", BLOCKER, "live server-group members without request spec",
        "online migrations die at each of them, exit 0, and leave all later instances without spec (nova bug 1830747)",
        REPAIR_STEP, _SPECLESS_MEMBERS,
    ),
    Question(
        "group-specs", "server groups", BLOCKER, "request specs of live instances that name a server group without uuid",
        "online migrations die at each of them, exit 0 (nova bug 1830747)", REPAIR_STEP, _SPECS, "spec_without_group_uuid",
    ),
    Question(
        "instance-flavors", "instances", BLOCKER, "live instances whose flavor in instance_extra cannot be read",
        "online migrations die at each of them and exit 0", "write the flavor anew from a healthy instance of the same flavor",
        _FLAVORS, "unreadable_flavor",
    ),
    Question(
        "request-specs", "request specs", BLOCKER, "request specs of live instances that cannot be read",
        "online migrations die at each of them and exit 0", "delete the row: the online migration writes it anew",
        _SPECS, "unreadable_spec",
    ),
    Question(
        "orphaned-extras", "instance_extra", BLOCKER, "live instance_extra rows of instances that are purged",
        "nova moves no keypair while one exists, and the last db sync stops at migration 345", "delete the rows",
        "SELECT CONCAT(e.id, ' ', e.instance_uuid) AS found FROM {main}.instance_extra e WHERE e.deleted = 0"
        " AND NOT EXISTS (SELECT 1 FROM {main}.instances i WHERE i.uuid = e.instance_uuid) ORDER BY e.id",
    ),
    Question(
        "cell-mappings", "cells", BLOCKER, "cell mappings exist already",
        "the copy would lead to the databases and queues that they name, which are production's",
        "find out who made them; remove them with their host and instance mappings if nothing uses them",
        "SELECT CONCAT(id, ' ', COALESCE(name, 'nameless')) AS found FROM {api}.cell_mappings ORDER BY id",
    ),
    Question(
        "cells-double", "cells", BLOCKER, "cell mappings that share name or database with another",
        "nova takes one of them silently, and instances are mapped to the wrong one", "remove all but one",
        "SELECT CONCAT(c.id, ' ', COALESCE(c.name, 'nameless')) AS found FROM {api}.cell_mappings c WHERE EXISTS (SELECT 1"
        " FROM {api}.cell_mappings o WHERE o.id <> c.id AND (o.name = c.name OR o.database_connection = c.database_connection)) ORDER BY c.id",
    ),
    Question(
        "homeless-mappings", "instance mappings", BLOCKER, "instance mappings without a cell",
        "map_instances passes over them, and Ocata never finds these instances", "delete the rows: map_instances writes them anew",
        "SELECT instance_uuid AS found FROM {api}.instance_mappings WHERE cell_id IS NULL ORDER BY id",
    ),
    Question(
        "forced-down", "services", BLOCKER, "live services whose forced_down is NULL",
        "Ocata's nova-api answers 500 to 'compute service list'", "UPDATE services SET forced_down = 0 WHERE forced_down IS NULL",
        "SELECT CONCAT(`binary`, ' on ', host) AS found FROM {main}.services WHERE deleted = 0 AND forced_down IS NULL ORDER BY id",
    ),
    Question(
        "engines", "tables", BLOCKER, "tables that are not InnoDB",
        "a killed migration leaves half of its rows there, and Galera does not replicate them", "ALTER TABLE ... ENGINE = InnoDB",
        _TABLES.replace("{0}", "engine").replace("{1}", "engine <> 'InnoDB'"),
    ),
    Question(
        "collations", "tables", BLOCKER, "columns that are compared with each other have different collations",
        "the server refuses to compare them (error 1267), so nobody can tell what is left to migrate",
        "ALTER TABLE ... CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci",
        _mixed(_UUIDS) + " UNION ALL " + _mixed(_HOSTS) + " ORDER BY found",
    ),
    Question(
        "charsets", "tables", WARNING, "tables that are not utf8",
        "names outside their character set are refused or garbled when rows are copied to utf8 tables",
        "ALTER TABLE ... CONVERT TO CHARACTER SET utf8",
        _TABLES.replace("{0}", "table_collation").replace("{1}", "table_collation NOT LIKE 'utf8%%' AND table_name NOT IN " + repr(NOVAS_OWN)),
    ),
    Question(
        "transitions", "instances", WARNING, "live instances with a task in progress",
        "what the copy says of them is out of date when the rehearsal ends, and a real upgrade would strand them",
        "let the tasks end, or reset their state, before the real upgrade",
        "SELECT CONCAT(uuid, ' ', task_state) AS found FROM {main}.instances WHERE deleted = 0 AND task_state IS NOT NULL ORDER BY id",
    ),
    Question(
        "services-down", "services", WARNING, "live services that are down (more than 60 s behind the newest report)",
        "nobody can tell a service that the upgrade broke from one that was broken before", "start or remove them first",
        _DOWN,
    ),
    Question(
        "soft-deleted", "instances", NOTE, "instances are soft-deleted",
        "the upgrade walks them too", "'nova-manage db archive_deleted_rows' before the upgrade saves that time",
        "SELECT uuid AS found FROM {main}.instances WHERE deleted <> 0 ORDER BY id", milliseconds=5.5,
    ),
)  # fmt: skip
