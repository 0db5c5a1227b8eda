"""What heat's own rows do to the upgrade."""

from upgrader_node.preflight import texts
from upgrader_node.preflight.question import BLOCKER, HEAT, NOTE, WARNING, Question

# An engine counts as gone when it has not reported for five of its intervals before the last report of any engine.
_ALIVE = (
    "EXISTS (SELECT 1 FROM {db}.service e WHERE e.engine_id = r.engine_id AND e.deleted_at IS NULL AND"
    " TIMESTAMPDIFF(SECOND, COALESCE(e.updated_at, e.created_at), (SELECT MAX(COALESCE(n.updated_at, n.created_at)) FROM {db}.service n))"
    " <= 5 * COALESCE(e.report_interval, 60))"
)
_LOCKED = (
    "SELECT CONCAT(r.id, ' ', COALESCE(r.name, ''), ', engine ', r.engine_id) AS namedMEND FROM {db}.resource r"
    " WHERE r.engine_id IS NOT NULL AND r.properties_data IS NOT NULL AND ALIVE ORDER BY r.id"
)
_UNLOCK = ", CONCAT('UPDATE {db}.resource SET engine_id = NULL WHERE id = ', r.id, ' AND engine_id = ''', r.engine_id, '''') AS mend"

QUESTIONS = (
    Question(
        "resources-locked", HEAT, "resources", BLOCKER, "resources that an engine which is gone has locked",
        "migrate_properties_data passes over them without a word, exit 0, and writes an orphaned row at each try", "take the lock away",
        "heat db/sqlalchemy/api.py: resource_update asks for engine_id NULL",
        _LOCKED.replace("MEND", _UNLOCK).replace("ALIVE", "NOT " + _ALIVE),
    ),
    Question(
        "resources-busy", HEAT, "resources", WARNING, "resources that a living engine works on",
        "what the copy says of them is out of date, and migrate_properties_data passes over them", "let the stacks' actions end first",
        "heat db/sqlalchemy/api.py: resource_update asks for engine_id NULL", _LOCKED.replace("MEND", "").replace("ALIVE", _ALIVE),
    ),
    Question(
        "events-cut-off", HEAT, "events", BLOCKER, "events whose pickled properties are cut off",
        "migrate_properties_data dies there with 'ERROR: ' and nothing else; showing the event fails already now",
        "an event can do without: take the properties away", "heat 1e92462ae (BLOB of 64 KB on a server without strict mode)",
        "SELECT id, CONCAT(id, ' ', COALESCE(resource_name, ''), ' of stack ', stack_id), resource_properties FROM {db}.event"
        " WHERE id > %s AND resource_properties IS NOT NULL ORDER BY id LIMIT 200",
        ("UPDATE {db}.event SET resource_properties = NULL WHERE id = {id}",), texts.cut_off_pickle,
    ),
    Question(
        "stacks-deleted", HEAT, "stacks", NOTE, "stacks are marked as deleted", "they are copied and migrated with the rest",
        "'heat-manage purge_deleted DAYS' on the live cloud saves that time", "heat cmd/manage.py: purge_deleted",
        "SELECT id AS named FROM {db}.stack WHERE deleted_at IS NOT NULL ORDER BY id", milliseconds=5,
    ),
)  # fmt: skip
