"""Questions about the node a call runs on: does it have the right modules and the right tools?"""

import os
import subprocess

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node import spool
from upgrader_node.errors import StepError
from upgrader_node.host import pillar, sources
from upgrader_node.release import delivery, reading
from upgrader_node.service import manage

__virtualname__ = "upgrader_node"


def __virtual__():
    return __virtualname__


def modules_current(expected):
    """Compare the extension modules on this node with the hash of those the command was shipped with.

    :param expected: hash from the control side (``host.sources.digest``)
    Raises CommandExecutionError when they differ.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_node.modules_current expected=<hash>
    """
    return _check_modules(os.path.join(__opts__["cachedir"], "extmods"), expected, __opts__["id"])


def _check_modules(root, expected, node):
    """Pure part of ``modules_current``."""
    found = sources.digest(root)
    if found != expected:
        raise CommandExecutionError(
            "{} runs other Salt modules (hash {}) than this version of upgrader ships (hash {}): put the formulas of this version into the "
            "master's file_roots and run 'salt {} saltutil.sync_all'".format(node, found[:12], expected[:12], node)
        )
    return {"comment": "modules {}".format(found[:12]), "digest": found}


def formulas_served(expected, saltenv="base"):
    """Compare what the master serves under the names of this version's files with what the command was shipped with.

    Another formula of the same name, a root that stands before ours or an older checkout would be applied without a word.

    :param expected: name of each file -> the beginning of its sha256
    Raises CommandExecutionError with the files that differ. Leaves the files in the minion's cache, as a state run does.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_node.formulas_served expected='{nova/running.sls: 0a1b2c}'
    """
    names = sorted(expected)
    cached = __salt__["cp.cache_files"](["salt://" + name for name in names], saltenv=saltenv)
    served = {name: sources.sha256(path) for name, path in zip(names, cached) if path and os.path.isfile(path)}
    return _check_served(expected, served, __opts__["id"])


def _check_served(expected, served, node):
    """Pure part of ``formulas_served``."""
    wrong = sources.differing(expected, served)
    if wrong:
        raise CommandExecutionError(
            "the master serves {} other files than this version of upgrader ships, as {} sees it: {}{}; put this version's formulas "
            "into the master's file_roots, before roots that hold files of the same names".format(
                len(wrong), node, ", ".join(wrong[:5]), " and {} more".format(len(wrong) - 5) if len(wrong) > 5 else ""
            )
        )
    return {"comment": "{} files are served as shipped".format(len(expected))}


def pillar_current(timeout=60):
    """Take the pillar anew and wait until it is there: a module that runs right after a change would see the old one.

    Without a master the pillar comes with each call, as it was compiled for it.

    CLI Example:

    .. code-block:: bash

        salt '*' upgrader_node.pillar_current
    """
    if __opts__.get(spool.WITHOUT_MASTER):
        return {"comment": "pillar came with the call"}
    if not __salt__["saltutil.refresh_pillar"](wait=True, timeout=timeout):
        raise CommandExecutionError(
            "{} did not get its pillar within {} s: see the Salt master's log".format(__opts__["id"], timeout)
        )
    return {"comment": "pillar taken anew"}


def nova_installed(code=None, release=None):
    """The version of nova that will migrate the schemas, read from the installed package, not from nova-manage.

    Which one is demanded (``code`` is how its version begins) says the release path, ``release``, with its reason.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_node.nova_installed
    """
    controller = pillar.value(__pillar__, "nova:controller", {})
    if code is None:
        code = _release_path(__pillar__, __salt__, release).service("nova").code
    return _check_nova(controller, code)


def _release_path(pillar_, salt, release):
    try:
        return delivery.release_path(pillar_, salt["cp.get_file_str"], yaml, release)
    except reading.NotAPath as error:
        raise CommandExecutionError(str(error)) from None


def _check_nova(controller, code):
    """Which interpreter runs nova-manage, which version it has, which remedy there is."""
    try:
        tool, python = manage.program({"venv": "/opt/ocata", **controller}, "nova-manage", "nova:controller")
    except StepError as error:
        raise CommandExecutionError(
            "{}, or set pillar nova:controller:engine and nova:controller:venv to where it is".format(error)
        ) from None
    question = [python, "-c", "import pkg_resources; print(pkg_resources.get_distribution('nova').version)"]
    answer = subprocess.run(question, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    version = answer.stdout.decode("utf-8", "replace").strip()
    if answer.returncode != 0 or not version.startswith(code + "."):
        raise CommandExecutionError(
            "{} is nova {!r}, and {}.x is needed: install the last one of these".format(tool, version, code)
        )
    return {"comment": "nova {}".format(version), "version": version}
