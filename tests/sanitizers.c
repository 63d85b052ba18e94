/* sanitizers.c - linked into every test program: what the sanitizers must not blame on us. */

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcriterion\n"; /* it keeps a little of each suite it was told of */
}

const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
