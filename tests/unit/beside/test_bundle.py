"""The archive that nodes get: what it must hold, and how it is handed out."""

from __future__ import annotations

import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from upgrader.beside.bundle import read_bundle, served
from upgrader.errors import UsageError

WHOLE = (
    *("salt/bin/python3", "salt/salt-minion", "salt/salt-master"),
    *("salt/lib/python3.10/site-packages/salt-3006.9.dist-info/METADATA", "salt/extras-3.10/pymysql/__init__.py"),
)


def archive(folder: Path, names: tuple[str, ...], suffix: str = ".tar.xz") -> Path:
    tree = folder / "tree"
    for name in names:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    made = folder / f"salt{suffix}"
    with tarfile.open(made, "w:xz" if suffix.endswith("xz") else "w") as one:
        for entry in sorted(tree.iterdir()):
            one.add(entry, entry.name)
    return made


@pytest.mark.parametrize("suffix", [".tar", ".tar.xz"])
def test_onedir_with_the_driver_is_taken(tmp_path: Path, suffix: str) -> None:
    bundle = read_bundle(archive(tmp_path, WHOLE, suffix))
    assert bundle.programs == ""
    assert bundle.name == f"salt-{bundle.sha256[:12]}"
    assert bundle.unpacked == sum(map(len, WHOLE))


def test_programs_may_lie_in_bin(tmp_path: Path) -> None:
    names = tuple(name.replace("salt/salt-", "salt/bin/salt-") for name in WHOLE)
    assert read_bundle(archive(tmp_path, names)).programs == "bin/"


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("bin/python3", "has no salt/bin/python3; docs/site.md"),
        ("salt-minion", "has no salt-minion"),
        ("3006.9", "has no Salt of 3006 or newer"),
        ("pymysql", r"has no PyMySQL \(salt-pip install PyMySQL\)"),
    ],
)
def test_what_an_archive_lacks_is_named(tmp_path: Path, missing: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_bundle(archive(tmp_path, tuple(name for name in WHOLE if missing not in name)))


def test_older_salt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Salt of 3006 or newer"):
        read_bundle(archive(tmp_path, tuple(name.replace("3006.9", "3005.1") for name in WHOLE)))


def test_several_folders_and_garbage_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must hold one folder, salt/, and holds 2 names"):
        read_bundle(archive(tmp_path, (*WHOLE, "other/file")))
    garbage = tmp_path / "garbage.tar"
    garbage.write_bytes(b"no archive at all" * 100)
    with pytest.raises(UsageError, match="cannot be read as a tar archive"):
        read_bundle(garbage)


def test_archive_is_handed_out_under_its_path_only_and_no_longer_than_asked(tmp_path: Path) -> None:
    bundle = read_bundle(archive(tmp_path, WHOLE))
    with served(bundle, 47527) as path:
        base = "http://127.0.0.1:47527"
        with urllib.request.urlopen(base + path) as answer:
            assert answer.read() == bundle.path.read_bytes()
        for other in ("/", f"/{bundle.name}.tar", "/../../etc/passwd"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(base + other)
        with pytest.raises(UsageError, match="port 47527 of this machine cannot be taken"), served(bundle, 47527):
            pass
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(base + path)
