# SPDX-License-Identifier: BSD-2-Clause
#
#   sudo make test-deploy    the packages, the service and the container, on a stock kernel in
#                            emulated machines with systemd: of the last commit

DEPLOY_KERNEL ?= 6.1
DISK := build/deploy/debian.img
# what the packages and their tests depend on: machines have no network; `docker compose` is not in
# Debian 12
DISK_PACKAGES := libbpf1 libjansson4 libcyaml1 libmnl0 libmicrohttpd12 libncursesw6 \
	docker.io apparmor iptables curl jq bpftool netcat-openbsd logrotate tmux \
	autopkgtest dpkg-dev gcc libc6-dev pkgconf trixie/docker-compose

.PHONY: test-deploy
test-deploy: private SHELL := /bin/sh
test-deploy: private .SHELLFLAGS := -c
test-deploy:
	@packaging/deps.sh build test deb vm deploy
	@+$(MAKE) --no-print-directory vm-build deb
	@lintian --allow-root --fail-on error,warning build/deb/flowner_*.changes
	@+$(MAKE) --no-print-directory install DESTDIR=build/deploy/root
	@tar -C build/deploy/root -cf build/deploy/installed.tar usr && rm -r build/deploy/root
	@tests/deploy/disk.sh $(DISK) $(DISK_PACKAGES)
	@tests/deploy/image.sh build/deploy/flowner.tar
	@tests/deploy/machine.sh $(DEPLOY_KERNEL) $(DISK)
