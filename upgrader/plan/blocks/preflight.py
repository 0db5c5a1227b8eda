"""The gate that asks the live databases of every service at once for what would stop the upgrade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upgrader.cloud.cloud import BACKUP, Cloud
from upgrader.plan.blocks import schemas
from upgrader.plan.blocks.shapes import gate
from upgrader.plan.step import MINUTE, Call, Options, Step

TITLE = "nothing in the source databases would stop the upgrade"


def preflight_gate(cloud: Cloud, versions: Mapping[str, Any], options: Options) -> Step:
    """Asked from the backup node, which has the account and the road to the databases.

    ``versions`` maps each source database to what its schema must be at before anything starts.
    """
    args: dict[str, Any] = {
        "databases": {service.name: list(service.source_databases) for service in cloud.services},
        "versions": dict(versions),
        "path": cloud.path.name,
        "repaired": schemas.repaired(cloud, options),
    }
    if cloud.left_out:
        args["without"] = {one.service: {"database": one.database, "why": one.why} for one in cloud.left_out}
    call = Call("module", "upgrader_preflight.databases", cloud.role(BACKUP)[:1], args, 30 * MINUTE)
    return gate("preflight", "; ".join([TITLE, *(one.sentence for one in cloud.left_out)]), call)
