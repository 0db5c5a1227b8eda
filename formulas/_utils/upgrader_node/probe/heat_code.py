"""Heat's own column types as judges: the very processors through which SQLAlchemy hands a value of a row to heat."""

import functools
import sys

from upgrader_node.nova.door import novas
from upgrader_node.probe.kind import Kind  # noqa: F401 (in type comments)

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)


def judges(kinds):
    # type: (typing.Sequence[Kind]) -> typing.Dict[str, typing.Callable[..., typing.Any]]
    """By the word that a kind names, ``table:column,column``. Imports heat: what goes wrong here is no row's fault."""
    tables = novas("heat.db.sqlalchemy.models").BASE.metadata.tables
    dialect = novas("sqlalchemy.dialects.mysql.pymysql").dialect(dbapi=novas("pymysql"))
    found = {}  # type: typing.Dict[str, typing.Callable[..., typing.Any]]
    for kind in kinds:
        table, _, columns = kind.judge.partition(":")
        types = [tables[table].columns[name].type for name in columns.split(",")]
        processors = [one.dialect_impl(dialect).result_processor(dialect, None) for one in types]
        found[kind.judge] = functools.partial(_judge, columns.split(","), processors)
    return found


def _judge(columns, processors, *values):
    # type: (typing.Sequence[str], typing.Sequence[typing.Any], *typing.Any) -> None
    """All columns of a row; the first that heat cannot read raises."""
    for process, value in zip(processors, values):
        if value is not None:
            process(value)
