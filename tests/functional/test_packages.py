"""Packages of a compute by real apt and dpkg: what is shown, what is done, what is refused, and what a cut leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.apt_node import CONFIGURATION, MITAKA, OCATA, SOURCE, AptNode, processes_of, unit_runs
from tests.functional.bench import Bench
from tests.functional.minion import Minion, until

POLICY = Path("/usr/sbin/policy-rc.d")
PLAIN = {
    "nova-common": "upgrade", "nova-compute": "upgrade", "python-nova": "upgrade", "neutron-common": "upgrade",
    "python-os-vif": "install",
}  # fmt: skip


@pytest.fixture
def compute(bench: Bench, tmp_path: Path) -> Iterator[AptNode]:
    """At Mitaka, its own sources recorded, and Ocata's in their place."""
    node = AptNode(tmp_path)
    try:
        bench.call("upgrader_package.record", run="r1")
        node.use(node.ocata)
        yield node
    finally:
        node.close()


def difference(bench: Bench, **more: Any) -> Any:
    return bench.call("upgrader_package.difference", **more)


def actions(found: Any) -> dict[str, str]:
    return {row["name"]: row["action"] for row in found["packages"]}


def upgraded(bench: Bench, **more: Any) -> Any:
    chosen = {key: more[key] for key in ("include", "exclude") if key in more}
    return bench.call("upgrader_package.upgrade", run="r1", digest=difference(bench, **chosen)["digest"], **more)


def test_what_counts_is_openstack_and_what_it_needs(bench: Bench, compute: AptNode) -> None:
    found = difference(bench)
    assert actions(found) == PLAIN
    row = {row["name"]: row for row in found["packages"]}["nova-compute"]
    assert (row["from"], row["to"]) == (MITAKA, OCATA)
    assert row["size"] == next(compute.ocata.folder.glob("nova-compute_*.deb")).stat().st_size
    assert found["digest"] == difference(bench)["digest"]
    assert found["sources"] == [compute.ocata.line]
    assert found["findings"] == []
    assert set(compute.versions().values()) >= {MITAKA}


def test_a_group_that_is_included_is_upgraded_with_the_others_and_another_one_is_not(
    bench: Bench, compute: AptNode
) -> None:
    found = difference(bench, include=["qemu", "libvirt"], exclude=["neutron-*"])
    assert actions(found) == {
        **{name: what for name, what in PLAIN.items() if name != "neutron-common"},
        "qemu-system-x86": "upgrade", "libvirt0": "upgrade",
    }  # fmt: skip
    with pytest.raises(CommandExecutionError, match=r"quemu is no group of packages.*: groups are contrail, libvirt"):
        difference(bench, include=["quemu"])


def test_what_only_a_dependency_would_change_of_what_is_kept_apart_is_a_blocker(bench: Bench, compute: AptNode) -> None:
    compute.ocata.add("python-nova", "2:15.1.5-0ubuntu1", "Depends: libvirt0 (>= 2.5)")
    compute.ocata.add("nova-common", "2:15.1.5-0ubuntu1", "Depends: python-nova (= 2:15.1.5-0ubuntu1)")
    compute.ocata.add("nova-compute", "2:15.1.5-0ubuntu1", "Depends: nova-common (= 2:15.1.5-0ubuntu1)")
    found = difference(bench)
    assert [(one["severity"], one["rows"]) for one in found["findings"]] == [("blocker", ["libvirt0"])]
    with pytest.raises(
        CommandExecutionError, match="libvirt0 would be changed, which an upgrade leaves alone: include libvirt"
    ):
        bench.call("upgrader_package.upgrade", run="r1", digest=found["digest"])
    assert difference(bench, include=["libvirt"])["findings"] == []


def test_an_upgrade_keeps_configuration_and_starts_nothing(bench: Bench, compute: AptNode) -> None:
    done = upgraded(bench)
    assert done["changed"]
    assert compute.versions() == {
        "nova-common": OCATA, "nova-compute": OCATA, "python-nova": OCATA, "python-os-vif": "1.4.0-0ubuntu1~cloud0",
        "neutron-common": "2:10.0.7-0ubuntu1~cloud0", "neutron-plugin-old": "2:8.4.0-0ubuntu7", "python-ryu": "4.9-1",
        "qemu-system-x86": "1:2.5+dfsg-5ubuntu10", "libvirt0": "1.3.1-1ubuntu10", "openvswitch-switch": "2.5.4-0ubuntu0",
        "contrail-vrouter-agent": "3.1.1.0-45", "bench-unrelated": "1",
    }  # fmt: skip
    assert CONFIGURATION.read_text() == "release = mitaka\n# the operator's own line\n"
    assert done["kept"] == [str(CONFIGURATION)]
    assert not unit_runs()
    assert not POLICY.exists()
    assert bench.call("upgrader_package.check", run="r1")["done"]
    assert not bench.call("upgrader_package.upgrade", run="r1", digest=done_digest())["changed"]
    automatic = subprocess.run(["apt-mark", "showauto"], capture_output=True, text=True, check=True).stdout.split()
    assert "python-os-vif" in automatic and "nova-compute" not in automatic


def done_digest() -> str:
    held = json.loads(Path("/var/lib/upgrader/package/r1.json").read_text())
    return str(held["digest"])


def test_the_maintainer_script_would_have_started_it(bench: Bench, compute: AptNode) -> None:
    """The other test means something: by apt alone the unit runs."""
    compute.apt("update")
    compute.apt("-o", "Dpkg::Options::=--force-confold", "install", "nova-compute")
    assert unit_runs()


def test_a_sites_own_switch_is_put_back(bench: Bench, compute: AptNode) -> None:
    POLICY.write_text("#!/bin/sh\n# the site's own\nexit 0\n")
    POLICY.chmod(0o755)
    upgraded(bench)
    assert not unit_runs()
    assert "the site's own" in POLICY.read_text()
    assert [path.name for path in POLICY.parent.glob("policy-rc.d*")] == ["policy-rc.d"]


def test_the_way_back_has_the_same_versions_by_the_recorded_sources(bench: Bench, compute: AptNode) -> None:
    before = compute.versions()
    upgraded(bench)
    done = bench.call("upgrader_package.restore", run="r1")
    assert done["changed"] and compute.versions() == before
    assert SOURCE.read_text() == f"{compute.mitaka.line}\n"
    assert CONFIGURATION.read_text().startswith("release = mitaka")
    assert not bench.call("upgrader_package.restore", run="r1")["changed"]
    assert bench.call("upgrader_package.check", run="r1")["done"]


def test_a_version_that_cannot_be_had_any_more_is_named_by_the_way_back(bench: Bench, compute: AptNode) -> None:
    upgraded(bench)
    compute.mitaka.without("python-nova", MITAKA)
    with pytest.raises(CommandExecutionError, match=f"Version '{MITAKA}' for 'python-nova' was not found"):
        bench.call("upgrader_package.restore", run="r1")
    compute.mitaka.add("python-nova", MITAKA)
    assert bench.call("upgrader_package.restore", run="r1")["changed"]


def test_the_way_back_of_a_node_that_was_not_reached_puts_its_sources_back(bench: Bench, compute: AptNode) -> None:
    assert bench.call("upgrader_package.restore", run="r1")["changed"]
    assert SOURCE.read_text() == f"{compute.mitaka.line}\n"
    assert "upgraded no package" in bench.call("upgrader_package.restore", run="other")["comment"]


def test_a_difference_that_changed_after_its_approval_is_refused(bench: Bench, compute: AptNode) -> None:
    digest = difference(bench)["digest"]
    compute.ocata.add("python-ryu", "4.12-1")
    with pytest.raises(CommandExecutionError, match="not the approved one any more"):
        bench.call("upgrader_package.upgrade", run="r1", digest=digest)
    assert compute.versions()["nova-compute"] == MITAKA


def test_a_source_that_does_not_answer_is_named_although_apt_ends_with_nothing(bench: Bench, compute: AptNode) -> None:
    SOURCE.write_text(f"{compute.ocata.line}\ndeb [trusted=yes] http://user:geheim@127.0.0.1:9/ubuntu ./\n")
    exit_code = subprocess.run(["apt-get", "-q", "update"], capture_output=True, check=False).returncode
    assert exit_code == 0
    with pytest.raises(CommandExecutionError, match=r"package lists cannot be refreshed.*127.0.0.1:9") as caught:
        difference(bench)
    assert "geheim" not in str(caught.value)


def test_removals_and_downgrades_are_shown_and_refused_unless_allowed(bench: Bench, compute: AptNode) -> None:
    compute.ocata.add("neutron-common", "2:10.0.8-0ubuntu1", "Breaks: neutron-plugin-old")
    Path("/etc/apt/preferences.d/bench").write_text("Package: python-ryu\nPin: version 4.0-1\nPin-Priority: 1001\n")
    compute.ocata.add("python-ryu", "4.0-1")
    try:
        found = difference(bench)
        assert actions(found)["neutron-plugin-old"] == "remove" and actions(found)["python-ryu"] == "downgrade"
        assert [one["severity"] for one in found["findings"]] == ["warning", "warning"]
        with pytest.raises(
            CommandExecutionError, match="neutron-plugin-old, python-ryu would be removed or downgraded"
        ):
            upgraded(bench)
        before = compute.versions()
        upgraded(bench, allow=["neutron-plugin-old", "python-*"])
        assert "neutron-plugin-old" not in compute.versions() and compute.versions()["python-ryu"] == "4.0-1"
        bench.call("upgrader_package.restore", run="r1")
        assert compute.versions() == before
    finally:
        Path("/etc/apt/preferences.d/bench").unlink(missing_ok=True)


def test_a_held_package_stays_and_is_told(bench: Bench, compute: AptNode) -> None:
    subprocess.run(["apt-mark", "hold", "neutron-common"], check=True, capture_output=True)
    try:
        found = difference(bench)
        assert actions(found) == {**PLAIN, "neutron-common": "held"}
        assert [one["rows"] for one in found["findings"]] == [["neutron-common"]]
        upgraded(bench)
        assert compute.versions()["neutron-common"] == "2:8.4.0-0ubuntu7"
        assert compute.versions()["nova-compute"] == OCATA
    finally:
        subprocess.run(["apt-mark", "unhold", "neutron-common"], check=True, capture_output=True)


def test_a_package_that_fails_is_named_and_a_second_call_repairs_it(
    bench: Bench, compute: AptNode, tmp_path: Path
) -> None:
    flag = tmp_path / "may-pass"
    script = f"#!/bin/sh\ntest -e {flag}\n"
    compute.ocata.add("python-nova", "2:15.1.1-0ubuntu1", "", postinst=script)
    for name, needs in (("nova-common", "python-nova"), ("nova-compute", "nova-common")):
        compute.ocata.add(name, "2:15.1.1-0ubuntu1", f"Depends: {needs} (= 2:15.1.1-0ubuntu1)")
    digest = difference(bench)["digest"]
    with pytest.raises(CommandExecutionError, match="python-nova is half-configured") as caught:
        bench.call("upgrader_package.upgrade", run="r1", digest=digest)
    assert "error processing package python-nova" in str(caught.value) and "r1.log" in str(caught.value)
    assert not POLICY.exists()
    assert not bench.call("upgrader_package.check", run="r1")["done"]
    with pytest.raises(CommandExecutionError, match="dpkg has not finished with"):
        difference(bench)
    flag.touch()
    assert bench.call("upgrader_package.upgrade", run="r1", digest=digest)["changed"]
    assert compute.versions()["nova-compute"] == "2:15.1.1-0ubuntu1"


def test_a_package_that_fails_can_be_taken_back(bench: Bench, compute: AptNode) -> None:
    before = compute.versions()
    compute.ocata.add("python-os-vif", "1.5.0-1", "", postinst="#!/bin/sh\nexit 1\n")
    with pytest.raises(CommandExecutionError, match="python-os-vif is half-configured"):
        upgraded(bench)
    bench.call("upgrader_package.restore", run="r1")
    assert compute.versions() == before


@pytest.mark.parametrize("moment", ["preinst", "postinst"])
def test_a_call_killed_in_the_middle_of_dpkg_is_carried_on(
    bench: Bench, compute: AptNode, tmp_path: Path, moment: str
) -> None:
    flag, began = tmp_path / "go-on", tmp_path / "began"
    script = (
        f"#!/bin/sh\ntouch {began}\ni=0\nwhile ! test -e {flag} && test $i -lt 600; do sleep 0.1; i=$((i+1)); done\n"
    )
    compute.ocata.add("neutron-common", "2:10.0.8-0ubuntu1", "", **{moment: script})
    digest = difference(bench)["digest"]
    minion = Minion(bench, "upgrader_package.upgrade", run="r1", digest=digest)
    until(began.exists, "the maintainer script")
    for program in ("apt-get", "dpkg"):
        for pid in processes_of(program):
            os.kill(pid, signal.SIGKILL)
    os.kill(minion.process.pid, signal.SIGKILL)
    minion.process.wait()
    flag.touch()
    assert POLICY.exists()
    assert not bench.call("upgrader_package.check", run="r1")["done"]
    done = bench.call("upgrader_package.upgrade", run="r1", digest=digest)
    assert done["changed"] and compute.versions()["neutron-common"] == "2:10.0.8-0ubuntu1"
    assert compute.versions()["nova-compute"] == OCATA
    assert not POLICY.exists() and not unit_runs()


def test_a_call_whose_apt_goes_on_without_it_is_waited_for(bench: Bench, compute: AptNode, tmp_path: Path) -> None:
    flag, began = tmp_path / "go-on", tmp_path / "began"
    script = (
        f"#!/bin/sh\ntouch {began}\ni=0\nwhile ! test -e {flag} && test $i -lt 600; do sleep 0.1; i=$((i+1)); done\n"
    )
    compute.ocata.add("neutron-common", "2:10.0.8-0ubuntu1", "", postinst=script)
    digest = difference(bench)["digest"]
    minion = Minion(bench, "upgrader_package.upgrade", run="r1", digest=digest)
    until(began.exists, "the maintainer script")
    os.kill(minion.process.pid, signal.SIGKILL)
    minion.process.wait()
    second = Minion(bench, "upgrader_package.upgrade", run="r1", digest=digest)
    until(lambda: processes_of("dpkg"), "the second call at the lock")
    flag.touch()
    assert second.answer()["receipt"] == "/var/lib/upgrader/package/r1.json"
    assert compute.versions()["neutron-common"] == "2:10.0.8-0ubuntu1"
