/* module.h - one PKCS#11 module in this process: load, start, log in, say what went wrong. Private
 * to hsm/: hsmd and the token commands, single-threaded both.
 *
 * Starting and logging in happen under flock() on the token's folder: SoftHSM rewrites its token
 * file at login and another process that looks at that moment fails. */
#ifndef HSM_MODULE_H
#define HSM_MODULE_H

#include "base/base.h"
#include <p11-kit/pkcs11.h>

#define HSM_MODULE_DEFAULT      "/usr/lib/softhsm/libsofthsm2.so"
#define HSM_TOKEN_LABEL_DEFAULT "ringswitch"

struct hsm_module {
    void *library;
    CK_FUNCTION_LIST *call;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;
    bool is_started, has_session;
};

enum hsm_module_err {
    HSM_MODULE_OK = 0,
    HSM_MODULE_LOAD,  /* no such library, or not a PKCS#11 one */
    HSM_MODULE_TOKEN, /* no token of that label, or it does not answer */
    HSM_MODULE_PIN,   /* refused; never try again by itself */
};

struct hsm_module_place {  /* where the token is; the strings outlive the call */
    const char *module;    /* NULL: SoftHSM's */
    const char *directory; /* of the token; "" = none: no SOFTHSM2_CONF, no lock */
    const char *label;     /* NULL: "ringswitch" */
};

/* Loads the library (once) and calls C_Initialize. */
NODISCARD enum hsm_module_err hsm_module_start(struct hsm_module *module,
                                               const struct hsm_module_place *place, char *text,
                                               size_t text_size);
/* Finds the token by its label. False: there is none. */
NODISCARD bool hsm_module_find(struct hsm_module *module, const char *label);
/* Opens the session and logs the user in. */
NODISCARD enum hsm_module_err hsm_module_login(struct hsm_module *module, const char *label,
                                               const uint8_t *pin, size_t pin_size, bool writes,
                                               char *text, size_t text_size);
/* start and login, under the lock. */
NODISCARD enum hsm_module_err hsm_module_open(struct hsm_module *module,
                                              const struct hsm_module_place *place,
                                              const uint8_t *pin, size_t pin_size, bool writes,
                                              char *text, size_t text_size);
/* C_Finalize; the library stays loaded (unloading breaks modules that use libcrypto). */
void hsm_module_stop(struct hsm_module *module);

/* Waits for the lock of the folder; returns the descriptor to close, or -1. */
int hsm_module_lock(const char *directory);
const char *hsm_module_error_name(CK_RV result); /* "CKR_PIN_INCORRECT" */

#endif
