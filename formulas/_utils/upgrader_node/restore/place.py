"""Brings an archive from the backup store and makes it a prepared copy, in one flow: nothing is kept but the unpacked files."""

import os
import shutil
import typing

from upgrader_node.backup import backup_tool
from upgrader_node.errors import StepError
from upgrader_node.host import files, pipeline
from upgrader_node.restore import swap as folders

SPARE_BYTES = 512 * 1024 * 1024
ROOM_FACTOR = 1.05
Document = typing.Dict[str, typing.Any]


def is_placed(folder: str, receipt: typing.Mapping[str, typing.Any]) -> bool:
    """Whether a finished copy of exactly this backup is in the folder."""
    return folders.read_mark(folder, folders.PREPARED_MARK) == _mark(receipt)


def bytes_needed(receipt: typing.Mapping[str, typing.Any]) -> int:
    """Room for the unpacked and prepared files, with some to spare."""
    return int(int(receipt["data_bytes"]) * ROOM_FACTOR) + SPARE_BYTES


def bytes_in(folder: str) -> int:
    """What the files below a folder take on the disk, in bytes."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except OSError:
                continue
    return total


def place(
    folder: str,
    receipt: typing.Mapping[str, typing.Any],
    link: typing.Sequence[str],
    tool: backup_tool.Tool,
    timeout: float,
) -> None:
    """Make the prepared copy anew: a half-made one has no mark and is removed first. Raises StepError.

    :param link: the command that reaches the backup store, without the request
    The archive's sha256 is taken while it flows; the mark is written last, after everything is on disk.
    """
    if os.path.isdir(folder):
        shutil.rmtree(folder)
    os.makedirs(folder, mode=0o700)
    try:
        _fetch(folder, receipt, [*link, "archive {}".format(receipt["id"])], tool, timeout)
        _prepare(folder, receipt, tool, timeout)
    except StepError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _on_disk(folder)
    folders.write_mark(folder, _mark(receipt), folders.PREPARED_MARK)
    files.sync(os.path.dirname(folder))


def _mark(receipt: typing.Mapping[str, typing.Any]) -> Document:
    return {"receipt": receipt["id"], "sha256": receipt["sha256"]}


def _fetch(
    folder: str,
    receipt: typing.Mapping[str, typing.Any],
    source: typing.Sequence[str],
    tool: backup_tool.Tool,
    timeout: float,
) -> None:
    sink = [backup_tool.decompress_command(receipt["compression"]), backup_tool.unpack_command(tool, folder)]
    ended, passed, digest, _ = pipeline.pump([source], sink, timeout)
    cause = _cause(ended)
    if cause is not None:
        raise StepError(
            "backup {} cannot be unpacked here: {}; {} MB are free beside {}".format(
                receipt["id"],
                pipeline.describe(cause),
                shutil.disk_usage(folder).free // 1000000,
                os.path.dirname(folder),
            )
        )
    if (passed, digest) != (receipt["bytes"], receipt["sha256"]):
        raise StepError(
            "{} bytes of backup {} arrived and its receipt says {}, or their sha256 differs: run 'upgrader backup verify {}', and "
            "check the network".format(passed, receipt["id"], receipt["bytes"], receipt["id"])
        )


def _cause(ended: typing.Sequence[pipeline.Ended]) -> typing.Optional[pipeline.Ended]:
    """Who broke the flow: the first that says so itself. One that ends without a word, or complains of a broken pipe, only
    lost its reader."""
    failed = [member for member in ended if member.code not in (0,) + pipeline.SIGPIPE_CODES]
    causes = [member for member in failed if member.words.strip() and "Broken pipe" not in member.words] or failed
    return causes[0] if causes else pipeline.first_cause(ended)


def _prepare(folder: str, receipt: typing.Mapping[str, typing.Any], tool: backup_tool.Tool, timeout: float) -> None:
    ended = pipeline.run([backup_tool.prepare_command(tool, folder)], timeout=timeout)[0]
    if ended.code != 0 or not backup_tool.succeeded(ended.words):
        raise StepError(
            "backup {} cannot be prepared here: {}; is the backup tool {}?".format(
                receipt["id"], backup_tool.last_complaint(ended.words), backup_tool.wanted(receipt["server_version"])
            )
        )
    galera, position = receipt.get("galera"), backup_tool.position(folder)
    if galera and position != (galera["uuid"], int(galera["seqno"])):
        raise StepError(
            "backup {} is at position {} and its receipt says {}:{}: prove it again, or restore another one".format(
                receipt["id"], position, galera["uuid"], galera["seqno"]
            )
        )


def _on_disk(folder: str) -> None:
    """All of the copy is on disk before it is called whole: a mark that outlives its files would be believed."""
    try:
        for inner, folders_in_it, plain in os.walk(folder):
            for name in plain + folders_in_it + ["."]:
                files.sync(os.path.join(inner, name))
    except OSError as error:
        raise StepError("the copy in {} cannot be written to disk: {}".format(folder, error)) from None
