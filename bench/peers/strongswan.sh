# strongSwan: IKEv2 with a shared key and MOBIKE, ESP in UDP, packets in user space (kernel-libipsec). Variants: gcm (AES-128-GCM),
# cbc (AES-128-CBC with HMAC-SHA1-96). Debian's charon-systemd, strongswan-swanctl and libcharon-extra-plugins.
case $VARIANT in
  gcm) esp=aes128gcm16 ;;
  cbc) esp=aes128-sha1 ;;
  *) echo "$name has no variant $VARIANT" >&2; exit 2 ;;
esac

drv_version() {
  command -v charon-systemd >/dev/null && [ -e /usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so ] &&
    swanctl --help 2>&1 | sed -n 's/ swanctl$//p'
}

# The plugins that are named first win: with the plain C ones before aesni and openssl a tunnel is five times slower.
daemon_settings() { # daemon_settings SIDE
  cat <<X
charon-systemd {
  load_modular = no
  load = aesni openssl random nonce aes sha1 sha2 hmac gcm kdf pem pkcs1 pubkey x509 kernel-libipsec kernel-netlink socket-default vici
  install_routes = yes
  retransmit_timeout = 1.0
  journal {
    default = -1
  }
  filelog {
    stderr {
      default = 1
      flush_line = yes
    }
  }
  plugins {
    vici {
      socket = unix://$STATE/$1.vici
    }
    kernel-libipsec {
      allow_peer_ts = no
    }
  }
}
X
}

# connection SIDE OTHER SETTINGS CHILD-SETTINGS
connection() {
  cat <<X
connections {
  bench {
    version = 2
    mobike = yes
    encap = yes
    proposals = aes128-sha256-x25519
    $3
    local {
      auth = psk
      id = $1
    }
    remote {
      auth = psk
      id = $2
    }
    children {
      net {
        esp_proposals = $esp
        $4
      }
    }
  }
}
secrets {
  ike-bench {
    id-a = mn
    id-b = ha
    secret = "of this measurement alone"
  }
}
X
}

start() { # start SIDE
  daemon_settings "$1" >"$STATE/$1-strongswan.conf"
  spawn "$1" charon env STRONGSWAN_CONF="$STATE/$1-strongswan.conf" charon-systemd
  wait_for test -S "$STATE/$1.vici"
  wait_for swanctl --load-all --file "$STATE/$1-swanctl.conf" --uri "unix://$STATE/$1.vici"
}

up_ha() {
  echo 1400 >"$STATE/mtu" # what libipsec's device has
  connection ha mn "local_addrs = $HAO
    remote_addrs = %any
    pools = home4, home6" "local_ts = 10.8.0.0/24, fd00:8::/64" >"$STATE/ha-swanctl.conf"
  printf 'pools {\n  home4 {\n    addrs = %s/32\n  }\n  home6 {\n    addrs = %s/128\n  }\n}\n' "$MNI4" "$MNI6" >>"$STATE/ha-swanctl.conf"
  start ha
}

up_mn() {
  connection mn ha "remote_addrs = $HAO
    vips = 0.0.0.0, ::" "remote_ts = 10.8.0.0/24, fd00:8::/64" >"$STATE/mn-swanctl.conf"
  start mn && swanctl --initiate --child net --uri "unix://$STATE/mn.vici" >"$STATE/mn-initiate.log" 2>&1
}

down() { killall_side mn; killall_side ha; }
