"""A Python environment that services run from."""

import glob
import os
import re

__virtualname__ = "upgrader_venv"


def __virtual__():
    return __virtualname__


def holds(name, packages):
    """The environment at ``name`` holds exactly these versions. Changes nothing: environments are built with the node's image.

    :param packages: name of each distribution to its version
    """
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    wrong = [
        "{} is {}, not {}".format(package, _version(name, package) or "missing", version)
        for package, version in sorted(packages.items())
        if _version(name, package) != str(version)
    ]
    if wrong:
        ret.update(
            result=False,
            comment="{} in {}: install the pins of this release with its pip, without dependencies".format(
                "; ".join(wrong), name
            ),
        )
        return ret
    ret["comment"] = "{} holds {}".format(name, ", ".join("{} {}".format(*pair) for pair in sorted(packages.items())))
    return ret


def _version(venv, package):
    """Version of an installed distribution by its metadata folder; spelled with - or _ as its builder liked."""
    wanted = re.sub(r"[-_.]+", "-", package).lower()
    for folder in glob.glob(os.path.join(venv, "lib", "python*", "site-packages", "*-info")):
        stem = os.path.basename(folder).rsplit(".", 1)[0]
        parts = stem.split("-")
        if re.sub(r"[-_.]+", "-", parts[0]).lower() == wanted and len(parts) > 1:
            return parts[1]
    return ""
