"""Whether every path that a run asked before answers at its end: an agent that is alive is no proof that packets pass."""

import time
import typing

from upgrader_node.host.findings import BLOCKER, of_node
from upgrader_node.paths import control

Answer = typing.Dict[str, typing.Any]
REMEDY = "look at the namespace that asks, at its routes and flows, and at the agents' logs; then 'upgrader resume' asks again"


def answering(
    run: str,
    node: str,
    patience: float,
    folder: str = control.FOLDER,
    now: typing.Callable[[], float] = time.monotonic,
    ask: typing.Callable[..., Answer] = control.probe,
) -> Answer:
    """Ask the run's paths until each has answered or ``patience`` seconds are over. Findings; a blocker for each that does not.

    The run asked only paths that answered before, so one that is silent now was lost on the way.
    """
    left, paths, deadline = [], control.ordered(run, folder), now() + patience
    why = {}  # type: typing.Dict[str, str]
    if not paths:
        return {"comment": "no path of this node was asked", "paths": 0, "findings": []}
    left = list(paths)
    while left:
        said = ask(left)
        why = {row["name"]: row["why"] for row in said["paths"]}
        left = [one for one in left if one.name in said["dead"]]
        if left and now() >= deadline:
            break
    found = [of_node(node, _dead(one.name, why.get(one.name, "")), REMEDY, BLOCKER) for one in left]
    words = "{} of {} paths answer".format(len(paths) - len(left), len(paths))
    return {"comment": words, "paths": len(paths), "findings": found}


def _dead(name: str, why: str) -> str:
    return "has lost path {}, which answered before{}".format(name, " ({})".format(why) if why else "")
