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

# Paths are relative or mapped, so that the folder of the build leaves no trace in the result.
CODE_FLAGS := -std=gnu11 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections \
	-fstack-protector-strong $(FORTIFY) -ffile-prefix-map='$(CURDIR)'=.

# The self-contained build runs on glibc 2.17; see vendor/libbpf/glibc217.h.
GLIBC_SHIM := vendor/libbpf/glibc217.h

ifeq ($(V),1)
Q   :=
say :=
else
Q   := @
say  = @printf '  %-7s %s\n' $(1) '$(2)';
endif
