"""The services' ways from one release to the other as steps, made from the release path's data alone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from upgrader_node.release import delivery, path
from upgrader_node.release.path import Phase, ServicePath

from upgrader.cloud.cloud import UPGRADE, Cloud
from upgrader.errors import UsageError
from upgrader.plan.blocks.shapes import on_copy, verification
from upgrader.plan.step import COPY, MINUTE, Call, Options, Step

SourceVersion = int | str | dict[str, int]


def schema_steps(cloud: Cloud, service_name: str, needs: tuple[str, ...], options: Options) -> tuple[Step, ...]:
    """One step for each phase of a service, each after the one before; one that is done already is passed over."""
    steps: list[Step] = []
    for phase in _wanted(cloud.path.service(service_name), options):
        identity = f"{service_name}-{phase.id}"
        args = {"service": service_name, "phase": phase.id, **release(cloud)}
        call = Call("module", "upgrader_schema.phase", _node(cloud), args, phase.minutes * MINUTE)
        title = f"{service_name}: {phase.title}"
        steps.append(on_copy(identity, title, call, needs, progress=_progress(cloud, phase)))
        needs = (identity,)
    return tuple(steps)


def verify_step(cloud: Cloud, service_name: str, needs: tuple[str, ...], expected: Any) -> Step:
    """What the service's tables hold, against the counts that ``expected`` refers to."""
    several = len(cloud.service(service_name).upgrade_databases) > 1
    what = "schemas, mappings and rows" if several else "schema and rows"
    args = {"service": service_name, "expected": expected, **release(cloud)}
    call = Call("module", "upgrader_schema.verify", _node(cloud), args, 30 * MINUTE)
    title = f"verify {service_name}: {what} against the backup"
    return verification(f"verify-{service_name}", title, call, needs, mends=COPY)


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


def _node(cloud: Cloud) -> tuple[str, ...]:
    return cloud.role(UPGRADE)[:1]


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


def _progress(cloud: Cloud, phase: Phase) -> Call | None:
    """The kinds of step that take their time with every instance say how far they are."""
    if not phase.progress:
        return None
    return Call("module", "upgrader_progress.nova", _node(cloud), {"rows": phase.progress}, MINUTE)
