# shellcheck shell=sh disable=SC2034 # what is set here is used where it is read in
# What both programs share. POSIX sh: the official images have no more on some bases.
# Settings come from the environment, passwords from files, the state of the cluster from its Sentinels.

if command -v valkey-server > /dev/null; then
    kind=valkey
else
    kind=redis
fi
run=/run/redis
sentinel_port=26379

say() {
    echo "start: $*" >&2
}

refuse() {
    say "REFUSED: $*"
    # Swarm starts the task again at once; without a pause this sentence would fill the log.
    sleep 5
    exit 1
}

password() {
    cat "/run/secrets/$1"
}

hash_of() {
    password "$1" | sha256sum | cut -d ' ' -f 1
}

# ask HOST PORT WORD...: the answer of another server, as the cluster's own user. Silent when there is none.
ask() {
    ask_host=$1
    ask_port=$2
    shift 2
    user="admin"
    [ "$ask_port" != "$sentinel_port" ] || user="default"
    REDISCLI_AUTH=$(password admin_password) timeout 2 "$kind-cli" -h "$ask_host" -p "$ask_port" --user "$user" --raw "$@" 2> /dev/null
}

majority() {
    # shellcheck disable=SC2086 # a list of words
    set -- $REDIS_SENTINELS
    echo $(($# / 2 + 1))
}

# The member that more than half of the Sentinels call the primary; nothing when they are silent or of two minds.
named_primary() {
    for sentinel in $REDIS_SENTINELS; do
        ask "$sentinel" "$sentinel_port" SENTINEL GET-MASTER-ADDR-BY-NAME "$REDIS_CLUSTER" | head -n 1
    done | sort | uniq -c | awk -v wanted="$(majority)" '$1 >= wanted { print $2 }'
}

# Whether a Sentinel answers, and does not take for the primary what has long said that it is a replica. One that hears of another
# primary while that name does not resolve keeps the old address with the new epoch, and no later word corrects it.
sentinel_is_well() {
    ask 127.0.0.1 "$sentinel_port" SENTINEL MASTER "$REDIS_CLUSTER" | awk '
        NR % 2 { name = $0; next }
        { values[name] = $0 }
        END {
            if (!("flags" in values)) exit 1
            exit (values["role-reported"] == "slave" && values["role-reported-time"] > 60000)
        }'
}

# Two tasks of one member can run at the same time after a node was cut off, and two servers must never write to the same
# files. The lock lives as long as descriptor 9 is open, in this shell or in its child.
lock_volume() {
    exec 9> /data/.lock
    if ! flock -n 9; then
        say "another task still uses the volume; waiting for it"
        flock 9
        say "the volume is free"
    fi
}

# What every server says of the cluster, for the module redis_cluster_info.
look() {
    for member in $REDIS_MEMBERS; do
        echo "@member $member"
        ask "$member" 6379 INFO replication || :
    done
    for sentinel in $REDIS_SENTINELS; do
        echo "@sentinel $sentinel"
        ask "$sentinel" "$sentinel_port" SENTINEL MASTER "$REDIS_CLUSTER" || :
    done
}
