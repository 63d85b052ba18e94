/* shop_internal.h - what the files of the shop share. */
#ifndef TESTS_LEDGER_SHOP_INTERNAL_H
#define TESTS_LEDGER_SHOP_INTERNAL_H

#include "shop.h"

void shop_die(const struct shop *shop, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void shop_put_name(uint8_t *out, const char *name);
/* The value of key= in the line, or NULL; a bare word gives "". */
const char *shop_value(char *const *words, int count, const char *key);
int64_t shop_number(char *const *words, int count, const char *key, int64_t otherwise);
/* The record just packed behind shop->records_size: checked, kept, applied. */
void shop_journal(struct shop *shop, uint32_t size);

/* shop_say.c: lines that do something. */
void shop_say(struct shop *shop, char **words, int count);
void shop_account(struct shop *shop, enum ledger_command_kind kind, const char *name, bool is_house,
                  uint8_t status, int64_t amount_minor);
void shop_card(struct shop *shop, int64_t k, const char *account, uint16_t expiry);

/* shop_expect.c: what stands behind "->", and lines that begin with "=". */
void shop_expect(struct shop *shop, char **words, int count);
void shop_expect_state(struct shop *shop, char **words, int count);

#endif
