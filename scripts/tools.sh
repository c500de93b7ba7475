#!/usr/bin/env bash
# The two linters that are no Python packages, for `make lint`: shellcheck from the distribution, actionlint
# built by Go. Where one cannot be had the reason goes to <cache>/bin/NAME.missing and lint reports a skip.
set -eu
. "$(dirname "$0")/common.sh"

actionlint=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
bin=$frontdesk_home/bin

missing() { printf '%s\n' "$2" >"$bin/$1.missing"; }

shellcheck_from_distribution() {
    if ! { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }; then
        missing shellcheck "not installed; only root can install the distribution's package shellcheck"
    elif ! { apt-get install -y -qq --no-install-recommends shellcheck ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends shellcheck; }; } >"$bin/shellcheck.log" 2>&1; then
        missing shellcheck "not installed, and apt-get could not install it: $(grep -m 1 '^E:' "$bin/shellcheck.log" || true)"
    fi
}

actionlint_with_go() {
    if ! command -v go >/dev/null; then
        missing actionlint "not installed; building it needs Go"
    elif ! GOBIN=$bin GOFLAGS=-mod=mod go install "$actionlint" >"$bin/actionlint.log" 2>&1; then
        missing actionlint "not installed, and Go could not build it: $(tail -n 1 "$bin/actionlint.log")"
    fi
}

mkdir -p "$bin"
rm -f "$bin"/*.missing
PATH=$bin:$PATH
command -v shellcheck >/dev/null || shellcheck_from_distribution
if [ ! -x "$bin/actionlint" ] || [ "$(cat "$bin/actionlint.version" 2>/dev/null || true)" != "$actionlint" ]; then
    actionlint_with_go
    [ ! -x "$bin/actionlint" ] || printf '%s' "$actionlint" >"$bin/actionlint.version"
fi
