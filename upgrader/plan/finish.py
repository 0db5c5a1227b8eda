"""Stage finish: the operator's final word. The kept member becomes one like the others, kept disks go. There is no way back after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from upgrader.cloud.cloud import BACKUP, Cloud
from upgrader.cloud.roles import KVM
from upgrader.errors import Refused, UsageError
from upgrader.plan.backup_member import kept_and_others
from upgrader.plan.blocks import member
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.blocks.shapes import ONLY_REMOVES, READY, work
from upgrader.plan.step import Call, Facts, Options, Step


def finish(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Give the member back, and delete the disks that the real upgrade kept."""
    built = options.built
    if built is None:
        raise UsageError("name the run of real-upgrade that is closed; 'upgrader history' lists the runs")
    nodes = tuple(sorted({*cloud.holding(BACKUP, KVM), cloud.master, *(built.kept.members if built.kept else ())}))
    gates, given = _given_back(cloud, options)
    needs = (given[-1].id,) if given else READY
    discards = [_discard(node, receipt, needs) for node, receipt in built.receipts.items()]
    if not given and not discards:
        raise Refused(f"run {built.run} keeps neither a database member nor a disk: there is nothing to close")
    return (*common_gates(nodes, facts), *gates, *given, *discards)


def _given_back(cloud: Cloud, options: Options) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The member, where one is kept. A backup that was placed beside stays until it is pruned."""
    assert options.built is not None
    if options.built.kept is None:
        return (), ()
    kept, _ = kept_and_others(cloud, replace(options, kept=options.built.kept))
    return (member.rejoin_gate(kept),), member.rejoined(kept, needs=("member-wanted",))


def _discard(node: str, receipt: Mapping[str, Any], needs: tuple[str, ...]) -> Step:
    """Only behind the databases: while they could go back, so could the disks."""
    call = Call("module", "upgrader_disk.discard", (receipt["node"],), {"receipt": receipt})
    host = node.split(".", 1)[0]
    title = f"delete the disk of {host} that was kept"
    return work(f"machine-discard-{host}", title, call, ONLY_REMOVES, needs)
