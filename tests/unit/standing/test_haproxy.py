"""haproxy's stats: a real socket that answers what a real haproxy printed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.standing import haproxy

HEAD = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,\n"  # noqa: E501
STATES = (
    ("nova_api", "FRONTEND", "OPEN", "", ""),
    ("nova_api", "ctl01", "UP", "300", "L7OK"),
    ("nova_api", "ctl02", "DOWN", "77", "L4CON"),
    ("nova_api", "ctl03", "UP 1/3", "5", "L7OK"),
    ("nova_api", "BACKEND", "UP", "300", ""),
    ("glance_api", "ctl01", "DOWN", "77", "L4TOUT"),
    ("glance_api", "BACKEND", "DOWN", "77", ""),
    ("cinder_api", "ctl01", "MAINT", "9", ""),
    ("cinder_api", "ctl02", "UP", "9", "L4OK"),
    ("cinder_api", "BACKEND", "UP", "9", ""),
    ("mysql", "dbs01", "no check", "", ""),
    ("mysql", "BACKEND", "UP", "9", ""),
    ("stats", "FRONTEND", "OPEN", "", ""),
)


def table() -> str:
    lines = []
    names = HEAD[2:].strip().split(",")
    for proxy, server, status, since, check in STATES:
        row = dict.fromkeys(names, "") | {
            "pxname": proxy,
            "svname": server,
            "status": status,
            "lastchg": since,
            "check_status": check,
        }
        lines.append(",".join(row[name] for name in names))
    return HEAD + "\n".join(lines) + "\n\n"


Serve = Callable[[str], Path]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """A haproxy.cfg whose socket answers one question with a text, and shuts, as haproxy does."""

    def begin(text: str) -> Path:
        path, conf = tmp_path / "admin.sock", tmp_path / "haproxy.cfg"
        conf.write_text(f"global\n  log /dev/log local0\n  stats socket {path} mode 600 level admin\n")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()

        def answer() -> None:
            with listening, listening.accept()[0] as one:
                assert one.recv(100) == b"show stat\n"
                one.sendall(text.encode())

        threading.Thread(target=answer, daemon=True).start()
        return conf

    return begin


def test_servers_that_are_down_are_told_by_proxy(serve: Serve) -> None:
    answer = haproxy.state("prx01", str(serve(table())))
    assert [(one["severity"], one["what"], one["rows"]) for one in answer["findings"]] == [
        ("info", "prx01 sees proxy cinder_api, which has 1 of 2 servers taken out", ["ctl01 MAINT for 9 s"]),
        ("blocker", "prx01 sees proxy glance_api, which has no server that answers", ["ctl01 DOWN (L4TOUT) for 77 s"]),
        ("warning", "prx01 sees proxy nova_api, which has 1 of 3 servers down", ["ctl02 DOWN (L4CON) for 77 s"]),
    ]


def test_node_without_haproxy_has_nothing_to_tell(tmp_path: Path) -> None:
    assert haproxy.state("dbs01", str(tmp_path / "none.cfg"))["findings"] == []


def test_haproxy_that_nobody_can_ask_is_told(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text("global\n  daemon\n")
    [one] = haproxy.state("prx01", str(tmp_path / "haproxy.cfg"))["findings"]
    assert one["severity"] == "warning" and "stats socket /run/haproxy" in one["remedy"]


def test_socket_that_nobody_serves_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(f"global\n  stats socket {tmp_path}/gone.sock\n")
    with pytest.raises(StepError, match=r"does not answer at its stats socket .*No such file"):
        haproxy.state("prx01", str(tmp_path / "haproxy.cfg"))


def test_answer_that_is_no_table_is_an_error(serve: Serve) -> None:
    with pytest.raises(StepError, match="which is no table"):
        haproxy.state("prx01", str(serve("Permission denied\n")))
