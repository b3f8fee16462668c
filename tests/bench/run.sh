#!/usr/bin/env bash
# make bench: pontoon beside etcd in one run; arguments go to bench.py.
set -euo pipefail
exec python3 "$(dirname "$(readlink -f "$0")")/bench.py" "$@"
