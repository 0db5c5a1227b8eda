"""Whether the controllers' model still pins nova's calls to computes of an older release."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from tests.support.sources import ROOT


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("upgrader_nova", ROOT / "formulas" / "_modules" / "upgrader_nova.py")
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def given(module: ModuleType, level: Any) -> ModuleType:
    levels = {} if level is None else {"upgrade_levels": {"compute": level}}
    module.__pillar__ = {"nova": {"controller": levels}}  # type: ignore[attr-defined]
    module.__opts__ = {"id": "ctl01"}  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("level", [None, "auto", ""])
def test_no_pin_or_one_that_nova_sets_itself_is_well(module: ModuleType, level: Any) -> None:
    assert given(module, level).unpinned() == {"comment": "nova is pinned to no older release"}


def test_pin_is_named_with_what_takes_it_away(module: ModuleType) -> None:
    with pytest.raises(CommandExecutionError, match=r"upgrade_levels:compute of ctl01 is 'mitaka'.*--accept-pillar"):
        given(module, "mitaka").unpinned()
