"""A database server of its own on a prepared backup, for proving and reading it. Socket only, no network, its own folder."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import typing

from upgrader_node.database import connection
from upgrader_node.errors import StepError
from upgrader_node.host import pipeline

SERVERS = ("mariadbd", "mysqld")
START_SECONDS = 120
Process = typing.Any  # subprocess.Popen[bytes], which Python 3.6 cannot spell


def socket_path(folder: str) -> str:
    """Where the scratch server of ``folder`` listens. Unix socket paths are short, so it lives beside the files."""
    return os.path.join(folder, "scratch.sock")


@contextlib.contextmanager
def server(folder: str, driver: typing.Any, buffer_mb: int = 256) -> typing.Iterator[typing.Any]:
    """Run a server on the prepared files in ``folder`` for the length of the block; yields a connection.

    Hold ``lock.STORE`` meanwhile: a server that runs there already is then one that a killed call left behind, and is ended.
    Grant tables are not read (the socket's folder is 0700 and root's): the backup's passwords are nobody's business here.
    """
    stop(folder)
    process = _start(folder, buffer_mb)
    try:
        yield _wait(folder, process, driver)
    finally:
        _end(process)


def stop(folder: str) -> None:
    """End scratch servers that an earlier, killed call left behind: every process that runs on exactly this folder.

    Not by the pid file: a server that has only begun to start has none yet, and would answer on the socket of the next.
    """
    for pid in _running(folder):
        os.kill(pid, signal.SIGKILL)
        _wait_for_end(pid, folder)


def _running(folder: str) -> typing.List[int]:
    wanted = "--datadir={}".format(folder).encode()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and wanted in _arguments(name)]


def _arguments(pid: str) -> typing.List[bytes]:
    try:
        with open("/proc/{}/cmdline".format(pid), "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _wait_for_end(pid: int, folder: str) -> None:
    deadline = time.monotonic() + 30
    while _runs(pid):
        if time.monotonic() > deadline:
            raise StepError("scratch server {} on {} does not end after SIGKILL".format(pid, folder))
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _start(folder: str, buffer_mb: int) -> Process:
    program = next((path for path in map(shutil.which, SERVERS) if path), None)
    if program is None:
        raise StepError(
            "no database server program on the backup node: install mariadb-server there (its service may stay off)"
        )
    command = [
        program,
        "--no-defaults",
        "--datadir={}".format(folder),
        "--socket={}".format(socket_path(folder)),
        "--pid-file={}".format(os.path.join(folder, "scratch.pid")),
        "--skip-networking",
        "--skip-grant-tables",
        "--user=root",
        "--innodb-buffer-pool-size={}M".format(buffer_mb),
    ]
    with open(os.path.join(folder, "scratch.log"), "ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=pipeline.CLEAN_ENVIRONMENT,
            close_fds=True,
        )


def _wait(folder: str, process: Process, driver: typing.Any) -> typing.Any:
    """Until it accepts a connection. ConnectionError of any kind before that only means: not yet."""
    deadline, last = time.monotonic() + START_SECONDS, "nothing"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            return connection.connect(driver, "the scratch server", unix_socket=socket_path(folder), user="root")
        except connection.ConnectionRefused as error:
            last = str(error)
        time.sleep(0.1)
    raise StepError(
        "the scratch server does not start on the prepared backup (exit code {}, last seen: {}): {}; see {}/scratch.log".format(
            process.poll(), last, _last_error(folder), folder
        )
    )


def _last_error(folder: str) -> str:
    try:
        with open(os.path.join(folder, "scratch.log"), errors="replace") as log:
            lines = [line.strip() for line in log if "[ERROR]" in line]
    except OSError:
        lines = []
    return lines[-1][-300:] if lines else "no error in its log"


def _end(process: Process) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
