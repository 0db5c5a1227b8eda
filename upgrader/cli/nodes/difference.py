"""Whether what was approved is what would happen: the nodes of a plan are asked once more before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from upgrader_node.host.findings import some

from upgrader.cli.questions import asked, question
from upgrader.errors import Waiting
from upgrader.journal.rollouts import approved
from upgrader.plan.blocks.batch import AT_ONCE
from upgrader.plan.step import Plan
from upgrader.report.wording import short
from upgrader.transport.base import Transport
from upgrader.transport.reply import Reply


def require_same(transport: Transport, plan: Plan) -> None:
    """Raises Waiting when the package difference of a node is no longer the one that the plan holds, or cannot be had any more.

    A node that is silent is not judged here: in its batch it fails, and counts.
    """
    planned = approved(plan.steps())
    said = dict(_now(transport, planned))
    changed = [node for node, reply in said.items() if _digest(reply) not in ("", planned[node][0])]
    if changed:
        raise Waiting(
            f"what would change on {some([short(node) for node in changed])} is not what was shown any more, so nothing was "
            f"done: 'upgrader data-plane --stage test' shows what it is now, then approve that"
        )
    failed = [_told(reply) for reply in said.values() if not (_digest(reply) or reply.lost or reply.running)]
    if failed:
        raise Waiting(
            f"nothing was done, as nobody can tell whether what was shown is still what would change: {some(failed)}; mend it "
            f"there, or leave the node out ('--target' with 'and not NODE')"
        )


def _digest(reply: Reply) -> str:
    return str(reply.value.get("digest", "")) if isinstance(reply.value, Mapping) else ""


def _told(reply: Reply) -> str:
    said = reply.error or "it answered with something else"
    return said if reply.node in said else f"{reply.node}: {said}"


def _now(transport: Transport, planned: Mapping[str, tuple[str, tuple[str, ...]]]) -> Iterator[tuple[str, Reply]]:
    """What each node says of its difference of this moment; so many at once as stage test asks."""
    by_include: dict[tuple[str, ...], list[str]] = {}
    for node, (_, include) in planned.items():
        by_include.setdefault(include, []).append(node)
    for include, nodes in by_include.items():
        for start in range(0, len(nodes), AT_ONCE):
            part = nodes[start : start + AT_ONCE]
            title = "whether what was shown is still what would change"
            step = question("difference", title, "upgrader_package.difference", part, 600, include=list(include))
            yield from asked(transport, (step,)).items()
