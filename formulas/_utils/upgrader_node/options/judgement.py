"""A node's configuration files held against the options that the new release knows. Names only: a value may be a secret.

What the release knows is data, derived from the installed packages (files/options of formula openstack); what only the
release notes tell is in ``options.notes``.
"""

import fnmatch
import typing

from upgrader_node.host.findings import BLOCKER, INFO, WARNING, Finding, Findings, finding
from upgrader_node.options import notes
from upgrader_node.options.notes import NEEDED, REMOVED, VALUES

Conf = typing.Mapping[str, typing.Mapping[str, str]]
Files = typing.Mapping[str, Conf]
Known = typing.Mapping[str, typing.Any]
Row = typing.Dict[str, str]

# The files of each service, the main one first.
FILES = {
    "keystone": ("/etc/keystone/keystone.conf",),
    "glance": ("/etc/glance/glance-api.conf", "/etc/glance/glance-registry.conf", "/etc/glance/glance-cache.conf"),
    "nova": ("/etc/nova/nova.conf", "/etc/nova/nova-compute.conf"),
    "cinder": ("/etc/cinder/cinder.conf",),
    "neutron": (
        "/etc/neutron/neutron.conf",
        "/etc/neutron/plugins/ml2/ml2_conf.ini",
        "/etc/neutron/plugins/ml2/openvswitch_agent.ini",
        "/etc/neutron/plugins/ml2/linuxbridge_agent.ini",
        "/etc/neutron/l3_agent.ini",
        "/etc/neutron/dhcp_agent.ini",
        "/etc/neutron/metadata_agent.ini",
    ),
    "heat": ("/etc/heat/heat.conf",),
}
KINDS = ("removed", "renamed", "deprecated", "default-changed", "needed", "unknown")
SHOWN = 10


class Option(typing.NamedTuple):
    """One option, and where it stands."""

    service: str
    file: str
    group: str
    option: str

    def row(self, kind: str, what: str, remedy: str, severity: str = "warning") -> Row:
        head = {"service": self.service, "file": self.file, "group": self.group, "option": self.option}
        return dict(head, kind=kind, what=what, remedy=remedy, severity=severity)


def judge(service: str, files: Files, known: Known) -> typing.List[Row]:
    """Everything in a service's files that the new release sees in another way; file by file, then what is not there."""
    rows = []  # type: typing.List[Row]
    for path, conf in files.items():
        for section, options in conf.items():
            rows += _section(service, files, known, path, section, options)
    return rows + _absent(service, files, known)


def folded(group: str) -> str:
    """Groups are compared in lower case, but for DEFAULT, as oslo.config does."""
    return "DEFAULT" if group.upper() == "DEFAULT" else group.lower()


def release(known: Known) -> str:
    """What the judgement speaks of, e.g. ``nova 15.1.5 (Ocata)``."""
    return "{0} {1} ({2})".format(known["service"], known["version"], known["release"])


def backends(files: Files) -> typing.Set[str]:
    """Cinder's backend sections: they hold what otherwise stands in DEFAULT."""
    named = ",".join(conf.get("DEFAULT", {}).get("enabled_backends", "") for conf in files.values())
    return {folded(name.strip()) for name in named.split(",") if name.strip()}


def _of_backend(known: Known) -> Known:
    """What a backend's section may hold: cinder registers options for them under DEFAULT, and some as those of ``backend``."""
    groups = known["groups"]
    return dict(known, groups=dict(groups, DEFAULT=dict(groups["DEFAULT"], **groups.get("backend", {}))))


def _section(
    service: str, files: Files, known: Known, path: str, section: str, options: typing.Mapping[str, str]
) -> typing.List[Row]:
    group = folded(section)
    if service == "cinder" and group in backends(files):
        group, known = "DEFAULT", _of_backend(known)
    judged = [
        _option(Option(service, path, section, name), group, name.replace("-", "_"), value, known)
        for name, value in options.items()
    ]
    rows = [row for row in judged if row]
    strange = [row for row in rows if row["kind"] == "unknown"]
    if not strange:
        return rows
    what = "{0} registers no such section ({1} options in it)".format(release(known), len(strange))
    remedy = "leave it if a plugin or a driver of your own reads it; else remove it"
    whole = Option(service, path, section, "*").row("unknown", what, remedy, "info")
    return [row for row in rows if row["kind"] != "unknown"] + [whole]


def _option(option: Option, group: str, name: str, value: str, known: Known) -> typing.Optional[Row]:
    """What there is to say of one option that is set, or None."""
    noted = _noted(option, (option.service, group, name), value)
    if noted:
        return noted
    definition = known["groups"].get(group, {}).get(name)
    if definition is not None:
        return _deprecated(option, definition)
    return _renamed(option, group, name, known) or _unknown(option, group, name, known)


def _noted(option: Option, at: typing.Tuple[str, str, str], value: str) -> typing.Optional[Row]:
    """What only the release notes tell."""
    for note in VALUES:
        if note.at == at and any(fnmatch.fnmatchcase(value.strip().lower(), pattern) for pattern in note.patterns):
            return option.row("removed", note.what, note.remedy, note.severity)
    return option.row("removed", *REMOVED[at]) if at in REMOVED else None


def _deprecated(option: Option, definition: Known) -> typing.Optional[Row]:
    if "gone" not in definition:
        return None
    what = ": ".join(filter(None, ("deprecated for removal", definition["gone"])))
    return option.row("deprecated", what, "it still works")


def _renamed(option: Option, group: str, name: str, known: Known) -> typing.Optional[Row]:
    new = ["[{0}]/{1}".format(_shown(option, group, to), other) for to, other in _new_names(group, name, known)]
    if not new:
        return None
    where = " or ".join(new)
    return option.row("renamed", "{0} calls it {1}".format(release(known), where), "write " + where)


def _unknown(option: Option, group: str, name: str, known: Known) -> typing.Optional[Row]:
    if name in known["unlisted"]:
        return None
    if group not in known["groups"]:
        return option.row("unknown", "", "", "info")
    what = "no such option in {0}".format(release(known))
    return option.row("removed", what, "remove it, unless a plugin of your own reads it")


def _new_names(group: str, name: str, known: Known) -> typing.List[typing.Tuple[str, str]]:
    return [
        (to, option)
        for to, options in sorted(known["groups"].items())
        for option, definition in sorted(options.items())
        if [group, name] in definition.get("was", [])
    ]


def _shown(option: Option, group: str, to: str) -> str:
    """A backend section keeps its own name: its options are those of DEFAULT under another heading."""
    return option.group if to == group else to


def _absent(service: str, files: Files, known: Known) -> typing.List[Row]:
    """What is not set: options whose default is another one now, and those that the new release cannot do without."""
    rows = []
    for note in notes.CHANGED:
        path = _file_of(note.file, files)
        if note.service == service and path and not _is_set(note.group, note.option, files, known):
            what = "default was {0}, is {1}: {2}".format(note.was, note.now, note.what)
            option = Option(service, path, note.group, note.option)
            rows.append(option.row("default-changed", what, note.remedy))
    for needed in NEEDED:
        path = _file_of("", files)
        if needed.service == service and path and not _is_set(needed.group, needed.option, files, known):
            rows.append(Option(service, path, needed.group, needed.option).row("needed", needed.what, needed.remedy))
    return rows


def _file_of(name: str, files: Files) -> str:
    """The file in which a note's option belongs, "" where this node has none; no name means the main one."""
    return next((path for path in files if not name or path.endswith("/" + name)), "")


def _is_set(group: str, option: str, files: Files, known: Known) -> bool:
    """Under its own name or an old one, in any of the files."""
    was = known["groups"].get(folded(group), {}).get(option, {}).get("was", [])
    names = {(folded(group), option)} | {(to, name) for to, name in was}
    return any(
        (folded(section), name.replace("-", "_")) in names
        for conf in files.values()
        for section, options in conf.items()
        for name in options
    )


def findings(rows: typing.Sequence[Row], releases: typing.Mapping[str, str]) -> Findings:
    """Each blocker, then one warning a service: a gate's answer stays short, the rows are the table."""
    summaries = [_summary(service, rows, releases[service]) for service in sorted(releases)]
    return [_blocker(row) for row in rows if row["severity"] == BLOCKER] + [one for one in summaries if one]


def _summary(service: str, rows: typing.Sequence[Row], version: str) -> Finding:
    """All of one service's rows that stop nothing, as one finding; empty when there are none."""
    of = [row for row in rows if row["service"] == service and row["severity"] != BLOCKER]
    if not of:
        return {}
    severity = WARNING if any(row["severity"] == WARNING for row in of) else INFO
    what = "{0} sees options of its files in another way: {1}".format(version, counted(of))
    more = {"id": "options-" + service, "count": len(of), "rows": [named(row) for row in of[:SHOWN]]}
    return finding(service, what, "write the new configuration by the table of 'upgrader preflight'", severity, **more)


def counted(rows: typing.Sequence[Row]) -> str:
    """``3 removed, 2 renamed``."""
    counts = [(sum(row["kind"] == kind for row in rows), kind.replace("-", " ")) for kind in KINDS]
    return ", ".join("{0} {1}".format(number, kind) for number, kind in counts if number)


def named(row: Row) -> str:
    return "[{0}]/{1}".format(row["group"], row["option"])


def _blocker(row: Row) -> Finding:
    what = "{0} of {1}: {2}".format(named(row), row["file"], row["what"])
    more = {"id": "options-{0}-stops".format(row["service"]), "count": 1, "rows": [named(row)]}
    return finding(row["service"], what, row["remedy"], BLOCKER, **more)
