/* spec_yaml.h - a loaded dialect as a dialect file again: resolved, every axis written out, so that
 * two dialects are the same when their texts are. */
#ifndef CTL_SPEC_YAML_H
#define CTL_SPEC_YAML_H

#include "ctl/text.h"
#include "iso8583/dialect.h"

void spec_yaml(const struct iso_dialect *dialect, struct text *out);
void spec_yaml_head(const struct iso_dialect *dialect, struct text *out);
void spec_yaml_messages(const struct iso_dialect *dialect, struct text *out);
void spec_yaml_node(const struct iso_node *node, struct text *out); /* {…} on one line */

#endif
