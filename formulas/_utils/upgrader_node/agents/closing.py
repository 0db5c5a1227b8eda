"""After the last node: nobody is at the old version any more, placement knows every compute and instance, and is asked.

nova's API, conductor and scheduler keep the lowest version of all computes from their start on (seen with nova 15.1): while it is
below the target's, Ocata's scheduler passes placement over. So the scheduler has to be younger than the last compute's proof.
"""

import time
import typing

from upgrader_node.agents import judging
from upgrader_node.agents.ask import Answer, Door, last_proven
from upgrader_node.agents.versions import Versions
from upgrader_node.compute import stale, units
from upgrader_node.errors import StepError
from upgrader_node.host.findings import WARNING, Findings, finding, some

SCHEDULER = "nova-scheduler"
POLL = 2.0


def closed(door: Door, run: str, salt: units.Functions, version: int, versions: Versions) -> Answer:
    """Wait until all of it is so. Raises StepError with what is not, when the time is over."""
    deadline = time.monotonic() + door.asked.patience
    while True:
        seen = door.session("closed")
        judged = judging.closing(*(seen[key] for key in ("computes", "providers", "held", "servers")))
        wrong = _behind(versions(), version) + judged.wrong
        if not wrong or time.monotonic() >= deadline:
            break
        time.sleep(POLL)
    wrong += _scheduler(salt, last_proven(door, run))
    if wrong:
        what = "the data plane is not closed: {}"
        raise StepError(what.format(some(wrong, 10, "; ")))
    words = "{} computes, as many resource providers, {} instances with their allocations"
    return {
        "comment": words.format(len(seen["computes"]), len(seen["servers"])),
        "computes": len(seen["computes"]),
        "providers": len(seen["providers"]),
        "instances": len(seen["servers"]),
        "findings": _left(judged.gone),
    }


def _behind(versions: typing.Mapping[str, int], least: int) -> typing.List[str]:
    behind = ["{} ({})".format(host, version) for host, version in sorted(versions.items()) if version < least]
    what = "nova-compute of {} is below service version {}: upgrade it, or delete the service of a host that is gone"
    return [what.format(some(behind, 10), least)] if behind else []


def _scheduler(salt: units.Functions, since: float) -> typing.List[str]:
    """The scheduler of this node, if it has one."""
    one = units.standing(salt, SCHEDULER)
    began = stale.began(one)
    if not one.there or began is None or began >= since:
        return []
    what = "{} of this node is older than the proof of the last compute, so it does not ask placement: restart it on every controller"
    return [what.format(SCHEDULER)]


def _left(names: typing.Sequence[str]) -> Findings:
    remedy = "they hold room that nobody uses: delete them once it is clear whose they were"
    return (
        [finding("placement", "{}".format(some(list(names), 5, "; ")), remedy, WARNING, rows=list(names))]
        if names
        else []
    )
