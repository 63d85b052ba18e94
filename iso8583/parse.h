/* parse.h - from bytes to an index of fields; and the separate pass that judges them.
 *
 * DESIGN  iso_parse() runs the dialect's compiled program: it assumes a well-formed message and, at
 * the first doubt, reads again with the interpreter that says exactly where and why. Both give the
 * same result; a test holds them together. Strict: every byte belongs to something, every character
 * to its class, sub-structure is walked too unless the dialect says lazy. Reading is from the first
 * byte to the last, so faults are found in wire order; a field that the dialect does not have is
 * met in its place.
 *
 * COST  No allocation, no copy; time is linear in the message. */
#ifndef ISO8583_PARSE_H
#define ISO8583_PARSE_H

#include "iso8583/msg.h"

/* frame: the message without its frame's length. On a fault `out` holds everything read before it
 * (header, mti, present[], fields) and `fault`, when not NULL, says where and why. */
NODISCARD enum iso_err iso_parse(const struct iso_dialect *dialect, struct span frame,
                                 struct iso_msg *out, struct iso_fault *fault);
/* The interpreter alone: for tests and for measuring. */
NODISCARD enum iso_err iso_parse_checked(const struct iso_dialect *dialect, struct span frame,
                                         struct iso_msg *out, struct iso_fault *fault);

#define ISO_FINDINGS_MAX 64u
struct iso_findings {
    uint32_t count, lost;
    struct iso_fault faults[ISO_FINDINGS_MAX];
};
/* Per-MTI presence (mandatory, conditional, forbidden) in DE order, then value rules in wire order.
 * request: the message that this one answers, for echo checks; may be NULL. Returns ISO_OK when
 * there is no finding, else the code of the first. */
NODISCARD enum iso_err iso_validate(const struct iso_dialect *dialect, const struct iso_msg *msg,
                                    const struct iso_msg *request, struct iso_findings *findings);
/* The hot path's question: the lowest mandatory or conditional field that is missing; 0 = none, or
 * the dialect does not list the MTI. */
uint32_t iso_missing(const struct iso_dialect *dialect, const struct iso_msg *msg);
/* Does this expression (struct iso_mti_rules.condition) hold? */
NODISCARD bool iso_condition_holds(const struct iso_dialect *dialect, uint16_t condition,
                                   const struct iso_msg *msg);

/* ISO 4217: decimal places of a currency by its number; false when there is no such currency. */
NODISCARD bool iso_currency_exponent(uint32_t number, uint32_t *exponent);
const char *iso_currency_code(uint32_t number);    /* "KZT"; NULL */
NODISCARD bool iso_country_known(uint32_t number); /* ISO 3166-1 numeric */

/* What a MAC in DE64 or DE128 (whichever is last and present) covers.
 * False: no such field, or the dialect's MAC is over chosen fields (then use iso_mac_gather). */
NODISCARD bool iso_mac_span(const struct iso_dialect *dialect, const struct iso_msg *msg,
                            struct span *covered, struct span *mac);
/* Writes the covered bytes, chosen fields in the dialect's order too. False: absent or no room. */
NODISCARD bool iso_mac_gather(const struct iso_dialect *dialect, const struct iso_msg *msg,
                              uint8_t *out, size_t out_size, size_t *size);

#endif
