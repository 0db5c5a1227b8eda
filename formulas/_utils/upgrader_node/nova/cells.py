"""Cells v2: exactly one cell0 and one cell beside it, naming the copy's databases and queue and nothing else.

nova compares too little here: it accepts a second cell for one character more in a URL, calls a wrong cell0 "already
setup", and stores cell0's URL unquoted (docs/traps.md 11, 12 and 16). So each step compares for itself.
"""

import json
import typing

from upgrader_node.database import sql
from upgrader_node.errors import StepError
from upgrader_node.nova import databases, judgement, nova_manage, rows
from upgrader_node.nova.rows import CELL0_UUID, Cell
from upgrader_node.nova.schemas import demand
from upgrader_node.release.path import Phase
from upgrader_node.schema.session import Done, Look, Session, Tool, run
from upgrader_node.schema.target import Target
from upgrader_node.service import manage
from upgrader_node.service.oslo_conf import parse_transport

CELL0_TRANSPORT = "none:///"


def shown(cell: Cell) -> str:
    """A cell as an operator may see it."""
    return "{0} ({1}, database {2}, queue {3})".format(
        cell.name or "nameless cell",
        cell.uuid,
        sql.redact(cell.database_connection),
        sql.redact(cell.transport_url),
    )


def _names(cell: Cell, url: sql.DatabaseUrl) -> bool:
    try:
        return sql.parse_url(cell.database_connection).place() == url.place()
    except ValueError:
        return False


def _queued(cell: Cell, target: Target) -> bool:
    try:
        return parse_transport(cell.transport_url).place() == databases.transport(target).place()
    except ValueError:
        return False


def strangers(target: Target, cells: typing.Sequence[Cell]) -> typing.List[str]:
    """Every cell mapping that leads out of the copy, in one sentence each: the rehearsal must not reach production."""
    sentences = []
    for cell in cells:
        if cell.uuid == CELL0_UUID:
            ours = _names(cell, databases.cell0_url(target)) and cell.transport_url.startswith("none:")
        else:
            ours = _names(cell, target.urls["main"]) and _queued(cell, target)
        if not ours:
            sentences.append("cell mapping {0} does not belong to {1}".format(shown(cell), target.name("main")))
    return sentences


def assert_isolated(session: Session) -> typing.List[Cell]:
    """The cell mappings, after proving that none names a database or a queue other than the target's."""
    api = databases.names(session).api
    cells = rows.cells(session.connection, api)
    leading_away = strangers(session.target, cells)
    if leading_away:
        raise StepError(
            "{0}; remove it from {1}.cell_mappings (with its host and instance mappings) before anything uses this copy".format(
                "; ".join(leading_away), api
            )
        )
    return cells


def _cell0(session: Session) -> typing.List[Cell]:
    return [cell for cell in assert_isolated(session) if cell.uuid == CELL0_UUID]


def look_cell0(session: Session, phase: Phase) -> Look:
    """Mapped, and with its URL spelled so that any password survives."""
    name, mapped = databases.names(session).cell0, _cell0(session)
    if not mapped:
        return Look(None, "cell0 is not mapped", "")
    if mapped[0].database_connection != databases.cell0_url(session.target).text():
        return Look(name, "the URL of cell0 is not quoted", "")
    return Look(name, "", "cell0 is already mapped to {0}".format(name))


def do_cell0(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    """Map cell0 with its URL given explicitly and quoted; an existing, badly spelled one is written anew."""
    names, wanted = databases.names(session), databases.cell0_url(session.target).text()
    mapped = _cell0(session)
    if mapped:
        rows.repair_cell(session.connection, names.api, mapped[0].id, wanted)
    else:
        demand(
            judgement.judge_exit(_with_secret(tool, ["cell_v2", "map_cell0", "--database_connection", wanted], timeout))
        )
    after = _cell0(session)
    if len(after) != 1 or after[0].database_connection != wanted or after[0].transport_url != CELL0_TRANSPORT:
        raise StepError(
            "map_cell0 exited 0 but {0}.cell_mappings has no cell0 that names {1}".format(names.api, names.cell0)
        )
    return Done("the URL of cell0 was written anew, quoted" if mapped else "cell0 is mapped to {0}".format(names.cell0))


def _with_secret(tool: Tool, words: typing.Sequence[str], timeout: float) -> manage.Outcome:
    """One nova-manage whose arguments go over stdin, because one of them holds a password."""
    session = tool.session
    session.connection.demand_lock()
    before, told = nova_manage.ARGUMENTS_FROM_STDIN, [word for word in words if "://" not in word]
    return run(session, (), timeout, tool.keep_open, before, stdin=json.dumps(list(words)), shown=told)


def others(session: Session) -> typing.List[Cell]:
    """Every cell but cell0."""
    return [cell for cell in assert_isolated(session) if cell.uuid != CELL0_UUID]


def the_cell(session: Session, name: str) -> Cell:
    """The one cell beside cell0; refuses none, several, and one of another name."""
    cells = others(session)
    if len(cells) != 1 or cells[0].name != name:
        seen = "; ".join(shown(cell) for cell in cells) or "none"
        raise StepError(
            "exactly one cell, {0}, is expected beside cell0 in {1}; found: {2}".format(
                name, databases.names(session).api, seen
            )
        )
    return cells[0]


def look_cell(session: Session, phase: Phase) -> Look:
    """An equal cell is enough; any other is refused."""
    name = phase.args["cell"]
    if not others(session):
        return Look(None, "{0} is not there".format(name), "")
    cell = the_cell(session, name)
    return Look(cell.uuid, "", "{0} is already there ({1})".format(name, cell.uuid))


def do_cell(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    """Create the cell from nova.conf's own URLs: none stands in an argv."""
    name = phase.args["cell"]
    outcome = tool.ran(["cell_v2", "create_cell", "--name", name], timeout)
    if not (outcome.exit_code == 2 and nova_manage.CELL_THERE in outcome.stdout):
        demand(judgement.judge_exit(outcome))
    cell = the_cell(session, name)
    return Done("{0} is created ({1})".format(name, cell.uuid), {"uuid": cell.uuid})
