"""Taking a physical backup of this node's server and sending it to the store, with nothing of it on this node's disk."""

import contextlib
import json
import os
import shutil
import tempfile
import time
import typing

from upgrader_node.backup import backup_tool, borrowed, store_link
from upgrader_node.backup.receipt import Document
from upgrader_node.database import contents, galera, local_server, sql
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import StepError, driver_errors
from upgrader_node.host import pipeline

# A backup without it is whole as well, unless tables were imported shortly before; the proof tells.
CHECKPOINT_SECONDS = 60
BEGINNINGS = 3  # of a tool that ends before it has copied anything; each takes a second
Answer = typing.Dict[str, typing.Any]
Taken = typing.Tuple[Document, contents.Contents]


def check(server: LocalServer) -> Answer:
    """The backup tool is here, fits the running server and can log in. Returns the tool and both versions."""
    with server.connect() as connection:
        tool = backup_tool.need(shutil.which)
        running = sql.scalar(connection, "SELECT VERSION()")
    said = pipeline.run([[tool.backup, "--version"]], timeout=60)[0].words
    if not backup_tool.belongs(said, running):
        what = "{} ({}) does not belong to server {}: install {}"
        raise StepError(what.format(tool.backup, backup_tool.named(said), running, backup_tool.wanted(running)))
    comment = "{} for server {}".format(backup_tool.named(said), running)
    return {"comment": comment, "tool": tool.backup, "server": running}


def create(server: LocalServer, identity: str, cloud: str, timeout: float) -> Answer:
    """Take a backup and send it to the store; one of that id that is there is answered as it is. Hold ``lock.DATABASE``."""
    link = store_link.command(server.client)
    held = store_link.ask(link, "receipt", identity)
    if held:
        return {"comment": "backup {} is in the store already".format(identity), "receipt": held, "changed": False}
    with borrowed.stepped_aside(server.connect):
        borrowed.checkpoint(server.connect, CHECKPOINT_SECONDS)
        document, tables = _stream(server, link, identity, timeout)
    document.update(cloud=cloud, node=server.node)
    both = json.dumps({"receipt": document, "contents": {"exact": True, "databases": tables}})
    document = store_link.ask(link, "commit", identity, both)
    said = "backup {}: {} MB in {:.0f} s{}"
    return {
        "comment": said.format(identity, document["bytes"] // 1000000, document["seconds"], _at(document)),
        "receipt": document,
        "changed": True,
    }


def _at(document: Document) -> str:
    return ", seqno {}".format(document["galera"]["seqno"]) if document["galera"] else ""


def _stream(server: LocalServer, link: typing.List[str], identity: str, timeout: float) -> Taken:
    """Stream the backup, and read what every table holds in a view opened at its very end."""
    tool, started, packing = backup_tool.need(shutil.which), time.time(), backup_tool.compression(shutil.which)
    with server.connect() as view:
        running, cluster = sql.scalar(view, "SELECT VERSION()"), galera.status(view)
        for _ in range(BEGINNINGS):
            moment = contents.Moment(view, driver_errors(server.driver))
            with tempfile.TemporaryDirectory(prefix="upgrader-backup-") as scratch:
                flow = [_command(server, tool, scratch, cluster["galera"]), backup_tool.compress_command(packing)]
                sink = [link + ["receive " + identity]]
                ended, passed, digest, answer = pipeline.pump(flow, sink, timeout, moment.watch)
            if not backup_tool.unlucky(ended[0].words):
                break
        _judge(tool, ended)
        _same_bytes(answer, passed, digest)
        seconds = time.time() - started
        seqno = moment.judge(ended[0].words)
        tables = contents.take(view)
    document = {
        "id": identity,
        "bytes": passed,
        "data_bytes": _size_of_data(),
        "sha256": digest,
        "tool": tool.backup,
        "compression": packing,
        "server_version": running,
        "galera": {"name": cluster["name"], "uuid": cluster["uuid"], "seqno": seqno} if cluster["galera"] else None,
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(seconds, 1),
        "proven": False,
    }
    return document, tables


def _command(server: LocalServer, tool: backup_tool.Tool, scratch: str, in_cluster: bool) -> backup_tool.Words:
    options = local_server.defaults(server.client, scratch)
    return backup_tool.backup_command(tool, scratch, local_server.socket(server.client), options, in_cluster)


def _size_of_data() -> int:
    """Bytes below the data directory that a prepared copy of it will need too; what is Galera's own is left out."""
    total = 0
    for folder, _, names in os.walk(local_server.datadir(shutil.which)):
        for name in names:
            if name != "galera.cache":
                with contextlib.suppress(FileNotFoundError):
                    total += os.path.getsize(os.path.join(folder, name))
    return total


def _judge(tool: backup_tool.Tool, ended: typing.Sequence[pipeline.Ended]) -> None:
    """Every program's end and the tool's own last line.

    The farthest member that failed is the cause: its writer only dies of it, while a writer that dies leaves its reader
    with a short but readable stream, and that reader ends well.
    """
    causes = [member for member in reversed(ended) if member.code not in (0,) + pipeline.SIGPIPE_CODES]
    if causes and causes[0].program != tool.backup:
        raise StepError(pipeline.describe(causes[0]))
    if ended[0].code != 0 or not backup_tool.succeeded(ended[0].words):
        raise StepError(
            "{} ended with exit code {} and without '{}': {}".format(
                tool.backup, ended[0].code, backup_tool.SUCCESS, backup_tool.last_complaint(ended[0].words)
            )
        )
    broken = pipeline.first_cause(ended)
    if broken is not None:
        raise StepError(pipeline.describe(broken))


def _same_bytes(answer: str, passed: int, digest: str) -> None:
    try:
        stored = json.loads(answer)
    except ValueError:
        raise StepError("the store gave no account of what it received; look at sshd on the backup node") from None
    if stored.get("bytes") != passed or stored.get("sha256") != digest:
        raise StepError(
            "{} bytes were sent and {} arrived, or their sha256 differs; try again, and check the network's and the store's "
            "disk".format(passed, stored.get("bytes"))
        )
