"""The phases of keystone, glance, cinder, neutron and heat as steps; what they are is data shared with the nodes."""

from __future__ import annotations

import upgrader_phases

from upgrader.model.cloud import UPGRADE, Cloud
from upgrader.plan.step import MINUTE, Call, Step

SERVICES = tuple(upgrader_phases.PHASES)


def schema_steps(cloud: Cloud, service_name: str, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """One step for each phase of a service, each after the one before; one that is done already is passed over."""
    steps: list[Step] = []
    for phase in upgrader_phases.PHASES[service_name]:
        identity = f"{service_name}-{phase.id}"
        args = {"service": service_name, "phase": phase.id}
        call = Call("module", "upgrader_schema.phase", cloud.role(UPGRADE)[:1], args, phase.minutes * MINUTE)
        steps.append(Step(identity, phase.title, call, needs=needs))
        needs = (identity,)
    return tuple(steps)


def source_versions(cloud: Cloud) -> dict[str, int | str | dict[str, int]]:
    """What each source database but nova's must be at, as ``upgrader_clone.check_source`` takes it."""
    found: dict[str, int | str | dict[str, int]] = {}
    for service in cloud.services:
        if service.name in SERVICES:
            wanted = upgrader_phases.SOURCE[service.name]
            found[service.source_databases[0]] = wanted if isinstance(wanted, (int, str)) else dict(wanted)
    return found
