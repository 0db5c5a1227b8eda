"""One server made, read at once, waited for and deleted again, whatever becomes of it; each state with its time."""

import time
import typing

from upgrader_node.smoke.choice import NO_NETWORK, SECONDS, Wanted, any_network
from upgrader_node.verify.client import POLL, Answer, CallFailed, Client

NAME = "upgrader-smoke-{}"
# The first of nova's versions that takes "networks: none" (Newton). Before it a server without the key gets its project's network.
WITHOUT_NETWORK = {"X-OpenStack-Nova-API-Version": "2.37"}
NOT_FOUND, NOT_ACCEPTABLE, CONFLICT, SERVER_ERROR = 404, 406, 409, 500
APPEARS_SECONDS = 30.0
ROWS = (
    "rows of Mitaka's nova-osapi_compute, which its lists hide, are left in nova's table services (they keep the lowest version "
    "below 15): delete them by id, restart nova-api, then run this again"
)
UNREAD = "nova-api made server {} and does not find it: " + ROWS
# Seen with nova 15.1.5: without a valid host the server is in cell0, and while those rows are there only the list looks into it.
LISTED = "nova lists server {} and does not find it by its id, so it stays until a call of this run finds it: " + ROWS
# Neutron refuses to bind a port to an agent that it takes for dead. Agents double what they wait each time that nobody answers, so
# behind a window of some minutes they come back late (seen in the lab: up to two minutes after the controllers).
UNBOUND, BINDS_SECONDS, AGAIN_SECONDS = "Binding failed", 300.0, 10.0
AGENTS = "; no network agent there has reported to neutron for {:.0f} s: see 'openstack network agent list', and the agents' logs on the computes"
BROKEN = (CallFailed, KeyError, TypeError)


class Life(typing.NamedTuple):
    """One server: its id and name, when it was asked for (monotonic), and each state with the seconds until it was seen."""

    identity: str
    name: str
    began: float
    states: typing.List[Answer]

    def saw(self, state: str, host: str = "") -> None:
        """Note a state that is another than the one before."""
        if [one["state"] for one in self.states[-1:]] != [state]:
            self.states.append({"state": state, "seconds": round(time.monotonic() - self.began, 2), "host": host})


def lived(cloud: Client, wanted: Wanted, name: str, patience: float) -> Answer:
    """The whole life of a server. Raises CallFailed with nova's own words, and with what became of the server.

    One whose port no agent binds yet is deleted and made again, for as long as agents may take to come back.
    """
    began = time.monotonic()
    while True:
        try:
            return _lived(cloud, wanted, name, patience)
        except CallFailed as error:
            if UNBOUND not in str(error):
                raise
            if time.monotonic() - began >= BINDS_SECONDS:
                raise CallFailed(str(error) + AGENTS.format(time.monotonic() - began)) from None
        time.sleep(AGAIN_SECONDS)


def _lived(cloud: Client, wanted: Wanted, name: str, patience: float) -> Answer:
    began = time.monotonic()
    wanted, answer = _asked_for(cloud, wanted, name)
    life = Life(str(answer["server"]["id"]), name, began, [])
    try:
        _read_at_once(cloud, life)
        host = _active(cloud, life, patience)
    except BROKEN as error:
        raise CallFailed("{}; {}".format(_words(error), _taken_away(cloud, life, patience))) from None
    _deleted(cloud, life, patience)
    return dict(wanted.told(), server=life.identity, name=name, host=host, states=life.states)


def swept(cloud: Client, name: str, patience: float) -> typing.List[str]:
    """Delete what an earlier call of the run left behind, by its exact name; the ids."""
    ours = _listed(cloud, name)
    for identity in ours:
        _deleted(cloud, Life(identity, name, time.monotonic(), []), patience)
    return ours


def _listed(cloud: Client, name: str) -> typing.List[str]:
    """Ids of the servers of exactly this name; the API takes it for a pattern."""
    listed = cloud.call("GET", "compute", "/servers/detail?all_tenants=1&name={}".format(name), SECONDS)["servers"]
    return [str(one["id"]) for one in listed if one["name"] == name]


def _asked_for(cloud: Client, wanted: Wanted, name: str) -> typing.Tuple[Wanted, Answer]:
    """What it is made from, and nova's answer.

    While a compute of Mitaka is left, Ocata's nova-api takes "no network" for "nothing said" (``_validate_auto_or_none_network_request``):
    the server gets the only network of its project, and where there are several nova wants one named (409).
    """
    try:
        return wanted, _made(cloud, wanted, name)
    except CallFailed as error:
        if wanted.network or error.status != CONFLICT:
            raise
    wanted = wanted._replace(network=any_network(cloud))
    return wanted, _made(cloud, wanted, name)


def _made(cloud: Client, wanted: Wanted, name: str) -> Answer:
    body = {"name": name, "imageRef": wanted.image["id"], "flavorRef": wanted.flavor["id"]}
    if wanted.zone:
        body["availability_zone"] = wanted.zone
    if wanted.network:
        return _post(cloud, dict(body, networks=[{"uuid": wanted.network["id"]}]), {})
    return _without_network(cloud, body)


def _without_network(cloud: Client, body: Answer) -> Answer:
    try:
        return _post(cloud, dict(body, networks=NO_NETWORK), WITHOUT_NETWORK)
    except CallFailed as error:
        if error.status != NOT_ACCEPTABLE:
            raise
    return _post(cloud, body, {})


def _post(cloud: Client, body: Answer, headers: typing.Dict[str, str]) -> Answer:
    answer = cloud.call("POST", "compute", "/servers", SECONDS, {"server": body}, headers=headers)  # type: Answer
    return answer


def _read_at_once(cloud: Client, life: Life) -> None:
    """A client reads what it has just made. Another failure than "not found" may pass: the wait for ACTIVE tells it."""
    try:
        _look(cloud, life)
    except CallFailed as error:
        if error.status == NOT_FOUND:
            raise CallFailed(UNREAD.format(life.identity)) from None


def _active(cloud: Client, life: Life, patience: float) -> str:
    """The host on which it became ACTIVE."""
    while True:
        server, last = _looked(cloud, life)
        if server.get("status") == "ACTIVE":
            return str(server.get("OS-EXT-SRV-ATTR:host") or "")
        if server.get("status") == "ERROR":
            raise CallFailed("server {} is in ERROR: {}".format(life.identity, _fault(server)))
        if time.monotonic() >= life.began + patience:
            raise CallFailed("server {} is not ACTIVE within {:.0f} s: {}".format(life.identity, patience, last))
        time.sleep(POLL)


def _looked(cloud: Client, life: Life) -> typing.Tuple[Answer, str]:
    """The server, or nothing where the API did not serve for a moment, and what was seen, in words."""
    try:
        server = _look(cloud, life)
    except CallFailed as error:
        if NOT_FOUND <= error.status < SERVER_ERROR:
            raise
        return {}, str(error)
    return server, _state(server)


def _look(cloud: Client, life: Life) -> Answer:
    server = cloud.call("GET", "compute", "/servers/" + life.identity, SECONDS)["server"]  # type: Answer
    life.saw(_state(server), str(server.get("OS-EXT-SRV-ATTR:host") or ""))
    return server


def _state(server: Answer) -> str:
    task = server.get("OS-EXT-STS:task_state")
    return "{} ({})".format(server["status"], task) if task else str(server["status"])


def _fault(server: Answer) -> str:
    fault = server.get("fault") or {}
    return " ".join(str(fault.get("message") or "nova says no reason").split())[:300]


def _taken_away(cloud: Client, life: Life, patience: float) -> str:
    """Delete after a failure; how that went, in words."""
    try:
        _deleted(cloud, life, patience, 0.0 if life.states else APPEARS_SECONDS)
    except BROKEN as error:
        return "and it could not be deleted: {}".format(_words(error))
    return "it was deleted again" if life.states else "it has not come up since, so there is nothing to delete"


def _deleted(cloud: Client, life: Life, patience: float, appears: float = 0.0) -> None:
    """Delete and wait until it is gone. ``appears``: for so many seconds not to find it means that it may still come."""
    began, accepted = time.monotonic(), False
    while True:
        try:
            accepted = accepted or _delete(cloud, life)
            last = "it is still " + _pressed(cloud, _look(cloud, life))
        except CallFailed as error:
            last = str(error)
            if error.status == NOT_FOUND and (accepted or time.monotonic() - began >= appears):
                break
        if time.monotonic() - began >= patience:
            raise CallFailed("server {} is not gone within {:.0f} s: {}".format(life.identity, patience, last))
        time.sleep(POLL)
    _demand_gone(cloud, life)


def _demand_gone(cloud: Client, life: Life) -> None:
    """A "not found" is believed when the list has it no more either. Raises CallFailed."""
    if life.identity in _listed(cloud, life.name):
        raise CallFailed(LISTED.format(life.identity))
    if life.states:
        life.saw("gone")


def _delete(cloud: Client, life: Life) -> bool:
    cloud.call("DELETE", "compute", "/servers/" + life.identity, SECONDS)
    return True


def _pressed(cloud: Client, server: Answer) -> str:
    """How the server is. Where nova keeps deleted ones for a while (``reclaim_instance_interval``), it is told not to."""
    if server["status"] == "SOFT_DELETED":
        cloud.call("POST", "compute", "/servers/{}/action".format(server["id"]), SECONDS, {"forceDelete": None})
    return _state(server)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, CallFailed) else "an answer without {}".format(error)
