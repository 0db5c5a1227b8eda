"""Virtual machines of the control plane: their disks kept, new ones in their place, and the way back.

New disks are made before the window, beside the running machines; in the window there are only renames and starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from upgrader.cloud.cloud import Cloud
from upgrader.cloud.machines import Machine
from upgrader.plan.blocks.schemas import ROLLBACK
from upgrader.plan.blocks.shapes import HOUR, READY, gate, verification, work
from upgrader.plan.references import RUN_ID, reply_of
from upgrader.plan.step import MINUTE, Call, Spread, Step, in_lane

GRACE = 120
"""Seconds that a guest has to go off."""
REGISTER = 5 * MINUTE
"""Seconds that a new machine has until its minion answers."""
BESIDE = "a new disk beside the running machine's, which nobody uses; the next run makes its own"
STARTED_AGAIN = "upgrader_vm.start starts it again"
RENAMED = "the disk stays beside under the run's name; upgrader_disk.restore puts it back"


def nodes_of(machines: Iterable[Machine]) -> tuple[str, ...]:
    """Their minion ids."""
    return tuple(one.node for one in machines)


def in_order_of_stopping(cloud: Cloud) -> tuple[Machine, ...]:
    """Proxies first, then the controllers, the first one last."""
    return tuple(reversed(cloud.production.machines))


def gates(cloud: Cloud) -> tuple[Step, ...]:
    """Every foundation node can do it: disks of kinds that go back, room, and nobody else under a controller's name."""
    machines = cloud.production.machines
    by_provider: dict[str, list[str]] = {}
    for one in machines:
        by_provider.setdefault(one.provider, []).append(one.node)
    disks = [
        gate(
            f"machine-disks-{provider.split('.', 1)[0]}",
            "the disks of its machines can be kept, and there is room",
            Call("module", "upgrader_disk.check", (provider,), {"names": names}, 5 * MINUTE),
        )
        for provider, names in sorted(by_provider.items())
    ]
    keys = Call("module", "upgrader_key.check", (cloud.master,), {"nodes": list(nodes_of(machines))})
    return (*disks, gate("machine-keys-known", "no other machine uses the name of one that is built anew", keys))


def prepared(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """A clean disk for each, from the checked base image, with names and keys of its own. The machines run on."""
    return tuple(_prepared(one, needs) for one in cloud.production.machines)


def _prepared(one: Machine, needs: tuple[str, ...]) -> Step:
    args: dict[str, Any] = {
        "name": one.node, "run": RUN_ID, "path": one.path, "base": one.image, "sha256": one.sha256, "format": one.format,
        "size": one.size, "minion_id": one.node, "salts": [dict(salt) for salt in one.salts], "files": dict(one.files),
    }  # fmt: skip
    call = Call("module", "upgrader_disk.prepare", (one.provider,), args, HOUR)
    return work(
        f"machine-disk-{one.host}", f"make the new disk of {one.host} beside the running one", call, BESIDE, needs
    )


def exchanged(cloud: Cloud, hard: bool, needs: tuple[str, ...], group: str) -> tuple[Step, ...]:
    """Off, the disks kept, the new ones in their place, defined: each machine a lane of the group."""
    steps: list[Step] = []
    for one in in_order_of_stopping(cloud):
        ended = off(one, hard, needs)
        steps += in_lane(f"{group}:{one.host}", (ended, *_built(one, (ended.id,))))
    return tuple(steps)


def begun(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """The keys exchanged, every machine started and registered."""
    defined = tuple(f"machine-define-{one.host}" for one in cloud.production.machines)
    keys = _keys(cloud, (*needs, *defined))
    started = [start(one, (keys.id,), ROLLBACK) for one in cloud.production.machines]
    return (keys, *started, registered(cloud, tuple(step.id for step in started)))


def first_off(cloud: Cloud) -> str:
    """The step by which the first machine goes off."""
    return f"machine-off-{in_order_of_stopping(cloud)[0].host}"


def off(one: Machine, hard: bool, needs: tuple[str, ...]) -> Step:
    """Asked to go off; the plug is pulled only where the operator allowed it."""
    args = {"name": one.node, "timeout": GRACE, "hard": hard}
    call = Call("module", "upgrader_vm.stop", (one.provider,), args, GRACE + 5 * MINUTE)
    return work(f"machine-off-{one.host}", f"ask {one.host} to go off", call, STARTED_AGAIN, needs)


def _built(one: Machine, needs: tuple[str, ...]) -> tuple[Step, ...]:
    at, mine = (one.provider,), {"name": one.node, "run": RUN_ID}
    size = {
        "name": one.node, "kind": one.kind, "cpus": one.cpus, "memory": one.memory, "path": one.path, "format": one.format,
        "bridges": list(one.bridges), "autostart": True,
    }  # fmt: skip
    keep, place, define = (f"machine-{what}-{one.host}" for what in ("keep", "place", "define"))
    made = f"machine-disk-{one.host}"
    seed = {"seed": reply_of(made, "seed")} if one.kind != "lxc" else {}
    return (
        work(keep, f"keep the disk of {one.host} beside", Call("module", "upgrader_disk.keep", at, mine, 30 * MINUTE), RENAMED, needs),
        work(place, f"the new disk of {one.host} in its place", Call("module", "upgrader_disk.place", at, mine), ROLLBACK, (keep,)),
        work(
            define,
            f"define {one.host} as the model has it",
            Call("module", "upgrader_vm.define", at, {**size, **seed}),
            ROLLBACK,
            (place, made),
        ),
    )  # fmt: skip


def _keys(cloud: Cloud, needs: tuple[str, ...]) -> Step:
    """Only now, and only theirs: before, the running machines would be locked out."""
    machines = cloud.production.machines
    keys = {one.node: reply_of(f"machine-disk-{one.host}", "minion_key") for one in machines}
    made = tuple(f"machine-disk-{one.host}" for one in machines)
    call = Call("module", "upgrader_key.replace", (cloud.master,), {"run": RUN_ID, "keys": keys})
    title = "the Salt master knows the new machines by the keys that were made for them"
    return work("machine-keys", title, call, "upgrader_key.restore puts the kept keys back", (*needs, *made))


def start(one: Machine, needs: tuple[str, ...], no_undo: str, **more: Any) -> Step:
    """Start it; whether its minion answers is another step."""
    call = Call("module", "upgrader_vm.start", (one.provider,), {"name": one.node}, 5 * MINUTE)
    return work(f"machine-start-{one.host}", f"start {one.host}", call, no_undo, needs, **more)


def registered(cloud: Cloud, needs: tuple[str, ...], **more: Any) -> Step:
    """Every minion answers, within a time; else what was seen of it."""
    nodes = list(nodes_of(cloud.production.machines))
    call = Call(
        "module", "upgrader_key.wait", (cloud.master,), {"nodes": nodes, "timeout": REGISTER}, REGISTER + MINUTE
    )
    return verification("machine-registered", "every one of them answers the Salt master", call, needs, **more)


def current(cloud: Cloud, modules: str, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """The new minions get this version's modules and the pillar of this moment."""
    nodes, each = nodes_of(cloud.production.machines), Spread()
    synced = Call("module", "saltutil.sync_all", nodes, {"refresh": True}, 2 * MINUTE)
    same = Call("module", "upgrader_node.modules_current", nodes, {"expected": modules})
    pillar = Call("module", "upgrader_node.pillar_current", nodes)
    title = "send the Salt modules to the new machines"
    return (
        work("machine-modules", title, synced, ROLLBACK, needs, unless=same, spread=each),
        verification(
            "machine-current", "they run this version's Salt modules", same, ("machine-modules",), spread=each
        ),
        verification(
            "machine-pillar", "they have the pillar of this moment", pillar, ("machine-current",), spread=each
        ),
    )


def controllers_gate(cloud: Cloud, modules: str) -> tuple[Step, ...]:
    """The machines that are there now answer. Asked once: they are gone later, and a resume must not ask for them."""
    nodes, each = nodes_of(cloud.production.machines), Spread()
    synced = Call("module", "saltutil.sync_all", nodes, {"refresh": True}, 2 * MINUTE)
    same = Call("module", "upgrader_node.modules_current", nodes, {"expected": modules})
    ping = Call("module", "test.ping", nodes, timeout=60, once=True)
    asked, sent = "machines-answer", "machines-synced"
    return (
        gate(asked, "every machine that is built anew answers, and only once", ping, ()),
        gate(sent, "send the Salt modules to them", synced, (asked,), spread=each, unless=same),
        gate("machines-current", "they run this version's Salt modules", same, (sent,), spread=each),
    )


def back(one: Machine, run: str, receipts: Mapping[str, Any], needs: tuple[str, ...]) -> Step:
    """Its old disk and definition, by the receipt of the run; the new disk stays beside."""
    args = {"name": one.node, "run": run, "receipt": receipts.get(one.node)}
    call = Call("module", "upgrader_disk.back", (one.provider,), args, HOUR)
    no_undo = "the new disk stays beside as <disk>.replaced-<run>; the next real-upgrade makes a new one"
    return work(f"machine-back-{one.host}", f"the kept disk of {one.host} back in its place", call, no_undo, needs)


def untouched(one: Machine, run: str, receipts: Mapping[str, Any]) -> Step:
    """Nobody wrote to the kept disk."""
    args = {"name": one.node, "run": run, "receipt": receipts.get(one.node)}
    call = Call("module", "upgrader_disk.can_go_back", (one.provider,), args, HOUR)
    return gate(f"machine-kept-{one.host}", f"the kept disk of {one.host} is as it was kept", call, READY)
