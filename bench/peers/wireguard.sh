# WireGuard in user space: wireguard-go as Debian has it, wireguard-go:new (a newer build: WGGO_NEW names it), boringtun, gotatun
# (the last two by `cargo install boringtun-cli gotatun-cli`). `wg` configures each of them.
cargo_bin=${CARGO_HOME:-$HOME/.cargo}/bin
case $name:$VARIANT in
  wireguard-go:new) program=(env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error "${WGGO_NEW:?names no program}" -f) ;;
  wireguard-go:) program=(env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error wireguard-go -f) ;;
  boringtun:) program=("$cargo_bin/boringtun-cli" -f --disable-drop-privileges) ;;
  gotatun:) program=("$cargo_bin/gotatun" -f -v error --disable-drop-privileges) ;;
  *) echo "$name has no variant $VARIANT" >&2; exit 2 ;;
esac

drv_version() {
  command -v wg >/dev/null || return 1
  case $name in
    wireguard-go) "${program[3]}" --version 2>/dev/null | head -1 ;;
    *) "${program[0]}" --version ;;
  esac
}

# device SIDE NAMESPACE NAME V4 V6: starts the program and gives its device addresses.
device() {
  spawn "$1" wg "${program[@]}" "$3"
  wait_for ip netns exec "$2" wg show "$3" || return 1
  ip -n "$2" address add "$4/24" dev "$3"; ip -n "$2" address add "$5/64" dev "$3" nodad
  ip -n "$2" link set "$3" mtu "$MTU" up
}

# Key, port and peer of a device are set with one call: not every program takes a peer that comes later.
up_ha() {
  local side
  echo "$MTU" >"$STATE/mtu"
  for side in mn ha; do (umask 077; wg genkey >"$STATE/$side.key"); wg pubkey <"$STATE/$side.key" >"$STATE/$side.pub"; done
  device ha "$HA" wgha 10.9.0.1 fd00:9::1 || return 1
  inha wg set wgha listen-port 51820 private-key "$STATE/ha.key" peer "$(cat "$STATE/mn.pub")" allowed-ips "$MNI4/32,$MNI6/128"
}

up_mn() {
  device mn "$MN" wgmn "$MNI4" "$MNI6" || return 1
  inmn wg set wgmn private-key "$STATE/mn.key" peer "$(cat "$STATE/ha.pub")" endpoint "$HAO:51820" \
    allowed-ips 10.8.0.0/24,10.9.0.0/24,fd00:8::/64,fd00:9::/64
  ip -n "$MN" route add 10.8.0.0/24 dev wgmn src "$MNI4"; ip -n "$MN" route add fd00:8::/64 dev wgmn src "$MNI6"
}

down() { killall_side mn; killall_side ha; }
