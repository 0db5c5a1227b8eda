"""Has a service's own Python judge rows: all of a copy, or one page of the live databases that was carried here."""

import json
import os
import typing

from upgrader_node.errors import StepError, redact
from upgrader_node.host import foreign
from upgrader_node.probe import kinds, packing, told, worker
from upgrader_node.probe.kind import Kind
from upgrader_node.schema.session import Service, Session
from upgrader_node.service import manage

Answer = typing.Dict[str, typing.Any]
LISTED = 200
"""Rows that one finding of a copy names: all findings of a service must fit into one reply of Salt (1 MB)."""
PAGE_SECONDS = 500.0


def copy(session: Session, timeout: float, listed: int = LISTED) -> Answer:
    """Every row of a copy that the service's own code has to judge. Writes nothing."""
    service = session.path.name
    databases = [session.target.name(role) for role in session.path.databases if role in _roles(service)]
    order = {
        "service": service,
        "databases": databases,
        "config_file": session.target.config_file,
        "listed": listed,
        "processes": max(2, os.cpu_count() or 1),
        "places": _places(session),
    }  # type: Answer
    outcome = _run(session.python, order, timeout, session.target.secrets, session.service.home, session.user)
    result = _result(service, outcome)
    found = []  # type: typing.List[told.Finding]
    for kind in kinds.of_service(service):
        heard = result["kinds"].get(kind.id, {"count": 0, "refused": []})
        refused = [(key, name, redact(reason, session.target.secrets)) for key, name, reason in heard["refused"]]
        found += told.of_rows(kind, databases, heard["count"], refused)
    probed = {
        identity: {word: heard[word] for word in ("rows", "judged", "count")}
        for identity, heard in result["kinds"].items()
    }
    comment = told.summary(service, result["version"], result["kinds"], found)
    more = {"seconds": round(outcome.seconds, 1), "worker_memory_mb": result["memory"] // 1024}
    return dict(comment=comment, findings=found, probed=probed, **more)


def _roles(service: str) -> typing.Tuple[str, ...]:
    """Which of the service's databases the kinds are about."""
    return ("main", "api") if service == "nova" else ("main",)


def _places(session: Session) -> typing.Dict[str, typing.List[typing.Any]]:
    """Where the configuration file must lead: section, host, port, database of each."""
    urls, sections = session.target.urls, {role: way.section for role, way in session.path.databases.items()}
    wanted = [role for role in _roles(session.path.name) if sections[role]]
    return {role: [sections[role], urls[role].host, urls[role].port, urls[role].database] for role in wanted}


class Code(typing.NamedTuple):
    """The installed code of a service: how it is driven, its role in pillar, and the role's name."""

    service: str
    driven: Service
    role: typing.Mapping[str, typing.Any]
    key: str


def pages(code: Code, databases: typing.Sequence[str], given: typing.Sequence[typing.Mapping[str, str]]) -> Answer:
    """What the installed code says of pages of ``probe.live``: findings, and how many different rows were judged.

    Each page has its ``kind`` and is ``packed``. Several at once, because the code takes seconds to start.
    """
    found, groups = [], [packing.unpacked(page["packed"]) for page in given]  # type: typing.List[told.Finding], typing.Any
    texts = [[group["values"] for group in page] for page in groups]
    reasons = _asked(code, [{"kind": page["kind"], "texts": own} for page, own in zip(given, texts)])["reasons"]
    for page, own, said in zip(given, groups, reasons):
        found += _of_page(kinds.named(code.service, page["kind"]), databases, own, said)
    number = sum(map(len, groups))
    return {"comment": "{0} different rows judged".format(number), "findings": found, "judged": number}


def _of_page(
    kind: Kind, databases: typing.Sequence[str], groups: typing.Sequence[packing.Group], reasons: typing.Sequence[str]
) -> typing.List[told.Finding]:
    wrong = [(group, redact(reason)) for group, reason in zip(groups, reasons) if reason]
    refused = [(key, name, reason) for group, reason in wrong for key, name in group["rows"]]
    return told.of_rows(kind, databases, sum(group["count"] for group, _ in wrong), refused)


def ready(code: Code) -> Answer:
    """Whether the service's code is here and can be imported; raises StepError with how it is got."""
    return {"comment": "{0} is here".format(_asked(code, [])["version"])}


def _asked(code: Code, given: typing.Sequence[typing.Mapping[str, typing.Any]]) -> Answer:
    python, user = program(code)
    outcome = _run(python, {"service": code.service, "pages": given}, PAGE_SECONDS, (), code.driven.home, user)
    return _result(code.service, outcome)


def program(code: Code) -> typing.Tuple[str, typing.Optional[manage.Account]]:
    """The Python of the service's tool, and who runs it."""
    _, python = manage.program(code.role, code.driven.tool, code.key)
    try:
        return python, manage.account(code.service) if code.driven.own_user else None
    except ValueError as error:
        raise StepError("{0}; install Ocata's {1}".format(error, code.service)) from None


def _run(
    python: str,
    order: Answer,
    timeout: float,
    secrets: typing.Sequence[str],
    home: str,
    user: typing.Optional[manage.Account],
) -> manage.Outcome:
    """The worker, which starts as root, for it must read this package, and becomes ``user`` by itself."""
    argv, shown = foreign.argv(python, worker.__name__), "probe of {0}'s rows".format(order["service"])
    stdin = json.dumps(dict(order, user=[user.uid, user.gid, list(user.groups)] if user else None))
    return manage.run(argv, timeout, stdin, shown, secrets, (), user.home if user else home)


def _result(service: str, outcome: manage.Outcome) -> Answer:
    """What the worker found out; StepError where it could not work, or not to its end."""
    lines = outcome.stdout.strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else {}
    except ValueError:
        result = {}
    if not isinstance(result, dict):
        result = {}
    if "refused" in result:
        raise StepError("{0}'s rows were not probed: {1}".format(service, outcome.shown(str(result["refused"]))))
    if outcome.exit_code != 0 or "version" not in result:
        ended = (
            "was stopped after {0:.0f} s".format(outcome.seconds)
            if outcome.exit_code == manage.TIMED_OUT
            else "broke off"
        )
        raise StepError("the {0} {1}: {2}".format(outcome.command, ended, manage.last_words(outcome)))
    return result
