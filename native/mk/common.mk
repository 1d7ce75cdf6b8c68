# SPDX-License-Identifier: BSD-2-Clause
# Tools, flags and small helpers, for the main Makefile and for mk/third-party.mk.

ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON     ?= python3
CLANG      ?= clang
BPFTOOL    ?= bpftool
PKG_CONFIG ?= pkg-config
OBJCOPY    ?= objcopy
CFLAGS     ?= -O2
LDFLAGS    ?= -s

# bpftool lies in /usr/sbin, which is not on everybody's PATH.
export PATH := $(PATH):/usr/sbin:/sbin
export PYTHONDONTWRITEBYTECODE := 1

LIBBPF ?= pinned
ifeq ($(filter $(LIBBPF),pinned system),)
$(error LIBBPF=$(LIBBPF) is neither 'pinned' (the default) nor 'system')
endif
LIBBPF_IS_SYSTEM := $(filter system,$(LIBBPF))

# PORTABLE names a machine and C library to cross-compile for, with zig.
PORTABLE_TARGETS := x86_64-glibc2.17 aarch64-glibc2.17 x86_64-musl
ifneq ($(PORTABLE),)
ifeq ($(filter $(PORTABLE),$(PORTABLE_TARGETS)),)
$(error PORTABLE=$(PORTABLE) is none of: $(PORTABLE_TARGETS))
endif
ifdef LIBBPF_IS_SYSTEM
$(error a portable build contains the pinned libbpf: LIBBPF=system is for this machine alone)
endif
endif

# All output lies below build. SRC, DEPS and INCLUDE are what the pinned sources become.
OUT     := build$(if $(LIBBPF_IS_SYSTEM),/system)$(PORTABLE:%=/portable/%)
SRC     := build/src
DEPS    := build$(PORTABLE:%=/portable/%)/deps
INCLUDE := build/include
VENV    := build/venv

LIBRARY_SO := $(OUT)/libtcpretrans.so
LIBRARY_A  := $(OUT)/libtcpretrans.a

ifneq ($(PORTABLE),)
# The compiler is made by mk/portable.mk; the linker and objcopy of an archive are GNU's.
override CC := $(OUT)/cc
CROSS := $(filter-out $(shell uname -m),$(firstword $(subst -, ,$(PORTABLE))))
override LD := $(CROSS:%=%-linux-gnu-)ld
override AR := $(CROSS:%=%-linux-gnu-)ar
override OBJCOPY := $(CROSS:%=%-linux-gnu-)objcopy
endif

VERSION := $(shell sed -n 's/^.define TCPRETRANS_VERSION "\(.*\)"/\1/p' libtcpretrans.h)
ABI     := $(shell sed -n 's/^.define TCPRETRANS_ABI_VERSION \([0-9]*\).*/\1/p' tcpretrans_event.h)

# glibc's checks need an optimising compiler: CFLAGS='-O0 -g' goes without.
FORTIFY := $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)

# Returns only to where a call came from, on processors that can tell. On x86 without landing pads for
# jumps: Linux has no use for them in programs, and they cost 2 % of what writing NDJSON takes.
# A compiler that is yet to be installed is taken to be for this machine, and to know them.
COMPILES := $(if $(PORTABLE),,$(shell command -v $(firstword $(CC))))
MACHINE := $(firstword $(subst -, ,$(or $(PORTABLE),$(if $(COMPILES),$(shell $(CC) -dumpmachine)),$(shell uname -m))))
takes = $(if $(COMPILES),$(shell $(CC) -Werror $(1) -E -x c /dev/null >/dev/null 2>&1 && echo '$(1)'),$(1))
BRANCHES_x86_64  = $(call takes,-fcf-protection=return)
BRANCHES_aarch64 = $(call takes,-mbranch-protection=standard)
BRANCHES := $(BRANCHES_$(MACHINE))

# Paths are relative or mapped, so that the folder of the build leaves no trace in the result.
CODE_FLAGS := -std=gnu11 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections \
	-fstack-protector-strong -fstack-clash-protection $(BRANCHES) $(FORTIFY) -ffile-prefix-map='$(CURDIR)'=.

# The self-contained build runs on glibc 2.17; see vendor/libbpf/glibc217.h.
GLIBC_SHIM := vendor/libbpf/glibc217.h

ifeq ($(V),1)
Q   :=
say :=
else
Q   := @
say  = @printf '  %-7s %s\n' $(1) '$(2)';
endif
