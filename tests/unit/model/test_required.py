"""The table of keys that a complete controller needs, and the state that refuses an incomplete model on the node."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.service import required

FORMULAS = Path(__file__).parents[3] / "formulas"


def load(kind: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{kind}_upgrader_model", FORMULAS / kind / "upgrader_model.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__pillar__"] = {}
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_empty_value_is_a_missing_one(empty: Any) -> None:
    pillar = {"memcached": {"server": {"bind": {"address": empty, "port": 11211, "protocol": "tcp"}}}}
    assert required.missing(pillar, "memcached:server") == [("memcached:server:bind:address", "address of this node")]


@pytest.mark.parametrize("value", [False, 0])
def test_false_and_zero_are_values(value: Any) -> None:
    assert required.missing({"haproxy": {"proxy": {"listen": value}}}, "haproxy:proxy") == []


def test_pillar_of_another_shape_lacks_all_keys_instead_of_raising() -> None:
    assert len(required.missing({"heat": "text"}, "heat:server")) == len(required.REQUIRED["heat:server"])


@pytest.mark.parametrize(
    ("role", "held", "lacking"),
    [
        ("nova:controller", {"bind": {"private_address": "10.0.0.1"}}, "bind:address"),
        ("cinder:controller", {"osapi": {"host": "10.0.0.1"}}, "bind:address"),
        ("neutron:server", {"message_queue": {"members": [{"host": "10.0.0.1"}]}}, "message_queue:host"),
    ],
)
def test_one_of_the_names_that_models_use_is_enough(role: str, held: dict[str, Any], lacking: str) -> None:
    name, _, kind = role.partition(":")
    assert f"{role}:{lacking}" in dict(required.missing({}, role))
    assert f"{role}:{lacking}" not in dict(required.missing({name: {kind: held}}, role))


@pytest.mark.parametrize("role", [role for role in required.REQUIRED if role != "horizon:server"])
def test_a_cache_is_not_asked_for_where_the_service_works_without(role: str) -> None:
    assert f"{role}:cache:members" not in dict(required.missing({}, role))


def state(pillar: dict[str, Any], role: str) -> dict[str, Any]:
    module, states = load("_modules"), load("_states")
    module.__dict__["__pillar__"] = pillar
    module.__dict__["__salt__"] = {"cp.cache_file": lambda source: str(FORMULAS / source.removeprefix("salt://"))}
    states.__dict__["__salt__"] = {"upgrader_model.judged": module.judged}
    return dict(states.complete("model", role))


def test_state_refuses_an_incomplete_model_with_all_keys_and_no_value() -> None:
    ret = state({"horizon": {"server": {"bind": {"port": 8078, "secret": "hunter2"}}}}, "horizon:server")
    assert ret["result"] is False and ret["changes"] == {}
    assert "horizon:server:bind:address" in ret["comment"] and "horizon:server:secret_key" in ret["comment"]
    assert "upgrader model check" in ret["comment"] and "hunter2" not in ret["comment"]


def test_state_accepts_a_complete_model_without_changes() -> None:
    bind = {"address": "10.0.0.1", "port": 11211, "protocol": "tcp"}
    ret = state({"memcached": {"server": {"bind": bind}}}, "memcached:server")
    assert ret == {
        "name": "model",
        "changes": {},
        "result": True,
        "comment": "pillar has all keys that memcached:server needs, and all that it sets are read",
    }


def test_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CommandExecutionError, match=r"no role 'nova:server' is known; give one of .*nova:controller"):
        load("_modules").missing("nova:server")
    assert "is known" in state({}, "nova:server")["comment"]
