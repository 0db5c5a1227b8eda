"""What can be asked about nova beyond its phases: its cells, what is left to move, where everything leads."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.nova import cells as nova_cells
from upgrader_node.nova import databases, nova_status, rows
from upgrader_node.schema.findings import BLOCKER, summary
from upgrader_node.schema.session import Session

Answer = typing.Dict[str, typing.Any]


def cells(session: Session) -> Answer:
    """What is mapped: cells by name (URLs with hidden passwords), hosts without mapping, instance mapping counts."""
    names, connection = databases.names(session), session.connection
    mapped = rows.cells(connection, names.api)
    wanted = databases.cell0_url(session.target).text()
    return {
        "cells": {cell.name: nova_cells.shown(cell) for cell in mapped},
        "cell0_quoted": any(cell.name == "cell0" and cell.database_connection == wanted for cell in mapped),
        "unmapped_hosts": rows.unmapped_hosts(connection, names.main, names.api) if mapped else None,
        "instances": rows.mapping_counts(connection, names.main, names.api) if mapped else None,
    }


def isolation(session: Session) -> Answer:
    """Where nova.conf and every cell mapping lead, after proving that it is the copy. Raises StepError."""
    mapped = nova_cells.assert_isolated(session)
    urls = session.target.urls
    return {
        "main": urls["main"].shown(),
        "api": urls["api"].shown(),
        "queue": databases.transport(session.target).shown(),
        "cells": [nova_cells.shown(cell) for cell in mapped],
    }


def status(session: Session, placement: bool, timeout: float) -> Answer:
    """What nova-status says, as findings; without ``placement`` in the model its failure is a warning. Raises StepError."""
    checks = nova_status.ask(session, timeout)
    findings = nova_status.findings(checks, placement)
    if any(item["severity"] == BLOCKER for item in findings):
        raise StepError("the copy is not as it should be, " + summary(findings))
    told = [{"name": check.name, "result": check.result, "details": check.details} for check in checks]
    return {"checks": told, "findings": findings, "comment": nova_status.summary(checks)}
