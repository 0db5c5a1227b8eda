"""
Questions that go across nodes, for an operator on the Salt master who has no command line of ours at hand.

``salt-run upgrader.FUNCTION``. Reads only. The nodes are those of pillar ``upgrader:nodes`` of the minion on the master's machine;
a question that is answered with no ends with exit code 1. The master finds this file where ``runner_dirs`` names the folder, or
after ``salt-run saltutil.sync_all``.
"""

import os
import sys

import salt.client
import salt.pillar
import salt.utils.minions
from salt.exceptions import SaltInvocationError

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# A runner is no minion's module: nobody has put the package beside it on the path.
sys.path.extend(path for path in (os.path.join(_FOLDER, name) for name in ("_utils", "utils")) if os.path.isdir(path))

from upgrader_node.host import pillar as host_pillar  # noqa: E402
from upgrader_node.standing import quorum as cluster  # noqa: E402

__virtualname__ = "upgrader"
NODES = "upgrader:nodes"
DATABASE, CONTROL = ("database", "dbs"), ("control", "ctl")
SECONDS = 15


def __virtual__():
    return __virtualname__


def roles():
    """
    Each role and the minions that hold it, as the model has them.

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.roles
    """
    return _roles(__opts__)


def members(role):
    """
    The minions of one role, by the role's key under ``upgrader:nodes``.

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.members database
    """
    return _of_role(_roles(__opts__), (role,))


def missing(role="", timeout=SECONDS):
    """
    Who of the cloud's minions, or of those of one role, does not answer. Exit code 1 when somebody is missing.

    :param timeout: seconds

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.missing
        salt-run upgrader.missing database
    """
    nodes = _of_role(_roles(__opts__), (role,)) if role else _everybody(_roles(__opts__))
    answered = sorted(_ask(__opts__, nodes, "test.ping", timeout=int(timeout)))
    away = sorted(set(nodes) - set(answered))
    _told(away)
    return {"asked": len(nodes), "answered": len(answered), "missing": away}


def quorum(timeout=SECONDS):
    """
    Whether the database nodes are one cluster that works, and how many of them it may still lose. Exit code 1 when it does not.

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.quorum
    """
    nodes = _of_role(_roles(__opts__), DATABASE)
    states = _ask(__opts__, nodes, "upgrader_galera.check", {"members": len(nodes)}, int(timeout))
    found = cluster.judged({node: states[node] if isinstance(states.get(node), dict) else None for node in nodes})
    _told(not found["quorum"])
    return found


def agents(timeout=60):
    """
    Which of nova's services and network agents the first controller hears of. Exit code 1 when one that is switched on is dead.

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.agents
    """
    node = _of_role(_roles(__opts__), CONTROL)[0]
    said = _ask(__opts__, [node], "upgrader_agents.alive", {}, int(timeout)).get(node)
    if not isinstance(said, dict):
        _told(True)
        return {"error": "{} does not say which agents are alive: {}".format(node, said or "it does not answer")}
    _told(said["dead"])
    return {"controller": node, **{key: said[key] for key in ("comment", "alive", "dead", "off")}}


def _told(bad):
    """A runner's answer is data; that it is a bad one says its exit code."""
    if bad:
        __context__["retcode"] = 1  # noqa: F821


def _roles(opts):
    """Raises SaltInvocationError where the pillar names no node."""
    minion = opts["id"][: -len("_master")] if opts["id"].endswith("_master") else opts["id"]
    _, grains, _ = salt.utils.minions.get_minion_data(minion, opts)
    pillar = salt.pillar.Pillar(opts, grains or {"id": minion}, minion, "base").compile_pillar()
    held = host_pillar.value(pillar, NODES)
    if not isinstance(held, dict) or not held:
        raise SaltInvocationError(
            "pillar of {} has no {}: include class upgrader.cloud in its reclass node file".format(minion, NODES)
        )
    return {str(role): [str(node) for node in nodes] for role, nodes in held.items() if isinstance(nodes, list)}


def _of_role(held, names):
    for name in names:
        if name in held:
            return held[name]
    raise SaltInvocationError("pillar {} has no role {}; it has {}".format(NODES, names[0], ", ".join(sorted(held))))


def _everybody(held):
    return sorted({node for nodes in held.values() for node in nodes})


def _ask(opts, nodes, function, kwarg=None, timeout=SECONDS):
    """Node to its answer; a node that is silent is not in it."""
    with salt.client.get_local_client(mopts=opts) as client:
        answers = client.cmd(
            list(nodes), function, tgt_type="list", kwarg=kwarg or {}, timeout=timeout, full_return=True
        )
    return {node: answer.get("ret") for node, answer in answers.items() if isinstance(answer, dict)}
