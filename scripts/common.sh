# shellcheck shell=bash disable=SC2034 # the scripts that source this use what it sets
# Shared by the scripts beside it: where things lie, and how to speak to the user.
# Sourced, not run.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# The virtual environment lies outside the checkout: it holds a link back to the checkout, and a loop
# inside the tree confuses every tool that walks it. The checkout's .venv is a link to it.
frontdesk_home=${FRONTDESK_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/frontdesk}
checkout_id=$(printf '%s' "$checkout" | sha256sum | cut -c1-10)
venv=$frontdesk_home/checkouts/$checkout_id/venv

say() { printf '%s\n' "$*"; }
die() { printf 'ERROR: %s\n' "$*" >&2; exit 1; }

# May the set-up install packages of the distribution here?
may_install_packages() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release
}
