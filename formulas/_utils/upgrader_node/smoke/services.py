"""Which agents are up, by nova's, cinder's and neutron's own lists: those of the hosts that were named have to be."""

import time
import typing

from upgrader_node.verify.client import Answer, CallFailed, Client

SECONDS, POLL = 60.0, 1.0
COMPUTE = "nova-compute"
Seen = typing.Dict[str, typing.Dict[str, str]]


class Agent(typing.NamedTuple):
    """One line of a list. ``meant``: nobody has disabled it."""

    binary: str
    host: str
    up: bool
    meant: bool

    @property
    def state(self) -> str:
        return ("up" if self.up else "down") + ("" if self.meant else ", disabled")

    def __str__(self) -> str:
        return "{} on {}".format(self.binary, self.host)


def seen(cloud: Client, hosts: typing.Sequence[str], without: typing.Container[str], patience: float) -> Answer:
    """Wait until the agents of these hosts are up. Raises CallFailed with those that are not."""
    began = time.monotonic()
    while True:
        wrong, agents = _look(cloud, hosts, without)
        if not wrong:
            return _answer(agents, hosts, time.monotonic() - began)
        if time.monotonic() - began >= patience:
            what = "not up within {:.0f} s: {}; see their logs on these hosts, and that they reach the message queue"
            raise CallFailed(what.format(patience, "; ".join(wrong)))
        time.sleep(POLL)


def _look(
    cloud: Client, hosts: typing.Sequence[str], without: typing.Container[str]
) -> typing.Tuple[typing.List[str], typing.List[Agent]]:
    """What is wrong, in words, and all agents. A service that does not answer yet is wrong as well."""
    try:
        agents = _agents(cloud, without)
    except CallFailed as error:
        return [str(error)], []
    except (KeyError, TypeError) as error:
        return ["an answer without {}".format(error)], []
    return [
        one for host in hosts for one in _wrong(host, [agent for agent in agents if same(agent.host, host)])
    ], agents


def _agents(cloud: Client, without: typing.Container[str]) -> typing.List[Agent]:
    found = [_service(one) for one in cloud.call("GET", "compute", "/os-services", SECONDS)["services"]]
    if "cinder" not in without:
        kind = _volumes(cloud)
        found += [_service(one) for one in cloud.call("GET", kind, "/os-services", SECONDS)["services"]]
    if "neutron" not in without:
        found += [_agent(one) for one in cloud.call("GET", "network", "/v2.0/agents", SECONDS)["agents"]]
    return found


def _volumes(cloud: Client) -> str:
    """The newest of cinder's names in the catalogue: Mitaka's has no v3. Raises CallFailed while keystone does not serve."""
    try:
        kinds = {entry["type"] for entry in cloud.catalogue()}
    except cloud.errors.ClientException as error:
        raise CallFailed("no catalogue: {}".format(" ".join(str(error).split())[:200])) from None
    return "volumev3" if "volumev3" in kinds else "volumev2"


def _service(item: Answer) -> Agent:
    """cinder's hosts have the backend's name behind them."""
    return Agent(item["binary"], item["host"].split("@")[0], item["state"] == "up", item["status"] == "enabled")


def _agent(item: Answer) -> Agent:
    return Agent(item["binary"], item["host"], bool(item["alive"]), bool(item["admin_state_up"]))


def same(host: str, named: str) -> bool:
    """The same host, whether one of the two names has a domain or not."""
    return host == named or (("." in host) != ("." in named) and host.split(".")[0] == named.split(".")[0])


def _wrong(host: str, agents: typing.Sequence[Agent]) -> typing.List[str]:
    """nova-compute has to be up, disabled or not; whatever else the host has, unless it was disabled."""
    down = ["{} is down".format(one) for one in agents if not one.up and (one.meant or one.binary == COMPUTE)]
    if not any(one.binary == COMPUTE for one in agents):
        down.append("{} on {} is in no list".format(COMPUTE, host))
    return sorted(set(down))


def _answer(agents: typing.Sequence[Agent], hosts: typing.Sequence[str], seconds: float) -> Answer:
    by_host = {}  # type: Seen
    for one in sorted(agents, key=lambda agent: not agent.up):  # of two with one name, the one that is down is told
        by_host.setdefault(one.host, {})[one.binary] = one.state
    asked = {host for host in by_host if any(same(host, named) for named in hosts)}
    others = sorted({str(one) for one in agents if one.host not in asked and one.meant and not one.up})
    return {
        "hosts": {host: by_host[host] for host in sorted(asked)},
        "down_elsewhere": others,
        "seconds": round(seconds, 2),
    }
