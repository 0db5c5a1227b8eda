"""Findings: what a check has to say. One shape for all of them: severity, subject, what, remedy; some have rows or an id.

``subject`` is the node, the database, the service or the table that it is about. A finding that leaves a module has a whole
sentence in ``what``: reports show that and the remedy.
"""

import typing

Finding = typing.Dict[str, typing.Any]
Findings = typing.List[Finding]
BLOCKER, WARNING, INFO = "blocker", "warning", "info"


def finding(subject: str, what: str, remedy: str, severity: str = BLOCKER, **more: typing.Any) -> Finding:
    """One finding. ``more`` are ``id``, ``count``, ``rows`` and the like, where a check has them."""
    return dict(severity=severity, subject=subject, what=what, remedy=remedy, **more)


def of_node(node: str, what: str, remedy: str, severity: str = BLOCKER, **more: typing.Any) -> Finding:
    """A finding of a node; ``what`` goes on after the node's name: ``does not serve``."""
    return finding(node, "{} {}".format(node, what), remedy, severity, **more)


def blockers(findings: typing.Iterable[Finding]) -> Findings:
    """Those that stop the stage."""
    return [one for one in findings if one["severity"] == BLOCKER]


def summary(findings: typing.Sequence[Finding], first: int = 5) -> str:
    """The blockers in one sentence, subject before what: how many, and the first few with their remedy."""
    stopping = blockers(findings)
    shown = ["{subject} {what} ({remedy})".format(**one) for one in stopping[:first]]
    more = "" if len(stopping) <= first else "; and {0} more".format(len(stopping) - first)
    return "{0} finding(s): {1}{2}".format(len(stopping), "; ".join(shown), more)


def some(names: typing.Sequence[str], shown: int = 5, between: str = ", ") -> str:
    """The first few of many, and how many more there are."""
    more = len(names) - shown
    return between.join(names[:shown]) + (" and {} more".format(more) if more > 0 else "")
