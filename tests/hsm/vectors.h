/* vectors.h - published cryptographic vectors, when they lie beside the project; a test says when
 * they do not and goes on. */
#ifndef TESTS_HSM_VECTORS_H
#define TESTS_HSM_VECTORS_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct vector {
    const char *id, *op;
    const char *expected; /* NULL: must be refused, or is not a string */
    const json_t *inputs;
};

struct vectors {
    json_t *all;
    size_t next;
    struct vector current;
};

static inline struct vectors *vectors_open(void)
{
    json_t *all = json_load_file(HSM_TEST_VECTORS, 0, NULL);
    if (all == NULL) {
        (void)fprintf(stderr, "no vectors at %s: only the built-in values are checked\n",
                      HSM_TEST_VECTORS);
        return NULL;
    }
    struct vectors *vectors = calloc(1, sizeof *vectors);
    vectors->all = all;
    return vectors;
}

static inline const struct vector *vectors_next(struct vectors *vectors)
{
    if (vectors == NULL || vectors->next == json_array_size(vectors->all)) {
        return NULL;
    }
    const json_t *entry = json_array_get(vectors->all, vectors->next++);
    vectors->current = (struct vector){
        .id = json_string_value(json_object_get(entry, "id")),
        .op = json_string_value(json_object_get(entry, "op")),
        .expected = json_string_value(json_object_get(entry, "expected")),
        .inputs = json_object_get(entry, "inputs"),
    };
    return &vectors->current;
}

static inline const char *vector_input(const struct vector *vector, const char *name)
{
    return json_string_value(json_object_get(vector->inputs, name));
}

static inline void vectors_close(struct vectors *vectors)
{
    if (vectors != NULL) {
        json_decref(vectors->all);
        free(vectors);
    }
}

#endif
