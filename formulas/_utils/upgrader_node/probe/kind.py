"""Rows that only a service's own code can judge: what one kind of them is, and the statements that read it page by page.

Read by a service's own Python (2.7 too) on a copy, and by Salt's on the live databases; so there is nothing of either here.
In ``tables``, ``where`` and ``mend``: ``{db}`` stands for the service's database, quoted, and nova's ``{main}`` and ``{api}``.
Only plain SELECTs, which lock nothing, and nothing that MySQL 5.6 has not.
"""

import collections
import hashlib
import json
import re
import sys

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

BLOCKER, WARNING = "blocker", "warning"
TEXT = (str, type(u""))  # fmt: skip
# What takes the place of a row's own uuid and project: of the same shape, so that the code judges it in the same way.
ITSELF, OWNER = "5afe0000-0000-4000-8000-00000000c0de", "5afe00000000400080000000000000de"
_UUID = re.compile(r"^[0-9a-f]{8}(-?)[0-9a-f]{4}(-?[0-9a-f]{4}){2}-?[0-9a-f]{12}$")

_Kind = collections.namedtuple(
    "_Kind",
    "id service subject severity what fails remedy source judge tables where key name values own mend secret joined first"
    " page",
)


class Kind(_Kind):
    """``values`` are the columns that ``judge``, a word of the service's own code here, is given.

    ``key`` orders the rows and ``first`` is below every one of them; ``name`` is what a row is told by; ``own`` may stand in the
    values as well (a project's id). ``secret``: the values may hold passwords, so they never leave the machine that reads them.
    ``joined`` is a table of keys and values by ``instance_uuid``, all of one row's as its one value. ``page`` is rows read at once.
    """

    def __new__(cls, **given):
        # type: (typing.Any) -> "Kind"
        usual = {
            "own": "NULL",
            "mend": "",
            "secret": False,
            "joined": "",
            "first": 0,
            "page": 1000,
            "severity": BLOCKER,
        }
        return super(Kind, cls).__new__(cls, **dict(usual, **given))

    def counting(self, words):
        # type: (typing.Mapping[str, str]) -> str
        """The statement that says how many rows there are."""
        return self._written("SELECT COUNT(*) FROM {tables} WHERE {where}", words)

    def boundary(self, words, after):
        # type: (typing.Mapping[str, str], int) -> str
        """The statement that gives the key of the row so many rows after another's."""
        statement = "SELECT {key} FROM {tables} WHERE {where} AND {key} > %s ORDER BY {key} LIMIT 1 OFFSET "
        return self._written(statement, words) + str(after - 1)

    def select(self, words, until=False):
        # type: (typing.Mapping[str, str], bool) -> str
        """The statement for a page: key, name, own, values of the rows after a key, and up to another where ``until``."""
        values = ", ".join(self.values) or "NULL"
        end = " AND {key} <= %s" if until else ""
        statement = "SELECT {key}, {name}, {own}, " + values + " FROM {tables} WHERE {where} AND {key} > %s" + end
        return self._written(statement + " ORDER BY {key} LIMIT ", words) + str(self.page)

    def mending(self, words, key):
        # type: (typing.Mapping[str, str], typing.Any) -> str
        """The statement that mends one row, or "" where only a person can tell how."""
        named = str(key) if isinstance(key, int) else "'{0}'".format(str(key).replace("'", "''"))
        return self.mend.format(key=named, **words) if self.mend else ""

    def _written(self, statement, words):
        # type: (str, typing.Mapping[str, str]) -> str
        parts = {"key": self.key, "name": self.name, "own": self.own}
        parts.update(tables=self.tables.format(**words), where=self.where.format(**words))
        return statement.format(**parts)


Row = collections.namedtuple("Row", "key name values")


def rows_after(ask, kind, words, after, until=None):
    # type: (typing.Callable[[str, typing.Any], typing.Any], Kind, typing.Mapping[str, str], typing.Any, typing.Any) -> typing.List[Row]
    """One page; ``ask`` runs a statement. A row's own uuid and project are replaced, so that equal rows have equal values."""
    limits = (after,) if until is None else (after, until)
    found = ask(kind.select(words, until is not None), limits)
    if not kind.joined or not found:
        return [
            Row(key, name, plain(values, name, own))
            for key, name, own, values in ((r[0], r[1], r[2], r[3:]) for r in found)
        ]
    gathered = _gathered(ask, kind, words, [row[1] for row in found])
    return [Row(row[0], row[1], (json.dumps(gathered.get(row[1], {}), sort_keys=True),)) for row in found]


def _gathered(ask, kind, words, names):
    # type: (typing.Callable[[str, typing.Any], typing.Any], Kind, typing.Mapping[str, str], typing.Sequence[typing.Any]) -> typing.Dict[typing.Any, typing.Dict[str, typing.Any]]
    statement = "SELECT instance_uuid, `key`, value FROM {0} WHERE instance_uuid IN ({1}) ORDER BY id".format(
        kind.joined.format(**words), ", ".join(["%s"] * len(names))
    )
    gathered = {}  # type: typing.Dict[typing.Any, typing.Dict[str, typing.Any]]
    for name, key, value in ask(statement, tuple(names)):
        gathered.setdefault(name, {})[key] = value
    return gathered


def plain(values, name, own):
    # type: (typing.Sequence[typing.Any], typing.Any, typing.Any) -> typing.Tuple[typing.Any, ...]
    """Values without what is a row's own. Only ids of the usual form: of another one nobody knows what it would do to the text."""
    for mine, instead in ((name, ITSELF), (own, OWNER)):
        if isinstance(mine, TEXT) and _UUID.match(mine) and len(mine) == len(instead):
            values = [value.replace(mine, instead) if type(value) in TEXT else value for value in values]
    return tuple(values)


def digest(values):
    # type: (typing.Sequence[typing.Any]) -> bytes
    """Equal for equal values; a text of megabytes is remembered by twenty bytes."""
    made = hashlib.sha1()
    for value in values:
        octets = value if isinstance(value, bytes) else "{0}".format(value).encode("utf-8")
        made.update("{0} {1} ".format(type(value).__name__, len(octets)).encode("ascii") + octets)
    return made.digest()


def words_of(databases):
    # type: (typing.Sequence[str]) -> typing.Dict[str, str]
    """What stands for the names in curly brackets: nova has two databases, the others one."""
    names = ["`{0}`".format(name.replace("`", "``")) for name in databases]
    return {"db": names[0], "main": names[0], "api": names[-1]}
