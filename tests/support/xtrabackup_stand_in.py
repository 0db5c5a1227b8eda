"""Stands in for Percona's xtrabackup 2.4, which cannot be installed here: says, word for word and in its order, what that
says (upgrader_node/database/freeze.py has the source), and takes the same locks on a real server.

What it streams is a tar of the data directory, packed while nothing commits and InnoDB has no dirty page: the real one
copies InnoDB's files before, and its log meanwhile. ``xbstream`` is this file too, under that name: it unpacks the tar.
Without a server (no ``--socket`` that is there) it says its words and streams a few bytes.
"""

import contextlib
import os
import subprocess
import sys
import time

VERSION = "xtrabackup version 2.4.29 based on MySQL server 5.7.44 Linux (x86_64) (revision id: 2e6c0951)"
LOCK, UNLOCK = "FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"
NOT_THE_TOOLS = ("*.sock", "*.pid", "*.err", "*.sock.lock", "galera.cache", "gvwstate.dat")
LSN = 1626007
WRITTEN, STILL = ("Innodb_buffer_pool_pages_dirty", "Innodb_pages_written", "Innodb_os_log_written"), 1.5


def say(words, stamp=True):
    """One write a line, as the tool's stderr, which C does not buffer."""
    os.write(2, ((time.strftime("%y%m%d %H:%M:%S ") if stamp else "") + words + "\n").encode())


def options(words):
    return dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))


def connect(given):
    """A connection as the tool makes it: by the socket, with what the option file says, or None without a server."""
    if not os.path.exists(given.get("socket", "")):
        return None
    import pymysql

    more = {"read_default_file": given["defaults-extra-file"]} if "defaults-extra-file" in given else {"user": "root"}
    return pymysql.connect(unix_socket=given["socket"], autocommit=True, **more)


def ask(connection, statement):
    if connection is None:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def status(connection, name):
    return "".join(str(value) for _, value in ask(connection, f"SHOW GLOBAL STATUS LIKE '{name}'"))


def locked(connection, backup_locks):
    if backup_locks:
        say("Executing LOCK TABLES FOR BACKUP...")
    else:
        say("Executing FLUSH NO_WRITE_TO_BINLOG TABLES...")
        ask(connection, "FLUSH NO_WRITE_TO_BINLOG TABLES")
        say("Executing FLUSH TABLES WITH READ LOCK...")
        ask(connection, LOCK)


def quiet(connection):
    """Not the tool's: waits until InnoDB has written all its pages, so that plain copies of its files are whole."""
    ((before,),) = ask(connection, "SELECT @@GLOBAL.innodb_max_dirty_pages_pct")
    ask(connection, "SET GLOBAL innodb_max_dirty_pages_pct = 0")
    deadline, last, since = time.monotonic() + 60, None, time.monotonic()
    while time.monotonic() < min(deadline, since + STILL):
        now = [status(connection, name) for name in WRITTEN]
        if now != last or now[0] != "0":
            last, since = now, time.monotonic()
        time.sleep(0.05)
    ask(connection, f"SET GLOBAL innodb_max_dirty_pages_pct = {before}")


def stream(connection, target, galera):
    if connection is None:
        os.write(1, b"a few bytes of a backup")
        return
    quiet(connection)
    if galera:
        position = "{}:{}\n".format(
            status(connection, "wsrep_local_state_uuid"), status(connection, "wsrep_last_committed")
        )
        with open(os.path.join(target, "xtrabackup_galera_info"), "w") as file:
            file.write(position)
    ((datadir,),) = ask(connection, "SELECT @@datadir")
    pack = ["tar", "-cf", "-"] + ["--exclude=" + name for name in NOT_THE_TOOLS] + ["-C", datadir, "."]
    subprocess.check_call(pack + (["-C", target, "xtrabackup_galera_info"] if galera else []))


def backup(given):
    say("Connecting to MySQL server host: localhost, user: root, password: not set, port: not set, socket: x")
    connection = connect(given)
    say("Using server version {}".format("".join(v for (v,) in ask(connection, "SELECT VERSION()"))), False)
    say(VERSION, False)
    say(f">> log scanned up to ({LSN})")
    say("xtrabackup: Generating a list of tablespaces", False)
    say("[01] Streaming ./ibdata1")
    say("[01]        ...done")
    locked(connection, "no-backup-locks" not in given)
    say("Starting to backup non-InnoDB tables and files")
    say("[01] Streaming ./mysql/db.frm to <STDOUT>")
    stream(connection, given["target-dir"], "galera-info" in given)
    say("[01]        ...done")
    say("Finished backing up non-InnoDB tables and files")
    if "galera-info" in given and "no-backup-locks" in given:
        say("[00] Streaming xtrabackup_galera_info")
        say("[00]        ...done")
    say("Executing FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS...")
    ask(connection, "FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS")
    say(f"xtrabackup: The latest check point (for incremental): '{LSN}'", False)
    say("xtrabackup: Stopping log copying thread.", False)
    say(f">> log scanned up to ({LSN})")
    say("Executing UNLOCK TABLES")
    ask(connection, UNLOCK)
    say("All tables unlocked")
    say("Backup created in directory '{}/'".format(given["target-dir"]))
    say("[00] Streaming backup-my.cnf")
    say("[00]        ...done")
    say(f"xtrabackup: Transaction log of lsn ({LSN}) to ({LSN}) was copied.", False)
    say("completed OK!")


def main(words):
    given = options(words)
    if "version" in given:
        say("xtrabackup: recognized server arguments: --datadir=/var/lib/mysql", False)
        say(VERSION, False)
    elif "prepare" in given:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(given["target-dir"], "auto.cnf"))
        say(f"InnoDB: Shutdown completed; log sequence number {LSN}", False)
        say("completed OK!")
    elif "backup" in given:
        backup(given)
    else:
        sys.exit("unknown option")


if __name__ == "__main__":
    if os.path.basename(sys.argv[0]) == "xbstream":  # xbstream -x -C FOLDER
        os.execvp("tar", ["tar", *sys.argv[1:], "-f", "-"])
    main(sys.argv[1:])
