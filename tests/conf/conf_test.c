/* conf_test.c - the demo's configuration, and every way of getting one wrong. */
#include "conf/load.h"
#include "tests/conf/support.h"

#define DEMO RS_SOURCE_DIR "/conf/ringswitch.yaml"

static struct conf *load_set(const char *file, const char *const *sets, uint32_t sets_count,
                             struct conf_report *report)
{
    struct conf_options options = {.file = file, .overrides = sets, .overrides_count = sets_count};
    memset(report, 0, sizeof *report);
    return conf_load(&options, report);
}

Test(conf, the_demo_loads)
{
    static struct conf_report report;
    struct conf *conf = load_set(DEMO, NULL, 0, &report);
    conf_report_print(&report, stderr);
    cr_assert_not_null(conf);
    cr_assert_eq(conf->mode, CONF_MODE_DEMO);
    cr_assert_str_eq(conf->data, RS_SOURCE_DIR "/conf/../run");
    cr_assert_str_eq(conf->control_socket, RS_SOURCE_DIR "/conf/../run/ringswitch.sock");
    cr_assert_eq(conf->journal_segment_bytes, 8u << 20);
    cr_assert_eq(conf->replays_max, 4u << 20);
    cr_assert_eq(conf->replay_keep_ns, 48 * 3600 * INT64_C(1000000000));
    cr_assert_eq(conf->request_age_max_ns, 0);
    cr_assert_eq(conf->workers, 0);
    cr_assert_eq(conf->listeners_count, 2);
    cr_assert_eq(conf->listeners[0].address.port, 8583);
    cr_assert_eq(conf->http.port, 9583);
    cr_assert_eq(conf->parties_count, 3);
    cr_assert_eq(conf->endpoints_count, 2);
    cr_assert_str_eq(conf->endpoint_names[1], "demo-b");
    cr_assert_eq(conf->parties[conf->endpoints[0]].connect.port, 8586);
    cr_assert_eq(conf->parties[0].endpoint, UINT16_MAX);
    cr_assert_eq(conf->parties[0].zone_pin_key, conf_key_find(conf, "zpk-acquirer"));
    cr_assert_eq(conf->parties[0].mac_key, UINT16_MAX);
    cr_assert_eq(conf->listeners[0].party_index, conf_party_find(conf, "acquirer"));
    cr_assert_str_eq(conf->issuer_bins.items[0], "990001");
    cr_assert_eq(conf->keys[conf_key_find(conf, "imk-ac-990001")].kcv[0], 0x64);
    conf_free(conf);
}

Test(conf, set_stands_in_the_place_of_the_file)
{
    static struct conf_report report;
    static const char *const sets[] = {"data=/tmp/x",
                                       "listeners.ascii.address=127.0.0.1:9000",
                                       "parties.demo-a.connect=[::1]:9001",
                                       "issuer.bins=990001,990003",
                                       "journal.segments=5",
                                       "http.address=off",
                                       "log.file=-",
                                       "journal.segments=6"};
    struct conf *conf = load_set(DEMO, sets, countof(sets), &report);
    conf_report_print(&report, stderr);
    cr_assert_not_null(conf);
    cr_assert_str_eq(conf->control_socket, "/tmp/x/ringswitch.sock");
    cr_assert_eq(conf->listeners[0].address.port, 9000);
    cr_assert_eq(conf->parties[1].connect.port, 9001);
    cr_assert_eq(conf->issuer_bins.count, 2);
    cr_assert_eq(conf->journal_segments, 6);
    cr_assert_eq(conf->http.port, 0);
    cr_assert_str_eq(conf->log_file, "-");
    conf_free(conf);
}

Test(conf, set_faults)
{
    static const struct {
        const char *set, *line;
    } rows[] = {
        {"journal.segment=5", "--set: there is no setting \"journal.segment\"; did you mean"},
        {"journal.segments", "--set: \"journal.segments\" is not PATH=VALUE"},
        {"journal.segments=1", "--set: journal.segments is 1; it must be 3 to 64"},
        {"parties.demo-z.connect=127.0.0.1:1", "there is no setting \"parties.demo-z.connect\""},
        {"mode=prod", "--set: mode: \"prod\" is not one of demo|production"},
        {"mode=production", "mode: production takes no keys from a file"},
        {"drain=2s", "`drain` must be longer than the `answer` of \"demo-a\""},
        {"journal.segment_bytes=1048577B", "not a multiple of 4096B"},
        {"limits.accounts=16", NULL},
        {"ledger.request_age_max=1h", "ledger.request_age_max is not in this version"},
        {"listeners.ascii.address=127.0.0.1:9583", "already the address of http"},
        {"listeners.ascii.address=0.0.0.0:9583", "already the address of http"},
        {"listeners.ascii.address=127.0.0.1:8586", "is what we dial for \"demo-a\""},
        {"listeners.ascii.address=127.0.0.1", "is not an address such as"},
        {"listeners.ascii.address=off", "is not an address such as"},
        {"listeners.ascii.party=demo-a", "\"demo-a\" is a scheme"},
        {"listeners.ascii.party=aquirer",
         "there is no party \"aquirer\"; did you mean \"acquirer\"?"},
        {"parties.demo-a.connect=127.0.0.1:8587", "is already the address of \"demo-a\""},
        {"parties.demo-a.connect=off", "needs `connect`"},
        {"parties.acquirer.connect=127.0.0.1:1", "only a scheme is dialled"},
        {"parties.demo-a.settlement=x", "a settlement account is"},
        {"parties.demo-a.settlement=settlement/demo-b", "already the account of"},
        {"parties.demo-a.institution=12345678901x", "up to 11 digits"},
        {"parties.demo-a.zpk=zpk-demo-c", "there is no key \"zpk-demo-c\"; did you mean"},
        {"parties.demo-a.zpk=cvk-990001", "key \"cvk-990001\" is for cvk, not for zone_pin"},
        {"parties.demo-a.repeat=1s", "`repeat` is shorter than `answer`"},
        {"parties.demo-a.adapter=", "needs an adapter"},
        {"parties.demo-a.mac=mac-demo-a", "not in this version"},
        {"parties.acquirer.acquirers=123456", "not in this version"},
        {"issuer.bins=990001,9900", "990001 is within 9900"},
        {"issuer.bins=990001,990001", "990001 is within 990001"},
        {"issuer.bins=99", "is not 4 to 8 digits"},
        {"issuer.cvk=pvk-990001", "key \"pvk-990001\" is for pvk, not for cvk"},
        {"keys.cvk-990001.kcv=12", "six hex characters"},
        {"ledger.replay_keep=48", "not a duration such as 250ms"},
        {"limits.cards=2Gi", "limits.cards is 2Gi; it must be 16 to 1Gi"},
        {"files.parties=/nonexistent", "/nonexistent: cannot be read"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        static struct conf_report report;
        struct conf *conf = load_set(DEMO, &rows[i].set, 1, &report);
        if (rows[i].line == NULL) {
            cr_expect_not_null(conf, "%s", rows[i].set);
        } else {
            cr_expect_null(conf, "%s was taken", rows[i].set);
            cr_expect(report_says(&report, rows[i].line), "%s: wanted %s, got %s", rows[i].set,
                      rows[i].line, report.faults_count > 0 ? report.faults[0].text : "nothing");
        }
        conf_free(conf);
    }
}

static const char MAIN[] = "mode: demo\n"
                           "data: d\n"
                           "listeners:\n"
                           "  main: {address: \"127.0.0.1:1001\", dialect: a, party: p}\n"
                           "keys:\n"
                           "  c: {use: cvk}\n"
                           "  v: {use: pvk}\n"
                           "issuer: {bins: [\"990001\"], cvk: c, pvk: v}\n"
                           "journal: {segments: 4}\n";
static const char PARTIES[] = "parties:\n"
                              "  p: {kind: acquirer, settlement: settlement/p}\n";

static void in_directory(const char *main, const char *parties, char directory[64])
{
    (void)snprintf(directory, 64, "/tmp/conf_test.XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    file_write(directory, "ringswitch.yaml", main);
    file_write(directory, "parties.yaml", parties);
}

static void remove_directory(const char *directory)
{
    static const char *const names[] = {"ringswitch.yaml", "parties.yaml"};
    char path[512];
    for (size_t i = 0; i < countof(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(directory);
}

Test(conf, file_faults_have_places)
{
    static const struct {
        bool in_parties;
        const char *from, *to, *line;
    } rows[] = {
        {false, "mode: demo\n", "", "ringswitch.yaml:1:1: mode is required"},
        {false, "mode: demo", "mode: [demo]", "ringswitch.yaml:1:7: mode is one value"},
        {false, "data: d", "dat: d",
         "2:1: there is no setting \"dat\" in the configuration; did you mean"},
        {false, "segments: 4", "segmants: 4",
         "9:11: there is no setting \"journal.segmants\" in the configuration; did you mean "
         "\"journal.segments\"?"},
        {false, "journal: {segments: 4}", "jurnal: {segments: 4}",
         "9:1: there is no setting \"jurnal\" in the configuration; did you mean \"journal\"?"},
        {false, "journal: {segments: 4}", "journal: 4", "9:10: journal is a mapping"},
        {false, "segments: 4", "segments: four", "9:21: journal.segments: \"four\" is not a count"},
        {false, "party: p", "party: q", "4:56: there is no party \"q\""},
        {false, "  main:", "  \"ma in\":", "4:3: a name has 1 to 31"},
        {false, ", party: p", "", "listeners.main.party is required"},
        {false, "  main: {address: \"127.0.0.1:1001\", dialect: a, party: p}\n", "  {}\n",
         "there is no listener"},
        {false, "use: cvk", "use: pvk", "8:33: key \"c\" is for pvk, not for cvk"},
        {false, "keys:\n  c: {use: cvk}\n  v: {use: pvk}\n", "keys: [a]\n",
         "5:7: keys is a mapping"},
        {false, "journal:", "tls: on\njournal:", "9:1: there is no setting \"tls\""},
        {false, "party: p", "party: p, tls: on", "listeners.main.tls is not in this version"},
        {false, "mode: demo", "- mode", "YAML"},
        {true, "kind: acquirer", "kind: aquirer", "parties.yaml:2:13: parties.p.kind: \"aquirer\""},
        {true, "parties:", "partys:", "parties is required"},
        {true, "parties:", "x: 1\nparties:", "parties.yaml:1:1: there is no \"x\" here"},
        {true, "settlement: settlement/p", "settlement: 'settlement/'",
         "2:35: a settlement account"},
        {true, "settlement:", "windw: 3, settlement:", "did you mean \"window\"?"},
        {true, "  p: {kind: acquirer, settlement: settlement/p}\n", "  {}\n", "there is no party"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char directory[64], file[128];
        static struct conf_report report;
        char *text = text_with(rows[i].in_parties ? PARTIES : MAIN, rows[i].from, rows[i].to);
        in_directory(rows[i].in_parties ? MAIN : text, rows[i].in_parties ? text : PARTIES,
                     directory);
        (void)snprintf(file, sizeof file, "%s/ringswitch.yaml", directory);
        struct conf *conf = load_set(file, NULL, 0, &report);
        cr_expect_null(conf, "row %zu was taken", i);
        cr_expect(report_says(&report, rows[i].line), "row %zu: wanted %s, got %s %u:%u", i,
                  rows[i].line, report.faults_count > 0 ? report.faults[0].text : "nothing",
                  report.faults[0].line, report.faults[0].column);
        conf_free(conf);
        free(text);
        remove_directory(directory);
    }
}

static bool no_dialect(void *context, const struct conf *conf, const char *name, char *text,
                       size_t text_size)
{
    (void)context;
    (void)conf;
    (void)snprintf(text, text_size, "%s.yaml is not there", name);
    return false;
}
static bool never(void *context, const char *name)
{
    (void)context;
    (void)name;
    return false;
}

Test(conf, names_of_other_folders_are_asked_for)
{
    static struct conf_report report;
    struct conf_options options = {
        .file = DEMO,
        .names = {.dialect = no_dialect, .framing = never, .adapter = never, .key_use = never}};
    cr_assert_null(conf_load(&options, &report));
    cr_expect(report_says(&report, "dialect \"iso87-ascii\": iso87-ascii.yaml is not there"));
    cr_expect(report_says(&report, "there is no framing \"binary2\""));
    cr_expect(report_says(&report, "there is no adapter \"iso-host\""));
    cr_expect(report_says(&report, "there is no key use \"zone_pin\""));
}

static void count_row(void *context, const char *text)
{
    cr_assert_not_null(strstr(text, ", now "));
    (*(uint32_t *)context)++;
}

Test(conf, a_reload_knows_what_it_cannot_change)
{
    static struct conf_report report;
    static const char *const sets[] = {"journal.segments=5", "log.level=warn", "drain=20s",
                                       "parties.demo-a.window=8"};
    struct conf *old = load_set(DEMO, NULL, 0, &report);
    struct conf *same = load_set(DEMO, NULL, 0, &report);
    struct conf *new = load_set(DEMO, sets, countof(sets), &report);
    cr_assert(old != NULL && same != NULL && new != NULL);
    uint32_t rows = 0;
    cr_assert_eq(conf_fixed_differences(old, same, count_row, &rows), 0);
    cr_assert_eq(conf_fixed_differences(old, new, count_row, &rows), 2);
    cr_assert_eq(rows, 2);
    new->parties_count = 2;
    cr_assert_eq(conf_fixed_differences(old, new, NULL, NULL), 3);
    conf_free(old);
    conf_free(same);
    conf_free(new);
}

Test(conf, demo_key_values)
{
    static struct conf_report report;
    struct conf *conf = load_set(DEMO, NULL, 0, &report);
    cr_assert_not_null(conf);
    struct conf_key_value values[CONF_KEYS_MAX];
    uint32_t count = 0;
    cr_assert(conf_key_values_read(conf, values, CONF_KEYS_MAX, &count, &report));
    cr_assert_eq(count, 8);
    cr_assert_str_eq(values[0].label, "zpk-acquirer");
    cr_assert_str_eq(values[0].hex, "ECC25208B6FD2023E9767A5489BC9415");
    cr_assert_not(conf_key_values_read(conf, values, 2, &count, &report));
    cr_assert(report_says(&report, "more than 2 keys"));
    conf->mode = CONF_MODE_PRODUCTION;
    cr_assert_not(conf_key_values_read(conf, values, CONF_KEYS_MAX, &count, &report));
    cr_assert(report_says(&report, "only mode: demo"));
    conf_free(conf);
}

/* The whole text that a printer writes; the caller frees it. */
static char *printed(void (*print)(FILE *))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    cr_assert_not_null(stream);
    print(stream);
    (void)fclose(stream);
    return text;
}

Test(conf, printed_defaults_are_a_configuration)
{
    static struct conf_report report;
    char *defaults = printed(conf_print_defaults);
    struct conf_tree *tree = conf_yaml_read(defaults, strlen(defaults), "defaults", &report);
    conf_report_print(&report, stderr);
    cr_assert_not_null(tree);
    /* with what is required it loads, and is what the presets say */
    char directory[64], file[128];
    size_t size = strlen(defaults) + 1024;
    char *text = malloc(size);
    cr_assert_not_null(text);
    char *with_bins =
        text_with(defaults, "issuer:\n", "issuer:\n  bins: [\"990001\"]\n  cvk: c\n  pvk: v\n");
    (void)snprintf(
        text, size,
        "%smode: demo\ndata: d\nlisteners: {m: {address: \"127.0.0.1:1\", dialect: a, party: p}}\n"
        "keys: {c: {use: cvk}, v: {use: pvk}}\n",
        with_bins);
    in_directory(text, PARTIES, directory);
    (void)snprintf(file, sizeof file, "%s/ringswitch.yaml", directory);
    struct conf *conf = load_set(file, NULL, 0, &report);
    conf_report_print(&report, stderr);
    cr_assert_not_null(conf);
    cr_assert_eq(conf->journal_slow_ns, 250000000);
    remove_directory(directory);
    conf_free(conf);
    free(text);
    free(with_bins);
    free(defaults);
    conf_tree_free(tree);
}

/* docs/configuration.md holds what conf_print_reference() writes, behind its marker. With
 * CONF_UPDATE in the environment it is written instead. */
Test(conf, the_reference_is_current)
{
    static const char MARK[] = "<!-- below: written from conf/*.def -->\n";
    char path[] = RS_SOURCE_DIR "/docs/configuration.md";
    char *wanted = printed(conf_print_reference);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    static char text[65536];
    size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    char *mark = strstr(text, MARK);
    cr_assert_not_null(mark);
    char *rest = mark + strlen(MARK);
    if (getenv("CONF_UPDATE") != NULL) {
        *rest = '\0';
        file = fopen(path, "we");
        cr_assert_not_null(file);
        (void)fprintf(file, "%s\n%s", text, wanted);
        (void)fclose(file);
    } else {
        cr_assert_str_eq(rest + (*rest == '\n'), wanted,
                         "run CONF_UPDATE=1 test_conf to write docs/configuration.md");
    }
    free(wanted);
}

Test(conf, every_range_can_be_read)
{
    const struct {
        const struct conf_setting *rows;
        uint32_t count;
    } tables[] = {{conf_settings, conf_settings_count},
                  {conf_listener_settings, conf_listener_settings_count},
                  {conf_key_settings, conf_key_settings_count},
                  {conf_party_settings, conf_party_settings_count}};
    for (size_t t = 0; t < countof(tables); t++) {
        for (uint32_t i = 0; i < tables[t].count; i++) {
            const struct conf_setting *row = &tables[t].rows[i];
            uint64_t least, most;
            int64_t from, to;
            if (row->kind == CONF_COUNT || row->kind == CONF_COUNT_AUTO ||
                row->kind == CONF_COUNT_OFF) {
                cr_expect(conf_value_count(row->least, &least) &&
                              conf_value_count(row->most, &most) && least <= most &&
                              most <= UINT32_MAX,
                          "%s", row->path);
            } else if (row->kind == CONF_SIZE) {
                cr_expect(conf_value_size(row->least, &least) &&
                              conf_value_size(row->most, &most) && least <= most,
                          "%s", row->path);
            } else if (row->kind == CONF_DURATION || row->kind == CONF_DURATION_OFF) {
                cr_expect(conf_value_duration(row->least, &from) &&
                              conf_value_duration(row->most, &to) && from <= to,
                          "%s", row->path);
            }
            cr_expect(row->when != CONF_LATER || row->preset != NULL, "%s", row->path);
            cr_expect_neq(row->help[0], '\0', "%s", row->path);
        }
    }
}

Test(conf, memory_is_summed)
{
    const struct conf_memory_row rows[] = {{"cards", 65536, 4194304}, {"links", 0, 1000}};
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    cr_assert_not_null(stream);
    cr_assert_eq(conf_print_memory(stream, rows, 2), 4195304);
    (void)fclose(stream);
    cr_assert_not_null(strstr(text, "64Ki"));
    cr_assert_not_null(strstr(text, "sum"));
    free(text);
}
