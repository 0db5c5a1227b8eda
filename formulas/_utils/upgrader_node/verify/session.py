"""One authenticated session that asks a cloud the eight questions, looks at its catalogue and makes, reads and deletes.

Run by a Python that has keystoneauth1; Salt's own need not have it, so nothing here runs when Salt loads the file. The order
comes as JSON on stdin, with the password; the last line of stdout is the result. The calls run side by side, each with a
timeout of its own.
"""

import concurrent.futures
import json
import os
import sys
import time
import typing

from upgrader_node.verify import compare
from upgrader_node.verify.client import Answer, CallFailed, Client, outcome, wait_for
from upgrader_node.verify.objects import OBJECTS, made_and_deleted
from upgrader_node.verify.questions import listed, placement
from upgrader_node.verify.questions import started as started_service
from upgrader_node.verify.resources import NETWORKS, asked

WORKERS = 8


def verify(order: Answer) -> Answer:
    """Everything, in two rounds: first what only reads, then what makes and deletes."""
    started, own, patience = time.monotonic(), order["own"], order["patience"]
    baseline, without = _baseline(order), order.get("without", ())
    cloud = Client(order)
    wait_for(cloud, patience)
    outcomes = [_catalogue(cloud, order)]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        # All of them before the first list: nova answers 500 to its list of servers until neutron serves.
        list(pool.map(lambda one: started_service(cloud, one, started + patience), asked(without)))
        reading = [pool.submit(listed, cloud, one, baseline, own, patience) for one in asked(without)]
        reading.append(pool.submit(placement, cloud))
        outcomes += [job.result() for job in reading]
        if order.get("change", True):
            kinds = [kind for kind in OBJECTS if kind.service_type != "network" or NETWORKS not in without]
            outcomes += list(pool.map(lambda kind: made_and_deleted(cloud, kind), kinds))
    return {"calls": outcomes, "seconds": round(time.monotonic() - started, 2)}


def _baseline(order: Answer) -> Answer:
    if not order.get("baseline"):
        return {}
    with open(order["baseline"], encoding="utf-8") as opened:
        resources = json.load(opened)["resources"]  # type: Answer
        return resources


def _catalogue(cloud: Client, order: Answer) -> Answer:
    """A copy's catalogue may lead to its own node only; any host is right for a cloud behind its own addresses.

    Production's own endpoints stay as they were, so of them no more interfaces are demanded than its clients and services use.
    """
    started, entries = time.monotonic(), cloud.catalogue()
    wrong = compare.catalogue(
        entries, order["kinds"], order["own"] if order.get("copy") else (), order.get("interfaces", compare.INTERFACES)
    )
    return outcome("catalogue", "openstack catalog list", started, len(entries), wrong)


def main() -> None:
    """Verify as the order says."""
    answered(verify)


def answered(do: typing.Callable[[Answer], Answer]) -> None:
    """Read the order, do it, print the result as the last line, and end, whatever still waits for an answer."""
    try:
        result = do(json.load(sys.stdin))
    except CallFailed as error:
        result = {"failed": str(error)}
    except ImportError as error:
        result = {"failed": "this Python has no keystoneauth1 ({}); {}".format(error, sys.executable)}
    sys.stdout.write("\n" + json.dumps(result) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a call that outlived its timeout must not keep the process


if __name__ == "__main__":
    main()
