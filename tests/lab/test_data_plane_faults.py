"""The data plane broken on purpose: what the operator reads then, and that hosts are back in service and the run goes on or back.

One lab whose control plane is Ocata's. cmp004 stays at Mitaka: while one compute does, the others can go back. Every fault is a real
one of the node, of apt, of the agents or of the command; what is asserted is read from servers, dpkg and by pings.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

import pytest

from tests.lab.test_data_plane_lab import BEYOND, DISABLED, VERSIONS, DataPlane, silent, under_ocata
from tests.support.rehearsal import signal_inner

pytestmark = pytest.mark.soak
ID = "lab.local"
SYNC = 20
"""Seconds in which a layer 3 agent that was restarted has gone through its routers once; it does so no more by itself."""
READ_ONLY = "/usr/share/lab-openstack"
BROKEN = "/etc/apt/sources.list.d/zz-broken.list"
NOBODY = "/run/systemd/system/neutron-l3-agent.service.d/broken.conf"
TWIN = f"""set -e
mkdir -p /run/twin
tar -C /run/twin -xf -
printf 'id: cmp003.{ID}\\nmaster: cfg01.{ID}\\nroot_dir: /run/twin\\npki_dir: /run/twin/pki/minion\\n' > /run/twin/minion
systemd-run --unit=twin /opt/salt/bin/salt-minion -c /run/twin
"""


class Faults(DataPlane):
    """Ways to break what is done to nodes, and to look at what came of it."""

    def said(self, code: int, *words: str) -> str:
        ran = self.stage(*words) if words[0].startswith("-") else self.control.run(*words, timeout=2700)
        assert ran.returncode == code, ran.stderr[-3000:]
        return ran.stderr

    def shown(self, target: str) -> None:
        self.said(0, "--target", target, "--stage", "test")

    def sample(self, code: int, name: str, *more: str) -> str:
        return self.said(code, *self.words(name), *more)

    def words(self, name: str) -> tuple[str, ...]:
        return ("--target", name, "--stage", "sample", "--sample", name, "--beyond", BEYOND, "--yes")

    def back(self, name: str) -> None:
        self.said(0, "--stage", "rollback", "--target", name, "--beyond", BEYOND, "--yes")

    def at(self, name: str, script: str, **more: str) -> str:
        ran = self.node(name).run(["sh", "-c", script], check=False, **more)
        return ran.stdout + ran.stderr

    def versions(self) -> dict[str, str]:
        return dict(row.split(" ") for row in self.control.column(VERSIONS))

    @contextlib.contextmanager
    def broken(self, name: str, how: str, mended: str) -> Iterator[None]:
        self.at(name, how)
        try:
            yield
        finally:
            self.at(name, mended)

    def all_well(self) -> None:
        """Nobody is out of service, and every path answers."""
        assert self.control.column(DISABLED) == []
        assert silent(self) == []

    def meanwhile(self, name: str, script: str, code: int, *words: str) -> str:
        """What a command says when something is done to a node while the cloud is asked to prove it: behind that no agent looks by itself.

        The command stands still from before that step's answer until it is done, so nothing else was judged before.
        """

        def act() -> None:
            time.sleep(SYNC)
            self.at(name, script)

        with self.control.when("proven", "step-started", act):
            return self.said(code, *words)


@pytest.fixture(scope="module")
def faults() -> Iterator[Faults]:
    with under_ocata("x") as the:
        yield Faults(the.lab, the.control, the.made)


def test_two_minions_of_one_id_are_refused_before_anything_is_asked(faults: Faults) -> None:
    keys = faults.node("cmp003").run(["sh", "-c", "tar -C /etc/salt -cf - pki | base64"]).stdout
    faults.at("upg01", TWIN.replace("tar -C", "base64 -d | tar -C"), input=keys)
    try:
        deadline = time.monotonic() + 60
        while "answers twice" not in (
            said := faults.control.run("data-plane", "--target", "cmp003", "--stage", "test", "--restart").stderr
        ):
            assert time.monotonic() < deadline, said[-2000:]
    finally:
        faults.at("upg01", "systemctl stop twin; rm -r /run/twin")
    assert f"cmp003.{ID} answers twice: two minions have that id" in said


def test_broken_source_is_named_and_the_run_goes_on_without_it(faults: Faults) -> None:
    line = "deb [trusted=yes] http://10.31.0.1:81/ubuntu mitaka main"
    with faults.broken("cmp002", f"echo '{line}' > {BROKEN}", f"rm {BROKEN}"):
        said = faults.said(1, "--target", "cmp*", "--stage", "test", "--restart")
    assert f"cmp002.{ID}: the package lists cannot be refreshed" in said and "10.31.0.1:81" in said
    faults.said(0, "resume")


def test_difference_that_changed_since_it_was_shown_ends_the_command_before_anything(faults: Faults) -> None:
    with faults.broken("cmp001", "apt-mark hold python-oslo.messaging", "apt-mark unhold python-oslo.messaging"):
        said = faults.sample(6, "cmp001")
    assert "what would change on cmp001 is not what was shown any more, so nothing was done" in said
    assert faults.control.column(DISABLED) == [] and faults.nova("cmp001").startswith("2:13")


def test_difference_that_cannot_be_told_any_more_ends_the_command_before_anything(faults: Faults) -> None:
    """One package held of which another one's new version needs the new version."""
    with faults.broken("cmp001", "apt-mark hold python-nova", "apt-mark unhold python-nova"):
        said = faults.sample(6, "cmp001")
    assert (
        f"nothing was done, as nobody can tell whether what was shown is still what would change: cmp001.{ID}: apt cannot do that"
        in said
    )
    assert faults.control.column(DISABLED) == []


def test_approval_that_expired_does_nothing(faults: Faults) -> None:
    words = [word for word in faults.words("cmp001") if word != "--yes"]
    said = faults.said(6, *words, "--wait", "--approve-within", "5s")
    digest = said.split("'upgrader approve ")[1].split("'")[0]
    time.sleep(6)
    assert "could be approved until" in faults.said(3, "approve", digest)
    assert "expired" in faults.said(6, "apply", digest)
    assert set(faults.versions().values()) == {"9"}


def test_command_killed_in_the_middle_of_a_node_leaves_it_out_of_service_until_the_run_goes_on(faults: Faults) -> None:
    faults.shown("cmp*")
    assert faults.control.kill_at(("data-plane", *faults.words("cmp001")), "packages", "step-submitted", 0.5)
    assert faults.control.column(DISABLED) == ["cmp001"]
    faults.said(0, "resume")
    assert faults.versions()["cmp001"] == "16"
    faults.all_well()


def test_package_that_does_not_install_uses_up_the_budget_and_no_other_node_is_begun(faults: Faults) -> None:
    faults.shown("cmp001,cmp002,cmp003")
    words = ("--target", "cmp001,cmp002,cmp003", "--stage", "all", "--batch", "1", "--beyond", BEYOND, "--yes")
    with faults.broken("cmp002", f"mount --bind -o ro {READ_ONLY} {READ_ONLY}", f"umount {READ_ONLY}"):
        said = faults.said(1, *words)
    assert "at step b1-packages, which failed: cmp002" in said and "Read-only file system" in said
    assert faults.control.column(DISABLED) == []
    assert faults.versions() == {"cmp001": "16", "cmp002": "9", "cmp003": "9", "cmp004": "9"}
    assert faults.nova("cmp003").startswith("2:13")


def test_stop_between_two_batches_passes_what_is_done_when_it_goes_on(faults: Faults) -> None:
    with faults.control.started("resume") as process:
        assert faults.control.wait_for_event("b1-enable", "step-finished", process)
        signal_inner(process, signal.SIGINT)
        assert process.wait(timeout=120) == 130
    assert faults.versions()["cmp002"] == "16" and faults.versions()["cmp003"] == "9"
    begun = len(faults.control.journal())
    with faults.control.started("resume") as process:
        assert faults.control.wait_for_event("b2-packages", "step-submitted", process)
        faults.node("cmp003").end()
        assert process.wait(timeout=1200) == 4
    asked = {row["step"] for row in faults.control.journal()[begun:] if row["event"] == "step-started"}
    assert not {step for step in asked if step.startswith("b1-")}, "a batch that is done is left alone"


def test_node_that_died_during_its_upgrade_is_gone_on_with_when_it_is_back(faults: Faults) -> None:
    assert "cmp003" in faults.control.run("status").stdout
    faults.lab.up(topology="computes")
    faults.said(0, "resume")
    assert faults.versions()["cmp003"] == "16"
    assert faults.control.column(DISABLED) == []


def test_agent_that_does_not_come_back_is_named_and_the_node_is_back_in_service(faults: Faults) -> None:
    faults.back("cmp002")
    faults.shown("cmp002")
    drop_in = (
        f"mkdir -p {NOBODY.rsplit('/', 1)[0]} && printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > {NOBODY}"
    )
    with faults.broken("cmp002", f"{drop_in} && systemctl daemon-reload", f"rm {NOBODY}; systemctl daemon-reload"):
        said = faults.sample(1, "cmp002")
    assert "at step restart, which failed: cmp002" in said and "neutron-l3-agent" in said
    assert faults.control.column(DISABLED) == []
    faults.said(0, "resume")
    assert faults.versions()["cmp002"] == "16"


def test_agent_alive_whose_path_is_dead_is_found_by_pings(faults: Faults) -> None:
    faults.back("cmp002")
    faults.shown("cmp002")
    dead = "ovs-ofctl add-flow br-tun 'cookie=0xdead,table=0,priority=100,actions=drop'"
    said = faults.meanwhile("cmp002", dead, 1, *faults.words("cmp002"))
    assert "at step paths-answer, which failed: cmp002" in said
    assert faults.control.column(DISABLED) == []
    faults.at("cmp002", "ovs-ofctl del-flows br-tun cookie=0xdead/-1")
    faults.said(0, "resume")
    faults.all_well()


LOSE_FIP = (
    "ns=$(ip netns list | grep -o '^fip-[^ ]*'); fg=$(ip netns exec $ns ip -o link | grep -o 'fg-[^:@]*' | head -1); "
    "ip netns exec $ns ip link set $fg down; ip netns exec $ns ip link set $fg up"
)
SNAT = "ns=$(ip netns list | grep -o '^snat-[^ ]*' | head -1); ip netns exec $ns "
LOSE_SNAT = f"{SNAT} ip route show default > /run/lost; {SNAT} ip route del default"


def test_route_of_floating_ips_that_is_lost_is_named_and_an_agents_restart_brings_it_back(faults: Faults) -> None:
    faults.back("cmp002")
    faults.shown("cmp002")
    said = faults.meanwhile("cmp002", LOSE_FIP, 1, *faults.words("cmp002"))
    assert "at step routes, which failed: cmp002" in said and "fip-" in said and "172.24.0." in said
    faults.at("cmp002", "systemctl restart neutron-l3-agent")
    faults.said(0, "resume")
    faults.all_well()


def test_route_of_floating_ips_that_is_lost_is_put_back_on_demand(faults: Faults) -> None:
    faults.back("cmp002")
    faults.shown("cmp002")
    words = (*faults.words("cmp002"), "--repair-dvr-routes")
    said = faults.meanwhile("cmp002", LOSE_FIP, 0, *words)
    assert "put back" in said
    faults.all_well()


def test_route_of_snat_that_is_lost_on_the_gateway_is_named(faults: Faults) -> None:
    faults.shown("gtw01")
    said = faults.meanwhile("gtw01", LOSE_SNAT, 1, *faults.words("gtw01"))
    assert "at step routes, which failed: gtw01" in said and "snat-" in said
    faults.at("gtw01", f"{SNAT} ip route add $(cat /run/lost)")
    faults.said(0, "resume")
    faults.all_well()
