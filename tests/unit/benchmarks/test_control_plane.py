"""Both orders side by side: what counts as away, what is judged, and the mirror from which the reference's order installs."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import control_plane_figures as told
from benchmarks.control_plane_commands import CONFIGURATION, MAP_CELL0, SERVICES, backup_command
from benchmarks.control_plane_packages import closure, distributions, mirror, place_of, read_status, skeleton, wheel
from upgrader.errors import LabRefused

STAYED: list[Any] = []


def outage(at: str, seconds: float, ended: bool = True) -> dict[str, Any]:
    return {"from": f"2026-11-30T22:{at}Z", "seconds": seconds, "states": ["refuses"], "ended": ended}


def summary(*outages: dict[str, Any], unwatched: list[Any] = STAYED) -> dict[str, Any]:
    return {"targets": {"nova": {"outages": list(outages)}}, "not_watched": unwatched}


def test_api_is_away_from_its_first_refusal_until_it_answers_for_good() -> None:
    assert told.away(summary(outage("00:10.5", 2.0), outage("01:00.0", 30.5))) == {"nova": 80.0}
    assert told.away(summary()) == {"nova": 0.0}


def test_api_that_does_not_answer_at_the_end_does_not_count() -> None:
    with pytest.raises(ValueError, match="nova does not answer at the end"):
        told.away(summary(outage("00:10.5", 2.0), outage("01:00.0", 30.5, ended=False)))


def test_time_in_which_nobody_watched_does_not_count() -> None:
    with pytest.raises(ValueError, match="the prober did not live all the time"):
        told.away(summary(outage("00:10.5", 2.0), unwatched=[{"seconds": 4.0}]))


def way(away: float, seconds: float = 0.0, databases: float | None = None, **steps: float) -> told.Way:
    named = {step.replace("_", ": "): took for step, took in steps.items()}
    return told.Way({"keystone": away - 1, "nova": away}, seconds or away + 5, databases, named)


ONE = told.Round(way(100.0), way(10.0, 50.0, 3.0), way(500.0, install_ocata=200.0, nova=60.0), way(80.0, 100.0, 60.0))


def line(rounds: list[told.Round], what: str, loaded: bool = False) -> list[told.Line]:
    return [one for one in told.lines(rounds, loaded) if one.what == what]


def test_target_is_kept_only_when_every_round_keeps_it() -> None:
    (good,) = line([ONE], "upgrade: until the last API is back")
    assert good.judged == (0.2,)
    assert good.verdict == "<= 0.25: met"
    (bad,) = line([ONE, replace(ONE, ours=way(140.0)), ONE], "upgrade: until the last API is back")
    assert bad.verdict == "<= 0.25: **missed**"
    assert not bad.met


def test_installation_of_the_reference_can_be_left_out() -> None:
    (without,) = line([ONE], "the same, the reference's installation not counted")
    assert without.reference == (300.0,)
    assert without.verdict == "none"


def test_promised_seconds_are_judged_only_with_large_databases() -> None:
    assert [one.target for one in line([ONE], "rollback: the whole run")] == [0.2]
    ratio, seconds = line([ONE], "rollback: the whole run", loaded=True)
    assert (ratio.verdict, seconds.verdict) == ("<= 0.2: **missed**", "<= 60 s: met")


def test_tables_and_document_tell_the_same_figures() -> None:
    found = told.lines([ONE, replace(ONE, ours=way(140.0))], False)
    text = told.over_all(found)
    assert "120.0 (100.0 to 140.0)" in text
    assert "0.24 (0.20 to 0.28)" in text
    made = json.loads(json.dumps(told.document([ONE], found, {"instances": 50})))
    assert made["compared"][0]["judged"] == [0.2, 0.28]
    assert made["rounds"][0]["ours_back"]["databases"] == 3.0
    assert "| install: ocata" in told.of_round(1, ONE)


INFO = "thing-1.2"
FILES = {
    "thing/__init__.py": "VALUE = 7\n",
    "thing/__init__.pyc": "old",
    "../../../bin/thing-run": "#!/opt/ocata/bin/python\nprint('hello')\n",
    "../../../bin/thing-made": "#!/opt/ocata/bin/python\nraise SystemExit('pip makes it anew')\n",
    "../../../etc/thing/thing.conf": "[DEFAULT]\n",
    f"{INFO}.dist-info/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.2\n",
    f"{INFO}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n",
    f"{INFO}.dist-info/entry_points.txt": "[console_scripts]\nthing-made = thing:VALUE\n",
    f"{INFO}.dist-info/INSTALLER": "pip\n",
}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment as pip leaves it, one of whose files was taken away since."""
    root, files = tmp_path / "opt" / "ocata", dict(FILES)
    site = root / "lib/python2.7/site-packages"
    for path, content in files.items():
        place = (site / path).resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    gone = "../../../etc/thing/gone.conf,,"
    (site / f"{INFO}.dist-info" / "RECORD").write_text("".join(f"{path},,\n" for path in files) + gone)
    (root / "bin" / "python").symlink_to("/usr/bin/python2.7")
    return root


def test_wheel_made_of_a_distribution_installs_what_it_was(environment: Path, tmp_path: Path) -> None:
    made = wheel(environment, INFO, tmp_path)
    assert made.name == "thing-1.2-py2.py3-none-any.whl"
    target = tmp_path / "prefix"
    words = [
        "install",
        "-q",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--disable-pip-version-check",
        "--prefix",
        str(target),
    ]
    subprocess.run([sys.executable, "-m", "pip", *words, str(made)], check=True, capture_output=True)
    found = {path.name: path for path in target.rglob("*") if path.is_file()}
    assert found["__init__.py"].read_text() == "VALUE = 7\n"
    assert found["thing.conf"].read_text() == "[DEFAULT]\n"
    assert found["thing-run"].read_text().splitlines()[0] == f"#!{sys.executable}"
    assert "thing" in found["thing-made"].read_text()
    assert "anew" not in found["thing-made"].read_text()
    assert "gone.conf" not in found


def test_what_pip_makes_itself_is_in_no_wheel() -> None:
    named = [
        f"{INFO}.dist-info/RECORD",
        f"{INFO}.data/scripts/thing-run",
        "thing/__init__.pyc",
        "../../../bin/thing-made",
    ]
    assert [place_of(path, INFO, ["thing-made"]) for path in named] == [""] * 4
    assert place_of("../../../bin/thing-run", INFO, []) == f"{INFO}.data/scripts/thing-run"


def test_skeleton_has_what_no_wheel_has_and_no_folder_that_pip_takes_for_a_distribution(
    environment: Path, tmp_path: Path
) -> None:
    (environment / "etc" / "nova").mkdir(parents=True)
    (environment / "etc" / "nova" / "api-paste.ini").write_text("x")
    owned = {f"lib/python2.7/site-packages/{path}" for path in FILES if not path.startswith("..")}
    owned |= {path.removeprefix("../../../") for path in FILES} | {
        f"lib/python2.7/site-packages/{INFO}.dist-info/RECORD"
    }
    skeleton(environment, owned, tmp_path / "x.tar", "opt/ocata")
    with tarfile.open(tmp_path / "x.tar") as packed:
        assert packed.getnames() == ["opt/ocata/bin/python", "opt/ocata/etc/nova/api-paste.ini"]


STATUS = """Package: python2.7
Version: 2.7.18-8
Architecture: amd64
Depends: libssl1.1 (>= 1.1), media | mime-support:any, libc6
Description: a language
 Version: of another kind

Package: libssl1.1
Version: 1:1.1.1w
Architecture: amd64

Package: mime-support
Version: 3
Architecture: all
Pre-Depends: perl-base

Package: perl-base
Version: 5.36-4
Architecture: amd64

Package: libc6
Version: 2.36
Architecture: amd64
"""


def test_packages_are_those_that_the_plain_image_has_not_in_that_version() -> None:
    plain = read_status(
        STATUS.replace("5.36-4", "5.36-3").replace("python2.7", "python3").replace("libssl1.1\n", "x\n")
    )
    del plain["mime-support"]
    files = closure(["python2.7"], read_status(STATUS), plain)
    assert files == [
        "libssl1.1_1%3a1.1.1w_amd64.deb",
        "mime-support_3_all.deb",
        "perl-base_5.36-4_amd64.deb",
        "python2.7_2.7.18-8_amd64.deb",
    ]


def test_mirror_names_a_package_that_is_not_in_the_cache(environment: Path, tmp_path: Path) -> None:
    node, plain = tmp_path, tmp_path / "plain"
    for name in ("pike", "rocky"):
        (node / "opt" / name / "lib/python2.7/site-packages").mkdir(parents=True)
    for root, text in ((node, STATUS), (plain, "")):
        (root / "var/lib/dpkg").mkdir(parents=True)
        (root / "var/lib/dpkg/status").write_text(text)
    with pytest.raises(LabRefused, match=r"The cache has no package .*/libc6_2.36_amd64.deb"):
        mirror(node, plain, tmp_path / "debs", tmp_path / "mirror")
    assert distributions(environment / "lib/python2.7/site-packages") == [INFO]
    with zipfile.ZipFile(tmp_path / "mirror/ocata/thing-1.2-py2.py3-none-any.whl") as packed:
        assert packed.testzip() is None


def test_reference_upgrades_service_after_service_and_nova_in_ten_steps() -> None:
    assert [one.name for one in SERVICES] == ["keystone", "glance", "nova", "cinder", "neutron", "heat"]
    nova = next(one for one in SERVICES if one.name == "nova").schema
    words = ["map_cell0" if one == MAP_CELL0 else " ".join(one[3:]) for one in nova]
    assert words == [
        "api_db sync --version 20", "db sync --version 334", "db online_data_migrations", "map_cell0",
        "cell_v2 create_cell --name=cell1", "cell_v2 discover_hosts", "cell_v2 map_instances --cell_uuid CELL1", "api_db sync", "db sync",
        "db online_data_migrations",
    ]  # fmt: skip


def test_archive_of_the_configuration_holds_what_every_service_takes_out_of_it() -> None:
    assert {path for one in SERVICES for path in one.files()} <= set(CONFIGURATION.split())


def test_backup_that_fails_in_the_pipe_is_no_backup(tmp_path: Path) -> None:
    taken = backup_command(str(tmp_path / "full.zst"), []).replace("zstd -q -1 -T2 -c", "cat")
    codes = [
        subprocess.run(["bash", "-c", taken.replace("mariadb-backup", tool)], check=False).returncode
        for tool in ("false", "echo")
    ]
    assert codes == [1, 0]
