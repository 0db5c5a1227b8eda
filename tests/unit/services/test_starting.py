"""A service's units started by one call to systemd: what is queued, what is left alone, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.service import starting


class Systemd(starting.Systemd):
    """What systemctl is asked to do, and units as ``systemctl show`` prints them."""

    def __init__(self, **units: tuple[str, str]) -> None:
        self.shown, self.done = units, list[str]()

    def units(self, names: Any) -> list[starting.Unit]:
        told = [
            {"LoadState": "loaded" if file else "not-found", "ActiveState": state, "UnitFileState": file}
            for state, file in (self.shown.get(name, ("inactive", "")) for name in names)
        ]
        return [self._unit(name, one) for name, one in zip(names, told, strict=True)]

    def _is_enabled(self, name: str) -> bool:
        return False

    def do(self, *words: str) -> None:
        self.done.append(" ".join(words))


NAMES = ("api", "engine")


def test_units_that_do_not_run_are_started_by_one_call_and_the_others_left_alone() -> None:
    systemd = Systemd(api=("active", "enabled"), engine=("inactive", "disabled"), web=("failed", "enabled"))
    done = starting.start([*NAMES, "web"], True, systemd)
    assert systemd.done == ["daemon-reload", "enable engine", "reset-failed web", "start --no-block engine web"]
    assert (done["changed"], done["started"], done["switched"]) == (True, ["engine", "web"], ["engine"])


def test_units_that_run_and_start_at_boot_are_not_touched() -> None:
    systemd = Systemd(api=("active", "enabled"), engine=("reloading", "static"))
    assert starting.lacking(systemd.units(NAMES), True) == ""
    assert starting.start(NAMES, True, systemd)["changed"] is False
    assert systemd.done == ["daemon-reload"]


def test_what_is_to_be_done_is_told_of_units_that_are_not_there_yet() -> None:
    found = Systemd(api=("active", "enabled")).units(NAMES)
    assert starting.lacking(found, False) == "to start: engine; not to be started at boot: api"


def test_unit_that_is_not_there_is_named_before_anything_is_started() -> None:
    systemd = Systemd(api=("inactive", "disabled"))
    with pytest.raises(StepError, match=r"no unit engine: is the package there that brings it\?"):
        starting.start(NAMES, True, systemd)
    assert systemd.done == ["daemon-reload"]


def test_script_of_system_v_is_enabled_by_what_is_enabled_asks() -> None:
    """systemd 229 says ``bad`` of such a unit's file, and newer ones ``generated``."""
    for state in ("bad", "generated"):
        assert Systemd(api=("active", state)).units(["api"])[0].boots is False


def test_restart_is_one_call_too() -> None:
    systemd = Systemd()
    assert starting.restart(NAMES, systemd)["changed"]
    assert systemd.done == ["daemon-reload", "restart --no-block api engine"]
