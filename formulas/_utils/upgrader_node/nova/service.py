"""Nova as one of the services: its kinds of phases, and what is to be asked of a finished copy beyond them.

nova-manage runs as root and its changes are not recorded: a sync that was cut off is waited for and then simply repeated,
because nova's migrations commit their version one by one.
"""

import typing

from upgrader_node.database import sql
from upgrader_node.nova import cells, databases, groups, mappings, online, rows, schemas, services
from upgrader_node.nova import findings as nova_findings
from upgrader_node.nova.nova_manage import HOME
from upgrader_node.schema.findings import Counts, Finding, unfinished
from upgrader_node.schema.session import Service, Session, Work

WORKS = {
    "api-db": Work(schemas.look_api, schemas.do_api, commands=("api_db sync --version",)),
    "db": Work(schemas.look_main, schemas.do_main, commands=("db sync --version",)),
    # The databases may be content while nova is not: its own word is asked for in any case. The repair's order and answer are
    # the same whether there is something to repair or not; without, it runs nothing.
    "repair-server-groups": Work(groups.look, groups.do, always=True),
    "online": Work(online.look, online.do, always=True, commands=("db online_data_migrations --max-count",)),
    "map-cell0": Work(cells.look_cell0, cells.do_cell0, commands=("cell_v2 map_cell0",)),
    "create-cell": Work(cells.look_cell, cells.do_cell, commands=("cell_v2 create_cell",)),
    "discover-hosts": Work(mappings.look_hosts, mappings.do_hosts, commands=("cell_v2 discover_hosts",)),
    "map-instances": Work(mappings.look_instances, mappings.do_instances, commands=("cell_v2 map_instances",)),
    "services": Work(services.look, services.do),
}


def cell_names(session: Session) -> typing.List[str]:
    """The cells that there must be at the end."""
    made = [str(phase.args["cell"]) for phase in session.path.phases if phase.work == "create-cell"]
    return sorted(["cell0"] + made)


def findings(session: Session, expected: typing.Optional[Counts]) -> typing.List[Finding]:
    """Versions first: of another schema nothing else can be asked. Then cells, mappings, rows and, last, the counts."""
    names, connection = databases.names(session), session.connection
    wanted = {role: way.target for role, way in session.path.databases.items() if way.target is not None}
    wrong = nova_findings.check_versions(databases.versions(session), wanted)
    if wrong:
        return wrong
    mapped = [cell.name for cell in cells.assert_isolated(session)]
    counts = rows.mapping_counts(connection, names.main, names.api)
    hosts = rows.unmapped_hosts(connection, names.main, names.api)
    wrong += nova_findings.check_cells(mapped, counts, hosts, cell_names(session))
    wrong += _left_services(session)
    wrong += nova_findings.check_rows(online.remaining(session), rows.broken_group_specs(connection, names.api))
    if expected is not None:
        actual = sql.table_counts(connection, (names.main, names.api))
        own = rows.services_of(connection, names.main, databases.own_hosts(session.target))
        left = rows.strays(connection, names.main, names.api)
        wrong += nova_findings.compare_counts(names.main, expected, actual, own, left)
    return wrong


def _left_services(session: Session) -> typing.List[Finding]:
    phases = [phase for phase in session.path.phases if phase.work == "services"]
    left = [(phase.id, services.look(session, phase).pending) for phase in phases]
    return [unfinished(session.path.name, identity, pending) for identity, pending in left if pending]


SERVICE = Service(
    "nova-manage",
    "/etc/nova/nova.conf",
    WORKS,
    recorded=False,
    own_user=False,
    home=HOME,
    needs_queue=True,
    findings=findings,
)
