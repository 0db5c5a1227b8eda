#!/usr/bin/env bash
# A Debian package of the command for the Salt master's machine: everything that it needs under /opt/upgrader, without the lab.
# Usage: packaging/build-deb.sh [FOLDER]   puts upgrader_VERSION_ARCH.deb there (here by default). Before it: ./setup.sh package
set -euo pipefail
out=$(realpath "${1:-.}")
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || { echo "build-deb: ./setup.sh package makes the environment that this builds in: run it first" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root lib=$work/root/opt/upgrader/lib
version=$("$python" -c 'from upgrader import __version__; print(__version__)')
series=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
arch=$(dpkg --print-architecture)

# The sources are copied: building leaves its folders in them.
mkdir -p "$work/source" "$lib" "$root/usr/bin" "$root/usr/lib/systemd/system" "$root/usr/share/man/man1" "$root/DEBIAN"
git ls-files -z -- upgrader formulas reclass_classes pyproject.toml README.md | xargs -0 cp --parents -t "$work/source"
"$python" -m pip install --quiet --disable-pip-version-check --no-compile --target "$lib" "$work/source[serve]"
rm -rf "$lib/upgrader/lab" "$lib/bin"

cat >"$root/usr/bin/upgrader" <<END
#!/usr/bin/python$series -IS
# Behind the standard library, and without what else this machine has.
import sys

sys.path.append("/opt/upgrader/lib")
from upgrader.cli.main import entry

entry()
END
chmod 755 "$root/usr/bin/upgrader"
cp packaging/upgrader@.service "$root/usr/lib/systemd/system/"
"$python" packaging/man_pages.py "$root/usr/share/man/man1"
gzip -9n "$root"/usr/share/man/man1/*

cat >"$root/DEBIAN/control" <<END
Package: upgrader
Version: $version
Architecture: $arch
Maintainer: upgrader's authors <root@localhost>
Depends: python$series
Section: admin
Priority: optional
Installed-Size: $(du -sk "$root" | cut -f1)
Description: takes an OpenStack Mitaka cloud to Ocata, stage by stage
 For the machine of the Salt master. Rehearses on a copy of the databases, builds the control plane anew, goes back from
 receipts, with a journal that every stop can be resumed from.
END
# What Python compiled there is in no list of dpkg's.
cat >"$root/DEBIAN/postrm" <<'END'
#!/bin/sh
set -e
case "$1" in remove | purge) rm -rf /opt/upgrader ;; esac
END
chmod 755 "$root/DEBIAN/postrm"
dpkg-deb --root-owner-group --build "$root" "$out/upgrader_${version}_$arch.deb" >/dev/null
echo "$out/upgrader_${version}_$arch.deb"
