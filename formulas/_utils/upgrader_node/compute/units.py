"""Services of a compute or a gateway, as Salt's own ``service`` module tells them: how each stands, and by which process."""

import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import WARNING, Findings, of_node

Functions = typing.Mapping[str, typing.Callable[..., typing.Any]]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,99}")


class Standing(typing.NamedTuple):
    """How a service stands. ``process`` tells one start of it from the next; empty where it does not run, or nobody can tell."""

    name: str
    there: bool
    runs: bool
    at_boot: bool
    process: str

    @property
    def wanted(self) -> bool:
        """Somebody means it to run: one that was stopped and disabled on purpose is not started."""
        return self.there and (self.runs or self.at_boot)

    def __str__(self) -> str:
        if not self.there:
            return "{} is not there".format(self.name)
        boot = "starts at boot" if self.at_boot else "does not start at boot"
        return "{} {} and {}".format(self.name, "runs" if self.runs else "does not run", boot)


def plain(services: typing.Any) -> typing.List[str]:
    """The names, each once. Raises StepError for none, and for one that is no name of a service."""
    names = [services] if isinstance(services, str) else list(services)
    wrong = [one for one in names if not isinstance(one, str) or not _NAME.fullmatch(one)]
    if wrong or not names:
        raise StepError("services must be names like nova-compute, not {!r}".format(wrong or names))
    return sorted(set(names), key=names.index)


def standing(salt: Functions, name: str) -> Standing:
    """How one service stands now. Salt's own errors come through."""
    if not salt["service.available"](name):
        return Standing(name, False, False, False, "")
    runs = bool(salt["service.status"](name))
    return Standing(name, True, runs, bool(salt["service.enabled"](name)), _process(salt, name) if runs else "")


def _process(salt: Functions, name: str) -> str:
    """Its main process and when that was started; only systemd knows, and only there Salt has ``service.show``."""
    if "service.show" not in salt:
        return ""
    shown = salt["service.show"](name)
    return "{}@{}".format(shown.get("MainPID", ""), shown.get("ExecMainStartTimestampMonotonic", ""))


def check(salt: Functions, node: str, services: typing.Any) -> typing.Dict[str, typing.Any]:
    """How the services of a node stand; a blocker when none of them is there. Changes nothing."""
    found = [standing(salt, name) for name in plain(services)]
    return {
        "comment": "; ".join(str(one) for one in found),
        "services": {one.name: {"there": one.there, "runs": one.runs, "at_boot": one.at_boot} for one in found},
        "findings": _findings(node, found),
    }


def _findings(node: str, found: typing.Sequence[Standing]) -> Findings:
    if not any(one.there for one in found):
        names = ", ".join(one.name for one in found)
        return [
            of_node(node, "has no service {}".format(names), "take it out of the model's computes, or name its service")
        ]
    idle = [one for one in found if one.there and not one.runs]
    remedy = "start it, or disable it when it is meant to be off: one that is enabled is started by the upgrade"
    return [of_node(node, "does not run {}".format(one.name), remedy, WARNING) for one in idle]
