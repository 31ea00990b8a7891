#!/bin/bash
# peer.sh up-ha|up-mn|down|version PEER[:VARIANT]: one tunnel of the measurement, by the functions that its file in peers/ or
# drivers/ has. world.py calls it and gives the names and addresses (MN, HA, HAO, MNI4 …), MTU and STATE in the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)

inmn() { ip netns exec "$MN" "$@"; }
inha() { ip netns exec "$HA" "$@"; }

# spawn mn|ha NAME COMMAND...: in that namespace, with a log; the process is one of those whose CPU time is the tunnel's.
spawn() {
  local side=$1 name=$2 namespace=$HA; shift 2
  [ "$side" = ha ] || namespace=$MN
  setsid ip netns exec "$namespace" "$@" >"$STATE/$side-$name.log" 2>&1 </dev/null &
  echo $! >>"$STATE/pids.$side"
}

killall_side() {
  local pid
  [ -f "$STATE/pids.$1" ] || return 0
  for pid in $(cat "$STATE/pids.$1"); do kill "$pid" 2>/dev/null; done
  for pid in $(cat "$STATE/pids.$1"); do
    for _ in {1..250}; do kill -0 "$pid" 2>/dev/null || continue 2; sleep 0.02; done
    kill -9 "$pid" 2>/dev/null
  done
  rm -f "$STATE/pids.$1"
}

wait_for() {
  local _
  for _ in {1..500}; do "$@" >/dev/null 2>&1 && return 0; sleep 0.02; done
  echo "waited in vain for: $*" >&2; return 1
}

name=${2%%:*}; VARIANT=
[ "$name" = "$2" ] || VARIANT=${2#*:}
case $name in
  haltsec) . "$here/drivers/haltsec.sh" ;;
  plain | openvpn | strongswan) . "$here/peers/$name.sh" ;;
  wireguard-go | boringtun | gotatun) . "$here/peers/wireguard.sh" ;;
  *) echo "no peer $name" >&2; exit 2 ;;
esac
case $1 in
  up-ha) up_ha ;;
  up-mn) up_mn ;;
  down) down ;;
  version) drv_version ;;
  *) exit 2 ;;
esac
