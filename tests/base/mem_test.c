#include "base/mem.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's flags of the mapping that begins at `memory`: "rd wr ... lo dd wf". */
static void flags_of(const void *memory, char *out, size_t out_size)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    cr_assert_not_null(file);
    char line[512];
    bool is_it = false;
    out[0] = '\0';
    while (fgets(line, sizeof line, file) != NULL) {
        char *end;
        unsigned long from = strtoul(line, &end, 16); /* "from-to rw-p ..." */
        if (end > line && *end == '-') {
            unsigned long to = strtoul(end + 1, NULL, 16);
            is_it = from <= (unsigned long)memory && (unsigned long)memory < to;
        } else if (is_it && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(out, out_size, "%s", line + 8);
        }
    }
    (void)fclose(file);
}

static size_t secret_bytes;
static void count_secret(void *context, const char *what, size_t bytes, bool secret)
{
    (void)context;
    (void)what;
    secret_bytes += secret ? bytes : 0;
}

Test(mem, is_zero_and_on_a_page_and_counted)
{
    size_t before = mem_taken_bytes();
    uint8_t *memory = mem_take(MEM_PLAIN, 5000, "test");
    cr_assert_eq((uintptr_t)memory % 4096, 0);
    cr_assert_eq(memory[0] | memory[4999], 0);
    cr_assert_eq(mem_taken_bytes() - before, 8192);
    mem_each(count_secret, NULL);
    cr_assert_eq(secret_bytes, 0);
}

Test(mem, keeps_secrets_out_of_cores_swap_and_children)
{
    uint8_t *secret = mem_take(MEM_SECRET, 4096, "secret");
    memset(secret, 0x42, 4096);
    char flags[512];
    flags_of(secret, flags, sizeof flags);
    cr_assert_not_null(strstr(flags, " dd"), "%s", flags);
    cr_assert_not_null(strstr(flags, " wf"), "%s", flags);
    cr_assert(!mem_secrets_locked() || strstr(flags, " lo") != NULL, "%s", flags);
    pid_t child = fork();
    if (child == 0) {
        _exit(secret[0]);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0, "a child sees zeros");
    mem_each(count_secret, NULL);
    cr_assert_eq(secret_bytes, 4096);
    mem_wipe_secrets();
    cr_assert_eq(secret[0] | secret[4095], 0);
}

static uint32_t resident_pages(const uint8_t *memory, size_t bytes)
{
    uint8_t pages[1024];
    uint32_t count = 0;
    cr_assert_leq(bytes / 4096, sizeof pages);
    cr_assert_eq(mincore((void *)(uintptr_t)memory, bytes, pages), 0);
    for (size_t i = 0; i < bytes / 4096; i++) {
        count += pages[i] & 1;
    }
    return count;
}

Test(mem, touches_a_part_without_changing_it)
{
    uint8_t *memory = mem_take(MEM_PLAIN, (size_t)256 * 4096, "test");
    cr_assert_eq(resident_pages(memory, (size_t)256 * 4096), 0);
    memory[10 * 4096] = 7;
    mem_touch(memory + 10 * 4096 + 100, 4096); /* parts of two pages */
    cr_assert_eq(resident_pages(memory, (size_t)256 * 4096), 2);
    cr_assert_eq(memory[10 * 4096], 7);
    mem_touch(memory, 0);
    cr_assert_eq(resident_pages(memory, (size_t)256 * 4096), 2);
}

Test(mem, touches_everything_taken)
{
    uint8_t *memory = mem_take(MEM_PLAIN, (size_t)64 * 4096, "test");
    memory[4096] = 7;
    cr_assert(mem_touch_all());
    cr_assert_eq(resident_pages(memory, (size_t)64 * 4096), 64);
    cr_assert_eq(memory[4096], 7);
}

Test(mem, touches_small_regions_piece_by_piece)
{
    uint32_t before = mem_mark();
    struct mem_cursor cursor = {.region = before};
    uint8_t *large = mem_take(MEM_PLAIN, MEM_TOUCH_REGION + 4096, "large");
    uint8_t *small = mem_take(MEM_PLAIN, MEM_TOUCH_PIECE + 4096, "small");
    cr_assert(mem_touch_next(&cursor));
    cr_assert_eq(resident_pages(small, MEM_TOUCH_PIECE), MEM_TOUCH_PIECE / 4096);
    cr_assert(mem_touch_next(&cursor));
    cr_assert_eq(resident_pages(small + MEM_TOUCH_PIECE, 4096), 1);
    cr_assert_not(mem_touch_next(&cursor));
    cr_assert_eq(resident_pages(large, 4096), 0);
}

Test(mem, is_shared_with_a_child)
{
    int fd = -1;
    uint8_t *near = mem_take_shared(MEM_PLAIN, 4096, "shared", &fd);
    uint8_t *far = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert_neq((void *)far, MAP_FAILED);
    near[17] = 1;
    cr_assert_eq(far[17], 1);
    far[18] = 2;
    cr_assert_eq(near[18], 2);
}

Test(mem, takes_nothing_after_the_seal, .signal = SIGABRT)
{
    mem_seal();
    cr_assert_null(mem_take(MEM_PLAIN, 1, "too late"));
}

Test(mem, gives_back_what_was_taken_after_a_mark)
{
    size_t before = mem_taken_bytes();
    uint32_t mark = mem_mark();
    (void)!mem_take(MEM_PLAIN, 4096, "a");
    (void)!mem_take(MEM_PLAIN, 4096, "b");
    mem_release_to(mark);
    cr_assert_eq(mem_taken_bytes(), before);
    cr_assert_eq(mem_mark(), mark);
}

Test(mem, seals_one_thread_only)
{
    cr_assert(!mem_thread_is_sealed());
    mem_seal_thread();
    cr_assert(mem_thread_is_sealed());
    cr_assert_eq(mem_allocations_after_seal(), 0);
}
