/* script.c - see script.h. */
#include "sims/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool script_read(const char *path, struct script *script, char *text, size_t text_size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)snprintf(text, text_size, "%s: cannot be read", path);
        return false;
    }
    script->lines = json_array();
    char line[8192];
    uint32_t number = 0;
    bool done = true;
    while (done && fgets(line, sizeof line, file) != NULL) {
        number++;
        if (line[0] == '#' || line[strspn(line, " \t\r\n")] == 0) {
            continue;
        }
        json_error_t error;
        json_t *object = json_loads(line, 0, &error);
        done = json_is_object(object) && json_is_object(json_object_get(object, "match"));
        if (!done) {
            (void)snprintf(text, text_size, "%s:%u:1: a line is {\"match\":{…},…}", path, number);
        }
        (void)json_array_append_new(script->lines, object);
    }
    (void)fclose(file);
    return done;
}

static bool agrees(const char *wanted, const char *value, size_t size)
{
    size_t wanted_size = strlen(wanted);
    if (wanted_size > 0 && wanted[wanted_size - 1] == '*') {
        return size >= wanted_size - 1 && memcmp(wanted, value, wanted_size - 1) == 0;
    }
    return size == wanted_size && memcmp(wanted, value, size) == 0;
}

static bool matches(json_t *match, const struct iso_dialect *dialect, const struct iso_msg *msg)
{
    const char *key;
    json_t *member;
    json_object_foreach(match, key, member)
    {
        const char *wanted = json_string_value(member);
        char value[1024];
        size_t size = 4;
        if (strcmp(key, "mti") == 0) {
            memcpy(value, msg->mti, 4);
        } else if (!iso_msg_text(dialect, msg, (uint32_t)strtoul(key, NULL, 10), value,
                                 sizeof value, &size)) {
            return false;
        }
        if (wanted == NULL || !agrees(wanted, value, size)) {
            return false;
        }
    }
    return true;
}

bool script_find(struct script *script, const struct iso_dialect *dialect,
                 const struct iso_msg *msg, struct script_action *action)
{
    for (size_t i = 0; i < json_array_size(script->lines); i++) {
        json_t *line = json_array_get(script->lines, i);
        json_t *times = json_object_get(line, "times");
        if ((times != NULL && json_integer_value(times) <= 0) ||
            !matches(json_object_get(line, "match"), dialect, msg)) {
            continue;
        }
        if (times != NULL) {
            (void)json_integer_set(times, json_integer_value(times) - 1);
        }
        *action = (struct script_action){
            .answer = json_object_get(line, "answer"),
            .delay_ms = json_integer_value(json_object_get(line, "delay_ms")),
            .drop = json_is_true(json_object_get(line, "drop")),
            .disconnect = json_is_true(json_object_get(line, "disconnect"))};
        return true;
    }
    return false;
}
