"""nova.conf and pillar must name the same copy; URLs survive any password; nothing shows one."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from upgrader_node.database import sql as database
from upgrader_node.errors import StepError
from upgrader_node.nova import databases
from upgrader_node.schema.target import Target, read_target
from upgrader_node.service import oslo_conf

from upgrader.cloud.release import release_path

PASSWORD = "p@s/s%w:d#$?"
CONTROLLER = {
    "database": {"name": "nova_upgrade", "host": "dbs01.lab.local", "port": 3306, "user": "nova", "password": PASSWORD},
    "message_queue": {
        "host": "upg01.lab.local",
        "port": 5672,
        "user": "openstack",
        "password": "x@y",
        "virtual_host": "/openstack",
    },
}
QUOTED = "p%40s%2Fs%25w%3Ad%23%24%3F"
CONF = f"""
# comment
[DEFAULT]
transport_url = rabbit://openstack:x%40y@upg01.lab.local:5672//openstack
multi = one
  two
[database]
connection=mysql+pymysql://nova:{QUOTED}@dbs01.lab.local:3306/nova_upgrade
[api_database]
connection : mysql+pymysql://nova:{QUOTED}@dbs01.lab.local/nova_upgrade_api
"""


def read(conf: str = CONF, controller: object = CONTROLLER, **more: bool) -> Target:
    nova = release_path("mitaka", "ocata").service("nova")
    return read_target(conf, "/etc/nova/nova.conf", nova, controller, needs_queue=True, **more)  # type: ignore[arg-type]


def test_names_come_from_the_pillar_alone() -> None:
    found = read()
    assert found.schemas == ("nova_upgrade", "nova_upgrade_api", "nova_upgrade_cell0")
    assert found.urls["main"].password == PASSWORD and databases.cell0_url(found).text().endswith(
        f":{QUOTED}@dbs01.lab.local:3306/nova_upgrade_cell0"
    )
    assert databases.transport(found).virtual_host == "/openstack"
    assert databases.own_hosts(found) == (socket.gethostname(), "0.0.0.0", "0.0.0.0")


def test_no_representation_shows_a_password() -> None:
    found = read()
    for text in (
        repr(found),
        str(found),
        repr(found.urls["main"]),
        found.urls["main"].shown(),
        repr(found.transport),
        f"{found.transport}",
    ):
        assert PASSWORD not in text and QUOTED not in text and "x@y" not in text and "x%40y" not in text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("/nova_upgrade\n", "/nova\n", "names database 'nova'"),
        ("/nova_upgrade_api", "/nova_api", "names database 'nova_api'"),
        ("dbs01.lab.local:3306", "dbs02", "goes to dbs02:3306"),
        ("upg01.lab.local:5672", "msg01:5672", "production's messages"),
        ("[api_database]", "[other]", "no [api_database]/connection"),
        ("transport_url", "transport", "no [DEFAULT]/transport_url"),
        (f"connection=mysql+pymysql://nova:{QUOTED}@", "connection=nonsense ", "cannot be used"),
    ],
)
def test_a_nova_conf_that_names_anything_else_is_refused(old: str, new: str, words: str) -> None:
    assert old in CONF
    with pytest.raises(StepError) as caught:
        read(CONF.replace(old, new))
    assert words in str(caught.value) and QUOTED not in str(caught.value)


def test_a_name_without_upgrade_is_only_for_the_real_upgrade() -> None:
    production = {**CONTROLLER, "database": {**CONTROLLER["database"], "name": "nova"}}
    conf = CONF.replace("/nova_upgrade", "/nova")
    with pytest.raises(StepError, match="not a copy"):
        read(conf, production)
    assert read(conf, production, allow_production=True).schemas == ("nova", "nova_api", "nova_cell0")


@pytest.mark.parametrize("key", ["name", "host"])
def test_a_missing_pillar_key_is_named(key: str) -> None:
    lacking = {name: value for name, value in CONTROLLER["database"].items() if name != key}
    with pytest.raises(StepError, match=f"nova:controller:database:{key}"):
        read(controller={**CONTROLLER, "database": lacking})


def test_conf_parsing_follows_oslo() -> None:
    parsed = oslo_conf.parse_conf(CONF + "quoted = 'a b'\nmoney = a$$b\nagain = 1\nagain = 2\n; c\n")
    assert parsed["DEFAULT"]["multi"] == "one\ntwo"
    section = parsed["api_database"]
    assert (section["quoted"], section["money"], section["again"]) == ("a b", "a$b", "2")


@pytest.mark.parametrize("password", ["plain", PASSWORD, "a%41b", "ü€", "a b+c", "@", "//@:"])
def test_any_password_survives_writing_and_reading(password: str) -> None:
    url = database.DatabaseUrl("mysql+pymysql", "nova", password, "h", 3306, "d", "charset=utf8")
    assert database.parse_url(url.text()) == url


def test_the_unquoted_url_that_map_cell0_stores_is_read_as_sqlalchemy_does() -> None:
    said = (Path(__file__).parent / "said" / "list-cells-quoting.txt").read_text()
    urls = [line.split("|")[4].strip() for line in said.splitlines() if "mysql" in line]
    cell0, cell1 = (database.parse_url(url) for url in urls)
    assert (cell0.password, cell0.database) == ("p@s/s%w:d#", "neg_cell0") and cell1.password == cell0.password


def test_passwords_are_hidden_in_any_text() -> None:
    said = (Path(__file__).parent / "said" / "list-cells-quoting.txt").read_text()
    hidden = database.redact(said)
    assert (
        "p@s/s" not in hidden
        and "p%40s" not in hidden
        and "rabbitpw" not in hidden
        and "nv:***@127.0.0.1:33307/neg_cell0" in hidden
    )
    assert database.redact("password is s3cr3t", ["s3cr3t"]) == "password is ***"


@pytest.mark.parametrize("name", ["nova`; drop", "a b", "", "x" * 65])
def test_only_plain_names_become_identifiers(name: str) -> None:
    with pytest.raises(ValueError, match="not a plain"):
        database.identifier(name)


def test_two_spellings_of_one_queue_are_one_place() -> None:
    one, other = (oslo_conf.parse_transport(f"rabbit://a:b@{rest}") for rest in ("h:5672/", "h//"))
    assert one.place() == other.place()
    assert oslo_conf.parse_transport("rabbit://a:b@h/x").place() != other.place()
    many = oslo_conf.parse_transport("rabbit://a:b@h1:5672,a:b@h2:5673/v")
    assert many.hosts == (("h1", 5672), ("h2", 5673))
