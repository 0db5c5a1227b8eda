"""How far a long step has come, asked while it runs: from the databases and the store, never from guesses. Read only."""

import os

import upgrader_connection
import upgrader_database
import upgrader_pillar
import upgrader_receipt
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_progress"

LIVE = "SELECT COUNT(*) FROM {main}.instances WHERE deleted = 0"
ALL = "SELECT COUNT(*) FROM {main}.instances"
SPECS = (
    "SELECT COUNT(*) FROM {main}.instances i WHERE i.deleted = 0 AND EXISTS "
    "(SELECT 1 FROM {api}.request_specs s WHERE s.instance_uuid = i.uuid)"
)
MAPPED = "SELECT COUNT(*) FROM {api}.instance_mappings"
QUESTIONS = {"specs": ("instances with request spec", SPECS, LIVE), "mappings": ("instances mapped", MAPPED, ALL)}


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def nova(rows):
    """Rows done and rows in all of one of nova's long steps on the copy.

    :param rows: ``specs`` (online data migrations) or ``mappings`` (map_instances)

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_progress.nova rows=mappings
    """
    what, done, total = QUESTIONS[rows]
    database = upgrader_pillar.value(__pillar__, "nova:controller:database", {})
    names = {
        "main": upgrader_database.identifier(database["name"]),
        "api": upgrader_database.identifier(database["name"] + "_api"),
    }
    try:
        connection = upgrader_connection.connect(
            pymysql,
            "pillar nova:controller:database",
            host=database["host"],
            port=database.get("port", 3306),
            user=database["user"],
            password=database["password"],
        )
    except upgrader_connection.ConnectionRefused as error:
        raise CommandExecutionError(str(error)) from None
    with connection:
        return {
            "what": what,
            "done": int(upgrader_database.scalar(connection, done.format(**names))),
            "total": int(upgrader_database.scalar(connection, total.format(**names))),
        }


def backup(receipt):
    """Megabytes of a backup that have arrived in the store. The total is not known before the end.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_progress.backup receipt=20170801T101500Z-1a2b
    """
    store = upgrader_pillar.value(__pillar__, "xtrabackup:server:backup_dir", upgrader_receipt.DEFAULT_STORE)
    folder = upgrader_receipt.folder(store, receipt)
    sizes = [
        os.path.getsize(path)
        for path in (os.path.join(folder, name) for name in (upgrader_receipt.PARTIAL, upgrader_receipt.ARCHIVE))
        if os.path.exists(path)
    ]
    return {"what": "MB in the backup store", "done": sum(sizes) // 1000000, "total": None}
