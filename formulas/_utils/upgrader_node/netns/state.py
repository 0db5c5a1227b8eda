"""What neutron's agents keep on disk of routers and networks: files below their ``state_path``. Each is absent where its agent is not."""

import contextlib
import os
import re
import typing

STATE = "/var/lib/neutron"
# neutron.agent.l3.ha writes "master" until Wallaby, "primary" since.
ACTIVE = ("master", "primary")
_ROUTER = re.compile(r"(?:tag:)?[^,]*,option:router,(?P<address>[\d.]+)")
_PORT = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2},[^,]*,(?P<address>\d+\.\d+\.\d+\.\d+)")
_PRIORITY = re.compile(r"(?P<floating>[\d.]+),(?P<priority>\d+)")


def highly_available(router: str, folder: str = STATE) -> str:
    """What the l3 agent calls its part in a router that several agents serve: ``master``, ``backup``; empty where it says nothing."""
    return _read(os.path.join(folder, "ha_confs", router, "state")).strip()


def gateways(network: str, folder: str = STATE) -> typing.List[str]:
    """The gateways of a network's subnets, as the DHCP agent tells them to instances."""
    matches = [_ROUTER.match(line) for line in _read(os.path.join(folder, "dhcp", network, "opts")).splitlines()]
    return [match.group("address") for match in matches if match]


def ports(network: str, folder: str = STATE) -> typing.List[str]:
    """The addresses that the DHCP agent gives out in a network."""
    matches = [_PORT.match(line) for line in _read(os.path.join(folder, "dhcp", network, "host")).splitlines()]
    return [match.group("address") for match in matches if match]


def priorities(folder: str = STATE) -> typing.Dict[str, int]:
    """Floating addresses of this node, with the priority of the rule that each one's fixed address has: the agent removes it by that."""
    matches = [_PRIORITY.match(line) for line in _read(os.path.join(folder, "fip-priorities")).splitlines()]
    return {match.group("floating"): int(match.group("priority")) for match in matches if match}


def _read(path: str) -> str:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""
