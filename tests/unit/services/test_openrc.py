"""Accounts read as text from openrc and clouds.yaml: quotes, comments, what is missing, and that no secret is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from upgrader_node.errors import StepError
from upgrader_node.verify import openrc

USUAL = "export OS_AUTH_URL=http://ctl:5000/v3\nexport OS_USERNAME=admin\nexport OS_PASSWORD={}\nexport OS_PROJECT_NAME=admin\n"


def account(tmp_path: Path, text: str) -> dict[str, Any]:
    path = tmp_path / "keystonercv3"
    path.write_text(text)
    return openrc.from_file(str(path))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("'a b#c'", "a b#c"),
        ('"a \\"b\\" $c"', 'a "b" $c'),
        ("a#b", "a#b"),
        ("abc # the admin's own", "abc"),
        ("a\\ b", "a b"),
        ("'a'\"b\"c", "abc"),
        ("p@s/s%x:", "p@s/s%x:"),
    ],
)
def test_a_value_is_what_a_shell_would_assign(tmp_path: Path, written: str, meant: str) -> None:
    assert account(tmp_path, USUAL.format(written))["password"] == meant


@pytest.mark.parametrize("written", ["", "''", " abc", "# none"])
def test_an_empty_value_is_missing(tmp_path: Path, written: str) -> None:
    text = USUAL.format(written)
    if written == "# none":
        text = text.replace("=# none", "= # none")
    with pytest.raises(StepError, match="keystonercv3 gives no password"):
        account(tmp_path, text)


def test_an_open_quote_is_told_without_the_value(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        account(tmp_path, USUAL.format("'s3cret"))
    assert "OS_PASSWORD has a quote that does not end" in str(caught.value) and "s3cret" not in str(caught.value)


def test_nothing_of_a_file_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    held = account(tmp_path, f"touch {mark}\n" + USUAL.format(f"$(touch${{IFS}}{mark})"))
    assert held["password"].startswith("$(") and not mark.exists()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://ctl:5000/v2.0", "http://ctl:5000/v3"),
        ("http://ctl:5000/v2.0/", "http://ctl:5000/v3"),
        ("http://ctl:5000", "http://ctl:5000/v3"),
        ("https://ctl/identity/v3/", "https://ctl/identity/v3"),
    ],
)
def test_identity_is_asked_at_v3(tmp_path: Path, written: str, meant: str) -> None:
    assert account(tmp_path, USUAL.format("p").replace("http://ctl:5000/v3", written))["auth_url"] == meant


def test_old_names_domains_and_comments(tmp_path: Path) -> None:
    text = USUAL.format("p").replace("OS_PROJECT_NAME", "OS_TENANT_NAME").replace("export OS_USERNAME", "  OS_USERNAME")
    text += "# export OS_USERNAME=nobody\nexport OS_USER_DOMAIN_NAME=Ops\nexport OS_REGION_NAME=R1\nunset OS_TOKEN\n"
    held = account(tmp_path, text)
    assert (held["username"], held["project_name"], held["region"]) == ("admin", "admin", "R1")
    assert held["user_domain_name"] == "Ops" and "project_domain_name" not in held
    assert "user_domain_name" not in account(tmp_path, text + "export OS_USER_DOMAIN_ID=default\n")


def test_all_missing_keys_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="gives no auth_url, username, password, project_name"):
        account(tmp_path, "")


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="cannot be read"):
        openrc.from_file(str(tmp_path / "none"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StepError, match="cannot be read"):
        openrc.from_file(str(tmp_path / "binary"))


CLOUD = {"auth": {"auth_url": "http://ctl:5000", "username": "admin", "password": 12345, "project_name": "admin"}}


def clouds(tmp_path: Path, held: Any, name: str = "mcp") -> dict[str, Any]:
    path = tmp_path / "clouds.yaml"
    path.write_text(held if isinstance(held, str) else yaml.safe_dump(held))
    return openrc.from_clouds(name, yaml, [str(tmp_path / "none.yaml"), str(path)])


def test_a_cloud_of_the_first_file_that_is_there(tmp_path: Path) -> None:
    held = clouds(tmp_path, {"clouds": {"mcp": {**CLOUD, "region_name": "R1", "cacert": "/etc/ca.pem"}}})
    assert held == {
        "auth_url": "http://ctl:5000/v3", "username": "admin", "password": "12345", "project_name": "admin", "region": "R1",
        "verify": "/etc/ca.pem",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"clouds": {"other": CLOUD, "a": CLOUD}}, "has no cloud 'mcp'; it has a, other"),
        ({}, "has no cloud 'mcp'; it has none"),
        ("", "has no cloud 'mcp'; it has none"),
        ({"clouds": {"mcp": None}}, "has no mapping 'auth'"),
        ({"clouds": {"mcp": {"auth": "admin"}}}, "has no mapping 'auth'"),
        ({"clouds": {"mcp": {"auth": {"username": "a"}}}}, "gives no auth_url, password, project_name"),
        ({"clouds": ["mcp"]}, "it is no mapping of clouds"),
        ("- a\n", "it is no mapping of clouds"),
    ],
)
def test_what_is_wrong_with_a_clouds_file_is_told(tmp_path: Path, held: Any, words: str) -> None:
    with pytest.raises(StepError) as caught:
        clouds(tmp_path, held)
    assert words in str(caught.value) and "clouds.yaml" in str(caught.value)


def test_a_broken_file_is_told_by_its_line_and_not_by_its_password(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        clouds(tmp_path, "clouds:\n  mcp:\n    auth: {password: s3cret: x}\n")
    assert "line 3" in str(caught.value) and "s3cret" not in str(caught.value)


def test_no_clouds_file_at_all_names_the_other_way(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="give --openrc"):
        openrc.from_clouds("mcp", yaml, [str(tmp_path / "none")])
