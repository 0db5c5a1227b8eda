#!/usr/bin/env bash
# The main job in the lab: a Mitaka cloud's databases go to Ocata on a copy. One argument: how many instances (default 1000).
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh
.venv/bin/upgrader lab up --instances "${1:-1000}"
.venv/bin/upgrader lab run -- control-plane --stage test-upgrade
printf '%s\n' "The lab is still up: '.venv/bin/upgrader lab shell upg01' to look around, '.venv/bin/upgrader lab down' to remove it." >&2
