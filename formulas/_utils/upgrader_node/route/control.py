"""The routes of a node before and after its agents were changed: kept once in a run, judged as often as one likes, repaired.

The receipt of a run holds what was there before, and each repair before it is made.
"""

import ipaddress
import os
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import lock, records
from upgrader_node.netns import space, state
from upgrader_node.netns.space import Spaces
from upgrader_node.route import judge, need, repair
from upgrader_node.route.judge import Missing
from upgrader_node.route.need import Known, Need

Answer = typing.Dict[str, typing.Any]
FOLDER = "/var/lib/upgrader/route"
ROUTES = lock.Lock("routes", "the routes of this node")
RELEASES = (need.MITAKA, need.OCATA)
POLL = 2.0
REMEDY = "the routes of before are not known without it; move it away and judge without comparing (upgrader_route.record makes a new one)"


class Order(typing.NamedTuple):
    """What is judged: the node's name, the release whose agents run, what neutron says, and how long agents may take (seconds)."""

    node: str
    run: str
    release: str
    gateways: typing.Optional[typing.Sequence[str]]
    beyond: str
    patience: float
    state: str = state.STATE


class Judged(typing.NamedTuple):
    """One look: the namespaces, those that cannot be read, all needs and those that are not met."""

    spaces: Spaces
    unreadable: typing.Dict[str, str]
    needs: typing.List[Need]
    missing: typing.List[Missing]


def record(run: str, node: str, folder: str = FOLDER) -> Answer:
    """Keep how neutron's namespaces are now; what this run kept before stays. Raises StepError when one cannot be read."""
    path = _path(run, folder)
    held = records.read(path, REMEDY)
    if held:
        comment = "{} namespaces were kept by this run before".format(len(held["spaces"]))
        return {"comment": comment, "changed": False, "namespaces": sorted(held["spaces"])}
    spaces, unreadable = space.look(_names())
    os.makedirs(folder, mode=0o700, exist_ok=True)
    rows = {name: one.as_row() for name, one in spaces.items()}
    receipt = {"run": run, "node": node, "spaces": rows, "unreadable": unreadable, "repairs": []}
    records.write(path, receipt)
    comment = "{} namespaces are kept".format(len(spaces))
    return {
        "comment": comment,
        "changed": True,
        "namespaces": sorted(spaces),
        "findings": [dict(one, severity="warning") for one in judge.of_unreadable(node, unreadable)],
    }


def judged(order: Order, mend: bool, folder: str = FOLDER) -> Answer:
    """What is missing after ``patience`` seconds; with ``mend`` it is put back and proven first."""
    _plain(order)
    path = _path(order.run, folder)
    receipt = records.read(path, REMEDY)
    if receipt is None:
        what = "this run has not kept the routes of {}: upgrader_route.record has to come before its agents are changed"
        raise StepError(what.format(order.node))
    before = {name: space.from_row(name, row) for name, row in receipt["spaces"].items()}
    known = Known(before, order.gateways, order.state)
    look = _patient(order, known)
    done, failed = [], {}  # type: typing.List[Missing], typing.Dict[Need, str]
    if mend and look.missing:
        done, failed = _mended(order, look, path, receipt)
        look = _look(order.release, known)
    return _answer(order, look, before, done, failed)


def _patient(order: Order, known: Known) -> Judged:
    """Agents make namespaces and routes some time after they have started: look until all is there, or the time is over."""
    deadline = time.monotonic() + order.patience
    while True:
        look = _look(order.release, known)
        whole = not look.unreadable and not any(one.known for one in look.missing)
        if whole or time.monotonic() >= deadline:
            return look
        time.sleep(POLL)


def _look(release: str, known: Known) -> Judged:
    spaces, unreadable = space.look(_names())
    wanted = need.of(spaces, release, known)
    return Judged(spaces, unreadable, wanted, judge.missing(spaces, wanted, known))


def _mended(
    order: Order, look: Judged, path: str, receipt: Answer
) -> typing.Tuple[typing.List[Missing], typing.Dict[Need, str]]:
    """Put each known route back: written down first, then made, then proven. Those that were, and why others were not."""
    wanted = [one for one in look.missing if one.known]
    receipt["repairs"] += [dict(one.as_row(order.node), at=time.time()) for one in wanted]
    records.write(path, receipt)
    made, failed = [], {}  # type: typing.List[Missing], typing.Dict[Need, str]
    for one in wanted:
        try:
            repair.put_back(one)
            made.append(one)
        except StepError as error:
            failed[one.need] = str(error)
    for one in list(made):  # two routes of one way are proven when both are there
        try:
            repair.prove(one.need, look.spaces, order.beyond)
        except StepError as error:
            failed[one.need] = str(error)
            made.remove(one)
    return made, failed


def _answer(
    order: Order, look: Judged, before: Spaces, done: typing.Sequence[Missing], failed: typing.Mapping[Need, str]
) -> Answer:
    """A route that was put back and does not carry is told as one that is missing."""
    unproven = [one for one in failed if one not in [left.need for left in look.missing]]
    findings = judge.of_unreadable(order.node, look.unreadable)
    findings += judge.findings(order.node, look.missing, failed)
    findings += [judge.unproven(order.node, one, failed[one]) for one in unproven]
    findings += judge.gone(order.node, look.spaces, before, look.unreadable)
    findings += judge.repaired(order.node, done)
    sure = [one for one in look.missing if one.known]
    comment = "{} of {} default routes are missing".format(len(sure), len(look.needs))
    if not sure:
        comment = "all {} default routes are there".format(len([one for one in look.needs if one.via]))
    if done:
        comment += "; {} put back and proven".format(len(done))
    if failed:
        comment += "; {} could not be put back".format(len(failed))
    return {
        "comment": comment,
        "changed": bool(done),
        "checked": len(look.needs),
        "missing": [one.as_row(order.node) for one in look.missing],
        "repaired": [one.as_row(order.node) for one in done],
        "findings": findings,
    }


def _names() -> typing.List[str]:
    return [name for name in space.names() if name.startswith(space.KINDS)]


def _path(run: str, folder: str) -> str:
    return os.path.join(folder, records.plain(str(run)) + ".json")


def _plain(order: Order) -> None:
    """Raises StepError for what is no release and no address."""
    if order.release not in RELEASES:
        raise StepError("release must be {}, not {!r}".format(" or ".join(RELEASES), order.release))
    for address in [*(order.gateways or ()), *filter(None, [order.beyond])]:
        try:
            ipaddress.IPv4Address(address)
        except ValueError:
            raise StepError("gateways and beyond must be IPv4 addresses, not {!r}".format(address)) from None
