"""Whether what the services stand on serves: cache, queue, proxy, address, web server. Reads only."""

import socket

import upgrader_pillar
from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_serving"

UNITS = {
    "memcached": "memcached",
    "rabbitmq": "rabbitmq-server",
    "haproxy": "haproxy",
    "keepalived": "keepalived",
    "apache": "apache2",
    "horizon": "apache2",
}


def __virtual__():
    return __virtualname__


def check(name, timeout=5):
    """
    Unit ``name`` is active and every place that its pillar binds takes a connection; the queue's account logs in.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_serving.check memcached
    """
    if name not in UNITS:
        raise CommandExecutionError("no {!r} to check; there are {}".format(name, ", ".join(sorted(UNITS))))
    if not __salt__["service.status"](UNITS[name]):
        raise CommandExecutionError("unit {0} does not run on this node: see 'journalctl -u {0}'".format(UNITS[name]))
    places = _places(name, __pillar__)
    for address, port in places:
        _connect(name, address, port, timeout)
    if name == "rabbitmq":
        for virtual_host in sorted(upgrader_pillar.value(__pillar__, "rabbitmq:server:host", {}) or {}):
            __salt__["upgrader_rabbitmq.serves"](virtual_host)
    return {
        "comment": "{} serves at {}".format(name, ", ".join("{}:{}".format(*place) for place in places) or "no port")
    }


def _places(name, pillar):
    if name in ("memcached", "rabbitmq", "horizon"):
        bind = upgrader_pillar.value(pillar, name + ":server:bind", {}) or {}
        port = {"memcached": 11211, "rabbitmq": 5672, "horizon": 80}[name]
        return [(_reachable(bind.get("address", "")), int(bind.get("port", port)))]
    if name == "haproxy":
        listen = upgrader_pillar.value(pillar, "haproxy:proxy:listen", {}) or {}
        binds = [bind for one in listen.values() if one.get("enabled", True) for bind in one.get("binds", [])]
        return sorted({(_reachable(bind["address"]), int(bind["port"])) for bind in binds})
    return []


def _reachable(address):
    return "127.0.0.1" if address in ("", "0.0.0.0", "*", "::") else str(address)


def _connect(name, address, port, timeout):
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError as error:
        raise CommandExecutionError(
            "{} does not take a connection at {}:{} ({}): see the journal of its unit".format(
                name, address, port, error
            )
        ) from None
