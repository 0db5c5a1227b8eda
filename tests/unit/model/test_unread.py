"""Keys of a model that no state of this tool reads: found by what the templates themselves ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.model import unread, without_effect
from upgrader_node.service import required

from upgrader.reclass import needs
from upgrader.reclass.inventory import Rendered
from upgrader.reclass.unread import PILLAR_KEYS, notes_of_upgrade_node, of_nodes

KNOWN: dict[str, list[str]] = json.loads(PILLAR_KEYS.read_text())


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
        ("nova:controller", {"database": {"host": "h", "ssl": {"enabled": True, "key": "k"}}}, ["database:ssl:key"]),
        ("nova:controller", {"scheduler_default_filters": "RetryFilter", "scheduler_fancy": 1}, ["scheduler_fancy"]),
        ("nova:controller", {"upgrade_levels": {"compute": "mitaka", "cert": "mitaka"}}, []),
        ("nova:controller", {"message_queue": {"members": [{"host": "h", "weight": 1}, {"host": "i"}]}}, ["message_queue:members:[]:weight"]),
        ("nova:controller", {"pkgs": ["nova-api"], "nova_uid": 303, "logging": [{"engine": "syslog"}]}, []),
        ("nova:controller", {"audit": {"enabled": True, "map_file": "/m"}}, ["audit:enabled"]),
        ("nova:controller", {"audit": {"enabled": False, "map_file": "/m"}}, []),
        ("nova:controller", {"database": {"engine": "postgresql"}}, ["database:engine"]),
        ("nova:controller", {"policy": {"compute:create": "rule:admin"}, "notification": True}, []),
        ("nova:controller", {"notification": {"driver": "messagingv2", "level": "INFO"}}, ["notification:level"]),
        ("cinder:controller", {"backend": {"ceph": {"type_name": "t", "replicas": "3"}}}, ["backend:ceph:replicas"]),
        ("cinder:controller", {"backend": {"ceph": {"options": {"rbd_pool": "volumes", "any": {"deep": 1}}}}}, []),
        ("neutron:server", {"backend": {"extension": {"dns": {"enabled": False, "engine": "designate", "url": "u"}}}}, []),
        ("neutron:server", {"backend": {"extension": {"dns": {"enabled": True, "url": "u"}}}}, ["backend:extension:dns:url"]),
        ("keystone:server", {"service": {"nova": {"type": "compute"}}, "ldap": {"uid": "u"}}, ["ldap:uid"]),
        ("heat:server", {"metadata": {"host": None}}, []),
        ("glance:server", {"gadget": {}}, ["gadget"]),
        ("glance:server", "text", []),
    ],
)  # fmt: skip
def test_what_is_set_and_not_read_is_named(role: str, held: Any, lost: list[str]) -> None:
    assert of(role, held) == lost


def test_a_pillar_without_the_role_has_nothing_to_lose() -> None:
    assert unread.keys({"nova": "text"}, "nova:controller", []) == unread.keys(None, "nova:controller", []) == []


def refused(ignored: Any, **held: Any) -> list[str]:
    pillar = {"nova": {"controller": held}, "upgrader": {"service": {"nova": {"ignored": ignored}}}}
    return unread.refused(pillar, "nova:controller", KNOWN["nova:controller"])


def test_what_pillar_names_as_ignored_is_not_refused_with_all_below_it() -> None:
    assert refused(None, gadget={"a": 1, "b": {"c": 2}}, widget=1) == ["gadget:a", "gadget:b:c", "widget"]
    assert refused(["gadget:b"], gadget={"a": 1, "b": {"c": 2}}, widget=1) == ["gadget:a", "widget"]
    assert refused(["gadget:*:c", "widget"], gadget={"a": 1, "b": {"c": 2}}, widget=1) == ["gadget:a"]


@pytest.mark.parametrize(
    ("ignored", "words"),
    [
        ("gadget", "has to be a list of keys below nova:controller"),
        ([1], "has to be a list of keys below nova:controller"),
        (["*"], "which is every key"),
        (["*:enabled"], "which is every key"),
        (["cpu_allocation_ratio"], "nova:controller:cpu_allocation_ratio is read and has its effect"),
        (["policy:compute"], "nova:controller:policy:compute is read and has its effect"),
    ],
)
def test_a_list_of_ignored_keys_that_would_hide_more_than_it_says_is_refused(ignored: Any, words: str) -> None:
    with pytest.raises(StepError, match=words.replace("*", r"\*")):
        refused(ignored, gadget=1)


def test_refusal_names_the_keys_and_no_value_and_says_what_can_be_done() -> None:
    names = [f"key{number:02}" for number in range(30)]
    with pytest.raises(StepError) as told:
        unread.refuse("nova:controller", names, passing=True)
    said = str(told.value)
    assert said.startswith(
        "nothing was written: pillar nova:controller sets 30 keys that these states do not read (key00, key01"
    )
    assert "and 18 more" in said and "key29" not in said
    assert "upgrader:service:nova:conf" in said and "upgrader:service:nova:ignored" in said
    with pytest.raises(StepError) as told:
        unread.refuse("upgrader:service:memcached", ["threads"], passing=False)
    assert "upgrader:service:memcached:ignored" in str(told.value) and ":conf" not in str(told.value)
    unread.refuse("nova:controller", [], passing=True)


def test_every_key_without_effect_has_its_reason_and_none_is_read() -> None:
    """Read and without effect would be a contradiction: one of the two tables is out of date."""
    for role in required.REQUIRED:
        for row in without_effect.of(role):
            assert len(row.why) > 15, row
            way = row.key.split(":")
            assert not [path for path in KNOWN[role] if unread.covers(path.split(":"), way)], f"{role}:{row.key}"


def test_what_the_states_will_refuse_on_the_upgrade_node_is_said_before_a_rehearsal() -> None:
    rendered = {"upg01": Rendered("node", pillar={"nova": {"controller": {"gadget": 1, "dhcp_domain": "cloud"}}})}
    [note] = notes_of_upgrade_node(rendered, {needs.UPGRADE: ("upg01",)})
    assert note.startswith("the upgrade node sets 1 key of nova:controller that this tool's own states do not read")
    assert "refuse: gadget (upgrader_model.unread on the node lists all)" in note


def test_a_wrong_list_of_ignored_keys_counts_for_nothing_beforehand() -> None:
    own = {"service": {"nova": {"ignored": "gadget"}}}
    rendered = {"ctl01": Rendered("node", pillar={"nova": {"controller": {"gadget": 1}}, "upgrader": own})}
    assert of_nodes(rendered, ["ctl01"]) == {"nova:controller": ("gadget",)}
    own["service"]["nova"]["ignored"] = ["gadget"]  # type: ignore[assignment]
    assert of_nodes(rendered, ["ctl01"]) == {}
