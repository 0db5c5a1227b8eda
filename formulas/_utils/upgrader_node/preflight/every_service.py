"""Questions about every database, whatever service it is of: character sets, row and date formats, engines."""

from upgrader_node.preflight.question import (
    BLOCKER,
    CINDER,
    EVERY_SERVICE,
    GLANCE,
    HEAT,
    KEYSTONE,
    NEUTRON,
    NOVA,
    WARNING,
    Question,
)

# nova's own migrations 314 and 315 make these in the server's character set, and they hold numbers and uuids only.
NOVAS_OWN = "resource_providers", "inventories", "allocations", "resource_provider_aggregates"
_NAME = "CONCAT('`', t.table_schema, '`.`', REPLACE(t.table_name, '`', '``'), '`')"
_TABLES = (
    "SELECT CONCAT(t.table_schema, '.', t.table_name, ' ', {0}) AS named, CONCAT('ALTER TABLE ', "
    + _NAME
    + ", ' {1}') AS mend"
    " FROM information_schema.tables t WHERE t.table_type = 'BASE TABLE' AND t.table_schema IN ({{names}}) AND {2} ORDER BY named"
)
_NOT_UTF8 = "t.table_collation NOT LIKE 'utf8%%' AND t.table_name NOT IN " + repr(NOVAS_OWN)
_USUAL = (
    "(SELECT t.table_collation FROM information_schema.tables t WHERE t.table_schema = s.schema_name AND t.table_type = 'BASE TABLE'"
    " GROUP BY t.table_collation ORDER BY COUNT(*) DESC, 1 LIMIT 1)"
)
# Looked up once for all tables of the service: information_schema is slow where it is asked for one table after the other.
_COLUMNS = (
    " JOIN (SELECT c.table_schema AS base, c.table_name AS name, {0} AS told FROM information_schema.columns c"
    " WHERE c.table_schema IN ({{names}}){1} GROUP BY c.table_schema, c.table_name) k ON k.base = t.table_schema AND k.name = t.table_name WHERE"
)
# What InnoDB counts of a COMPACT record at most: 768 octets and a pointer of each long column, all of the short ones.
_WIDTH = (
    "SUM(CASE WHEN c.data_type IN ('tinyblob', 'blob', 'mediumblob', 'longblob', 'tinytext', 'text', 'mediumtext', 'longtext')"
    " THEN 788 WHEN c.character_octet_length IS NOT NULL THEN LEAST(c.character_octet_length, 788) ELSE 4 END)"
)
_OLD = " AND (c.column_type LIKE '%%mariadb-5.3%%' OR c.column_type LIKE '%%5.5 binary format%%')"


def _by_columns(statement: str, told: str, which: str = "") -> str:
    """The question about tables with what their columns tell, as ``k.told``."""
    return statement.replace(" WHERE", _COLUMNS.format(told, which).format(names="{names}"), 1)


def _charsets(service: str) -> Question:
    strict = service in (CINDER, HEAT)
    fails = (
        "{0}-manage refuses to begin (oslo.db's check of the schema)".format(service)
        if strict
        else "names outside their character set are refused or garbled when rows are copied to utf8 tables"
    )
    return Question(
        "charsets", service, "tables", BLOCKER if strict else WARNING, "tables that are not utf8", fails, "convert them",
        "oslo.db sqlalchemy/migration.py: _db_schema_sanity_check; ask.openstack.org 26373",
        _TABLES.format("t.table_collation", "CONVERT TO CHARACTER SET utf8", _NOT_UTF8), ("SET SESSION foreign_key_checks = 0",),
    )  # fmt: skip


QUESTIONS = (
    *(_charsets(service) for service in (KEYSTONE, GLANCE, NOVA, CINDER, NEUTRON, HEAT)),
    Question(
        "default-charset", EVERY_SERVICE, "databases", BLOCKER, "databases whose default collation is not that of their tables",
        "migrations that name no character set make tables which cannot refer to the old ones (errno 150, error 1005)",
        "give the database its tables' collation", "LP 2084562; neutron's migrations name no character set",
        "SELECT CONCAT(d.schema_name, ': ', d.default_collation_name, ', its tables ', d.usual) AS named, CONCAT('ALTER DATABASE `', d.schema_name,"
        " '` CHARACTER SET ', SUBSTRING_INDEX(d.usual, '_', 1), ' COLLATE ', d.usual) AS mend FROM (SELECT s.schema_name,"
        " s.default_collation_name, " + _USUAL + " AS usual FROM information_schema.schemata s WHERE s.schema_name IN ({names})) d"
        " WHERE d.usual <> d.default_collation_name ORDER BY named",
    ),
    Question(
        "engines", EVERY_SERVICE, "tables", BLOCKER, "tables that are not InnoDB",
        "a killed migration leaves half of its rows there, and Galera does not replicate them", "convert them",
        "Galera: known limitations",
        _TABLES.format("t.engine", "ENGINE = InnoDB", "t.engine <> 'InnoDB'"),
    ),
    Question(
        "row-formats", EVERY_SERVICE, "tables", BLOCKER, "tables too wide for their row format on a server that is strict",
        "no migration can alter them and no copy of them can be made (error 1118, row size too large)", "give them another row format",
        "MDEV-19292, MDEV-20400, MDEV-35380",
        _by_columns(
            _TABLES.format(
                "t.row_format", "ROW_FORMAT = DYNAMIC",
                "t.row_format IN ('Compact', 'Redundant') AND @@GLOBAL.innodb_strict_mode = 1 AND k.told > 8126",
            ),
            _WIDTH,
        ),
    ),
    Question(
        "old-dates", EVERY_SERVICE, "tables", BLOCKER, "tables with dates in the format of MySQL 5.5",
        "a copy of them by tablespace is refused (error 1808), and one by dump has another checksum", "build them anew",
        "MDEV-15228", _by_columns(_TABLES.format("k.told", "FORCE", "k.told > 0"), "COUNT(*)", _OLD),
    ),
)  # fmt: skip
