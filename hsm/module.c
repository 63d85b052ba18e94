/* module.c - see module.h. */
#include "hsm/module.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SLOTS_MAX   64u
#define LABEL_BYTES 32u /* of a token; space padded */

static enum hsm_module_err load(struct hsm_module *module, const char *path, char *text,
                                size_t text_size);

enum hsm_module_err hsm_module_open(struct hsm_module *module, const struct hsm_module_place *place,
                                    const uint8_t *pin, size_t pin_size, bool writes, char *text,
                                    size_t text_size)
{
    int lock = hsm_module_lock(place->directory);
    enum hsm_module_err err = hsm_module_start(module, place, text, text_size);
    if (err == HSM_MODULE_OK) {
        err = hsm_module_login(module, place->label, pin, pin_size, writes, text, text_size);
    }
    if (lock >= 0) {
        (void)close(lock);
    }
    return err;
}

int hsm_module_lock(const char *directory)
{
    if (directory == NULL || directory[0] == '\0') {
        return -1;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

enum hsm_module_err hsm_module_start(struct hsm_module *module,
                                     const struct hsm_module_place *place, char *text,
                                     size_t text_size)
{
    if (place->directory != NULL && place->directory[0] != '\0') {
        char conf[512];
        (void)snprintf(conf, sizeof conf, "%s/softhsm2.conf", place->directory);
        (void)setenv("SOFTHSM2_CONF", conf, 1);
    }
    enum hsm_module_err err = load(module, place->module, text, text_size);
    if (err != HSM_MODULE_OK) {
        return err;
    }
    CK_RV result = module->call->C_Initialize(NULL);
    if (result != CKR_OK && result != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        (void)snprintf(text, text_size,
                       "the PKCS#11 module does not start (%s): is the token's folder %s readable?",
                       hsm_module_error_name(result),
                       place->directory != NULL ? place->directory : "");
        return HSM_MODULE_TOKEN;
    }
    module->is_started = true;
    return HSM_MODULE_OK;
}

static enum hsm_module_err load(struct hsm_module *module, const char *path, char *text,
                                size_t text_size)
{
    if (module->library != NULL) {
        return HSM_MODULE_OK;
    }
    path = path != NULL ? path : HSM_MODULE_DEFAULT;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        (void)snprintf(text, text_size,
                       "the PKCS#11 module %s cannot be loaded (%s): install it, or name another",
                       path, access(path, R_OK) != 0 ? "no such file" : "not a usable library");
        return HSM_MODULE_LOAD;
    }
    CK_C_GetFunctionList get;
    void *symbol = dlsym(library, "C_GetFunctionList");
    memcpy(&get, &symbol, sizeof get); /* ISO C has no cast from object to function pointer */
    if (symbol == NULL || get(&module->call) != CKR_OK) {
        (void)snprintf(text, text_size, "%s is not a PKCS#11 module", path);
        (void)dlclose(library);
        return HSM_MODULE_LOAD;
    }
    module->library = library;
    return HSM_MODULE_OK;
}

bool hsm_module_find(struct hsm_module *module, const char *label)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG slots_count = SLOTS_MAX;
    uint8_t wanted[LABEL_BYTES];
    label = label != NULL ? label : HSM_TOKEN_LABEL_DEFAULT;
    size_t size = strnlen(label, sizeof wanted);
    memset(wanted, ' ', sizeof wanted);
    memcpy(wanted, label, size);
    if (module->call->C_GetSlotList(CK_TRUE, slots, &slots_count) != CKR_OK) {
        return false;
    }
    for (CK_ULONG i = 0; i < slots_count; i++) {
        CK_TOKEN_INFO info;
        if (module->call->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            (info.flags & CKF_TOKEN_INITIALIZED) != 0 &&
            memcmp(info.label, wanted, sizeof wanted) == 0) {
            module->slot = slots[i];
            return true;
        }
    }
    return false;
}

enum hsm_module_err hsm_module_login(struct hsm_module *module, const char *label,
                                     const uint8_t *pin, size_t pin_size, bool writes, char *text,
                                     size_t text_size)
{
    if (!hsm_module_find(module, label)) {
        (void)snprintf(text, text_size,
                       "the PKCS#11 module has no token \"%s\": make it with `ringctl hsm init`",
                       label != NULL ? label : HSM_TOKEN_LABEL_DEFAULT);
        return HSM_MODULE_TOKEN;
    }
    CK_FLAGS flags = CKF_SERIAL_SESSION | (writes ? CKF_RW_SESSION : 0);
    CK_RV result = module->call->C_OpenSession(module->slot, flags, NULL, NULL, &module->session);
    if (result != CKR_OK) {
        (void)snprintf(text, text_size, "the token opens no session (%s)",
                       hsm_module_error_name(result));
        return HSM_MODULE_TOKEN;
    }
    module->has_session = true;
    /* The module does not write to the PIN, but its interface is not const. */
    result = module->call->C_Login(module->session, CKU_USER, (CK_UTF8CHAR *)pin, pin_size);
    if (result == CKR_OK || result == CKR_USER_ALREADY_LOGGED_IN) {
        return HSM_MODULE_OK;
    }
    if (result == CKR_PIN_INCORRECT || result == CKR_PIN_LOCKED || result == CKR_PIN_EXPIRED ||
        result == CKR_PIN_LEN_RANGE || result == CKR_PIN_INVALID) {
        (void)snprintf(
            text, text_size,
            "the token refuses the PIN (%s): correct the PIN file; it is not tried again",
            hsm_module_error_name(result));
        return HSM_MODULE_PIN;
    }
    if (result == CKR_USER_PIN_NOT_INITIALIZED) {
        (void)snprintf(text, text_size,
                       "the token was never finished: remove its folder and make it again");
        return HSM_MODULE_TOKEN;
    }
    (void)snprintf(text, text_size, "the token does not let us log in (%s)",
                   hsm_module_error_name(result));
    return HSM_MODULE_TOKEN;
}

void hsm_module_stop(struct hsm_module *module)
{
    if (module->is_started) {
        (void)module->call->C_Finalize(NULL);
        module->is_started = false;
        module->has_session = false;
    }
}

const char *hsm_module_error_name(CK_RV result)
{
    static const struct {
        CK_RV result;
        const char *name;
    } rows[] = {
#define ROW(name) {name, #name},
        ROW(CKR_HOST_MEMORY) ROW(CKR_GENERAL_ERROR) ROW(CKR_FUNCTION_FAILED) ROW(CKR_ARGUMENTS_BAD)
            ROW(CKR_ATTRIBUTE_READ_ONLY) ROW(CKR_ATTRIBUTE_VALUE_INVALID) ROW(CKR_DATA_INVALID) ROW(
                CKR_DATA_LEN_RANGE) ROW(CKR_DEVICE_ERROR) ROW(CKR_DEVICE_MEMORY)
                ROW(CKR_DEVICE_REMOVED) ROW(CKR_ENCRYPTED_DATA_INVALID) ROW(
                    CKR_FUNCTION_NOT_SUPPORTED) ROW(CKR_KEY_HANDLE_INVALID) ROW(CKR_KEY_SIZE_RANGE)
                    ROW(CKR_KEY_TYPE_INCONSISTENT) ROW(CKR_KEY_FUNCTION_NOT_PERMITTED)
                        ROW(CKR_MECHANISM_INVALID) ROW(CKR_MECHANISM_PARAM_INVALID) ROW(
                            CKR_OBJECT_HANDLE_INVALID) ROW(CKR_OPERATION_ACTIVE)
                            ROW(CKR_OPERATION_NOT_INITIALIZED) ROW(CKR_PIN_INCORRECT) ROW(
                                CKR_PIN_INVALID) ROW(CKR_PIN_LEN_RANGE) ROW(CKR_PIN_EXPIRED)
                                ROW(CKR_PIN_LOCKED) ROW(CKR_SESSION_CLOSED) ROW(CKR_SESSION_COUNT)
                                    ROW(CKR_SESSION_HANDLE_INVALID) ROW(CKR_SESSION_READ_ONLY)
                                        ROW(CKR_TEMPLATE_INCOMPLETE) ROW(CKR_TEMPLATE_INCONSISTENT)
                                            ROW(CKR_TOKEN_NOT_PRESENT) ROW(CKR_TOKEN_NOT_RECOGNIZED)
                                                ROW(CKR_TOKEN_WRITE_PROTECTED)
                                                    ROW(CKR_USER_NOT_LOGGED_IN)
                                                        ROW(CKR_USER_PIN_NOT_INITIALIZED)
                                                            ROW(CKR_BUFFER_TOO_SMALL)
                                                                ROW(CKR_CRYPTOKI_NOT_INITIALIZED)
                                                                    ROW(CKR_SLOT_ID_INVALID)
#undef ROW
    };
    for (uint32_t i = 0; i < countof(rows); i++) {
        if (rows[i].result == result) {
            return rows[i].name;
        }
    }
    return "another PKCS#11 error";
}
