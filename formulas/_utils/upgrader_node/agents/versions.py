"""The version that each nova-compute has written down: no API of Ocata tells it, so nova's database is asked. Reads only."""

import contextlib
import typing

from upgrader_node.database import connection, sql
from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar

STATEMENT = "SELECT host, version FROM {}.services WHERE deleted = 0 AND `binary` = 'nova-compute'"
ROLE = "nova:controller"
Versions = typing.Callable[[], typing.Dict[str, int]]


def of(driver: typing.Any, pillar: typing.Mapping[str, typing.Any]) -> Versions:
    """Asks anew at each call: by host, the version. Raises StepError where this node's pillar names no database of nova's."""
    account = host_pillar.value(pillar, ROLE + ":database", {}) or {}
    lacking = [key for key in ("host", "name", "user", "password") if account.get(key) in (None, "")]
    if lacking:
        what = "pillar of this node has no {}: this asks nova's database, so call it on a controller"
        raise StepError(what.format(", ".join("{}:database:{}".format(ROLE, key) for key in lacking)))

    def ask() -> typing.Dict[str, int]:
        with contextlib.closing(connection.of_account(driver, "pillar {}:database".format(ROLE), account)) as session:
            found = sql.rows(session, STATEMENT.format(sql.identifier(account["name"])))
        return {str(host): int(version or 0) for host, version in found}

    return ask
