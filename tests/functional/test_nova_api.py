"""The real nova-api of Ocata on the upgraded copy lists what the source held."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import upgrader_database
import upgrader_nova_api
from salt.exceptions import CommandExecutionError

from tests.functional.bench import API, VENV, Bench

pytestmark = pytest.mark.heavy


@pytest.fixture
def api(ocata: Bench) -> Iterator[Bench]:
    ocata.call("state.apply", "nova.configured")
    log = open(ocata.root / "nova-api.log", "wb")  # noqa: SIM115 - it lives as long as the process
    process = subprocess.Popen(
        [str(VENV / "bin" / "nova-api-os-compute"), "--config-file", str(ocata.conf)], stdout=log, stderr=log
    )
    yield ocata
    process.terminate()
    process.wait(timeout=30)
    log.close()


def test_api_lists_what_the_source_holds(api: Bench) -> None:
    expected = upgrader_database.table_counts(api.connection, ("nova", "nova_api"))
    answer = api.nova("verify_api", expected=expected)
    live = expected["nova"]
    assert answer["listed"]["servers"] == live["instances"]["live"]
    assert answer["listed"]["flavors"] == live["instance_types"]["live"] == 8
    assert answer["listed"]["services"] == 4 + 3 * 3
    assert api.nova("verify", expected=expected)["findings"] == [], (
        "nova-api's own service row is not counted as a difference"
    )
    base = "http://127.0.0.1:18774/v2.1"
    by_sevens = upgrader_nova_api.count_pages(base, "/servers?all_tenants=1", "servers", 30, page=7)
    assert by_sevens == answer["listed"]["servers"]
    for satellite in ("flavor_projects", "flavor_extra_specs"):
        api.query(f"DELETE FROM {API}.{satellite}")
    api.query(f"DELETE FROM {API}.flavors WHERE name = 'p1.gold'")
    with pytest.raises(CommandExecutionError, match="nova-api flavors lists 7, expected 8"):
        api.nova("verify_api", expected=expected)


def test_an_api_that_does_not_answer_is_named_within_its_patience(ocata: Bench) -> None:
    with pytest.raises(CommandExecutionError, match="nova-api does not answer within 2 s"):
        ocata.nova("api_counts", patience=2)


def applied(bench: Bench, sls: str) -> dict[str, dict[str, Any]]:
    answer = bench.call("state.apply", sls)
    assert isinstance(answer, dict), answer
    assert all(state["result"] is True for state in answer.values()), answer
    return {state["__id__"]: state for state in answer.values()}


def test_formulas_start_check_and_stop_the_api_under_systemd(ocata: Bench) -> None:
    if not Path("/run/systemd/system").is_dir():
        pytest.fail("systemd does not run here: functional tests run on the lab's bench node")
    conf = Path("/etc/nova/nova.conf")
    ocata.configure(config_file=str(conf))
    try:
        assert applied(ocata, "nova.running")["nova_api"]["changes"]
        assert not any(state["changes"] for state in applied(ocata, "nova.running").values())
        assert (conf.owner(), oct(conf.stat().st_mode & 0o777)) == ("nova", "0o600")
        assert not any(state["changes"] for state in applied(ocata, "nova.verify").values())
        assert applied(ocata, "nova.stopped")["nova_api_stopped"]["changes"]
        assert not applied(ocata, "nova.stopped")["nova_api_stopped"]["changes"]
    finally:
        subprocess.run(["systemctl", "stop", "nova-api"], capture_output=True)
        conf.unlink(missing_ok=True)


def test_a_copy_that_leads_elsewhere_keeps_the_api_from_starting(ocata: Bench) -> None:
    conf = Path("/etc/nova/nova.conf")
    ocata.configure(config_file=str(conf))
    ocata.query(
        f"UPDATE {API}.cell_mappings SET database_connection = 'mysql+pymysql://nova:x@dbs01/nova' WHERE name = 'cell1'"
    )
    try:
        states = {state["__id__"]: state for state in ocata.call("state.apply", "nova.running").values()}
        assert states["nova_isolated"]["result"] is False and states["nova_api"]["result"] is False
        assert (
            subprocess.run(["systemctl", "is-active", "nova-api"], capture_output=True, text=True).stdout.strip()
            != "active"
        )
    finally:
        conf.unlink(missing_ok=True)
