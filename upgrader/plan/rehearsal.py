"""Stage test-upgrade: prove on a copy that the upgrade works. Nothing here may change a production database or service."""

from __future__ import annotations

from upgrader.cloud.cloud import BACKUP, CONTROL, DATABASE, UPGRADE, Cloud, require_clones
from upgrader.plan.blocks import backup, clone, copy, deploy, schemas
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.blocks.preflight import preflight_gate
from upgrader.plan.blocks.shapes import gate
from upgrader.plan.step import Call, Facts, Options, Spread, Step


def rehearsal(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """The whole stage. Raises Refused for a model whose switch selects production's databases."""
    require_clones(cloud)
    return (
        *common_gates(cloud.holding(BACKUP, DATABASE, UPGRADE, CONTROL), facts),
        *_source_gates(cloud, options),
        *_config_report(cloud),
        clone.names_gate(cloud),
        *backup.backup_gates(cloud, triggers=True),
        *_upgrade_node_gate(cloud),
        copy.egress_gate(cloud),
        *deploy.gates(cloud),
        *backup.backup_steps(cloud, tuple(clone.sources(cloud).values())),
        copy.stopped(cloud),
        copy.closed(cloud),
        *clone.clone_steps(cloud, needs=("backup-prove", "upgrade-node-stopped")),
        *copy.prepared(cloud, needs=("clone-verify", "upgrade-node-closed")),
        *copy.schemas(cloud, options, needs=("baseline",)),
        *copy.started(cloud),
        *copy.verified(cloud),
        copy.nothing_left(cloud),
        backup.scratch_removal(cloud, backup.OF_THIS_RUN, needs=("verify-cloud", "verify-nova-status")),
    )


def _source_gates(cloud: Cloud, options: Options) -> tuple[Step, ...]:
    versions = schemas.source_versions(cloud)
    return (
        gate(
            "source-versions",
            f"source databases are at {cloud.path.source.capitalize()}'s schema versions",
            Call("module", "upgrader_clone.check_source", cloud.role(BACKUP)[:1], {"versions": versions}),
        ),
        preflight_gate(cloud, versions, options),
    )


def _config_report(cloud: Cloud) -> tuple[Step, ...]:
    """What Ocata sees in another way in the controllers' configuration; only told, unless a service would not start."""
    title = "no option of the controllers' configuration would keep Ocata from starting"
    call = Call("module", "upgrader_options.report", cloud.controllers)
    return (gate("config-report", title, call, spread=Spread()),) if cloud.controllers else ()


def _upgrade_node_gate(cloud: Cloud) -> tuple[Step, ...]:
    """Where the site's packages are only installed on the way, the same is asked behind them."""
    return () if cloud.deployment.through_site else (gate(*deploy.code_installed(cloud)),)
