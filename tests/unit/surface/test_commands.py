"""The commands as a whole: each says how it is used, is loaded when it is asked for, and can be completed without a word to Salt."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.support.command import Command, command_in
from tests.support.long_run import RUN, LongRun
from tests.support.sources import ROOT
from upgrader.cli.completion import SHELLS
from upgrader.cli.lazy import DOORS
from upgrader.cli.main import cli, entry
from upgrader.plan.stages import stage_names

HEAVY = ("salt", "reclass", "rich", "pymysql", "paramiko", "upgrader.lab", "upgrader.reclass", "upgrader.plan.stages")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_in(tmp_path, monkeypatch, capsys)


def every(
    one: click.Command, words: tuple[str, ...], above: click.Context | None = None
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group with the words that lead to it."""
    context = click.Context(one, parent=above, info_name=words[-1] if words else "upgrader")
    yield words, one
    if isinstance(one, click.Group):
        for name in one.list_commands(context):
            inner = one.get_command(context, name)
            assert inner is not None, name
            yield from every(inner, (*words, name), context)


ALL = dict(every(cli, ()))


@pytest.mark.parametrize("words", ALL, ids=lambda words: " ".join(words) or "upgrader")
def test_help_of_every_command_has_an_example_that_the_command_understands(words: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(cli, [*words, "--help"], terminal_width=200)
    assert ran.exit_code == 0
    examples = re.findall(
        r"^ +(upgrader .*)$", ran.output.split("Example:", 1)[1].split("Options:", 1)[0], re.MULTILINE
    )
    assert examples
    given = [shlex.split(re.split(r" [|>] ", example)[0])[1:] for example in examples]
    assert any(tuple(one[: len(words)]) == words for one in given)
    for one in given:
        understood(one)


def understood(given: list[str]) -> None:
    """Parses the words as click would, without running anything: every option is one. Files that they name need not be here."""
    one: click.Command = cli
    while isinstance(one, click.Group) and given:
        found = one.get_command(click.Context(one), given[0])
        assert found is not None, given
        one, given = found, given[1:]
    one.make_parser(click.Context(one)).parse_args(list(given))


def test_the_table_of_commands_says_what_their_own_help_says() -> None:
    for name, door in DOORS.items():
        one = ALL[(name,)]
        assert one.name == name
        assert one.get_short_help_str(500).startswith(door.short.rstrip(".")), name


def test_help_and_status_load_neither_salt_nor_models_nor_the_lab(tmp_path: Path) -> None:
    LongRun(tmp_path).until("failed")
    asked = (["--help"], ["status"], ["history"], ["report"], ["completion", "bash"])
    code = (
        "import json, sys; from upgrader.cli.main import entry; loaded = []\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    sys.argv[1:] = words\n"
        "    try: entry()\n"
        "    except SystemExit as end: assert not end.code, (words, end.code)\n"
        "    loaded.append(sorted(sys.modules))\n"
        "sys.stderr.write(json.dumps(loaded))"
    )
    given = json.dumps([["--state-dir", str(tmp_path), *words] for words in asked])
    ran = subprocess.run([sys.executable, "-c", code, given], capture_output=True, text=True, check=True)
    for words, loaded in zip(asked, json.loads(ran.stderr), strict=True):
        assert "upgrader.cli.lazy" in loaded
        assert [name for name in loaded if name in HEAVY or name.startswith(tuple(f"{one}." for one in HEAVY))] == [], (
            words
        )


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_prints_the_shells_script(command: Command, shell: str) -> None:
    ran = command("completion", shell)
    assert ran.code == 0
    assert f"_UPGRADER_COMPLETE={shell}_complete" in ran.out


def test_completion_for_another_shell_is_usage(command: Command) -> None:
    assert command("completion", "tcsh").code == 2


def asking(state: Path, *words: str) -> dict[str, str]:
    """The environment in which the shell's script asks for the last word."""
    return {
        "_UPGRADER_COMPLETE": "bash_complete",
        "UPGRADER_STATE_DIR": str(state),
        "COMP_WORDS": shlex.join(("upgrader", *words)),
        "COMP_CWORD": str(len(words)),
    }


def completed(state: Path, *words: str) -> list[str]:
    """What the shell's script would be told for the last word."""
    environment = {**os.environ, **asking(state, *words)}
    ran = subprocess.run(
        [sys.executable, "-m", "upgrader"], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    return [line.partition(",")[2] for line in ran.stdout.splitlines() if line]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    LongRun(folder).until("refused")
    return folder


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("re",), ["reject", "report", "resume"]),
        (("backup", "pr"), ["prove", "prune"]),
        (("control-plane", "--stage", "t"), ["test-upgrade"]),
        (("runbook", "--stage", ""), list(stage_names("control-plane"))),
        (("resume", "2017"), [RUN]),
        (("watch", ""), [RUN]),
        (("report", "-o", ""), ["html", "md", "json"]),
        (("backup", "back", "2"), [RUN]),
        (("stamp", "nova-db"), ["nova-db-newton", "nova-db"]),
        (("stamp", "--run", "20"), [RUN]),
        (("stamp", "--run", RUN, "verify-e"), ["verify-egress"]),
        (("--transport", ""), ["master", "api", "ssh"]),
    ],
)
def test_words_are_completed(
    state: Path,
    words: tuple[str, ...],
    found: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in asking(state, *words).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["upgrader"])
    with pytest.raises(SystemExit):
        entry()
    said = capsys.readouterr()
    assert said.err == ""
    assert [line.partition(",")[2] for line in said.out.splitlines() if line] == found


def test_words_are_completed_by_a_process_of_the_shells(state: Path) -> None:
    assert completed(state, "re") == ["reject", "report", "resume"]


def test_completion_offers_nothing_and_says_nothing_where_no_journal_can_be_read(tmp_path: Path) -> None:
    path = LongRun(tmp_path).until("refused").path
    path.write_text(path.read_text().replace("clone-fill", "clone-fixx", 1))
    assert completed(tmp_path, "stamp", "nova") == []
    assert completed(tmp_path / "none", "stamp", "nova") == []
    assert completed(tmp_path / "none", "resume", "2") == []


def test_commands_of_the_pipeline_are_ones_that_this_version_has() -> None:
    pipeline = (ROOT / "packaging" / "Jenkinsfile").read_text()
    given = [shlex.split(re.split(r" [|>]", line)[0])[1:] for line in re.findall(r"'(upgrader [^']+)'", pipeline)]
    assert len(given) >= 10
    for one in given:
        understood([word.replace("$PLAN", "1a2b3c4d5e6f") for word in one])


def test_unit_for_runs_without_a_terminal_starts_a_command_that_this_version_has() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "packaging" / "upgrader@.service")
    understood(shlex.split(unit["Service"]["ExecStart"].replace("%i", "1a2b3c4d5e6f"))[1:])
    assert unit["Service"]["Restart"] == "no" and unit["Service"]["KillSignal"] == "SIGINT"
