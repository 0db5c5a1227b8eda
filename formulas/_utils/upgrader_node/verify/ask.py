"""Asking an upgraded cloud: whose account, what is compared, and the session, run by the Python that has the library for it."""

import json
import os
import subprocess
import typing

from upgrader_node.copy import catalogue, isolation
from upgrader_node.errors import StepError, redact
from upgrader_node.host import foreign, settings
from upgrader_node.host import pillar as host_pillar
from upgrader_node.service.roles import ROLE_OF
from upgrader_node.verify import client, openrc, session

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/root", "no_proxy": "*"}
OWN, EVERYWHERE = "own", ("", "0.0.0.0", "::")
Pillar = typing.Mapping[str, typing.Any]
Order = typing.Dict[str, typing.Any]
Answer = typing.Dict[str, typing.Any]
Given = typing.Tuple[openrc.Account, str]


class Asked(typing.NamedTuple):
    """What the operator asked for: a cloud of clouds.yaml or a file, whether to make objects, how long to wait (seconds).

    ``without``: services that this cloud's node does not have. ``interface`` of the catalogue that is asked; ``through``: the host
    (or ``scheme://host``) that every request goes to in place of the one in the catalogue, ports and paths being the same.
    """

    cloud: str
    openrc: str
    change: bool
    patience: float
    timeout: float
    without: typing.Sequence[str] = ()
    interface: str = ""
    through: str = ""


def calls(pillar: Pillar, asked: Asked, own: typing.Sequence[str], baseline: str, yaml: typing.Any) -> Answer:
    """The eight questions, the catalogue, placement and six objects, with a finding for all that is wrong.

    :param own: every name and address of this node
    :param baseline: path of what to compare with, or ""
    :param yaml: PyYAML, which this package does without
    """
    asked = asked._replace(through=host_of(pillar, asked.through))
    account, whose = _account(pillar, asked, yaml)
    order = dict(_place(pillar, asked, own), auth=account, baseline=baseline)
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


def host_of(pillar: Pillar, through: str) -> str:
    """The host to ask: for ``own`` where this node's keystone and its neighbours listen, so that one call asks each of several nodes.

    MCP's key is ``bind:address``; our own class has ``bind:private_address`` alone.
    """
    if through != OWN:
        return through
    bind = host_pillar.value(pillar, "keystone:server:bind", {}) or {}
    named = [str(bind.get(key) or "") for key in ("address", "private_address")]
    own = [address for address in named if address not in EVERYWHERE]
    if not own:
        what = (
            "pillar keystone:server:bind names no address of this node (address {!r}, private_address {!r}): "
            "name the host to ask by its address, through cannot be {}"
        )
        raise StepError(what.format(*named, OWN))
    return own[0]


def _place(pillar: Pillar, asked: Asked, own: typing.Sequence[str]) -> Order:
    """Where is asked, and what may be there. Production's services are on several controllers, behind addresses that are none of theirs."""
    production = is_production(pillar)
    kinds = [entry.kind for entry in catalogue.wanted(pillar)]
    return {
        "interface": _interface(pillar, asked),
        "through": asked.through,
        "own": [] if production else list(own),
        "copy": is_copy(pillar),
        "kinds": [kind for kind in kinds if not production or _has(pillar, kind)],
        "interfaces": ["public", "internal"] if production else list(catalogue.INTERFACES),
        "change": asked.change,
        "patience": asked.patience,
        "without": list(asked.without),
    }


def _interface(pillar: Pillar, asked: Asked) -> str:
    """A copy has one address for all; production's public one may be behind a proxy that is built later."""
    return asked.interface or ("internal" if is_production(pillar) else "public")


def is_production(pillar: Pillar) -> bool:
    """Whether this node is a controller of production, by pillar alone; a clone's never is, whatever else pillar says."""
    name = str(host_pillar.value(pillar, "keystone:server:database:name", "") or "")
    return bool(name) and settings.production(pillar) is True and isolation.is_production("keystone", name, True)


def _has(pillar: Pillar, kind: str) -> bool:
    """Whether this node's pillar has the service that a type of the catalogue is of: production has what it always had."""
    return bool(host_pillar.value(pillar, ROLE_OF[catalogue.SERVICE_OF.get(kind, "keystone")]))


def in_session(pillar: Pillar, asked: Asked, yaml: typing.Any, program: str, more: Order) -> Answer:
    """What another program of ours answers, in a session of the same account; ``whose`` of the answer says which that is.

    :param program: the module's name; it reads its order as ``verify.session`` does
    :param more: what its order holds beside the account
    """
    account, whose = _account(pillar, asked, yaml)
    order = dict(
        more, auth=account, interface=_interface(pillar, asked), patience=asked.patience, without=list(asked.without)
    )
    return dict(_run(settings.python(pillar), order, asked.timeout, program), whose=whose)


def is_copy(pillar: Pillar) -> bool:
    """Whether this node's keystone works on a clone."""
    name = host_pillar.value(pillar, "keystone:server:database:name", "") or ""
    return str(name).endswith(isolation.UPGRADE_MARK)


def _account(pillar: Pillar, asked: Asked, yaml: typing.Any) -> Given:
    """Whose session it is, and the words that say so."""
    if asked.cloud:
        return openrc.from_clouds(asked.cloud, yaml), "cloud {} of clouds.yaml".format(asked.cloud)
    if asked.openrc:
        return openrc.from_file(asked.openrc), "the account of {}".format(asked.openrc)
    server = host_pillar.value(pillar, "keystone:server", {}) or {}
    copy, production = is_copy(pillar), is_production(pillar)
    if not (copy or production) or not server.get("admin_name"):
        raise StepError(
            "name an account: this node serves no copy, so give --cloud (a name in clouds.yaml) or --openrc (a file)"
        )
    whose = "the copy's own account {}" if copy else "production's account {}"
    return _of_pillar(server, "service" if copy else "admin", asked.through), whose.format(server["admin_name"])


def _of_pillar(server: Pillar, usual_project: str, through: str) -> openrc.Account:
    """The account of ``keystone:server`` at the address that it binds for everybody: a copy's own, production's virtual one."""
    bind = server["bind"]
    url = "http://{}:{}/v3".format(bind["public_address"], bind.get("public_port", 5000))
    return {
        "auth_url": client.elsewhere(url, through),
        "username": server["admin_name"],
        "password": server["admin_password"],
        "project_name": server.get("admin_tenant", usual_project),
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
