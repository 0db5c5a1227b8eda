"""The program that asks and switches, run by the Python that has keystoneauth1. The order comes on stdin, as in ``verify.session``."""

import concurrent.futures
import typing

from upgrader_node.agents import evacuating, looking, moving, switching
from upgrader_node.verify.client import Answer, CallFailed, Client, wait_for
from upgrader_node.verify.session import WORKERS, answered


def closed(cloud: Client, order: Answer) -> Answer:
    """Everything that is compared after the last node."""
    providers = looking.providers(cloud)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        held = dict(zip(providers, pool.map(lambda one: looking.allocations(cloud, one), providers.values())))
    return {
        "computes": looking.computes(cloud),
        "providers": providers,
        "held": held,
        "servers": looking.servers(cloud),
    }


Work = typing.Dict[str, typing.Callable[[Client, Answer], Answer]]
WORK = {
    "look": lambda cloud, order: {"hosts": looking.look(cloud, order["hosts"], order["without"])},
    "disable": lambda cloud, order: switching.disable(cloud, order["hosts"], order["run"], order["reason"]),
    "enable": lambda cloud, order: switching.enable(cloud, order["hosts"], order["run"]),
    "evacuate": lambda cloud, order: evacuating.evacuate(cloud, order["host"], order["patience"]),
    "plan_moves": lambda cloud, order: moving.plan(cloud, order["host"]),
    "move": lambda cloud, order: {"done": moving.carry_out(cloud, order["moves"], order["back"])},
    "closed": closed,
    "alive": lambda cloud, order: looking.alive(cloud, order["without"]),
}  # type: Work


def asked(order: Answer) -> Answer:
    """What the order is for. Raises CallFailed."""
    cloud = Client(order)
    wait_for(cloud, order["patience"])
    try:
        return WORK[order["what"]](cloud, order)
    except (KeyError, TypeError, IndexError) as error:
        raise CallFailed("an answer without {}".format(error)) from None


if __name__ == "__main__":
    answered(asked)
