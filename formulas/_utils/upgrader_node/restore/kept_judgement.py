"""What stands in the way of keeping a member, of going back by it and of giving it back. Facts in, findings out."""

import typing

from upgrader_node.database import galera
from upgrader_node.host import settings
from upgrader_node.host.findings import WARNING, Finding, Findings
from upgrader_node.host.findings import of_node as blocker
from upgrader_node.restore import judgement, kept
from upgrader_node.restore.servers import CANNOT_FOUND, STOPPED

Facts = typing.Mapping[str, typing.Any]
CLUSTER = {"galera": True}
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Asked(typing.NamedTuple):
    """Who is asked about which member: this node, the run that keeps or goes back, the member's node, the cluster's size."""

    node: str
    run: str
    holder: str
    members: int


def before_keeping(asked: Asked, facts: Facts) -> Findings:
    """Everything that would make the kept member no way back, or the window with the others a bad one.

    :param facts: ``state`` (``membership.view``), ``kept_by`` (a sentence's end or ""), ``stopped_for_it`` (by this very run),
        ``options``, ``addresses``, ``datadir``, ``unrenamable``, ``founder``, ``free``, ``needed``, ``data``, ``gcache``
        (bytes), ``clients`` (connections)
    """
    if facts["kept_by"]:
        return [blocker(asked.node, facts["kept_by"], kept.remedy(facts["kept_by"].rpartition(" ")[2]))]
    wrong = judgement.empty_address(asked.node, CLUSTER, facts) + _no_founder(asked, facts)
    if facts["stopped_for_it"]:
        return wrong
    wrong += no_member(asked, facts["state"])
    if asked.node != asked.holder:
        wrong += judgement.unmovable(asked.node, CLUSTER, facts) + _room(asked, facts)
        wrong += _donor(asked, facts) + _method(asked, facts) + _small_cache(asked, facts)
    return wrong + _clients(asked, facts)


def no_member(asked: Asked, state: galera.Status) -> Findings:
    """Every member speaks for itself. The others do not mind that the one that is kept has left already."""
    if "galera" not in state:
        return [silent(asked.node, state)]
    left = asked.node != asked.holder and state.get("size") == asked.members - 1
    return [_but_the_kept_one(asked, one) for one in galera.findings(asked.node, state, asked.members - left)]


def _but_the_kept_one(asked: Asked, one: Finding) -> Finding:
    """A member that is kept stands still on purpose: who starts it with the missing ones has no way back any more."""
    if asked.node == asked.holder or not one["remedy"].startswith(("start the", "bring the")):
        return one
    return dict(
        one,
        remedy="{remedy}; but not {}, if a run keeps it: that would be the end of its way back".format(
            asked.holder, **one
        ),
    )


def silent(node: str, state: galera.Status) -> Finding:
    """A server that nobody can ask."""
    what = "has a database server that says nothing ({})".format(state.get("refused", "it broke off"))
    return blocker(node, what, "start it, and wait until it is {}".format(galera.SYNCED))


def _no_founder(asked: Asked, facts: Facts) -> Findings:
    if asked.node != asked.holder or facts["founder"]:
        return []
    return [blocker(asked.node, "cannot found a cluster", CANNOT_FOUND.format("of its database server"))]


def _donor(asked: Asked, facts: Facts) -> Findings:
    """A member that takes its state from the kept one only has nobody to take it from in the window."""
    wanted = facts["options"].get("wsrep_sst_donor", "").strip("\"'")
    names = {asked.holder, asked.holder.split(".", 1)[0]}
    if not wanted or wanted.endswith(",") or not set(wanted.split(",")) <= names:
        return []
    what = "takes its state from {} only (wsrep_sst_donor), which is the member to be kept".format(wanted)
    return [blocker(asked.node, what, "end the option with a comma, or keep another member (--node)")]


def _method(asked: Asked, facts: Facts) -> Findings:
    """A dump is loaded into a server that runs, and one on an empty data directory does not."""
    if facts["options"].get("wsrep_sst_method", "").strip("\"'") != "mysqldump":
        return []
    what = "gets its state by mysqldump (wsrep_sst_method), which does not fill an empty data directory"
    return [blocker(asked.node, what, "set rsync, or the method of its backup tool, on every database node")]


def _room(asked: Asked, facts: Facts) -> Findings:
    """On the way back each other member is sent everything, beside what it has now."""
    if facts["free"] >= facts["needed"]:
        return []
    what = "has {} MB free beside {} and the way back needs {} MB for what it is sent then".format(
        facts["free"] // 1000000, facts["datadir"], facts["needed"] // 1000000
    )
    return [
        blocker(asked.node, what, "make room there ({}.before-* are left of earlier runs)".format(facts["datadir"]))
    ]


def _small_cache(asked: Asked, facts: Facts) -> Findings:
    if not facts["gcache"] or facts["gcache"] >= facts["data"]:
        return []
    what = "keeps {} MB of writes for members that were away (gcache.size) and holds {} MB of data".format(
        facts["gcache"] // 1000000, facts["data"] // 1000000
    )
    remedy = (
        "nothing is lost by it: if more is written meanwhile, the kept member is sent everything when it rejoins (SST)"
    )
    return [blocker(asked.node, what, remedy, WARNING)]


def _clients(asked: Asked, facts: Facts) -> Findings:
    if not facts["clients"]:
        return []
    remedy = "stop the services that write: what they write from now on is not in the kept member"
    return [blocker(asked.node, "has {} clients connected".format(facts["clients"]), remedy, WARNING)]


def moved(node: str, receipt: Facts, facts: Facts) -> Findings:
    """Why the files of a kept member are no longer those of its moment; empty while they are.

    :param facts: ``service`` (``servers.state``), ``state`` (``membership.view``), ``position`` (uuid, seqno by grastate.dat),
        ``fingerprint``
    """
    then = (receipt["galera"]["uuid"], int(receipt["galera"]["seqno"]))
    if facts["service"] not in STOPPED:
        now = facts["state"].get("seqno")
        where = "at seqno {}".format(now) if now is not None else "saying nothing yet"
        what = "was started by somebody: it was kept at seqno {} and is {}".format(then[1], where)
    elif tuple(facts["position"]) != then:
        what = (
            "is at {}:{} by its grastate.dat, and was kept at {}:{}: somebody started it, or changed the file".format(
                *facts["position"], *then
            )
        )
    elif facts["fingerprint"] != receipt["fingerprint"]:
        what = (
            "has other files than when it was kept at seqno {}: somebody ran a server on them, or changed them".format(
                then[1]
            )
        )
    else:
        return []
    return [blocker(node, what, kept.FALLBACK)]


def way_back_of_member(node: str, receipt: Facts, run: str, facts: Facts) -> Findings:
    """Whether the kept member can found the cluster, or has for this very way back already."""
    if receipt["state"] == kept.BACK and receipt.get("back") == run:
        return []
    if receipt["state"] in (kept.BACK, kept.REJOINED, kept.REPLACED):
        told = {kept.BACK: "was gone back to already", kept.REJOINED: "was given back to the cluster"}
        what = told.get(receipt["state"], "was replaced by a restore")
        return [blocker(node, "{}: run {} keeps it no more".format(what, receipt["id"]), kept.FALLBACK)]
    wrong = [] if receipt["state"] == kept.FOUNDING else moved(node, receipt, facts)
    asked = Asked(node, run, node, 0)
    return wrong + judgement.empty_address(node, CLUSTER, facts) + _no_founder(asked, facts)


def way_back_of_other(asked: Asked, then: Facts, facts: Facts) -> Findings:
    """Whether a member that went on can be put aside and joins again.

    :param then: ``uuid`` and ``seqno`` of the kept member
    :param facts: as in ``before_keeping``, and ``uuid`` (of its cluster, running or not), ``aside`` (put aside by this run)
    """
    if facts["aside"]:
        return []
    wrong = judgement.unmovable(asked.node, CLUSTER, facts) + judgement.empty_address(asked.node, CLUSTER, facts)
    if facts["uuid"] not in ("", judgement.NO_UUID, then["uuid"]):
        what = "is in cluster {}, the kept member is of {}: the cluster was founded anew since".format(
            facts["uuid"], then["uuid"]
        )
        wrong.append(blocker(asked.node, what, kept.FALLBACK))
    if facts["state"].get("size", 0) >= asked.members:
        what = "sees {} members, and {} are left without the kept one: a member was added since, or the kept one runs".format(
            facts["state"]["size"], asked.members - 1
        )
        remedy = "stop the one that is not in {} and empty its data directory (an arbitrator: stop it)".format(
            settings.DATABASE_NODES
        )
        wrong.append(blocker(asked.node, what, remedy))
    return wrong + _room(asked, facts) + _clients(asked, facts)


def not_to_rejoin(node: str, receipt: Facts) -> Findings:
    """A member that the cluster was founded from is a member already."""
    if receipt["state"] not in (kept.FOUNDING, kept.BACK, kept.REPLACED):
        return []
    told = "was put aside by a restore" if receipt["state"] == kept.REPLACED else "is what the cluster was founded from"
    what = "{}: run {} keeps it no more".format(told, receipt["id"])
    return [
        blocker(node, what, "there is nothing to give back; 'upgrader status' names a way back that stands half way")
    ]


def of_another_cluster(node: str, uuid: str, then: str) -> Finding:
    """A member would come back to a history that is not its own: all that it holds would be replaced."""
    what = "is in cluster {}, the kept member is of {}".format(uuid, then)
    return blocker(
        node, what, "start the member by hand if it is to be filled anew (SST): {}".format("systemctl start mariadb")
    )


def cache_size(options: str) -> int:
    """Bytes of ``gcache.size`` in wsrep_provider_options; 0 where it does not say."""
    held = dict(part.strip().partition("=")[::2] for part in options.split(";"))
    word = held.get("gcache.size ", held.get("gcache.size", "")).strip().upper()
    digits = word.rstrip("KMGTB")
    return int(digits) * UNITS.get(word[len(digits) : len(digits) + 1], 1) if digits.isdigit() else 0
