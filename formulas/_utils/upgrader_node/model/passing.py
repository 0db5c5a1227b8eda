"""The pass-through: ``upgrader:service:SERVICE:conf``, ``{section: {option: value}}`` in the words of the service's own file.

It stands above what the templates and the tables write. What decides whom a service talks to is not taken from here: each of
these has a pillar key of its own, which the isolation of a copy is held against. Sentences name sections and options, never
a value.
"""

import fnmatch
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import some
from upgrader_node.model import held_back, one_to_one
from upgrader_node.options.judgement import folded
from upgrader_node.service.roles import ROLE_OF

Options = one_to_one.Options
_SECTION = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.:@ -]*[A-Za-z0-9_.:@-])?")
_OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

# Patterns of options, in lower case and with underscores, and the key below the role that says them.
DECIDED = (
    ("*/connection", "database"),
    ("*/slave_connection", "database"),
    ("*/sql_connection", "database"),
    ("*/sqlite_*", "database"),
    ("*/mysql_sql_mode", "database"),
    ("*/transport_url", "message_queue"),
    ("*/rpc_backend", "message_queue"),
    ("*/rabbit_host*", "message_queue"),
    ("*/rabbit_port", "message_queue"),
    ("*/rabbit_userid", "message_queue"),
    ("*/rabbit_password", "message_queue"),
    ("*/rabbit_virtual_host", "message_queue"),
    ("*/auth_url", "identity"),
    ("*/auth_uri", "identity"),
    ("*/www_authenticate_uri", "identity"),
    ("*/identity_uri", "identity"),
    ("*/auth_host", "identity"),
    ("*/allowed_auth_uris", "identity"),
    ("*/memcached_servers", "cache:members"),
    ("*/memcache_servers", "cache:members"),
    ("cache/backend_argument", "cache:members"),
    ("default/config_file", "config_file"),
    ("default/config_dir", "config_file"),
)
# MCP's own pass-through, which is read as well; the tool's stands above it.
OF_THE_SITE = {"keystone": "extra_config"}


def said(pillar: typing.Any, service: str) -> Options:
    """What both pass-throughs say, as ``{section: {option: lines}}``. Raises StepError, without a value, for what cannot be written."""
    together = {}  # type: Options
    for place in _places(service):
        for section, options in _sections(pillar, place).items():
            together.setdefault(section, {}).update(_options(place, service, section, options))
    return together


def held(pillar: typing.Any, service: str) -> typing.List[str]:
    """The options of the pass-through that this node does not get because it is a copy, as ``section/option``."""
    return sorted("{0}/{1}".format(*place) for place in _held(pillar, service, said(pillar, service)))


def options(pillar: typing.Any, service: str) -> Options:
    """``said`` without ``held``: what is written here."""
    whole = said(pillar, service)
    left_out = _held(pillar, service, whole)
    return {
        section: {option: lines for option, lines in of.items() if (section, option) not in left_out}
        for section, of in whole.items()
    }


def _held(pillar: typing.Any, service: str, whole: Options) -> typing.Set[typing.Tuple[str, str]]:
    if not held_back.is_copy(pillar, service):
        return set()
    backends = (host_pillar.value(pillar, ROLE_OF[service] + ":backend") or ()) if service == "cinder" else ()
    places = {(section, option) for section, options in whole.items() for option in options}
    return {place for place in places if held_back.holds_option(service, place[0], place[1], backends)}


def unknown(passed: Options, known: typing.Mapping[str, typing.Any]) -> typing.List[str]:
    """Options that the release does not register; a driver or a plugin may read them."""
    groups = known["groups"]
    return sorted(
        "{0}/{1}".format(section, option)
        for section, options in passed.items()
        for option in options
        if option not in groups.get(folded(section), {}) and option not in known["unlisted"]
    )


def _places(service: str) -> typing.List[str]:
    of_the_site = [ROLE_OF[service] + ":" + OF_THE_SITE[service]] if service in OF_THE_SITE else []
    return of_the_site + ["upgrader:service:{0}:conf".format(service)]


def _sections(pillar: typing.Any, place: str) -> typing.Dict[str, typing.Any]:
    sections = host_pillar.value(pillar, place)
    if sections is None:
        return {}
    if not isinstance(sections, dict) or not all(isinstance(options, dict) for options in sections.values()):
        raise StepError(
            "nothing was written: pillar {0} has to be {{section: {{option: value}}}}, and is not".format(place)
        )
    bad = [str(section) for section in sections if not isinstance(section, str) or not _SECTION.fullmatch(section)]
    if bad:
        raise StepError(
            "nothing was written: pillar {0} names sections that no file can have: {1}".format(place, _shown(bad))
        )
    return sections


def _options(
    place: str, service: str, section: str, options: typing.Mapping[str, typing.Any]
) -> typing.Dict[str, typing.List[str]]:
    written = {}  # type: typing.Dict[str, typing.List[str]]
    for option, value in options.items():
        if not isinstance(option, str) or not _OPTION.fullmatch(option):
            what = "nothing was written: pillar {0}:{1} names an option that no file can have: {2}"
            raise StepError(what.format(place, section, _shown([str(option)])))
        name = option.replace("-", "_")
        _refuse_decided(place, service, section, name)
        try:
            written[name] = one_to_one.values("{0}/{1}".format(section, name), value)
        except StepError as error:
            raise StepError("nothing was written: pillar {0}: {1}".format(place, error)) from None
    return written


def _refuse_decided(place: str, service: str, section: str, option: str) -> None:
    name = "{0}/{1}".format(section, option).lower()
    for pattern, key in DECIDED:
        if fnmatch.fnmatchcase(name, pattern):
            raise StepError(
                "nothing was written: pillar {0} sets {1}/{2}, which is not for the pass-through because it decides whom {3} "
                "talks to: say it by pillar {4}:{5}".format(place, section, option, service, ROLE_OF[service], key)
            )


def _shown(names: typing.Sequence[str]) -> str:
    return some([repr(name[:40]) for name in names])
