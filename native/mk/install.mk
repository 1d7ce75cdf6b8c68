# SPDX-License-Identifier: BSD-2-Clause
# Headers, libraries, pkg-config file, licences, man page and completions in the usual places.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
LICENSEDIR ?= $(PREFIX)/share/licenses/libtcpretrans
SHAREDIR   ?= $(PREFIX)/share
INSTALL    ?= install
SO_NAME    := libtcpretrans.so.$(ABI)

.PHONY: install
install: $(LIBRARY_SO) $(LIBRARY_A) $(SBOM) $(MANUAL_PACKED)
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR),$(INCLUDEDIR) $(LIBDIR)/pkgconfig $(LICENSEDIR))
	$(Q)$(INSTALL) -m 644 libtcpretrans.h tcpretrans_event.h $(DESTDIR)$(INCLUDEDIR)
	$(Q)$(INSTALL) -m 644 $(LIBRARY_A) $(DESTDIR)$(LIBDIR)
	$(Q)$(INSTALL) -m 755 $(LIBRARY_SO) $(DESTDIR)$(LIBDIR)/$(SO_NAME)
	$(Q)ln -sf $(SO_NAME) $(DESTDIR)$(LIBDIR)/libtcpretrans.so
	$(Q)sed -e 's|@prefix@|$(PREFIX)|; s|@libdir@|$(LIBDIR)|; s|@includedir@|$(INCLUDEDIR)|' \
		-e 's|@version@|$(VERSION)|; s|@requires@|$(if $(LIBBPF_IS_SYSTEM),libbpf)|' \
		libtcpretrans.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/libtcpretrans.pc
	$(Q)chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/libtcpretrans.pc
	$(Q)$(INSTALL) -m 644 ../LICENSE $(DESTDIR)$(LICENSEDIR)
	$(if $(LIBBPF_IS_SYSTEM),,$(Q)cd build/licenses && find . -type f -exec $(INSTALL) -D -m 644 {} $(abspath $(DESTDIR)$(LICENSEDIR))/{} \;)
	$(Q)$(INSTALL) -D -m 644 $(SBOM) $(DESTDIR)$(SHAREDIR)/doc/libtcpretrans/libtcpretrans.cdx.json
ifneq ($(MANUAL_PACKED),)
	$(Q)$(INSTALL) -D -m 644 build/manual/retrans.1 $(DESTDIR)$(SHAREDIR)/man/man1/retrans.1
	$(Q)$(INSTALL) -D -m 644 build/manual/retrans.bash $(DESTDIR)$(SHAREDIR)/bash-completion/completions/retrans
	$(Q)$(INSTALL) -D -m 644 build/manual/_retrans $(DESTDIR)$(SHAREDIR)/zsh/site-functions/_retrans
endif
	$(call say,INSTALL,$(DESTDIR)$(LIBDIR)/$(SO_NAME)):
