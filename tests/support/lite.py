"""A database server in memory, on SQLite, that speaks as much of MySQL as our questions need: schemas, their tables, grants."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

SILENT = re.compile(r"^(SET SESSION|SET GLOBAL)")
NONE = re.compile(r"^SHOW GLOBAL (VARIABLES|STATUS)")
CREATE_DATABASE = re.compile(r"^CREATE DATABASE IF NOT EXISTS `(\w+)` CHARACTER SET (\w+) COLLATE (\w+)$")
GRANT = re.compile(r"^GRANT ([A-Z ,]+) ON `([^`]+)`\.\* TO %s@%s( WITH GRANT OPTION)?$")


class Server:
    """Schemas by name with the statements that fill them; ``grants``: (user, host) to lines as SHOW GRANTS says them."""

    def __init__(self, **schemas: tuple[str, ...]) -> None:
        self.base = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.base.execute("ATTACH ':memory:' AS information_schema")
        self.base.execute("ATTACH ':memory:' AS mysql")
        self.base.execute("CREATE TABLE mysql.db (user TEXT, host TEXT, db TEXT)")
        for table, columns in {
            "schemata": "schema_name, default_character_set_name, default_collation_name",
            "tables": "table_schema, table_name, table_type",
            "columns": "table_schema, table_name, column_name",
        }.items():
            self.base.execute(f"CREATE TABLE information_schema.{table} ({columns})")
        self.grants: dict[tuple[str, str], list[str]] = {}
        self.said: list[str] = []
        self.before: Callable[[str], None] = lambda statement: None
        for name, script in schemas.items():
            self.create(name)
            for statement in script:
                self.base.execute(statement)

    def create(self, name: str, charset: str = "utf8", collation: str = "utf8_general_ci") -> None:
        self.base.execute(f"ATTACH ':memory:' AS `{name}`")
        self.base.execute("INSERT INTO information_schema.schemata VALUES (?, ?, ?)", (name, charset, collation))

    def grant(self, user: str, host: str, rights: str, database: str, option: str = "") -> None:
        lines = self.grants.setdefault(
            (user, host), [f"GRANT USAGE ON *.* TO '{user}'@'{host}' IDENTIFIED BY PASSWORD '*1'"]
        )
        lines.append(f"GRANT {rights} ON `{database}`.* TO '{user}'@'{host}'{option}")
        self.base.execute("INSERT INTO mysql.db VALUES (?, ?, ?)", (user, host, database))

    def rows(self, statement: str) -> list[Any]:
        return self.base.execute(statement).fetchall()

    def look(self) -> None:
        """What information_schema says is what is there now."""
        names = [row[0] for row in self.rows("SELECT schema_name FROM information_schema.schemata")]
        self.base.execute("DELETE FROM information_schema.tables")
        self.base.execute("DELETE FROM information_schema.columns")
        for schema in names:
            for (table,) in self.rows(f"SELECT name FROM `{schema}`.sqlite_master WHERE type = 'table'"):
                self.base.execute("INSERT INTO information_schema.tables VALUES (?, ?, 'BASE TABLE')", (schema, table))
                for row in self.rows(f"PRAGMA `{schema}`.table_info(`{table}`)"):
                    self.base.execute(
                        "INSERT INTO information_schema.columns VALUES (?, ?, ?)", (schema, table, row[1])
                    )

    # What a driver's connection has.
    def cursor(self) -> Cursor:
        return Cursor(self)

    def close(self) -> None:
        pass

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *failure: object) -> None:
        pass


class Cursor:
    def __init__(self, server: Server) -> None:
        self.server, self.cursor, self.given = server, server.base.cursor(), None  # type: ignore[var-annotated]

    def execute(self, statement: str, values: Any = ()) -> int:
        server, self.given = self.server, None
        server.said.append(statement)
        server.before(statement)
        if SILENT.match(statement):
            return 0
        if NONE.match(statement):
            self.given = []
        elif statement == "SHOW GRANTS FOR %s@%s":
            self.given = [(line,) for line in server.grants[tuple(values)]]
        elif match := CREATE_DATABASE.match(statement):
            server.create(*match.groups())
        elif match := GRANT.match(statement):
            server.grant(*values, match.group(1), match.group(2), match.group(3) or "")
        else:
            if "information_schema" in statement:
                server.look()
            statement = {"START TRANSACTION": "BEGIN"}.get(statement, statement)
            self.cursor.execute(statement.replace("%s", "?"), values)
            return max(self.cursor.rowcount, 0)
        return 0

    def fetchall(self) -> list[Any]:
        return self.given if self.given is not None else self.cursor.fetchall()

    def close(self) -> None:
        self.cursor.close()

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()
