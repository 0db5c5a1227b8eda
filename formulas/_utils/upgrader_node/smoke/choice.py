"""What a server is made from: the image, flavor, network and host that were named, or the smallest that there are."""

import typing

from upgrader_node.verify.client import Answer, CallFailed, Client
from upgrader_node.verify.resources import RESOURCES

SECONDS = 60.0
NO_NETWORK = "none"
# Parts of an image that no server boots from, though they look like images.
PARTS = ("aki", "ari")
_BY_NAME = {resource.name: resource for resource in RESOURCES}


class Wanted(typing.NamedTuple):
    """Each as the API has it; ``network`` is None for a server without one, ``zone`` is empty where the scheduler chooses."""

    image: Answer
    flavor: Answer
    network: typing.Optional[Answer]
    zone: str

    def told(self) -> typing.Dict[str, str]:
        """Names for sentences."""
        network = self.network["name"] if self.network else NO_NETWORK
        return {"image": self.image["name"], "flavor": self.flavor["name"], "network": network}


def of(cloud: Client, order: typing.Mapping[str, str]) -> Wanted:
    """What the order wants. Raises CallFailed when something is not there, or there are two of that name."""
    image = _image(cloud, order["image"])
    return Wanted(
        image, _flavor(cloud, order["flavor"], image), _network(cloud, order["network"]), _zone(cloud, order["host"])
    )


def _image(cloud: Client, named: str) -> Answer:
    images = cloud.pages(_BY_NAME["images"])
    if named:
        return _one(images, named, "image")
    fit = [one for one in images if _boots(one)]
    return _smallest(fit, lambda one: (one.get("visibility") != "public", one["size"], one["id"]), "active image")


def _boots(image: Answer) -> bool:
    whole = image.get("container_format") not in PARTS and image.get("disk_format") not in PARTS
    return bool(image["status"] == "active" and image.get("size") and whole)


def _flavor(cloud: Client, named: str, image: Answer) -> Answer:
    flavors = cloud.pages(_BY_NAME["flavors"])
    if named:
        return _one(flavors, named, "flavor")
    fit = [one for one in flavors if _takes(one, image)]
    what = "public flavor that takes image {}".format(image["name"])
    return _smallest(fit, lambda one: (one["ram"], one["vcpus"], one["disk"], one["id"]), what)


def _takes(flavor: Answer, image: Answer) -> bool:
    """Public, and large enough; a disk of 0 is as large as the image."""
    usable = flavor["os-flavor-access:is_public"] and not flavor["OS-FLV-DISABLED:disabled"]
    disk = flavor["disk"] == 0 or flavor["disk"] >= (image.get("min_disk") or 0)
    return bool(usable and flavor["ram"] >= (image.get("min_ram") or 0) and disk)


def _network(cloud: Client, named: str) -> typing.Optional[Answer]:
    return _one(cloud.pages(_BY_NAME["networks"]), named, "network") if named else None


def any_network(cloud: Client) -> Answer:
    """One that a server may be on where nova wants one named: inside the cloud, with a subnet, shared rather than a project's own."""
    fit = [
        one
        for one in cloud.pages(_BY_NAME["networks"])
        if one["subnets"] and one["admin_state_up"] and not one["router:external"]
    ]
    return _smallest(fit, lambda one: (not one["shared"], one["id"]), "network inside the cloud with a subnet")


def _zone(cloud: Client, host: str) -> str:
    """``zone:host``, by which an administrator's server goes to one host."""
    if not host:
        return ""
    listed = cloud.call("GET", "compute", "/os-services?binary=nova-compute", SECONDS)["services"]
    zones = {one["host"]: one["zone"] for one in listed if one["host"] == host}
    if not zones:
        words = "no nova-compute on a host named {}; there is: {}"
        raise CallFailed(words.format(host, ", ".join(sorted(one["host"] for one in listed)) or "none"))
    return "{}:{}".format(zones[host], host)


def _one(listed: typing.Sequence[Answer], named: str, kind: str) -> Answer:
    """The one with this id, else the only one with this name."""
    found = [one for one in listed if one["id"] == named] or [one for one in listed if one["name"] == named]
    if len(found) != 1:
        raise CallFailed("{} of {} {}s are named {}: give its id".format(len(found), len(listed), kind, named))
    return found[0]


def _smallest(listed: typing.Sequence[Answer], order: typing.Callable[[Answer], typing.Any], what: str) -> Answer:
    if not listed:
        raise CallFailed("there is no {}: name one".format(what))
    return min(listed, key=order)
