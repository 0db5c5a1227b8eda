"""Neutron: from one revision to the two branches. There is no ``upgrade ocata``: expand and contract reach it.

A Mitaka database names one revision, the contract branch's, which stands for the expand branch's as well. With a plugin
that keeps its own records (Contrail) there is nothing to do.
"""

import typing

from upgrader_node.release.path import Phase
from upgrader_node.schema import installed
from upgrader_node.schema.session import Look, Service, Session, Tool, Work, demand_source, judged, run
from upgrader_node.service import networks

EXPAND, CONTRACT = 0, 1


def _past(session: Session) -> str:
    """Why there is nothing to do in a database that a later release has had in its hands, or ""."""
    known, release = installed.neutron(session).known, session.path.target.capitalize()
    later = ", ".join(revision for revision in session.marks().alembic if revision not in known)
    return "the schema is at {0}, past {1}'s; nothing to do".format(later, release) if later else ""


def _look_branch(session: Session, branch: int) -> Look:
    head, marks, past = installed.neutron(session).heads[branch], session.marks(), _past(session)
    if past or head in marks.alembic:
        return Look(marks.shown(), "", past or "the schema is at {0}".format(head))
    return Look(marks.shown(), "the schema is at {0} instead of {1}".format(marks.shown(), head), "")


def look_expand(session: Session, phase: Phase) -> Look:
    return _look_branch(session, EXPAND)


def look_contract(session: Session, phase: Phase) -> Look:
    return _look_branch(session, CONTRACT)


def do_expand(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    demand_source(session)
    tool.run(["upgrade", "--expand"], timeout)


def do_contract(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    tool.run(["upgrade", "--contract"], timeout)


def look_offline(session: Session, phase: Phase) -> Look:
    """Asked of the tool itself, because it knows its sub-projects (FWaaS, LBaaS, VPNaaS) with tables of their own."""
    contract = look_contract(session, phase)
    if contract.pending or _past(session):
        return contract
    outcome = judged(run(session, ["has_offline_migrations"], 600), (0, 1))
    if outcome.exit_code:
        lines = [line.strip() for line in outcome.stdout.splitlines() if line.strip()]
        return Look(contract.state, outcome.shown(lines[-1]) if lines else "has_offline_migrations exits 1", "")
    return Look(contract.state, "", "no offline migration is left")


def do_offline(session: Session, tool: Tool, phase: Phase, timeout: float) -> None:
    """Nothing to do but to contract once more, should a sub-project have been left."""
    tool.run(["upgrade", "--contract"], timeout)


WORKS: typing.Mapping[str, Work] = {
    "expand": Work(look_expand, do_expand, commands=("upgrade --expand",)),
    "contract": Work(look_contract, do_contract, commands=("upgrade --contract",)),
    "offline-check": Work(look_offline, do_offline, commands=("upgrade --contract",)),
}


def plugin_owns_schema(role: typing.Mapping[str, typing.Any]) -> str:
    """With Contrail the network's records are in its own database, not in neutron's."""
    said = networks.contrail({"neutron": {"server": role}})
    return "skipped: pillar {0}, which keeps no schema of neutron's".format(said) if said else ""


# Alembic's env.py imports every table of neutron, 670 modules, for each command that asks the database anything.
TABLES = "neutron.db.migration.models.head"

SERVICE = Service("neutron-db-manage", "/etc/neutron/neutron.conf", WORKS, owned=plugin_owns_schema, imports=(TABLES,))
