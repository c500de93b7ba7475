#!/usr/bin/env bash
# Makes sure that a Docker engine answers: uses the one that does, else installs the distribution's
# (Debian and Ubuntu, as root) and starts it, with systemd where that is PID 1 and without where not.
set -eu
. "$(dirname "$0")/common.sh"

socket=/var/run/docker.sock
log=$frontdesk_home/dockerd.log

answers() {
    python3 - "${DOCKER_HOST:-unix://$socket}" <<'PYTHON' 2>/dev/null
import socket, sys, urllib.parse
url = urllib.parse.urlparse(sys.argv[1])
if url.scheme == "unix":
    connection = socket.socket(socket.AF_UNIX)
    address = url.path
else:
    connection = socket.socket()
    address = (url.hostname, url.port or 2375)
connection.settimeout(5)
connection.connect(address)
connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
sys.exit(b" 200 " not in connection.recv(200))
PYTHON
}

systemd_runs() { [ -d /run/systemd/system ]; }

install_engine() {
    say "Docker: no engine here, installing the distribution's package docker.io ..."
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || say "Docker: apt-get update failed, going on with the package lists at hand"
    apt-get install -y -qq --no-install-recommends docker.io iptables >"$log.install" 2>&1 ||
        die "installing docker.io failed: $(grep -E '^E:' "$log.install" | head -n 1). Install a Docker engine by hand, then run this again."
}

# A killed engine leaves a pid file behind. If the number has gone to another process by now, the new
# engine refuses to start.
remove_stale_pid_file() {
    local pid_file=$1 pid
    [ -f "$pid_file" ] || return 0
    pid=$(cat "$pid_file")
    case "$(cat "/proc/$pid/comm" 2>/dev/null || true)" in
        dockerd | containerd) ;;
        *) rm -f "$pid_file" ;;
    esac
}

start_engine() {
    if systemd_runs; then
        systemctl start docker || die "systemctl start docker failed; 'journalctl -u docker' tells why."
        return
    fi
    remove_stale_pid_file /var/run/docker.pid
    remove_stale_pid_file /var/run/docker/containerd/containerd.pid
    setsid nohup dockerd >"$log" 2>&1 </dev/null &
}

wait_for_engine() {
    local deadline=$((SECONDS + 60))
    until answers; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.3 # between two looks at the socket; the condition is the engine's answer
    done
}

mkdir -p "$frontdesk_home"
if answers; then
    exit 0
fi
[ -z "${DOCKER_HOST:-}" ] || die "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST; start it, or unset DOCKER_HOST."
if [ -S "$socket" ] && [ ! -w "$socket" ]; then
    die "the Docker engine's socket $socket may not be used by $(id -un); add the user to the group docker ('sudo usermod -aG docker $(id -un)') and log in again."
fi
if ! command -v dockerd >/dev/null; then
    may_install_packages || die "no Docker engine answers at $socket; install Docker (https://docs.docker.com/engine/install/) and start it, or, on Debian and Ubuntu, run this as root."
    install_engine
fi
[ "$(id -u)" = 0 ] || die "the Docker engine is installed but does not run; start it ('sudo systemctl start docker'), then run this again."
say "Docker: starting the engine ..."
start_engine
wait_for_engine || die "the Docker engine did not answer within 60 s: $(tail -n 1 "$log" 2>/dev/null || true)"
say "Docker: the engine answers"
