/* builder.h - what the parts of the builder share. Internal. */
#ifndef ISO8583_BUILDER_H
#define ISO8583_BUILDER_H

#include "iso8583/build.h"
#include "iso8583/program.h"

struct builder {
    const struct iso_dialect *dialect;
    uint8_t *buffer;
    uint32_t at, end;      /* next byte; end of the buffer */
    uint32_t packed_count; /* text_build(): the count of the packed value it wrote */
    char path[ISO_PATH_BYTES];
    struct problem problem; /* offset: bytes into the message */
};

static inline uint8_t *builder_room(struct builder *builder, uint32_t size)
{
    if (size > builder->end - builder->at)
        return NULL;
    uint8_t *room = builder->buffer + builder->at;
    builder->at += size;
    return room;
}
NODISCARD static inline enum iso_err builder_fail(struct builder *builder, enum iso_err code,
                                                  uint32_t found, uint32_t expected)
{
    return problem_set(&builder->problem, code, builder->at, found, expected);
}

/* A value with its prefix. within: the composite that holds it, or NULL. */
NODISCARD enum iso_err value_build(struct builder *builder, const struct iso_node *node,
                                   const struct iso_node *within, const struct iso_value *value,
                                   uint32_t depth);
/* The parts of a composite, without prefix (build_parts.c). */
NODISCARD enum iso_err parts_build(struct builder *builder, const struct iso_node *node,
                                   const struct iso_part *parts, uint32_t count, uint32_t depth);
/* The parts of packed digits (build_digits.c). */
NODISCARD enum iso_err digits_build(struct builder *builder, const struct iso_node *node,
                                    const struct iso_part *parts, uint32_t count, uint32_t depth);
/* Canonical text or bytes to the wire, without prefix (build_text.c). */
NODISCARD enum iso_err text_build(struct builder *builder, const struct iso_node *node,
                                  const uint8_t *text, uint32_t size);
uint32_t builder_path_push(struct builder *builder, const char *key, size_t key_size);

#endif
