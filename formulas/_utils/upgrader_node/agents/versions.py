"""The version that each nova-compute has written down: no API of Ocata tells it, so nova's database is asked. Reads only."""

import contextlib
import typing

from upgrader_node.database import connection, sql
from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import finding, some
from upgrader_node.smoke.services import same

TOO_OLD = (
    "no other compute is below service version {} any more, and nova lets none start that is older than all the others "
    "(ServiceTooOld): {} would be without nova-compute after its packages went back"
)
REMEDY = "leave these computes at the new release and mend them there: behind the last compute nothing leads back"
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


def may_go_back(versions: Versions, hosts: typing.Sequence[str], least: int) -> typing.Dict[str, typing.Any]:
    """By findings: whether some nova-compute stays below ``least`` beside those of these hosts, or one of them is still there."""
    found = versions()
    behind = sorted(host for host, version in found.items() if version < least)
    going = sorted(host for host in found if any(same(host, one) for one in hosts))
    if behind or not going:
        words = "{} compute(s) are below service version {}".format(len(behind), least)
        return {"comment": words, "findings": []}
    refusal = finding("nova-compute", TOO_OLD.format(least, some(going)), REMEDY, rows=going)
    return {"comment": "every compute is at service version {}".format(least), "findings": [refusal]}
