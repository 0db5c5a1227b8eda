"""The gates that every stage begins with: who answers, with which code, which formulas and which pillar."""

from __future__ import annotations

from upgrader.plan.blocks.shapes import gate
from upgrader.plan.step import Call, Facts, Spread, Step


def common_gates(nodes: tuple[str, ...], facts: Facts) -> tuple[Step, ...]:
    """Every node of the stage answers; code, formulas and pillar are those that the plan was made from."""
    return (
        gate(
            "nodes-answer",
            "every node of the plan answers, and only once",
            Call("module", "test.ping", nodes, timeout=60, once=True),
            needs=(),
        ),
        *current_gates(nodes, facts.modules, ("nodes-answer",)),
        gate(
            "formulas-served",
            "the Salt master serves this version's formulas, every file",
            Call("module", "upgrader_node.formulas_served", nodes[:1], {"expected": dict(facts.files)}),
            anew=True,
        ),
    )


def current_gates(nodes: tuple[str, ...], modules_digest: str, needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Every node runs this version's Salt modules and has the pillar of this moment: its answers mean what they say.

    Stale modules are the commonest silent failure. Each node's answer stands for itself: where one is silent the others are
    asked on, so that all refusals are heard at once. The modules are sent to nodes that do not have them: to send them takes
    ten to twenty times as long as to ask. Whether they are still so is asked anew by every resume, which sends none: a node
    that lost them says how to.
    """
    synced = Call("module", "saltutil.sync_all", nodes, {"refresh": True}, 120)
    current = Call("module", "upgrader_node.modules_current", nodes, {"expected": modules_digest})
    pillar = Call("module", "upgrader_node.pillar_current", nodes)
    each, sent = Spread(), ("modules-synced",)
    return (
        gate("modules-synced", "send the Salt modules to every node", synced, needs, spread=each, unless=current),
        gate("modules-current", "every node runs this version's Salt modules", current, sent, spread=each, anew=True),
        gate("pillar-current", "every node has the pillar of this moment", pillar, sent, spread=each, anew=True),
    )
