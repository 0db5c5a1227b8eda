"""
One step of a plan on the Salt master, for ``salt-run state.orchestrate``: the files of 'upgrader plan ... -o orch' call nothing else.

The master finds this file where ``runner_dirs`` names the folder, or after ``salt-run saltutil.sync_all``.
"""

import os
import sys

import salt.client

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# A runner is no minion's module: nobody has put the package beside it on the path.
sys.path.extend(path for path in (os.path.join(_FOLDER, name) for name in ("_utils", "utils")) if os.path.isdir(path))

from upgrader_node.errors import StepError  # noqa: E402
from upgrader_node.orchestrating import returns, stepping  # noqa: E402

__virtualname__ = "upgrader_step"


def __virtual__():
    return __virtualname__


def call(run, step, call):
    """
    Do a step unless this run has done it, with what earlier steps of the run answered. A step that fails has its nodes' sentences.

    :param run: id of the run, which names a folder of answers
    :param call: kind, function, nodes, args, timeout, and what else the plan says of it

    CLI Example:

    .. code-block:: bash

        salt-run upgrader_step.call RUN nodes-answer '{function: test.ping, nodes: [dbs01]}'
    """
    try:
        return stepping.carry_out(str(run), str(step), call, stepping.kept(str(run)), _asking(__opts__))
    except StepError as error:
        # state.orchestrate takes an answer with this key for a failure; salt-run ends with the code.
        return {"Error": str(error), "retcode": 1}


def _asking(opts):
    def ask(nodes, function, args, timeout):
        with salt.client.get_local_client(mopts=opts) as client:
            said = client.cmd(
                list(nodes), function, tgt_type="list", kwarg=dict(args), timeout=timeout, full_return=True
            )
        return returns.answered(said)

    return ask
