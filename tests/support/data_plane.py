"""A cloud with computes and a gateway for tests of the data plane, and what its plans call on nodes."""

from __future__ import annotations

from typing import Any

from tests.support.clouds import FACTS, controller, real_pillar
from upgrader.cloud.cloud import Cloud, cloud_from_pillar
from upgrader.content import FORMULAS
from upgrader.plan.catalogue import catalogue_of
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.stages import DATA_PLANE, make_plan
from upgrader.plan.step import Options, Plan, Rollout
from upgrader.transport.master import MasterTransport

CFG, CTL1, CTL2 = "cfg01.lab.local", "ctl01.lab.local", "ctl02.lab.local"
COMPUTES = tuple(f"cmp00{number}.lab.local" for number in range(1, 5))
GATEWAY = "gtw01.lab.local"
TEST_RUN = "20170801T101500Z-1a2b"
DIGEST = "d" * 64


def data_plane_pillar(computes: tuple[str, ...] = COMPUTES, gateways: tuple[str, ...] = (GATEWAY,)) -> dict[str, Any]:
    """A cloud that was upgraded but for its computes: two controllers, these computes and gateways."""
    pillar = real_pillar()
    nodes = pillar[CFG]["upgrader"]["nodes"]
    nodes |= {"control": [CTL1, CTL2], "compute": list(computes), "gateway": list(gateways)}
    if not gateways:
        del nodes["gateway"]
    return {**pillar, CTL2: controller()}


def data_plane_cloud(computes: tuple[str, ...] = COMPUTES, gateways: tuple[str, ...] = (GATEWAY,), **own: Any) -> Cloud:
    pillar = data_plane_pillar(computes, gateways)
    pillar[CFG]["upgrader"].update(own)
    return cloud_from_pillar(pillar, CFG)


def rollout(nodes: tuple[str, ...] = (*COMPUTES, GATEWAY), **more: Any) -> Rollout:
    """All of these nodes, each with the same difference, as the test run showed it."""
    known = {"digests": dict.fromkeys(nodes, DIGEST), "kept": dict.fromkeys(nodes, TEST_RUN)}
    return Rollout(nodes, nodes, **{**known, "batch": 2, **more})


def data_plane_plan(stage: str, given: Rollout, cloud: Cloud | None = None) -> Plan:
    """The plan of a stage, checked as every plan is."""
    held = cloud or data_plane_cloud()
    plan = make_plan(held, DATA_PLANE, stage, FACTS, Options(rollout=given))
    check_plan(plan, Ground(MasterTransport.kinds, catalogue_of(FORMULAS), held.all_nodes))
    return plan
