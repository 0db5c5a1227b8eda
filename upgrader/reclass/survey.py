"""What a model lacks for the upgrade: each thing with the file to edit and the class or parameter to put there.

Pure but for reading the model's files. What would be added is rendered before it is proposed, so the parameters that our
classes need and nobody defines are known beforehand: a pillar with one unresolved reference is no pillar at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from upgrader_node.service import required

from upgrader.cloud.release import sources
from upgrader.content import RECLASS_CLASSES
from upgrader.errors import Refused
from upgrader.reclass import alone, needs, networks, remarks, service_classes, targets, unread, values
from upgrader.reclass.dangers import dangers
from upgrader.reclass.extent import extent
from upgrader.reclass.finding import Finding, Survey
from upgrader.reclass.include import with_classes
from upgrader.reclass.inventory import Inventory, Rendered, Unresolved
from upgrader.reclass.needs import UPGRADE, Need
from upgrader.reclass.place import Place
from upgrader.reclass.reading import BadFile, read

PER_NODE = ("single_address", "cluster_local_address")


def survey(inventory: Inventory, stages: Sequence[str] | None = None) -> Survey:
    """Render every node, see what each role lacks for these stages (None: for all), and render again with what would be added."""
    everything = {node: inventory.render(node) for node in sorted(inventory.nodes)}
    unsound = frozenset(node for node, found in everything.items() if not found.sound)
    cloud = extent(everything, inventory.place.master, inventory.place.master_named)
    before = {node: found for node, found in everything.items() if node in cloud.nodes}
    pillars = {node: found.pillar for node, found in before.items() if found.pillar is not None}
    held = needs.roles(pillars, cloud.master)
    needed = {node: found for node, found in before.items() if found.sound or not cloud.unrelated(node)}
    findings = [*_broken(inventory, needed), *_unheld(held), *_releases(before, held)]
    twice, twice_notes = values.twice(inventory, needed.values())
    findings += [*twice, *values.words(inventory, before, held)]
    prefix = remarks.reach(inventory)
    left = networks.without(before, held)
    lost = {role: keys for role, keys in unread.of_production(before, held).items() if role not in left}
    notes = (*twice_notes, *remarks.left_out(cloud, everything), *remarks.collapsed(held))
    listed = remarks.listed_databases(before, held)
    notes = (*notes, *remarks.databases(listed), *networks.notes(before, held, listed))
    notes = (*notes, *unread.notes(lost), *unread.notes_of_upgrade_node(before, held))
    if prefix is None:
        return Survey(held, (*findings, _unreachable(inventory)), notes, {}, None, unsound, lost)
    wanted = [found for found in _lacking(before, held, prefix, left) if stages is None or found[0].stage in stages]
    planned = targets.plan(inventory, before, held, prefix, [(need, nodes) for need, nodes, _ in wanted])
    findings += _of_classes(wanted, planned, prefix)
    findings += _renamed(inventory, before, wanted)
    findings += [Finding("file", (), what, remedy, str(path)) for path, what, remedy in planned.told]
    texts, refused = _texts(inventory, planned)
    findings += refused
    changed, after = _after(inventory, texts, planned, before, held)
    named = {**held, UPGRADE: held[UPGRADE] or planned.virtual}
    findings += _parameters(inventory, changed, before, after, named)
    findings += _keys(after, (*held[UPGRADE], *planned.virtual), left)
    findings += networks.unheard({**before, **after}, held, named[UPGRADE])
    findings += dangers({**before, **after}, named, left)
    site = service_classes.chosen(inventory, before, held)
    notes = (*notes, *service_classes.notes(site), *alone.notes({**before, **after}, held, named[UPGRADE], left))
    notes = (*notes, *remarks.notes(held, before, after), *remarks.copied(inventory, prefix))
    edits = {path: (inventory.text(path) if path.exists() else None, text) for path, text in texts.items()}
    findings += values.wrong(inventory, {**before, **after}, prefix, named[UPGRADE])
    findings = list(values.located(inventory, {**before, **after}, findings or values.last(before, held)))
    return Survey(held, tuple(findings), notes, edits, prefix, unsound, lost)


def worse(place: Place, unsound_before: Collection[str]) -> str:
    """Why the model as it is on disk now must not stay: a node does not render that did before. "" when all is well."""
    held = Inventory(place)
    for node in sorted(set(held.nodes) - set(unsound_before)):
        after = held.render(node)
        if not after.sound:
            said = [what for _, what in after.problems]
            said += [f"{one.reference} is defined nowhere" for one in after.unresolved]
            return f"{node} does not render with the includes: {said[0] if said else 'reclass gives no reason'}"
    return ""


def _unheld(held: Mapping[str, tuple[str, ...]]) -> Iterable[Finding]:
    """Roles without which there is nothing to upgrade."""
    for role, proof in ((needs.MASTER, "pillar salt:master"), (needs.DATABASE, "pillar galera:master or galera:slave")):
        if not held[role]:
            what = f"no node of the model is recognised as {role} node ({proof})"
            yield Finding(
                "role", (), what, f"name it under upgrader:nodes:{role}" if role != needs.MASTER else f"give it {proof}"
            )


def _releases(before: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]) -> Iterable[Finding]:
    """A model that says another release than the one an upgrade begins at is of another cloud, or was changed too early."""
    begin = " or ".join(sorted(sources()))
    for (key, release), nodes in remarks.other_releases(before, held).items():
        what = f"{key} is {release}, and an upgrade begins at {begin}"
        remedy = f"let production's nodes say {begin} until the real upgrade, or do not upgrade this cloud"
        yield Finding("release", nodes, what, remedy, "", key)


def _unreachable(inventory: Inventory) -> Finding:
    link = inventory.place.classes / "ocata"
    return Finding(
        "unreachable",
        (),
        f"the classes of this tool are not in {inventory.place.classes}",
        f"make them reachable: ln -s {RECLASS_CLASSES} {link}",
        str(link),
    )


def _broken(inventory: Inventory, before: Mapping[str, Rendered]) -> Iterable[Finding]:
    """What does not render today, each thing once with the nodes it breaks."""
    problems: dict[tuple[str, str], list[str]] = {}
    lost: dict[str, dict[str, Unresolved]] = {}
    for node, found in before.items():
        for file, what in found.problems:
            problems.setdefault((file, what), []).append(node)
        for one in found.unresolved:
            lost.setdefault(one.reference, {}).setdefault(node, one)
    for node in before:
        path = inventory.nodes[node]
        if before[node].sound and not inventory.mapping(path):
            remedy = "bring it back; where state reclass writes it, apply that on the Salt master"
            yield Finding("render", (node,), "the file is empty: no class and no parameter", remedy, str(path))
    for (file, what), nodes in problems.items():
        missing = "includes class" in what
        remedy = "write that class, correct its name, or take the include out" if missing else "then check again"
        yield Finding("render", tuple(nodes), what, remedy, file)
    for reference, users in lost.items():
        alone = reference.rpartition(":")[2] in PER_NODE
        for group, home in targets.homes(inventory, inventory, before, before, tuple(users), alone):
            one = users[group[0]]
            what = f"{reference} is defined nowhere, and {one.key} in {one.file} refers to it"
            remedy = _define(inventory, before, group, reference, alone)
            yield Finding("render", group, what, remedy, str(home), reference)


def _define(
    inventory: Inventory, before: Mapping[str, Rendered], nodes: tuple[str, ...], reference: str, alone: bool
) -> str:
    if alone and nodes[0] in inventory.nodes and targets.generated(inventory, before, nodes[0]):
        name = reference.rpartition(":")[2]
        return f"add {name} to params of {nodes[0]} under {targets.STORED}, then apply state reclass"
    return f"define {reference}"


Lacking = tuple[Need, tuple[str, ...], tuple[str, ...]]


def _lacking(
    before: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]], prefix: str, left: Collection[str]
) -> list[Lacking]:
    """(need, nodes, keys they lack), for every need that some node of its role does not meet. ``left``: roles left out."""
    found: list[Lacking] = []
    for need in needs.needs_of(held, left):
        absent: dict[str, tuple[str, ...]] = {}
        for node in held[need.role]:
            pillar = before[node].pillar
            keys = need.absent(pillar, before[node].classes, prefix) if pillar is not None else ()
            if keys:
                absent[node] = keys
        if absent:
            keys = tuple(dict.fromkeys(key for keys in absent.values() for key in keys))
            found.append((need, tuple(absent), keys))
    return found


def _of_classes(wanted: Iterable[Lacking], planned: targets.Planned, prefix: str) -> Iterable[Finding]:
    for need, _, keys in wanted:
        name = prefix + need.name
        lacks = f"lacks {', '.join(keys[:2])}" + (f" and {len(keys) - 2} more keys" if len(keys) > 2 else "")
        lacks = f"lacks class {name}" if keys == (name,) else lacks
        for target in planned.targets[need.name]:
            what = lacks
            if target.included:
                what, remedy = f"{lacks}, though class {name} is included", targets.INCLUDED
            elif target.path is None:
                remedy = targets.GENERATED.format(name=name)
            else:
                remedy = f"include class {name}"
            yield Finding("class", target.nodes, what, remedy, str(target.path or ""), name, need.stage)


def _renamed(inventory: Inventory, before: Mapping[str, Rendered], wanted: Iterable[Lacking]) -> Iterable[Finding]:
    """What stands under a name that a site's formulas read as theirs, with the file that says so."""
    lacking = [(node, keys) for _, nodes, keys in wanted for node in nodes]
    groups: dict[tuple[str, str, str], list[str]] = {}
    for node, new, old, file in remarks.renamed(inventory, before, lacking):
        groups.setdefault((new, old, file), []).append(node)
    for (new, old, file), nodes in groups.items():
        what = f"{old} is called {new} now: a site's formula takes the old name for a key of its own"
        yield Finding("key", tuple(nodes), what, f"move what is this tool's from {old} to {new}", file, new)


def _texts(inventory: Inventory, planned: targets.Planned) -> tuple[dict[Path, str], list[Finding]]:
    """The new text of every file; a file that cannot be extended is a finding and stays as it is."""
    texts, refused = dict(planned.created), []
    for path, names in planned.includes.items():
        try:
            read(str(path), inventory.text(path))
            texts[path] = with_classes(inventory.text(path), names, str(path))
        except (Refused, BadFile) as error:
            what = str(error) if isinstance(error, Refused) else f"{path} cannot be extended: {error}"
            refused.append(Finding("render", (), what, "edit it by hand", str(path)))
    return texts, refused


def _after(
    inventory: Inventory,
    texts: Mapping[Path, str],
    planned: targets.Planned,
    before: Mapping[str, Rendered],
    held: Mapping[str, tuple[str, ...]],
) -> tuple[Inventory, dict[str, Rendered]]:
    """The model with the changes, and every node that the changes touch, rendered with them; the upgrade node always."""
    if not (texts or planned.virtual):
        return inventory, {node: before[node] for node in held[UPGRADE]}
    changed = Inventory(inventory.place, {**texts, **planned.stand_ins})
    touched = {node for found in planned.targets.values() for target in found for node in target.nodes}
    names = sorted({*touched, *held[UPGRADE], *planned.virtual} & set(changed.nodes))
    return changed, {node: changed.render(node) for node in names}


def _parameters(
    inventory: Inventory,
    changed: Inventory,
    before: Mapping[str, Rendered],
    after: Mapping[str, Rendered],
    held: Mapping[str, tuple[str, ...]],
) -> Iterable[Finding]:
    """What our classes refer to and nobody defines, each with the file where all nodes that need it would find it."""
    needing: dict[str, list[str]] = {}
    for node, found in after.items():
        known = {one.reference for one in before[node].unresolved} if node in before else set()
        for reference in dict.fromkeys(one.reference for one in found.unresolved if one.reference not in known):
            needing.setdefault(reference, []).append(node)
        old = before[node].problems if node in before else ()
        for where, what in (problem for problem in found.problems if problem not in old):
            yield Finding("render", (node,), f"with the classes added, {what}", "correct it first", where)
    for reference, nodes in sorted(needing.items()):
        name = reference.rpartition(":")[2]
        what = f"defined nowhere; write there {needs.example(name, held)}"
        alone = name in PER_NODE
        for group, file in targets.homes(inventory, changed, before, after, nodes, alone):
            remedy = _define(inventory, before, group, reference, alone)
            yield Finding("parameter", group, what, remedy, str(file), reference)


def _keys(after: Mapping[str, Rendered], nodes: Iterable[str], left: Collection[str]) -> Iterable[Finding]:
    """What a complete controller needs and the upgrade node would still lack."""
    for node in nodes:
        found = after.get(node)
        if found is None or found.pillar is None:
            continue
        for role in (role for role in required.UPGRADE_NODE if role not in left):
            for key, example in required.missing(found.pillar, role):
                yield Finding("key", (node,), f"lacks {key}", f"write there: {example}", "", key)
