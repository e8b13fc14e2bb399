# Compiler and linker flags; included by the Makefile.
#
# Variables a builder may set: CC, CFLAGS, CPPFLAGS, LDFLAGS (appended to ours),
# WERROR=1 (warnings are errors), SAN=1 or SAN=thread (sanitizers), V=1 (show commands).

CC_IS_CLANG := $(shell $(CC) --version 2>/dev/null | grep -q clang && echo 1)
ARCH := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)

STD = -std=c17 -D_GNU_SOURCE
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wvla -Wpointer-arith -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 \
	-Wimplicit-fallthrough -Wconversion -Wno-sign-conversion -Wdate-time
ifeq ($(CC_IS_CLANG),1)
# No -Wcast-qual here: OpenSSL's SSL_set_tlsext_host_name trips it.
WARN += -Wcast-align -Wcomma -Wconditional-uninitialized -Wunreachable-code-aggressive \
	-Wassign-enum -Wmissing-variable-declarations
else
WARN += -Wcast-qual -Wcast-align=strict -Wduplicated-cond -Wduplicated-branches -Wlogical-op \
	-Wformat-signedness -Wjump-misses-init -Walloc-zero -Wtrampolines -Wbidi-chars=any
# -Wnull-dereference reports paths through sanitizer checks that cannot happen.
ifeq ($(SAN),)
WARN += -Wnull-dereference
endif
endif
ifeq ($(WERROR),1)
WARN += -Werror
endif

HARDEN = -fstack-protector-strong -fPIE -fno-strict-overflow
ifeq ($(CC_IS_CLANG),1)
HARDEN += -ftrivial-auto-var-init=pattern
else
HARDEN += -ftrivial-auto-var-init=zero
endif
ifeq ($(ARCH),x86_64)
HARDEN += -fstack-clash-protection -fcf-protection=full
else ifeq ($(ARCH),aarch64)
HARDEN += -fstack-clash-protection -mbranch-protection=standard
endif
LDHARDEN = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

ifeq ($(SAN),)
OPT = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
VARIANT = rel
else ifeq ($(SAN),thread)
OPT = -O1 -g -U_FORTIFY_SOURCE -fno-omit-frame-pointer -fsanitize=thread
VARIANT = tsan
else
OPT = -O1 -g -U_FORTIFY_SOURCE -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
ifeq ($(CC_IS_CLANG),1)
OPT += -fsanitize=local-bounds
else
OPT += -fsanitize=bounds-strict
endif
VARIANT = san
endif
