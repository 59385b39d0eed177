#!/bin/sh
# Print the Python to set up with: the one that is asked for ($1), else the one that .venv was made
# with, else the first of the usual names that the wheels support.
check='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
made_with=$(sed -n 's/^home = \(.*\)/\1\/python3/p' "$(dirname "$0")/../.venv/pyvenv.cfg" 2>/dev/null)
for python in ${1:-$made_with python3 python3.12 python3.13 python3.11}; do
    if "$python" -c "$check" 2>/dev/null; then
        echo "$python"
        exit 0
    fi
done
found=$("${1:-python3}" --version 2>&1) || found="no ${1:-python3}"
echo "setup: error: Python 3.11 to 3.13 needed, found: $found" \
    "(name another one: make setup PYTHON=/path/to/python3.12)" >&2
exit 1
