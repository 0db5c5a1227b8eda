"""Questions about the node a call runs on: does it have the right modules and the right tools?"""

import os
import subprocess

import upgrader_pillar
import upgrader_sources
from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_node"


def __virtual__():
    return __virtualname__


def modules_current(expected):
    """Compare the extension modules on this node with the hash of those the command was shipped with.

    :param expected: hash from the control side (``upgrader_sources.digest``)
    Raises CommandExecutionError when they differ.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_node.modules_current expected=<hash>
    """
    return _check_modules(os.path.join(__opts__["cachedir"], "extmods"), expected, __opts__["id"])


def _check_modules(root, expected, node):
    """Pure part of ``modules_current``."""
    found = upgrader_sources.digest(root)
    if found != expected:
        raise CommandExecutionError(
            "{} runs other Salt modules (hash {}) than this version of upgrader ships (hash {}): put the formulas of this version into the "
            "master's file_roots and run 'salt {} saltutil.sync_all'".format(node, found[:12], expected[:12], node)
        )
    return {"comment": "modules {}".format(found[:12]), "digest": found}


def pillar_current(timeout=60):
    """Take the pillar anew and wait until it is there: a module that runs right after a change would see the old one.

    CLI Example:

    .. code-block:: bash

        salt '*' upgrader_node.pillar_current
    """
    if not __salt__["saltutil.refresh_pillar"](wait=True, timeout=timeout):
        raise CommandExecutionError(
            "{} did not get its pillar within {} s: see the Salt master's log".format(__opts__["id"], timeout)
        )
    return {"comment": "pillar taken anew"}


def nova_installed(release="15.1"):
    """The version of nova that will migrate the schemas, read from the installed package, not from nova-manage.

    Ocata before 15.0.4 trips over soft-deleted and non-VF PCI rows (Launchpad 1665719, 1680918), so 15.1 is demanded.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_node.nova_installed
    """
    controller = upgrader_pillar.value(__pillar__, "nova:controller", {})
    return _check_nova(controller.get("engine", "pkg"), controller.get("venv", "/opt/ocata"), release)


def _check_nova(engine, venv, release):
    """Pure part of ``nova_installed``: which interpreter, which version, which remedy."""
    folder = os.path.join(venv, "bin") if engine == "venv" else "/usr/bin"
    python, manage = (
        os.path.join(folder, "python" if engine == "venv" else "python2"),
        os.path.join(folder, "nova-manage"),
    )
    if not os.path.exists(manage):
        raise CommandExecutionError(
            "no {}: install Ocata's nova there, or set pillar nova:controller:engine and nova:controller:venv to where it is".format(
                manage
            )
        )
    question = [python, "-c", "import pkg_resources; print(pkg_resources.get_distribution('nova').version)"]
    answer = subprocess.run(question, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    version = answer.stdout.decode("utf-8", "replace").strip()
    if answer.returncode != 0 or not version.startswith(release):
        raise CommandExecutionError(
            "{} is nova {!r}, and {}.x is needed: install Ocata's last nova (15.1.5)".format(manage, version, release)
        )
    return {"comment": "nova {}".format(version), "version": version}
