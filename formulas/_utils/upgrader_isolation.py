"""Where a service's configuration leads: every host that it names, and whether that host is this node. Pure.

A copy of a cloud that reaches production is worse than no copy: its schedulers would take production's messages and its
agents production's ports (facts/openstack.md, hazards of verifying on clones). So the rule is a list of what is allowed,
not of what is forbidden: this node under all its names, and the clones on the database cluster.
"""

import re
import typing
from urllib.parse import urlsplit

import upgrader_conf
import upgrader_database

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


class Place(typing.NamedTuple):
    """One host that a configuration names: in which section and option, for sentences, and the database if it is one."""

    where: str
    host: str
    database: str = ""


def places(options: Options) -> typing.List[Place]:
    """Every host that a configuration names, whatever for."""
    found = []  # type: typing.List[Place]
    for section, held in sorted(options.items()):
        for option, value in sorted(held.items()):
            where = "[{0}]/{1}".format(section, option)
            urls = _URL.findall(value)
            for url in urls:
                found += _of_url(where, url, value)
            if not urls and _HOSTS.search(option) and option not in NO_HOSTS:
                found += [Place(where, _host(word)) for word in value.split(",") if word.strip()]
    return found


def _of_url(where: str, url: str, value: str) -> typing.List[Place]:
    scheme = url.split("://", 1)[0].lower()
    try:
        if scheme.startswith(("mysql", "postgresql")):
            parsed = upgrader_database.parse_url(value)
            return [Place(where, parsed.host.strip("[]"), parsed.database)]
        if scheme.startswith(("rabbit", "amqp", "kombu", "qpid")):
            # The whole value: hosts stand in one URL, with commas between them.
            return [Place(where, host) for host, _ in upgrader_conf.parse_transport(value).hosts]
        if scheme in ("file", "sqlite", "fake"):
            return []
        return [Place(where, urlsplit(url).hostname or "")]
    except ValueError:
        return [Place(where, UNREADABLE)]


def _host(word: str) -> str:
    """The host of ``host``, ``host:port``, ``[address]:port`` or an address of IPv6 as it is; else the whole word."""
    word = word.strip()
    found = _PLACE.match(word)
    return (found.group("six") or found.group("host") or "") if found else word


def strangers(
    found: typing.Iterable[Place], own: typing.Iterable[str], database_host: str, databases: typing.Iterable[str]
) -> typing.List[str]:
    """What leads away from this node, as phrases; an empty list is isolation.

    :param own: every name and address of this node
    :param database_host: the cluster's address, allowed for ``databases`` alone
    """
    own = {name.lower() for name in own} | set(HERE)
    wrong = []
    for place in found:
        if place.database:
            if place.database not in databases:
                wrong.append("{0} names database {1}".format(place.where, place.database))
            elif place.host != database_host and place.host.lower() not in own:
                wrong.append("{0} goes to database server {1}".format(place.where, place.host))
        elif place.host.lower() not in own:
            wrong.append("{0} names {1}".format(place.where, place.host))
    return wrong


def own_names(identity: str, hostname: str, addresses: typing.Iterable[str]) -> typing.Tuple[str, ...]:
    """The names and addresses of this node: minion id, host name, both shortened, and what its interfaces have."""
    names = {identity, hostname, identity.split(".")[0], hostname.split(".")[0]}
    return tuple(sorted(names | set(addresses)))
