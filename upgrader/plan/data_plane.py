"""The stages of the data plane: nodes asked what would change, a sample upgraded, all others in batches, and the way back.

Independent of the control plane: Ocata's controllers run with Mitaka's computes in between. What a stage goes over was resolved
once, from the operator's words and from what nodes answered; it stands in the plan, node by node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from upgrader.cloud.cloud import Cloud
from upgrader.cloud.roles import COMPUTE
from upgrader.errors import Refused, UsageError
from upgrader.plan.amounts import count_of
from upgrader.plan.blocks import nodes
from upgrader.plan.blocks.batch import Batch, Line, gateways, host
from upgrader.plan.blocks.deploy import row_call
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.blocks.shapes import READY, gate, verification, work
from upgrader.plan.options import Rollout
from upgrader.plan.references import RUN_ID
from upgrader.plan.step import MINUTE, Call, Facts, Options, Spread, Step

Work = Callable[[Line, Facts], None]
CONFIGURED_ANEW = "the model says what stands there; the pin is a key of it"
RESTARTED = "a restart of the controllers' services touches no instance"
RESTARTS = ("nova-api", "nova-conductor", "nova-scheduler")
"""In this order: each keeps the least version of all computes in memory, and who asks comes before who is asked."""


def asked(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Stage test: what would change on each node. Only the lists and the sources of packages are new afterwards."""
    rollout = _rollout(options)
    line = Line(Batch(cloud, rollout, 1, 1, rollout.nodes), READY)
    nodes.asked(line, facts)
    return (*common_gates((cloud.master,), facts), *line.steps)


def upgraded(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Stages sample and all: batch after batch, computes first, gateways one at a time; at the very end the controllers."""
    rollout = _rollout(options)
    _require_controllers(cloud)
    lacking = [node for node in rollout.nodes if not rollout.digests.get(node) or not rollout.kept.get(node)]
    if lacking:
        raise Refused(f"{', '.join(lacking)}: nobody has seen what would change there; run stage test with it first")
    steps = _in_batches(cloud, facts, rollout, nodes.upgraded)
    return (*_gates(cloud, facts), *steps, *(_closed(cloud, _ends(steps)) if rollout.closes else ()))


def rollback(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Stage rollback: the nodes of one run back to the packages and the configuration that it found there."""
    rollout = _rollout(options)
    _require_controllers(cloud)
    if not rollout.run:
        raise UsageError("name the run of the data plane that is taken back; 'upgrader history' lists the runs")
    steps = _in_batches(cloud, facts, rollout, nodes.put_back)
    return (*_gates(cloud, facts), *_may_go_back(cloud, rollout), *steps, *_others_back(cloud, rollout))


def _others_back(cloud: Cloud, rollout: Rollout) -> tuple[Step, ...]:
    """Hosts that the run took out of service and whose packages it did not come to: nothing goes back there but that."""
    hosts = [host(node) for node in rollout.cut if node not in rollout.nodes]
    args = {"run": rollout.run, "hosts": hosts}
    call = Call("module", "upgrader_agents.enable", cloud.controllers[:1], args, 15 * MINUTE)
    title = "back into service, where that run did nothing else before it was cut"
    return (work("enable-others", title, call, "it undoes what that run did", READY),) if hosts else ()


def _may_go_back(cloud: Cloud, rollout: Rollout) -> tuple[Step, ...]:
    """nova lets no compute start that is older than all others."""
    hosts = [host(node) for node in rollout.nodes if node in cloud.role(COMPUTE)]
    args = {"hosts": hosts, "version": cloud.path.service("nova").compute}
    call = Call("module", "upgrader_agents.may_go_back", cloud.controllers[:1], args, 5 * MINUTE)
    title = f"computes of {cloud.path.source.capitalize()} can start beside the others"
    return (gate("may-go-back", title, call),) if hosts else ()


def in_order(cloud: Cloud, given: Sequence[str]) -> tuple[str, ...]:
    """Computes before gateways, each in the model's order."""
    lone = gateways(cloud)
    wanted = (*(node for node in cloud.role(COMPUTE) if node in given), *(node for node in lone if node in given))
    return tuple(dict.fromkeys(wanted))


def _rollout(options: Options) -> Rollout:
    if options.rollout is None:
        raise UsageError("name the nodes with --target, e.g. --target 'cmp*'")
    return options.rollout


def _require_controllers(cloud: Cloud) -> None:
    if not cloud.controllers:
        raise Refused(
            "pillar upgrader:nodes:control names no controller ([ctl01.cloud.local]): computes are taken out of service, and "
            "proven, through its APIs"
        )


def _gates(cloud: Cloud, facts: Facts) -> tuple[Step, ...]:
    """Only who has to be there for all nodes: of the others each is asked in its own batch."""
    return common_gates(tuple(sorted({*cloud.controllers, cloud.master})), facts)


def _in_batches(cloud: Cloud, facts: Facts, rollout: Rollout, work_on: Work) -> tuple[Step, ...]:
    """Computes so many at a time, then gateways one by one."""
    lone = [node for node in rollout.nodes if node in gateways(cloud)]
    computes = [node for node in rollout.nodes if node not in lone]
    size = max(1, count_of(rollout.batch, len(computes))) if rollout.batch else max(1, len(computes))
    parts = [tuple(computes[start : start + size]) for start in range(0, len(computes), size)] + [
        (node,) for node in lone
    ]
    steps: list[Step] = []
    for number, part in enumerate(parts, start=1):
        line = Line(Batch(cloud, rollout, number, len(parts), part), READY)
        work_on(line, facts)
        steps += line.steps
    return tuple(steps)


def _ends(steps: Sequence[Step]) -> tuple[str, ...]:
    """Steps that nothing else needs: when they are done, every node is."""
    needed = {need for step in steps for need in step.needs if not step.always}
    return tuple(step.id for step in steps if step.id not in needed)


def _closed(cloud: Cloud, ends: tuple[str, ...]) -> tuple[Step, ...]:
    """No compute is left at the source release: the pin goes, the controllers forget what they remember, and placement is asked."""
    at, each = cloud.controllers, Spread(batch=1)
    pins = Call("module", "upgrader_nova.unpinned", at)
    steps = [
        verification(
            "control-unpinned",
            "the controllers' model pins nova to no older release",
            pins,
            ends or READY,
            spread=Spread(),
        )
    ]
    names = tuple(service.name for service in cloud.services)
    for row in (row for row in cloud.deployment.unpinned if row.of(names)):
        call = row_call(cloud, row, "upgrader_site.applied", at)
        steps.append(work(row.id, row.title, call, CONFIGURED_ANEW, (steps[-1].id,), spread=each))
    for unit in RESTARTS:
        call = Call("module", "upgrader_compute.reconnect", at, {"run": RUN_ID, "services": [unit]}, 5 * MINUTE)
        title = f"restart {unit}: it keeps the least version of all computes in memory"
        steps.append(work(f"control-{unit}", title, call, RESTARTED, (steps[-1].id,), spread=each))
    call = Call("module", "upgrader_agents.closed", at[:1], {"run": RUN_ID}, 15 * MINUTE)
    title = "every compute is mapped and has its provider, every instance its allocations; placement is asked"
    return (*steps, verification("data-plane-closed", title, call, (steps[-1].id,)))
