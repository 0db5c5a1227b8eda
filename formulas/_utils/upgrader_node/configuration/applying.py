"""The wanted options of a node held against its files: which differ, written, and whether what must not change under traffic stands.

Sentences name files and options, never a value of nova's: passwords are among them.
"""

import typing

from upgrader_node.configuration import merging, saving, wanted
from upgrader_node.errors import StepError
from upgrader_node.host.findings import BLOCKER, Findings, of_node, some

Answer = typing.Dict[str, typing.Any]


def differing(found: wanted.Wanted) -> typing.List[str]:
    """Options that are not as wanted, as ``FILE [group]/option``."""
    return [
        "{} [{}]/{}".format(path, *place)
        for path, options in sorted(found.items())
        for place in merging.differing(merging.read(path) or "", options)
    ]


def merge(found: wanted.Wanted) -> Answer:
    """Write what differs, file by file; nothing else in them changes."""
    before = differing(found)
    for path, options in sorted(found.items()):
        text = merging.read(path) or ""
        if merging.differing(text, options):
            merging.write(path, merging.merged(text, options))
    left = differing(found)
    if left:
        raise StepError("{} was written and is not as wanted: look at that file".format(some(left)))
    words = "written: {}".format(some(before, 20)) if before else "every option is as wanted"
    return {"comment": words, "changed": bool(before), "written": before}


def of_run(run: str, root: str = "") -> wanted.Wanted:
    """What the network's agents have to keep, by the files that this run saved. Raises StepError when it saved none."""
    return wanted.network(root, saving.text_of(run))


def pinned(run: str, node: str, role: str, root: str = "") -> Answer:
    """By findings: whether the options that must not change stand as they were, and a compute has an account for placement."""
    found = [_unpinned(node, one) for one in differing(of_run(run, root))]
    if role == wanted.COMPUTE:
        found += _without_account(node, root + wanted.NOVA)
    words = "{} option(s) are not as they must be".format(len(found)) if found else "every option is as it must be"
    return {"comment": words, "findings": found}


def _unpinned(node: str, option: str) -> Answer:
    what = "{} is not what it was before the upgrade, or may drop flows at a start".format(option)
    remedy = "'upgrader_config.pin' writes it; keep it in the model as well, or the next state takes it away"
    return of_node(node, "has another traffic: " + what, remedy)


def _without_account(node: str, path: str) -> Findings:
    there = merging.values(merging.read(path) or "")
    lacking = [
        name for name in ("auth_url", "username", "password", "os_region_name") if not there.get(("placement", name))
    ]
    if not lacking:
        return []
    what = "lacks {} in [placement] of {}: Ocata's nova-compute does not start".format(", ".join(lacking), path)
    return [of_node(node, what, "add placement's account to the model of the computes", BLOCKER)]
