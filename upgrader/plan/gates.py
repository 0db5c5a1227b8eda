"""The gates that every stage begins with: who answers, with which code and which pillar."""

from __future__ import annotations

from upgrader.plan.step import GATE, Call, Step


def common_gates(nodes: tuple[str, ...], formulas_digest: str) -> tuple[Step, ...]:
    """Every node of the stage answers, runs this version's Salt modules and has the pillar of this moment.

    ``formulas_digest`` ties the plan to the code that the nodes must run: stale modules are the commonest silent failure.
    """
    return (
        Step("nodes-answer", "every node of the plan answers", Call("module", "test.ping", nodes, timeout=60), GATE),
        Step(
            "modules-synced",
            "send the Salt modules to every node",
            Call("module", "saltutil.sync_all", nodes, {"refresh": True}, 120),
            GATE,
        ),
        Step(
            "modules-current",
            "every node runs this version's Salt modules",
            Call("module", "upgrader_node.modules_current", nodes, {"expected": formulas_digest}),
            GATE,
        ),
        Step(
            "pillar-current",
            "every node has the pillar of this moment",
            Call("module", "upgrader_node.pillar_current", nodes),
            GATE,
        ),
    )
