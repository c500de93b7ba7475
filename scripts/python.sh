#!/usr/bin/env bash
# Prints the path of a Python interpreter that ansible-core accepts (3.12 to 3.14), or says what is missing.
set -eu
. "$(dirname "$0")/common.sh"

accepted() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

candidates() {
    [ -z "${FRONTDESK_PYTHON:-}" ] || printf '%s\n' "$FRONTDESK_PYTHON"
    for name in python3.13 python3.12 python3.14 python3; do
        command -v "$name" 2>/dev/null || true
    done
    for version in 3.13 3.12 3.14; do
        for path in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*/bin/python3 \
                    "$HOME"/.local/share/uv/python/cpython-"$version"*/bin/python3 \
                    /opt/python"$version"/bin/python3; do
            [ ! -x "$path" ] || printf '%s\n' "$path"
        done
    done
}

while read -r python; do
    if accepted "$python"; then
        "$python" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)'
        exit 0
    fi
done < <(candidates)

die "no Python 3.12, 3.13 or 3.14 with the modules venv and ensurepip was found;" \
    "install one (Debian 13, Ubuntu 24.04: apt install python3-venv; elsewhere: pyenv install 3.13)" \
    "or name one in FRONTDESK_PYTHON."
