"""oslo.config files and what they name: databases and message queues, held against what the pillar says.

Everything that runs a service's own tool asks here first: a rehearsal whose configuration points to production would
migrate production. Shared by nova and by the other services.
"""

import re
import typing
from urllib.parse import unquote

from upgrader_node.database import sql
from upgrader_node.errors import StepError

UPGRADE_MARK = "_upgrade"
_SECTION = re.compile(r"^\[([^\]]+)\]\s*$")
_OPTION = re.compile(r"^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$")
_TRANSPORT_HOST = re.compile(
    r"^(?:(?P<user>[^:@]*)(?::(?P<password>.*))?@)?(?P<host>\[[^\]@/]+\]|[^:@/]*)(?::(?P<port>\d+))?$"
)
Conf = typing.Mapping[str, typing.Mapping[str, str]]


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
        match = _TRANSPORT_HOST.match(place)
        if not match:
            raise ValueError("a host in it cannot be read; quote the password (%40 for @, %2F for /)")
        hosts.append((match.group("host").strip("[]"), int(match.group("port") or 5672)))
        users.append(unquote(match.group("user") or ""))
        passwords.append(unquote(match.group("password") or ""))
    return Transport(driver, tuple(hosts), tuple(users), tuple(passwords), unquote(virtual_host.partition("?")[0]))


def queue_hosts(queue: typing.Mapping[str, typing.Any]) -> typing.Tuple[typing.Tuple[str, int], ...]:
    """The message queue's hosts as the salt-formulas convention gives them: ``members``, or ``host`` and ``port``."""
    port = int(queue.get("port", 5672))
    members = queue.get("members") or [{"host": queue.get("host", ""), "port": port}]
    return tuple(sorted((str(member["host"]), int(member.get("port", port))) for member in members))


class Role(typing.NamedTuple):
    """One role of the pillar, e.g. ``nova:controller``, and what it holds."""

    key: str
    values: typing.Mapping[str, typing.Any]

    def wanted(self, key: str) -> typing.Any:
        """The value at ``key``; a missing one is named."""
        value = self.values  # type: typing.Any
        for word in key.split(":"):
            value = value.get(word) if isinstance(value, typing.Mapping) else None
            if value in (None, ""):
                raise StepError("pillar has no {0}:{1}; add it to this node's classes in reclass".format(self.key, key))
        return value

    def copy_name(self, allow_production: bool) -> str:
        """``database:name``, refused when it is no copy's; ``allow_production`` is for the real upgrade alone."""
        name = str(self.wanted("database:name"))
        if UPGRADE_MARK not in name and not allow_production:
            raise StepError(
                "{0}:database:name is {1!r}, which is not a copy (no {2!r} in it); set it to {1}{2} for a rehearsal".format(
                    self.key, name, UPGRADE_MARK
                )
            )
        return name


def read_file(path: str, tool: str, state: str) -> str:
    """The text of a configuration file; without it ``tool`` would silently work on an SQLite file of its own."""
    try:
        with open(path, encoding="utf-8") as opened:
            return opened.read()
    except FileNotFoundError:
        raise StepError(
            "{0} does not exist; {1} would silently work on an SQLite file of its own: apply state {2} first".format(
                path, tool, state
            )
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StepError("{0} cannot be read: {1}".format(path, error)) from None


def connection(conf: Conf, path: str, section: str, role: Role, name: str) -> typing.Tuple[sql.DatabaseUrl, str]:
    """The database that ``[section]/connection`` names, which must be ``name`` at the pillar's host and port."""
    place = (str(role.wanted("database:host")), int(role.wanted("database").get("port", 3306)))
    text = conf.get(section, {}).get("connection", "")
    service = role.key.split(":")[0]
    if not text:
        raise StepError(
            "{0} has no [{1}]/connection; without it {2}'s tool would make an SQLite file; apply state upgrader.{2}.configured".format(
                path, section, service
            )
        )
    try:
        url = sql.parse_url(text)
    except ValueError as error:
        raise StepError("{0}: [{1}]/connection cannot be used, {2}".format(path, section, error)) from None
    if url.database != name:
        raise StepError(
            "{0}: [{1}]/connection names database {2!r} but the pillar's {3}:database:name asks for {4!r};"
            " nothing was run; correct one of them".format(path, section, url.database, role.key, name)
        )
    if (url.host, url.port) != place:
        raise StepError(
            "{0}: [{1}]/connection goes to {2}:{3} but the pillar's {4}:database says {5}:{6};"
            " nothing was run; correct one of them".format(path, section, url.host, url.port, role.key, *place)
        )
    return url, text


def transport(text: str, path: str, role: Role) -> Transport:
    """The message queue that ``[DEFAULT]/transport_url`` names, which must be the pillar's."""
    if not text:
        raise StepError(
            "{0} has no [DEFAULT]/transport_url; {1} cannot be upgraded without it; apply state upgrader.{1}.configured".format(
                path, role.key.split(":")[0]
            )
        )
    try:
        queue = parse_transport(text)
    except ValueError as error:
        raise StepError("{0}: [DEFAULT]/transport_url cannot be used, {1}".format(path, error)) from None
    wanted = queue_hosts(role.wanted("message_queue"))
    if tuple(sorted(queue.hosts)) != wanted:
        raise StepError(
            "{0}: [DEFAULT]/transport_url is {1} but the pillar's {2}:message_queue says {3};"
            " nothing was run; a copy on production's queue would take production's messages".format(
                path, queue.shown(), role.key, ", ".join("{0}:{1}".format(*host) for host in wanted)
            )
        )
    return queue
