"""Reads a release path's YAML, already parsed. It knows the form and no release: what is not of this form is refused with the
file and the key, before anything is planned or run."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.release.path import UNIT_KINDS, Database, NodePackages, Phase, ReleasePath, Rule, ServicePath, Units
from upgrader_node.service.roles import ROLE_OF


class NotAPath(StepError):
    """The data are not a release path; the message names the file, the key and what belongs there."""


class _Part:
    """One mapping of the file, read key by key; what is wrong is said with its place."""

    def __init__(self, raw: typing.Any, file: str, key: str) -> None:
        self.file, self.key = file, key
        if not isinstance(raw, typing.Mapping):
            raise self.wrong("", "is no mapping")
        self.raw = raw

    def wrong(self, key: str, what: str) -> NotAPath:
        place = ":".join(part for part in (self.key, str(key)) if part)
        return NotAPath("release path {0}: {1} {2}".format(self.file, place or "the file", what))

    def take(self, key: str, kind: typing.Any, default: typing.Any = None) -> typing.Any:
        value = self.raw.get(key, default)
        if value is None and default is None:
            raise self.wrong(key, "is missing")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(key, "is {0!r}, and should be {1}".format(value, _KINDS[kind]))
        return value

    def names(self, key: str) -> typing.Tuple[str, ...]:
        value = self.take(key, list, [])
        if not all(isinstance(each, str) and each for each in value):
            raise self.wrong(key, "is {0!r}, and should be a list of names".format(value))
        return tuple(value)

    def numbers(self, key: str) -> typing.Dict[str, int]:
        value = self.take(key, dict, {})
        if not all(isinstance(each, int) and not isinstance(each, bool) for each in value.values()):
            raise self.wrong(key, "is {0!r}, and should hold numbers".format(value))
        return dict(value)

    def parts(self, key: str) -> typing.Dict[str, "_Part"]:
        under = ":".join(part for part in (self.key, key) if part)
        return {
            str(each): _Part(raw, self.file, "{0}:{1}".format(under, each))
            for each, raw in self.take(key, dict, {}).items()
        }

    def only(self, *keys: str) -> None:
        """Refuses a key that nobody reads: it is misspelled, or for another version of this code."""
        for key in self.raw:
            if key not in keys:
                raise self.wrong(key, "is not known; known: {0}".format(", ".join(sorted(keys))))


_KINDS = {str: "a text", int: "a number", bool: "true or false", list: "a list", dict: "a mapping"}


def read(raw: typing.Any, file: str) -> ReleasePath:
    """The path in the YAML file's content. Raises NotAPath with ``file`` and the key for whatever it cannot be."""
    top = _Part(raw, file, "")
    top.only("source", "target", "through", "services", "nodes")
    source, target = top.take("source", str), top.take("target", str)
    services = {each: _service(each, part, source, target) for each, part in top.parts("services").items()}
    if not services:
        raise top.wrong("services", "names no service")
    return ReleasePath(source, target, top.names("through"), services, _node_packages(top))


def _node_packages(top: _Part) -> NodePackages:
    """What it says of computes and gateways; a path without it upgrades none of their packages."""
    held = _Part(top.take("nodes", dict, {}), top.file, "nodes")
    held.only("packages")
    packages = _Part(held.take("packages", dict, {}), top.file, "nodes:packages")
    packages.only("ours", "apart")
    groups = _Part(packages.take("apart", dict, {}), top.file, "nodes:packages:apart")
    return NodePackages(packages.names("ours"), {str(each): groups.names(each) for each in groups.raw})


def _service(service: str, part: _Part, source: str, target: str) -> ServicePath:
    part.only("role", "databases", "phases", "least", "code", "packages", "tables", "units", "compute")
    databases = {each: _database(under) for each, under in part.parts("databases").items()}
    if databases.get("main", Database()).source is None:
        raise part.wrong("databases", "has no main with a source")
    packages = {str(each): str(version) for each, version in part.take("packages", dict, {}).items()}
    return ServicePath(
        service,
        source,
        target,
        part.take("role", str, ROLE_OF.get(service)),
        databases,
        _phases(part),
        part.numbers("least"),
        part.take("code", str, ""),
        packages,
        {each: _rule(under) for each, under in part.parts("tables").items()},
        _units(part),
        part.take("compute", int, 0),
    )


def _units(part: _Part) -> typing.Dict[str, Units]:
    ends = part.parts("units")
    if ends:
        _Part(part.raw["units"], part.file, part.key + ":units").only("source", "target")
    for under in ends.values():
        under.only(*UNIT_KINDS)
    return {end: Units(*(under.names(kind) for kind in UNIT_KINDS)) for end, under in ends.items()}


def _database(part: _Part) -> Database:
    part.only("suffix", "section", "source", "target")
    suffix = part.take("suffix", str, "")
    source = part.raw.get("source")
    if isinstance(source, dict):
        source = part.numbers("source")
    elif source is not None and (isinstance(source, bool) or not isinstance(source, (int, str))):
        raise part.wrong(
            "source", "is {0!r}, and should be a version, a revision or versions by repository".format(source)
        )
    target = part.take("target", int) if "target" in part.raw else None
    return Database(suffix, part.take("section", str, "" if suffix else "database"), source, target)


def _phases(part: _Part) -> typing.Tuple[Phase, ...]:
    phases = []  # type: typing.List[Phase]
    for number, raw in enumerate(part.take("phases", list), 1):
        under = _Part(raw, part.file, "{0}:phases:{1}".format(part.key, raw.get("id", number) if raw else number))
        phase = _phase(under)
        earlier = [each.id for each in phases]
        if phase.id in earlier:
            raise under.wrong("id", "stands twice")
        for identity in phase.after or ():
            if identity not in earlier:
                raise under.wrong("after", "names {0}, which is no earlier phase".format(identity))
        phases.append(phase)
    if not phases:
        raise part.wrong("phases", "names no phase")
    return tuple(phases)


def _phase(part: _Part) -> Phase:
    part.only("id", "title", "minutes", "work", "args", "after", "option", "repairs", "progress", "absent")
    identity, minutes = part.take("id", str), part.take("minutes", int)
    if minutes < 1:
        raise part.wrong("minutes", "is {0}, and should be at least 1".format(minutes))
    return Phase(
        identity,
        part.take("title", str),
        minutes,
        part.take("work", str, identity),
        part.take("args", dict, {}),
        part.names("after") if "after" in part.raw else None,
        part.take("option", str, ""),
        part.names("repairs"),
        part.take("progress", str, ""),
        part.take("absent", str, ""),
    )


def _rule(part: _Part) -> Rule:
    part.only(*Rule._fields)
    return Rule(
        part.take("now", str, ""),
        part.take("gone", bool, False),
        part.take("made_of", str, ""),
        part.take("fewer", bool, False),
        part.names("added"),
        part.take("more", bool, False),
    )
