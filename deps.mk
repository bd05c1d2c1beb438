# deps.mk - the packages lmc is linked with: where each comes from, its
# checksum, how it is built.
# SPDX-License-Identifier: Apache-2.0
#
# Sources come from the Debian mirror this machine already trusts, through an
# apt configuration of our own under build/apt (the system's one is only read).
# apt's signatures vouch for every file; on top of that the upstream part,
# which a Debian security update leaves alone, must have the checksum below.
# DEPS_DIR=DIR takes the files from DIR instead (another clone's build/src).

BEARSSL_VERSION := 0.6
BEARSSL_SHA256  := 102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004
CURL_VERSION    := 7.88.1
CURL_SHA256     := cdb38b72e36bc5d33d5b8810f8018ece1baa29a8f215b4495e495ded82bbf3c7
JSMN_VERSION    := 1.1.0
JSMN_SHA256     := 5f0913a10657fe7ec8d5794ccf00a01000e3e1f2f1e1f143c34a0f7b47edcb38
MUSL_VERSION    := 1.2.3
MUSL_SHA256     := 7d5b0b6062521e4627e099e4c9dc8248d32a30285e959b7eecaa780cf8cfd4a4
ZLIB_VERSION    := 1.2.13
ZLIB_SHA256     := 71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1

BUILD_PKGS += gcc libc6-dev make musl-tools musl-dev linux-libc-dev dpkg-dev \
	patch xz-utils bzip2 gzip binutils

# --- fetch ------------------------------------------------------------------

define FETCH_SH
set -eu
say() { echo "deps: $$*" >&2; }
top=$$PWD
new=$$top/build/src.new
rm -rf "$$new"
mkdir -p "$$new"

# Every deb line of the machine's own, turned into its deb-src twin; options
# and Signed-By stay. A source without source packages only costs a warning.
private_apt() {
	sl=/etc/apt/sources.list sp=/etc/apt/sources.list.d/
	eval "$$(apt-config shell sl Dir::Etc::sourcelist/f sp Dir::Etc::sourceparts/d)"
	rm -rf build/apt
	mkdir -p build/apt/parts build/apt/lists/partial \
		build/apt/cache/archives/partial
	for f in "$$sl" "$${sp%/}"/*.list; do
		[ -f "$$f" ] || continue
		sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$$f" \
			>"build/apt/parts/$$(basename "$$f" .list).list"
	done
	for f in "$${sp%/}"/*.sources; do
		[ -f "$$f" ] || continue
		sed 's/^[Tt]ypes:.*/Types: deb-src/' "$$f" \
			>"build/apt/parts/$$(basename "$$f")"
	done
	apt update >build/apt/log 2>&1 || :
}
apt() {
	apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/dev/null \
		-o "Dir::Etc::sourceparts=$$top/build/apt/parts" \
		-o "Dir::State::lists=$$top/build/apt/lists" \
		-o "Dir::Cache=$$top/build/apt/cache" "$$@"
}
# check WHAT VERSION SHA256 FILE: is this the upstream we build from?
check() {
	sum=$$(sha256sum <"$$4") && sum=$${sum%% *}
	[ "$$sum" = "$$3" ] && return
	say "$$1: $$(basename "$$4") is not the $$1 $$2 known here: \
sha256 $$sum, expected $$3."
	say "If upstream's version changed, deps.mk needs its new version and checksum;" \
		"DEPS_DIR=DIR builds from files fetched elsewhere."
	exit 1
}
# source_package NAME VERSION SHA256 [OPTION]
source_package() {
	if [ -n "$$DEPS_DIR" ]; then
		cp "$$DEPS_DIR/$$1"_* "$$new/"
	else
		(cd "$$new" && apt source --only-source --download-only $${4-} "$$1") \
			>>build/apt/log 2>&1 || {
			tail -n 5 build/apt/log >&2
			say "$$1: no source package from this machine's apt sources;" \
				"DEPS_DIR=DIR builds from files fetched elsewhere."
			exit 1
		}
	fi
	set -- "$$1" "$$2" "$$3" "$$new/$$1"_*.orig.tar.*[z2]
	[ -f "$$4" ] || { say "$$1: no upstream tarball found"; exit 1; }
	check "$$@"
}

if [ -z "$$DEPS_DIR" ]; then
	say "fetching sources through this machine's apt sources"
	private_apt
fi
source_package musl $(MUSL_VERSION) $(MUSL_SHA256)
source_package bearssl $(BEARSSL_VERSION) $(BEARSSL_SHA256)
source_package curl $(CURL_VERSION) $(CURL_SHA256)
source_package zlib $(ZLIB_VERSION) $(ZLIB_SHA256)

# jsmn is one header that Debian does not patch: the upstream part is enough.
source_package jsmn $(JSMN_VERSION) $(JSMN_SHA256) --tar-only
rm -rf build/src build/apt/lists build/apt/cache
mv "$$new" build/src
endef

# --- build ------------------------------------------------------------------
# Each script builds in a temporary directory without spaces (configure cannot
# bear them) and moves the finished result in: what exists is complete. The
# directory's name carries the hash of the script, so that only a changed
# recipe builds again.

define UNPACK_SH
set -eu
tmp=$$(TMPDIR=/tmp mktemp -d)
trap 'rm -rf "$$tmp"' EXIT
trap 'exit 130' INT TERM HUP
top=$$PWD
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS LIBS
export LC_ALL=C SOURCE_DATE_EPOCH=0 ZERO_AR_DATE=1
log=$$top/$$OUT.log
mkdir -p "$$(dirname "$$log")" "$$tmp/out/include" "$$tmp/out/lib"
flags="-Oz -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong \
-fstack-clash-protection $$DEPS_FLAGS -ffile-prefix-map=$$tmp/src=."
quiet() {
	"$$@" >>"$$log" 2>&1 && return
	tail -n 20 "$$log" >&2
	echo "deps: $$1 failed, see $${log#"$$top/"}" >&2
	exit 1
}
unpack() {
	echo "deps: building $$1 with $$CC" >&2
	: >"$$log"
	quiet dpkg-source -x build/src/"$$1"_*.dsc "$$tmp/src"
	cd "$$tmp/src"
}
finish() {
	cd "$$top"
	rm -rf "$$OUT" "$${OUT%-*}"-????????????
	mv "$$tmp/out" "$$OUT"
}
endef

# The distribution's own libc.a is built for speed: 45 kB of the binary. musl's
# configure adds the flags it needs for the parts that must not be protected.
define MUSL_SH
$(UNPACK_SH)
unpack musl
quiet ./configure --disable-shared --prefix=/usr CC="$$CC" CFLAGS="$$flags"
quiet make -j"$$(nproc)" install-libs install-headers prefix= DESTDIR="$$tmp/out"
cp COPYRIGHT "$$tmp/out/LICENSE"
finish
endef

define BEARSSL_SH
$(UNPACK_SH)
unpack bearssl
rm -rf build
# One implementation of each algorithm, for any processor: the others are 30 kB.
quiet make -j"$$(nproc)" lib CC="$$CC" LD="$$CC" \
	CFLAGS="$$flags -W -Wall -DBR_INT128=0 -DBR_UMUL128=0 -DBR_SSE2=0 -DBR_AES_X86NI=0"
cp build/libbearssl.a "$$tmp/out/lib/"
cp inc/*.h "$$tmp/out/include/"
cp LICENSE.txt "$$tmp/out/LICENSE"
finish
endef

# HTTP and HTTPS, names and UNIX sockets; nothing that would look at the build
# machine: a fixed CA path, no library it happens to have. The threaded
# resolver stays because the other one cannot be timed out. configure does not
# know -Oz and would add -O2: make is told the flags again.
# Its BearSSL backend does not say what a handshake waits for, and is asked again
# only when a timer ends, up to a second later.
define CURL_SH
$(UNPACK_SH)
cp -r "$$BEARSSL_DIR" "$$tmp/bearssl"
unpack curl
sed -i '/^static CURLcode bearssl_connect_step2/,/^}/s/^  if(ret == CURLE_AGAIN)/\
  connssl->connecting_state = br_ssl_engine_current_state(\&backend->ctx.eng) \&\
    BR_SSL_SENDREC ? ssl_connect_2_writing : ssl_connect_2_reading;\
&/' lib/vtls/bearssl.c
grep -q 'SENDREC ? ssl_connect_2_writing' lib/vtls/bearssl.c
quiet env PKG_CONFIG=false ./configure --host="$$($$CC -dumpmachine)" \
	--prefix=/usr CC="$$CC" CFLAGS="$$flags" \
	CPPFLAGS="-I$$tmp/bearssl/include" LDFLAGS="-L$$tmp/bearssl/lib $$DEPS_LDFLAGS" \
	--disable-shared --enable-static --disable-dependency-tracking \
	--with-bearssl="$$tmp/bearssl" \
	--with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --without-ca-path \
	--enable-http --enable-ipv6 --enable-unix-sockets \
	--enable-threaded-resolver --disable-proxy --disable-http-auth \
	--disable-verbose --disable-ares --disable-ftp --disable-file \
	--disable-ldap --disable-ldaps --disable-rtsp --disable-dict \
	--disable-telnet --disable-tftp --disable-pop3 --disable-imap \
	--disable-smb --disable-smtp --disable-gopher --disable-mqtt \
	--disable-manual --disable-libcurl-option --disable-sspi \
	--disable-crypto-auth --disable-ntlm --disable-ntlm-wb \
	--disable-tls-srp --disable-cookies --disable-dateparse \
	--disable-netrc --disable-progress-meter --disable-dnsshuffle \
	--disable-get-easy-options --disable-alt-svc --disable-hsts \
	--disable-websockets --disable-doh --disable-mime --disable-aws \
	--disable-socketpair --disable-form-api --without-zlib \
	--without-brotli --without-zstd --without-libpsl --without-libidn2 \
	--without-librtmp --without-libssh2 --without-libssh --without-nghttp2 \
	--without-ngtcp2 --without-nghttp3 --without-quiche --without-msh3 \
	--without-gssapi --without-libgsasl
quiet make -j"$$(nproc)" -C lib libcurl.la CFLAGS="$$flags"
cp lib/.libs/libcurl.a "$$tmp/out/lib/"
cp -r include/curl "$$tmp/out/include/"
rm -f "$$tmp"/out/include/curl/Makefile*
cp COPYING "$$tmp/out/LICENSE"
finish
endef

define JSMN_SH
$(UNPACK_SH)
tar -xf build/src/jsmn_*.orig.tar.?z -C "$$tmp" --strip-components=1
cp "$$tmp/jsmn.h" "$$tmp/out/include/"
cp "$$tmp/LICENSE" "$$tmp/out/LICENSE"
finish
endef

# The compressing half: lmc reads nothing that is compressed. It answers while
# others wait, so it is built for speed.
define ZLIB_SH
$(UNPACK_SH)
unpack zlib
for f in adler32 crc32 deflate inffast inflate inftrees trees zutil; do
	quiet "$$CC" $$flags -DDYNAMIC_CRC_TABLE -DHAVE_UNISTD_H \
		-DHAVE_STDARG_H -c $$f.c
done
quiet ar rcs "$$tmp/out/lib/libz.a" *.o
cp zlib.h zconf.h "$$tmp/out/include/"
cp LICENSE "$$tmp/out/LICENSE"
finish
endef

define newline


endef
hash = $(firstword $(shell printf %s '$(subst ','\'',$(subst $(newline),;,$1))' \
	| sha256sum | cut -c1-12))

# The release is built for musl; `make check` needs the same for glibc, because
# the sanitizers do.
FETCHED     := build/src/.$(call hash,$(FETCH_SH))
MUSL_FLAGS  := -fno-asynchronous-unwind-tables -fno-unwind-tables
GLIBC_FLAGS := -g -fno-omit-frame-pointer
CHECK_DEPS_CC := gcc

MUSL    := build/deps/musl-$(call hash,$(CC) $(MUSL_FLAGS) $(MUSL_VERSION) $(MUSL_SH))
BEARSSL := build/deps/bearssl-$(call hash,$(CC) $(MUSL_FLAGS) $(BEARSSL_VERSION) $(BEARSSL_SH))
CURL    := build/deps/curl-$(call hash,$(BEARSSL) $(CURL_VERSION) $(CURL_SH))
JSMN    := build/deps/jsmn-$(call hash,$(JSMN_VERSION) $(JSMN_SH))
ZLIB    := build/deps/zlib-$(call hash,$(CC) $(MUSL_FLAGS) $(ZLIB_VERSION) $(ZLIB_SH))
BEARSSL_CHECK := build/deps-check/bearssl-$(call hash,$(CHECK_DEPS_CC) $(GLIBC_FLAGS) $(BEARSSL_VERSION) $(BEARSSL_SH))
CURL_CHECK    := build/deps-check/curl-$(call hash,$(BEARSSL_CHECK) $(CURL_VERSION) $(CURL_SH))
ZLIB_CHECK    := build/deps-check/zlib-$(call hash,$(CHECK_DEPS_CC) $(GLIBC_FLAGS) $(ZLIB_VERSION) $(ZLIB_SH))

export FETCH_SH MUSL_SH BEARSSL_SH CURL_SH JSMN_SH ZLIB_SH DEPS_DIR

# The lock is for two makes at once; who waited for it finds the work done.
locked = @mkdir -p build && flock build/.lock sh -c '[ -e $@ ] || { $1 sh -c "$$$2" && touch $@; }'

$(FETCHED): | tools
	$(call locked,,FETCH_SH)

musl_build  = CC="$(CC)" OUT=$(@:/.done=) DEPS_FLAGS="$(MUSL_FLAGS)" DEPS_LDFLAGS=-static
glibc_build = CC=$(CHECK_DEPS_CC) OUT=$(@:/.done=) DEPS_FLAGS="$(GLIBC_FLAGS)" DEPS_LDFLAGS=

$(MUSL)/.done: | $(FETCHED)
	$(call locked,$(musl_build) ,MUSL_SH)
$(BEARSSL)/.done: | $(FETCHED)
	$(call locked,$(musl_build) ,BEARSSL_SH)
$(CURL)/.done: | $(BEARSSL)/.done $(FETCHED)
	$(call locked,$(musl_build) BEARSSL_DIR=$(BEARSSL),CURL_SH)
$(JSMN)/.done: | $(FETCHED)
	$(call locked,$(musl_build) ,JSMN_SH)
$(ZLIB)/.done: | $(FETCHED)
	$(call locked,$(musl_build) ,ZLIB_SH)
$(BEARSSL_CHECK)/.done: | $(FETCHED)
	$(call locked,$(glibc_build) ,BEARSSL_SH)
$(CURL_CHECK)/.done: | $(BEARSSL_CHECK)/.done $(FETCHED)
	$(call locked,$(glibc_build) BEARSSL_DIR=$(BEARSSL_CHECK),CURL_SH)
$(ZLIB_CHECK)/.done: | $(FETCHED)
	$(call locked,$(glibc_build) ,ZLIB_SH)

# --- what the rest of the makefile uses -------------------------------------

DEPS       := $(MUSL)/.done $(BEARSSL)/.done $(CURL)/.done $(JSMN)/.done $(ZLIB)/.done
DEPS_CHECK := $(BEARSSL_CHECK)/.done $(CURL_CHECK)/.done $(JSMN)/.done $(ZLIB_CHECK)/.done
DEPS_INC       := -isystem $(MUSL)/include -isystem $(BEARSSL)/include -isystem $(CURL)/include -isystem $(JSMN)/include \
	-isystem $(ZLIB)/include
DEPS_CHECK_INC := -isystem $(BEARSSL_CHECK)/include -isystem $(CURL_CHECK)/include -isystem $(JSMN)/include \
	-isystem $(ZLIB_CHECK)/include
DEPS_LIB       := $(CURL)/lib/libcurl.a $(BEARSSL)/lib/libbearssl.a $(ZLIB)/lib/libz.a \
	$(MUSL)/lib/libc.a
DEPS_CHECK_LIB := $(CURL_CHECK)/lib/libcurl.a $(BEARSSL_CHECK)/lib/libbearssl.a $(ZLIB_CHECK)/lib/libz.a

build/licenses.txt: LICENSE $(DEPS)
	@{ part() { printf '\n%s\n%s\n\n' "$$1" \
		'----------------------------------------------------------------'; \
		cat "$$2"; }; \
	printf 'lmc %s is licensed under Apache-2.0. It contains:\n' '$(VERSION)'; \
	printf '  %s\n' 'musl $(MUSL_VERSION), MIT' 'BearSSL $(BEARSSL_VERSION), MIT' \
		'libcurl $(CURL_VERSION), curl' 'jsmn $(JSMN_VERSION), MIT' \
		'zlib $(ZLIB_VERSION), Zlib' \
		'libgcc, GPL-3.0 with the GCC Runtime Library Exception'; \
	part 'lmc (Apache-2.0)' LICENSE; \
	part 'musl (MIT)' $(MUSL)/LICENSE; \
	part 'BearSSL (MIT)' $(BEARSSL)/LICENSE; \
	part 'libcurl (curl)' $(CURL)/LICENSE; \
	part 'jsmn (MIT)' $(JSMN)/LICENSE; \
	part 'zlib (Zlib)' $(ZLIB)/LICENSE; } >$@
