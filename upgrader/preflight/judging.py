"""Answers of all nodes as findings: what a node itself found, who is silent, and what only shows beside the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from upgrader_node.host.findings import BLOCKER, INFO, WARNING, finding, of_node, some
from upgrader_node.standing import quorum

from upgrader.preflight.asking import Answered
from upgrader.preflight.questions import DATABASES, Question
from upgrader.transport.reply import Reply

Finding = Mapping[str, Any]


class ModelFinding(Protocol):
    """What is read of a finding of the model (``upgrader.reclass.finding``)."""

    @property
    def kind(self) -> str: ...
    @property
    def nodes(self) -> tuple[str, ...]: ...
    @property
    def what(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def file(self) -> str: ...


SKEW, DEAD = 5.0, 60.0
"""Seconds: a clock that is off by more is told; by more than the second, nova takes the node's services for dead (service_down_time)."""
ROOM, LITTLE, NONE = 0.05, 2**30, 2**28
"""Of a file system that should be free: this share or these bytes; with less than the last nothing can be written soon."""
UNSOUND = ("render", "value", "danger")
"""Kinds of findings of a model that stop a stage although its plan could be made."""
DAY = 86400.0
OLD = DAY
"""Seconds after which a proven backup is told to be old."""


def unanswered(bad: Mapping[str, Reply], needed: Collection[str]) -> Iterator[Finding]:
    """Nodes that cannot be asked: silent, with other modules, or without a pillar."""
    for node, reply in sorted(bad.items()):
        severity = BLOCKER if node in needed else WARNING
        what, _, remedy = reply.error.partition(": ")
        if not reply.lost:
            what, remedy = f"{node} cannot be asked: {reply.error.removeprefix(node + ' ')}", ""
        yield {**finding(node, what, remedy, severity, id="silent" if reply.lost else "not-ready")}


def answers(question: Question, answered: Answered) -> Iterator[Finding]:
    """What each node found; a node that came to no answer is a finding of its own."""
    for node, reply in sorted(answered.replies.items()):
        found = reply.value.get("findings") if isinstance(reply.value, Mapping) else None
        severity = BLOCKER if question.stops else WARNING
        if isinstance(found, list):
            yield from (one for one in found if isinstance(one, Mapping))
        elif not reply.ok:
            what = reply.error if node in reply.error else f"{node}: {reply.error}"
            yield finding(node, what, "", severity, id=question.id)
        elif question.id == DATABASES:
            what = f"{node} answered the preflight without findings"
            yield finding(node, what, f"see 'salt {node} {question.call.function}'", severity, id=question.id)


def cluster(answered: Answered) -> Iterator[Finding]:
    """What only the answers of all database nodes together say: one cluster or two, and how many may still be lost."""
    states = {
        node: reply.value if isinstance(reply.value, Mapping) else None for node, reply in answered.replies.items()
    }
    if any("galera" in state for state in states.values() if state):
        yield from quorum.judged(states)["findings"]


def hosts(answered: Answered, master: str) -> Iterator[Finding]:
    """Clocks, room and versions, each against what the others say."""
    facts = {node: reply.value for node, reply in answered.replies.items() if isinstance(reply.value, Mapping)}
    yield from _clocks(facts, answered)
    for node, said in sorted(facts.items()):
        yield from _room(node, said.get("room") or ())
    yield from _versions(facts, master)


def _clocks(facts: Mapping[str, Mapping[str, Any]], answered: Answered) -> Iterator[Finding]:
    """The node looked at its clock between two moments of this machine's: what lies outside of them is its fault."""
    off: dict[str, list[tuple[float, str]]] = {}
    for node, said in facts.items():
        if isinstance(said.get("time"), (int, float)):
            skew = skewed(float(said["time"]), answered.sent, answered.received.get(node, float("inf")))
            if abs(skew) > SKEW:
                off.setdefault(BLOCKER if abs(skew) > DEAD else WARNING, []).append((skew, node))
    for severity, nodes in off.items():
        rows = [f"{node} {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}" for skew, node in sorted(nodes)]
        what = f"clocks that differ from the Salt master's by more than {DEAD if severity == BLOCKER else SKEW:.0f} s"
        remedy = "let NTP or chrony set them: services are taken for dead, tokens for expired, certificates for invalid"
        yield finding("clocks", what, remedy, severity, id="clock-skew", rows=rows, count=len(rows))


def skewed(said: float, sent: float, received: float) -> float:
    """Seconds by which a clock is certainly ahead (or, negative, behind), when it was looked at between two moments."""
    return said - received if said > received else said - sent if said < sent else 0.0


def _room(node: str, held: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for one in held:
        free, total, inodes = one["free"], one["total"], one["inodes"]
        tight = free < ROOM * total or free < LITTLE
        if total and tight:
            severity = BLOCKER if free < NONE else WARNING
            what = f"has {free / 2**20:,.0f} MiB free of {total / 2**20:,.0f} at {one['folder']}"
            yield of_node(node, what, "make room there, or a larger disk", severity, id="room")
        if inodes and one["inodes_free"] < ROOM * inodes:
            what = f"has {one['inodes_free']:,} inodes free of {inodes:,} at {one['folder']}"
            yield of_node(node, what, "delete small files there", WARNING, id="room")


def _versions(facts: Mapping[str, Mapping[str, Any]], master: str) -> Iterator[Finding]:
    """Salt's own rule: a master works with minions that are as old as itself or older."""
    own = str((facts.get(master) or {}).get("salt") or "")
    by_version: dict[str, list[str]] = {}
    for node, said in facts.items():
        by_version.setdefault(str(said.get("salt") or "unknown"), []).append(node)
    newer = {version: nodes for version, nodes in by_version.items() if own and _numbers(version) > _numbers(own)}
    for version, nodes in sorted(newer.items()):
        what = f"minions of Salt {version}, and the master has {own}"
        remedy = "upgrade the Salt master first: newer minions may not understand it, and the other way round"
        yield finding("salt", what, remedy, WARNING, id="salt-versions", rows=sorted(nodes), count=len(nodes))
    older = {version: nodes for version, nodes in by_version.items() if version not in newer and version != own}
    if own and older:
        rows = [f"{version}: {', '.join(sorted(nodes))}" for version, nodes in sorted(older.items())]
        what = f"minions of another Salt than the master's {own}"
        yield finding("salt", what, "nothing has to be done", INFO, id="salt-versions", rows=rows, count=len(rows))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("+")[0].split(".") if part.isdigit())


def model(found: Sequence[ModelFinding]) -> Iterator[Finding]:
    """What the model lacks: each thing that stops by itself, the others together by their kind, for 'model check' lists them."""
    for one in found:
        if one.kind in UNSOUND:
            file = f" ({one.file})" if one.file else ""
            what = f"{node_names(one.nodes)}: {one.what}{file}"
            yield finding("model", what, one.remedy, BLOCKER, id=f"model-{one.kind}")
    for kind in dict.fromkeys(one.kind for one in found if one.kind not in UNSOUND):
        rows = [
            f"{node_names(one.nodes)}: {one.remedy}, in {one.file or 'the model'}" for one in found if one.kind == kind
        ]
        what = f"the model lacks {len(rows)} thing{'' if len(rows) == 1 else 's'} of kind {kind}"
        remedy = "'upgrader model check' shows each with its file and its reason"
        yield finding("model", what, remedy, WARNING, id=f"model-{kind}", rows=rows, count=len(rows))


def node_names(nodes: Sequence[str]) -> str:
    """The first of them, without their domain."""
    return some([node.split(".", 1)[0] for node in nodes], 3) or "the whole model"


def backups(answered: Answered, cloud: str, now: float) -> Iterator[Finding]:
    """How old the newest proven backup is; a stage takes its own, and until then it is what one would go back to."""
    for node, reply in answered.replies.items():
        if isinstance(reply.value, Sequence) and not isinstance(reply.value, str):
            yield _backup(node, [one for one in reply.value if isinstance(one, Mapping) and _of(one, cloud)], now)


def _of(receipt: Mapping[str, Any], cloud: str) -> bool:
    return bool(receipt.get("proven")) and receipt.get("cloud") in (cloud, "", None)


def _backup(node: str, proven: Sequence[Mapping[str, Any]], now: float) -> Finding:
    taken = max((str(one.get("taken_at") or "") for one in proven), default="")
    remedy = "'upgrader backup create' takes one now and proves it; a stage takes its own before it changes anything"
    if not taken:
        return of_node(node, "holds no proven backup of this cloud", remedy, WARNING, id="backup-age")
    seconds = now - datetime.fromisoformat(taken.replace("Z", "+00:00")).timestamp()
    what = f"holds a newest proven backup that is {_lasting(seconds)} old (taken {taken})"
    severity = WARNING if seconds > OLD else INFO
    return of_node(node, what, remedy if seconds > OLD else "nothing has to be done", severity, id="backup-age")


def _lasting(seconds: float) -> str:
    return f"{seconds / DAY:.0f} days" if seconds >= 2 * DAY else f"{seconds / 3600:.0f} hours"
