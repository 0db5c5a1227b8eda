"""An operator's inventory rendered for the lab's nodes: their classes as they are, with the lab's own values laid over them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from upgrader.errors import LabRefused, Refused, UsageError
from upgrader.lab.home import overlay
from upgrader.lab.topology import NodePlan, Topology
from upgrader.reclass import needs, networks
from upgrader.reclass.extent import extent
from upgrader.reclass.inventory import Inventory, Rendered
from upgrader.reclass.place import Place, place_at

HOME = "lab_home"
"""The folder of classes that hold the files of the operator's nodes."""
STOOD_FOR = {needs.MASTER: "cfg", needs.DATABASE: "dbs", needs.UPGRADE: "upg"}
UNHELD = (needs.CONTROL, needs.COMPUTE, needs.KVM)
CHECK = "'upgrader model check --inventory {0}' says what is missing"
UNWANTED = shutil.ignore_patterns("__pycache__", "*.pyc", ".git")


@dataclass(frozen=True)
class Laid:
    """Lab node to the operator's node that it stands for, the keys that say something else there, and what has no node."""

    pairs: Mapping[str, str]
    replaced: Mapping[str, tuple[str, ...]]
    left: tuple[str, ...]

    def sentences(self) -> list[str]:
        """What an operator is told; the keys are many and go into a file."""
        told = [f"{lab} is your {own}: {len(self.replaced[lab])} keys were replaced" for lab, own in self.pairs.items()]
        return [*told, *self.left]

    def listing(self) -> str:
        """Every replaced key, node by node."""
        return "".join(f"{lab} {key}\n" for lab in self.pairs for key in self.replaced[lab])


def lay_over(folder: Path, topology: Topology, master: str, dumped: Collection[str], lab: Path, target: Path) -> Laid:
    """Write the inventory for the lab's nodes into ``target``.

    :param folder: the operator's inventory
    :param master: minion id of the cloud's Salt master, where the inventory holds several clouds; else ""
    :param dumped: databases that are loaded from the operator's dumps
    :param lab: the lab's own inventory, with its secrets

    Raises LabRefused, with the remedy, for a model that is not ready for a rehearsal.
    """
    place = _place(folder, master)
    rendered, held = _surveyed(place, folder)
    pairs = _pairs(topology, held, folder)
    words = _words(pairs, rendered)
    ours = Inventory(place_at(lab))
    _copy_classes(place, target, pairs)
    replaced = {}
    for plan, own in pairs.items():
        theirs = rendered[own].pillar or {}
        over = overlay.overlay(ours.render(plan.minion_id).pillar or {}, theirs, dumped)
        over = overlay.merged({"upgrader": {"deployment": "builtin"}}, over) if _is_master(plan) else over
        over = overlay.merged(over, overlay.with_ml2(theirs))
        first = _rendered(target, plan, over)
        over = overlay.merged(overlay.changed(first, overlay.translated(first, words)), over)
        replaced[plan.name] = tuple(sorted(overlay.replaced(theirs, _rendered(target, plan, over))))
    return Laid({plan.name: own for plan, own in pairs.items()}, replaced, _left(held, rendered, pairs))


def _is_master(plan: NodePlan) -> bool:
    return plan.name.startswith(STOOD_FOR[needs.MASTER])


def _place(folder: Path, master: str) -> Place:
    try:
        place = place_at(folder)
    except UsageError as error:
        raise LabRefused(f"--model {folder}: {str(error).replace('--inventory: ', '')}") from error
    return Place(place.nodes, place.classes, place.options, master, bool(master))


def _surveyed(place: Place, folder: Path) -> tuple[dict[str, Rendered], Mapping[str, tuple[str, ...]]]:
    """Every node of the one cloud, and which role it holds."""
    held = Inventory(place)
    everything = {node: held.render(node) for node in sorted(held.nodes)}
    try:
        cloud = extent(everything, place.master, place.master_named)
    except (Refused, UsageError) as error:
        raise LabRefused(f"--model {folder}: {error}") from error
    mine = {node: one for node, one in everything.items() if node in cloud.nodes}
    return mine, needs.roles({node: one.pillar for node, one in mine.items() if one.pillar is not None}, cloud.master)


def _pairs(topology: Topology, held: Mapping[str, tuple[str, ...]], folder: Path) -> dict[NodePlan, str]:
    """Where the operator has fewer nodes of a role than the lab, the last one stands several times."""
    pairs: dict[NodePlan, str] = {}
    for role, name in STOOD_FOR.items():
        plans = [plan for plan in (*topology.minions, *topology.by_ssh) if plan.name.startswith(name)]
        if not held[role]:
            raise LabRefused(f"--model {folder}: no node is recognised as {role} node; {CHECK.format(folder)}.")
        pairs |= {plan: held[role][min(number, len(held[role]) - 1)] for number, plan in enumerate(plans)}
    return pairs


def _words(pairs: Mapping[NodePlan, str], rendered: Mapping[str, Rendered]) -> dict[str, str]:
    """Names and addresses of the operator's nodes, as the lab has them."""
    words: dict[str, str] = {}
    for plan, own in reversed(list(pairs.items())):
        address = overlay.value(rendered[own].pillar, "_param:single_address")
        words |= {own: plan.minion_id, **({str(address): plan.address} if address else {})}
    return words


def _copy_classes(place: Place, target: Path, pairs: Mapping[NodePlan, str]) -> None:
    """Links are followed: what they lead to is not on the lab's nodes."""
    classes, known = target / "classes", Inventory(place).nodes
    shutil.copytree(place.classes, classes, ignore=UNWANTED, ignore_dangling_symlinks=True)
    (classes / HOME).mkdir()
    for plan, own in pairs.items():
        _write(classes / HOME / f"{plan.name}.yml", known[own].read_text(encoding="utf-8"))
    (target / "nodes").mkdir()


def _rendered(target: Path, plan: NodePlan, over: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node's pillar with an overlay, once its file is written."""
    document = {"classes": [f"{HOME}.{plan.name}"], "parameters": overlay.written(over)}
    _write(target / "nodes" / f"{plan.minion_id}.yml", yaml.safe_dump(document))
    found = Inventory(place_at(target)).render(plan.minion_id)
    if found.pillar is None or not found.sound:
        said = [what for _, what in found.problems]
        said += [f"{one.reference} is defined nowhere" for one in found.unresolved]
        raise LabRefused(
            f"--model: {plan.name} does not render with your classes: {(said or ['reclass gives no reason'])[0]}; "
            "make 'upgrader model check' find nothing first."
        )
    return found.pillar


def _left(
    held: Mapping[str, tuple[str, ...]], rendered: Mapping[str, Rendered], pairs: Mapping[NodePlan, str]
) -> tuple[str, ...]:
    """One sentence for each thing that the lab cannot be."""
    told = []
    here = [plan for plan in pairs if plan.name.startswith(STOOD_FOR[needs.DATABASE])]
    count = len(held[needs.DATABASE])
    if count != len(here):
        told.append(f"you have {count} database node{'' if count == 1 else 's'} and the lab {len(here)}")
    for role in UNHELD:
        if held[role]:
            told.append(f"the lab has no {role} node: what your {len(held[role])} say is not rehearsed")
    if networks.contrail(rendered, (*held[needs.CONTROL], *held[needs.UPGRADE])):
        told.append("your networks are Contrail's: the lab has neutron with ML2 instead, with networks of its own")
    known = {*pairs.values(), *(node for nodes in held.values() for node in nodes)}
    others = sorted(set(rendered) - known)
    if others:
        some = ", ".join(others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
        nodes = "1 other node of yours has" if len(others) == 1 else f"{len(others)} other nodes of yours have"
        told.append(f"{nodes} none in the lab: {some}")
    return tuple(told)


def _write(path: Path, text: str) -> None:
    """Readable by its owner only: a model holds passwords."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
