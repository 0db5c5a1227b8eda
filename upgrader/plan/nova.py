"""Nova's double jump as steps: ten commands of Ocata's nova-manage, in the order that facts/nova.md section 3 measured.

The cells come before the final ``api_db sync`` because Ocata's migration 030 demands them, and the first online
migrations come before the final ``db sync`` because migration 345 does.
"""

from __future__ import annotations

from upgrader.model.cloud import BACKUP, UPGRADE, Cloud
from upgrader.plan.step import MINUTE, Call, Options, Step

SERVER_GROUP_FINDINGS = ("server-groups", "group-specs")
REPAIR = (
    "nova-repair-server-groups",
    "nova: get server-group members without request spec past nova bug 1830747",
    "repair_server_groups",
)


def source_versions(cloud: Cloud) -> dict[str, int]:
    """Schema version that each of nova's source databases must have before anything starts."""
    main, api = cloud.service("nova").source_databases
    path = cloud.path
    return {name: path.version("nova", role, path.source) for name, role in ((main, "main"), (api, "api"))}


def preflight_call(cloud: Cloud, options: Options) -> Call:
    """The questions to the live databases, asked from the backup node, which has the account and the road to them."""
    main, api = cloud.service("nova").source_databases
    repaired = list(SERVER_GROUP_FINDINGS) if options.repair_server_groups else []
    args = {"main": main, "api": api, "versions": source_versions(cloud), "repaired": repaired}
    return Call("module", "upgrader_preflight.nova", cloud.role(BACKUP)[:1], args, 30 * MINUTE)


def schema_steps(cloud: Cloud, needs: tuple[str, ...], repair_server_groups: bool = False) -> tuple[Step, ...]:
    """The ten steps on the upgrade node; each reads the database first and is skipped when it is already there.

    The server-group repair, where it was asked for, comes before the first online migrations, which die without it.
    """
    newton, path = cloud.path.through[0], cloud.path
    api_newton, main_newton = path.version("nova", "api", newton), path.version("nova", "main", newton)
    rows: tuple[tuple[str, str, str, dict[str, object], int], ...] = (
        (
            "nova-api-db-newton",
            f"nova: API schema to {newton} ({api_newton})",
            "api_db_sync",
            {"version": api_newton},
            30,
        ),
        ("nova-db-newton", f"nova: main schema to {newton} ({main_newton})", "db_sync", {"version": main_newton}, 120),
        ("nova-online-newton", "nova: online data migrations until nothing is left", "online_data_migrations", {}, 360),
        ("nova-map-cell0", "nova: map cell0", "map_cell0", {}, 10),
        ("nova-create-cell1", "nova: create cell1", "create_cell", {"name": "cell1"}, 10),
        ("nova-discover-hosts", "nova: map compute hosts to cell1", "discover_hosts", {"cell": "cell1"}, 30),
        ("nova-map-instances", "nova: map instances to cell1", "map_instances", {"cell": "cell1"}, 240),
        (
            "nova-api-db",
            f"nova: API schema to {path.target}",
            "api_db_sync",
            {"version": path.version("nova", "api", path.target)},
            60,
        ),
        (
            "nova-db",
            f"nova: main and cell0 schema to {path.target}",
            "db_sync",
            {"version": path.version("nova", "main", path.target)},
            240,
        ),
        ("nova-online", "nova: online data migrations, last time", "online_data_migrations", {}, 360),
    )
    if repair_server_groups:
        rows = (*rows[:2], (*REPAIR, {}, 360), *rows[2:])
    steps: list[Step] = []
    for identity, title, function, args, minutes in rows:
        call = Call("module", f"upgrader_nova.{function}", cloud.role(UPGRADE)[:1], args, minutes * MINUTE)
        steps.append(Step(identity, title, call, progress=_progress(function, call.nodes), needs=needs))
        needs = (identity,)
    return tuple(steps)


def _progress(function: str, nodes: tuple[str, ...]) -> Call | None:
    """The two kinds of step that take their time with every instance say how far they are."""
    rows = {"online_data_migrations": "specs", "map_instances": "mappings"}.get(function)
    return Call("module", "upgrader_progress.nova", nodes, {"rows": rows}, MINUTE) if rows else None
