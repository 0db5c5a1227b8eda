"""A database server of its own on a prepared backup, for proving and reading it. Socket only, no network, its own folder."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import typing

import upgrader_connection
import upgrader_pipeline

SERVERS = ("mariadbd", "mysqld")
START_SECONDS = 120
Connect = typing.Callable[[str], typing.Any]
Process = typing.Any  # subprocess.Popen[bytes], which Python 3.6 cannot spell


class ScratchFailed(Exception):
    """The scratch server does not start or does not stop; the message names its log."""


def socket_path(folder: str) -> str:
    """Where the scratch server of ``folder`` listens. Unix socket paths are short, so it lives beside the files."""
    return os.path.join(folder, "scratch.sock")


@contextlib.contextmanager
def server(folder: str, connect: Connect, buffer_mb: int = 256) -> typing.Iterator[typing.Any]:
    """Run a server on the prepared files in ``folder`` for the length of the block; yields a connection.

    :param connect: function of a socket path that gives a connection or raises ``upgrader_connection.ConnectionRefused``
    Grant tables are not read (the socket's folder is 0700 and root's): the backup's passwords are nobody's business here.
    """
    stop(folder)
    process = _start(folder, buffer_mb)
    try:
        yield _wait(folder, process, connect)
    finally:
        _end(process)


def stop(folder: str) -> None:
    """End a scratch server that an earlier, killed call left behind. Only a process that runs on exactly this folder is ended."""
    pid_file = os.path.join(folder, "scratch.pid")
    try:
        with open(pid_file) as file:
            pid = int(file.read())
        with open("/proc/{}/cmdline".format(pid), "rb") as file:
            arguments = file.read().split(b"\0")
    except (OSError, ValueError):
        return
    if "--datadir={}".format(folder).encode() not in arguments:
        return
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while os.path.exists("/proc/{}/exe".format(pid)) and _runs(pid):
        if time.monotonic() > deadline:
            raise ScratchFailed("scratch server {} on {} does not end after SIGKILL".format(pid, folder))
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _start(folder: str, buffer_mb: int) -> Process:
    program = next((found for found in map(shutil.which, SERVERS) if found), None)
    if program is None:
        raise ScratchFailed(
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
            env=upgrader_pipeline.CLEAN_ENVIRONMENT,
            close_fds=True,
        )


def _wait(folder: str, process: Process, connect: Connect) -> typing.Any:
    """Until it accepts a connection. ConnectionError of any kind before that only means: not yet."""
    deadline, last = time.monotonic() + START_SECONDS, "nothing"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            return connect(socket_path(folder))
        except upgrader_connection.ConnectionRefused as error:
            last = str(error)
        time.sleep(0.1)
    raise ScratchFailed(
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
