"""A service's configuration as it is written: the template's text, over it what the tables say, over that the pass-through."""

import fnmatch
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.model import held_back, one_to_one, passing, policy
from upgrader_node.options.judgement import folded
from upgrader_node.service.roles import ROLE_OF

Options = one_to_one.Options
_HEADING = re.compile(r"^\[([^\]]+)\]\s*$")
_DOMAIN = re.compile(r"[A-Za-z0-9_.-]+")
_NAME = re.compile(r"^([^\s=:#;\[][^=:]*?)\s*[=:]")

# Sections of neutron that stand in a file of their own; its server reads that one last.
ML2 = ("ml2*", "ovs_driver", "securitygroup", "sriov_driver", "l2pop")


def judge(pillar: typing.Any, service: str) -> Options:
    """What the pass-through writes. Raises StepError, without a value, when pillar has a word that no file of the service can hold."""
    one_to_one.options(host_pillar.value(pillar, ROLE_OF[service]), one_to_one.table(service))
    policy.text(pillar, service)
    for name in domains(pillar) if service == "keystone" else ():
        domain(pillar, name)
    return passing.options(pillar, service)


def domains(pillar: typing.Any) -> typing.List[str]:
    """Names of keystone's domains that have a file of their own, also where a copy does not get it."""
    held = host_pillar.value(pillar, ROLE_OF["keystone"] + ":domain")
    return sorted(held) if isinstance(held, dict) else []


def domain(pillar: typing.Any, name: str) -> str:
    """The file of one of keystone's domains. Holds the directory's password. Raises StepError for what cannot be written."""
    if not _DOMAIN.fullmatch(name):
        raise StepError("nothing was written: pillar keystone:server:domain has the name {0!r}".format(name[:40]))
    held = host_pillar.value(pillar, ROLE_OF["keystone"] + ":domain", {})[name]
    text = "[identity]\ndriver = {0}\n".format("ldap" if host_pillar.value(held, "ldap") else "sql")
    return over(text, one_to_one.options(held, one_to_one.DOMAIN))


def configuration(pillar: typing.Any, service: str, text: str, ml2: bool = False) -> str:
    """The file whose template gave ``text``. Holds passwords. Raises StepError, without a value, for what cannot be written.

    :param ml2: it is ml2_conf.ini, which takes the sections of ``ML2``; neutron.conf takes all others
    """
    layers = (
        one_to_one.options(held_back.role(pillar, service), one_to_one.table(service)),
        passing.options(pillar, service),
    )
    return over(text, *([_of_file(layer, ml2) for layer in layers] if service == "neutron" else layers))


def _of_file(wanted: Options, ml2: bool) -> Options:
    return {section: options for section, options in wanted.items() if _of_ml2(section) == ml2}


def _of_ml2(section: str) -> bool:
    return any(fnmatch.fnmatchcase(section.lower(), pattern) for pattern in ML2)


def over(text: str, *layers: Options) -> str:
    """The text with the options of these layers in place of its own, each in its section; the last layer counts.

    Sections that the text does not have come last.
    """
    left = {}  # type: typing.Dict[str, typing.Tuple[str, typing.Dict[str, typing.List[str]]]]
    for section, of in [one for layer in layers for one in layer.items() if one[1]]:
        left.setdefault(folded(section), (section, {}))[1].update(of)
    parts, options = [], {}  # type: typing.List[typing.List[str]], typing.Mapping[str, typing.Any]
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading or not parts:
            parts.append([])
            _, options = left.pop(folded(heading.group(1)), ("", {})) if heading else ("", {})
            parts[-1] += ([line] if heading else []) + _lines(options)
            if heading:
                continue
        name = _NAME.match(line)
        if not (name and name.group(1).strip().replace("-", "_") in options):
            parts[-1].append(line)
    parts += [["", "[{0}]".format(section)] + _lines(of) for section, of in left.values()]
    return "\n".join(line for part in parts for line in part) + "\n"


def _lines(options: typing.Mapping[str, typing.Sequence[str]]) -> typing.List[str]:
    return ["{0} = {1}".format(name, literal(line)) for name, lines in sorted(options.items()) for line in lines]


def literal(text: str) -> str:
    """A value that oslo.config reads as it is: no ``$`` is an interpolation, and a value keeps its own quotes and spaces."""
    doubled = text.replace("$", "$$")
    mark = '"' if doubled != doubled.strip() or doubled[:1] in ("'", '"') else ""
    return mark + doubled + mark
