"""Databases that the target release adds to production, made empty and opened to whoever has the one beside them.

``Admin`` is the account that may create them (``clone.clones``). The receipt says which ones a run made, and is on disk before
one is; a database of that name that somebody else filled is refused. Hold ``lock.CLONES`` meanwhile.
"""

import os
import re
import typing

from upgrader_node.clone.clones import Admin, defaults
from upgrader_node.database import galera, sql
from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.host.findings import some

FOLDER = "/var/lib/upgrader/databases"
_GRANT = re.compile(
    r"^GRANT (?P<rights>[A-Z ,]+) ON `(?P<database>(?:[^`]|``)+)`\.\* TO .*?(?P<option> WITH GRANT OPTION)?$"
)
_ACCOUNTS = "SELECT DISTINCT user, host FROM mysql.db WHERE db IN (%s, %s) AND user <> '' ORDER BY user, host"
Names = typing.Mapping[str, str]
Answer = typing.Dict[str, typing.Any]


class Grant(typing.NamedTuple):
    """What an account may do with one database."""

    user: str
    host: str
    rights: str
    option: str = ""

    def __str__(self) -> str:
        return "'{}'@'{}'".format(self.user, self.host)


def create(
    admin: Admin, run: str, names: typing.Sequence[str], like: Names, grants: Names, folder: str = FOLDER
) -> Answer:
    """Make the databases that are not there, empty, and give every account of the one beside each the same rights.

    :param like: new name to name of the database whose character set and collation it gets; utf8 for others
    :param grants: new name to name of the database whose accounts get it
    """
    where = os.path.join(folder, records.plain(run) + ".json")
    with admin.connect() as session:
        held = {name: sql.table_names(session, name) for name in names if sql.schema_exists(session, name)}
        receipt = _refuse_filled(where, run, held)
        made = [name for name in names if name not in held]
        _intend(where, receipt, made)
        for name in made:
            _make(session, name, defaults(session, like.get(name)))
        given = [one for name in names if name in grants for one in _open(session, name, grants[name])]
    words = "made: {}".format(some(made) or "none, all were there")
    return {
        "comment": "{}; opened to {}".format(words, some(given, 10)) if given else words,
        "changed": bool(made or given),
        "made": made,
        "receipt": where,
    }


def _refuse_filled(where: str, run: str, held: typing.Mapping[str, typing.Sequence[str]]) -> records.Receipt:
    """The receipt so far. Raises StepError for databases that hold tables which are not of this run's making."""
    receipt = records.read(where, "look which of the databases it made") or {"run": run, "made": []}
    filled = sorted(name for name, tables in held.items() if tables and name not in receipt["made"])
    if filled:
        what = "database {} is there with tables in it, and this run did not make it: find out whose it is, and rename or drop it"
        raise StepError(what.format(", ".join(filled)))
    return receipt


def _intend(where: str, receipt: records.Receipt, made: typing.Sequence[str]) -> None:
    os.makedirs(os.path.dirname(where), mode=0o700, exist_ok=True)
    records.write(where, dict(receipt, made=sorted({*receipt["made"], *made})))


def _make(session: typing.Any, name: str, usual: typing.Tuple[str, str]) -> None:
    """``IF NOT EXISTS`` for another one who made it a moment ago; it is judged by what is there."""
    statement = "CREATE DATABASE IF NOT EXISTS {} CHARACTER SET {} COLLATE {}"
    galera.run(session, statement.format(sql.identifier(name), *usual))
    if not sql.schema_exists(session, name):
        raise StepError("database {} was created without a complaint and is not there".format(name))


def grants_of(session: typing.Any, database: str) -> typing.List[Grant]:
    """Who has which rights on a database, as the server itself says it; rights on all databases need no second grant."""
    pattern = database.replace("_", "\\_")
    found = []
    for user, host in sql.rows(session, _ACCOUNTS, (database, pattern)):
        for row in sql.rows(session, "SHOW GRANTS FOR %s@%s", (user, host)):
            match = _GRANT.match(str(row[0]))
            if match and match.group("database") in (database, pattern):
                found.append(Grant(user, host, match.group("rights"), match.group("option") or ""))
    return found


def _open(session: typing.Any, name: str, beside: str) -> typing.List[str]:
    """Give rights that are not there yet; whom, as phrases. ``_`` stands for any character in a grant, so it is escaped.

    No password is named: the accounts are there, and keep theirs.
    """
    wanted, there = grants_of(session, beside), grants_of(session, name)
    if not wanted:
        raise StepError("nobody has rights on database {}: name one that the service works with".format(beside))
    missing = [one for one in wanted if one not in there]
    for one in missing:
        statement = "GRANT {} ON {}.* TO %s@%s{}"
        pattern = sql.identifier(name).replace("_", "\\_")
        sql.change(session, statement.format(one.rights, pattern, one.option), (one.user, one.host))
    left = [str(one) for one in missing if one not in grants_of(session, name)]
    if left:
        raise StepError("database {} was granted to {} without a complaint and is not".format(name, some(left)))
    return ["{} for {}".format(name, one) for one in missing]


def counts(admin: Admin, names: typing.Sequence[str]) -> Answer:
    """The rows of every table, as ``upgrader_schema.verify(expected=...)`` takes them; after all that was written anywhere."""
    with admin.connect() as session:
        settled(session)
        missing = [name for name in names if not sql.schema_exists(session, name)]
        if missing:
            raise StepError("database {} is not there: correct the names in the model".format(", ".join(missing)))
        counted = sql.table_counts(session, names)
    total = sum(table["total"] or 0 for tables in counted.values() for table in tables.values())
    return {"comment": "{} rows in {} databases".format(total, len(counted)), "counts": counted}


def settled(session: typing.Any) -> None:
    """What this session reads is what the whole cluster has written by then; a server that stands alone knows no such thing."""
    if sql.variable(session, "wsrep_sync_wait") is not None:
        galera.run(session, galera.SETTLED_READS)
