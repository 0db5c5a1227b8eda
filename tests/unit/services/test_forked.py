"""Commands of a tool that is imported once: the same as ever to whoever asks, whatever is killed, changed or not to be trusted."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.host import lock as host_lock
from upgrader_node.host import settings
from upgrader_node.service import forked, manage, resident

TOOL = """\
import json, os, random, sys, time
with open(os.path.join({folder!r}, "imports"), "a") as opened:
    opened.write("once\\n")
sys.stderr.write("the import warns\\n")
def main():
    word = sys.argv[1]
    if word == "tell":
        umask = os.umask(0)
        told = dict(argv=sys.argv, stdin=sys.stdin.read(), cwd=os.getcwd(), umask=umask, env=dict(os.environ), name=__name__)
        print(json.dumps(told, sort_keys=True))
        sys.stderr.write("a word of its own\\n")
        return 0
    if word == "open":
        print(json.dumps(sorted(os.readlink("/proc/self/fd/%s" % n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/%s" % n))))
    if word == "random":
        print(random.random())
    if word == "crash":
        raise ValueError("no such thing")
    if word == "signal":
        os.kill(os.getpid(), 15)
    if word == "sleep":
        with open(sys.argv[2], "w") as opened:
            opened.write("%d %d" % (os.getpid(), os.getppid()))
        if not os.fork():
            time.sleep(60)
        time.sleep(float(sys.argv[3]))
    return {{"three": 3, "words": "some words"}}.get(word, 0)
"""
SCRIPT = """\
#!{python}
import sys
sys.path.insert(0, {folder!r})
from tool_of_the_test import main
{guard}
    sys.exit(main())
"""


class Tool:
    """A tool of its own folder, and the processes that stay behind of it."""

    def __init__(self, folder: Path, guard: str = "if __name__ == '__main__':", first: str = "") -> None:
        self.folder, self.script = folder, folder / "bin" / f"made-{folder.name}"
        self.module = folder / "lib" / "tool_of_the_test.py"
        for path in (self.script, self.module):
            path.parent.mkdir()
        self.module.write_text(first + TOOL.format(folder=str(folder)))
        self.script.write_text(SCRIPT.format(python=sys.executable, folder=str(folder / "lib"), guard=guard))
        self.script.chmod(0o755)
        old = time.time() - 60
        for path in (self.module, self.script):
            os.utime(path, (old, old))
        time.sleep(0.15)  # the entry's own time cannot be set, and a file that is written just now is not trusted

    def command(self, *words: str, before: str = "", own_words: tuple[str, ...] = ()) -> forked.Command:
        return forked.Command(sys.executable, str(self.script), words, before, own_words)

    def run(self, *words: str, timeout: float = 30, **more: Any) -> manage.Outcome:
        return forked.run(self.command(*words), timeout, **more)

    def plain(self, *words: str, timeout: float = 30, **more: Any) -> manage.Outcome:
        return manage.run(self.command(*words).argv(), timeout, **more)

    @property
    def imports(self) -> int:
        file = self.folder / "imports"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def servers(self) -> list[int]:
        return [pid for pid, text in _processes() if f"upgrader-fork {self.script.name}: imported" in text]

    def end(self) -> None:
        forked.end(self.command())


def _processes() -> Iterator[tuple[int, str]]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            yield int(name), Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue


def until(seen: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := seen()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short name, because that of a socket may have no more than 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="fork"))
    monkeypatch.setattr(resident, "FOLDER", str(made / "run" / "fork"))
    (made / "run").mkdir(mode=0o700)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def tool(folder: Path) -> Iterator[Tool]:
    made = Tool(folder)
    yield made
    made.end()


def same(one: manage.Outcome, other: manage.Outcome) -> bool:
    """But for the time it took, and the frames before the tool's own in a traceback."""
    own = ["".join(text.rpartition('", line 6, in <module>')[1:]) or text for text in (one.stderr, other.stderr)]
    return (one.exit_code, one.stdout, own[0]) == (other.exit_code, other.stdout, own[1])


@pytest.mark.parametrize("word", ["tell", "three", "words", "crash", "signal"])
def test_a_forked_command_says_and_answers_what_the_plain_one_does(tool: Tool, word: str) -> None:
    tool.run("first")
    found = tool.run(word, "more", stdin="a secret" if word == "tell" else "")
    assert tool.imports == 1
    assert same(found, tool.plain(word, "more", stdin="a secret" if word == "tell" else ""))
    assert "the import warns" in found.stderr and tool.imports == 2


def test_a_tool_is_imported_once_for_many_commands(tool: Tool) -> None:
    assert [tool.run(word).exit_code for word in ("first", "three", "three")] == [0, 3, 3]
    assert tool.imports == 1 and len(tool.servers()) == 1


def test_what_a_tool_imports_only_when_it_works_is_imported_with_it(
    tool: Tool, caplog: pytest.LogCaptureFixture
) -> None:
    late = tool.module.parent / "late_of_the_test.py"
    late.write_text(f"with open({str(tool.folder / 'late')!r}, 'a') as opened:\n    opened.write('once\\n')\n")
    time.sleep(0.15)
    command = tool.command("three", before="import late_of_the_test\n")._replace(imports=("late_of_the_test",))
    assert [forked.run(command, 30).exit_code for _ in range(2)] == [3, 3]
    assert (tool.folder / "late").read_text() == "once\n"
    forked.end(command)
    gone = command._replace(before="", imports=("no_such_module",))
    assert forked.run(gone, 30).exit_code == 3 and "no_such_module" in reason(caplog)


def test_a_tool_that_is_needed_soon_is_imported_meanwhile(tool: Tool, caplog: pytest.LogCaptureFixture) -> None:
    forked.begin(tool.command())
    until(tool.servers)
    forked.begin(tool.command())
    assert tool.run("three").exit_code == 3 and tool.imports == 1
    forked.begin(forked.Command(sys.executable, "/no/such/script", ()))
    assert not caplog.records


def test_two_first_commands_at_once_import_it_once(tool: Tool) -> None:
    threads = [threading.Thread(target=tool.run, args=("first",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tool.imports == 1


def test_programs_before_the_tool_get_their_own_words(tool: Tool) -> None:
    before = "import sys; sys.stdout.write('own %s\\n' % sys.argv.pop(1))\n"
    command = tool.command("tell", before=before, own_words=("17",))
    found = forked.run(command, 30)
    assert found.stdout.startswith("own 17\n") and same(found, manage.run(command.argv(), 30))


def test_random_numbers_are_not_the_same_in_each_command(tool: Tool) -> None:
    assert len({tool.run("random").stdout for _ in range(3)}) == 3


def test_a_command_has_the_descriptors_that_it_was_given_and_no_other(tool: Tool) -> None:
    with open(tool.folder / "lock", "w") as lock, open(tool.folder / "aside", "w"):
        found = json.loads(tool.run("open", keep_open=(lock.fileno(),)).stdout)
        plain = json.loads(tool.plain("open", keep_open=(lock.fileno(),)).stdout)
    kinds = [sorted(name.partition(":")[0].partition("#")[0] for name in names) for names in (found, plain)]
    assert kinds[0] == kinds[1] and str(tool.folder / "lock") in found


def locked(file: Path) -> bool:
    with open(file, "a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_lock_lives_as_long_as_the_command_and_not_as_the_process_that_has_imported_it(tool: Tool) -> None:
    file, started = tool.folder / "lock", tool.folder / "started"
    with open(file, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(
            target=tool.run, args=("sleep", str(started), "60"), kwargs={"keep_open": (lock.fileno(),), "timeout": 4}
        )
        thread.start()
        until(lambda: started.exists() and started.read_text())
    assert locked(file)
    thread.join()
    assert not locked(file)
    assert tool.servers()


def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(tool: Tool) -> None:
    started = tool.folder / "started"
    found = tool.run("sleep", str(started), "60", timeout=2)
    pid = int(started.read_text().split()[0])
    assert found.exit_code == manage.TIMED_OUT and host_lock.born(pid) == -1
    until(lambda: not [one for one, text in _processes() if str(started) in text and host_lock.born(one) != -1])


def beginning(tool: Tool, seconds: float = 60) -> tuple[threading.Thread, list[Any], int, int]:
    """A command at work: the thread that asked, its answer or error, the command's process and the one that waits for it."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(tool.run("sleep", str(tool.folder / "started"), str(seconds)))
        except StepError as error:
            answers.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    file = tool.folder / "started"
    pid, parent = map(int, until(lambda: file.exists() and file.read_text()).split())
    return thread, answers, pid, parent


def test_a_command_that_nobody_waits_for_any_more_is_ended_and_said_to_be_lost(tool: Tool) -> None:
    thread, answers, pid, parent = beginning(tool)
    os.kill(parent, signal.SIGKILL)
    thread.join()
    assert (
        isinstance(answers[0], StepError) and "was lost" in str(answers[0]) and "run the step again" in str(answers[0])
    )
    assert host_lock.born(pid) == -1
    assert tool.run("three").exit_code == 3 and tool.imports == 1


def test_a_killed_command_is_told_as_such(tool: Tool) -> None:
    thread, answers, pid, _ = beginning(tool)
    os.kill(pid, signal.SIGKILL)
    thread.join()
    assert answers[0].exit_code == -9


def test_a_killed_server_costs_an_import_and_no_command(tool: Tool) -> None:
    thread, answers, _, _ = beginning(tool, seconds=2)
    os.kill(tool.servers()[0], signal.SIGKILL)
    assert tool.run("three").exit_code == 3 and tool.imports == 2
    thread.join()
    assert answers[0].exit_code == 0


def test_a_command_outlives_whoever_asked_for_it_and_keeps_its_lock(tool: Tool) -> None:
    file, started = tool.folder / "lock", tool.folder / "started"
    tool.run("first")
    asker = os.fork()
    if not asker:
        with open(file, "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tool.run("sleep", str(started), "60", keep_open=(lock.fileno(),))
        os._exit(0)
    pid = int(until(lambda: started.exists() and started.read_text()).split()[0])
    os.kill(asker, signal.SIGKILL)
    os.waitpid(asker, 0)
    assert locked(file) and host_lock.born(pid) > 0
    os.killpg(pid, signal.SIGKILL)
    until(lambda: not locked(file))


def test_what_was_changed_on_disk_is_imported_anew(tool: Tool) -> None:
    tool.run("first")
    tool.module.write_text(tool.module.read_text().replace('"three": 3', '"three": 4'))
    assert tool.run("three").exit_code == 4
    assert len(until(tool.servers)) == 1


def test_a_file_in_a_folder_of_modules_is_noticed(tool: Tool) -> None:
    tool.run("first")
    (tool.module.parent / "another-1.0.egg-info").write_text("")
    tool.run("first")
    assert tool.imports == 2


def reason(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    caplog.clear()
    return record.getMessage()


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n", "threads"),
        ("import select\nheld = select.epoll()\n", "anon_inode"),
        ("import os\nif 'forkserver' in open('/proc/self/cmdline').read() or 'upgrader-fork' in open('/proc/self/cmdline').read():\n"
         "    raise SystemExit(7)\n", "SystemExit: 7"),
        ("import os\nif 'upgrader-fork' in open('/proc/self/cmdline').read():\n    os._exit(1)\n", "ended before it answered"),
    ],
)  # fmt: skip
def test_what_cannot_be_forked_is_run_as_ever_and_not_tried_again(
    folder: Path, caplog: pytest.LogCaptureFixture, first: str, said: str
) -> None:
    tool = Tool(folder, first=first)
    assert tool.run("three").exit_code == 3
    assert said in reason(caplog)
    tries = tool.imports
    assert tool.run("three").exit_code == 3
    assert said in reason(caplog) and tool.imports == tries + 1
    assert not tool.servers()


def test_a_script_that_works_whatever_it_is_called_is_not_imported(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tool = Tool(folder, guard="if True:")
    assert tool.run("three").exit_code == 3
    assert "does not ask whether it is __main__" in reason(caplog) and tool.imports == 1


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_folder_that_others_can_enter_is_not_used(tool: Tool, caplog: pytest.LogCaptureFixture, mode: int) -> None:
    os.makedirs(resident.FOLDER)
    os.chmod(resident.FOLDER, mode)
    assert tool.run("three").exit_code == 3
    assert "is not a folder of ours alone" in reason(caplog) and not tool.servers()


def test_a_link_in_the_place_of_the_folder_is_not_followed(tool: Tool, caplog: pytest.LogCaptureFixture) -> None:
    (tool.folder / "elsewhere").mkdir(mode=0o700)
    os.symlink(tool.folder / "elsewhere", resident.FOLDER)
    assert tool.run("three").exit_code == 3
    assert "is not a folder of ours alone" in reason(caplog)


def test_somebody_elses_socket_is_not_asked(
    tool: Tool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.run("first")
    own = os.geteuid()
    server = resident.Server(sys.executable, str(tool.script), "/", None)
    plain = os.lstat

    def lstat(path: str) -> os.stat_result:
        found = plain(path)
        other = [*found[:4], own + 1, *found[5:10]]
        return os.stat_result(other) if str(path) == server.path else found

    with monkeypatch.context() as patched:
        patched.setattr(resident.os, "lstat", lstat)
        assert tool.run("three").exit_code == 3
    assert "is somebody else's" in reason(caplog) and tool.imports == 2


def test_a_full_run_means_the_plain_way(
    tool: Tool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(server: resident.Server) -> socket.socket:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resident, "_started", full)
    assert tool.run("three").exit_code == 3
    assert "No space left on device" in reason(caplog)


def test_an_import_that_takes_too_long_is_not_waited_for(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "import time\nif 'upgrader-fork' in open('/proc/self/cmdline').read():\n    time.sleep(5)\n"
    tool = Tool(folder, first=slow)
    monkeypatch.setattr(resident, "IMPORT_SECONDS", 0.3)
    assert tool.run("three").exit_code == 3
    assert "took more than" in reason(caplog)


def test_a_long_stdin_goes_the_plain_way(tool: Tool, caplog: pytest.LogCaptureFixture) -> None:
    text = "x" * (forked.STDIN + 1)
    assert json.loads(tool.run("tell", stdin=text).stdout)["stdin"] == text
    assert "longer than" in reason(caplog)


def test_it_ends_when_nobody_asks(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "IDLE_SECONDS", 1.0)
    tool.run("first")
    assert tool.servers()
    until(lambda: not tool.servers())
    tool.run("first")
    assert tool.imports == 2


def test_it_is_ended_when_it_is_not_needed_any_more(tool: Tool) -> None:
    tool.run("first")
    tool.end()
    until(lambda: not tool.servers())
    assert not Path(resident.Server(sys.executable, str(tool.script), "/", None).path).exists()
    tool.end()


def test_ps_shows_the_command_and_no_program_and_nothing_of_its_stdin(tool: Tool) -> None:
    started, seen = tool.folder / "started", []
    command = tool.command("sleep", str(started), "60", before="hidden = 'in the program'\n", own_words=())
    thread = threading.Thread(target=forked.run, args=(command, 4, "pa55word"))
    thread.start()
    pid, parent = map(int, until(lambda: started.exists() and started.read_text()).split())
    seen = [text for _, text in _processes()]
    shown = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
    assert shown == [sys.executable, str(tool.script), "sleep", str(started), "60"]
    assert Path(f"/proc/{pid}/comm").read_text() == f"{tool.script.name[:15]}\n"
    assert Path(f"/proc/{parent}/cmdline").read_bytes().rstrip(b"\0").decode().replace("\0", " ") == (
        f"upgrader-fork {tool.script.name}: waits for process {pid}"
    )
    environment = Path(f"/proc/{pid}/environ").read_bytes().decode()
    assert not [text for text in [*seen, environment] if "pa55word" in text or "in the program" in text]
    thread.join()


def test_nothing_of_the_asking_process_stays_open_in_the_resident_one(tool: Tool) -> None:
    with open(tool.folder / "lock", "w") as lock:
        tool.run("first", keep_open=(lock.fileno(),))
        (server,) = tool.servers()
        links = [os.readlink(one) for one in Path(f"/proc/{server}/fd").iterdir()]
    assert sorted({link.partition(":")[0] for link in links}) == ["/dev/null", "socket"]
    assert os.getsid(server) not in (os.getsid(0), server)


@pytest.mark.parametrize(
    ("pillar", "wanted"), [({}, True), ({"schema": {"fork": False}}, False), ({"schema": {"fork": True}}, True)]
)
def test_pillar_switches_it_off(pillar: dict[str, Any], wanted: bool) -> None:
    assert settings.forked({"upgrader": pillar}) is wanted


@pytest.mark.parametrize("said", ["no", 0, None])
def test_a_switch_that_is_neither_true_nor_false_is_refused(said: object) -> None:
    with pytest.raises(StepError, match="upgrader:schema:fork must be true or false"):
        settings.forked({"upgrader": {"schema": {"fork": said}}})
