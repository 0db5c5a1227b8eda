"""The program that asks, run by the Python that has keystoneauth1. The order comes on stdin, as in ``verify.session``."""

import time

from upgrader_node.smoke import choice, server, services
from upgrader_node.verify.client import Answer, CallFailed, Client, wait_for
from upgrader_node.verify.session import answered


def smoke(order: Answer) -> Answer:
    """A server's life, after what an earlier call left behind was taken away. Raises CallFailed."""
    began, cloud, name = time.monotonic(), Client(order), server.NAME.format(order["run"])
    wait_for(cloud, order["patience"])
    try:
        left = server.swept(cloud, name, order["patience"])
        wanted = choice.of(cloud, order)
        answer = dict(server.lived(cloud, wanted, name, order["patience"]), swept=left)
    except (KeyError, TypeError) as error:
        raise CallFailed("an answer without {}".format(error)) from None
    return dict(answer, seconds=round(time.monotonic() - began, 2))


def seen(order: Answer) -> Answer:
    """The agents of some hosts. Raises CallFailed."""
    cloud = Client(order)
    wait_for(cloud, order["patience"])
    return services.seen(cloud, order["hosts"], order["without"], order["patience"])


def asked(order: Answer) -> Answer:
    """What the order is for."""
    return {"server": smoke, "services": seen}[order["what"]](order)


if __name__ == "__main__":
    answered(asked)
