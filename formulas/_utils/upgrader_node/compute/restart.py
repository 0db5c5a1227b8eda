"""Agents restarted after their packages or their configuration have changed, in order, and judged together. Instances are not touched.

A second call restarts what is still older than its code, and nothing else. Open vSwitch itself is restarted only when it is named:
traffic stops for seconds meanwhile. While neutron's agent of it starts, distributed routing is held in its place (``dvr``).
"""

import typing

from upgrader_node.compute import dvr, stale, units
from upgrader_node.compute.units import Functions, Standing
from upgrader_node.errors import StepError
from upgrader_node.service import steady

Answer = typing.Dict[str, typing.Any]


def restart(
    salt: Functions,
    services: typing.Any = (),
    patience: float = 60.0,
    root: str = "",
    wait: typing.Callable[..., typing.Any] = steady.wait,
    routing: typing.Any = dvr,
) -> Answer:
    """Restart those of the services that are older than what they are made of. Raises StepError for the first that does not last.

    :param services: names; the usual agents of computes and gateways by default
    :param wait: ``steady.wait``: until all of them have stayed up
    :param routing: ``dvr``: what holds distributed routing while the agent starts
    """
    names = units.plain(services) if services else list(stale.AGENTS)
    for name in names:
        stale.belongs(name)
    found = [units.standing(salt, name) for name in names]
    if not any(one.there for one in found):
        raise StepError("none of {} is on this node: name the services that it has".format(_names(found)))
    wanted = [one for one in found if one.wanted]
    todo = [one for one in wanted if not one.runs or stale.stale(one, root)]
    held = routing.hold() if any(one.name == dvr.AGENT and one.runs for one in todo) else []
    for one in todo:
        _restart(salt, one)
    if wanted:
        wait(salt, [one.name for one in wanted], patience)
    _demand_new(salt, todo)
    return dict(_answer(found, wanted, todo), routing=_settled(routing, held, patience))


def _settled(routing: typing.Any, held: typing.Sequence[dvr.Flow], patience: float) -> str:
    """What was done about distributed routing, empty where there is none."""
    if not held:
        return ""
    names = ", ".join(sorted({flow.bridge for flow in held}))
    if routing.release(held, patience):
        return "held in {} until the agent had laid its flows".format(names)
    return "still held in {}: the agent has not laid its flows yet, and takes ours away when it has".format(names)


def _restart(salt: Functions, one: Standing) -> None:
    if not salt["service.restart"](one.name):
        what = "{0} cannot be restarted: see 'journalctl -u {0}' on this node, then 'upgrader resume'"
        raise StepError(what.format(one.name))


def _demand_new(salt: Functions, todo: typing.Sequence[Standing]) -> None:
    """An init system may say well and do nothing."""
    after = [(one, units.standing(salt, one.name)) for one in todo]
    same = [before for before, now in after if before.process and before.process == now.process]
    if same:
        what = "{0} still runs by its old process after its restart: see 'journalctl -u {0}', then 'upgrader resume'"
        raise StepError(what.format(_names(same)))


def _answer(
    found: typing.Sequence[Standing], wanted: typing.Sequence[Standing], todo: typing.Sequence[Standing]
) -> Answer:
    parts = (
        ("restarted", todo, "restarted"),
        ("already", [one for one in wanted if one not in todo], "run by what is there"),
        ("left_alone", [one for one in found if one.there and not one.wanted], "off and left so"),
    )
    said = ["{}: {}".format(words, _names(ones)) for _, ones, words in parts if ones]
    answer = {key: [one.name for one in ones] for key, ones, _ in parts}  # type: Answer
    absent = [one.name for one in found if not one.there]
    return dict(answer, absent=absent, comment="; ".join(said) or "no service is meant to run", changed=bool(todo))


def _names(ones: typing.Iterable[Standing]) -> str:
    return ", ".join(one.name for one in ones)
