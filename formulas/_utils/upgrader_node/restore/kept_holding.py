"""One member of the cluster stopped at its last write and kept as it is; and given back to the cluster that went on.

Every function looks at the world first and may be cut off. Hold ``lock.RESTORE`` meanwhile.
"""

import time
import typing

from upgrader_node.database import galera
from upgrader_node.database.local_server import LocalServer
from upgrader_node.errors import StepError
from upgrader_node.restore import kept, kept_facts, membership, servers, service_control

Answer = typing.Dict[str, typing.Any]


def hold(server: LocalServer, run: str, members: int, timeout: float, salt: servers.Functions) -> Answer:
    """Stop the member, and write down the position that its files hold. It does not start at boot any more.

    A member that was stopped and not written down yet (the call was cut off) is written down as it is.
    """
    datadir, unit = kept_facts.datadir(), servers.unit(salt)
    receipt = kept.read(datadir, run)
    if receipt is not None and receipt["state"] == kept.KEPT:
        kept_facts.untouched(server, receipt, salt)
        return _answer(receipt, False)
    if receipt is None or servers.state(unit) not in servers.STOPPED:
        cluster = _require_member(server, members)
        enabled = receipt["enabled"] if receipt else _starts_at_boot(datadir, unit)
        receipt = kept.write(datadir, _intended(server.node, run, cluster, enabled))
    service_control.at_boot(unit, False)
    servers.forget_founding()
    servers.stop(unit, datadir, timeout)
    return _answer(_written_down(server.node, receipt, datadir), True)


def _require_member(server: LocalServer, members: int) -> galera.Status:
    """Asked again at the last moment: a gate's answer may be minutes old, and a resumed run's hours."""
    state = membership.view(server)
    if "galera" not in state:
        raise StepError(
            "{} does not serve ({}): start it, then 'upgrader resume'".format(server.node, state.get("refused"))
        )
    for one in galera.findings(server.node, state, members):
        raise StepError("{what}; {remedy}".format(**one))
    return state


def _intended(node: str, run: str, state: galera.Status, enabled: bool) -> kept.Receipt:
    cluster = {"name": state["name"], "uuid": state["uuid"], "seqno": state["seqno"]}
    return {
        "id": run,
        "node": node,
        "state": kept.INTENDED,
        "galera": cluster,
        "enabled": enabled,
        "at": _now(),
    }


def _starts_at_boot(datadir: str, unit: servers.Server) -> bool:
    """Also where an attempt that was left behind has changed it already: that one's receipt says how it was."""
    left = kept.standing(datadir, (kept.INTENDED,))
    return service_control.starts_at_boot(unit) or any(one["enabled"] for one in left)


def _written_down(node: str, receipt: kept.Receipt, datadir: str) -> kept.Receipt:
    """What the stopped server says of itself. One that stopped without a position is no way back to any moment."""
    uuid, seqno = kept.saved_position(datadir)
    if uuid != receipt["galera"]["uuid"] or seqno < int(receipt["galera"]["seqno"]):
        raise StepError(
            "{} stopped without a clean position (grastate.dat says {}:{}, it served {uuid} at {seqno} before): start it, wait "
            "until it is Synced, then 'upgrader resume'".format(node, uuid or "nothing", seqno, **receipt["galera"])
        )
    cluster = {**receipt["galera"], "seqno": seqno}
    return kept.write(
        datadir, receipt, state=kept.KEPT, galera=cluster, fingerprint=kept.fingerprint(datadir), at=_now()
    )


def _answer(receipt: kept.Receipt, changed: bool) -> Answer:
    told = {key: receipt[key] for key in ("id", "node", "galera", "at")}
    said = "{} at {uuid}:{seqno}".format("kept" if changed else "was kept before,", **receipt["galera"])
    return {"comment": said, "receipt": told, "changed": changed}


def rejoin(
    server: LocalServer, given: typing.Mapping[str, typing.Any], timeout: float, salt: servers.Functions
) -> Answer:
    """Start the kept member: the cluster that went on brings it up to date, and the way back by it is gone."""
    datadir, unit = kept_facts.datadir(), servers.unit(salt)
    receipt = kept.need(datadir, given)
    if receipt["state"] in (kept.FOUNDING, kept.BACK, kept.REPLACED):
        what = "run {} keeps no member here any more ({}): there is nothing to give back"
        raise StepError(what.format(receipt["id"], receipt["state"]))
    if receipt["state"] != kept.REJOINED:
        receipt = kept.write(datadir, receipt, state=kept.REJOINING)
    answer = membership.join(server, receipt, "", timeout, salt)
    if receipt["enabled"]:
        service_control.at_boot(unit, True)
    kept.write(datadir, receipt, state=kept.REJOINED)
    return answer


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
