"""Agents restarted after their packages or their configuration have changed, in order, and judged together. Instances are not touched.

A second call restarts what is still older than its code, and nothing else. Open vSwitch itself is restarted only when it is named:
traffic stops for seconds meanwhile.
"""

import typing

from upgrader_node.compute import stale, units
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
) -> Answer:
    """Restart those of the services that are older than what they are made of. Raises StepError for the first that does not last.

    :param services: names; the usual agents of computes and gateways by default
    :param wait: ``steady.wait``: until all of them have stayed up
    """
    names = units.plain(services) if services else list(stale.AGENTS)
    for name in names:
        stale.belongs(name)
    found = [units.standing(salt, name) for name in names]
    if not any(one.there for one in found):
        raise StepError("none of {} is on this node: name the services that it has".format(_names(found)))
    wanted = [one for one in found if one.wanted]
    todo = [one for one in wanted if not one.runs or stale.stale(one, root)]
    for one in todo:
        _restart(salt, one)
    if wanted:
        wait(salt, [one.name for one in wanted], patience)
    _demand_new(salt, todo)
    return _answer(found, wanted, todo)


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
