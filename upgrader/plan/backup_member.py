"""Stages backup hold, back and rejoin: one database member kept as the way back, used, or given back to the cluster."""

from __future__ import annotations

from dataclasses import replace

from upgrader.cloud.cloud import DATABASE, Cloud
from upgrader.errors import Refused, UsageError
from upgrader.plan.blocks import member
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.step import BACKUPS, Facts, Kept, Options, Step

LEAST = 3
"""Members that a cluster needs to do without one: two others keep the quorum while both are well."""


def hold(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Keep one member: the last one, unless the operator names another; the first is the one that proxies send clients to."""
    members, node = cloud.role(DATABASE), kept_node(cloud, options.member)
    return (
        *common_gates(members, facts),
        member.hold_gate(members, node),
        *member.held(members, node, needs=("member-fits",)),
    )


def kept_node(cloud: Cloud, wanted: str) -> str:
    """Which member is to be kept. Raises Refused where the cluster cannot do without one, UsageError for a strange name."""
    members = cloud.role(DATABASE)
    if len(members) < LEAST:
        raise Refused(
            f"the database cluster of cloud {cloud.name} has {len(members)} member(s) and needs {LEAST} to do without one: "
            f"use 'upgrader backup place ID' as the quick way back"
        )
    return _named(wanted, members) if wanted else members[-1]


def back(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """The cluster founded from the kept member; nodes that are dead are left out by name."""
    kept, others = kept_and_others(cloud, options)
    answer, *common = common_gates(tuple(sorted((kept.node, *others))), facts)
    return (
        replace(answer, mends=BACKUPS),
        *common,
        *member.back_gates(kept, others),
        *member.gone_back(kept, others, needs=("member-untouched", "member-others")),
    )


def kept_and_others(cloud: Cloud, options: Options) -> tuple[Kept, tuple[str, ...]]:
    """The kept member, and those of the others that are not left out. Raises UsageError where nobody is left."""
    kept = _kept(cloud, options)
    without = {_named(name, kept.members) for name in options.without}
    if kept.node in without:
        raise UsageError(
            f"{kept.node} is the kept member itself: without it only 'upgrader backup restore ID' goes back"
        )
    others = tuple(node for node in kept.members if node != kept.node and node not in without)
    if not others:
        raise UsageError("no member is left that could join the kept one: start the others, or restore a backup")
    return kept, others


def rejoin(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """The operator's final word: the kept member becomes one like the others."""
    kept = _kept(cloud, options)
    return (
        *common_gates(kept.members, facts),
        member.rejoin_gate(kept),
        *member.rejoined(kept, needs=("member-wanted",)),
    )


def _kept(cloud: Cloud, options: Options) -> Kept:
    """What the run keeps, as long as the model names the same database nodes as then."""
    if options.kept is None:
        raise UsageError("name the run that keeps the member; 'upgrader history' lists the runs")
    then, now = set(options.kept.members), set(cloud.role(DATABASE))
    if then != now:
        told = [f"{name} was added since" for name in sorted(now - then)]
        told += [f"{name} is gone from it" for name in sorted(then - now)]
        raise Refused(
            f"the model's database nodes are not those of run {options.kept.run} ({', '.join(told)}): stop what was added, "
            f"put pillar upgrader:nodes:database back, then again; or go back by 'upgrader backup restore ID'"
        )
    return options.kept


def _named(name: str, members: tuple[str, ...]) -> str:
    """A member by its id or its name without the domain."""
    for node in members:
        if name in (node, node.split(".", 1)[0]):
            return node
    raise UsageError(f"{name} is no database node: there are {', '.join(members)}")
