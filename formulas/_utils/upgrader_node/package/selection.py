"""Which packages of a node an upgrade is about: OpenStack's, and of those that the release path keeps apart what was included."""

import fnmatch
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import some
from upgrader_node.package.dpkg import Packages
from upgrader_node.release.path import NodePackages

Names = typing.Sequence[str]


class Wish(typing.NamedTuple):
    """What the operator said: groups or packages to include, and packages to leave as they are."""

    include: typing.Tuple[str, ...] = ()
    exclude: typing.Tuple[str, ...] = ()


def wish(include: typing.Any, exclude: typing.Any) -> Wish:
    """Raises StepError for what is no list of names."""
    return Wish(_names(include, "include"), _names(exclude, "exclude"))


def _names(given: typing.Any, key: str) -> typing.Tuple[str, ...]:
    names = [given] if isinstance(given, str) else list(given or ())
    if not all(isinstance(one, str) and one and not one.startswith("-") for one in names):
        raise StepError("{} must be a list of names of groups or packages, not {!r}".format(key, given))
    return tuple(one for one in names if one)


def chosen(data: NodePackages, installed: Packages, wanted: Wish) -> typing.List[str]:
    """The installed packages that are to be at their newest version, sorted; held ones are among them."""
    _demand_known(data, installed, wanted.include)
    group = apart(data, wanted)
    ours = (*data.ours, *(pattern for name in wanted.include for pattern in data.apart.get(name, (name,))))
    there = [name for name, one in installed.items() if one.whole and matches(name, ours)]
    return sorted(name for name in there if not group(name) and not matches(name, wanted.exclude))


def apart(data: NodePackages, wanted: Wish) -> typing.Callable[[str], str]:
    """By name of a package: the group by which it stays as it is, "" for one that may be touched."""
    groups = {name: patterns for name, patterns in data.apart.items() if name not in wanted.include}
    named = [name for name in wanted.include if name not in data.apart]

    def group(package: str) -> str:
        if matches(package, named):
            return ""
        return next((name for name, patterns in groups.items() if matches(package, patterns)), "")

    return group


def matches(name: str, patterns: typing.Iterable[str]) -> bool:
    """Whether a package is one of these, without a look at its architecture."""
    return any(fnmatch.fnmatchcase(name.split(":")[0], pattern) for pattern in patterns)


def _demand_known(data: NodePackages, installed: Packages, include: Names) -> None:
    strange = [one for one in include if one not in data.apart and not any(matches(name, [one]) for name in installed)]
    if strange:
        what = "{} is no group of packages and none that this node has: groups are {}"
        raise StepError(what.format(some(strange), ", ".join(sorted(data.apart)) or "none"))
