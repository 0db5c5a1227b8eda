"""What transport ``ssh`` runs on a node. Its text is sent with every request, so the node needs nothing but a Python of 3.6.

Standard input: one line of JSON, the request, then bytes that belong to it. Standard output: one line of JSON. A folder for each
node's name, for root alone: ``VERSION/`` holds the formulas, ``jobs/ID/`` one job: its order, its configuration, its lock, its reply.
"""

import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import typing

Request = typing.Mapping[str, typing.Any]
Answer = typing.Dict[str, typing.Any]
KEPT_SECONDS = 7 * 24 * 3600.0
LAST_WORDS = 600
KINDS = ("modules", "states", "utils")


def main(source: typing.BinaryIO, out: typing.BinaryIO) -> None:
    """Answer one request."""
    os.umask(0o077)
    request = json.loads(source.readline().decode("utf-8"))
    said = DOES[request["do"]](request, source)
    out.write(json.dumps(said).encode("ascii") + b"\n")
    out.flush()


def look(request: Request, source: typing.BinaryIO) -> Answer:
    """Who we are here, and what is there already. ``thin``: the version of Salt that lies in that folder."""
    version, program = (os.path.join(request["thin"], name) for name in ("version", "salt-call"))
    return {
        "uid": os.getuid(),
        "python": list(sys.version_info[:2]),
        "thin": _read(version) if os.path.exists(program) and os.path.exists(version) else "",
        "formulas": os.path.isdir(os.path.join(request["base"], request["version"])),
    }


def place(request: Request, source: typing.BinaryIO) -> Answer:
    """Unpack the formulas of one version: whole or not at all, whoever does it at the same time."""
    home = os.path.join(request["base"], request["version"])
    beside = "{}.{}.new".format(home, os.getpid())
    shutil.rmtree(beside, ignore_errors=True)
    os.makedirs(beside)
    with tarfile.open(fileobj=io.BytesIO(source.read(request["bytes"])), mode="r:gz") as archive:
        archive.extractall(os.path.join(beside, "roots"))
    for kind in KINDS:
        given, wanted = os.path.join(beside, "roots", "_" + kind), os.path.join(beside, "cache", "extmods", kind)
        if os.path.isdir(given):
            shutil.copytree(given, wanted)
    try:
        os.rename(beside, home)
    except OSError:
        shutil.rmtree(beside)
        if not os.path.isdir(home):
            raise
    return {"placed": True}


def start(request: Request, source: typing.BinaryIO) -> Answer:
    """Begin a job and leave it to itself. One that is there already is not begun again."""
    jobs = os.path.join(request["base"], "jobs")
    _tidy(jobs)
    job = os.path.join(jobs, request["jid"])
    try:
        os.makedirs(job)
    except FileExistsError:
        return {"started": False}
    order = {"function": request["function"], "args": request["args"]}
    _write(os.path.join(job, "order.json"), json.dumps(order))
    _write(os.path.join(job, "minion"), json.dumps(_configuration(request, job)))
    os.mkdir(os.path.join(job, "pillar"))
    _write(os.path.join(job, "pillar", "top.sls"), '#!json\n{"base": {"*": ["given"]}}\n')
    _write(os.path.join(job, "pillar", "given.sls"), "#!json\n" + json.dumps(request["pillar"]))
    _detach(job, request["thin"])
    return {"started": True}


def running(request: Request, source: typing.BinaryIO) -> Answer:
    """Which of these jobs run: those whose lock is held and whose reply is not there yet. The kernel takes the lock away when the
    last process of a job dies.
    """
    jobs = {jid: os.path.join(request["base"], "jobs", jid) for jid in request["jids"]}
    return {jid: _runs(job) and not os.path.exists(os.path.join(job, "reply.json")) for jid, job in jobs.items()}


def known(request: Request, source: typing.BinaryIO) -> Answer:
    """Which of these jobs were ever begun here."""
    return {jid: os.path.isdir(os.path.join(request["base"], "jobs", jid)) for jid in request["jids"]}


def replies(request: Request, source: typing.BinaryIO) -> Answer:
    """The replies of these jobs, as far as there are any."""
    paths = {jid: os.path.join(request["base"], "jobs", jid, "reply.json") for jid in request["jids"]}
    return {jid: json.loads(_read(path)) for jid, path in paths.items() if os.path.exists(path)}


def _configuration(request: Request, job: str) -> Answer:
    """Salt without a master: files and pillar are here, the pillar as it was compiled for this node by whoever sends the job."""
    home = os.path.join(request["base"], request["version"])
    return {
        "id": request["node"],
        "file_client": "local",
        "root_dir": "/",
        "cachedir": os.path.join(home, "cache"),
        "extension_modules": os.path.join(home, "cache", "extmods"),
        "file_roots": {"base": [os.path.join(home, "roots")]},
        "pillar_roots": {"base": [os.path.join(job, "pillar")]},
        "fileserver_backend": ["roots"],
        "pki_dir": os.path.join(home, "pki"),
        "sock_dir": os.path.join(home, "sock"),
        "log_file": os.path.join(job, "log"),
        "log_level_logfile": "warning",
        "state_events": False,
        "upgrader_pillar_given": True,
    }


def _detach(job: str, thin: str) -> None:
    """Returns when the job holds its lock; it belongs to nobody then, and has nobody's terminal."""
    ours, theirs = os.pipe()
    if os.fork():
        os.close(theirs)
        os.read(ours, 1)
        os.close(ours)
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.close(ours)
    lock = os.open(os.path.join(job, "lock"), os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    nothing, said = os.open(os.devnull, os.O_RDWR), os.open(os.path.join(job, "said"), os.O_CREAT | os.O_WRONLY, 0o600)
    for number, descriptor in enumerate((nothing, said, said)):
        os.dup2(descriptor, number)
    os.close(theirs)
    try:
        _supervise(job, thin, lock)
    finally:
        os._exit(0)


def _supervise(job: str, thin: str, lock: int) -> None:
    """Salt with the lock in its hands. One that ended by itself and left no reply gets one; one that was killed does not."""
    command = [sys.executable, os.path.join(thin, "salt-call"), "--local", "--config-dir", job, "--out=quiet"]
    order = os.path.join(job, "order.json")
    _write(os.path.join(job, "log"), "")
    before = os.umask(0o022)  # what states make is to be as a minion makes it
    code = subprocess.call(command + ["upgrader_spool.run", order], close_fds=True, pass_fds=[lock], cwd="/")
    os.umask(before)
    reply = os.path.join(job, "reply.json")
    if code >= 0 and not os.path.exists(reply):
        words = "salt-call ended with exit code {}: {}".format(code, _read(os.path.join(job, "said"))[-LAST_WORDS:])
        _write(reply, json.dumps({"return": words, "retcode": code or 1, "success": False}))
    shutil.rmtree(os.path.join(job, "pillar"), ignore_errors=True)


def _runs(job: str) -> bool:
    try:
        lock = os.open(os.path.join(job, "lock"), os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(lock)


def _tidy(jobs: str) -> None:
    """Jobs of last week that do not run any more."""
    for name in os.listdir(jobs) if os.path.isdir(jobs) else ():
        job = os.path.join(jobs, name)
        if time.time() - os.stat(job).st_mtime > KEPT_SECONDS and not _runs(job):
            shutil.rmtree(job, ignore_errors=True)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


Does = typing.Callable[[Request, typing.BinaryIO], Answer]
DOES: typing.Mapping[str, Does] = {
    "look": look,
    "place": place,
    "start": start,
    "running": running,
    "known": known,
    "replies": replies,
}

if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
