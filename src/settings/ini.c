/* One pass over the lines. A value is gathered in `text`, its lines one under the other,
   and becomes text or a block when the next key, section or the end of the file comes.
   White space and line ends are Python's, because its str methods decided what these
   files mean. */
#include "settings/ini.h"

#include "base/encode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 64 << 20 };

struct parse {
  struct luaws_ini *ini;
  struct luaws_error *err;
  unsigned line;
  struct luaws_ini_section *section; /* NULL before the first */
  struct luaws_ini_section **section_end;
  struct luaws_ini_section ignored; /* [DEFAULT] */
  struct luaws_ini_value **value_end;
  struct luaws_ini_value *value; /* that may go on in the next line */
  size_t indent;                 /* of its key, in characters */
  struct luaws_buf text;         /* of value so far */
  struct luaws_buf text_lines;   /* unsigned[]: where each line of it stands */
};

static int fail(struct parse *p, unsigned line, const char *what, struct luaws_str name) {
  luaws_error_set(p->err, LUAWS_E_CONFIG, "ConfigParseError",
                  "Unable to parse config file: %.*s", LUAWS_STR_ARG(p->ini->path));
  luaws_error_add(p->err, ", line %u: %s%s%.*s%s", line, what, name.ptr ? " \"" : "",
                  LUAWS_STR_ARG(name), name.ptr ? "\"" : "");
  return LUAWS_E_CONFIG;
}

/* ---- white space ---- */

/* Bytes of the UTF-8 character at s, which is well-formed. */
static size_t char_bytes(char c) {
  unsigned char u = (unsigned char)c;
  return u < 0x80 ? 1 : u < 0xe0 ? 2 : u < 0xf0 ? 3 : 4;
}

/* Is the character of n bytes at p one that str.isspace() is true of? */
static bool is_space(const char *p, size_t n) {
  const unsigned char *u = (const unsigned char *)p;
  if (n == 1) return (u[0] >= 9 && u[0] <= 13) || (u[0] >= 0x1c && u[0] <= 0x20);
  if (n == 2) return u[0] == 0xc2 && (u[1] == 0x85 || u[1] == 0xa0);
  if (n != 3) return false;
  unsigned c = (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}

static struct luaws_str strip_end(struct luaws_str s) {
  while (s.len) {
    size_t n = 1;
    while (n < s.len && n < 4 && ((unsigned char)s.ptr[s.len - n] & 0xc0) == 0x80)
      n++;
    if (!is_space(s.ptr + s.len - n, n)) break;
    s.len -= n;
  }
  return s;
}

/* indent: how many characters were taken off the front; may be NULL. */
static struct luaws_str strip(struct luaws_str s, size_t *indent) {
  size_t count = 0;
  while (s.len) {
    size_t n = char_bytes(s.ptr[0]);
    if (n > s.len || !is_space(s.ptr, n)) break;
    s.ptr += n;
    s.len -= n;
    count++;
  }
  if (indent) *indent = s.len ? count : 0;
  return strip_end(s);
}

/* ---- blocks ---- */

/* Cuts the first line off rest, at any end of line that str.splitlines() knows. */
static struct luaws_str next_subline(struct luaws_str *rest) {
  size_t i = 0, n = 1;
  for (; i < rest->len; i += n) {
    n = char_bytes(rest->ptr[i]);
    const unsigned char *u = (const unsigned char *)rest->ptr + i;
    if (n == 1 && ((u[0] >= 10 && u[0] <= 13) || (u[0] >= 0x1c && u[0] <= 0x1e))) break;
    if (n == 2 && u[0] == 0xc2 && u[1] == 0x85) break;
    if (n == 3 && u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0xa8 || u[2] == 0xa9)) break;
  }
  struct luaws_str line = {rest->ptr, i};
  size_t skip = i < rest->len ? i + n : i;
  *rest = (struct luaws_str){rest->ptr + skip, rest->len - skip};
  return line;
}

static struct luaws_ini_value *find_key(struct luaws_ini_value *v, struct luaws_str key) {
  while (v && !luaws_str_eq(v->key, key))
    v = v->next;
  return v;
}

/* One line "key = value"; a key that was there before takes the new value. */
static int add_to_block(struct parse *p, struct luaws_ini_value *block,
                        struct luaws_ini_value ***end, struct luaws_str line,
                        unsigned line_number) {
  line = strip(line, NULL);
  if (line.len == 0) return 0;
  ptrdiff_t eq = luaws_str_find(line, '=');
  if (eq < 0) {
    return fail(p, line_number, "no \"=\" in a line of the block", block->key);
  }
  struct luaws_str key = strip_end(luaws_str_sub(line, 0, (size_t)eq));
  struct luaws_str text = strip(luaws_str_sub(line, (size_t)eq + 1, SIZE_MAX), NULL);
  struct luaws_ini_value *v = find_key(block->first, key);
  if (!v) {
    v = luaws_arena_alloc(&p->ini->arena, sizeof *v);
    if (!v) return luaws_error_memory(p->err);
    v->key = luaws_arena_str(&p->ini->arena, key);
    v->path = p->ini->path;
    **end = v;
    *end = &v->next;
  }
  v->text = luaws_arena_str(&p->ini->arena, text);
  v->line = line_number;
  return v->key.ptr && v->text.ptr ? 0 : luaws_error_memory(p->err);
}

static int make_block(struct parse *p, struct luaws_str text) {
  const unsigned *lines = (const unsigned *)p->text_lines.ptr;
  struct luaws_ini_value **end = &p->value->first;
  p->value->is_block = true;
  while (text.len) {
    ptrdiff_t cut = luaws_str_find(text, '\n');
    struct luaws_str line = luaws_str_sub(text, 0, cut < 0 ? text.len : (size_t)cut);
    text = luaws_str_sub(text, cut < 0 ? text.len : (size_t)cut + 1, SIZE_MAX);
    while (line.len) {
      int rc = add_to_block(p, p->value, &end, next_subline(&line), *lines);
      if (rc) return rc;
    }
    lines++;
  }
  return 0;
}

/* ---- lines ---- */

/* The current value is complete. */
static int finish_value(struct parse *p) {
  if (!p->value) return 0;
  if (p->text.failed || p->text_lines.failed) return luaws_error_memory(p->err);
  int rc = 0;
  struct luaws_str text = strip_end(luaws_buf_str(&p->text));
  if (text.len && text.ptr[0] == '\n') {
    rc = make_block(p, text);
  } else {
    p->value->text = luaws_arena_str(&p->ini->arena, text);
    if (!p->value->text.ptr) rc = luaws_error_memory(p->err);
  }
  p->value = NULL;
  return rc;
}

static void add_line_to_value(struct parse *p, struct luaws_str text) {
  luaws_buf_append_str(&p->text, text);
  luaws_buf_append(&p->text_lines, &p->line, sizeof p->line);
}

static int begin_section(struct parse *p, struct luaws_str name) {
  if (luaws_str_is(name, "DEFAULT")) {
    struct luaws_ini_value **end = &p->ignored.first;
    while (*end)
      end = &(*end)->next;
    p->section = &p->ignored;
    p->value_end = end;
    return 0;
  }
  if (luaws_ini_section(p->ini->first, name)) {
    return fail(p, p->line, "a second section", name);
  }
  struct luaws_ini_section *s = luaws_arena_alloc(&p->ini->arena, sizeof *s);
  if (!s) return luaws_error_memory(p->err);
  s->name = luaws_arena_str(&p->ini->arena, name);
  if (!s->name.ptr) return luaws_error_memory(p->err);
  s->path = p->ini->path;
  s->line = p->line;
  *p->section_end = s;
  p->section_end = &s->next;
  p->section = s;
  p->value_end = &s->first;
  return 0;
}

/* What is wrong with a line that begins like a section, and else. */
static const char *line_fault(struct luaws_str line, const char *otherwise) {
  if (line.ptr[0] != '[') return otherwise;
  if (luaws_str_find(line, ']') >= 0) return "a section without a name";
  return "a section without \"]\" behind its name";
}

static int begin_value(struct parse *p, struct luaws_str line) {
  size_t at = 0;
  while (at < line.len && line.ptr[at] != '=' && line.ptr[at] != ':')
    at++;
  struct luaws_str key = strip_end(luaws_str_sub(line, 0, at));
  if (at == line.len) {
    return fail(p, p->line, line_fault(line, "neither key and value nor a section"),
                LUAWS_STR_NONE);
  }
  if (key.len == 0) return fail(p, p->line, "no key before the value", LUAWS_STR_NONE);

  struct luaws_ini_value *v = luaws_arena_alloc(&p->ini->arena, sizeof *v);
  if (!v) return luaws_error_memory(p->err);
  v->key = luaws_arena_str(&p->ini->arena, key);
  if (!v->key.ptr) return luaws_error_memory(p->err);
  for (size_t i = 0; i < v->key.len; i++) {
    char *c = (char *)v->key.ptr + i;
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  }
  if (find_key(p->section->first, v->key)) {
    return fail(p, p->line, "a second time the key", v->key);
  }
  v->path = p->ini->path;
  v->line = p->line;
  *p->value_end = v;
  p->value_end = &v->next;
  p->value = v;
  luaws_buf_reset(&p->text);
  luaws_buf_reset(&p->text_lines);
  add_line_to_value(p, strip(luaws_str_sub(line, at + 1, SIZE_MAX), NULL));
  return 0;
}

/* What stands before the first section. */
static int no_section(struct parse *p, struct luaws_str text) {
  bool mark = p->line == 1 && luaws_str_starts(text, LUAWS_STR("\xef\xbb\xbf"));
  return fail(p, p->line,
              mark ? "a byte order mark: the file must be UTF-8 without one"
                   : line_fault(text, "text before the first section"),
              LUAWS_STR_NONE);
}

static int parse_line(struct parse *p, struct luaws_str line) {
  if (luaws_utf8_find_bad(line) >= 0)
    return fail(p, p->line, "not UTF-8", LUAWS_STR_NONE);
  size_t indent = 0;
  struct luaws_str text = strip(line, &indent);
  if (text.len && (text.ptr[0] == '#' || text.ptr[0] == ';')) return 0;
  if (text.len == 0 || (p->value && indent > p->indent)) {
    if (p->value) {
      luaws_buf_append_char(&p->text, '\n');
      add_line_to_value(p, text);
    }
    return 0;
  }
  int rc = finish_value(p);
  if (rc) return rc;
  p->indent = indent;
  if (text.ptr[0] == '[') {
    size_t end = text.len;
    while (end > 2 && text.ptr[end - 1] != ']')
      end--;
    if (end > 2) return begin_section(p, luaws_str_sub(text, 1, end - 2));
  }
  return p->section ? begin_value(p, text) : no_section(p, text);
}

int luaws_ini_parse(struct luaws_ini *ini, struct luaws_str path, struct luaws_str text,
                    struct luaws_error *err) {
  struct parse p = {.ini = ini, .err = err, .section_end = &ini->first};
  int rc = 0;
  ini->first = NULL;
  ini->path = luaws_arena_str(&ini->arena, path);
  if (!ini->path.ptr) return luaws_error_memory(err);
  while (rc == 0 && text.len) {
    size_t end = 0;
    while (end < text.len && text.ptr[end] != '\n' && text.ptr[end] != '\r')
      end++;
    struct luaws_str line = luaws_str_sub(text, 0, end);
    if (end + 1 < text.len && text.ptr[end] == '\r' && text.ptr[end + 1] == '\n') end++;
    text = luaws_str_sub(text, end < text.len ? end + 1 : end, SIZE_MAX);
    p.line++;
    rc = parse_line(&p, line);
  }
  if (rc == 0) rc = finish_value(&p);
  luaws_buf_wipe(&p.text);
  luaws_buf_clear(&p.text_lines);
  return rc;
}

/* ---- files ---- */

/* What can be read of a plain file; false when it is none. Python's parser passes over
   files that it may not open or that cannot be read: *e tells of them. */
static bool read_file(const char *path, struct luaws_buf *out, int *e) {
  struct stat st;
  if (stat(path, &st) != 0) {
    *e = errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    return false;
  }
  if (S_ISDIR(st.st_mode)) *e = EISDIR;
  if (!S_ISREG(st.st_mode)) return false;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    *e = errno;
    return true;
  }
  ptrdiff_t n = 1;
  luaws_buf_reserve(out, (size_t)st.st_size + 16384); /* keys stay where they are put */
  while (n > 0 && luaws_buf_reserve(out, 16384)) {
    n = read(fd, out->ptr + out->len, out->cap - out->len - 1);
    if (n > 0) out->len += (size_t)n;
    if (n < 0 && errno == EINTR) n = 1;
  }
  if (n < 0) {
    *e = errno;
    out->len = 0; /* a part of it may mean something else */
  }
  close(fd);
  return true;
}

int luaws_ini_load(struct luaws_ini *ini, struct luaws_str path,
                   struct luaws_error *err) {
  struct luaws_buf text = {.max_bytes = MAX_FILE_BYTES};
  struct luaws_str name = luaws_arena_str(&ini->arena, path);
  if (!name.ptr) return luaws_error_memory(err);
  int rc = 0;
  ini->path = name;
  ini->found = name.len > 0 && read_file(name.ptr, &text, &ini->unreadable);
  if (text.failed) {
    rc = luaws_error_set(err, LUAWS_E_CONFIG, "ConfigParseError",
                         "Unable to parse config file: %s", name.ptr);
    luaws_error_add(err, ": too large");
  } else if (ini->found) {
    rc = luaws_ini_parse(ini, path, luaws_buf_str(&text), err);
  }
  luaws_buf_wipe(&text);
  return rc;
}

void luaws_ini_clear(struct luaws_ini *ini) {
  luaws_arena_wipe(&ini->arena);
  *ini = (struct luaws_ini){0};
}

const struct luaws_ini_section *luaws_ini_section(const struct luaws_ini_section *first,
                                                  struct luaws_str name) {
  while (first && !luaws_str_eq(first->name, name))
    first = first->next;
  return first;
}

const struct luaws_ini_value *luaws_ini_value(const struct luaws_ini_value *first,
                                              const char *key) {
  struct luaws_str k = luaws_str_from(key);
  while (first && !luaws_str_eq(first->key, k))
    first = first->next;
  return first;
}

struct luaws_str luaws_ini_text(const struct luaws_ini_section *section,
                                const char *key) {
  const struct luaws_ini_value *v = section ? luaws_ini_value(section->first, key) : NULL;
  return v && !v->is_block ? v->text : LUAWS_STR_NONE;
}
