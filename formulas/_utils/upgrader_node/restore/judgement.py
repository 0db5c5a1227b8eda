"""What stands in the way of a restore on one node, and what is wrong after it. Facts in, findings out."""

import re
import typing

from upgrader_node.backup import backup_tool
from upgrader_node.database import galera as database_galera
from upgrader_node.host import settings
from upgrader_node.host.findings import WARNING, Findings, finding
from upgrader_node.host.findings import of_node as blocker

Facts = typing.Mapping[str, typing.Any]
_ADDRESS = re.compile(r"^\s*(?:loose[-_])?wsrep[-_]cluster[-_]address\s*=\s*[\"']?(?P<value>[^\"'#\s]*)")
NO_UUID = "00000000-0000-0000-0000-000000000000"
OUTSIDE = ("innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory")


def before(node: str, receipt: Facts, facts: Facts, another_cluster: bool) -> Findings:
    """Everything that would stop a restore on this node, all at once.

    :param facts: ``tool``, ``server`` (version texts), ``members`` (database nodes of the model), ``datadir``,
        ``unrenamable`` (a reason or ""), ``needed``, ``free`` (bytes), ``options``, ``addresses`` (file to value),
        ``uuid``, ``name`` (of its cluster, or ""), ``size`` (members it sees, 0 while it is down), ``founder`` (whether it can
        found one), ``clients`` (connections)
    """
    return [
        one
        for judge in (_receipt, _programs, unmovable, _room, empty_address, _cluster, _strangers, _clients)
        for one in judge(node, receipt, facts, another_cluster)
    ]


def _receipt(node: str, receipt: Facts, facts: Facts, _: bool) -> Findings:
    missing = sorted({"bytes", "sha256", "server_version", "data_bytes", "galera"} - set(receipt))
    if missing:
        return [
            blocker(
                node,
                "cannot restore backup {}: its receipt has no {}, so an older version took it".format(
                    receipt.get("id"), ", ".join(missing)
                ),
                "take another backup",
            )
        ]
    if facts["members"] > 1 and not receipt["galera"]:
        return [
            blocker(
                node,
                "is one of {} database nodes and backup {} is of a server that stood alone".format(
                    facts["members"], receipt["id"]
                ),
                "name a backup of the cluster, or only one node in {}".format(settings.DATABASE_NODES),
            )
        ]
    return []


def _programs(node: str, receipt: Facts, facts: Facts, _: bool) -> Findings:
    wanted = backup_tool.series(str(receipt.get("server_version", "")))
    wrong = []
    if not facts["server"]:
        wrong.append(blocker(node, "has no database server program", "install the server, series {}".format(wanted)))
    elif backup_tool.series(facts["server"]) != wanted:
        wrong.append(
            blocker(
                node,
                "has database server {} and backup {} is of {}".format(
                    backup_tool.series(facts["server"]), receipt.get("id"), receipt.get("server_version")
                ),
                "install server series {} there, or name a backup of this series".format(wanted),
            )
        )
    if not backup_tool.belongs(facts["tool"], str(receipt.get("server_version", ""))):
        needed = backup_tool.wanted(str(receipt.get("server_version", "")))
        what = "has backup tool {} and needs {}".format(backup_tool.named(facts["tool"]), needed)
        wrong.append(blocker(node, what, "install {} there".format(needed)))
    if receipt.get("galera") and not facts["founder"]:
        wrong.append(
            blocker(
                node,
                "has no known way to found a cluster (galera_new_cluster, a bootstrap unit, or an init script that can)",
                "install the server package that brings one",
            )
        )
    return wrong


def unmovable(node: str, receipt: Facts, facts: Facts, _: bool = False) -> Findings:
    """A data directory that a rename would not move whole."""
    wrong = []
    if facts["unrenamable"]:
        wrong.append(
            blocker(
                node,
                "cannot rename {}: {}".format(facts["datadir"], facts["unrenamable"]),
                "mount the disk one folder higher and keep the data directory in a folder on it (option datadir)",
            )
        )
    for name in OUTSIDE:
        place = facts["options"].get(name, "")
        if place.startswith("/") and not (place.rstrip("/") + "/").startswith(facts["datadir"] + "/"):
            wrong.append(
                blocker(
                    node,
                    "keeps {} in {}, outside of the data directory".format(name, place),
                    "a restore by rename would leave it as it is: move it into the data directory",
                )
            )
    return wrong


def _room(node: str, receipt: Facts, facts: Facts, _: bool) -> Findings:
    if facts["free"] >= facts["needed"]:
        return []
    return [
        blocker(
            node,
            "has {} MB free beside {} and the prepared copy needs {} MB".format(
                facts["free"] // 1000000, facts["datadir"], facts["needed"] // 1000000
            ),
            "make room there ({}.before-* are left of earlier restores, {}.prepared-* of copies never used)".format(
                facts["datadir"], facts["datadir"]
            ),
        )
    ]


def empty_address(node: str, receipt: Facts, facts: Facts, _: bool = False) -> Findings:
    """An empty address anywhere founds a second cluster one day: a restore by hand that leaves ``gcomm://`` in my.cnf has done that."""
    if not receipt.get("galera"):
        return []
    wrong = []
    asked = facts["options"].get("wsrep_cluster_address", "")
    if not database_galera.member_address(asked):
        wrong.append(
            blocker(
                node,
                "has the cluster address {!r} in its option files".format(asked),
                "name the members in wsrep_cluster_address (gcomm://host,host,host): without them it founds a second cluster",
            )
        )
    for path, value in sorted(facts["addresses"].items()):
        if not database_galera.member_address(value) and database_galera.member_address(asked):
            wrong.append(
                finding(
                    node,
                    "{} still holds wsrep_cluster_address = {}, which another file overrides".format(path, value),
                    "remove the line: without the other file the node founds a cluster of its own",
                    WARNING,
                )
            )
    return wrong


def _cluster(node: str, receipt: Facts, facts: Facts, another_cluster: bool) -> Findings:
    galera = receipt.get("galera")
    if not galera or another_cluster:
        return []
    here = facts["uuid"]
    if here and here not in (NO_UUID, galera["uuid"]):
        return [
            blocker(
                node,
                "belongs to cluster {} and backup {} is of cluster {}".format(here, receipt["id"], galera["uuid"]),
                "name a backup of this cluster, or give --another-cluster if this one is to be replaced",
            )
        ]
    if facts["name"] and galera.get("name") and facts["name"] != galera["name"]:
        return [
            blocker(
                node,
                "is configured for cluster {!r} and backup {} is of {!r}".format(
                    facts["name"], receipt["id"], galera["name"]
                ),
                "name a backup of this cluster, or give --another-cluster",
            )
        ]
    return []


def _strangers(node: str, receipt: Facts, facts: Facts, _: bool) -> Findings:
    """A member that nobody will stop keeps the old cluster alive, and the new one must not be founded beside it."""
    if facts["size"] <= facts["members"]:
        return []
    return [
        blocker(
            node,
            "sees {} members of its cluster and the model has {}".format(facts["size"], facts["members"]),
            "stop the one that is not in {} (an arbitrator counts too), or add it there".format(
                settings.DATABASE_NODES
            ),
        )
    ]


def _clients(node: str, receipt: Facts, facts: Facts, _: bool) -> Findings:
    if not facts["clients"]:
        return []
    return [
        finding(
            node,
            "{} clients are connected".format(facts["clients"]),
            "stop the services that write: they come back to the restored databases as soon as the first node serves",
            WARNING,
        )
    ]


def empty_addresses(files: typing.Mapping[str, str]) -> typing.Dict[str, str]:
    """File to value of every wsrep_cluster_address that names no member. ``files`` maps paths to their text."""
    empty = {}
    for path, text in files.items():
        for line in text.splitlines():
            match = _ADDRESS.match(line)
            if match and not database_galera.member_address(match.group("value")):
                empty[path] = match.group("value")
    return empty


def other_members(address: str, own: typing.Iterable[str]) -> typing.List[typing.Tuple[str, int]]:
    """(host, port) of every member that a cluster address names beside ``own``."""
    members = []
    for word in address.partition("://")[2].partition("?")[0].split(","):
        host, _, port = word.strip().partition(":")
        if host and host not in own:
            members.append((host, int(port) if port.isdigit() else 4567))
    return members
