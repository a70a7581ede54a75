/* Requests, answers and errors of every protocol: the cases are data, in
   spec/fixtures/protocol. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct wire wire;
static struct luaws_arena arena; /* of the fixtures */

static struct luaws_tree *parse(struct luaws_arena *a, struct luaws_str text) {
  struct luaws_tree *tree = NULL;
  struct luaws_error err = {0};
  if (luaws_tree_parse(a, text, &tree, &err)) fail_msg("%s", luaws_error_message(&err));
  return tree;
}

static struct luaws_str read_file(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) fail_msg("no %s", path);
  struct luaws_buf b = {0};
  char piece[4096];
  size_t n;
  while ((n = fread(piece, 1, sizeof piece, f)) > 0)
    luaws_buf_append(&b, piece, n);
  fclose(f);
  struct luaws_str text = luaws_arena_str(&arena, luaws_buf_str(&b));
  luaws_buf_clear(&b);
  return text;
}

/* Maps are the same in any order, numbers when they are equal. */
static bool same(const struct luaws_tree *a, const struct luaws_tree *b) {
  bool numbers = (a->kind == LUAWS_KIND_INTEGER || a->kind == LUAWS_KIND_FLOAT) &&
                 (b->kind == LUAWS_KIND_INTEGER || b->kind == LUAWS_KIND_FLOAT);
  if (numbers && a->kind != b->kind) {
    double x = a->kind == LUAWS_KIND_INTEGER ? (double)a->integer : a->floating;
    double y = b->kind == LUAWS_KIND_INTEGER ? (double)b->integer : b->floating;
    return x == y;
  }
  if (a->kind != b->kind) return false;
  switch (a->kind) {
  case LUAWS_KIND_BOOLEAN:
    return a->boolean == b->boolean;
  case LUAWS_KIND_INTEGER:
    return a->integer == b->integer;
  case LUAWS_KIND_FLOAT:
    return a->floating == b->floating;
  case LUAWS_KIND_STRING:
    return luaws_str_eq(a->text, b->text);
  case LUAWS_KIND_LIST: {
    const struct luaws_tree *x = a->first, *y = b->first;
    for (; x && y && same(x, y); x = x->next, y = y->next) {
    }
    return !x && !y;
  }
  case LUAWS_KIND_MAP: {
    if (a->count != b->count) return false;
    for (const struct luaws_tree *x = a->first; x; x = x->next) {
      const struct luaws_tree *y = b->first;
      while (y && !luaws_str_eq(x->key, y->key))
        y = y->next;
      if (!y || !same(x, y)) return false;
    }
    return true;
  }
  default:
    return true;
  }
}

/* The request's body as text beside its base64. */
static struct luaws_str body_text(struct luaws_arena *a,
                                  const struct luaws_tree *answer) {
  struct luaws_buf b = {0};
  luaws_base64_decode(&b, luaws_tree_text(answer, "body"));
  struct luaws_str text = luaws_arena_str(a, luaws_buf_str(&b));
  luaws_buf_clear(&b);
  return text;
}

static void print_case(const struct luaws_tree *wanted, struct luaws_str answer) {
  struct luaws_buf b = {0};
  luaws_tree_print(wanted, &b, 0);
  print_error("wanted %s\ngot    %.*s\n", b.ptr, LUAWS_STR_ARG(answer));
  luaws_buf_clear(&b);
}

/* Everything that `expect` says must be so; of an answer it must be all there is. */
static void run_case(void **state) {
  const struct luaws_tree *test = *state;
  const struct luaws_tree *ask = luaws_tree_get(test, "ask");
  const struct luaws_tree *expect = luaws_tree_get(test, "expect");
  const struct luaws_tree *wanted = expect ? expect : luaws_tree_get(test, "error");
  struct luaws_buf question = {0};
  struct luaws_arena local = {0};
  luaws_tree_print(ask, &question, 0);
  struct luaws_str text = wire_ask(&wire, luaws_buf_str(&question));
  const struct luaws_tree *answer = parse(&local, text);
  bool ok = !luaws_tree_get(answer, "error") == !!expect;
  bool whole = expect && luaws_tree_get(answer, "result");
  for (const struct luaws_tree *w = wanted->first; w && ok; w = w->next) {
    if (luaws_str_is(w->key, "text")) {
      ok = luaws_str_eq(body_text(&local, answer), w->text);
      if (!ok) print_error("body %.*s\n", LUAWS_STR_ARG(body_text(&local, answer)));
    } else if (luaws_str_is(w->key, "bytes")) {
      ok = luaws_str_eq(luaws_tree_text(answer, "body"), w->text);
    } else {
      const struct luaws_tree *got =
          luaws_tree_get(answer, luaws_arena_str(&local, w->key).ptr);
      ok = got && same(w, got);
    }
  }
  if (ok && whole) ok = wanted->count == answer->count;
  if (!ok) {
    print_case(wanted, text);
    fail();
  }
  luaws_buf_clear(&question);
  luaws_arena_clear(&local);
}

static int open_models(void **state) {
  return wire_open(&wire, LUAWS_DATA_DIR "/models.pack");
}

static int close_models(void **state) {
  wire_close(&wire);
  return 0;
}

int main(void) {
  static const char *const files[] = {"requests", "answers", "errors", "cbor",
                                      "event_streams"};
  enum { MOST = 500 };
  static struct CMUnitTest tests[MOST];
  size_t count = 0;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[512];
    snprintf(path, sizeof path, LUAWS_SPEC_DIR "/fixtures/protocol/%s.json", files[i]);
    struct luaws_tree *cases = parse(&arena, read_file(path));
    for (struct luaws_tree *c = cases->first; c && count < MOST; c = c->next) {
      tests[count++] = (struct CMUnitTest){.name = luaws_tree_text(c, "it").ptr,
                                           .test_func = run_case,
                                           .initial_state = c};
    }
  }
  /* Names in the tree are not closed by a zero byte. */
  for (size_t i = 0; i < count; i++) {
    struct luaws_tree *c = tests[i].initial_state;
    tests[i].name = luaws_arena_str(&arena, luaws_tree_text(c, "it")).ptr;
  }
  int failed =
      _cmocka_run_group_tests("protocol", tests, count, open_models, close_models);
  luaws_arena_clear(&arena);
  return failed;
}
