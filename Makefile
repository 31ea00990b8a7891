# make demo    run the main job in network namespaces and print what it measured
# make test    everything that a change must pass (also what .ci/run calls)
# make help    the other targets
#
# Every target installs what it needs, if it may: cargo tools with `cargo install --locked`, Debian packages with apt when root.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The export of keys to tshark is a build feature that releases lack.
LAB_FEATURES := --features mn/lab
SECONDS_EACH ?= 30
# Of the system measurement, and the tunnels in it: all that are installed where none is named.
ROUNDS ?= 3
PEERS ?=
BENCH_OPTIONS = --rounds $(ROUNDS)
# Of each bench: criterion's own five seconds and three before them are a quarter of an hour in all.
CRITERION = --warm-up-time 0.5 --measurement-time 2

# Commands that the demo and the lab need, and the Debian packages that bring them.
DEMO_TOOLS := ip:iproute2 unshare:util-linux nsenter:util-linux ping:iputils-ping cc:build-essential nft:nftables
LAB_TOOLS := $(DEMO_TOOLS) tshark:tshark dumpcap:wireshark-common dnsmasq:dnsmasq-base tayga:tayga openssl:openssl \
  freeradius:freeradius radclient:freeradius-utils hostapd:hostapd eapol_test:eapoltest dbus-daemon:dbus debootstrap:debootstrap \
  dhcpcd:dhcpcd-base systemd-socket-activate:systemd
BENCH_TOOLS := python3:python3 iperf3:iperf3 ethtool:ethtool wireguard-go:wireguard-go wg:wireguard-tools openvpn:openvpn

.PHONY: help demo test fmt clippy doc nextest debian-root tree deny advisories fuzz soak bench bench-quick bench-micro bench-system bench-roaming callgrind build \
  release profile-tool demo-tools lab-tools bench-tools callgrind-tools rust-tools nextest-tool deny-tool

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: demo-tools ## build releases, run the main job in the lab, print what happened and a table
	$(CARGO) build --release --locked --workspace --bins
	@if grep -q HALTSEC_LAB_ESP_SA $(TARGET)/release/mn; then echo "$(TARGET)/release/mn exports keys: built with the feature lab"; exit 1; fi
	@$(TARGET)/release/demo

test: fmt clippy doc nextest tree deny advisories ## format, lints, documentation, all tests with the lab, dependency tree

fmt: rust-tools ## formatting is rustfmt's
	$(CARGO) fmt --all --check

clippy: rust-tools ## no warnings, with and without the lab's feature
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --package mn --all-targets --locked --features lab -- -D warnings

doc: ## documentation of private items too, no warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked

# With the tests, so that nextest finds all of it built: dev-dependencies change the features of what is shared.
# One build of both: apart, cargo would unify features differently and build most crates twice.
build: ## the programs and the tests that run them, and the tests
	$(CARGO) build --workspace --bins --tests --locked $(LAB_FEATURES)

nextest: build lab-tools debian-root nextest-tool ## all tests
	$(CARGO) nextest run --workspace --locked $(LAB_FEATURES)

# One generation of each family of cryptography, and no ring: `cargo tree` must say so too, not only `cargo deny`.
CRYPTOGRAPHY := aead|aes|aes-gcm|aws-lc-rs|aws-lc-sys|block-buffer|cbc|cipher|cmac|crypto-common|ctr|dbl|des|digest|generic-array|ghash|hmac|hybrid-array|inout|md-5|md4|polyval|rand|rand_core|rustls|sha1|sha2|subtle|zeroize

tree: ## one generation of each family of cryptography and no ring
	@$(CARGO) tree --workspace --locked -e normal --prefix none --no-dedupe -f '{p}' | awk '{ print $$1, $$2 }' | sort -u \
	| awk '{ count[$$1]++; versions[$$1] = versions[$$1] " " $$2 } \
	  $$1 == "ring" { print "ring is in the tree:" versions[$$1]; bad = 1 } \
	  END { for (crate in count) if (crate ~ /^($(CRYPTOGRAPHY))$$/) { checked++; \
	    if (count[crate] > 1) { print "two generations of " crate ":" versions[crate]; bad = 1 } } \
	  if (checked < 10) { print "only " checked + 0 " crates of cryptography found: the check checks nothing"; bad = 1 } \
	  if (!bad) print checked " crates of cryptography, one generation each, no ring"; exit bad }'

deny: deny-tool ## licences, banned crates, sources
	$(CARGO) deny --locked check bans licenses sources

# Whoever cannot reach the database has to be able to build; what was not checked is said.
advisories: deny-tool ## known vulnerabilities of dependencies, where RustSec's database can be reached
	@said=$$(timeout 120 $(CARGO) deny --locked check advisories 2>&1) && echo "$$said" && exit; \
	unreachable=$$(grep -m 1 "failed to fetch advisory database" <<< "$$said") || { echo "$$said"; exit 1; }; \
	echo "advisories NOT CHECKED: $$unreachable"

# SQLite has static arrays of one name in two functions, which AddressSanitizer takes for one array in two libraries.
fuzz: export ASAN_OPTIONS := detect_odr_violation=0
fuzz: ## each fuzz target for SECONDS_EACH seconds (nightly)
	@command -v cargo-fuzz > /dev/null || $(CARGO) install --locked cargo-fuzz
	@cd tests && for target in $$($(CARGO) +nightly fuzz list); do \
	  mkdir -p fuzz/target/corpus/$$target; \
	  $(CARGO) +nightly fuzz run $$target fuzz/target/corpus/$$target fuzz/corpus/$$target -- \
	    -max_total_time=$(SECONDS_EACH) -rss_limit_mb=4096; done

soak: build lab-tools debian-root nextest-tool ## 30,000 random walks; 5 GB a transfer, renewals within ten minutes of load, 600 hard moves, 1,000 soft ones, 600 changes a second apart; all mixes of families and NATs
	HALTSEC_WALKS=30000 $(CARGO) nextest run --locked $(LAB_FEATURES) --workspace --profile soak -E 'test(no_random_walk)'
	HALTSEC_LAB_MEGABYTES=5000 HALTSEC_LAB_SECONDS=600 HALTSEC_LAB_MOVES=600 HALTSEC_LAB_SOFT_MOVES=1000 HALTSEC_LAB_PING_PONG=600 HALTSEC_LAB_WAY_BACK=1 \
	  HALTSEC_LAB_LIMIT=7200 $(CARGO) nextest run --locked $(LAB_FEATURES) \
	  --workspace --profile soak -E 'binary(lab) & (test(main_job) | test(renewal) | test(handover) | test(ping_pong) | test(roaming) | test(dual_stack))'
	HALTSEC_LAB_MOVES=600 HALTSEC_LAB_SOFT_MOVES=300 HALTSEC_LAB_PING_PONG=120 HALTSEC_LAB_REMAPPINGS=100 HALTSEC_LAB_LIMIT=7200 \
	  $(CARGO) nextest run --locked $(LAB_FEATURES) --workspace --profile soak --run-ignored all -E 'binary(lab) & test(mixes)'

bench: lab-tools bench-micro bench-system ## sealing, walk in memory, whole tunnels beside others -> docs/performance.md; EAP at the HAC
	$(CARGO) test --release --locked --package hac --test loopback -- --ignored --nocapture --test-threads 1 eap::
	$(CARGO) test --release --locked --package tests --test lab -- --ignored --nocapture --test-threads 1 eap::rate::

bench-quick: CRITERION := --warm-up-time 0.2 --measurement-time 0.5 --sample-size 10
bench-quick: BENCH_OPTIONS := --rounds 1 --seconds 1 --no-document
bench-quick: MICRO_OPTIONS := --no-document
bench-quick: bench-micro bench-system ## one round of short runs, to see that all of it works; docs/performance.md stays as it is

bench-micro: ## sealing, opening, look-up and the walk from TUN to TUN in memory, by suite and size
	CRITERION_HOME=$(abspath $(TARGET))/criterion $(CARGO) bench --locked --package tests \
	  --bench seal_open --bench ciphers --bench lookup --bench offload --bench walk -- $(CRITERION)
	@bench/micro.py $(MICRO_OPTIONS)

# Some tunnels only: make bench-system PEERS="plain haltsec:gcm" ROUNDS=5
bench-system: bench-tools ## whole tunnels in namespaces, beside those of others that are installed
	$(CARGO) build --release --locked --workspace --bins
	bench/system.py $(BENCH_OPTIONS) $(PEERS)

# Beside other work of the machine, gaps of milliseconds are that work's.
bench-roaming: bench-tools ## what a move costs, beside other tunnels that are installed -> docs/roaming.md; as root, eight minutes
	$(CARGO) build --release --locked --workspace --bins
	bench/roaming.py $(PEERS)

# Two builds of ha and mn: one that counts which way its code goes while it carries packets, and one that is laid out by the counts. Flags
# with a target named are for what runs there alone, not for what runs while building. cargo does not see that a profile has changed.
PGO := $(abspath $(TARGET))/pgo
HOST = $$(rustc -vV | sed -n 's/^host: //p')
PROFDATA = $$(rustc --print target-libdir)/../bin/llvm-profdata

release: bench-tools profile-tool ## programs laid out by a profile of the tunnel at work -> target/pgo/bin; as root, a quarter of an hour
	$(CARGO) build --release --locked --workspace --bins
	rm -rf $(PGO)/counts $(PGO)/optimized && mkdir -p $(PGO)/training $(PGO)/bin
	cp $(TARGET)/release/{hac,labtool} $(PGO)/training
	RUSTFLAGS="-Cprofile-generate=$(PGO)/counts" \
	  $(CARGO) build --release --locked --target-dir $(PGO)/counting --target $(HOST) --package ha --package mn
	cp $(PGO)/counting/$(HOST)/release/{ha,mn} $(PGO)/training
	HALTSEC_BIN=$(PGO)/training LLVM_PROFILE_FILE=$(PGO)/counts/%m-%p.profraw bench/system.py --rounds 1 --seconds 2 --no-document \
	  --only tcp,flows,paced,idle,packets --out $(PGO)/training.jsonl haltsec:gcm haltsec:cbc-sha haltsec:cbc-sha256
	$(PROFDATA) merge -o $(PGO)/profile $(PGO)/counts/*.profraw
	RUSTFLAGS="-Cprofile-use=$(PGO)/profile" \
	  $(CARGO) build --release --locked --target-dir $(PGO)/optimized --target $(HOST) --package ha --package mn
	cp $(TARGET)/release/{hac,labtool,demo} $(PGO)/optimized/$(HOST)/release/{ha,mn} $(PGO)/bin

callgrind: callgrind-tools ## instructions a packet, for changes that a busy machine hides
	@bench/callgrind.py

# The daemons that manage a host's network and make its /etc/resolv.conf, as Debian has them, and what boots them. openresolv cannot be
# installed beside systemd-resolved: it is unpacked where the lab looks for it.
DEBIAN_ROOT := $(abspath $(TARGET))/debian
DEBIAN_RELEASE ?= bookworm
DEBIAN_PACKAGES := systemd-resolved,dbus,nftables,network-manager,libpam-systemd

debian-root: lab-tools ## a Debian root with systemd, NetworkManager, openresolv and nftables -> target/debian; as root, two minutes, once
	@test "$$(cat $(DEBIAN_ROOT)/made 2> /dev/null)" != $(DEBIAN_PACKAGES) || exit 0; \
	if [ "$$(id -u)" -ne 0 ]; then echo "The lab needs $(DEBIAN_ROOT). Run: sudo make debian-root"; exit 1; fi; \
	rm -rf $(DEBIAN_ROOT) $(DEBIAN_ROOT).part && mkdir -p $(dir $(DEBIAN_ROOT)) && \
	debootstrap --variant=minbase --include=$(DEBIAN_PACKAGES) $(DEBIAN_RELEASE) $(DEBIAN_ROOT).part && \
	cd $(DEBIAN_ROOT).part/tmp && { apt-get download -q openresolv || { apt-get update -q && apt-get download -q openresolv; }; } && \
	dpkg-deb -x openresolv_*.deb openresolv && rm openresolv_*.deb && \
	mkdir -p ../opt/openresolv && mv openresolv/sbin ../opt/openresolv && mv openresolv/lib/resolvconf ../usr/lib && \
	mv openresolv/etc/resolvconf.conf ../etc && rm -r openresolv && echo $(DEBIAN_PACKAGES) > ../made && cd / && mv $(DEBIAN_ROOT).part $(DEBIAN_ROOT)

nextest-tool:
	@$(CARGO) nextest --version > /dev/null 2>&1 || $(CARGO) install --locked cargo-nextest

profile-tool:
	@test -x $(PROFDATA) || rustup component add llvm-tools

deny-tool:
	@$(CARGO) deny --version > /dev/null 2>&1 || $(CARGO) install --locked cargo-deny

rust-tools:
	@$(CARGO) fmt --version > /dev/null 2>&1 || rustup component add rustfmt
	@$(CARGO) clippy --version > /dev/null 2>&1 || rustup component add clippy

demo-tools: TOOLS := $(DEMO_TOOLS)
lab-tools: TOOLS := $(LAB_TOOLS)
bench-tools: TOOLS := $(DEMO_TOOLS) $(BENCH_TOOLS)
callgrind-tools: TOOLS := python3:python3 valgrind:valgrind
demo-tools lab-tools bench-tools callgrind-tools: ## what the demo and the lab need of Debian's packages
	@missing=(); for tool in $(TOOLS); do \
	  PATH="$$PATH:/usr/sbin:/sbin" command -v "$${tool%%:*}" > /dev/null || missing+=("$${tool##*:}"); done; \
	if [ $${#missing[@]} -eq 0 ]; then exit 0; fi; \
	install="apt-get install -y --no-install-recommends $$(printf '%s\n' "$${missing[@]}" | sort -u | xargs)"; \
	if [ "$$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then \
	  export DEBIAN_FRONTEND=noninteractive; apt-get update -q && $$install; \
	else echo "The lab needs packages that are not installed. Run: sudo $$install"; exit 1; fi
