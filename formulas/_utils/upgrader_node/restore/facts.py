"""What is so on this node before a restore, gathered for ``judgement`` and for the operator. Changes nothing."""

import glob
import os
import shutil
import typing

from upgrader_node.backup import backup_tool
from upgrader_node.database import connection as database_connection
from upgrader_node.database import galera, local_server, sql
from upgrader_node.database.local_server import LocalServer
from upgrader_node.host import pipeline
from upgrader_node.restore import founding, judgement, place, servers, swap

OPTION_FILES = ("/etc/my.cnf", "/etc/my.cnf.d/**/*.cnf", "/etc/mysql/**/*.cnf", "/root/.my.cnf")
CLIENTS = (
    "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command NOT IN ('Daemon')"
    " AND user NOT IN ('system user', 'event_scheduler')"
)
Receipt = typing.Mapping[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


def check(
    server: LocalServer, receipt: Receipt, members: int, another_cluster: bool, salt: servers.Functions
) -> Answer:
    """Everything that would stop a restore of this backup on this node, as findings."""
    wrong = judgement.before(server.node, receipt, _gathered(server, receipt, members, salt), another_cluster)
    said = "the prepared copy is in place already" if _placed(receipt) else _room_needed(receipt)
    return {"comment": said, "findings": wrong}


def _room_needed(receipt: Receipt) -> str:
    return "{} MB needed for the prepared copy".format(_needed(receipt) // 1000000)


def intended(node: str, receipt: Receipt, run: str, founder: str, salt: servers.Functions) -> Answer:
    """What a restore would do on this node, in the order in which it would do it, with the paths of this node."""
    datadir, unit = local_server.datadir(shutil.which), servers.unit(salt)
    prepared, before = swap.prepared_folder(datadir, receipt["id"]), swap.before_folder(datadir, run)
    first = node == founder
    actions = [
        _fetching(receipt, prepared, datadir),
        "stop {} (now {}){}".format(unit, servers.state(unit), ", last of all" if first else ""),
        "rename {} to {}".format(datadir, before) if os.path.isdir(datadir) else "find no {}".format(datadir),
        "rename {} to {}, owned by mysql".format(prepared, datadir),
        *_positioning(receipt, datadir),
        _starting(receipt, unit, founder, first),
        "compare rows and checksum of every table with the backup's contents",
    ]
    return {"actions": actions, "datadir": datadir}


def _fetching(receipt: Receipt, prepared: str, datadir: str) -> str:
    if _placed(receipt):
        return "keep {}, which holds this backup already".format(prepared)
    return "fetch archive {} ({} MB), unpack and prepare it into {} (needs {} MB, {} MB free)".format(
        receipt["id"], receipt["bytes"] // 1000000, prepared, _needed(receipt) // 1000000, free(datadir) // 1000000
    )


def _positioning(receipt: Receipt, datadir: str) -> typing.List[str]:
    cluster = receipt.get("galera")
    if not cluster:
        return []
    state = os.path.join(datadir, swap.GALERA_STATE)
    return ["write position {}:{} to {}".format(cluster["uuid"], cluster["seqno"], state)]


def _starting(receipt: Receipt, unit: servers.Server, founder: str, first: bool) -> str:
    if not first:
        return "start {}, join {} from that position".format(unit, founder)
    return " ".join(founding.command(unit, shutil.which)) if receipt.get("galera") else "start {}".format(unit)


def _gathered(server: LocalServer, receipt: Receipt, members: int, salt: servers.Functions) -> Answer:
    datadir, tool = local_server.datadir(shutil.which), backup_tool.find(shutil.which)
    options, saved = local_server.options(shutil.which), swap.saved_state(datadir)
    state, clients = _running(server)
    return {
        "tool": _said_version(tool.backup) if tool else "",
        "server": _said_version(next(filter(shutil.which, local_server.OPTION_READERS), "")),
        "members": members,
        "datadir": datadir,
        "unrenamable": unrenamable(datadir),
        "needed": 0 if _placed(receipt) else _needed(receipt),
        "free": free(datadir),
        "options": options,
        "addresses": judgement.empty_addresses(option_files()),
        "uuid": state.get("uuid") or saved.get("uuid", ""),
        "name": options.get("wsrep_cluster_name", ""),
        "size": state.get("size", 0),
        "founder": servers.can_found(salt),
        "clients": clients,
    }


def _running(server: LocalServer) -> typing.Tuple[galera.Status, int]:
    """What the running server says of its cluster, and how many clients it has; nothing when it does not run."""
    try:
        connection = server.connect()
    except database_connection.ConnectionRefused:
        return {}, 0
    with connection:
        return galera.status(connection), int(sql.scalar(connection, CLIENTS) or 0)


def _said_version(program: str) -> str:
    return pipeline.output([program, "--version"], timeout=60) if program else ""


def unrenamable(datadir: str) -> str:
    """Why this folder cannot be renamed, or an empty text. A rename that only fails after the stop is too late.

    Read from the mount table: a bind mount on its own filesystem looks like any other folder to ``os.path.ismount``.
    """
    with open("/proc/self/mounts") as file:
        mounts = [line.split() for line in file]
    nearest = max((m for m in mounts if (datadir + "/").startswith(m[1].rstrip("/") + "/")), key=lambda m: len(m[1]))
    if nearest[1] == datadir:
        return "it is a mount point of its own"
    if nearest[2] == "overlay" and "redirect_dir=on" not in nearest[3].split(","):
        return "it is on an overlay that renames no folders (redirect_dir is not on)"
    return ""


def option_files() -> typing.Dict[str, str]:
    """Path to text of every option file that a server of this node may read."""
    texts = {}
    for path in (path for pattern in OPTION_FILES for path in glob.glob(pattern, recursive=True)):
        try:
            with open(path, errors="replace") as file:
                texts[os.path.realpath(path)] = file.read()
        except OSError:
            continue
    return texts


def _placed(receipt: Receipt) -> bool:
    folder = swap.prepared_folder(local_server.datadir(shutil.which), receipt["id"])
    return place.is_placed(folder, receipt)


def _needed(receipt: Receipt) -> int:
    return place.bytes_needed(receipt) if "data_bytes" in receipt else 0


def free(datadir: str) -> int:
    """Room for everybody but root's reserve, beside the data directory."""
    return shutil.disk_usage(os.path.dirname(datadir)).free
