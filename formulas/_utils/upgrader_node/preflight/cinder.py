"""What cinder's own rows do to the upgrade."""

from upgrader_node.preflight.question import BLOCKER, CINDER, NOTE, WARNING, Question

_MOVABLE = "('available', 'error', 'deleting')"
_REMOVE = "CONCAT('UPDATE {db}.services SET deleted = 1, deleted_at = UTC_TIMESTAMP() WHERE id = ', s.id)"

_ATTACH = "('attached', 'attaching', 'detached', 'reserved', 'error_attaching', 'error_detaching', 'deleted')"
_SEEN = "COALESCE(N.updated_at, N.created_at, '1970-01-01')"

QUESTIONS = (
    Question(
        "services-hostless", CINDER, "services", WARNING, "live services without host",
        "'cinder-manage service remove' cannot name them and takes another service's row in their place; the upgrade removes those of"
        " the old release by id", "remove the rows by id",
        "cinder db/sqlalchemy/models.py: services.host may be NULL; db/sqlalchemy/api.py: an empty host filters nothing",
        "SELECT CONCAT(s.id, ' ', COALESCE(s.`binary`, '')) AS named, " + _REMOVE
        + " AS mend FROM {db}.services s WHERE s.deleted = 0 AND (s.host IS NULL OR s.host = '') ORDER BY s.id",
    ),
    Question(
        "services-double", CINDER, "services", WARNING, "live services that are registered twice",
        "'cinder-manage service remove' removes one of them, and nobody knows which; the upgrade removes those of the old release by id",
        "remove the older row by id",
        "cinder cmd/manage.py: ServiceCommands.remove takes the first of the name",
        "SELECT CONCAT(s.id, ' ', s.`binary`, ' on ', s.host) AS named, " + _REMOVE + " AS mend FROM {db}.services s WHERE s.deleted = 0"
        " AND EXISTS (SELECT 1 FROM {db}.services o WHERE o.deleted = 0 AND o.host = s.host AND o.`binary` = s.`binary`"
        " AND (" + _SEEN.replace("N.", "o.") + " > " + _SEEN.replace("N.", "s.") + " OR (" + _SEEN.replace("N.", "o.") + " = "
        + _SEEN.replace("N.", "s.") + " AND o.id > s.id))) ORDER BY s.id",
    ),
    Question(
        "groups-busy", CINDER, "consistency groups", BLOCKER, "live consistency groups with something being done to them",
        "the online migration passes over them and is never done", "let it end, or reset their state",
        "cinder db/sqlalchemy/api.py: migrate_consistencygroups_to_groups",
        "SELECT CONCAT(id, ' ', COALESCE(status, '')) AS named, CONCAT('UPDATE {db}.consistencygroups SET status = ''error'' WHERE id = ''',"
        " id, '''') AS mend FROM {db}.consistencygroups WHERE deleted = 0 AND (status IS NULL OR status NOT IN " + _MOVABLE + ") ORDER BY id",
    ),
    Question(
        "group-types", CINDER, "consistency groups", BLOCKER, "live consistency groups that name a volume type which is not there",
        "the online migration raises there, exit 0 (a foreign key of group_volume_type_mapping)",
        "name volume types that are there, each followed by a comma", "cinder db/sqlalchemy/api.py: migrate_consistencygroups_to_groups",
        "SELECT CONCAT(c.id, ' ', COALESCE(c.volume_type_id, '')) AS named, CONCAT('UPDATE {db}.consistencygroups SET volume_type_id = ''',"
        " (SELECT CONCAT(MIN(t.id), ',') FROM {db}.volume_types t WHERE t.deleted = 0), ''' WHERE id = ''', c.id, '''') AS mend"
        " FROM {db}.consistencygroups c WHERE c.deleted = 0 AND (LENGTH(TRIM(TRAILING ',' FROM COALESCE(c.volume_type_id, ''))) = 0 OR"
        " LENGTH(TRIM(TRAILING ',' FROM c.volume_type_id)) - LENGTH(REPLACE(TRIM(TRAILING ',' FROM c.volume_type_id), ',', '')) + 1 >"
        " (SELECT COUNT(*) FROM {db}.volume_types t WHERE FIND_IN_SET(t.id, c.volume_type_id))) ORDER BY c.id",
    ),
    Question(
        "volume-types-gone", CINDER, "volumes", BLOCKER, "live volumes whose volume type is not there, or deleted",
        "cinder's API answers 404 to the list of all volumes", "name a type that is there, or none",
        "cinder 10 objects/volume.py: obj_load_attr; api/v2/views/volumes.py: _get_volume_type",
        "SELECT CONCAT(v.id, ' ', v.volume_type_id) AS named, CONCAT('UPDATE {db}.volumes SET volume_type_id = NULL WHERE id = ''',"
        " v.id, '''') AS mend FROM {db}.volumes v WHERE v.deleted = 0 AND v.volume_type_id <> '' AND NOT EXISTS"
        " (SELECT 1 FROM {db}.volume_types t WHERE t.id = v.volume_type_id AND t.deleted = 0) ORDER BY v.id",
    ),
    Question(
        "attach-statuses", CINDER, "volumes", BLOCKER, "live volumes and attachments with an attach_status that Ocata's cinder does not know",
        "cinder's API answers 500 to the list of all volumes", "write what is true of them: attached, or detached",
        "cinder 10 objects/fields.py: VolumeAttachStatus",
        "SELECT CONCAT('volume ', id, ' ', attach_status) AS named, CONCAT('UPDATE {db}.volumes SET attach_status = ''detached'' WHERE id = ''',"
        " id, '''') AS mend FROM {db}.volumes WHERE deleted = 0 AND attach_status NOT IN " + _ATTACH + " UNION ALL"
        " SELECT CONCAT('attachment ', id, ' ', attach_status), CONCAT('UPDATE {db}.volume_attachment SET attach_status = ''detached''"
        " WHERE id = ''', id, '''') FROM {db}.volume_attachment WHERE deleted = 0 AND attach_status NOT IN " + _ATTACH,
    ),
    Question(
        "volumes-deleted", CINDER, "volumes", NOTE, "volumes are marked as deleted", "they are copied and altered with the rest",
        "'cinder-manage db purge DAYS' on the live cloud saves that time", "cinder cmd/manage.py: DbCommands.purge",
        "SELECT id AS named FROM {db}.volumes WHERE deleted = 1 ORDER BY id", milliseconds=0.1,
    ),
)  # fmt: skip
