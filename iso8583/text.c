/* text.c - the words of the tables: codes, classes, encodings, rules; and DE44 of a fault. */
#include "iso8583/iso.h"

#include <stdio.h>

static const char *const err_names[] = {
#define ISO_ERR(name, code, class, text) code,
#include "iso8583/err.def"
#undef ISO_ERR
};
static const char *const err_texts[] = {
#define ISO_ERR(name, code, class, text) text,
#include "iso8583/err.def"
#undef ISO_ERR
};
static const char *const class_texts[] = {
#define ISO_CLASS(name, text, help) text,
#include "iso8583/class.def"
#undef ISO_CLASS
};
static const char *const encoding_texts[] = {
#define ISO_ENCODING(name, text, help) text,
#include "iso8583/encoding.def"
#undef ISO_ENCODING
};
static const char *const rule_texts[] = {
#define ISO_RULE(name, text, help) text,
#include "iso8583/rule.def"
#undef ISO_RULE
};
static const char *const length_encoding_texts[] = {"fixed",  "rest",   "ascii", "ebcdic",
                                                    "packed", "binary", "hex",   "ber"};
static const char *const unit_texts[] = {"bytes", "characters", "digits", "nibbles", "octets"};
static const char *const mask_texts[] = {"clear", "pan", "track", "secret", "person"};
static const char *const side_texts[] = {"none", "left", "right"};
static const char *const presence_texts[] = {"none",        "mandatory",        "mandatory_echo",
                                             "conditional", "conditional_echo", "optional",
                                             "forbidden"};

_Static_assert(countof(length_encoding_texts) == ISO_LEN_COUNT, "one word a value");
_Static_assert(countof(unit_texts) == ISO_UNIT_COUNT, "one word a value");
_Static_assert(countof(mask_texts) == ISO_MASKS_COUNT, "one word a value");
_Static_assert(countof(presence_texts) == ISO_PRESENCES_COUNT, "one word a value");

const char *iso_err_name(enum iso_err err)
{
    must((size_t)err < countof(err_names));
    return err_names[err];
}

const char *iso_err_text(enum iso_err err)
{
    must((size_t)err < countof(err_texts));
    return err_texts[err];
}

const char *iso_class_text(enum iso_class value)
{
    must((size_t)value < countof(class_texts));
    return class_texts[value];
}

const char *iso_encoding_text(enum iso_encoding value)
{
    must((size_t)value < countof(encoding_texts));
    return encoding_texts[value];
}

const char *iso_length_encoding_text(enum iso_length_encoding value)
{
    must((size_t)value < countof(length_encoding_texts));
    return length_encoding_texts[value];
}

const char *iso_unit_text(enum iso_unit value)
{
    must((size_t)value < countof(unit_texts));
    return unit_texts[value];
}

const char *iso_mask_text(enum iso_mask value)
{
    must((size_t)value < countof(mask_texts));
    return mask_texts[value];
}

const char *iso_rule_text(enum iso_rule value)
{
    must((size_t)value < countof(rule_texts));
    return rule_texts[value];
}

const char *iso_presence_text(enum iso_presence value)
{
    must((size_t)value < countof(presence_texts));
    return presence_texts[value];
}

const char *iso_side_text(enum iso_side value)
{
    must((size_t)value < countof(side_texts));
    return side_texts[value];
}

uint32_t iso_fault_de44(const struct iso_fault *fault, char *out, size_t out_size)
{
    must(out_size >= 26);
    int size;
    const char *element = strchr(fault->path, '.');
    if (element != NULL && element[1] != '\0' && fault->de > 1) {
        const char *end = strchr(element + 1, '.');
        size_t element_size = end != NULL ? (size_t)(end - element - 1) : strlen(element + 1);
        if (element_size > 21)
            element_size = 21;
        size = snprintf(out, out_size, "%03u/%.*s", fault->de, (int)element_size, element + 1);
    } else {
        size = snprintf(out, out_size, "%03u", fault->de);
    }
    return (uint32_t)size;
}
