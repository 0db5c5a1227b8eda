"""Approving and rejecting from the live page: by name, once, and only where the page may."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.long_run import MARKUP, RUN, plan
from tests.support.page import NOW, TOKEN, Viewer, served
from upgrader.errors import Refused, Waiting
from upgrader.journal.approvals import APPROVED, REJECTED, WAITING, Approval, Approvals
from upgrader.journal.journal import Journal
from upgrader.journal.plans import Shelf
from upgrader.plan.step import Plan
from upgrader.report.document import plan_document, render
from upgrader.serve.keys import Keys

ASKED = "2017-08-01T18:30:00.000+00:00"
LATER = "2017-08-01T20:30:00.001+00:00"


@pytest.fixture
def waiting(tmp_path: Path) -> Plan:
    """A real upgrade that somebody asked for."""
    made = plan()
    real = replace(made, stages=(replace(made.stages[0], name="real-upgrade"),))
    Shelf(tmp_path).keep(real.cloud, real.digest, render(plan_document(real)))
    Approvals(tmp_path).ask(real, f"alice@cfg01 {MARKUP}", ASKED, 7200)
    return real


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    with served(tmp_path, may_approve=True) as one:
        known = one.opened()
        known.now = one.now
        yield known


def fields(page: str, **typed: str) -> dict[str, str]:
    """The form of the page, filled in."""
    return {"csrf": re.findall(r'name="csrf" value="(\w+)"', page)[0], **typed}


def decided(state: Path, asked: Plan) -> Approval:
    return Approvals(state).find(asked.digest)


def send(viewer: Viewer, asked: Plan, **typed: str) -> tuple[int, str]:
    path = f"/plans/{asked.digest}"
    answer = viewer.post(path, fields(viewer.get(path).text, **typed), Origin=f"http://127.0.0.1:{viewer.port}")
    return answer.status, answer.text


def test_plan_that_waits_is_linked_and_shown_step_by_step(viewer: Viewer, waiting: Plan) -> None:
    page = viewer.get("/").text
    assert "waits for approval" in page
    (path,) = set(re.findall(r'href="(/plans/\w+)"', page))
    shown = viewer.get(path).text
    assert all(step.id in shown for step in waiting.steps())
    assert MARKUP not in shown and "alice@cfg01" in shown


def test_approved_on_the_page_is_approved_for_apply(viewer: Viewer, waiting: Plan, tmp_path: Path) -> None:
    with pytest.raises(Waiting):
        Approvals(tmp_path).require(waiting, NOW)
    assert send(viewer, waiting, decision=APPROVED, name=" Bob\tof the night shift ", reason="as agreed")[0] == 303
    given = Approvals(tmp_path).require(waiting, NOW)
    assert given is not None
    assert (given.decision, given.by, given.reason, given.at) == (APPROVED, "Bob of the night shift", "as agreed", NOW)
    page = viewer.get(f"/plans/{waiting.digest}").text
    assert "Approved by Bob of the night shift" in page and "<form" not in page
    assert f"upgrader apply {waiting.digest[:12]}" in viewer.get("/").text


def test_rejected_on_the_page_does_not_run(viewer: Viewer, waiting: Plan, tmp_path: Path) -> None:
    assert send(viewer, waiting, decision=REJECTED, name="Bob", reason=f"not tonight {MARKUP}")[0] == 303
    with pytest.raises(Refused, match="rejected by Bob"):
        Approvals(tmp_path).require(waiting, NOW)
    page = viewer.get(f"/plans/{waiting.digest}").text
    assert "Rejected by Bob" in page and MARKUP not in page
    assert "/plans/" not in viewer.get("/").text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"decision": APPROVED, "name": " "}, "say who decides"),
        ({"decision": APPROVED, "name": "x" * 101}, "say who decides"),
        ({"decision": REJECTED, "name": "Bob", "reason": ""}, "say why not"),
        ({"decision": REJECTED, "name": "Bob", "reason": "x" * 1001}, "say why not"),
        ({"decision": "", "name": "Bob"}, "nothing was decided"),
        ({"decision": "expired", "name": "Bob"}, "nothing was decided"),
    ],
)  # fmt: skip
def test_what_does_not_count_is_said_and_what_was_typed_stays(
    viewer: Viewer, waiting: Plan, tmp_path: Path, typed: dict[str, str], said: str
) -> None:
    status, page = send(viewer, waiting, **typed)
    assert status == 400
    assert said in page and "<form" in page
    assert f'name="name" value="{typed["name"]}"' in page
    assert decided(tmp_path, waiting).state(NOW) == WAITING


def test_second_decision_is_refused_and_says_who_was_first(viewer: Viewer, waiting: Plan, tmp_path: Path) -> None:
    path = f"/plans/{waiting.digest}"
    form = viewer.get(path).text
    assert viewer.post(path, fields(form, decision=REJECTED, name="Carol", reason="no")).status == 303
    answer = viewer.post(path, fields(form, decision=APPROVED, name="Bob"))
    assert answer.status == 409
    assert "was rejected by Carol" in answer.text
    assert decided(tmp_path, waiting).by == "Carol"


def test_plan_whose_time_is_over_cannot_be_decided(viewer: Viewer, waiting: Plan, tmp_path: Path) -> None:
    form = viewer.get(f"/plans/{waiting.digest}").text
    viewer.now[0] = LATER
    answer = viewer.post(f"/plans/{waiting.digest}", fields(form, decision=APPROVED, name="Bob"))
    assert answer.status == 409
    assert "ask again with --wait" in answer.text and "<form" not in answer.text
    assert "/plans/" not in viewer.get("/").text


@pytest.mark.parametrize("csrf", [None, "", "0" * 64, "ü"])
def test_form_that_is_not_the_pages_changes_nothing(
    viewer: Viewer, waiting: Plan, tmp_path: Path, csrf: str | None
) -> None:
    sent = {"decision": APPROVED, "name": "Bob", **({} if csrf is None else {"csrf": csrf})}
    assert viewer.post(f"/plans/{waiting.digest}", sent).status == 403
    assert decided(tmp_path, waiting).state(NOW) == WAITING


def test_without_the_cookie_a_right_form_changes_nothing(viewer: Viewer, waiting: Plan, tmp_path: Path) -> None:
    sent = fields(viewer.get(f"/plans/{waiting.digest}").text, decision=APPROVED, name="Bob")
    assert Viewer(viewer.port).post(f"/plans/{waiting.digest}", sent).status == 401
    assert decided(tmp_path, waiting).state(NOW) == WAITING


@pytest.mark.parametrize("body", [{"x": "y" * 20_000}, {f"f{n}": "" for n in range(40)}])
def test_form_that_is_too_much_is_refused(viewer: Viewer, waiting: Plan, body: dict[str, str]) -> None:
    assert viewer.post(f"/plans/{waiting.digest}", body).status in (400, 413)


def test_page_that_only_shows_names_the_commands_and_decides_nothing(waiting: Plan, tmp_path: Path) -> None:
    with served(tmp_path) as one:
        viewer = one.opened()
        page = viewer.get(f"/plans/{waiting.digest}").text
        assert "<form" not in page and f"upgrader approve {waiting.digest[:12]}" in page
        sent = {"csrf": Keys(TOKEN).csrf, "decision": APPROVED, "name": "Bob"}
        assert viewer.post(f"/plans/{waiting.digest}", sent).status == 403
    assert decided(tmp_path, waiting).state(NOW) == WAITING


def another(text: str) -> str:
    """A whole plan, but of another digest."""
    return render(plan_document(plan()))


def edited(text: str) -> str:
    return text.replace("gate", "work", 1)


@pytest.mark.parametrize("damage", [edited, another, lambda text: text[:100], lambda text: ""])
def test_plan_that_was_changed_is_not_shown_as_what_would_run(
    viewer: Viewer, waiting: Plan, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    path = tmp_path / "lab" / "plans" / f"{waiting.digest}.json"
    path.write_text(damage(path.read_text()))
    page = viewer.get(f"/plans/{waiting.digest}").text
    assert "What would run cannot be shown" in page or "is another one: ask again" in page
    assert "<h2>What runs</h2>" not in page


def test_approval_that_cannot_be_read_is_said_and_the_others_are_shown(
    viewer: Viewer, waiting: Plan, tmp_path: Path
) -> None:
    (tmp_path / "lab" / "approvals" / f"{'0' * 64}.json").write_text("{")
    page = viewer.get("/").text
    assert "cannot be read" in page
    assert f"/plans/{waiting.digest}" in page


def test_plan_that_was_run_since_is_no_longer_listed(viewer: Viewer, waiting: Plan, tmp_path: Path) -> None:
    assert send(viewer, waiting, decision=APPROVED, name="Bob")[0] == 303
    assert "/plans/" in viewer.get("/").text
    begin = ("run-started", "2017-08-01T18:45:00.000+00:00")
    journal = Journal.create(tmp_path / "lab" / "runs" / f"{RUN}.jsonl")
    journal.append(*begin, run=RUN, plan=waiting.to_json(), digest=waiting.digest, operator="alice@cfg01")
    page = viewer.get("/").text
    assert RUN in page and "/plans/" not in page


def test_every_viewer_sees_the_decision(viewer: Viewer, waiting: Plan) -> None:
    with viewer.follow("/") as one, viewer.follow("/") as other:
        assert "waits for approval" in one.next()["clouds"] and "waits for approval" in other.next()["clouds"]
        assert send(viewer, waiting, decision=APPROVED, name="Bob")[0] == 303
        for events in (one, other):
            assert "approved by Bob" in events.next()["clouds"]
