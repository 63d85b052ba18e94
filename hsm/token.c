/* token.c - see token.h. ringctl and tests only: it blocks, and it sees clear keys. */
#include "hsm/token.h"

#include "base/bytes.h"
#include "hsm/key_check.h"
#include "hsm/keyring.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512u
#define PIN_HEX    33u /* 16 random bytes as text */

struct making { /* one call of hsm_token_init() */
    struct hsm_module module;
    struct hsm_module_place place;
    struct hsm_object objects[HSM_OBJECTS_MAX];
    uint32_t objects_count;
    char *text;
    size_t text_size;
};

static enum hsm_token_err make_folder(struct making *m);
static enum hsm_token_err make_token(struct making *m);
static enum hsm_token_err log_in(struct making *m, bool writes);
static enum hsm_token_err make_key(struct making *m, const struct hsm_token_key *key,
                                   struct hsm_token_row *row);
static enum hsm_token_err make_storage(struct making *m);
static enum hsm_token_err make_data_keys(struct making *m);

static enum hsm_token_err init_all(struct making *m, const struct hsm_token_key *keys,
                                   uint32_t keys_count,
                                   void (*row)(void *context, const struct hsm_token_row *row),
                                   void *context)
{
    enum hsm_token_err err = make_token(m);
    if (err == HSM_TOKEN_OK) {
        err = log_in(m, true);
    }
    for (uint32_t i = 0; i < keys_count && err == HSM_TOKEN_OK; i++) {
        struct hsm_token_row made = {.created = false};
        err = make_key(m, &keys[i], &made);
        if (err == HSM_TOKEN_OK && row != NULL) {
            row(context, &made);
        }
    }
    if (err == HSM_TOKEN_OK) {
        err = make_storage(m);
    }
    return err == HSM_TOKEN_OK ? make_data_keys(m) : err;
}

enum hsm_token_err hsm_token_init(const struct hsm_token_options *options,
                                  const struct hsm_token_key *keys, uint32_t keys_count,
                                  void (*row)(void *context, const struct hsm_token_row *row),
                                  void *context, char *text, size_t text_size)
{
    struct making m = {.place = {options->module, options->directory, options->label},
                       .text = text,
                       .text_size = text_size};
    enum hsm_token_err err = make_folder(&m);
    if (err == HSM_TOKEN_OK) {
        int lock = hsm_module_lock(options->directory);
        err = init_all(&m, keys, keys_count, row, context);
        hsm_module_stop(&m.module);
        if (lock >= 0) {
            (void)close(lock);
        }
    }
    return err;
}

/* ---- folder and token -------------------------------------------------------------------------
 */

static enum hsm_token_err fail(struct making *m, enum hsm_token_err err, const char *what,
                               const char *why)
{
    (void)snprintf(m->text, m->text_size, "%s: %s", what, why);
    return err;
}

static void path_of(const struct making *m, const char *name, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/%s", m->place.directory, name);
}

/* A folder that others may not enter. */
static enum hsm_token_err make_directory(struct making *m, const char *path)
{
    struct stat status;
    if ((mkdir(path, 0700) != 0 && errno != EEXIST) || stat(path, &status) != 0) {
        return fail(m, HSM_TOKEN_FILE, path, strerror(errno));
    }
    if (!S_ISDIR(status.st_mode) || (status.st_mode & 077) != 0 || status.st_uid != geteuid()) {
        return fail(m, HSM_TOKEN_FILE, path, "is not a folder of ours with mode 0700");
    }
    return HSM_TOKEN_OK;
}

static enum hsm_token_err make_folder(struct making *m)
{
    char tokens[PATH_BYTES], conf[PATH_BYTES], absolute[PATH_BYTES * 2];
    enum hsm_token_err err = make_directory(m, m->place.directory);
    path_of(m, "tokens", tokens);
    path_of(m, "softhsm2.conf", conf);
    if (err == HSM_TOKEN_OK) {
        err = make_directory(m, tokens);
    }
    if (err != HSM_TOKEN_OK || access(conf, R_OK) == 0) {
        return err;
    }
    char *real = realpath(tokens, NULL); /* the module reads its own file from any working folder */
    if (real == NULL) {
        return fail(m, HSM_TOKEN_FILE, tokens, strerror(errno));
    }
    int size = snprintf(absolute, sizeof absolute,
                        "directories.tokendir = %s\nobjectstore.backend = file\n"
                        "log.level = ERROR\nslots.removable = false\nlibrary.reset_on_fork = true",
                        real);
    free(real);
    if (size < 0 || (size_t)size >= sizeof absolute) {
        return fail(m, HSM_TOKEN_FILE, tokens, "the path is too long");
    }
    return hsm_secret_file_write(conf, absolute, m->text, m->text_size) ? HSM_TOKEN_OK
                                                                        : HSM_TOKEN_FILE;
}

static enum hsm_token_err module_err(enum hsm_module_err err)
{
    switch (err) {
    case HSM_MODULE_OK:
        return HSM_TOKEN_OK;
    case HSM_MODULE_LOAD:
        return HSM_TOKEN_MODULE;
    case HSM_MODULE_PIN:
        return HSM_TOKEN_PIN;
    case HSM_MODULE_TOKEN:
        return HSM_TOKEN_FAILED;
    }
    return HSM_TOKEN_FAILED;
}

static bool make_pin(struct making *m, const char *name, char pin[PIN_HEX])
{
    uint8_t random[PIN_HEX / 2];
    char path[PATH_BYTES];
    path_of(m, name, path);
    if (RAND_priv_bytes(random, sizeof random) != 1) {
        (void)snprintf(m->text, m->text_size, "no random bytes are to be had");
        return false;
    }
    bytes_to_hex(random, sizeof random, pin);
    secret_wipe(random, sizeof random);
    /* Of a token that was never finished: its PIN opens nothing. */
    (void)unlink(path);
    return hsm_secret_file_write(path, pin, m->text, m->text_size);
}

static enum hsm_token_err create_token(struct making *m)
{
    CK_SLOT_ID slots[64];
    CK_ULONG slots_count = countof(slots);
    char so_pin[PIN_HEX], pin[PIN_HEX];
    CK_UTF8CHAR label[32];
    const char *name = m->place.label != NULL ? m->place.label : HSM_TOKEN_LABEL_DEFAULT;
    size_t size = strnlen(name, sizeof label);
    memset(label, ' ', sizeof label);
    memcpy(label, name, size);
    CK_FUNCTION_LIST *call = m->module.call;
    if (!make_pin(m, "so-pin", so_pin) || !make_pin(m, "pin", pin)) {
        return HSM_TOKEN_FILE;
    }
    /* SoftHSM's last slot is the one without a token. */
    CK_RV result = call->C_GetSlotList(CK_TRUE, slots, &slots_count);
    if (result == CKR_OK) {
        result = slots_count > 0 ? call->C_InitToken(slots[slots_count - 1], (CK_UTF8CHAR *)so_pin,
                                                     PIN_HEX - 1, label)
                                 : CKR_TOKEN_NOT_PRESENT;
    }
    if (result == CKR_OK && !hsm_module_find(&m->module, m->place.label)) {
        result = CKR_TOKEN_NOT_PRESENT;
    }
    CK_SESSION_HANDLE session = 0;
    if (result == CKR_OK) {
        result = call->C_OpenSession(m->module.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                     NULL, &session);
    }
    if (result == CKR_OK) {
        result = call->C_Login(session, CKU_SO, (CK_UTF8CHAR *)so_pin, PIN_HEX - 1);
        if (result == CKR_OK) {
            result = call->C_InitPIN(session, (CK_UTF8CHAR *)pin, PIN_HEX - 1);
            (void)call->C_Logout(session);
        }
        (void)call->C_CloseSession(session);
    }
    secret_wipe(so_pin, sizeof so_pin);
    secret_wipe(pin, sizeof pin);
    return result == CKR_OK ? HSM_TOKEN_OK
                            : fail(m, HSM_TOKEN_FAILED, "the token cannot be initialised",
                                   hsm_module_error_name(result));
}

static enum hsm_token_err make_token(struct making *m)
{
    enum hsm_token_err err =
        module_err(hsm_module_start(&m->module, &m->place, m->text, m->text_size));
    if (err == HSM_TOKEN_OK && !hsm_module_find(&m->module, m->place.label)) {
        err = create_token(m);
    }
    return err;
}

static enum hsm_token_err log_in(struct making *m, bool writes)
{
    char path[PATH_BYTES];
    uint8_t pin[HSM_SECRET_TEXT_MAX];
    size_t pin_size = 0;
    path_of(m, "pin", path);
    if (!hsm_secret_file_read(path, pin, sizeof pin, &pin_size, m->text, m->text_size)) {
        return HSM_TOKEN_FILE;
    }
    enum hsm_token_err err = module_err(
        hsm_module_login(&m->module, m->place.label, pin, pin_size, writes, m->text, m->text_size));
    secret_wipe(pin, sizeof pin);
    CK_RV result = CKR_OK;
    if (err == HSM_TOKEN_OK &&
        !hsm_objects_list(&m->module, m->objects, &m->objects_count, &result)) {
        err = fail(m, HSM_TOKEN_FAILED, "the token does not list its keys",
                   hsm_module_error_name(result));
    }
    return err;
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static const struct hsm_object *find(const struct making *m, const char *label)
{
    for (uint32_t i = 0; i < m->objects_count; i++) {
        if (strcmp(m->objects[i].label, label) == 0) {
            return &m->objects[i];
        }
    }
    return NULL;
}

/* Every attribute that says what the key may do is given: the token's own defaults allow all. */
static CK_RV create(struct making *m, const char *label, bool decrypts, const uint8_t *value,
                    size_t value_size)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = value == NULL ? CKK_AES : value_size == 16 ? CKK_DES2 : CKK_DES3;
    CK_MECHANISM_TYPE allowed[] = {value == NULL ? CKM_AES_GCM : CKM_DES3_ECB, CKM_DES3_CBC};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE, decrypt = decrypts ? CK_TRUE : CK_FALSE;
    CK_ULONG aes_size = 32;
    uint8_t kcv[3] = {0};
    if (value != NULL) {
        hsm_key_kcv(value, value_size, kcv);
    }
    CK_ATTRIBUTE attributes[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_KEY_TYPE, &type, sizeof type},
        {CKA_LABEL, (char *)label, strlen(label)},
        {CKA_TOKEN, &yes, sizeof yes},
        {CKA_PRIVATE, &yes, sizeof yes},
        {CKA_SENSITIVE, &yes, sizeof yes},
        {CKA_EXTRACTABLE, &no, sizeof no},
        /* SoftHSM refuses to copy what is not modifiable, and a worker needs copies (keyring.h).
         * What is sensitive and not extractable stays so even then; the copies are not modifiable.
         */
        {CKA_MODIFIABLE, &yes, sizeof yes},
        {CKA_COPYABLE, &yes, sizeof yes},
        {CKA_ENCRYPT, &yes, sizeof yes},
        {CKA_DECRYPT, &decrypt, sizeof decrypt},
        {CKA_SIGN, &no, sizeof no},
        {CKA_VERIFY, &no, sizeof no},
        {CKA_WRAP, &no, sizeof no},
        {CKA_UNWRAP, &no, sizeof no},
        {CKA_DERIVE, &no, sizeof no},
        {CKA_ALLOWED_MECHANISMS, allowed, value == NULL ? sizeof allowed[0] : sizeof allowed},
        /* The last ones differ: */
        {CKA_ID, kcv, value == NULL ? 0 : sizeof kcv},
        value == NULL ? (CK_ATTRIBUTE){CKA_VALUE_LEN, &aes_size, sizeof aes_size}
                      : (CK_ATTRIBUTE){CKA_VALUE, (uint8_t *)value, value_size},
    };
    CK_OBJECT_HANDLE handle = 0;
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    /* Class and type stand in the mechanism when the token makes the key. */
    return value == NULL
               ? m->module.call->C_GenerateKey(m->module.session, &generate, attributes + 2,
                                               countof(attributes) - 2, &handle)
               : m->module.call->C_CreateObject(m->module.session, attributes, countof(attributes),
                                                &handle);
}

static const bool use_has_twin[] = {
#define HSM_KEY_USE(name, code, twin, help) twin,
#include "hsm/key_use.def"
#undef HSM_KEY_USE
};

static bool kcv_is_expected(const struct hsm_token_key *key, const uint8_t kcv[3])
{
    static const uint8_t not_given[3];
    return memcmp(key->key.kcv, not_given, sizeof not_given) == 0 ||
           memcmp(key->key.kcv, kcv, sizeof key->key.kcv) == 0;
}

/* A twin without its key is of an import that was cut short: it is used again if it is the same. */
static CK_RV make_twin(struct making *m, const char *key_label, const uint8_t twin[16])
{
    char label[HSM_LABEL_BYTES + 2];
    uint8_t kcv[3];
    (void)snprintf(label, sizeof label, "%.31s:L", key_label);
    const struct hsm_object *there = find(m, label);
    if (there == NULL) {
        return create(m, label, false, twin, 16);
    }
    hsm_key_kcv(twin, 16, kcv);
    bool is_same = there->id_size == sizeof kcv && memcmp(there->id, kcv, sizeof kcv) == 0;
    return is_same ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

static enum hsm_token_err import_key(struct making *m, const struct hsm_token_key *key)
{
    uint8_t value[24], twin[16], kcv[3];
    size_t size = 0;
    if (key->hex == NULL) {
        return fail(m, HSM_TOKEN_KEY, key->key.label, "is not in the token, and no value is given");
    }
    const char *fault = "is not hexadecimal, or too long";
    if (bytes_from_hex(key->hex, strlen(key->hex), value, sizeof value, &size)) {
        fault = hsm_key_fault(value, size);
    }
    if (fault == NULL) {
        hsm_key_kcv(value, size, kcv);
        fault = !kcv_is_expected(key, kcv) ? "its value does not have the check value that is given"
                                           : NULL;
    }
    CK_RV result = CKR_OK;
    if (fault == NULL) {
        /* The twin first: a key that is there has its twin, whatever ends us between the two. */
        if (use_has_twin[key->key.use]) {
            memcpy(twin, value, 8);
            memcpy(twin + 8, value, 8);
            result = make_twin(m, key->key.label, twin);
        }
        if (result == CKR_OK) {
            result = create(m, key->key.label, key->key.use == HSM_KEY_ZONE_PIN, value, size);
        }
        fault = result != CKR_OK ? hsm_module_error_name(result) : NULL;
    }
    secret_wipe(value, sizeof value);
    secret_wipe(twin, sizeof twin);
    if (fault != NULL) {
        return fail(m, result == CKR_OK ? HSM_TOKEN_KEY : HSM_TOKEN_FAILED, key->key.label, fault);
    }
    return HSM_TOKEN_OK;
}

static void kcv_text(const uint8_t kcv[3], char text[8])
{
    bytes_to_hex(kcv, 3, text);
}

static enum hsm_token_err make_key(struct making *m, const struct hsm_token_key *key,
                                   struct hsm_token_row *row)
{
    (void)snprintf(row->label, sizeof row->label, "%.31s", key->key.label);
    (void)snprintf(row->use, sizeof row->use, "%s", hsm_key_use_name(key->key.use));
    if (key->key.use == HSM_KEY_STORAGE || strchr(key->key.label, ':') != NULL) {
        return fail(m, HSM_TOKEN_KEY, row->label, "this use and this label are made in the token");
    }
    const struct hsm_object *there = find(m, row->label);
    CK_RV result = CKR_OK;
    uint8_t kcv[3];
    if (there == NULL) {
        enum hsm_token_err err = import_key(m, key);
        if (err != HSM_TOKEN_OK) {
            return err;
        }
        row->created = true;
        if (!hsm_objects_list(&m->module, m->objects, &m->objects_count, &result)) {
            return fail(m, HSM_TOKEN_FAILED, row->label, hsm_module_error_name(result));
        }
        there = find(m, row->label);
    }
    if (there == NULL || !hsm_object_kcv(&m->module, there->handle, kcv, &result)) {
        return fail(m, HSM_TOKEN_FAILED, row->label, "the token does not encrypt with it");
    }
    kcv_text(kcv, row->kcv);
    if (!kcv_is_expected(key, kcv)) {
        return fail(m, HSM_TOKEN_KEY, row->label,
                    "the token has another key under this label: its check value differs");
    }
    return HSM_TOKEN_OK;
}

/* ---- the storage key and the data keys --------------------------------------------------------
 */

static enum hsm_token_err make_storage(struct making *m)
{
    if (find(m, HSM_STORAGE_LABEL) != NULL) {
        return HSM_TOKEN_OK;
    }
    CK_RV result = create(m, HSM_STORAGE_LABEL, true, NULL, 0);
    if (result != CKR_OK || !hsm_objects_list(&m->module, m->objects, &m->objects_count, &result)) {
        return fail(m, HSM_TOKEN_FAILED, "the storage key", hsm_module_error_name(result));
    }
    return HSM_TOKEN_OK;
}

static bool make_data_key(struct making *m, CK_OBJECT_HANDLE storage, const char *label,
                          struct hsm_wrapped_key *wrapped)
{
    uint8_t key[HSM_DATA_KEY_BYTES], back[HSM_DATA_KEY_BYTES];
    *wrapped = (struct hsm_wrapped_key){.id = 1};
    (void)snprintf(wrapped->label, sizeof wrapped->label, "%s", label);
    bool made = m->module.call->C_GenerateRandom(m->module.session, key, sizeof key) == CKR_OK &&
                hsm_storage_wrap(&m->module, storage, wrapped, key) &&
                hsm_storage_unwrap(&m->module, storage, wrapped, back) &&
                secret_equal(key, back, sizeof key);
    secret_wipe(key, sizeof key);
    secret_wipe(back, sizeof back);
    return made;
}

static enum hsm_token_err make_data_keys(struct making *m)
{
    static const char *const labels[] = {HSM_CARD_INDEX_LABEL, HSM_DATA_LABEL};
    struct hsm_wrapped_key keys[HSM_WRAPPED_KEYS_MAX];
    uint32_t keys_count = 0, made_count = 0;
    const struct hsm_object *storage = find(m, HSM_STORAGE_LABEL);
    if (!hsm_wrapped_keys_read(m->place.directory, keys, &keys_count, m->text, m->text_size)) {
        return HSM_TOKEN_FILE;
    }
    for (uint32_t i = 0; i < countof(labels); i++) {
        bool is_there = false;
        for (uint32_t k = 0; k < keys_count; k++) {
            is_there |= strcmp(keys[k].label, labels[i]) == 0;
        }
        if (is_there) {
            continue;
        }
        if (storage == NULL || keys_count == HSM_WRAPPED_KEYS_MAX ||
            !make_data_key(m, storage->handle, labels[i], &keys[keys_count])) {
            return fail(m, HSM_TOKEN_FAILED, labels[i], "the token does not wrap it");
        }
        keys_count++;
        made_count++;
    }
    return made_count == 0 || hsm_wrapped_keys_write(m->place.directory, keys, keys_count, m->text,
                                                     m->text_size)
               ? HSM_TOKEN_OK
               : HSM_TOKEN_FILE;
}

/* ---- status -----------------------------------------------------------------------------------
 */

enum hsm_token_err hsm_token_status(const struct hsm_token_options *options,
                                    void (*row)(void *context, const struct hsm_token_row *row),
                                    void *context, char *text, size_t text_size)
{
    struct making m = {.place = {options->module, options->directory, options->label},
                       .text = text,
                       .text_size = text_size};
    int lock = hsm_module_lock(options->directory);
    enum hsm_token_err err = module_err(hsm_module_start(&m.module, &m.place, text, text_size));
    if (err == HSM_TOKEN_OK) {
        err = log_in(&m, false);
    }
    for (uint32_t i = 0; err == HSM_TOKEN_OK && i < m.objects_count; i++) {
        struct hsm_token_row found = {.created = false};
        uint8_t kcv[3];
        CK_RV result;
        (void)snprintf(found.label, sizeof found.label, "%s", m.objects[i].label);
        if (hsm_object_kcv(&m.module, m.objects[i].handle, kcv, &result)) {
            kcv_text(kcv, found.kcv);
        }
        row(context, &found);
    }
    hsm_module_stop(&m.module);
    if (lock >= 0) {
        (void)close(lock);
    }
    return err;
}
