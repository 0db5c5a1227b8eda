"""The lab's name server: one well-formed answer for each question, and it is no."""

from __future__ import annotations

import struct

import pytest

from upgrader.lab.contents.node_files import node_files
from upgrader.lab.contents.passwords import make_passwords
from upgrader.lab.contents.resolver import answer
from upgrader.lab.contents.salt_keys import KeyPair
from upgrader.lab.topology import BENCH, NOVA

NAME = b"\x05upg01\x03lab\x05local\0"
QUESTION = struct.pack(">6H", 0xBEEF, 0x0100, 1, 0, 0, 1) + NAME + struct.pack(">2H", 28, 1)
OPTIONS = b"\0" + struct.pack(">2HIH", 41, 4096, 0, 0)


def test_answer_is_of_this_question_and_holds_no_record() -> None:
    told = answer(QUESTION + OPTIONS)
    identity, flags, questions, *records = struct.unpack(">6H", told[:12])
    assert (identity, questions, records) == (0xBEEF, 1, [0, 0, 0])
    assert flags & 0x8000 and not flags & 0x000F, "a response without error"
    assert told[12:] == NAME + struct.pack(">2H", 28, 1)


@pytest.mark.parametrize("text", [b"", b"?", QUESTION[:14], QUESTION[:-1]])
def test_what_is_no_question_gets_no_answer(text: bytes) -> None:
    assert answer(text) == b""


def test_where_eventlet_runs_a_name_server_answers_and_nobody_else_is_asked() -> None:
    for topology in (NOVA, BENCH):
        keys = {node.name: KeyPair("private", "public") for node in topology.nodes}
        for node in topology.nodes:
            files = node_files(node, topology, keys, make_passwords())
            assert "hosts:      files\n" in files["etc/nsswitch.conf"].text
            asked = files["etc/resolv.conf"].text if "etc/resolv.conf" in files else ""
            assert asked == ("nameserver 127.0.0.1\n" if node.name in ("upg01", "bench01") else "")
