"""Asking an upgraded cloud: whose account, what is compared, and the session, run by the Python that has the library for it."""

import json
import os
import subprocess
import typing

from upgrader_node.copy import catalogue, isolation
from upgrader_node.errors import StepError, redact
from upgrader_node.host import foreign, settings
from upgrader_node.host import pillar as host_pillar
from upgrader_node.verify import openrc, session

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/root", "no_proxy": "*"}
Pillar = typing.Mapping[str, typing.Any]
Order = typing.Dict[str, typing.Any]
Answer = typing.Dict[str, typing.Any]
Given = typing.Tuple[openrc.Account, str]


class Asked(typing.NamedTuple):
    """What the operator asked for: a cloud of clouds.yaml or a file, whether to make objects, how long to wait (seconds).

    ``without``: services that this cloud's node does not have.
    """

    cloud: str
    openrc: str
    change: bool
    patience: float
    timeout: float
    without: typing.Sequence[str] = ()


def calls(pillar: Pillar, asked: Asked, own: typing.Sequence[str], baseline: str, yaml: typing.Any) -> Answer:
    """The eight questions, the catalogue, placement and six objects, with a finding for all that is wrong.

    :param own: every name and address of this node
    :param baseline: path of what to compare with, or ""
    :param yaml: PyYAML, which this package does without
    """
    copy = is_copy(pillar)
    account, whose = _account(pillar, asked, copy, yaml)
    order = {
        "auth": account,
        "interface": "public",
        "baseline": baseline,
        "own": list(own),
        "copy": copy,
        "kinds": [entry.kind for entry in catalogue.wanted(pillar)],
        "change": asked.change,
        "patience": asked.patience,
        "without": list(asked.without),
    }
    result = _run(settings.python(pillar), order, asked.timeout)
    wrong = [dict(one) for call in result["calls"] for one in call.pop("findings")]
    compared = "the baseline of {}".format(os.path.basename(baseline)[: -len(".json")]) if baseline else "nothing"
    said = "{} calls in {:.1f} s as {}; compared with {}"
    return {
        "comment": said.format(len(result["calls"]), result["seconds"], whose, compared),
        "calls": result["calls"],
        "seconds": result["seconds"],
        "findings": wrong,
    }


def in_session(pillar: Pillar, asked: Asked, yaml: typing.Any, program: str, more: Order) -> Answer:
    """What another program of ours answers, in a session of the same account; ``whose`` of the answer says which that is.

    :param program: the module's name; it reads its order as ``verify.session`` does
    :param more: what its order holds beside the account
    """
    account, whose = _account(pillar, asked, is_copy(pillar), yaml)
    order = dict(more, auth=account, interface="public", patience=asked.patience, without=list(asked.without))
    return dict(_run(settings.python(pillar), order, asked.timeout, program), whose=whose)


def is_copy(pillar: Pillar) -> bool:
    """Whether this node's keystone works on a clone."""
    name = host_pillar.value(pillar, "keystone:server:database:name", "") or ""
    return str(name).endswith(isolation.UPGRADE_MARK)


def _account(pillar: Pillar, asked: Asked, copy: bool, yaml: typing.Any) -> Given:
    """Whose session it is, and the words that say so."""
    if asked.cloud:
        return openrc.from_clouds(asked.cloud, yaml), "cloud {} of clouds.yaml".format(asked.cloud)
    if asked.openrc:
        return openrc.from_file(asked.openrc), "the account of {}".format(asked.openrc)
    server = host_pillar.value(pillar, "keystone:server", {}) or {}
    if not copy or not server.get("admin_name"):
        raise StepError(
            "name an account: this node serves no copy, so give --cloud (a name in clouds.yaml) or --openrc (a file)"
        )
    return _of_copy(server), "the copy's own account {}".format(server["admin_name"])


def _of_copy(server: Pillar) -> openrc.Account:
    bind = server["bind"]
    return {
        "auth_url": "http://{}:{}/v3".format(bind["public_address"], bind.get("public_port", 5000)),
        "username": server["admin_name"],
        "password": server["admin_password"],
        "project_name": server.get("admin_tenant", "service"),
        "region": server.get("region", "RegionOne"),
    }


def _run(python: str, order: Order, timeout: float, program: str = session.__name__) -> Answer:
    """Run the session in the Python that has the client library; the password goes over stdin."""
    if not os.path.exists(python):
        what = "no {}: install keystoneauth1 for Python 3 on this node and name its interpreter in pillar {}"
        raise StepError(what.format(python, settings.PYTHON))
    try:
        done = subprocess.run(
            foreign.argv(python, program),
            input=json.dumps(order).encode("utf-8"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            cwd="/",
            env=ENVIRONMENT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StepError("the verification has not ended within {} s and was stopped".format(timeout)) from None
    return _result(done, [order["auth"]["password"]])


def _result(done: typing.Any, secrets: typing.Sequence[str]) -> Answer:
    """The last line of what it printed."""
    try:
        result = json.loads(done.stdout.decode("utf-8").strip().splitlines()[-1])  # type: Answer
    except (IndexError, ValueError, UnicodeDecodeError):
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        last = redact(words[-1] if words else "it printed nothing", secrets)
        raise StepError("the verification ended with exit code {}: {}".format(done.returncode, last)) from None
    if "failed" in result:
        raise StepError(redact(result["failed"], secrets))
    return result
