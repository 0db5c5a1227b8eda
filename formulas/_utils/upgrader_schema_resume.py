"""Taking up a migration that was cut off between two of its statements.

MySQL and MariaDB commit each schema change by itself, and a migration is several of them: after a kill the version says
that nothing was done, and the tool, called again, dies of the first change that is there already. So a note says which
phase had begun on which copy, and a run that finds its own note goes through a small program that takes "it is there
already" for an answer, until the first version is written down. From there on, and without a note, nothing is forgiven:
a difference that no run of ours has made is an error.
"""

import json
import os
import typing

from upgrader_schema_session import Session

FORGIVEN = "upgrader: was done before it was cut off: "
# Runs in the tool's own (old) Python, before the tool.
PROGRAM = """\
import sys
from pymysql import cursors
# 1050 table, 1060 column, 1061 index, 1068 primary key, 1826 and 1022 foreign key, 1005 with errno 121 the same: are there;
# 1051 table, 1091 column or key: are gone. A rename says that the old name is not known (1146 table, 1054 column).
THERE = (1050, 1060, 1061, 1068, 1826, 1022, 1051, 1091)
state = {'cut': True}
plain = cursors.Cursor.execute
def words(query):
    text = query.decode('utf-8', 'replace') if isinstance(query, bytes) else query
    return ' '.join(text.split())
def done(code, said, text):
    upper = text.upper()
    if not upper.startswith(('ALTER TABLE', 'CREATE ', 'DROP ', 'RENAME TABLE')):
        return False
    renamed = ' RENAME ' in upper or upper.startswith('RENAME')
    return code in THERE or (code == 1005 and 'errno: 121' in said) or (code == 1146 and renamed) \
        or (code == 1054 and ' CHANGE ' in upper)
def execute(self, query, args=None):
    text = words(query)
    try:
        found = plain(self, query, args)
    except Exception as error:
        code = error.args[0] if error.args else None
        if not (state['cut'] and done(code, str(error), text)):
            raise
        sys.stderr.write('FORGIVEN' + text[:200] + '\\n')
        self.rowcount, self.description = 0, None
        return 0
    if text.upper().startswith(('UPDATE MIGRATE_VERSION', 'UPDATE ALEMBIC_VERSION', 'INSERT INTO ALEMBIC_VERSION')):
        state['cut'] = False
    return found
cursors.Cursor.execute = execute
""".replace("FORGIVEN", FORGIVEN)


def _path(session: Session) -> str:
    return session.lock_file + ".begun"


def _note(session: Session, phase: str) -> typing.Dict[str, str]:
    """What names one attempt: the phase, and the copy by the moment in which its table of versions was made."""
    statement = (
        "SELECT MIN(create_time) FROM information_schema.tables WHERE table_schema = %s"
        " AND table_name IN ('migrate_version', 'alembic_version')"
    )
    return {"phase": phase, "database": session.database, "made": str(session.scalar(statement, (session.database,)))}


def begin(session: Session, phase: str) -> bool:
    """Write the note; whether an earlier attempt at the same phase of the same copy had left it."""
    note, path = _note(session, phase), _path(session)
    try:
        with open(path, encoding="utf-8") as opened:
            left = json.load(opened) == note
    except (OSError, ValueError):
        left = False
    with open(path + ".new", "w", encoding="utf-8") as opened:
        json.dump(note, opened)
        opened.flush()
        os.fsync(opened.fileno())
    os.rename(path + ".new", path)
    return left


def end(session: Session) -> None:
    """The phase has come to an end of its own: nothing is to be forgiven to the next."""
    try:
        os.unlink(_path(session))
    except FileNotFoundError:
        pass
