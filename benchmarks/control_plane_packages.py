"""What a controller is installed from when its base image holds no service: a local mirror of the lab's own code, as wheels and packages.

Made of what stands on a node of the lab, without any network: each distribution of its Python environments becomes the wheel that it
was installed from again (by its RECORD), what no distribution owns becomes one archive for each environment, and Debian's packages
come from the image cache under the versions that the node has.
"""

from __future__ import annotations

import configparser
import csv
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from upgrader.errors import LabRefused

ENVIRONMENTS = ("pike", "ocata", "rocky")
ROOTS = ("python2.7", "libpython2.7", "memcached", "netbase")
"""What the environments and the services need of Debian; what those depend on comes with them."""
SITE = "lib/python2.7/site-packages"
STAYS = ("pip", "setuptools", "wheel")
"""Part of an empty environment, as virtualenv makes it."""
NOT_IN_A_WHEEL = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
ABOVE = "../../../"

Package = Mapping[str, str]


def mirror(node: Path, plain: Path, debs: Path, target: Path) -> dict[str, int]:
    """Write the mirror into an empty folder; how many wheels and packages it has.

    ``node`` is the root of a node that holds everything, ``plain`` that of the base image without services. Raises LabRefused when a
    package is not in the cache (``debs``): an image that was built elsewhere leaves none here.
    """
    counted = {"wheels": 0, "packages": 0}
    for name in ENVIRONMENTS:
        root, folder = node / "opt" / name, target / name
        folder.mkdir(parents=True)
        owned = set[str]()
        for info in distributions(root / SITE):
            if info.rpartition("-")[0] not in STAYS:
                owned |= {str(path) for path in _owned(root, info)}
                wheel(root, info, folder)
                counted["wheels"] += 1
        skeleton(root, owned, target / f"{name}.tar", f"opt/{name}")
    (target / "debs").mkdir()
    has = read_status((node / "var/lib/dpkg/status").read_text())
    for file in closure(ROOTS, has, read_status((plain / "var/lib/dpkg/status").read_text())):
        _link(debs / file, target / "debs" / file)
        counted["packages"] += 1
    return counted


def _link(source: Path, target: Path) -> None:
    if not source.is_file():
        raise LabRefused(
            f"The cache has no package {source}; take the folder `layers` of the cache away and run `upgrader lab build`."
        )
    target.write_bytes(source.read_bytes())


def distributions(site: Path) -> list[str]:
    """The names without ``.dist-info`` of all that pip installed."""
    return sorted(path.name.removesuffix(".dist-info") for path in site.glob("*.dist-info"))


def _record(root: Path, info: str) -> list[str]:
    with (root / SITE / f"{info}.dist-info" / "RECORD").open(newline="", encoding="utf-8") as file:
        return [row[0] for row in csv.reader(file) if row]


def _owned(root: Path, info: str) -> Iterator[PurePosixPath]:
    """The files of a distribution, as paths below the environment."""
    for path in _record(root, info):
        yield PurePosixPath(path.removeprefix(ABOVE)) if path.startswith(ABOVE) else PurePosixPath(SITE, path)


def wheel(root: Path, info: str, folder: Path) -> Path:
    """The wheel that a distribution of an environment was installed from, without what was taken out of the environment since."""
    site = root / SITE
    commands = _commands(site / f"{info}.dist-info" / "entry_points.txt")
    made = folder / f"{info}-{_tags((site / f'{info}.dist-info' / 'WHEEL').read_text())}.whl"
    names = list[str]()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in _record(root, info):
            place = place_of(path, info, commands)
            if place and (site / path).is_file():
                names.append(place)
                packed.writestr(_entry(place, site / path), _content(place, site / path))
        rows = "".join(f"{_quoted(name)},,\n" for name in [*names, f"{info}.dist-info/RECORD"])
        packed.writestr(f"{info}.dist-info/RECORD", rows)
    return made


def place_of(path: str, info: str, commands: Sequence[str]) -> str:
    """Where a file of a RECORD lies in the wheel; "" for what pip makes itself, and for the place in which it has lain already."""
    folder, _, name = path.rpartition("/")
    made = path.endswith(".pyc") or (folder == f"{info}.dist-info" and name in NOT_IN_A_WHEEL)
    if made or path.startswith(f"{info}.data/"):
        return ""
    if path.startswith(f"{ABOVE}bin/"):
        return "" if name in commands else f"{info}.data/scripts/{name}"
    return f"{info}.data/data/{path.removeprefix(ABOVE)}" if path.startswith(ABOVE) else path


def _entry(place: str, source: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(place)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (source.stat().st_mode & 0o777 | 0o100000) << 16
    return entry


def _content(place: str, source: Path) -> bytes:
    """pip writes the environment's own Python into a script that says just so."""
    content = source.read_bytes()
    if ".data/scripts/" in place and content.startswith(b"#!"):
        return b"#!python" + content[content.find(b"\n") :]
    return content


def _quoted(name: str) -> str:
    return f'"{name}"' if "," in name else name


def _commands(entry_points: Path) -> list[str]:
    """Commands that pip makes by itself."""
    if not entry_points.is_file():
        return []
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read_string(entry_points.read_text(encoding="utf-8"))
    groups = ("console_scripts", "gui_scripts")
    return [name for group in groups if parser.has_section(group) for name in parser.options(group)]


def _tags(wheel_file: str) -> str:
    """``py2.py3-none-any`` out of the lines of a WHEEL file."""
    tags = [line.partition(": ")[2].strip().split("-") for line in wheel_file.splitlines() if line.startswith("Tag: ")]
    return "-".join(".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))


def skeleton(root: Path, owned: set[str], target: Path, name: str) -> None:
    """What of an environment no wheel has: Python's own links and files, pip, and configuration that wheels lack."""
    with tarfile.open(target, "w") as packed:
        for path in sorted(root.rglob("*")):
            below = path.relative_to(root).as_posix()
            # A folder without files would be a distribution without metadata to pip.
            folder, compiled = path.is_dir() and not path.is_symlink(), path.suffix == ".pyc" and below.startswith(SITE)
            if below not in owned and not folder and not compiled:
                packed.add(path, f"{name}/{below}", recursive=False)


def read_status(text: str) -> dict[str, Package]:
    """dpkg's status by package; of fields that go over several lines only the first."""
    found = dict[str, Package]()
    for block in text.split("\n\n"):
        lines = (line.partition(": ") for line in block.splitlines() if not line.startswith(" "))
        fields = {name: value for name, _, value in lines}
        if fields.get("Package"):
            found[fields["Package"]] = fields
    return found


def closure(roots: Sequence[str], has: Mapping[str, Package], plain: Mapping[str, Package]) -> list[str]:
    """Files of the packages ``roots`` and of what they need and ``plain`` has not in that version, as apt's cache names them."""
    todo, found = list(roots), dict[str, str]()
    while todo:
        name = todo.pop()
        one = has.get(name)
        if one is None or name in found or plain.get(name, {}).get("Version") == one["Version"]:
            continue
        found[name] = f"{name}_{one['Version'].replace(':', '%3a')}_{one['Architecture']}.deb"
        needs = f"{one.get('Pre-Depends', '')},{one.get('Depends', '')}".split(",")
        todo += [re.sub(r"[ (:].*", "", other.strip()) for need in needs for other in need.split("|")]
    return sorted(found.values())
