"""A service's configuration file and its pillar role must name the same copy."""

from __future__ import annotations

import pytest
from upgrader_node.errors import StepError
from upgrader_node.schema import target
from upgrader_node.schema.services import neutron

from upgrader.cloud.release import release_path

PASSWORD, QUOTED = "p@s/s%w", "p%40s%2Fs%25w"
ROLE = {
    "database": {"name": "heat_upgrade", "host": "dbs01", "port": 3306, "user": "heat", "password": PASSWORD},
    "message_queue": {"host": "upg01", "port": 5672, "user": "openstack", "password": "x@y"},
}
CONF = f"""
[DEFAULT]
transport_url = rabbit://openstack:x%40y@upg01:5672//openstack
[database]
connection = mysql+pymysql://heat:{QUOTED}@dbs01/heat_upgrade?charset=utf8
"""


def read(conf: str = CONF, role: object = ROLE, **more: bool) -> target.Target:
    return target.read_target(
        conf, "/etc/heat/heat.conf", release_path("mitaka", "ocata").service("heat"), role, **more
    )  # type: ignore[arg-type]


def test_the_target_is_what_both_name_and_shows_no_password() -> None:
    found = read()
    assert (found.name("main"), found.urls["main"].password, set(found.secrets)) == (
        "heat_upgrade",
        PASSWORD,
        {PASSWORD, "x@y"},
    )
    assert PASSWORD not in repr(found) and QUOTED not in repr(found)
    assert found.option("DEFAULT", "report_interval", "60") == "60"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("/heat_upgrade", "/heat", "names database 'heat' but the pillar's heat:server:database:name"),
        ("@dbs01/", "@dbs02/", "goes to dbs02:3306"),
        ("[database]", "[other]", "make an SQLite file; apply state upgrader.heat.configured"),
        ("upg01:5672", "msg01:5672", "production's messages"),
    ],
)
def test_anything_else_is_refused_without_the_password(old: str, new: str, words: str) -> None:
    with pytest.raises(StepError) as caught:
        read(CONF.replace(old, new))
    assert words in str(caught.value) and PASSWORD not in str(caught.value) and QUOTED not in str(caught.value)


def test_a_service_without_queue_is_no_concern_of_its_schema() -> None:
    assert read(CONF.replace("transport_url", "other")).name("main") == "heat_upgrade"


def test_production_is_refused_unless_allowed() -> None:
    role = {**ROLE, "database": {**ROLE["database"], "name": "heat"}}
    conf = CONF.replace("/heat_upgrade", "/heat")
    with pytest.raises(StepError, match="not a copy"):
        read(conf, role)
    assert read(conf, role, allow_production=True).name("main") == "heat"


def test_only_contrail_owns_neutrons_records() -> None:
    assert "contrail" in neutron.SERVICE.owned({"plugin": "contrail"})
    assert neutron.SERVICE.owned({"plugin": "ml2"}) == ""


@pytest.mark.parametrize("service", ["keystone", "glance", "nova", "cinder", "neutron", "heat"])
def test_every_service_takes_productions_own_databases_when_it_is_allowed_to(service: str) -> None:
    """What the release path adds beside the first database as well: nothing further on asks for a copy's name."""
    path = release_path("mitaka", "ocata").service(service)
    role = {**ROLE, "database": {**ROLE["database"], "name": service}}
    conf = "[DEFAULT]\ntransport_url = rabbit://openstack:x%40y@upg01:5672//openstack\n" + "".join(
        f"[{way.section}]\nconnection = mysql+pymysql://heat:{QUOTED}@dbs01/{service}{way.suffix}\n"
        for way in path.databases.values()
        if way.section
    )
    needs_queue = service == "nova"
    found = target.read_target(conf, "/etc/x.conf", path, role, True, needs_queue)
    assert found.schemas == tuple(service + way.suffix for way in path.databases.values())
    with pytest.raises(StepError, match="not a copy"):
        target.read_target(conf, "/etc/x.conf", path, role, False, needs_queue)
