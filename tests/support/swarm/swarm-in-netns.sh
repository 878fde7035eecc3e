#!/bin/bash
# A small Docker swarm on one machine, for tests. Every node is a separate dockerd in its own network and UTS namespaces.
# All nodes are connected to one bridge in a further namespace. The machine's own engine, interfaces and iptables are not
# touched (except with --host-link, see below).
#
#   swarm-in-netns.sh up STATE [--managers N] [--workers N] [--image FILE.tar]... [--host-link] [--no-swarm]
#   swarm-in-netns.sh down STATE            stops what `up STATE` started and removes it all, STATE's node folders too
#   swarm-in-netns.sh start|stop|kill STATE NODE     the dockerd of one node (kill: SIGKILL, its containers live on)
#   swarm-in-netns.sh cut|mend STATE NODE   takes the node's network link down / up again
#   swarm-in-netns.sh env STATE             prints NODE SOCKET NAMESPACE ADDRESS, a line a node
#   swarm-in-netns.sh in STATE NODE CMD...  runs a command in the node's network namespace (its host processes)
#
# Nodes are m1, m2 … (managers) and w1, w2 … (workers); defaults 1 and 2. Engine sockets: STATE/NODE/docker.sock,
# usable from anywhere (a unix socket has no network namespace). Running `up` again repairs missing parts.
# --host-link   also gives this machine an interface into the swarm's network (address SUBNET.1), so that a
#               port published with mode=host on a node is reached at the node's address
# --no-swarm    the engines only, without `swarm init` and `join`
# Environment: SUBNET (default 10.213.0), DOCKERD_PATH (a folder to put before PATH: other dockerd binaries)
# Needs (Debian): docker.io, iproute2, iptables, util-linux; kernel with VXLAN, veth, bridge. Runs as root.
# Without IP_VS in the kernel, VIP endpoints and the ingress mesh do not work: create services with
# `--endpoint-mode dnsrr`, publish ports with mode=host.
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2; }
die() { echo "swarm-in-netns: $*" >&2; exit 1; }
[ $# -ge 2 ] || usage
VERB=$1; mkdir -p "$2"; S=$(cd "$2" && pwd); shift 2
SUBNET=${SUBNET:-$(cat "$S/subnet" 2>/dev/null || echo 10.213.0)}
TAG=$(printf %s "$S" | cksum | cut -d' ' -f1); TAG=$(printf %06x $((TAG & 0xffffff)))
HUB=lwsw-$TAG-hub
[ ${#S} -le 60 ] || die "path of STATE is too long for unix sockets: $S"

netns() { echo "lwsw-$TAG-$1"; }
has_ns() { [ -e "/run/netns/$1" ]; }
address() { case $1 in m*) echo "$SUBNET.$((10 + ${1#m}))" ;; w*) echo "$SUBNET.$((20 + ${1#w}))" ;; esac; }
nodes() { for d in "$S"/[mw][0-9]*; do [ -d "$d" ] && basename "$d"; done; true; }
d() { local n=$1; shift; docker -H "unix://$S/$n/docker.sock" "$@"; }
answers() { timeout 3 docker -H "unix://$S/$1/docker.sock" version -f ok >/dev/null 2>&1; }
alive() { local p; p=$(cat "$S/$1/dockerd.pid" 2>/dev/null) && [ -n "$p" ] && grep -qs "$S/$1/docker.sock" "/proc/$p/cmdline"; }

plug() { # makes a node's namespace and its link to the hub; both ends are outside of the machine's own namespace
  local n=$1 ns; ns=$(netns "$n")
  if ! has_ns "$ns"; then
    ip netns add "$ns"; ip -n "$ns" link set lo up
    ip -n "$HUB" link del "$n" 2>/dev/null || true
    ip -n "$HUB" link add "$n" type veth peer name eth0 netns "$ns"
    ip -n "$HUB" link set "$n" master br0 up
    ip -n "$ns" addr add "$(address "$n")/24" dev eth0; ip -n "$ns" link set eth0 up
    ip -n "$ns" route add default via "$SUBNET.1"
  fi
}

start() {
  local n=$1 ns; ns=$(netns "$n"); mkdir -p "$S/$n"
  if ! alive "$n"; then
    rm -f "$S/$n/dockerd.pid" "$S/$n/docker.sock"
    # nsenter, not `ip netns exec`, which would hide the cgroups: they are mounted below /sys.
    # The containerd namespaces: if the machine runs a containerd, the engine uses it, and would find others' containers there.
    # The variable: tasks use the local image. Otherwise each task first waits until a pull fails.
    DOCKER_SERVICE_PREFER_OFFLINE_IMAGE=1 PATH=${DOCKERD_PATH:+$DOCKERD_PATH:}/usr/sbin:/sbin:$PATH nohup setsid \
      nsenter --net="/run/netns/$ns" unshare --uts sh -c 'echo "$1" >/proc/sys/kernel/hostname; shift; exec dockerd "$@"' sh "$n" \
      -H "unix://$S/$n/docker.sock" --data-root "$S/$n/data" --exec-root "$S/$n/exec" --pidfile "$S/$n/dockerd.pid" \
      --containerd-namespace="$ns" --containerd-plugins-namespace="$ns-plugins" \
      --default-address-pool base=10.214.0.0/16,size=24 ${DOCKERD_FLAGS:-} >>"$S/$n/dockerd.log" 2>&1 </dev/null &
  fi
  for _ in $(seq 300); do answers "$n" && return; sleep .2; done
  die "dockerd of $n does not answer, see $S/$n/dockerd.log"
}

stop() { # NODE [SIGNAL]
  local n=$1 sig=${2:-TERM} p; p=$(cat "$S/$n/dockerd.pid" 2>/dev/null || true)
  alive "$n" || return 0
  kill "-$sig" "$p"; for _ in $(seq 150); do [ -d "/proc/$p" ] || return 0; sleep .2; done
  [ "$sig" = KILL ] || kill -KILL "$p" 2>/dev/null || true
}

sweep() { # kills a dockerd's leftovers: its containerd, the shims that point to it, and their containers
  local n=$1 sock="$S/$1/exec/containerd/containerd.sock" p c
  local own; own=$(cat "$S/$n/exec/containerd/containerd.pid" 2>/dev/null || true)
  for p in /proc/[0-9]*; do
    { tr '\0' '\n' <"$p/cmdline"; } 2>/dev/null | grep -qxF -e "$sock" || continue
    for c in $(cat "$p"/task/*/children 2>/dev/null || true); do kill -KILL "$c" 2>/dev/null || true; done
    kill -KILL "${p#/proc/}" 2>/dev/null || true
  done
  if [ -n "$own" ] && grep -qsF "$S/$n/exec" "/proc/$own/cmdline"; then kill "$own" 2>/dev/null || true; fi
  sleep .3
  awk -v s="$S/$n/" 'index($5, s) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r m; do umount -l "$m" 2>/dev/null || true; done
}

state() { d "$1" info -f '{{.Swarm.LocalNodeState}}' 2>/dev/null; }

case $VERB in
up)
  managers=1 workers=2 images=() link='' swarm=1
  while [ $# -gt 0 ]; do case $1 in
    --managers) managers=$2; shift 2 ;; --workers) workers=$2; shift 2 ;; --image) images+=("$2"); shift 2 ;;
    --host-link) link=1; shift ;; --no-swarm) swarm=; shift ;; *) usage ;;
  esac; done
  [ "$(id -u)" = 0 ] || die "needs root"
  for c in dockerd docker ip iptables nsenter unshare; do PATH=${DOCKERD_PATH:-}:/usr/sbin:/sbin:$PATH command -v $c >/dev/null || die "no $c"; done
  echo "$SUBNET" >"$S/subnet"
  if ! has_ns "$HUB"; then
    ip netns add "$HUB"; ip -n "$HUB" link set lo up
    ip -n "$HUB" link add br0 type bridge; ip -n "$HUB" link set br0 up
  fi
  if [ -n "$link" ] && ! ip link show "lwsw$TAG" >/dev/null 2>&1; then
    ip link add "lwsw$TAG" type veth peer name host netns "$HUB"
    ip -n "$HUB" link set host master br0 up
    ip addr add "$SUBNET.1/24" dev "lwsw$TAG"; ip link set "lwsw$TAG" up
  fi
  all=(); for i in $(seq "$managers"); do all+=("m$i"); done; for i in $(seq "$workers"); do all+=("w$i"); done
  for n in "${all[@]}"; do plug "$n"; done
  for n in "${all[@]}"; do start "$n" & done; for _ in "${all[@]}"; do wait -n; done
  for f in ${images[@]+"${images[@]}"}; do for n in "${all[@]}"; do
    sum=$(cksum <"$f" | tr ' ' -); grep -qsx "$sum" "$S/$n/images" && continue
    d "$n" load -q -i "$f" >/dev/null; echo "$sum" >>"$S/$n/images"
  done; done
  if [ -n "$swarm" ]; then
    [ "$(state m1)" = active ] || d m1 swarm init --advertise-addr "$(address m1)" --default-addr-pool 10.215.0.0/16 >/dev/null
    for n in "${all[@]}"; do
      [ "$(state "$n")" = active ] && continue
      case $n in m*) role=manager ;; *) role=worker ;; esac
      d "$n" swarm join --advertise-addr "$(address "$n")" --token "$(d m1 swarm join-token -q $role)" "$(address m1):2377" >/dev/null
    done
  fi
  bash "$0" env "$S" ;;
down)
  for n in $(nodes); do stop "$n" & done; wait
  for n in $(nodes); do sweep "$n"; done
  ip link del "lwsw$TAG" 2>/dev/null || true
  for n in $(nodes); do ip netns del "$(netns "$n")" 2>/dev/null || true; rm -rf --one-file-system "${S:?}/$n"; done
  ip netns del "$HUB" 2>/dev/null || true; rm -f "$S/subnet" ;;
start) plug "$1"; start "$1" ;;
stop) stop "$1" ;;
kill) stop "$1" KILL ;;
cut) ip -n "$(netns "$1")" link set eth0 down ;;
mend) ip -n "$(netns "$1")" link set eth0 up; ip -n "$(netns "$1")" route replace default via "$SUBNET.1" ;;
env) for n in $(nodes); do echo "$n $S/$n/docker.sock $(netns "$n") $(address "$n")"; done ;;
in) n=$1; shift; exec nsenter --net="/run/netns/$(netns "$n")" "$@" ;;
*) usage ;;
esac
