"""Nodes of the site before they join, and the states that put our Salt there: shapes as Salt 2017.7.8 answers."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from upgrader.beside import joining, master, node_states
from upgrader.beside.bundle import Bundle
from upgrader.beside.nodes import NodeFacts, judged
from upgrader.beside.site_salt import SiteSalt, answers
from upgrader.errors import SaltUnreachable, UsageError

GRAINS = {
    "init": "upstart",
    "osfullname": "Ubuntu",
    "osrelease": "14.04",
    "osarch": "amd64",
    "saltversion": "2016.3.8",
    "pythonversion": [2, 7, 6, "final", 0],
}
DF = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 20000000 100 {} 1% /"
BUNDLE = Bundle(Path("/x/salt.tar"), "ab" * 32, 40 << 20, 300 << 20, "")


def facts(**more: Any) -> NodeFacts:
    given: dict[str, Any] = {
        "grains": GRAINS,
        "glibc": "glibc 2.19",
        "room": DF.format(900_000),
        "master": "10.0.0.1",
        **more,
    }
    return judged("dbs01", given["grains"], given["glibc"], given["room"], given["master"], 340 << 20)


def test_ubuntu_14_04_can_join() -> None:
    one = facts()
    assert one.lacks == ()
    assert (one.system, one.init, one.salt, one.python) == ("Ubuntu 14.04 amd64", "upstart", "2016.3.8", "2.7.6")
    assert one.masters == ("10.0.0.1",)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"glibc": "glibc 2.12"}, "its glibc is 2.12, and Salt's own build needs 2.17 or newer"),
        ({"glibc": ""}, "it does not say which glibc it has (getconf GNU_LIBC_VERSION)"),
        ({"room": DF.format(1000)}, "/opt has 0 MiB free, and 540 MiB are needed"),
        ({"room": "df: /opt: No such file or directory"}, "it does not say how much room there is in /opt"),
        (
            {"grains": {**GRAINS, "init": "sysvinit"}},
            "its init is sysvinit, and only systemd and upstart are known here",
        ),
        ({"master": ""}, "its site's minion does not say which master it has"),
    ],
)
def test_what_a_node_lacks_is_a_sentence(given: dict[str, Any], sentence: str) -> None:
    assert facts(**given).lacks == (sentence,)


def test_node_that_answers_nothing_at_all_is_told_whole() -> None:
    assert len(facts(grains=None, glibc=None, room=None, master=None).lacks) == 4


def test_several_masters_are_all_kept() -> None:
    made = node_states.present(facts(master=["a", "b"]), BUNDLE, "http://a:4527/x", "KEY")
    assert json.loads(argument(made, "config", "contents"))["master"] == ["a", "b"]


def argument(made: node_states.High, name: str, key: str) -> Any:
    words = next(iter(made[node_states.PREFIX + name].values()))
    return next(one[key] for one in words if isinstance(one, dict) and key in one)


@pytest.mark.parametrize("init", ["systemd", "upstart"])
def test_states_touch_our_folder_and_our_unit_and_no_other_file(init: str) -> None:
    one = facts(grains={**GRAINS, "init": init})
    for made in (node_states.present(one, BUNDLE, "http://a:4527/x", "KEY"), node_states.absent(init)):
        names = {
            argument(made, name.removeprefix(node_states.PREFIX), "name")
            for name, body in made.items()
            if "file" in body
        }
        outside = {name for name in names if not f"{name}/".startswith("/opt/upgrader/")}
        assert outside == {
            str(
                Path(
                    "/etc/init/upgrader-salt-minion.conf"
                    if init == "upstart"
                    else "/etc/systemd/system/upgrader-salt-minion.service"
                )
            )
        }


def test_states_run_in_their_order_and_stop_at_the_first_failure() -> None:
    made = node_states.present(facts(), BUNDLE, "http://a:4527/x", "KEY")
    names = list(made)
    assert [argument(made, name.removeprefix(node_states.PREFIX), "order") for name in names] == list(
        range(1, len(names) + 1)
    )
    for before, name in itertools.pairwise(names):
        [[required]] = [
            [*one["require"]] for one in next(iter(made[name].values())) if isinstance(one, dict) and "require" in one
        ]
        assert list(required.values()) == [before]


def test_minion_of_ours_trusts_the_key_of_our_master_only_and_has_no_port_of_the_sites() -> None:
    made = node_states.present(facts(), BUNDLE, "http://a:4527/x", "-----KEY")
    assert argument(made, "master_key", "contents") == "-----KEY"
    config = json.loads(argument(made, "config", "contents"))
    assert config == {"id": "dbs01", "master": "10.0.0.1", "master_port": 4526, "root_dir": "/opt/upgrader"}


@pytest.mark.parametrize(
    ("text", "complaint", "found"),
    [
        ('{"a": true, "b": {}}', "", {"a": True}),
        ("No minions matched the target. No command was sent, no jid was assigned.\n{}", "", {}),
        ('[WARNING] old\n{"a": "x"}', "", {"a": "x"}),
    ],
)
def test_answer_of_the_sites_salt_is_read_and_silence_is_absent(text: str, complaint: str, found: Any) -> None:
    assert answers(text, complaint) == found


@pytest.mark.parametrize(
    ("text", "complaint"), [("", "Salt request timed out. The master is not responding."), ("{x", "")]
)
def test_no_answer_at_all_is_salt_unreachable(text: str, complaint: str) -> None:
    with pytest.raises(SaltUnreachable, match="the site's Salt gave no answer: "):
        answers(text, complaint)


def test_target_that_names_nobody_is_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    folder = tmp_path / "pki/master/minions"
    folder.mkdir(parents=True)
    for node in ("cmp001.x", "ctl01.x", "ctl02.x"):
        (folder / node).touch()
    site = SiteSalt(config=tmp_path)
    assert site.named(["ctl*", "cmp001*"]) == ["cmp001.x", "ctl01.x", "ctl02.x"]
    with pytest.raises(
        UsageError,
        match=r"--target 'ctrl\*' names no minion of the site's; its master knows cmp001.x, ctl01.x, ctl02.x",
    ):
        site.named(["ctl*", "ctrl*"])


def test_master_elsewhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(SaltUnreachable, match="run this on the site's Salt master"):
        SiteSalt(config=tmp_path).named(["*"])


KEY = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----"


@pytest.mark.parametrize(
    ("held", "told", "accepted", "sentence"),
    [
        (("pending", KEY), KEY + "\n", True, ""),
        (("accepted", KEY), KEY, False, ""),
        (("pending", KEY), "-----OTHER", False, "is not the one that the node has"),
        (("accepted", KEY), "-----OTHER", False, "is not the one that the node has"),
        (("pending", KEY), "", False, "did not tell its key through the site's Salt"),
        (("denied", KEY), KEY, False, "our master holds another key of it (denied)"),
        (("", ""), KEY, False, "no key of it reached our master within"),
    ],
)
def test_key_is_accepted_only_when_the_node_itself_told_it(
    monkeypatch: pytest.MonkeyPatch, held: tuple[str, str], told: str, accepted: bool, sentence: str
) -> None:
    """An impostor's key under a node's name is never accepted."""
    taken: list[str] = []
    monkeypatch.setattr(joining, "KEY_SECONDS", 0.1)
    monkeypatch.setattr(master, "key_of", lambda node: held)
    monkeypatch.setattr(master, "accept", taken.append)
    said = joining._key_trouble("dbs01", told.strip())
    assert (sentence in said) if sentence else said == ""
    assert taken == (["dbs01"] if accepted else [])


def test_our_master_gives_the_sites_pillar_and_our_formulas(tmp_path: Path) -> None:
    (tmp_path / "master").write_text(
        "interface: 10.0.0.1\nfile_roots: {base: [/srv/salt]}\npublish_port: 4505\nuser: salt\n"
    )
    (tmp_path / "master.d").mkdir()
    (tmp_path / "master.d/reclass.conf").write_text(
        "reclass: &reclass {inventory_base_uri: /srv/salt/reclass}\next_pillar:\n- reclass: *reclass\nmaster_tops: {reclass: *reclass}\n"
    )
    made = master.master_config(tmp_path)
    assert made["ext_pillar"] == [{"reclass": {"inventory_base_uri": "/srv/salt/reclass"}}]
    assert (made["interface"], made["publish_port"], made["ret_port"]) == ("10.0.0.1", 4525, 4526)
    assert [Path(root).name for root in made["file_roots"]["base"]] == ["formulas"]
    assert not {"user", "master_tops"} & set(made)


def test_what_stands_against_joining_is_told_once_with_all_its_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master, "running", lambda: True)
    monkeypatch.setattr(master, "ports_taken", lambda ports: list(ports))
    old = facts(glibc="glibc 2.12")
    assert joining.obstacles({"a": old, "b": None, "c": old, "d": facts()}, 4527) == [
        "a, c: its glibc is 2.12, and Salt's own build needs 2.17 or newer",
        "b: silent in the site's Salt: bring it back, or name other nodes with --target",
        "port 4527 of this machine is taken",
    ]
