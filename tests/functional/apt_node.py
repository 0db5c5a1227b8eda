"""A node with real apt and dpkg: small packages of two releases under Ubuntu's names, made here, in sources that are folders.

What is in the packages is a stand-in; names, versions, dependencies, configuration files and maintainer scripts are what apt, dpkg
and systemd act upon, and those are real.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

MITAKA, OCATA = "2:13.1.4-0ubuntu4", "2:15.1.0-0ubuntu1~cloud0"
CONFIGURATION = Path("/etc/upgrader-bench/nova.conf")
UNIT = "upgrader-bench.service"
UNIT_FILE = f"/lib/systemd/system/{UNIT}"
UNIT_TEXT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
STARTS = f"#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl -q enable {UNIT}\ndeb-systemd-invoke start {UNIT}\n"
SOURCE = Path("/etc/apt/sources.list.d/upgrader-bench.list")
NAMES = (
    "nova-common", "nova-compute", "python-nova", "python-os-vif", "neutron-common", "neutron-plugin-old", "python-ryu",
    "qemu-system-x86", "libvirt0", "openvswitch-switch", "contrail-vrouter-agent", "bench-unrelated",
)  # fmt: skip


class Source:
    """One folder of packages that apt reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.stanzas: dict[tuple[str, str], str] = {}

    @property
    def line(self) -> str:
        return f"deb [trusted=yes] file:{self.folder} ./"

    def add(
        self, name: str, version: str, relations: str = "", files: dict[str, str] | None = None, **scripts: str
    ) -> None:
        """Build a package; ``relations`` are lines of its control file, ``scripts`` maintainer scripts by their name."""
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: bench <bench@lab.local>\n"
        control += f"{relations.strip()}\n" if relations.strip() else ""
        control += "Description: made for a test\n"
        built, root = self.folder / f"{name}_{version.replace(':', '%3a')}_all.deb", self.folder / "build"
        shutil.rmtree(root, ignore_errors=True)
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN" / "control").write_text(control)
        for path, text in (files or {}).items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        conffiles = [path for path in files or {} if path.startswith("/etc/")]
        if conffiles:
            (root / "DEBIAN" / "conffiles").write_text("\n".join(conffiles) + "\n")
        for script, text in scripts.items():
            (root / "DEBIAN" / script).write_text(text)
            (root / "DEBIAN" / script).chmod(0o755)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", root, built], check=True, capture_output=True
        )
        shutil.rmtree(root)
        held = built.read_bytes()
        self.stanzas[name, version] = (
            f"{control}Filename: ./{built.name}\nSize: {len(held)}\nSHA256: {hashlib.sha256(held).hexdigest()}\n"
        )
        self.publish()

    def without(self, name: str, version: str) -> None:
        del self.stanzas[name, version]
        self.publish()

    def publish(self) -> None:
        (self.folder / "Packages").write_text("\n".join(self.stanzas.values()))


def mitaka_packages(source: Source) -> None:
    """What a compute has before."""
    source.add("nova-common", MITAKA, f"Depends: python-nova (= {MITAKA})", {str(CONFIGURATION): "release = mitaka\n"})
    source.add("nova-compute", MITAKA, f"Depends: nova-common (= {MITAKA}), libvirt0", {UNIT_FILE: UNIT_TEXT})
    source.add("python-nova", MITAKA)
    source.add("neutron-common", "2:8.4.0-0ubuntu7")
    source.add("neutron-plugin-old", "2:8.4.0-0ubuntu7", "Depends: neutron-common")
    source.add("python-ryu", "4.9-1")
    source.add("qemu-system-x86", "1:2.5+dfsg-5ubuntu10")
    source.add("libvirt0", "1.3.1-1ubuntu10")
    source.add("openvswitch-switch", "2.5.4-0ubuntu0")
    source.add("contrail-vrouter-agent", "3.1.1.0-45")
    source.add("bench-unrelated", "1")


def ocata_packages(source: Source) -> None:
    """What the target release has for it: a new dependency, one that goes, a unit that its package would start."""
    source.add("nova-common", OCATA, f"Depends: python-nova (= {OCATA})", {str(CONFIGURATION): "release = ocata\n"})
    needs = f"Depends: nova-common (= {OCATA}), libvirt0, python-os-vif"
    source.add("nova-compute", OCATA, needs, {UNIT_FILE: UNIT_TEXT}, postinst=STARTS)
    source.add("python-nova", OCATA)
    source.add("python-os-vif", "1.4.0-0ubuntu1~cloud0")
    source.add("neutron-common", "2:10.0.7-0ubuntu1~cloud0")
    source.add("qemu-system-x86", "1:2.8+dfsg-3ubuntu2.9~cloud0")
    source.add("libvirt0", "2.5.0-3ubuntu5~cloud0")
    source.add("openvswitch-switch", "2.6.1-0ubuntu5~cloud0")
    source.add("contrail-vrouter-agent", "3.2.0.0-10")
    source.add("bench-unrelated", "2")


@cache
def built(release: str) -> Source:
    """A release's packages, built once: each test has a copy."""
    source = Source(Path(tempfile.mkdtemp(prefix="packages-")) / release)
    {"mitaka": mitaka_packages, "ocata": ocata_packages}[release](source)
    return source


def copy_of(release: str, root: Path) -> Source:
    made = Source(root / release)
    shutil.copytree(built(release).folder, made.folder, dirs_exist_ok=True)
    made.stanzas = dict(built(release).stanzas)
    return made


class AptNode:
    """This very node, with the packages of a Mitaka compute from one source, and a source of Ocata beside it."""

    def __init__(self, root: Path) -> None:
        self.mitaka, self.ocata = copy_of("mitaka", root), copy_of("ocata", root)
        self.use(self.mitaka)
        self.apt("update")
        self.apt("install", *(name for name in NAMES if self._has(name)))
        CONFIGURATION.write_text("release = mitaka\n# the operator's own line\n")

    def _has(self, name: str) -> bool:
        return any(one == name for one, _ in self.mitaka.stanzas)

    def close(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            SOURCE.unlink()
        subprocess.run(["systemctl", "disable", "--now", UNIT], capture_output=True, check=False)
        subprocess.run(["dpkg", "--purge", "--force-all", *NAMES], capture_output=True, check=False)
        shutil.rmtree("/var/lib/upgrader/package", ignore_errors=True)
        shutil.rmtree("/var/backups/upgrader/package", ignore_errors=True)
        for path in Path("/etc/apt").glob("*.before-*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)

    def use(self, *sources: Source) -> None:
        SOURCE.write_text("".join(f"{one.line}\n" for one in sources))

    def apt(self, *words: str) -> None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        done = subprocess.run(
            ["apt-get", "-q", "-y", *words], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def versions(self) -> dict[str, str]:
        """By another door than the code under test: ``dpkg -s``."""
        found = {}
        for name in NAMES:
            text = subprocess.run(["dpkg", "-s", name], capture_output=True, text=True, check=False).stdout
            fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
            if fields.get("Status", "").endswith(" ok installed"):
                found[name] = fields["Version"]
            elif fields.get("Status") and not fields["Status"].endswith(("config-files", "not-installed")):
                found[name] = f"{fields['Status']} {fields['Version']}"
        return found


def unit_runs() -> bool:
    return subprocess.run(["systemctl", "is-active", "-q", UNIT], check=False).returncode == 0


def processes_of(program: str) -> list[int]:
    """Processes whose command begins with this program."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[0].decode("utf-8", "replace").rpartition("/")[2] == program:
                found.append(int(folder.name))
    return found
