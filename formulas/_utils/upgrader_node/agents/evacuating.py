"""Instances taken to other hosts by live migration before a compute is worked on, one at a time; what cannot go stays and is named.

nova itself chooses the host and the kind of migration (``auto``, version 2.25 of its API, which is Mitaka's last). Only instances
that run are taken: the others feel nothing.
"""

import time
import typing

from upgrader_node.agents import looking
from upgrader_node.verify.client import Answer, CallFailed, Client

VERSION = {"X-OpenStack-Nova-API-Version": "2.25"}
POLL, BEGINS = 2.0, 20.0
"""Seconds between two looks, and until a migration that was taken has to show."""

Gone = typing.Tuple[typing.Dict[str, str], typing.List[str]]


def evacuate(cloud: Client, host: str, patience: float) -> Answer:
    """``moved``: id to host; ``stays``: in words. Raises CallFailed for a migration that has not ended within ``patience`` seconds."""
    name = next(
        (one["compute"]["host"] for one in looking.look(cloud, [host], ("neutron",), False).values() if one["compute"]),
        "",
    )
    moved, stays = {}, []  # type: Gone
    for identity, server in sorted(looking.servers(cloud, name).items()) if name else ():
        if server["status"] == "MIGRATING":  # begun by a call that was cut
            why = _ended(cloud, identity, name, patience, time.monotonic())
        elif server["status"] != "ACTIVE":
            continue
        else:
            why = _migrated(cloud, identity, name, patience)
        if why:
            stays.append("{} ({})".format(identity, why))
        else:
            moved[identity] = str(_server(cloud, identity)["OS-EXT-SRV-ATTR:host"])
    return {"moved": moved, "stays": stays}


def _migrated(cloud: Client, identity: str, host: str, patience: float) -> str:
    """Why it stays; "" when it went."""
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    path = "/servers/{}/action".format(identity)
    try:
        cloud.call("POST", "compute", path, looking.SECONDS, body, headers=VERSION)
    except CallFailed as error:
        return str(error)
    return _ended(cloud, identity, host, patience, time.monotonic() + BEGINS)


def _ended(cloud: Client, identity: str, host: str, patience: float, begins: float) -> str:
    """Wait until it is elsewhere, or back at ACTIVE where it was: then nova gave up, and its log says why."""
    deadline, seen = time.monotonic() + patience, False
    while True:
        server = _server(cloud, identity)
        migrating = server["status"] == "MIGRATING" or server.get("OS-EXT-STS:task_state") == "migrating"
        if not migrating and server["OS-EXT-SRV-ATTR:host"] != host:
            return ""
        seen = seen or migrating
        if not migrating and (seen or time.monotonic() >= begins):
            return "nova did not take it elsewhere, it is {}".format(server["status"])
        if time.monotonic() >= deadline:
            what = (
                "instance {} has not left {} within {:.0f} s and is still migrating: wait for it, or abort it in nova"
            )
            raise CallFailed(what.format(identity, host, patience))
        time.sleep(POLL)


def _server(cloud: Client, identity: str) -> Answer:
    answer = cloud.call("GET", "compute", "/servers/" + identity, looking.SECONDS)  # type: Answer
    server = answer["server"]  # type: Answer
    return server
