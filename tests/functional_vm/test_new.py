"""New machines beside old ones: made before the window, put in place in it, and the old ones back afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.errors import StepError
from upgrader_node.machine import blueprint, defining, disk, identity, seed
from upgrader_node.vm import back, copying, finding, keep, power

from tests.functional_vm.conftest import Minion
from tests.functional_vm.machines import GUESTS, LXC, NODE, QEMU, Container, Guest, run, until

SEED = identity.Seed(
    "ctl01.lab.local",
    (
        identity.Salt("/etc/salt", "cfg01.lab.local", "/var/cache/salt/minion/extmods"),
        identity.Salt("/opt/site/etc/salt", "10.20.0.10"),
    ),
    {"/etc/network/interfaces": "auto eth0\n"},
    {"utils/upgrader_node/machine/seed.py": seed.__file__},
)


@pytest.fixture
def base(images: Path) -> disk.Base:
    """A base image of a container: a file system with another machine's keys in it."""
    tree = images / "tree"
    run("cp", "-a", str(GUESTS / "tree"), str(tree))
    for name in ("etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_rsa_key.pub", "etc/machine-id", "etc/new-release"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("of the image\n")
    path = images / "base.img"
    with path.open("wb") as file:
        file.truncate(16 * 1024 * 1024)
    run("mkfs.ext4", "-q", "-F", "-d", str(tree), str(path))
    run("rm", "-r", str(tree))
    return disk.Base(str(path), copying.sha256(str(path)))


def read(image: str | Path, path: str) -> str:
    return run("debugfs", "-R", f"cat {path}", str(image))


def test_new_machine_takes_the_place_of_the_old_one_and_the_old_one_comes_back(
    node: finding.Host, container: Container, base: disk.Base, images: Path
) -> None:
    name, wanted = container.name, disk.Wanted(str(container.disk), "raw", 24)
    power.start(node, name)
    container.wait_up()
    made = disk.prepare(node, name, "r1", base, wanted, SEED)
    assert container.state == "running", "made beside the running machine"
    assert not disk.prepare(node, name, "r1", base, wanted, SEED)["changed"]
    with pytest.raises(StepError, match=f"{name} on kvm01.lab.local is running: stop it first"):
        disk.place(node, name, "r1")
    power.stop(node, name, 60, hard=False)
    with pytest.raises(StepError, match=r"prx01.img still holds the old disk of prx01: keep it first"):
        disk.place(node, name, "r1")
    receipt = keep.keep(node, name, "r1", "rename")["receipt"]
    assert disk.place(node, name, "r1")["changed"] and not disk.place(node, name, "r1")["changed"]
    assert not disk.prepare(node, name, "r1", base, wanted, SEED)["changed"]
    machine = blueprint.Machine(name, "lxc", 1, 128, str(container.disk), "raw", ())
    assert defining.define(node, machine)["changed"] and not defining.define(node, machine)["changed"]
    power.start(node, name)
    container.wait_up()
    power.stop(node, name, 60, hard=False)
    assert (container.boots(), read(container.disk, "/etc/new-release")) == (1, "of the image\n")
    assert container.disk.stat().st_size == 24 * 1024 * 1024
    assert "131072" in container.virsh("dominfo")
    back.restore(node, receipt)
    power.start(node, name)
    container.wait_up()
    power.stop(node, name, 60, hard=False)
    assert (container.boots(), read(container.disk, "/etc/new-release")) == (2, "")
    assert "65536" in container.virsh("dominfo")
    assert read(f"{container.disk}.replaced-r1", "/etc/hostname") == "ctl01\n"
    assert made["disk"]["public"]["minion_id"] == "ctl01.lab.local"


def test_seed_is_this_machine_and_no_other(node: finding.Host, container: Container, base: disk.Base) -> None:
    answer = disk.prepare(node, container.name, "r1", base, disk.Wanted(str(container.disk), "raw"), SEED)
    new, public = answer["disk"]["new"], answer["disk"]["public"]
    assert read(new, "/etc/hostname") == "ctl01\n" and read(new, "/etc/machine-id") == ""
    assert read(new, "/etc/network/interfaces") == "auto eth0\n"
    assert read(new, "/etc/ssh/ssh_host_rsa_key") == "", "the image's own host key is gone"
    assert read(new, "/etc/ssh/ssh_host_ed25519_key.pub").strip() == public["ssh"]
    keys = set()
    for folder, master in (("/etc/salt", "cfg01.lab.local"), ("/opt/site/etc/salt", "10.20.0.10")):
        assert read(new, f"{folder}/minion_id") == "ctl01.lab.local\n"
        assert read(new, f"{folder}/minion.d/upgrader.conf") == f"master: {master}\n"
        private = read(new, f"{folder}/pki/minion/minion.pem")
        assert "PRIVATE KEY" in private and private not in str(answer)
        asked = ["openssl", "rsa", "-pubout"]
        found = subprocess.run(asked, input=private, capture_output=True, text=True, check=True).stdout
        assert found == public["minions"][folder] == read(new, f"{folder}/pki/minion/minion.pub")
        mode = run("debugfs", "-R", f"stat {folder}/pki/minion/minion.pem", new)
        assert "Mode:  0400" in mode
        keys.add(private)
    assert len(keys) == 2
    sent = read(new, "/var/cache/salt/minion/extmods/utils/upgrader_node/machine/seed.py")
    assert sent == Path(seed.__file__).read_text()
    assert Path(new).stat().st_mode & 0o777 == 0o600
    assert not list(Path("/run/upgrader/seed").iterdir())


def test_base_image_that_is_another_one_is_refused_and_nothing_is_left(
    node: finding.Host, container: Container, base: disk.Base, images: Path
) -> None:
    wanted = disk.Wanted(str(container.disk), "raw")
    before = set(images.iterdir())
    with pytest.raises(StepError, match=r"base.img has sha256 \w{64} and not 0{64}: fetch it again"):
        disk.prepare(node, container.name, "r1", base._replace(sha256="0" * 64), wanted, SEED)
    with pytest.raises(StepError, match=r"has to be named with its sha256"):
        disk.prepare(node, container.name, "r1", base._replace(sha256=""), wanted, SEED)
    with pytest.raises(
        StepError, match=r"base.img is for a disk of 16 MB, and one of 8 MB is wanted: take a larger size"
    ):
        disk.prepare(node, container.name, "r1", base, wanted._replace(megabytes=8), SEED)
    with pytest.raises(StepError, match=r"a new disk is raw or qcow2, not vmdk"):
        disk.prepare(node, container.name, "r1", base, wanted._replace(format="vmdk"), SEED)
    assert {path for path in images.iterdir() if ".making-" not in path.name} == before
    with pytest.raises(
        StepError, match=f"run r1 made no disk for {container.name} on {NODE}: upgrader_disk.prepare makes"
    ):
        disk.place(node, container.name, "r1")


def test_link_of_an_image_leads_nobody_out_of_it(
    node: finding.Host, container: Container, base: disk.Base, images: Path
) -> None:
    run("debugfs", "-w", "-R", "symlink /opt /tmp", base.path)
    outside = base._replace(sha256=copying.sha256(base.path))
    with pytest.raises(StepError, match=r"/opt/site/etc/salt/minion_id of the base image leads out of it"):
        disk.prepare(node, container.name, "r1", outside, disk.Wanted(str(container.disk), "raw"), SEED)
    assert not Path("/tmp/site").exists()


def test_disk_that_was_killed_in_the_making_is_made_anew(
    node: finding.Host, container: Container, base: disk.Base
) -> None:
    """Killed while the image's file system is mounted: the next call finds the mount."""
    code = (
        "import sys, time; sys.path.insert(0, '/src/formulas/_utils')\n"
        "from upgrader_node.machine import disk, identity, seed\n"
        "from upgrader_node.vm import finding\n"
        "seed._put = lambda root, file: (print('mounted', flush=True), time.sleep(60))\n"
        "host = finding.host(sys.argv[1])._replace(receipts=sys.argv[2])\n"
        "disk.prepare(host, sys.argv[3], 'r1', disk.Base(*sys.argv[4:6]), disk.Wanted(sys.argv[6], 'raw'), identity.Seed('x'))\n"
    )
    words = [sys.executable, "-c", code, node.node, node.receipts, container.name, *base, str(container.disk)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "mounted\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert "/run/upgrader/seed" in Path("/proc/mounts").read_text()
    answer = disk.prepare(node, container.name, "r1", base, disk.Wanted(str(container.disk), "raw"), SEED)
    assert read(answer["disk"]["new"], "/etc/hostname") == "ctl01\n"
    assert "/run/upgrader/seed" not in Path("/proc/mounts").read_text()


def test_machine_under_qemu_is_made_grown_and_taken_away_through_salt(
    minion: Minion, idle: Guest, images: Path
) -> None:
    base, place = images / "base.qcow2", images / "upg01" / "system.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", str(base), "16M")
    words = {"run": "r9", "path": str(place), "base": str(base), "sha256": copying.sha256(str(base)), "size": 64}
    minion.call("upgrader_disk.prepare", "upg01", **words)
    minion.call("upgrader_disk.place", "upg01", run="r9")
    assert '"virtual-size": 67108864' in run("qemu-img", "info", "--output=json", str(place))
    sizes = {"cpus": 1, "memory": 64, "path": str(place)}
    assert minion.call("upgrader_vm.define", "upg01", "qemu", **sizes)["changed"] is True
    assert minion.call("upgrader_vm.define", "upg01", "qemu", **sizes)["changed"] is False
    minion.call("upgrader_vm.start", "upg01")
    until(lambda: minion.call("upgrader_vm.state", "upg01")["state"] == "running", "the new machine", 30)
    with pytest.raises(CommandExecutionError, match=r"upg01 on kvm01.lab.local is running: stop it first"):
        minion.call("upgrader_vm.remove", "upg01", run="r9")
    minion.call("upgrader_vm.stop", "upg01", timeout=0, hard=True)
    assert minion.call("upgrader_vm.remove", "upg01", run="r9")["moved_aside"] == [f"{place}.removed-r9"]
    assert minion.call("upgrader_vm.remove", "upg01", run="r9")["changed"] is False
    assert run("virsh", "-q", "-c", QEMU, "list", "--all", "--name").split() == [idle.name]


def test_machine_under_qemu_is_told_who_it_is_by_a_disk_for_cloud_init(
    node: finding.Host, idle: Guest, images: Path
) -> None:
    base, place = images / "base.qcow2", images / "ctl01.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", str(base), "16M")
    told = SEED._replace(files={**SEED.files, "network-config": '{"version": 1}'})
    image = disk.Base(str(base), copying.sha256(str(base)))
    made = disk.prepare(node, "ctl01", "r1", image, disk.Wanted(str(place), "qcow2"), told)["disk"]
    assert made["seed"] == f"{place}.seed-r1" and Path(made["seed"]).stat().st_mode & 0o777 == 0o600
    assert 'LABEL="CIDATA"' in run("blkid", made["seed"])
    held = {
        name: run("mtype", "-i", made["seed"], f"::{name}") for name in ("user-data", "meta-data", "network-config")
    }
    assert json.loads(held["meta-data"]) == {"instance-id": "ctl01-r1", "local-hostname": "ctl01"}
    assert held["network-config"] == '{"version": 1}'
    head, _, config = held["user-data"].partition("\n")
    wanted = yaml.safe_load(config)
    assert (head, wanted["hostname"], wanted["fqdn"]) == ("#cloud-config", "ctl01", "ctl01.lab.local")
    assert wanted["ssh_keys"]["ed25519_public"] == made["public"]["ssh"]
    files = {one["path"]: one for one in wanted["write_files"]}
    assert files["/etc/salt/pki/minion/minion.pem"]["permissions"] == "0400"
    assert files["/etc/salt/pki/minion/minion.pub"]["content"] == made["public"]["minions"]["/etc/salt"]
    assert "PRIVATE" not in str(made)
    disk.place(node, "ctl01", "r1")
    defining.define(node, blueprint.Machine("ctl01", "qemu", 1, 64, str(place), "qcow2", (), made["seed"]))
    power.start(node, "ctl01")
    assert made["seed"] in run("virsh", "-q", "-c", QEMU, "domblklist", "ctl01")
    power.stop(node, "ctl01", 0, hard=True)
    receipt = keep.keep(node, "ctl01", "r2", "rename")["receipt"]
    assert [one["target"] for one in receipt["disks"]] == ["vda"], "the seed is no disk of the machine's own"


def test_machine_of_another_kind_is_not_taken_over(node: finding.Host, container: Container) -> None:
    machine = blueprint.Machine(container.name, "kvm", 1, 64, str(container.disk), "raw")
    with pytest.raises(
        StepError, match=f"prx01 is defined on {NODE} under {LXC}: keep its disks and take it away first"
    ):
        defining.define(node, machine)
