#include "tests/lab/lab_pki.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/ocsp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/str.h"
#include "common/xalloc.h"

enum {
	SECRET_LEN = 32,
	SECRET_FILE_MAX = 256,
	DAY_S = 86400,
	VALID_BEFORE_S = 30 * DAY_S,
	VALID_AFTER_S = 730 * DAY_S,
	LABEL_MAX = 320,
	ZONE_RSA_BITS = 2048,
};

#define WRONG_NAME "wrong-name.lab-ca.test"

struct authority {
	EVP_PKEY *key;
	X509 *cert;
};

struct lab_pki {
	uint8_t secret[SECRET_LEN];
	int64_t made_s;
	struct authority root, intermediate, unknown, dane;
	EVP_PKEY *rsa; /* made when first asked for: slow */
	EVP_PKEY *zone_rsa;
};

/* Inputs are ours alone, so a failure of OpenSSL here is a bug or lack of memory. */
static void
must(int ok, const char *what)
{
	if (ok > 0)
		return;
	fprintf(stderr, "lab: %s: ", what);
	ERR_print_errors_fp(stderr);
	abort();
}

/* --- keys ------------------------------------------------------------------------------------- */

EVP_PKEY *
lab_pki_key(const struct lab_pki *pki, const char *label)
{
	uint8_t mac[EVP_MAX_MD_SIZE], point[65];
	unsigned int mac_len = 0;
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *pub = NULL;
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *priv = NULL, *limit = BN_new();
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	must(group != NULL && ctx != NULL && limit != NULL && bld != NULL && pctx != NULL, "key");
	must(HMAC(EVP_sha256(), pki->secret, SECRET_LEN, (const uint8_t *)label, strlen(label), mac,
		     &mac_len) != NULL,
		"HMAC");
	/* 1 <= priv < order; the bias of the modulus does not matter here */
	priv = BN_bin2bn(mac, (int)mac_len, NULL);
	must(priv != NULL && BN_sub(limit, EC_GROUP_get0_order(group), BN_value_one()), "order");
	must(BN_mod(priv, priv, limit, ctx) && BN_add_word(priv, 1), "scalar");
	pub = EC_POINT_new(group);
	must(pub != NULL && EC_POINT_mul(group, pub, priv, NULL, NULL, ctx), "point");
	must(EC_POINT_point2oct(group, pub, POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point),
		     ctx) == sizeof(point),
		"point");
	must(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
			OSSL_PARAM_BLD_push_octet_string(
				bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) &&
			OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, priv),
		"parameters");
	params = OSSL_PARAM_BLD_to_param(bld);
	must(params != NULL && EVP_PKEY_fromdata_init(pctx) > 0 &&
			EVP_PKEY_fromdata(pctx, &key, EVP_PKEY_KEYPAIR, params) > 0,
		"fromdata");
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(pctx);
	EC_POINT_free(pub);
	EC_GROUP_free(group);
	BN_clear_free(priv);
	BN_free(limit);
	BN_CTX_free(ctx);
	if (key == NULL)
		abort();
	return key;
}

EVP_PKEY *
lab_pki_zone_rsa(const struct lab_pki *pki)
{
	must(EVP_PKEY_up_ref(pki->zone_rsa), "reference");
	return pki->zone_rsa;
}

static EVP_PKEY *
host_key(const struct lab_pki *pki, const char *name)
{
	char label[LABEL_MAX];

	snprintf(label, sizeof(label), "host:%s", name);
	return lab_pki_key(pki, label);
}

/* --- certificates ----------------------------------------------------------------------------- */

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext != NULL && X509_add_ext(cert, ext, -1), value);
	X509_EXTENSION_free(ext);
}

/* A comment of so many octets, which no reader minds. */
static void
add_ballast(X509 *cert, size_t octets)
{
	ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
	uint8_t *der = xcalloc(octets + 4, 1);
	X509_EXTENSION *ext;

	der[0] = 0x0c; /* UTF8String */
	der[1] = 0x82;
	der[2] = (uint8_t)(octets >> 8);
	der[3] = (uint8_t)octets;
	memset(der + 4, 'x', octets);
	must(data != NULL && ASN1_OCTET_STRING_set(data, der, (int)octets + 4), "ballast");
	ext = X509_EXTENSION_create_by_NID(NULL, NID_netscape_comment, 0, data);
	must(ext != NULL && X509_add_ext(cert, ext, -1), "ballast");
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(data);
	free(der);
}

struct template
{
	const char *common_name;
	const char *dns_name; /* NULL: no subjectAltName */
	const char *extended_usage;
	bool ca;
	const char *basic;       /* NULL: as ca says */
	const char *constraints; /* of names; NULL: none */
	bool must_staple;
	size_t ballast; /* so many names more */
	int64_t from_s, until_s;
	const EVP_MD *md;
};

/* issuer with a NULL certificate: self-signed. */
static X509 *
issue(const struct template *t, EVP_PKEY *key, X509 *issuer_cert, EVP_PKEY *issuer_key)
{
	X509 *cert = X509_new();
	X509_NAME *subject;
	uint8_t serial_bytes[16];
	BIGNUM *serial;
	char san[LABEL_MAX];

	must(cert != NULL && X509_set_version(cert, X509_VERSION_3), "certificate");
	must(RAND_bytes(serial_bytes, sizeof(serial_bytes)), "serial");
	serial_bytes[0] = (uint8_t)((serial_bytes[0] & 0x7f) | 0x40);
	serial = BN_bin2bn(serial_bytes, sizeof(serial_bytes), NULL);
	must(serial != NULL && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL,
		"serial");
	BN_free(serial);
	must(ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)t->from_s) != NULL &&
			ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)t->until_s) != NULL,
		"dates");
	subject = X509_get_subject_name(cert);
	/* a common name holds 64 characters; longer names go without */
	if (strlen(t->common_name) <= 64)
		must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
			     (const uint8_t *)t->common_name, -1, -1, 0),
			"name");
	must(X509_set_issuer_name(
		     cert, issuer_cert == NULL ? subject : X509_get_subject_name(issuer_cert)),
		"issuer");
	must(X509_set_pubkey(cert, key), "public key");
	add_extension(cert, cert, NID_subject_key_identifier, "hash");
	add_extension(cert, issuer_cert == NULL ? cert : issuer_cert, NID_authority_key_identifier,
		"keyid");
	if (t->ca) {
		add_extension(cert, cert, NID_basic_constraints,
			t->basic != NULL ? t->basic : "critical,CA:TRUE");
		if (t->constraints != NULL)
			add_extension(cert, cert, NID_name_constraints, t->constraints);
		add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	} else {
		add_extension(cert, cert, NID_basic_constraints,
			t->basic != NULL ? t->basic : "critical,CA:FALSE");
		add_extension(cert, cert, NID_key_usage, "critical,digitalSignature");
		add_extension(cert, cert, NID_ext_key_usage, t->extended_usage);
	}
	if (t->dns_name != NULL) {
		snprintf(san, sizeof(san), "DNS:%s", t->dns_name);
		add_extension(cert, cert, NID_subject_alt_name, san);
	}
	if (t->must_staple)
		add_extension(cert, cert, NID_tlsfeature, "status_request");
	if (t->ballast > 0)
		add_ballast(cert, t->ballast);
	/* As with every public authority: where the intermediate could be fetched, so that a leaf
	 * sent alone is an incomplete chain and not an unknown authority. */
	if (issuer_cert != NULL && X509_self_signed(issuer_cert, 0) == 0)
		add_extension(cert, issuer_cert, NID_info_access,
			"caIssuers;URI:http://aia.lab-ca.test/intermediate.der");
	must(X509_sign(cert, issuer_cert == NULL ? key : issuer_key, t->md) > 0, "signature");
	return cert;
}

static void
authority_make(const struct lab_pki *pki, const char *label, const char *name,
	const struct authority *above, struct authority *out)
{
	struct template t = {
		.common_name = name,
		.ca = true,
		.from_s = pki->made_s - VALID_BEFORE_S,
		.until_s = pki->made_s + VALID_AFTER_S,
		.md = EVP_sha256(),
	};

	out->key = lab_pki_key(pki, label);
	out->cert = issue(&t, out->key, above == NULL ? NULL : above->cert,
		above == NULL ? NULL : above->key);
}

static void
authority_clear(struct authority *a)
{
	EVP_PKEY_free(a->key);
	X509_free(a->cert);
}

static void
push(STACK_OF(X509) * chain, X509 *cert)
{
	must(X509_up_ref(cert) && sk_X509_push(chain, cert) > 0, "chain");
}

/* A certificate that only fills a chain. */
static void
push_filler(const struct lab_pki *pki, STACK_OF(X509) * chain, size_t ballast, int count)
{
	const struct template t = {
		.common_name = "Lab Filler CA",
		.ca = true,
		.ballast = ballast,
		.from_s = pki->made_s - VALID_BEFORE_S,
		.until_s = pki->made_s + VALID_AFTER_S,
		.md = EVP_sha256(),
	};
	X509 *cert = issue(&t, pki->unknown.key, NULL, pki->unknown.key);

	for (int i = 0; i < count; i++)
		push(chain, cert);
	X509_free(cert);
}

/* An authority below another, which is not kept: those with a fault of their own. */
static void
authority_below(const struct lab_pki *pki, const struct authority *above, const char *name,
	const char *basic, const char *constraints, struct authority *out)
{
	const struct template t = {
		.common_name = name,
		.ca = true,
		.basic = basic,
		.constraints = constraints,
		.from_s = pki->made_s - VALID_BEFORE_S,
		.until_s = pki->made_s + VALID_AFTER_S,
		.md = EVP_sha256(),
	};

	out->key = lab_pki_key(pki, name);
	out->cert = issue(&t, out->key, above->cert, above->key);
}

unsigned char *
lab_pki_staple(const struct lab_pki *pki, X509 *leaf, bool revoked, size_t *len)
{
	const struct authority *by = &pki->intermediate;
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), leaf, by->cert);
	ASN1_GENERALIZEDTIME *from =
		ASN1_GENERALIZEDTIME_set(NULL, (time_t)(pki->made_s - VALID_BEFORE_S));
	ASN1_GENERALIZEDTIME *until =
		ASN1_GENERALIZEDTIME_set(NULL, (time_t)(pki->made_s + VALID_AFTER_S));
	OCSP_RESPONSE *response;
	unsigned char *der = NULL;
	int der_len;

	must(basic != NULL && id != NULL && from != NULL && until != NULL &&
			OCSP_basic_add1_status(basic, id,
				revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
				OCSP_REVOKED_STATUS_KEYCOMPROMISE, from, from, until) != NULL &&
			OCSP_basic_sign(basic, by->cert, by->key, EVP_sha256(), NULL, 0),
		"OCSP");
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	must(response != NULL, "OCSP");
	der_len = i2d_OCSP_RESPONSE(response, &der);
	must(der_len, "OCSP");
	*len = (size_t)der_len;
	OCSP_RESPONSE_free(response);
	ASN1_GENERALIZEDTIME_free(from);
	ASN1_GENERALIZEDTIME_free(until);
	OCSP_CERTID_free(id);
	OCSP_BASICRESP_free(basic);
	return der;
}

static EVP_PKEY *
weak_key(struct lab_pki *pki)
{
	if (pki->rsa == NULL)
		pki->rsa = EVP_RSA_gen(1024);
	must(pki->rsa != NULL && EVP_PKEY_up_ref(pki->rsa), "RSA key");
	return pki->rsa;
}

/* What is behind the first dot, or the name itself. */
static const char *
parent_of(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot == NULL ? name : dot + 1;
}

void
lab_pki_identity(const struct lab_pki *const_pki, const char *name, enum lab_cert kind,
	struct lab_identity *out)
{
	/* the weak key is a cache */
	struct lab_pki *pki = (struct lab_pki *)(uintptr_t)const_pki;
	struct authority upper = {0}, own = {0};
	const struct authority *by = &pki->intermediate;
	bool send_issuer = true;
	char star[LABEL_MAX];
	struct template t = {
		.common_name = name,
		.dns_name = name,
		.extended_usage = "serverAuth,clientAuth",
		.from_s = pki->made_s - VALID_BEFORE_S,
		.until_s = pki->made_s + VALID_AFTER_S,
		.md = EVP_sha256(),
	};

	switch (kind) {
	case LAB_CERT_OK:
		break;
	case LAB_CERT_WILDCARD:
		snprintf(star, sizeof(star), "*.%s", parent_of(name));
		t.common_name = t.dns_name = star;
		break;
	case LAB_CERT_DEEP_WILDCARD:
		snprintf(star, sizeof(star), "*.%s", parent_of(parent_of(name)));
		t.common_name = t.dns_name = star;
		break;
	case LAB_CERT_EXPIRED:
		t.until_s = pki->made_s - DAY_S;
		break;
	case LAB_CERT_NOT_YET:
		t.from_s = pki->made_s + 365 * DAY_S;
		break;
	case LAB_CERT_EXPIRES_SOON:
		t.until_s = pki->made_s + 3 * DAY_S;
		break;
	case LAB_CERT_WRONG_NAME:
		t.common_name = t.dns_name = WRONG_NAME;
		break;
	case LAB_CERT_CN_ONLY:
		t.dns_name = NULL;
		break;
	case LAB_CERT_SELF_SIGNED:
		by = NULL;
		break;
	case LAB_CERT_UNKNOWN_CA:
		by = &pki->unknown;
		send_issuer = false;
		break;
	case LAB_CERT_INCOMPLETE:
		send_issuer = false;
		break;
	case LAB_CERT_CLIENT_ONLY:
		t.extended_usage = "clientAuth";
		break;
	case LAB_CERT_DANE_TA_NAME:
		t.common_name = t.dns_name = WRONG_NAME;
		by = &pki->dane;
		break;
	case LAB_CERT_DANE_TA_ABSENT:
		send_issuer = false;
		by = &pki->dane;
		break;
	case LAB_CERT_DANE_TA_SHA1:
		t.md = EVP_sha1();
		by = &pki->dane;
		break;
	case LAB_CERT_DANE_TA:
		by = &pki->dane;
		break;
	case LAB_CERT_RSA1024:
		break;
	case LAB_CERT_SHA1:
		t.md = EVP_sha1();
		break;
	case LAB_CERT_RSA:
	case LAB_CERT_CHAIN_LONG:
	case LAB_CERT_CHAIN_HUGE:
		break;
	case LAB_CERT_MUST_STAPLE:
		t.must_staple = true;
		break;
	case LAB_CERT_CA_LEAF:
		t.basic = "critical,CA:TRUE";
		break;
	case LAB_CERT_PATH_LENGTH:
		authority_below(
			pki, &pki->root, "Lab Last CA", "critical,CA:TRUE,pathlen:0", NULL, &upper);
		authority_below(pki, &upper, "Lab CA too many", NULL, NULL, &own);
		by = &own;
		break;
	case LAB_CERT_CONSTRAINED:
		authority_below(pki, &pki->root, "Lab Constrained CA", NULL,
			"critical,permitted;DNS:elsewhere.test", &own);
		by = &own;
		break;
	}
	out->key = kind == LAB_CERT_RSA1024 ? weak_key(pki)
		: kind == LAB_CERT_RSA      ? lab_pki_zone_rsa(pki)
					    : host_key(pki, name);
	out->leaf = issue(&t, out->key, by == NULL ? NULL : by->cert, by == NULL ? NULL : by->key);
	out->chain = sk_X509_new_null();
	must(out->chain != NULL, "chain");
	if (by != NULL && send_issuer)
		push(out->chain, by->cert);
	if (upper.cert != NULL)
		push(out->chain, upper.cert);
	if (kind == LAB_CERT_CHAIN_LONG)
		push_filler(pki, out->chain, 0, 9);
	else if (kind == LAB_CERT_CHAIN_HUGE)
		push_filler(pki, out->chain, 20000, 8);
	authority_clear(&upper);
	authority_clear(&own);
}

void
lab_identity_clear(struct lab_identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->leaf);
	sk_X509_pop_free(id->chain, X509_free);
	memset(id, 0, sizeof(*id));
}

char *
lab_pki_tlsa(const struct lab_pki *pki, const char *name, enum lab_cert cert, int usage,
	int selector, int matching)
{
	struct lab_identity id = {0};
	uint8_t *der = NULL, md[EVP_MAX_MD_SIZE];
	unsigned int md_len = 0;
	const uint8_t *data;
	size_t data_len;
	char *hex, *text;
	X509 *subject;
	int der_len;

	if ((usage == 3 || usage == 1) && selector == 1 && cert != LAB_CERT_RSA1024) {
		/* the key is enough: no certificate has to be signed for it */
		EVP_PKEY *key = host_key(pki, name);

		der_len = i2d_PUBKEY(key, &der);
		EVP_PKEY_free(key);
	} else {
		if (usage == 2 || usage == 0) {
			subject = cert == LAB_CERT_DANE_TA || cert == LAB_CERT_DANE_TA_ABSENT ||
					cert == LAB_CERT_DANE_TA_NAME ||
					cert == LAB_CERT_DANE_TA_SHA1
				? pki->dane.cert
				: pki->intermediate.cert;
			must(X509_up_ref(subject), "reference");
		} else {
			lab_pki_identity(pki, name, cert, &id);
			subject = id.leaf;
			must(X509_up_ref(subject), "reference");
		}
		der_len = selector == 1 ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(subject), &der)
					: i2d_X509(subject, &der);
		X509_free(subject);
		lab_identity_clear(&id);
	}
	must(der_len, "DER");
	data = der;
	data_len = (size_t)der_len;
	if (matching != 0) {
		must(EVP_Digest(der, (size_t)der_len, md, &md_len,
			     matching == 2 ? EVP_sha512() : EVP_sha256(), NULL),
			"digest");
		data = md;
		data_len = md_len;
	}
	hex = xcalloc(2 * data_len + 1, 1);
	str_hex(data, data_len, hex);
	text = xasprintf("%d %d %d %s", usage, selector, matching, hex);
	free(hex);
	OPENSSL_free(der);
	return text;
}

/* --- files ------------------------------------------------------------------------------------ */

static int
write_cert(const char *dir, const char *name, X509 *cert, struct error *err)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char *path = xasprintf("%s/ca/%s.pem", dir, name), *data = NULL;
	long len;
	int rc;

	must(mem != NULL && PEM_write_bio_X509(mem, cert), "PEM");
	len = BIO_get_mem_data(mem, &data);
	rc = file_replace(path, data, (size_t)len, 0644, err);
	BIO_free(mem);
	free(path);
	return rc;
}

static int
read_cert(const char *dir, const char *name, X509 **out, struct error *err)
{
	char *path = xasprintf("%s/ca/%s.pem", dir, name);
	FILE *f = fopen(path, "re");
	int rc = 0;

	if (f == NULL || (*out = PEM_read_X509(f, NULL, NULL, NULL)) == NULL)
		rc = error_set(err, ERROR_CONFIG, "%s: no certificate (is this a lab?)", path);
	if (f != NULL)
		fclose(f);
	free(path);
	return rc;
}

static int
write_key(const char *path, EVP_PKEY *key, struct error *err)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len;
	int rc;

	must(mem != NULL && PEM_write_bio_PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL), "PEM");
	len = BIO_get_mem_data(mem, &data);
	rc = file_replace(path, data, (size_t)len, 0600, err);
	BIO_free(mem);
	return rc;
}

static int
read_key(const char *path, EVP_PKEY **out, struct error *err)
{
	FILE *f = fopen(path, "re");
	int rc = 0;

	if (f == NULL || (*out = PEM_read_PrivateKey(f, NULL, NULL, NULL)) == NULL)
		rc = error_set(err, ERROR_CONFIG, "%s: no key (is this a lab?)", path);
	if (f != NULL)
		fclose(f);
	return rc;
}

int
lab_pki_make(const char *dir, int64_t made_s, struct lab_pki **out, struct error *err)
{
	struct lab_pki *pki = xcalloc(1, sizeof(*pki));
	char *ca = xasprintf("%s/ca", dir), *keys = xasprintf("%s/keys", dir);
	char *path = xasprintf("%s/keys/secret", dir), *text = NULL;
	char *rsa_path = xasprintf("%s/keys/zone-rsa.pem", dir);
	char hex[2 * SECRET_LEN + 1];
	int rc = -1;

	must(RAND_bytes(pki->secret, sizeof(pki->secret)), "random bytes");
	pki->made_s = made_s;
	authority_make(pki, "ca:root", "Lab Root CA", NULL, &pki->root);
	authority_make(
		pki, "ca:intermediate", "Lab Intermediate CA", &pki->root, &pki->intermediate);
	authority_make(pki, "ca:unknown", "Lab Unknown Root CA", NULL, &pki->unknown);
	authority_make(pki, "ca:dane", "Lab Private DANE Root", NULL, &pki->dane);
	pki->zone_rsa = EVP_RSA_gen(ZONE_RSA_BITS);
	must(pki->zone_rsa != NULL, "RSA key");
	str_hex(pki->secret, sizeof(pki->secret), hex);
	text = xasprintf("%s %lld\n", hex, (long long)made_s);
	if (file_mkdirs(ca, 0755, err) < 0 || file_mkdirs(keys, 0700, err) < 0 ||
		file_replace(path, text, strlen(text), 0600, err) < 0 ||
		write_key(rsa_path, pki->zone_rsa, err) < 0 ||
		write_cert(dir, "root", pki->root.cert, err) < 0 ||
		write_cert(dir, "intermediate", pki->intermediate.cert, err) < 0 ||
		write_cert(dir, "unknown-root", pki->unknown.cert, err) < 0 ||
		write_cert(dir, "dane-root", pki->dane.cert, err) < 0)
		goto out;
	*out = pki;
	pki = NULL;
	rc = 0;
out:
	lab_pki_free(pki);
	free(text);
	free(rsa_path);
	free(path);
	free(keys);
	free(ca);
	return rc;
}

int
lab_pki_open(const char *dir, struct lab_pki **out, struct error *err)
{
	struct lab_pki *pki = xcalloc(1, sizeof(*pki));
	char *path = xasprintf("%s/keys/secret", dir);
	char *rsa_path = xasprintf("%s/keys/zone-rsa.pem", dir);
	long long made_s = 0;
	struct buf text;
	int rc = -1;

	buf_init(&text, SECRET_FILE_MAX);
	if (file_read(path, &text, err) < 0)
		goto out;
	if (text.len < 2 * SECRET_LEN ||
		str_unhex(text.data, 2 * SECRET_LEN, pki->secret, SECRET_LEN) < 0 ||
		sscanf(text.data + 2 * SECRET_LEN, " %lld", &made_s) != 1) {
		error_set(err, ERROR_CONFIG, "%s: not a lab's secret", path);
		goto out;
	}
	pki->made_s = made_s;
	pki->root.key = lab_pki_key(pki, "ca:root");
	pki->intermediate.key = lab_pki_key(pki, "ca:intermediate");
	pki->unknown.key = lab_pki_key(pki, "ca:unknown");
	pki->dane.key = lab_pki_key(pki, "ca:dane");
	if (read_key(rsa_path, &pki->zone_rsa, err) < 0 ||
		read_cert(dir, "root", &pki->root.cert, err) < 0 ||
		read_cert(dir, "intermediate", &pki->intermediate.cert, err) < 0 ||
		read_cert(dir, "unknown-root", &pki->unknown.cert, err) < 0 ||
		read_cert(dir, "dane-root", &pki->dane.cert, err) < 0)
		goto out;
	*out = pki;
	pki = NULL;
	rc = 0;
out:
	lab_pki_free(pki);
	buf_clear(&text);
	free(rsa_path);
	free(path);
	return rc;
}

void
lab_pki_free(struct lab_pki *pki)
{
	if (pki == NULL)
		return;
	authority_clear(&pki->root);
	authority_clear(&pki->intermediate);
	authority_clear(&pki->unknown);
	authority_clear(&pki->dane);
	EVP_PKEY_free(pki->rsa);
	EVP_PKEY_free(pki->zone_rsa);
	OPENSSL_cleanse(pki->secret, sizeof(pki->secret));
	free(pki);
}

int64_t
lab_pki_made_s(const struct lab_pki *pki)
{
	return pki->made_s;
}

char *
lab_pki_former_tlsa(const struct lab_pki *pki, const char *name, enum lab_cert cert, int usage,
	int selector, int matching)
{
	char *former = xasprintf("former-key.%s", name);
	char *rdata = lab_pki_tlsa(pki, former, cert, usage, selector, matching);

	free(former);
	return rdata;
}
