"""The lab itself, on this machine: up and down in every order, crashes in between, and nothing left behind."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from upgrader import content
from upgrader.errors import LabRefused
from upgrader.lab import Lab
from upgrader.lab.contents import databases
from upgrader.lab.image.apt_sources import AptSource, Mirror
from upgrader.lab.image.build_settings import BuildSettings
from upgrader.lab.image.layers import ImageCache
from upgrader.lab.image.pip_settings import PipSettings
from upgrader.lab.image.recipe import Recipe, chain, lab_recipes
from upgrader.lab.machine import cgroups
from upgrader.lab.machine.process import wait_until
from upgrader.lab.narrator import Narrator

NAME, RUNNING = "cilife", "cirun"


COUNTS_INTERRUPTS = """
import signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("ready")
deadline = time.monotonic() + 20
while not seen and time.monotonic() < deadline:
    time.sleep(0.1)
time.sleep(0.5)
print(len(seen), "interrupts")
sys.exit(130)
"""


@pytest.fixture(scope="module")
def images() -> None:
    Lab(NAME, narrator=Narrator()).build()


@pytest.fixture
def life(images: None) -> Iterator[Lab]:
    the = Lab(NAME, narrator=Narrator())
    the.down()
    yield the
    the.down()


@pytest.fixture(scope="module")
def running(images: None) -> Iterator[Lab]:
    """A lab that tests share which leave it as it was; its name is another one, so that each of the others begins with none."""
    the = Lab(RUNNING, narrator=Narrator())
    the.down()
    the.up(instances=10)
    yield the
    the.down()


def host_mounts() -> set[str]:
    return {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def loop_devices() -> str:
    return subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True, check=True).stdout


def count_instances(the: Lab) -> int:
    connection = databases.connect(the.node("dbs01"))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM nova.instances")
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


def assert_nothing_left(the: Lab) -> None:
    assert cgroups.processes(the.cgroup) == set()
    assert not any(cgroups.folders(the.cgroup))
    assert not the.network.path.exists()
    assert not the.folder.exists()
    assert not [mount for mount in host_mounts() if f"/{NAME}/" in mount or mount.endswith(f"-{NAME}")]
    assert the.status()["state"] == "down"


def test_up_twice_and_down_twice_leave_nothing_behind(life: Lab) -> None:
    before = (interfaces(), loop_devices())
    first = life.up(instances=50)
    assert first["state"] == "up"
    second = life.up()
    assert [node["pid"] for node in second["nodes"]] == [node["pid"] for node in first["nodes"]]
    assert count_instances(life) == 50
    assert life.down() is True
    assert life.down() is False
    assert_nothing_left(life)
    assert (interfaces(), loop_devices()) == before


def test_the_host_sees_no_mount_and_no_interface_of_a_running_lab(images: None, request: pytest.FixtureRequest) -> None:
    before = interfaces()
    running = request.getfixturevalue("running")
    assert interfaces() == before
    assert not [mount for mount in host_mounts() if str(running.folder) in mount]


def test_up_after_every_process_was_killed_keeps_the_databases(life: Lab) -> None:
    life.up(instances=50)
    cgroups.kill_all(life.cgroup)
    assert life.status()["state"] == "partial"
    assert life.up()["state"] == "up"
    assert count_instances(life) == 50


def test_up_starts_only_the_node_that_died(running: Lab) -> None:
    before = {node["name"]: node["pid"] for node in running.up(instances=10)["nodes"]}
    running.node("upg01").end()
    wait_until(lambda: not running.node("upg01").running, 240, "upg01 to end")
    after = {node["name"]: node["pid"] for node in running.up()["nodes"]}
    assert [name for name in before if before[name] != after[name]] == ["upg01"]


def test_up_takes_away_the_wire_of_a_node_that_was_killed(running: Lab) -> None:
    """The kernel removes it some time after the node is gone; here it never does."""
    running.node("upg01").end()
    inside = ["ip", "-n", running.network.namespace, "link"]

    def gone() -> bool:
        shown = subprocess.run([*inside, "show", "vb-upg01"], capture_output=True, check=False)
        return shown.returncode != 0

    wait_until(lambda: not running.node("upg01").running and gone(), 240, "upg01 and its wire to go")
    subprocess.run([*inside, "add", "vb-upg01", "type", "bridge"], check=True)
    assert running.up()["state"] == "up"


@pytest.mark.soak
def test_down_cleans_up_what_no_file_tells_of(life: Lab) -> None:
    life.up(instances=10)
    for path in life.folder.glob("**/process.json"):
        path.unlink()
    (life.folder / "lab.json").unlink()
    assert life.down() is True
    assert_nothing_left(life)


def test_down_after_a_power_loss_that_emptied_every_record(life: Lab) -> None:
    life.up(instances=10)
    for path in (life.folder / "lab.json", *life.folder.glob("**/process.json")):
        path.write_text("")
    assert life.down() is True
    assert_nothing_left(life)


@pytest.mark.soak
def test_up_after_the_start_itself_was_killed(life: Lab) -> None:
    script = f"from upgrader.lab import Lab; Lab({NAME!r}).up(instances=5000)"
    started = subprocess.Popen([sys.executable, "-c", script], cwd=content.PACKAGE.parent)
    wait_until(lambda: life.options is not None and life.node("dbs01").running, 240, "dbs01 to run")
    started.kill()
    started.wait()
    assert life.up(instances=5000)["state"] == "up"
    assert count_instances(life) >= 5000


def test_a_refreshed_lab_has_the_tool_as_it_is_now(running: Lab) -> None:
    inside = running.node("cfg01").root / "usr/local/lib/upgrader/upgrader/errors.py"
    inside.write_text("stale")
    running.up()
    assert inside.read_text() == (content.PACKAGE / "errors.py").read_text()


def test_other_options_than_the_running_lab_has_are_refused(running: Lab) -> None:
    with pytest.raises(LabRefused, match="runs with topology nova, profile builtin and 10 instances"):
        running.up(instances=20)
    assert running.status()["state"] == "up"


@pytest.mark.soak
def test_reset_discards_what_was_written_and_keeps_the_options(life: Lab) -> None:
    life.up(instances=10)
    life.node("upg01").run(["touch", "/root/note"])
    assert life.reset()["instances"] == 10
    assert life.node("upg01").run(["ls", "/root"]).stdout == ""
    assert count_instances(life) == 10


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "upgrader", "lab", "--name", RUNNING, *words]


def test_a_command_in_a_node_has_our_input_its_output_and_its_exit_code(running: Lab) -> None:
    done = subprocess.run(
        command("exec", "upg01", "--", "sh", "-c", "cat; hostname; env | grep -c SECRET; exit 7"),
        input="hello ",
        capture_output=True,
        text=True,
        check=False,
        cwd=content.PACKAGE.parent,
        env={**os.environ, "SECRET": "s"},
    )
    assert (done.stdout, done.returncode) == ("hello upg01\n0\n", 7)


def test_an_interrupt_reaches_a_command_in_a_node_exactly_once(running: Lab) -> None:
    child = subprocess.Popen(
        command("exec", "cfg01", "--", "python3", "-u", "-c", COUNTS_INTERRUPTS),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=content.PACKAGE.parent,
    )
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    assert child.stdout.read() == "1 interrupts\n"
    assert child.wait(30) == 130


def mitaka_schemas(life: Lab, made_in: str = "ocata") -> Path:
    layer = next(layer for layer in chain(lab_recipes()) if layer.recipe.name == made_in)
    return life.images.files(layer) / "opt/mitaka"


def unpack(schemas: Path, database: str) -> str:
    done = subprocess.run(
        ["gzip", "-dc", str(schemas / f"{database}.sql.gz")], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_dumps_replace_the_generated_rows(life: Lab, tmp_path: Path) -> None:
    for database in ("nova", "nova_api"):
        (tmp_path / f"{database}.sql").write_text(unpack(mitaka_schemas(life), database))
    (tmp_path / "nova.sql").rename(tmp_path / "plain")
    with (tmp_path / "nova.sql.xz").open("wb") as packed:
        subprocess.run(["xz", "-c", str(tmp_path / "plain")], stdout=packed, check=True)
    (tmp_path / "plain").unlink()
    assert life.up(dumps=tmp_path)["state"] == "up"
    assert count_instances(life) == 0


@pytest.mark.soak
def test_what_is_not_among_the_dumps_is_generated(life: Lab, tmp_path: Path) -> None:
    (tmp_path / "neutron.sql").write_text(unpack(mitaka_schemas(life, "services"), "neutron"))
    assert life.up(dumps=tmp_path)["state"] == "up"
    assert count_instances(life) > 0
    connection = databases.connect(life.node("dbs01"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT COUNT(*) FROM neutron.ports), (SELECT COUNT(*) FROM keystone.user) > 0")
        assert cursor.fetchone() == (0, 1)
    connection.close()


@pytest.mark.soak
def test_a_neutron_of_another_release_is_refused(life: Lab, tmp_path: Path) -> None:
    schema = unpack(mitaka_schemas(life, "services"), "neutron")
    newton = "UPDATE alembic_version SET version_num = '5c85685d616d';\n"
    (tmp_path / "neutron.sql").write_text(schema + newton)
    with pytest.raises(LabRefused, match=r"neutron is at 5c85685d616d \(Mitaka: 4ffceebfcdc\)"):
        life.up(dumps=tmp_path)
    assert_nothing_left(life)


def test_a_dump_of_another_release_is_refused_and_the_lab_is_gone(life: Lab, tmp_path: Path) -> None:
    schemas = mitaka_schemas(life)
    (tmp_path / "nova.sql").write_text(unpack(schemas, "nova") + "UPDATE migrate_version SET version = 347;\n")
    (tmp_path / "nova_api.sql").write_text(unpack(schemas, "nova_api"))
    with pytest.raises(LabRefused, match=r"nova is at 347 \(Mitaka: 319\)"):
        life.up(dumps=tmp_path)
    assert_nothing_left(life)


@pytest.mark.parametrize(
    ("database", "cut"),
    [
        ("nova", "between statements"),
        pytest.param("nova_api", "in a statement", marks=pytest.mark.soak),
        pytest.param("nova", "in the archive", marks=pytest.mark.soak),
    ],
)
def test_a_dump_that_was_cut_off_is_refused(life: Lab, tmp_path: Path, database: str, cut: str) -> None:
    schemas = mitaka_schemas(life)
    for name in ("nova", "nova_api"):
        (tmp_path / f"{name}.sql.gz").write_bytes((schemas / f"{name}.sql.gz").read_bytes())
    whole = unpack(schemas, database)
    packed = tmp_path / f"{database}.sql.gz"
    if cut == "in the archive":
        packed.write_bytes(packed.read_bytes()[:-2000])
    else:
        packed.unlink()
        end = whole.rindex("CREATE TABLE") + (0 if cut == "between statements" else 40)
        (tmp_path / f"{database}.sql").write_text(whole[:end])
    with pytest.raises(LabRefused, match=database):
        life.up(dumps=tmp_path)
    assert_nothing_left(life)


GROUND = """#!/bin/sh
# The host's own programs, read-only: enough to run a recipe without a Debian of one's own.
set -eu
mkdir -p "$1/usr" "$1/etc"
mount --bind -o ro /usr "$1/usr"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$1/$name"; done
"""
SCRIPT = """
echo half > /layer
while [ -e "$(cat /run/lab-build/shown)/wait" ]; do sleep 0.86420; done
echo whole > /layer
"""


def tiny_build(cache: Path, shown: Path, narrator: Narrator | None = None) -> list[str]:
    recipe = Recipe("tiny", "a layer for a test", SCRIPT, {"shown": str(shown)}, GROUND)
    mirror = Mirror(AptSource("http://mirror.invalid/debian", "bookworm", ("main",)))
    settings = BuildSettings(mirror, PipSettings({}, (str(shown),)))
    return ImageCache(cache).build(chain((recipe,)), settings, narrator or Narrator(quiet=True))


def test_a_killed_build_leaves_no_layer_no_process_and_no_mount(tmp_path: Path) -> None:
    cache, shown = tmp_path / "cache", tmp_path / "shown"
    shown.mkdir()
    (shown / "wait").touch()
    before = host_mounts()
    script = (
        "import pathlib, tests.lab.test_lab_lifecycle as it;"
        f"it.tiny_build(pathlib.Path({str(cache)!r}), pathlib.Path({str(shown)!r}))"
    )
    builder = subprocess.Popen([sys.executable, "-c", script], cwd=content.PACKAGE.parent)
    wait_until(lambda: any(cache.glob("layers/*.partial-*/fs/layer")), 120, "the build to be half done")
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    wait_until(lambda: not sleeping(), 240, "the build's processes to end")
    assert host_mounts() == before
    assert not list(cache.glob("layers/*/layer.json"))
    (shown / "wait").unlink()
    assert tiny_build(cache, shown) == ["tiny"]
    assert [path.name.split("-")[0] for path in cache.glob("layers/*")] == ["tiny"]
    assert next(cache.glob("layers/*/fs/layer")).read_text() == "whole\n"
    assert json.loads(next(cache.glob("layers/*/layer.json")).read_text())["name"] == "tiny"
    assert not list(cache.glob("layers/*.partial-*"))


def test_a_second_build_waits_for_the_first_and_says_for_whom(tmp_path: Path) -> None:
    cache, shown, said = tmp_path / "cache", tmp_path / "shown", io.StringIO()
    shown.mkdir()
    (shown / "wait").touch()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(tiny_build, cache, shown)
        wait_until(lambda: any(cache.glob("layers/*.partial-*/fs/layer")), 120, "the first build to be half done")
        second = pool.submit(tiny_build, cache, shown, Narrator(stream=said))
        wait_until(lambda: f"pid {os.getpid()} since" in said.getvalue(), 240, "the second build to say that it waits")
        (shown / "wait").unlink()
        assert (first.result(60), second.result(60)) == (["tiny"], [])


def sleeping() -> bool:
    found = Path("/proc").glob("[0-9]*/cmdline")
    return any(b"sleep\x000.86420" in read(path) for path in found)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
