"""What the lab takes over from the host: apt's sources in both formats, its proxies, pip's settings, the CA bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from upgrader.errors import LabRefused
from upgrader.lab.image.apt_sources import (
    AptSource,
    choose_mirror,
    inherited_settings,
    parse_deb822,
    parse_one_line,
    read_sources,
)
from upgrader.lab.image.build_settings import BuildSettings
from upgrader.lab.image.pip_settings import PipSettings, ca_bundle, local_directories, parse_config_list

DEB822 = """Types: deb
# a remark
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
Enabled: no
URIs: http://mirror.example/debian
Suites: sid
Components: main
"""


def test_deb822_stanzas_give_one_entry_for_each_suite_and_disabled_ones_none() -> None:
    entries = parse_deb822(DEB822)
    assert [(entry.uri, entry.suite) for entry in entries] == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
        ("http://mirror.example/debian-security", "bookworm-security"),
    ]
    assert entries[0].signed_by == "/usr/share/keyrings/archive.gpg"


def test_one_line_entries_are_read_with_their_options() -> None:
    text = (
        "# deb http://commented.example/debian bookworm main\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg trusted=yes] http://mirror.example/debian bookworm main contrib # end\n"
    )
    assert parse_one_line(text) == [
        AptSource("http://mirror.example/debian", "bookworm", ("main", "contrib"), "/k.gpg", True)
    ]


def test_sources_are_read_from_the_list_and_from_both_kinds_of_parts(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://one.example/debian bookworm main\n")
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "b.sources").write_text(DEB822)
    (parts / "a.list").write_text("deb http://two.example/tool tool-bookworm main\n")
    (parts / "c.list.bak").write_text("deb http://three.example/debian bookworm main\n")
    assert [entry.uri for entry in read_sources(tmp_path)][:3] == [
        "http://one.example/debian",
        "http://two.example/tool",
        "http://mirror.example/debian",
    ]


def test_the_mirror_is_the_hosts_own_with_its_updates_and_security() -> None:
    tool = AptSource("http://tool.example/apt", "cloud-sdk-bookworm", ("main",))
    mirror = choose_mirror([tool, *parse_deb822(DEB822)])
    assert mirror.main.uri == "http://mirror.example/debian"
    assert [entry.suite for entry in mirror.others] == ["bookworm-updates", "bookworm-security"]
    assert mirror.older("bullseye").suite == "bullseye"


def test_a_host_of_another_release_still_names_a_debian_archive() -> None:
    mirror = choose_mirror([AptSource("http://mirror.example/debian/", "trixie", ("main",))])
    assert (mirror.main.uri, mirror.main.suite, mirror.others) == ("http://mirror.example/debian/", "bookworm", ())


def test_an_override_replaces_the_mirror_and_keeps_the_hosts_key() -> None:
    mirror = choose_mirror(parse_deb822(DEB822), "http://mine.example/debian")
    assert mirror.sources == (
        AptSource("http://mine.example/debian", "bookworm", ("main",), "/usr/share/keyrings/archive.gpg"),
    )


def test_no_debian_archive_is_refused_with_the_remedy() -> None:
    with pytest.raises(LabRefused, match="--mirror URL"):
        choose_mirror([AptSource("http://tool.example/apt", "stable", ("contrib",))])


def test_only_settings_that_say_how_to_reach_a_mirror_are_inherited() -> None:
    dump = (
        'APT::Install-Recommends "1";\nAcquire::http::Proxy "http://proxy.example:3142";\n'
        'Acquire::https::mirror.example::Proxy "DIRECT";\nAcquire::Languages "none";\nAcquire::Check-Valid-Until "false";\n'
        'DPkg::Post-Invoke:: "rm -rf /";\n'
    )
    lines = inherited_settings(dump)
    assert lines == [
        'Acquire::http::Proxy "http://proxy.example:3142";',
        'Acquire::https::mirror.example::Proxy "DIRECT";',
        'Acquire::Check-Valid-Until "false";',
    ]
    settings = BuildSettings(choose_mirror(parse_deb822(DEB822)), PipSettings({}), tuple(lines))
    assert settings.proxies == ("http://proxy.example:3142",)


def test_debootstraps_wget_goes_through_apts_proxy(tmp_path: Path) -> None:
    lines = ('Acquire::http::Proxy "http://proxy.example:3142";', 'Acquire::https::Proxy "DIRECT";')
    BuildSettings(choose_mirror(parse_deb822(DEB822)), PipSettings({}), lines).write(tmp_path)
    assert (tmp_path / "wgetrc").read_text() == "http_proxy = http://proxy.example:3142\n"


def test_pips_environment_wins_over_its_files_and_other_options_are_left_out() -> None:
    text = (
        ":env:.index-url='http://env.example/simple'\nglobal.index-url='http://file.example/simple'\n"
        "global.extra-index-url='\\nfile:///a/simple\\nfile:///b/simple'\ninstall.target='/somewhere'\n"
        "wheel.index-url='http://no.example'\n"
    )
    assert parse_config_list(text) == {
        "index-url": "http://env.example/simple",
        "extra-index-url": "file:///a/simple file:///b/simple",
    }


def test_a_local_index_is_shown_with_the_directory_that_holds_it(tmp_path: Path) -> None:
    (tmp_path / "index" / "simple").mkdir(parents=True)
    (tmp_path / "wheels").mkdir()
    options = {
        "index-url": "https://index.example/simple",
        "extra-index-url": f"file://{tmp_path}/index/simple file://{tmp_path}/absent/simple/x",
        "find-links": f"{tmp_path}/wheels",
    }
    assert local_directories(options) == (f"{tmp_path}/index", f"{tmp_path}/wheels")


def test_the_ca_bundle_is_the_one_pip_was_given_else_the_environments_else_debians(tmp_path: Path) -> None:
    pips, environments, debians = (tmp_path / name for name in ("pip.pem", "env.pem", "debian.pem"))
    debians.touch()
    assert ca_bundle({"SSL_CERT_FILE": str(environments)}, {}, debians) == debians
    environments.touch()
    assert ca_bundle({"SSL_CERT_FILE": str(environments)}, {"cert": str(pips)}, debians) == environments
    pips.touch()
    assert ca_bundle({}, {"cert": str(pips)}, debians) == pips
    assert ca_bundle({}, {}, tmp_path / "none") is None


def test_what_a_build_is_given_is_for_root_alone_and_names_no_path_of_the_host(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("certificates")
    key = tmp_path / "archive.gpg"
    key.write_bytes(b"key")
    mirror = choose_mirror([AptSource("http://mirror.example/debian", "bookworm", ("main",), str(key))])
    pip = PipSettings({"index-url": "https://user:hidden@index.example/simple"}, (), bundle)
    folder = tmp_path / "inputs"
    folder.mkdir()
    BuildSettings(mirror, pip).write(folder)
    assert "hidden" in (folder / "pip.conf").read_text()
    for path in (*folder.glob("*"), *folder.glob("sources.d/*")):
        if path.is_file() and path.suffix in (".conf", ".sources", ".sh"):
            assert path.stat().st_mode & 0o077 == 0, path
            assert str(tmp_path) not in path.read_text(), path
    assert "Signed-By: /run/lab-build/key-0.gpg" in (folder / "sources.d" / "0.sources").read_text()
    assert "cert = /run/lab-build/ca.pem" in (folder / "pip.conf").read_text()
