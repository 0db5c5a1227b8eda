"""The restored server as a member again: it founds the cluster, or joins the one that another has founded."""

import os
import shutil
import socket
import time
import typing

from upgrader_node.database import connection as database_connection
from upgrader_node.database import galera, local_server
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import StepError, driver_errors
from upgrader_node.restore import judgement, servers
from upgrader_node.restore import swap as folders

POLL = 0.5
Receipt = typing.Mapping[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


class Start(typing.NamedTuple):
    """One start that is waited for: of which server, as which unit, since when (epoch) and until when (monotonic)."""

    server: LocalServer
    unit: servers.Server
    since: float
    deadline: float

    def late(self) -> bool:
        return time.monotonic() > self.deadline

    def stopped(self) -> bool:
        return servers.state(self.unit) in servers.STOPPED

    def failure(self, what: str) -> StepError:
        """What a server said last, and what to do about it."""
        words = servers.complaint(servers.said(self.unit, self.since, _error_log()))
        return StepError(
            "{} {}: {}; look at disk, firewall (ports 4444, 4567, 4568 between the nodes) and {}, mend it, then "
            "'upgrader resume'".format(self.server.node, what, words, servers.where_it_says(self.unit))
        )


def begin(server: LocalServer, timeout: float, salt: servers.Functions) -> Start:
    """A start of this node's server, from now on."""
    return Start(server, servers.unit(salt), time.time(), time.monotonic() + timeout)


def found(
    server: LocalServer, receipt: Receipt, run: str, own: typing.Iterable[str], timeout: float, salt: servers.Functions
) -> Answer:
    """Start the first server on the restored files: it founds the cluster, or just starts where there is none.

    :param own: every name and address of this node
    """
    start = begin(server, timeout, salt)
    _require_swapped(server.node, run)
    if not receipt.get("galera"):
        return _start_alone(start)
    return found_cluster(start, own, timeout)


def found_cluster(start: Start, own: typing.Iterable[str], timeout: float) -> Answer:
    """The first member of the cluster, whatever its files come from. One that is a primary already is only waited for."""
    try:
        if start.stopped() or not _is_primary(start.server):
            _refuse_other_members(own)
            if servers.found(start.unit, timeout).code != 0:
                raise start.failure("does not found the cluster")
    finally:
        servers.forget_founding()
    _wait_synced(start)
    return {"comment": "founded in {:.0f} s".format(time.time() - start.since), "changed": True}


def join(server: LocalServer, receipt: Receipt, run: str, timeout: float, salt: servers.Functions) -> Answer:
    """Start this server and wait until it is a synced member of the cluster that the first one founded."""
    start = begin(server, timeout, salt)
    state = view(server)
    if state.get("state") == galera.SYNCED and state.get("cluster_status") == galera.PRIMARY:
        return {"comment": "is a synced member already", "changed": False}
    servers.forget_founding()
    if start.stopped():
        _refuse_half_swapped(server.node, run)
        servers.start(start.unit)
    _wait_synced(start)
    lines = servers.said(start.unit, start.since, _error_log())
    how = servers.transfer(lines, "{uuid}:{seqno}".format(**receipt["galera"]))
    said = "synced after {:.0f} s, {}".format(time.time() - start.since, how)
    return {"comment": said, "transfer": how, "changed": True}


def _require_swapped(node: str, run: str) -> None:
    datadir = local_server.datadir(shutil.which)
    if not folders.swapped(datadir, run):
        what = "{} on {} is not what this run restored: run upgrader_restore.swap there first"
        raise StepError(what.format(datadir, node))


def _refuse_half_swapped(node: str, run: str) -> None:
    """A joining node may have lost the mark to a state transfer; without a data directory something else went wrong."""
    if not os.path.isdir(local_server.datadir(shutil.which)):
        _require_swapped(node, run)


def _start_alone(start: Start) -> Answer:
    """A server without a cluster: it serves when it lets us in."""
    if start.stopped():
        servers.start(start.unit)
    while True:
        try:
            start.server.connect().close()
            return {"comment": "started in {:.0f} s".format(time.time() - start.since), "changed": True}
        except database_connection.ConnectionRefused:
            if start.stopped() or start.late():
                raise start.failure("does not start") from None
        time.sleep(POLL)


def _wait_synced(start: Start) -> None:
    """Until the server is a synced member of a primary component; a server that ends or takes too long says why."""
    last = "nothing"
    while True:
        state = view(start.server)
        last = state.get("state") or state.get("refused") or last
        if state.get("state") == galera.SYNCED and state["cluster_status"] == galera.PRIMARY:
            return
        if start.stopped():
            raise start.failure("does not join the cluster")
        if start.late():
            raise start.failure("is {} after {:.0f} s".format(last, time.time() - start.since))
        time.sleep(POLL)


def _refuse_other_members(own: typing.Iterable[str]) -> None:
    """A second cluster must never be founded beside one that serves: some other member's port is open, so one may."""
    address = local_server.options(shutil.which).get("wsrep_cluster_address", "")
    for host, port in judgement.other_members(address, {"localhost", "127.0.0.1", "::1", *own}):
        try:
            socket.create_connection((host, port), timeout=2).close()
        except OSError:
            continue
        raise StepError(
            "a Galera process answers on {}:{}, so a cluster may run there: stop it (also an arbitrator), then 'upgrader "
            "resume'".format(host, port)
        )


def _is_primary(server: LocalServer) -> bool:
    return bool(view(server).get("cluster_status") == galera.PRIMARY)


def view(server: LocalServer) -> galera.Status:
    """The server's view of its cluster; ``refused`` while it does not let us in."""
    try:
        with server.connect() as connection:
            return galera.status(connection)
    except database_connection.ConnectionRefused as error:
        return {"refused": str(error)}
    except driver_errors(server.driver):
        return {}


def _error_log() -> str:
    path = local_server.options(shutil.which).get("log_error", "")
    return path if not path or path.startswith("/") else os.path.join(local_server.datadir(shutil.which), path)
