"""Whether a model can be written as it is: nothing is missing, nothing would be dropped in silence, no word is wrong."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import some
from upgrader_node.model import choices, held_back, passing, unread, written
from upgrader_node.service import required
from upgrader_node.service.roles import ROLE_OF

Known = typing.Mapping[str, typing.Sequence[str]]
Release = typing.Callable[[str], typing.Mapping[str, typing.Any]]


def judge(pillar: typing.Any, role: str, known: Known, release: Release) -> str:
    """A sentence on what the model gives a role. Raises StepError, which names every key at once, when it cannot be written.

    :param known: role to the keys that templates read
    :param release: gives the options that the new release knows of a service
    """
    required.refuse(required.lacking(pillar, role))
    service = unread.service_of(role)
    service = service if ROLE_OF.get(service) == role else ""
    unread.refuse(role, unread.refused(pillar, role, known[role]), bool(service))
    if not service:
        _refuse_pass_through(pillar, role)
        return "pillar has all keys that {0} needs, and all that it sets are read".format(role)
    choices.refuse(pillar, role)
    passed = written.judge(pillar, service)
    return "; ".join(_words(pillar, role, service, passed, release))


def _words(
    pillar: typing.Any, role: str, service: str, passed: passing.Options, release: Release
) -> typing.Iterator[str]:
    yield "pillar has all keys that {0} needs, and all that it sets are read".format(role)
    held = [role + ":" + key for key in held_back.told(pillar, service)] + passing.held(pillar, service)
    if held:
        yield "held back on a copy: {0}".format(some(held, unread.SHOWN))
    strange = passing.unknown(passed, release(service)) if any(passed.values()) else []
    if strange:
        yield "passed on though {0} registers no such option: {1}".format(service, some(strange, unread.SHOWN))


def _refuse_pass_through(pillar: typing.Any, role: str) -> None:
    place = unread.place_of(role, "conf")
    if host_pillar.value(pillar, place) is not None:
        raise StepError(
            "nothing was written: pillar {0} is set, but {1} has no configuration of that form: there is a pass-through for "
            "{2}".format(place, unread.service_of(role), ", ".join(sorted(ROLE_OF)))
        )
