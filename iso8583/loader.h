/* loader.h - what the parts of the dialect loader share. Internal; control thread only. */
#ifndef ISO8583_LOADER_H
#define ISO8583_LOADER_H

#include "iso8583/arena.h"
#include "iso8583/program.h"
#include "iso8583/yaml.h"

struct loader {
    struct arena arena;
    struct iso_report *report;
    const char *directories;
    struct iso_dialect *dialect;
    struct { /* encodings of fields that name none */
        enum iso_encoding text, digits, track, signed_digits, bytes;
        enum iso_length_encoding length;
    } defaults;
    bool uses_gbk;
};

void complain_at(struct loader *loader, const struct yaml *at, const char *format, ...)
    PRINTF(3, 4);
/* Complains of members whose key is not in the NULL-terminated list. */
void check_keys(struct loader *loader, const struct yaml *mapping, const char *const *keys);
/* Scalars; each complains and returns false when the value is no such thing. Absent (NULL): false
 * without a complaint. */
NODISCARD bool load_text(struct loader *loader, const struct yaml *value, const char **out);
NODISCARD bool load_number(struct loader *loader, const struct yaml *value, uint32_t min,
                           uint32_t max, uint32_t *out);
NODISCARD bool load_bool(struct loader *loader, const struct yaml *value, bool *out);
NODISCARD bool load_encoding(struct loader *loader, const struct yaml *value,
                             enum iso_encoding *out);
NODISCARD bool load_length_encoding(struct loader *loader, const struct yaml *value,
                                    enum iso_length_encoding *out);
NODISCARD bool text_number(const char *text, size_t size, uint32_t max, uint32_t *out);

/* The keys of each mapping, NULL behind the last; dialect.schema.json has the same, by a test. */
extern const char *const load_root_keys[],
    *const load_header_keys[], *const load_mti_keys[], *const load_bitmap_keys[],
                                                           *const load_defaults_keys[],
                                                               *const load_mac_keys[],
                                                                   *const load_field_keys[],
                                                                       *const load_message_keys[];

void load_forms(struct loader *loader, const struct yaml *root);          /* load_forms.c */
void load_fields(struct loader *loader, const struct yaml *root);         /* load_field.c */
void load_rules(struct loader *loader, const struct yaml *root);          /* load_rules.c */
uint16_t load_condition(struct loader *loader, const struct yaml *value); /* load_condition.c */
/* load_field.c, load_composite.c: each calls the other, as deep as composites nest. */
void load_composite(struct loader *loader, const struct yaml *yaml, uint32_t depth,
                    struct iso_node *node);
void load_part(struct loader *loader, const struct yaml *yaml, const struct iso_node *parent,
               const char *key, uint32_t depth, bool is_lead, struct iso_node *node);
bool load_length(struct loader *loader, const struct yaml *value, struct iso_length *length,
                 bool *has_unit);
void load_gbk(struct loader *loader); /* gbk.c */

/* Blank-separated words of a scalar. */
#define WORDS_MAX 8u
struct words {
    uint32_t count;
    struct {
        const char *text;
        uint32_t size;
    } at[WORDS_MAX];
};
NODISCARD bool split_words(const char *text, struct words *out); /* false: too many */
static inline bool word_is(const struct words *words, uint32_t index, const char *text)
{
    return index < words->count && strlen(text) == words->at[index].size &&
           memcmp(words->at[index].text, text, words->at[index].size) == 0;
}

#endif
