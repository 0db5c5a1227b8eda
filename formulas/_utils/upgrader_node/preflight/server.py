"""What else stands in a database and on its server: code that runs by itself, and names that need quoting."""

from upgrader_node.preflight.question import BLOCKER, EVERY_SERVICE, NOTE, SERVER, WARNING, Question

_SYSTEM = "('information_schema', 'performance_schema', 'mysql', 'sys')"
# Of the source release itself: migrations' own marks, and two of neutron's.
_KEYLESS = "('alembic_version', 'migrate_version', 'qos_network_policy_bindings', 'qos_port_policy_bindings')"
_PLAIN = "'^[0-9A-Za-z_$-]{{1,64}}$'"
# Whether a body names a table of another database, with or without backticks.
_ELSEWHERE = (
    "EXISTS (SELECT 1 FROM information_schema.schemata s WHERE s.schema_name <> {0} AND s.schema_name REGEXP "
    + _PLAIN.replace("{", "{{").replace("}", "}}")
    + " AND {1} REGEXP CONCAT('(^|[^0-9A-Za-z_$])`?', s.schema_name, '`?[[:space:]]*[.]'))"
)
_ROUTINES = (
    "SELECT CONCAT(r.routine_schema, '.', r.routine_name, ', definer ', r.definer) AS named,"
    " CONCAT('DROP ', r.routine_type, ' `', r.routine_schema, '`.`', REPLACE(r.routine_name, '`', '``'), '`') AS mend"
    " FROM information_schema.routines r WHERE r.routine_schema IN ({names}) AND IS "
    + _ELSEWHERE.format("r.routine_schema", "COALESCE(r.routine_definition, '')")
    + " ORDER BY named"
)
_VIEWS = (
    "SELECT CONCAT(v.table_schema, '.', v.table_name, ', definer ', v.definer) AS named,"
    " CONCAT('DROP VIEW `', v.table_schema, '`.`', REPLACE(v.table_name, '`', '``'), '`') AS mend"
    " FROM information_schema.views v WHERE v.table_schema IN ({names}) AND IS "
    + _ELSEWHERE.format("v.table_schema", "v.view_definition")
    + " ORDER BY named"
)
_AWAY = "write its text down (SHOW CREATE), drop it, and make it again after the upgrade"
_THEIRS = "OpenStack has none of its own at the source release; percona-toolkit 2f36e5816"

QUESTIONS = (
    Question(
        "triggers", EVERY_SERVICE, "triggers", BLOCKER, "triggers",
        "the real upgrade would set them off wherever their body says, and the copy, which gets none of them, cannot show that", _AWAY, _THEIRS,
        "SELECT CONCAT(t.trigger_schema, '.', t.trigger_name, ' on ', t.event_object_table, ', definer ', t.definer) AS named,"
        " CONCAT('DROP TRIGGER `', t.trigger_schema, '`.`', REPLACE(t.trigger_name, '`', '``'), '`') AS mend"
        " FROM information_schema.triggers t WHERE t.trigger_schema IN ({names}) ORDER BY named",
    ),
    Question(
        "events", EVERY_SERVICE, "events", BLOCKER, "events of the server's own scheduler",
        "they change rows while these are migrated, and the copy, which gets none of them, cannot show that", _AWAY, _THEIRS,
        "SELECT CONCAT(e.event_schema, '.', e.event_name, ', definer ', e.definer) AS named,"
        " CONCAT('DROP EVENT `', e.event_schema, '`.`', REPLACE(e.event_name, '`', '``'), '`') AS mend"
        " FROM information_schema.events e WHERE e.event_schema IN ({names}) ORDER BY named",
    ),
    Question(
        "routines-elsewhere", EVERY_SERVICE, "routines", WARNING, "routines whose body names another database",
        "the copy gets none of them; in production they read or write there as before", _AWAY, _THEIRS, _ROUTINES.replace("IS ", "", 1),
    ),
    Question(
        "views-elsewhere", EVERY_SERVICE, "views", WARNING, "views of another database's tables",
        "the copy gets none of them; what they show may be gone after the upgrade", _AWAY, _THEIRS, _VIEWS.replace("IS ", "", 1),
    ),
    Question(
        "foreign-keys-elsewhere", EVERY_SERVICE, "foreign keys", BLOCKER, "foreign keys into another database",
        "a copy of the table would look at and lock that database's rows, so none is made", "drop the key, and make it again after the upgrade",
        "OpenStack has none of its own; MySQL manual: FOREIGN KEY constraints",
        "SELECT DISTINCT CONCAT(k.table_schema, '.', k.table_name, ' ', k.constraint_name, ' to ', k.referenced_table_schema) AS named,"
        " CONCAT('ALTER TABLE `', k.table_schema, '`.`', REPLACE(k.table_name, '`', '``'), '` DROP FOREIGN KEY `',"
        " REPLACE(k.constraint_name, '`', '``'), '`') AS mend FROM information_schema.key_column_usage k"
        " WHERE k.table_schema IN ({names}) AND k.referenced_table_schema <> k.table_schema ORDER BY named",
    ),
    Question(
        "routines", EVERY_SERVICE, "routines", WARNING, "routines", "migrations know nothing of them; what they read may be gone",
        _AWAY, _THEIRS, _ROUTINES.replace("IS ", "NOT ", 1),
    ),
    Question(
        "views", EVERY_SERVICE, "views", WARNING, "views", "migrations know nothing of them; what they show may be gone",
        _AWAY, _THEIRS, _VIEWS.replace("IS ", "NOT ", 1),
    ),
    Question(
        "keyless", EVERY_SERVICE, "tables", WARNING, "tables without primary key",
        "Galera does not replicate a DELETE on them safely, members may hold their rows in another order, and a strict server refuses to write them",
        "give them one, or let the service's own later schema do it; find out first who made the table where it is none of the release's",
        "galeracluster.com: Galera limitations, tables without primary keys; Percona XtraDB Cluster: pxc_strict_mode",
        "SELECT CONCAT(t.table_schema, '.', t.table_name) AS named FROM information_schema.tables t WHERE t.table_schema IN ({names})"
        " AND t.table_type = 'BASE TABLE' AND t.table_name NOT IN " + _KEYLESS + " AND NOT EXISTS (SELECT 1 FROM"
        " information_schema.table_constraints c WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name"
        " AND c.constraint_type = 'PRIMARY KEY') ORDER BY named",
    ),
    Question(
        "table-names", SERVER, "tables", BLOCKER, "tables, in any database of the server, whose name needs quoting",
        "the proof of a backup counts every table of the server and refuses such a name at its end", "give them a plain name",
        "MySQL manual: identifier names",
        "SELECT CONCAT(t.table_schema, '.', t.table_name) AS named, CONCAT('RENAME TABLE `', t.table_schema, '`.`', REPLACE(t.table_name, '`', '``'),"
        " '` TO `', t.table_schema, '`.`renamed_', LEFT(MD5(t.table_name), 8), '`') AS mend FROM information_schema.tables t"
        " WHERE t.table_schema NOT IN " + _SYSTEM + " AND t.table_name NOT REGEXP " + _PLAIN + " ORDER BY named",
    ),
    Question(
        "database-names", SERVER, "databases", BLOCKER, "databases of the server whose name needs quoting",
        "the proof of a backup counts every table of the server and refuses such a name at its end",
        "dump it, load it into a database with a plain name, and drop it", "MySQL manual: identifier names",
        "SELECT s.schema_name AS named FROM information_schema.schemata s WHERE s.schema_name NOT REGEXP " + _PLAIN + " ORDER BY named",
    ),
    Question(
        "other-databases", SERVER, "databases", NOTE, "databases of other services",
        "they are part of every backup and otherwise left alone, so their services stay what they are beside Ocata's",
        "look whether each of these services works with Ocata's APIs, and upgrade it by its own procedure",
        "no phase of the release path touches them",
        "SELECT s.schema_name AS named FROM information_schema.schemata s WHERE s.schema_name NOT IN " + _SYSTEM + " AND s.schema_name NOT IN"
        " ({names}) AND s.schema_name NOT IN ('neutron', 'horizon', 'upgrader') AND s.schema_name NOT LIKE '%%\\_upgrade%%'"
        " AND s.schema_name NOT LIKE '%%\\_cell0' ORDER BY named",
    ),
)  # fmt: skip
