"""What an API lists against the baseline, by id: nothing missing, nothing doubled, nothing changed. Pure.

A difference by which nothing is lost is a note: an object more than the source has, or nothing spelled as an empty text. Only a
service or an entry of the catalogue that nobody of this copy has made is more than that: somebody else works on the copy.
"""

import typing
from urllib.parse import urlsplit

from upgrader_node.host.findings import INFO, WARNING, Findings, finding, some
from upgrader_node.verify.resources import PREFIX, Fields, Resource

# Services that Ocata's catalogue has and Mitaka's has not.
ADDED_KINDS = ("placement", "volumev3", "volumev2", "artifact", "orchestration", "cloudformation")
SHOWN = 5
NOTHING = (None, "")
INTERFACES = ("public", "internal", "admin")
ENGINES = "orchestration services"
Entry = typing.Mapping[str, typing.Any]
Records = typing.Mapping[str, Fields]
Listed = typing.Sequence[typing.Tuple[str, Fields]]


def findings(
    resource: Resource,
    baseline: typing.Optional[typing.Mapping[str, Fields]],
    listed: Listed,
    own: typing.Sequence[str],
) -> Findings:
    """What is wrong with one list, and what is worth a note.

    :param own: the names under which services of this node register; empty for production, whose services register from anywhere
    """
    if resource.name == ENGINES:
        return _engines(listed, own)
    wrong = [_blocker(resource, _doubled(listed))]
    if baseline is not None:
        held = dict(listed)
        added = _added(resource, baseline, held, own)
        wrong.append(_blocker(resource, _missing(baseline, held)))
        wrong.append(_blocker(resource, added) if resource.registers and own else _note(resource, added, WARNING))
        wrong.append(_blocker(resource, _changed(baseline, held)))
        wrong.append(_note(resource, _respelled(baseline, held), INFO))
    return [one for each in wrong for one in each]


def _engines(listed: Listed, own: typing.Sequence[str]) -> Findings:
    """Mitaka's engines are gone and cleaned; what counts is that one of this node's is up."""
    up = [fields for _, fields in listed if fields["status"] == "up" and (not own or fields["hostname"] in own)]
    if up:
        return []
    what = "no heat engine of this node is up ({} listed)".format(len(listed))
    return [finding(ENGINES, what, "see 'journalctl -u heat-engine' on the node")]


def _doubled(listed: Listed) -> str:
    seen, twice = set(), set()  # type: typing.Set[str], typing.Set[str]
    for one, _ in listed:
        (twice if one in seen else seen).add(one)
    return "{} twice or more: {}".format(len(twice), some(sorted(twice))) if twice else ""


def _missing(baseline: Records, held: Records) -> str:
    missing = sorted(set(baseline) - set(held))
    return "{} of {} missing: {}".format(len(missing), len(baseline), some(missing)) if missing else ""


def _added(resource: Resource, baseline: Records, held: Records, own: typing.Sequence[str]) -> str:
    added = sorted(one for one in set(held) - set(baseline) if not _expected(resource, held[one], own))
    return "{} that the source does not have: {}".format(len(added), some(added)) if added else ""


def _differences(baseline: Records, held: Records, respelled: bool) -> typing.List[str]:
    return [
        "{} {} is {!r}, was {!r}".format(one, field, held[one].get(field), value)
        for one, fields in sorted(baseline.items())
        if one in held
        for field, value in sorted(fields.items())
        if held[one].get(field) != value and (held[one].get(field) in NOTHING and value in NOTHING) is respelled
    ]


def _changed(baseline: Records, held: Records) -> str:
    changed = _differences(baseline, held, False)
    return "{} changed: {}".format(len(changed), "; ".join(changed[:SHOWN])) if changed else ""


def _respelled(baseline: Records, held: Records) -> str:
    spelled = _differences(baseline, held, True)
    return "{} spelled otherwise: {}".format(len(spelled), "; ".join(spelled[:SHOWN])) if spelled else ""


def _expected(resource: Resource, fields: Fields, own: typing.Sequence[str]) -> bool:
    """What an upgraded cloud rightly has more than its source."""
    if str(fields.get("name") or "").startswith(PREFIX):
        return True
    if resource.name == "catalogue services":
        return fields["type"] in ADDED_KINDS
    return resource.name == "compute services" and fields["host"] in own


def _blocker(resource: Resource, what: str) -> Findings:
    remedy = "compare with '{}' on the source; the copy is not fit to be the cloud".format(resource.command)
    return [finding(resource.name, "{}: {}".format(resource.name, what), remedy)] if what else []


def _note(resource: Resource, what: str, severity: str) -> Findings:
    remedy = "nothing is lost by it; compare with '{}' on the source if you wonder".format(resource.command)
    return [finding(resource.name, "{}: {}".format(resource.name, what), remedy, severity)] if what else []


def catalogue(
    entries: typing.Sequence[Entry],
    wanted: typing.Sequence[str],
    own: typing.Sequence[str],
    interfaces: typing.Iterable[str] = INTERFACES,
) -> Findings:
    """The token's catalogue: every wanted type in these interfaces, identity v3 only, no host but this node's.

    :param wanted: service types; ``own`` empty means that any host is right (a cloud behind its own addresses)
    """
    by_kind = {}  # type: typing.Dict[str, typing.List[Entry]]
    for entry in entries:
        by_kind.setdefault(entry["type"], []).extend(entry.get("endpoints", []))
    urls = [endpoint["url"] for endpoints in by_kind.values() for endpoint in endpoints]
    wrong = [_lacking(kind, by_kind.get(kind, []), interfaces) for kind in wanted]
    old = [e["url"] for e in by_kind.get("identity", []) if not e["url"].rstrip("/").endswith("/v3")]
    if old:
        wrong.append(("identity is offered at {}".format(old[0]), "offer identity v3 only"))
    away = sorted({url for url in urls if own and (urlsplit(url).hostname or "") not in own})
    if away:
        wrong.append(("it leads to {}".format(some(away)), "rewrite the copy's endpoints"))
    return [finding("catalogue", "catalogue: " + what, remedy) for what, remedy in wrong if what]


def _lacking(kind: str, endpoints: typing.Sequence[Entry], interfaces: typing.Iterable[str]) -> typing.Tuple[str, str]:
    lacking = set(interfaces) - {endpoint["interface"] for endpoint in endpoints}
    what = "{} has no {} endpoint".format(kind, ", ".join(sorted(lacking))) if lacking else ""
    return what, "add it to keystone's catalogue"
