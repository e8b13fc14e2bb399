# preload25: one Makefile for everything. `make help` lists the targets.

CC ?= gcc
include scripts/flags.mk

VERSION := 0.1.0
B ?= build/$(VARIANT)
prefix ?= /usr/local
PKG_CONFIG ?= pkg-config

# What each library needs from outside; libunbound, libldns, libcdb and inih are named by hand because
# their .pc files drag in more than is used or do not exist.
COMMON_PKGS = jansson libcrypto libidn2
VERIFIER_PKGS = libevent libevent_openssl libcurl libssl libcrypto libidn2 libpsl jansson
EXPORT_PKGS = jansson libcrypto libgit2 libzstd
BUILDER_PKGS = sqlite3 jansson
UPDATER_PKGS = libcurl jansson libssl libcrypto libzstd libidn2 libpsl zlib libseccomp
ALL_PKGS = $(sort $(COMMON_PKGS) $(VERIFIER_PKGS) $(EXPORT_PKGS) $(BUILDER_PKGS) $(UPDATER_PKGS))

PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(ALL_PKGS))
libs = $(shell $(PKG_CONFIG) --libs $(1))

ALL_CPPFLAGS = -I. -DPRELOAD25_VERSION='"$(VERSION)"' $(CPPFLAGS) $(PKG_CFLAGS)
ALL_CFLAGS = $(STD) $(OPT) $(WARN) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS = $(OPT) $(LDHARDEN) $(LDFLAGS)

COMMON_LIBS = $(call libs,$(COMMON_PKGS)) -linih
VERIFIER_LIBS = $(call libs,$(VERIFIER_PKGS)) -lunbound -lldns
EXPORT_LIBS = $(call libs,$(EXPORT_PKGS))
BUILDER_LIBS = $(call libs,$(BUILDER_PKGS))
UPDATER_LIBS = $(call libs,$(UPDATER_PKGS)) -lcdb -llmdb -ldb -lresolv

FOLDERS = common verifier export builder updater
# main.c files are programs, everything else in a folder is its library.
$(foreach f,$(FOLDERS),$(eval $(f)_SRC := $(filter-out $(f)/main.c,$(wildcard $(f)/*.c))))
$(foreach f,$(FOLDERS),$(eval $(f)_OBJ := $$($(f)_SRC:%.c=$(B)/%.o)))

PROGRAMS = $(B)/preload25 $(B)/preload25-update
LAB_SRC := $(wildcard tests/lab/*.c tests/lab/mail/*.c)
LAB_SHARED := $(filter tests/lab/lab_%.c,$(LAB_SRC))
LAB_PROGS := $(patsubst %.c,$(B)/lab/%,$(notdir $(filter-out $(LAB_SHARED),$(LAB_SRC))))
LAB_LIBS = $(call libs,libevent libevent_openssl libevent_pthreads libssl libcrypto jansson) -lldns -lresolv

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
BENCHES := $(BENCH_SRC:tests/bench/%.c=$(B)/bench/%)
TESTS_SRC := $(LAB_SRC) $(UNIT_SRC) $(BENCH_SRC)

ifeq ($(V),1)
Q =
else
Q = @
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all help check check-unit lab bench lint format install deb clean
# Objects are not intermediate: keep them.
.SECONDARY:

all: $(PROGRAMS)

help:
	@echo 'make               both programs, in $(B)/'
	@echo 'make check         unit tests (T=test_NAME for one of them)'
	@echo 'make lab           the programs of the test lab; fault.so, which makes steps of ours fail'
	@echo 'make tuf-client    the TUF client behind the protocol of the public conformance suite'
	@echo 'make bench         benchmarks (build only; scripts/bench runs them)'
	@echo 'make fuzz          fuzz targets, in build/fuzz/ (scripts/fuzz runs them)'
	@echo 'make check-fuzz    replays the corpora of the fuzz targets'
	@echo 'make lint          static checks: layering, banned calls, man pages, shell scripts'
	@echo 'make man           preload25-findings(7) anew, from the table of findings'
	@echo 'make install       DESTDIR and prefix (now $(prefix)) are respected'
	@echo 'make deb           the Debian package preload25-updater, in $(B)/'
	@echo 'make clean'
	@echo 'Variables: SAN=1 or SAN=thread (sanitizers), WERROR=1, CC=clang, V=1'

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@[ -n '$(Q)' ] && echo '  CC    $<' || :
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define library
$(B)/lib$(1).a: $$($(1)_OBJ)
	@mkdir -p $$(@D)
	@[ -n '$$(Q)' ] && echo '  AR    $$@' || :
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call library,$(f))))

# The order of the libraries is the direction of the dependencies (no --start-group): a call against
# the arrows does not link.
$(B)/preload25: $(B)/builder/main.o $(B)/libbuilder.a $(B)/libexport.a $(B)/libverifier.a $(B)/libcommon.a
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(BUILDER_LIBS) $(EXPORT_LIBS) $(VERIFIER_LIBS) $(COMMON_LIBS)

$(B)/preload25-update: $(B)/updater/main.o $(B)/libupdater.a $(B)/libexport.a $(B)/libcommon.a
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(UPDATER_LIBS) $(COMMON_LIBS)

# --- tests --------------------------------------------------------------------------------------

# A test links the libraries it includes and those below them by the arrows, nothing else, so that one
# folder can be built and tested alone. helper_*.c files are shared by the unit tests.
UNIT_HELPERS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/helper_*.c))
uses = $(shell grep -ls '^.include "$(2)/' $(1))
libs_of = $(strip $(if $(call uses,$(1),updater),$(B)/libupdater.a) \
	$(if $(call uses,$(1),builder),$(B)/libbuilder.a) \
	$(if $(call uses,$(1),updater)$(call uses,$(1),builder)$(call uses,$(1),export),$(B)/libexport.a) \
	$(if $(call uses,$(1),builder)$(call uses,$(1),verifier),$(B)/libverifier.a) $(B)/libcommon.a)

define unit_test
$(B)/unit/$(1): $(B)/tests/unit/$(1).o $(UNIT_HELPERS) $(call libs_of,tests/unit/$(1).c)
	@mkdir -p $$(@D)
	@[ -n '$$(Q)' ] && echo '  LINK  $$@' || :
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(BUILDER_LIBS) $$(EXPORT_LIBS) $$(UPDATER_LIBS) \
		$$(VERIFIER_LIBS) $$(COMMON_LIBS) -lcmocka
endef
$(foreach t,$(notdir $(UNIT_TESTS)),$(eval $(call unit_test,$(t))))

ifneq ($(T),)
CHECK_TESTS = $(B)/unit/$(T)
else
CHECK_TESTS = $(UNIT_TESTS)
endif
check: check-unit
check-unit: $(CHECK_TESTS)
	@scripts/run-unit $(CHECK_TESTS)

lab: $(LAB_PROGS) $(B)/fault.so
LAB_SHARED_OBJ := $(LAB_SHARED:%.c=$(B)/%.o)
$(B)/lab/%: $(B)/tests/lab/%.o $(LAB_SHARED_OBJ) $(B)/libverifier.a $(B)/libcommon.a
	@mkdir -p $(@D)
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LAB_LIBS) $(COMMON_LIBS)
$(B)/lab/%: $(B)/tests/lab/mail/%.o $(LAB_SHARED_OBJ) $(B)/libverifier.a $(B)/libcommon.a
	@mkdir -p $(@D)
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LAB_LIBS) $(COMMON_LIBS)
$(B)/lab/tuf_sign: $(B)/tests/lab/tuf_sign.o $(B)/libexport.a $(B)/libcommon.a
	@mkdir -p $(@D)
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EXPORT_LIBS) $(COMMON_LIBS)

# Preloaded by tests/integration/faults.sh, and no part of the programs. Not sanitized: it lies below
# the sanitizers' own functions.
$(B)/fault.so: tests/fault/fault.c
	@mkdir -p $(@D)
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(PKG_CFLAGS) $(STD) -O2 -g $(WARN) -fPIC -shared -o $@ $< -ldl

bench: $(BENCHES)
BENCH_LIBS = $(B)/libupdater.a $(B)/libbuilder.a $(B)/libexport.a $(B)/libverifier.a $(B)/libcommon.a
$(B)/bench/%: $(B)/tests/bench/%.o $(BENCH_LIBS)
	@mkdir -p $(@D)
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(BUILDER_LIBS) $(EXPORT_LIBS) $(UPDATER_LIBS) \
		$(VERIFIER_LIBS) $(COMMON_LIBS)

# The updater's TUF client behind the command protocol of the public conformance suite.
.PHONY: tuf-client
tuf-client: $(B)/tuf-client
$(B)/tuf-client: $(B)/tests/tuf-client/tuf-client.o $(B)/libupdater.a $(B)/libexport.a $(B)/libcommon.a
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(UPDATER_LIBS) $(COMMON_LIBS)

# Fuzz targets (clang); scripts/fuzz runs them. The corpora are an ordinary test too: check-fuzz
# replays them with the compiler and sanitizers of the day.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_B = build/fuzz
FUZZ_FLAGS = $(STD) -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
FUZZ_LIB_NAMES = libupdater.a libbuilder.a libexport.a libverifier.a libcommon.a
FUZZ_LINK = $(UPDATER_LIBS) $(BUILDER_LIBS) $(EXPORT_LIBS) $(VERIFIER_LIBS) $(COMMON_LIBS)
.PHONY: fuzz check-fuzz
fuzz: $(FUZZ_SRC:tests/fuzz/%.c=$(FUZZ_B)/%)
$(FUZZ_B)/%.o: %.c
	@mkdir -p $(@D)
	@[ -n '$(Q)' ] && echo '  CC    $<' || :
	$(Q)clang $(ALL_CPPFLAGS) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<
define fuzz_library
$(FUZZ_B)/lib$(1).a: $$($(1)_SRC:%.c=$(FUZZ_B)/%.o)
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call fuzz_library,$(f))))
$(FUZZ_B)/%: $(FUZZ_B)/tests/fuzz/%.o $(FUZZ_B)/tests/fuzz/helper.o $(FUZZ_LIB_NAMES:%=$(FUZZ_B)/%)
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(FUZZ_LINK)

FUZZ_REPLAYS := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/replay/%)
$(B)/replay/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(B)/tests/fuzz/helper.o \
	$(FUZZ_LIB_NAMES:%=$(B)/%)
	@mkdir -p $(@D)
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(FUZZ_LINK)
check-fuzz: $(FUZZ_REPLAYS)
	@for t in $^; do printf '%s: ' "$${t##*/}"; \
		$$t "tests/fuzz/corpus/$${t##*/fuzz_}" || exit 1; done

# The manual page of findings is made of the table in verifier/finding.c and committed.
.PHONY: man
$(B)/findings: $(B)/data/man/findings.o $(B)/libverifier.a $(B)/libcommon.a
	@[ -n '$(Q)' ] && echo '  LINK  $@' || :
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(VERIFIER_LIBS) $(COMMON_LIBS)
man: $(B)/findings
	$(Q)$(B)/findings >data/man/preload25-findings.7.new
	$(Q)mv data/man/preload25-findings.7.new data/man/preload25-findings.7

lint:
	@scripts/lint

format:
	clang-format -i $(wildcard $(addsuffix /*.[ch],$(FOLDERS)) tests/*/*.[ch] tests/lab/mail/*.[ch])

# --- installation -------------------------------------------------------------------------------

bindir = $(prefix)/bin
sbindir = $(prefix)/sbin
mandir = $(prefix)/share/man
datadir = $(prefix)/share/preload25
completiondir = $(prefix)/share/bash-completion/completions

install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(sbindir) $(DESTDIR)$(mandir)/man1 \
		$(DESTDIR)$(mandir)/man5 \
		$(DESTDIR)$(mandir)/man7 $(DESTDIR)$(mandir)/man8 $(DESTDIR)$(datadir) \
		$(DESTDIR)$(completiondir)
	install -m 0755 $(B)/preload25 $(DESTDIR)$(bindir)/preload25
	install -m 0755 $(B)/preload25-update $(DESTDIR)$(sbindir)/preload25-update
	install -m 0644 data/man/preload25.1 $(DESTDIR)$(mandir)/man1/
	install -m 0644 data/man/preload25-findings.7 data/man/preload25-repository.7 \
		$(DESTDIR)$(mandir)/man7/
	install -m 0644 data/man/preload25-rules.5 $(DESTDIR)$(mandir)/man5/
	install -m 0644 data/man/preload25-update.8 $(DESTDIR)$(mandir)/man8/
	install -m 0644 data/preload25.conf.example data/preload25-update.conf.example \
		data/schema/*.json data/cron.d/preload25-updater data/systemd/preload25-update.timer \
		data/systemd/preload25.sysusers \
		$(DESTDIR)$(datadir)/
	for unit in preload25-fetch.service preload25-update.service; do \
		sed 's|/usr/sbin/|$(sbindir)/|' data/systemd/$$unit | \
			install -m 0644 /dev/stdin $(DESTDIR)$(datadir)/$$unit || exit; \
	done
	install -m 0644 data/completion/preload25.bash $(DESTDIR)$(completiondir)/preload25
	ln -sf preload25 $(DESTDIR)$(completiondir)/preload25-update

# The updater alone, for mail servers: data/debian holds what is Debian's about it.
deb: $(B)/preload25-update
	@scripts/make-deb $(B)/preload25-update $(VERSION) $(B)

clean:
	rm -rf $(B)

-include $(shell find $(B) $(FUZZ_B) -name '*.d' 2>/dev/null)
