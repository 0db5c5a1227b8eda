"""A Python environment that services run from: which distributions it holds, read without starting its Python."""

import glob
import os
import re
import typing

from upgrader_node.errors import StepError


def holds(folder: str, packages: typing.Mapping[str, typing.Any]) -> str:
    """What it holds, when these are the versions. Raises StepError otherwise."""
    wrong = [
        "{} is {}, not {}".format(package, version(folder, package) or "missing", wanted)
        for package, wanted in sorted(packages.items())
        if version(folder, package) != str(wanted)
    ]
    if wrong:
        what = "{} in {}: install the pins of this release with its pip, without dependencies"
        raise StepError(what.format("; ".join(wrong), folder))
    return "{} holds {}".format(folder, ", ".join("{} {}".format(*pair) for pair in sorted(packages.items())))


def version(folder: str, package: str) -> str:
    """Version of a distribution by its metadata folder, which is spelled with - or _ as its builder liked; or ""."""
    for path in glob.glob(os.path.join(folder, "lib", "python*", "site-packages", "*-info")):
        name, _, rest = os.path.basename(path).rsplit(".", 1)[0].partition("-")
        if rest and _plain(name) == _plain(package):
            return rest.split("-")[0]
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
