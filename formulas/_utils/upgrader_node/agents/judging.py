"""Some hosts before and after: whether their agents are up at the release's version and their instances are as they were. Pure."""

import typing

Seen = typing.Mapping[str, typing.Any]
Versions = typing.Mapping[str, int]
STATES = ("status", "vm_state", "power_state")
PLACEMENT = 16
"""The service version from which a compute tells placement what it has (SERVICE_VERSION of nova/objects/service.py in ocata-eol)."""


class Judged(typing.NamedTuple):
    """What is wrong, in sentences that begin with the host, and instances that are not there any more: users may have deleted them."""

    wrong: typing.List[str]
    gone: typing.List[str]


def judge(
    before: Seen,
    now: Seen,
    versions: Versions,
    least: int,
    without: typing.Container[str] = (),
    moved: typing.Container[str] = (),
) -> Judged:
    """All hosts of ``now`` against what was recorded of them.

    :param versions: by host as nova names it, the version that its nova-compute wrote down
    :param moved: instances that this run took to other hosts
    """
    wrong, gone = [], []  # type: typing.Tuple[typing.List[str], typing.List[str]]
    for host, seen in now.items():
        earlier = before[host]
        wrong += ["{}: {}".format(host, what) for what in _compute(earlier, seen, versions, least)]
        wrong += ["{}: {}".format(host, what) for what in _agents(earlier, seen)] if "neutron" not in without else []
        held, there = earlier.get("servers") or {}, seen.get("servers") or {}
        wrong += ["{}: {}".format(host, what) for what in _instances(held, there)]
        gone += ["{} of {}".format(one, host) for one in held if one not in there and one not in moved]
    return Judged(wrong, gone)


def _compute(before: Seen, now: Seen, versions: Versions, least: int) -> typing.Iterator[str]:
    if before["compute"] is None:
        return
    if now["compute"] is None:
        yield "nova-compute is in nova's list no more"
        return
    if not now["compute"]["up"]:
        yield "nova-compute is down"
    version = versions.get(now["compute"]["host"])
    if version is None or version < least:
        yield "nova-compute is at service version {} instead of {}".format(version, least)
    if least >= PLACEMENT and not now.get("provider"):
        yield "it has no resource provider in placement"


def _agents(before: Seen, now: Seen) -> typing.Iterator[str]:
    """An agent that somebody disabled, or that was dead before, is nobody's loss."""
    there = {one["id"]: one for one in now["agents"]}
    for one in before["agents"]:
        if one["id"] not in there:
            yield "{} is in neutron's list no more".format(one["binary"])
        elif one["alive"] and one["meant"] and not there[one["id"]]["alive"]:
            yield "{} is not alive".format(one["binary"])


def _instances(before: Seen, now: Seen) -> typing.Iterator[str]:
    for one, held in sorted(before.items()):
        for key in STATES:
            if one in now and now[one][key] != held[key]:
                yield "instance {} has {} {} instead of {}".format(one, key, now[one][key], held[key])
                break


def closing(
    computes: typing.Mapping[str, str],
    providers: typing.Mapping[str, str],
    held: typing.Mapping[str, typing.Sequence[str]],
    servers: typing.Mapping[str, Seen],
) -> Judged:
    """The whole cloud after its last node: every compute has its provider, and every instance on one has its allocations there.

    :param computes: host to the hypervisor's name; ``providers``: name to id; ``held``: provider's name to consumers
    """
    wrong = [
        "compute {} has no resource provider ({})".format(host, name)
        for host, name in sorted(computes.items())
        if name not in providers
    ]
    for one, server in sorted(servers.items()):
        name = computes.get(str(server["host"] or ""), "")
        if name in providers and server["vm_state"] not in ("deleted", "soft-delete") and one not in held.get(name, ()):
            wrong.append("instance {} has no allocations on {}".format(one, server["host"]))
    known = set(servers)
    left = ["provider {} is of no compute".format(name) for name in sorted(set(providers) - set(computes.values()))]
    left += [
        "allocations of {} on {} are of no instance".format(one, name)
        for name, ones in sorted(held.items())
        for one in ones
        if one not in known
    ]
    return Judged(wrong, left)
