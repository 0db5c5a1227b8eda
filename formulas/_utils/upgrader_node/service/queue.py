"""The message queue of this node: its accounts, as pillar has them, and a password that changed."""

import shutil
import subprocess
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.service import amqp, required

SECONDS = 90
Pillar = typing.Mapping[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


class Login(typing.NamedTuple):
    """An account and the virtual host that it opens. ``repr`` shows no password."""

    host: str
    port: int
    user: str
    password: str
    virtual_host: str

    def __repr__(self) -> str:
        return "Login({}@{}:{}{})".format(self.user, self.host, self.port, self.virtual_host)


def login(pillar: Pillar, virtual_host: str) -> Login:
    """The login that pillar gives a virtual host. Raises StepError for one that no service could use."""
    key = required.foundation(pillar, "rabbitmq")
    server = host_pillar.value(pillar, key, {}) or {}
    held = (server.get("host") or {}).get(virtual_host) or {}
    if not held.get("user") or not held.get("password"):
        raise StepError("pillar {}:host:{} needs user and password".format(key, virtual_host))
    if "/" in str(held["password"]):
        raise StepError(
            "the password of pillar {}:host:{} holds a slash, which Ocata's oslo.messaging does not quote for "
            "kombu: no service could log in; choose another password".format(key, virtual_host)
        )
    bind = server.get("bind") or {}
    address = str(bind.get("address") or "127.0.0.1")
    reachable = "127.0.0.1" if address in ("0.0.0.0", "::") else address
    return Login(reachable, int(bind.get("port", 5672)), held["user"], held["password"], virtual_host)


def serves(wanted: Login, patience: float) -> Answer:
    """The account logs in and opens its virtual host, within ``patience`` seconds. Raises ``amqp.QueueRefuses``."""
    try:
        amqp.wait_for_login(*wanted, patience)
    except amqp.QueueRefuses as error:
        sentence = "{}; see the journal of rabbitmq-server on this node".format(error)
        raise amqp.QueueRefuses(sentence, error.denied) from None
    return {"comment": "account {} opens {}".format(wanted.user, wanted.virtual_host), "changed": False}


def give(wanted: Login, patience: float) -> Answer:
    """``serves``; an account that is refused is made, or gets the password of pillar. The password goes over stdin."""
    try:
        return serves(wanted, patience)
    except amqp.QueueRefuses as error:
        if not error.denied:
            raise
    users = [line.split("\t")[0] for line in control(["-q", "list_users"]).splitlines()]
    verb = "change_password" if wanted.user in users else "add_user"
    control(["-q", verb, wanted.user], wanted.password + "\n")
    if wanted.virtual_host not in control(["-q", "list_vhosts"]).splitlines():
        control(["-q", "add_vhost", wanted.virtual_host])
    control(["-q", "set_permissions", "-p", wanted.virtual_host, wanted.user, ".*", ".*", ".*"])
    serves(wanted, patience)
    return {"comment": "account {} made or given its password".format(wanted.user), "changed": True}


def control(words: typing.Sequence[str], stdin: str = "") -> str:
    """What rabbitmqctl answers; how it ends is judged. A queue that hangs lets it hang."""
    tool = shutil.which("rabbitmqctl") or "/usr/sbin/rabbitmqctl"
    try:
        done = subprocess.run(
            [tool, *words],
            input=stdin.encode("utf-8"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise StepError("there is no {}: this node has no message queue".format(tool)) from None
    except subprocess.TimeoutExpired:
        what = "rabbitmqctl {} has not ended within {} s: see 'rabbitmqctl cluster_status' and the journal of rabbitmq-server"
        raise StepError(what.format(words[1], SECONDS)) from None
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode:
        last = (said.splitlines() or ["it printed nothing"])[-1]
        raise StepError("rabbitmqctl {} ended with exit code {}: {}".format(words[1], done.returncode, last))
    return said
