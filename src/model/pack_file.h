/* The directory of one pack: what models.c looks in. */
#ifndef LUAWS_MODEL_PACK_FILE_H
#define LUAWS_MODEL_PACK_FILE_H

#include "model/model.h"

uint32_t luaws_pack_entry_count(const struct luaws_pack *p);
const struct luaws_pack_entry *luaws_pack_entry_at(const struct luaws_pack *p,
                                                   uint32_t i);
/* The index of the first entry that is not before these three. */
uint32_t luaws_pack_lower_bound(const struct luaws_pack *p, struct luaws_str service,
                                uint32_t type, struct luaws_str version);
/* The entry of exactly these, or NULL. */
const struct luaws_pack_entry *luaws_pack_find(const struct luaws_pack *p,
                                               enum luaws_section_type type,
                                               struct luaws_str service,
                                               struct luaws_str version);
/* The section's bytes, its checksum verified when it is asked for the first time.
   LUAWS_E_MODEL naming file and service when it is wrong. */
int luaws_pack_section(struct luaws_pack *p, const struct luaws_pack_entry *entry,
                       const void **out, struct luaws_error *err);

#endif
