"""What a question to a live database is: a row of data. The files beside this one hold them, service by service.

In ``sql``, ``mends`` and ``remedy``: ``{db}`` is the quoted name of the service's database, ``{db_name}`` the bare one
for information_schema, ``{names}`` the bare names of all the service's databases as a list for ``IN (...)``. Nova has two:
``{main}``, ``{api}``, ``{main_name}``, ``{api_name}``. A literal per cent sign is doubled. Every statement has to work on
MySQL 5.6: no JSON functions, no window functions, no WITH.
"""

import typing

BLOCKER, WARNING, NOTE = "blocker", "warning", "info"
EVERY_SERVICE, SERVER = "", "server"
KEYSTONE, GLANCE, NOVA, CINDER, NEUTRON, HEAT = "keystone", "glance", "nova", "cinder", "neutron", "heat"

Reader = typing.Callable[[typing.Any], bool]


class Question(typing.NamedTuple):
    """One question. ``sql`` gives one line for each row that is wrong: a name for it, then statements that mend it.

    With ``reads`` the question is about texts: ``sql`` gives ``id, name, text``, a page at a time (``id > %s ... LIMIT
    1000``), and the function says whether a text is wrong. ``mends`` are statements that mend all rows at once; where
    ``{id}`` stands in them, one row each. ``source`` says how it is known: a bug's number, a release note, a
    migration. ``milliseconds`` is what each row costs later.
    """

    id: str
    service: str
    subject: str
    severity: str
    what: str
    fails: str
    remedy: str
    source: str
    sql: str = ""
    mends: typing.Tuple[str, ...] = ()
    reads: typing.Optional[Reader] = None
    milliseconds: float = 0.0


class Names(typing.NamedTuple):
    """The databases of one service, as a plan names them, and how they are written into statements."""

    service: str
    databases: typing.Tuple[str, ...]

    def words(self) -> typing.Dict[str, str]:
        """What stands for the names in curly brackets."""
        quoted = ["`{0}`".format(name.replace("`", "``")) for name in self.databases]
        words = {"names": ", ".join("'{0}'".format(name) for name in self.databases)}
        if self.service == NOVA:
            words.update(main=quoted[0], main_name=self.databases[0], api=quoted[-1], api_name=self.databases[-1])
        else:
            words.update(db=quoted[0], db_name=self.databases[0])
        return words


Finding = typing.Dict[str, typing.Any]


def finding(
    question: Question,
    names: Names,
    what: str,
    count: int,
    rows: typing.Sequence[str],
    statements: typing.Sequence[str] = (),
) -> Finding:
    """What one question has to tell; ``statements`` can be pasted into the database's client as they are."""
    return {
        "id": question.id,
        "severity": question.severity,
        "service": names.service,
        "subject": question.subject,
        "what": what,
        "remedy": question.remedy,
        "statements": list(statements),
        "source": question.source,
        "count": count,
        "rows": list(rows),
    }
