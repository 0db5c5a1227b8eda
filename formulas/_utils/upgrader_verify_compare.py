"""What an API lists against the baseline, by id: nothing missing, nothing doubled, nothing new, nothing changed. Pure."""

import typing

from upgrader_verify_resources import PREFIX, Fields, Resource

# Services that Ocata's catalogue has and Mitaka's has not.
ADDED_KINDS = ("placement", "volumev3", "volumev2", "artifact", "orchestration", "cloudformation")
SHOWN = 5
Finding = typing.Dict[str, str]
Listed = typing.Sequence[typing.Tuple[str, Fields]]


def findings(
    resource: Resource,
    baseline: typing.Optional[typing.Mapping[str, Fields]],
    listed: Listed,
    own: typing.Sequence[str],
) -> typing.List[Finding]:
    """Everything that is wrong with one list. ``own`` are the names under which services of this node register."""
    if resource.name == "orchestration services":
        return _engines(listed, own)
    found = []
    doubled = _doubled(listed)
    if doubled:
        found.append(_blocker(resource, "{} twice or more: {}".format(len(doubled), _some(doubled))))
    if baseline is None:
        return found
    held = dict(listed)
    missing = sorted(set(baseline) - set(held))
    if missing:
        found.append(_blocker(resource, "{} of {} missing: {}".format(len(missing), len(baseline), _some(missing))))
    added = sorted(one for one in set(held) - set(baseline) if not _expected(resource, held[one], own))
    if added:
        found.append(_blocker(resource, "{} that the source does not have: {}".format(len(added), _some(added))))
    changed = [
        "{} {} is {!r}, was {!r}".format(one, field, held[one].get(field), value)
        for one, fields in sorted(baseline.items())
        if one in held
        for field, value in sorted(fields.items())
        if held[one].get(field) != value
    ]
    if changed:
        found.append(_blocker(resource, "{} changed: {}".format(len(changed), "; ".join(changed[:SHOWN]))))
    return found


def _engines(listed: Listed, own: typing.Sequence[str]) -> typing.List[Finding]:
    """Mitaka's engines are gone and cleaned; what counts is that one of this node's is up."""
    up = [fields for _, fields in listed if fields["status"] == "up" and (not own or fields["hostname"] in own)]
    if up:
        return []
    return [
        {
            "severity": "blocker",
            "subject": "orchestration services",
            "what": "no heat engine of this node is up ({} listed)".format(len(listed)),
            "remedy": "see 'journalctl -u heat-engine' on the node",
        }
    ]


def _doubled(listed: Listed) -> typing.List[str]:
    seen, twice = set(), set()  # type: typing.Set[str], typing.Set[str]
    for one, _ in listed:
        (twice if one in seen else seen).add(one)
    return sorted(twice)


def _expected(resource: Resource, fields: Fields, own: typing.Sequence[str]) -> bool:
    """What an upgraded cloud rightly has more than its source."""
    if str(fields.get("name") or "").startswith(PREFIX):
        return True
    if resource.name == "catalogue services":
        return fields["type"] in ADDED_KINDS
    return resource.name == "compute services" and fields["host"] in own


def _some(names: typing.Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (" and {} more".format(more) if more > 0 else "")


def _blocker(resource: Resource, what: str) -> Finding:
    return {
        "severity": "blocker",
        "subject": resource.name,
        "what": "{}: {}".format(resource.name, what),
        "remedy": "compare with '{}' on the source; the copy is not fit to be the cloud".format(resource.command),
    }


def catalogue(
    entries: typing.Sequence[typing.Mapping[str, typing.Any]], wanted: typing.Sequence[str], own: typing.Sequence[str]
) -> typing.List[Finding]:
    """The token's catalogue: every wanted type in all three interfaces, identity v3 only, no host but this node's.

    :param wanted: service types; ``own`` empty means that any host is right (a cloud behind its own addresses)
    """
    from urllib.parse import urlsplit

    def wrong(what: str, remedy: str) -> Finding:
        return {"severity": "blocker", "subject": "catalogue", "what": "catalogue: " + what, "remedy": remedy}

    found, by_kind = [], {}  # type: typing.List[Finding], typing.Dict[str, typing.List[typing.Mapping[str, typing.Any]]]
    for entry in entries:
        by_kind.setdefault(entry["type"], []).extend(entry.get("endpoints", []))
    for kind in wanted:
        lacking = {"public", "internal", "admin"} - {endpoint["interface"] for endpoint in by_kind.get(kind, [])}
        if lacking:
            found.append(
                wrong(
                    "{} has no {} endpoint".format(kind, ", ".join(sorted(lacking))), "add it to keystone's catalogue"
                )
            )
    old = [e["url"] for e in by_kind.get("identity", []) if not e["url"].rstrip("/").endswith("/v3")]
    if old:
        found.append(wrong("identity is offered at {}".format(old[0]), "offer identity v3 only"))
    strangers = sorted(
        {
            e["url"]
            for endpoints in by_kind.values()
            for e in endpoints
            if own and (urlsplit(e["url"]).hostname or "") not in own
        }
    )
    if strangers:
        found.append(wrong("it leads to {}".format(_some(strangers)), "rewrite the copy's endpoints"))
    return found
