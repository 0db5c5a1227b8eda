"""From a call of the module to the session, and the sentence about what it answered."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.host.findings import WARNING, finding, some
from upgrader_node.smoke import session
from upgrader_node.verify import ask

Answer = typing.Dict[str, typing.Any]
Pillar = typing.Mapping[str, typing.Any]
# Beside waiting: sweeping, choosing, and waiting for a token.
MORE_SECONDS = 300.0


def server(pillar: Pillar, run: str, named: typing.Mapping[str, str], asked: ask.Asked, yaml: typing.Any) -> Answer:
    """One server's life. Raises StepError with nova's own words.

    :param named: image, flavor, network and host, each a name, an id or nothing
    """
    wrong = [key for key, value in named.items() if not isinstance(value, str) or "\n" in value]
    if wrong:
        raise StepError("{} must be a name or an id".format(some(wrong)))
    order = dict(named, what="server", run=records.plain(str(run)))
    answer = _session(pillar, asked, yaml, order)
    active = next(one["seconds"] for one in answer["states"] if one["state"].startswith("ACTIVE"))
    words = "{} was ACTIVE on {} after {:.1f} s and gone after {:.1f} s (image {}, flavor {}, network {})"
    last = answer["states"][-1]["seconds"]
    told = words.format(
        answer["name"], answer["host"], active, last, answer["image"], answer["flavor"], answer["network"]
    )
    return dict(answer, comment=told)


def services(pillar: Pillar, hosts: typing.Any, asked: ask.Asked, yaml: typing.Any) -> Answer:
    """The agents of these hosts, all up. Raises StepError with those that are not."""
    if isinstance(hosts, str) or not hosts or not all(isinstance(one, str) and one for one in hosts):
        raise StepError("expected_hosts must be a list of names of hosts, not {!r}".format(hosts))
    answer = _session(pillar, asked, yaml, {"what": "services", "hosts": list(hosts)})
    told = "{} of {} hosts have their agents up".format(len(answer["hosts"]), len(hosts))
    return dict(answer, comment=told, findings=_down(answer["down_elsewhere"]))


def _session(pillar: Pillar, asked: ask.Asked, yaml: typing.Any, order: Answer) -> Answer:
    return ask.in_session(pillar, asked, yaml, session.__name__, order)


def _down(agents: typing.Sequence[str]) -> typing.List[Answer]:
    """One warning for all that are down on hosts that nobody asked for: after a rebuild there may be many old rows."""
    what = "{} agents on other hosts are down: {}".format(len(agents), some(agents))
    return [finding("agents", what, "see whether they were before", WARNING, rows=list(agents))] if agents else []
