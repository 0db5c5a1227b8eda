"""Clone databases on the production server: made under names of their own, filled from a proven backup, owned by the ledger.

``Admin`` is the account that may create them. Everything that changes clones holds ``lock.CLONES``.
"""

import os
import shutil
import tempfile
import typing

from upgrader_node.backup import prepared, scratch
from upgrader_node.clone import ledger, tablespaces
from upgrader_node.database import accounts, connection, local_server, sql
from upgrader_node.errors import StepError
from upgrader_node.host import findings, pipeline

LOAD = ("mariadb", "mysql")
DUMP_OPTIONS = (
    "--single-transaction",
    "--quick",
    "--hex-blob",
    "--skip-triggers",
    "--no-create-info",
    "--skip-comments",
)
USUAL = "utf8", "utf8_general_ci"
SUFFIX = "_upgrade"
REMEDY = "rename or drop it yourself if it is not needed"
Users = typing.Mapping[str, typing.Sequence[typing.Mapping[str, typing.Any]]]
Answer = typing.Dict[str, typing.Any]


class Admin(typing.NamedTuple):
    """The driver's module, and the account of ``settings.admin``. ``repr`` shows no password."""

    driver: typing.Any
    account: typing.Mapping[str, typing.Any]

    def __repr__(self) -> str:
        return "Admin({}@{})".format(self.account.get("user"), self.account.get("host"))

    def connect(self) -> typing.Any:
        """A fresh connection. Raises ``database.connection.ConnectionRefused``."""
        return connection.admin(self.driver, self.account)


def check_source(admin: Admin, versions: typing.Mapping[str, sql.Wanted]) -> Answer:
    """Whether the source databases are there and at the release the upgrade starts from."""
    wrong = []  # type: findings.Findings
    with admin.connect() as session:
        for database, wanted in sorted(versions.items()):
            marks = sql.marks(session, database)
            if not sql.stands_at(marks, wanted):
                there = sql.schema_exists(session, database)
                wrong.append(_not_at(database, marks.shown() if there else None, _shown(wanted)))
    said = ", ".join("{} at {}".format(name, _shown(wanted)) for name, wanted in sorted(versions.items()))
    return {"comment": said, "findings": wrong}


def _shown(wanted: sql.Wanted) -> str:
    return sql.Marks(wanted, ()).shown() if isinstance(wanted, dict) else str(wanted)


def _not_at(database: str, stands: typing.Optional[str], wanted: str) -> typing.Dict[str, typing.Any]:
    if stands is None:
        what = "database {} is not there".format(database)
    else:
        what = "database {} is at schema version {}".format(database, stands)
    return findings.finding(
        database,
        "{}, and the upgrade starts from {}".format(what, wanted),
        "bring it to the source release first, or correct the database name in the model",
    )


def check_names(admin: Admin, names: typing.Sequence[str]) -> Answer:
    """Whether databases of these names are there that this tool did not make."""
    with admin.connect() as session, session.cursor() as cursor:
        foreign = ledger.foreign(cursor, names)
    what = "database {} is there and was not made by upgrader"
    wrong = [findings.finding(name, what.format(name), REMEDY) for name in foreign]
    return {"comment": "free: {}".format(", ".join(names)), "findings": wrong}


def create(admin: Admin, run: str, users: Users, like: typing.Mapping[str, str]) -> Answer:
    """Create empty clones and open each to its ``users``; one of an earlier run is dropped and made anew.

    :param like: name of the clone to name of the database whose character set and collation it gets
    """
    odd = [name for name in users if SUFFIX not in name]
    if odd:
        raise StepError("{} is no clone's name: a clone has {} in its name".format(", ".join(odd), SUFFIX))
    with admin.connect() as session, session.cursor() as cursor:
        foreign = ledger.foreign(cursor, users)
        if foreign:
            what = "database {} is there and was not made by upgrader: {}"
            raise StepError(what.format(", ".join(foreign), REMEDY))
        for name in users:
            _make_empty(cursor, name, run, defaults(session, like.get(name)))
            for user in users[name]:
                accounts.open_database(cursor, name, user["name"], user.get("host", "%"), user["password"])
    return {"comment": "created {}".format(", ".join(users)), "changed": True}


def drop(admin: Admin, run: str) -> Answer:
    """Drop the clones that ``run`` made, exactly those that the ledger names."""
    with admin.connect() as session, session.cursor() as cursor:
        names = sorted(clone.name for clone in ledger.read(cursor).values() if clone.run == run)
        for name in names:
            cursor.execute("DROP DATABASE IF EXISTS {}".format(sql.identifier(name)))
            ledger.forget(cursor, name)
    return {"comment": "dropped {}".format(", ".join(names) or "nothing"), "changed": bool(names)}


def fill(admin: Admin, store: str, receipt: str, clones: typing.Mapping[str, str], timeout: float) -> Answer:
    """Copy by dump and load from the backup's scratch server. Hold ``lock.STORE`` as well.

    :param clones: name of the clone to name of the database in the backup
    """
    if not clones:
        return {"comment": "nothing to copy, all are filled by tablespaces", "changed": False}
    folder = prepared.of_proven(store, receipt, timeout)
    copied = []
    with admin.connect() as session, session.cursor() as cursor, scratch.server(folder, admin.driver) as held:
        ledger.require(cursor, sorted(clones), receipt)
        known, program = ledger.read(cursor), _program(local_server.dump_programs(held))
        for clone in sorted(name for name in clones if not known[name].filled):
            _make_empty(cursor, clone, receipt, defaults(held, clones[clone]))
            _make_tables(admin, clone, tablespaces.definitions(held, clones[clone]))
            _copy(folder, clones[clone], admin, clone, program, timeout)
            ledger.mark_filled(cursor, clone)
            copied.append(clone)
    return {"comment": "filled {}".format(", ".join(copied) or "nothing, all were full"), "changed": bool(copied)}


def _make_tables(admin: Admin, clone: str, made: tablespaces.Definitions) -> None:
    """The same tables as by the other way; nothing of a database but its tables is copied (``clone.alone``)."""
    with admin.connect() as session:
        tablespaces.begin(session, clone)
        tablespaces.make_all(session, made)


def _copy(folder: str, source: str, admin: Admin, clone: str, program: str, timeout: float) -> None:
    """Rows from the scratch server straight into the clone's tables. The password is in a file, not in an argument."""
    account = admin.account
    dump = [program, "--no-defaults", "--socket=" + scratch.socket_path(folder), "--user=root"]
    with tempfile.TemporaryDirectory(prefix="upgrader-clone-") as private:
        path = os.path.join(private, "client.cnf")
        options = local_server.option_file(path, account["user"], account["password"])
        load = [_program(LOAD), "--defaults-file=" + options, "--host=" + account["host"]]
        load += ["--port={}".format(account.get("port", 3306)), clone]
        ended = pipeline.run([dump + list(DUMP_OPTIONS) + [source], load], timeout=timeout)
    cause = pipeline.first_cause(ended)
    if cause is not None:
        raise StepError("{} could not be copied to {}: {}".format(source, clone, pipeline.describe(cause)))


def defaults(session: typing.Any, source: typing.Optional[str]) -> typing.Tuple[str, str]:
    """Character set and collation of new tables in a database: migrations that name none get them (LP 2084562)."""
    statement = "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = %s"
    if not source:
        return USUAL
    found = sql.rows(session, statement, (source,))
    if not found:
        raise StepError("database {} is not there, so nobody knows the character set of its clone".format(source))
    return str(found[0][0]), str(found[0][1])


def _make_empty(cursor: typing.Any, name: str, run: str, defaults: typing.Tuple[str, str]) -> None:
    """Drop a clone of ours, if it is there, and create it empty. The ledger is written first."""
    ledger.claim(cursor, name, run)
    cursor.execute("DROP DATABASE IF EXISTS {}".format(sql.identifier(name)))
    cursor.execute("CREATE DATABASE {} CHARACTER SET {} COLLATE {}".format(sql.identifier(name), *defaults))


def _program(names: typing.Sequence[str]) -> str:
    for path in filter(None, map(shutil.which, names)):
        return path
    raise StepError("no {} on the backup node: install the mariadb client there".format(" or ".join(names)))
