"""Taking up a migration that was cut off between two of its statements.

MySQL and MariaDB commit each schema change by itself, and a migration is several of them: after a kill the version says
that nothing was done, and the tool, called again, dies of the first change that is there already. So a small program in
front of the tool writes each change down before and after it is made, and forgets them when their version is written down. A tool
that finds such a record is in the migration that was cut off. There, and for the very statements of the record alone,
"it is there already" is taken for an answer. A difference that no attempt of ours has made is an error as ever.

A migration may look at the schema and take another way the second time. Where it thereby leaves out what it had only
begun, a key that was dropped and not yet made anew, the run ends and says so, and the version stays.
"""

import json
import os
import typing

from upgrader_node.schema.session import Session

# Runs in the tool's own (old) Python, before the tool. The first argument is the descriptor of the record.
PROGRAM = """\
import io, json, os, re, sys
from pymysql import cursors
RECORD = int(sys.argv.pop(1))
# 1050 table, 1060 column, 1061 index, 1068 primary key, 1826 and 1022 foreign key, 1005 with errno 121 the same, 1359 trigger: are there;
# 1051 table, 1091 column or key, 1360 trigger: are gone. A rename says that the old name is not known (1146 table, 1054 column).
THERE = (1050, 1060, 1061, 1068, 1826, 1022, 1005, 1051, 1091, 1146, 1054, 1359, 1360)
CHANGE = re.compile(r'^(ALTER|CREATE|DROP|RENAME) ')
KEY = re.compile(r' (FOREIGN KEY|INDEX|KEY|CONSTRAINT|PRIMARY KEY) |^(CREATE|DROP) (UNIQUE )?INDEX ')
TABLE = re.compile(r'^ALTER TABLE (\\S+)|^(?:CREATE|DROP) (?:UNIQUE )?INDEX .* ON (\\S+)')
VERSION = re.compile(r'^(UPDATE|INSERT INTO) (MIGRATE_VERSION|ALEMBIC_VERSION)', re.I)
os.lseek(RECORD, 0, 0)
lines = io.open(RECORD, encoding='utf-8', closefd=False).read().splitlines()
HEADER = len(lines[0].encode('utf-8')) + 1
items = [json.loads(line) for line in lines[1:]]
cut = [item['change'] for item in items if 'change' in item]
unsure = cut[-1:] if items and 'change' in items[-1] else []
seen, dropped = set(), set()
def words(query):
    text = query.decode('utf-8', 'replace') if isinstance(query, (bytes, bytearray)) else query
    return ' '.join(text.split())
def table(text):
    found = TABLE.match(text)
    return found and (found.group(1) or found.group(2)).strip('`(')
def drops(text):
    return ' DROP ' in text and KEY.search(text) or text.startswith('DROP INDEX')
def adds(text):
    return ' ADD ' in text and KEY.search(text) or text.startswith(('CREATE INDEX', 'CREATE UNIQUE'))
def begun():
    for number, text in enumerate(cut):
        if drops(text) and text not in seen and table(text) not in dropped and 'DROP TABLE ' + str(table(text)) not in seen:
            if not [later for later in cut[number + 1:] if adds(later) and table(later) == table(text)]:
                return text
def write(item):
    os.lseek(RECORD, 0, 2)
    os.write(RECORD, json.dumps(item).encode('ascii') + b'\\n')
    os.fsync(RECORD)
def forget(size=HEADER):
    os.ftruncate(RECORD, size)
    os.fsync(RECORD)
def execute(self, query, args=None):
    text = words(query)
    if VERSION.match(text):
        left = begun()
        if left:
            raise RuntimeError('upgrader: what began with this was not gone on with: ' + left[:200])
        found = plain_execute(self, query, args)
        del cut[:]
        forget()
        return found
    if not CHANGE.match(text.upper()):
        return plain_execute(self, query, args)
    known = text in cut
    seen.add(text)
    if known and adds(text) and text not in unsure and table(text) not in dropped:
        return forgiven(self, text)
    size = os.lseek(RECORD, 0, 2)
    write({'change': text})
    try:
        found = plain_execute(self, query, args)
    except Exception as error:
        if not (known and error.args and error.args[0] in THERE):
            forget(size)
            raise
        write({'done': True})
        return forgiven(self, text)
    write({'done': True})
    if drops(text):
        dropped.add(table(text))
    return found
def forgiven(cursor, text):
    sys.stderr.write('upgrader: was done before it was cut off: ' + text[:200] + '\\n')
    cursor.rowcount, cursor.description = 0, None
    return 0
plain_execute = cursors.Cursor.execute
cursors.Cursor.execute = execute
"""


def path(session: Session) -> str:
    """The record of a service's copy on this node; root's alone, the tool has it as an open file."""
    return session.lock_file + ".record"


def _header(session: Session, phase: str) -> str:
    """What names one attempt: the phase, and the copy by the moment in which its table of versions was made."""
    statement = (
        "SELECT MIN(create_time) FROM information_schema.tables WHERE table_schema = %s"
        " AND table_name IN ('migrate_version', 'alembic_version')"
    )
    made = str(session.scalar(statement, (session.database,)))
    return json.dumps({"phase": phase, "database": session.database, "made": made}, sort_keys=True) + "\n"


def _marks_path(session: Session) -> str:
    return path(session) + ".gone-on"


def mark_gone_on(session: Session, phase: str) -> None:
    """Remember, with the copy it is true of, that a migration was gone on with in the middle."""
    with os.fdopen(os.open(_marks_path(session), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as opened:
        opened.write(_header(session, phase))
        opened.flush()
        os.fsync(opened.fileno())


def gone_on(session: Session) -> typing.List[str]:
    """Phases of this very copy that were cut off between two schema changes and gone on with.

    Nobody can prove that what came of it is what an undisturbed upgrade makes: killed on purpose at every change, some
    phases ended with an index more or less, and their tools were content.
    """
    try:
        with open(_marks_path(session), encoding="utf-8") as opened:
            lines = opened.read().splitlines(True)
    except FileNotFoundError:
        return []
    phases = [json.loads(line)["phase"] for line in lines if line.endswith("\n")]
    return sorted({phase for phase in phases if _header(session, phase) in lines})


def open_record(session: Session, phase: str) -> typing.Tuple[typing.IO[str], bool]:
    """The open record, and whether an earlier attempt at the same phase of the same copy was cut off in a migration."""
    header = _header(session, phase)
    opened = os.fdopen(os.open(path(session), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+", encoding="utf-8")
    lines = opened.readlines()
    whole = [line for line in lines if line.endswith("\n")]
    if not whole or whole[0] != header:
        whole = [header]
    opened.seek(0)
    opened.truncate()
    opened.writelines(whole)
    opened.flush()
    os.fsync(opened.fileno())
    return opened, len(whole) > 1
