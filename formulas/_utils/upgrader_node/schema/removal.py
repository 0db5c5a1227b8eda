"""Rows that a phase removes: each by its id, after a look, and what else was there is counted before and after.

The tools name rows otherwise. ``cinder-manage service remove`` takes binary and host and removes the first that fits; where
the host is empty it does not ask for one, and another service's row goes (cinder 10 cmd/manage.py ``ServiceCommands.remove``,
db/sqlalchemy/api.py ``service_get``). ``heat-manage service clean`` takes whatever is down at its own moment (heat
cmd/manage.py ``service_clean``). So a row is marked as the service's own code marks it, and no other.
"""

import typing

from upgrader_node.database import sql
from upgrader_node.host.findings import some
from upgrader_node.schema.session import Done, Session, demand


class Kind(typing.NamedTuple):
    """Rows of one table: ``live`` tells those that count, ``mark`` removes one, ``name`` is what people call it (all SQL)."""

    word: str
    table: str
    live: str
    mark: str
    name: str


Names = typing.Dict[str, str]


def live(session: Session, kind: Kind, which: str = "1 = 1") -> Names:
    """The names of live rows by id; ``which`` (SQL) chooses among them."""
    statement = "SELECT id, {0} FROM {{db}}.{1} WHERE {2} AND {3} ORDER BY id"
    found = session.rows(statement.format(kind.name, sql.identifier(kind.table), kind.live, which))
    return {str(identity): "{0} {1}".format(identity, name or "").strip() for identity, name in found}


def remove(session: Session, kind: Kind, named: Names) -> Done:
    """Remove what ``named`` names. StepError when one of them is no single row any more, or when anything else went too."""
    before = live(session, kind)
    for identity, name in named.items():
        _one(session, kind, identity, name)
    after = live(session, kind)
    _demand_others(kind, {each: before[each] for each in before if each not in named and each not in after}, named)
    rest = len(before) - len(named)
    words = "{0} {1}(s) removed by id: {2}; {3} other(s) stay"
    return Done(words.format(len(named), kind.word, some(list(named.values())), rest))


def _one(session: Session, kind: Kind, identity: str, name: str) -> None:
    session.connection.demand_lock()
    statement = "UPDATE {{db}}.{0} SET {1} WHERE id = %s AND {2}"
    count = session.change(statement.format(sql.identifier(kind.table), kind.mark, kind.live), (identity,))
    words = "{0} {1} was to be removed by its id, and {2} row(s) went; look at table {3}, then run the phase again"
    demand(count == 1, words.format(kind.word, name, count, kind.table))


def _demand_others(kind: Kind, gone: Names, named: Names) -> None:
    words = (
        "{0} {1}(s) were to be removed ({2}), and {3} more are gone that nobody named: {4};"
        " look who else writes into table {5}, and fill the copy again (for a production database, restore the backup)"
    )
    demand(
        not gone,
        words.format(
            len(named), kind.word, some(list(named.values())), len(gone), some(list(gone.values())), kind.table
        ),
    )
