"""
What may leave the upgrade node while it holds a copy of the cloud: the kernel lets out a short list of places and counts
whatever else is tried. The second check beside ``upgrader_copy.isolated``, which reads configuration.
"""

import glob
import subprocess

from salt.exceptions import CommandExecutionError
from upgrader_node.copy import allowed, egress, packet_filter
from upgrader_node.errors import told_as

__virtualname__ = "upgrader_egress"

RESOLVER = "/etc/resolv.conf"
SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources")


def __virtual__():
    return __virtualname__


def check():
    """
    Whether the rules can be made and this kernel takes them: the places that pillar and this node name have addresses, and
    none is a cloud's service. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_egress.check
    """
    with told_as(CommandExecutionError):
        places, unknown = _places()
        comment = "{} places may be reached, by {}".format(len(places), packet_filter.chosen(places))
        return {"comment": comment, "allowed": _shown(places), "findings": unknown}


def stand(run):
    """
    Make the rules of a run stand, now and after every boot. Those that stand already are left, with their counters.

    :param run: id of the run; rules of another run are made anew, so that its counters begin at nothing

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_egress.stand run=20261129-1
    """
    with told_as(CommandExecutionError):
        places, unknown = _places()
        changed = packet_filter.stand(places, run)
        __salt__["service.systemctl_reload"]()
        __salt__["service.enable"](packet_filter.UNIT)
        comment = "{} places may be reached, everything else is refused and counted".format(len(places))
        return {"comment": comment, "changed": changed, "allowed": _shown(places), "findings": unknown}


def refused(run):
    """
    What was let out and what was refused since the rules of a run stand.

    :param run: id of the run that ``stand`` got

    Raises CommandExecutionError that names every service of a cloud which something tried to reach, and when other rules
    stand than were made.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_egress.refused run=20261129-1
    """
    with told_as(CommandExecutionError):
        return egress.judge(*packet_filter.standing(run))


def lift():
    """
    Take the rules away, for good: only once the node holds no copy any more.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_egress.lift
    """
    with told_as(CommandExecutionError):
        if packet_filter.has_unit():
            __salt__["service.disable"](packet_filter.UNIT)
        gone = packet_filter.lift()
        __salt__["service.systemctl_reload"]()
        return {"comment": "egress rules taken away" if gone else "there were no egress rules", "changed": gone}


def _places():
    return allowed.places(__pillar__, __opts__, _read(RESOLVER), "".join(map(_read, _sources())) + _apt_options())


def _sources():
    return [path for pattern in SOURCES for path in sorted(glob.glob(pattern))]


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as opened:
            return opened.read() + "\n"
    except FileNotFoundError:
        return ""


def _apt_options():
    try:
        done = subprocess.run(
            ["apt-config", "dump"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.decode("utf-8", "replace")


def _shown(places):
    return [
        "{}: {} {} {}".format(one.why, ", ".join(one.addresses), one.protocol, ",".join(map(str, one.ports)))
        for one in places
    ]
