"""nova-compute disabled before a host is worked on, and enabled again. Whose doing it was, its reason says, so nothing else is asked.

A host that an operator has disabled keeps his reason, before, meanwhile and afterwards.
"""

import typing

from upgrader_node.agents import looking
from upgrader_node.verify.client import Answer, CallFailed, Client

MOST = 255
"""nova's column for the reason."""


def mark(run: str) -> str:
    """How the reason begins by which a run knows its own."""
    return "upgrader {}:".format(run)


def reason_of(run: str, reason: str) -> str:
    """What is written down. A run's own mark stands whole whatever is cut."""
    return "{} {}".format(mark(run), " ".join(reason.split()) or "packages and configuration")[:MOST]


def disable(cloud: Client, hosts: looking.Hosts, run: str, reason: str) -> Answer:
    """Disable those that are enabled. Raises CallFailed for one that is not disabled afterwards."""
    done, left, absent = [], [], []
    for host, seen in looking.look(cloud, hosts, ("neutron",), whole=False).items():
        service = seen["compute"]
        if service is None:
            absent.append(host)
        elif service["enabled"]:
            _put(cloud, "disable-log-reason", service["host"], {"disabled_reason": reason_of(run, reason)})
            done.append(host)
        elif not service["reason"].startswith(mark(run)):
            left.append(host)
    _demand(cloud, [host for host in hosts if host not in absent], False)
    return {"disabled": done, "left": left, "absent": absent}


def enable(cloud: Client, hosts: looking.Hosts, run: str) -> Answer:
    """Enable those that this run disabled. Raises CallFailed for one that is not enabled afterwards."""
    done, left = [], []
    for host, seen in looking.look(cloud, hosts, ("neutron",), whole=False).items():
        service = seen["compute"]
        if service is None or service["enabled"]:
            continue
        if service["reason"].startswith(mark(run)):
            _put(cloud, "enable", service["host"], {})
            done.append(host)
        else:
            left.append("{} ({})".format(host, service["reason"] or "no reason"))
    _demand(cloud, done, True)
    return {"enabled": done, "left": left}


def _put(cloud: Client, what: str, host: str, more: typing.Dict[str, str]) -> None:
    body = dict(more, host=host, binary=looking.COMPUTE)
    cloud.call("PUT", "compute", "/os-services/" + what, looking.SECONDS, body)


def _demand(cloud: Client, hosts: looking.Hosts, enabled: bool) -> None:
    """What the list says afterwards counts."""
    seen = looking.look(cloud, hosts, ("neutron",), whole=False) if hosts else {}
    wrong = [host for host, one in seen.items() if one["compute"] is None or one["compute"]["enabled"] is not enabled]
    if wrong:
        what = "nova-compute of {} is not {} though nova took the order: look at 'openstack compute service list'"
        raise CallFailed(what.format(", ".join(wrong), "enabled" if enabled else "disabled"))
