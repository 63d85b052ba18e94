/* sanitizers.c - linked into every test program: what the sanitizers must not blame on us. */

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcriterion\n"; /* it keeps a little of each suite it was told of */
}
