"""What services stand on: addresses that are asked, the queue's login, distributions in an environment."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.service import queue, serving, venv


@pytest.mark.parametrize("wildcard", ["", "0.0.0.0", "*", "::"])
def test_a_wildcard_is_asked_at_this_node(wildcard: str) -> None:
    pillar = {"memcached": {"server": {"bind": {"address": wildcard}}}}
    assert serving.addresses("memcached", pillar) == [("127.0.0.1", 11211)]


def test_every_enabled_bind_of_haproxy_is_asked_once() -> None:
    api = {"binds": [{"address": "10.0.0.1", "port": "80"}, {"address": "10.0.0.1", "port": 80}]}
    off = {"enabled": False, "binds": [{"address": "10.0.0.2", "port": 81}]}
    assert serving.addresses("haproxy", {"haproxy": {"proxy": {"listen": {"a": api, "b": off}}}}) == [("10.0.0.1", 80)]
    assert serving.addresses("keepalived", {}) == []


def test_a_place_that_takes_no_connection_is_named() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(StepError, match=f"memcached does not take a connection at 127.0.0.1:{port} "):
            serving.check("memcached", [("127.0.0.1", port)], 1)
        closed.listen()
        assert serving.check("memcached", [("127.0.0.1", port)], 1)["comment"].endswith(f"127.0.0.1:{port}")
    with pytest.raises(StepError, match="no 'cron' to check; there are apache, haproxy"):
        serving.unit("cron")


def pillar_with(**account: Any) -> dict[str, Any]:
    server = {"bind": {"address": "0.0.0.0", "port": "5673"}, "host": {"/openstack": account}}
    return {
        "upgrader": {"service": {"rabbitmq": server}},
        "rabbitmq": {"server": {"host": {"/openstack": {"user": "x"}}}},
    }


def test_the_login_is_pillars_and_shows_no_password() -> None:
    login = queue.login(pillar_with(user="nova", password="s3cret"), "/openstack")
    assert login == ("127.0.0.1", 5673, "nova", "s3cret", "/openstack")
    assert "s3cret" not in repr(login)


@pytest.mark.parametrize(
    ("account", "words"),
    [({"user": "nova"}, "needs user and password"), ({"user": "nova", "password": "a/b"}, "holds a slash")],
)
def test_a_login_that_no_service_could_use_is_refused(account: dict[str, str], words: str) -> None:
    with pytest.raises(StepError, match=words) as refused:
        queue.login(pillar_with(**account), "/openstack")
    assert "a/b" not in str(refused.value)


def test_distributions_are_read_as_their_builders_spelled_them(tmp_path: Path) -> None:
    for name in ("oslo.config-3.22.0.dist-info", "sqlalchemy_migrate-0.11.0-py2.7.egg-info"):
        (tmp_path / "lib" / "python2.7" / "site-packages" / name).mkdir(parents=True)
    wanted = {"oslo-config": "3.22.0", "sqlalchemy-migrate": "0.11.0"}
    assert venv.holds(str(tmp_path), wanted).endswith("oslo-config 3.22.0, sqlalchemy-migrate 0.11.0")
    with pytest.raises(StepError, match=r"nova is missing, not 15.1.5; oslo-config is 3.22.0, not 4.0"):
        venv.holds(str(tmp_path), {"oslo-config": "4.0", "nova": "15.1.5"})
