#!/bin/sh
# As in the official image: options or a configuration file may be given without the program's name, and root becomes the
# user valkey.
set -e
case "$1" in
    -* | *.conf) set -- valkey-server "$@" ;;
esac
if [ "$1" = valkey-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user valkey -exec chown valkey '{}' +
    exec setpriv --reuid valkey --regid valkey --clear-groups "$0" "$@"
fi
if [ "$(umask)" = 0022 ]; then
    umask 0077
fi
exec "$@"
