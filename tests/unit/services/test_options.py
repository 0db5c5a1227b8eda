"""A node's options against the new release: each kind of verdict, and what must not be cried over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.options import judgement, notes
from upgrader_node.service import oslo_conf

OPTIONS = Path(__file__).parents[3] / "formulas" / "upgrader" / "openstack" / "files" / "options"
MITAKA = Path(__file__).parents[2] / "data" / "mitaka_conf"
FILES = {"glance": ("glance-api.conf",), "neutron": ("neutron.conf", "plugins/ml2/ml2_conf.ini")}


def known(service: str) -> Any:
    return json.loads((OPTIONS / f"{service}.json").read_text())


def judged(service: str, **texts: str) -> dict[str, dict[str, str]]:
    """``[group]/option`` to its row; texts by file name without its ending."""
    files = {f"/etc/{service}/{name}.conf": oslo_conf.parse_conf(text) for name, text in texts.items()}
    return {judgement.named(row): row for row in judgement.judge(service, files, known(service))}


def mitaka(service: str) -> list[dict[str, str]]:
    names = FILES.get(service, (f"{service}.conf",))
    files = {f"/etc/{service}/{name}": oslo_conf.parse_conf((MITAKA / name).read_text()) for name in names}
    return judgement.judge(service, files, known(service))


@pytest.mark.parametrize(
    ("service", "text", "option", "kind", "remedy"),
    [
        ("nova", "scheduler_default_filters=x", "[DEFAULT]/scheduler_default_filters", "renamed", "[filter_scheduler]/enabled_filters"),
        ("nova", "network_api_class=x", "[DEFAULT]/network_api_class", "removed", "[DEFAULT]/use_neutron decides"),
        ("nova", "no_such=x", "[DEFAULT]/no_such", "removed", "remove it, unless a plugin"),
        ("nova", "rpc_backend=rabbit", "[DEFAULT]/rpc_backend", "deprecated", "it still works"),
        ("nova", "[keystone_authtoken]\nidentity_uri=x", "[keystone_authtoken]/identity_uri", "deprecated", "it still works"),
        ("nova", "[keystone_authtoken]\nauth_plugin=x", "[keystone_authtoken]/auth_plugin", "renamed", "[keystone_authtoken]/auth_type"),
        ("nova", "[keystone_authtoken]\nuser_name=x", "[keystone_authtoken]/user_name", "renamed", "[keystone_authtoken]/username"),
        ("glance", "[oslo_messaging_rabbit]\nrabbit_use_ssl=x", "[oslo_messaging_rabbit]/rabbit_use_ssl", "renamed", "[oslo_messaging_rabbit]/ssl"),
        ("nova", "", "[placement]/os_region_name", "needed", "write [placement]"),
        ("nova", "", "[DEFAULT]/use_neutron", "default-changed", "nothing with neutron"),
        ("nova", "[contrail]\na=1\nb=2", "[contrail]/*", "unknown", "leave it if a plugin"),
        ("cinder", "volume_clear=shred", "[DEFAULT]/volume_clear", "removed", "write zero"),
        ("keystone", "[token]\nprovider=PKI", "[token]/provider", "removed", "write fernet"),
    ],
)  # fmt: skip
def test_each_kind_has_its_remedy(service: str, text: str, option: str, kind: str, remedy: str) -> None:
    row = judged(service, main=text)[option]
    assert row["kind"] == kind
    assert remedy in row["remedy"]


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ("nova", "[placement]\nos_region_name=RegionOne\nauth-type=password\nauth_url=u\nproject_name=p\n"
                 "[DEFAULT]\ntransport_url=u\n[glance]\napi_servers=g"),
        ("nova", "[NEUTRON]\nauth_type=password\nusername=n\nuser_domain_name=d\nmetadata_proxy_shared_secret=s"),
        ("neutron", "agent_down_time=75\nipam_driver=internal\n[SECURITYGROUP]\nenable_ipset=1"),
        ("neutron", "[service_providers]\nservice_provider=LOADBALANCER:x:y:default"),
        ("cinder", "enabled_backends=a\nbackup_service_inithost_offload=1\n[A]\nvolume_group=g\nhost=h"),
        ("cinder", "volume_clear=zero"),
        ("nova", "rpc_conn_pool_size=9\n[oslo_messaging_rabbit]\nrpc_conn_pool_size=9"),
        ("keystone", "notification_format=cadf\n[token]\nprovider=fernet"),
    ],
)  # fmt: skip
def test_known_options_are_passed_over(service: str, text: str) -> None:
    kinds = ("needed", "default-changed")
    assert not {name for name, row in judged(service, main=text).items() if row["kind"] not in kinds}


def test_nothing_is_missed_once_all_is_written() -> None:
    text = "[placement]\nos_region_name=R\n[DEFAULT]\ntransport_url=u\nuse_neutron=1\n[glance]\napi_servers=g"
    assert [row["kind"] for row in judged("nova", main=text).values()] == ["deprecated"]  # use_neutron itself


def test_backend_section_is_judged_as_default_and_keeps_its_name() -> None:
    rows = judged(
        "cinder",
        main="enabled_backends=a,Ceph\n[Ceph]\nrbd_pool=v\nnetapp_eseries_host_type=x\nno_such=1\nbackend_host=h\n",
    )
    assert rows["[Ceph]/no_such"]["kind"] == "removed"
    assert rows["[Ceph]/netapp_eseries_host_type"]["remedy"] == "write [Ceph]/netapp_host_type"
    assert not {"[Ceph]/rbd_pool", "[Ceph]/backend_host"} & set(rows)


def test_section_that_no_backend_names_is_told_once_without_a_warning() -> None:
    row = judged("cinder", main="[old]\nvolume_group=a\nvolume_driver=b")["[old]/*"]
    assert (row["kind"], row["severity"]) == ("unknown", "info")
    assert "2 options" in row["what"]


def test_option_of_another_file_of_the_service_counts_as_set() -> None:
    alone = judged("neutron", neutron="core_plugin=ml2")
    both = judged("neutron", neutron="core_plugin=ml2", ml2_conf="ipam_driver=internal")
    assert "[DEFAULT]/ipam_driver" in alone and "[DEFAULT]/ipam_driver" not in both


def test_default_of_an_agent_is_told_only_where_its_file_is() -> None:
    files = {"/etc/neutron/neutron.conf": oslo_conf.parse_conf("")}
    assert not [r for r in judgement.judge("neutron", files, known("neutron")) if r["group"] == "ovs"]
    files["/etc/neutron/plugins/ml2/openvswitch_agent.ini"] = oslo_conf.parse_conf("")
    told = [r for r in judgement.judge("neutron", files, known("neutron")) if r["group"] == "ovs"]
    assert {row["option"] for row in told} == {"of_interface", "ovsdb_interface"}
    assert {row["file"] for row in told} == {"/etc/neutron/plugins/ml2/openvswitch_agent.ini"}


def test_old_name_counts_as_set() -> None:
    assert "[DEFAULT]/transport_url" in judged("nova", main="[DEFAULT]\nrabbit_host=x")
    row = judged("neutron", main="")["[DEFAULT]/ipam_driver"]
    assert row["what"].startswith("default was None, is internal")


def test_pki_is_a_blocker_that_says_why() -> None:
    rows = list(judged("keystone", main="[token]\nprovider=keystone.token.providers.pki.Provider").values())
    [blocker] = [f for f in judgement.findings(rows, {"keystone": "k"}) if f["severity"] == "blocker"]
    assert "does not start" in blocker["what"] and "fernet" in blocker["remedy"]


@pytest.mark.parametrize("service", judgement.FILES)
def test_whole_mitaka_file_gives_one_warning_and_no_secret(service: str) -> None:
    rows = mitaka(service)
    found = judgement.findings(rows, {service: "x"})
    assert [finding["severity"] for finding in found] == ["warning"]
    assert "S3CRET" not in json.dumps([rows, found])
    assert {row["kind"] for row in rows} <= set(judgement.KINDS)


def test_release_that_was_asked_is_named() -> None:
    assert judgement.release(known("keystone")) == "keystone 12.0.2 (Pike)"
    assert "keystone 12.0.2 (Pike)" in judged("keystone", main="no_such=1")["[DEFAULT]/no_such"]["what"]


@pytest.mark.parametrize("note", notes.CHANGED, ids=lambda note: f"{note.service}-{note.option}")
def test_default_in_a_note_is_the_installed_packages(note: notes.Changed) -> None:
    assert known(note.service)["groups"][note.group][note.option]["default"] == note.now != note.was


@pytest.mark.parametrize("note", notes.NEEDED, ids=lambda note: note.option)
def test_needed_option_is_known_and_has_no_default(note: notes.Needed) -> None:
    assert "default" not in known(note.service)["groups"][note.group][note.option]


@pytest.mark.parametrize("at", notes.REMOVED, ids="-".join)
def test_removed_option_is_known_no_more_under_any_name(at: tuple[str, str, str]) -> None:
    service, group, option = at
    groups = known(service)["groups"]
    assert option not in groups.get(group, {})
    was = [old for options in groups.values() for definition in options.values() for old in definition.get("was", [])]
    assert [group, option] not in was
