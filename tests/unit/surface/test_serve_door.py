"""Who gets into the live page, under which name, and what a browser is told to keep others from doing there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import Command, command_in
from tests.support.long_run import RUN, LongRun
from tests.support.page import TOKEN, Viewer, served
from upgrader.serve.guard import host_of, names_of
from upgrader.serve.keys import Keys, keys_in
from upgrader.serve.server import PageServer

PATHS = (
    "/",
    f"/runs/{RUN}",
    f"/runs/{RUN}/steps/computes",
    f"/runs/{RUN}/report",
    "/events/",
    "/live.js",
    "/plans/012345",
    "/no",
)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A page that is served after all ends at once."""
    monkeypatch.setattr(PageServer, "run", lambda server, listener: None)
    return command_in(tmp_path, monkeypatch, capsys)


def test_nothing_is_shown_without_the_token(tmp_path: Path) -> None:
    LongRun(tmp_path).until("refused")
    with served(tmp_path) as viewer:
        for path in PATHS:
            for one in (
                viewer,
                Viewer(viewer.port, f"upgrader-{viewer.port}={'0' * 64}"),
                Viewer(viewer.port, "\xff=;;"),
            ):
                answer = one.get(path)
                assert answer.status == 401
                assert RUN not in answer.text and "cloud" not in answer.text


@pytest.mark.parametrize("token", ["", "x", TOKEN + "x", TOKEN[:-1], "%ff", "ü"])
def test_wrong_token_opens_nothing(tmp_path: Path, token: str) -> None:
    with served(tmp_path) as viewer:
        answer = viewer.post("/open", {"token": token})
        assert answer.status == 401
        assert "set-cookie" not in answer.headers


def test_token_is_taken_from_the_address_or_a_form_and_stays_in_a_cookie_that_does_not_hold_it(tmp_path: Path) -> None:
    with served(tmp_path) as viewer:
        for answer in (viewer.get(f"/open?token={TOKEN}"), viewer.post("/open", {"token": f" {TOKEN} "})):
            cookie = answer.headers["set-cookie"]
            assert "HttpOnly" in cookie and "SameSite=strict" in cookie
            assert TOKEN not in cookie + answer.text
            assert Viewer(viewer.port, cookie.partition(";")[0]).get("/").status == 200


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True), ("localhost:9000", True), ("[::1]:8123", True), ("page.example.net", True), ("PAGE.example.net.:80", True),
        ("evil.example.net", False), ("127.0.0.1.evil.net", False), (" ", False), ("a@127.0.0.1.evil.net", False), ("[", False),
        ("localhost.evil", False),
    ],
)  # fmt: skip
def test_page_is_served_under_its_own_names_only(tmp_path: Path, host: str, allowed: bool) -> None:
    with served(tmp_path, allowed=("page.example.net",)) as viewer:
        known = viewer.opened()
        known.host = host
        answer = known.get("/")
        assert (answer.status == 200) is allowed
        if not allowed:
            assert answer.status == 421
            assert "No run yet" not in answer.text


def test_page_of_another_site_cannot_send_forms(tmp_path: Path) -> None:
    with served(tmp_path, may_approve=True) as viewer:
        known = viewer.opened()
        for origin in (
            "https://evil.example.net",
            "null",
            "http://127.0.0.1:1",
            f"http://127.0.0.1:{viewer.port}.evil.net",
        ):
            assert known.post("/plans/0123456789ab", {}, Origin=origin).status == 403
            assert known.post("/open", {"token": TOKEN}, Origin=origin).status == 403


def test_every_answer_says_what_a_browser_may_do_with_it(tmp_path: Path) -> None:
    LongRun(tmp_path).until("refused")
    with served(tmp_path) as viewer:
        known = viewer.opened()
        answers = [viewer.get("/"), viewer.get("/open"), *(known.get(path) for path in PATHS if "events" not in path)]
        for answer in answers:
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
            assert "script-src 'unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers
            inline = re.findall(r"<script>|<[^>]+ on\w+=|javascript:", answer.text)
            assert inline == []
            if "unsafe-inline" not in policy:
                assert "style=" not in answer.text and "<style" not in answer.text


def test_page_needs_no_other_server(tmp_path: Path) -> None:
    LongRun(tmp_path).until("failed")
    with served(tmp_path) as viewer:
        known = viewer.opened()
        for path in (*PATHS[:4], "/page.css", "/live.js"):
            assert (
                re.findall(r"(?:https?:)?//[a-z]", re.sub(r"^//.*|[ ]// .*", "", known.get(path).text, flags=re.M))
                == []
            )


def test_names_of_an_address() -> None:
    assert names_of("127.0.0.1", ()) == names_of("localhost", ()) | {"127.0.0.1"}
    assert names_of("10.0.0.5", ("Page.example",)) == {"10.0.0.5", "page.example"}
    assert host_of("[::1]:8123") == "::1"


def test_token_of_a_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    made = keys_in(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys_in(path).token == made.token == path.read_text().strip()
    assert made.token not in repr(made) and made.cookie != made.csrf


@pytest.mark.parametrize(
    ("held", "mode", "said"),
    [("x" * 40, 0o644, "chmod 600"), ("short", 0o600, "remove it"), ("", 0o600, "remove it"), ("a b" * 20, 0o600, "remove it")],
)  # fmt: skip
def test_token_file_that_is_none_is_refused(command: Command, tmp_path: Path, held: str, mode: int, said: str) -> None:
    path = tmp_path / "token"
    path.write_text(held)
    path.chmod(mode)
    ran = command("serve", "--listen", "127.0.0.1:0", "--token-file", str(path))
    assert ran.code == 2
    assert str(path) in ran.err and said in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--listen", "8123"), "no HOST:PORT"),
        (("--listen", "127.0.0.1:x"), "no HOST:PORT"),
        (("--listen", "http://127.0.0.1:8123"), "no HOST:PORT"),
        (("--listen", "0.0.0.0:0"), "--allow-host"),
        (("--listen", "[::]:0"), "--allow-host"),
        (("--listen", "192.0.2.1:8123"), "name another address with --listen"),
    ],
)  # fmt: skip
def test_address_that_cannot_be_is_usage(command: Command, words: tuple[str, ...], said: str) -> None:
    ran = command("serve", *words)
    assert ran.code == 2
    assert said in ran.err


def test_without_its_extra_the_command_says_what_to_install(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("upgrader.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ran = command("serve")
    assert ran.code == 2
    assert "upgrader[serve]" in ran.err


@pytest.mark.parametrize("with_file", [False, True])
def test_command_says_its_address_once_serves_and_ends_with_ctrl_c_while_somebody_looks(
    tmp_path: Path, with_file: bool
) -> None:
    LongRun(tmp_path / "state").until("refused")
    path = tmp_path / "token"
    words = ["--state-dir", str(tmp_path / "state"), "serve", "--listen", "127.0.0.1:0"]
    words += ["--token-file", str(path)] if with_file else []
    process = subprocess.Popen([sys.executable, "-m", "upgrader", *words], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/open", said)[0])
        token = path.read_text().strip() if with_file else re.findall(r"token=(\S+);", said)[0]
        assert (token in said) is not with_file
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert token not in arguments
        with Viewer(port).opened(token).follow(f"/runs/{RUN}") as events:
            assert "nova: 3 instances have no host" in events.next()["now"]
            os.kill(process.pid, signal.SIGINT)
            assert events.next() == {}
        assert process.wait(20) == 0
        assert process.stderr.read() == "the page is closed; no run noticed\n"
    finally:
        process.kill()
        process.wait()


def test_token_is_compared_whole() -> None:
    keys = Keys(TOKEN)
    assert keys.fits(TOKEN) and not keys.fits(TOKEN[:-1]) and not keys.fits("")
    assert keys.fits_cookie(keys.cookie) and not keys.fits_cookie(keys.csrf) and not keys.fits_csrf(TOKEN)
