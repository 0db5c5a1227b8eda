"""The services of a controller stopped for the window, and started again as they were.

Which units there are, in which order, says the release path. What ran before is in a receipt that is on disk before the first
one is stopped; a second call adds to it and takes nothing away, because by then nothing runs any more. What starts at boot
stays as it is. Hold ``lock.WINDOW`` meanwhile.
"""

import os
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.host.findings import WARNING, Findings, finding, some
from upgrader_node.release.path import UNIT_KINDS, ReleasePath

FOLDER = "/var/lib/upgrader/window"
SECONDS, POLL = 60.0, 0.5
Functions = typing.Mapping[str, typing.Callable[..., typing.Any]]
Units = typing.Sequence[typing.Tuple[str, str]]
Answer = typing.Dict[str, typing.Any]
Unit = typing.Dict[str, typing.Any]


def units(
    path: ReleasePath,
    services: typing.Sequence[str],
    without: typing.Sequence[str] = (),
    kinds: typing.Sequence[str] = (),
) -> Units:
    """(service, unit) of the source release in the order of stopping. Raises StepError for a service that has none."""
    strange = [kind for kind in kinds if kind not in UNIT_KINDS]
    if strange:
        raise StepError("there are no units of kind {}: there are {}".format(", ".join(strange), ", ".join(UNIT_KINDS)))
    unknown = [name for name in services if name not in path.services]
    if unknown:
        what = "the release path {} has no service {}; it has {}"
        raise StepError(what.format(path.name, ", ".join(unknown), ", ".join(path.services)))
    wanted = path.units(services, kinds=kinds or UNIT_KINDS)
    found = [(service, unit) for service, unit in wanted if unit not in without]
    nameless = [name for name in services if name not in [service for service, _ in path.units(services)]]
    if nameless:
        what = "the release path {} names no units of {}: add them there (services:{}:units:source)"
        raise StepError(what.format(path.name, ", ".join(nameless), nameless[0]))
    return found


def check(salt: Functions, wanted: Units) -> Answer:
    """Which of the units are there, and which are active. Changes nothing."""
    found = {unit: _state(salt, unit) for _, unit in wanted}
    there = [unit for unit, state in found.items() if state["there"]]
    active = [unit for unit in there if found[unit]["active"]]
    comment = "{} of {} units are there, {} active".format(len(there), len(found), len(active))
    return {"comment": comment, "units": found, "findings": _missing(wanted, there)}


def _state(salt: Functions, unit: str) -> typing.Dict[str, bool]:
    there = bool(salt["service.available"](unit))
    return {"there": there, "active": there and bool(salt["service.status"](unit))}


def _missing(wanted: Units, there: typing.Container[str]) -> Findings:
    """A service of which this node has no unit is either elsewhere, or called otherwise here and would go on."""
    by_service = {}  # type: typing.Dict[str, typing.List[str]]
    for service, unit in wanted:
        by_service.setdefault(service, []).append(unit)
    return [
        finding(
            service,
            "{}: this node has none of its units ({})".format(service, ", ".join(names)),
            "nothing is to be done where it does not run; if it does, name its units in the release path",
            WARNING,
        )
        for service, names in by_service.items()
        if not any(unit in there for unit in names)
    ]


def path_of(run: str, folder: str = FOLDER) -> str:
    """The receipt of a run. Raises StepError for a run that is no plain name."""
    return os.path.join(folder, records.plain(run) + ".json")


def stop(salt: Functions, run: str, wanted: Units, folder: str = FOLDER, seconds: float = SECONDS) -> Answer:
    """Stop them in order, each judged by what the init system says afterwards. Raises StepError for the first that goes on."""
    receipt = _intend(salt, run, wanted, folder)
    stopped = []
    for unit in [one["unit"] for one in receipt["units"] if one["unit"] in [name for _, name in wanted]]:
        if salt["service.status"](unit):
            salt["service.stop"](unit)
            _until(salt, unit, False, seconds)
            stopped.append(unit)
    return {
        "comment": "stopped: {}".format(some(stopped, 30) or "none, nothing ran"),
        "changed": bool(stopped),
        "receipt": path_of(run, folder),
        "stopped": stopped,
    }


def _intend(salt: Functions, run: str, wanted: Units, folder: str) -> records.Receipt:
    """The receipt, on disk: what ran when this run first came, or runs now though it did not then."""
    where = path_of(run, folder)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    held = records.read(where, "write down there by hand which units are to run") or {"run": run, "units": []}
    before = {one["unit"]: one for one in held["units"]}
    now = [_seen(salt, service, unit, before.get(unit)) for service, unit in wanted if salt["service.available"](unit)]
    names = [one["unit"] for one in now]
    earlier = [one for one in held["units"] if one["unit"] not in names]
    receipt = dict(held, run=run, units=earlier + now)
    records.write(where, receipt)
    return receipt


def _seen(salt: Functions, service: str, unit: str, before: typing.Optional[Unit]) -> Unit:
    if before is None:
        enabled = bool(salt["service.enabled"](unit))
        return {"service": service, "unit": unit, "active": bool(salt["service.status"](unit)), "enabled": enabled}
    return dict(before, active=before["active"] or bool(salt["service.status"](unit)))


def start(salt: Functions, run: str, folder: str = FOLDER, seconds: float = SECONDS) -> Answer:
    """Start what the receipt says ran, in reverse order, each judged by what the init system says afterwards."""
    where = path_of(run, folder)
    receipt = records.read(where, "start the services by hand, identity first")
    if receipt is None:
        return {"comment": "run {} stopped nothing on this node".format(run), "changed": False, "started": []}
    started = []
    for unit in [one["unit"] for one in reversed(receipt["units"]) if one["active"]]:
        if not salt["service.status"](unit):
            salt["service.start"](unit)
            _until(salt, unit, True, seconds)
            started.append(unit)
    comment = "started: {}".format(some(started, 30) or "none, all that ran runs")
    return {"comment": comment, "changed": bool(started), "receipt": where, "started": started}


def _until(salt: Functions, unit: str, wanted: bool, seconds: float) -> None:
    """Until the init system says so of the unit. Its own answer to the command is not asked: it may say well and do nothing."""
    deadline = time.monotonic() + seconds
    while bool(salt["service.status"](unit)) is not wanted:
        if time.monotonic() >= deadline:
            what = "{0} is {1} {2:.0f} s after it was to be {3}: look at 'systemctl status {0}' and 'journalctl -u {0}', then 'upgrader resume'"
            now, then = ("not active", "started") if wanted else ("still active", "stopped")
            raise StepError(what.format(unit, now, seconds, then))
        time.sleep(POLL)
