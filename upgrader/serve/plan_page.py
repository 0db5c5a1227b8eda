"""The page of a plan that was asked about: exactly what would run, and who decides. It does not change by itself under a form."""

from __future__ import annotations

from upgrader.errors import UsageError
from upgrader.journal.approvals import APPROVED, REJECTED, WAITING, Approval
from upgrader.plan.step import Plan
from upgrader.report.document import plan_of_document
from upgrader.report.wording import node_list
from upgrader.serve.markup import html, moment, table, verdict
from upgrader.serve.state import State

LONGEST_NAME, LONGEST_REASON = 100, 1000
"""Characters of who decides, and of why."""
DECISIONS = (APPROVED, REJECTED)
HEADERS = ("#", "phase", "step", "nodes", "calls", "what it does")
NARROW = frozenset({"#", "phase"})


def title(asked: Approval) -> str:
    """What is asked for."""
    return f"{asked.what} of cloud {asked.cloud}"


def body(
    state: State, asked: Approval, now: str, csrf: str, name: str = "", reason: str = "", refused: str = ""
) -> str:
    """The page. ``refused`` says why what was sent did not count; what was typed is there again."""
    stands, plan = asked.state(now), _plan(state, asked)
    no = html('<p class="trouble" role="alert">{}</p>', refused) if refused else ""
    steps = _steps(plan) if isinstance(plan, Plan) else html('<p class="trouble">{}</p>', plan)
    return (
        html("<h1>{}</h1>", title(asked)) + no
        + html('<p class="result {}">{}</p>', verdict(_good(stands)), _sentence(asked, stands))
        + _facts(asked) + (_decide(state, asked, csrf, name, reason) if stands == WAITING else "") + steps
    )  # fmt: skip


def decide(state: State, digest: str, sent: dict[str, str], now: str) -> Approval:
    """Record what somebody decided. Raises UsageError for what cannot be, Refused where it is decided or over."""
    decision, name, reason = sent.get("decision", ""), _line(sent.get("name", "")), _line(sent.get("reason", ""))
    if decision not in DECISIONS:
        raise UsageError("nothing was decided: use one of the two buttons")
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(f"say who decides, in at most {LONGEST_NAME} characters")
    if len(reason) > LONGEST_REASON or (decision == REJECTED and not reason):
        raise UsageError(f"say why not, in at most {LONGEST_REASON} characters")
    with state.lock:
        return state.approvals.decide(digest, decision, name, now, reason)


def _line(text: str) -> str:
    """One line that can be printed on a terminal."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _plan(state: State, asked: Approval) -> Plan | str:
    """The plan as it was kept, checked against its digest; a sentence where it is not there any more."""
    try:
        plan = plan_of_document(state.shelf.find(asked.digest), f"kept plan {asked.short}")
    except UsageError as error:
        return f"What would run cannot be shown: {error}"
    return plan if plan.digest == asked.digest else f"kept plan {asked.short} is another one: ask again with --wait"


def _good(stands: str) -> str:
    return {APPROVED: "finished", REJECTED: "failed"}.get(stands, stands)


def _sentence(asked: Approval, stands: str) -> str:
    if stands == APPROVED:
        return f"Approved by {asked.by} at {moment(asked.at)}. 'upgrader apply {asked.short}' runs it until {moment(asked.expires_at)}."
    if stands == REJECTED:
        return f"Rejected by {asked.by} at {moment(asked.at)}: {asked.reason}"
    if stands == WAITING:
        return f"Waits for approval until {moment(asked.expires_at)}."
    return f"Could be decided until {moment(asked.expires_at)}: ask again with --wait."


def _facts(asked: Approval) -> str:
    facts = (
        ("asked by", f"{asked.asked_by}, {moment(asked.asked_at)}"),
        ("plan", asked.digest),
        ("reason", asked.reason),
    )
    return "<dl>" + "".join(html("<dt>{}</dt><dd>{}</dd>", name, value) for name, value in facts if value) + "</dl>"


def _decide(state: State, asked: Approval, csrf: str, name: str, reason: str) -> str:
    """The form, where this page may decide. Its first button does nothing: it is the one that the Enter key presses."""
    if not state.may_approve:
        return html(
            "<p>This page only shows. On the machine: <code>upgrader approve {}</code>, or "
            "<code>upgrader reject {} --reason …</code></p>", asked.short, asked.short,
        )  # fmt: skip
    return html(
        '<form method="post"><button disabled hidden></button><input type="hidden" name="csrf" value="{}">'
        '<label>Who decides <input name="name" value="{}" maxlength="{}" autocomplete="name" required></label>'
        '<label>Reason (needed to reject) <input name="reason" value="{}" maxlength="{}" autocomplete="off"></label>'
        '<div><button name="decision" value="approved">Approve</button>'
        '<button name="decision" value="rejected">Reject</button></div></form>',
        csrf, name, LONGEST_NAME, reason, LONGEST_REASON,
    )  # fmt: skip


def _steps(plan: Plan) -> str:
    rows = [
        (
            "",
            tuple(
                html("{}", cell)
                for cell in (number, step.phase, step.id, node_list(step.call.nodes), step.call, step.title)
            ),
        )
        for number, step in enumerate(plan.steps(), start=1)
    ]
    return f"<h2>What runs</h2>{table(HEADERS, rows, NARROW)}"
