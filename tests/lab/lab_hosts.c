#include "tests/lab/lab_hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/file.h"
#include "common/xalloc.h"
#include "tests/lab/lab_behaviour.h"
#include "tests/lab/lab_dns_script.h"

enum { HOSTS_TSV_MAX = 64 << 20 };

static const char *const services[] = {
	[LAB_SMTP] = "smtp", [LAB_HTTPS] = "https", [LAB_DNS] = "dns"};

const char *
lab_service_name(enum lab_service s)
{
	return services[s];
}

void
lab_hosts_add(struct lab_hosts *h, enum lab_service service, const struct address *address,
	const char *name, const char *behaviour)
{
	if (h->count == h->size) {
		h->size = h->size == 0 ? 256 : 2 * h->size;
		h->list = xreallocarray(h->list, h->size, sizeof(*h->list));
	}
	h->list[h->count++] = (struct lab_host){
		.service = service,
		.address = *address,
		.name = xstrdup(name),
		.behaviour = xstrdup(behaviour),
	};
}

void
lab_hosts_clear(struct lab_hosts *h)
{
	for (size_t i = 0; i < h->count; i++) {
		free(h->list[i].name);
		free(h->list[i].behaviour);
	}
	free(h->list);
	memset(h, 0, sizeof(*h));
}

static int
load_line(struct lab_hosts *h, char *line, struct error *err)
{
	char *save = NULL;
	const char *service = strtok_r(line, "\t", &save), *address = strtok_r(NULL, "\t", &save);
	const char *name = strtok_r(NULL, "\t", &save), *behaviour = strtok_r(NULL, "\t", &save);
	struct lab_behaviour parsed;
	struct lab_dns_script script;
	enum lab_service s = LAB_SMTP;
	struct address at;

	if (behaviour == NULL)
		return error_set(err, ERROR_CONFIG, "fewer than four fields");
	while (s <= LAB_DNS && strcmp(service, services[s]) != 0)
		s++;
	if (s > LAB_DNS)
		return error_set(err, ERROR_CONFIG, "no service \"%s\"", service);
	if (address_from_text(address, 0, &at) < 0)
		return error_set(err, ERROR_CONFIG, "no address \"%s\"", address);
	if ((s == LAB_DNS ? lab_dns_script_parse(behaviour, &script, err)
			  : lab_behaviour_parse(behaviour, &parsed, err)) < 0)
		return -1;
	lab_hosts_add(h, s, &at, name, behaviour);
	return 0;
}

int
lab_hosts_load(const char *dir, struct lab_hosts *out, struct error *err)
{
	char *path = xasprintf("%s/hosts.tsv", dir), *p;
	struct buf text;
	int rc = -1, line_number = 0;

	memset(out, 0, sizeof(*out));
	buf_init(&text, HOSTS_TSV_MAX);
	if (file_read(path, &text, err) < 0)
		goto out;
	for (p = text.data; p != NULL && *p != '\0';) {
		char *end = strchr(p, '\n');

		line_number++;
		if (end != NULL)
			*end = '\0';
		if (*p != '\0' && *p != '#' && load_line(out, p, err) < 0) {
			error_prefix(err, "%s:%d", path, line_number);
			goto out;
		}
		p = end == NULL ? NULL : end + 1;
	}
	rc = 0;
out:
	if (rc < 0)
		lab_hosts_clear(out);
	buf_clear(&text);
	free(path);
	return rc;
}

int
lab_hosts_save(const char *dir, const struct lab_hosts *h, struct error *err)
{
	char *path = xasprintf("%s/hosts.tsv", dir), address[ADDRESS_TEXT_SIZE];
	struct buf text;
	int rc;

	buf_init(&text, HOSTS_TSV_MAX);
	buf_add_str(&text, "# service\taddress\tname\tbehaviour\n");
	for (size_t i = 0; i < h->count; i++) {
		address_format(&h->list[i].address, address);
		buf_addf(&text, "%s\t%s\t%s\t%s\n", services[h->list[i].service], address,
			h->list[i].name, h->list[i].behaviour);
	}
	if (buf_failed(&text))
		rc = error_set(err, ERROR_INPUT, "%s: too many hosts", path);
	else
		rc = file_replace(path, text.data, text.len, 0644, err);
	buf_clear(&text);
	free(path);
	return rc;
}

size_t
lab_hosts_set(struct lab_hosts *h, const char *name, const char *behaviour, bool zones)
{
	char address[ADDRESS_TEXT_SIZE];
	size_t changed = 0;

	for (size_t i = 0; i < h->count; i++) {
		struct lab_host *host = &h->list[i];

		address_format(&host->address, address);
		if ((host->service == LAB_DNS) != zones ||
			(strcmp(host->name, name) != 0 && strcmp(address, name) != 0))
			continue;
		free(host->behaviour);
		host->behaviour = xstrdup(behaviour);
		changed++;
	}
	return changed;
}
