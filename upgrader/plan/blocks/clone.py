"""Clones of the source databases, filled from a proven backup: the copy that a rehearsal works on."""

from __future__ import annotations

from upgrader.cloud.cloud import BACKUP, DATABASE, Cloud
from upgrader.plan.blocks.shapes import COPY_IS_MADE_ANEW, HOUR, gate, on_copy, work
from upgrader.plan.references import RUN_ID, reply_of
from upgrader.plan.step import MINUTE, Call, Step


def sources(cloud: Cloud) -> dict[str, str]:
    """Name of each clone that is filled -> name of its source."""
    return {clone: source for service in cloud.services for source, clone in service.clones}


def clone_names(cloud: Cloud) -> list[str]:
    """Every database that a rehearsal creates, the ones that begin empty last."""
    filled = sources(cloud)
    empty = [name for service in cloud.services for name in service.upgrade_databases if name not in filled]
    return [*sorted(filled), *empty]


def models(cloud: Cloud) -> dict[str, str]:
    """Name of each clone -> the database whose character set it gets; one that begins empty takes after its service's first."""
    filled = sources(cloud)
    first = {name: service.source_databases[0] for service in cloud.services for name in service.upgrade_databases}
    return {name: filled.get(name, first.get(name, "")) for name in clone_names(cloud)}


def names_gate(cloud: Cloud) -> Step:
    """No database of somebody else's has a clone's name."""
    call = Call("module", "upgrader_clone.check_names", cloud.role(BACKUP)[:1], {"names": clone_names(cloud)})
    return gate("clone-names", "the clones' names are free", call)


def clone_steps(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Create, export, fill by tablespaces or by dump, and compare every table with the backup on every node."""
    backup, database, names = cloud.role(BACKUP)[:1], cloud.role(DATABASE), clone_names(cloud)
    copying = {"receipt": RUN_ID, "clones": sources(cloud)}
    exports, logical = reply_of("clone-export", "exports"), reply_of("clone-export", "logical")
    made = {"run": RUN_ID, "names": names, "like": models(cloud)}
    exported = {"receipt": RUN_ID, "databases": sorted(sources(cloud).values())}
    return (
        work(
            "clone-create",
            "create the clone databases: " + ", ".join(names),
            Call("module", "upgrader_clone.create", backup, made, 10 * MINUTE),
            COPY_IS_MADE_ANEW,
            needs=needs,
        ),
        work(
            "clone-export",
            "export the databases from the proven backup, and decide how each is cloned",
            Call("module", "upgrader_export.create", backup, exported, 4 * HOUR),
            COPY_IS_MADE_ANEW,
            needs=("clone-create",),
        ),
        on_copy(
            "clone-load",
            "fill the clones on every database node with the exported tablespaces",
            Call("module", "upgrader_tablespace.load", database, {**copying, "exports": exports}, 4 * HOUR),
            needs=("clone-export",),
        ),
        on_copy(
            "clone-fill",
            "fill by dump and load the clones that cannot be filled by tablespaces",
            Call("module", "upgrader_clone.fill", backup, {**copying, "logical": logical}, 4 * HOUR),
            needs=("clone-load",),
        ),
        on_copy(
            "clone-verify",
            "every table of the clones equals the backup on every database node",
            Call("module", "upgrader_tablespace.compare", database, {**copying, "members": len(database)}, 2 * HOUR),
            needs=("clone-fill",),
        ),
    )
