"""Units of a service started at once: each start is queued with systemd, and none waits for the one before it.

Salt's own state asks the init system some eight times for each unit, one unit after the other, while the programs that it has
started already take the processors: 1 to 3 s a unit in the lab. Whether they stay up is another question (``steady``).
"""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pipeline
from upgrader_node.host.findings import some

SECONDS = 120.0
RUNS = ("active", "reloading")
BOOTS, BOOTS_NOT = ("enabled", "enabled-runtime", "static", "indirect", "alias"), ("disabled",)
Answer = typing.Dict[str, typing.Any]


class Unit(typing.NamedTuple):
    """How systemd has a unit. ``boots``: it is started at boot; None for one that systemd does not know."""

    name: str
    there: bool
    state: str
    boots: typing.Optional[bool]

    @property
    def runs(self) -> bool:
        return self.state in RUNS


class Systemd:
    """systemctl(1), in its own words."""

    def units(self, names: typing.Sequence[str]) -> typing.List[Unit]:
        """Every unit in the order of its name here, also those that systemd does not know. Raises StepError for an answer of another shape."""
        properties = "--property=LoadState,ActiveState,UnitFileState"
        said = pipeline.output(["systemctl", "show", properties, *names], SECONDS)
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in said.strip().split("\n\n")]
        if len(blocks) != len(names) or not all("ActiveState" in block for block in blocks):
            raise StepError("systemctl show does not tell of {}: {}".format(", ".join(names), said[:200]))
        return [self._unit(name, block) for name, block in zip(names, blocks)]

    def _unit(self, name: str, block: typing.Mapping[str, str]) -> Unit:
        there, own = block.get("LoadState") != "not-found", block.get("UnitFileState", "")
        boots = None  # type: typing.Optional[bool]
        if there:
            # Of a script of System V systemd asks another program, which only is-enabled does (systemd-sysv-install(8)).
            boots = own in BOOTS if own in BOOTS + BOOTS_NOT else self._is_enabled(name)
        return Unit(name, there, block["ActiveState"], boots)

    def _is_enabled(self, name: str) -> bool:
        return pipeline.run([["systemctl", "--quiet", "is-enabled", name]], timeout=SECONDS)[0].code == 0

    def do(self, *words: str) -> None:
        """Raises StepError with systemctl's own complaint."""
        ended = pipeline.run([["systemctl", *words]], timeout=SECONDS)[0]
        if ended.code:
            what = "systemctl {} ended with exit code {}: {}"
            told = " ".join(ended.words.split())[:300] or "it said nothing"
            raise StepError(what.format(" ".join(words), ended.code, told))


def lacking(found: typing.Sequence[Unit], enable: bool) -> str:
    """What is to be done, as a sentence; "" where every unit runs and is started at boot as it should be."""
    start = [one.name for one in found if not one.runs]
    switch = [one.name for one in found if one.boots is not None and one.boots != enable]
    told = ["to start: {}".format(some(start, 10))] if start else []
    told += (
        ["{} at boot: {}".format("to be started" if enable else "not to be started", some(switch, 10))]
        if switch
        else []
    )
    return "; ".join(told)


def start(names: typing.Sequence[str], enable: bool, systemd: typing.Any) -> Answer:
    """Queue the start of those that do not run. A unit that systemd has given up on is begun anew."""
    systemd.do("daemon-reload")
    found = systemd.units(names)
    missing = [one.name for one in found if not one.there]
    if missing:
        raise StepError("this node has no unit {}: is the package there that brings it?".format(", ".join(missing)))
    switched = [one.name for one in found if one.boots != enable]
    if switched:
        systemd.do("enable" if enable else "disable", *switched)
    stopped = [one.name for one in found if not one.runs]
    if stopped:
        failed = [one.name for one in found if one.state == "failed"]
        if failed:
            systemd.do("reset-failed", *failed)
        systemd.do("start", "--no-block", *stopped)
    comment = "started: {}".format(some(stopped, 10)) if stopped else "every unit runs"
    return {"comment": comment, "changed": bool(stopped or switched), "started": stopped, "switched": switched}


def restart(names: typing.Sequence[str], systemd: typing.Any) -> Answer:
    """Queue a restart of units whose configuration or unit file has changed."""
    systemd.do("daemon-reload")
    systemd.do("restart", "--no-block", *names)
    return {"comment": "restarted: {}".format(some(list(names), 10)), "changed": True, "started": list(names)}
