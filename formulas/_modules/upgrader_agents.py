"""
Agents of computes and gateways as a controller sees them: recorded before a node is worked on, disabled, proven, enabled again.

Everything goes through the cloud's APIs, by the account that ``upgrader_verify`` uses; the service version of computes, which no
API tells, is read in nova's database. Instances are looked at and never touched. Run on one controller, the same for a whole run.
"""

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.agents import ask as agents
from upgrader_node.agents import closing, versions
from upgrader_node.errors import told_as
from upgrader_node.host import lock
from upgrader_node.model import held_back
from upgrader_node.verify import ask

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_agents"
HOUR = 3600


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def record(run, hosts, without=(), cloud="", openrc=""):
    """
    Write down how these hosts are: nova-compute, network agents, each instance's state. Once for each host in a run.

    Raises for a host of which neither nova nor neutron has heard.

    :param hosts: names; ``cmp001`` and ``cmp001.cloud.local`` are the same
    :param without: services that the cloud does not have, ``[neutron]`` where OpenContrail makes the networks

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.record run=RUN hosts='[cmp001, cmp002]'
    """
    with _told(), _alone("record", run):
        return agents.record(_door(__pillar__, 60, without, cloud, openrc), run, agents.demand_hosts(hosts))


def disable(run, hosts, reason="packages and configuration", cloud="", openrc=""):
    """
    Disable nova-compute of these hosts, with a reason that names the run. One that somebody else disabled keeps his reason.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.disable run=RUN hosts='[cmp001]' reason='upgrade to Ocata'
    """
    with _told():
        return agents.disable(_door(__pillar__, 60, (), cloud, openrc), run, agents.demand_hosts(hosts), reason)


def enable(run, hosts, cloud="", openrc=""):
    """
    Enable nova-compute of those of these hosts that this run disabled; twice is no error, and others stay as they are.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.enable run=RUN hosts='[cmp001]'
    """
    with _told():
        return agents.enable(_door(__pillar__, 60, (), cloud, openrc), run, agents.demand_hosts(hosts))


def proven(run, hosts, version=16, patience=120, without=(), cloud="", openrc=""):
    """
    Wait until these hosts are as before: nova-compute up at the service version and known to placement, agents alive, instances as recorded.

    Findings by host: a blocker for each thing that is not so when the time is over. Instances that are gone are a warning.

    :param version: of nova's services; Ocata's is 16, Mitaka's 9
    :param patience: seconds

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.proven run=RUN hosts='[cmp001]'
    """
    with _told(), _alone("proven", run):
        door = _door(__pillar__, patience, without, cloud, openrc)
        asked = versions.of(pymysql, __pillar__)
        return agents.proven(door, run, agents.demand_hosts(hosts), int(version), asked)


def move(run, host, cloud="", openrc=""):
    """
    Give the routers and DHCP networks of a gateway to other agents that can take them; what stays is a warning.

    Highly available routers fail over by themselves. A router that moves is without its gateway for the seconds that it takes.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.move run=RUN host=gtw01
    """
    with _told(), _alone("move", run):
        return agents.move(_door(__pillar__, 60, (), cloud, openrc), run, agents.demand_hosts([host])[0])


def back(run, host, cloud="", openrc=""):
    """
    Give back to a gateway what ``move`` of this run took away. Twice is no error.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.back run=RUN host=gtw01
    """
    with _told(), _alone("back", run):
        return agents.back(_door(__pillar__, 60, (), cloud, openrc), run, agents.demand_hosts([host])[0])


def evacuate(run, host, patience=HOUR, cloud="", openrc=""):
    """
    Take the instances that run on a compute to other hosts by live migration, one at a time. What cannot go stays and is a warning.

    They are not taken back. nova chooses host and kind; raises for a migration that does not end.

    :param patience: seconds for each of them

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.evacuate run=RUN host=cmp001
    """
    with _told(), _alone("evacuate", run):
        # How long all of them take, nobody knows beforehand: the caller's own patience ends it.
        door = _door(__pillar__, patience, (), cloud, openrc)
        return agents.evacuate(
            door._replace(asked=door.asked._replace(timeout=24 * HOUR)), run, agents.demand_hosts([host])[0]
        )


def closed(run, version=16, patience=120, cloud="", openrc="", release=None):
    """
    After the last node, and after the controllers' nova was restarted: new hosts are mapped, ``nova-status`` is content, no compute is below
    the version, every compute has its resource provider and every instance its allocations, and the scheduler asks placement.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.closed run=RUN
    """
    with _told(), _alone("closed", run):
        production = not held_back.is_copy(__pillar__, "nova")
        more = {"allow_production": production, "release": release}
        mapped = __salt__["upgrader_schema.phase"](service="nova", phase="discover-hosts", **more)
        status = __salt__["upgrader_nova.status"](**more)
        door, asked = _door(__pillar__, patience, (), cloud, openrc), versions.of(pymysql, __pillar__)
        answer = closing.closed(door, run, __salt__, int(version), asked)
        told = "{}; hosts: {}; nova-status: {}".format(answer["comment"], mapped["comment"], status["comment"])
        return dict(answer, comment=told, findings=answer["findings"] + status["findings"])


def alive(without=(), patience=30, cloud="", openrc=""):
    """
    Every service of nova's and every network agent that is switched on: how many are heard of, and who is not. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.alive
    """
    with _told():
        return agents.alive(_door(__pillar__, patience, without, cloud, openrc))


def may_go_back(hosts, version=16):
    """
    Whether computes can go back to the source release, by findings: nova lets no service start that is older than all others of its kind.

    :param version: the target's service version; as long as one compute is below it, others may go back too

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_agents.may_go_back hosts='[cmp001]'
    """
    with _told():
        asked = versions.of(pymysql, __pillar__)
        return versions.may_go_back(asked, agents.demand_hosts(hosts), int(version))


def _door(pillar, patience, without, cloud, openrc):
    asked = ask.Asked(cloud, openrc, True, float(patience), 2 * float(patience) + agents.MORE_SECONDS, tuple(without))
    return agents.Door(pillar, asked, yaml)


def _alone(function, run):
    return lock.exclusively(lock.AGENTS, "upgrader_agents." + function, run)


def _told():
    return told_as(CommandExecutionError, driver=pymysql)
