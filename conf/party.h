/* party.h - a counterparty: one record of parties.yaml. Whatever says party means this.
 *
 * A party that we dial (`connect`) is also an endpoint: a place where rules may route to. Its rows
 * stand in party.def; the reader checks each value, conf.c how they fit together. */
#ifndef CONF_PARTY_H
#define CONF_PARTY_H

#include "conf/report.h"
#include "conf/setting.h"

enum conf_party_kind { CONF_PARTY_ACQUIRER, CONF_PARTY_SCHEME }; /* words of party.def `kind` */
enum conf_sign_on { CONF_SIGN_ON_OPTIONAL, CONF_SIGN_ON_REQUIRED };

struct conf_party {
    char name[CONF_NAME_BYTES];
    struct conf_place place;
#define SETTING(field, path, kind, preset, least, most, when, help) CONF_FIELD_##kind(field);
#include "conf/party.def"
#undef SETTING
    uint16_t endpoint;     /* its index among the endpoints; UINT16_MAX: we do not dial it */
    uint16_t zone_pin_key; /* index in conf.keys; UINT16_MAX: none */
    uint16_t mac_key;
};

#endif
