"""apt's sources as the model has them: pillar ``linux:system:repo``, as salt-formula-linux reads it. Each its own file, as there.

A file that is as it should be is not touched, and one that the model does not name stays: a way back may want it. Keys of an
archive are not fetched; one that is lacking is told by the next refresh of the lists.
"""

import os
import re
import typing

from upgrader_node.configuration import merging
from upgrader_node.errors import StepError
from upgrader_node.host import files
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import some

KEY = "linux:system:repo"
LISTS, PREFERENCES = "/etc/apt/sources.list.d", "/etc/apt/preferences.d"
READ = ("source", "enabled", "pin")
WITHOUT_EFFECT = ("architectures", "key", "key_id", "key_server", "key_url", "refresh_db", "clean_file", "human_name")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SOURCE = re.compile(r"deb(-src)? (\[[^\]\n]*\] )?\S+ \S+( \S+)*")
Files = typing.Dict[str, str]


def wanted(pillar: typing.Mapping[str, typing.Any], lists: str = LISTS, preferences: str = PREFERENCES) -> Files:
    """Path to text of each file. Raises StepError for what cannot be a source, and for a key that nobody reads."""
    found = {}  # type: Files
    for name, one in sorted((host_pillar.value(pillar, KEY, {}) or {}).items()):
        _demand_source(name, one)
        if not one.get("enabled", True):
            continue
        found[os.path.join(lists, name + ".list")] = one["source"].strip() + "\n"
        if one.get("pin"):
            found[os.path.join(preferences, name)] = "\n".join(_pin(name, pin) for pin in one["pin"])
    return found


def _demand_source(name: typing.Any, one: typing.Any) -> None:
    where = "pillar {}:{}".format(KEY, name)
    if not _NAME.fullmatch(str(name)) or not isinstance(one, typing.Mapping):
        raise StepError("{} is no source: give it a plain name and a mapping with source".format(where))
    strange = sorted(str(key) for key in one if key not in READ + WITHOUT_EFFECT)
    if strange:
        raise StepError("{}:{} is read by nobody here: take it out".format(where, some(strange)))
    if one.get("enabled", True) and not _SOURCE.fullmatch(str(one.get("source") or "").strip()):
        raise StepError("{}:source is no line of apt's: write 'deb URL SUITE COMPONENTS'".format(where))


def _pin(name: str, pin: typing.Any) -> str:
    try:
        words = (pin.get("package", "*"), pin["pin"], int(pin["priority"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise StepError("pillar {}:{}:pin must be a list of {{pin, priority, package}}".format(KEY, name)) from None
    return "Package: {}\nPin: {}\nPin-Priority: {}\n".format(*words)


def differing(found: Files) -> typing.List[str]:
    """The files that are not as the model has them."""
    return sorted(path for path, text in found.items() if merging.read(path) != text)


def write(found: Files) -> typing.Dict[str, typing.Any]:
    """Write those. They may hold a password of a mirror, so only root and apt's own account read them."""
    todo = differing(found)
    for path in todo:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # apt reads its sources as root; what fetches gets the URL from it.
        files.write(path, found[path], 0o600 if "@" in found[path] else 0o644)
    words = "written: {}".format(some(todo, 10)) if todo else "every source is as the model has it"
    return {"comment": words, "changed": bool(todo), "before": "differed", "after": todo}
