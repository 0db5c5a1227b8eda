"""The report's tables, made once from the document, for the page and for Markdown alike. Cells are plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from upgrader.report.account.node_tables import NODE_TABLES
from upgrader.report.account.table import MOST, Document, Table
from upgrader.report.wording import duration, node_list, short, size

DOWNTIME = "Downtime"


def tables(document: Document) -> list[Table]:
    """The sections that have something to say, in the order in which they are read."""
    made = [make(document) for make in MADE]
    return [table for table in made if table.rows]


def head(document: Document) -> list[tuple[str, str]]:
    """What stands at the top, as name and value."""
    facts = ", ".join(f"{name} {digest[:12]}" for name, digest in document["facts"].items() if digest)
    took = duration(document["seconds"])
    idle = document["seconds"] - document["working_seconds"]
    return [
        ("cloud", f"{document['cloud']}, {document['source']} to {document['target']}"),
        ("run", document["run"]),
        ("stage", f"{document['part']} {document['stage']}: {document['title']}"),
        ("by", document["operator"]),
        *_approved(document),
        ("when", f"{clock(document['started_at'])} to {clock(document['last_at'])} UTC"),
        ("took", f"{took}, of that {duration(idle)} between attempts" if idle > 1 else took),
        ("plan", document["digest"]),
        ("made from", facts or "nothing that was written down"),
        ("upgrader", document["version"] or "unknown version"),
        ("journal", document["journal"]),
    ]


def _approved(document: Document) -> list[tuple[str, str]]:
    given = document["approval"]
    return (
        [("approved", f"by {given['by']} at {clock(given['at'])} UTC, asked by {given['asked_by']}")] if given else []
    )


def clock(at: str) -> str:
    """``2017-08-01 10:15:03``."""
    return at[:19].replace("T", " ")


def _attempts(document: Document) -> Table:
    rows = [
        (
            str(number), one["kind"], one["operator"], clock(one["begun"]), duration(one["seconds"]),
            "; ".join(filter(None, (one["state"], one["reason"], *(f"accepted: {text}" for text in one["accepted"])))),
        )
        for number, one in enumerate(document["attempts"], start=1)
    ]  # fmt: skip
    return Table(
        "Attempts",
        "A run that was cut or failed goes on where it stopped; what was settled is not done again.",
        ("#", "began as", "by", "at (UTC)", "took", "ended"),
        rows,
        [one["state"] for one in document["attempts"]],
    )


def _steps(document: Document) -> Table:
    rows = [
        (
            str(number),
            f"{step['title']} ({step['id']})",
            node_list(step["nodes"]),
            step["state"] + (f", {step['attempts']} tries" if step["attempts"] > 1 else ""),
            "" if step["seconds"] is None else duration(step["seconds"]),
            step["reason"] or step["result"],
            f"undo: {step['undo']}" if step["undo"] else step["no_undo"],
        )
        for number, step in enumerate(document["steps"], start=1)
    ]
    headers = ("#", "step", "nodes", "state", "time", "result", "way back")
    return Table("Steps", "In the order of the plan.", headers, rows, [step["state"] for step in document["steps"]])


def _not_reached(document: Document) -> Table:
    rows = [(one["step"], ", ".join(one["because"])) for one in document["not_reached"]]
    return Table(
        "Not reached",
        "Steps that did not begin, and the failed ones that kept them.",
        ("step", "because of"),
        rows,
        first=True,
    )


def findings(document: Document) -> Table:
    """What the steps' answers found, of the document's ``findings``."""
    found = document["findings"]
    rows = [
        (
            one["severity"],
            "/".join(filter(None, (one["service"], one["subject"]))),
            one["what"] + _named(one),
            one["remedy"],
            f"{one['step']} on {short(one['node'])}",
        )
        for one in found[:MOST]
    ]
    more = f" The first {MOST} of {len(found)}; the JSON report has all." if len(found) > MOST else ""
    said = f"Blockers stop a step, warnings are to be read.{more}"
    headers = ("severity", "about", "what", "remedy", "found by")
    return Table("Findings", said, headers, rows, [one["severity"] for one in found], first=True)


def _named(one: Mapping[str, Any]) -> str:
    shown = one["rows"][:3]
    more = max(one["count"], len(one["rows"])) - len(shown)
    return f" ({', '.join(shown)}{f' and {more} more' if more > 0 else ''})" if shown else ""


def _receipts(document: Document) -> Table:
    rows = [
        (
            one["kind"],
            str(one.get("id") or one.get("run") or ""),
            short(str(one.get("node", ""))),
            _holds(one),
            one["step"],
        )
        for one in document["receipts"]
    ]
    said = "What was kept for a way back. 'upgrader backup list' has the backups of the store."
    return Table("Receipts", said, ("kind", "id", "node", "holds", "step"), rows)


def _holds(one: Mapping[str, Any]) -> str:
    galera = one.get("galera") or {}
    parts = [
        size(int(one["bytes"])) if isinstance(one.get("bytes"), int) else "",
        f"sha256 {one['sha256']}" if one.get("sha256") else "",
        f"seqno {galera['seqno']} of {galera.get('uuid', '')}" if "seqno" in galera else "",
        f"taken {one['taken_at']}" if one.get("taken_at") else "",
        f"proven {one['proven']}" if one.get("proven") else ("not proven" if one["kind"] == "backup" else ""),
        f"{one['domain']}, {one.get('state', '')}" if one.get("domain") else "",
        *(f"{disk.get('kept', '')} ({size(int(disk.get('size') or 0))})" for disk in one.get("disks", ())),
    ]
    return "; ".join(filter(None, parts))


def _verifications(document: Document) -> Table:
    calls = [(one, call) for one in document["verifications"] for call in one["calls"]]
    rows = [
        (
            str(call.get("call", "")),
            _known(call.get("found")),
            _known(call.get("expected")),
            _seconds(call),
            str(call.get("command", "")),
        )
        for _, call in calls
    ]
    states = ["failed" if _differs(call) else "done" for _, call in calls]
    said = " ".join(f"{one['step']}: {one['comment']}." for one in document["verifications"])
    return Table("Verification", said, ("call", "found", "source", "seconds", "by hand"), rows, states)


def _differs(call: Mapping[str, Any]) -> bool:
    """Less than the source had. More is for the findings to judge."""
    found, expected = call.get("found"), call.get("expected")
    return isinstance(expected, int) and (not isinstance(found, int) or found < expected)


def _known(value: object) -> str:
    return "" if value is None else str(value)


def _seconds(call: Mapping[str, Any]) -> str:
    given = call.get("seconds")
    return f"{given:.2f}" if isinstance(given, (int, float)) else ""


def _rows(document: Document) -> Table:
    rows = [
        (
            one["name"],
            f"{one['rows']:,}",
            "" if one["tables"] is None else str(one["tables"]),
            f"{one['step']} on {short(one['node'])}",
        )
        for one in document["rows"]
    ]
    judged = [one["step"] for one in document["compared"] if one["compared"]]
    said = (
        f"Compared with the backup, table by table, after the schemas were changed, by: {', '.join(judged)}."
        if judged
        else ""
    )
    return Table("Rows", said, ("name", "rows", "tables", "counted by"), rows[:MOST])


def _outages(document: Document) -> Table:
    rows = [
        (
            one["target"], duration(one["seconds"]), duration(one["longest"]), str(len(one["outages"])),
            "; ".join(map(_single, one["outages"][:10])),
        )
        for one in document["outages"]
    ]  # fmt: skip
    headers = ("API", "down", "longest", "times", "when (UTC)")
    states = ["failed" if one["outages"] else "done" for one in document["outages"]]
    unseen = sum(one["seconds"] for one in document["not_watched"])
    said = f" For {duration(unseen)} nobody watched: that is neither up nor down." if unseen else ""
    return Table(DOWNTIME, f"As a prober saw it from outside.{said}", headers, rows, states, first=True)


def _single(one: Mapping[str, Any]) -> str:
    return f"{clock(one['from'])}, {duration(one['seconds'])}" + ("" if one["ended"] else ", its end was not seen")


def _stamps(document: Document) -> Table:
    rows = [(one["step"], one["operator"], clock(one["at"]), one["reason"]) for one in document["stamps"]]
    return Table("Done by hand", "Steps that somebody recorded as done.", ("step", "by", "at (UTC)", "reason"), rows)


MADE: Sequence[Callable[[Document], Table]] = (
    _not_reached, *NODE_TABLES, findings, _outages, _verifications, _rows, _receipts, _attempts, _stamps, _steps,
)  # fmt: skip
