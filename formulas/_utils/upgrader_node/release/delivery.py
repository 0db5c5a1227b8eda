"""How a minion gets its release path: a file of the master's file server, because Salt syncs nothing but Python code."""

import typing

from upgrader_node.host import pillar as host_pillar
from upgrader_node.host import quick_yaml
from upgrader_node.release import path, reading

FOLDER = "salt://upgrader/releases/"
USUAL = ("mitaka", "ocata")
"""What a call by hand means on a node whose pillar names no releases: this version's only path."""
Given = typing.Union[None, str, typing.Mapping[str, typing.Any]]


def url(pillar: typing.Any, given: typing.Optional[str] = None) -> str:
    """Where the path is: of the name or URL that was given, else of the two releases that pillar names."""
    if given:
        return given if "://" in given else "{0}{1}.yaml".format(FOLDER, given)
    release = host_pillar.value(pillar, "upgrader:release", {}) or {}
    source, target = (release.get(key) or usual for key, usual in zip(("source", "target"), USUAL))
    return "{0}{1}.yaml".format(FOLDER, path.name(source, target))


def release_path(
    pillar: typing.Any,
    fetch: typing.Callable[[str], typing.Any],
    yaml: typing.Any,
    given: Given = None,
) -> path.ReleasePath:
    """The path that a call works with. Raises NotAPath.

    :param fetch: text of a file of the file server, e.g. ``__salt__["cp.get_file_str"]``; false when there is none
    :param yaml: the module of that name, which this code must not need
    :param given: the data themselves, or name or URL of the file, in place of what pillar says
    """
    if isinstance(given, typing.Mapping):
        return reading.read(given, "that was given")
    file = url(pillar, given)
    text = fetch(file)
    if not text:
        raise reading.NotAPath(
            "there is no release path {0} on this node's Salt file server; put this version's formulas there, or correct"
            " pillar key upgrader:release".format(file)
        )
    try:
        return reading.read(quick_yaml.load(yaml, text), file)
    except yaml.YAMLError as error:
        raise reading.NotAPath("release path {0} is no YAML: {1}".format(file, " ".join(str(error).split()))) from None
