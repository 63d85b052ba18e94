#include "base/secret.h"
#include <criterion/criterion.h>

Test(secret, masks_all_but_first_six_and_last_four)
{
    char out[20];
    secret_pan_mask((const uint8_t *)"4111111111111111", 16, out);
    cr_assert_str_eq(out, "411111******1111");
    secret_pan_mask((const uint8_t *)"411111111111", 12, out);
    cr_assert_str_eq(out, "************");
}

Test(secret, compares_and_wipes)
{
    char a[] = "secret", b[] = "secret";
    cr_assert(secret_equal(a, b, 6));
    b[5] = 'x';
    cr_assert(!secret_equal(a, b, 6));
    secret_wipe(a, 6);
    cr_assert_arr_eq(a, ((char[6]){0}), 6);
}
