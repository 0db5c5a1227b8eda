"""Refused rows as findings, in the shape of the preflight's: the rehearsal's, and the pages of the live databases put together."""

import typing

from upgrader_node.probe import kind as probe_kind
from upgrader_node.probe import kinds
from upgrader_node.probe.kind import Kind

Finding = typing.Dict[str, typing.Any]
Refused = typing.Sequence[typing.Any]  # key, name, reason
NO_CODE = "judged by its grammar alone, for it may hold passwords; the rehearsal asks {0}'s own code"


def finding(
    kind: Kind, count: int, rows: typing.Sequence[str], statements: typing.Sequence[str], note: str = ""
) -> Finding:
    """What one kind of rows has to tell. ``note`` says how it was judged, where not by the service's own code."""
    what = "{0}: {1}; {2}".format(kind.what, count, kind.fails)
    return {
        "id": "probed-" + kind.id,
        "severity": kind.severity,
        "service": kind.service,
        "subject": kind.subject,
        "what": "{0} ({1})".format(what, note) if note else what,
        "remedy": kind.remedy,
        "statements": list(statements),
        "source": kind.source,
        "count": count,
        "rows": list(rows),
    }


def of_rows(
    kind: Kind, databases: typing.Sequence[str], count: int, refused: typing.Sequence[Refused], note: str = ""
) -> typing.List[Finding]:
    """The finding of some refused rows; none when there are none."""
    words = probe_kind.words_of(databases)
    rows = ["{0} ({1})".format(name, reason) for _, name, reason in refused]
    statements = [kind.mending(words, key) for key, _, _ in refused] if kind.mend else []
    return [finding(kind, count, rows, statements, note)] if count else []


def together(found: typing.Sequence[Finding], listed: int) -> typing.List[Finding]:
    """Findings of pages, one for each kind: counts are added, of rows and statements the first ``listed`` stay."""
    merged = {}  # type: typing.Dict[typing.Tuple[str, str], Finding]
    for one in found:
        place = (one["service"], one["id"])
        if place not in merged:
            merged[place] = dict(one)
            continue
        mine = merged[place]
        kind = kinds.named(one["service"], one["id"].partition("-")[2])
        rows, statements = mine["rows"] + one["rows"], mine["statements"] + one["statements"]
        note = NO_CODE.format(kind.service) if kind.secret else ""
        merged[place] = finding(kind, mine["count"] + one["count"], rows[:listed], statements[:listed], note)
    return list(merged.values())


def summary(
    service: str, version: str, heard: typing.Mapping[str, typing.Mapping[str, int]], found: typing.Sequence[Finding]
) -> str:
    """``nova 15.1.5 was asked over 1,234 rows of 14 kinds, 120 of them different; it refuses none``."""
    rows, judged = (sum(told[word] for told in heard.values()) for word in ("rows", "judged"))
    said = "{0} was asked over {1:,} rows of {2} kinds, {3:,} of them different".format(
        version or service, rows, len(heard), judged
    )
    refused = sum(one["count"] for one in found)
    return said + "; it refuses {0}".format("{0:,}".format(refused) if refused else "none")
