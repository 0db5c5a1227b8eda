"""The generated rows of all services speak of one cloud: what one service names, the other has."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest

from tests.support.recorder import Rows, generated
from upgrader.lab.contents.services import SERVICES as HELD
from upgrader.lab.mitaka.populate import SERVICES

CORE = {
    "keystone": ("user", "project", "assignment", "endpoint", "credential"),
    "glance": ("images", "image_properties", "image_locations", "image_members"),
    "cinder": ("volumes", "volume_attachment", "snapshots", "quotas", "consistencygroups", "services"),
    "neutron": ("networks", "subnets", "ports", "routers", "floatingips", "securitygrouprules", "ml2_port_bindings"),
    "heat": ("stack", "raw_template", "resource", "resource_data", "event", "service"),
}


@cache
def cloud(instances: int = 200) -> Rows:
    return generated(instances)


def column(table: str, name: str, **where: Any) -> set[Any]:
    return {row[name] for row in cloud()[table] if all(row[key] == value for key, value in where.items())}


def test_the_same_arguments_give_the_same_rows_for_all_services() -> None:
    assert generated() == cloud()


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_rows_do_not_depend_on_the_others(service: str) -> None:
    alone = generated(services=(service,))
    prefixes = {f"{database}." for one in HELD if one.name == service for database in one.databases}
    assert alone == {table: rows for table, rows in cloud().items() if table.startswith(tuple(prefixes))}


def test_the_generator_knows_the_services_that_the_lab_holds() -> None:
    assert set(SERVICES) == {service.name for service in HELD}


@pytest.mark.parametrize("service", CORE)
def test_a_small_cloud_has_some_of_everything_and_a_larger_one_hundreds_of_rows(service: str) -> None:
    small = cloud(60)
    assert all(small[f"{service}.{table}"] for table in CORE[service])
    assert sum(len(rows) for table, rows in cloud().items() if table.startswith(f"{service}.")) > 300


def test_keystone_knows_the_projects_and_users_of_every_other_service() -> None:
    projects, users = column("keystone.project", "id"), column("keystone.user", "id")
    for table, name in (
        ("nova.instances", "project_id"), ("glance.images", "owner"), ("glance.image_members", "member"), ("cinder.volumes", "project_id"),
        ("neutron.networks", "tenant_id"), ("heat.stack", "tenant"), ("heat.stack", "stack_user_project_id"),
    ):  # fmt: skip
        assert column(table, name) <= projects, table
    assert column("neutron.ports", "tenant_id") <= projects | {""}
    assert column("nova.instances", "user_id") | column("cinder.volumes", "user_id") <= users


def test_every_assignment_names_what_keystone_has() -> None:
    actors = column("keystone.user", "id") | column("keystone.group", "id")
    assert column("keystone.assignment", "actor_id") <= actors
    assert column("keystone.assignment", "target_id") <= column("keystone.project", "id")
    assert column("keystone.assignment", "role_id") <= column("keystone.role", "id")


def test_images_of_instances_and_volumes_are_glances() -> None:
    images = column("glance.images", "id")
    assert column("nova.instances", "image_ref") <= images
    assert column("cinder.volume_glance_metadata", "value", key="image_id") <= images


def test_volumes_in_use_are_those_of_novas_block_devices() -> None:
    held = column("nova.block_device_mapping", "volume_id", deleted=0) - {None}
    assert column("cinder.volumes", "id", status="in-use") == held
    attached = {
        (row["volume_id"], row["instance_uuid"]) for row in cloud()["cinder.volume_attachment"] if not row["deleted"]
    }
    assert attached == {
        (row["volume_id"], row["instance_uuid"])
        for row in cloud()["nova.block_device_mapping"]
        if row["volume_id"] and not row["deleted"]
    }


def test_ports_are_those_of_novas_network_caches() -> None:
    live = column("nova.instances", "uuid", deleted=0)
    ports = {row["id"]: row for row in cloud()["neutron.ports"] if row["device_owner"].startswith("compute:")}
    addresses = {row["port_id"]: row["ip_address"] for row in cloud()["neutron.ipallocations"]}
    seen = set()
    for held in cloud()["nova.instance_info_caches"]:
        if held["instance_uuid"] not in live:
            continue
        for vif in json.loads(held["network_info"]):
            port = ports[vif["id"]]
            seen.add(vif["id"])
            assert (port["device_id"], port["network_id"]) == (held["instance_uuid"], vif["network"]["id"])
            assert (port["mac_address"], addresses[port["id"]]) == (
                vif["address"],
                vif["network"]["subnets"][0]["ips"][0]["address"],
            )
    assert seen == set(ports)


def test_no_address_of_a_network_is_given_twice() -> None:
    given = [(row["network_id"], row["ip_address"]) for row in cloud()["neutron.ipallocations"]]
    assert len(given) == len(set(given))


def test_servers_of_stacks_are_novas_and_their_ports_neutrons() -> None:
    def made(kind: str) -> set[str]:
        return {
            row["physical_resource_id"]
            for row in cloud()["heat.event"]
            if row["resource_type"] == kind and row["resource_name"] != "0"
        }

    assert made("OS::Nova::Server") <= column("nova.instances", "uuid", deleted=0)
    assert made("OS::Neutron::Port") <= column("neutron.ports", "id")


def test_heats_stored_credentials_name_keystones_users() -> None:
    assert column("heat.user_creds", "username") <= column("keystone.local_user", "name")
    assert column("heat.user_creds", "tenant") <= column("keystone.project", "name")


def test_endpoints_are_productions_and_the_old_identity_ones_are_off() -> None:
    endpoints = cloud()["keystone.endpoint"]
    assert all(re.fullmatch(r"http://10\.20\.0\.9:\d+(/.*)?", row["url"]) for row in endpoints)
    assert {row["enabled"] for row in endpoints if row["url"].endswith("/v2.0")} == {0}
    assert "http://10.20.0.9:5000/v3" in {row["url"] for row in endpoints if row["enabled"]}
    assert any(row["legacy_endpoint_id"] for row in endpoints if row["enabled"])


def test_credentials_are_plain_and_passwords_old() -> None:
    blobs = [json.loads(row["blob"]) for row in cloud()["keystone.credential"] if row["type"] == "ec2"]
    assert all(set(blob) == {"access", "secret", "trust_id"} for blob in blobs)
    assert all(row["password"].startswith("$6$rounds=10000$") for row in cloud()["keystone.password"])


def test_a_consistency_group_names_types_that_are_there() -> None:
    types = column("cinder.volume_types", "id")
    for group in cloud()["cinder.consistencygroups"]:
        assert set(group["volume_type_id"].rstrip(",").split(",")) <= types
