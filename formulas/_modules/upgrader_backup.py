"""Physical backup of the database server on this node, streamed to the backup store without a temporary copy here."""

import contextlib
import json
import os
import shutil
import tempfile
import time

import upgrader_backup_tool as backup_tool
import upgrader_borrowed
import upgrader_connection
import upgrader_contents
import upgrader_database
import upgrader_galera
import upgrader_local_server
import upgrader_lock
import upgrader_pillar
import upgrader_pipeline
import upgrader_store_link
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_backup"

CLIENT = "xtrabackup:client"
CHECKPOINT_SECONDS = (
    60  # a backup without it is whole as well, unless tables were imported shortly before; the proof tells
)
REFUSALS = (
    upgrader_connection.ConnectionRefused,
    upgrader_store_link.LinkFailed,
    upgrader_lock.LockHeld,
    upgrader_contents.ContentsLost,
)


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check():
    """The backup tool is here, fits the running server and can log in. Returns the tool and both versions.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_backup.check
    """
    with _refusing(), _connect() as connection:
        tool = _tool()
        server = upgrader_database.scalar(connection, "SELECT VERSION()")
    ended = upgrader_pipeline.run([[tool.backup, "--version"]], timeout=60)[0]
    version = backup_tool.series(ended.words)
    if version != backup_tool.series(server):
        raise CommandExecutionError(
            "{} is of series {} and the server is {}: a backup tool must be of the server's own series, install the matching "
            "package".format(tool.backup, version or "unknown", server)
        )
    return {
        "comment": "{} {} for server {}".format(tool.backup, version, server),
        "tool": tool.backup,
        "server": server,
    }


def create(receipt, cloud="", timeout=14400):
    """Take a backup and send it to the store as ``receipt``; a backup of that id that is there already is returned as it is.

    The node steps out of its cluster's flow control meanwhile. Judged together: the exit code of every program in the
    pipe, the last line of the backup tool, the byte count and sha256 that the store computed itself. With the receipt goes
    what every table held at exactly the moment of the backup: the proof compares with it.

    :param receipt: id of the backup, unique in the store
    :param cloud: name of the cloud, for the receipt
    :param timeout: seconds
    Leaves behind on failure: a partial file in the store, overwritten by the next try. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_backup.create receipt=20170801T101500Z-1a2b cloud=prague
    """
    with _refusing():
        link = upgrader_store_link.command(_client())
        with upgrader_lock.exclusively(upgrader_borrowed.LOCK, "the database server of this node"):
            held = upgrader_store_link.ask(link, "receipt", receipt)
            if held:
                return {
                    "comment": "backup {} is in the store already".format(receipt),
                    "receipt": held,
                    "changed": False,
                }
            with upgrader_borrowed.stepped_aside(_connect):
                upgrader_borrowed.checkpoint(_connect, CHECKPOINT_SECONDS)
                document, contents = _take(link, receipt, timeout)
            document.update(cloud=cloud, node=__opts__["id"])
            both = json.dumps({"receipt": document, "contents": {"exact": True, "databases": contents}})
            document = upgrader_store_link.ask(link, "commit", receipt, both)
    return {
        "comment": "backup {}: {} MB in {:.0f} s{}".format(
            receipt, document["bytes"] // 1000000, document["seconds"], _at(document)
        ),
        "receipt": document,
        "changed": True,
    }


def _take(link, receipt, timeout):
    """Stream the backup, and read what every table holds in a view opened at its very end."""
    tool, started = _tool(), time.time()
    with _connect() as view:
        server = upgrader_database.scalar(view, "SELECT VERSION()")
        cluster = upgrader_galera.status(view)
        moment = upgrader_contents.Moment(view, upgrader_connection.errors(pymysql))
        with tempfile.TemporaryDirectory(prefix="upgrader-backup-") as scratch:
            command = backup_tool.backup_command(
                tool,
                scratch,
                upgrader_local_server.socket(_client()),
                upgrader_local_server.defaults(_client(), scratch),
                cluster["galera"],
            )
            ended, passed, digest, answer = upgrader_pipeline.pump(
                [command, backup_tool.compress_command()], [link + ["receive " + receipt]], timeout, moment.watch
            )
        _judge(tool, ended)
        _same_bytes(answer, passed, digest)
        seconds = time.time() - started
        seqno = moment.judge(ended[0].words)
        contents = upgrader_contents.take(view)
    document = {
        "id": receipt,
        "bytes": passed,
        "data_bytes": _size_of_data(),
        "sha256": digest,
        "tool": tool.backup,
        "compression": "zstd",
        "server_version": server,
        "galera": {"name": cluster["name"], "uuid": cluster["uuid"], "seqno": seqno} if cluster["galera"] else None,
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(seconds, 1),
        "proven": False,
    }
    return document, contents


def _at(document):
    return ", seqno {}".format(document["galera"]["seqno"]) if document["galera"] else ""


def _size_of_data():
    """Bytes below the data directory that a prepared copy of it will need too; what is Galera's own is left out."""
    total = 0
    for folder, _, names in os.walk(upgrader_local_server.datadir(shutil.which)):
        for name in names:
            if name != "galera.cache":
                with contextlib.suppress(FileNotFoundError):
                    total += os.path.getsize(os.path.join(folder, name))
    return total


def _judge(tool, ended):
    """Every program's end and the tool's own last line.

    The farthest member that failed is the cause: its writer only dies of it, while a writer that dies leaves its reader
    with a short but readable stream, and that reader ends well.
    """
    causes = [member for member in reversed(ended) if member.code not in (0,) + upgrader_pipeline.SIGPIPE_CODES]
    if causes and causes[0].program != tool.backup:
        raise CommandExecutionError("backup not taken: {}".format(upgrader_pipeline.describe(causes[0])))
    if ended[0].code != 0 or not backup_tool.succeeded(ended[0].words):
        raise CommandExecutionError(
            "backup not taken: {} ended with exit code {} and without '{}': {}".format(
                tool.backup, ended[0].code, backup_tool.SUCCESS, backup_tool.last_complaint(ended[0].words)
            )
        )
    broken = upgrader_pipeline.first_cause(ended)
    if broken is not None:
        raise CommandExecutionError("backup not taken: {}".format(upgrader_pipeline.describe(broken)))


def _same_bytes(answer, passed, digest):
    try:
        stored = json.loads(answer)
    except ValueError:
        raise CommandExecutionError(
            "backup not taken: the store gave no account of what it received; look at sshd on the backup node"
        ) from None
    if stored.get("bytes") != passed or stored.get("sha256") != digest:
        raise CommandExecutionError(
            "backup not taken: {} bytes were sent and {} arrived, or their sha256 differs; try again, and check the network's and the "
            "store's disk".format(passed, stored.get("bytes"))
        )


def _tool():
    tool = backup_tool.find(shutil.which)
    if tool is None:
        raise CommandExecutionError(
            "no backup tool on this node: install mariadb-backup (or percona-xtrabackup) of the server's own series"
        )
    return tool


def _client():
    return upgrader_pillar.value(__pillar__, CLIENT, {})


def _connect():
    return upgrader_local_server.connect(pymysql, _client())


@contextlib.contextmanager
def _refusing():
    """The tool's own errors become Salt's; the driver's say what the server said."""
    try:
        yield
    except REFUSALS as error:
        raise CommandExecutionError("backup not taken: {}".format(error)) from None
    except upgrader_connection.errors(pymysql) as error:
        raise CommandExecutionError(
            "backup not taken: the database server broke off ({}); look at its log, then try again".format(error)
        ) from None
