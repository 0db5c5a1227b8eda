"""Package sources: apt's own words, and a real server that has some of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from upgrader_node.standing import mirrors

# apt 1.2 of Ubuntu 16.04.
URIS = """'http://archive.ubuntu.com/ubuntu/dists/xenial/InRelease' archive.ubuntu.com_ubuntu_dists_xenial_InRelease 0
'http://ubuntu-cloud.archive.canonical.com/ubuntu/dists/xenial-updates/ocata/InRelease' ubuntu-cloud.archive_InRelease 0
'http://archive.ubuntu.com/ubuntu/dists/xenial/InRelease' archive.ubuntu.com_ubuntu_dists_xenial_InRelease 0
"""
CONFIG = """APT "";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy:3142";
Acquire::http::Proxy::archive.ubuntu.com "DIRECT";
Acquire::Retries "3";
"""


class Mirror(BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_HEAD(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(200 if "/there/" in self.path else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_each_source_of_apts_is_asked_once() -> None:
    assert mirrors.indexes(URIS) == [
        "http://archive.ubuntu.com/ubuntu/dists/xenial/InRelease",
        "http://ubuntu-cloud.archive.canonical.com/ubuntu/dists/xenial-updates/ocata/InRelease",
    ]


def test_proxies_are_apts_own() -> None:
    assert mirrors.proxies_of(CONFIG) == {"http": "http://proxy:3142", "archive.ubuntu.com": "DIRECT"}


@pytest.mark.parametrize(("path", "why"), [("/there/InRelease", ""), ("/gone/InRelease", "HTTP 404")])
def test_source_is_asked_for_its_index_without_a_download(mirror: str, path: str, why: str) -> None:
    Mirror.asked.clear()
    assert mirrors.answers(mirror + path, {}) == why
    assert Mirror.asked == [f"HEAD {path}"]


def test_source_goes_by_the_proxy_and_one_that_nobody_serves_says_why(mirror: str) -> None:
    assert mirrors.answers("http://elsewhere.invalid/there/InRelease", {"http": mirror}) == ""
    assert "refused" in mirrors.answers("http://127.0.0.1:9/InRelease", {}).lower()
    assert mirrors.answers("file:/srv/mirror/InRelease", {}) == ""


def test_sources_that_do_not_answer_are_one_finding_without_passwords() -> None:
    said = {"http://user:secret@mirror/a/InRelease": "timed out", "http://mirror/b/InRelease": ""}
    [one] = mirrors.judge("upg01", said)
    assert one["what"] == "upg01 cannot reach 1 of its 2 package sources"
    assert one["rows"] == ["http://user:***@mirror/a (timed out)"]
    assert mirrors.judge("upg01", {"http://mirror/b/InRelease": ""}) == []
    assert [one["severity"] for one in mirrors.judge("upg01", {})] == ["info"]


def test_node_whose_apt_cannot_say_its_sources_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(argv: list[str], seconds: float) -> str:
        raise mirrors.StepError("apt-get ended with exit code 100: E: Malformed entry 1 in list file")

    monkeypatch.setattr(mirrors.pipeline, "output", fails)
    [one] = mirrors.state("upg01", partial(mirrors.answers, proxies={}))["findings"]
    assert "Malformed entry 1" in one["what"]
