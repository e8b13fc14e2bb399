#include "builder/command.h"

#include "builder/settings.h"
#include "builder/store.h"
#include "common/error.h"
#include "common/file.h"

int
app_settings(struct app *app, bool optional, const struct settings **out, struct error *err)
{
	const char *path = app->config_path;

	if (app->settings == NULL) {
		if (path == NULL && (!optional || file_exists(APP_CONFIG_DEFAULT)))
			path = APP_CONFIG_DEFAULT;
		if (settings_load(path, &app->clock, &app->settings, err) < 0)
			return -1;
	}
	*out = app->settings;
	return 0;
}

static int
open_store(struct app *app, enum store_open_mode mode, struct store **out, struct error *err)
{
	const struct settings *settings;

	if (app->store == NULL) {
		if (app_settings(app, false, &settings, err) < 0 ||
			store_open(settings->store_url, mode, &app->store, err) < 0)
			return -1;
	}
	*out = app->store;
	return 0;
}

int
app_store(struct app *app, struct store **out, struct error *err)
{
	return open_store(app, STORE_MUST_EXIST, out, err);
}

int
app_store_to_read(struct app *app, struct store **out, struct error *err)
{
	return open_store(app, STORE_READ, out, err);
}

void
app_clear(struct app *app)
{
	store_close(app->store);
	app->store = NULL;
	settings_free(app->settings);
	app->settings = NULL;
}
