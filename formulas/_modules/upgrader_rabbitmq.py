"""The message queue of this node: whether its accounts may log in, and a password that changed."""

import shutil
import subprocess

import upgrader_amqp
import upgrader_pillar
from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_rabbitmq"


def __virtual__():
    return __virtualname__


def serves(virtual_host="/openstack", patience=90):
    """
    The account of pillar ``rabbitmq:server:host:<virtual host>`` logs in and opens its virtual host.

    ``patience`` is in seconds: a fresh queue needs about ten until it listens.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_rabbitmq.serves
    """
    server, account = _account(virtual_host)
    try:
        upgrader_amqp.wait_for_login(*_place(server), account["user"], account["password"], virtual_host, patience)
    except upgrader_amqp.QueueRefuses as error:
        raise CommandExecutionError("{}; see the journal of rabbitmq-server on this node".format(error)) from None
    return {"comment": "account {} opens {}".format(account["user"], virtual_host)}


def account(virtual_host="/openstack", patience=90):
    """
    ``serves``; an account that is refused gets the pillar's password first. The password goes over stdin.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_rabbitmq.account
    """
    server, held = _account(virtual_host)
    try:
        upgrader_amqp.wait_for_login(*_place(server), held["user"], held["password"], virtual_host, patience)
        return {"comment": "account {} opens {}".format(held["user"], virtual_host), "changed": False}
    except upgrader_amqp.QueueRefuses as error:
        if not error.denied:
            raise CommandExecutionError("{}; see the journal of rabbitmq-server on this node".format(error)) from None
    users = _control(["-q", "list_users"])
    known = held["user"] in [line.split("\t")[0] for line in users.splitlines()]
    _control(["-q", "change_password" if known else "add_user", held["user"]], held["password"] + "\n")
    if virtual_host not in _control(["-q", "list_vhosts"]).splitlines():
        _control(["-q", "add_vhost", virtual_host])
    _control(["-q", "set_permissions", "-p", virtual_host, held["user"], ".*", ".*", ".*"])
    serves(virtual_host, patience)
    return {"comment": "account {} made or given its password".format(held["user"]), "changed": True}


def _account(virtual_host):
    server = upgrader_pillar.value(__pillar__, "rabbitmq:server", {}) or {}
    held = (server.get("host") or {}).get(virtual_host) or {}
    if not held.get("user") or not held.get("password"):
        raise CommandExecutionError("pillar rabbitmq:server:host:{} needs user and password".format(virtual_host))
    if "/" in str(held["password"]):
        raise CommandExecutionError(
            "the password of pillar rabbitmq:server:host:{} holds a slash, which Ocata's oslo.messaging does not quote for "
            "kombu: no service could log in; choose another password".format(virtual_host)
        )
    return server, held


def _place(server):
    bind = server.get("bind") or {}
    address = str(bind.get("address") or "127.0.0.1")
    return ("127.0.0.1" if address in ("0.0.0.0", "::") else address, int(bind.get("port", 5672)))


def _control(words, stdin=""):
    tool = shutil.which("rabbitmqctl") or "/usr/sbin/rabbitmqctl"
    done = subprocess.run(
        [tool, *words],
        input=stdin.encode("utf-8"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=90,
        check=False,
    )
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode:
        raise CommandExecutionError(
            "rabbitmqctl {} ended with exit code {}: {}".format(
                words[1], done.returncode, (said.splitlines() or ["it printed nothing"])[-1]
            )
        )
    return said
