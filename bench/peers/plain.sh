# No tunnel: the inner addresses are reached over the outer link itself, routed by the home agent. What the machine carries.
drv_version() { uname -r; }
up_ha() {
  echo 1500 >"$STATE/mtu"
  ip -n "$HA" route add "$MNI4/32" via "$MNO4" && ip -n "$HA" route add "$MNI6/128" via "$MNO6"
}
up_mn() {
  ip -n "$MN" address add "$MNI4/32" dev lo && ip -n "$MN" address add "$MNI6/128" dev lo &&
    ip -n "$MN" route add 10.8.0.0/24 via "$HAO4" src "$MNI4" && ip -n "$MN" route add fd00:8::/64 via "$HAO6" src "$MNI6"
}
down() { :; }
