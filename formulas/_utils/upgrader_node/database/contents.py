"""What every table held at one moment: rows and CHECKSUM TABLE, read in one transaction's view.

The moment is that of the backup. Shortly before its end a backup tool keeps the server from committing anything; a
transaction opened meanwhile sees exactly what the backup holds, and keeps seeing it after the server goes on. So the
backup can be compared with its source table by table, however much is written.
"""

import threading
import typing

from upgrader_node.database import freeze, galera, sql
from upgrader_node.errors import StepError

SYSTEM = ("mysql", "sys", "information_schema", "performance_schema")
SNAPSHOT = ("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT")
PATIENCE = 10  # seconds that the server's commits may wait for the view; it takes milliseconds

Contents = typing.Dict[str, typing.Dict[str, typing.Dict[str, typing.Any]]]


class ContentsLost(StepError):
    """The contents of that moment cannot be had any more; the message says why."""


class Moment:
    """Opens a view of the server at the moment in which the backup tool, whose words are watched, lets nothing commit."""

    def __init__(self, connection: typing.Any, errors: typing.Tuple[typing.Any, ...]) -> None:
        """``errors`` are what the connection's driver raises (``database.connection.errors``)."""
        self._connection = connection
        self._errors = errors
        self._said = False
        self._held = False
        self._late = False
        self._thawed = False
        self._moved = False
        self._failure = ""
        self._seqno = None  # type: typing.Optional[int]

    def watch(self, read: typing.Callable[[], bytes], ready: typing.Callable[[], bool]) -> None:
        """Read the tool's words to their end, and open the view when they say that commits are blocked.

        :param read: the next words, empty at the end
        :param ready: whether more words wait to be read
        """
        said = freeze.wait(read)
        self._said, self._held = said is not None, said is not None and said.held
        if said is not None and said.held:
            self._open_in_time()
            # What was said until now, and no more: the tool goes on as soon as it is listened to.
            self._thawed = bool(freeze.THAWED.search(said.rest + (read() if ready() else b"")))

    def _open_in_time(self) -> None:
        """While the tool is not listened to it waits, and so does every commit: never longer than ``PATIENCE``."""
        opener = threading.Thread(target=self._open, daemon=True)
        opener.start()
        opener.join(PATIENCE)
        self._late = opener.is_alive()

    def _open(self) -> None:
        try:
            before = galera.position(self._connection)
            for statement in SNAPSHOT:
                galera.run(self._connection, statement)
            self._seqno = galera.position(self._connection)
        except self._errors as error:  # in a thread of its own: ``judge`` tells it to the one who waits for the answer
            self._failure = "{}: {}".format(type(error).__name__, error)
            return
        self._moved = before != self._seqno

    def judge(self, words: str) -> typing.Optional[int]:
        """The seqno of the view (None without Galera), when it is proven to be the backup's. Raises ContentsLost.

        :param words: all that the tool said; a mariabackup of a Galera node names the seqno itself
        """
        if not self._said:
            raise ContentsLost("the backup tool never said that it had stopped commits")
        if not self._held:
            raise ContentsLost(
                "the backup tool took a lock that lets InnoDB commit, so nothing says what the backup holds: it must run "
                "with --no-backup-locks"
            )
        if self._late:
            raise ContentsLost(
                "no view of the server could be opened within {} s; commits waited for it".format(PATIENCE)
            )
        if self._failure:
            raise ContentsLost("no view of the server could be opened beside the backup ({})".format(self._failure))
        said = freeze.POSITION.search(words)
        if said and self._seqno is not None:
            if int(said.group(1)) != self._seqno:
                raise ContentsLost(
                    "the view opened at seqno {} and the backup ended at {}; try again".format(
                        self._seqno, said.group(1)
                    )
                )
        elif self._thawed or self._moved:
            raise ContentsLost("the view opened after the backup had let the server go on; try again")
        return self._seqno


def user_databases(connection: typing.Any) -> typing.List[str]:
    """Every database that is not the server's own, sorted."""
    statement = "SELECT schema_name FROM information_schema.schemata ORDER BY schema_name"
    return [name for (name,) in sql.rows(connection, statement) if name not in SYSTEM]


def take(connection: typing.Any, databases: typing.Optional[typing.Iterable[str]] = None) -> Contents:
    """``{database: {table: {"rows", "checksum"}}}`` as this connection's transaction sees it.

    Tables of other engines than InnoDB know no view: their rows and checksum are None, and nobody compares them.
    """
    names = user_databases(connection) if databases is None else databases
    return {
        name: {table: _table(connection, name, table, engine) for table, engine in _tables(connection, name)}
        for name in names
    }


def _tables(connection: typing.Any, database: str) -> typing.List[typing.Tuple[str, str]]:
    statement = "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE' ORDER BY table_name"
    return [(str(name), str(engine)) for name, engine in sql.rows(connection, statement, (database,))]


def _table(connection: typing.Any, database: str, table: str, engine: str) -> typing.Dict[str, typing.Any]:
    if engine != "InnoDB":
        return {"rows": None, "checksum": None}
    name = "{}.{}".format(sql.identifier(database), sql.identifier(table))
    rows = sql.scalar(connection, "SELECT COUNT(*) FROM {}".format(name))
    checksum = sql.rows(connection, "CHECKSUM TABLE {} EXTENDED".format(name))[0][1]
    if checksum is None:
        raise ContentsLost(
            "table {}.{} cannot be read; a schema change beside the backup does that".format(database, table)
        )
    return {"rows": int(rows), "checksum": int(checksum)}


def differences(expected: Contents, taken: Contents, databases: typing.Mapping[str, str]) -> typing.List[str]:
    """One phrase for every table that is not what it should be.

    :param databases: name in ``taken`` to name in ``expected``
    """
    wrong = []
    for here, there in sorted(databases.items()):
        for table, wanted in sorted(expected.get(there, {}).items()):
            got = taken.get(here, {}).get(table)
            if got is None:
                wrong.append("{}.{} is missing".format(here, table))
            elif wanted["checksum"] is not None and got != wanted:
                wrong.append(_phrase(here, table, wanted, got))
        for table in sorted(set(taken.get(here, {})) - set(expected.get(there, {}))):
            wrong.append("{}.{} is not in the backup".format(here, table))
    return wrong


def _phrase(
    database: str, table: str, wanted: typing.Mapping[str, typing.Any], got: typing.Mapping[str, typing.Any]
) -> str:
    if wanted["rows"] != got["rows"]:
        return "{}.{} has {} rows, not {}".format(database, table, got["rows"], wanted["rows"])
    return "{}.{} has another checksum".format(database, table)
