"""Bring our Salt to nodes, and take it away: what is asked first, what is done, and what each node came to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from upgrader_node.errors import StepError
from upgrader_node.site import answer

from upgrader.beside import master, node_states
from upgrader.beside.bundle import Bundle, served
from upgrader.beside.nodes import NodeFacts
from upgrader.beside.paths import DELIVERY_PORT, EGRESS_UNIT, PKI, PUBLISH_PORT, RETURN_PORT, STATE
from upgrader.beside.site_salt import FIRST_SECONDS, NO_SHELL, SiteSalt
from upgrader.errors import Refused

APPLY_SECONDS = 900
KEY_SECONDS, ANSWER_SECONDS = 90, 60
AT_ONCE = 8
SILENT = "silent in the site's Salt: bring it back, or name other nodes with --target"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """Node -> what it came to: "" when it is done, else why not. ``kept``: what of ours is left there on purpose."""

    failed: Mapping[str, str]
    done: tuple[str, ...]
    kept: Mapping[str, Sequence[str]] = field(default_factory=dict)


def obstacles(facts: Mapping[str, NodeFacts | None], port: int = DELIVERY_PORT) -> list[str]:
    """Why joining cannot begin, a sentence each with the nodes of which it is true; all of them at once."""
    told: dict[str, list[str]] = {}
    for node, one in facts.items():
        for lack in (SILENT,) if one is None else one.lacks:
            told.setdefault(lack, []).append(node)
    wanted = [port] if master.running() else [PUBLISH_PORT, RETURN_PORT, port]
    taken = [f"port {one} of this machine is taken" for one in master.ports_taken(wanted)]
    return [f"{', '.join(nodes)}: {lack}" for lack, nodes in told.items()] + taken


def join(site: SiteSalt, facts: Mapping[str, NodeFacts | None], bundle: Bundle, port: int, say: Say) -> Outcome:
    """Our master here, our minion on every node. A node that fails does not hold up the others.

    May be run again after any interruption: every part looks at what is there. A key is accepted only when it is, letter
    by letter, the one that the node itself told through the site's Salt.
    """
    known = {node: one for node, one in facts.items() if one is not None}
    say("our Salt master is put on this machine")
    key = master.install(bundle, master.master_config(site.config))
    with served(bundle, port) as path:
        say(f"{len(known)} nodes take {bundle.bytes >> 20} MiB from this machine's port {port}, and start our minion")
        failed = _apply(
            site, {node: node_states.present(one, bundle, _url(one, port, path), key) for node, one in known.items()}
        )
    started = [node for node in known if node not in failed]
    say("keys are compared with what each node tells through the site's Salt")
    failed |= _accept(site, started)
    waiting = [node for node in started if node not in failed]
    failed |= dict.fromkeys(
        _silent(waiting),
        f"its minion of ours does not answer within {ANSWER_SECONDS} s (journalctl -u upgrader-salt-minion there)",
    )
    return Outcome(failed, tuple(node for node in known if node not in failed))


def _url(facts: NodeFacts, port: int, path: str) -> str:
    return f"http://{facts.masters[0]}:{port}{path}"


def _apply(site: SiteSalt, wanted: Mapping[str, node_states.High]) -> dict[str, str]:
    """Node -> why its states failed. One call for each, as every node has states of its own; some at once."""

    def one(node: str) -> dict[str, str]:
        said = site.call([node], "state.high", json.dumps(wanted[node]), "queue=True", timeout=APPLY_SECONDS)
        return _judged(node, said)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {node: why for found in pool.map(one, wanted) for node, why in found.items()}


def _judged(node: str, said: Mapping[str, Any]) -> dict[str, str]:
    if node not in said:
        return {node: "it fell silent while our minion was put there or taken away"}
    try:
        answer.applied("Salt for upgrader", said[node], 0)
    except StepError as error:
        return {node: str(error)}
    return {}


def _accept(site: SiteSalt, nodes: Sequence[str]) -> dict[str, str]:
    told = site.call(nodes, "cmd.run_stdout", f"cat {PKI}/minion/minion.pub", NO_SHELL)
    failed = {}
    for node in nodes:
        wrong = _key_trouble(node, str(told.get(node) or "").strip())
        if wrong:
            failed[node] = wrong
    return failed


def _key_trouble(node: str, told: str) -> str:
    """Accept the key of this node, or say why not."""
    state, held = _wait_for_key(node)
    if not held:
        return (
            f"no key of it reached our master within {KEY_SECONDS} s: is port {RETURN_PORT} of this machine open to it?"
        )
    if not told:
        return "it did not tell its key through the site's Salt, so the one that was offered was not accepted"
    if held.split() != told.split():
        return f"the key that was offered under its name ({state}) is not the one that the node has: look who offers it, then delete it"
    if state == "pending":
        master.accept(node)
    return "" if state != "denied" else "our master holds another key of it (denied): delete it and join again"


def _wait_for_key(node: str) -> tuple[str, str]:
    deadline = time.monotonic() + KEY_SECONDS
    while time.monotonic() < deadline:
        state, held = master.key_of(node)
        if held:
            return state, held
        time.sleep(0.5)
    return "", ""


def _silent(nodes: Sequence[str]) -> set[str]:
    """Those that do not answer our master before the deadline."""
    deadline, left = time.monotonic() + ANSWER_SECONDS, set(nodes)
    while left and time.monotonic() < deadline:
        left -= master.answering(sorted(left), 5)
    return left


def leave(site: SiteSalt, nodes: Sequence[str], say: Say) -> Outcome:
    """Take our minion from the nodes, and with the last one our master. Journals, baselines and backups stay and are named.

    Raises Refused while a copy is still closed by our packet filter, and when a node is silent.
    """
    inits = site.call(nodes, "grains.get", "init", timeout=FIRST_SECONDS)
    silent = [node for node in nodes if node not in inits]
    if silent:
        raise Refused(f"{', '.join(silent)}: {SILENT}; nothing was changed")
    closed = _having(site, nodes, [str(EGRESS_UNIT)])
    if closed:
        raise Refused(
            f"{', '.join(closed)} is still closed towards production by our packet filter: "
            f"salt '{next(iter(closed))}' upgrader_egress.lift (of our Salt), or rebuild it"
        )
    say(f"our minion is taken from {len(nodes)} nodes")
    failed = _apply(site, {node: node_states.absent(str(inits.get(node))) for node in nodes})
    gone = [node for node in nodes if node not in failed]
    for node in gone:
        if master.key_of(node)[1]:
            master.delete_key(node)
    kept = _having(site, gone, [str(path) for path in STATE])
    _last(failed, say)
    return Outcome(failed, tuple(gone), kept)


def _last(failed: Iterable[str], say: Say) -> None:
    """The master goes when nobody needs it any more."""
    left = master.accepted()
    if not left and not list(failed):
        say("our Salt master is taken from this machine")
        master.remove()


def _having(site: SiteSalt, nodes: Sequence[str], paths: Sequence[str]) -> dict[str, list[str]]:
    """Node -> those of the paths that are there."""
    told = site.call(nodes, "cmd.run_stdout", f"find {' '.join(paths)} -maxdepth 0", NO_SHELL, "ignore_retcode=True")
    found = {node: [path for path in paths if path in str(said).split()] for node, said in told.items()}
    return {node: there for node, there in found.items() if there}
