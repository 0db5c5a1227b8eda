"""What answers hold that a report shows: findings, receipts, verifications, rows, outages. Only the keys that are named here.

An answer is never copied whole: what no table names stays in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from upgrader.journal.progress import RunProgress
from upgrader.report.said import findings_of

Fields = dict[str, Any]
Where = dict[str, str]
MOST_ROWS = 10
SIMPLE = (str, int, float, bool, type(None))

BACKUP = (
    "id", "node", "cloud", "taken_at", "seconds", "bytes", "data_bytes", "sha256", "path", "compression",
    "server_version", "tool", "proven",
)  # fmt: skip
DISKS = ("run", "domain", "node", "state", "mode", "taken_at")
DISK = ("path", "kept", "size", "allocated", "sha256")
MEMBER = ("id", "node", "at")
GALERA = ("name", "uuid", "seqno")
CALL = ("call", "command", "found", "expected", "seconds")


def findings(run: RunProgress) -> list[Fields]:
    """Every finding of every step's last answers, blockers first, then warnings."""
    found = [
        {**where, **_finding(one)}
        for step in run.plan.steps()
        for node, one in findings_of(run.steps[step.id].replies)
        for where in ({"step": step.id, "node": node},)
    ]
    order = {"blocker": 0, "warning": 1}
    return sorted(found, key=lambda one: order.get(one["severity"], 2))


def _finding(one: Mapping[str, Any]) -> Fields:
    rows = [str(row) for row in one.get("rows") or []]
    words = {key: str(one.get(key) or "") for key in ("severity", "service", "subject", "what", "remedy")}
    return {**words, "count": _number(one.get("count"), len(rows)), "rows": rows[:MOST_ROWS]}


def receipts(run: RunProgress) -> list[Fields]:
    """What was kept for a way back: backups, disks, database members. Of a backup that several steps answer the last word."""
    kept: dict[tuple[str, str, str], Fields] = {}
    for where, value in _values(run):
        receipt = value.get("receipt")
        if isinstance(receipt, Mapping):
            told = _receipt(receipt)
            name = str(told["id"] if "id" in told else told.get("run", ""))
            kept[told["kind"], name, str(told.get("domain", ""))] = {**where, **told}
    return list(kept.values())


def _receipt(receipt: Mapping[str, Any]) -> Fields:
    """A receipt by what it holds; of one of a kind that nobody knows here only its id."""
    if isinstance(receipt.get("disks"), list):
        disks = [_only(disk, DISK) for disk in receipt["disks"] if isinstance(disk, Mapping)]
        return {"kind": "disks", **_only(receipt, DISKS), "disks": disks}
    kind, keys = ("backup", BACKUP) if "bytes" in receipt else ("member", MEMBER)
    galera = receipt.get("galera")
    if kind == "member" and not isinstance(galera, Mapping):
        return {"kind": "other", **_only(receipt, ("id", "node"))}
    return {"kind": kind, **_only(receipt, keys), "galera": _only(galera, GALERA) if galera else None}


def verifications(run: RunProgress) -> list[Fields]:
    """What a cloud was asked, call by call (``upgrader_verify.calls``)."""
    found = []
    for where, value in _values(run):
        calls = value.get("calls")
        if isinstance(calls, list):
            rows = [_only(call, CALL) for call in calls if isinstance(call, Mapping)]
            found.append({**where, "comment": str(value.get("comment", "")), "calls": rows})
    return found


def rows(run: RunProgress) -> list[Fields]:
    """How many rows or objects there were: of a backup by database (``{schema: {table: {"total"}}}``), else by name."""
    found: list[Fields] = []
    for where, value in _values(run):
        counts = value.get("counts")
        if isinstance(counts, Mapping):
            found += [{**where, "name": str(name), **_counted(held)} for name, held in counts.items()]
    return [row for row in found if row["rows"] is not None]


def _counted(held: Any) -> Fields:
    """Of a database its tables and their rows together."""
    if isinstance(held, Mapping):
        totals = [table.get("total") for table in held.values() if isinstance(table, Mapping)]
        return {"rows": sum(total for total in totals if isinstance(total, int)), "tables": len(held)}
    return {"rows": _number(held, None), "tables": None}


def compared(run: RunProgress) -> list[Fields]:
    """The steps that held a copy's rows against the backup's, and what they said."""
    return [
        {**where, "compared": value["compared"], "comment": str(value.get("comment", ""))}
        for where, value in _values(run)
        if isinstance(value.get("compared"), bool)
    ]


def outages(run: RunProgress) -> list[Fields]:
    """How long each API did not answer, from a prober's summary (``targets``)."""
    return [
        {**where, "target": str(name), **_outage(said)}
        for where, value in _values(run)
        if isinstance(value.get("targets"), Mapping)
        for name, said in value["targets"].items()
        if isinstance(said, Mapping)
    ]


def _outage(said: Mapping[str, Any]) -> Fields:
    """``ended`` of an outage says whether somebody saw its end."""
    return {
        "seconds": _number(said.get("down_seconds"), _number(said.get("seconds"), 0)),
        "longest": _number(said.get("longest_seconds"), _number(said.get("longest"), 0)),
        "outages": [{**_lasted(one), "ended": one.get("ended") is not False} for one in _mappings(said.get("outages"))],
    }


def not_watched(run: RunProgress) -> list[Fields]:
    """When no prober lived: such time is neither up nor down."""
    return [
        {**where, **_lasted(one)}
        for where, value in _values(run)
        if isinstance(value.get("targets"), Mapping)
        for one in _mappings(value.get("not_watched"))
    ]


def _lasted(one: Mapping[str, Any]) -> Fields:
    return {"from": str(one.get("from", "")), "seconds": _number(one.get("seconds"), 0)}


def _mappings(given: Any) -> list[Mapping[str, Any]]:
    return [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []


def _values(run: RunProgress) -> Iterator[tuple[Where, Mapping[str, Any]]]:
    """The last answers of all steps, also of failed ones: a node that did its part has said something."""
    for step in run.plan.steps():
        for node, reply in run.steps[step.id].replies.items():
            value = reply.get("value")
            if isinstance(value, Mapping):
                yield {"step": step.id, "node": node}, value


def _only(given: Any, keys: Sequence[str]) -> Fields:
    """The named keys that are there and hold something simple."""
    return {key: given[key] for key in keys if key in given and isinstance(given[key], SIMPLE)}


def _number(given: Any, otherwise: Any) -> Any:
    return given if isinstance(given, (int, float)) and not isinstance(given, bool) else otherwise


PARTS: Mapping[str, Callable[[RunProgress], list[Fields]]] = {
    "findings": findings,
    "receipts": receipts,
    "verifications": verifications,
    "rows": rows,
    "compared": compared,
    "outages": outages,
    "not_watched": not_watched,
}
"""Key of the document to what fills it."""
