#!/bin/sh
# As in the official image: options may be given without the program's name, and HAProxy runs as a master with workers
# (reload by SIGUSR2) in the foreground.
set -e
case "$1" in
    -*) set -- haproxy "$@" ;;
esac
if [ "$1" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
