/* message.h - ISO 8583:1987 ASCII messages as the simulator's counterparties write and read them.
 *
 * DESIGN  A message is an array of texts. Written by hand from the contract's field table, so that
 * it shares nothing with iso8583/. Binary fields (52, 64) are raw bytes of stated size. */
#ifndef SIM_MESSAGE_H
#define SIM_MESSAGE_H

#include "tests/sim/world.h"

#define SIM_FIELD_BYTES 64u

struct sim_message {
    char mti[5];
    uint8_t size[129]; /* 0 = absent */
    uint8_t value[129][SIM_FIELD_BYTES];
};

void sim_set(struct sim_message *message, uint32_t field, const char *format, ...) PRINTF(3, 4);
void sim_set_bytes(struct sim_message *message, uint32_t field, const void *bytes, uint32_t size);
void sim_clear(struct sim_message *message, uint32_t field);
/* The value as text; "" when absent. Valid until the next eight calls. */
const char *sim_get(const struct sim_message *message, uint32_t field);

/* With its two length bytes; returns the bytes written. */
uint32_t sim_write(const struct sim_message *message, uint8_t *out, uint32_t out_size);
/* Reads one message without length bytes; false when it is not one of ours. */
NODISCARD bool sim_read(const uint8_t *data, uint32_t size, struct sim_message *message);

/* What arrived of one direction of one connection and is not yet a whole message. */
struct sim_stream {
    uint8_t bytes[1u << 16];
    uint32_t count;
};
enum sim_took { SIM_TOOK_NOTHING, SIM_TOOK_MESSAGE, SIM_TOOK_GARBAGE };
void sim_stream_add(struct sim_stream *stream, const uint8_t *data, uint32_t size);
/* Takes the first whole message off the front; keep-alives are skipped. */
enum sim_took sim_stream_take(struct sim_stream *stream, struct sim_message *message);

void sim_say(struct sim_socket *socket, const struct sim_message *message);
void sim_answer_mti(const char mti[5], char out[5]);

#endif
