"""Rows that only a service's own code can judge, run through that code on the filled clones, before a phase changes them."""

from __future__ import annotations

from upgrader_node.probe import kinds

from upgrader.cloud.cloud import UPGRADE, Cloud
from upgrader.plan.blocks.schemas import release
from upgrader.plan.blocks.shapes import verification
from upgrader.plan.step import COPY, MINUTE, Call, Step


def probe_steps(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """One for each service that has such rows. Together they tell every refused row of one copy; each blocks its own service."""
    return tuple(_probe(cloud, service.name, needs) for service in cloud.services if has_kinds(cloud, service.name))


def probed(cloud: Cloud, service: str, needs: tuple[str, ...]) -> tuple[str, ...]:
    """What a service's first phase needs: its own probe, where it has one."""
    return (_identity(service),) if has_kinds(cloud, service) else needs


def has_kinds(cloud: Cloud, service: str) -> bool:
    """Whether a service has rows that are probed, in the release that the cloud is at."""
    return cloud.path.source == kinds.SOURCE and bool(kinds.of_service(service))


def _identity(service: str) -> str:
    return f"probe-{service}"


def _probe(cloud: Cloud, service: str, needs: tuple[str, ...]) -> Step:
    title = f"{service}: its own code takes every row of the copy that only it can judge"
    args = {"service": service, **release(cloud)}
    call = Call("module", "upgrader_probe.rows", cloud.role(UPGRADE)[:1], args, 150 * MINUTE)
    return verification(_identity(service), title, call, needs, mends=COPY)
