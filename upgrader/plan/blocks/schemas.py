"""The services' ways from one release to the other as steps, made from the release path's data alone."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from upgrader_node.release import delivery, path
from upgrader_node.release.path import Phase, ServicePath

from upgrader.cloud.cloud import UPGRADE, Cloud
from upgrader.errors import UsageError
from upgrader.plan.blocks.shapes import COPY_IS_MADE_ANEW, verification, work
from upgrader.plan.step import COPY, MINUTE, NODE, Call, Options, Step

SourceVersion = int | str | dict[str, int]
ROLLBACK = "'upgrader control-plane --stage rollback' puts the databases back to the moment before the window"


@dataclass(frozen=True)
class Where:
    """Whose databases are taken through the phases, on which node, and what a failure there means."""

    node: tuple[str, ...]
    no_undo: str
    mends: str
    against: str
    args: tuple[tuple[str, Any], ...] = ()


def on_the_copy(cloud: Cloud) -> Where:
    """The clones, on the upgrade node."""
    return Where(cloud.role(UPGRADE)[:1], COPY_IS_MADE_ANEW, COPY, "the backup")


def in_production(cloud: Cloud) -> Where:
    """Production's own databases, on the first controller: once, and from here only the whole way back."""
    what = "what production held"
    return Where(cloud.controllers[:1], ROLLBACK, NODE, what, (("allow_production", True),))


def schema_steps(
    cloud: Cloud, service_name: str, needs: tuple[str, ...], options: Options, where: Where | None = None
) -> tuple[Step, ...]:
    """One step for each phase of a service, each after the one before; one that is done already is passed over.

    Each service is a lane: its databases are its own.
    """
    at, steps = where or on_the_copy(cloud), list[Step]()
    for phase in _wanted(cloud.path.service(service_name), options):
        identity = f"{service_name}-{phase.id}"
        args = {"service": service_name, "phase": phase.id, **release(cloud), **dict(at.args)}
        call = Call("module", "upgrader_schema.phase", at.node, args, phase.minutes * MINUTE)
        title = f"{service_name}: {phase.title}"
        progress = _progress(at.node, phase)
        more = {"progress": progress, "mends": at.mends, "lane": service_name}
        steps.append(work(identity, title, call, at.no_undo, needs, **more))
        needs = (identity,)
    return tuple(steps)


def verify_step(
    cloud: Cloud, service_name: str, needs: tuple[str, ...], expected: Any, where: Where | None = None
) -> Step:
    """What the service's tables hold, against the counts that ``expected`` refers to."""
    at = where or on_the_copy(cloud)
    several = sum(1 for _ in cloud.path.service(service_name).databases) > 1
    what = "schemas, mappings and rows" if several else "schema and rows"
    args = {"service": service_name, "expected": expected, **release(cloud), **dict(at.args)}
    call = Call("module", "upgrader_schema.verify", at.node, args, 30 * MINUTE)
    title = f"verify {service_name}: {what} against {at.against}"
    return verification(f"verify-{service_name}", title, call, needs, mends=at.mends, lane=service_name)


def source_versions(cloud: Cloud) -> dict[str, SourceVersion]:
    """What each source database must be at, as ``upgrader_clone.check_source`` takes it."""
    return {
        name: version
        for service in cloud.services
        for name, version in zip(service.source_databases, _sources(cloud.path.service(service.name)), strict=True)
    }


def repaired(cloud: Cloud, options: Options) -> list[str]:
    """Findings of the preflight that a phase of this plan takes care of."""
    phases = [phase for service in cloud.services for phase in _wanted(cloud.path.service(service.name), options)]
    return [finding for phase in phases if phase.option for finding in phase.repairs]


def release(cloud: Cloud) -> dict[str, str]:
    """Which path the node takes; not said where it is the one that a node takes by itself."""
    return {} if cloud.path.name == path.name(*delivery.USUAL) else {"release": cloud.path.name}


def _wanted(service: ServicePath, options: Options) -> tuple[Phase, ...]:
    """The phases that this plan has: all but those on demand that nobody asked for."""
    known = {field.name for field in fields(options)}
    unknown = sorted({phase.option for phase in service.phases if phase.option} - known)
    if unknown:
        raise UsageError(
            f"release path {service.source} to {service.target}: {service.name} has a phase for option {unknown[0]}, "
            f"which this command does not have; known: {', '.join(sorted(known))}"
        )
    return tuple(phase for phase in service.phases if not phase.option or getattr(options, phase.option))


def _sources(service: ServicePath) -> tuple[SourceVersion, ...]:
    versions = [database.source for database in service.databases.values() if database.source is not None]
    return tuple(version if isinstance(version, (int, str)) else dict(version) for version in versions)


def _progress(node: tuple[str, ...], phase: Phase) -> Call | None:
    """The kinds of step that take their time with every instance say how far they are."""
    if not phase.progress:
        return None
    return Call("module", "upgrader_progress.nova", node, {"rows": phase.progress}, MINUTE)
