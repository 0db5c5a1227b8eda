"""Puts the whole database cluster back to one backup, by renames. Every function looks at the world first and may be cut off."""

import contextlib
import glob
import os
import pwd
import shutil
import socket
import time

import upgrader_backup_tool as backup_tool
import upgrader_connection
import upgrader_contents
import upgrader_database
import upgrader_galera
import upgrader_local_server
import upgrader_lock
import upgrader_pillar
import upgrader_pipeline
import upgrader_restore_judgement as judgement
import upgrader_restore_place as copies
import upgrader_restore_service as service
import upgrader_restore_swap as folders
import upgrader_store_link
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_restore"

LOCK = "/run/upgrader-restore.lock"
OPTION_FILES = ("/etc/my.cnf", "/etc/my.cnf.d/**/*.cnf", "/etc/mysql/**/*.cnf", "/root/.my.cnf")
STOP_SECONDS, FOUND_SECONDS, JOIN_SECONDS = 900, 900, 3600
POLL = 0.5


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check(receipt, members, another_cluster=False):
    """Everything that would stop a restore of this backup on this node, before anything is touched.

    :param receipt: the receipt, as ``upgrader_store.require_proven`` answers it
    :param members: how many database nodes the model has
    :param another_cluster: accept a backup of another Galera cluster
    Returns findings; one of severity ``blocker`` refuses the restore.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.check receipt='{...}' members=3
    """
    found = judgement.before(__opts__["id"], receipt, _facts(_client(), receipt, members), another_cluster)
    placed = (
        "the prepared copy is in place already"
        if _placed(receipt)
        else "{} MB needed for the prepared copy".format(_needed(receipt) // 1000000)
    )
    return {"comment": placed, "findings": found}


def intended(receipt, run, founder):
    """What a restore would do on this node, in the order in which it would do it, with the paths of this node. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.intended receipt='{...}' run=RUN founder=dbs01.lab.local
    """
    node, datadir, unit = __opts__["id"], _datadir(), _unit()
    prepared, before = folders.prepared_folder(datadir, receipt["id"]), folders.before_folder(datadir, run)
    galera, first = receipt.get("galera"), node == founder
    actions = [
        "keep {}, which holds this backup already".format(prepared)
        if _placed(receipt)
        else "fetch archive {} ({} MB), unpack and prepare it into {} (needs {} MB, {} MB free)".format(
            receipt["id"], receipt["bytes"] // 1000000, prepared, _needed(receipt) // 1000000, _free(datadir) // 1000000
        ),
        "stop {} (now {}){}".format(unit, service.state(unit), ", last of all" if first else ""),
        "rename {} to {}".format(datadir, before) if os.path.isdir(datadir) else "find no {}".format(datadir),
        "rename {} to {}, owned by mysql".format(prepared, datadir),
    ]
    if galera:
        position = "{}:{}".format(galera["uuid"], galera["seqno"])
        actions.append("write position {} to {}".format(position, os.path.join(datadir, folders.GALERA_STATE)))
    if first:
        actions.append("galera_new_cluster {}".format(unit) if galera else "systemctl start {}".format(unit))
    else:
        actions.append("systemctl start {}, join {} from that position".format(unit, founder))
    actions.append("compare rows and checksum of every table with the backup's contents")
    return {"actions": actions, "datadir": datadir}


def progress(receipt):
    """How far ``place`` is: megabytes of the copy that are on this node's disk.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_restore.progress receipt='{...}'
    """
    folder = folders.prepared_folder(_datadir(), receipt["id"])
    return {
        "what": "MB unpacked",
        "done": copies.bytes_in(folder) // 1000000,
        "total": receipt["data_bytes"] // 1000000,
    }


def place(receipt, timeout=14400):
    """Fetch the archive, unpack and prepare it beside the data directory; the server runs on. A finished copy is kept.

    Leaves behind: ``<datadir>.prepared-<id>`` with a mark that is written last; without the mark it is made anew.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.place receipt='{...}'
    """
    started, datadir = time.time(), _datadir()
    folder = folders.prepared_folder(datadir, receipt["id"])
    with _exclusively(), _clear_errors():
        if copies.is_placed(folder, receipt):
            return {"comment": "{} is there already".format(folder), "folder": folder, "changed": False}
        copies.place(folder, receipt, upgrader_store_link.command(_client()), _tool(), timeout)
    return {
        "comment": "{} MB prepared in {:.0f} s".format(copies.bytes_in(folder) // 1000000, time.time() - started),
        "folder": folder,
        "changed": True,
    }


def stop(run, timeout=STOP_SECONDS):
    """Stop the database server and prove that it is: by systemd, and by no process on its files.

    A server that runs on what this very run has put in place already is left alone.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.stop run=RUN
    """
    datadir = _datadir()
    with _exclusively(), _clear_errors():
        unit = service.unit()
        if folders.swapped(datadir, run):
            return {"comment": "{} holds this run's restore already".format(datadir), "changed": False}
        service.forget_founding()
        ran = service.stop(unit, datadir, timeout)
    return {"comment": "stopped" if ran else "was stopped already", "changed": ran}


def swap(receipt, run, founder):
    """Rename the data directory aside and the prepared copy into its place. What was there before is kept.

    A crash at any moment leaves either folder whole under a name that the next call knows.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.swap receipt='{...}' run=RUN founder=dbs01.lab.local
    """
    datadir = _datadir()
    prepared, before = folders.prepared_folder(datadir, receipt["id"]), folders.before_folder(datadir, run)
    with _exclusively(), _clear_errors():
        if folders.swapped(datadir, run):
            return {"comment": "done before", "before": before if os.path.isdir(before) else "", "changed": False}
        _refuse_running(datadir)
        if not copies.is_placed(prepared, receipt):
            raise CommandExecutionError(
                "{} is not a finished copy of backup {}: run upgrader_restore.place on {} first".format(
                    prepared, receipt["id"], __opts__["id"]
                )
            )
        old = datadir if os.path.isdir(datadir) else before
        folders.finish_copy(prepared, old, _owner(), receipt, run, __opts__["id"] == founder)
        kept = folders.swap(datadir, prepared, before)
    return {"comment": "before: {}".format(kept or "nothing was there"), "before": kept, "changed": True}


def found(receipt, run, timeout=FOUND_SECONDS):
    """Start the first server on the restored files: it founds the cluster, or just starts where there is none.

    No option file is touched, and nothing is left that would make its next start found a second cluster.

    CLI Example:

    .. code-block:: bash

        salt 'dbs01*' upgrader_restore.found receipt='{...}' run=RUN
    """
    started = time.time()
    with _exclusively(), _clear_errors():
        unit, datadir = service.unit(), _datadir()
        _require_swapped(datadir, run)
        if not receipt.get("galera"):
            return _start_alone(unit, timeout, started)
        try:
            if service.state(unit) != "active" or not _is_primary():
                _refuse_other_members()
                ended = service.found(unit, timeout)
                if ended.code != 0:
                    raise CommandExecutionError(_why(unit, started, "does not found the cluster"))
        finally:
            service.forget_founding()
        _wait_synced(unit, started, timeout)
    return {"comment": "founded in {:.0f} s".format(time.time() - started), "changed": True}


def join(receipt, run, timeout=JOIN_SECONDS):
    """Start this server and wait until it is a synced member of the cluster that the first one founded.

    Its files are at the cluster's own position, so it is sent only the writes since then (IST), or everything (SST) where
    those are no longer held; both are right, the second takes longer.

    CLI Example:

    .. code-block:: bash

        salt 'dbs02*' upgrader_restore.join receipt='{...}' run=RUN
    """
    started = time.time()
    with _exclusively(), _clear_errors():
        unit, datadir = service.unit(), _datadir()
        if _state() == upgrader_galera.SYNCED and _is_primary():
            return {"comment": "is a synced member already", "changed": False}
        service.forget_founding()
        if service.state(unit) in service.STOPPED:
            _refuse_half_swapped(datadir, run)
            service.start(unit)
        _wait_synced(unit, started, timeout)
        how = service.transfer(service.said(unit, started, _error_log()), "{uuid}:{seqno}".format(**receipt["galera"]))
    return {"comment": "synced after {:.0f} s, {}".format(time.time() - started, how), "transfer": how, "changed": True}


def verify(receipt, run, members):
    """This node after the restore: member of the whole cluster, and every table as it was at the backup.

    CLI Example:

    .. code-block:: bash

        salt 'dbs*' upgrader_restore.verify receipt='{...}' run=RUN members=3
    """
    node, client, started = __opts__["id"], _client(), time.time()
    with _clear_errors():
        expected = upgrader_store_link.ask(upgrader_store_link.command(client), "contents", receipt["id"])
        if "databases" not in expected:
            raise CommandExecutionError(
                "the store holds no contents of backup {}: it was taken by an older version, compare by hand".format(
                    receipt["id"]
                )
            )
        leftover = service.would_found()
        try:
            connection = upgrader_local_server.connect(pymysql, client)
        except upgrader_connection.ConnectionRefused as error:
            return {"comment": "does not serve", "findings": [_does_not_serve(node, str(error))]}
        with connection:
            state = upgrader_galera.status(connection)
            wrong = _galera_findings(node, state, receipt, members, leftover)
            if wrong and state["galera"] and not state["ready"]:
                return {"comment": "does not serve", "findings": wrong}
            if state["galera"]:
                upgrader_galera.run(connection, upgrader_galera.SETTLED_READS)
            taken = upgrader_contents.take(connection)
            position = upgrader_galera.position(connection)
    wrong += _content_findings(node, receipt, expected["databases"], taken, position)
    tables = sum(len(held) for held in taken.values())
    before = folders.before_folder(_datadir(), run)
    kept = "; what was there before is in {}".format(before) if os.path.isdir(before) else ""
    return {
        "comment": "{} tables compared in {:.0f} s{}".format(tables, time.time() - started, kept),
        "findings": wrong,
        "tables": tables,
        "before": before if kept else "",
    }


def _facts(client, receipt, members):
    datadir, tool = _datadir(), backup_tool.find(shutil.which)
    options = upgrader_local_server.options(shutil.which)
    state, clients = _running(client)
    saved = folders.saved_state(datadir)
    return {
        "tool": _said_version(tool.backup) if tool else "",
        "server": _said_version(next(filter(shutil.which, upgrader_local_server.OPTION_READERS), "")),
        "members": int(members),
        "datadir": datadir,
        "unrenamable": _unrenamable(datadir),
        "needed": 0 if _placed(receipt) else _needed(receipt),
        "free": _free(datadir),
        "options": options,
        "addresses": judgement.empty_addresses(_option_files()),
        "uuid": state.get("uuid") or saved.get("uuid", ""),
        "name": options.get("wsrep_cluster_name", ""),
        "size": state.get("size", 0),
        "founder": bool(shutil.which("galera_new_cluster")),
        "clients": clients,
    }


def _running(client):
    """What the running server says of its cluster, and how many clients it has; nothing when it does not run."""
    try:
        connection = upgrader_local_server.connect(pymysql, client)
    except upgrader_connection.ConnectionRefused:
        return {}, 0
    with connection:
        question = (
            "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command NOT IN ('Daemon')"
            " AND user NOT IN ('system user', 'event_scheduler')"
        )
        return upgrader_galera.status(connection), int(upgrader_database.scalar(connection, question) or 0)


def _said_version(program):
    return upgrader_pipeline.output([program, "--version"], timeout=60) if program else ""


def _unrenamable(datadir):
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


def _option_files():
    texts = {}
    for pattern in OPTION_FILES:
        for path in glob.glob(pattern, recursive=True):
            try:
                with open(path, errors="replace") as file:
                    texts[os.path.realpath(path)] = file.read()
            except OSError:
                continue
    return texts


def _refuse_running(datadir):
    unit = service.unit()
    now, left = service.state(unit), service.holders(datadir)
    if now not in service.STOPPED or left:
        raise CommandExecutionError(service.still_there(unit, now, datadir, left))


def _require_swapped(datadir, run):
    if not folders.swapped(datadir, run):
        raise CommandExecutionError(
            "{} on {} is not what this run restored: run upgrader_restore.swap there first".format(
                datadir, __opts__["id"]
            )
        )


def _refuse_half_swapped(datadir, run):
    """A joining node may have lost the mark to a state transfer; without a data directory something else went wrong."""
    if not os.path.isdir(datadir):
        _require_swapped(datadir, run)


def _start_alone(unit, timeout, started):
    """A server without a cluster: it serves when it lets us in."""
    if service.state(unit) in service.STOPPED:
        service.start(unit)
    deadline = time.monotonic() + timeout
    while True:
        try:
            upgrader_local_server.connect(pymysql, _client()).close()
            return {"comment": "started in {:.0f} s".format(time.time() - started), "changed": True}
        except upgrader_connection.ConnectionRefused:
            if service.state(unit) in service.STOPPED or time.monotonic() > deadline:
                raise CommandExecutionError(_why(unit, started, "does not start")) from None
        time.sleep(POLL)


def _wait_synced(unit, started, timeout):
    """Until the server is a synced member of a primary component; a server that ends or takes too long says why."""
    deadline, last = time.monotonic() + timeout, "nothing"
    while True:
        state = _galera_status()
        last = state.get("state") or state.get("refused") or last
        if state.get("state") == upgrader_galera.SYNCED and state["cluster_status"] == upgrader_galera.PRIMARY:
            return
        if service.state(unit) in service.STOPPED:
            raise CommandExecutionError(_why(unit, started, "does not join the cluster"))
        if time.monotonic() > deadline:
            raise CommandExecutionError(_why(unit, started, "is {} after {:.0f} s".format(last, time.time() - started)))
        time.sleep(POLL)


def _why(unit, started, what):
    """What a server said last, and what to do about it."""
    words = service.complaint(service.said(unit, started, _error_log()))
    return (
        "{} {}: {}; look at disk, firewall (ports 4444, 4567, 4568 between the nodes) and 'journalctl -u {}', mend it, then "
        "'upgrader resume'".format(__opts__["id"], what, words, unit)
    )


def _does_not_serve(node, why):
    """The node that failed; the others serve on as long as they are a majority."""
    return judgement.blocker(
        node,
        "does not serve ({})".format(why),
        "the cluster serves with the others if they are a majority; look at 'journalctl -u {}' there, mend it, then "
        "'upgrader resume'".format(_unit()),
    )


def _galera_findings(node, state, receipt, members, leftover):
    galera = receipt.get("galera")
    if not galera:
        return []
    wrong = upgrader_galera.findings(node, state, int(members))
    if state["galera"] and state["uuid"] != galera["uuid"]:
        what = "is in cluster {}, not in {} of the backup".format(state["uuid"], galera["uuid"])
        wrong.append(judgement.blocker(node, what, "stop it, and restore it again"))
    options = upgrader_local_server.options(shutil.which)
    if not upgrader_galera.member_address(options.get("wsrep_cluster_address", "")):
        what = "has no members in the wsrep_cluster_address of its option files"
        wrong.append(judgement.blocker(node, what, "name them there (gcomm://host,host,host)"))
    if leftover:
        what = "would found a second cluster at its next start, by {}".format(leftover)
        wrong.append(judgement.blocker(node, what, "remove it there"))
    return wrong


def _content_findings(node, receipt, expected, taken, position):
    """Tables that are not as they were. Writes since the founding are told apart by the position, as far as it can tell."""
    names = {name: name for name in set(expected) | set(taken)}
    wrong = upgrader_contents.differences(expected, taken, names)
    if not wrong:
        return []
    shown = "; ".join(wrong[:5]) + (" and {} more".format(len(wrong) - 5) if len(wrong) > 5 else "")
    galera = receipt.get("galera")
    since = " ({} events since the backup)".format(position - int(galera["seqno"])) if galera and position else ""
    return [
        judgement.blocker(
            node,
            "differs from backup {}{}: {}".format(receipt["id"], since, shown),
            "if services have written since the first node served, that is why: stop them and restore again, or accept it with "
            "'upgrader stamp restore-verify'; otherwise restore another backup",
        )
    ]


def _refuse_other_members():
    """A second cluster must never be founded beside one that serves: some other member's port is open, so one may."""
    address = upgrader_local_server.options(shutil.which).get("wsrep_cluster_address", "")
    for host, port in judgement.other_members(address, _own_names()):
        try:
            socket.create_connection((host, port), timeout=2).close()
        except OSError:
            continue
        raise CommandExecutionError(
            "a Galera process answers on {}:{}, so a cluster may run there: stop it (also an arbitrator), then 'upgrader "
            "resume'".format(host, port)
        )


def _own_names():
    names = {__opts__["id"], socket.gethostname(), "localhost", "127.0.0.1", "::1"}
    names.update(__grains__.get("ipv4", []))
    names.update(__grains__.get("ipv6", []))
    names.add(__grains__.get("fqdn", ""))
    return names


def _state():
    """wsrep_local_state_comment, or an empty text while the server does not let us in."""
    return _galera_status().get("state", "")


def _is_primary():
    return _galera_status().get("cluster_status") == upgrader_galera.PRIMARY


def _galera_status():
    try:
        connection = upgrader_local_server.connect(pymysql, _client())
        with connection:
            return upgrader_galera.status(connection)
    except upgrader_connection.ConnectionRefused as error:
        return {"refused": str(error)}
    except upgrader_connection.errors(pymysql):
        return {}


def _placed(receipt):
    return copies.is_placed(folders.prepared_folder(_datadir(), receipt["id"]), receipt)


def _needed(receipt):
    return copies.bytes_needed(receipt) if "data_bytes" in receipt else 0


def _free(datadir):
    """Room for everybody but root's reserve, beside the data directory."""
    return shutil.disk_usage(os.path.dirname(datadir)).free


def _owner():
    user = upgrader_local_server.options(shutil.which).get("user") or "mysql"
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CommandExecutionError("this node has no user {}: install the database server".format(user)) from None
    return entry.pw_uid, entry.pw_gid


def _error_log():
    path = upgrader_local_server.options(shutil.which).get("log_error", "")
    return path if not path or path.startswith("/") else os.path.join(_datadir(), path)


def _datadir():
    return upgrader_local_server.datadir(shutil.which)


def _client():
    return upgrader_pillar.value(__pillar__, "xtrabackup:client", {})


def _tool():
    tool = backup_tool.find(shutil.which)
    if tool is None:
        raise CommandExecutionError("no backup tool on this node: install the one of the server's own series")
    return tool


def _unit():
    with _clear_errors():
        return service.unit()


@contextlib.contextmanager
def _clear_errors():
    """Errors of the shared code as the one class that Salt shows as a sentence."""
    try:
        yield
    except (
        service.ServiceFailed,
        folders.CannotSwap,
        copies.NotPlaced,
        upgrader_store_link.LinkFailed,
        upgrader_contents.ContentsLost,
    ) as error:
        raise CommandExecutionError(str(error)) from None


@contextlib.contextmanager
def _exclusively():
    """One restore step at a time on this node, also after the command that asked for it was killed."""
    try:
        with upgrader_lock.exclusively(LOCK, "the restore of this node"):
            yield
    except upgrader_lock.LockHeld as error:
        raise CommandExecutionError(str(error)) from None
