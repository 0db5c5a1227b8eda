"""What only the door through salt-api can meet: certificates, passwords, tokens, rights, and a salt-api that is started anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.doors import QUICK, access_of, opened
from tests.functional.salt_site import NODES, SaltSite, running
from upgrader.config.access import SaltApi
from upgrader.errors import SaltUnreachable, UsageError
from upgrader.plan.step import Call
from upgrader.transport.api.door import ApiTransport
from upgrader.transport.api.session import Session
from upgrader.transport.collect import collect

PING = Call("module", "test.ping", NODES, timeout=60)


@pytest.fixture(autouse=True)
def usual_pillar() -> None:
    """These tests need no database."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SaltSite]:
    with running(SaltSite(tmp_path_factory.mktemp("salt"))) as made:
        yield made


@pytest.fixture
def access(site: SaltSite) -> SaltApi:
    found = access_of(site.folder).salt_api
    assert found is not None
    return found


def door(access: SaltApi) -> ApiTransport:
    return ApiTransport(Session(access, bear=2.0))


def ping(transport: ApiTransport) -> bool:
    jid = transport.new_job_id()
    transport.submit(PING, jid)
    return all(reply.ok for reply in collect(transport, PING, jid, QUICK).values())


def refused(access: SaltApi) -> str:
    with pytest.raises(SaltUnreachable) as told:
        ping(door(access))
    assert told.value.exit_code == 5 and "\n" not in str(told.value)
    return str(told.value)


def test_token_of_salts_own_opens_the_door_as_a_password_does(site: SaltSite, access: SaltApi, tmp_path: Path) -> None:
    assert ping(door(access))
    assert ping(door(SaltApi(access.url, token_file=token_in(site, tmp_path), ca_file=access.ca_file)))


def token_in(site: SaltSite, folder: Path) -> Path:
    file = folder / "token"
    file.touch(mode=0o600)
    file.write_text(site.token() + "\n")
    return file


def test_certificate_that_nobody_vouches_for_is_refused_and_no_password_is_sent(
    site: SaltSite, access: SaltApi
) -> None:
    assert "is not vouched for by the system's authorities" in refused(replace(access, ca_file=None))
    said = refused(replace(access, url=access.url.replace("localhost", "127.0.0.1")))
    assert "is not vouched for" in said and "127.0.0.1" in said


def test_wrong_password_and_unknown_user_are_told_without_the_password(
    site: SaltSite, access: SaltApi, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("not the password\n")
    said = refused(replace(access, password_file=wrong))
    assert "does not take user upgrader with eauth file" in said and "not the password" not in said
    assert "does not take user stranger" in refused(replace(access, user="stranger"))
    assert "with eauth ldap" in refused(replace(access, eauth="ldap"))


def test_user_who_may_not_do_what_is_needed_is_told_which_rights_are(access: SaltApi) -> None:
    assert "refuses what user nobody asks for: external_auth of the master must give it" in refused(
        replace(access, user="nobody")
    )


def test_password_file_that_others_can_read_is_not_read(access: SaltApi, tmp_path: Path) -> None:
    open_file = tmp_path / "open"
    open_file.write_text("x\n")
    open_file.chmod(0o640)
    with pytest.raises(UsageError, match=f"password file {open_file} can be read by others: chmod 600"):
        ping(door(replace(access, password_file=open_file)))


def test_nobody_at_the_address_is_told(access: SaltApi) -> None:
    assert "does not answer (Connection refused); is salt-api running there?" in refused(
        replace(access, url="https://localhost:1")
    )


def test_salt_api_that_is_started_anew_meanwhile_is_logged_in_to_again(site: SaltSite, access: SaltApi) -> None:
    transport = ApiTransport(Session(access))
    call, jid = Call("module", "test.sleep", NODES, {"length": 10}, timeout=120), transport.new_job_id()
    transport.submit(call, jid)
    site.api.stop()
    site.api.start()
    replies = collect(transport, call, jid, QUICK)
    assert all(reply.ok for reply in replies.values()), replies


def test_stream_of_events_that_breaks_while_answers_are_counted_is_told(site: SaltSite, access: SaltApi) -> None:
    transport = ApiTransport(Session(access, bear=30.0))
    call, jid = Call("module", "test.sleep", NODES, {"length": 5}, timeout=60, once=True), transport.new_job_id()
    transport.submit(call, jid)
    site.restart_api()
    with pytest.raises(SaltUnreachable, match="ended its stream of events"):
        collect(transport, call, jid, QUICK)


@pytest.mark.heavy  # the other two Salts of the bench have no click
def test_plan_through_salt_api_is_the_masters_own_to_the_byte(site: SaltSite, access: SaltApi, tmp_path: Path) -> None:
    said = upgrader(site, access, tmp_path, "api", "plan", "control-plane", "--stage", "test-upgrade", "-o", "json")
    own = upgrader(site, access, tmp_path, "master", "plan", "control-plane", "--stage", "test-upgrade", "-o", "json")
    assert (said.returncode, own.returncode) == (0, 0), said.stderr + own.stderr
    assert json.loads(said.stdout)["digest"] == json.loads(own.stdout)["digest"]


def upgrader(
    site: SaltSite, access: SaltApi, home: Path, transport: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """The command with a user's configuration, which names salt-api."""
    (home / ".config").mkdir(exist_ok=True)
    said = {"url": access.url, "user": access.user, "eauth": access.eauth, "password_file": str(access.password_file)}
    document = {
        "transport": transport,
        "salt_api": {**said, "ca_file": str(access.ca_file)},
        "salt_config": str(site.config),
    }
    (home / ".config" / "upgrader.yaml").write_text(json.dumps({**document, "state_dir": str(home / "state")}))
    environment = {**os.environ, "HOME": str(home)}
    command = [sys.executable, "-m", "upgrader", *words]
    return subprocess.run(
        command,
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_expired_token_is_renewed_by_password_and_told_where_there_is_none(
    site: SaltSite, access: SaltApi, tmp_path: Path
) -> None:
    """The last one: the master's tokens live for seconds only from here on."""
    site.set_lifetime(20)
    renewed, bare = door(access), door(SaltApi(access.url, token_file=token_in(site, tmp_path), ca_file=access.ca_file))
    assert renewed.master_id() == bare.master_id()
    time.sleep(21)
    renewed._master = bare._master = ""
    assert renewed.master_id() == "cfg01.lab.local"
    with pytest.raises(SaltUnreachable, match=r"does not take the token in .*expired.*put a new one there") as told:
        bare.master_id()
    assert told.value.exit_code == 5
    (tmp_path / "token").write_text(site.token() + "\n")
    assert bare.master_id() == "cfg01.lab.local"


def test_opened_door_is_that_of_the_configuration(site: SaltSite) -> None:
    assert isinstance(opened("api", site.folder), ApiTransport)
