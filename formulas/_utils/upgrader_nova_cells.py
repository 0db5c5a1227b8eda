"""Cells v2: exactly one cell0 and one cell1, naming the copy's databases and queue and nothing else, and what maps to them.

nova compares too little here: it accepts a second cell1 for one character more in a URL, calls a wrong cell0 "already
setup", and says nothing when hosts stay unmapped (facts/nova.md traps 11 to 14, 16). So each step compares for itself.
"""

import typing

import upgrader_database
import upgrader_nova_bulk
import upgrader_nova_judgement as judgement
import upgrader_nova_manage
import upgrader_nova_rows
import upgrader_nova_walk
from upgrader_conf import StepError, parse_transport
from upgrader_nova_driver import Answer, Session, answer, demand, exclusively
from upgrader_nova_rows import CELL0_UUID, Cell
from upgrader_nova_target import Target

CELL0_TRANSPORT = "none:///"


def shown(cell: Cell) -> str:
    """A cell as an operator may see it."""
    return "{0} ({1}, database {2}, queue {3})".format(
        cell.name or "nameless cell",
        cell.uuid,
        upgrader_database.redact(cell.database_connection),
        upgrader_database.redact(cell.transport_url),
    )


def _names(cell: Cell, url: upgrader_database.DatabaseUrl) -> bool:
    try:
        return upgrader_database.parse_url(cell.database_connection).place() == url.place()
    except ValueError:
        return False


def _queued(cell: Cell, target: Target) -> bool:
    try:
        return parse_transport(cell.transport_url).place() == target.transport.place()
    except ValueError:
        return False


def strangers(target: Target, cells: typing.Sequence[Cell]) -> typing.List[str]:
    """Every cell mapping that leads out of the copy, in one sentence each: the rehearsal must not reach production."""
    found = []
    for cell in cells:
        if cell.uuid == CELL0_UUID:
            ok = _names(cell, target.cell0_url) and cell.transport_url.startswith("none:")
        else:
            ok = _names(cell, target.main_url) and _queued(cell, target)
        if not ok:
            found.append("cell mapping {0} does not belong to {1}".format(shown(cell), target.main))
    return found


def assert_isolated(session: Session) -> typing.List[Cell]:
    """The cell mappings, after proving that none names a database or a queue other than the target's."""
    cells = upgrader_nova_rows.cells(session.connection, session.target.api)
    found = strangers(session.target, cells)
    if found:
        raise StepError(
            "{0}; remove it from {1}.cell_mappings (with its host and instance mappings) before anything uses this copy".format(
                "; ".join(found), session.target.api
            )
        )
    return cells


def map_cell0(session: Session, timeout: float) -> Answer:
    """Map cell0 with its URL given explicitly and quoted; an existing, badly spelled one is written anew."""
    target, wanted = session.target, session.target.cell0_url.text()
    before = [cell for cell in assert_isolated(session) if cell.uuid == CELL0_UUID]
    if before and before[0].database_connection == wanted:
        return answer(target.cell0, target.cell0, False, "cell0 is already mapped to {0}".format(target.cell0))
    with exclusively(session) as nova:
        if before:
            upgrader_nova_rows.repair_cell(session.connection, target.api, before[0].id, wanted)
        else:
            demand(
                judgement.judge_exit(
                    nova.run(["cell_v2", "map_cell0", "--database_connection", wanted], timeout, secret=True)
                )
            )
    after = [cell for cell in assert_isolated(session) if cell.uuid == CELL0_UUID]
    if len(after) != 1 or after[0].database_connection != wanted or after[0].transport_url != CELL0_TRANSPORT:
        raise StepError(
            "map_cell0 exited 0 but {0}.cell_mappings has no cell0 that names {1}".format(target.api, target.cell0)
        )
    did = "the URL of cell0 was written anew, quoted" if before else "cell0 is mapped to {0}".format(target.cell0)
    return answer(target.cell0 if before else None, target.cell0, True, did)


def _others(cells: typing.Sequence[Cell]) -> typing.List[Cell]:
    return [cell for cell in cells if cell.uuid != CELL0_UUID]


def the_cell(session: Session, name: str) -> Cell:
    """The one cell beside cell0; refuses none, several, and one of another name."""
    others = _others(assert_isolated(session))
    if len(others) != 1 or others[0].name != name:
        found = "; ".join(shown(cell) for cell in others) or "none"
        raise StepError(
            "exactly one cell, {0}, is expected beside cell0 in {1}; found: {2}".format(name, session.target.api, found)
        )
    return others[0]


def create_cell(session: Session, name: str, timeout: float) -> Answer:
    """Create the cell from nova.conf's own URLs (none stands in argv); skip an equal one, refuse any other."""
    others = _others(assert_isolated(session))
    if others:
        cell = the_cell(session, name)
        return answer(cell.uuid, cell.uuid, False, "{0} is already there ({1})".format(name, cell.uuid))
    with exclusively(session) as nova:
        outcome = nova.run(["cell_v2", "create_cell", "--name", name], timeout)
        if not (outcome.exit_code == 2 and upgrader_nova_manage.CELL_THERE in outcome.stdout):
            demand(judgement.judge_exit(outcome))
    cell = the_cell(session, name)
    return answer(None, cell.uuid, True, "{0} is created ({1})".format(name, cell.uuid), uuid=cell.uuid)


def discover_hosts(session: Session, name: str, timeout: float) -> Answer:
    """Map every compute host to the cell; proven by counts, because the command never says that one stayed behind."""
    target, connection = session.target, session.connection
    cell = the_cell(session, name)
    before = upgrader_nova_rows.host_counts(connection, target.main, target.api, cell.id)
    if not upgrader_nova_rows.unmapped_hosts(connection, target.main, target.api) and not before["elsewhere"]:
        return answer(before, before, False, "all {0} compute hosts are already mapped".format(before["hosts"]))
    with exclusively(session) as nova:
        outcome = nova.run(["cell_v2", "discover_hosts", "--cell_uuid", cell.uuid], timeout)
    after = upgrader_nova_rows.host_counts(connection, target.main, target.api, cell.id)
    unmapped = upgrader_nova_rows.unmapped_hosts(connection, target.main, target.api)
    return answer(before, after, after != before, demand(judgement.judge_hosts(outcome, unmapped, after)))


def map_instances(session: Session, name: str, max_count: int, timeout: float, fast: bool = False) -> Answer:
    """Map all instances in batches; resumes at nova's marker; a batch that moves neither counts nor marker is a failure.

    With ``fast`` the mappings are written in bulk and nova-manage, from a marker behind them, has the last word.
    """
    target, connection = session.target, session.connection
    cell = the_cell(session, name)
    before = upgrader_nova_rows.mapping_counts(connection, target.main, target.api)
    if judgement.judge_mapped(before)[0]:
        return answer(before, before, False, judgement.judge_mapped(before)[1])
    bound = 3 + before["instances"] // max_count
    with exclusively(session) as nova:
        bulk = upgrader_nova_bulk.NOT_ASKED
        if fast:
            bulk = upgrader_nova_bulk.mappings(connection, target.main, target.api, cell.id)
            upgrader_nova_walk.park_mappings(connection, target.main, target.api)
        batches = _map_batches(session, nova, cell, max_count, timeout, bound)
    after = upgrader_nova_rows.mapping_counts(connection, target.main, target.api)
    comment = "{0}; {1}".format(demand(judgement.judge_mapped(after)), bulk.said)
    return answer(before, after, after != before, comment, batches=batches, bulk=bulk.answer())


def _map_batches(session: Session, nova: typing.Any, cell: Cell, max_count: int, timeout: float, bound: int) -> int:
    """Exit 1 is both "more to do" and "crashed" (trap 14): the output tells them apart."""
    target, connection = session.target, session.connection
    seen = set()  # type: typing.Set[str]
    for number in range(1, bound + 1):
        outcome = nova.run(
            ["cell_v2", "map_instances", "--cell_uuid", cell.uuid, "--max-count", str(max_count)], timeout
        )
        demand(judgement.judge_exit(outcome, (0, 1)))
        if outcome.exit_code == 0:
            return number
        marker = upgrader_nova_rows.map_marker(connection, target.api)
        if not marker or marker in seen:
            raise StepError(
                "map_instances exits 1 for more to do, but its marker in {0} does not move ({1!r})".format(
                    target.api, marker
                )
            )
        seen.add(marker)
    raise StepError("map_instances has not finished after {0} batches of {1}".format(bound, max_count))
