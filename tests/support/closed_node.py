"""In a network of its own: make the egress rules stand, knock at some doors, and print as JSON what became of it.

Run as ``unshare --net PYTHON closed_node.py WAY FOLDER``; WAY is a packet filter, FOLDER takes the files.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

from upgrader_node.copy import egress, nft, packet_filter, xtables
from upgrader_node.errors import StepError

PLACES = [egress.Allowed(("10.20.0.9", "fd00::9"), "tcp", (3306,), "the clones' database server")]
SETUP = (
    "ip link set lo up",
    "ip link add d0 type bridge",
    "ip addr add 10.20.0.12/24 dev d0",
    "ip -6 addr add fd00::2/64 dev d0 nodad",
    "ip link set d0 up",
)


def knock(address: str, port: int, kind: int = socket.SOCK_STREAM) -> str:
    """How it ended: nobody is there at all, so what is let out is never answered."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as door:
        door.settimeout(1)
        try:
            door.connect((address, port))
            door.send(b"x")
        except OSError as error:
            return type(error).__name__
    return "sent"


def judged(run: str) -> str:
    try:
        return str(egress.judge(*packet_filter.standing(run))["comment"])
    except StepError as error:
        return str(error)


def main(way: str, folder: Path) -> dict[str, object]:
    for words in SETUP:
        subprocess.run(words.split(), check=True)
    packet_filter.WAYS = {way: {"nft": nft, "iptables": xtables}[way]}
    packet_filter.MADE, packet_filter.UNIT_FILE = str(folder / "made.json"), str(folder / "unit")
    told: dict[str, object] = {"before": judged("r1"), "stands": packet_filter.stand(PLACES, "r1")}
    told["quiet"] = judged("r1")
    told["doors"] = [knock("10.20.0.11", 5672), knock("fd00::11", 5000), knock("10.20.0.12", 22)]
    told["allowed"] = [knock("10.20.0.9", 3306), knock("10.20.0.5", 123, socket.SOCK_DGRAM)]
    told["again"] = packet_filter.stand(PLACES, "r1")
    told["judged"], told["other run"] = judged("r1"), judged("r2")
    packet_filter.stand(PLACES, "r2")
    told["anew"] = judged("r2")
    told["unit"] = [line for line in (folder / "unit").read_text().splitlines() if line.startswith("ExecStart=")]
    packet_filter.WAYS[way].lift()
    told["gone"] = judged("r2")
    for line in told["unit"]:  # type: ignore[attr-defined]
        subprocess.run(line.removeprefix("ExecStart=").split(), check=True)
    told["after boot"] = [judged("r2"), knock("10.20.0.11", 5672)]
    told["lifted"] = [packet_filter.lift(), packet_filter.lift()]
    told["open"] = knock("10.20.0.11", 5672)
    return told


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
