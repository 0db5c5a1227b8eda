"""Restarting agents whose connections died with the old control plane, once in a run, each judged by its process.

The receipt is written before a service is told to restart, with the process that it was: a call that follows a cut one sees by
the process whether the restart had come about.
"""

import os
import time
import typing

from upgrader_node.compute import units
from upgrader_node.compute.units import Functions, Standing
from upgrader_node.errors import StepError
from upgrader_node.host import lock, records

FOLDER = "/var/lib/upgrader/compute"
SERVICES = lock.Lock("services", "the services of this node")
SETTLE, POLL = 5.0, 0.5
INTENDED, DONE = "intended", "done"
REMEDY = (
    "remove it when no call of that run works on this node, then run this again: the services are restarted once more"
)
Answer = typing.Dict[str, typing.Any]


class Call(typing.NamedTuple):
    """One call: Salt's functions, where its receipt is, what that holds, and how long a service may take (seconds)."""

    salt: Functions
    path: str
    receipt: Answer
    patience: float


def reconnect(salt: Functions, run: str, services: typing.Any, patience: float, folder: str = FOLDER) -> Answer:
    """Restart each service that is there and meant to run, unless this run has. Raises StepError at the first that does not last."""
    found = [units.standing(salt, name) for name in units.plain(services)]
    if not any(one.there for one in found):
        raise StepError("none of {} is on this node: name the services that it has".format(_names(found)))
    call = _call(salt, records.plain(str(run)), patience, folder)
    wanted = [one for one in found if one.wanted]
    restarted = [one for one in wanted if _once(call, one)]
    return _answer(found, wanted, restarted)


def _call(salt: Functions, run: str, patience: float, folder: str) -> Call:
    path = os.path.join(folder, run + ".json")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return Call(salt, path, records.read(path, REMEDY) or {"run": run, "services": {}}, patience)


def _once(call: Call, before: Standing) -> bool:
    """Restart one service and judge it; False when this run had done so."""
    held = call.receipt["services"].get(before.name, {})
    if held.get("state") == DONE:
        return False
    if not (held and _is_another(held["process"], before)):
        _note(call, before.name, INTENDED, before.process)
        _restart(call, before.name)
        held = {"process": before.process}
    after = _lasting(call, before.name, held["process"])
    _note(call, before.name, DONE, after.process)
    return True


def _restart(call: Call, name: str) -> None:
    if not call.salt["service.restart"](name):
        raise StepError("{0} cannot be restarted: see 'journalctl -u {0}', then 'upgrader resume'".format(name))


def _is_another(process: str, now: Standing) -> bool:
    """Whether the service runs by another process than then. Nobody can tell where there is no systemd: then it is restarted again."""
    return now.runs and bool(now.process) and now.process != process


def _note(call: Call, name: str, state: str, process: str) -> None:
    call.receipt["services"][name] = {"state": state, "process": process}
    records.write(call.path, call.receipt)


def _lasting(call: Call, name: str, before: str) -> Standing:
    """The service when it has run by one and the same new process for five seconds. Raises StepError after ``patience``."""
    deadline, first = time.monotonic() + call.patience, None  # type: float, typing.Optional[Standing]
    while True:
        now, moment = units.standing(call.salt, name), time.monotonic()
        if not now.runs or (now.process and now.process == before):
            first = None
        elif first is None or first.process != now.process:
            first, since = now, moment
        elif moment - since >= SETTLE:
            return now
        if moment >= deadline:
            raise StepError(_not_lasting(now, before, call.patience))
        time.sleep(POLL)


def _not_lasting(now: Standing, before: str, patience: float) -> str:
    how = "does not run"
    if now.runs:
        how = "still runs by its old process" if now.process and now.process == before else "is started again and again"
    what = "{0} was restarted and {1} after {2:.0f} s: see 'journalctl -u {0}', then 'upgrader resume'"
    return what.format(now.name, how, patience)


def _answer(
    found: typing.Sequence[Standing], wanted: typing.Sequence[Standing], restarted: typing.Sequence[Standing]
) -> Answer:
    parts = (
        ("restarted", restarted),
        ("already", [one for one in wanted if one not in restarted]),
        ("absent", [one for one in found if not one.there]),
        ("left_alone", [one for one in found if one.there and not one.wanted]),
    )
    words = {"already": "restarted by this run before", "absent": "not on this node", "left_alone": "off and left so"}
    said = ["{}: {}".format(words.get(key, key), _names(ones)) for key, ones in parts if ones]
    answer = {key: [one.name for one in ones] for key, ones in parts}  # type: Answer
    return dict(answer, comment="; ".join(said), changed=bool(restarted))


def _names(ones: typing.Iterable[Standing]) -> str:
    return ", ".join(one.name for one in ones)
