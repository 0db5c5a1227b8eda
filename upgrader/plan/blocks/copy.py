"""A whole controller on the copy: installed, configured, its schemas taken to the target, started alone and verified."""

from __future__ import annotations

from typing import Any

from upgrader.cloud.cloud import UPGRADE, Cloud
from upgrader.plan.blocks import deploy, probe
from upgrader.plan.blocks import schemas as service_schemas
from upgrader.plan.blocks.shapes import COPY_IS_MADE_ANEW, READY, apply, gate, on_copy, verification, work
from upgrader.plan.references import RUN_ID, reply_of
from upgrader.plan.step import ANEW, COPY, MINUTE, Call, Options, Step


def stopped(cloud: Cloud) -> Step:
    """Nothing of an earlier copy may work on clones that are made anew, or run beside a copy that has none of it."""
    names = [*(service.name for service in cloud.services), *(one.service for one in cloud.left_out)]
    call = apply(",".join(f"upgrader.{name}.stopped" for name in names), cloud.role(UPGRADE)[:1])
    return work("upgrade-node-stopped", "no service of the copy runs", call, COPY_IS_MADE_ANEW, READY)


def egress_gate(cloud: Cloud) -> Step:
    """The rules can be made, before anything is done that they are needed for."""
    call = Call("module", "upgrader_egress.check", cloud.role(UPGRADE)[:1])
    return gate("egress-rules", "the upgrade node can be closed towards production", call)


def closed(cloud: Cloud) -> Step:
    """Before the first package is installed: whatever is started later, the kernel lets it reach the clones and little else."""
    call = Call("module", "upgrader_egress.stand", cloud.role(UPGRADE)[:1], {"run": RUN_ID})
    return work(
        "upgrade-node-closed",
        "the kernel of the upgrade node lets out what the copy needs and nothing else",
        call,
        "the rules stay as long as the node holds a copy; upgrader_egress.lift takes them away",
        needs=("upgrade-node-stopped",),
    )


def nothing_left(cloud: Cloud) -> Step:
    """Also after another step failed: a service that waits for production says so here first."""
    return verification(
        "verify-egress",
        "verify: nothing on the upgrade node tried to reach production",
        Call("module", "upgrader_egress.refused", cloud.role(UPGRADE)[:1], {"run": RUN_ID}),
        needs=("upgrade-node-closed",),
        always=True,
        mends=ANEW,
    )


def prepared(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Code and configuration of every service, and what the clones hold while they still equal the source."""
    baseline = Call(
        "module",
        "upgrader_verify.baseline",
        cloud.role(UPGRADE)[:1],
        {"run": RUN_ID, **service_schemas.release(cloud), **without(cloud)},
        30 * MINUTE,
    )
    rows = deploy.before_schemas(cloud, needs)
    return (
        *rows,
        on_copy(
            "baseline",
            "write down what the source holds, by id, while the clones still equal it",
            baseline,
            needs=(rows[-1].id,),
        ),
    )


def schemas(cloud: Cloud, options: Options, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Every service's way to the target, and right behind it what its tables hold against the backup.

    First each service's own code is asked over the rows that no query can judge: all that it refuses is told at once. The
    rows are judged before anything of the copy runs: a service that has started writes rows of its own.
    """
    expected = reply_of("backup-prove", "counts")
    steps: list[Step] = [*probe.probe_steps(cloud, needs)]
    for service in cloud.services:
        steps += service_schemas.schema_steps(cloud, service.name, probe.probed(cloud, service.name, needs), options)
        steps.append(service_schemas.verify_step(cloud, service.name, (steps[-1].id,), expected))
    return tuple(steps)


def started(cloud: Cloud) -> tuple[Step, ...]:
    """Catalogue, account, queue and cache of the copy's own, then the services."""
    upgrade = cloud.role(UPGRADE)[:1]
    return (
        deploy.catalogue(cloud, "copy-catalogue", needs=("verify-keystone",)),
        work(
            "copy-account",
            "an account of the copy's own for its services: nobody's password is needed",
            Call("module", "upgrader_copy.account", upgrade, timeout=5 * MINUTE),
            COPY_IS_MADE_ANEW,
            needs=("copy-catalogue",),
        ),
        *deploy.after_schemas(cloud, needs=("copy-account",)),
    )


def verified(cloud: Cloud) -> tuple[Step, ...]:
    """The eight lists against the baseline, and Ocata's own word."""
    upgrade = cloud.role(UPGRADE)[:1]
    return (
        verification(
            "verify-cloud",
            _verify_title(cloud),
            Call("module", "upgrader_verify.calls", upgrade, {"run": RUN_ID, **without(cloud)}, 20 * MINUTE),
            needs=(deploy.last(cloud),),
            mends=COPY,
        ),
        verification(
            "verify-nova-status",
            "verify: what Ocata's own nova-status says",
            Call("module", "upgrader_nova.status", upgrade, service_schemas.release(cloud), 10 * MINUTE),
            needs=(deploy.last(cloud),),
            mends=COPY,
        ),
    )


def _verify_title(cloud: Cloud) -> str:
    """Without networks there is one list and one object less, and servers are listed by name: nova asks neutron for details."""
    lists, objects = ("seven", "five") if cloud.left_out else ("eight", "six")
    return (
        f"verify: {lists} lists by id against the source, catalogue, placement; make, read and delete {objects} objects"
    )


def without(cloud: Cloud) -> dict[str, Any]:
    """What is not asked of a cloud that leaves services out; nothing is said where it leaves out none."""
    return {"without": [one.service for one in cloud.left_out]} if cloud.left_out else {}
