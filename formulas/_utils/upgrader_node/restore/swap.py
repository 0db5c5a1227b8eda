"""Putting a prepared copy in the place of a data directory by renames, so that every moment of it can be taken up again.

Three folders, side by side on one filesystem: the data directory itself, ``<datadir>.prepared-<backup>`` and
``<datadir>.before-<run>``, which is what was there before and is never removed by the tool. A mark inside the prepared copy
goes with it through the rename: it tells a second call that the first one got through.
"""

import errno
import fnmatch
import json
import os
import shutil
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files

MARK = ".upgrader-restored"
PREPARED_MARK = ".upgrader-prepared"
GALERA_STATE = "grastate.dat"
STALE = ("galera.cache", "gvwstate.dat")
OWN_FILES = ("debian-*.flag", "*.pem", "auto.cnf")
UPGRADE_INFO = ("mysql_upgrade_info", "mariadb_upgrade_info")
Document = typing.Dict[str, typing.Any]


def prepared_folder(datadir: str, receipt: str) -> str:
    """Where a backup is made ready for this data directory: beside it, so that a rename is enough later."""
    return "{}.prepared-{}".format(datadir, receipt)


def before_folder(datadir: str, run: str) -> str:
    """Where the data directory goes that a run replaces."""
    return "{}.before-{}".format(datadir, run)


def read_mark(folder: str, name: str = MARK) -> Document:
    """What a mark in a folder says; empty when there is none or it was cut by a crash."""
    try:
        with open(os.path.join(folder, name)) as file:
            mark = json.load(file)  # type: Document
            return mark if isinstance(mark, dict) else {}
    except (OSError, ValueError):
        return {}


def write_mark(folder: str, document: typing.Mapping[str, typing.Any], name: str = MARK) -> None:
    """Write a mark whole or not at all, on disk when this returns."""
    path = os.path.join(folder, name)
    write_file(path, json.dumps(document, sort_keys=True) + "\n")
    files.sync(folder)


def write_file(path: str, text: str) -> None:
    """A crash leaves the old file or the new one. Readable by its owner only."""
    files.write(path, text)


def galera_state(uuid: str, seqno: int, founding: bool) -> str:
    """The text of grastate.dat for a server whose files hold exactly this position."""
    return "# GALERA saved state\nversion: 2.1\nuuid:    {}\nseqno:   {}\nsafe_to_bootstrap: {}\n".format(
        uuid, seqno, int(founding)
    )


def allow_founding(datadir: str, uuid: str) -> None:
    """Mark a stopped server's own files as those to found a cluster from. Position and owner stay as they are.

    :param uuid: of its cluster, for a file that a crash took; the server then finds its seqno in its own tables
    """
    saved = saved_state(datadir)
    text = galera_state(saved.get("uuid") or uuid, int(saved.get("seqno") or -1), True)
    with files.whole(os.path.join(datadir, GALERA_STATE), permissions=0o660, owned_as_folder=True) as file:
        file.write(text)
    files.sync(datadir)


def saved_state(datadir: str) -> typing.Dict[str, str]:
    """What grastate.dat says, by key; empty when there is none."""
    try:
        with open(os.path.join(datadir, GALERA_STATE)) as file:
            lines = [line.partition(":") for line in file if ":" in line and not line.startswith("#")]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in lines}


def swapped(datadir: str, run: str) -> bool:
    """Whether this run's swap is done on this node."""
    return bool(run) and read_mark(datadir).get("run") == run


def finish_copy(
    folder: str, old: str, owner: typing.Tuple[int, int], receipt: Document, run: str, founding: bool
) -> None:
    """Make a prepared copy a data directory: owner, modes, position, mark. Nothing outside of it is touched.

    :param old: the data directory that it will replace; the server's own files that are no data are copied from there
    """
    for name in STALE:
        _remove(os.path.join(folder, name))
    galera = receipt.get("galera")
    if galera:
        text = galera_state(galera["uuid"], int(galera["seqno"]), founding)
        write_file(os.path.join(folder, GALERA_STATE), text)
    _keep_own_files(folder, old, str(receipt.get("server_version", "")))
    write_mark(folder, {"receipt": receipt["id"], "run": run})
    _give_to(folder, owner, _mode(old))


def swap(datadir: str, prepared: str, before: str) -> str:
    """The two renames. Returns the folder that holds what was there before, or an empty text when nothing was.

    A crash between them leaves no data directory and a finished copy: the next call sees that and does the second one.
    """
    parent = os.path.dirname(datadir)
    if not read_mark(prepared):
        raise StepError("{} is not a finished copy: run the step that makes it again".format(prepared))
    if os.path.isdir(datadir) and not os.listdir(datadir):
        os.rmdir(datadir)
    if os.path.lexists(datadir):
        before = files.free_name(before)
        _rename(datadir, before)
        files.sync(parent)
    _rename(prepared, datadir)
    files.sync(parent)
    _remove(os.path.join(datadir, PREPARED_MARK))
    return before if os.path.isdir(before) else ""


def _rename(source: str, target: str) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        why = "it is a mount point or in use as one" if error.errno == errno.EBUSY else error.strerror
        raise StepError(
            "{} cannot be renamed to {}: {}; rename it by hand, then 'upgrader resume'".format(source, target, why)
        ) from None


def _keep_own_files(folder: str, old: str, version: str) -> None:
    """Files of this server that no backup holds: its certificates, the package's flag, the version its tables were upgraded to.

    The last one only when the backup is of that very version: otherwise the server must look at its system tables.
    """
    for name in os.listdir(old) if os.path.isdir(old) else []:
        source, target = os.path.join(old, name), os.path.join(folder, name)
        if not os.path.isfile(source) or os.path.exists(target):
            continue
        if any(fnmatch.fnmatch(name, pattern) for pattern in OWN_FILES) or (
            name in UPGRADE_INFO and _same_version(source, version)
        ):
            shutil.copy2(source, target)


def _same_version(path: str, version: str) -> bool:
    with open(path, errors="replace") as file:
        held = file.read().strip("\0\n ")
    return bool(held) and version.startswith(held.split("-")[0] + "-")


def _mode(old: str) -> int:
    try:
        return os.stat(old).st_mode & 0o777
    except OSError:
        return 0o700


def _give_to(folder: str, owner: typing.Tuple[int, int], mode: int) -> None:
    for path, folders, inside in os.walk(folder):
        for name in folders + inside:
            full = os.path.join(path, name)
            os.chown(full, owner[0], owner[1], follow_symlinks=False)
            if not os.path.islink(full):
                os.chmod(full, 0o700 if name in folders else 0o660)
    os.chown(folder, *owner)
    os.chmod(folder, mode)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
