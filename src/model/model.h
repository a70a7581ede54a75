/* Looking things up in a model pack. Everything returned points into the mapped file (or
   into the memory of a set that was compiled at run time) and lives until the pack is
   released. Nothing here allocates per call. */
#ifndef LUAWS_MODEL_MODEL_H
#define LUAWS_MODEL_MODEL_H

#include "base/error.h"
#include "model/pack.h"
#include "value/value.h"

struct luaws_pack; /* one opened file, shared and counted */

/* Maps path. LUAWS_E_MODEL, kind "DataNotFoundError", naming the file and what is wrong
   with it: missing, truncated, foreign, another format version, a wrong checksum. */
int luaws_pack_open(const char *path, struct luaws_pack **out, struct luaws_error *err);
struct luaws_pack *luaws_pack_acquire(struct luaws_pack *p);
void luaws_pack_release(struct luaws_pack *p);

/* Where models are looked for: extra folders first (in order), then the pack. A set
   belongs to a session; sections compiled from folders are kept by it. */
struct luaws_models;
struct luaws_models *luaws_models_new(struct luaws_pack *pack);
/* Adds a folder laid out as botocore's data folder. A folder that does not exist is fine.
 */
int luaws_models_add_folder(struct luaws_models *m, struct luaws_str folder,
                            struct luaws_error *err);
void luaws_models_free(struct luaws_models *m);

/* The section of that type; version none = the newest of this type over all places. First
   place wins. LUAWS_E_MODEL: kind "UnknownServiceError" (the service has no such type
   anywhere; the message lists the nearest names),
   "UnknownAPIVersionError"/"DataNotFoundError", or what is wrong with a broken model
   file, by name. */
int luaws_models_find(struct luaws_models *m, enum luaws_section_type type,
                      struct luaws_str service, struct luaws_str version,
                      const void **out, struct luaws_error *err);
/* Does a folder replace the pack's file of that type, one that belongs to no service? */
bool luaws_models_has_own(struct luaws_models *m, enum luaws_section_type type);
/* As luaws_models_find, and which version was chosen. */
int luaws_models_find_version(struct luaws_models *m, enum luaws_section_type type,
                              struct luaws_str service, struct luaws_str version,
                              const void **out, struct luaws_str *chosen,
                              struct luaws_error *err);
/* Names of services that have that type, sorted; next: {NULL,0} starts, none at the end.
 * O(n) a step is fine. */
struct luaws_str luaws_models_next_service(struct luaws_models *m,
                                           enum luaws_section_type type,
                                           struct luaws_str after);
/* Versions of one service for that type, oldest first, likewise. */
struct luaws_str luaws_models_next_version(struct luaws_models *m,
                                           enum luaws_section_type type,
                                           struct luaws_str service,
                                           struct luaws_str after);

/* ---- within a service ---- */
const struct luaws_operation *luaws_service_operation(const struct luaws_service *s,
                                                      struct luaws_str name);
const struct luaws_operation *luaws_service_method(const struct luaws_service *s,
                                                   struct luaws_str method_name);
/* The i-th operation by method name, 0 <= i < operation_count. */
const struct luaws_operation *luaws_service_method_at(const struct luaws_service *s,
                                                      uint32_t i);
const struct luaws_shape *luaws_service_shape(const struct luaws_service *s,
                                              struct luaws_str name);
/* The exception for a code on the wire (explicit code or shape name), or NULL. */
const struct luaws_shape *luaws_service_error(const struct luaws_service *s,
                                              struct luaws_str code);

/* ---- within a shape ---- */
static inline const struct luaws_member *
luaws_shape_member_at(const struct luaws_shape *s, unsigned i) {
  return (const struct luaws_member *)luaws_ref_get(&s->members) + i;
}
static inline const struct luaws_shape *luaws_member_shape(const struct luaws_member *m) {
  return luaws_ref_get(&m->shape);
}
/* A structure's member by its API name / by its name on the wire, or NULL. `hint`, when
   given, is where to look first and is moved on past what was found: names mostly come in
   the same order. */
const struct luaws_member *luaws_shape_member(const struct luaws_shape *s,
                                              struct luaws_str name);
const struct luaws_member *luaws_shape_wire_member(const struct luaws_shape *s,
                                                   struct luaws_str wire_name,
                                                   unsigned *hint);
static inline const struct luaws_shape_extra *
luaws_shape_extra(const struct luaws_shape *s) {
  return luaws_ref_get(&s->extra);
}
/* The payload member, or NULL. */
static inline const struct luaws_member *
luaws_shape_payload(const struct luaws_shape *s) {
  const struct luaws_shape_extra *x = luaws_shape_extra(s);
  return x && x->payload >= 0 ? luaws_shape_member_at(s, (unsigned)x->payload) : NULL;
}

/* ---- packed JSON ---- */
const struct luaws_node *luaws_node_get(const struct luaws_node *map,
                                        struct luaws_str key);
const struct luaws_node *luaws_node_at(const struct luaws_node *list, uint32_t i);
/* The i-th entry of a map, sorted by key. */
const struct luaws_node *luaws_node_entry_at(const struct luaws_node *map, uint32_t i,
                                             struct luaws_str *key);
struct luaws_str luaws_node_text(const struct luaws_node *string_or_null);
/* Plays the value into a writer. */
void luaws_node_write(const struct luaws_node *n, struct luaws_writer *w);

#endif
