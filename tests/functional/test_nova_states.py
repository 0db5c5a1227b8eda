"""The formulas as Salt runs them: rendered under every supported Salt, applied twice, and under test=True."""

from __future__ import annotations

import subprocess
from typing import Any
from urllib.parse import quote

import pytest

from tests.functional.bench import API, MAIN, PASSWORD, QUEUE_PASSWORD, VENV, Bench

SLS = (
    "upgrader.nova",
    "upgrader.nova.configured",
    "upgrader.nova.running",
    "upgrader.nova.stopped",
    "upgrader.nova.upgrade",
    "upgrader.nova.verify",
)
FUNCTIONS = ("remaining", "cells", "assert_isolated", "findings", "status")
PHASES = (
    "api-db-newton",
    "db-newton",
    "online-newton",
    "map-cell0",
    "create-cell1",
    "discover-hosts",
    "map-instances",
    "api-db",
    "db",
    "online",
)


def apply(bench: Bench, sls: str, **arguments: Any) -> dict[str, dict[str, Any]]:
    answer = bench.call("state.apply", sls, **arguments)
    assert isinstance(answer, dict), answer
    return {state["__id__"]: state for state in answer.values()}


@pytest.fixture(autouse=True)
def nova_user() -> None:
    if subprocess.run(["id", "nova"], capture_output=True).returncode:
        pytest.fail("user nova is missing on this node; the lab's ocata layer makes it")


@pytest.mark.parametrize("sls", SLS)
def test_every_sls_renders_and_shows_no_password(bench: Bench, sls: str) -> None:
    rendered = bench.call("state.show_sls", sls)
    assert isinstance(rendered, dict), rendered
    assert PASSWORD not in str(rendered) and QUEUE_PASSWORD not in str(rendered)


def test_every_function_of_the_contract_is_loaded_and_documented(bench: Bench) -> None:
    documented = bench.call("sys.doc", "upgrader_nova")
    assert {f"upgrader_nova.{function}" for function in FUNCTIONS} <= {
        name for name, text in documented.items() if "CLI Example" in text
    }


def test_nova_conf_holds_passwords_that_oslo_reads_back(bench: Bench) -> None:
    bench.conf.unlink()
    state = apply(bench, "upgrader.nova.configured")["nova_conf"]
    assert state["result"] is True
    assert PASSWORD not in str(state) and quote(PASSWORD, safe="") not in str(state)
    assert oct(bench.conf.stat().st_mode & 0o777) == "0o600"
    reader = (
        "import sys; from oslo_config import cfg; from sqlalchemy.engine.url import make_url; import oslo_messaging as m\n"
        "c = cfg.ConfigOpts(); c.register_opts([cfg.StrOpt('connection')], 'database'); c(['--config-file', sys.argv[1]])\n"
        "u = make_url(c.database.connection); t = m.TransportURL.parse(c); print(u.password); print(t.hosts[0].password); print(t.virtual_host)"
    )
    read = subprocess.run(
        [str(VENV / "bin" / "python"), "-c", reader, str(bench.conf)], capture_output=True, text=True, check=True
    )
    assert read.stdout.split() == [PASSWORD, QUEUE_PASSWORD, "/openstack"]


def test_nova_conf_is_written_once(bench: Bench) -> None:
    apply(bench, "upgrader.nova.configured")
    assert not any(state["changes"] for state in apply(bench, "upgrader.nova.configured").values())


def test_upgrade_under_test_true_changes_nothing(mitaka: Bench) -> None:
    apply(mitaka, "upgrader.nova.configured")
    states = apply(mitaka, "upgrader.nova.upgrade", test=True)
    (upgrade,) = [state for name, state in states.items() if state["__sls__"] == "upgrader.nova.upgrade"]
    assert upgrade["result"] is None and not upgrade["changes"], states
    assert [f"would run phase {phase} of nova" in upgrade["comment"] for phase in PHASES] == [True] * 10
    assert mitaka.versions() == {"api": 7, "main": 319, "cell0": None}
    assert mitaka.number(f"SELECT COUNT(*) FROM {API}.cell_mappings") == 0


def test_failed_phase_fails_the_state_and_holds_the_next_ones_back(mitaka: Bench) -> None:
    mitaka.query(f"UPDATE {MAIN}.compute_nodes SET uuid = NULL LIMIT 1")
    upgrade = apply(mitaka, "upgrader.nova.upgrade")["nova_upgraded"]
    assert upgrade["result"] is False and list(upgrade["changes"]) == ["api-db-newton"], upgrade
    assert "only Mitaka's own" in upgrade["comment"]
    assert mitaka.versions()["main"] == 329 and mitaka.number(f"SELECT COUNT(*) FROM {API}.cell_mappings") == 0


@pytest.mark.soak
@pytest.mark.heavy
def test_upgrade_applied_twice_changes_nothing_the_second_time(mitaka: Bench) -> None:
    first = apply(mitaka, "upgrader.nova.upgrade")
    assert all(state["result"] is True for state in first.values()), first
    assert list(first["nova_upgraded"]["changes"]) == [*PHASES[:9], "services"]
    second = apply(mitaka, "upgrader.nova.upgrade")
    assert all(state["result"] is True and not state["changes"] for state in second.values()), second
    verified = next(iter(mitaka.call("state.single", "upgrader_schema.verified", "the copy", service="nova").values()))
    assert verified["result"] is True and not verified["changes"], verified
    for text in (str(first), str(second)):
        assert PASSWORD not in text and quote(PASSWORD, safe="") not in text
