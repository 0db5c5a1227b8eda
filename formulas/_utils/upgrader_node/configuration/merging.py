"""Options put into an oslo.config file that is there: each written where the service reads it, and every other byte as it was.

Groups are the same in any case, an option may be spelt with dashes, the last one of several counts, and a value goes on in lines
that begin with a space: as oslo.config reads them.
"""

import os
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files
from upgrader_node.options.judgement import folded
from upgrader_node.service import oslo_conf

Place = typing.Tuple[str, str]
Values = typing.Mapping[Place, str]
_HEADING = re.compile(r"^\[([^\]]+)\]\s*$")
_OPTION = re.compile(r"^([^\s=:#;\[][^=:]*?)\s*[=:]")


def read(path: str) -> typing.Optional[str]:
    """The file's text; None where there is none. Raises StepError when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StepError("{} cannot be read: {}".format(path, error)) from None


def values(text: str) -> typing.Dict[Place, str]:
    """Every option that the text sets, by group and name as oslo.config knows them."""
    parsed = oslo_conf.parse_conf(text)
    return {
        (folded(group), _name(option)): value for group, options in parsed.items() for option, value in options.items()
    }


def differing(text: str, wanted: Values) -> typing.List[Place]:
    """The options that have another value, or none."""
    there = values(text)
    return [place for place in wanted if there.get(place) != wanted[place]]


def merged(text: str, wanted: Values) -> str:
    """The text with these values; what has its value already is not touched."""
    lines = text.splitlines(True)
    for place in reversed(differing(text, wanted)):  # each new one goes behind the heading, so the first comes last
        written = "{} = {}\n".format(place[1], _literal(wanted[place]))
        at = _at(lines, place)
        if at is None:
            _add(lines, place[0], written)
        else:
            lines[at[0] : at[1]] = [written]
    return "".join(lines)


def _literal(value: str) -> str:
    """oslo.config takes a ``$`` for a reference, and one pair of quotes and the spaces around a value away."""
    text = value.replace("$", "$$")
    return '"{}"'.format(text) if text != text.strip() or text[:1] in ('"', "'") else text


def _at(lines: typing.Sequence[str], place: Place) -> typing.Optional[typing.Tuple[int, int]]:
    """From which line to which the option's last value stands; None where it has none."""
    group, found = "DEFAULT", None  # type: str, typing.Optional[typing.Tuple[int, int]]
    for number, line in enumerate(lines):
        heading, option = _HEADING.match(line), _OPTION.match(line)
        if heading:
            group = folded(heading.group(1).strip())
        elif option and (group, _name(option.group(1))) == place:
            end = number + 1
            while end < len(lines) and lines[end][:1].isspace() and lines[end].strip():
                end += 1
            found = (number, end)
    return found


def _add(lines: typing.List[str], group: str, written: str) -> None:
    """Right behind the group's first heading; without one, at the end with a heading of its own."""
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for number, line in enumerate(lines):
        heading = _HEADING.match(line)
        if heading and folded(heading.group(1).strip()) == group:
            lines.insert(number + 1, written)
            return
    lines += ["\n"] * bool(lines) + ["[{}]\n".format(group), written]


def _name(option: str) -> str:
    return option.strip().replace("-", "_")


def write(path: str, text: str) -> None:
    """The file's new text, whole, with its owner and its mode; a link stays one."""
    real = os.path.realpath(path)
    status = os.stat(real)
    with files.whole(real) as file:
        os.fchown(file.fileno(), status.st_uid, status.st_gid)
        os.fchmod(file.fileno(), status.st_mode & 0o7777)
        file.write(text)
