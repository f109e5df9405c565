# make            install the dependencies and build
# make run        run the whole stack on loopback in ./var, users alice and bob
# make test       every test that can run here; what needs a missing program is skipped by name
# make check      build, lint, tests
# make bench      beside Debian's Postfix, procmail and Dovecot where installed
# make crash      the long crash suite (KILLS=200 STRIDE=1, NOISE=2000 damaged indexes of each kind)
# make differential   thousands of generated and mutated messages beside Dovecot (MUTATIONS=3000), searches and sessions by chance (SEARCHES=3000, COURSES=50),
#                     mailboxes as others leave them
#                     (MBOXES=300, MAILDIRS=300), all rc files of the suite with all of its
#                     messages beside procmail (MESSAGES=all, or how many for each), mutated ones (FUZZ=2500, as root), 100,000 random
#                     patterns (RUNS=25), formail with random options and mails (FORMAIL_RUNS=20000)
# make power      Posthorn in a virtual machine whose power is cut under load (CUTS=5); wants root and qemu
# make together   procmail, mutt, mail, Dovecot and Posthorn on one mailbox at once (TOGETHER=180 seconds)
# make interchange    mailboxes, folders and clients in turn with Dovecot (ODD=40, COURSES=60, TIMES=20, FORMATS=all), as root
# make install    DESTDIR= PREFIX=/usr SYSCONFDIR=/etc

PREFIX ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
LIBDIR = $(PREFIX)/lib/posthorn
UNITDIR = $(PREFIX)/lib/systemd/system
MANDIR = $(PREFIX)/share/man

ARCH := $(shell uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')
NODE := node_modules/node-linux-$(ARCH)/bin/node
# Written out: a shell need not know "**", and takes it for one level.
TESTS ?= test/*.test.ts test/unit/*/*.test.ts test/unit/*/*/*.test.ts test/transcript/*/*.test.ts test/system/*.test.ts test/root/*.test.ts test/peers/*.test.ts test/peers/companions/*.test.ts test/interchange/*.test.ts test/nspawn/*.test.ts test/crash/*.test.ts test/crash/*/*.test.ts
# Without threads of V8, whose shutdown can wait for ever (src/sys/exit.ts); a test that hangs fails and is named.
RUN_TESTS = --single-threaded --test --test-timeout=900000
# Small commands that are one file each, for their time to start
BUNDLED = formail lockfile mailstat procmail+mda/command.js+sys/identity.js
COMMANDS = posthorn mailq newaliases procmail formail lockfile mailstat

.PHONY: all build run test check lint bench crash together power differential interchange install uninstall clean

all: build

node_modules/.stamp: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

build: node_modules/.stamp
	$(NODE) node_modules/typescript/bin/tsc -p tsconfig.json
	@$(NODE) build/bundle.ts $(BUNDLED)

run: build
	@bin/posthorn quickstart ./var

test: build
	$(NODE) $(RUN_TESTS) --test-concurrency=2 $(TESTS)

lint: node_modules/.stamp
	$(NODE) node_modules/typescript/bin/tsc -p test/tsconfig.json
	$(NODE) node_modules/eslint/bin/eslint.js --max-warnings=0 src test build

check: build lint test

bench: build
	$(NODE) test/bench/main.ts $(BENCH)

crash: build
	KILLS=$${KILLS:-200} CONNECTIONS=$${CONNECTIONS:-10000} STRIDE=$${STRIDE:-1} NOISE=$${NOISE:-2000} $(NODE) $(RUN_TESTS) --test-concurrency=1 test/crash/*.test.ts test/crash/*/*.test.ts test/unit/store/index-noise.test.ts

differential: node_modules/.stamp
	MUTATIONS=$${MUTATIONS:-3000} $(NODE) $(RUN_TESTS) test/unit/message/dovecot.test.ts
	SEARCHES=$${SEARCHES:-3000} COURSES=$${COURSES:-50} $(NODE) $(RUN_TESTS) test/unit/imap/search-dovecot.test.ts test/unit/imap/commands-dovecot.test.ts
	MBOXES=$${MBOXES:-300} MAILDIRS=$${MAILDIRS:-300} $(NODE) $(RUN_TESTS) test/unit/store/strange-*.test.ts
	RUNS=$${RUNS:-25} $(NODE) $(RUN_TESTS) test/unit/recipe/regex-procmail.test.ts test/unit/recipe/regex-work.test.ts
	MESSAGES=$${MESSAGES:-all} $(NODE) $(RUN_TESTS) --test-timeout=3600000 test/unit/procmail/suite.test.ts
	$(NODE) test/unit/procmail/fuzz.ts $${FUZZ:-2500}
	FORMAIL_RUNS=$${FORMAIL_RUNS:-20000} $(NODE) $(RUN_TESTS) --test-timeout=3600000 test/unit/formail/property.test.ts test/unit/formail/corpus.test.ts

power: build
	$(NODE) test/power/main.ts

together: build
	TOGETHER=$${TOGETHER:-180} $(NODE) $(RUN_TESTS) test/interchange/together.test.ts

interchange: build
	ODD=$${ODD:-40} COURSES=$${COURSES:-60} TIMES=$${TIMES:-20} FORMATS=$${FORMATS:-all} $(NODE) $(RUN_TESTS) --test-concurrency=1 $$(ls test/interchange/*.test.ts | grep -v together)

install: build
	install -d $(DESTDIR)$(LIBDIR)/bin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(UNITDIR) \
	  $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d $(DESTDIR)$(SYSCONFDIR)/posthorn
	cp -R dist package.json $(DESTDIR)$(LIBDIR)/
	rm -f $(DESTDIR)$(LIBDIR)/dist/.tsbuildinfo*
	cp -P bin/* $(DESTDIR)$(LIBDIR)/bin/
	npm ls --omit=dev --all --parseable 2>/dev/null | sed -n 's|^.*/node_modules/|node_modules/|p' | sed '/\/node_modules\/.*\/node_modules\//d' | sort -u \
	  | tar -cf - -T - | tar -xf - -C $(DESTDIR)$(LIBDIR)
	for c in $(COMMANDS); do ln -sfn ../lib/posthorn/bin/$$c $(DESTDIR)$(PREFIX)/bin/$$c; done
	ln -sfn ../lib/posthorn/bin/sendmail $(DESTDIR)$(PREFIX)/sbin/sendmail
	ln -sfn ../sbin/sendmail $(DESTDIR)$(PREFIX)/lib/sendmail
	for u in systemd/*.socket systemd/*.service; do \
	  sed 's|@LIBDIR@|$(LIBDIR)|g;s|@BINDIR@|$(PREFIX)/bin|g;s|@SYSCONFDIR@|$(SYSCONFDIR)|g' $$u > $(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; \
	  chmod 644 $(DESTDIR)$(UNITDIR)/$${u##*/}; done
	install -m 644 systemd/posthorn.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/posthorn.conf
	install -m 644 systemd/posthorn.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/posthorn.conf
	[ -e $(DESTDIR)$(SYSCONFDIR)/posthorn/posthorn.conf ] || install -m 644 etc/posthorn.conf $(DESTDIR)$(SYSCONFDIR)/posthorn/posthorn.conf
	[ -e $(DESTDIR)$(SYSCONFDIR)/aliases ] || install -m 644 etc/aliases $(DESTDIR)$(SYSCONFDIR)/aliases
	for m in man/*.[1-8]; do [ -e $$m ] || continue; s=$${m##*.}; install -d $(DESTDIR)$(MANDIR)/man$$s; install -m 644 $$m $(DESTDIR)$(MANDIR)/man$$s/; done

# Configuration, queue and mail stay.
uninstall:
	rm -rf $(DESTDIR)$(LIBDIR)
	for c in $(COMMANDS); do rm -f $(DESTDIR)$(PREFIX)/bin/$$c; done
	rm -f $(DESTDIR)$(PREFIX)/sbin/sendmail $(DESTDIR)$(PREFIX)/lib/sendmail
	for u in systemd/*.socket systemd/*.service; do rm -f $(DESTDIR)$(UNITDIR)/$${u##*/}; done
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/posthorn.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/posthorn.conf
	for m in man/*.[1-8]; do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done

clean:
	rm -rf dist
