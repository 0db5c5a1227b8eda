"""Agents that run by older code or configuration than this node has: what was installed or written after their process began.

The world is asked and no receipt: when dpkg unpacked the packages of the agent's project and of Python's libraries, when a file
below its configuration was changed last, and when the process began, as systemd knows. A call that was cut, an upgrade and the
way back are all seen alike.
"""

import fnmatch
import os
import time
import typing

from upgrader_node.compute.units import Standing
from upgrader_node.errors import StepError

INFO = "/var/lib/dpkg/info"
SLACK = 1.0
"""Seconds by which two clocks of one machine may differ."""
AGENTS = (
    "neutron-openvswitch-agent",
    "neutron-l3-agent",
    "neutron-vpn-agent",
    "neutron-dhcp-agent",
    "neutron-metadata-agent",
    "nova-compute",
)
"""The agents of a compute or a gateway, in the order in which they are restarted: who lays flows before who asks for them."""
SWITCH = "openvswitch-switch"


class Belongs(typing.NamedTuple):
    """What a unit is made of: patterns of packages, and folders of configuration."""

    packages: typing.Tuple[str, ...]
    folders: typing.Tuple[str, ...]


_OF_PROJECT = {
    "nova": Belongs(("nova-*", "python-*"), ("/etc/nova",)),
    "neutron": Belongs(("neutron-*", "python-*"), ("/etc/neutron",)),
    "openvswitch": Belongs(("openvswitch-*", "libopenvswitch*"), ()),
}


def belongs(unit: str) -> Belongs:
    """What a unit is made of. Raises StepError for one of which nobody knows."""
    found = _OF_PROJECT.get(unit.split("-")[0])
    if found is None:
        what = "nobody knows of which packages {} is: name agents such as {}"
        raise StepError(what.format(unit, ", ".join(AGENTS)))
    return found


def changed(of: Belongs, root: str = "") -> float:
    """When something of it was changed last, in seconds of the wall clock; 0 when there is nothing."""
    lists = [name for name in _names(root + INFO) if name.endswith(".list")]
    ours = [name for name in lists if any(fnmatch.fnmatchcase(name[:-5].split(":")[0], one) for one in of.packages)]
    times = [os.stat(os.path.join(root + INFO, name)).st_mtime for name in ours]
    times += [moment for folder in of.folders for moment in _below(root + folder)]
    return max(times, default=0.0)


def _names(folder: str) -> typing.List[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _below(top: str) -> typing.Iterator[float]:
    """Of every file, and of the folders: one that was put back has come to its place later than it was written."""
    for folder, _, names in os.walk(top):
        yield os.lstat(folder).st_ctime
        for name in names:
            yield os.lstat(os.path.join(folder, name)).st_ctime


def began(one: Standing) -> typing.Optional[float]:
    """When its process began, in seconds of the wall clock; None where nobody knows (no systemd, or it does not run)."""
    moment = one.process.partition("@")[2]
    if not one.runs or not moment.isdigit() or not int(moment):
        return None
    return time.time() - (time.clock_gettime(time.CLOCK_MONOTONIC) - int(moment) / 1e6)


def stale(one: Standing, root: str = "") -> bool:
    """Whether it runs by something older than what is there now; so does one of which nobody can tell."""
    since = began(one)
    return since is None or since < changed(belongs(one.name), root) + SLACK
