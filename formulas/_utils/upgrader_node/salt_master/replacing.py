"""The keys of minions that are built anew: the new one in the place of the old one, which is kept and can be put back.

The receipt says of each id which key it had and which it gets, and is on disk before anything is changed. Every function looks
at the world first and may be cut off. Hold ``lock.KEYS`` meanwhile. Only the ids that were given are touched.
"""

import os
import shutil
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files, records
from upgrader_node.host.findings import WARNING, Findings, of_node, some
from upgrader_node.salt_master import pki

FOLDER = "/var/lib/upgrader/keys"
REMEDY = "look at it, or take the old keys from {} by hand".format(FOLDER)
KEPT, REPLACED = "{}.pub", "{}.replaced.pub"
Answer = typing.Dict[str, typing.Any]
Keys = typing.Mapping[str, str]


class Place(typing.NamedTuple):
    """The master's keys, and where a run keeps what it replaced and its receipt."""

    pki_dir: str
    folder: str

    @property
    def receipt(self) -> str:
        return os.path.join(self.folder, "receipt.json")

    def kept(self, name: str, node: str) -> str:
        return os.path.join(self.folder, name.format(pki.plain(node)))


def place(pki_dir: str, run: str, folder: str = FOLDER) -> Place:
    """Raises StepError for a run that is no plain name."""
    return Place(pki_dir, os.path.join(folder, records.plain(run)))


def check(pki_dir: str, nodes: typing.Sequence[str]) -> Answer:
    """Each id has an accepted key here and no other one. Changes nothing; what is wrong is a finding."""
    wrong = [one for node in nodes for one in _wrong(pki_dir, node)]
    return {"comment": "{} minion(s) looked up, {} finding(s)".format(len(nodes), len(wrong)), "findings": wrong}


def _wrong(pki_dir: str, node: str) -> Findings:
    key, wrong = pki.accepted(pki_dir, node), []  # type: str, Findings
    if not key:
        wrong.append(of_node(node, "has no accepted key on this master", "accept it: 'salt-key -a {}'".format(node)))
    for word, held in pki.others(pki_dir, node).items():
        wrong.append(_stranger(pki_dir, node, word, held))
    return wrong


def _stranger(pki_dir: str, node: str, word: str, held: typing.Sequence[str]) -> typing.Dict[str, typing.Any]:
    """The remedy names the file: ``salt-key -d`` deletes the accepted key of that id, too, and locks the right machine out."""
    prints = some([pki.fingerprint(one) for one in held], 2)
    what = "has another key, which is {} ({})".format(word, prints)
    if word == "denied":
        what = "is the id of another machine too: its key {} was denied".format(prints)
    remedy = "find the machine that sent it and give it an id of its own, then 'rm {}' on the master (salt-key -d would delete the accepted key, too)"
    return of_node(node, what, remedy.format(pki.path(pki_dir, pki.OTHERS[word], node)))


def public(pki_dir: str, nodes: typing.Sequence[str]) -> Answer:
    """The accepted key of each. Raises StepError for a minion that has none."""
    keys = {node: pki.accepted(pki_dir, node) for node in nodes}
    without = sorted(node for node, key in keys.items() if not key)
    if without:
        raise StepError("{} has no accepted key on this master".format(", ".join(without)))
    return {"comment": "{} key(s)".format(len(keys)), "keys": keys}


def replace(where: Place, run: str, given: Keys) -> Answer:
    """Make the given keys the accepted ones. Raises StepError, before anything is changed, when a key is neither old nor new."""
    wanted = {pki.plain(node): pki.public(node, text) for node, text in given.items()}
    receipt = _intend(where, run, wanted)
    changed = [node for node, key in sorted(wanted.items()) if _replace(where, node, key, receipt)]
    aside = [one for node, key in sorted(wanted.items()) for one in _set_aside(where, node, key)]
    comment = "keys replaced: {}".format(some(changed) or "none, all had theirs")
    return {
        "comment": comment + ("; moved aside: {}".format(some(aside)) if aside else ""),
        "changed": bool(changed or aside),
        "receipt": where.receipt,
        "keys": {node: receipt["nodes"][node] for node in wanted},
        "findings": strangers(where.pki_dir, sorted(wanted)),
    }


def _intend(where: Place, run: str, wanted: Keys) -> records.Receipt:
    """The receipt with these ids in it, on disk."""
    os.makedirs(where.folder, mode=0o700, exist_ok=True)
    receipt = records.read(where.receipt, REMEDY) or {"run": run, "pki_dir": where.pki_dir, "nodes": {}}
    nodes = dict(receipt["nodes"])
    for node, key in wanted.items():
        nodes[node] = _entry(where, node, key, nodes.get(node))
    receipt = dict(receipt, nodes=nodes)
    records.write(where.receipt, receipt)
    return receipt


def _entry(
    where: Place, node: str, key: str, before: typing.Optional[typing.Mapping[str, str]]
) -> typing.Dict[str, str]:
    """Old and new fingerprint of one id; once written down they stay. The old key is kept with them."""
    now, new = pki.accepted(where.pki_dir, node), pki.fingerprint(key)
    held = pki.fingerprint(now) if now else ""
    if before is None:
        if now:
            files.write(where.kept(KEPT, node), now)
        return {"old": held, "new": new}
    if before["new"] != new:
        what = "run {} gave {} another new key before ({}): put the old ones back first ('upgrader_key.restore')"
        raise StepError(what.format(os.path.basename(where.folder), node, before["new"]))
    if held not in (before["old"], new):
        what = "the accepted key of {} is neither its old one nor the new one but {}: another machine uses this id, find it"
        raise StepError(what.format(node, held or "gone"))
    return dict(before)


def _replace(where: Place, node: str, key: str, receipt: records.Receipt) -> bool:
    now = pki.accepted(where.pki_dir, node)
    if now and pki.fingerprint(now) == receipt["nodes"][node]["new"]:
        return False
    if now and pki.keys(where.kept(KEPT, node)) != [now]:
        files.write(where.kept(KEPT, node), now)
    files.sync(where.folder)
    pki.accept(where.pki_dir, node, key)
    return True


def _set_aside(where: Place, node: str, key: str) -> typing.List[str]:
    """Files of the other folders that hold this very key and nothing else, moved to the run's folder: they say nothing any more."""
    moved = []
    for word, held in pki.others(where.pki_dir, node).items():
        if all(pki.fingerprint(one) == pki.fingerprint(key) for one in held):
            there = files.free_name(where.kept("{{}}.{}.pub".format(word), node))
            shutil.copy2(pki.path(where.pki_dir, pki.OTHERS[word], node), there)
            files.sync(there)
            files.sync(where.folder)
            os.unlink(pki.path(where.pki_dir, pki.OTHERS[word], node))
            moved.append("{} ({})".format(node, word))
    return moved


def strangers(pki_dir: str, nodes: typing.Sequence[str]) -> Findings:
    """Keys that another machine sent under these ids: they do not stand in the way of ours, and somebody should look."""
    found = [(node, word, held) for node in nodes for word, held in pki.others(pki_dir, node).items()]
    return [dict(_stranger(pki_dir, node, word, held), severity=WARNING) for node, word, held in found]


def restore(where: Place, nodes: typing.Sequence[str]) -> Answer:
    """Put the kept keys back. Raises StepError, before anything is changed, for an id of which the receipt does not know.

    The receipt comes before the first key, so without one none was replaced: a run that was cut before it is taken back, too.
    """
    receipt = records.read(where.receipt, REMEDY)
    if receipt is None:
        comment = "no key was replaced: {} is not there".format(where.receipt)
        return {"comment": comment, "changed": False, "receipt": where.receipt}
    lacking = sorted(set(nodes) - set(receipt["nodes"]))
    if lacking:
        what = "receipt {} has no key of {}: name the run that replaced it"
        raise StepError(what.format(where.receipt, some(lacking)))
    kept = {node: _kept(where, node, receipt["nodes"][node]["old"]) for node in nodes}
    changed = [node for node in sorted(kept) if _give_back(where, node, kept[node])]
    aside = [one for node in sorted(kept) if kept[node] for one in _set_aside(where, node, kept[node])]
    comment = "keys put back: {}".format(some(changed) or "none, all had theirs")
    return {"comment": comment, "changed": bool(changed or aside), "receipt": where.receipt}


def _kept(where: Place, node: str, old: str) -> str:
    """The kept key as the receipt has it; "" for an id that had none."""
    if not old:
        return ""
    held = pki.keys(where.kept(KEPT, node))
    if not held or pki.fingerprint(held[0]) != old:
        what = "{} is not the key that the receipt names ({}): put that key there, or accept the minion anew with 'salt-key'"
        raise StepError(what.format(where.kept(KEPT, node), old))
    return held[0]


def _give_back(where: Place, node: str, old: str) -> bool:
    now = pki.accepted(where.pki_dir, node)
    if now == old:
        return False
    if now and pki.keys(where.kept(REPLACED, node)) != [now]:
        files.write(files.free_name(where.kept(REPLACED, node)), now)
        files.sync(where.folder)
    if old:
        pki.accept(where.pki_dir, node, old)
    else:
        os.unlink(pki.path(where.pki_dir, pki.ACCEPTED, node))
        files.sync(os.path.join(where.pki_dir, pki.ACCEPTED))
    return True
