"""Service pillars as MCP's models have them, of three kinds of clouds: all is read, and what is written Ocata knows."""

from __future__ import annotations

import configparser
import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from upgrader_node.copy import isolation
from upgrader_node.errors import StepError
from upgrader_node.model import refusal
from upgrader_node.options import judgement
from upgrader_node.schema.services import neutron
from upgrader_node.service.oslo_conf import parse_conf
from upgrader_node.service.roles import ROLE_OF

from tests.support import formulas
from upgrader.reclass.unread import PILLAR_KEYS

DATA = Path(__file__).parents[2] / "data" / "mcp_pillars"
CLOUDS = sorted(path.stem for path in DATA.glob("*.yml"))
KNOWN = json.loads(PILLAR_KEYS.read_text())
TEMPLATES = {
    "keystone": ["keystone.conf"], "glance": ["glance-api.conf"], "nova": ["nova.conf"], "cinder": ["cinder.conf"],
    "neutron": ["neutron.conf", "ml2_conf.ini"], "heat": ["heat.conf"],
}  # fmt: skip
# The lab's keystone, glance and heat are of later releases, which have other names for these.
OF_OCATA = {"auth_uri", "rabbit_use_ssl", "kombu_ssl_version", "kombu_ssl_ca_certs"}
# Places below a role whose host is the upgrade node's own there, by the classes that ship.
PLACES = ("message_queue", "cache", "identity", "glance", "network", "compute", "database")
OTHERS = {
    "haproxy": "haproxy.cfg", "keepalived": "keepalived.conf", "memcached": "memcached.conf", "rabbitmq": "rabbitmq.config",
    "horizon": "local_settings.py",
}  # fmt: skip


@cache
def _cloud(name: str) -> Any:
    return yaml.safe_load((DATA / f"{name}.yml").read_text())


def cloud(name: str, is_copy: bool = False) -> Any:
    held = copy.deepcopy(_cloud(name))
    for service, role in ROLE_OF.items():
        if is_copy:
            held[service][role.split(":")[1]]["database"]["name"] += "_upgrade"
    return held


def release(service: str) -> Any:
    return json.loads((formulas.FORMULAS / f"upgrader/openstack/files/options/{service}.json").read_text())


def conf(held: Any, service: str, template: str) -> dict[str, dict[str, str]]:
    text = formulas.render(f"upgrader/{service}/files/{template}.jinja", held)
    configparser.RawConfigParser(delimiters="=", strict=template != "nova.conf").read_string(text)
    return parse_conf(text)


@pytest.mark.parametrize("name", CLOUDS)
def test_every_key_of_the_model_is_read_or_known_to_be_without_effect(name: str) -> None:
    held = cloud(name)
    roles = [*ROLE_OF.values(), *(f"{first}:{kind}" for first in OTHERS for kind in held.get(first, {}))]
    for role in roles:
        assert refusal.judge(held, role, KNOWN, release).endswith("all that it sets are read")


@pytest.mark.parametrize("is_copy", [False, True], ids=["production", "copy"])
@pytest.mark.parametrize("name", CLOUDS)
def test_what_is_written_ocata_knows(name: str, is_copy: bool) -> None:
    held = cloud(name, is_copy)
    for service, templates in TEMPLATES.items():
        files = {template: conf(held, service, template) for template in templates}
        rows = judgement.judge(service, files, release(service))
        bad = {"removed", "renamed", "unknown"}
        said = [row for row in rows if row["kind"] in bad and row["option"] not in OF_OCATA]
        assert said == [], (service, said)


@pytest.mark.parametrize("name", CLOUDS)
def test_copy_of_any_of_them_names_nothing_but_what_the_upgrade_node_changes(name: str) -> None:
    """Database, queue, cache and identity are the upgrade node's own there; every other host would lead to production."""
    held = cloud(name, is_copy=True)
    own = {"10.167.4.11", "172.16.10.101", "10.0.5.11"}
    for service, templates in TEMPLATES.items():
        role = held[service][ROLE_OF[service].split(":")[1]]
        said = [role.get(place, {}) for place in PLACES]
        own |= {one["host"] for place in said for one in [place, *place.get("members", [])] if "host" in one}
        names = [role["database"]["name"] + end for end in ("", "_api")]
        for template in templates:
            places = isolation.places(conf(held, service, template))
            assert isolation.strangers(places, own, role["database"]["host"], names) == [], (service, template)


@pytest.mark.parametrize("name", CLOUDS)
def test_what_has_no_configuration_of_oslos_is_rendered(name: str) -> None:
    held = cloud(name)
    for service, template in OTHERS.items():
        if service in held:
            text = formulas.render(f"upgrader/{service}/files/{template}.jinja", held)
            assert "None" not in text and "{{" not in text


def test_a_volume_driver_that_these_states_do_not_know_is_refused_until_its_options_are_said() -> None:
    held = cloud("collapsed-nfs")
    held["cinder"]["controller"]["backend"] = {"sas": {"engine": "storwize", "type_name": "sas"}}
    with pytest.raises(StepError, match=r"cinder:controller:backend:sas:engine is storwize.*say volume_driver"):
        refusal.judge(held, "cinder:controller", KNOWN, release)


def test_settings_of_a_large_cloud_are_in_its_files() -> None:
    held = cloud("ha-ceph-dvr")
    nova = conf(held, "nova", "nova.conf")
    assert nova["DEFAULT"]["enabled_apis"] == "osapi_compute,metadata"
    assert nova["filter_scheduler"]["enabled_filters"].endswith(",OwnFilter")
    assert nova["filter_scheduler"]["available_filters"] == "own.filters.OwnFilter"
    assert (
        nova["neutron"]["metadata_proxy_shared_secret"] == "secret"
        and nova["neutron"]["service_metadata_proxy"] == "true"
    )
    assert nova["vnc"] == {
        "novncproxy_base_url": "https://cloud.example.org:6080/vnc_auto.html",
        "novncproxy_host": "10.167.4.11",
        "novncproxy_port": "6080",
    }
    assert json.loads(nova["pci"]["alias"])["vendor_id"] == "10de"
    assert nova["database"]["connection"].endswith("/nova?ssl_ca=/etc/ssl/certs/db.pem")
    assert nova["oslo_messaging_rabbit"]["kombu_ssl_ca_certs"] == "/etc/ssl/certs/rabbit.pem"
    assert nova["oslo_messaging_notifications"] == {"driver": "messagingv2"}
    assert (
        nova["conductor"]["workers"]
        == nova["DEFAULT"]["osapi_compute_workers"]
        == nova["DEFAULT"]["metadata_workers"]
        == "8"
    )
    assert nova["glance"]["api_servers"] == "https://10.167.4.10:9292" and nova["ssl"]["ca_file"]
    ml2 = conf(held, "neutron", "ml2_conf.ini")
    assert (
        ml2["ml2"]["mechanism_drivers"] == "openvswitch,l2population"
        and ml2["ml2"]["extension_drivers"] == "port_security,qos"
    )
    assert ml2["ml2_type_vlan"]["network_vlan_ranges"] == "physnet1:10:20,physnet2:1000:1999"
    assert ml2["ml2"]["physical_network_mtus"] == "physnet1:9000,physnet2:9000"
    assert ml2["ml2_type_vxlan"] == {"vni_ranges": "2:65535", "vxlan_group": "239.1.1.1"}
    server = conf(held, "neutron", "neutron.conf")["DEFAULT"]
    assert server["service_plugins"] == "router,metering,qos,trunk" and server["router_distributed"] == "True"
    assert server["notify_nova_on_port_status_changes"] == "True" and "api_workers" not in server
    glance = conf(held, "glance", "glance-api.conf")
    assert glance["glance_store"]["stores"] == "rbd,file,http" and glance["glance_store"]["default_store"] == "rbd"
    assert (
        glance["glance_store"]["rbd_store_pool"] == "images"
        and glance["paste_deploy"]["flavor"] == "keystone+cachemanagement"
    )
    cinder = conf(held, "cinder", "cinder.conf")
    assert cinder["DEFAULT"]["enabled_backends"] == "ceph,sas" and cinder["sas"]["san_ip"] == "10.0.1.2"
    assert cinder["ceph"]["volume_driver"] == "cinder.volume.drivers.rbd.RBDDriver"
    keystone = conf(held, "keystone", "keystone.conf")
    assert (
        keystone["identity"]["domain_specific_drivers_enabled"] == "true"
        and keystone["auth"]["methods"] == "password,token,external"
    )
    assert keystone["security_compliance"]["lockout_failure_attempts"] == "5"
    heat = conf(held, "heat", "heat.conf")
    assert heat["DEFAULT"]["heat_metadata_server_url"] == "https://cloud.example.org:8000"
    assert (
        heat["clients_heat"]["endpoint_type"] == "publicURL"
        and heat["heat_api_cloudwatch"]["bind_host"] == "10.167.4.11"
    )


def test_copy_of_a_large_cloud_has_stores_networks_and_notifications_of_its_own() -> None:
    held = cloud("ha-ceph-dvr", is_copy=True)
    glance = conf(held, "glance", "glance-api.conf")
    assert glance["glance_store"] == {
        "stores": "file,http",
        "default_store": "file",
        "filesystem_store_datadir": "/var/lib/glance/images/",
    }
    assert glance["DEFAULT"]["show_multiple_locations"] == "true", "what leads nowhere is rehearsed"
    cinder = conf(held, "cinder", "cinder.conf")
    assert "enabled_backends" not in cinder["DEFAULT"] and not {"ceph", "sas"} & set(cinder)
    nova = conf(held, "nova", "nova.conf")
    assert (
        nova["DEFAULT"]["enabled_apis"] == "osapi_compute"
        and "vnc" in nova
        and "novncproxy_base_url" not in nova["vnc"]
    )
    assert nova["oslo_messaging_notifications"] == {"driver": "noop"} and "oslo_messaging_rabbit" not in nova
    keystone = conf(held, "keystone", "keystone.conf")
    assert keystone["identity"] == {"driver": "sql"}
    assert "notify_nova_on_port_status_changes" in conf(held, "neutron", "neutron.conf")["DEFAULT"]
    assert conf(held, "neutron", "neutron.conf")["DEFAULT"]["notify_nova_on_port_status_changes"] == "False"
    assert conf(held, "heat", "heat.conf")["DEFAULT"]["heat_metadata_server_url"] == "http://10.167.4.11:8000"


def test_networks_by_name_and_volumes_on_files() -> None:
    held = cloud("collapsed-nfs")
    ml2 = conf(held, "neutron", "ml2_conf.ini")
    assert (
        ml2["ml2_type_flat"]["flat_networks"] == "physnet1"
        and ml2["ml2_type_vlan"]["network_vlan_ranges"] == "physnet3:200:300"
    )
    assert (
        ml2["ml2"]["physical_network_mtus"] == "physnet1:1500,physnet3:9000"
        and ml2["ml2"]["extension_drivers"] == "port_security"
    )
    cinder = conf(held, "cinder", "cinder.conf")
    assert cinder["DEFAULT"]["enabled_backends"] == "files,lvm" and cinder["files"]["nfs_mount_options"] == "rw,sync"
    assert conf(held, "keystone", "keystone.conf")["cache"]["memcache_servers"] == "172.16.10.101:11211"
    assert conf(held, "keystone", "keystone.conf")["token"]["provider"] == "uuid"


def test_a_directory_for_everybody_and_images_in_swift() -> None:
    held = cloud("contrail-swift")
    keystone = conf(held, "keystone", "keystone.conf")
    assert keystone["identity"]["driver"] == "ldap" and keystone["ldap"]["user_filter"] == "(memberOf=cn=cloud)"
    store = conf(held, "glance", "glance-api.conf")["glance_store"]
    assert store["stores"] == "swift,file,http" and store["swift_store_user"] == "service:glance"
    server = conf(held, "neutron", "neutron.conf")["DEFAULT"]
    assert "Contrail" in server["core_plugin"] and server["service_plugins"] == ""


def test_keystone_listens_where_the_node_is_and_not_at_the_virtual_address() -> None:
    for name, address in (("ha-ceph-dvr", "10.167.4.11"), ("contrail-swift", "10.0.5.11")):
        front = formulas.states("upgrader.keystone.configured", cloud(name))["keystone_front"]
        sites = formulas.arguments(front, "file.managed")["context"]["sites"]
        assert {site["address"] for site in sites} == {address}


@pytest.mark.parametrize(
    ("service", "units"),
    [
        ("nova", {"nova-consoleauth", "nova-novncproxy"}),
        ("glance", {"glance-registry"}),
        ("heat", {"heat-api-cloudwatch"}),
    ],
)
def test_services_that_only_production_has_a_use_for_run_there_and_not_on_a_copy(service: str, units: set[str]) -> None:
    def running(is_copy: bool) -> set[str]:
        states = formulas.states(f"upgrader.{service}.running", cloud("ha-ceph-dvr", is_copy))
        return set(formulas.arguments(states[f"{service}_running"], "upgrader_serving.running")["units"])

    assert running(False) - running(True) == units
    held = conf(cloud("ha-ceph-dvr"), "glance", "glance-registry.conf")
    assert held["DEFAULT"]["bind_port"] == "9191" and held["database"]["connection"].endswith("/glance")
    assert (
        judgement.judge("glance", {"/etc/glance/glance-registry.conf": {"DEFAULT": held["DEFAULT"]}}, release("glance"))
        == []
    )


def test_each_domain_with_a_directory_has_a_file_but_on_a_copy() -> None:
    said = formulas.states("upgrader.keystone.configured", cloud("ha-ceph-dvr"))
    assert (
        formulas.arguments(said["keystone_domain_staff"], "file.managed")["name"]
        == "/etc/keystone/domains/keystone.staff.conf"
    )
    copied = formulas.states("upgrader.keystone.configured", cloud("ha-ceph-dvr", is_copy=True))
    assert not [one for one in copied if one.startswith("keystone_domain")]


def test_proxy_and_address_are_what_the_model_says() -> None:
    held = cloud("ha-ceph-dvr")
    proxy = formulas.render("upgrader/haproxy/files/haproxy.cfg.jinja", held)
    assert "\n  timeout client 3m\n" in proxy and "\n  timeout client 10m\n" in proxy and "balance leastconn" in proxy
    assert (
        "http-request add-header X-Forwarded-Proto https if { ssl_fc }" in proxy
        and "stats auth haproxy:secret" in proxy
    )
    address = formulas.render("upgrader/keepalived/files/keepalived.conf.jinja", held)
    assert (
        address.count(" dev ens3") == 2 and "unicast_src_ip 10.167.4.11" in address and "    10.167.4.12\n" in address
    )


@pytest.mark.parametrize(
    ("role", "owned"),
    [
        ({"backend": {"engine": "ml2"}}, ""),
        ({"plugin": "ml2", "backend": None}, ""),
        ({"plugin": "OpenContrail"}, "skipped: pillar neutron:server:plugin is OpenContrail"),
        ({"backend": {"engine": "contrail"}}, "skipped: pillar neutron:server:backend:engine is contrail"),
    ],
)
def test_neutrons_schema_is_left_alone_by_whichever_name_the_model_says_contrail(role: Any, owned: str) -> None:
    said = neutron.plugin_owns_schema(role)
    assert said.startswith(owned) and bool(said) is bool(owned)
