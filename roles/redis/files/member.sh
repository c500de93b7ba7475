#!/bin/sh
# shellcheck disable=SC2317,SC2154 # a signal calls the functions that look unreachable, and common.sh sets the variables
# One member: decides whether it may start and as what, starts the server, and hands the primary's role over before it stops.
set -eu
# shellcheck source=common.sh
. /etc/frontdesk/common.sh

# Whose volume this is, and whether it has ever held everything that the cluster had.
owner=/data/cluster
complete=/data/complete

# A server that was the primary a moment ago waits this long for the others to choose another one: the time after which
# Sentinels call a server dead, and an election.
election=$((REDIS_DOWN_AFTER / 1000 + 5))

volume_is_empty() {
    [ ! -e "$complete" ]
}

note() {
    echo "$REDIS_CLUSTER" > "$1.new"
    mv "$1.new" "$1"
}

check_volume() {
    if [ ! -e "$owner" ]; then
        if [ -e /data/dump.rdb ] || [ -d /data/appendonlydir ]; then
            refuse "the volume holds data, and nothing says that they are of the cluster $REDIS_CLUSTER. If they are, write" \
                "that name into the files 'cluster' and 'complete' of the volume."
        fi
    elif [ "$(cat "$owner")" != "$REDIS_CLUSTER" ]; then
        refuse "the volume holds data of the cluster $(cat "$owner"), and this is $REDIS_CLUSTER."
    fi
}

# Prints the primary to follow, or nothing when this member is to be the primary.
choose_primary() {
    # shellcheck disable=SC2086 # a list of words
    set -- $REDIS_MEMBERS
    if [ $# -eq 1 ]; then
        may_be_primary
        return
    fi
    patience=$election
    waited=no
    while :; do
        primary=$(named_primary)
        if [ -z "$primary" ]; then
            [ $waited = yes ] || say "waiting for the word of $(majority) Sentinels"
            waited=yes
        elif [ "$primary" != "$REDIS_MEMBER" ]; then
            echo "$primary"
            return
        elif nobody_has_data; then
            may_be_primary
            return
        elif [ "$patience" -gt 0 ]; then
            [ "$patience" -lt "$election" ] || say "I was the primary; giving the others up to $election s to choose another one"
            patience=$((patience - 1))
        else
            may_be_primary
            return
        fi
        sleep 1
    done
}

# The first start of all: there is nothing to wait for.
nobody_has_data() {
    volume_is_empty && [ "$REDIS_INITIALISED" != true ]
}

may_be_primary() {
    if volume_is_empty && [ "$REDIS_INITIALISED" = true ]; then
        refuse "I am to be the primary of $REDIS_CLUSTER, and my volume is empty though the cluster has data. Bring the" \
            "volume back, or let another member become the primary. The data of the others would be lost."
    fi
}

write_configuration() {
    umask 077
    {
        echo "include /etc/frontdesk/redis.conf"
        echo "replica-announce-ip $REDIS_MEMBER"
        echo "masteruser admin"
        echo "masterauth $(password admin_password)"
        echo "user default on #$(hash_of password) ~* &* $REDIS_APPLICATION_RIGHTS"
        echo "user admin on #$(hash_of admin_password) ~* &* +@all"
        echo "user check on #$(hash_of check_password) resetchannels -@all +ping +info"
        if [ -n "$1" ]; then
            echo "replicaof $1 6379"
            # Nobody elects a replica that has no data yet.
            ! volume_is_empty || echo "replica-priority 0"
        fi
    } > "$run/redis.conf"
}

# The first copy of the primary's data has arrived: from now on this member counts.
await_data() {
    until replication | grep -qx master_link_status:up; do
        sleep 1
    done
    note "$complete"
    here CONFIG SET replica-priority 100 > /dev/null
    say "everything has arrived from the primary"
}

here() {
    ask 127.0.0.1 6379 "$@"
}

replication() {
    here INFO replication | tr -d '\r'
}

# How many replicas have everything that the primary has.
caught_up() {
    replication | awk -F '[:,=]' '
        $1 == "master_repl_offset" { wanted = $2 }
        $1 ~ /^slave[0-9]+$/ { for (i = 2; i < NF; i++) if ($i == "offset") offsets[$1] = $(i + 1) }
        END { for (name in offsets) if (offsets[name] >= wanted) count++; print count + 0 }'
}

# As a replica it refuses at once what it has held back, and whoever checks servers sees that before it is gone.
step_down() {
    here REPLICAOF "$1" 6379 > /dev/null || :
    here CLIENT UNPAUSE > /dev/null || :
    sleep 2
    # The other one has everything; there is no need to wait for replicas or to write a copy.
    here SHUTDOWN NOSAVE NOW > /dev/null || :
}

# Writes are held back until the others have elected a primary that has all of them: no acknowledged write is lost, and
# there is never a second server that takes any.
hand_over() {
    # shellcheck disable=SC2086 # a list of words
    set -- $REDIS_MEMBERS
    [ $# -gt 1 ] || return 0
    replication | grep -qx role:master || return 0
    say "handing the primary's role over"
    # One ping more in the stream of one replica than in that of another, and they could not go on from where they are.
    here CONFIG SET repl-ping-replica-period 3600 > /dev/null || return 0
    here CLIENT PAUSE 15000 WRITE > /dev/null || return 0
    tries=0
    while [ "$(caught_up)" = 0 ] && [ "$tries" -lt 20 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    [ "$(caught_up)" != 0 ] || { say "no replica has everything; stopping without a hand-over"; return 0; }
    for sentinel in $REDIS_SENTINELS; do
        [ "$(ask "$sentinel" "$sentinel_port" SENTINEL FAILOVER "$REDIS_CLUSTER")" != OK ] || break
    done
    tries=0
    while [ "$tries" -lt 50 ]; do
        primary=$(named_primary)
        if [ -n "$primary" ] && [ "$primary" != "$REDIS_MEMBER" ]; then
            say "$primary is the primary"
            step_down "$primary"
            return 0
        fi
        tries=$((tries + 1))
        sleep 0.2
    done
    say "the others chose no other primary; stopping without a hand-over"
}

stop() {
    trap '' TERM INT
    hand_over || :
    kill -TERM "$server" 2> /dev/null || :
}

check_volume
lock_volume
# What the task before wrote until it ended counts.
check_volume
primary=$(choose_primary)
say "starting as ${primary:+a replica of }${primary:-the primary}"
write_configuration "$primary"
note "$owner"
[ -n "$primary" ] || note "$complete"
"$kind-server" "$run/redis.conf" &
server=$!
if volume_is_empty; then
    await_data 9>&- &
fi
trap stop TERM INT
while kill -0 "$server" 2> /dev/null; do
    status=0
    wait "$server" || status=$?
done
exit "$status"
