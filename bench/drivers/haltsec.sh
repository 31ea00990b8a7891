# HALTSEC under a tunnel rig: the HAC and the home agent in $HA, the mobile node in $MN. Sourced, and asked for drv_version, up_ha,
# up_mn and down. The rig gives the names of the namespaces, the addresses (HAO: the home agent's outer one; MNI4, MNI6: the home
# addresses), MTU, STATE (a scratch folder), and spawn, killall_side, wait_for.
#
# Variants, the suite that HAC and node agree on: gcm (the default), cbc-sha256, cbc-sha, chacha.
# HALTSEC_BIN: where hac, ha and mn are; the default is this project's target/release.
# HALTSEC_RECEIVE_BUFFER: receive-buffer at both ends; the default is theirs.
HALTSEC_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HALTSEC_BIN=${HALTSEC_BIN:-${CARGO_TARGET_DIR:-$HALTSEC_ROOT/target}/release}

drv_version() { "$HALTSEC_BIN/mn" --version; }

# The suite's name, and the octets that the largest inner packet leaves of an outer packet of 1,500, in IPv4.
haltsec_suite() {
  case ${VARIANT:-gcm} in
    gcm) SUITE=AES_128_GCM FITS=1438 ;;
    chacha) SUITE=CHACHA20_POLY1305 FITS=1438 ;;
    cbc-sha256) SUITE=AES_128_CBC_SHA256 FITS=1422 ;;
    cbc-sha) SUITE=AES_128_CBC_SHA FITS=1422 ;;
    *) echo "haltsec has no variant $VARIANT" >&2; return 1 ;;
  esac
  # An IPv6 header is 20 octets longer, of which CBC's whole blocks make 16.
  [ "${OUTER:-4}" = 4 ] || case $SUITE in *CBC*) FITS=$((FITS - 16)) ;; *) FITS=$((FITS - 20)) ;; esac
}

# The folders that `hac init`, `hac ha add` and `hac subscriber add` make, and what a rig needs otherwise.
haltsec_provision() {
  local hac=$STATE/hac inner=$((MTU < FITS ? MTU : FITS)) host=$HAO
  case $HAO in *:*) host="[$HAO]" ;; esac
  echo "$inner" >"$STATE/mtu"
  rm -rf "$hac" "$STATE/ha" "$STATE/mn"
  # Pools of these sizes are given out in order: the first subscriber has the second address behind the network's.
  "$HALTSEC_BIN/hac" init --dir "$hac" --listen "$host:7872" --feed-listen 127.0.0.1:7873 --control-socket "$STATE/hac.sock" \
    --pool4 "${MNI4%.*}.0/24" --pool6 "${MNI6%::*}::/112"
  sed -i "s/^suites = .*/suites = [\"$SUITE\"]/" "$hac/hac.toml"
  "$HALTSEC_BIN/hac" -c "$hac/hac.toml" ha add ha1 --address "$HAO" --feed 127.0.0.1:7873 --out "$STATE/ha"
  "$HALTSEC_BIN/hac" -c "$hac/hac.toml" subscriber add rig@example.org --connect "$host:7872" --out "$STATE/mn"
  sed -i "s|^control-socket = .*|control-socket = \"$STATE/ha.sock\"|; s/^mtu = .*/mtu = $inner/" "$STATE/ha/ha.toml"
  sed -i "s|^control-socket = .*|control-socket = \"$STATE/mn.sock\"|" "$STATE/mn/mn.toml"
  sed -i "s|^routes = .*|mtu = $inner\nroutes = [\"10.8.0.0/24\", \"fd00:8::/64\"]|" "$STATE/mn/mn.toml"
  [ -z "${HALTSEC_RECEIVE_BUFFER:-}" ] ||
    sed -i "s/^mtu = .*/&\nreceive-buffer = $HALTSEC_RECEIVE_BUFFER/" "$STATE/ha/ha.toml" "$STATE/mn/mn.toml"
}

haltsec_says() { "$HALTSEC_BIN/$1" -c "$STATE/$1/$1.toml" status --json | grep -Eq "$2"; }

up_ha() {
  haltsec_suite && (set -e; haltsec_provision) >"$STATE/provision.log" 2>&1 || { cat "$STATE/provision.log" >&2; return 1; }
  # Not by spawn: the controller carries no packet, and no tunnel's CPU time or memory is its.
  setsid ip netns exec "$HA" "$HALTSEC_BIN/hac" -c "$STATE/hac/hac.toml" serve >"$STATE/ha-hac.log" 2>&1 </dev/null &
  echo $! >"$STATE/hac.pid"
  wait_for haltsec_says hac '"running": ?true' || return 1
  spawn ha ha "$HALTSEC_BIN/ha" -c "$STATE/ha/ha.toml" serve
  wait_for haltsec_says ha '"connected": ?true' || return 1
}

up_mn() {
  spawn mn mn "$HALTSEC_BIN/mn" -c "$STATE/mn/mn.toml" up --foreground
  wait_for haltsec_says mn '"state": ?"registered"'
}

# The node first: it says goodbye to the home agent. Devices, routes and rules go with their processes.
down() {
  killall_side mn; killall_side ha
  # killall_side takes the pids of a side from this file.
  [ ! -f "$STATE/hac.pid" ] || { mv "$STATE/hac.pid" "$STATE/pids.hac"; killall_side hac; }
  rm -rf "$STATE/hac" "$STATE/ha" "$STATE/mn" "$STATE"/{hac,ha,mn}.sock
}
