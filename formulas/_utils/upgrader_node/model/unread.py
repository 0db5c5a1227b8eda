"""Which keys of a role's pillar nobody reads: settings that would be dropped in silence. Names only: a value may be a secret.

What is read is derived from the templates (``files/pillar_keys.json`` of formula openstack): role to paths, ``*`` for any name
and ``[]`` for any item of a list. A path is read with all that is below it. Used by both sides: the control side counts what
production sets, on the node the states of a service refuse.
"""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import some
from upgrader_node.model import without_effect

ANY, ITEM = "*", "[]"
SHOWN = 12
Way = typing.List[str]


def keys(pillar: typing.Any, role: str, known: typing.Sequence[str]) -> typing.List[str]:
    """Keys below ``role`` that are set, not ``known`` to be read and not without effect, sorted.

    None where the pillar has no such role. A key without effect counts when its value is another than the one it may have.
    """
    held = host_pillar.value(pillar, role)
    if not isinstance(held, dict):
        return []
    read = [path.split(":") for path in known]
    allowed = [row for row in without_effect.of(role) if not (row.off and host_pillar.value(held, row.off))]
    return sorted(
        {
            ":".join(way)
            for way, value in leaves(held, [])
            if not any(covers(path, way) or (value in ([], {}) and _reaches(path, way)) for path in read)
            and not any(covers(row.key.split(":"), way) and _among(value, row.values) for row in allowed)
        }
    )


def leaves(value: typing.Any, way: Way) -> typing.Iterator[typing.Tuple[Way, typing.Any]]:
    """Ways to everything that is set, with its value; None is not, as in reclass, where it takes a value away."""
    if isinstance(value, dict) and value:
        for name, below in value.items():
            for leaf in leaves(below, way + [str(name)]):
                yield leaf
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for one in value:
            for leaf in leaves(one, way + [ITEM]):
                yield leaf
    elif value is not None:
        yield way, value


def covers(path: typing.Sequence[str], way: typing.Sequence[str]) -> bool:
    """Whether a path is the way itself or stands above it."""
    return len(path) <= len(way) and all(part in (ANY, own) for part, own in zip(path, way))


def _reaches(path: typing.Sequence[str], way: typing.Sequence[str]) -> bool:
    """Whether something below the way is read: an empty list or mapping there says nothing that could be lost."""
    return len(path) > len(way) and covers(path[: len(way)], way)


def _among(value: typing.Any, values: typing.Tuple[typing.Any, ...]) -> bool:
    """1 is not True here, though Python says so."""
    return not values or any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in values)


def refused(pillar: typing.Any, role: str, known: typing.Sequence[str]) -> typing.List[str]:
    """``keys`` without those that pillar itself names as ignored (``upgrader:service:SERVICE:ignored``).

    Raises StepError when that list is no list of keys, names everything, or names what is read: nobody ignores that.
    """
    place = place_of(role, "ignored")
    ignored = host_pillar.value(pillar, place) or []
    if not isinstance(ignored, list) or not all(isinstance(one, str) and one.strip(":") for one in ignored):
        raise StepError("pillar {0} has to be a list of keys below {1}, each a text".format(place, role))
    for one in ignored:
        if one.split(":")[0] == ANY:
            raise StepError("pillar {0} names {1!r}, which is every key: name those that are meant".format(place, one))
        if any(covers(path.split(":"), one.split(":")) for path in known):
            what = "pillar {0} names {1!r}, but {2}:{1} is read and has its effect: take it off the list"
            raise StepError(what.format(place, one, role))
    paths = [one.split(":") for one in ignored]
    return [key for key in keys(pillar, role, known) if not any(covers(path, key.split(":")) for path in paths)]


def service_of(role: str) -> str:
    """``nova`` of ``nova:controller``, ``memcached`` of ``upgrader:service:memcached``."""
    return role.split(":")[2] if role.startswith("upgrader:service:") else role.split(":")[0]


def place_of(role: str, what: str) -> str:
    """Where the tool's own words for a role's service stand: ``upgrader:service:nova:ignored`` for ``nova:controller``."""
    return "upgrader:service:{0}:{1}".format(service_of(role), what)


def refuse(role: str, unread: typing.Sequence[str], passing: bool) -> None:
    """Raises StepError that names the keys, when there are any.

    :param passing: whether the service has a pass-through (``upgrader:service:SERVICE:conf``)
    """
    if not unread:
        return
    ways = ["take them away from this node"]
    ways += ["write their options under pillar " + place_of(role, "conf")] if passing else []
    ways += ["name them in pillar {0}, where they do not matter".format(place_of(role, "ignored"))]
    raise StepError(
        "nothing was written: pillar {0} sets {1} key{2} that these states do not read ({3}); {4}; 'salt NODE "
        "upgrader_model.unread {0}' lists all".format(
            role, len(unread), "" if len(unread) == 1 else "s", some(unread, SHOWN), ", or ".join(ways)
        )
    )
