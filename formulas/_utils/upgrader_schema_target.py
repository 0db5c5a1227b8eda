"""Where the five services keep their configuration, and which copy it and pillar agree on. Nothing runs before that."""

import typing

import upgrader_conf
import upgrader_database
from upgrader_conf import Conf, Role, StepError

# glance hands its database URL to alembic, in SQLAlchemy's spelling, which quotes :@/ and not %, into a configuration that
# takes % for its own: a password with one of those ends glance-manage with ValueError or as another password. So alembic
# gets the URL as the configuration file spells it, with every % doubled, as later releases of glance do.
GLANCE_MANAGE = """\
import sys
from alembic import config
from oslo_config import cfg
plain_option = config.Config.set_main_option
def spelled(self, name, value):
    if name == 'sqlalchemy.url':
        value = cfg.CONF.database.connection.replace('%', '%%')
    plain_option(self, name, value)
config.Config.set_main_option = spelled
"""


class Place(typing.NamedTuple):
    """One service on a node: its pillar role, its tool, and the configuration file that names its database.

    ``before`` is run by the tool's Python before the tool, where that has a fault to be got around.
    """

    role: str
    tool: str
    config_file: str
    before: str = ""


PLACES = {
    "keystone": Place("keystone:server", "keystone-manage", "/etc/keystone/keystone.conf"),
    "glance": Place("glance:server", "glance-manage", "/etc/glance/glance-api.conf", GLANCE_MANAGE),
    "cinder": Place("cinder:controller", "cinder-manage", "/etc/cinder/cinder.conf"),
    "neutron": Place("neutron:server", "neutron-db-manage", "/etc/neutron/neutron.conf"),
    "heat": Place("heat:server", "heat-manage", "/etc/heat/heat.conf"),
}

# Pillar role of every service that has a database of its own; nova's tool has a module of its own.
ROLE_OF = dict({"nova": "nova:controller"}, **{name: place.role for name, place in PLACES.items()})


class Target(typing.NamedTuple):
    """What one service's upgrade works on; of all this only ``config_file`` stands in an argv. ``repr`` shows no password."""

    service: str
    database: str
    url: upgrader_database.DatabaseUrl
    config_file: str
    conf: Conf
    secrets: typing.Tuple[str, ...]

    def __repr__(self) -> str:
        return "Target({0}, {1})".format(self.service, self.url.shown())

    def option(self, section: str, name: str, default: str) -> str:
        """One option of the service's configuration file."""
        return self.conf.get(section, {}).get(name) or default


def place(service: str) -> Place:
    """The service's place, or StepError with the known ones."""
    try:
        return PLACES[service]
    except KeyError:
        raise StepError(
            "there is no service {0!r} here; known: {1}".format(service, ", ".join(sorted(PLACES)))
        ) from None


def config_file(service: str, role: typing.Mapping[str, typing.Any]) -> str:
    return str(role.get("config_file") or place(service).config_file)


def plugin_owns_schema(service: str, role: typing.Mapping[str, typing.Any]) -> str:
    """Why there is nothing to upgrade, or "": with Contrail the network's records are in its own database, not in neutron's."""
    if service == "neutron" and str(role.get("plugin", "")).lower() in ("contrail", "opencontrail"):
        return "skipped: pillar neutron:server:plugin is {0}, which keeps no schema of neutron's".format(role["plugin"])
    return ""


def read_target(
    conf_text: str, path: str, service: str, values: typing.Mapping[str, typing.Any], allow_production: bool = False
) -> Target:
    """The target, after asserting that configuration file and pillar name the same one and that it is a copy.

    The message queue is compared where the file names one: these tools do not use it, the services do.
    """
    role = Role(place(service).role, values)
    name = role.copy_name(allow_production)
    conf = upgrader_conf.parse_conf(conf_text)
    url, _ = upgrader_conf.connection(conf, path, "database", role, name)
    secrets = [url.password]
    text = conf["DEFAULT"].get("transport_url", "")
    if text and values.get("message_queue"):
        secrets.extend(upgrader_conf.transport(text, path, role).passwords)
    return Target(service, name, url, path, conf, tuple(secret for secret in secrets if secret))
