"""How a node stands, through Salt's own loader: a real haproxy, a real RabbitMQ with a real alarm, apt's own sources."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.bench import Bench

HAPROXY = """global
  stats socket {folder}/admin.sock mode 600 level operator
defaults
  mode tcp
  timeout connect 1s
  timeout client 5s
  timeout server 5s
listen whole
  bind {folder}/whole.sock
  server there 127.0.0.1:{port} check inter 200 fall 1
listen half
  bind {folder}/half.sock
  server there 127.0.0.1:{port} check inter 200 fall 1
  server gone 127.0.0.1:1 check inter 200 fall 1
listen none
  bind {folder}/none.sock
  server gone 127.0.0.1:1 check inter 200 fall 1
"""
PUBLISH = (
    "import kombu, sys, time\n"
    "with kombu.Connection('amqp://standing:standing@127.0.0.1/standing') as held:\n"
    "    queue = held.SimpleQueue('growing')\n"
    "    for number in range(int(sys.argv[1])):\n"
    "        queue.put('x'); time.sleep(float(sys.argv[2]))\n"
)


def until(seconds: float, done: object) -> None:
    deadline = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.2)


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Path]:
    """One server that answers and two that do not; the configuration's path."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        conf = tmp_path / "haproxy.cfg"
        conf.write_text(HAPROXY.format(folder=tmp_path, port=listening.getsockname()[1]))
        process = subprocess.Popen(
            ["haproxy", "-db", "-f", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until(10, (tmp_path / "admin.sock").exists)
            yield conf
        finally:
            process.terminate()
            process.wait(10)


def test_servers_behind_haproxy_that_are_down_are_told(bench: Bench, haproxy: Path) -> None:
    def found() -> list[tuple[str, str]]:
        answer = bench.call("upgrader_standing.proxied", conf=str(haproxy))
        return [(one["severity"], " ".join(one["what"].split()[3:])) for one in answer["findings"]]

    until(10, lambda: len(found()) == 2)
    assert found() == [
        ("warning", "half, which has 1 of 2 servers down"),
        ("blocker", "none, which has no server that answers"),
    ]


def rabbitmqctl(*words: str, check: bool = True) -> None:
    subprocess.run(
        ["rabbitmqctl", *words], check=check, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.fixture
def rabbit() -> Iterator[None]:
    subprocess.run(["systemctl", "start", "rabbitmq-server"], check=True, timeout=120)
    try:
        rabbitmqctl("await_startup")
        # An account and a virtual host of this test's own: other files take the usual ones away.
        rabbitmqctl("add_vhost", "standing")
        rabbitmqctl("add_user", "standing", "standing")
        rabbitmqctl("set_permissions", "-p", "standing", "standing", ".*", ".*", ".*")
        yield
    finally:
        for words in (
            ("set_vm_memory_high_watermark", "0.4"),
            ("delete_vhost", "standing"),
            ("delete_user", "standing"),
        ):
            rabbitmqctl(*words, check=False)
        subprocess.run(["systemctl", "stop", "rabbitmq-server"], check=True, timeout=120)


def publish(number: int, pause: float = 0.0) -> None:
    subprocess.run(["/opt/ocata/bin/python", "-c", PUBLISH, str(number), str(pause)], check=True, timeout=60)


def test_queue_that_grows_and_an_alarm_are_told(bench: Bench, rabbit: None) -> None:
    with contextlib.closing(Reader()) as reader:
        publish(150)
        growing = threading.Thread(target=publish, args=(400, 0.05))
        growing.start()
        answer = bench.call("upgrader_standing.queue", seconds=5)
        growing.join()
        assert reader.alive()
    assert [(one["id"], one["severity"]) for one in answer["findings"]] == [("queue-grows", "warning")], answer
    assert re.fullmatch(r"standing growing: \d+ ready, \d+ more in 5 s", answer["findings"][0]["rows"][0])
    rabbitmqctl("set_vm_memory_high_watermark", "absolute", "1024")
    until(20, lambda: '"memory"' in _alarms())
    ids = [(one["id"], one["severity"]) for one in bench.call("upgrader_standing.queue", seconds=0)["findings"]]
    assert ids == [("queue-alarm", "blocker")]


def _alarms() -> str:
    said = subprocess.run(
        ["rabbitmqctl", "-q", "cluster_status", "--formatter", "json"], capture_output=True, text=True, check=True
    )
    return json.dumps(json.loads(said.stdout)["alarms"])


class Reader:
    """Reads the queue and acknowledges nothing: it is there, and does not keep up."""

    PROGRAM = (
        "import kombu\n"
        "held = kombu.Connection('amqp://standing:standing@127.0.0.1/standing')\n"
        "held.default_channel.basic_qos(0, 0, False)\n"
        "queue = held.SimpleQueue('growing')\n"
        "channel = held.channel(); channel.basic_qos(0, 1, False)\n"
        "channel.basic_consume('growing', callback=lambda message: None)\n"
        "print('ready'); import sys; sys.stdout.flush()\n"
        "while True:\n"
        "    try: held.drain_events(timeout=1)\n"
        "    except Exception: pass\n"
    )

    def __init__(self) -> None:
        self._process = subprocess.Popen(["/opt/ocata/bin/python", "-c", self.PROGRAM], stdout=subprocess.PIPE)
        assert self._process.stdout is not None and self._process.stdout.readline() == b"ready\n"

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Path]:
    """apt with two sources of this test's own: one that a web server has, one that it has not."""
    (tmp_path / "www/dists/there").mkdir(parents=True)
    (tmp_path / "www/dists/there/InRelease").write_text("Suite: there\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    listed = Path("/etc/apt/sources.list.d/test-standing.list")
    base = f"http://127.0.0.1:{server.server_port}"
    listed.write_text(f"deb [trusted=yes] {base} there main\ndeb [trusted=yes] {base} gone main\n")
    yield listed
    listed.unlink()
    server.shutdown()
    server.server_close()


def test_package_sources_that_do_not_answer_are_told(bench: Bench, sources: Path) -> None:
    found = bench.call("upgrader_standing.mirrors_reached")["findings"]
    [rows] = [one["rows"] for one in found if one["id"] == "package-sources" and one.get("rows")]
    told = [row for row in rows if row.startswith("http://127.0.0.1:")]
    assert [row.split("/dists/")[1] for row in told] == ["gone (HTTP 404)"]


def test_facts_replication_and_drivers_are_answered(bench: Bench) -> None:
    before = time.time()
    facts = bench.call("upgrader_standing.host")
    assert before <= facts["time"] <= time.time() and facts["room"][0]["folder"] == "/" and facts["salt"]
    replication = bench.call("upgrader_standing.replication", seconds=0.2)
    assert replication == {"comment": "stands alone", "findings": []}
    assert bench.call("upgrader_standing.matrix")["findings"] == []
