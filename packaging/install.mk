# SPDX-License-Identifier: BSD-2-Clause
#
#   sudo make install     under PREFIX, /usr/local if not said; uninstall takes the same away again
#   make install DESTDIR=root PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu     for packages
#
# One table for both: mode, source (a pattern may be more than one), place. In a source *.in each
# @NAME@ is replaced; of a link the source is where it leads. Nothing goes to /etc: configuration
# and policy are the administrator's.

BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/flowner
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d

define INSTALLED
0755 $(B)/flownerd               $(SBINDIR)/
0755 $(B)/flowner                $(BINDIR)/
0644 $(B)/libflowner.so.$(SOVERSION)        $(LIBDIR)/
link libflowner.so.$(SOVERSION)             $(LIBDIR)/libflowner.so
0644 $(B)/libflowner.a           $(LIBDIR)/
0644 packaging/flowner.pc.in     $(LIBDIR)/pkgconfig/
0644 include/flowner/*.h         $(INCLUDEDIR)/flowner/
0644 $(B)/man/*.1                $(MANDIR)/man1/
0644 $(B)/man/*.3                $(MANDIR)/man3/
0644 $(B)/man/*.5                $(MANDIR)/man5/
0644 $(B)/man/*.8                $(MANDIR)/man8/
0644 $(B)/completion/flowner.bash           $(BASHDIR)/flowner
0644 $(B)/completion/_flowner    $(ZSHDIR)/
0644 packaging/flowner.service.in           $(UNITDIR)/
0644 packaging/flowner.sysusers  $(SYSUSERSDIR)/flowner.conf
0644 packaging/flowner.tmpfiles  $(TMPFILESDIR)/flowner.conf
0644 README.md                   $(DOCDIR)/
0644 packaging/doc/*.md          $(DOCDIR)/
0644 packaging/examples/*.yaml   $(DOCDIR)/examples/
0644 packaging/flowner.logrotate $(DOCDIR)/examples/
0644 tests/example/packets.c     $(DOCDIR)/examples/
endef
export INSTALLED

WORDS = $(foreach word,PREFIX LIBDIR INCLUDEDIR SBINDIR VERSION,$(word)='$($(word))')

.PHONY: install uninstall
install: all
install uninstall:
	@packaging/install.sh $@ '$(DESTDIR)' $(WORDS)
