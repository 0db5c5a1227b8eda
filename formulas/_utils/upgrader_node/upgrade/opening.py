"""From a call of a Salt module to a session: release path, pillar, configuration file and database, each proven first.

Salt's own things are handed over in a ``Node``, so that nothing here needs Salt. Whatever goes wrong inside a session leaves
as the error that Salt knows: one sentence, passwords hidden.
"""

import contextlib
import os
import typing

from upgrader_node.database import connection as database_connection
from upgrader_node.database import sql
from upgrader_node.database.watched import WatchedConnection
from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host import settings
from upgrader_node.release import delivery
from upgrader_node.release.path import ReleasePath, ServicePath
from upgrader_node.release.reading import NotAPath
from upgrader_node.schema.session import Service, Session
from upgrader_node.schema.target import Target, read_target
from upgrader_node.service import manage, oslo_conf
from upgrader_node.upgrade.services import SERVICES

HOUR = 3600.0


class Node(typing.NamedTuple):
    """What Salt knows of this node and gives its modules."""

    pillar: typing.Any
    cachedir: str
    fetch: typing.Callable[[str], typing.Any]  # cp.get_file_str
    driver: typing.Any  # PyMySQL
    yaml: typing.Any
    error: typing.Type[Exception]  # CommandExecutionError


@contextlib.contextmanager
def errors(node: Node, secrets: typing.Sequence[str] = ()) -> typing.Iterator[None]:
    """Refusals, failures and the database's errors as the one error that Salt shows without a traceback."""
    try:
        yield
    except (StepError, NotAPath, database_connection.ConnectionRefused) as error:
        raise node.error(sql.redact(str(error), secrets)) from None
    except database_connection.errors(node.driver) as error:
        raise node.error("the database failed: {0}".format(sql.redact(str(error), secrets))) from None


def release_path(node: Node, release: delivery.Given = None) -> ReleasePath:
    """The path that the call works with."""
    return delivery.release_path(node.pillar, node.fetch, node.yaml, release)


def service_path(node: Node, service: str, release: delivery.Given = None) -> ServicePath:
    """One service's way; StepError for one that the path does not name or this version cannot drive."""
    try:
        path = release_path(node, release).service(service)
    except KeyError as error:
        raise StepError(str(error.args[0])) from None
    if service not in SERVICES:
        raise StepError("this version cannot upgrade {0}; it can: {1}".format(service, ", ".join(sorted(SERVICES))))
    return path


def owned(node: Node, service: str, release: delivery.Given = None) -> str:
    """Why there is nothing to upgrade on this node, or ""."""
    path = service_path(node, service, release)
    return SERVICES[service].owned(host_pillar.value(node.pillar, path.role, {}) or {})


@contextlib.contextmanager
def session(
    node: Node,
    service: str,
    release: delivery.Given = None,
    allow_production: bool = False,
    patience: float = HOUR,
) -> typing.Iterator[Session]:
    """A session with one service's databases. ``patience`` is in seconds, for what an interrupted run still does."""
    secrets = []  # type: typing.List[str]
    with errors(node, secrets):
        path, driven = service_path(node, service, release), SERVICES[service]
        role, forked = host_pillar.value(node.pillar, path.role, {}) or {}, settings.forked(node.pillar)
        target = _target(path, driven, role, allow_production)
        secrets.extend(target.secrets)
        tool, python = manage.program(role, driven.tool, path.role)
        purpose = "{0} and pillar {1}:database".format(target.config_file, path.role)
        plain = database_connection.of_url(node.driver, purpose, target.urls["main"])
        with contextlib.closing(WatchedConnection(plain)) as connection:
            _demand_databases(path, target, connection)
            lock_file = os.path.join(node.cachedir, "upgrader-{0}-{1}.lock".format(service, target.name("main")))
            user = _account(path) if driven.own_user else None
            yield Session(driven, path, target, connection, tool, python, user, lock_file, patience, forked, {})


def _target(
    path: ServicePath, service: Service, role: typing.Mapping[str, typing.Any], allow_production: bool
) -> Target:
    file = str(role.get("config_file") or service.config_file)
    text = oslo_conf.read_file(file, service.tool, "upgrader.{0}.configured".format(path.name))
    return read_target(text, file, path, role, allow_production, service.needs_queue)


def _demand_databases(path: ServicePath, target: Target, connection: WatchedConnection) -> None:
    """Those that were there before; one that the upgrade makes is the phases' own matter."""
    for database, way in path.databases.items():
        name = target.name(database)
        if way.source is not None and not sql.schema_exists(connection, name):
            raise StepError(
                "database {0} does not exist or is not granted to {1}; create the clones first".format(
                    name, target.urls["main"].user
                )
            )


def _account(path: ServicePath) -> manage.Account:
    try:
        return manage.account(path.name)
    except ValueError as error:
        raise StepError("{0}; install {2}'s {1}".format(error, path.name, path.target.capitalize())) from None
