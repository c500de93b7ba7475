#!/bin/sh
# shellcheck disable=SC2154 # common.sh sets the variables
# One Sentinel. It keeps what it knows of the cluster in its own configuration file; the rest of that file is written anew
# at each start, so that changed settings count.
set -eu
# shellcheck source=common.sh
. /etc/frontdesk/common.sh

state=/data/sentinel.conf

# known FIELD WORD: the lines of the state that begin so and name, in that field, a host that is still one of the cluster's. Each host
# once: while names do not resolve a Sentinel may write one twice, and would not start with that.
known() {
    [ -e "$state" ] || return 0
    awk -v field="$1" -v begin="$2 $REDIS_CLUSTER " -v hosts=" $REDIS_MEMBERS $REDIS_SENTINELS " \
        'index($0, begin) == 1 && index(hosts, " " $field " ") && !seen[$field]++' "$state"
}

# epoch WORDS: the lines of the state that begin so.
kept() {
    [ ! -e "$state" ] || grep "^$1 " "$state" || :
}

write_configuration() {
    umask 077
    first=${REDIS_MEMBERS%% *}
    # What the others agree on is newer than what this one knew when it ended.
    primary=$(named_primary)
    [ -n "$primary" ] || primary=$(known 4 "sentinel monitor" | awk '{ print $4 }')
    primary=${primary:-$first}
    {
        echo "port $sentinel_port"
        echo "dir /tmp"
        echo "protected-mode no"
        echo "requirepass $(password admin_password)"
        echo "sentinel resolve-hostnames yes"
        echo "sentinel announce-hostnames yes"
        echo "sentinel announce-ip $REDIS_MEMBER"
        echo "sentinel deny-scripts-reconfig yes"
        kept "sentinel myid"
        echo "sentinel monitor $REDIS_CLUSTER $primary 6379 $(majority)"
        echo "sentinel auth-user $REDIS_CLUSTER admin"
        echo "sentinel auth-pass $REDIS_CLUSTER $(password admin_password)"
        echo "sentinel down-after-milliseconds $REDIS_CLUSTER $REDIS_DOWN_AFTER"
        echo "sentinel failover-timeout $REDIS_CLUSTER $REDIS_FAILOVER_TIMEOUT"
        echo "sentinel parallel-syncs $REDIS_CLUSTER 1"
        kept "sentinel config-epoch $REDIS_CLUSTER"
        kept "sentinel leader-epoch $REDIS_CLUSTER"
        known 4 "sentinel known-replica" | awk -v primary="$primary" '$4 != primary'
        known 4 "sentinel known-sentinel"
        kept "sentinel current-epoch"
    } > "$state.new"
    mv "$state.new" "$state"
}

lock_volume
write_configuration
exec "$kind-sentinel" "$state"
