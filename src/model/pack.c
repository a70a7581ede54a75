/* A pack is trusted in two steps: head and directory when the file is opened, a section
   when somebody asks for it first. What is inside of a section is not looked at again:
   the checksum says that it is as the compiler wrote it. */
#include "model/pack_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { SECTION_ALIGN = 16 };

struct luaws_pack {
  unsigned references;
  const char *base; /* mapped */
  size_t size;
  const struct luaws_pack_header *header;
  const struct luaws_pack_entry *entries;
  char *path;
  uint8_t *verified; /* one for each entry */
};

static int broken(struct luaws_error *err, const char *path, const char *what) {
  return luaws_error_set(err, LUAWS_E_MODEL, "DataNotFoundError", "%s: %s", path, what);
}

/* ---- opening ---- */

static uint64_t head_checksum(const struct luaws_pack_header *h) {
  const size_t field = offsetof(struct luaws_pack_header, head_checksum);
  struct luaws_pack_header first = *h;
  first.head_checksum = 0;
  XXH3_state_t *state = XXH3_createState();
  if (!state) return ~h->head_checksum;
  XXH3_64bits_reset(state);
  XXH3_64bits_update(state, &first, field + sizeof first.head_checksum);
  XXH3_64bits_update(state, (const char *)h + sizeof first, h->head_size - sizeof first);
  uint64_t sum = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return sum;
}

/* A text of the directory that lies in the head, or none at all. */
static bool text_is_inside(const struct luaws_pack *p, const luaws_ref *ref) {
  if (!*ref) return true;
  int64_t at = (const char *)ref - p->base + *ref, end = p->header->head_size;
  if (at < 0 || at > end - 2) return false;
  return at + 2 + (int64_t)luaws_ref_text(ref).len <= end;
}

static int compare(const struct luaws_pack_entry *e, struct luaws_str service,
                   uint32_t type, struct luaws_str version) {
  int order = luaws_str_cmp(luaws_ref_text(&e->service), service);
  if (order == 0) order = (e->type > type) - (e->type < type);
  if (order == 0) order = luaws_str_cmp(luaws_ref_text(&e->version), version);
  return order;
}

static bool entry_is_sound(const struct luaws_pack *p, uint32_t i) {
  const struct luaws_pack_entry *e = &p->entries[i];
  if (!text_is_inside(p, &e->service) || !text_is_inside(p, &e->version)) return false;
  if (e->type >= LUAWS_SECTION_TYPES || e->offset % SECTION_ALIGN) return false;
  if (e->offset < p->header->head_size || e->offset > p->size) return false;
  if (e->size > p->size - e->offset || e->size < 8) return false;
  return i == 0 || compare(&p->entries[i - 1], luaws_ref_text(&e->service), e->type,
                           luaws_ref_text(&e->version)) < 0;
}

/* What is wrong with the head, or NULL. */
static const char *head_problem(struct luaws_pack *p) {
  const struct luaws_pack_header *h = p->header = (const void *)p->base;
  if (p->size < sizeof h->magic ||
      memcmp(h->magic, LUAWS_PACK_MAGIC, sizeof h->magic) != 0) {
    return "this is no model pack";
  }
  if (p->size < sizeof *h) return "the model pack is truncated";
  if (h->version != LUAWS_PACK_VERSION) {
    return "the model pack was made by another version of luaws";
  }
  if (h->file_size > p->size) return "the model pack is truncated";
  if (h->file_size != p->size) return "the model pack is longer than it should be";
  if (h->head_size < sizeof *h || h->head_size > p->size ||
      head_checksum(h) != h->head_checksum) {
    return "the directory of the model pack is damaged";
  }
  int64_t at = offsetof(struct luaws_pack_header, entries) + (int64_t)h->entries;
  bool sound = at >= (int64_t)sizeof *h && at % 8 == 0 && at <= (int64_t)h->head_size &&
               h->entry_count <= (h->head_size - (size_t)at) / sizeof *p->entries &&
               text_is_inside(p, &h->source);
  if (sound) p->entries = (const void *)(p->base + at);
  for (uint32_t i = 0; sound && i < h->entry_count; i++)
    sound = entry_is_sound(p, i);
  return sound ? NULL : "the directory of the model pack is damaged";
}

static int map_file(struct luaws_pack *p, struct luaws_error *err) {
  struct stat st;
  int fd = open(p->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return broken(err, p->path, strerror(errno));
  int rc = 0;
  if (fstat(fd, &st) != 0) {
    rc = broken(err, p->path, strerror(errno));
  } else if (!S_ISREG(st.st_mode) || st.st_size == 0) {
    rc = broken(err, p->path, "this is no model pack");
  } else {
    p->size = (size_t)st.st_size;
    void *base = mmap(NULL, p->size, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
      rc = broken(err, p->path, strerror(errno));
    } else {
      p->base = base;
    }
  }
  close(fd);
  return rc;
}

int luaws_pack_open(const char *path, struct luaws_pack **out, struct luaws_error *err) {
  *out = NULL;
  struct luaws_pack *p = calloc(1, sizeof *p);
  if (!p) return luaws_error_memory(err);
  p->references = 1;
  p->path = strdup(path);
  int rc = p->path ? map_file(p, err) : luaws_error_memory(err);
  if (rc == 0) {
    const char *problem = head_problem(p);
    if (problem) rc = broken(err, path, problem);
  }
  if (rc == 0) {
    p->verified = calloc(p->header->entry_count + 1, 1);
    if (!p->verified) rc = luaws_error_memory(err);
  }
  if (rc) {
    luaws_pack_release(p);
    return rc;
  }
  *out = p;
  return 0;
}

struct luaws_pack *luaws_pack_acquire(struct luaws_pack *p) {
  p->references++;
  return p;
}

void luaws_pack_release(struct luaws_pack *p) {
  if (!p || --p->references > 0) return;
  if (p->base) munmap((void *)p->base, p->size);
  free(p->verified);
  free(p->path);
  free(p);
}

/* ---- looking ---- */

uint32_t luaws_pack_entry_count(const struct luaws_pack *p) {
  return p->header->entry_count;
}

const struct luaws_pack_entry *luaws_pack_entry_at(const struct luaws_pack *p,
                                                   uint32_t i) {
  return &p->entries[i];
}

uint32_t luaws_pack_lower_bound(const struct luaws_pack *p, struct luaws_str service,
                                uint32_t type, struct luaws_str version) {
  uint32_t low = 0, high = p->header->entry_count;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (compare(&p->entries[mid], service, type, version) < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

const struct luaws_pack_entry *luaws_pack_find(const struct luaws_pack *p,
                                               enum luaws_section_type type,
                                               struct luaws_str service,
                                               struct luaws_str version) {
  uint32_t i = luaws_pack_lower_bound(p, service, type, version);
  if (i == p->header->entry_count) return NULL;
  return compare(&p->entries[i], service, type, version) == 0 ? &p->entries[i] : NULL;
}

int luaws_pack_section(struct luaws_pack *p, const struct luaws_pack_entry *entry,
                       const void **out, struct luaws_error *err) {
  uint8_t *verified = &p->verified[entry - p->entries];
  const char *section = p->base + entry->offset;
  if (!*verified && XXH3_64bits(section, entry->size) != entry->checksum) {
    struct luaws_str service = luaws_ref_text(&entry->service);
    *out = NULL;
    return luaws_error_set(err, LUAWS_E_MODEL, "DataNotFoundError",
                           "%s: the model of '%.*s' is damaged", p->path,
                           LUAWS_STR_ARG(service));
  }
  *verified = 1;
  *out = section;
  return 0;
}
