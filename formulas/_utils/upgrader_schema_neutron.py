"""Neutron from Mitaka's one revision to Ocata's two branches. There is no ``upgrade ocata``: expand and contract reach it.

A Mitaka database names one revision, the contract branch's, which stands for the expand branch's as well. With a plugin
that keeps its own records (Contrail) there is nothing to do.
"""

import typing

import upgrader_phases
import upgrader_schema_tool
from upgrader_schema_session import Look, Session, Tool, Work, demand_source, judged, run

EXPAND, CONTRACT = 0, 1


def _past(session: Session) -> str:
    """Why there is nothing to do in a database that a later release has had in its hands, or ""."""
    known, found = upgrader_schema_tool.neutron(session).known, session.marks().alembic
    later = [revision for revision in found if revision not in known]
    return "the schema is at {0}, past Ocata's; nothing to do".format(", ".join(later)) if later else ""


def _look_branch(session: Session, branch: int) -> Look:
    head, marks, past = upgrader_schema_tool.neutron(session).heads[branch], session.marks(), _past(session)
    if past or head in marks.alembic:
        return Look(marks.shown(), "", past or "the schema is at {0}".format(head))
    return Look(marks.shown(), "the schema is at {0} instead of {1}".format(marks.shown(), head), "")


def look_expand(session: Session) -> Look:
    return _look_branch(session, EXPAND)


def look_contract(session: Session) -> Look:
    return _look_branch(session, CONTRACT)


def do_expand(session: Session, tool: Tool, timeout: float) -> None:
    demand_source(session, upgrader_phases.SOURCE["neutron"])
    tool.run(["upgrade", "--expand"], timeout)


def do_contract(session: Session, tool: Tool, timeout: float) -> None:
    tool.run(["upgrade", "--contract"], timeout)


def look_offline(session: Session) -> Look:
    """Asked of the tool itself, because it knows its sub-projects (FWaaS, LBaaS, VPNaaS) with tables of their own."""
    contract = look_contract(session)
    if contract.pending or _past(session):
        return contract
    outcome = judged(run(session, ["has_offline_migrations"], 600), (0, 1))
    if outcome.exit_code:
        lines = [line.strip() for line in outcome.stdout.splitlines() if line.strip()]
        return Look(contract.state, lines[-1] if lines else "has_offline_migrations exits 1", "")
    return Look(contract.state, "", "no offline migration is left")


def do_offline(session: Session, tool: Tool, timeout: float) -> None:
    """Nothing to do but to contract once more, should a sub-project have been left."""
    tool.run(["upgrade", "--contract"], timeout)


WORK: typing.Mapping[str, Work] = {
    "expand": Work(look_expand, do_expand),
    "contract": Work(look_contract, do_contract),
    "offline-check": Work(look_offline, do_offline),
}
