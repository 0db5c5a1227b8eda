"""Ocata's options put into Mitaka's files of a compute: what is added, what stays, what is refused; kept and put back."""

from __future__ import annotations

import configparser
import difflib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upgrader_node.configuration import applying, merging, saving, wanted
from upgrader_node.errors import StepError

MITAKA = Path(__file__).resolve().parents[2] / "data" / "mitaka_conf"
IDENTITY = {"host": "10.0.0.10", "user": "nova", "password": "pa$$'w", "region": "RegionTwo"}
PILLAR: dict[str, Any] = {"nova": {"compute": {"identity": IDENTITY}}}
OVS, L3, NOVA = (name.lstrip("/") for name in (wanted.OVS, wanted.L3, wanted.NOVA))


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A compute at Mitaka."""
    for name, source in (
        (NOVA, "nova-compute-node.conf"),
        (OVS, "plugins/ml2/openvswitch_agent.ini"),
        (L3, "l3_agent.ini"),
    ):
        place = tmp_path / "etc-root" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(MITAKA / source, place)
        place.chmod(0o640)
    return str(tmp_path / "etc-root") + "/"


def text(root: str, name: str) -> str:
    return Path(root + name).read_text()


def added(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that are new, and lines that are gone."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))[2:]
    return [one[1:] for one in lines if one[0] == "+"], [one[1:] for one in lines if one[0] == "-"]


def merge(root: str, role: str = "compute", pillar: Any = PILLAR) -> Any:
    return applying.merge(wanted.of(role, pillar, root.rstrip("/")))


def test_a_compute_gets_placement_and_the_images_address_and_nothing_else_changes(root: str) -> None:
    before = {name: text(root, name) for name in (NOVA, OVS, L3)}
    assert merge(root)["changed"]
    new, gone = added(before[NOVA], text(root, NOVA))
    assert gone == []
    assert set(new) == {
        "", "[placement]", "os_region_name = RegionTwo", "os_interface = internal", "auth_type = password",
        "auth_url = http://10.0.0.10:35357/v3", "username = nova", "password = pa$$$$'w", "project_name = service",
        "user_domain_id = default", "project_domain_id = default", "api_servers = http://10.0.0.10:9292",
    }  # fmt: skip
    assert added(before[OVS], text(root, OVS)) == (
        ["drop_flows_on_start = False", "of_interface = ovs-ofctl", "ovsdb_interface = vsctl"],
        ["drop_flows_on_start = True"],
    )
    assert added(before[L3], text(root, L3)) == (["external_network_bridge = br-ex"], [])
    assert os.stat(root + NOVA).st_mode & 0o777 == 0o640


def test_a_second_time_nothing_is_written(root: str) -> None:
    merge(root)
    before = {name: (text(root, name), os.stat(root + name).st_ino) for name in (NOVA, OVS, L3)}
    done = merge(root)
    assert (done["changed"], done["written"]) == (False, [])
    assert {name: (text(root, name), os.stat(root + name).st_ino) for name in (NOVA, OVS, L3)} == before


def test_what_is_told_names_options_and_no_password(root: str) -> None:
    found = applying.differing(wanted.of("compute", PILLAR, root.rstrip("/")))
    assert f"{root}{NOVA} [placement]/password" in found
    assert "pa$" not in str(found) + str(merge(root))


@pytest.mark.parametrize("value", ["native", "ovs-ofctl"])
def test_an_interface_that_was_chosen_stays(root: str, value: str) -> None:
    Path(root + OVS).write_text(text(root, OVS).replace("[OVS]\n", f"[OVS]\nof-interface = {value}\n"))
    merge(root)
    assert merging.values(text(root, OVS))["ovs", "of_interface"] == value
    assert "of_interface = " not in text(root, OVS)


def test_an_interface_that_the_plugins_file_chose_stays(root: str) -> None:
    Path(root + wanted.ML2.lstrip("/")).write_text("[ovs]\nof_interface = native\n")
    merge(root)
    assert merging.values(text(root, OVS))["ovs", "of_interface"] == "native"


def test_no_external_bridge_stays_none(root: str) -> None:
    Path(root + L3).write_text("[DEFAULT]\nexternal_network_bridge =\n")
    merge(root)
    assert text(root, L3) == "[DEFAULT]\nexternal_network_bridge =\n"


def test_an_account_for_placement_that_stands_there_is_enough(root: str) -> None:
    with open(root + NOVA, "a") as file:
        file.write("[placement]\nauth_url = http://10.0.0.10:35357/v3\nusername = placement\n")
    merge(root, pillar={})
    assert merging.values(text(root, NOVA))["placement", "username"] == "placement"


def test_a_model_without_the_account_is_refused_with_its_keys_before_a_file_is_written(root: str) -> None:
    before = text(root, OVS)
    with pytest.raises(StepError, match="pillar has no nova:compute:identity:user, nova:compute:identity:password"):
        merge(root, pillar={"nova": {"compute": {"identity": {"host": "10.0.0.10"}}}})
    assert text(root, OVS) == before


def test_images_that_nobody_names_are_refused(root: str) -> None:
    Path(root + NOVA).write_text("[DEFAULT]\n")
    with pytest.raises(StepError, match="nova:compute:image:host"):
        merge(root)
    merge(
        root, pillar={"nova": {"compute": {"identity": IDENTITY, "image": {"host": "10.0.0.9", "protocol": "https"}}}}
    )
    assert merging.values(text(root, NOVA))["glance", "api_servers"] == "https://10.0.0.9:9292"


def test_a_gateway_has_no_nova_and_one_without_agents_is_refused(root: str) -> None:
    Path(root + NOVA).unlink()
    assert list(wanted.of("gateway", {}, root.rstrip("/"))) == [root + OVS, root + L3]
    with pytest.raises(StepError, match="no configuration of a network agent"):
        wanted.of("gateway", {}, "/nowhere")
    with pytest.raises(StepError, match="nova-compute first"):
        wanted.of("compute", PILLAR, root.rstrip("/"))
    with pytest.raises(StepError, match="there is no role 'control'"):
        wanted.of("control", PILLAR, root.rstrip("/"))


def test_a_compute_of_contrail_has_nova_only(root: str) -> None:
    for name in (OVS, L3):
        Path(root + name).unlink()
    assert list(wanted.of("compute", PILLAR, root.rstrip("/"))) == [root + NOVA]


LINES = ["# [placement]\n", "[a]\n", "[B]\n", "x = 1\n", "x = 2\n  more\n\tand more\n", "y-z=3\n", "\n", "[DEFAULT]\n"]


@given(
    st.lists(st.sampled_from(LINES), max_size=12),
    st.sampled_from([("a", "x"), ("b", "y_z"), ("DEFAULT", "x"), ("new", "x")]),
    st.sampled_from(["7", "a b", " led", '"q"', "p$w", "'", ""]),
)  # fmt: skip
def test_a_merged_option_is_read_with_its_value_and_every_other_one_as_before(
    lines: list[str], place: tuple[str, str], value: str
) -> None:
    before = "".join(lines)
    after = merging.merged(before, {place: value})
    expected = {**merging.values(before), place: value}
    assert merging.values(after) == expected
    assert merging.merged(after, {place: value}) == after


def test_oslos_own_kind_of_reader_sees_the_same(root: str) -> None:
    """Python's ini reader is another one than ours."""
    merge(root)
    other = configparser.RawConfigParser(strict=False)
    other.read(root + NOVA)
    assert other["placement"]["username"] == "nova"
    assert other["libvirt"]["live_migration_flag"] == "VIR_MIGRATE_UNDEFINE_SOURCE,\nVIR_MIGRATE_LIVE"


def test_what_was_saved_comes_back_and_what_was_there_is_beside_it(root: str, tmp_path: Path) -> None:
    kept, paths = str(tmp_path / "kept"), {"nova": (root + "etc/nova",), "neutron": (root + "etc/neutron",)}
    before = {name: text(root, name) for name in (NOVA, OVS, L3)}
    assert saving.save("r1", kept, paths)["changed"]
    merge(root)
    assert not saving.save("r1", kept, paths)["changed"]
    assert saving.restore("r1", kept, paths)["changed"]
    assert {name: text(root, name) for name in (NOVA, OVS, L3)} == before
    assert "[placement]" in Path(root + "etc/nova.before-r1/nova.conf").read_text()
    assert not saving.restore("r1", kept, paths)["changed"]
    assert not saving.restore("another", kept, paths)["changed"]
    assert [path for path in (tmp_path / "kept").rglob("*") if path.is_file() and path.stat().st_mode & 0o077] == []


def test_nothing_to_keep_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no configuration to keep"):
        saving.save("r1", str(tmp_path), {"nova": ("/nowhere/nova",)})


def test_options_that_a_sites_state_took_away_are_found_and_written_as_they_were(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {"agents-nova": (root + "etc/nova",), "agents-neutron": (root + "etc/neutron",)}
    saving.save("r1", str(tmp_path / "kept"), paths)
    real = saving.text_of
    monkeypatch.setattr(applying.saving, "text_of", lambda run: real(run, str(tmp_path / "kept")))
    Path(root + OVS).write_text("[ovs]\nof_interface = native\n")  # what a template of Ocata may write
    Path(root + L3).write_text("[DEFAULT]\n")
    found = applying.pinned("r1", "cmp001", "compute", root.rstrip("/"))["findings"]
    assert all(one["severity"] == "blocker" for one in found)
    said = " ".join(one["what"] for one in found)
    for option in ("[ovs]/of_interface", "[agent]/drop_flows_on_start", "external_network_bridge", "[placement]"):
        assert option in said
    applying.merge(applying.of_run("r1", root.rstrip("/")))
    assert merging.values(text(root, OVS))["ovs", "of_interface"] == "ovs-ofctl"
    left = applying.pinned("r1", "cmp001", "compute", root.rstrip("/"))["findings"]
    assert [one["what"].split(":")[0] for one in left] == [
        f"cmp001 lacks auth_url, username, password, os_region_name in [placement] of {root}{NOVA}"
    ]
    with pytest.raises(StepError, match="run r2 kept no configuration"):
        real("r2", str(tmp_path / "kept"))


def test_options_of_a_new_group_stand_in_the_order_in_which_they_are_wanted() -> None:
    found = merging.merged("[a]\nx = 1\n", {("b", "one"): "1", ("a", "y"): "2", ("b", "two"): "3"})
    assert found == "[a]\ny = 2\nx = 1\n\n[b]\none = 1\ntwo = 3\n"
