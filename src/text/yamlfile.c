/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strict YAML: one pass over libyaml's events for what a schema cannot see, one over its document
 * for keys unknown or written twice and for values of another kind, then libcyaml with the schema.
 * libcyaml says where by a backtrace in its log: line and column of its errors are read from that.
 */
#include "text/yamlfile.h"

#include "text/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#define SHOWN "%.64s" /* of a user's word in a sentence: the sentence must stay readable */

static int refuse(struct yamlfile_error *error, const yaml_mark_t *mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct yamlfile_error *error, const yaml_mark_t *mark, const char *format, ...)
{
	va_list args;

	error->line = mark ? mark->line + 1 : 0;
	error->column = mark ? mark->column + 1 : 0;
	va_start(args, format);
	vsnprintf(error->why, sizeof(error->why), format, args);
	va_end(args);
	/* words of the file are in there: the line must stay one line and harmless to a terminal */
	for (char *c = error->why; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return -EINVAL;
}

static int refuse_syntax(struct yamlfile_error *error, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "not readable as YAML";

	if (parser->error == YAML_MEMORY_ERROR) {
		refuse(error, NULL, "out of memory");
		return -ENOMEM;
	}
	/* bad UTF-8 has an offset but no mark */
	if (parser->error == YAML_READER_ERROR)
		return refuse(error, NULL, "%s at byte %zu", problem, parser->problem_offset);
	return refuse(error, &parser->problem_mark, "%s", problem);
}

static const char *event_tag(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return (const char *)event->data.scalar.tag;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return (const char *)event->data.sequence_start.tag;
	if (event->type == YAML_MAPPING_START_EVENT)
		return (const char *)event->data.mapping_start.tag;
	return NULL;
}

static bool event_anchored(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return event->data.sequence_start.anchor;
	if (event->type == YAML_MAPPING_START_EVENT)
		return event->data.mapping_start.anchor;
	return event->type == YAML_ALIAS_EVENT;
}

static int check_event(const yaml_event_t *event, size_t *documents, struct yamlfile_error *error)
{
	const char *tag = event_tag(event);

	if (tag)
		return refuse(error, &event->start_mark,
			      "'" SHOWN "' is a YAML tag, which means nothing here; quote the text "
			      "if it is meant as text",
			      tag);
	if (event_anchored(event))
		return refuse(error, &event->start_mark, "anchors and aliases are not supported");
	if (event->type == YAML_DOCUMENT_START_EVENT && ++*documents > 1)
		return refuse(error, &event->start_mark, "more than one document");
	if (event->type != YAML_SCALAR_EVENT)
		return 0;
	if (event->data.scalar.length == 0)
		return refuse(error, &event->start_mark, "empty value");
	if (memchr(event->data.scalar.value, '\0', event->data.scalar.length))
		return refuse(error, &event->start_mark, "a NUL character in a value");
	return 0;
}

static int check_events(yaml_parser_t *parser, size_t *ret_documents, struct yamlfile_error *error)
{
	size_t documents = 0;
	bool last = false;
	int r = 0;

	while (!r && !last) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return refuse_syntax(error, parser);
		last = event.type == YAML_STREAM_END_EVENT;
		r = check_event(&event, &documents, error);
		yaml_event_delete(&event);
	}
	if (!r)
		*ret_documents = documents;
	return r;
}

static const char *scalar_text(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value
						      : NULL;
}

/* `port: 80` where a list of words is wanted is a list of one. */
static bool is_lone_word(const yaml_node_t *node, const cyaml_schema_value_t *schema)
{
	return node->type == YAML_SCALAR_NODE && schema->type == CYAML_SEQUENCE &&
	       schema->sequence.entry->type == CYAML_STRING;
}

/* The pair of MAPPING with KEY before END; NULL when there is none. */
static const yaml_node_pair_t *pair_find(yaml_document_t *doc, const yaml_node_t *mapping,
					 const char *key, const yaml_node_pair_t *end)
{
	for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < end; p++) {
		const char *text = scalar_text(yaml_document_get_node(doc, p->key));

		if (text && !strcmp(text, key))
			return p;
	}
	return NULL;
}

static const cyaml_schema_field_t *field_find(const cyaml_schema_value_t *schema, const char *key)
{
	const cyaml_schema_field_t *field = schema->mapping.fields;

	while (field->key && strcmp(field->key, key) != 0)
		field++;
	return field->key ? field : NULL;
}

/* What the schema has for the key of PAIR; NULL: it is refused. */
static const cyaml_schema_field_t *check_key(yaml_document_t *doc, const yaml_node_t *mapping,
					     const yaml_node_pair_t *pair,
					     const cyaml_schema_value_t *schema,
					     struct yamlfile_error *error)
{
	const yaml_node_t *node = yaml_document_get_node(doc, pair->key);
	const char *key = scalar_text(node);
	const cyaml_schema_field_t *field = key ? field_find(schema, key) : NULL;

	if (!key)
		refuse(error, node ? &node->start_mark : &mapping->start_mark,
		       "a key must be a word");
	else if (!field)
		refuse(error, &node->start_mark, "unknown key '" SHOWN "'", key);
	else if (pair_find(doc, mapping, key, pair))
		refuse(error, &node->start_mark, "'" SHOWN "' is given twice", key);
	else
		return field;
	return NULL;
}

static int check_node(yaml_document_t *doc, const yaml_node_t *node,
		      const cyaml_schema_value_t *schema, struct yamlfile_error *error);

static int check_mapping(yaml_document_t *doc, const yaml_node_t *node,
			 const cyaml_schema_value_t *schema, struct yamlfile_error *error)
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	int r = 0;

	if (node->type != YAML_MAPPING_NODE)
		return refuse(error, &node->start_mark, "a mapping is expected here");
	for (; !r && pair < node->data.mapping.pairs.top; pair++) {
		const cyaml_schema_field_t *field = check_key(doc, node, pair, schema, error);

		if (!field)
			return -EINVAL;
		r = check_node(doc, yaml_document_get_node(doc, pair->value), &field->value, error);
	}
	return r;
}

static int check_sequence(yaml_document_t *doc, const yaml_node_t *node,
			  const cyaml_schema_value_t *schema, struct yamlfile_error *error)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;
	int r = 0;

	if (is_lone_word(node, schema))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return refuse(error, &node->start_mark, "a list is expected here");
	if (item == node->data.sequence.items.top && schema->sequence.min)
		return refuse(error, &node->start_mark, "an empty list");
	for (; !r && item < node->data.sequence.items.top; item++)
		r = check_node(doc, yaml_document_get_node(doc, *item), schema->sequence.entry,
			       error);
	return r;
}

/* libcyaml finds all of this too, but names the place of what stood before, or none. */
static int check_node(yaml_document_t *doc, const yaml_node_t *node,
		      const cyaml_schema_value_t *schema, struct yamlfile_error *error)
{
	switch (schema->type) {
	case CYAML_MAPPING:
		return check_mapping(doc, node, schema, error);
	case CYAML_SEQUENCE:
		return check_sequence(doc, node, schema, error);
	default:
		if (node->type == YAML_SCALAR_NODE)
			return 0;
		return refuse(error, &node->start_mark, "a string is expected here");
	}
}

/* --- lone words into lists --- */

/* The node ID, or a list of it; 0 without memory. Node ids stay good while nodes are added. */
static int listed(yaml_document_t *doc, int id)
{
	int list = yaml_document_add_sequence(doc, NULL, YAML_FLOW_SEQUENCE_STYLE);

	return list && yaml_document_append_sequence_item(doc, list, id) ? list : 0;
}

static int make_lists(yaml_document_t *doc, int id, const cyaml_schema_value_t *schema,
		      size_t *made);

static int make_lists_in(yaml_document_t *doc, int *id, const cyaml_schema_value_t *schema,
			 size_t *made)
{
	int list;

	if (!is_lone_word(yaml_document_get_node(doc, *id), schema))
		return make_lists(doc, *id, schema, made);
	list = listed(doc, *id);
	if (!list)
		return -ENOMEM;
	*id = list;
	++*made;
	return 0;
}

/* What DOC has was checked against SCHEMA. */
static int make_lists(yaml_document_t *doc, int id, const cyaml_schema_value_t *schema,
		      size_t *made)
{
	const yaml_node_t *node = yaml_document_get_node(doc, id);
	int r = 0;

	if (node->type == YAML_SEQUENCE_NODE) {
		yaml_node_item_t *item = node->data.sequence.items.start,
				 *end = node->data.sequence.items.top;

		for (; !r && item < end; item++)
			r = make_lists_in(doc, item, schema->sequence.entry, made);
	} else if (node->type == YAML_MAPPING_NODE) {
		yaml_node_pair_t *pair = node->data.mapping.pairs.start,
				 *end = node->data.mapping.pairs.top;

		for (; !r && pair < end; pair++) {
			const char *key = scalar_text(yaml_document_get_node(doc, pair->key));

			r = make_lists_in(doc, &pair->value, &field_find(schema, key)->value, made);
		}
	}
	return r;
}

/* DOC, which is used up, as text. */
static int document_text(yaml_document_t *doc, char **ret_text, size_t *ret_size)
{
	_free_ char *text = NULL;
	yaml_emitter_t emitter;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool done = false;

	if (!out || !yaml_emitter_initialize(&emitter)) {
		yaml_document_delete(doc);
		if (out)
			fclose(out);
		return -ENOMEM;
	}
	yaml_emitter_set_output_file(&emitter, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	if (yaml_emitter_open(&emitter))
		done = yaml_emitter_dump(&emitter, doc) && yaml_emitter_close(&emitter);
	else
		yaml_document_delete(doc);
	yaml_emitter_delete(&emitter);
	if (fclose(out) || !done)
		return -ENOMEM;
	*ret_text = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

static int parser_open(yaml_parser_t *parser, const char *text, size_t size)
{
	if (!yaml_parser_initialize(parser))
		return -ENOMEM;
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)text, size);
	return 0;
}

static int document_load(const char *text, size_t size, yaml_document_t *ret_doc,
			 struct yamlfile_error *error)
{
	yaml_parser_t parser;
	int r = parser_open(&parser, text, size);

	if (r)
		return r;
	if (!yaml_parser_load(&parser, ret_doc))
		r = refuse_syntax(error, &parser);
	yaml_parser_delete(&parser);
	return r;
}

/*
 * Everything refused here would be read by libcyaml as something else, or silently not at all.
 * RET_LISTED is the text with lists where a lone word stood for one, NULL when none did.
 */
static int check_text(const char *text, size_t size, const cyaml_schema_value_t *schema,
		      size_t *ret_documents, char **ret_listed, size_t *ret_listed_size,
		      struct yamlfile_error *error)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	size_t made = 0;
	int r = parser_open(&parser, text, size);

	if (r)
		return r;
	r = check_events(&parser, ret_documents, error);
	yaml_parser_delete(&parser);
	if (r || *ret_documents == 0)
		return r;
	r = document_load(text, size, &doc, error);
	if (r)
		return r;
	r = check_node(&doc, yaml_document_get_root_node(&doc), schema, error);
	if (!r)
		r = make_lists(&doc, 1, schema, &made);
	if (!r && made)
		return document_text(&doc, ret_listed, ret_listed_size);
	yaml_document_delete(&doc);
	return r;
}

struct cyaml_told {
	char what[256];	     /* first line of the log */
	size_t line, column; /* innermost line of the backtrace */
};

static void take_log(cyaml_log_t level, void *arg, const char *format, va_list args)
{
	struct cyaml_told *told = arg;
	const char *place;
	char line[512];

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	place = strstr(line, "(line: ");
	/* only backtrace lines are indented: a user's word may also hold "(line: " */
	if (place && line[0] == ' ' && !told->line)
		sscanf(place, "(line: %zu, column: %zu)", &told->line, &told->column);
	else if (!told->what[0] && strcmp(line, "Load: Backtrace:") != 0)
		snprintf(told->what, sizeof(told->what), "%.255s",
			 strncmp(line, "Load: ", 6) ? line : line + 6);
}

static void explain(const struct cyaml_told *told, cyaml_err_t code, struct yamlfile_error *error)
{
	/* without a backtrace it is the top of the document that is wrong */
	yaml_mark_t mark = { .line = told->line ? told->line - 1 : 0,
			     .column = told->line ? told->column - 1 : 0 };
	char expected[32];

	if (sscanf(told->what, "Expecting %31[A-Z], got event", expected) == 1) {
		for (char *c = expected; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		refuse(error, &mark, "a %s is expected here", expected);
	} else {
		refuse(error, &mark, "%s", told->what[0] ? told->what : cyaml_strerror(code));
		error->why[0] = (char)tolower((unsigned char)error->why[0]);
	}
}

static cyaml_config_t cyaml_settings(struct cyaml_told *told)
{
	return (cyaml_config_t){
		.log_fn = take_log,
		.log_ctx = told,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

int yamlfile_load(const char *text, size_t size, const cyaml_schema_value_t *schema,
		  void **ret_data, struct yamlfile_error *error)
{
	struct cyaml_told told = {};
	cyaml_config_t settings = cyaml_settings(&told);
	cyaml_data_t *data = NULL;
	_free_ char *with_lists = NULL;
	size_t documents = 0;
	cyaml_err_t code;
	int r;

	r = check_text(text, size, schema, &documents, &with_lists, &size, error);
	if (r == -ENOMEM)
		refuse(error, NULL, "out of memory");
	if (r)
		return r;
	if (documents) {
		code = cyaml_load_data((const uint8_t *)(with_lists ? with_lists : text), size,
				       &settings, schema, &data, NULL);
		if (code != CYAML_OK) {
			explain(&told, code, error);
			return code == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
		}
	}
	*ret_data = data;
	return 0;
}

void yamlfile_free(const cyaml_schema_value_t *schema, void *data)
{
	struct cyaml_told told = {};
	cyaml_config_t settings = cyaml_settings(&told);

	if (data)
		cyaml_free(&settings, schema, data, 0);
}

/* --- places --- */

struct yamlfile_places {
	yaml_document_t doc;
};

static const yaml_node_t *item_find(yaml_document_t *doc, const yaml_node_t *list, const char *key)
{
	size_t count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
	unsigned long i = strtoul(key, NULL, 10);

	return i < count ? yaml_document_get_node(doc, list->data.sequence.items.start[i]) : NULL;
}

static const yaml_node_t *node_find(yaml_document_t *doc, char *dotted)
{
	const yaml_node_t *node = yaml_document_get_root_node(doc);
	const yaml_node_pair_t *pair;
	char *save, *key;

	for (key = strtok_r(dotted, ".", &save); node && key; key = strtok_r(NULL, ".", &save)) {
		switch (node->type) {
		case YAML_MAPPING_NODE:
			pair = pair_find(doc, node, key, node->data.mapping.pairs.top);
			node = pair ? yaml_document_get_node(doc, pair->value) : NULL;
			break;
		case YAML_SEQUENCE_NODE:
			node = item_find(doc, node, key);
			break;
		default: /* a lone word is item 0 of its list */
			node = strcmp(key, "0") == 0 ? node : NULL;
		}
	}
	return node;
}

int yamlfile_places_new(const char *text, size_t size, struct yamlfile_places **ret_places)
{
	_free_ struct yamlfile_places *places = calloc(1, sizeof(*places));
	struct yamlfile_error ignored;
	int r;

	if (!places)
		return -ENOMEM;
	r = document_load(text, size, &places->doc, &ignored);
	if (r)
		return r;
	*ret_places = TAKE_PTR(places);
	return 0;
}

void yamlfile_places_free(struct yamlfile_places *places)
{
	if (!places)
		return;
	yaml_document_delete(&places->doc);
	free(places);
}

int yamlfile_place(struct yamlfile_places *places, const char *dotted, size_t *ret_line,
		   size_t *ret_column)
{
	_free_ char *copy = strdup(dotted);
	const yaml_node_t *node;

	if (!copy)
		return -ENOMEM;
	node = node_find(&places->doc, copy);
	if (!node)
		return -ENOENT;
	*ret_line = node->start_mark.line + 1;
	*ret_column = node->start_mark.column + 1;
	return 0;
}

static void cleanup_places(struct yamlfile_places **places)
{
	yamlfile_places_free(*places);
}

int yamlfile_locate(const char *text, size_t size, const char *dotted, size_t *ret_line,
		    size_t *ret_column)
{
	_cleanup_(cleanup_places) struct yamlfile_places *places = NULL;
	int r = yamlfile_places_new(text, size, &places);

	return r ? r : yamlfile_place(places, dotted, ret_line, ret_column);
}
