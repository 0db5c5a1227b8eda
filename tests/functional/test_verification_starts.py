"""When a copy's services start, and when they must not; run last, for then everything has to be in order again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.controller import PRODUCTION, SECRETS, Controller, database, systemctl, units
from tests.functional.minion import until
from tests.functional.whole_controller import answers, verified

pytestmark = pytest.mark.heavy


def test_a_service_whose_configuration_names_another_host_is_not_started(controller: Controller) -> None:
    controller.done("upgrader.glance.stopped")
    unit = Path("/etc/systemd/system/glance-api.service")
    unit.unlink()
    systemctl("daemon-reload")
    identity = {**controller.pillar["glance"]["server"]["identity"], "host": PRODUCTION}
    with controller.changed("glance", identity=identity):
        states = controller.apply("upgrader.glance.running")
    assert states["glance_may_start"]["result"] is False
    comment = states["glance_may_start"]["comment"]
    assert (
        "glance of the copy would reach beyond this node" in comment
        and f"[keystone_authtoken]/auth_url names {PRODUCTION}" in comment
    )
    assert states["glance_running"]["result"] is False
    assert "glance-api" not in units() and not answers(9292) and not unit.exists()
    states = controller.done("upgrader.glance.running")
    assert states["glance_running"]["changes"] and "glance-api" in units()
    until(lambda: answers(9292), "glance again")


@pytest.mark.soak
def test_nova_is_not_started_when_a_cell_leads_elsewhere(controller: Controller) -> None:
    api = database("nova") + "_api"
    held = controller.bench.query(f"SELECT transport_url FROM {api}.cell_mappings WHERE name = 'cell1'")[0][0]
    controller.done("upgrader.nova.stopped")
    controller.bench.query(
        f"UPDATE {api}.cell_mappings SET transport_url = 'rabbit://n:x@{PRODUCTION}:5672//openstack' WHERE name = 'cell1'"
    )
    try:
        states = controller.apply("upgrader.nova.running")
    finally:
        escaped = controller.bench.connection.escape(held)
        with controller.bench.connection.cursor() as cursor:
            cursor.execute(f"UPDATE {api}.cell_mappings SET transport_url = {escaped} WHERE name = 'cell1'")
    assert states["nova_may_start"]["result"] is False and PRODUCTION in states["nova_may_start"]["comment"]
    assert not [name for name in units() if name.startswith("nova-")]
    controller.done("upgrader.nova.running")
    until(lambda: answers(8774) and answers(8778), "nova again")


@pytest.mark.soak
def test_a_changed_configuration_restarts_the_service(controller: Controller) -> None:
    before = units()
    with controller.changed("glance", workers=2):
        controller.done("upgrader.glance.running")
        assert units()["glance-api"] != before["glance-api"]
    controller.done("upgrader.glance.running")
    until(lambda: answers(9292), "glance again")


@pytest.mark.soak
def test_an_account_that_the_queue_refuses_gets_the_pillars_password(controller: Controller) -> None:
    argv = ["rabbitmqctl", "-q", "change_password", "openstack"]
    subprocess.run(argv, input="another\n", text=True, check=True, timeout=60, capture_output=True)
    with pytest.raises(CommandExecutionError, match="does not let account openstack in"):
        controller.call("upgrader_rabbitmq.serves", patience=0)
    planned = controller.apply("upgrader.rabbitmq", test=True)["rabbitmq_account"]
    assert planned["result"] is None and "does not let account openstack in" in planned["comment"]
    with controller.watched():
        assert controller.done("upgrader.rabbitmq")["rabbitmq_account"]["changes"]
    assert not [text for text in controller.seen if SECRETS["queue"] in text]
    assert not controller.done("upgrader.rabbitmq")["rabbitmq_account"]["changes"]


def test_everything_is_in_order_after_all_faults(controller: Controller) -> None:
    assert verified(controller, patience=60, change=True)["findings"] == []
    assert len(units()) == 14
