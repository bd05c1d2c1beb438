/* tls.c - the TLS that lmc speaks as a client
 * SPDX-License-Identifier: Apache-2.0
 *
 * libcurl's BearSSL backend asks for the "full" profile: all that BearSSL has,
 * down to 3DES and MD5. The linker finds this function of that name first, and
 * the library's stays out: TLS 1.2 with forward secrecy and authenticated
 * ciphers only (threats.md T19), and 16 kB less. BearSSL has no TLS 1.3.
 */
#include <bearssl.h>

static const uint16_t suites[] = {
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

static void set_hash(br_ssl_client_context *c, br_x509_minimal_context *x,
		     int id, const br_hash_class *h)
{
	br_ssl_engine_set_hash(&c->eng, id, h);
	br_x509_minimal_set_hash(x, id, h);
}

void br_ssl_client_init_full(br_ssl_client_context *c, br_x509_minimal_context *x,
			     const br_x509_trust_anchor *anchors, size_t n)
{
	br_ssl_client_zero(c);
	br_ssl_engine_set_versions(&c->eng, BR_TLS12, BR_TLS12);
	br_ssl_engine_set_suites(&c->eng, suites, sizeof suites / sizeof *suites);
	br_ssl_client_set_default_rsapub(c);
	br_ssl_engine_set_default_rsavrfy(&c->eng);
	br_ssl_engine_set_default_ecdsa(&c->eng);
	br_ssl_engine_set_default_aes_gcm(&c->eng);
	br_ssl_engine_set_default_chapol(&c->eng);
	br_ssl_engine_set_prf_sha256(&c->eng, &br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(&c->eng, &br_tls12_sha384_prf);
	br_x509_minimal_init(x, &br_sha256_vtable, anchors, n);
	br_x509_minimal_set_rsa(x, br_ssl_engine_get_rsavrfy(&c->eng));
	br_x509_minimal_set_ecdsa(x, br_ssl_engine_get_ec(&c->eng),
				  br_ssl_engine_get_ecdsa(&c->eng));
	set_hash(c, x, br_sha256_ID, &br_sha256_vtable);
	set_hash(c, x, br_sha384_ID, &br_sha384_vtable);
	set_hash(c, x, br_sha512_ID, &br_sha512_vtable);
	br_ssl_engine_set_x509(&c->eng, &x->vtable);
}
