"""Probed rows without a server: pages, equal rows once, what is a row's own, reasons, packing, findings, the worker's shares."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from upgrader_node.errors import StepError
from upgrader_node.nova.door import Door
from upgrader_node.probe import asking, kinds, live, packing, told, verdicts, worker
from upgrader_node.probe.kind import ITSELF, OWNER, Kind, Row, digest, plain, rows_after, words_of
from upgrader_node.service.manage import Outcome

WORDS = words_of(["nova", "nova_api"])
UUID, PROJECT = "12345678-1234-4abc-8def-1234567890ab", "0123456789abcdef0123456789abcdef"
SPECS, EVENTS = kinds.named("nova", "request-specs"), kinds.named("heat", "events")
TABLE = [
    (key, f"{key:08x}-1234-4abc-8def-1234567890ab", None, "same" if key % 2 else f"own {key}") for key in range(1, 8)
]
SMALL = SPECS._replace(page=3)


class Server:
    """A table and the three statements that are asked of it, as a DB-API connection or as a worker's door."""

    def __init__(self, table: list[tuple[Any, ...]] = TABLE) -> None:
        self.table, self.asked = table, list[str]()

    def rows(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        self.asked.append(statement)
        if statement.startswith("SELECT COUNT"):
            return [(len(self.table),)]
        after, until = values[0], values[1] if len(values) > 1 else float("inf")
        found = [row for row in self.table if after < row[0] <= until]
        if " OFFSET " in statement:
            return [(row[0],) for row in found[int(statement.rpartition(" ")[2]) :][:1]]
        return found[: int(statement.rpartition(" ")[2])]


def refusing(text: Any) -> None:
    if "own" in str(text):
        raise KeyError("spec")


def test_statements_read_by_key_and_lock_nothing() -> None:
    for service in kinds.KINDS:
        for kind in kinds.of_service(service):
            statement = kind.select(WORDS, until=True)
            assert (
                statement.startswith(f"SELECT {kind.key}, ")
                and f"{kind.key} > %s AND {kind.key} <= %s ORDER BY {kind.key}" in statement
            )
            assert "{" not in statement + kind.counting(WORDS) + kind.boundary(WORDS, 10)
            assert not {"UPDATE", "LOCK", "INTO", "DELETE"} & set(statement.split())


def test_ids_of_kinds_are_unique_and_name_them() -> None:
    for service, found in kinds.KINDS.items():
        assert len({kind.id for kind in found}) == len(found)
        assert {kind.service for kind in found} == {service}
    with pytest.raises(KeyError, match="no rows of kind 'none'"):
        kinds.named("nova", "none")
    assert kinds.of_service("keystone") == ()


def test_pages_cover_every_row_once() -> None:
    server, seen, after = Server(), [], 0
    while found := rows_after(server.rows, SMALL, WORDS, after):
        seen += [row.key for row in found]
        after = found[-1].key
    assert seen == [row[0] for row in TABLE]


def test_spans_of_the_worker_cover_every_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STRIDE", 1)
    door = create_autospec(Door, instance=True)
    door.rows.side_effect = Server().rows
    assert [(after, until) for _, after, until in worker.spans(door, [SMALL], WORDS)] == [(0, 3), (3, 6), (6, None)]


def test_what_is_a_rows_own_is_replaced_only_where_it_has_the_usual_form() -> None:
    text = f'{{"instance_uuid": "{UUID}", "project_id": "{PROJECT}"}}'
    assert plain([text], UUID, PROJECT) == (f'{{"instance_uuid": "{ITSELF}", "project_id": "{OWNER}"}}',)
    assert plain([text], "instance_uuid", "project_id") == (text,)
    assert plain([UUID.encode(), None, 5], UUID, None) == (UUID.encode(), None, 5)


def test_values_of_other_types_or_places_are_other_values() -> None:
    values = [("1",), (1,), (b"1",), (None,), ("None",), ("1", ""), ("", "1")]
    assert len({digest(value) for value in values}) == len(values)


def test_equal_rows_are_judged_once_and_each_refused_row_is_named() -> None:
    asked: list[Any] = []

    def judge(text: Any) -> None:
        asked.append(text)
        if text == "same":
            raise ValueError(f"no such\n thing: {ITSELF}")

    heard = verdicts.Verdicts(judge, listed=3)
    heard.hear(rows_after(Server().rows, SPECS, WORDS, 0))
    assert sorted(asked) == ["own 2", "own 4", "own 6", "same"]
    assert (heard.rows, heard.judged, heard.count) == (7, 4, 4)
    assert [row[0] for row in heard.refused] == [1, 3, 5]
    assert heard.refused[0][2] == "ValueError: no such thing: its own uuid"


def test_what_is_remembered_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "KEPT", 10)
    heard = verdicts.Verdicts(refusing, 5)
    heard.hear(Row(key, "x", (f"own {key}",)) for key in range(100))
    assert len(heard._known) <= 10 and heard.count == 100 and len(heard.refused) == 5


def test_a_reason_is_one_line_of_bounded_length() -> None:
    assert verdicts.in_one_line(EOFError()) == "EOFError"
    assert len(verdicts.in_one_line(ValueError("x " * 5000))) < 300


def test_instances_image_properties_are_gathered_with_one_more_question() -> None:
    image = kinds.named("nova", "image-properties")
    asked: list[str] = []

    def ask(statement: str, values: Any) -> list[tuple[Any, ...]]:
        asked.append(statement)
        pairs = [(UUID, "image_os_type", "linux"), (UUID, "image_min_ram", None)]
        return pairs if "instance_system_metadata" in statement else [(1, UUID, None, None), (2, "other", None, None)]

    found = rows_after(ask, image, WORDS, 0)
    assert [json.loads(row.values[0]) for row in found] == [{"image_min_ram": None, "image_os_type": "linux"}, {}]
    assert len(asked) == 2


def test_a_page_holds_equal_rows_once_with_their_number_and_first_names() -> None:
    rows = [Row(key, f"name {key}", ("same",)) for key in range(100)] + [Row(100, "alone", ("other",))]
    groups = packing.unpacked(packing.packed(rows))
    assert [(group["count"], len(group["rows"])) for group in groups] == [(100, packing.NAMED), (1, 1)]


def test_a_page_that_does_not_fit_is_cut_and_a_row_that_does_not_fit_is_said() -> None:
    import random

    noise = random.Random(1)
    rows = [Row(key, str(key), (f"{noise.getrandbits(20000):x}",)) for key in range(50)]
    many, text = packing.fitting(rows, limit=30000)
    assert 0 < many < 50 and len(text) <= 30000
    assert [group["rows"][0][0] for group in packing.unpacked(text)] == list(range(many))
    assert packing.fitting(rows, limit=500) == (0, "")


class Connection:
    """A DB-API connection whose cursor answers from ``Server``."""

    def __init__(self, server: Server) -> None:
        self.server, self.found = server, list[Any]()

    def cursor(self) -> Connection:
        return self

    def execute(self, statement: str, values: Any) -> None:
        self.found = self.server.rows(statement, values)

    def fetchall(self) -> list[Any]:
        return self.found

    def close(self) -> None:
        pass


def test_live_pages_reach_the_end_and_count_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ROWS", 3)
    connection = Connection(Server())
    first = live.page(connection, SMALL, ["nova", "nova_api"], 0, True)
    assert (first["total"], first["rows"], first["after"], first["more"]) == (7, 3, 3, True)
    second = live.page(connection, SMALL, ["nova", "nova_api"], first["after"], False)
    last = live.page(connection, SMALL, ["nova", "nova_api"], second["after"], False)
    assert "total" not in second and (last["rows"], last["more"]) == (1, False)
    assert [group["count"] for group in packing.unpacked(first["packed"])] == [2, 1]


def test_a_live_row_too_large_for_salt_is_a_warning_and_the_next_page_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "LIMIT", 10)
    monkeypatch.setattr(packing.fitting, "__defaults__", (10,))
    answer = live.page(Connection(Server()), SPECS, ["nova", "nova_api"], 0, False)
    assert (answer["rows"], answer["after"], answer["packed"], answer["more"]) == (1, 1, "", True)
    assert [(one["id"], one["severity"]) for one in answer["findings"]] == [("unprobed-request-specs", "warning")]


def test_live_rows_that_may_hold_passwords_are_judged_by_their_grammar_and_not_carried() -> None:
    table = [
        (1, "1 of stack s", None, b"\x80\x02}q\x01."),
        (2, "2 of stack s", None, b"\x80\x02}q\x01"),
        (3, "3 of stack s", None, "{"),
    ]
    answer = live.page(Connection(Server(table)), EVENTS, ["heat"], 0, False)
    assert answer["packed"] == ""
    finding = answer["findings"][0]
    assert finding["count"] == 2 and "grammar" in finding["what"]
    assert finding["rows"][0].startswith("2 of stack s (ValueError: ")
    assert finding["statements"][0] == "UPDATE `heat`.event SET resource_properties = NULL WHERE id = 2"


def test_findings_of_pages_become_one_with_the_whole_count() -> None:
    pages = [told.of_rows(SPECS, ["n", "a"], 5, [(n, f"i{n}", "KeyError: 'x'")])[0] for n in (1, 2, 3)]
    merged = told.together(pages, 2)
    assert len(merged) == 1 and merged[0]["count"] == 15
    assert merged[0]["rows"] == ["i1 (KeyError: 'x')", "i2 (KeyError: 'x')"]
    assert ": 15; online migrations" in merged[0]["what"]
    assert merged[0]["statements"] == [f"DELETE FROM `a`.request_specs WHERE id = {n}" for n in (1, 2)]


def test_a_uuid_key_is_quoted_in_a_statement() -> None:
    assert kinds.named("cinder", "snapshots").mending(words_of(["c"]), "it's").endswith("WHERE id = 'it''s'")


@pytest.mark.parametrize(
    ("code", "stdout", "sentence"),
    [
        (
            3,
            '{"refused": "the installed nova cannot be imported"}',
            "nova's rows were not probed: the installed nova cannot be imported",
        ),
        (1, '{"version": "nova 15.1.5", "died": 1}', "the probe broke off"),
        (0, "", "the probe broke off: it printed nothing"),
        (-1, "", "was stopped after 7 s"),
    ],
)
def test_a_worker_that_did_not_end_well_is_no_pass(code: int, stdout: str, sentence: str) -> None:
    with pytest.raises(StepError, match=sentence):
        asking._result("nova", Outcome("probe", code, stdout, "", 7.0))


def test_shares_of_processes_are_added_up() -> None:
    total: dict[str, Any] = {}
    for key in (2, 1):
        told_by = {"rows": 5, "judged": 2, "count": 1, "refused": [[key, "n", "r"]]}
        worker._add(total, {"flavors": told_by}, listed=1)
    assert total == {"flavors": {"rows": 10, "judged": 4, "count": 2, "refused": [[1, "n", "r"]]}}


IN_SERVICES_PYTHON = (
    "kind",
    "kinds",
    "nova_kinds",
    "cinder_kinds",
    "heat_kinds",
    "nova_code",
    "cinder_code",
    "heat_code",
    "verdicts",
    "worker",
)


@pytest.mark.parametrize("name", IN_SERVICES_PYTHON)
def test_what_a_services_own_python_runs_has_the_grammar_of_2_7(name: str) -> None:
    """No annotations, no f-strings, no keyword-only arguments, no ``raise from``."""
    tree = ast.parse((Path(worker.__file__).parent / f"{name}.py").read_text())
    for node in ast.walk(tree):
        assert not isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.AsyncFunctionDef, ast.Starred)) or isinstance(
            node.ctx, ast.Load
        )  # type: ignore[union-attr]
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None and not node.args.kwonlyargs
            assert not [argument for argument in node.args.args if argument.annotation]
        if isinstance(node, ast.Raise):
            assert node.cause is None


def test_kinds_say_what_they_are() -> None:
    made = Kind(
        **dict.fromkeys(
            (
                "id",
                "service",
                "subject",
                "what",
                "fails",
                "remedy",
                "source",
                "judge",
                "tables",
                "where",
                "key",
                "name",
            ),
            "x",
        ),
        values=(),
    )
    assert (made.severity, made.first, made.secret) == ("blocker", 0, False)
