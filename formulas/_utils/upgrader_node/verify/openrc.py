"""An account from clouds.yaml or an openrc, read as text: nothing of a file is ever executed."""

import os
import re
import shlex
import typing

from upgrader_node.errors import StepError

CLOUDS = ("~/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml")
KEYS = (
    "auth_url", "username", "password", "project_name", "user_domain_id", "project_domain_id", "user_domain_name",
    "project_domain_name",
)  # fmt: skip
_EXPORT = re.compile(r"^\s*(?:export\s+)?(OS_[A-Z0-9_]+)=(.*)$")
Account = typing.Dict[str, typing.Any]


def from_file(path: str) -> Account:
    """The account of a file of ``export OS_..=..`` lines, as ``/root/keystonercv3``."""
    try:
        with open(path, encoding="utf-8") as opened:
            lines = opened.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StepError("{} cannot be read: {}".format(path, error)) from None
    exported = {}
    for line in lines:
        match = _EXPORT.match(line)
        if match:
            try:
                exported[match.group(1)] = _first_word(match.group(2))
            except ValueError:
                raise StepError(
                    "{}: the value of {} has a quote that does not end".format(path, match.group(1))
                ) from None
    return _account(
        path,
        {
            "auth_url": exported.get("OS_AUTH_URL"),
            "username": exported.get("OS_USERNAME"),
            "password": exported.get("OS_PASSWORD"),
            "project_name": exported.get("OS_PROJECT_NAME") or exported.get("OS_TENANT_NAME"),
            "user_domain_id": exported.get("OS_USER_DOMAIN_ID"),
            "project_domain_id": exported.get("OS_PROJECT_DOMAIN_ID"),
            "user_domain_name": exported.get("OS_USER_DOMAIN_NAME"),
            "project_domain_name": exported.get("OS_PROJECT_DOMAIN_NAME"),
            "region": exported.get("OS_REGION_NAME"),
            "verify": exported.get("OS_CACERT"),
        },
    )


def _first_word(text: str) -> str:
    """What a shell assigns: up to the first space outside quotes; # begins a comment only where a word begins."""
    if not text or text[0].isspace():
        return ""
    words = shlex.shlex(text, posix=True)
    words.whitespace_split, words.commenters = True, ""
    return words.get_token() or ""


def from_clouds(name: str, yaml: typing.Any, paths: typing.Sequence[str] = CLOUDS) -> Account:
    """The account of one cloud of the first clouds.yaml that is there. ``yaml`` is PyYAML, which this file does without."""
    for path in map(os.path.expanduser, paths):
        if not os.path.exists(path):
            continue
        try:
            with open(path, encoding="utf-8") as opened:
                clouds = dict((yaml.safe_load(opened) or {}).get("clouds") or {})
        except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
            raise StepError("{} cannot be read: {}".format(path, _place_of(error))) from None
        if name not in clouds:
            raise StepError("{} has no cloud {!r}; it has {}".format(path, name, ", ".join(sorted(clouds)) or "none"))
        held = clouds[name]
        auth = held.get("auth") if isinstance(held, dict) else None
        if not isinstance(auth, dict):
            raise StepError(
                "{}: cloud {!r} has no mapping 'auth' with auth_url, username and password".format(path, name)
            )
        given = {key: str(auth[key]) for key in KEYS if auth.get(key) is not None}
        return _account(path, {**given, "region": held.get("region_name"), "verify": held.get("cacert")})
    raise StepError("none of {} is there; give --openrc, or write one".format(", ".join(paths)))


def _place_of(error: Exception) -> str:
    """Where a file is not YAML, without the line itself: YAML's own message quotes it, password and all."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return "line {}: {}".format(mark.line + 1, getattr(error, "problem", ""))
    return " ".join(str(error).split()) if isinstance(error, OSError) else "it is no mapping of clouds"


def _account(path: str, held: Account) -> Account:
    lacking = [key for key in ("auth_url", "username", "password", "project_name") if not held.get(key)]
    if lacking:
        raise StepError("{} gives no {}".format(path, ", ".join(lacking)))
    url = held["auth_url"].rstrip("/")
    for kind in ("user_domain", "project_domain"):
        if held.get(kind + "_id"):
            held.pop(kind + "_name", None)
    held["auth_url"] = url if url.endswith("/v3") else re.sub(r"/v2\.0$", "", url) + "/v3"
    return {key: value for key, value in held.items() if value}
