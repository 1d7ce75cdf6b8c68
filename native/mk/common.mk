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

# All output lies below build. SRC, DEPS and INCLUDE are what the pinned sources become.
OUT     := build$(if $(LIBBPF_IS_SYSTEM),/system)
SRC     := build/src
DEPS    := build/deps
INCLUDE := build/include

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
