"""This node after a restore: member of the whole cluster, and every table as it was at the backup."""

import os
import shutil
import time
import typing

from upgrader_node.backup import store_link
from upgrader_node.database import connection as database_connection
from upgrader_node.database import contents, galera, local_server
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import StepError
from upgrader_node.host import findings
from upgrader_node.restore import servers
from upgrader_node.restore import swap as folders

Receipt = typing.Mapping[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


def verify(server: LocalServer, receipt: Receipt, run: str, members: int, salt: servers.Functions) -> Answer:
    """Findings for everything that is wrong with the node's membership and its tables."""
    started, expected = time.time(), _expected(server, receipt)
    would_found = servers.would_found()
    try:
        connection = server.connect()
    except database_connection.ConnectionRefused as error:
        return {"comment": "does not serve", "findings": [_does_not_serve(server.node, str(error), servers.unit(salt))]}
    with connection:
        state = galera.status(connection)
        wrong = membership(server.node, state, receipt, members, would_found)
        if wrong and state["galera"] and not state["ready"]:
            return {"comment": "does not serve", "findings": wrong}
        if state["galera"]:
            galera.run(connection, galera.SETTLED_READS)
        taken = contents.take(connection)
        position = galera.position(connection)
    before = _kept(run)
    tables = sum(len(held) for held in taken.values())
    said = "{} tables compared in {:.0f} s".format(tables, time.time() - started)
    return {
        "comment": said + ("; what was there before is in {}".format(before) if before else ""),
        "findings": wrong + _differences(server.node, receipt, expected, taken, position),
        "tables": tables,
        "before": before,
    }


def _expected(server: LocalServer, receipt: Receipt) -> contents.Contents:
    held = store_link.ask(store_link.command(server.client), "contents", receipt["id"])
    if "databases" not in held:
        what = "the store holds no contents of backup {}: it was taken by an older version, compare by hand"
        raise StepError(what.format(receipt["id"]))
    databases = held["databases"]  # type: contents.Contents
    return databases


def _kept(run: str) -> str:
    """Where what was there before is, or an empty text."""
    folder = folders.before_folder(local_server.datadir(shutil.which), run)
    return folder if os.path.isdir(folder) else ""


def _does_not_serve(node: str, why: str, unit: servers.Server) -> findings.Finding:
    """The node that failed; the others serve on as long as they are a majority."""
    return findings.of_node(
        node,
        "does not serve ({})".format(why),
        "the cluster serves with the others if they are a majority; look at {} there, mend it, then "
        "'upgrader resume'".format(servers.where_it_says(unit)),
    )


def membership(node: str, state: galera.Status, receipt: Receipt, members: int, would_found: str) -> findings.Findings:
    """What is wrong with a member of the whole cluster that ``receipt`` is of (its ``galera``)."""
    cluster = receipt.get("galera")
    if not cluster:
        return []
    wrong = galera.findings(node, state, members)
    if state["galera"] and state["uuid"] != cluster["uuid"]:
        what = "is in cluster {}, not in {} of the backup".format(state["uuid"], cluster["uuid"])
        wrong.append(findings.of_node(node, what, "stop it, and restore it again"))
    options = local_server.options(shutil.which)
    if not galera.member_address(options.get("wsrep_cluster_address", "")):
        what = "has no members in the wsrep_cluster_address of its option files"
        wrong.append(findings.of_node(node, what, "name them there (gcomm://host,host,host)"))
    if would_found:
        what = "would found a second cluster at its next start, by {}".format(would_found)
        wrong.append(findings.of_node(node, what, "remove it there"))
    return wrong


def _differences(
    node: str,
    receipt: Receipt,
    expected: contents.Contents,
    taken: contents.Contents,
    position: typing.Optional[int],
) -> findings.Findings:
    """Tables that are not as they were. Writes since the founding are told apart by the position, as far as it can tell."""
    wrong = contents.differences(expected, taken, {name: name for name in set(expected) | set(taken)})
    if not wrong:
        return []
    cluster = receipt.get("galera")
    since = " ({} events since the backup)".format(position - int(cluster["seqno"])) if cluster and position else ""
    return [
        findings.of_node(
            node,
            "differs from backup {}{}: {}".format(receipt["id"], since, findings.some(wrong, 5, "; ")),
            "if services have written since the first node served, that is why: stop them and restore again, or accept it with "
            "'upgrader stamp restore-verify'; otherwise restore another backup",
        )
    ]
