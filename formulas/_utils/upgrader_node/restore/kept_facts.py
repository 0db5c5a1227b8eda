"""What is so on this node around a kept member, gathered for ``kept_judgement``. Changes nothing."""

import os
import shutil
import typing

from upgrader_node.database import galera, local_server, sql
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import StepError
from upgrader_node.restore import afterwards, facts, judgement, kept, kept_judgement, membership, place, servers
from upgrader_node.restore import swap as folders
from upgrader_node.restore.kept_judgement import Asked

Answer = typing.Dict[str, typing.Any]
Kept = typing.Mapping[str, typing.Any]
DATA = (
    "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables"
    " WHERE table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
)


def datadir() -> str:
    """The data directory of this node."""
    return local_server.datadir(shutil.which)


def check(server: LocalServer, run: str, holder: str, members: int, salt: servers.Functions) -> Answer:
    """Everything that stands in the way of keeping ``holder``, as this node sees it."""
    asked, seen = Asked(server.node, run, holder, members), _gathered(server, run, salt)
    wrong = kept_judgement.before_keeping(asked, seen)
    if seen["stopped_for_it"]:
        said = "is kept by this run already"
    else:
        said = "{}, seqno {}".format(seen["state"].get("state", "silent"), seen["state"].get("seqno", "unknown"))
    return {"comment": said, "findings": wrong}


def _gathered(server: LocalServer, run: str, salt: servers.Functions) -> Answer:
    where, own = datadir(), kept.read(datadir(), run) if run else None
    state = membership.view(server)
    return {
        "state": state,
        "kept_by": kept.of_another_run(where, run),
        "stopped_for_it": own is not None and servers.state(servers.unit(salt)) in servers.STOPPED,
        "founder": servers.can_found(salt),
        **_of_folder(where),
        **_of_server(server, state),
    }


def _of_folder(where: str) -> Answer:
    """What renames and a later transfer meet."""
    return {
        "datadir": where,
        "unrenamable": facts.unrenamable(where),
        "options": local_server.options(shutil.which),
        "addresses": judgement.empty_addresses(facts.option_files()),
        "needed": place.bytes_needed({"data_bytes": place.bytes_in(where)}),
        "free": facts.free(where),
    }


def _of_server(server: LocalServer, state: galera.Status) -> Answer:
    """Clients, how much the databases hold, and how much of it Galera keeps for members that were away.

    A server without quorum refuses questions about tables (error 1047), and none of this matters there.
    """
    if not state.get("ready"):
        return {"clients": 0, "data": 0, "gcache": 0}
    with server.connect() as connection:
        return {
            "clients": int(sql.scalar(connection, facts.CLIENTS) or 0),
            "data": int(sql.scalar(connection, DATA) or 0),
            "gcache": kept_judgement.cache_size(sql.variable(connection, "wsrep_provider_options") or ""),
        }


def of_files(server: LocalServer, salt: servers.Functions) -> Answer:
    """What ``kept_judgement.moved`` compares with a receipt."""
    where, service = datadir(), servers.state(servers.unit(salt))
    stopped = service in servers.STOPPED
    return {
        "service": service,
        "state": {} if stopped else membership.view(server),
        "position": kept.saved_position(where),
        "fingerprint": kept.fingerprint(where) if stopped else "",
    }


def untouched(server: LocalServer, receipt: kept.Receipt, salt: servers.Functions) -> None:
    """Raises StepError when the files are no longer those of the receipt's moment."""
    for one in kept_judgement.moved(server.node, receipt, of_files(server, salt)):
        raise StepError("{what}; {remedy}".format(**one))


def window(server: LocalServer, run: str, holder: str, members: int, salt: servers.Functions) -> Answer:
    """After a member was kept: its files are those of its receipt, and the others serve without it."""
    if server.node == holder:
        receipt = kept.read(datadir(), run)
        if receipt is None or receipt["state"] != kept.KEPT:
            raise StepError("run {} keeps no member on {}: 'upgrader resume'".format(run, server.node))
        said = "kept at {uuid}:{seqno}".format(**receipt["galera"])
        return {
            "comment": said,
            "findings": kept_judgement.moved(server.node, receipt, of_files(server, salt)),
        }
    state = membership.view(server)
    wrong = kept_judgement.no_member(Asked(server.node, run, holder, members), state)
    said = "{} members serve; one more that fails ends the quorum".format(state.get("size", "no"))
    return {"comment": said, "findings": wrong, "seqno": state.get("seqno")}


def check_back(server: LocalServer, given: Kept, run: str, salt: servers.Functions) -> Answer:
    """Whether the kept member can found the cluster."""
    receipt = kept.need(datadir(), given)
    seen = {**of_files(server, salt), **_of_folder(datadir()), "founder": servers.can_found(salt)}
    wrong = kept_judgement.way_back_of_member(server.node, receipt, run, seen)
    return {"comment": "kept at {uuid}:{seqno}".format(**receipt["galera"]), "findings": wrong}


def check_other(server: LocalServer, given: Kept, run: str, members: int, salt: servers.Functions) -> Answer:
    """Whether this member, which went on, can be put aside; and how far it went on, when it can still say it."""
    seen = _gathered(server, "", salt)
    uuid, saved = kept.saved_position(datadir())
    seen.update(uuid=seen["state"].get("uuid") or uuid, aside=aside(run))
    seqno = seen["state"].get("seqno", saved)
    wrong = kept_judgement.way_back_of_other(Asked(server.node, run, given["node"], members), given["galera"], seen)
    return {"comment": _lost(seqno, given, seen["aside"]), "findings": wrong, "seqno": seqno}


def _lost(seqno: int, given: Kept, is_aside: bool) -> str:
    if is_aside:
        return "was put aside by this run already"
    then = int(given["galera"]["seqno"])
    if seqno < 0:
        return "cannot say how far it went on since seqno {}".format(then)
    return "is at seqno {}: {} events since the kept moment are given up".format(seqno, max(0, seqno - then))


def aside(run: str) -> bool:
    """Whether this run has put the data directory aside, and another one is in its place."""
    where = datadir()
    done = bool(run) and os.path.isdir(folders.before_folder(where, run)) and os.path.isdir(where)
    return done or folders.swapped(where, run)


def verify(server: LocalServer, given: Kept, members: int) -> Answer:
    """A member of the whole cluster of the kept moment, or what is wrong with it."""
    would_found, state = servers.would_found(), membership.view(server)
    if "galera" not in state:
        return {"comment": "does not serve", "findings": [kept_judgement.silent(server.node, state)]}
    wrong = afterwards.membership(server.node, state, given, members, would_found)
    since = state.get("seqno", -1) - int(given["galera"]["seqno"])
    said = "{}, seqno {}: {} events since the kept moment".format(state.get("state"), state.get("seqno"), since)
    return {"comment": said, "findings": wrong, "seqno": state.get("seqno")}


def check_rejoin(server: LocalServer, given: Kept, members: int, salt: servers.Functions) -> Answer:
    """Whether the cluster that went on can take the kept member, and the member is still its own."""
    if server.node == given["node"]:
        receipt = kept.need(datadir(), given)
        return {
            "comment": "is {}".format(receipt["state"]),
            "findings": kept_judgement.not_to_rejoin(server.node, receipt),
        }
    state = membership.view(server)
    wrong = kept_judgement.no_member(Asked(server.node, "", given["node"], members), state)
    if state.get("galera") and state["uuid"] != given["galera"]["uuid"]:
        wrong.append(kept_judgement.of_another_cluster(server.node, state["uuid"], given["galera"]["uuid"]))
    return {"comment": "{}, seqno {}".format(state.get("state"), state.get("seqno")), "findings": wrong}
