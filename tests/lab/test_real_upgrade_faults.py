"""A real upgrade broken on purpose: what the operator reads then, and that a resume or the way back loses nothing.

One lab that was rehearsed once. Every test leaves production at Mitaka for the next one: those that open the window go back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.test_real_upgrade import REAL, Upgrade, rehearsed
from tests.support.rehearsal import SOURCES, kill_inner
from upgrader.lab import Lab
from upgrader.lab.machine import cgroups
from upgrader.lab.machine.process import wait_until

pytestmark = pytest.mark.soak

CTL = "ctl01.lab.local"
BACK = ("control-plane", "--stage", "rollback", "--yes")

GO_ON = ("resume",)
FORWARD = (*REAL, "--restart")
BASE = "/srv/images/ocata.img"
DENIED = f"/etc/salt/pki/master/minions_denied/{CTL}"
IMPOSTOR = f"""set -e
mkdir -p /run/impostor/pki
cat > /run/impostor/minion <<END
id: {CTL}
master: cfg01.lab.local
root_dir: /run/impostor
pki_dir: /run/impostor/pki
acceptance_wait_time: 2
END
systemd-run --unit=impostor /opt/salt/bin/salt-minion -c /run/impostor
"""


class Broken(Upgrade):
    """Production before any window, and ways to break what is done to it."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.before = self.checksums(SOURCES)

    def refused(self, *words: str) -> str:
        """What a command says that refuses."""
        ran = self.run(*words)
        assert ran.returncode == 3, ran.stderr[-3000:]
        return ran.stderr

    def failed(self, *words: str) -> str:
        """What a command says of a step that failed or is in doubt."""
        ran = self.run(*words)
        assert ran.returncode in (1, 4), ran.stderr[-3000:]
        return ran.stderr

    def cut(
        self, step: str, act: Callable[[], object] = lambda: None, delay: float = 0.3, words: Sequence[str] = GO_ON
    ) -> None:
        """Go on until a step has begun, do something to the world, and SIGKILL the command."""
        with self.started(*words) as process:
            assert self.wait_for_event(step, "step-started", process), f"{step} was settled before"
            time.sleep(delay)
            act()
            kill_inner(process)

    def at(self, node: str, script: str) -> str:
        ran = self.lab.node(node).run(["sh", "-c", script], check=False)
        return ran.stdout + ran.stderr

    def back(self, *words: str) -> None:
        """The way back, and nothing is lost by it."""
        self.document(*BACK, *words)
        assert self.checksums(SOURCES) == self.before
        assert "nova_cell0" not in self.production()


@pytest.fixture(scope="module")
def broken() -> Iterator[Broken]:
    with rehearsed("f", Broken) as the:
        yield the


@contextlib.contextmanager
def impostor(the: Broken) -> Iterator[None]:
    """Another machine that calls itself the controller, with a key of its own, until the master has denied it."""
    the.at("upg01", IMPOSTOR)
    try:
        deadline = time.monotonic() + 60
        while not the.at("cfg01", f"ls {DENIED} 2>/dev/null").strip():
            assert time.monotonic() < deadline, "the impostor was not denied"
            time.sleep(0.5)
        yield
    finally:
        the.at("upg01", "systemctl stop impostor")
        the.at("cfg01", f"rm -f {DENIED}")


def test_another_machine_under_a_controllers_id_refuses_before_anything(broken: Broken) -> None:
    with impostor(broken):
        said = broken.refused(*FORWARD)
    assert f"{CTL} is the id of another machine too: its key " in said
    assert f"'rm {DENIED}'" in said
    assert "nothing was changed" in said


def test_base_image_with_another_content_is_refused_while_users_notice_nothing(broken: Broken) -> None:
    """The run is left where it stands: the next test goes on with it."""
    old, disks = broken.microversion(), broken.disks()
    broken.at(
        "kvm01",
        f"cp --sparse=always {BASE} /root/wrong.img && printf x | dd conv=notrunc bs=1 seek=1000000 of=/root/wrong.img",
    )
    broken.at("kvm01", f"mount --bind /root/wrong.img {BASE}")
    try:
        said = broken.failed(*FORWARD)
    finally:
        broken.at("kvm01", f"umount {BASE}; rm /root/wrong.img")
    assert f"base image {BASE} has sha256 " in said and " and not " in said
    assert "--stage rollback" not in said
    assert broken.microversion() == old and broken.disks() == disks
    assert "stopped before its window, and production was not touched" in broken.refused(*BACK)


def test_command_killed_in_the_window_again_and_again_comes_to_the_end(broken: Broken) -> None:
    """With it die libvirtd and the foundation node's minion, each in the middle of a step."""
    for step in ("apis-stop", "member-hold"):
        broken.cut(step)
    broken.cut("machine-off-ctl01", lambda: broken.at("kvm01", "pkill -9 -x libvirtd"))
    minion = "systemctl kill -s KILL salt-minion; systemctl reset-failed salt-minion; systemctl start salt-minion"
    broken.cut("machine-keep-ctl01", lambda: broken.at("kvm01", minion), 0.0)
    for step in ("machine-place-ctl01", "machine-define-ctl01", "machine-keys", "machine-start-ctl01"):
        broken.cut(step)
    with impostor(broken):
        broken.cut("machine-registered")
    broken.cut("databases-new")
    broken.cut("keystone-expand")


def test_tool_killed_in_a_schema_is_said_with_the_version_that_the_database_stays_at(broken: Broken) -> None:
    def kill() -> None:
        wait_until(
            lambda: "yes" in broken.at("ctl01", "pkill -9 -f 'nova-manage.*db sync' && echo yes"), 60, "nova-manage"
        )

    with ThreadPoolExecutor(1) as pool, broken.started(*GO_ON) as process:
        assert broken.wait_for_event("nova-db", "step-started", process)
        pool.submit(kill).result()
        process.wait(timeout=600)
    (failed,) = [row for row in broken.journal() if row["event"] == "step-finished" and not row["ok"]][-1:]
    assert "nova stays at 334 instead of 347" in failed["reason"] and "exit code -9" in failed["reason"]


def test_keystone_whose_port_is_taken_is_named_before_anything_asks_it(broken: Broken) -> None:
    broken.at("ctl01", "systemd-run --unit=taker /opt/salt/bin/python -m http.server 5000")
    said = broken.failed(*GO_ON)
    assert "at step control-start" in said and "keystone is " in said and "Address already in use" in said
    broken.at("ctl01", "systemctl stop taker")
    broken.document(*GO_ON)
    assert broken.scalar("SELECT version FROM nova.migrate_version") == 347


def test_kept_disk_that_was_written_to_stops_the_way_back_before_anything_is_stopped(broken: Broken) -> None:
    kept = broken.at("kvm01", f"ls /srv/vm/{CTL}/*.kept-*").split()[-1]
    when = broken.at("kvm01", f"stat -c %y {kept}").strip()
    broken.at("kvm01", f"touch {kept}")
    said = broken.refused(*BACK, "--restart")
    broken.at("kvm01", f"touch -d '{when}' {kept}")
    assert f"kept disk {kept} was written to after it was kept" in said
    assert broken.lab.node("ctl01").running


def test_way_back_does_without_a_controller_that_is_dead(broken: Broken) -> None:
    broken.at("kvm01", f"virsh -c lxc:/// destroy {CTL}")
    broken.back("--restart")


def test_new_machine_that_never_comes_is_told_of_and_the_way_back_works(broken: Broken) -> None:
    disk, there = f"/srv/vm/{CTL}/system.img", "/mnt/etc/salt/minion.d/upgrader.conf"
    astray = f"mount -o loop {disk} /mnt && sed -i s/cfg01/cfg99/ {there}; umount /mnt"
    broken.cut("machine-define-ctl01", lambda: broken.at("kvm01", astray), words=FORWARD)
    said = broken.failed(*GO_ON)
    assert "at step machine-registered" in said and f"{CTL}: it " in said
    broken.back()


def test_member_that_dies_in_the_window_is_named_and_left_out_of_the_way_back(broken: Broken) -> None:
    broken.cut("keystone-expand", words=FORWARD)
    broken.at("dbs02", "systemctl kill -s KILL mariadb; systemctl stop mariadb")
    assert "dbs02" in broken.failed(*GO_ON)
    broken.back("--without", "dbs02")
    aside = "mv /var/lib/mysql /var/lib/mysql.dead && install -d -o mysql -g mysql -m 700 /var/lib/mysql"
    broken.at("dbs02", f"{aside} && systemctl start mariadb")
    wait_until(lambda: broken.members() == "3", 480, "dbs02 to join again")


def test_power_loss_of_every_node_in_the_window_is_survived(broken: Broken) -> None:
    broken.cut("keystone-expand", words=FORWARD)
    for node in broken.lab.nodes():
        cgroups.kill_all(node.cgroup)
    broken.lab.up()
    assert "keystone-expand" in broken.run("status").stdout
    broken.back()
