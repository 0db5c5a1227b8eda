#!/usr/bin/env python3
"""Prints formulas/upgrader/openstack/files/drivers.json: the drivers that the new release's own code has.

    python3 tools/derive_drivers.py CINDER_NEUTRON_NOVA_SITE_PACKAGES GLANCE_STORE_SITE_PACKAGES

Both are folders of installed packages (``site-packages`` of the virtualenvs of docs/operating.md). Nothing is imported: lines of modules
and entry points are read.
"""

import ast
import configparser
import json
import re
import sys
from pathlib import Path

CINDER = {"volume_driver": "cinder/volume/drivers", "backup_driver": "cinder/backup/drivers"}
NEUTRON = {
    "core_plugin": "neutron.core_plugins",
    "service_plugins": "neutron.service_plugins",
    "mechanism_drivers": "neutron.ml2.mechanism_drivers",
    "type_drivers": "neutron.ml2.type_drivers",
    "extension_drivers": "neutron.ml2.extension_drivers",
}
OF_TESTS = ".tests."
DEFINED = re.compile(r"^class (\w*Driver)\b", re.M)


def classes(packages, folder):
    """The modules below ``folder`` and ``a.b.Class`` of every class that one defines, or takes in from another as a driver.

    By lines and not by a parser: what Python 2 wrote is not all of it Python 3.
    """
    found = set()
    for path in sorted((packages / folder).rglob("*.py")):
        parts = path.relative_to(packages).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        taken = re.findall(r"^from \S+ import (\w*Driver)$", text, re.M)
        found.update({module, *("{}.{}".format(module, name) for name in [*DEFINED.findall(text), *taken])})
    return sorted(found)


def renamed(packages):
    """The old paths that cinder still takes: ``MAPPING`` of its volume manager."""
    text = (packages / "cinder/volume/manager.py").read_text()
    table = re.search(r"^MAPPING = (\{.*?^\})", text, re.M | re.S).group(1)
    return dict(sorted(ast.literal_eval(table).items()))


def points(packages, distribution):
    """Entry points of an installed distribution: group to name to what it leads to."""
    [path] = packages.glob("{}-*.dist-info/entry_points.txt".format(distribution))
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string(path.read_text())
    return {group: dict(parser[group]) for group in parser.sections()}


def version(packages, distribution):
    [path] = packages.glob("{}-*.dist-info".format(distribution))
    return re.match(r"[^-]+-([^-]+)\.dist-info", path.name).group(1)


def named(held):
    return sorted(name for name, target in held.items() if OF_TESTS not in target)


def with_paths(held):
    """Names, and the paths that they stand for: both may be written."""
    return sorted(set(named(held)) | {held[name].replace(":", ".") for name in named(held)})


def minimum(packages, name):
    """``MIN_LIBVIRT_VERSION = (1, 2, 1)`` of nova's driver, as text."""
    text = (packages / "nova/virt/libvirt/driver.py").read_text()
    numbers = re.search(r"^{} = \(([\d, ]+)\)".format(name), text, re.M).group(1)
    return ".".join(numbers.replace(" ", "").split(","))


def main():
    ocata, store = Path(sys.argv[1]), Path(sys.argv[2])
    neutron, stores = points(ocata, "neutron"), points(store, "glance_store")["glance_store.drivers"]
    found = {
        "cinder": {
            "version": version(ocata, "cinder"),
            "renamed": renamed(ocata),
            **{option: classes(ocata, folder) for option, folder in CINDER.items()},
        },
        "glance": {"version": version(store, "glance_store"), "stores": named(stores)},
        "neutron": {
            "version": version(ocata, "neutron"),
            **{option: with_paths(neutron[group]) for option, group in NEUTRON.items()},
        },
        "nova": {
            "version": version(ocata, "nova"),
            "libvirt": minimum(ocata, "MIN_LIBVIRT_VERSION"),
            "qemu": minimum(ocata, "MIN_QEMU_VERSION"),
        },
    }
    print(json.dumps(found, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
