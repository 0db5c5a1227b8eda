"""The data directory of this node exchanged for a backup: copy placed, server stopped, folders renamed.

Every function looks at the world first and may be cut off. Hold ``lock.RESTORE`` meanwhile.
"""

import os
import pwd
import shutil
import time
import typing

from upgrader_node.backup import backup_tool, store_link
from upgrader_node.database import local_server
from upgrader_node.errors import StepError
from upgrader_node.restore import kept, servers
from upgrader_node.restore import place as placing
from upgrader_node.restore import swap as folders

Receipt = typing.Dict[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


def progress(receipt: Receipt) -> Answer:
    """How far ``place`` is: megabytes of the copy that are on this node's disk."""
    folder = folders.prepared_folder(local_server.datadir(shutil.which), receipt["id"])
    done, total = placing.bytes_in(folder) // 1000000, receipt["data_bytes"] // 1000000
    return {"what": "MB unpacked", "done": done, "total": total}


def place(client: local_server.Client, receipt: Receipt, timeout: float) -> Answer:
    """The archive unpacked and prepared beside the data directory; the server runs on. A finished copy is kept."""
    started, folder = time.time(), folders.prepared_folder(local_server.datadir(shutil.which), receipt["id"])
    if placing.is_placed(folder, receipt):
        return {"comment": "{} is there already".format(folder), "folder": folder, "changed": False}
    placing.place(folder, receipt, store_link.command(client), backup_tool.need(shutil.which), timeout)
    said = "{} MB prepared in {:.0f} s".format(placing.bytes_in(folder) // 1000000, time.time() - started)
    return {"comment": said, "folder": folder, "changed": True}


def stop(run: str, timeout: float, salt: servers.Functions) -> Answer:
    """The server stopped, and proven to be. One that runs on what this very run has put in place is left alone."""
    datadir, unit = local_server.datadir(shutil.which), servers.unit(salt)
    if folders.swapped(datadir, run):
        return {"comment": "{} holds this run's restore already".format(datadir), "changed": False}
    servers.forget_founding()
    ran = servers.stop(unit, datadir, timeout)
    return {"comment": "stopped" if ran else "was stopped already", "changed": ran}


def swap(node: str, receipt: Receipt, run: str, founder: str, salt: servers.Functions) -> Answer:
    """The data directory renamed aside and the prepared copy into its place. What was there before is kept."""
    datadir = local_server.datadir(shutil.which)
    prepared, before = folders.prepared_folder(datadir, receipt["id"]), folders.before_folder(datadir, run)
    if folders.swapped(datadir, run):
        return {"comment": "done before", "before": before if os.path.isdir(before) else "", "changed": False}
    refuse_running(datadir, servers.unit(salt))
    if not placing.is_placed(prepared, receipt):
        what = "{} is not a finished copy of backup {}: run upgrader_restore.place on {} first"
        raise StepError(what.format(prepared, receipt["id"], node))
    old = datadir if os.path.isdir(datadir) else before
    folders.finish_copy(prepared, old, owner(), receipt, run, node == founder)
    was = folders.swap(datadir, prepared, before)
    kept.replaced(datadir, run, servers.unit(salt))
    return {"comment": "before: {}".format(was or "nothing was there"), "before": was, "changed": True}


def refuse_running(datadir: str, unit: servers.Server) -> None:
    """Renames are for a server that is proven to be stopped."""
    if servers.state(unit) not in servers.STOPPED or servers.holders(datadir):
        raise StepError(servers.still_there(unit, datadir))


def owner() -> typing.Tuple[int, int]:
    """Whose the files of the database server are on this node."""
    user = local_server.options(shutil.which).get("user") or "mysql"
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise StepError("this node has no user {}: install the database server".format(user)) from None
    return entry.pw_uid, entry.pw_gid
