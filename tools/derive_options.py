#!/usr/bin/env python3
"""Prints formulas/upgrader/openstack/files/options/SERVICE.json: what an installed service says of its own options.

Run in the bench node, where every service is installed (docs/operating.md has the command). The part that loads a service
runs in that service's own virtualenv, so this file is Python 2.7 and 3 at once. The definitions are asked as
oslo-config-generator asks them: the entry points ``oslo.config.opts``, after the service has set its own defaults.
"""

from __future__ import print_function, unicode_literals

import json
import os
import socket
import subprocess
import sys

LIBRARIES = (
    "keystonemiddleware",
    "oslo.",
    "osprofiler",
    "castellan",
)
# service: (virtualenv, release of what is installed there, distribution, first words of its own namespaces)
SERVICES = {
    "keystone": ("pike", "Pike", "keystone", ("keystone",)),
    "glance": ("pike", "Pike", "glance", ("glance.",)),
    "nova": ("ocata", "Ocata", "nova", ("nova.conf",)),
    "cinder": ("ocata", "Ocata", "cinder", ("cinder",)),
    "neutron": ("ocata", "Ocata", "neutron", ("neutron", "nova.auth")),
    "heat": ("rocky", "Rocky", "openstack-heat", ("heat.",)),
}
# Options that a service registers and lists nowhere: oslo.config's own.
OWN = ("config_file", "config_dir")
# Stands for what depends on the machine.
MACHINE = "7919"
HIDDEN = "kept for old files; auth_type, auth_url, username, password, project_name take its place"
# Libraries whose code may define what their lists leave out.
READ = ("oslo_cache", "oslo_concurrency", "oslo_db", "oslo_log", "oslo_messaging", "oslo_middleware", "oslo_policy")
READ += ("oslo_service", "neutron_lib")


def namespaces(service):
    """The entry points that hold options of this service: its own and those of the libraries installed beside it."""
    import pkg_resources

    own = SERVICES[service][3]
    names = {point.name for point in pkg_resources.iter_entry_points("oslo.config.opts")}
    wanted = [n for n in names if n in own or any(n.startswith(w if w.endswith(".") else w + ".") for w in own)]
    return sorted(set(wanted) | {n for n in names if n.startswith(LIBRARIES)})


def derive(service):
    """``{group: {option: {"default", "was", "gone"}}}`` of one service, groups in lower case as oslo.config holds them."""
    from oslo_config import cfg, generator

    groups = {"DEFAULT": {name: {} for name in OWN}}
    # Not generator._list_opts, which keeps one of two options of the same name, and loses the old names of the other.
    generator._update_defaults(namespaces(service))
    for _, listing in generator._get_raw_opts_loaders(namespaces(service)):
        for group, options in listing():
            name = getattr(group, "name", group) or "DEFAULT"
            for option in options:
                if not isinstance(option, cfg.SubCommandOpt):
                    merge(groups.setdefault(folded(name), {}), option, name)
    for option in queue_options():
        merge(groups["oslo_messaging_rabbit"], option, "oslo_messaging_rabbit")
    for option in hidden_auth_options():
        if "keystone_authtoken" in groups:
            merge(groups["keystone_authtoken"], option, "keystone_authtoken")
            groups["keystone_authtoken"][option.dest]["gone"] = HIDDEN
    for group, options in groups.items():
        if "auth_type" in options:
            for option in auth_options():
                merge(options, option, group)
    return groups


def merge(options, option, group):
    """Adds one option; several libraries may register the same one."""
    known = options.setdefault(option.dest, {})
    was = {tuple(pair) for pair in known.get("was", [])}
    for old in option.deprecated_opts:
        pair = (folded(old.group or group or ""), (old.name or option.dest).replace("-", "_"))
        if pair != (folded(group), option.dest):
            was.add(pair)
    if was:
        known["was"] = sorted(list(pair) for pair in was)
    if option.deprecated_for_removal:
        known["gone"] = " ".join((getattr(option, "deprecated_reason", None) or "").split())
    default = plain(option)
    if default is not None:
        known["default"] = default


def plain(option):
    """The default as the sample file has it; None where it is none, or depends on the machine."""
    value = option.sample_default if option.sample_default is not None else option.default
    if isinstance(value, (list, tuple)):
        value = ",".join("{0}".format(item) for item in value)
    text = "" if value is None else "{0}".format(value)
    here = any(word in text for word in (socket.gethostname(), sys.prefix, MACHINE))
    return None if value is None or here or isinstance(value, dict) else text


def neutral():
    """Defaults that count processors or ask for an address get a word that ``plain`` leaves out."""
    import multiprocessing
    import types

    from oslo_utils import netutils

    multiprocessing.cpu_count = lambda: int(MACHINE)
    netutils.get_my_ipv4 = lambda: MACHINE
    # cinder 10's infinidat driver imports this library of tests, and its options cannot be listed without it.
    sys.modules.setdefault("mock", types.ModuleType(str("mock")))


def auth_options():
    """What [keystone_authtoken] and its like take beside their own options: those of every way to log in."""
    from keystoneauth1 import loading

    found = []
    for _, loader in sorted(loading.get_available_plugin_loaders().items()):
        found += [option._to_oslo_opt() for option in loader.get_options()]
    return found


def queue_options():
    """What oslo.messaging lists in DEFAULT, and its rabbit driver registers in its own section as well."""
    from oslo_messaging._drivers import base

    return base.base_opts


def hidden_auth_options():
    """Those that keystonemiddleware still takes and lists no more, so that no sample file shows them."""
    from keystonemiddleware.auth_token import _auth

    return [option._to_oslo_opt() if hasattr(option, "_to_oslo_opt") else option for option in _auth.OPTS]


def folded(group):
    """Groups are compared in lower case, but for DEFAULT (oslo.config, ``_normalize_group_name``)."""
    return group if group.upper() == "DEFAULT" else group.lower()


def unlisted(service, groups):
    """Options that the service's code defines and its own list leaves out: known all the same, group unknown."""
    import ast

    known, found = {name for options in groups.values() for name in options}, set()
    for path in sources((service,) + READ):
        with open(path, "rb") as source:
            found |= defined(ast.parse(source.read()))
    return sorted(found - known)


def sources(packages):
    """The Python files of those packages that are installed, without their tests."""
    import pkgutil

    for found in filter(None, (pkgutil.find_loader(package) for package in packages)):
        for folder, _, files in os.walk(os.path.dirname(found.get_filename())):
            if "/tests" not in folder:
                for name in sorted(files):
                    if name.endswith(".py"):
                        yield os.path.join(folder, name)


def defined(tree):
    """Names given to oslo.config's option classes in a source, as in ``cfg.IntOpt('agent_down_time', ...)``."""
    import ast

    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    named = [c for c in calls if isinstance(c.args[0], ast.Str) and getattr(c.func, "attr", "").endswith("Opt")]
    return {c.args[0].s.replace("-", "_") for c in named if c.func.attr not in ("DeprecatedOpt", "SubCommandOpt")}


def document(service):
    import pkg_resources

    neutral()
    _, release, distribution, _ = SERVICES[service]
    version = pkg_resources.get_distribution(distribution).version
    groups = derive(service)
    head = {"service": service, "release": release, "version": version}
    return dict(head, groups=groups, unlisted=unlisted(service, groups))


def rendered(found):
    """One option a line, so that a change of one is a line of the diff."""
    groups = []
    for group, options in sorted(found["groups"].items()):
        lines = [
            "    {0}: {1}".format(json.dumps(n), json.dumps(o, sort_keys=True)) for n, o in sorted(options.items())
        ]
        groups.append("  {0}: {{\n{1}\n  }}".format(json.dumps(group), ",\n".join(lines)))
    head = [
        "{0}: {1},".format(json.dumps(k), json.dumps(found[k])) for k in ("service", "release", "version", "unlisted")
    ]
    return "{" + "\n".join(head) + '\n"groups": {\n' + ",\n".join(groups) + "\n}}\n"


def asked(service):
    """The document of one service, from its own Python."""
    python = "/opt/{0}/bin/python".format(SERVICES[service][0])
    said = subprocess.check_output([python, "-W", "ignore", os.path.abspath(__file__), service, "here"])
    return json.loads(said.decode("utf-8"))


def main(service, here=""):
    if here:
        print(json.dumps(document(service)))
    else:
        print(rendered(asked(service)), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
