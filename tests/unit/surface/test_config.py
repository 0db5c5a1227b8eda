"""Configuration: files, variables, options, in that order; what a file says wrong is one sentence with file and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upgrader.cli.main import cli
from upgrader.config import files, keys
from upgrader.errors import UsageError


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    found = (tmp_path / "etc.yaml", tmp_path / "home.yaml")
    monkeypatch.setattr(files, "places", lambda: found)
    for key in keys.KEYS.values():
        monkeypatch.delenv(key.variable or "NONE", raising=False)
    return found


def shown(*words: str) -> dict[str, tuple[Any, str]]:
    said = CliRunner().invoke(cli, [*words, "config", "show", "-o", "json"], catch_exceptions=False)
    return {row["key"]: (row["value"], row["from"]) for row in json.loads(said.stdout)["values"]}


def refused(*words: str) -> str:
    ran: Result = CliRunner().invoke(cli, words)
    assert isinstance(ran.exception, UsageError), ran.output
    return str(ran.exception)


def test_nothing_written_down_is_the_defaults(places: tuple[Path, Path]) -> None:
    assert shown()["state_dir"] == ("/var/lib/upgrader", "the default")


def test_users_file_stands_above_the_machines_and_variable_and_option_above_both(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    places[0].write_text("state_dir: /from/etc\nsalt_config: /salt\n")
    assert shown()["state_dir"] == ("/from/etc", f"from {places[0]}")
    places[1].write_text("state_dir: /from/home\n")
    assert shown()["state_dir"] == ("/from/home", f"from {places[1]}")
    assert shown()["salt_config"] == ("/salt", f"from {places[0]}")
    monkeypatch.setenv("UPGRADER_STATE_DIR", "/from/variable")
    assert shown()["state_dir"] == ("/from/variable", "from UPGRADER_STATE_DIR")
    assert shown("--state-dir", "/from/option")["state_dir"] == ("/from/option", "from --state-dir")


def test_salt_api_is_shown_with_the_names_of_its_files_and_none_of_their_contents(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("very secret\n")
    assert shown()["salt_api"] == (None, "no file says it")
    said = {"url": "https://cfg01:8000/", "user": "me", "password_file": str(tmp_path / "password")}
    places[1].write_text(yaml.safe_dump({"salt_api": said}))
    assert shown()["salt_api"] == ({**said, "url": "https://cfg01:8000", "eauth": "pam"}, f"from {places[1]}")
    ran = CliRunner().invoke(cli, ["config", "show"], catch_exceptions=False)
    assert f"password_file {tmp_path / 'password'}" in ran.output and "very secret" not in ran.output


def test_commands_work_where_the_file_says(places: tuple[Path, Path], tmp_path: Path) -> None:
    places[0].write_text(f"state_dir: {tmp_path / 'runs'}\n")
    (tmp_path / "runs" / "cloud").mkdir(parents=True)
    ran = CliRunner().invoke(cli, ["history"], catch_exceptions=False)
    assert ran.exit_code == 0
    places[0].write_text("transport: pigeon\n")
    ran = CliRunner().invoke(cli, ["history"])
    assert ran.exit_code == 2 and "pigeon" in ran.output


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("stat_dir: /x\n", "has key 'stat_dir', which nobody knows: did you mean state_dir?"),
        ("state_dir: 5\n", "key state_dir: expected text, found a number"),
        ("state_dir:\n", "key state_dir: expected text, found nothing"),
        ("- state_dir\n", "is a list and not a mapping of keys: the keys are salt_config, state_dir, transport, salt_api, salt_ssh, hooks"),
        ("state_dir: /a\nstate_dir: /b\n", "line 2 is not YAML: key 'state_dir' is there twice"),
        ("a: [\n", "line 2 is not YAML"),
        ("hooks: {}\n", "key hooks: expected a list of hooks"),
        ("hooks: [{events: [done]}]\n", "expected hook 1 to have one of command and webhook"),
        ("hooks: [{events: [dine], command: [/bin/true]}]\n", "events of hook 1 to be a list of waiting, expiring, failed, done"),
        ("hooks: [{events: [done], command: tell all}]\n", "command of hook 1 to be a list of words: no shell reads it"),
        ("hooks: [{events: [done], command: [tell]}]\n", "command of hook 1 to begin with an absolute path"),
        ("hooks: [{events: [done], webhook: ftp://x}]\n", "to be an address that begins with http:// or https://"),
        ("salt_api: https://x\n", "key salt_api: expected a mapping with url, user, eauth"),
        ("salt_api: {url: 'http://x', token_file: /t}\n", "expected url of salt_api to be an address that begins with https://"),
        ("salt_api: {url: 'https://me:secret@x', token_file: /t}\n", "that begins with https:// and holds no password"),
        ("salt_api: {url: 'https://x:port', token_file: /t}\n", "expected url of salt_api to be an address"),
        ("salt_api: {url: 'https://x'}\n", "one of password_file (with user) and token_file"),
        ("salt_api: {url: 'https://x', password_file: /p}\n", "user, eauth and password_file of salt_api to go together"),
        ("salt_api: {url: 'https://x', token_file: /t, eauth: pam}\n", "user, eauth and password_file of salt_api to go together"),
        ("salt_api: {url: 'https://x', token_file: t}\n", "token_file of salt_api to be absolute paths"),
        ("salt_api: {url: 'https://x', token_file: 5}\n", "token_file of salt_api to be text"),
        ("salt_api: {url: 'https://x', token_file: /t, pasword: x}\n", "salt_api to have nothing but url,"),
        ("salt_ssh: {roster: /r}\n", "expected salt_ssh to have roster, known_hosts and master"),
        ("salt_ssh: {roster: r, known_hosts: /k, master: m}\n", "roster, known_hosts and spool of salt_ssh to be absolute paths"),
        ("salt_ssh: {roster: /r, known_hosts: /k, master: m, any: x}\n", "salt_ssh to have nothing but roster, known_hosts, master"),
        ("? [a, b]\n: c\n", "is not YAML"),
    ],
)  # fmt: skip
def test_fault_is_named_with_file_and_key(places: tuple[Path, Path], content: str, sentence: str) -> None:
    places[1].write_text(content)
    said = refused("status")
    assert str(places[1]) in said and sentence in said and "\n" not in said


def test_bytes_that_are_no_text_are_named(places: tuple[Path, Path]) -> None:
    places[0].write_bytes(b"state_dir: \xff\xfe\n")
    assert f"{places[0]} is not UTF-8 text" in refused("status")
    places[0].write_text("state_dir: 2017-13-45\n")
    assert str(places[0]) in refused("status")
    places[0].unlink()
    places[0].mkdir()
    assert f"{places[0]} cannot be read: Is a directory" in refused("status")


def test_help_needs_no_file(places: tuple[Path, Path]) -> None:
    places[0].write_text("nonsense: yes\n")
    for words in (["--help"], ["status", "--help"]):
        assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0


DAMAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from([*keys.KEYS, "hook", "", "ключ", "x" * 5000]), value=DAMAGE)
def test_damaged_files_are_read_or_refused_with_their_name(key: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "upgrader.yaml"
    path.write_text(yaml.safe_dump({key: value}, allow_unicode=True))
    try:
        keys.values(files._document(path), str(path))
    except UsageError as error:
        said = str(error)
        assert said.startswith(str(path)) and len(said) < 600
