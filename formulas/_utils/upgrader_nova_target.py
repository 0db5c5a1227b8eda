"""Which databases and which message queue nova.conf names, and whether those are the ones that may be touched.

Everything that runs nova-manage asks here first: a rehearsal whose nova.conf points to production would migrate
production. The databases are chosen by the pillar's ``nova:controller:database:name`` alone (``nova_upgrade`` gives
``nova_upgrade``, ``nova_upgrade_api``, ``nova_upgrade_cell0``); nova.conf must agree with it, word for word.
"""

import typing

import upgrader_conf
import upgrader_database


class Target(typing.NamedTuple):
    """What one upgrade works on. ``config_file`` is the only thing about it that ever stands in an argv.

    ``own_hosts`` are the names under which this node's own nova services register: nova-api uses its listen address.
    """

    main: str
    api: str
    cell0: str
    main_url: upgrader_database.DatabaseUrl
    api_url: upgrader_database.DatabaseUrl
    connection_text: str
    transport: upgrader_conf.Transport
    transport_text: str
    config_file: str
    host: str
    own_hosts: typing.Tuple[str, ...]

    @property
    def cell0_url(self) -> upgrader_database.DatabaseUrl:
        """cell0 lives beside the main database; the pillar's name decides, not nova's own default."""
        return self.main_url._replace(database=self.cell0)

    @property
    def schemas(self) -> typing.Tuple[str, str, str]:
        return (self.main, self.api, self.cell0)

    @property
    def secrets(self) -> typing.Tuple[str, ...]:
        """Every password that must not appear in anything that is shown."""
        found = (self.main_url.password, self.api_url.password) + self.transport.passwords
        return tuple(secret for secret in found if secret)

    def __repr__(self) -> str:
        return "Target({0}, {1}, {2})".format(self.main_url.shown(), self.api_url.shown(), self.transport.shown())


def read_target(
    conf_text: str,
    config_file: str,
    controller: typing.Mapping[str, typing.Any],
    hostname: str,
    allow_production: bool = False,
) -> Target:
    """The target, after asserting that nova.conf and pillar name the same one and that it is a copy.

    ``allow_production`` is for the real upgrade: only then may the pillar's own name be one without ``_upgrade``.
    Raises StepError otherwise, before anything has been connected to.
    """
    role = upgrader_conf.Role("nova:controller", controller)
    name = role.copy_name(allow_production)
    conf = upgrader_conf.parse_conf(conf_text)
    main_url, main_text = upgrader_conf.connection(conf, config_file, "database", role, name)
    api_url, _ = upgrader_conf.connection(conf, config_file, "api_database", role, name + "_api")
    text = conf["DEFAULT"].get("transport_url", "")
    transport = upgrader_conf.transport(text, config_file, role)
    host = conf["DEFAULT"].get("host") or hostname
    own = (
        host,
        conf["DEFAULT"].get("osapi_compute_listen", "0.0.0.0"),
        conf["DEFAULT"].get("metadata_listen", "0.0.0.0"),
    )
    return Target(
        name, name + "_api", name + "_cell0", main_url, api_url, main_text, transport, text, config_file, host, own
    )
