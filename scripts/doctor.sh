#!/usr/bin/env bash
# Says everything that this machine lacks for `make site` and `make test`, all at once, and changes nothing.
# Exit code 0: nothing is missing. 1: something is.
set -u
. "$(dirname "$0")/common.sh"

minimum_disk_gb=15
minimum_memory_gb=8
missing=0

good() { printf '  ok       %-12s %s\n' "$1" "$2"; }
note() { printf '  note     %-12s %s\n' "$1" "$2"; }
lacks() {
    printf '  MISSING  %-12s %s\n' "$1" "$2"
    missing=$((missing + 1))
}

check_system() {
    local system
    system="$(uname -s) $(uname -m)"
    if [ "$system" = "Linux x86_64" ]; then
        good system "$system"
    else
        lacks system "$system; the lab's servers are Linux x86_64 containers: use such a machine, or a virtual one"
    fi
}

check_programs() {
    local program package
    # What the Makefile and the set-up call, and the package of Debian and Ubuntu that holds it.
    for pair in git:git make:make flock:util-linux sha256sum:coreutils ssh:openssh-client awk:mawk tar:tar; do
        program=${pair%%:*} package=${pair##*:}
        if command -v "$program" >/dev/null; then
            good "$program" "$(command -v "$program")"
        else
            lacks "$program" "not found; install it (Debian and Ubuntu: apt-get install $package)"
        fi
    done
}

check_python() {
    local python
    if python=$("$checkout/scripts/python.sh" 2>&1); then
        good python "$python ($("$python" --version 2>&1))"
    else
        lacks python "${python#ERROR: }"
    fi
    # The set-up asks the engine's socket with it before there is a virtual environment.
    command -v python3 >/dev/null || lacks python3 "not on PATH; install it (Debian and Ubuntu: apt-get install python3)"
}

check_engine() {
    local socket=/var/run/docker.sock version
    if command -v docker >/dev/null && version=$(timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null) && [ -n "$version" ]; then
        good docker "engine $version answers"
    elif [ -n "${DOCKER_HOST:-}" ]; then
        lacks docker "no engine answers at DOCKER_HOST=$DOCKER_HOST; start it, or unset DOCKER_HOST"
    elif [ -S "$socket" ] && [ ! -w "$socket" ]; then
        lacks docker "$socket may not be used by $(id -un); run 'sudo usermod -aG docker $(id -un)' and log in again"
    elif command -v dockerd >/dev/null && [ "$(id -u)" = 0 ]; then
        note docker "the engine does not run; the set-up starts it"
    elif command -v dockerd >/dev/null; then
        lacks docker "the engine does not run; start it with 'sudo systemctl start docker'"
    elif may_install_packages; then
        note docker "no engine; the set-up installs the distribution's and starts it"
    else
        lacks docker "no engine; install it (https://docs.docker.com/engine/install/), or on Debian and Ubuntu run as root"
    fi
}

check_packages() {
    if command -v apt-get >/dev/null || command -v dnf >/dev/null || command -v zypper >/dev/null || command -v pacman >/dev/null; then
        good packages "a package manager is there"
    else
        note packages "no package manager known here; install by hand what is missing"
    fi
    if command -v mmdebstrap >/dev/null || may_install_packages; then
        good mmdebstrap "$(command -v mmdebstrap || echo 'the set-up can install it')"
    else
        note mmdebstrap "not there; without it the lab's images need a registry (FRONTDESK_LAB_IMAGES=pull)"
    fi
}

# The file system of the folder, or of the nearest parent that exists.
free_gb() {
    local folder=$1
    until [ -d "$folder" ]; do folder=$(dirname "$folder"); done
    df --output=avail --block-size=1G "$folder" | tail -n 1 | tr -d ' '
}

check_disk() {
    local folder free
    for folder in /var/lib/docker "$frontdesk_home"; do
        free=$(free_gb "$folder")
        if [ "$free" -ge "$minimum_disk_gb" ]; then
            good disk "$free GB free for $folder"
        else
            lacks disk "$free GB free for $folder; $minimum_disk_gb GB are needed: free some, or set FRONTDESK_HOME for the cache"
        fi
    done
}

check_memory() {
    local total
    # A machine sold as 8 GB shows a little less.
    total=$(awk '/^MemTotal/ { printf "%d", $2 / 1000000 + 0.5 }' /proc/meminfo)
    if [ "$total" -ge "$minimum_memory_gb" ]; then
        good memory "$total GB"
    else
        lacks memory "$total GB; three servers and their services need $minimum_memory_gb GB"
    fi
}

check_cgroups() {
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        good cgroups "version 2"
    elif [ -d /sys/fs/cgroup/memory ]; then
        good cgroups "version 1"
    else
        lacks cgroups "not mounted at /sys/fs/cgroup; the lab's servers run systemd and need them"
    fi
}

check_linters() {
    local name reason
    for name in shellcheck actionlint; do
        if PATH=$frontdesk_home/bin:$PATH command -v "$name" >/dev/null; then
            good "$name" "there"
        else
            reason="'make lint' installs it where it can, and else says that it was skipped"
            note "$name" "$reason"
        fi
    done
}

say "This machine, for 'make site' and 'make test':"
check_system
check_programs
check_python
check_engine
check_packages
if [ "$(uname -s)" = Linux ]; then
    check_disk
    check_memory
    check_cgroups
fi
check_linters

if [ "$missing" -gt 0 ]; then
    say "$missing missing."
    exit 1
fi
say "Nothing is missing."
