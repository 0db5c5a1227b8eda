"""Putting a missing default route back, and proving that packets take it."""

import os
import select
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.netns import space
from upgrader_node.netns.echo import Echo, Way, refused
from upgrader_node.netns.space import QROUTER, Spaces
from upgrader_node.netns.texts import MAIN
from upgrader_node.route import need as needs
from upgrader_node.route.judge import Missing
from upgrader_node.route.need import Need

# An address of documentation (RFC 5737): the kernel is asked for its way, nothing is sent to it.
NOBODY = "192.0.2.1"
ECHOES, PAUSE = 10, 0.3


def put_back(one: Missing) -> None:
    """The rule and the route, each where it is missing. Twice is as good as once. Raises StepError."""
    need = one.need
    if one.rule:
        if need.priority is None:
            what = "the priority of rule '{}' in {} is known to neutron only: restart neutron-l3-agent"
            raise StepError(what.format(" ".join(need.rule), need.namespace))
        added = ["ip", "-4", "rule", "add", *need.rule, "table", need.table, "priority", str(need.priority)]
        space.within(need.namespace, added)
    if one.route:
        table = [] if need.table == MAIN else ["table", need.table]
        replaced = ["ip", "-4", "route", "replace", "default", "via", need.via, "dev", need.device, *table]
        space.within(need.namespace, replaced)


def prove(need: Need, spaces: Spaces, beyond: str) -> str:
    """How it is proven that the route is taken: the kernel's own choice, and answers from ``beyond``. Raises StepError."""
    _asked(need, beyond or NOBODY)
    way = _way(need, spaces, beyond)
    if not way:
        return "the kernel takes it" + (", no echo was sent: nobody behind it can be spoken for" if beyond else "")
    answers(way)
    return "the kernel takes it, and {} answers{}".format(beyond, " " + way.source if way.source else "")


def _asked(need: Need, address: str) -> None:
    """``ip route get``, as a packet of those behind the route would be looked up."""
    command = ["ip", "-4", "route", "get", address, *need.asked]
    words = space.within(need.namespace, command).split()
    chosen = {word: after for word, after in zip(words, words[1:]) if word in ("via", "dev")}
    if (chosen.get("via"), chosen.get("dev")) != (need.via, need.device):
        what = "'{}' in {} goes via {} by {}, not via {} by {}: look at 'ip rule' and 'ip route show table all' there"
        took = (chosen.get("via", "nothing"), chosen.get("dev", "nothing"))
        raise StepError(what.format(" ".join(command), need.namespace, *took, need.via, need.device))


def _way(need: Need, spaces: Spaces, beyond: str) -> typing.Optional[Way]:
    """A way for an echo by this route. Floating addresses' routes are taken by packets of their instances only: in one's name."""
    if not beyond:
        return None
    if need.what == needs.EXTERNAL or (need.what == needs.FLOATING and need.table == MAIN):
        return Way(need.namespace, beyond)
    router = spaces.get(QROUTER + need.router)
    if not router or not router.floating or need.what not in (needs.FLOATING, needs.TO_FLOATING):
        return None
    source = need.rule[1] if need.what == needs.TO_FLOATING else sorted(router.floating.values())[0]
    return Way(router.name, beyond, source)


def answers(way: Way) -> None:
    """Raises StepError when none of a few echoes is answered."""
    try:
        echo = Echo(way, int.from_bytes(os.urandom(4), "big"))
    except OSError as error:
        raise refused(way, error) from None
    why = None  # type: typing.Optional[OSError]
    try:
        for number in range(ECHOES):
            try:
                echo.send(number)
            except OSError as error:
                why = error
                time.sleep(PAUSE)
                continue
            if select.select([echo.receiver], [], [], PAUSE)[0] and any(True for _ in echo.heard()):
                return
    finally:
        echo.close()
    if why:
        raise refused(way, why)
    what = "{} does not answer {} echoes from namespace {}{}: look whether it answers from elsewhere"
    raise StepError(what.format(way.address, ECHOES, way.namespace, " as " + way.source if way.source else ""))
