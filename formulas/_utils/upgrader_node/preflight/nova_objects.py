"""Rows of which nova's own objects cannot be made: a field that may not be None, a text that is no JSON."""

from upgrader_node.preflight import texts
from upgrader_node.preflight.question import BLOCKER, NOTE, NOVA, Question

RAISES = "nova's own code raises there with exit code 0, the rows stay, and the last db sync stops at migration 345"
SPECLESS = " AND NOT EXISTS (SELECT 1 FROM {api}.request_specs s WHERE s.instance_uuid = i.uuid)"
_EXTRA = (
    "SELECT e.id, e.instance_uuid, e.COLUMN"
    " FROM {main}.instance_extra e JOIN {main}.instances i ON i.uuid = e.instance_uuid AND i.deleted = 0"
    " WHERE e.deleted = 0 AND e.id > %s AND e.COLUMN IS NOT NULL AND e.COLUMN <> '[]'"
    + SPECLESS
    + " ORDER BY e.id LIMIT 1000"
)
_SEEN = (
    "COALESCE((SELECT MAX(s.last_seen_up) FROM {main}.services s WHERE s.deleted = 0 AND s.host = N.host"
    " AND s.`binary` = 'nova-compute'), N.updated_at, N.created_at, '1970-01-01')"
)
_DOUBLE = (
    (
        "SELECT CONCAT(n.id, ' ', COALESCE(n.host, ''), ', hypervisor ', n.hypervisor_hostname, ', also on ', COALESCE(o.host, '')) AS named,"
        " CONCAT('UPDATE {main}.compute_nodes SET deleted = id, deleted_at = UTC_TIMESTAMP() WHERE id = ', n.id) AS mend,"
        " (SELECT CONCAT('UPDATE {main}.services SET deleted = id, deleted_at = UTC_TIMESTAMP() WHERE id = ', MAX(s.id)) FROM {main}.services s"
        " WHERE s.deleted = 0 AND s.`binary` = 'nova-compute' AND s.host = n.host) AS mend_service"
        " FROM {main}.compute_nodes n JOIN {main}.compute_nodes o ON o.hypervisor_hostname = n.hypervisor_hostname AND o.id <> n.id"
        " WHERE n.deleted = 0 AND o.deleted = 0 AND (SEEN_N < SEEN_O OR (SEEN_N = SEEN_O AND n.id < o.id)) ORDER BY n.id"
    )
    .replace("SEEN_N", _SEEN.replace("N.", "n."))
    .replace("SEEN_O", _SEEN.replace("N.", "o."))
)


def _null(table: str, column: str, value: str, subject: str, source: str) -> Question:
    """Live rows of a table whose column is NULL though the object's field may not be.

    Only where Mitaka's own column takes NULL: key_pairs.name, instance_groups.uuid and aggregate_metadata.value do not.
    """
    return Question(
        "{0}-{1}-null".format(table, column).replace("_", "-"), NOVA, subject, BLOCKER,
        "live rows of {0} without {1}".format(table, column), RAISES, "write a value",
        "nova 15.1.5 " + source,
        "SELECT CONCAT(id, ' ', COALESCE({2}, '')) AS named FROM {{main}}.{0} WHERE deleted = 0 AND {1} IS NULL ORDER BY id".format(
            table, column, "name" if table in ("instance_types", "aggregates") else "`key`"
        ),
        ("UPDATE {{main}}.{0} SET {1} = {2} WHERE {1} IS NULL AND deleted = 0".format(table, column, value),),
    )  # fmt: skip


QUESTIONS = (
    _null("instance_types", "disabled", "0", "flavors", "objects/flavor.py: BooleanField"),
    _null("instance_types", "is_public", "1", "flavors", "objects/flavor.py: BooleanField"),
    _null("instance_type_extra_specs", "value", "''", "flavors", "objects/flavor.py: extra_specs is DictOfStringsField"),
    _null("aggregates", "name", "CONCAT('aggregate-', id)", "aggregates", "objects/aggregate.py: StringField"),
    Question(
        "instances-without-project", NOVA, "instances", BLOCKER, "instances, deleted ones too, without project",
        "map_instances dies of the first of them (ValueError: Field `project_id' cannot be None)",
        "write the project that owns them; of instances that were deleted long ago any word will do",
        "nova 15.1.5 objects/instance_mapping.py: project_id may not be None",
        "SELECT CONCAT(uuid, IF(deleted = 0, '', ' (deleted)')) AS named FROM {main}.instances WHERE project_id IS NULL ORDER BY id",
        ("UPDATE {main}.instances SET project_id = 'unknown' WHERE project_id IS NULL",),
    ),
    Question(
        "pci-requests", NOVA, "instances", BLOCKER, "live instances whose PCI requests in instance_extra cannot be read",
        "online migrations die at each of them and exit 0", "an instance without PCI devices has an empty list; of others write the list anew",
        "nova 15.1.5 objects/instance_pci_requests.py",
        _EXTRA.replace("COLUMN", "pci_requests"),
        ("UPDATE {main}.instance_extra SET pci_requests = '[]' WHERE id = {id}",), texts.unreadable_pci_requests,
    ),
    Question(
        "numa-topology", NOVA, "instances", BLOCKER, "live instances whose NUMA topology in instance_extra cannot be read",
        "online migrations die at each of them and exit 0", "an instance without NUMA topology has NULL; of others write it anew",
        "nova 15.1.5 objects/instance_numa_topology.py",
        _EXTRA.replace("COLUMN", "numa_topology"),
        ("UPDATE {main}.instance_extra SET numa_topology = NULL WHERE id = {id}",), texts.unreadable_topology,
    ),
    Question(
        "hypervisors-double", NOVA, "compute nodes", BLOCKER, "live compute nodes that share their hypervisor's name with another",
        "resource_providers.name is unique: the second host never gets a provider, and no instance any more",
        "remove the record of the host that is gone, with its service; the one that reported last stays", "LP 1419785, LP 1817833",
        _DOUBLE,
    ),
    Question(
        "flavor-access", NOVA, "flavors", NOTE, "access rows of flavors that are deleted",
        "they stay where they are and harm nothing", "they can be marked as deleted", "LP 1172153",
        "SELECT CONCAT(p.id, ' ', COALESCE(p.project_id, '')) AS named FROM {main}.instance_type_projects p JOIN {main}.instance_types t"
        " ON t.id = p.instance_type_id WHERE p.deleted = 0 AND t.deleted <> 0 ORDER BY p.id",
        ("UPDATE {main}.instance_type_projects p JOIN {main}.instance_types t ON t.id = p.instance_type_id SET p.deleted = p.id,"
         " p.deleted_at = UTC_TIMESTAMP() WHERE p.deleted = 0 AND t.deleted <> 0",),
    ),
    Question(
        "flavor-extra-specs", NOVA, "flavors", NOTE, "extra specs of flavors that are deleted",
        "they stay where they are and harm nothing", "they can be marked as deleted", "LP 1172153",
        "SELECT CONCAT(p.id, ' ', COALESCE(p.`key`, '')) AS named FROM {main}.instance_type_extra_specs p JOIN {main}.instance_types t"
        " ON t.id = p.instance_type_id WHERE p.deleted = 0 AND t.deleted <> 0 ORDER BY p.id",
        ("UPDATE {main}.instance_type_extra_specs p JOIN {main}.instance_types t ON t.id = p.instance_type_id SET p.deleted = p.id,"
         " p.deleted_at = UTC_TIMESTAMP() WHERE p.deleted = 0 AND t.deleted <> 0",),
    ),
)  # fmt: skip
