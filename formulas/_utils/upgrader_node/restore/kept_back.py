"""The cluster founded from its kept member, the others joining it with their own data put aside.

A member that went on names the same cluster and a later seqno in its grastate.dat, and dies of it when it meets the founded
one ("Reversing history"). So its data directory is renamed, never removed, and it is sent everything anew.

Every function looks at the world first and may be cut off. Hold ``lock.RESTORE`` meanwhile.
"""

import os
import typing

from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import StepError
from upgrader_node.restore import exchange, kept, kept_facts, membership, servers, service_control
from upgrader_node.restore import swap as folders

Answer = typing.Dict[str, typing.Any]
Kept = typing.Mapping[str, typing.Any]


def stop(run: str, timeout: float, salt: servers.Functions) -> Answer:
    """A member that went on, stopped. One whose data this very run has put aside is left alone: it has joined since."""
    if kept_facts.aside(run):
        return {"comment": "its data was put aside by this run already", "changed": False}
    return exchange.stop(run, timeout, salt)


def set_aside(node: str, given: Kept, run: str, salt: servers.Functions) -> Answer:
    """The data directory renamed, and an empty one in its place with nothing but the server's own files (certificates)."""
    datadir = kept_facts.datadir()
    before, empty = folders.before_folder(datadir, run), "{}.empty-{}".format(datadir, run)
    if node == given["node"]:
        raise StepError("{} is the kept member: its data stays where it is".format(node))
    if kept_facts.aside(run):
        return {"comment": "done before", "before": before, "changed": False}
    exchange.refuse_running(datadir, servers.unit(salt))
    os.makedirs(empty, mode=0o700, exist_ok=True)
    old = datadir if os.path.isdir(datadir) else before
    folders.finish_copy(empty, old, exchange.owner(), {"id": given["id"]}, run, False)
    held = folders.swap(datadir, empty, before)
    return {"comment": "before: {}".format(held or "nothing was there"), "before": held, "changed": True}


def found(
    server: LocalServer, given: Kept, run: str, own: typing.Iterable[str], timeout: float, salt: servers.Functions
) -> Answer:
    """Start the kept member as the first of the cluster. Its files were looked at before it was marked, and not since.

    :param own: every name and address of this node
    """
    datadir, start = kept_facts.datadir(), membership.begin(server, timeout, salt)
    receipt = kept.need(datadir, given)
    if receipt["state"] in (kept.BACK, kept.REJOINED, kept.REPLACED):
        what = "run {} keeps no member here any more ({}): {}"
        raise StepError(what.format(receipt["id"], receipt["state"], kept.FALLBACK))
    if receipt["state"] != kept.FOUNDING:
        kept_facts.untouched(server, receipt, salt)
        receipt = kept.write(datadir, receipt, state=kept.FOUNDING, back=run)
    if start.stopped():
        folders.allow_founding(datadir, receipt["galera"]["uuid"])
    answer = membership.found_cluster(start, own, timeout)
    if receipt["enabled"]:
        service_control.at_boot(start.unit, True)
    return answer


def settle(given: Kept, run: str) -> Answer:
    """The way back is at its end: the member is one like the others, and no second way back leads through it."""
    datadir = kept_facts.datadir()
    receipt = kept.need(datadir, given)
    if receipt["state"] == kept.BACK:
        return {"comment": "done before", "changed": False}
    if receipt["state"] != kept.FOUNDING:
        raise StepError(
            "the cluster was not founded from {}: run upgrader_member.found there first".format(receipt["node"])
        )
    kept.write(datadir, receipt, state=kept.BACK, back=run)
    return {"comment": "is a member like the others", "changed": True}
