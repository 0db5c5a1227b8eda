"""Physical backup of the database server on this node, streamed to the backup store without a temporary copy here."""

import contextlib
import json
import os
import shutil
import tempfile
import time

import upgrader_backup_tool as backup_tool
import upgrader_connection
import upgrader_lock
import upgrader_pillar
import upgrader_pipeline
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_backup"

KEY, KNOWN_HOSTS = "/etc/upgrader/backup_key", "/etc/upgrader/backup_known_hosts"
LOCK = "/run/upgrader-backup.lock"
SOCKET = "/run/mysqld/mysqld.sock"
STORE_USER = "xtrabackup"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check():
    """The backup tool is here, fits the running server and can log in. Returns the tool and both versions.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_backup.check
    """
    client = upgrader_pillar.value(__pillar__, "xtrabackup:client", {})
    tool = _tool()
    server = _server_version(client)
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


def create(receipt, timeout=14400):
    """Take a backup and send it to the store as ``receipt``; a backup of that id that is there already is returned as it is.

    Judged together: the exit code of every program in the pipe, the last line of the backup tool, the byte count and sha256
    that the store computed itself. Only then does the store make it a backup.

    :param receipt: id of the backup, unique in the store
    :param timeout: seconds
    Leaves behind on failure: a partial file in the store, overwritten by the next try. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_backup.create receipt=20170801T101500Z-1a2b
    """
    client = upgrader_pillar.value(__pillar__, "xtrabackup:client", {})
    store = _store_command(client)
    with _exclusively():
        held = _ask(store, "receipt", receipt)
        if held:
            return {"comment": "backup {} is in the store already".format(receipt), "receipt": held, "changed": False}
        document = _stream(client, store, receipt, __opts__["id"], timeout)
    return {
        "comment": "backup {}: {} MB in {:.0f} s".format(receipt, document["bytes"] // 1000000, document["seconds"]),
        "receipt": document,
        "changed": True,
    }


def _stream(client, store, receipt, node, timeout):
    tool, started = _tool(), time.time()
    server = _server_version(client)
    with tempfile.TemporaryDirectory(prefix="upgrader-backup-") as scratch:
        command = backup_tool.backup_command(tool, scratch, _socket(client), _defaults(client, scratch))
        ended, passed, digest, answer = upgrader_pipeline.pump(
            [command, backup_tool.compress_command()], store + ["receive " + receipt], timeout
        )
    _judge(tool, ended)
    _same_bytes(answer, passed, digest)
    document = {
        "id": receipt,
        "node": node,
        "bytes": passed,
        "sha256": digest,
        "tool": tool.backup,
        "compression": "zstd",
        "server_version": server,
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "proven": False,
    }
    return _ask(store, "commit", receipt, json.dumps(document))


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


def _ask(store, verb, receipt, document=""):
    """One small question to the store; its answer is one JSON object."""
    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        question.write(document.encode())
        question.seek(0)
        ended = upgrader_pipeline.run(
            [store + ["{} {}".format(verb, receipt)]], stdin=question, stdout=answer, timeout=60
        )[0]
        if ended.code != 0:
            raise CommandExecutionError(
                "the backup store does not answer: {}".format(upgrader_pipeline.describe(ended))
            )
        answer.seek(0)
        return json.loads(answer.read().decode())


def _store_command(client):
    target = client.get("target", {})
    if not target.get("host"):
        raise CommandExecutionError("pillar key xtrabackup:client:target:host is missing: name the backup node there")
    if not os.path.exists(KEY):
        raise CommandExecutionError("{} is missing: apply state xtrabackup.client to this node first".format(KEY))
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=" + KNOWN_HOSTS, "IdentitiesOnly=yes"]
    options += ["ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=4"]
    flags = [word for option in options for word in ("-o", option)]
    return ["ssh", "-T", "-i", KEY] + flags + ["{}@{}".format(target.get("user", STORE_USER), target["host"])]


def _tool():
    tool = backup_tool.find(shutil.which)
    if tool is None:
        raise CommandExecutionError(
            "no backup tool on this node: install mariadb-backup (or percona-xtrabackup) of the server's own series"
        )
    return tool


def _socket(client):
    return client.get("database", {}).get("socket", SOCKET)


def _defaults(client, folder):
    """Credentials from pillar in a file of their own, or none: then the tool logs in as root over the socket."""
    database = client.get("database", {})
    if not database.get("password"):
        return None
    return backup_tool.defaults_file(
        os.path.join(folder, "client.cnf"), database.get("user", "root"), database["password"]
    )


def _server_version(client):
    database = client.get("database", {})
    try:
        connection = upgrader_connection.connect(
            pymysql,
            "pillar xtrabackup:client:database",
            unix_socket=_socket(client),
            user=database.get("user", "root"),
            password=database.get("password", ""),
        )
    except upgrader_connection.ConnectionRefused as error:
        raise CommandExecutionError(str(error)) from None
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        return cursor.fetchone()[0]


@contextlib.contextmanager
def _exclusively():
    try:
        with upgrader_lock.exclusively(LOCK, "the backup tool of this node"):
            yield
    except upgrader_lock.LockHeld as error:
        raise CommandExecutionError(str(error)) from None
