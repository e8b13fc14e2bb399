/* Engines are deprecated in OpenSSL 3, and what there is. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "export/pkcs11.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>

#include "common/error.h"
#include "common/str.h"
#include "common/xalloc.h"
#include "export/passphrase.h"

#define SCHEME      "pkcs11:"
#define ENGINE_NAME "pkcs11"

bool
pkcs11_is_uri(const char *uri)
{
	return str_starts(uri, SCHEME);
}

/* The value of a query attribute, percent-decoded, or NULL. The caller frees it. */
static char *
query_value(const char *uri, const char *name)
{
	const char *p = strchr(uri, '?');
	size_t len = strlen(name);

	while (p != NULL) {
		p++;
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			return str_percent_decode(p + len + 1, strcspn(p + len + 1, "&"));
		p = strchr(p, '&');
	}
	return NULL;
}

int
pkcs11_check_uri(const char *uri, struct error *err)
{
	char *pin = query_value(uri, "pin-value");

	if (pin == NULL)
		return 0;
	OPENSSL_cleanse(pin, strlen(pin));
	free(pin);
	return error_set(err, ERROR_CONFIG,
		"%.*s: the PIN does not belong into the URI (pin-value); name a file with "
		"pin-source, or passphrase_from",
		(int)strcspn(uri, "?"), uri);
}

/* The engine, ready for one more use; NULL with the error set. */
static ENGINE *
engine_take(const char *module, struct error *err)
{
	ENGINE *e;

	ENGINE_load_dynamic();
	e = ENGINE_by_id(ENGINE_NAME);
	if (e == NULL) {
		error_set(err, ERROR_CONFIG,
			"there is no PKCS #11 engine for OpenSSL; install "
			"libengine-pkcs11-openssl");
		return NULL;
	}
	/* It would write to standard error what it also returns. */
	(void)ENGINE_ctrl_cmd_string(e, "QUIET", NULL, 1);
	if (module != NULL && ENGINE_ctrl_cmd_string(e, "MODULE_PATH", module, 0) != 1)
		error_set(err, ERROR_CONFIG, "%s: not taken as a PKCS #11 module", module);
	else if (ENGINE_init(e) != 1)
		error_set(err, ERROR_CONFIG, "%s: cannot start this PKCS #11 module",
			module != NULL ? module : "p11-kit");
	else
		return e;
	ENGINE_free(e);
	return NULL;
}

int
pkcs11_load(const char *uri, struct passphrase *pin, EVP_PKEY **out, struct error *err)
{
	char *module = query_value(uri, "module-path"), *source = query_value(uri, "pin-source");
	char *bare = xstrndup(uri, strcspn(uri, "?")), *source_uri = NULL;
	struct passphrase *own = NULL;
	struct passphrase_asked asked = {.from = pin, .subject = bare, .what = "a PIN"};
	UI_METHOD *method = UI_create_method("PIN");
	ENGINE *e = NULL;
	int rc = -1;

	*out = NULL;
	if (method == NULL || UI_method_set_reader(method, passphrase_on_prompt) != 0)
		abort();
	if (pkcs11_check_uri(uri, err) < 0)
		goto out;
	if (source != NULL) {
		source_uri = str_starts(source, "file:") ? xstrdup(source)
							 : xasprintf("file:%s", source);
		if (passphrase_new(source_uri, &own, err) < 0)
			goto out;
		asked.from = own;
	}
	e = engine_take(module, err);
	if (e == NULL)
		goto out;
	*out = ENGINE_load_private_key(e, bare, method, &asked);
	if (*out != NULL) {
		rc = 0;
	} else if (asked.err.kind != ERROR_NONE) {
		*err = asked.err;
	} else {
		error_set(err, ERROR_CONFIG,
			"%s: no private key there that the token lets us use (is the PIN right, "
			"are token and object?)",
			bare);
	}
	(void)ENGINE_finish(e);
	ENGINE_free(e);
out:
	UI_destroy_method(method);
	passphrase_free(own);
	free(source_uri);
	free(bare);
	free(module);
	free(source);
	ERR_clear_error();
	return rc;
}
