# OpenVPN over UDP, in user space (no DCO), peers known by fingerprint, with the keepalive of its sample configuration. Variants: gcm
# (AES-128-GCM), cbc (AES-128-CBC with SHA-1).
drv_version() { openvpn --version | head -1; }

certify() { # certify SIDE
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
    -addext extendedKeyUsage=serverAuth,clientAuth -keyout "$STATE/$1.pem" -out "$STATE/$1.crt" 2>/dev/null
  openssl x509 -in "$STATE/$1.crt" -noout -fingerprint -sha256 | sed 's/.*=//' >"$STATE/$1.fingerprint"
}

# start SIDE OTHER OPTION...
start() {
  local side=$1 other=$2 mtu=$MTU cipher=(--data-ciphers AES-128-GCM); shift 2
  # A packet of 1420 octets would be 1508 outside with CBC.
  [ "$VARIANT" != cbc ] || { cipher=(--data-ciphers AES-128-CBC --auth SHA1); mtu=1400; }
  echo "$mtu" >"$STATE/mtu"
  spawn "$side" openvpn openvpn --dev-type tun --dev "ov$side" --disable-dco --proto udp4 "${cipher[@]}" --tun-mtu "$mtu" --verb 3 \
    --cert "$STATE/$side.crt" --key "$STATE/$side.pem" --peer-fingerprint "$(cat "$STATE/$other.fingerprint")" "$@"
  wait_for grep -q 'Initialization Sequence Completed' "$STATE/$side-openvpn.log"
}

up_ha() {
  certify ha; certify mn; mkdir -p "$STATE/clients"
  printf 'ifconfig-push %s 255.255.255.0\nifconfig-ipv6-push %s/64 fd00:9::1\n' "$MNI4" "$MNI6" >"$STATE/clients/DEFAULT"
  start ha mn --mode server --tls-server --dh none --topology subnet --ifconfig 10.9.0.1 255.255.255.0 \
    --ifconfig-ipv6 fd00:9::1/64 "$MNI6" --push "topology subnet" --client-config-dir "$STATE/clients" --keepalive 10 60 --local "$HAO" --port 1194
}

up_mn() {
  start mn ha --client --nobind --remote "$HAO" 1194 --route 10.8.0.0 255.255.255.0 10.9.0.1 --route-ipv6 fd00:8::/64
}

down() { killall_side mn; killall_side ha; }
