"""What a database server says of its Galera cluster, and what is wrong with it. Standard library only.

``Synced`` and ``Primary`` are the words of wsrep_local_state_comment and wsrep_cluster_status; a node that is neither may
answer queries with stale rows, or refuse them (error 1047).
"""

import time
import typing

from upgrader_node.database import sql
from upgrader_node.host import settings
from upgrader_node.host.findings import Findings, of_node

Status = typing.Dict[str, typing.Any]
SYNCED, PRIMARY = "Synced", "Primary"
LOAD_SECONDS = 1.0
DESYNC, RESYNC = "SET GLOBAL wsrep_desync = ON", "SET GLOBAL wsrep_desync = OFF"
LOCALLY = ("SET SESSION wsrep_on = OFF", "SET SESSION sql_log_bin = 0")
SETTLED_READS = "SET SESSION wsrep_sync_wait = 1"


def _named(connection: typing.Any, what: str, like: str) -> typing.Dict[str, str]:
    held = sql.rows(connection, "SHOW GLOBAL {} LIKE %s".format(what), (like,))
    return {str(name): str(value) for name, value in held}


def counters(connection: typing.Any, like: str) -> typing.Dict[str, str]:
    """The server's status variables whose name fits a pattern of SQL's."""
    return _named(connection, "STATUS", like)


def locally(connection: typing.Any) -> typing.Tuple[str, ...]:
    """Statements behind which nothing that this session does leaves the node; a plain MySQL has no wsrep_on."""
    return LOCALLY if sql.variable(connection, "wsrep_on") is not None else LOCALLY[1:]


def enabled(connection: typing.Any) -> bool:
    """Whether the server is a member of a Galera cluster now, not only able to be one."""
    return _named(connection, "VARIABLES", "wsrep_on").get("wsrep_on", "OFF") == "ON" and bool(
        _named(connection, "STATUS", "wsrep_cluster_state_uuid")
    )


def status(connection: typing.Any, sample: float = 0.0) -> Status:
    """The node's view of its cluster. ``galera`` is False for a server that stands alone; then there is only its load.

    :param sample: seconds over which ``load`` (questions a second that this node answers) is taken; 0 leaves it out
    """
    state = {"galera": enabled(connection)}  # type: Status
    if sample:
        state["load"] = _load(connection, sample)
    if not state["galera"]:
        return state
    said = _named(connection, "STATUS", "wsrep_%")
    asked = _named(connection, "VARIABLES", "wsrep_%")
    state.update(
        {
            "name": asked.get("wsrep_cluster_name", ""),
            "address": asked.get("wsrep_cluster_address", ""),
            "uuid": said.get("wsrep_cluster_state_uuid", ""),
            "seqno": int(said.get("wsrep_last_committed", -1)),
            "size": int(said.get("wsrep_cluster_size", 0)),
            "cluster_status": said.get("wsrep_cluster_status", ""),
            "state": said.get("wsrep_local_state_comment", ""),
            "ready": said.get("wsrep_ready", "") == "ON",
            "desync": asked.get("wsrep_desync", "OFF") == "ON",
        }
    )
    return state


def _load(connection: typing.Any, sample: float) -> float:
    def questions() -> int:
        return int(_named(connection, "STATUS", "Questions")["Questions"])

    before, started = questions(), time.monotonic()
    time.sleep(sample)
    return round(max(0, questions() - before - 1) / (time.monotonic() - started), 1)


def run(connection: typing.Any, statement: str) -> None:
    """One statement without an answer."""
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def position(connection: typing.Any) -> typing.Optional[int]:
    """The last seqno this node has committed, None for a server that stands alone."""
    said = _named(connection, "STATUS", "wsrep_last_committed")
    return int(said["wsrep_last_committed"]) if said else None


def findings(node: str, state: Status, members: int) -> Findings:
    """What is wrong with this member of a cluster that should have ``members``; empty when all is well."""
    if not state["galera"]:
        return [] if members == 1 else [of_node(node, "is no member of a Galera cluster", "start its cluster service")]
    phrases = (_without_quorum(state), _not_synced(state), _of_another_size(state, members), _without_members(state))
    return [of_node(node, what, remedy) for what, remedy in phrases if what]


Phrase = typing.Tuple[str, str]  # what is wrong, "" for nothing, and its remedy


def _without_quorum(state: Status) -> Phrase:
    what = "is in the part of the cluster that has no quorum ({})".format(state["cluster_status"])
    wrong = state["cluster_status"] != PRIMARY
    return what if wrong else "", "bring the other members back, or the network between them"


def _not_synced(state: Status) -> Phrase:
    desynced = "; wsrep_desync is ON, set it OFF if nothing there needs it" if state["desync"] else ""
    what = "is {}, not {}".format(state["state"], SYNCED) if state["state"] != SYNCED else ""
    return what, "wait until it has caught up" + desynced


def _of_another_size(state: Status, members: int) -> Phrase:
    what = "sees {} members, the model has {}".format(state["size"], members) if state["size"] != members else ""
    return what, "start the missing ones, or correct {} in the model".format(settings.DATABASE_NODES)


def _without_members(state: Status) -> Phrase:
    address = state["address"]
    what = "has the cluster address {!r}, with which its next restart founds a second cluster".format(address)
    return "" if member_address(address) else what, "name the members in wsrep_cluster_address (gcomm://host,host,host)"


def check(
    node: str, connection: typing.Any, members: int, triggers: bool, role: typing.Mapping[str, typing.Any]
) -> Status:
    """The node's view of its cluster and its load, with everything that is wrong.

    :param triggers: whether an account without SUPER must be able to make triggers
    :param role: what the model says of this member (``settings.galera_role``)
    """
    state = status(connection, LOAD_SECONDS)
    wrong = findings(node, state, members)
    if triggers:
        wrong += trigger_findings(node, connection)
    wrong += model_findings(node, state, role, members)
    words = "{state}, seqno {seqno}".format(**state) if state["galera"] else "stands alone"
    comment = "{}, {} questions a second".format(words, state["load"])
    return {**state, "comment": comment, "findings": wrong}


def trigger_findings(node: str, connection: typing.Any) -> Findings:
    """With binary logging, which Galera has, a trigger needs SUPER (error 1419) unless this variable is on.

    Keystone's expand phase makes triggers, and its account rightly has no SUPER.
    """
    wanted = "log_bin_trust_function_creators"
    settings_held = {**_named(connection, "VARIABLES", wanted), **_named(connection, "VARIABLES", "log_bin")}
    logging = settings_held.get("log_bin") == "ON" or status(connection)["galera"]
    if settings_held.get(wanted, "ON") == "ON" or not logging:
        return []
    return [
        of_node(
            node,
            "does not let keystone's account make the triggers of its expand phase ({} is OFF)".format(wanted),
            "set it ON in the option file of every database node, and with SET GLOBAL for the time until the next restart",
        )
    ]


def model_findings(node: str, state: Status, role: typing.Mapping[str, typing.Any], members: int) -> Findings:
    """Where the server is another cluster's than the model says.

    :param role: pillar ``galera:master`` or ``galera:slave`` of this node, in MCP's form: ``name`` and ``members``
    """
    wrong = []  # type: Findings
    if role.get("name") and state["galera"] and state["name"] != role["name"]:
        wrong.append(
            of_node(
                node,
                "is in cluster {!r}, its model says {!r}".format(state["name"], role["name"]),
                "correct wsrep_cluster_name, or pillar key galera:master|slave:name",
            )
        )
    if role.get("members") and len(role["members"]) != members:
        wrong.append(
            of_node(
                node,
                "has {} members in pillar galera:master|slave:members and {} has {}".format(
                    len(role["members"]), settings.DATABASE_NODES, members
                ),
                "make the two lists name the same nodes",
            )
        )
    return wrong


def member_address(address: str) -> bool:
    """Whether a wsrep_cluster_address names members. ``gcomm://`` alone means: found a new cluster."""
    scheme, _, members = address.partition("://")
    return scheme == "gcomm" and bool(members.partition("?")[0].strip())
