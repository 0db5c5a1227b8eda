"""Carries out one order on a node without a minion and leaves the reply beside it, in the form that a minion returns."""

import json
import os
import traceback

from salt.exceptions import CommandExecutionError, SaltInvocationError
from upgrader_node.host import files

__virtualname__ = "upgrader_spool"


def __virtual__():
    return __virtualname__


def run(order):
    """Call the function that an order names and write ``reply.json`` beside the order, readable by its owner only.

    :param order: path of a JSON file with ``function`` and ``args``, which transport ``ssh`` has put there

    CLI Example:

    .. code-block:: bash

        salt-call --local upgrader_spool.run /var/lib/upgrader-ssh/upg01.lab.local/jobs/20170801101500000000/order.json
    """
    with open(order, encoding="utf-8") as opened:
        wanted = json.load(opened)
    reply = _reply(__salt__, __context__, wanted["function"], wanted["args"])
    files.write(os.path.join(os.path.dirname(order), "reply.json"), json.dumps(reply, default=str))
    return True


def _reply(salt, context, function, args):
    """What a minion would return: value, exit code, and whether it went well."""
    if function not in salt:
        return _failed("'{}' is not available.".format(function), 254)
    context.pop("retcode", None)
    try:
        value = salt[function](**args)
    except (CommandExecutionError, SaltInvocationError) as error:
        return _failed("ERROR: {}".format(error))
    except TypeError as error:
        return _failed("Passed invalid arguments to {}: {}".format(function, error))
    except Exception:  # noqa: BLE001  whatever a function raises is its reply
        return _failed("The minion function caused an exception: {}".format(traceback.format_exc()))
    code = context.get("retcode", 0)
    return {"return": value, "retcode": code, "success": not code}


def _failed(words, code=1):
    return {"return": words, "retcode": code, "success": False}
