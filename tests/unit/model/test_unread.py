"""Keys of a model that no state of this tool reads: found by what the templates themselves ask for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.service import required

from upgrader.reclass import unread

REPOSITORY = Path(__file__).parents[3]
KNOWN: dict[str, list[str]] = json.loads(unread.PILLAR_KEYS.read_text())


def test_the_file_holds_what_the_templates_ask_for() -> None:
    made = subprocess.run(
        [sys.executable, "tools/derive_pillar_keys.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert json.loads(made.stdout) == KNOWN


def test_whatever_is_required_is_read() -> None:
    for role, keys in required.REQUIRED.items():
        for key in (one for alternatives, _ in keys for one in alternatives.split(required.OR)):
            assert any(path == key or path.startswith(f"{key}:") for path in KNOWN[role]), f"{role}:{key}"


def of(role: str, held: Any) -> list[str]:
    first, _, second = role.partition(":")
    return unread.keys({first: {second: held}}, role, KNOWN[role])


@pytest.mark.parametrize(
    ("role", "held", "lost"),
    [
        ("nova:controller", {"database": {"host": "h", "ssl": {"enabled": True}}}, ["database:ssl:enabled"]),
        ("nova:controller", {"scheduler_default_filters": "RetryFilter"}, ["scheduler_default_filters"]),
        ("nova:controller", {"upgrade_levels": {"compute": "mitaka", "cert": "mitaka"}}, []),
        ("nova:controller", {"message_queue": {"members": [{"host": "h", "weight": 1}, {"host": "i"}]}}, ["message_queue:members:[]:weight"]),
        ("cinder:controller", {"backend": {"ceph": {"type_name": "t", "pool": "volumes"}}}, ["backend:ceph:pool"]),
        ("cinder:controller", {"backend": {"ceph": {"options": {"rbd_pool": "volumes", "any": {"deep": 1}}}}}, []),
        ("haproxy:proxy", {"listen": {"api": {"timeout": {"client": "90s"}, "mode": "http"}}}, ["listen:api:timeout:client"]),
        ("heat:server", {"metadata": {"host": None}}, []),
        ("glance:server", {"policy": {}}, ["policy"]),
        ("glance:server", "text", []),
    ],
)  # fmt: skip
def test_what_is_set_and_not_read_is_named(role: str, held: Any, lost: list[str]) -> None:
    assert of(role, held) == lost


def test_a_pillar_without_the_role_has_nothing_to_lose() -> None:
    assert unread.keys({"nova": "text"}, "nova:controller", []) == unread.keys(None, "nova:controller", []) == []
