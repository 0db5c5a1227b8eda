"""What the templates make of names that models use side by side; rendered by Jinja alone, as Salt's renderer calls it."""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from typing import Any

import jinja2
import pytest
from salt.utils.jinja import SerializerExtension

from tests.support.formulas import model

FORMULAS = Path(__file__).parents[3] / "formulas"
ACCOUNT = {"host": "10.0.0.1", "user": "u", "password": "p"}
ROLE = {
    "database": {**ACCOUNT, "name": "nova"}, "message_queue": ACCOUNT, "identity": ACCOUNT, "network": ACCOUNT,
    "glance": {"host": "10.0.0.1"},
}  # fmt: skip


def configuration(template: str, pillar: dict[str, Any]) -> configparser.RawConfigParser:
    def get(key: str, default: Any = None) -> Any:
        held: Any = pillar
        for part in key.split(":"):
            held = held.get(part, {}) if isinstance(held, dict) else {}
        return held or default

    loader = jinja2.FileSystemLoader(str(FORMULAS))
    environment = jinja2.Environment(loader=loader, extensions=[SerializerExtension, "jinja2.ext.do"])
    environment.globals.update(
        pillar=pillar, salt={"pillar.get": get, "file.dirname": os.path.dirname, **model(pillar)}
    )
    held = configparser.RawConfigParser(strict=False, delimiters="=")
    held.read_string(environment.get_template(template).render())
    return held


@pytest.mark.parametrize(
    ("service", "role", "said", "option"),
    [
        ("nova", "controller", {"bind": {"address": "10.0.0.9"}}, "osapi_compute_listen"),
        ("nova", "controller", {"bind": {"private_address": "10.0.0.9"}}, "osapi_compute_listen"),
        ("nova", "controller", {"bind": {"private_address": "10.0.0.9"}}, "my_ip"),
        ("cinder", "controller", {"bind": {"address": "10.0.0.9"}}, "osapi_volume_listen"),
        ("cinder", "controller", {"osapi": {"host": "10.0.0.9"}}, "osapi_volume_listen"),
    ],
)
def test_a_service_listens_where_its_model_says_by_whichever_name(
    service: str, role: str, said: dict[str, Any], option: str
) -> None:
    held = configuration(f"upgrader/{service}/files/{service}.conf.jinja", {service: {role: {**ROLE, **said}}})
    assert held.get("DEFAULT", option) == "10.0.0.9"


def test_a_service_without_a_cache_is_given_none() -> None:
    pillar = {"nova": {"controller": {**ROLE, "bind": {"address": "10.0.0.9"}}}}
    held = configuration("upgrader/nova/files/nova.conf.jinja", pillar)
    assert not held.has_section("cache") and not held.has_option("keystone_authtoken", "memcached_servers")
