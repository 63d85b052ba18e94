/* names.c - the rows of key_use.def as text, and the key table's look-up. Runs at start. */
#include "hsm/hsm.h"

#include <string.h>
#include <strings.h>

static const char *const use_names[] = {
#define HSM_KEY_USE(name, code, twin, help) #name,
#include "hsm/key_use.def"
#undef HSM_KEY_USE
};
_Static_assert(countof(use_names) == HSM_KEY_USES_COUNT, "one name a row");

const char *hsm_key_use_name(enum hsm_key_use use)
{
    must((uint32_t)use < HSM_KEY_USES_COUNT);
    return use_names[use];
}

bool hsm_key_use_parse(const char *name, enum hsm_key_use *use)
{
    for (uint32_t i = 0; i < HSM_KEY_USES_COUNT; i++) {
        if (strcasecmp(name, use_names[i]) == 0) {
            *use = (enum hsm_key_use)i;
            return true;
        }
    }
    return false;
}

uint16_t hsm_key_slot(const struct hsm_key *keys, uint32_t keys_count, const char *label,
                      enum hsm_key_use use)
{
    must(keys_count <= HSM_KEYS_MAX);
    for (uint32_t i = 0; i < keys_count; i++) {
        if (keys[i].use == use && strncmp(keys[i].label, label, sizeof keys[i].label) == 0) {
            return (uint16_t)i;
        }
    }
    return HSM_NO_KEY;
}
