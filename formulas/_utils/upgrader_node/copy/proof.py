"""The proof that a service of the copy leads to this node and the clones only: configuration, and keystone's catalogue."""

import contextlib
import typing

from upgrader_node.copy import catalogue, isolation
from upgrader_node.database import connection
from upgrader_node.errors import StepError
from upgrader_node.host import findings, settings
from upgrader_node.host import pillar as host_pillar
from upgrader_node.service import oslo_conf
from upgrader_node.service.roles import ROLE_OF

# Every file in which a service may name a host.
FILES = {
    "keystone": ("/etc/keystone/keystone.conf",),
    "glance": ("/etc/glance/glance-api.conf",),
    "nova": ("/etc/nova/nova.conf",),
    "cinder": ("/etc/cinder/cinder.conf",),
    "neutron": ("/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/ml2_conf.ini"),
    "heat": ("/etc/heat/heat.conf",),
}
Values = typing.Mapping[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


def _role(pillar: Values, service: str) -> typing.Tuple[Values, str]:
    """What pillar says of the service's role, and the name of its database."""
    if service not in ROLE_OF:
        raise StepError("no service {!r}; there are {}".format(service, ", ".join(sorted(ROLE_OF))))
    role = host_pillar.value(pillar, ROLE_OF[service], {}) or {}  # type: Values
    return role, str((role.get("database") or {}).get("name") or "")


def may_start(driver: typing.Any, pillar: Values, service: str, own: typing.Sequence[str]) -> Answer:
    """Whether a service may start here: a copy that is ``isolated``, or a controller that pillar calls production's."""
    _, name = _role(pillar, service)
    if isolation.is_production(service, name, settings.production(pillar)):
        return {"comment": "{} works on production's {}, as pillar says".format(service, name), "production": True}
    return dict(isolated(driver, pillar, service, own), production=False)


def role_of_copy(pillar: Values, service: str) -> Values:
    """What pillar says of the service's role. Raises StepError when its database is no clone."""
    role, name = _role(pillar, service)
    if not name.endswith(isolation.UPGRADE_MARK):
        what = "pillar {}:database:name is {!r}, which is no clone: set it to {}_upgrade for a rehearsal"
        raise StepError(what.format(ROLE_OF[service], name, service))
    return role


def role_of_production(pillar: Values, service: str) -> Values:
    """What pillar says of the service's role. Raises StepError unless it also says that this node is production's."""
    role, name = _role(pillar, service)
    if not isolation.is_production(service, name, settings.production(pillar)):
        what = "pillar {}:database:name is {!r}, which is a clone: this is for production's controllers"
        raise StepError(what.format(ROLE_OF[service], name))
    return role


@contextlib.contextmanager
def keystone(driver: typing.Any, role: Values) -> typing.Iterator[typing.Any]:
    """A connection to the database that pillar gives keystone."""
    with contextlib.closing(
        connection.of_account(driver, "pillar keystone:server:database", role["database"])
    ) as session:
        yield session


def isolated(driver: typing.Any, pillar: Values, service: str, own: typing.Sequence[str]) -> Answer:
    """Raises StepError with every place that leads away. Changes nothing.

    :param own: every name and address of this node
    """
    role = role_of_copy(pillar, service)
    paths = (role.get("config_file", FILES[service][0]),) + FILES[service][1:]
    wrong = [phrase for path in paths for phrase in _leading_away(path, service, role, own)]
    if service == "keystone":
        with keystone(driver, role) as session:
            wrong += catalogue.strangers(catalogue.endpoints(session, role["database"]["name"]), own)
    if wrong:
        raise StepError(
            "{} of the copy would reach beyond this node: {}; correct the model, or run the step that rewrites the copy, "
            "before anything starts".format(service, findings.some(wrong, 10, "; "))
        )
    return {"comment": "{} leads to this node and its clones only".format(service), "files": list(paths)}


def _leading_away(path: str, service: str, role: Values, own: typing.Sequence[str]) -> typing.List[str]:
    named = isolation.places(oslo_conf.parse_conf(_text(path, service)))
    strangers = isolation.strangers(named, own, str(role["database"]["host"]), _databases(service, role))
    return ["{} {}".format(path, phrase) for phrase in strangers]


def _databases(service: str, role: Values) -> typing.Tuple[str, ...]:
    name = role["database"]["name"]
    return (name, name + "_api", name + "_cell0") if service == "nova" else (name,)


def _text(path: str, service: str) -> str:
    try:
        with open(path, encoding="utf-8") as opened:
            return opened.read()
    except (OSError, UnicodeDecodeError) as error:
        what = "{} cannot be read ({}): apply state upgrader.{}.configured first"
        raise StepError(what.format(path, error, service)) from None
