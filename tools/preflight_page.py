"""Prints docs/preflight.md, made from the questions themselves: ``python tools/preflight_page.py > docs/preflight.md``. A test compares."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "formulas" / "_utils"))

from upgrader_node.preflight import ask, catalog
from upgrader_node.preflight.question import EVERY_SERVICE, SERVER, Names, Question
from upgrader_node.probe import kinds
from upgrader_node.probe.kind import Kind

from upgrader.cloud.roles import ROLES
from upgrader.preflight.questions import EVERYBODY, OWN

HEAD = """\
# What preflight asks

`upgrader preflight` asks every node of the cloud at once what would stop the upgrade, days ahead. Nothing is changed but Salt's
modules on a node that has those of another version. `--stage real-upgrade` asks what that stage needs; a rehearsal is the default.

    upgrader preflight                              exit code 0, or 3 when a finding is a blocker
    upgrader preflight --stage real-upgrade         with the foundation nodes' disks and room, the computes, the kept member
    upgrader preflight -o json                      all findings with all their rows (up to 10,000 each)

A finding is a short paragraph: severity, whose it is, what, the rows where they are three or fewer, and the remedy. More rows, and
statements, stand in a file that is named at the end (`/var/lib/upgrader/CLOUD/preflight/`, readable by its owner). Blockers come first.

## What nodes are asked

The gates of the stage's own plan, which a run asks again, and beside them:

{nodes}

A node that is silent, or fails a question, is a finding, and all others are asked: a blocker where a step of the stage goes to
that node, else a warning. The model is looked at as `upgrader model check` does; what does not render or cannot be meant is a
blocker, what it lacks besides is one warning of each kind.

| what is judged where | from |
|---|---|
| a clock that is more than 5 s off by what the way of question and answer does not explain; 60 s is a blocker | nova's service_down_time |
| less than 5 % or 1 GiB free, or 5 % of the inodes; less than 256 MiB is a blocker | |
| minions that are newer than their master | Salt: a master works with minions as old as itself or older |
| flow control that held replication up for 5 % of five seconds; 100 write sets that wait | galeracluster.com, status variables |
| an alarm or a partition of the message queue (blocker), members of it that are away | rabbitmq.com: alarms, partitions |
| a queue of 100 messages that grows in ten seconds although it is read, and one of 1,000 that nobody reads | |
| a proxy of haproxy without any server (blocker), or with some down; a haproxy that has no stats socket | haproxy management guide, 9.1 |
| volume and backup drivers, image stores, network plugins that Ocata's own code does not have (blocker) | `tools/derive_drivers.py` |
| such as it has under another name, and such as are none of its own: their maker's package must be Ocata's | the same |
| libvirt older than 1.2.1 and QEMU older than 1.5.3 (blocker) | nova 15.1.5 virt/libvirt/driver.py |
| Open vSwitch older than 2.4 on a compute or gateway (warning) | Ocata Networking Guide, Open vSwitch mechanism driver |
| services of a node that name identity's v2.0 API (info) | keystone 12.0.2, keystone-paste.ini |
| package sources that do not answer, by apt's own list and proxies, asked for their index without a download | |
| a newest proven backup that is more than a day old, or none | |

What Ocata's code has is read from cinder 10.0.8, neutron 10.0.7, nova 15.1.5 and glance_store 0.22.0 (Pike's).

What no lab could show: a real clock that is off, flow control under load, a partitioned queue (their words are those of recorded
outputs). Which release of OpenContrail goes with Ocata is not judged, only told.

## What databases are asked

The gate `preflight` asks the live databases of all services at once. Nothing is written (the session itself refuses a write) and
nothing is locked. A blocker stops a stage before anything is touched. Each finding has its rows and, where one can be given,
statements to paste into the database's client *at the source*; each of these is executed in
`tests/functional/test_preflight_services.py`, where the finding is gone after it.

In the statements below, names in curly brackets stand for the databases: `{db}`, and nova's `{main}` and `{api}`; `{id}` is the
row's. "one for each row" means that the finding itself holds the statements, with the rows' names in them.

This page is made from the questions by `tools/preflight_page.py`.
"""
PROBED = """
## What the services' own code is asked

Some rows only a service's own code can judge. The rehearsal runs that code, read only, over all of them on the filled clones,
in a step of its own for each service (`probe-nova`, `probe-cinder`, `probe-heat`), before the first phase. `upgrader preflight
--deep` has the same code judge the live rows: the backup node reads them page by page as the admin account, in a session that
refuses every write and locks nothing, and the upgrade node, which has the code and no account there, judges each page. Where
the upgrade node has not the code, it ends with exit code 3 and one sentence.

A page that is carried stays in Salt's job cache for a day, as all of Salt's calls do. No column that is read for it holds a
password: of cinder's rows only states are read. Heat's texts may hold passwords of stacks, so they do not leave the backup node:
with `--deep` they are judged there by their grammar (JSON, and pickles that are walked, not loaded).

Rows marked as deleted are not asked about. A row is named with the class and the message of what the code raises over it.
Equal rows are judged once; a row's own uuid and project do not make it another one.
"""
TAIL = """
## What is not asked

Whether keystone's credentials can be encrypted, and what a stack's template still means to a later heat, shows in the
rehearsal's phases and verification alone. Of heat's encrypted properties only the form is judged, not whether they can be
decrypted.
"""
TITLES = {EVERY_SERVICE: "every database", SERVER: "the whole server"}


def text() -> str:
    """The page, in Markdown."""
    questions = (ask.VERSION, *catalog.ASKED, *catalog.BUILT)
    services: list[str] = []
    for question in questions:
        if question.service not in services:
            services.append(question.service)
    parts = [HEAD.replace("{nodes}", "\n".join(_of_nodes()))]
    for service in sorted(services, key=lambda name: (name in TITLES, name)):
        parts.append("\n## {0}\n".format(TITLES.get(service, service)))
        parts += [_paragraph(question) for question in questions if question.service == service]
    parts.append(PROBED)
    parts += [_probed(kind) for service in sorted(kinds.KINDS) for kind in kinds.of_service(service)]
    return "".join(parts) + TAIL


def _of_nodes() -> list[str]:
    keys = {role.name: role.key for role in ROLES}
    lines = ["| question | of nodes with role | Salt function |", "|---|---|---|"]
    for own in OWN:
        roles = "any" if own.roles == EVERYBODY else ", ".join(keys[role] for role in own.roles)
        lines.append("| {0} | {1} | `{2}` |".format(own.title, roles, own.function))
    return lines


def _probed(kind: Kind) -> str:
    lines = [
        "\n### {0}: {1} ({2})\n\n".format(kind.service, kind.id, kind.severity),
        "{0}, {1}.\n\n".format(kind.subject, kind.what),
        "* why: {0}\n* remedy: {1}\n* source: {2}\n".format(kind.fails, kind.remedy, kind.source),
    ]
    return "".join([*lines, "* statement: `{0}`\n".format(kind.mend.replace("{key}", "{id}"))] if kind.mend else lines)


def _paragraph(question: Question) -> str:
    lines = [
        "\n### {0} ({1})\n\n".format(question.id, question.severity),
        "{0}: {1}.\n\n".format(question.subject[0].upper() + question.subject[1:], question.what),
        "* why: {0}\n* remedy: {1}\n* source: {2}\n".format(question.fails, question.remedy, question.source),
    ]
    lines += ["* statement: `{0}`\n".format(_readable(mend)) for mend in question.mends]
    if "AS mend" in question.sql:
        lines.append("* statement: one for each row\n")
    return "".join(lines)


def _readable(mend: str) -> str:
    words = {name: "{" + name + "}" for name in ("id", *Names("nova", ("a", "b")).words(), "db", "db_name")}
    return mend.format(**words).replace("%%", "%")


if __name__ == "__main__":
    sys.stdout.write(text())
