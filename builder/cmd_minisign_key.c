#include "builder/command.h"

#include <stdio.h>

#include "builder/settings.h"
#include "common/buf.h"
#include "common/cli.h"
#include "common/error.h"
#include "export/minisign.h"
#include "export/tuf_signer.h"

int
cmd_minisign_key(struct app *app, const struct cli_call *call UNUSED, struct error *err)
{
	const struct settings *s;
	struct tuf_signer *signer;
	struct buf key;
	int rc;

	if (app_settings(app, false, &s, err) < 0)
		return -1;
	if (s->repository.minisign_key == NULL)
		return error_set(err, ERROR_CONFIG, "no [repository] minisign_key is configured");
	if (tuf_signer_load(s->repository.minisign_key, NULL, &signer, err) < 0)
		return -1;
	buf_init(&key, MINISIGN_MAX);
	rc = minisign_public_key(signer, &key, err);
	if (rc == 0)
		(void)fputs(buf_str(&key), stdout);
	buf_clear(&key);
	tuf_signer_free(signer);
	return rc;
}
