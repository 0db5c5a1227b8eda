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

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# A runner is no minion's module: nobody has put the package beside it on the path.
sys.path.extend(path for path in (os.path.join(_FOLDER, name) for name in ("_utils", "utils")) if os.path.isdir(path))

from upgrader_node.errors import StepError  # noqa: E402
from upgrader_node.host import pillar as host_pillar  # noqa: E402
from upgrader_node.orchestrating import returns  # noqa: E402
from upgrader_node.standing import quorum as cluster  # noqa: E402

__virtualname__ = "upgrader"
NODES = "upgrader:nodes"
DATABASE, CONTROL = ("database", "dbs"), ("control", "ctl")
SECONDS = 15
SYNC = "it may lack our modules: salt '*' saltutil.sync_all"


def __virtual__():
    return __virtualname__


def roles():
    """
    Each role and the minions that hold it, as the model has them.

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.roles
    """
    return _told(lambda: _roles(__opts__))


def members(role):
    """
    The minions of one role, by the role's key under ``upgrader:nodes``.

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.members database
    """
    return _told(lambda: _of_role(_roles(__opts__), (role,)))


def missing(role="", timeout=SECONDS):
    """
    Who of the cloud's minions, or of those of one role, does not answer. Exit code 1 when somebody is missing.

    :param timeout: seconds

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.missing
        salt-run upgrader.missing database
    """
    return _told(lambda: _missing(__opts__, role, int(timeout)))


def quorum(timeout=SECONDS):
    """
    Whether the database nodes are one cluster that works, and how many of them it may still lose. Exit code 1 when it does not.

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.quorum
    """
    return _told(lambda: _quorum(__opts__, int(timeout)))


def agents(timeout=60):
    """
    Which of nova's services and network agents the first controller hears of. Exit code 1 when one that is switched on is dead.

    CLI Example:

    .. code-block:: bash

        salt-run upgrader.agents
    """
    return _told(lambda: _agents(__opts__, int(timeout)))


def _told(work):
    """The answer; what keeps from one is a sentence. ``retcode`` is what salt-run ends with."""
    try:
        return work()
    except StepError as error:
        return {"error": str(error), "retcode": 1}


def _missing(opts, role, timeout):
    held = _roles(opts)
    nodes = _of_role(held, (role,)) if role else sorted({node for one in held.values() for node in one})
    answered = sorted(_ask(opts, nodes, "test.ping", timeout=timeout))
    away = sorted(set(nodes) - set(answered))
    return {"asked": len(nodes), "answered": len(answered), "missing": away, "retcode": int(bool(away))}


def _quorum(opts, timeout):
    nodes = _of_role(_roles(opts), DATABASE)
    said = _ask(opts, nodes, "upgrader_galera.check", {"members": len(nodes)}, timeout)
    refused = {node: str(one["ret"]) for node, one in said.items() if not isinstance(one["ret"], dict)}
    if len(refused) == len(nodes):
        raise StepError("no database node can say how it is: {}: {}; {}".format(*sorted(refused.items())[0], SYNC))
    found = cluster.judged({node: None if node in refused or node not in said else said[node]["ret"] for node in nodes})
    return dict(found, members=dict(found["members"], **refused), retcode=int(not found["quorum"]))


def _agents(opts, timeout):
    node = _of_role(_roles(opts), CONTROL)[0]
    said = _ask(opts, [node], "upgrader_agents.alive", {}, timeout).get(node)
    if said is None or not isinstance(said["ret"], dict):
        why = said["ret"] if said else "it does not answer"
        raise StepError("{} does not say which agents are alive: {}; {}".format(node, why, SYNC))
    answer = said["ret"]
    return dict(
        {key: answer[key] for key in ("comment", "alive", "dead", "off")},
        controller=node,
        retcode=int(bool(answer["dead"])),
    )


def _roles(opts):
    """Raises StepError where the pillar names no node."""
    minion = opts["id"][: -len("_master")] if opts["id"].endswith("_master") else opts["id"]
    _, grains, _ = salt.utils.minions.get_minion_data(minion, opts)
    pillar = salt.pillar.Pillar(opts, grains or {"id": minion}, minion, "base").compile_pillar()
    held = host_pillar.value(pillar, NODES)
    if not isinstance(held, dict) or not held:
        raise StepError(
            "pillar of {} has no {}: include class upgrader.cloud in its reclass node file".format(minion, NODES)
        )
    return {str(role): [str(node) for node in nodes] for role, nodes in held.items() if isinstance(nodes, list)}


def _of_role(held, names):
    for name in names:
        if name in held:
            return held[name]
    raise StepError("pillar {} has no role {}; it has {}".format(NODES, names[0], ", ".join(sorted(held))))


def _ask(opts, nodes, function, kwarg=None, timeout=SECONDS):
    """Node to its answer; a node that is silent is not in it."""
    with salt.client.get_local_client(mopts=opts) as client:
        return returns.answered(
            client.cmd(list(nodes), function, tgt_type="list", kwarg=kwarg or {}, timeout=timeout, full_return=True)
        )
