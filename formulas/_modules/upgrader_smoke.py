"""A server made on the upgraded cloud and read at once, and the agents that are up again: both through the APIs, as users see them."""

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.smoke import ask as smoke
from upgrader_node.verify import ask

__virtualname__ = "upgrader_smoke"


def __virtual__():
    return __virtualname__


def server(run, image="", flavor="", network="", patience=180, host="", cloud="", openrc=""):
    """Make server ``upgrader-smoke-<run>``, read it at once, wait until it is ACTIVE, delete it and wait until it is gone.

    What it made is deleted after a failure too, and what a call that was cut off left behind by the next call of that run. Answers
    the host, and in how many seconds each state was seen. Raises with nova's own words.

    :param image: name or id; by default the smallest active one, public before others
    :param flavor: name or id; by default the public one with the least memory that takes the image
    :param network: name or id; by default none (Newton's API on; on an older one what nova gives the project)
    :param patience: seconds until it must be ACTIVE, and again until it must be gone
    :param host: the host that it has to be on, as nova names it; the scheduler's choice by default
    :param cloud: name of a cloud in clouds.yaml, ``openrc`` a file of ``export OS_..`` lines; as ``upgrader_verify.calls`` by default

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_smoke.server run=RUN image=cirros flavor=m1.tiny host=cmp001
    """
    named = {"image": image, "flavor": flavor, "network": network, "host": host}
    asked = ask.Asked(cloud, openrc, True, float(patience), 4 * float(patience) + smoke.MORE_SECONDS)
    with told_as(CommandExecutionError):
        return smoke.server(__pillar__, run, named, asked, yaml)


def services_seen(expected_hosts, patience=120, without=(), cloud="", openrc=""):
    """Wait until nova-compute of these hosts is up, and whatever cinder and neutron list of them and nobody has disabled.

    Raises with each that is not, when the time is over. What is down on other hosts is a warning. nova says "up" for a minute after
    the last word of a service: so ask after the control plane was away for longer.

    :param expected_hosts: names of hosts; ``cmp001`` and ``cmp001.cloud.local`` are the same
    :param without: services that the cloud does not have, ``[neutron]`` where OpenContrail makes the networks

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_smoke.services_seen expected_hosts='[cmp001, cmp002]'
    """
    asked = ask.Asked(cloud, openrc, False, float(patience), 2 * float(patience) + smoke.MORE_SECONDS, without)
    with told_as(CommandExecutionError):
        return smoke.services(__pillar__, expected_hosts, asked, yaml)
