"""nova's own Python 2.7 at work: its modules by name, and one connection as nova itself would open it."""

import importlib
import sys

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

KINDS_KEPT = 2000


def novas(name):
    # type: (str) -> typing.Any
    """A module of nova's own Python. By name, because this file must load where there is no nova: Salt imports it too."""
    return importlib.import_module(name)


def packets(rows, weight, limit):
    # type: (typing.Iterable[typing.Any], typing.Callable[[typing.Any], int], int) -> typing.Iterator[typing.List[typing.Any]]
    """Rows in lists that stay below ``limit`` bytes each: one statement must fit into max_allowed_packet."""
    packet, size = [], 0  # type: typing.Tuple[typing.List[typing.Any], int]
    for row in rows:
        if packet and size + weight(row) > limit:
            yield packet
            packet, size = [], 0
        packet.append(row)
        size += weight(row)
    if packet:
        yield packet


def room(kept):
    # type: (typing.Any) -> None
    """Memory stays flat even where every instance is of a kind of its own."""
    if len(kept) >= KINDS_KEPT:
        kept.clear()


def marks(values):
    # type: (typing.Sequence[typing.Any]) -> str
    return ", ".join(["%s"] * len(values))


def quoted(schema):
    # type: (str) -> str
    return "`{0}`".format(schema)


class Door(object):
    """One connection as nova itself would open it: its URL (and with it its character set), its SQL mode."""

    def __init__(self, text):
        # type: (str) -> None
        engine = novas("sqlalchemy").create_engine(text, poolclass=novas("sqlalchemy.pool").NullPool)
        self._connection = engine.raw_connection()
        self._connection.autocommit(True)
        self.rows("SET SESSION sql_mode = 'TRADITIONAL', SESSION wait_timeout = 86400")

    def rows(self, statement, values=()):
        # type: (str, typing.Sequence[typing.Any]) -> typing.Any
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement, tuple(values) or None)
            return cursor.fetchall()
        finally:
            cursor.close()

    def column(self, statement):
        # type: (str) -> typing.List[typing.Any]
        return [row[0] for row in self.rows(statement)]

    def change(self, statement, values):
        # type: (str, typing.Sequence[typing.Any]) -> int
        """Rows that the statement really changed."""
        cursor = self._connection.cursor()
        try:
            return int(cursor.execute(statement, tuple(values)))
        finally:
            cursor.close()

    def close(self):
        # type: () -> None
        self._connection.close()
