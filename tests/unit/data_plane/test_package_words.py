"""apt's and dpkg's words of Ubuntu 16.04, read: simulations, lists that failed, states; which packages count; sources of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from upgrader_node.errors import StepError
from upgrader_node.package import apt, difference, dpkg, selection, sources, starts
from upgrader_node.release import reading
from upgrader_node.release.path import NodePackages

FORMULAS = Path(__file__).resolve().parents[3] / "formulas"
DATA = reading.read(yaml.safe_load((FORMULAS / "upgrader/releases/mitaka-ocata.yaml").read_text()), "it").nodes
# apt-get 1.2 of Ubuntu 16.04, in its own form.
SIMULATED = """\
Reading package lists...
The following packages will be REMOVED:
  neutron-plugin-old
Remv neutron-plugin-old [2:8.4.0-0ubuntu7]
Inst python-nova [2:13.1.4-0ubuntu4] (2:15.1.0-0ubuntu1~cloud0 Ubuntu Cloud Archive:16.04/xenial-updates [all]) [nova-common:amd64 ]
Inst libfoo:i386 (1.2-1 Ubuntu:16.04/xenial [i386]) []
Inst nova-common [2:13.1.4-0ubuntu4] (2:15.1.0-0ubuntu1~cloud0 Ubuntu Cloud Archive:16.04/xenial-updates [all])
Conf python-nova (2:15.1.0-0ubuntu1~cloud0 Ubuntu Cloud Archive:16.04/xenial-updates [all])
"""


def test_a_simulation_is_read_package_by_package() -> None:
    assert apt.changes(SIMULATED) == [
        apt.Change("neutron-plugin-old", "2:8.4.0-0ubuntu7", ""),
        apt.Change("python-nova", "2:13.1.4-0ubuntu4", "2:15.1.0-0ubuntu1~cloud0"),
        apt.Change("libfoo:i386", "", "1.2-1"),
        apt.Change("nova-common", "2:13.1.4-0ubuntu4", "2:15.1.0-0ubuntu1~cloud0"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "W: Failed to fetch http://mirror/dists/xenial/InRelease  Could not resolve 'mirror'",
        "W: Some index files failed to download. They have been ignored, or old ones used instead.",
        "Err:3 http://mirror xenial Release",
        "Err http://mirror xenial InRelease",
        "W: GPG error: http://mirror xenial InRelease: The following signatures couldn't be verified",
        "W: The repository 'http://mirror xenial Release' does not have a Release file.",
        "W: The repository 'http://mirror xenial Release' is not signed.",
        "E: Malformed entry 1 in list file /etc/apt/sources.list.d/a.list (Suite)",
    ],
)
def test_a_source_that_failed_is_told_whatever_the_exit_code(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "run", lambda command, timeout: apt.Said(0, "Hit:1 http://other xenial InRelease", line))
    with pytest.raises(StepError, match="cannot be refreshed"):
        apt.refresh()


def test_a_warning_that_is_no_failure_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "W: Target Packages (main/binary-all/Packages) is configured multiple times in /etc/apt/sources.list:1"
    monkeypatch.setattr(apt, "run", lambda command, timeout: apt.Said(0, "", line))
    apt.refresh()


def test_what_dpkg_left_half_done_is_named() -> None:
    lines = (
        "install\tinstalled\tok\tnova-common\tnova-common\tall\t1\n"
        "hold\tinstalled\tok\tpython-x\tpython-x\tamd64\t2\n"
        "install\thalf-configured\tok\tnova-compute\tnova-compute\tall\t3\n"
        "install\thalf-installed\treinstreq\tlibfoo:i386\tlibfoo\ti386\t4\n"
        "deinstall\tconfig-files\tok\told\told\tall\t5\nnonsense\n"
    )
    found = dpkg.parse(lines, "amd64")
    assert sorted(found) == ["libfoo:i386", "nova-common", "nova-compute", "old", "python-x"]
    assert found["python-x"].held and found["old"].gone
    assert dpkg.broken(found) == ["libfoo:i386 is to be installed again", "nova-compute is half-configured"]


def installed(*names: str) -> dpkg.Packages:
    return {name: dpkg.Package(name, "1", dpkg.WHOLE) for name in names}


def chosen(*names: str, include: Any = (), exclude: Any = ()) -> list[str]:
    return selection.chosen(DATA, installed(*names), selection.wish(include, exclude))


COMPUTE = (
    "nova-common", "nova-compute-libvirt", "python-nova", "python-libvirt", "python-openvswitch", "neutron-openvswitch-agent",
    "qemu-system-x86", "ipxe-qemu", "libvirt-bin", "libvirt0", "openvswitch-switch", "contrail-vrouter-dkms", "nova-contrail-vif",
    "python-contrail", "linux-image", "bash",
)  # fmt: skip
USUAL = ["neutron-openvswitch-agent", "nova-common", "nova-compute-libvirt", "python-nova", "python-openvswitch"]


def test_qemu_libvirt_open_vswitch_and_contrail_are_kept_apart() -> None:
    assert chosen(*COMPUTE) == USUAL


def test_a_group_or_a_package_may_be_included_and_a_pattern_left_out() -> None:
    assert chosen(*COMPUTE, include=["libvirt"]) == sorted([*USUAL, "python-libvirt", "libvirt-bin", "libvirt0"])
    assert chosen(*COMPUTE, include=["qemu-system-x86"]) == sorted([*USUAL, "qemu-system-x86"])
    assert chosen(*COMPUTE, exclude="nova-*") == [one for one in USUAL if not one.startswith("nova-")]


@pytest.mark.parametrize("wrong", [[""], ["-y"], [3], [["a"]]])
def test_what_could_be_an_option_of_apt_is_no_name(wrong: Any) -> None:
    with pytest.raises(StepError, match="must be a list of names"):
        selection.wish(wrong, ())


def test_the_digest_is_of_names_versions_and_actions() -> None:
    row = {"name": "a", "from": "1", "to": "2", "size": 5, "action": "upgrade"}
    assert difference.digest([row]) == difference.digest([dict(row, size=9)])
    for key, other in (("name", "b"), ("from", "0"), ("to", "3"), ("action", "downgrade")):
        assert difference.digest([row]) != difference.digest([{**row, key: other}])


def test_a_release_path_that_names_no_packages_upgrades_none() -> None:
    assert selection.chosen(NodePackages(), installed(*COMPUTE), selection.Wish()) == []


@pytest.mark.parametrize(
    "nodes", [{"package": {}}, {"packages": {"ours": "nova-*"}}, {"packages": {"apart": {"qemu": [1]}}}]
)
def test_packages_of_nodes_that_are_none_are_refused_with_their_key(nodes: Any) -> None:
    raw = {"source": "a", "target": "b", "services": {}, "nodes": nodes}
    raw["services"] = {
        "nova": {"databases": {"main": {"source": 1}}, "phases": [{"id": "x", "title": "t", "minutes": 1}]}
    }
    with pytest.raises(reading.NotAPath, match="nodes"):
        reading.read(raw, "own.yaml")


REPO = {"linux": {"system": {"repo": {
    "ocata": {"source": "deb [arch=amd64] http://u:p@mirror/ubuntu xenial-updates/ocata main", "key_url": "http://k",
              "pin": [{"pin": "release o=Canonical", "priority": 1100}]},
    "off": {"enabled": False},
}}}}  # fmt: skip


def test_sources_are_files_of_their_own_and_one_that_is_off_is_none(tmp_path: Path) -> None:
    found = sources.wanted(REPO, str(tmp_path / "lists"), str(tmp_path / "pins"))
    assert sources.write(found)["changed"]
    assert (tmp_path / "lists/ocata.list").read_text().startswith("deb [arch=amd64] http://u:p@mirror")
    assert (tmp_path / "lists/ocata.list").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "pins/ocata").read_text() == "Package: *\nPin: release o=Canonical\nPin-Priority: 1100\n"
    assert not sources.write(found)["changed"]
    assert [path.name for path in (tmp_path / "lists").iterdir()] == ["ocata.list"]


@pytest.mark.parametrize(
    ("name", "one", "says"),
    [
        ("a/b", {"source": "deb http://x y"}, "plain name"),
        ("a", "deb http://x y", "plain name"),
        ("a", {"source": "http://x y"}, "is no line of apt's"),
        ("a", {"source": "deb http://x y\ndeb http://z y"}, "is no line of apt's"),
        ("a", {"source": "deb http://x y", "proxy": 1}, "proxy is read by nobody"),
        ("a", {"source": "deb http://x y", "pin": [{"pin": "x"}]}, "must be a list of"),
    ],
)
def test_a_source_that_is_none_is_refused_with_its_key(name: str, one: Any, says: str) -> None:
    with pytest.raises(StepError, match=says):
        sources.wanted({"linux": {"system": {"repo": {name: one}}}})


def test_the_sites_switch_survives_cuts_at_every_moment(tmp_path: Path) -> None:
    place = str(tmp_path / "policy-rc.d")
    Path(place).symlink_to("/bin/true")
    starts.refuse(place)
    starts.refuse(place)  # a call that was cut did not take it away
    assert starts.ours(place)
    starts.release(place)
    starts.release(place)
    assert Path(place).readlink() == Path("/bin/true")
    starts.refuse(place)
    Path(place).unlink()  # neutron's formula of 2018 does that
    starts.release(place)
    assert Path(place).readlink() == Path("/bin/true")
    assert [path.name for path in tmp_path.iterdir()] == ["policy-rc.d"]
