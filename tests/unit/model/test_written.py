"""The pass-through, what a copy is not given, and keys that are one option each: as text of a service's file."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import pytest
from upgrader_node.errors import StepError
from upgrader_node.model import choices, held_back, one_to_one, passing, policy, refusal, written
from upgrader_node.options.judgement import folded
from upgrader_node.service.oslo_conf import parse_conf
from upgrader_node.service.roles import ROLE_OF

from tests.support.formulas import FORMULAS
from upgrader.reclass.unread import PILLAR_KEYS

TEXT = "[DEFAULT]\nmy_ip = 10.0.0.9\nworkers = 1\n\n[api]\nauth_strategy = keystone\n"
COPY, PRODUCTION = "nova_upgrade", "nova"


def pillar(service: str = "nova", name: str = PRODUCTION, conf: Any = None, **role: Any) -> dict[str, Any]:
    first, kind = ROLE_OF[service].split(":")
    own = {"service": {service: {"conf": conf}}}
    return {first: {kind: {"database": {"name": name}, **role}}, "upgrader": own}


def parsed(held: Any, service: str = "nova", text: str = TEXT, **more: Any) -> Any:
    return parse_conf(written.configuration(held, service, text, **more))


def macro(name: str, value: str) -> str:
    """What a macro of the templates makes of a value."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(str(FORMULAS)))
    return str(getattr(environment.get_template("upgrader/openstack/macros.jinja").module, name)(value)).strip("\n")


def options_of(service: str) -> Any:
    return json.loads((FORMULAS / f"upgrader/openstack/files/options/{service}.json").read_text())


def test_pass_through_stands_above_the_template_and_the_tables() -> None:
    conf = {"DEFAULT": {"workers": 4, "cpu_allocation_ratio": 8.0}, "api": {"max_limit": 9}, "own": {"flag": True}}
    held = pillar(conf=conf, cpu_allocation_ratio=16.0, osapi_max_limit=5, dhcp_domain="cloud")
    said = parsed(held)
    assert said["DEFAULT"] == {
        "my_ip": "10.0.0.9",
        "workers": "4",
        "cpu_allocation_ratio": "8.0",
        "dhcp_domain": "cloud",
    }
    assert said["api"] == {"auth_strategy": "keystone", "max_limit": "9"} and said["own"] == {"flag": "true"}
    text = written.configuration(held, "nova", TEXT)
    assert text.count("workers") == text.count("[api]") == text.count("[DEFAULT]") == 1


def test_options_that_can_be_said_several_times_are_lines_and_others_one_value() -> None:
    conf = {"pci": {"alias": [{"name": "a"}, '{"name": "b"}']}, "DEFAULT": {"list": ["x", "y", 1]}}
    text = written.configuration(pillar(conf=conf), "nova", "[pci]\nalias = old\n")
    assert text.splitlines()[:3] == ["[pci]", 'alias = {"name": "a"}', 'alias = {"name": "b"}']
    assert "old" not in text and "list = x,y,1" in text


@pytest.mark.parametrize("value", ["p$ss", "$", " spaced ", "'quoted'", '"', "a # b = [c]"])
def test_any_text_reaches_the_service_as_it_is(value: str) -> None:
    assert parsed(pillar(conf={"own": {"secret": value}}))["own"]["secret"] == value
    assert written.literal(value) == macro("literal", value), "templates and tables write one and the same"
    assert written.literal(value).count("$") == 2 * value.count("$"), "oslo.config would take one for an interpolation"


def test_sections_are_the_same_in_any_case_but_for_default() -> None:
    text = written.over("[Cinder]\nold = 1\n", {"cinder": {"new": ["2"]}}, {"CINDER": {"new": ["3"]}})
    assert text == "[Cinder]\nnew = 3\nold = 1\n"


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        (["a"], "has to be {section: {option: value}}"),
        ({"DEFAULT": "debug = true"}, "has to be {section: {option: value}}"),
        ({"DEFAULT": {"debug": {"deep": "s3cret"}}}, "DEFAULT/debug is given neither"),
        ({"DEFAULT": {"debug": None}}, "DEFAULT/debug is given neither"),
        ({"DEFAULT": {"debug": "s3cret\n[database]"}}, "DEFAULT/debug is given a line break"),
        ({"DEFAULT": {"a": ["s3cret\r"]}}, "DEFAULT/a is given a line break"),
        ({"DEFAULT": {"a\u2028b": 1}}, "names an option that no file can have"),
        ({"DEFAULT": {"a = 1\nb": 1}}, "names an option that no file can have"),
        ({"DEFAULT": {"debug\n": 1}}, "names an option that no file can have"),
        ({"DEFAULT\n": {"debug": 1}}, "names sections that no file can have"),
        ({"DEFAULT": {"[a": 1}}, "names an option that no file can have"),
        ({"a]\n[b": {"c": 1}}, "names sections that no file can have"),
        ({"": {"c": 1}}, "names sections that no file can have"),
        ({"database": {"connection": "s3cret"}}, "say it by pillar nova:controller:database"),
        ({"Api_Database": {"Slave-Connection": "s3cret"}}, "say it by pillar nova:controller:database"),
        ({"DEFAULT": {"sql_connection": "s3cret"}}, "say it by pillar nova:controller:database"),
        ({"DEFAULT": {"transport_url": "s3cret"}}, "say it by pillar nova:controller:message_queue"),
        ({"oslo_messaging_notifications": {"transport_url": "s3cret"}}, "nova:controller:message_queue"),
        ({"oslo_messaging_rabbit": {"rabbit_hosts": "s3cret"}}, "nova:controller:message_queue"),
        ({"placement": {"auth_url": "s3cret"}}, "say it by pillar nova:controller:identity"),
        ({"keystone_authtoken": {"memcache_servers": "s3cret"}}, "nova:controller:cache:members"),
        ({"cache": {"backend_argument": "url:s3cret"}}, "nova:controller:cache:members"),
        ({"DEFAULT": {"config_dir": "/s3cret"}}, "nova:controller:config_file"),
    ],
)
def test_pass_through_is_refused_by_a_sentence_without_a_value(conf: Any, words: str) -> None:
    with pytest.raises(StepError) as told:
        written.judge(pillar(conf=conf), "nova")
    assert words in str(told.value) and "nothing was written" in str(told.value)
    assert "s3cret" not in str(told.value) and "\n" not in str(told.value)
    with pytest.raises(StepError):
        written.configuration(pillar(conf=conf), "nova", TEXT)


def test_sites_own_pass_through_of_keystone_is_read_and_judged_as_well() -> None:
    held = pillar("keystone", conf={"token": {"b": 3}}, extra_config={"token": {"a": 1, "b": 2}})
    assert parsed(held, "keystone", "")["token"] == {"a": "1", "b": "3"}
    held = pillar("keystone", extra_config={"database": {"connection": "x"}})
    with pytest.raises(StepError, match="keystone:server:extra_config sets database/connection"):
        written.judge(held, "keystone")


def test_sections_of_ml2_go_to_the_file_that_neutron_reads_last() -> None:
    conf = {"ml2": {"path_mtu": 9000}, "DEFAULT": {"debug": True}}
    held = pillar("neutron", conf=conf, vxlan={"vni_ranges": "1:9"}, dns_domain="cloud")
    assert parsed(held, "neutron", "[DEFAULT]\n") == {"DEFAULT": {"debug": "true", "dns_domain": "cloud"}}
    ml2 = parsed(held, "neutron", "[ml2]\npath_mtu = 1\n", ml2=True)
    assert ml2 == {"DEFAULT": {}, "ml2": {"path_mtu": "9000"}, "ml2_type_vxlan": {"vni_ranges": "1:9"}}


HELD_OPTIONS = [
    ("nova", "VNC", "novncproxy_base_url"),
    ("glance", "glance_store", "default_store"),
    ("keystone", "ldap", "url"),
    ("cinder", "Ceph", "rbd_pool"),
    ("cinder", "DEFAULT", "backup_driver"),
    ("neutron", "designate", "url"),
    ("heat", "DEFAULT", "heat_watch_server_url"),
    ("heat", "oslo_messaging_notifications", "driver"),
    ("heat", "oslo_messaging_rabbit", "rabbit_use_ssl"),
]


@pytest.mark.parametrize(("service", "section", "option"), HELD_OPTIONS)
def test_copy_is_not_given_what_could_lead_it_to_production_by_the_pass_through(
    service: str, section: str, option: str
) -> None:
    conf = {section: {option: "there", "harmless": 1}}
    copy = pillar(service, f"{service}_upgrade", conf, backend={"ceph": {}})
    production = pillar(service, service, conf, backend={"ceph": {}})
    assert option not in written.configuration(copy, service, "")
    assert f"{section}/{option}" in passing.held(copy, service)
    assert f"{option} = there" in written.configuration(production, service, "")
    assert passing.held(production, service) == []


@pytest.mark.parametrize(
    ("service", "key", "value"),
    [
        (service, key, {"host": "10.0.0.254"})
        for service, keys in held_back.OF.items()
        for key in {**held_back.EVERY_SERVICE, **keys}
    ],
)
def test_copy_reads_its_role_without_what_is_held_back_and_pillar_stays_as_it_is(
    service: str, key: str, value: Any
) -> None:
    *way, last = key.split(":")
    inner: Any = {last: value, "beside": 1}
    for part in reversed(way):
        inner = {part: inner}
    copy, production = pillar(service, f"{service}_upgrade", **inner), pillar(service, service, **inner)
    before = json.dumps(copy)
    for held, there in ((copy, False), (production, True)):
        found: Any = held_back.role(held, service)
        for part in way:
            found = found[part]
        assert (last in found) is there and found["beside"] == 1
    assert held_back.keys(copy, service) == [key] and held_back.keys(production, service) == []
    assert json.dumps(copy) == before


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(StepError, match="no service 'swift'; there are cinder"):
        held_back.role({}, "swift")


@pytest.mark.parametrize("service", one_to_one.OF)
def test_options_of_the_table_are_those_that_the_release_knows(service: str) -> None:
    known = options_of(service)["groups"]
    places = [*one_to_one.table(service).values(), *(one_to_one.DOMAIN.values() if service == "keystone" else ())]
    unknown = [place for place in places if place.split("/")[1] not in known.get(folded(place.split("/")[0]), {})]
    assert unknown == []


def test_rules_of_access_are_a_file_of_their_own() -> None:
    held = pillar(policy={"compute:create": "rule:admin_api", "context_is_admin": "role:admin"})
    assert json.loads(policy.text(held, "nova")) == held["nova"]["controller"]["policy"]
    assert json.loads(policy.text(pillar(), "nova")) == {}


@pytest.mark.parametrize(
    "rules", [{"compute:create": ""}, {"compute:create": None}, {"compute:create": ["a"]}, ["compute:create"]]
)
def test_a_rule_that_would_let_everybody_in_by_mistake_is_refused(rules: Any) -> None:
    with pytest.raises(StepError, match="nova:controller:policy has"):
        written.judge(pillar(policy=rules), "nova")


DIRECTORY = {
    "url": "ldap://10.0.0.5",
    "suffix": "dc=cloud",
    "bind_user": "cn=reader",
    "password": "p$ss",
    "tls": {"enabled": True},
}


def test_a_domain_of_a_directory_has_a_file_of_its_own() -> None:
    held = pillar("keystone", domain={"staff": {"ldap": DIRECTORY}, "plain": {"identity": {"list_limit": 20}}})
    said = parse_conf(written.domain(held, "staff"))
    assert said["identity"] == {"driver": "ldap"}
    assert said["ldap"] == {
        "url": "ldap://10.0.0.5", "suffix": "dc=cloud", "user": "cn=reader", "password": "p$ss", "use_tls": "true",
    }  # fmt: skip
    assert parse_conf(written.domain(held, "plain"))["identity"] == {"driver": "sql", "list_limit": "20"}


@pytest.mark.parametrize("name", ["../etc/cron.d/x", "a b", "x\ny", "x\n"])
def test_a_domain_whose_name_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(StepError, match="keystone:server:domain has the name"):
        written.judge(pillar("keystone", domain={name: {}}), "keystone")


@pytest.mark.parametrize(
    ("service", "role", "words"),
    [
        (
            "keystone",
            {"tokens": {"engine": "pki"}},
            "keystone:server:tokens:engine is pki, and these states write fernet",
        ),
        ("keystone", {"backend": "k2k"}, "keystone:server:backend is k2k"),
        ("glance", {"storage": {"engine": ["rbd", "s3"]}}, "glance:server:storage:engine is rbd, s3"),
        ("cinder", {"backend": {"sas": {"engine": "storwize"}}}, "cinder:controller:backend:sas:engine is storwize"),
        ("neutron", {"backend": {"engine": "ovn"}}, "neutron:server:backend:engine is ovn"),
    ],
)
def test_a_value_that_a_template_would_make_something_else_of_is_refused(service: str, role: Any, words: str) -> None:
    with pytest.raises(StepError, match=words):
        choices.refuse(pillar(service, **role), ROLE_OF[service])


def complete(**changes: Any) -> dict[str, Any]:
    account = {"host": "10.0.0.1", "user": "u", "password": "p"}
    role = {
        "database": {**account, "name": COPY}, "message_queue": account, "identity": account, "network": account,
        "glance": {"host": "10.0.0.1"}, "bind": {"private_address": "10.0.0.9"}, **changes,
    }  # fmt: skip
    return {"nova": {"controller": role}}


def judged(held: Any, role: str = "nova:controller") -> str:
    return refusal.judge(held, role, json.loads(PILLAR_KEYS.read_text()), options_of)


def test_judgement_tells_missing_keys_before_those_that_nobody_reads() -> None:
    with pytest.raises(StepError, match="the model is incomplete"):
        judged({"nova": {"controller": {"gadget": 1}}})
    with pytest.raises(StepError, match=r"nova:controller sets 1 key that these states do not read \(gadget\)"):
        judged(complete(gadget=1))


def test_judgement_says_what_a_copy_is_not_given_and_what_nobody_knows() -> None:
    assert judged(complete()) == "pillar has all keys that nova:controller needs, and all that it sets are read"
    held = complete(vncproxy_url="https://10.0.0.254", notification=True)
    held["upgrader"] = {
        "service": {
            "nova": {"conf": {"gadgets": {"size": 1}, "DEFAULT": {"debug": True}, "vnc": {"novncproxy_base_url": "x"}}}
        }
    }
    said = judged(held)
    assert (
        "held back on a copy: nova:controller:notification, nova:controller:vncproxy_url, vnc/novncproxy_base_url"
        in said
    )
    assert said.endswith("passed on though nova registers no such option: gadgets/size")


def test_judgement_refuses_a_pass_through_that_nobody_would_write() -> None:
    held = {
        "memcached": {"server": {"bind": {"address": "10.0.0.9"}}},
        "upgrader": {"service": {"memcached": {"conf": {"a": {"b": 1}}}}},
    }
    with pytest.raises(StepError, match="memcached has no configuration of that form"):
        judged(held, "memcached:server")


@pytest.mark.parametrize("value", [{"deep": "s3cret"}, "s3cret\nmy_ip = 1"])
def test_a_plain_key_that_no_option_can_hold_is_named_without_its_value(value: Any) -> None:
    with pytest.raises(
        StepError, match="nothing was written: pillar key dhcp_domain: DEFAULT/dhcp_domain is given"
    ) as told:
        written.judge(pillar(dhcp_domain=value), "nova")
    assert "s3cret" not in str(told.value)


def test_a_paste_file_of_ones_own_is_passed_on() -> None:
    conf = {"paste_deploy": {"config_file": "/etc/keystone/own-paste.ini"}}
    assert parsed(pillar("keystone", conf=conf), "keystone")["paste_deploy"] == conf["paste_deploy"]


def test_what_is_held_back_and_names_the_upgrade_node_itself_is_told_nobody() -> None:
    metadata, watch = {"host": "upg01.lab.local", "port": 8000}, {"host": "10.0.0.254", "port": 8003}
    held = {**pillar("heat", metadata=metadata, watch=watch), "_param": {"upgrader_upgrade_node": "upg01.lab.local"}}
    held["heat"]["server"]["database"] = {"name": "heat_upgrade"}
    assert held_back.keys(held, "heat") == ["metadata", "watch"]
    assert held_back.told(held, "heat") == ["watch"]
    del held["_param"]
    assert held_back.told(held, "heat") == ["metadata", "watch"]
