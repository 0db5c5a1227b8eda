"""Every command of a runbook can be pasted: a shell and Salt's own parser read the plan's very values from it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from salt.utils.args import parse_input

from tests.conftest import SOAK
from tests.support.clouds import CTL, DATABASES, FACTS, KVM, lab_pillar, real_pillar
from tests.support.command import Command, command_in
from tests.support.data_plane import data_plane_plan, rollout
from tests.support.long_run import RUN, LongRun, plan
from tests.support.salt_in_memory import SaltInMemory
from upgrader.cli import settings as cli_settings
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.content import FORMULAS
from upgrader.plan.catalogue import purposes
from upgrader.plan.references import RUN_ID, bind, least_of, reply_of
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Built, Call, Kept, Options, Plan, Spread, Stage, Step
from upgrader.report.pasted import holes, node_command, salt_command
from upgrader.report.runbook import runbook

STUB = """#!/bin/sh
{ printf '%s\\0' "${0##*/}" "$@"; printf '\\001\\0'; } >> "$SAID"
"""
COUNTS = {"nova": {"instances": {"total": 1000, "live": None}}, "odd # 'key'": {}}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs lines in a POSIX shell whose ``salt`` and ``salt-call`` only say what words they were given."""
    folder = tmp_path_factory.mktemp("shell")
    for name in ("salt", "salt-call"):
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)

    def run(*lines: str, check: bool = True) -> list[list[str]]:
        said = folder / "said"
        said.write_text("")
        environment = {"PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin", "SAID": str(said), "LANG": "C.UTF-8"}
        ran = subprocess.run(
            ["sh"], input="\n".join(lines), text=True, cwd=folder, env=environment, check=False, capture_output=True
        )
        assert (ran.returncode == 0) is check, ran.stderr
        return [words.split("\0")[:-1] for words in said.read_text().split("\1\0")[:-1]]

    run.folder = folder  # type: ignore[attr-defined]
    return run


def read_by_salt(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Function and arguments, as Salt's command line makes them of its words."""
    plain = [word for word in words[1:] if not word.startswith("--")]
    plain = plain[2:] if plain[0] == "-L" else plain
    args, kwargs = parse_input(plain[1:], condition=False)
    assert args == []
    return plain[0], kwargs


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-(10**12), 10**12) | some.text(max_size=20),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150 if SOAK else 50, deadline=None)
@given(value=VALUES)
def test_any_value_comes_through_salts_parser_as_it_was(value: object) -> None:
    call = Call("module", "do.it", ("n1",), {"value": value})
    for command in (salt_command(call), node_command(call)):
        assert read_by_salt(shlex.split(command)) == ("do.it", {"value": value})


ODD = [
    *("", " ", "yes", "None", "null", "1_000", "2017-08-01", "a: b", "# no", "a#b", "'", '"', "$(id)", "`id`", "[a]#"),
    *("a\nb", "!", "|", "~", "1e3", "\x7f", "\u2028", "ä😀", "\\", "*", "a=b", "-x", "{"),
]


@pytest.mark.parametrize("text", ODD)
def test_texts_that_yaml_or_a_shell_would_change_come_through(shell: Any, text: str) -> None:
    call = Call("module", "do.it", ("n1",), {"a": text, "b": [text], "c": {text: text}})
    (words,) = shell(salt_command(call))
    assert read_by_salt(words) == ("do.it", {"a": text, "b": [text], "c": {text: text}})


KEPT = Kept(RUN, DATABASES[2], {"name": "c", "uuid": "u", "seqno": 518}, tuple(DATABASES))
BUILT = Built(RUN, KEPT, False, {CTL: {"node": KVM, "domain": CTL, "run": RUN}}, True)


def made(stage: str) -> Plan:
    """The plan of a stage of the lab's cloud."""
    cloud = cloud_from_pillar(real_pillar(), "cfg01.lab.local")
    return make_plan(cloud, "control-plane", stage, FACTS, Options(built=BUILT))


def answers_for(plan: Plan) -> dict[str, dict[str, Any]]:
    """What steps would have to answer so that every reference of the plan can be filled, node by node."""
    steps, found = {step.id: step for step in plan.steps()}, dict[str, dict[str, Any]]()
    for hole in (hole for step in plan.steps() for hole in holes(step.call) if hole.step):
        for node in steps[hole.step].call.nodes:
            found.setdefault(hole.step, {}).setdefault(node, {})[hole.key] = 1.0 if hole.least else COUNTS
    return found


@pytest.mark.parametrize("stage", ["long", "test-upgrade", "real-upgrade", "rollback", "finish"])
def test_every_command_of_the_plan_says_what_the_tool_would_submit(shell: Any, stage: str) -> None:
    """The whole runbook is pasted, its own commands fill the variables, and each call is the one that the engine would bind."""
    of = plan() if stage == "long" else made(stage)
    answers = answers_for(of)
    commands = re.findall(r"```sh\n(.*?)```", runbook(of, {}, "", purposes(FORMULAS)), re.DOTALL)
    for step, said in answers.items():
        (shell.folder / f"{step}.given").write_text(json.dumps(said))
    # the stub says nothing: what a step answers is put where its command would have put it
    lines = [
        re.sub(r"^cat (\S+)\.json$", r"cp \1.given \1.json", line) for block in commands for line in block.splitlines()
    ]
    lines[0] = f"RUN={RUN}"
    said = [read_by_salt(words) for words in shell(*lines)]
    for step in of.steps():
        bound = bind(step.call, RUN, answers)
        wanted = json.loads(json.dumps(dict(bound.args)))
        assert (bound.function, wanted) in said, step.id


@pytest.mark.parametrize("stage", ["test", "sample", "all", "rollback"])
def test_every_command_of_the_data_planes_plan_says_what_the_tool_would_submit(shell: Any, stage: str) -> None:
    """By hand every host of a batch is named: who did not do well is for the reader to leave out."""
    given = rollout(digests={}, kept={}) if stage == "test" else rollout(run=RUN, closes=stage == "all", evacuate=True)
    of = data_plane_plan(stage, given)
    lines = re.findall(r"```sh\n(.*?)```", runbook(of, {}, "", purposes(FORMULAS)), re.DOTALL)
    said = [
        read_by_salt(words)
        for words in shell(f"RUN={RUN}", *(line for block in lines[1:] for line in block.splitlines()))
    ]
    for step in of.steps():
        bound = bind(step.call, RUN, {}, lambda name, of=of: [*of.in_batches()])
        assert (bound.function, json.loads(json.dumps(dict(bound.args)))) in said, step.id


def test_call_goes_to_exactly_its_nodes_and_to_the_least_of_them_where_that_is_asked(shell: Any) -> None:
    nodes = ("n1", "n2", "n3")
    plain, narrowed = Call("module", "f", nodes), Call("module", "f", nodes, only=least_of("state", "load"))
    (words,) = shell(salt_command(plain))
    assert words == ["salt", "--timeout=120", "-L", "n1,n2,n3", "f"]
    (words,) = shell("STATE_LOAD_NODE=n2", salt_command(narrowed))
    assert words[2:] == ["-L", "n2", "f"]


def test_least_is_chosen_as_the_engine_chooses(shell: Any) -> None:
    nodes = ("n1", "n2", "n3")
    state = Step("state", "state", Call("module", "s", nodes), "gate", retry_safe=True)
    last = Step(
        "last", "last", Call("module", "f", nodes, only=least_of("state", "load")), needs=("state",), no_undo="x"
    )
    text = runbook(_plan(state, last), {}, "", {})
    said = {"n1": {"load": 1}, "n2": {"load": 1}, "n3": {"load": 2}}
    (shell.folder / "state.json").write_text(json.dumps(said))
    (line,) = [line for line in text.splitlines() if line.startswith("STATE_LOAD_NODE=")]
    (words,) = shell(line, salt_command(last.call))
    assert (words[3],) == bind(last.call, "r", {"state": said}).nodes


@pytest.mark.parametrize("args", [{"run": RUN_ID}, {"expected": reply_of("one", "counts")}, {"all": {"in": [RUN_ID]}}])
def test_command_whose_variable_is_not_set_is_not_run(shell: Any, args: dict[str, Any]) -> None:
    assert shell(salt_command(Call("module", "f", ("n1",), args)), check=False) == []


def test_references_within_lists_and_mappings_are_filled(shell: Any) -> None:
    call = Call("module", "f", ("n1",), {"a": {"id": RUN_ID, "rows": [reply_of("one", "counts"), "x"]}})
    (words,) = shell("RUN=r-1", "ONE_COUNTS='{\"t\": 1}'", salt_command(call))
    assert read_by_salt(words)[1] == {"a": {"id": "r-1", "rows": [{"t": 1}, "x"]}}


def test_spread_step_has_a_command_for_each_batch() -> None:
    step = Step("s", "t", Call("module", "f", tuple("abcde")), spread=Spread(2), no_undo="x")
    text = runbook(_plan(step), {}, "", {})
    assert [line.split("-L ")[1] for line in text.splitlines() if line.startswith("salt --")] == [
        "a,b f",
        "c,d f",
        "e f",
    ]


def test_step_says_its_way_back_and_what_comes_after_a_failure() -> None:
    text = runbook(plan(), {"backup-create": 41.0}, RUN, purposes(FORMULAS))
    assert "durations below are that run's" in text and RUN in text
    parts = {part.split("`")[1]: part for part in text.split("\n* step ")[1:]}
    assert "took 41 s" in parts["backup-create"]
    assert "upgrader_packages.back" in parts["computes"].split("Way back:")[1]
    assert (
        "begin anew with a new copy; with the tool `upgrader control-plane --stage test-upgrade --restart`"
        in parts["nova-db"]
    )
    assert "upgrader stamp nova-db --reason" in parts["nova-db"]
    assert "stamp" not in parts["preflight"]
    assert "Restore a backup into a scratch server" in parts["backup-prove"]


def test_title_is_no_markup() -> None:
    text = runbook(_plan(Step("s", "<b>a</b> | *b*", Call("module", "f", ("n",)), no_undo="x")), {}, "", {})
    assert "<b>" not in text


def _plan(*steps: Step) -> Plan:
    return Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", steps),))


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    salt = SaltInMemory(pillar=lab_pillar())
    monkeypatch.setattr(cli_settings.Settings, "transport", lambda self: salt)
    return command_in(tmp_path, monkeypatch, capsys)


def test_runbook_is_the_plan_of_the_same_digest_and_takes_durations_from_the_newest_finished_run(
    command: Command, tmp_path: Path
) -> None:
    assert "nobody knows how long it takes" in command("runbook", "--stage", "test-upgrade").out
    LongRun(tmp_path).until("finished")
    ran = command("runbook", "control-plane", "--stage", "test-upgrade")
    digest = json.loads(command("plan", "control-plane", "--stage", "test-upgrade", "-o", "json").out)["digest"]
    assert ran.code == 0
    assert digest in ran.out
    assert f"in run `{RUN}`" in ran.out
    assert "took 1 min 35 s" in ran.out


def test_runbook_is_written_for_its_owner_only(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "runbook.md"
    assert command("runbook", "--stage", "test-upgrade", "--out", str(path)).out == f"the runbook is in {path}\n"
    assert path.read_text() == command("runbook", "--stage", "test-upgrade").out
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "words",
    [
        ("--stage", "nonsense"),
        ("data-plane", "--stage", "test-upgrade"),
        (),
        ("--stage", "test-upgrade", "--out", "/no/such/file"),
    ],
)
def test_wrong_words_are_usage(command: Command, words: tuple[str, ...]) -> None:
    assert command("runbook", *words).code == 2


def test_no_secret_of_the_pillar_is_in_the_runbook(command: Command) -> None:
    assert "secret-" not in command("runbook", "--stage", "test-upgrade").out
