"""An account from clouds.yaml or an openrc, read as text: nothing of a file is ever executed."""

import os
import re
import shlex
import typing

CLOUDS = ("~/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml")
_EXPORT = re.compile(r"^\s*(?:export\s+)?(OS_[A-Z0-9_]+)=(.*)$")
Account = typing.Dict[str, typing.Any]


class Unusable(Exception):
    """One sentence with file, key and remedy."""


def from_file(path: str) -> Account:
    """The account of a file of ``export OS_..=..`` lines, as ``/root/keystonercv3``."""
    try:
        with open(path, encoding="utf-8") as opened:
            lines = opened.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable("{} cannot be read: {}".format(path, error)) from None
    found = {}
    for line in lines:
        match = _EXPORT.match(line)
        if match:
            try:
                found[match.group(1)] = "".join(shlex.split(match.group(2), comments=True)[:1])
            except ValueError:
                raise Unusable(
                    "{}: the value of {} has a quote that does not end".format(path, match.group(1))
                ) from None
    return _account(
        path,
        {
            "auth_url": found.get("OS_AUTH_URL"),
            "username": found.get("OS_USERNAME"),
            "password": found.get("OS_PASSWORD"),
            "project_name": found.get("OS_PROJECT_NAME") or found.get("OS_TENANT_NAME"),
            "user_domain_id": found.get("OS_USER_DOMAIN_ID"),
            "project_domain_id": found.get("OS_PROJECT_DOMAIN_ID"),
            "region": found.get("OS_REGION_NAME"),
            "verify": found.get("OS_CACERT"),
        },
    )


def from_clouds(name: str, yaml: typing.Any, paths: typing.Sequence[str] = CLOUDS) -> Account:
    """The account of one cloud of the first clouds.yaml that is there. ``yaml`` is PyYAML, which this file does without."""
    for path in map(os.path.expanduser, paths):
        if not os.path.exists(path):
            continue
        try:
            with open(path, encoding="utf-8") as opened:
                clouds = (yaml.safe_load(opened) or {}).get("clouds") or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
            raise Unusable("{} cannot be read: {}".format(path, " ".join(str(error).split()))) from None
        if name not in clouds:
            raise Unusable("{} has no cloud {!r}; it has {}".format(path, name, ", ".join(sorted(clouds)) or "none"))
        held = clouds[name]
        auth = held.get("auth") or {}
        keys = ("auth_url", "username", "password", "project_name", "user_domain_id", "project_domain_id")
        return _account(
            path,
            {**{key: auth.get(key) for key in keys}, "region": held.get("region_name"), "verify": held.get("cacert")},
        )
    raise Unusable("none of {} is there; give --openrc, or write one".format(", ".join(paths)))


def _account(path: str, held: Account) -> Account:
    lacking = [key for key in ("auth_url", "username", "password", "project_name") if not held.get(key)]
    if lacking:
        raise Unusable("{} gives no {}".format(path, ", ".join(lacking)))
    url = held["auth_url"].rstrip("/")
    held["auth_url"] = url if url.endswith("/v3") else re.sub(r"/v2\.0$", "", url) + "/v3"
    return {key: value for key, value in held.items() if value}
