"""Backups, dry runs of a restore and prunings: as text for people, as documents for ``-o json`` (docs/json.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from upgrader.plan.step import Plan
from upgrader.report.findings import findings_text
from upgrader.report.text import plan_text
from upgrader.report.wording import short, size

Receipt = Mapping[str, Any]


def list_text(held: Sequence[Receipt]) -> str:
    """One line a backup, newest last."""
    rows = [
        (
            receipt["id"],
            receipt.get("taken_at", ""),
            short(str(receipt.get("node", ""))),
            size(int(receipt.get("bytes", 0))),
            (receipt.get("galera") or {}).get("seqno", ""),
            receipt.get("proven") or "no",
        )
        for receipt in held
    ]
    headers = ["id", "taken at", "node", "size", "seqno", "proven"]
    return tabulate(rows, headers, tablefmt="simple", disable_numparse=True) if rows else "no backup in the store"


def list_document(cloud: str, held: Sequence[Receipt]) -> dict[str, Any]:
    """Schema ``upgrader.backups/1``."""
    return {"schema": "upgrader.backups/1", "cloud": cloud, "backups": [dict(receipt) for receipt in held]}


def one_document(cloud: str, receipt: Receipt) -> dict[str, Any]:
    """Schema ``upgrader.backup/1``."""
    return {"schema": "upgrader.backup/1", "cloud": cloud, "intact": True, "backup": dict(receipt)}


def dry_run_text(plan: Plan, actions: Mapping[str, Sequence[str]], found: Sequence[Mapping[str, Any]], run: str) -> str:
    """The plan, then node by node what it would do, then what stands in the way."""
    lines = [plan_text(plan), "", f"{run} stands for the id of the run; nothing was changed"]
    for node in sorted(actions):
        lines += ["", f"{node}:", *(f"  {number}. {action}" for number, action in enumerate(actions[node], start=1))]
    return "\n".join([*lines, "", findings_text(found)] if found else lines)


def dry_run_document(
    plan: Plan, actions: Mapping[str, Sequence[str]], found: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Schema ``upgrader.restore-dry-run/1``."""
    return {
        "schema": "upgrader.restore-dry-run/1",
        "digest": plan.digest,
        "plan": json.loads(plan.to_json()),
        "refused": any(finding.get("severity") == "blocker" for finding in found),
        "findings": [dict(finding) for finding in found],
        "nodes": {node: list(done) for node, done in actions.items()},
    }


def prune_text(found: Mapping[str, Any], protected: Sequence[str], dry_run: bool) -> str:
    """What was removed, what stays, and which of it only because a run may need it."""
    verb = "would be removed" if dry_run else "removed"
    kept = [f"{identity} (a run may need it)" if identity in protected else identity for identity in found["kept"]]
    return f"{verb}: {', '.join(found['removed']) or 'nothing'}\nkept: {', '.join(kept) or 'nothing'}"


def prune_document(
    cloud: str, found: Mapping[str, Any], protected: Sequence[str], dry_run: bool, run: str | None
) -> dict[str, Any]:
    """Schema ``upgrader.prune/1``."""
    return {
        "schema": "upgrader.prune/1",
        "cloud": cloud,
        "dry_run": dry_run,
        "run": run,
        "removed": list(found["removed"]),
        "kept": list(found["kept"]),
        "protected": list(protected),
    }
