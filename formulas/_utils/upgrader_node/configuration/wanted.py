"""What Ocata wants in the files of a compute or a gateway that were written for Mitaka, and nothing beyond that.

nova-compute does not start without ``[placement]``, and ``[glance]/api_servers`` has no default any more. Of the network's agents
nothing may change under running traffic: an option whose default is another one now is written down as what it was. Where these
facts come from: ``options.notes``.
"""

import os
import typing

from upgrader_node.configuration import merging
from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.options import notes

Pillar = typing.Mapping[str, typing.Any]
Wanted = typing.Dict[str, typing.Dict[merging.Place, str]]
COMPUTE, GATEWAY = "compute", "gateway"
NOVA = "/etc/nova/nova.conf"
OVS, ML2, L3 = (
    "/etc/neutron/plugins/ml2/openvswitch_agent.ini",
    "/etc/neutron/plugins/ml2/ml2_conf.ini",
    "/etc/neutron/l3_agent.ini",
)
DROPS, FALSE = ("agent", "drop_flows_on_start"), "False"
PINNED = {
    OVS: (("ovs", "of_interface"), ("ovs", "ovsdb_interface")),
    L3: (("DEFAULT", "external_network_bridge"),),
}
"""Options of each file that mean another thing than in Mitaka where they are not set."""
BESIDE = {OVS: (ML2,)}
"""Files that an agent may read as well, before its own."""
ACCOUNT = ("host", "user", "password")


def of(role: str, pillar: Pillar, root: str = "") -> Wanted:
    """By file, the options that are wanted. Raises StepError for a role that is none, and with every pillar key that is lacking."""
    if role not in (COMPUTE, GATEWAY):
        raise StepError("there is no role {!r}: it is {} or {}".format(role, COMPUTE, GATEWAY))
    found = network(root)
    if role == COMPUTE:
        found[root + NOVA] = _nova(pillar, root + NOVA)
    if not found:
        what = "no configuration of a network agent is on this gateway (looked for {}): install its packages first"
        raise StepError(what.format(", ".join(PINNED)))
    return found


def network(root: str = "", was: typing.Optional[typing.Callable[[str], typing.Optional[str]]] = None) -> Wanted:
    """What the network's agents of this node keep; files that are not there are left out.

    :param was: the text of a file as it was before the upgrade; by default it is what it is now
    """
    earlier = was or merging.read
    found = {root + path: _kept(root, path, earlier) for path in PINNED if os.path.exists(root + path)}
    if root + OVS in found:
        found[root + OVS][DROPS] = FALSE
    return found


def _kept(
    root: str, path: str, earlier: typing.Callable[[str], typing.Optional[str]]
) -> typing.Dict[merging.Place, str]:
    there = {}  # type: typing.Dict[merging.Place, str]
    for one in (*BESIDE.get(path, ()), path):
        there.update(merging.values(earlier(root + one) or ""))
    return {place: there.get(place, _mitaka(*place)) for place in PINNED[path]}


def _mitaka(group: str, option: str) -> str:
    """What it meant in Mitaka not to set it."""
    return next(one.was for one in notes.CHANGED if (one.service, one.group, one.option) == ("neutron", group, option))


def _nova(pillar: Pillar, path: str) -> typing.Dict[merging.Place, str]:
    text = merging.read(path)
    if text is None:
        raise StepError("{} is not there: install nova-compute first".format(path))
    there = merging.values(text)
    found = _placement(pillar, there)
    found.update(_glance(pillar, there, path))
    return found


def _placement(pillar: Pillar, there: typing.Mapping[merging.Place, str]) -> typing.Dict[merging.Place, str]:
    """nova's account, by which the compute tells placement what it has. One that the file has already stays where pillar has none."""
    identity = host_pillar.value(pillar, "nova:compute:identity", {}) or {}
    lacking = [key for key in ACCOUNT if identity.get(key) in (None, "")]
    if lacking and ("placement", "username") in there and ("placement", "auth_url") in there:
        return {}
    if lacking:
        keys = ", ".join("nova:compute:identity:" + key for key in lacking)
        what = "pillar has no {}: Ocata's nova-compute does not start without an account for placement; add it to this node's classes"
        raise StepError(what.format(keys))
    domain = str(identity.get("domain", "default"))
    url = "{}://{}:{}/v3".format(identity.get("protocol") or "http", identity["host"], identity.get("port", 35357))
    options = {
        "os_region_name": identity.get("region", "RegionOne"), "os_interface": "internal", "auth_type": "password", "auth_url": url,
        "username": identity["user"], "password": identity["password"], "project_name": identity.get("tenant", "service"),
        "user_domain_id": domain, "project_domain_id": domain,
    }  # fmt: skip
    if identity.get("protocol") == "https":
        options["cafile"] = identity.get("cacert_file") or "/etc/ssl/certs/ca-certificates.crt"
    return {("placement", name): str(value) for name, value in options.items()}


def _glance(pillar: Pillar, there: typing.Mapping[merging.Place, str], path: str) -> typing.Dict[merging.Place, str]:
    """Where images are: as the file says it in Ocata's words or in Mitaka's, else as pillar does."""
    place = ("glance", "api_servers")
    if there.get(place):
        return {}
    image = host_pillar.value(pillar, "nova:compute:image", {}) or {}
    said = {key: there.get(("glance", key)) or image.get(key) for key in ("protocol", "host", "port")}
    if not said["host"]:
        what = "{} has neither [glance]/api_servers nor [glance]/host, and pillar no nova:compute:image:host: add that to this node's classes"
        raise StepError(what.format(path))
    return {place: "{}://{}:{}".format(said["protocol"] or "http", said["host"], said["port"] or 9292)}
