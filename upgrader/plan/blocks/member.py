"""The databases' quickest way back: one member of the cluster kept at a moment while the others go on.

The moment is the kept member's last write, so whoever writes is stopped before ``held``. Going back founds the cluster from its
files, whatever their size; giving it back (``rejoined``) ends that way.
"""

from __future__ import annotations

from upgrader.plan.blocks.shapes import HOUR, KEPT_ASIDE, READY, gate, verification, work
from upgrader.plan.references import RUN_ID
from upgrader.plan.step import BACKUPS, MINUTE, Call, Kept, Step

HELD = "member-hold"
"""The step whose answer says which node is kept, at which position."""
NO_WAY_FORWARD = "what was written since the kept moment is in the data directories that were put aside; docs/operating.md says how to use them"
GIVEN_BACK = "'upgrader backup rejoin RUN' gives the member back to the cluster"
NO_WAY_BACK = "it ends the way back by the kept member; a proven backup stays"


def hold_gate(members: tuple[str, ...], node: str) -> Step:
    """Every member is well, this one can found a cluster, the others can be put aside. Asked anew while it is not kept yet."""
    args = {"run": RUN_ID, "holder": node, "members": len(members)}
    title = "every database node is a synced member, and one of them can be kept"
    return gate("member-fits", title, Call("module", "upgrader_member.check", members, args, 5 * MINUTE), anew=True)


def held(members: tuple[str, ...], node: str, needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Stop the member and write its position down. From here on two members serve, and neither may fail."""
    count, others = len(members), tuple(one for one in members if one != node)
    call = Call("module", "upgrader_member.hold", (node,), {"run": RUN_ID, "members": count}, 30 * MINUTE)
    window = {"run": RUN_ID, "holder": node, "members": count}
    return (
        work(HELD, "stop one database member cleanly and keep its data directory as it is", call, GIVEN_BACK, needs),
        verification(
            "member-window",
            "the member is kept, the others serve without it",
            Call("module", "upgrader_member.window", (*others, node), window, 5 * MINUTE),
            needs=(HELD,),
        ),
    )


def back_gates(kept: Kept, others: tuple[str, ...]) -> tuple[Step, ...]:
    """Nobody touched the kept member, and the others can be put aside."""
    this = {"kept": kept.receipt, "run": RUN_ID}
    there = {**this, "members": len(kept.members)}
    return (
        gate(
            "member-untouched",
            "the kept member is as it was kept, and can found the cluster",
            Call("module", "upgrader_member.check_back", (kept.node,), this, 5 * MINUTE),
            mends=BACKUPS,
            anew=True,
        ),
        gate(
            "member-others",
            "the other members can be put aside",
            Call("module", "upgrader_member.check_other", others, there, 5 * MINUTE),
            anew=True,
        ),
    )


def gone_back(kept: Kept, others: tuple[str, ...], needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Stop the others, put their data aside, found the cluster from the kept member, let them join it one by one."""
    return (*founded(kept, others, needs), *joined(kept, others))


def founded(kept: Kept, others: tuple[str, ...], needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """The cluster from the kept member's files alone. From here on it serves."""
    this = {"kept": kept.receipt, "run": RUN_ID}
    stop = Call("module", "upgrader_member.stop", others, {"run": RUN_ID}, 30 * MINUTE)
    aside = Call("module", "upgrader_member.set_aside", others, this, 30 * MINUTE)
    found = Call("module", "upgrader_member.found", (kept.node,), this, 30 * MINUTE)
    return (
        work("member-stop", "stop the members that went on", stop, NO_WAY_FORWARD, needs),
        work("member-aside", "rename their data directories aside", aside, NO_WAY_FORWARD, ("member-stop",)),
        work("member-found", "found the cluster from the kept member", found, NO_WAY_FORWARD, ("member-aside",)),
    )


def joined(kept: Kept, others: tuple[str, ...]) -> tuple[Step, ...]:
    """The others are sent everything, one by one; it serves meanwhile."""
    whole = {"kept": kept.receipt, "members": len(others) + 1}
    verify = Call("module", "upgrader_member.verify", (kept.node, *others), whole, 5 * MINUTE)
    settle = Call("module", "upgrader_member.settle", (kept.node,), {"kept": kept.receipt, "run": RUN_ID}, 5 * MINUTE)
    return (
        *(_join(node, kept) for node in others),
        verification(
            "member-verify",
            "verify: every node is a synced member of the cluster of the kept moment",
            verify,
            needs=("member-found",),
            always=True,
        ),
        work("member-settle", "no second way back leads through it", settle, NO_WAY_FORWARD, ("member-verify",)),
    )


def _join(node: str, kept: Kept) -> Step:
    """As after a restore: one after the other, also when another one failed."""
    call = Call("module", "upgrader_restore.join", (node,), {"receipt": kept.receipt, "run": RUN_ID}, 2 * HOUR)
    title = "start the next database server, which is sent everything"
    needs = ("member-found",)
    return work(f"member-join-{node.split('.', 1)[0]}", title, call, KEPT_ASIDE, needs, always=True)


def rejoin_gate(kept: Kept) -> Step:
    """The others are well and of the kept member's cluster. They go on serving whatever it does."""
    args = {"kept": kept.receipt, "members": len(kept.members)}
    title = "the cluster can take its member back"
    call = Call("module", "upgrader_member.check_rejoin", kept.members, args, 5 * MINUTE)
    return gate("member-wanted", title, call, READY, anew=True)


def rejoined(kept: Kept, needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Start the kept member, which catches up with what the others wrote. After that only a backup goes back."""
    call = Call("module", "upgrader_member.rejoin", (kept.node,), {"kept": kept.receipt}, 2 * HOUR)
    whole = {"kept": kept.receipt, "members": len(kept.members)}
    return (
        work("member-rejoin", "start the kept member, which catches up with the others", call, NO_WAY_BACK, needs),
        verification(
            "member-verify",
            "verify: every node is a synced member of the cluster",
            Call("module", "upgrader_member.verify", kept.members, whole, 5 * MINUTE),
            needs=("member-rejoin",),
        ),
    )
