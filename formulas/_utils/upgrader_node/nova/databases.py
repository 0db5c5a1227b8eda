"""Nova's three databases by name, and what else of its configuration the upgrade must know."""

import socket
import typing

from upgrader_node.database import sql
from upgrader_node.errors import StepError
from upgrader_node.nova import rows
from upgrader_node.schema.session import Session
from upgrader_node.schema.target import Target
from upgrader_node.service import oslo_conf

EVERYWHERE = "0.0.0.0"


class Names(typing.NamedTuple):
    """The names on the server: ``nova_upgrade``, ``nova_upgrade_api`` and ``nova_upgrade_cell0``."""

    main: str
    api: str
    cell0: str


def names(session: Session) -> Names:
    return Names(*(session.target.name(database) for database in Names._fields))


def versions(session: Session) -> typing.Dict[str, typing.Optional[int]]:
    """Schema versions as the databases hold them."""
    return rows.versions(session.connection, *names(session))


def cell0_url(target: Target) -> sql.DatabaseUrl:
    """cell0 lives beside the main database; pillar's name decides, not nova's own default."""
    return target.urls["cell0"]


def transport(target: Target) -> oslo_conf.Transport:
    """The message queue; nova.conf was refused where it names none."""
    if target.transport is None:
        raise StepError("{0} has no [DEFAULT]/transport_url".format(target.config_file))
    return target.transport


def own_hosts(target: Target) -> typing.Tuple[str, str, str]:
    """The names under which this node's own nova services register: nova-api uses its listen address."""
    return (
        target.option("DEFAULT", "host", socket.gethostname()),
        target.option("DEFAULT", "osapi_compute_listen", EVERYWHERE),
        target.option("DEFAULT", "metadata_listen", EVERYWHERE),
    )
