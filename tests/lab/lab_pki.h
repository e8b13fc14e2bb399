/*
 * lab_pki: the keys and certificates of the lab.
 *
 * Every key is derived from one secret of the lab and a label ("host:mx1.bank.test"), so that
 * thousands of hosts have keys of their own and one small file holds them all; but RSA keys of zones,
 * which are slow to make, are one, in a file of its own. Certificates are
 * made when they are asked for; their dates hang on the day the lab was made.
 */
#ifndef LAB_PKI_H
#define LAB_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/attr.h"

struct error;
struct lab_pki;

/* What a server shows. */
enum lab_cert {
	LAB_CERT_OK = 1,         /* leaf from the intermediate, which is sent along */
	LAB_CERT_WILDCARD,       /* the left-most label of the name is a star */
	LAB_CERT_EXPIRED,        /* since the day before the lab was made */
	LAB_CERT_NOT_YET,        /* valid in a year */
	LAB_CERT_EXPIRES_SOON,   /* three days after the lab was made */
	LAB_CERT_WRONG_NAME,     /* for wrong-name.lab-ca.test */
	LAB_CERT_CN_ONLY,        /* the name as common name, no subjectAltName */
	LAB_CERT_DEEP_WILDCARD,  /* *.parent of parent: one label too few */
	LAB_CERT_SELF_SIGNED,    /* leaf signed by its own key */
	LAB_CERT_UNKNOWN_CA,     /* leaf of a root nobody trusts, which is not sent */
	LAB_CERT_INCOMPLETE,     /* leaf only; it names the issuer's URL */
	LAB_CERT_CLIENT_ONLY,    /* extended key usage clientAuth */
	LAB_CERT_DANE_TA,        /* leaf from the private DANE root, which is sent along */
	LAB_CERT_DANE_TA_ABSENT, /* the same without the root */
	LAB_CERT_DANE_TA_NAME,   /* the same with the root, but for another name */
	LAB_CERT_RSA1024,        /* from the intermediate, with a weak key */
	LAB_CERT_SHA1,           /* from the intermediate, signed with SHA-1 */
	LAB_CERT_RSA,            /* from the intermediate, RSA with 2,048 bits */
	LAB_CERT_CHAIN_LONG,     /* eleven certificates */
	LAB_CERT_CHAIN_HUGE,     /* ten certificates, more than 128 KiB */
	LAB_CERT_MUST_STAPLE,    /* demands an OCSP staple */
	LAB_CERT_CA_LEAF,        /* the leaf may issue certificates */
	LAB_CERT_PATH_LENGTH,    /* an intermediate below one that allows none */
	LAB_CERT_DANE_TA_SHA1,   /* as LAB_CERT_DANE_TA, signed with SHA-1 */
	LAB_CERT_CONSTRAINED,    /* an intermediate for names elsewhere only */
};

struct lab_identity {
	EVP_PKEY *key;          /* owned */
	X509 *leaf;             /* owned */
	STACK_OF(X509) * chain; /* owned; what is sent behind the leaf */
};

/* Makes secret and authorities below dir: ca/root.pem (to be trusted), ca/intermediate.pem,
 * ca/unknown-root.pem, ca/dane-root.pem, keys/secret, keys/zone-rsa.pem. made_s: when the lab is
 * made. */
int lab_pki_make(
	const char *dir, int64_t made_s, struct lab_pki **out, struct error *err) MUST_CHECK;
int lab_pki_open(const char *dir, struct lab_pki **out, struct error *err) MUST_CHECK;
/* NULL is allowed. */
void lab_pki_free(struct lab_pki *pki);

int64_t lab_pki_made_s(const struct lab_pki *pki);

/* The EC P-256 key of a label; the caller's to free. Never NULL. */
EVP_PKEY *lab_pki_key(const struct lab_pki *pki, const char *label) RETURNS_NONNULL;

/* The RSA key (2,048 bits) of all zones that have one; the caller's to free. */
EVP_PKEY *lab_pki_zone_rsa(const struct lab_pki *pki) RETURNS_NONNULL;

/* The key and certificates host name shows for the given kind. Aborts when OpenSSL fails: nothing
 * of this comes from outside. */
void lab_pki_identity(
	const struct lab_pki *pki, const char *name, enum lab_cert cert, struct lab_identity *out);
/* An OCSP response about a leaf from the intermediate, in DER: good or revoked. The caller frees it with
 * OPENSSL_free(). */
unsigned char *lab_pki_staple(
	const struct lab_pki *pki, X509 *leaf, bool revoked, size_t *len) RETURNS_NONNULL;
void lab_identity_clear(struct lab_identity *id);

/* TLSA RDATA ("3 1 1 hex") for what the host shows under cert. form is "USAGE SELECTOR MATCHING";
 * usage 2 and 0 take the last certificate of the chain. The caller's to free. */
char *lab_pki_tlsa(const struct lab_pki *pki, const char *name, enum lab_cert cert, int usage,
	int selector, int matching) RETURNS_NONNULL;
/* The same for a key that the host had before and shows no more; usage 3 or 1. */
char *lab_pki_former_tlsa(const struct lab_pki *pki, const char *name, enum lab_cert cert,
	int usage, int selector, int matching) RETURNS_NONNULL;

#endif
