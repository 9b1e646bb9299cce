/* SPDX-License-Identifier: BSD-2-Clause */
/* flowner.yaml, by settings.c. Nothing is stored before all of the file was found good. */
#include "host/config.h"

#include "text/address.h"
#include "text/cleanup.h"
#include "text/log.h"
#include "text/quantity.h"
#include "host/settings.h"
#include "text/textfile.h"
#include "text/yamlfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define FILE_MAX_BYTES (64u << 10)
#define NS_PER_S 1000000000ull

static bool is_string(const struct setting *s)
{
	return s->kind == KIND_PATH || s->kind == KIND_NAME || s->kind == KIND_ADDRESS;
}

static char **raw_word(const struct setting *s, void *raw)
{
	return (char **)((char *)raw + s->raw_offset);
}

static void *target(const struct setting *s, struct config *c)
{
	return (char *)c + s->offset;
}

/* BPF_MAP_TYPE_RINGBUF wants a power of two that is whole pages. */
static uint64_t ring_round(uint64_t bytes)
{
	uint64_t ring = (uint64_t)sysconf(_SC_PAGESIZE);

	while (ring < bytes)
		ring <<= 1;
	return ring;
}

static int fault(char *why, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fault(char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return -EINVAL;
}

#define FAULT(...) fault(why, size, __VA_ARGS__)
#define SHOWN "'%.64s' "

static int read_range(const struct setting *s, const char *word, uint64_t value,
		      uint64_t *ret_value, char *why, size_t size)
{
	if (value < s->min || value > s->max)
		return FAULT(SHOWN "is out of range, %llu to %llu are possible", word,
			     (unsigned long long)s->min, (unsigned long long)s->max);
	*ret_value = value;
	return 0;
}

static int read_duration(const struct setting *s, const char *word, uint64_t *ret_value, char *why,
			 size_t size)
{
	const char *unit = s->unit_ns == NS_PER_S ? "s" : "ms";
	uint64_t ns;

	if (duration_parse(word, &ns))
		return FAULT(SHOWN "is not a duration such as 500ms, 30s, 10m or 1h", word);
	if (ns % s->unit_ns)
		return FAULT(SHOWN "is not a whole number of %s", word, unit);
	if (ns / s->unit_ns < s->min || ns / s->unit_ns > s->max)
		return FAULT(SHOWN "is out of range, %llu%s to %llu%s are possible", word,
			     (unsigned long long)s->min, unit, (unsigned long long)s->max, unit);
	*ret_value = ns / s->unit_ns;
	return 0;
}

static int read_ring(const struct setting *s, const char *word, uint64_t *ret_value, char *why,
		     size_t size)
{
	uint64_t bytes;

	if (size_parse(word, &bytes))
		return FAULT(SHOWN "is not a size such as 65536, 512KiB, 16MiB or 1GiB", word);
	if (read_range(s, word, bytes, &bytes, why, size))
		return -EINVAL;
	*ret_value = ring_round(bytes);
	return 0;
}

static int read_count(const struct setting *s, const char *word, uint64_t *ret_value, char *why,
		      size_t size)
{
	const char *rest;
	uint64_t value;

	if (number_parse(word, &value, &rest) || *rest)
		return FAULT(SHOWN "is not a count", word);
	return read_range(s, word, value, ret_value, why, size);
}

static int read_mark(const struct setting *s, const char *word, uint64_t *ret_value, char *why,
		     size_t size)
{
	bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	const char *digits = hex ? word + 2 : word;
	size_t length = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");

	if (!length || digits[length] || length > 10)
		return FAULT(SHOWN "is not a mark such as 0x10000000", word);
	return read_range(s, word, strtoull(digits, NULL, hex ? 16 : 10), ret_value, why, size);
}

static int read_choice(const struct setting *s, const char *word, uint64_t *ret_value, char *why,
		       size_t size)
{
	char list[128] = "";
	size_t used = 0;

	for (uint64_t i = 0; s->choices[i]; i++) {
		if (!strcmp(s->choices[i], word)) {
			*ret_value = i;
			return 0;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? " or " : "",
					 s->choices[i]);
	}
	return FAULT(SHOWN "is not %s", word, list);
}

static int check_string(const struct setting *s, const char *word, char *why, size_t size)
{
	struct endpoint endpoint;

	if (strlen(word) >= s->max)
		return FAULT("longer than %llu bytes", (unsigned long long)s->max - 1);
	if (s->kind == KIND_PATH && *word != '/')
		return FAULT(SHOWN "is not an absolute path", word);
	if (s->kind == KIND_ADDRESS && endpoint_parse_exact(word, &endpoint) < 0)
		return FAULT(SHOWN "is not an address and a port: 127.0.0.1:9499, [::1]:9499",
			     word);
	return 0;
}

/* RET_VALUE is not written for strings: they are only checked here. */
static int setting_read(const struct setting *s, const char *word, uint64_t *ret_value, char *why,
			size_t size)
{
	switch (s->kind) {
	case KIND_PATH:
	case KIND_NAME:
	case KIND_ADDRESS:
		return check_string(s, word, why, size);
	case KIND_SET: /* a word of it */
	case KIND_CHOICE:
		return read_choice(s, word, ret_value, why, size);
	case KIND_COUNT:
		return read_count(s, word, ret_value, why, size);
	case KIND_MARK:
		return read_mark(s, word, ret_value, why, size);
	case KIND_DURATION:
		return read_duration(s, word, ret_value, why, size);
	case KIND_RING:
		return read_ring(s, word, ret_value, why, size);
	}
	return -EINVAL;
}

/* Numbers are stored in the width of their field, enums included. */
static void setting_store(const struct setting *s, uint64_t value, struct config *c)
{
	uint32_t narrow = (uint32_t)value;

	_Static_assert(sizeof(enum config_accept) == sizeof(uint32_t),
		       "enums are stored as 32 bit");
	if (s->bytes == sizeof(value))
		memcpy(target(s, c), &value, sizeof(value));
	else
		memcpy(target(s, c), &narrow, sizeof(narrow));
}

static int set_read(const struct setting *s, const struct settings_list *list, uint64_t *ret_set,
		    char *why, size_t size)
{
	uint64_t set = 0, value = 0;

	for (unsigned int i = 0; i < list->words_count; i++) {
		if (setting_read(s, list->words[i], &value, why, size))
			return -EINVAL;
		set |= 1ull << value;
	}
	*ret_set = set;
	return 0;
}

/* 1 it is there, 0 it is not, -EINVAL. */
static int value_read(const struct setting *s, void *raw, uint64_t *ret_value, char *why,
		      size_t size)
{
	const void *at = (const char *)raw + s->raw_offset;
	const struct settings_list *list = at;
	const char *const *word = at;
	int r;

	if (s->kind == KIND_SET) {
		if (!list->words)
			return 0;
		r = set_read(s, list, ret_value, why, size);
	} else {
		if (!*word)
			return 0;
		r = setting_read(s, *word, ret_value, why, size);
	}
	return r ? r : 1;
}

static int numbers_read(void *raw, struct config *next, const struct setting **ret_bad, char *why,
			size_t size)
{
	for (const struct setting *s = settings; s->where; s++) {
		uint64_t value = 0;
		int r = value_read(s, raw, &value, why, size);

		if (r < 0) {
			*ret_bad = s;
			return r;
		}
		if (r && !is_string(s))
			setting_store(s, value, next);
	}
	return 0;
}

static void strings_take(void *raw, struct config *c)
{
	for (const struct setting *s = settings; s->where; s++) {
		char **word = raw_word(s, raw), **field = target(s, c);

		if (!is_string(s) || !*word)
			continue;
		free(*field);
		*field = TAKE_PTR(*word);
	}
}

static void tell(const char *name, size_t line, size_t column, const char *key, const char *why)
{
	char place[48] = "";

	if (line)
		snprintf(place, sizeof(place), ":%zu:%zu", line, column);
	log_bare(LOG_LEVEL_ERROR, "%s%s: %s%s%s", name, place, key ? key : "", key ? ": " : "",
		 why);
}

static void tell_setting(const char *text, size_t size, const char *name, const struct setting *s,
			 char *why)
{
	size_t line = 0, column = 0;

	/* the words of the file are in there: keep it one line */
	for (char *c = why; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	/* without a place the sentence still holds */
	if (yamlfile_locate(text, size, s->where, &line, &column))
		line = 0;
	tell(name, line, column, s->where, why);
}

int config_parse(struct config *c, const char *text, size_t size, const char *name)
{
	const struct setting *bad = NULL;
	struct yamlfile_error error;
	struct config next = *c;
	void *data = NULL;
	char why[256];
	int r;

	r = yamlfile_load(text, size, &settings_schema, &data, &error);
	if (r) {
		tell(name, error.line, error.column, NULL, error.why);
		return r;
	}
	if (!data)
		return 0;
	r = numbers_read(data, &next, &bad, why, sizeof(why));
	if (r) {
		tell_setting(text, size, name, bad, why);
	} else {
		*c = next;
		strings_take(data, c);
	}
	yamlfile_free(&settings_schema, data);
	return r;
}

int config_load(struct config *c, const char *path)
{
	_free_ char *text = NULL;
	size_t size = 0;
	int r;

	r = textfile_read(path, FILE_MAX_BYTES, &text, &size);
	if (r == -ENOENT)
		return r;
	if (r) {
		log_bare(LOG_LEVEL_ERROR, "cannot read '%s': %s", path, strerror(-r));
		return r;
	}
	return config_parse(c, text, size, path);
}

int config_init(struct config *c)
{
	*c = (struct config){
		.recent = { .flows = 100000, .age_s = 3600 },
		.limits = { .flows = 262144, .processes = 16384, .ring_bytes = 16u << 20 },
		.counts = CONFIG_COUNTS_TCP,
		.authorization = { .value = PROHIBIT_MARK, .mask = ~0u },
		.poll_ms = 50,
		.reconcile_s = 30,
		.udp_idle_s = 120,
	};
	c->socket = strdup("/run/flowner/flowner.sock");
	c->pin_dir = strdup("/sys/fs/bpf/flowner");
	c->group = strdup("flowner");
	c->policy_dir = strdup("/etc/flowner/policy.d");
	if (c->socket && c->pin_dir && c->group && c->policy_dir)
		return 0;
	config_release(c);
	return -ENOMEM;
}

void config_release(struct config *c)
{
	if (!c)
		return;
	for (const struct setting *s = settings; s->where; s++) {
		if (is_string(s)) {
			free(*(char **)target(s, c));
			*(char **)target(s, c) = NULL;
		}
	}
}
