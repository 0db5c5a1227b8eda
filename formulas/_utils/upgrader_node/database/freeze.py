"""What the backup tools say about the moment in which they let nobody commit, and in which order.

Percona's xtrabackup 2.3 and 2.4, streaming, with ``--galera-info`` (storage/innobase/xtrabackup/src of its branch 2.4:
backup_copy.cc backup_start and backup_finish, backup_mysql.cc lock_tables_maybe, write_galera_info and unlock_all):

1. the InnoDB files, meanwhile every second ``>> log scanned up to (LSN)`` from a thread of its own;
2. ``Executing FLUSH NO_WRITE_TO_BINLOG TABLES...``, then ``Executing FLUSH TABLES WITH READ LOCK...``: from its end on nothing
   commits, and a Galera node applies nothing. Each line is said before its statement is sent;
3. ``Starting to backup non-InnoDB tables and files``, the files, ``Finished backing up non-InnoDB tables and files``;
4. ``Streaming xtrabackup_galera_info``, which holds the position: it is not said;
5. ``Executing FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS...``, ``The latest check point (for incremental): 'LSN'``, ``Stopping log
   copying thread.``;
6. ``Executing UNLOCK TABLES``, then ``All tables unlocked``; a few small files, and last ``completed OK!``.

With a server that has Percona's backup locks the second is ``Executing LOCK TABLES FOR BACKUP...``, which lets InnoDB
commit; step 4 writes nothing then. The tool is told not to use them (``--no-backup-locks``), and not believed if it does.

mariabackup up to 10.3 says the same. 10.5 says ``Acquiring BACKUP LOCKS...`` in 2, 5 as above, and in 6 ``Executing BACKUP STAGE
END``. 10.11 says ``Acquired locks for BACKUP STAGE BLOCK_COMMIT`` when it has them, and later ``Finishing BACKUP STAGE
BLOCK_COMMIT``; it names the position: ``Writing Galera info succeeded with UUID:SEQNO``.
"""

import re
import typing

_ACQUIRED = rb"Acquired locks for BACKUP STAGE BLOCK_COMMIT"
HELD = re.compile(_ACQUIRED + rb"|Executing FLUSH TABLES WITH READ LOCK|Acquiring BACKUP LOCKS")
FROZEN = re.compile(_ACQUIRED + rb"|Executing FLUSH (NO_WRITE_TO_BINLOG )?ENGINE LOGS")
THAWED = re.compile(rb"Finishing BACKUP STAGE BLOCK_COMMIT|BACKUP STAGE END|Executing UNLOCK|All tables unlocked")
POSITION = re.compile(r"Galera info succeeded with [0-9a-f-]{36}:(-?\d+)")


class Frozen(typing.NamedTuple):
    """The tool has said that nothing commits now. ``rest`` is what it said behind that, in the same breath."""

    held: bool
    rest: bytes


def wait(read: typing.Callable[[], bytes]) -> typing.Optional[Frozen]:
    """Read the tool's words until it says that nothing commits; None when it ends without. ``read`` gives b"" at the end.

    ``held`` tells whether it had asked for a lock that stops commits: without one the words mean nothing.
    """
    tail, held = b"", False
    while True:
        block = read()
        if not block:
            return None
        tail = tail[-200:] + block
        held = held or bool(HELD.search(tail))
        said = FROZEN.search(tail)
        if said:
            return Frozen(held, tail[said.end() :])
