#!/usr/bin/env bash
# Everything that the commands of the Makefile need: a virtual environment with the pinned packages and a
# link that makes this checkout the collection frontdesk.platform. Safe to run again; a second run takes
# well under a second.
set -eu
. "$(dirname "$0")/common.sh"

stamp=$venv/.frontdesk-setup
wanted=$(cat "$checkout/requirements.txt" "$checkout/requirements-dev.txt" "$0" | sha256sum | cut -d' ' -f1)

link() {
    mkdir -p "$(dirname "$2")"
    ln -sfn "$1" "$2"
}

make_venv() {
    local python
    python=$("$checkout/scripts/python.sh")
    say "Python: making a virtual environment with $("$python" --version) (about a minute) ..."
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$checkout/requirements-dev.txt" ||
        die "installing the Python packages failed; see pip's message above. Run the same command again when it is mended."
    printf '%s' "$wanted" >"$stamp"
}

# Two runs at once must not build the same environment.
mkdir -p "$(dirname "$venv")"
exec 9>"$(dirname "$venv")/setup.lock"
flock 9

if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    make_venv
fi
link "$venv" "$checkout/.venv"
link "$checkout" "$venv/.ansible/collections/ansible_collections/frontdesk/platform"
