"""Where a configuration leads: every way in which one can name a host, and what of it is a stranger."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.copy import isolation
from upgrader_node.errors import StepError
from upgrader_node.host import names
from upgrader_node.service import oslo_conf

OWN = names.named("upg01.mcp.local", "upg01", ["10.0.0.90", "fd00::90"])
DATABASES = ("nova_upgrade", "nova_upgrade_api", "nova_upgrade_cell0")


def strangers(text: str) -> list[str]:
    places = isolation.places(oslo_conf.parse_conf(text))
    return isolation.strangers(places, OWN, "dbs.mcp.local", DATABASES)


def test_own_names_are_the_id_the_host_name_both_short_and_the_addresses() -> None:
    assert set(OWN) == {"upg01.mcp.local", "upg01", "10.0.0.90", "fd00::90"}


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("auth_url = http://10.0.0.9:35357/v3", "10.0.0.9"),
        ("auth_url = https://user:p%40ss@ctl.mcp.local/v3", "ctl.mcp.local"),
        ("auth_url = HTTP://CTL01:5000", "ctl01"),
        ("url = http://[fd00::9]:9696", "fd00::9"),
        ("api_servers = http://10.0.0.90:9292,http://10.0.0.9:9292", "10.0.0.9"),
        ("transport_url = rabbit://u:p@10.0.0.9:5672//v", "10.0.0.9"),
        ("transport_url = rabbit://u:p@10.0.0.90:5672,u:p@10.0.0.9:5672//v", "10.0.0.9"),
        ("transport_url = rabbit://u:p%40%2Fw@10.0.0.9:5672/%2Fv", "10.0.0.9"),
        ("transport_url = rabbit://u:p@[fd00::9]:5672/", "fd00::9"),
        ("transport_url = amqp://u:p@10.0.0.9/", "10.0.0.9"),
        ("memcached_servers = 10.0.0.90:11211,10.0.0.9:11211", "10.0.0.9"),
        ("memcache_servers = inet6:[fd00::9]:11211", "fd00::9"),
        ("memcache_servers = 10.0.0.90:11211, fd00::9", "fd00::9"),
        ("backend_argument = url:10.0.0.9:11211", "10.0.0.9"),
        ("rabbit_host = ctl01", "ctl01"),
        ("rabbit_hosts = upg01:5672,ctl01:5672", "ctl01"),
        ("netapp_server_hostname = filer", "filer"),
        ("my_ip = 10.0.0.9", "10.0.0.9"),
        ("san_ip = 10.9.9.9", "10.9.9.9"),
        ("host = ctl01", "ctl01"),
        ("osapi_compute_listen = 10.0.0.9", "10.0.0.9"),
        ("connection = mysql+pymysql://u:p@10.0.0.9", "10.0.0.9"),
    ],
)
def test_a_stranger_is_named_with_its_place(line: str, host: str) -> None:
    option = line.split(" ")[0]
    assert strangers(f"[DEFAULT]\n{line}\n") == [f"[DEFAULT]/{option} names {host}"]


@pytest.mark.parametrize(
    "line",
    [
        "auth_url = http://upg01:35357/v3",
        "auth_url = http://UPG01.mcp.local:35357/v3",
        "url = http://[fd00::90]:9696",
        "bind_host = fd00::90",
        "bind_host = ::",
        "bind_host = 0.0.0.0",
        "bind_host =",
        "host = upg01",
        "transport_url = rabbit://u:p%40@10.0.0.90:5672//v",
        "transport_url = fake://",
        "memcache_servers = localhost:11211,inet6:[::1]:11211",
        "connection = mysql+pymysql://u:p%40w@dbs.mcp.local:3306/nova_upgrade_api?charset=utf8",
        "connection = mysql+pymysql://u:p@127.0.0.1/nova_upgrade",
        "connection = sqlite:////var/lib/nova.sqlite",
        "template_dir = file:///etc/heat/templates",
        "default_server = whatever",
        "region_name = RegionOne",
        "password = 10.0.0.9",
        "# auth_url = http://10.0.0.9",
    ],
)
def test_this_node_and_its_clones_are_no_strangers(line: str) -> None:
    assert strangers(f"[DEFAULT]\n{line}\n") == []


def test_a_database_of_another_name_or_server_is_told_apart() -> None:
    text = (
        "[database]\nconnection = mysql+pymysql://nova:p@dbs.mcp.local/nova\n"
        "[api_database]\nconnection = mysql+pymysql://nova:p@dbs02/nova_upgrade_api\n"
    )
    assert strangers(text) == [
        "[api_database]/connection goes to database server dbs02",
        "[database]/connection names database nova",
    ]


@pytest.mark.parametrize(
    "value", ["http://[fd00::9/v3", "rabbit://u:p/w@10.0.0.9:5672/v", "rabbit://u:p@[fd00::9:5672/"]
)
def test_what_cannot_be_read_is_a_stranger_and_shows_nothing_of_it(value: str) -> None:
    assert strangers(f"[DEFAULT]\ntransport_url = {value}\n") == [
        "[DEFAULT]/transport_url names a URL that cannot be read"
    ]


def test_the_database_servers_name_is_allowed_for_databases_alone() -> None:
    assert strangers("[glance]\napi_servers = http://dbs.mcp.local:9292\n") == [
        "[glance]/api_servers names dbs.mcp.local"
    ]


def test_only_pillar_makes_a_controller_productions() -> None:
    assert isolation.is_production("glance", "glance", True) is True
    assert isolation.is_production("glance", "glance_upgrade", None) is False


@pytest.mark.parametrize(
    ("database", "said", "words"),
    [
        ("glance", None, "no clone: name glance_upgrade for a rehearsal; on a controller of production set pillar"),
        ("glance", "yes", "set pillar upgrader:production to true"),
        ("", None, "no clone"),
        ("glance_upgrade", True, "which is a clone: take the key away"),
    ],
)
def test_neither_copy_nor_production_is_refused_with_what_to_correct(database: str, said: Any, words: str) -> None:
    with pytest.raises(StepError, match=words):
        isolation.is_production("glance", database, said)
