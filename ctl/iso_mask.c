/* iso_mask.c - what a person may see of a value. */
#include "ctl/iso_json.h"
#include "iso8583/emv.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* First six and last four of the digits at text[0 .. size). */
static void mask_number(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (size < 13 || (i >= 6 && i + 4 < size)) {
            text[i] = '*';
        }
    }
}

/* The card number in front as above; of what stands behind nothing but the separator. */
static void mask_track(char *text, size_t size)
{
    size_t start = 0, end;
    while (start < size && !is_digit(text[start])) {
        start++;
    }
    for (end = start; end < size && is_digit(text[end]); end++) {
    }
    mask_number(text + start, end - start);
    for (size_t i = end + 1; i < size; i++) {
        text[i] = '*';
    }
}

void iso_mask_apply(enum iso_mask mask, char *text, size_t size)
{
    switch (mask) {
    case ISO_MASK_CLEAR:
    case ISO_MASKS_COUNT:
        break;
    case ISO_MASK_PAN:
        mask_number(text, size);
        break;
    case ISO_MASK_TRACK:
        mask_track(text, size);
        break;
    case ISO_MASK_SECRET:
    case ISO_MASK_PERSON:
        memset(text, '*', size);
        break;
    }
}

enum iso_mask iso_mask_of(const struct iso_node *node, const struct iso_node *within,
                          uint64_t number)
{
    if (node->mask != ISO_MASK_CLEAR || within == NULL || !within->composite.tag.is_ber) {
        return node->mask;
    }
    const struct iso_emv_tag *tag =
        number <= UINT32_MAX ? iso_emv_tag_find((uint32_t)number) : NULL;
    return tag != NULL ? tag->mask : ISO_MASK_CLEAR;
}

void iso_mask_numbers(char *text, size_t size)
{
    for (size_t start = 0; start < size;) {
        size_t end = start;
        while (end < size && is_digit(text[end])) {
            end++;
        }
        if (end - start >= 13 && end - start <= 19 && text[start] != '0' &&
            bytes_luhn_valid((const uint8_t *)text + start, (uint32_t)(end - start))) {
            mask_number(text + start, end - start);
        }
        start = end + 1;
    }
}
