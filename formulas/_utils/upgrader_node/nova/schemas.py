"""``api_db sync`` and ``db sync``, as an operator should run them: proven by what the databases say, cell0's included."""

import typing

from upgrader_node.database import sql
from upgrader_node.errors import StepError
from upgrader_node.nova import databases, judgement, rows
from upgrader_node.release.path import Phase
from upgrader_node.schema.session import Done, Look, Session, Tool


def demand(verdict: judgement.Verdict) -> str:
    """The verdict's sentence, or StepError with it."""
    if not verdict[0]:
        raise StepError(verdict[1])
    return verdict[1]


def _behind(what: str, version: typing.Optional[int], wanted: int) -> str:
    return "{0} is at {1} instead of {2}".format(what, version, wanted)


def look_api(session: Session, phase: Phase) -> Look:
    """Only upwards; what is past ``version`` and not past ``late`` is a later build of the same release."""
    name, version, wanted = databases.names(session).api, databases.versions(session)["api"], phase.args["version"]
    if judgement.sync_needed(version, wanted):
        return Look(version, _behind(name, version, wanted), "")
    late = (phase.args["release"], phase.args["late"]) if "late" in phase.args else None
    return Look(version, "", judgement.already(name, version, wanted, late))


def do_api(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    wanted, before = phase.args["version"], databases.versions(session)["api"]
    outcome = tool.ran(["api_db", "sync", "--version", str(wanted)], timeout)
    after = databases.versions(session)["api"]
    comment = demand(judgement.judge_sync(databases.names(session).api, outcome, after, wanted))
    return Done("{0}, from {1}".format(comment, before))


def cell0_is_mapped(session: Session) -> bool:
    cells = rows.cells(session.connection, databases.names(session).api)
    return any(cell.uuid == rows.CELL0_UUID for cell in cells)


def main_sync_needed(versions: typing.Mapping[str, typing.Optional[int]], wanted: int, cell0_mapped: bool) -> bool:
    """cell0 counts as soon as it is mapped, but never drags a main database that is already past ``wanted`` back."""
    main = versions["main"]
    if judgement.sync_needed(main, wanted):
        return True
    return cell0_mapped and main == wanted and judgement.sync_needed(versions["cell0"], wanted)


def look_main(session: Session, phase: Phase) -> Look:
    """The main schema, and a mapped cell0's."""
    names, versions, wanted = databases.names(session), databases.versions(session), phase.args["version"]
    if not main_sync_needed(versions, wanted, cell0_is_mapped(session)):
        return Look(versions, "", judgement.already(names.main, versions["main"], wanted))
    if judgement.sync_needed(versions["main"], wanted):
        return Look(versions, _behind(names.main, versions["main"], wanted), "")
    return Look(versions, _behind(names.cell0, versions["cell0"], wanted), "")


def do_main(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    """``db sync``; nova passes over a cell0 that it cannot reach and exits 0, so that one is asked for before and after."""
    names, before, wanted = databases.names(session), databases.versions(session), phase.args["version"]
    mapped = cell0_is_mapped(session)
    with_cell0 = mapped and judgement.sync_needed(before["cell0"], wanted)
    if with_cell0 and not sql.schema_exists(session.connection, names.cell0):
        raise StepError(
            "cell0 is mapped but database {0} does not exist or is not granted to {1}; nova would skip it and exit 0:"
            " create and grant it first; nothing was run".format(names.cell0, session.target.urls["main"].user)
        )
    words = ["db", "sync", "--version", str(wanted)] + ([] if with_cell0 or not mapped else ["--local_cell"])
    outcome = tool.ran(words, timeout)
    after = databases.versions(session)
    comment = demand(judgement.judge_sync(names.main, outcome, after["main"], wanted))
    if with_cell0:
        comment += "; " + demand(judgement.judge_cell0_sync(outcome, names.cell0, after["cell0"], wanted))
    return Done("{0}, from {1}".format(comment, before["main"]))
