"""Questions to a MySQL or MariaDB server, asked over any DB-API connection, and the URLs that name its databases.

Standard library only and free of Salt, because the control side imports the same file. Versions of schemas are read by
SQL: it takes milliseconds, while starting nova-manage takes two seconds and answers 215 for a missing nova.conf.
"""

import re
import typing
from urllib.parse import quote, unquote

from upgrader_node.errors import redact  # noqa: F401

MARIADB = "MariaDB"  # in the version of every one of its servers
# What SQLAlchemy 1.0 (Ocata) reads: everything up to the LAST @ belongs to the password, which may be unquoted.
_URL = re.compile(
    r"^(?P<driver>[\w+]+)://(?:(?P<user>[^:/]*)(?::(?P<password>.*))?@)?"
    r"(?P<host>\[[^\]/]+\]|[^/:@?]*)(?::(?P<port>\d+))?(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?$"
)
_NAME = re.compile(r"^[0-9A-Za-z_$-]{1,64}$")


class DatabaseUrl(typing.NamedTuple):
    """The parts of an SQLAlchemy URL, unquoted. ``repr`` shows no password."""

    driver: str
    user: str
    password: str
    host: str
    port: int
    database: str
    query: str

    def __repr__(self) -> str:
        return "DatabaseUrl({0})".format(self.shown())

    def shown(self) -> str:
        """The URL with its password hidden, for sentences that people read."""
        return "{0}://{1}:***@{2}:{3}/{4}".format(self.driver, self.user, self.host, self.port, self.database)

    def text(self) -> str:
        """The URL with every part quoted, so that any password survives any parser. A secret: never log it."""
        query = "?" + self.query if self.query else ""
        return "{0}://{1}:{2}@{3}:{4}/{5}{6}".format(
            self.driver,
            quote(self.user, safe=""),
            quote(self.password, safe=""),
            self.host,
            self.port,
            self.database,
            query,
        )

    def place(self) -> typing.Tuple[str, int, str, str]:
        """What the URL names, whatever its password and driver: host, port, database, user."""
        return (self.host, self.port, self.database, self.user)


def parse_url(text: str) -> DatabaseUrl:
    """The parts of an SQLAlchemy URL, quoted or (as nova's map_cell0 writes it) not. Raises ValueError, without the URL."""
    match = _URL.match(text.strip())
    if not match:
        raise ValueError("it is not a database URL of the form driver://user:password@host:port/database")
    part = match.groupdict()
    return DatabaseUrl(
        part["driver"],
        unquote(part["user"] or ""),
        unquote(part["password"] or ""),
        (part["host"] or "localhost"),
        int(part["port"] or 3306),
        part["database"] or "",
        part["query"] or "",
    )


def identifier(name: str) -> str:
    """``name`` in backticks; a name that MySQL would need escaping for is refused, none of ours does."""
    if not _NAME.match(name):
        raise ValueError("{0!r} is not a plain database or table name".format(name))
    return "`{0}`".format(name)


def rows(connection: typing.Any, statement: str, values: typing.Sequence[typing.Any] = ()) -> typing.List[typing.Any]:
    """All rows of one statement, as tuples whatever the connection's cursor class is."""
    cursor = connection.cursor()
    try:
        cursor.execute(statement, tuple(values))
        return [tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in cursor.fetchall()]
    finally:
        cursor.close()


def change(connection: typing.Any, statement: str, values: typing.Sequence[typing.Any] = ()) -> int:
    """Carry out a statement that writes; how many rows it changed."""
    cursor = connection.cursor()
    try:
        return int(cursor.execute(statement, tuple(values)))
    finally:
        cursor.close()


def scalar(connection: typing.Any, statement: str, values: typing.Sequence[typing.Any] = ()) -> typing.Any:
    """The first column of the first row, or None when there is no row."""
    answer = rows(connection, statement, values)
    return answer[0][0] if answer else None


def variable(connection: typing.Any, name: str) -> typing.Optional[str]:
    """A global variable of the server, or None where this server has none of that name: ``@@name`` would be an error."""
    answer = rows(connection, "SHOW GLOBAL VARIABLES LIKE %s", (name.replace("_", "\\_"),))
    return str(answer[0][1]) if answer else None


def schema_exists(connection: typing.Any, schema: str) -> bool:
    """Whether the connection's user can see the schema: a missing grant looks the same as a missing schema."""
    return bool(
        scalar(connection, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = %s", (schema,))
    )


def table_names(connection: typing.Any, schema: str) -> typing.List[str]:
    """Base tables of a schema, sorted."""
    statement = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE' ORDER BY table_name"
    return [row[0] for row in rows(connection, statement, (schema,))]


def column_names(connection: typing.Any, schema: str, table: str) -> typing.List[str]:
    """Columns of one table; empty when there is no such table."""
    statement = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    return [row[0] for row in rows(connection, statement, (schema, table))]


def schema_version(connection: typing.Any, schema: str) -> typing.Optional[int]:
    """What sqlalchemy-migrate wrote down for the schema; None when it has no ``migrate_version`` table or no row in it."""
    if "version" not in column_names(connection, schema, "migrate_version"):
        return None
    version = scalar(connection, "SELECT MAX(version) FROM {0}.migrate_version".format(identifier(schema)))
    return None if version is None else int(version)


Wanted = typing.Union[int, str, typing.Mapping[str, int]]


class Marks(typing.NamedTuple):
    """Where a schema stands: sqlalchemy-migrate's versions by repository, and alembic's revisions, sorted."""

    migrate: typing.Mapping[str, int]
    alembic: typing.Tuple[str, ...]

    def shown(self) -> str:
        """``97`` or ``4ffceebfcdc`` or, where there are several, ``keystone 109, keystone_expand 24``.

        A database that alembic has taken over keeps its old ``migrate_version``; that one no longer counts.
        """
        if self.alembic:
            return ", ".join(self.alembic)
        versions = sorted(self.migrate.items())
        words = ["{0} {1}".format(*item) for item in versions] if len(versions) > 1 else [str(n) for _, n in versions]
        return ", ".join(words) or "none"


def marks(connection: typing.Any, schema: str) -> Marks:
    """What either of the two migration libraries wrote down for the schema; both are empty when neither did."""
    migrate, alembic = {}, ()  # type: typing.Dict[str, int], typing.Tuple[str, ...]
    if "version" in column_names(connection, schema, "migrate_version"):
        statement = "SELECT repository_id, version FROM {0}.migrate_version".format(identifier(schema))
        migrate = {str(name): int(version) for name, version in rows(connection, statement)}
    if "version_num" in column_names(connection, schema, "alembic_version"):
        statement = "SELECT version_num FROM {0}.alembic_version ORDER BY 1".format(identifier(schema))
        alembic = tuple(str(row[0]) for row in rows(connection, statement))
    return Marks(migrate, alembic)


def said(wanted: typing.Optional[Wanted]) -> str:
    """A version as an operator reads it."""
    return Marks(wanted, ()).shown() if isinstance(wanted, typing.Mapping) else str(wanted)


def stands_at(held: Marks, wanted: Wanted) -> bool:
    """Whether a schema is at ``wanted``: a version (of one repository), versions by repository, or a revision."""
    if isinstance(wanted, str):
        return held.alembic == (wanted,)
    if held.alembic:
        return False
    if isinstance(wanted, int):
        return bool(held.migrate) and max(held.migrate.values()) == wanted
    return all(held.migrate.get(name) == version for name, version in wanted.items())


def _live_columns(connection: typing.Any, schema: str) -> typing.Set[str]:
    statement = "SELECT table_name FROM information_schema.columns WHERE table_schema = %s AND column_name = 'deleted'"
    return {row[0] for row in rows(connection, statement, (schema,))}


def table_counts(
    connection: typing.Any, schemas: typing.Iterable[str]
) -> typing.Dict[str, typing.Dict[str, typing.Dict[str, typing.Optional[int]]]]:
    """``{schema: {table: {"total": n, "live": n or None}}}``, counted, not estimated.

    ``live`` is the number of rows that are not soft-deleted (``deleted = 0``), None for tables without that column.
    """
    counts = {}  # type: typing.Dict[str, typing.Dict[str, typing.Dict[str, typing.Optional[int]]]]
    for schema in schemas:
        soft = _live_columns(connection, schema)
        counts[schema] = {}
        for table in table_names(connection, schema):
            live = "COALESCE(SUM(deleted = 0), 0)" if table in soft else "NULL"
            name = "{0}.{1}".format(identifier(schema), identifier(table))
            total, alive = rows(connection, "SELECT COUNT(*), {0} FROM {1}".format(live, name))[0]
            counts[schema][table] = {"total": int(total), "live": None if alive is None else int(alive)}
    return counts


def running_ddl(connection: typing.Any, schemas: typing.Sequence[str]) -> typing.List[typing.Tuple[int, int, str]]:
    """(connection id, seconds, start of the statement) of every schema change that the server is still carrying out.

    A client that was killed during ALTER TABLE leaves the server at work; running the same migration beside it fails
    with error 1091, and the version that sqlalchemy-migrate wrote down is then not where the schema stands.
    """
    marks = ", ".join(["%s"] * len(schemas))
    statement = (
        "SELECT id, time, LEFT(info, 120) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND db IN ({0})"
        " AND UPPER(LTRIM(info)) REGEXP '^(ALTER|CREATE|DROP|RENAME|TRUNCATE|OPTIMIZE)[[:space:]]'"
    ).format(marks)
    return [(int(row[0]), int(row[1]), str(row[2])) for row in rows(connection, statement, tuple(schemas))]
