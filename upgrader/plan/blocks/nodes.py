"""What is done to computes and gateways: asked for their packages, upgraded, proven, put back. Instances are never touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from upgrader.cloud.deployment import Row
from upgrader.plan.blocks.batch import Batch, Line, gateways, host, ready
from upgrader.plan.blocks.copy import without
from upgrader.plan.blocks.deploy import row_call
from upgrader.plan.blocks.shapes import HOUR
from upgrader.plan.references import RUN_ID
from upgrader.plan.step import VERIFY, Facts, Step

ROLLBACK = "'upgrader data-plane --stage rollback' puts the node's packages and configuration back"
A_COPY = "a copy beside, on the node"
SOURCES_STAY = "the package sources of before are kept on the node"
AT_THE_END = "the last steps of the batch take it back into service"
ONLY_MEASURES = "it only measures"
GOES_BACK = "it is the way back itself; the way forward is stage test again"
NOVA, OPENVSWITCH = "nova", "openvswitch-switch"
AGENTS = ("neutron-openvswitch-agent", "neutron-l3-agent", "neutron-dhcp-agent", "neutron-metadata-agent")
PATIENCE = 180
"""Seconds that services have to come up, and then to be seen by the cloud."""
INTERVAL = 20
"""Milliseconds between two pings of a path."""


def asked(line: Line, facts: Facts) -> None:
    """Package sources as the model has them, and what would change: it is approved by its digest before anything is done."""
    batch, include = line.batch, list(line.batch.rollout.include)
    ready(line, facts)
    kept = batch.on_nodes("sources-kept", "keep the package sources of before", "upgrader_package.record", run=RUN_ID)
    line.then(kept, changes=A_COPY)
    _rows(line, batch.cloud.deployment.repositories, "upgrader_site.applied", SOURCES_STAY)
    _site_ready(line)
    _model_ready(line)
    title = "what would change, package by package"
    line.then(batch.on_nodes("difference", title, "upgrader_package.difference", include=include, run=RUN_ID))


def _site_ready(line: Line) -> None:
    """A site's formulas are all there and render for these nodes, before anything is approved."""
    batch, deployment = line.batch, line.batch.cloud.deployment
    if not deployment.through_site:
        return
    lone = [node for node in batch.nodes if node in gateways(batch.cloud)]
    computes = [node for node in batch.nodes if node not in lone]
    names = tuple(service.name for service in batch.cloud.services)
    steps = []
    for role, nodes, rows in (("compute", computes, deployment.compute), ("gateway", lone, deployment.gateway)):
        mods = tuple(dict.fromkeys(name for row in (*deployment.repositories, *rows) for name in row.of(names)))
        title = "the site's own formulas render for them"
        steps += (
            [batch.on_nodes(f"site-{role}", title, "upgrader_site.check", nodes, mods=mods)] if nodes and mods else []
        )
    line.then(*steps)


def _model_ready(line: Line) -> None:
    """What Ocata wants in their configuration can be had from the model: without an account for placement nova-compute does not start."""
    batch = line.batch
    lone = [node for node in batch.nodes if node in gateways(batch.cloud)]
    by_role = {"compute": [node for node in batch.nodes if node not in lone], "gateway": lone}
    title = "the model has what Ocata wants in their configuration"
    steps = [
        batch.on_nodes(f"model-{role}", title, "upgrader_config.differing", nodes, role=role)
        for role, nodes in by_role.items()
        if nodes
    ]
    line.then(*steps)


def upgraded(line: Line, facts: Facts) -> None:
    """One batch from the source release to the target: measured, out of service, upgraded, proven, in service again."""
    batch, deployment = line.batch, line.batch.cloud.deployment
    ready(line, facts)
    line.then(*_each(batch, "sources-kept", "keep the package sources of before", _record), changes=A_COPY)
    _rows(line, deployment.repositories, "upgrader_site.applied", SOURCES_STAY)
    _model_ready(line)
    _out_of_service(line)
    kept = batch.on_nodes("config-kept", "keep the configuration of before", "upgrader_config.save", run=RUN_ID)
    line.then(kept, changes=A_COPY)
    line.then(*_each(batch, "packages", "packages as they were approved", _upgrade), changes=ROLLBACK)
    _configured(line)
    _proven(line, batch.cloud.path.target, batch.cloud.path.service(NOVA).compute, ROLLBACK)


def _configured(line: Line) -> None:
    """The deployment's rows. What must not change under running traffic stands behind them as it was, whoever wrote the files."""
    batch, deployment = line.batch, line.batch.cloud.deployment
    rows = deployment.gateway if is_gateway(batch) else deployment.compute
    _rows(line, rows, "upgrader_site.configured", ROLLBACK)
    if deployment.through_site:
        title = "what must not change under running traffic, written as it was"
        line.then(batch.on_nodes("pin", title, "upgrader_config.pin", run=RUN_ID), changes=ROLLBACK)
    role = {"run": RUN_ID, "role": "gateway" if is_gateway(batch) else "compute"}
    title = "the configuration is what the agents may start with"
    line.then(batch.on_nodes("pinned", title, "upgrader_config.pinned", **role))


def put_back(line: Line, facts: Facts) -> None:
    """One batch back to the versions and the configuration that the run found, proven as on the way forward."""
    batch, run = line.batch, line.batch.rollout.run
    ready(line, facts)
    _out_of_service(line)
    line.then(*_each(batch, "packages", "packages back to the versions of before", _restore), changes=GOES_BACK)
    back = batch.on_nodes("config-back", "the configuration of before", "upgrader_config.restore", run=run)
    line.then(back, changes=GOES_BACK)
    _proven(line, batch.cloud.path.source, 0, GOES_BACK)


def is_gateway(batch: Batch) -> bool:
    """Whether these are gateways: a node that carries instances too is taken for a compute."""
    return set(batch.nodes) <= set(gateways(batch.cloud))


Group = tuple[str, str]
"""Run under which the sources of before are kept, and digest of the difference: nodes that share both share a step."""


def _each(
    batch: Batch, name: str, title: str, made: Callable[[Batch, str, str, Sequence[str], Group], Step]
) -> list[Step]:
    """A step for each group of the batch's nodes, numbered where there are several."""
    groups: dict[Group, list[str]] = {}
    for node in batch.nodes:
        group = (batch.rollout.kept.get(node, ""), batch.rollout.digests.get(node, ""))
        groups.setdefault(group, []).append(node)
    several = len(groups) > 1
    return [
        made(batch, f"{name}-{number}" if several else name, title, nodes, group)
        for number, (group, nodes) in enumerate(groups.items(), start=1)
    ]


def _record(batch: Batch, name: str, title: str, nodes: Sequence[str], group: Group) -> Step:
    return batch.on_nodes(name, title, "upgrader_package.record", nodes, run=group[0])


def _upgrade(batch: Batch, name: str, title: str, nodes: Sequence[str], group: Group) -> Step:
    rollout = batch.rollout
    args: dict[str, Any] = {"include": list(rollout.include), "allow": list(rollout.allow)}
    step = batch.on_nodes(name, title, "upgrader_package.upgrade", nodes, run=group[0], digest=group[1], **args)
    return lasting(step, HOUR)


def _restore(batch: Batch, name: str, title: str, nodes: Sequence[str], group: Group) -> Step:
    return lasting(batch.on_nodes(name, title, "upgrader_package.restore", nodes, run=group[0]), HOUR)


def lasting(step: Step, seconds: int) -> Step:
    """The step with more time for its call."""
    return replace(step, call=replace(step.call, timeout=seconds))


def _rows(line: Line, rows: Sequence[Row], function: str, no_undo: str) -> None:
    """The deployment's rows, in its order; those of a service that the cloud has none of are left out."""
    cloud = line.batch.cloud
    names = tuple(service.name for service in cloud.services)
    for row in (row for row in rows if row.of(names)):
        line.then(line.batch.step(row.id, row.title, row_call(cloud, row, function, line.batch.nodes)), changes=no_undo)


def _out_of_service(line: Line) -> None:
    """How it stands before, and then no new instance, router or network comes to the nodes until the batch is done."""
    batch, why = line.batch, f"upgrade to {line.batch.cloud.path.target.capitalize()}"
    line.then(
        batch.on_nodes("routes-before", "write down the routes of every namespace", "upgrader_route.record", run=RUN_ID)
    )
    title = "write down instances, agents and services of these hosts"
    line.then(
        batch.by_controller(
            "agents-before", title, "upgrader_agents.record", hosts=line.hosts(), **without(batch.cloud)
        )
    )
    watch = batch.on_nodes("paths", "ping every class of path from here on", "upgrader_path.start", run=RUN_ID)
    named = {"instances": list(batch.rollout.instances)} if batch.rollout.instances else {}
    args = {**watch.call.args, "interval_ms": INTERVAL, **named, **_beyond(batch)}
    watch = replace(watch, anew=True, call=replace(watch.call, args=args))
    line.then(watch, changes=ONLY_MEASURES)
    disable = batch.by_controller(
        "disable", "nothing new comes to these hosts", "upgrader_agents.disable", hosts=line.hosts(), reason=why
    )
    line.then(replace(disable, anew=True), changes=AT_THE_END)
    if is_gateway(batch):
        _for_each(
            line,
            "move",
            "its routers and networks go to other gateways where they can",
            "upgrader_agents.move",
            AT_THE_END,
        )
    elif batch.rollout.evacuate:
        _for_each(
            line,
            "evacuate",
            "its instances go to other hosts where they can",
            "upgrader_agents.evacuate",
            "instances stay where they went",
        )


def _for_each(line: Line, name: str, title: str, function: str, no_undo: str) -> None:
    batch = line.batch
    steps = [
        replace(
            batch.by_controller(f"{name}-{host(node)}", f"{host(node)}: {title}", function, host=host(node)),
            about=(node,),
        )
        for node in batch.nodes
    ]
    line.then(*(lasting(step, 6 * HOUR) for step in steps), changes=no_undo)


def _proven(line: Line, release: str, version: int, no_undo: str) -> None:
    """The services anew, then what proves that it all works, and in any case back into service."""
    batch = line.batch
    args: dict[str, Any] = {"run": RUN_ID, "patience": PATIENCE}
    if batch.rollout.restart_openvswitch:
        args["services"] = [OPENVSWITCH, *([] if is_gateway(batch) else ["nova-compute"]), *AGENTS]
    line.then(
        batch.on_nodes(
            "restart", "restart the services that changed; instances run on", "upgrader_compute.restart", **args
        ),
        changes=no_undo,
    )
    proven: dict[str, Any] = {"hosts": line.hosts(), "version": version, "patience": PATIENCE, **without(batch.cloud)}
    title = "the cloud sees them: services, agents, instances, resource providers"
    line.then(batch.by_controller("proven", title, "upgrader_agents.proven", **proven))
    judged: dict[str, Any] = {
        "run": RUN_ID,
        "release": release,
        "repair": batch.rollout.repair_dvr_routes,
        **_beyond(batch),
    }
    line.then(
        batch.on_nodes("routes", "every route that was there or has to be is there", "upgrader_route.judge", **judged)
    )
    title = "every path that answered before answers"
    line.then(batch.on_nodes("paths-answer", title, "upgrader_path.answering", run=RUN_ID, patience=PATIENCE))
    ends = batch.on_nodes("paths-end", "what was lost on each path meanwhile", "upgrader_path.stop", run=RUN_ID)
    line.closing(replace(ends, phase=VERIFY), "paths", "")
    enable = batch.by_controller(
        "enable", "back into service", "upgrader_agents.enable", hosts=list(batch.hosts.values())
    )
    line.closing(enable, "disable", "it undoes what the batch did at its beginning")
    _back_from_cut_runs(line)
    for node in batch.nodes if is_gateway(batch) else ():
        opened = f"move-{host(node)}"
        back = batch.by_controller(
            f"back-{host(node)}",
            f"{host(node)}: its routers and networks come back",
            "upgrader_agents.back",
            host=host(node),
        )
        line.closing(replace(lasting(back, HOUR), about=(node,)), opened, AT_THE_END)


def _back_from_cut_runs(line: Line) -> None:
    """Hosts that an earlier run took out of service before it was cut: each run puts back its own only."""
    batch, runs = line.batch, dict[str, list[str]]()
    for node in batch.nodes:
        if node in batch.rollout.cut:
            runs.setdefault(batch.rollout.cut[node], []).append(host(node))
    for number, (run, hosts) in enumerate(runs.items(), start=1):
        title = f"back into service, out of which run {run} took them before it was cut"
        step = batch.by_controller(f"enable-cut-{number}", title, "upgrader_agents.enable", run=run, hosts=hosts)
        line.closing(step, "disable", "it undoes what that run did")


def _beyond(batch: Batch) -> dict[str, str]:
    """An address behind the external network: the gateway itself answers also where the route to it is gone."""
    return {"beyond": batch.rollout.beyond} if batch.rollout.beyond else {}
