"""Who of the cloud's agents is heard of: those that are switched off are not missed."""

from __future__ import annotations

from upgrader_node.agents import ask

from tests.unit.data_plane.test_agents import Cloud, cloud, door  # noqa: F401  the fixtures

CONDUCTOR = "nova-conductor on cmp001"
"""Down in this cloud, and switched on."""


def test_agents_that_are_meant_to_live_and_do_not_are_named(cloud: Cloud, door: ask.Door) -> None:  # noqa: F811
    assert ask.alive(door)["dead"] == [CONDUCTOR]
    cloud.services["cmp002"]["up"] = False
    cloud.agents["neutron-openvswitch-agent@cmp001"].update(alive=False)
    said = ask.alive(door)
    assert said["dead"] == ["neutron-openvswitch-agent on cmp001", "nova-compute on cmp002", CONDUCTOR]
    assert [(one["severity"], one["rows"]) for one in said["findings"]] == [("warning", said["dead"])]


def test_agents_that_are_switched_off_are_counted_and_not_missed(cloud: Cloud, door: ask.Door) -> None:  # noqa: F811
    before = ask.alive(door)["alive"]
    cloud.services["cmp002"].update(up=False, enabled=False)
    cloud.agents["neutron-openvswitch-agent@cmp001"].update(alive=False, up=False)
    said = ask.alive(door)
    assert (said["dead"], said["off"], said["alive"]) == ([CONDUCTOR], 2, before - 2)


def test_cloud_without_neutron_is_asked_for_novas_only(cloud: Cloud, door: ask.Door) -> None:  # noqa: F811
    said = ask.alive(door._replace(asked=door.asked._replace(without=("neutron",))))
    assert said["alive"] == len(cloud.services)
