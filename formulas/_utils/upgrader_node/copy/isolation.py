"""Where a service's configuration leads: every host that it names, and whether that host is this node. Pure.

A copy of a cloud that reaches production is worse than no copy: its schedulers would take production's messages and its
agents production's ports. So the rule is a list of what is allowed, not of what is forbidden: this node under all its names,
and the clones on the database cluster.
"""

import re
import typing
from urllib.parse import urlsplit

from upgrader_node.database import sql
from upgrader_node.errors import StepError
from upgrader_node.service import oslo_conf

HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "")
UPGRADE_MARK = "_upgrade"
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s,]+", re.IGNORECASE)
# oslo.cache spells a place ``url:host:port``, its memcached driver ``inet6:[address]:port``.
_PLACE = re.compile(r"^(?:(?:inet6?|url):)?(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:\s/]*))(?::\d+)?$")
# Options whose value is a host, or a list of hosts, without being a URL.
_HOSTS = re.compile(
    r"(^|_)(host|hosts|hostname|hostnames|server|servers|address|addresses|ip|listen|backend_argument)$"
)
UNREADABLE = "a URL that cannot be read"
# They end like the ones above and name something else.
NO_HOSTS = ("default_server", "my_block_storage_ip_version")

Options = typing.Mapping[str, typing.Mapping[str, str]]


class Named(typing.NamedTuple):
    """One host that a configuration names: in which section and option, for sentences, and the database if it is one."""

    where: str
    host: str
    database: str = ""


def is_production(service: str, database: str, said: typing.Any) -> bool:
    """Whether a service works on production's own database. Only pillar can say so, and never of a clone.

    :param database: pillar's ``database:name``; a clone's has ``_upgrade`` in it
    :param said: pillar ``upgrader:production`` of this node

    Raises StepError, with what to correct, when the two contradict each other.
    """
    if UPGRADE_MARK in database:
        if said:
            raise StepError(
                "pillar upgrader:production calls this node a controller of production, but {} works on {}, which is a "
                "clone: take the key away, or name production's database".format(service, database)
            )
        return False
    if said is not True:
        raise StepError(
            "{} works on database {!r}, which is no clone: name {}_upgrade for a rehearsal; on a controller of production "
            "set pillar upgrader:production to true".format(service, database, service)
        )
    return True


def places(options: Options) -> typing.List[Named]:
    """Every host that a configuration names, whatever for."""
    named = []  # type: typing.List[Named]
    for section, held in sorted(options.items()):
        for option, value in sorted(held.items()):
            where = "[{0}]/{1}".format(section, option)
            urls = _URL.findall(value)
            for url in urls:
                named += _of_url(where, url, value)
            if not urls and _HOSTS.search(option) and option not in NO_HOSTS:
                named += [Named(where, _host(word)) for word in value.split(",") if word.strip()]
    return named


def _of_url(where: str, url: str, value: str) -> typing.List[Named]:
    scheme = url.split("://", 1)[0].lower()
    try:
        if scheme.startswith(("mysql", "postgresql")):
            parsed = sql.parse_url(value)
            return [Named(where, parsed.host.strip("[]"), parsed.database)]
        if scheme.startswith(("rabbit", "amqp", "kombu", "qpid")):
            # The whole value: hosts stand in one URL, with commas between them.
            return [Named(where, host) for host, _ in oslo_conf.parse_transport(value).hosts]
        if scheme in ("file", "sqlite", "fake"):
            return []
        return [Named(where, urlsplit(url).hostname or "")]
    except ValueError:
        return [Named(where, UNREADABLE)]


def _host(word: str) -> str:
    """The host of ``host``, ``host:port``, ``[address]:port`` or an address of IPv6 as it is; else the whole word."""
    word = word.strip()
    match = _PLACE.match(word)
    return (match.group("six") or match.group("host") or "") if match else word


def strangers(
    named: typing.Iterable[Named], own: typing.Iterable[str], database_host: str, databases: typing.Iterable[str]
) -> typing.List[str]:
    """What leads away from this node, as phrases; an empty list is isolation.

    :param own: every name and address of this node
    :param database_host: the cluster's address, allowed for ``databases`` alone
    """
    own = {name.lower() for name in own} | set(HERE)
    wrong = []
    for place in named:
        if place.database:
            if place.database not in databases:
                wrong.append("{0} names database {1}".format(place.where, place.database))
            elif place.host != database_host and place.host.lower() not in own:
                wrong.append("{0} goes to database server {1}".format(place.where, place.host))
        elif place.host.lower() not in own:
            wrong.append("{0} names {1}".format(place.where, place.host))
    return wrong
