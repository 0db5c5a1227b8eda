"""The drivers that a node's configuration names, against those that the new release's own code has.

What it has is derived from that code (tools/derive_drivers.py, files/drivers.json). neutron-lbaas: version 1 was removed in Newton
(neutron-lbaas 9.0.0). That backends have to be named in ``enabled_backends`` says the config report (``options.notes``).
Names of drivers are no secret, and the only values that are told.
"""

import re
import typing
from types import MappingProxyType

from upgrader_node.host.findings import BLOCKER, WARNING, Finding, Findings, of_node
from upgrader_node.options import judgement

Known = typing.Mapping[str, typing.Mapping[str, typing.Any]]
Files = judgement.Files
THEIRS = "its package has to be of the new release too: ask who makes it, and put that package where the new nodes install from"
SECTIONS = {
    "core_plugin": "DEFAULT",
    "service_plugins": "DEFAULT",
    "mechanism_drivers": "ml2",
    "type_drivers": "ml2",
    "extension_drivers": "ml2",
}
"""Where neutron's configuration names plugins and drivers."""
CONTRAIL = "neutron-plugin-contrail"
SWITCH, LEAST_SWITCH = "openvswitch-switch", "2.4"
LBAAS_1 = (
    "lbaas",
    "neutron_lbaas.services.loadbalancer.plugin.LoadBalancerPlugin",
    "neutron.services.loadbalancer.plugin.LoadBalancerPlugin",
)


def findings(
    node: str,
    files: typing.Mapping[str, Files],
    known: Known,
    packages: typing.Mapping[str, str] = MappingProxyType({}),
) -> Findings:
    """Of each service that has files on this node. ``packages``: those that are installed, for the version of a stranger."""
    judges = {"cinder": _cinder, "glance": _glance, "neutron": _neutron}
    told = [
        one
        for service, judge in judges.items()
        if files.get(service)
        for one in judge(node, files[service], known[service])
    ]
    return [_with_version(one, packages) for one in told]


def _with_version(one: Finding, packages: typing.Mapping[str, str]) -> Finding:
    """OpenContrail's plugin with the version of its package: its own upgrade has to bring one for the new release."""
    version = packages.get(CONTRAIL)
    if not version or "contrail" not in one["what"]:
        return one
    return dict(one, what="{}; {} {} is installed".format(one["what"], CONTRAIL, version))


def hypervisor(node: str, packages: typing.Mapping[str, str], known: Known) -> Findings:
    """libvirt and QEMU that the new nova-compute still works with (nova virt/libvirt/driver.py: MIN_LIBVIRT_VERSION, MIN_QEMU_VERSION)."""
    found = []  # type: Findings
    for what, names in (("libvirt", ("libvirt-daemon", "libvirt-bin")), ("qemu", ("qemu-system-x86", "qemu-kvm"))):
        version = next((packages[name] for name in names if name in packages), "")
        least = known["nova"][what]
        if version and numbers(version) < numbers(least):
            sentence = "has {} {}, and nova {} needs {} at least".format(what, version, known["nova"]["version"], least)
            found.append(
                of_node(
                    node,
                    sentence,
                    "upgrade it, with the node's release of Ubuntu if need be",
                    BLOCKER,
                    id="matrix-" + what,
                )
            )
    return found


def switch(node: str, packages: typing.Mapping[str, str]) -> Findings:
    """Open vSwitch that Ocata's agent is meant for (Ocata's Networking Guide, "Open vSwitch mechanism driver": 2.4 or higher)."""
    version = packages.get(SWITCH, "")
    if not version or numbers(version) >= numbers(LEAST_SWITCH):
        return []
    what = "has Open vSwitch {}, and {} or higher is recommended for the new agent".format(version, LEAST_SWITCH)
    remedy = "upgrade {} first, at a time when the traffic of this node may stop".format(SWITCH)
    return [of_node(node, what, remedy, WARNING, id="matrix-switch")]


def numbers(version: str) -> typing.Tuple[int, ...]:
    """``1:2.0.0+dfsg-2ubuntu1`` as (2, 0, 0)."""
    plain = re.match(r"(?:\d+:)?([\d.]+)", version)
    return tuple(int(part) for part in plain.group(1).split(".") if part) if plain else ()


def _cinder(node: str, files: Files, known: typing.Mapping[str, typing.Any]) -> Findings:
    own = _merged(files)
    default = own.get("DEFAULT", {})
    backends = _listed(default.get("enabled_backends", ""))
    found = []  # type: Findings
    named = [(name, own.get(name, {}).get("volume_driver", "")) for name in backends]
    named = named or [("DEFAULT", default.get("volume_driver", ""))]
    for section, driver in named:
        found += _path(node, "cinder", "volume_driver", "[{}]".format(section), driver, known)
    return found + _path(node, "cinder", "backup_driver", "[DEFAULT]", default.get("backup_driver", ""), known)


def _path(
    node: str, service: str, option: str, where: str, driver: str, known: typing.Mapping[str, typing.Any]
) -> Findings:
    if not driver or driver in known[option]:
        return []
    release = "{} {}".format(service, known["version"])
    there = "{} {} {} of {}'s configuration".format(option, driver, where, service)
    if driver in known.get("renamed", {}):
        what = "names {}, which {} calls {} and still takes".format(there, release, known["renamed"][driver])
        return [_found(node, option, what, "write the new name when there is time", WARNING)]
    if driver.startswith(service + "."):
        remedy = (
            "bring these volumes to another driver, or keep the old one as a package of its own, before the upgrade"
        )
        return [_found(node, option, "names {}, which {} does not have".format(there, release), remedy, BLOCKER)]
    return [_found(node, option, "names {}, which is none of {}'s own".format(there, release), THEIRS, WARNING)]


def _glance(node: str, files: Files, known: typing.Mapping[str, typing.Any]) -> Findings:
    section = _merged(files).get("glance_store", {})
    named = dict.fromkeys([*_listed(section.get("stores", "")), *_listed(section.get("default_store", ""))])
    lost = [name for name in named if name not in known["stores"]]
    what = "names stores {} in [glance_store] of glance's configuration, which glance_store {} does not have"
    remedy = "copy the images that lie there to another store, and take it out of stores and default_store"
    return [_found(node, "stores", what.format(", ".join(lost), known["version"]), remedy, BLOCKER)] if lost else []


def _neutron(node: str, files: Files, known: typing.Mapping[str, typing.Any]) -> Findings:
    own, found = _merged(files), []  # type: typing.Tuple[judgement.Conf, Findings]
    for option, section in SECTIONS.items():
        for name in _listed(own.get(section, {}).get(option, "")):
            found += _plugin(node, option, name, known)
    return found


def _plugin(node: str, option: str, name: str, known: typing.Mapping[str, typing.Any]) -> Findings:
    if name in known[option]:
        return []
    release, there = "neutron {}".format(known["version"]), "{} {} in neutron's configuration".format(option, name)
    if name in LBAAS_1:
        remedy = "delete its load balancers or make them anew with version 2 (lbaasv2) before the upgrade; there is no way over"
        return [
            _found(node, option, "names {}, LBaaS of version 1, which Newton removed".format(there), remedy, BLOCKER)
        ]
    if name.startswith("neutron."):
        return [
            _found(
                node,
                option,
                "names {}, which {} does not have".format(there, release),
                "write what took its place",
                BLOCKER,
            )
        ]
    return [_found(node, option, "names {}, which is none of {}'s own".format(there, release), THEIRS, WARNING)]


def _found(node: str, option: str, what: str, remedy: str, severity: str) -> Finding:
    return of_node(node, what, remedy, severity, id="matrix-" + option.replace("_", "-"))


def _merged(files: Files) -> typing.Dict[str, typing.Dict[str, str]]:
    """All files of a service as one; what a later one says of an option counts."""
    own = {}  # type: typing.Dict[str, typing.Dict[str, str]]
    for conf in files.values():
        for section, options in conf.items():
            own.setdefault(section, {}).update(options)
    return own


def _listed(text: str) -> typing.List[str]:
    return [name.strip() for name in text.replace("\n", ",").split(",") if name.strip()]
