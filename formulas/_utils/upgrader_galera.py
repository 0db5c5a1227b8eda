"""What a database server says of its Galera cluster, and what is wrong with it. Standard library only.

``Synced`` and ``Primary`` are the words of wsrep_local_state_comment and wsrep_cluster_status; a node that is neither may
answer queries with stale rows, or refuse them (facts/lab.md, Databases; facts/reference.md section 5.5).
"""

import time
import typing

import upgrader_database

Status = typing.Dict[str, typing.Any]
Findings = typing.List[typing.Dict[str, str]]
SYNCED, PRIMARY = "Synced", "Primary"
DESYNC, RESYNC = "SET GLOBAL wsrep_desync = ON", "SET GLOBAL wsrep_desync = OFF"
LOCALLY = ("SET SESSION wsrep_on = OFF", "SET SESSION sql_log_bin = 0")
SETTLED_READS = "SET SESSION wsrep_sync_wait = 1"


def _named(connection: typing.Any, what: str, like: str) -> typing.Dict[str, str]:
    found = upgrader_database.rows(connection, "SHOW GLOBAL {} LIKE %s".format(what), (like,))
    return {str(name): str(value) for name, value in found}


def enabled(connection: typing.Any) -> bool:
    """Whether the server is a member of a Galera cluster now, not only able to be one."""
    return _named(connection, "VARIABLES", "wsrep_on").get("wsrep_on", "OFF") == "ON" and bool(
        _named(connection, "STATUS", "wsrep_cluster_state_uuid")
    )


def status(connection: typing.Any, sample: float = 0.0) -> Status:
    """The node's view of its cluster. ``galera`` is False for a server that stands alone; then there is only its load.

    :param sample: seconds over which ``load`` (questions a second that this node answers) is taken; 0 leaves it out
    """
    found = {"galera": enabled(connection)}  # type: Status
    if sample:
        found["load"] = _load(connection, sample)
    if not found["galera"]:
        return found
    said = _named(connection, "STATUS", "wsrep_%")
    asked = _named(connection, "VARIABLES", "wsrep_%")
    found.update(
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
    return found


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


def findings(node: str, found: Status, members: int) -> Findings:
    """What is wrong with this member of a cluster that should have ``members``; empty when all is well."""
    if not found["galera"]:
        return [] if members == 1 else [_blocker(node, "is no member of a Galera cluster", "start its cluster service")]
    wrong = []  # type: Findings
    if found["cluster_status"] != PRIMARY:
        wrong.append(
            _blocker(
                node,
                "is in the part of the cluster that has no quorum ({})".format(found["cluster_status"]),
                "bring the other members back, or the network between them",
            )
        )
    if found["state"] != SYNCED:
        remedy = "wait until it has caught up" + (
            "; wsrep_desync is ON, set it OFF if nothing there needs it" if found["desync"] else ""
        )
        wrong.append(_blocker(node, "is {}, not {}".format(found["state"], SYNCED), remedy))
    if found["size"] != members:
        wrong.append(
            _blocker(
                node,
                "sees {} members, the model has {}".format(found["size"], members),
                "start the missing ones, or correct upgrader:nodes:database in the model",
            )
        )
    if not member_address(found["address"]):
        wrong.append(
            _blocker(
                node,
                "has the cluster address {!r}, with which its next restart founds a second cluster".format(
                    found["address"]
                ),
                "name the members in wsrep_cluster_address (gcomm://host,host,host)",
            )
        )
    return wrong


def trigger_findings(node: str, connection: typing.Any) -> Findings:
    """With binary logging, which Galera has, a trigger needs SUPER (error 1419) unless this variable is on.

    Keystone's expand phase makes triggers, and its account rightly has no SUPER.
    """
    wanted = "log_bin_trust_function_creators"
    found = {**_named(connection, "VARIABLES", wanted), **_named(connection, "VARIABLES", "log_bin")}
    logging = found.get("log_bin") == "ON" or status(connection)["galera"]
    if found.get(wanted, "ON") == "ON" or not logging:
        return []
    return [
        _blocker(
            node,
            "does not let keystone's account make the triggers of its expand phase ({} is OFF)".format(wanted),
            "set it ON in the option file of every database node, and with SET GLOBAL for the time until the next restart",
        )
    ]


def model_findings(node: str, found: Status, role: typing.Mapping[str, typing.Any], members: int) -> Findings:
    """Where the server is another cluster's than the model says.

    :param role: pillar ``galera:master`` or ``galera:slave`` of this node, in MCP's form: ``name`` and ``members``
    """
    wrong = []  # type: Findings
    if role.get("name") and found["galera"] and found["name"] != role["name"]:
        wrong.append(
            _blocker(
                node,
                "is in cluster {!r}, its model says {!r}".format(found["name"], role["name"]),
                "correct wsrep_cluster_name, or pillar key galera:master|slave:name",
            )
        )
    if role.get("members") and len(role["members"]) != members:
        wrong.append(
            _blocker(
                node,
                "has {} members in pillar galera:master|slave:members and upgrader:nodes:database has {}".format(
                    len(role["members"]), members
                ),
                "make the two lists name the same nodes",
            )
        )
    return wrong


def member_address(address: str) -> bool:
    """Whether a wsrep_cluster_address names members. ``gcomm://`` alone means: found a new cluster."""
    scheme, _, members = address.partition("://")
    return scheme == "gcomm" and bool(members.partition("?")[0].strip())


def _blocker(node: str, what: str, remedy: str) -> typing.Dict[str, str]:
    return {"severity": "blocker", "subject": node, "what": "{} {}".format(node, what), "remedy": remedy}
