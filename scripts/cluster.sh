#!/usr/bin/env bash
# cluster.sh [FLAG...]: three nodes on this machine until Ctrl-C. Clients on 127.0.0.1:3001 to 3003,
# peers on 4001 to 4003, data in ./pontoon-cluster/N. The flags go to every node.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."

members=1=127.0.0.1:4001,2=127.0.0.1:4002,3=127.0.0.1:4003
nodes=()

# Every way out of here stops what was started, and waits for it: nothing is left behind.
stop() {
    trap '' INT TERM HUP
    trap - EXIT
    if [ ${#nodes[@]} -gt 0 ]; then
        kill -TERM "${nodes[@]}" 2>/dev/null || true
        wait "${nodes[@]}" 2>/dev/null || true
    fi
}
trap stop EXIT
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM HUP

mkdir -p pontoon-cluster
for id in 1 2 3; do
    # Even a kill -9 of this script ends the nodes: the kernel sends them SIGTERM.
    setpriv --pdeathsig TERM build/pontoon serve --id "$id" --cluster "$members" \
        --listen "127.0.0.1:300$id" --peer-listen "127.0.0.1:400$id" \
        --data "pontoon-cluster/$id" "$@" </dev/null &
    nodes+=($!)
done

cat <<END
Three nodes, data in ./pontoon-cluster. Any of them takes any request:
  curl -X POST localhost:3001/kv/foo -d bar
  curl localhost:3002/kv/foo
  curl localhost:3003/stats
Stop one and write on (its process id: 1 ${nodes[0]}, 2 ${nodes[1]}, 3 ${nodes[2]}):
  kill -9 ${nodes[0]}
Ctrl-C stops all three.
END

# A node that ends does not end the others: that is what there are three for.
status=0
for id in 1 2 3; do
    wait "${nodes[id - 1]}" || status=$?
    if [ "$status" -ne 0 ]; then
        echo "cluster: node $id has ended with status $status" >&2
    fi
done
exit "$status"
