"""The proof that a backup can be restored: a scratch server on it, every table checked and compared with its source."""

import os
import time
import typing

from upgrader_node.backup import backup_tool, prepared, receipt, scratch
from upgrader_node.backup.receipt import Document
from upgrader_node.database import contents, sql
from upgrader_node.errors import StepError
from upgrader_node.host import findings

Answer = typing.Dict[str, typing.Any]


def prove(store: str, identity: str, databases: typing.Sequence[str], driver: typing.Any, timeout: float) -> Answer:
    """Restore a backup into a scratch server and account for every table in it. Hold ``lock.STORE`` meanwhile.

    :param databases: whose row counts are answered as ``counts`` and written beside the receipt
    """
    started = time.time()
    document, expected = receipt.verify(store, identity), receipt.contents(store, identity)
    _require(databases, expected)
    prepared.remove_others(store, identity)
    folder = prepared.prepare(store, document, timeout)
    _same_position(document, folder)
    with scratch.server(folder, driver) as connection:
        _check_tables(connection, sorted(expected))
        _same_contents(expected, contents.take(connection))
        counts = sql.table_counts(connection, databases)
    _write(store, document, counts)
    tables = sum(len(held) for held in expected.values())
    said = "{} tables of {} databases equal their source in {:.0f} s"
    return {
        "comment": said.format(tables, len(expected), time.time() - started),
        "counts": counts,
        "receipt": document,
    }


def _require(databases: typing.Iterable[str], expected: typing.Container[str]) -> None:
    missing = sorted(name for name in databases if name not in expected)
    if missing:
        raise StepError(
            "the backup holds no database {}: is it the backup of the right server?".format(", ".join(missing))
        )


def _write(store: str, document: Document, counts: typing.Mapping[str, typing.Any]) -> None:
    """The counts first: a receipt that says proven has them."""
    folder = receipt.folder(store, document["id"])
    receipt.write(os.path.join(folder, receipt.COUNTS), counts)
    document["proven"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    receipt.write(os.path.join(folder, receipt.RECEIPT), document)


def _same_position(document: Document, folder: str) -> None:
    galera, position = document.get("galera"), backup_tool.position(folder)
    if galera and position != (galera["uuid"], galera["seqno"]):
        raise StepError(
            "backup {} is at {} of its cluster's history and its receipt says {}: take another backup".format(
                document["id"], position, (galera["uuid"], galera["seqno"])
            )
        )


def _check_tables(connection: typing.Any, databases: typing.Iterable[str]) -> None:
    """CHECK TABLE on every table: the engine's own word that it can read them."""
    for database in databases:
        for table in sql.table_names(connection, database):
            said = sql.rows(connection, "CHECK TABLE `{}`.`{}`".format(database, table))
            if said[-1][3] != "OK":
                raise StepError(
                    "table {}.{} in the backup is damaged: {}; take another backup".format(database, table, said[-1][3])
                )


def _same_contents(expected: contents.Contents, taken: contents.Contents) -> None:
    wrong = contents.differences(expected, taken, {name: name for name in set(expected) | set(taken)})
    if wrong:
        raise StepError(
            "the restored backup differs from what its source held: {}; take another backup".format(
                findings.some(wrong, 5, "; ")
            )
        )
