"""Each reason why a machine cannot carry the lab: one sentence, its remedy, exit code 3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from upgrader.errors import LabRefused
from upgrader.lab.preflight import BUILD_COMMANDS, COMMANDS, Machine, judge

CACHE, STATE = Path("/cache"), Path("/state")
ABLE = Machine(
    uid=0,
    commands=frozenset([*COMMANDS, *BUILD_COMMANDS]),
    overlay=True,
    free_megabytes={"/cache": 9000, "/state": 9000},
)


def refusal(machine: Machine, build_megabytes: int = 3000) -> str:
    with pytest.raises(LabRefused) as caught:
        judge(machine, build_megabytes=build_megabytes, cache=CACHE, state=STATE)
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_an_able_machine_is_let_through() -> None:
    judge(ABLE, build_megabytes=3000, cache=CACHE, state=STATE)


def test_not_being_root_is_refused() -> None:
    assert "sudo" in refusal(replace(ABLE, uid=1000))


def test_missing_commands_are_refused_with_the_packages_to_install() -> None:
    without = ABLE.commands - {"systemd-nspawn", "debootstrap"}
    assert "apt-get install -y debootstrap systemd-container" in refusal(replace(ABLE, commands=without))


def test_debootstrap_is_needed_only_for_a_build() -> None:
    without = replace(ABLE, commands=ABLE.commands - {"debootstrap"})
    judge(without, build_megabytes=0, cache=CACHE, state=STATE)


def test_a_kernel_without_overlayfs_is_refused() -> None:
    assert "modprobe overlay" in refusal(replace(ABLE, overlay=False))


@pytest.mark.parametrize(("place", "variable"), [("/cache", "UPGRADER_LAB_CACHE"), ("/state", "UPGRADER_LAB_STATE")])
def test_a_small_disk_is_refused_with_what_is_free_and_where_else_to_go(place: str, variable: str) -> None:
    small = replace(ABLE, free_megabytes={**ABLE.free_megabytes, place: 700})
    message = refusal(small)
    assert "700 MB are free" in message
    assert variable in message


def test_no_network_is_refused_when_images_have_to_be_built_and_only_then() -> None:
    alone = replace(ABLE, unreachable="mirror.example port 80: Network is unreachable")
    assert "mirror.example port 80" in refusal(alone)
    judge(alone, build_megabytes=0, cache=CACHE, state=STATE)
