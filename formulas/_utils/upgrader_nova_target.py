"""Which databases and which message queue nova.conf names, and whether those are the ones that may be touched.

Everything that runs nova-manage asks here first: a rehearsal whose nova.conf points to production would migrate
production. The databases are chosen by the pillar's ``nova:controller:database:name`` alone (``nova_upgrade`` gives
``nova_upgrade``, ``nova_upgrade_api``, ``nova_upgrade_cell0``); nova.conf must agree with it, word for word.
"""

import re
import typing
from urllib.parse import unquote

import upgrader_database

UPGRADE_MARK = "_upgrade"
_SECTION = re.compile(r"^\[([^\]]+)\]\s*$")
_OPTION = re.compile(r"^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$")
_TRANSPORT_HOST = re.compile(r"^(?:(?P<user>[^:@]*)(?::(?P<password>.*))?@)?(?P<host>[^:@/]*)(?::(?P<port>\d+))?$")


class NovaError(Exception):
    """A refusal or a failure, told in one sentence that names the thing and the remedy. Holds no password."""


class Transport(typing.NamedTuple):
    """The message queue of a transport URL. ``repr`` shows no password."""

    driver: str
    hosts: typing.Tuple[typing.Tuple[str, int], ...]
    users: typing.Tuple[str, ...]
    passwords: typing.Tuple[str, ...]
    virtual_host: str

    def __repr__(self) -> str:
        return "Transport({0})".format(self.shown())

    def shown(self) -> str:
        places = ",".join(
            "{0}:***@{1}:{2}".format(user, host, port) for user, (host, port) in zip(self.users, self.hosts)
        )
        return "{0}://{1}/{2}".format(self.driver, places, self.virtual_host)

    def place(self) -> typing.Tuple[str, typing.Tuple[typing.Tuple[str, int], ...], str]:
        """What it names, whatever the spelling: ``host:5672/`` and ``host//`` are two URLs to nova and one queue."""
        return (self.driver, tuple(sorted(self.hosts)), self.virtual_host or "/")


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
    transport: Transport
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


def parse_conf(text: str) -> typing.Dict[str, typing.Dict[str, str]]:
    """An oslo.config file as ``{section: {option: value}}``; the last of several values counts, ``$$`` means ``$``."""
    parsed = {"DEFAULT": {}}  # type: typing.Dict[str, typing.Dict[str, str]]
    section, option = "DEFAULT", ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        heading, pair = _SECTION.match(line), _OPTION.match(line)
        if heading:
            section, option = heading.group(1).strip(), ""
            parsed.setdefault(section, {})
        elif line[0].isspace() and option:
            parsed[section][option] += "\n" + line.strip()
        elif pair:
            option = pair.group(1).strip()
            value = pair.group(2).strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            parsed[section][option] = value.replace("$$", "$")
    return parsed


def parse_transport(text: str) -> Transport:
    """The parts of an oslo.messaging transport URL, unquoted. Raises ValueError, without the URL."""
    driver, mark, rest = text.partition("://")
    if not mark or not driver:
        raise ValueError("it is not a URL of the form rabbit://user:password@host:port/virtual_host")
    places, _, virtual_host = rest.partition("/")
    hosts, users, passwords = [], [], []
    for place in places.split(",") if places else []:
        found = _TRANSPORT_HOST.match(place)
        if not found:
            raise ValueError("a host in it cannot be read; quote the password (%40 for @, %2F for /)")
        hosts.append((found.group("host"), int(found.group("port") or 5672)))
        users.append(unquote(found.group("user") or ""))
        passwords.append(unquote(found.group("password") or ""))
    return Transport(driver, tuple(hosts), tuple(users), tuple(passwords), unquote(virtual_host.partition("?")[0]))


def _wanted(pillar: typing.Mapping[str, typing.Any], key: str) -> typing.Any:
    """``nova:controller:<key>`` of the pillar; a missing one is named."""
    value = pillar  # type: typing.Any
    for word in key.split(":"):
        value = value.get(word) if isinstance(value, typing.Mapping) else None
        if value in (None, ""):
            raise NovaError("pillar has no nova:controller:{0}; add it to this node's classes in reclass".format(key))
    return value


def queue_hosts(queue: typing.Mapping[str, typing.Any]) -> typing.Tuple[typing.Tuple[str, int], ...]:
    """The message queue's hosts as the salt-formulas convention gives them: ``members``, or ``host`` and ``port``."""
    port = int(queue.get("port", 5672))
    members = queue.get("members") or [{"host": queue.get("host", ""), "port": port}]
    return tuple(sorted((str(member["host"]), int(member.get("port", port))) for member in members))


def read_target(
    conf_text: str,
    config_file: str,
    controller: typing.Mapping[str, typing.Any],
    hostname: str,
    allow_production: bool = False,
) -> Target:
    """The target, after asserting that nova.conf and pillar name the same one and that it is a copy.

    ``allow_production`` is for the real upgrade: only then may the pillar's own name be one without ``_upgrade``.
    Raises NovaError otherwise, before anything has been connected to.
    """
    name = str(_wanted(controller, "database:name"))
    if UPGRADE_MARK not in name and not allow_production:
        raise NovaError(
            "nova:controller:database:name is {0!r}, which is not a copy (no {1!r} in it); set it to {0}{1} for a rehearsal".format(
                name, UPGRADE_MARK
            )
        )
    conf = parse_conf(conf_text)
    place = (str(_wanted(controller, "database:host")), int(_wanted(controller, "database").get("port", 3306)))
    main_url, main_text = _connection(conf, config_file, "database", name, place)
    api_url, _ = _connection(conf, config_file, "api_database", name + "_api", place)
    text = conf["DEFAULT"].get("transport_url", "")
    transport = _transport(text, config_file, _wanted(controller, "message_queue"))
    host = conf["DEFAULT"].get("host") or hostname
    own = (
        host,
        conf["DEFAULT"].get("osapi_compute_listen", "0.0.0.0"),
        conf["DEFAULT"].get("metadata_listen", "0.0.0.0"),
    )
    return Target(
        name, name + "_api", name + "_cell0", main_url, api_url, main_text, transport, text, config_file, host, own
    )


def _connection(
    conf: typing.Mapping[str, typing.Mapping[str, str]],
    path: str,
    section: str,
    name: str,
    place: typing.Tuple[str, int],
) -> typing.Tuple[upgrader_database.DatabaseUrl, str]:
    text = conf.get(section, {}).get("connection", "")
    if not text:
        raise NovaError(
            "{0} has no [{1}]/connection; without it nova-manage would make an SQLite file; apply state nova".format(
                path, section
            )
        )
    try:
        url = upgrader_database.parse_url(text)
    except ValueError as error:
        raise NovaError("{0}: [{1}]/connection cannot be used, {2}".format(path, section, error)) from None
    if url.database != name:
        raise NovaError(
            "{0}: [{1}]/connection names database {2!r} but the pillar's nova:controller:database:name asks for {3!r};"
            " nothing was run; correct one of them".format(path, section, url.database, name)
        )
    if (url.host, url.port) != place:
        raise NovaError(
            "{0}: [{1}]/connection goes to {2}:{3} but the pillar's nova:controller:database says {4}:{5};"
            " nothing was run; correct one of them".format(path, section, url.host, url.port, place[0], place[1])
        )
    return url, text


def _transport(text: str, path: str, queue: typing.Mapping[str, typing.Any]) -> Transport:
    if not text:
        raise NovaError(
            "{0} has no [DEFAULT]/transport_url; a cell cannot be created without it; apply state nova".format(path)
        )
    try:
        transport = parse_transport(text)
    except ValueError as error:
        raise NovaError("{0}: [DEFAULT]/transport_url cannot be used, {1}".format(path, error)) from None
    wanted = queue_hosts(queue)
    if tuple(sorted(transport.hosts)) != wanted:
        raise NovaError(
            "{0}: [DEFAULT]/transport_url is {1} but the pillar's nova:controller:message_queue says {2};"
            " nothing was run; a copy on production's queue would take production's messages".format(
                path, transport.shown(), ", ".join("{0}:{1}".format(*host) for host in wanted)
            )
        )
    return transport
