/* spec_jpos_read.c - XML of a GenericPackager to a tree, with expat.
 *
 * An inline DTD subset is honoured (its defaults and entities), external entities and the DTD's own
 * file are not read, and what entities may expand to is bounded. */
#include "ctl/spec_jpos_read.h"

#define XML_DTD /* how the library is built; its header then declares the bounds on entities */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPANSION_FACTOR_MAX 20.0f
#define EXPANSION_BYTES_MAX  (1u << 20)

struct reading {
    XML_Parser parser;
    const char *file;
    struct arena *arena;
    struct iso_report *report;
    struct text *remarks;
    struct jpos_field *root;
    struct jpos_field *stack[JPOS_DEPTH_MAX + 2];
    uint32_t depth, skipped; /* elements below one that was refused */
};

static void complain(struct reading *reading, const char *format, const char *what)
{
    iso_report_add(reading->report, reading->file,
                   (uint32_t)XML_GetCurrentLineNumber(reading->parser),
                   (uint32_t)XML_GetCurrentColumnNumber(reading->parser) + 1, format, what);
}

/* What values may be is no matter of their form. */
static void remark(struct reading *reading, const char *what, const char *class)
{
    text_add(reading->remarks, "# %s:%lu:%lu: left out: %s %.80s\n", reading->file,
             (unsigned long)XML_GetCurrentLineNumber(reading->parser),
             (unsigned long)XML_GetCurrentColumnNumber(reading->parser) + 1, what, class);
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
    for (; *attributes != NULL; attributes += 2) {
        if (strcmp(attributes[0], name) == 0) {
            return attributes[1];
        }
    }
    return NULL;
}

/* Trimmed, and without the package of the field classes. */
static const char *class_name(struct arena *arena, const char *text)
{
    static const char package[] = "org.jpos.iso.";
    text += strspn(text, " \t\r\n");
    size_t size = strcspn(text, " \t\r\n");
    if (size > sizeof package - 1 && strncmp(text, package, sizeof package - 1) == 0) {
        text += sizeof package - 1;
        size -= sizeof package - 1;
    }
    return arena_copy(arena, text, size);
}

static bool number(const char *text, int32_t *out)
{
    char *rest;
    text += strspn(text, " \t\r\n");
    long value = strtol(text, &rest, 10);
    rest += strspn(rest, " \t\r\n");
    *out = (int32_t)value;
    return rest != text && *rest == 0 && value >= -1 && value <= 999999;
}

static bool take_number(struct reading *reading, const XML_Char **attributes, const char *name,
                        int32_t *out)
{
    const char *text = attribute(attributes, name);
    if (text == NULL) {
        return false;
    }
    if (!number(text, out)) {
        complain(reading, "%s is no number", name);
    }
    return true;
}

static bool is_true(const XML_Char **attributes, const char *name)
{
    const char *text = attribute(attributes, name);
    return text != NULL && strcasecmp(text, "true") == 0;
}

static void hang(struct reading *reading, struct jpos_field *field)
{
    struct jpos_field **link = &reading->stack[reading->depth - 1]->first;
    while (*link != NULL && (*link)->id < field->id) {
        link = &(*link)->next;
    }
    /* An id that stands there twice: the last one counts, as it does in the packager. */
    field->next = *link != NULL && (*link)->id == field->id ? (*link)->next : *link;
    *link = field;
}

static void take_packager_attributes(struct reading *reading, const XML_Char **attributes,
                                     struct jpos_field *field)
{
    const char *emit = attribute(attributes, "emitBitmap");
    int32_t header = 0;
    field->emit_bitmap = emit == NULL || strcasecmp(emit, "true") == 0;
    field->bitmap_field = 1;
    field->first_field = field->third_bitmap = -1;
    (void)take_number(reading, attributes, "bitmapField", &field->bitmap_field);
    (void)take_number(reading, attributes, "firstField", &field->first_field);
    (void)take_number(reading, attributes, "thirdBitmapField", &field->third_bitmap);
    (void)take_number(reading, attributes, "headerLength", &header);
    field->header_length = header > 0 ? (uint32_t)header : 0;
    const char *mapper = attribute(attributes, "tagMapper");
    const char *validator = attribute(attributes, "validator");
    field->tag_mapper = mapper != NULL ? class_name(reading->arena, mapper) : "";
    field->swaps_tag = is_true(attributes, "swapTagAndLen");
    (void)take_number(reading, attributes, "tagSize", &field->tag_size);
    if (validator != NULL) {
        remark(reading, "validator", class_name(reading->arena, validator));
    }
}

static struct jpos_field *take_field(struct reading *reading, const XML_Char **attributes,
                                     bool is_packager)
{
    struct jpos_field *field = arena_take(reading->arena, sizeof *field);
    const char *class = attribute(attributes, "class"), *name = attribute(attributes, "name");
    const char *packager = attribute(attributes, "packager"), *params;
    int32_t length = -1;
    field->line = (uint32_t)XML_GetCurrentLineNumber(reading->parser);
    field->column = (uint32_t)XML_GetCurrentColumnNumber(reading->parser) + 1;
    field->depth = reading->depth;
    field->id = -1;
    field->class = class != NULL ? class_name(reading->arena, class) : "(none)";
    if (!take_number(reading, attributes, "id", &field->id) || field->id < 0) {
        complain(reading, "field of class %s: no id", field->class);
    }
    if (!take_number(reading, attributes, "length", &length) || length < 0) {
        complain(reading, "field of class %s: no length", field->class);
    }
    params = attribute(attributes, "params");
    if (params != NULL && params[0] != 0) {
        complain(reading, "field of class %s: params cannot be expressed", field->class);
    }
    field->length = length > 0 ? (uint32_t)length : 0;
    field->name = name != NULL ? arena_copy(reading->arena, name, strlen(name)) : "";
    field->pad = is_true(attributes, "pad");
    field->inclusive = is_true(attributes, "inclusive");
    if (is_packager) {
        field->packager = packager != NULL ? class_name(reading->arena, packager) : "(none)";
        take_packager_attributes(reading, attributes, field);
    }
    return field;
}

static void XMLCALL on_start(void *context, const XML_Char *element, const XML_Char **attributes)
{
    struct reading *reading = context;
    bool is_packager = strcmp(element, "isofieldpackager") == 0;
    if (reading->skipped > 0) {
        reading->skipped++;
    } else if (reading->depth == 0) {
        if (strcmp(element, "isopackager") != 0) {
            complain(reading, "<%s>: the root is isopackager", element);
        }
        reading->root = arena_take(reading->arena, sizeof *reading->root);
        reading->root->packager = "GenericPackager";
        reading->root->line = (uint32_t)XML_GetCurrentLineNumber(reading->parser);
        reading->root->column = (uint32_t)XML_GetCurrentColumnNumber(reading->parser) + 1;
        take_packager_attributes(reading, attributes, reading->root);
        reading->stack[reading->depth++] = reading->root;
    } else if (strcmp(element, "isofieldvalidator") == 0 || strcmp(element, "isovalidator") == 0) {
        const char *class = attribute(attributes, "class");
        remark(reading, element, class != NULL ? class_name(reading->arena, class) : "");
        reading->skipped = 1;
    } else if (!is_packager && strcmp(element, "isofield") != 0) {
        complain(reading, "<%s>: neither isofield nor isofieldpackager", element);
        reading->skipped = 1;
    } else if (reading->depth > JPOS_DEPTH_MAX) {
        complain(reading, "<%s>: nested too deeply", element);
        reading->skipped = 1;
    } else if (reading->stack[reading->depth - 1]->packager == NULL) {
        complain(reading, "<%s>: an isofield holds nothing", element);
        reading->skipped = 1;
    } else {
        struct jpos_field *field = take_field(reading, attributes, is_packager);
        hang(reading, field);
        reading->stack[reading->depth++] = field;
    }
}

static void XMLCALL on_end(void *context, const XML_Char *element)
{
    struct reading *reading = context;
    (void)element;
    if (reading->skipped > 0) {
        reading->skipped--;
    } else {
        reading->depth--;
    }
}

static void XMLCALL on_instruction(void *context, const XML_Char *target, const XML_Char *data)
{
    struct reading *reading = context;
    if (strcmp(target, "ringswitch") == 0 && reading->depth > 0 && reading->skipped == 0) {
        reading->stack[reading->depth - 1]->form = arena_copy(reading->arena, data, strlen(data));
    }
}

static int XMLCALL on_external(XML_Parser parser, const XML_Char *context, const XML_Char *base,
                               const XML_Char *system_id, const XML_Char *public_id)
{
    struct reading *reading = XML_GetUserData(parser);
    (void)context;
    (void)base;
    (void)public_id;
    complain(reading, "external entity %s: not read", system_id != NULL ? system_id : "");
    return XML_STATUS_ERROR;
}

static void XMLCALL on_skipped(void *context, const XML_Char *name, int is_parameter)
{
    if (!is_parameter) {
        complain(context, "entity &%s; is not declared here", name);
    }
}

struct jpos_field *jpos_read(const char *text, size_t size, const char *file, struct arena *arena,
                             struct text *remarks, struct iso_report *report)
{
    struct reading reading = {.parser = XML_ParserCreate(NULL),
                              .file = file,
                              .arena = arena,
                              .report = report,
                              .remarks = remarks};
    uint32_t before = report->count;
    must(reading.parser != NULL);
    XML_SetUserData(reading.parser, &reading);
    XML_SetElementHandler(reading.parser, on_start, on_end);
    XML_SetProcessingInstructionHandler(reading.parser, on_instruction);
    XML_SetExternalEntityRefHandler(reading.parser, on_external);
    XML_SetSkippedEntityHandler(reading.parser, on_skipped);
    (void)XML_SetBillionLaughsAttackProtectionMaximumAmplification(reading.parser,
                                                                   EXPANSION_FACTOR_MAX);
    (void)XML_SetBillionLaughsAttackProtectionActivationThreshold(reading.parser,
                                                                  EXPANSION_BYTES_MAX);
    if (XML_Parse(reading.parser, text, (int)size, 1) != XML_STATUS_OK && report->count == before) {
        complain(&reading, "%s", XML_ErrorString(XML_GetErrorCode(reading.parser)));
    }
    XML_ParserFree(reading.parser);
    return report->count == before ? reading.root : NULL;
}
