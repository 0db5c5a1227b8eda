"""Which databases a service's configuration file and pillar agree on. Nothing runs before that.

A rehearsal whose configuration points to production would migrate production. The databases are chosen by pillar's
``<role>:database:name`` alone (``nova_upgrade`` gives ``nova_upgrade``, ``nova_upgrade_api``, ``nova_upgrade_cell0``); the
configuration file must agree with it, word for word.
"""

import typing

from upgrader_node.database import sql
from upgrader_node.release.path import ServicePath
from upgrader_node.service import oslo_conf
from upgrader_node.service.oslo_conf import Conf, Role


class Target(typing.NamedTuple):
    """What one service's upgrade works on; of all this only ``config_file`` stands in an argv. ``repr`` shows no password.

    ``urls`` are its databases by what they are to it: ``main``, and whatever others the release path names.
    """

    urls: typing.Mapping[str, sql.DatabaseUrl]
    config_file: str
    conf: Conf
    transport: typing.Optional[oslo_conf.Transport] = None

    def __repr__(self) -> str:
        shown = [url.shown() for url in self.urls.values()]
        if self.transport:
            shown.append(self.transport.shown())
        return "Target({0})".format(", ".join(shown))

    def name(self, database: str) -> str:
        """The name of one database on the server."""
        return self.urls[database].database

    @property
    def schemas(self) -> typing.Tuple[str, ...]:
        return tuple(url.database for url in self.urls.values())

    @property
    def secrets(self) -> typing.Tuple[str, ...]:
        """Every password that must not appear in anything that is shown."""
        passwords = [url.password for url in self.urls.values()]
        if self.transport:
            passwords.extend(self.transport.passwords)
        return tuple(dict.fromkeys(password for password in passwords if password))

    def option(self, section: str, name: str, default: str) -> str:
        """One option of the service's configuration file."""
        return self.conf.get(section, {}).get(name) or default


def read_target(
    conf_text: str,
    file: str,
    path: ServicePath,
    values: typing.Mapping[str, typing.Any],
    allow_production: bool = False,
    needs_queue: bool = False,
) -> Target:
    """The target, after asserting that configuration file and pillar name the same one and that it is a copy.

    The message queue is compared where the file names one, or where the service's tool writes it down (``needs_queue``).
    ``allow_production`` is for the real upgrade: only then may pillar's own name be one without ``_upgrade``. Raises
    StepError otherwise, before anything has been connected to.
    """
    role = Role(path.role, values)
    name = role.copy_name(allow_production)
    conf = oslo_conf.parse_conf(conf_text)
    urls = {}  # type: typing.Dict[str, sql.DatabaseUrl]
    for database, way in path.databases.items():
        wanted = name + way.suffix
        if way.section:
            urls[database] = oslo_conf.connection(conf, file, way.section, role, wanted)[0]
        else:
            urls[database] = urls["main"]._replace(database=wanted)
    text, transport = conf["DEFAULT"].get("transport_url", ""), None
    if needs_queue or (text and values.get("message_queue")):
        transport = oslo_conf.transport(text, file, role)
    return Target(urls, file, conf, transport)
