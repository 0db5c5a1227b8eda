"""From a call of the module to the session: what is recorded, switched, proven and moved of some hosts, and the sentences about it.

What a run has recorded of its hosts, and what it moves, is in ``/var/lib/upgrader/agents/<run>.json`` of the controller that is
asked: on disk before anything is changed.
"""

import os
import time
import typing

from upgrader_node.agents import judging, session
from upgrader_node.agents.versions import Versions
from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.host.findings import WARNING, Findings, finding, some
from upgrader_node.verify import ask

FOLDER = "/var/lib/upgrader/agents"
REMEDY = "it says how instances were before; put it back from a backup of this node"
MORE_SECONDS, POLL = 300.0, 2.0
Answer = typing.Dict[str, typing.Any]


class Door(typing.NamedTuple):
    """How the cloud is asked: this node's pillar, the operator's words, PyYAML, and where receipts are."""

    pillar: ask.Pillar
    asked: ask.Asked
    yaml: typing.Any
    folder: str = FOLDER

    def session(self, what: str, **more: typing.Any) -> Answer:
        """One order to the session, and its answer."""
        return ask.in_session(self.pillar, self.asked, self.yaml, session.__name__, dict(more, what=what))


def demand_hosts(hosts: typing.Any) -> typing.List[str]:
    """The names, each once. Raises StepError for what is no list of names."""
    if isinstance(hosts, str) or not hosts or not all(isinstance(one, str) and one for one in hosts):
        raise StepError("hosts must be a list of names of hosts, not {!r}".format(hosts))
    return list(dict.fromkeys(hosts))


def alive(door: Door) -> Answer:
    """Who of nova's services and of the network agents is heard of, and who is not although he is meant to be."""
    seen = door.session("alive")
    meant = [(one["binary"], one["host"], one["up"]) for one in seen["services"] if one["enabled"]]
    meant += [(one["binary"], one["host"], one["alive"]) for one in seen["agents"] if one["meant"]]
    dead = sorted("{} on {}".format(binary, host) for binary, host, up in meant if not up)
    off = len(seen["services"]) + len(seen["agents"]) - len(meant)
    words = "{} of {} agents are alive, {} are switched off".format(len(meant) - len(dead), len(meant), off)
    remedy = "start them, or switch them off where they are not to come back"
    told = [
        finding(
            "agents", "agents that nobody hears of: {}".format(len(dead)), remedy, WARNING, rows=dead, count=len(dead)
        )
    ]
    return {
        "comment": words,
        "alive": len(meant) - len(dead),
        "dead": dead,
        "off": off,
        "findings": told if dead else [],
    }


def _receipt(door: Door, run: str) -> typing.Tuple[str, Answer]:
    where = os.path.join(door.folder, records.plain(str(run)) + ".json")
    return where, records.read(where, REMEDY) or {"run": run, "hosts": {}, "moves": {}}


def _write(where: str, receipt: Answer) -> None:
    os.makedirs(os.path.dirname(where), mode=0o700, exist_ok=True)
    records.write(where, receipt)


def record(door: Door, run: str, hosts: typing.Sequence[str]) -> Answer:
    """Write down how these hosts are; what was written down of one before stays, because it may have changed by now."""
    where, receipt = _receipt(door, run)
    fresh = [host for host in hosts if host not in receipt["hosts"]]
    if fresh:
        seen = door.session("look", hosts=fresh)["hosts"]
        nothing = [host for host in fresh if seen[host]["compute"] is None and not seen[host]["agents"]]
        if nothing:
            what = (
                "neither nova nor neutron lists anything on {}: correct the names, or see whether their agents ever ran"
            )
            raise StepError(what.format(some(nothing)))
        receipt["hosts"].update(seen)
        _write(where, receipt)
    counts = {host: len(receipt["hosts"][host].get("servers") or {}) for host in hosts}
    words = "recorded {} of {} host(s) with {} instance(s)".format(len(fresh), len(hosts), sum(counts.values()))
    return {"comment": words, "changed": bool(fresh), "file": where, "instances": counts}


def disable(door: Door, run: str, hosts: typing.Sequence[str], reason: str) -> Answer:
    """No new instance comes to these hosts. One that somebody has disabled keeps his reason."""
    done = door.session("disable", hosts=list(hosts), run=records.plain(str(run)), reason=str(reason))
    words = "disabled: {}".format(some(done["disabled"], 10) or "none, all were")
    return dict(done, comment=words + _left(done["left"], "disabled by others"), changed=bool(done["disabled"]))


def enable(door: Door, run: str, hosts: typing.Sequence[str]) -> Answer:
    """Take those back that this run disabled."""
    done = door.session("enable", hosts=list(hosts), run=records.plain(str(run)))
    words = "enabled: {}".format(some(done["enabled"], 10) or "none, all were")
    told = [finding("nova-compute", "left disabled, not by this run: {}".format(some(done["left"], 10)), "", WARNING)]
    return dict(
        done,
        comment=words + _left(done["left"], "left disabled"),
        changed=bool(done["enabled"]),
        findings=told if done["left"] else [],
    )


def _left(names: typing.Sequence[str], words: str) -> str:
    return "; {}: {}".format(words, some(list(names), 10)) if names else ""


def proven(door: Door, run: str, hosts: typing.Sequence[str], version: int, versions: Versions) -> Answer:
    """Wait until these hosts are as they must be. A blocker for each thing that is not when the time is over, so the others go on."""
    where, receipt = _receipt(door, run)
    unknown = [host for host in hosts if host not in receipt["hosts"]]
    if unknown:
        what = "run {} recorded nothing of {}: nobody can say how its instances were ('upgrader_agents.record' first)"
        raise StepError(what.format(run, some(unknown)))
    moved = {one for ones in (receipt.get("evacuated") or {}).values() for one in ones}
    deadline = time.monotonic() + door.asked.patience
    while True:
        now = door.session("look", hosts=list(hosts))["hosts"]
        judged = judging.judge(receipt["hosts"], now, versions(), version, door.asked.without, moved)
        if not judged.wrong or time.monotonic() >= deadline:
            break
        time.sleep(POLL)
    wrong = _wrong(judged.wrong, door.asked.patience)
    well = [host for host in hosts if host not in {one["subject"] for one in wrong}]
    _write(where, dict(receipt, proven=dict(receipt.get("proven") or {}, **{host: time.time() for host in well})))
    counts = {host: len(now[host].get("servers") or {}) for host in hosts}
    words = "{} of {} host(s) are up with their instances as they were ({})".format(
        len(well), len(hosts), sum(counts[host] for host in well)
    )
    return {"comment": words, "instances": counts, "findings": [*wrong, *_gone(judged.gone)]}


def _wrong(sentences: typing.Sequence[str], patience: float) -> Findings:
    """What is not as before, each by its host, with which its sentence begins."""
    what = "{} (not within {:.0f} s)"
    remedy = "see the logs of that host, then 'upgrader resume'"
    return [finding(one.split(": ", 1)[0], what.format(one, patience), remedy) for one in sentences]


def _gone(names: typing.Sequence[str]) -> Findings:
    what = "{} instance(s) are there no more: {}".format(len(names), some(list(names)))
    return [finding("instances", what, "see whether their users have deleted them", WARNING)] if names else []


def move(door: Door, run: str, host: str) -> Answer:
    """Give away what a gateway hosts, where another agent can take it; what a cut call had planned is carried on."""
    where, receipt = _receipt(door, run)
    planned = receipt["moves"].get(host)
    if planned is None:
        planned = door.session("plan_moves", host=host)
        receipt["moves"][host] = planned = {"moves": planned["moves"], "stays": planned["stays"]}
        _write(where, receipt)
    done = door.session("move", moves=planned["moves"], back=False)["done"]
    words = "moved {} of {} away from {}".format(len(done), len(planned["moves"]), host)
    told = finding(
        host,
        "hosts what no other agent takes: {}".format(some(planned["stays"])),
        "it is without them meanwhile",
        WARNING,
    )
    return {
        "comment": words + _left(planned["stays"], "stays"),
        "changed": bool(done),
        "moved": done,
        "findings": [told] if planned["stays"] else [],
    }


def back(door: Door, run: str, host: str) -> Answer:
    """Give back what ``move`` of this run took away from the gateway."""
    _, receipt = _receipt(door, run)
    planned = receipt["moves"].get(host) or {"moves": []}
    done = door.session("move", moves=planned["moves"], back=True)["done"] if planned["moves"] else []
    return {"comment": "gave {} back to {}".format(len(done), host), "changed": bool(done), "moved": done}


def evacuate(door: Door, run: str, host: str) -> Answer:
    """Take what runs on a compute to other hosts, as far as nova can; what was taken is written down."""
    where, receipt = _receipt(door, run)
    done = door.session("evacuate", host=host)
    taken = receipt.setdefault("evacuated", {})
    taken[host] = dict(taken.get(host) or {}, **done["moved"])
    _write(where, receipt)
    told = finding(host, "keeps instances: {}".format(some(done["stays"])), "they feel what happens to it", WARNING)
    return {
        "comment": "{} instance(s) went from {} to other hosts".format(len(done["moved"]), host)
        + _left(done["stays"], "stay"),
        "changed": bool(done["moved"]),
        "moved": done["moved"],
        "findings": [told] if done["stays"] else [],
    }


def last_proven(door: Door, run: str) -> float:
    """When the last host of this run was proven, in seconds of the wall clock; 0 when none was."""
    _, receipt = _receipt(door, run)
    return max((receipt.get("proven") or {}).values(), default=0.0)
