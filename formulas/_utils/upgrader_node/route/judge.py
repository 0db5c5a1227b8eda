"""The default routes of this node against what has to be there, and against what was. Pure: what is missing, and who is cut off."""

import ipaddress
import typing

from upgrader_node.host.findings import INFO, WARNING, Findings, of_node, some
from upgrader_node.netns.space import FIP, Space, Spaces
from upgrader_node.netns.texts import MAIN
from upgrader_node.route import need as needs
from upgrader_node.route.need import Known, Need

Row = typing.Dict[str, typing.Any]
REPAIR = "put it back with repair=True (--repair-dvr-routes), or restart neutron-l3-agent and look again"
BY_AGENT = "restart the agent of that namespace (neutron-l3-agent or neutron-dhcp-agent), then judge again"


class Missing(typing.NamedTuple):
    """A need that is not met: whether its route or its rule is not there, and whether it was met before."""

    need: Need
    route: bool
    rule: bool
    was_there: bool
    # A default route in main takes the packets meanwhile: nobody notices until it goes.
    hidden: bool
    floating: typing.List[typing.Dict[str, str]]
    networks: typing.List[str]

    @property
    def known(self) -> bool:
        """Whether it is certain that the route has to be there, and over which gateway."""
        return bool(self.need.via)

    def as_row(self, node: str) -> Row:
        """What is told of it: the node, its namespace, its router by id, and who is behind it."""
        one = self.need
        return {
            "node": node, "what": one.what, "namespace": one.namespace, "router": one.router, "table": one.table, "device": one.device,
            "via": one.via, "rule": " ".join(one.rule), "missing": ["route"] * self.route + ["rule"] * self.rule,
            "was_there": self.was_there, "hidden": self.hidden, "floating": self.floating, "networks": self.networks,
        }  # fmt: skip


def missing(spaces: Spaces, wanted: typing.Sequence[Need], known: Known) -> typing.List[Missing]:
    """What of the needs is not met."""
    return [one for one in (_missing(spaces, need, known) for need in wanted) if one]


def _missing(spaces: Spaces, need: Need, known: Known) -> typing.Optional[Missing]:
    space = spaces[need.namespace]
    route = space.default(need.table, need.device)
    right = route is not None and (known.gateways is None or need.what not in GATED or route.via == need.via)
    ruled = not need.rule or _ruled(space, need)
    if right and ruled:
        return None
    was = known.before.get(need.namespace)
    hidden = need.table != MAIN and not right and space.default(MAIN) is not None
    return Missing(need, not right, not ruled, _was_there(was, need), hidden, *_behind(spaces, need))


# Those of which neutron's own list of gateways tells the right one.
GATED = (needs.FLOATING, needs.EXTERNAL)


def _ruled(space: Space, need: Need) -> bool:
    word, value = need.rule
    return any(
        rule.table == need.table and (rule.iif if word == "iif" else rule.source) == value for rule in space.rules
    )


def _was_there(was: typing.Optional[Space], need: Need) -> bool:
    """Whether packets found this way before: Mitaka's route of floating addresses was in main."""
    if not was:
        return False
    tables = (need.table, MAIN) if need.what == needs.FLOATING else (need.table,)
    return any(was.default(table, need.device) for table in tables)


def _behind(spaces: Spaces, need: Need) -> typing.Tuple[typing.List[typing.Dict[str, str]], typing.List[str]]:
    """The floating addresses, with the fixed ones, and the networks that have this way only."""
    space = spaces[need.namespace]
    fixed = {floating: one for other in spaces.values() for floating, one in other.floating.items()}
    if need.what == needs.FLOATING:
        routes = [one for one in space.routes if one.device.startswith("fpr-") and one.via and one.to != "default"]
        pair = need.rule[1] if need.rule else ""
        found = [one.to.split("/")[0] for one in routes if pair in ("", one.device)]
    elif need.what == needs.TO_FLOATING:
        found = [floating for floating, one in space.floating.items() if one == need.rule[1]]
    else:
        found = list(space.floating) if need.what == needs.EXTERNAL else []
    return [{"floating": one, "fixed": fixed.get(one, "")} for one in sorted(found)], _networks(space, need)


def _networks(space: Space, need: Need) -> typing.List[str]:
    prefixes = {needs.EXTERNAL: ("qr-", "sg-"), needs.TO_SNAT: (need.device,), needs.DHCP: (need.device,)}
    devices = [name for prefix in prefixes.get(need.what, ()) for name in space.devices(prefix)]
    interfaces = [ipaddress.IPv4Interface(address) for name in devices for address in space.links[name].addresses]
    return sorted({str(one.network) for one in interfaces})


def findings(node: str, found: typing.Sequence[Missing], failed: typing.Mapping[Need, str]) -> Findings:
    """Each missing route; it stops the run when it was there before, or is certain to be needed. ``failed``: why a repair did."""
    return [_finding(node, one, failed.get(one.need, "")) for one in found]


def _finding(node: str, one: Missing, failed: str) -> typing.Dict[str, typing.Any]:
    need = one.need
    where = "in table {} of {}".format(need.table, need.namespace)
    if not one.known:
        what = "has no default route {} by {}, and had none before; nobody here knows whether its external network has a gateway"
        remedy = "name the gateways that neutron knows (gateways=), or look at 'ip netns exec {} ip route' yourself"
        return of_node(node, what.format(where, need.device), remedy.format(need.namespace), WARNING)
    lost = ["no default route via {}".format(need.via)] if one.route else []
    lost += ["no rule '{}'".format(" ".join(need.rule))] if one.rule else []
    how = "is cut off"
    if one.hidden:
        how = "hangs on an older route in table main, which goes when its device is set down once"
    what = "has {} {}: {}{} {}".format(" and ".join(lost), where, needs.WORDS[need.what], _who(one), how)
    if not one.was_there:
        what += "; it was missing before this run too, or is new"
    if failed:
        what += "; putting it back failed: " + failed
    return of_node(node, what, BY_AGENT if failed else REPAIR)


def unproven(node: str, need: Need, why: str) -> typing.Dict[str, typing.Any]:
    """A route that is there again, and carries nothing all the same."""
    what = "had the default route via {} put back into table {} of {}, and it carries nothing: {}"
    return of_node(node, what.format(need.via, need.table, need.namespace, why), BY_AGENT)  # fmt: skip


def _who(one: Missing) -> str:
    router = ["router {}".format(one.need.router)] if one.need.router else []
    floating = [
        "{} ({})".format(pair["floating"], pair["fixed"]) if pair["fixed"] else pair["floating"]
        for pair in one.floating
    ]
    told = router + (["floating " + some(floating)] if floating else [])
    told += ["networks " + some(one.networks)] if one.networks else []
    return " (" + "; ".join(told) + ")" if told else ""


def gone(node: str, spaces: Spaces, before: Spaces, unreadable: typing.Mapping[str, str]) -> Findings:
    """Namespaces of before that are no more, and floating addresses that this node no longer carries; neither stops the run."""
    lost = sorted(name for name in before if before[name].kind and name not in spaces and name not in unreadable)
    floating = sorted(_floating(before) - _floating(spaces)) if not unreadable else []
    remedy = (
        "see in neutron whether somebody moved or deleted it meanwhile; if nobody did, restart the agent that makes it"
    )
    found = [of_node(node, "no longer has namespace {}".format(name), remedy, WARNING) for name in lost]
    if floating:
        what = "no longer carries the floating addresses {}".format(some(floating))
        found.append(of_node(node, what, remedy, WARNING))
    return found


def _floating(spaces: Spaces) -> typing.Set[str]:
    """The floating addresses that this node carries, by their rules and by their routes."""
    routes = [one for space in spaces.values() if space.kind == FIP for one in space.routes if one.via]
    found = {one.to.split("/")[0] for one in routes if one.to != "default" and one.device.startswith("fpr-")}
    return found | {one for space in spaces.values() for one in space.floating}


def of_unreadable(node: str, unreadable: typing.Mapping[str, str]) -> Findings:
    """Namespaces that nobody can look into: nothing is known of their routes, which is no "all is well"."""
    remedy = "'ip netns delete' it when it is a remainder (after a crash of the node), else restart its agent; then run this again"
    return [
        of_node(node, "cannot look into namespace {}: {}".format(name, why), remedy)
        for name, why in sorted(unreadable.items())
    ]


def repaired(node: str, done: typing.Sequence[Missing]) -> Findings:
    """What was put back, as a note."""
    what = "had the default route via {} put back into table {} of {}{}"
    remedy = "nothing: it is proven; the agent that lost it should be restarted when there is time"
    return [
        of_node(node, what.format(one.need.via, one.need.table, one.need.namespace, _who(one)), remedy, INFO)
        for one in done
    ]
