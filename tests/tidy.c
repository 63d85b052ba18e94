/* tidy.c - the rules of the house that a compiler does not know, as a plain program.
 *
 * DESIGN  Walks the tree it is given, reads every text file once and holds it against the tables
 * below: which folder may include which, how long files, functions and lines may be, which
 * functions are forbidden, and that no text names a machine's own paths or leaves work undone.
 * Comments and literals are blanked before code is searched, so that they may speak freely. Events
 * and metrics of the daemon are gathered on the way and compared with docs/operations.md.
 *
 * OUTPUT  FILE:LINE:1: text for each fault, then `N passed, N failed` (files); exit 1 on a fault.
 */
#include <ctype.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX        100u
#define FILE_LINES_MAX     600u
#define TEST_LINES_MAX     1000u /* tables of cases grow long without growing hard */
#define FUNCTION_LINES_MAX 80u
#define FILE_BYTES_MAX     (4u << 20)
#define NAMES_MAX          256u
#define NAME_BYTES         64u

/* Who may include whom: base <- conf, iso8583 <- hsm, rules, ledger <- adapters <- switch. The
 * folders after switch stand outside; nobody includes them. */
#define DAEMON_FOLDERS 8u /* of these: what the daemon is made of */
static const struct {
    const char *folder;
    const char *may[10];
} directions[] = {
    {"base", {"base"}},
    {"conf", {"base", "conf"}},
    {"iso8583", {"base", "iso8583"}},
    {"hsm", {"base", "conf", "iso8583", "hsm"}},
    {"rules", {"base", "conf", "iso8583", "rules"}},
    {"ledger", {"base", "conf", "iso8583", "ledger"}},
    {"adapters", {"base", "conf", "iso8583", "hsm", "rules", "ledger", "adapters"}},
    {"switch", {"base", "conf", "iso8583", "hsm", "rules", "ledger", "adapters", "switch"}},
    {"sims", {"base", "conf", "iso8583", "hsm", "ctl", "sims"}},
    {"ctl", {"base", "conf", "iso8583", "hsm", "rules", "ledger", "ctl"}},
    {"bench", {"base", "conf", "iso8583", "hsm", "rules", "ledger", "ctl", "sims", "bench"}},
};

static const char *const forbidden_functions[] = {"strcpy", "strcat", "sprintf", "vsprintf",
                                                  "strtok", "gets",   "atoi",    "alloca"};

/* Written in two pieces, so that this file may be searched too. */
static const char *const machine_paths[] = {"/ho"
                                            "me/",
                                            "/ro"
                                            "ot/",
                                            "/wo"
                                            "rk/",
                                            "/Use"
                                            "rs/"};
static const char *const undone[] = {"TO"
                                     "DO",
                                     "FIX"
                                     "ME",
                                     "XX"
                                     "X:"};

static const char *const skipped_folders[] = {".git", "build", "run"};

static uint32_t files_passed, files_failed;
static uint32_t faults_in_file;
static size_t root_size;

static void fault(const char *path, uint32_t line, const char *text, const char *detail)
{
    printf("%s:%u:1: %s%s%s\n", path, line, text, detail[0] != 0 ? ": " : "", detail);
    faults_in_file++;
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t size = strlen(text), suffix_size = strlen(suffix);
    return size >= suffix_size && strcmp(text + size - suffix_size, suffix) == 0;
}

static bool is_code(const char *path)
{
    return has_suffix(path, ".c") || has_suffix(path, ".h") || has_suffix(path, ".def");
}

/* Data whose lines are as long as they are: vectors, corpora, captured frames, prose. */
static bool has_free_columns(const char *path)
{
    return !is_code(path) && !has_suffix(path, "CMakeLists.txt") && !has_suffix(path, "dev") &&
           !has_suffix(path, ".ci/run");
}

/* Rows of a table read best as rows. */
static bool is_table(const char *path)
{
    return has_suffix(path, ".def");
}

/* ---- one rule a function; `text` is the file, `code` the same with comments, literals blank ----
 */

static uint32_t columns_of(const char *line, size_t size)
{
    uint32_t columns = 0;
    for (size_t i = 0; i < size; i++) {
        columns += ((unsigned char)line[i] & 0xC0u) != 0x80u;
    }
    return columns;
}

static void check_lines(const char *path, const char *text)
{
    uint32_t line = 0;
    while (*text != 0) {
        size_t size = strcspn(text, "\n");
        line++;
        if (!has_free_columns(path) && !is_table(path) && columns_of(text, size) > COLUMNS_MAX) {
            fault(path, line, "the line is longer than 100 columns", "");
        }
        if (size > 0 && is_code(path) && (text[size - 1] == ' ' || text[size - 1] == '\t')) {
            fault(path, line, "blanks at the end of the line", "");
        }
        text += size + (text[size] == '\n');
    }
    bool is_test = strncmp(path + root_size, "tests/", 6) == 0;
    if (line > (is_test ? TEST_LINES_MAX : FILE_LINES_MAX) && is_code(path)) {
        fault(path, line, "the file is too long: 600 lines, 1000 in tests", "");
    }
}

static void check_functions(const char *path, const char *code)
{
    uint32_t line = 0, start = 0;
    while (*code != 0) {
        size_t size = strcspn(code, "\n");
        line++;
        if (code[0] == '{') {
            start = line;
        } else if (code[0] == '}' && start != 0) {
            if (line - start - 1 > FUNCTION_LINES_MAX) {
                fault(path, start, "the function is longer than 80 lines", "");
            }
            start = 0;
        }
        code += size + (code[size] == '\n');
    }
}

static uint32_t line_of(const char *text, const char *place)
{
    uint32_t line = 1;
    for (; text < place; text++) {
        line += *text == '\n';
    }
    return line;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_';
}

static void check_calls(const char *path, const char *code)
{
    for (size_t i = 0; i < sizeof forbidden_functions / sizeof forbidden_functions[0]; i++) {
        const char *name = forbidden_functions[i];
        for (const char *at = strstr(code, name); at != NULL; at = strstr(at + 1, name)) {
            const char *after = at + strlen(name);
            if ((at != code && is_word(at[-1])) || is_word(*after)) {
                continue;
            }
            after += strspn(after, " ");
            if (*after == '(') {
                fault(path, line_of(code, at), "forbidden function", name);
            }
        }
    }
}

static void check_include(const char *path, uint32_t line, const char *target)
{
    const char *inside = path + root_size;
    for (size_t i = 0; i < sizeof directions / sizeof directions[0]; i++) {
        size_t folder_size = strlen(directions[i].folder);
        if (strncmp(inside, directions[i].folder, folder_size) != 0 || inside[folder_size] != '/') {
            continue;
        }
        for (size_t k = 0; k < 10 && directions[i].may[k] != NULL; k++) {
            size_t size = strlen(directions[i].may[k]);
            if (strncmp(target, directions[i].may[k], size) == 0 && target[size] == '/') {
                return;
            }
        }
        fault(path, line, "an include against the direction of the folders", target);
        return;
    }
}

static void check_includes(const char *path, const char *text)
{
    static const char word[] = "#include \"";
    uint32_t line = 0;
    while (*text != 0) {
        size_t size = strcspn(text, "\n");
        line++;
        if (strncmp(text, word, sizeof word - 1) == 0) {
            char target[256];
            size_t target_size = strcspn(text + sizeof word - 1, "\"\n");
            if (target_size < sizeof target) {
                memcpy(target, text + sizeof word - 1, target_size);
                target[target_size] = 0;
                check_include(path, line, target);
            }
        }
        text += size + (text[size] == '\n');
    }
}

static void check_words(const char *path, const char *text, const char *const *words, size_t count,
                        const char *why)
{
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(text, words[i]);
        if (at != NULL) {
            fault(path, line_of(text, at), why, words[i]);
        }
    }
}

/* ---- docs/operations.md: every event and metric of the daemon, and no other ---------------------
 */

struct names {
    char texts[NAMES_MAX][NAME_BYTES];
    uint32_t count;
};
static struct names events, metrics; /* of the sources */

static bool has_name(const struct names *names, const char *text, size_t size)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strlen(names->texts[i]) == size && memcmp(names->texts[i], text, size) == 0) {
            return true;
        }
    }
    return false;
}

static void add_name(struct names *names, const char *text, size_t size)
{
    if (!has_name(names, text, size) && names->count < NAMES_MAX && size < NAME_BYTES) {
        memcpy(names->texts[names->count], text, size);
        names->texts[names->count++][size] = 0;
    }
}

/* "noun.what_happened" */
static bool is_event(const char *text, size_t size)
{
    size_t dots = 0;
    for (size_t i = 0; i < size; i++) {
        dots += text[i] == '.';
        if (text[i] != '.' && !islower((unsigned char)text[i]) && text[i] != '_') {
            return false;
        }
    }
    return dots == 1 && text[0] != '.' && text[size - 1] != '.';
}

/* Each literal of a statement that has the shape of an event: `busy ? "a.b" : "c.d"` has two. */
static void add_events(const char *statement)
{
    while (*statement != 0 && *statement != ';') {
        if (*statement++ == '"') {
            size_t size = strcspn(statement, "\"");
            if (is_event(statement, size)) {
                add_name(&events, statement, size);
            }
            statement += size + (statement[size] == '"');
        }
    }
}

static void collect_names(const char *path, const char *text)
{
    static const char *const says[] = {"log_event(", "WORKER_TELL(", ".event = \""};
    const char *inside = path + root_size;
    bool is_daemon = false;
    for (size_t i = 0; i < DAEMON_FOLDERS; i++) {
        size_t size = strlen(directions[i].folder);
        is_daemon |= strncmp(inside, directions[i].folder, size) == 0 && inside[size] == '/';
    }
    for (size_t i = 0; is_daemon && has_suffix(path, ".c") && i < sizeof says / sizeof says[0];
         i++) {
        for (const char *at = strstr(text, says[i]); at != NULL; at = strstr(at + 1, says[i])) {
            add_events(at);
        }
    }
    static const char row[] = "\nMETRIC(";
    for (const char *at = strstr(text, row); strcmp(inside, "base/metric.def") == 0 && at != NULL;
         at = strstr(at + 1, row)) {
        const char *name = at + sizeof row - 1;
        add_name(&metrics, name, strcspn(name, ","));
    }
}

/* One row: names in its first cell, then what they mean and what to do. */
static void check_row(const char *path, uint32_t line, const char *row, const struct names *known,
                      struct names *documented)
{
    uint32_t cells = 0;
    size_t size = strcspn(row, "\n"), first_size = strcspn(row + 1, "|") + 1;
    for (size_t i = 0; i + 3 < size; i++) {
        cells += memcmp(row + i, " | ", 3) == 0 && row[i + 3] != '|';
    }
    if (cells < 2) {
        fault(path, line, "a row without what it means or what to do", "");
    }
    for (size_t i = 0; i < first_size; i++) {
        if (row[i] == '`') {
            const char *name = row + i + 1;
            size_t name_size = strcspn(name, "`\n");
            if (!has_name(known, name, name_size)) {
                char text[NAME_BYTES];
                (void)snprintf(text, sizeof text, "%.*s", (int)name_size, name);
                fault(path, line, "nothing in the sources is called so", text);
            }
            add_name(documented, name, name_size);
            i += name_size + 1;
        }
    }
}

static void check_section(const char *path, const char *text, const char *heading,
                          const struct names *known)
{
    static struct names documented;
    documented.count = 0;
    const char *section = strstr(text, heading);
    if (section == NULL) {
        fault(path, 1, "the page has no section", heading + 1);
        return;
    }
    uint32_t start = line_of(text, section) + 1, line = start;
    const char *at = section + 1;
    do {
        if (strncmp(at, "| `", 3) == 0) {
            check_row(path, line, at, known, &documented);
        }
        at += strcspn(at, "\n");
        at += *at == '\n';
        line++;
    } while (*at != 0 && strncmp(at, "## ", 3) != 0);
    for (uint32_t i = 0; i < known->count; i++) {
        if (!has_name(&documented, known->texts[i], strlen(known->texts[i]))) {
            fault(path, start, "not told to the operator", known->texts[i]);
        }
    }
}

/* ---- walking -----------------------------------------------------------------------------------
 */

/* Blanks comments and literals in place; line breaks stay. `#include "x"` is read before. */
static void blank_comments_and_literals(char *code)
{
    enum { CODE, LINE_COMMENT, COMMENT, TEXT, CHARACTER } state = CODE;
    for (char *p = code; *p != 0; p++) {
        if (state == CODE && p[0] == '/' && (p[1] == '/' || p[1] == '*')) {
            state = p[1] == '/' ? LINE_COMMENT : COMMENT;
            *p++ = ' ';
            *p = ' ';
        } else if (state == CODE && (*p == '"' || *p == '\'')) {
            state = *p == '"' ? TEXT : CHARACTER;
        } else if (state == COMMENT && p[0] == '*' && p[1] == '/') {
            state = CODE;
            *p++ = ' ';
            *p = ' ';
        } else if ((state == TEXT || state == CHARACTER) && *p == '\\' && p[1] != 0) {
            *p++ = ' ';
            *p = *p == '\n' ? '\n' : ' ';
        } else if ((state == TEXT && *p == '"') || (state == CHARACTER && *p == '\'') ||
                   (state == LINE_COMMENT && *p == '\n')) {
            state = CODE;
        } else if (state != CODE && *p != '\n') {
            *p = ' ';
        }
    }
}

/* NULL: too large, unreadable, or not text. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return NULL;
    }
    char *text = calloc(1, FILE_BYTES_MAX + 1);
    size_t size = text == NULL ? 0 : fread(text, 1, FILE_BYTES_MAX, file);
    (void)fclose(file);
    if (text == NULL || memchr(text, 0, size) != NULL) {
        free(text);
        return NULL;
    }
    return text;
}

static int visit(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    if (kind == FTW_D && place->level == 1) {
        for (size_t i = 0; i < sizeof skipped_folders / sizeof skipped_folders[0]; i++) {
            if (strcmp(path + place->base, skipped_folders[i]) == 0) {
                return FTW_SKIP_SUBTREE;
            }
        }
    }
    char *text = kind == FTW_F ? read_text(path) : NULL;
    if (text == NULL) {
        return FTW_CONTINUE;
    }
    faults_in_file = 0;
    check_lines(path, text);
    check_words(path, text, machine_paths, sizeof machine_paths / sizeof machine_paths[0],
                "names a path of one machine");
    check_words(path, text, undone, sizeof undone / sizeof undone[0], "leaves work undone");
    if (is_code(path)) {
        collect_names(path, text);
        check_includes(path, text);
        blank_comments_and_literals(text);
        check_functions(path, text);
        check_calls(path, text);
    }
    free(text);
    files_passed += faults_in_file == 0;
    files_failed += faults_in_file != 0;
    return FTW_CONTINUE;
}

/* When all names are known. */
static void check_page(const char *root)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/docs/operations.md", root);
    char *text = read_text(path);
    faults_in_file = 0;
    if (text == NULL) {
        fault(path, 1, "there is no such page", "");
    } else {
        check_section(path, text, "\n## Events\n", &events);
        check_section(path, text, "\n## Metrics\n", &metrics);
    }
    free(text);
    files_passed += faults_in_file == 0;
    files_failed += faults_in_file != 0;
}

int main(int argc, char **argv)
{
    const char *root = argc > 1 ? argv[1] : ".";
    if (argc > 2 || strcmp(root, "--help") == 0) {
        printf("usage: tidy [FOLDER]   holds the tree against the rules of the house\n");
        return argc > 2 ? 2 : 0;
    }
    root_size = strlen(root) + 1;
    if (nftw(root, visit, 16, FTW_PHYS | FTW_ACTIONRETVAL) != 0) {
        perror(root);
        return 2;
    }
    check_page(root);
    printf("%u passed, %u failed\n", files_passed, files_failed);
    return files_failed != 0;
}
