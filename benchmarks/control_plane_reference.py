"""The reference's own order for a control plane (Mirantis' pipelines of 2017), typed on the lab's nodes: there, and its rollback.

Plain commands only; no state and no module of this tool but its prober. What stands for what the lab has not is told in
``benchmarks.control_plane``.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from upgrader_node.copy import catalogue as ocata
from upgrader_node.production import catalogue

from benchmarks.control_plane_commands import (
    CACHE,
    CONFIGURATION,
    HOUR,
    MAP_CELL0,
    PACKAGES,
    SERVICES,
    Service,
    backup_command,
    everywhere,
    feed,
    pipe,
    send_folder,
    write_private,
)
from tests.support.rehearsal import Rehearsal
from upgrader.lab import Lab
from upgrader.lab.contents.node_files import hosts
from upgrader.lab.contents.salt_keys import salt_key_pair
from upgrader.lab.contents.shipped import write_files
from upgrader.lab.control.domain import disk_of
from upgrader.lab.control.files import base_files
from upgrader.lab.image.disks import make_disk
from upgrader.lab.image.recipe import chain, lab_recipes, up_to
from upgrader.lab.machine.node import node_environment
from upgrader.lab.machine.process import wait_until
from upgrader.lab.topology import PREFIX

PLAIN = "salt"
"""The layer up to which a base image has no service: Debian with a minion."""
IMAGE, ROOM = "/srv/images/plain.img", 4000
BACKUPS, RESTORING = "/var/backups/reference", "/var/backups/restoreMysql"
FULL, INCREMENT = f"{BACKUPS}/full.zst", f"{BACKUPS}/increment.zst"
DATADIR = "/var/lib/mysql"
MASTER_KEYS = "/etc/salt/pki/master/minions"
PATIENCE = 600
VIRSH = ("virsh", "-q", "-c", "lxc:///")


class Reference:
    """The lab as the reference's pipelines see it. ``seconds`` are those of the steps of the way that was gone last."""

    def __init__(self, lab: Lab, rehearsal: Rehearsal, mirror: Path) -> None:
        self.lab, self.rehearsal, self.mirror = lab, rehearsal, mirror
        self.cfg, self.kvm, self.ctl, self.compute = (lab.node(name) for name in ("cfg01", "kvm01", "ctl01", "cmp001"))
        self.first, *self.others = rehearsal.databases
        self.minion, self.disk = self.ctl.plan.minion_id, disk_of(self.ctl.plan)
        self.kept = f"/root/{self.minion}.qcow2.bak"
        self.seconds: dict[str, float] = {}
        self.configuration = b""
        self._definition = self._key = ""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Its seconds, also of one that comes more than once."""
        began = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 1)

    # --- before the window

    def provide_image(self) -> None:
        """The base image in the foundation node's cache, as the reference's has it from its first machine on."""
        target = self.kvm.root / IMAGE.lstrip("/")
        if target.exists():
            return
        layers = up_to(chain(lab_recipes()), PLAIN)
        with tempfile.TemporaryDirectory(prefix="bench-plain-") as top:
            Path(top).chmod(0o755)
            write_files(Path(top), base_files())
            make_disk(target, f"{top}:{self.lab.images.lower_directories(layers)}", ROOM)

    def prepare(self) -> None:
        """What its rehearsal has done beforehand: a full backup. The definition and the key are noted for the way back."""
        self._definition = self.kvm.run([*VIRSH, "dumpxml", "--inactive", self.minion]).stdout
        self._key = self.cfg.run(["cat", f"{MASTER_KEYS}/{self.minion}"]).stdout
        self.kvm.run(["rm", "-f", self.kept])
        for node in (self.first, self.cfg):
            node.run(["sh", "-c", f"rm -rf {BACKUPS} {RESTORING}; mkdir -p -m 0700 {BACKUPS}"])
        self._backup(FULL, f"--extra-lsndir={BACKUPS}/lsn")

    def _backup(self, archive: str, *options: str) -> None:
        """On the first database node, then on the backup node."""
        self.first.run(["bash", "-c", backup_command(archive, options)], timeout=HOUR)
        said = self.first.run(["tail", "-n", "1", f"{archive}.log"]).stdout
        if "completed OK!" not in said:
            raise RuntimeError(f"the backup {archive} did not end well: {said}")
        pipe(self.first, ["cat", archive], self.cfg, ["dd", "bs=1M", "status=none", f"of={archive}"])

    # --- the upgrade

    def forward(self) -> None:
        """Until the last service was started."""
        self.seconds = {}
        with self.step("machine destroyed"):
            self.kvm.run([*VIRSH, "destroy", self.minion])
        with self.step("disk kept by cp"):
            self.kvm.run(["sh", "-c", f"[ ! -f {self.kept} ] && cp {self.disk} {self.kept}"], timeout=HOUR)
        with self.step("machine undefined, key deleted"):
            self.kvm.run([*VIRSH, "undefine", self.minion])
            self.cfg.run(["salt-key", "-y", "-d", self.minion])
        with self.step("second backup, incremental"):
            self._backup(INCREMENT, f"--incremental-basedir={BACKUPS}/lsn")
        with self.step("new machine"):
            self._create()
        with self.step("minion answers"):
            self._wait_for_minion()
        with self.step("refresh_pillar, sync_all"):
            for function in ("saltutil.refresh_pillar", "saltutil.sync_all"):
                self.cfg.run(
                    ["salt", "-t", "60", "*", function], check=False
                )  # its failures are passed over there, too
        self._deploy()
        with self.step("compute and conductor restarted"):
            self.compute.run(["systemctl", "restart", "nova-compute"])
            self.ctl.run(["systemctl", "restart", "nova-conductor", "nova-scheduler"])

    def _create(self) -> None:
        """What its formula for machines does: image, seed, definition, start."""
        pair = salt_key_pair()
        write_private(self.cfg, f"{MASTER_KEYS}/{self.minion}", pair.public, 0o644)
        self.kvm.run(["cp", "--sparse=always", IMAGE, self.disk], timeout=HOUR)
        root = "/run/bench-seed"
        self.kvm.run(["sh", "-c", f"mkdir -p {root} && mount -o loop {self.disk} {root}"])
        try:
            texts = {
                "etc/hostname": f"{self.ctl.name}\n",
                "etc/hosts": hosts(self.lab.topology),
                "etc/lab-address": f"{self.ctl.plan.address}/{PREFIX}\n",
                "etc/machine-id": "",
                "etc/salt/minion_id": f"{self.minion}\n",
                "etc/salt/minion.d/bench.conf": f"master: {self.cfg.plan.minion_id}\n",
                "etc/salt/pki/minion/minion.pub": pair.public,
            }
            for path, text in texts.items():
                write_private(self.kvm, f"{root}/{path}", text, 0o644)
            write_private(self.kvm, f"{root}/etc/salt/pki/minion/minion.pem", pair.private, 0o400)
        finally:
            self.kvm.run(["umount", root])
        self.kvm.run([*VIRSH, "define", "/dev/stdin"], input=self._definition)
        self.kvm.run([*VIRSH, "autostart", self.minion])
        self.kvm.run([*VIRSH, "start", self.minion])

    def _wait_for_minion(self) -> None:
        ping = ["salt", "--out=txt", "-t", "2", self.minion, "test.ping"]
        answers = lambda: self.ctl.running and "True" in self.cfg.run(ping, check=False).stdout  # noqa: E731
        wait_until(answers, PATIENCE, f"minion {self.minion}")

    def _deploy(self) -> None:
        """Service after service: code, configuration, schema, start."""
        with self.step("install: fetch the packages"):
            self.ctl.run(["mkdir", "-p", PACKAGES])
            send_folder(self.mirror, self.ctl, PACKAGES)
        with self.step("install: Debian's packages"):
            self.ctl.run(["sh", "-c", f"DEBIAN_FRONTEND=noninteractive dpkg -i {PACKAGES}/debs/*.deb"], timeout=HOUR)
        feed(self.ctl, ["tar", "-C", "/", "-xpf", "-", CACHE], self.configuration)
        self.ctl.run(["systemctl", "restart", "memcached"])
        installed = set[str]()
        for service in SERVICES:
            if service.environment not in installed:
                installed.add(service.environment)
                with self.step(f"install: environment {service.environment}"):
                    self._install(service.environment)
            with self.step(f"{service.name}: configuration, schema, start"):
                self._serve(service)

    def _install(self, name: str) -> None:
        pip = f"/opt/{name}/bin/pip install -q --no-index --no-deps --no-cache-dir --disable-pip-version-check"
        self.ctl.run(["tar", "-C", "/", "-xf", f"{PACKAGES}/{name}.tar"])
        self.ctl.run(["sh", "-c", f"{pip} {PACKAGES}/{name}/*.whl"], timeout=HOUR)

    def _serve(self, service: Service) -> None:
        """``useradd`` is what a package's own script does."""
        home = f"/var/lib/{service.name}"
        shell = "/usr/sbin/nologin"
        self.ctl.run(["useradd", "--system", "--home-dir", home, "--create-home", "--shell", shell, service.name])
        feed(self.ctl, ["tar", "-C", "/", "-xpf", "-", *service.files()], self.configuration)
        if service.name == "nova":
            self._new_database()
        for command in service.schema:
            self._manage(command)
        if service.name == "keystone":
            self._catalogue()
        if service.name == "cinder":
            self.rehearsal.execute(
                "UPDATE cinder.services SET deleted = 1, deleted_at = UTC_TIMESTAMP() WHERE deleted = 0"
            )
        self.ctl.run(["sh", "-c", f"systemctl daemon-reload; systemctl restart {' '.join(service.units)}"])

    def _manage(self, words: Sequence[str]) -> None:
        """One command of a service's own tool; its words count as well, for these tools exit 0 after a failure."""
        if words == MAP_CELL0:
            done = self.ctl.run(["/opt/ocata/bin/python", "-"], input=MAP_CELL0[0], timeout=HOUR)
        else:
            cell = lambda: str(self.rehearsal.scalar("SELECT uuid FROM nova_api.cell_mappings WHERE name = 'cell1'"))  # noqa: E731
            done = self.ctl.run([cell() if word == "CELL1" else word for word in words], timeout=HOUR)
        if "Error attempting" in done.stdout or "Traceback" in done.stdout + done.stderr:
            raise RuntimeError(f"{words[:8]}: {(done.stdout + done.stderr)[-800:]}")

    def _new_database(self) -> None:
        """cell0's, which the reference's model has beside nova's, with the rights of nova's accounts."""
        self.rehearsal.execute("CREATE DATABASE nova_cell0 CHARACTER SET utf8 COLLATE utf8_general_ci")
        for user in self.rehearsal.column(
            "SELECT DISTINCT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.db WHERE db = 'nova'"
        ):
            self.rehearsal.execute(f"GRANT ALL PRIVILEGES ON `nova\\_cell0`.* TO {user}")

    def _catalogue(self) -> None:
        with contextlib.closing(self.rehearsal.connect()) as connection:
            catalogue.write(connection, "keystone", ocata.wanted({}))

    # --- the rollback

    def back(self) -> float:
        """Until everything runs as before; the seconds of the databases' part."""
        self.seconds = {}
        with self.step("machine destroyed"):
            self.kvm.run([*VIRSH, "destroy", self.minion], check=False)
        with self.step("disk back by cp, key deleted"):
            self.kvm.run(["cp", self.kept, self.disk], timeout=HOUR)
            self.cfg.run(["salt-key", "-y", "-d", self.minion])
        began = time.monotonic()
        self._restore()
        databases = round(time.monotonic() - began, 1)
        with self.step("machine started"):
            write_private(self.cfg, f"{MASTER_KEYS}/{self.minion}", self._key, 0o644)
            self.kvm.run([*VIRSH, "start", self.minion])
        with self.step("compute restarted"):
            self.compute.run(["systemctl", "restart", "nova-compute"])
        with self.step("minion answers"):
            self._wait_for_minion()
        return databases

    def _restore(self) -> None:
        with self.step("databases: stop all, empty them"):
            everywhere(self.others, ["systemctl", "stop", "mariadb"])
            self.first.run(["systemctl", "stop", "mariadb"])
            everywhere(self.rehearsal.databases, ["find", DATADIR, "-mindepth", "1", "-delete"])
        with self.step("databases: fetch and unpack"):
            for archive, folder in ((FULL, "full"), (INCREMENT, "increment")):
                unpack = f"set -o pipefail; mkdir -p {RESTORING}/{folder}; zstd -q -d -c | mbstream -x -C {RESTORING}/{folder}"
                pipe(self.cfg, ["cat", archive], self.first, ["bash", "-c", unpack])
        with self.step("databases: prepare and copy back"):
            target = ["mariadb-backup", f"--target-dir={RESTORING}/full"]
            self.first.run([*target, "--prepare", "--use-memory=1G"], timeout=HOUR)
            self.first.run(
                [*target, "--prepare", "--use-memory=1G", f"--incremental-dir={RESTORING}/increment"], timeout=HOUR
            )
            self.first.run([*target, "--copy-back"], timeout=HOUR)
            self.first.run(["chown", "-R", "mysql:mysql", DATADIR])
        with self.step("databases: the first alone"):
            self.first.run(["galera_new_cluster"], timeout=HOUR)
        with self.step("databases: the others, by state transfer"):
            everywhere(self.others, ["systemctl", "start", "mariadb"])

    def tidy(self) -> None:
        """What a round leaves behind takes room, and is of no use to the next."""
        self.kvm.run(["rm", "-f", self.kept])
        for node in (self.first, self.cfg):
            node.run(["rm", "-rf", BACKUPS, RESTORING])

    def save_configuration(self) -> None:
        """What a controller of this lab is configured with, from one that was upgraded: files of services, their units, their keys."""
        done = subprocess.run(
            self.ctl.command(["sh", "-c", CONFIGURATION]), capture_output=True, env=node_environment(), check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"the configuration of {self.ctl.name} could not be read: {done.stderr.decode()[-500:]}")
        self.configuration = done.stdout
