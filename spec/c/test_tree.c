#include "value/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct luaws_tree *parse(struct luaws_arena *arena, const char *text) {
  struct luaws_tree *t = NULL;
  assert_int_equal(luaws_tree_parse(arena, luaws_str_from(text), &t, NULL), 0);
  return t;
}

static void assert_prints(const struct luaws_tree *t, const char *expected) {
  struct luaws_buf out = {0};
  luaws_tree_print(t, &out, 0);
  assert_string_equal(out.ptr, expected);
  luaws_buf_clear(&out);
}

static void a_tree_prints_as_it_was_read(void **state) {
  struct luaws_arena arena = {0};
  const char *text =
      "{\"a\": [1, 2.5, \"x\\ny\", null, true, false, {}], \"b\": {\"c\": []}}";
  assert_prints(parse(&arena, text), text);
  assert_prints(parse(&arena, "\"\""), "\"\"");
  assert_prints(parse(&arena, "[NaN, -Infinity]"), "[\"NaN\", \"-Infinity\"]");
  assert_prints(parse(&arena, "[1.0, -0.0, 1e2, 1e300]"), "[1.0, -0.0, 100.0, 1e+300]");
  assert_prints(NULL, "null");
  struct luaws_buf out = {0};
  luaws_tree_print(parse(&arena, "{\"a\":[1,2],\"b\":{}}"), &out, 2);
  assert_string_equal(out.ptr, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
  luaws_buf_clear(&out);
  luaws_arena_clear(&arena);
}

static void of_a_repeated_name_the_last_value_counts(void **state) {
  struct luaws_arena arena = {0};
  assert_prints(parse(&arena, "{\"a\":1,\"a\":2}"), "{\"a\": 2}");
  assert_prints(parse(&arena, "{\"a\":1,\"b\":2,\"a\":[3],\"a\":4,\"c\":5,\"b\":6}"),
                "{\"a\": 4, \"b\": 6, \"c\": 5}");
  /* Enough of them for the other way of looking. */
  struct luaws_buf text = {0};
  luaws_buf_append_char(&text, '{');
  for (int i = 0; i < 300; i++)
    luaws_buf_printf(&text, "%s\"k%d\":%d", i ? "," : "", i % 100, i);
  luaws_buf_append_char(&text, '}');
  struct luaws_tree *t = parse(&arena, text.ptr);
  assert_int_equal(t->count, 100);
  int n = 0;
  for (const struct luaws_tree *c = t->first; c; c = c->next, n++) {
    char key[16];
    snprintf(key, sizeof key, "k%d", n);
    assert_true(luaws_str_is(c->key, key));
    assert_int_equal(c->integer, 200 + n);
  }
  assert_int_equal(n, 100);
  luaws_buf_clear(&text);
  luaws_arena_clear(&arena);
}

static void a_mistake_is_told_by_line_and_column(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_tree *t;
  assert_int_equal(luaws_tree_parse(&arena, LUAWS_STR("{\n \"a\": x}"), &t, &err),
                   LUAWS_E_ARGUMENT);
  assert_null(t);
  assert_string_equal(err.kind, "JSONDecodeError");
  assert_string_equal(luaws_error_message(&err),
                      "a value is missing: line 2 column 7 (char 8)");
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
}

static void members_are_found_by_name(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_tree *t =
      parse(&arena, "{\"s\":\"text\",\"t\":true,\"f\":false,\"x\":\"true\",\"n\":1}");
  assert_int_equal(luaws_tree_get(t, "n")->integer, 1);
  assert_null(luaws_tree_get(t, "missing"));
  assert_null(luaws_tree_get(NULL, "n"));
  assert_null(luaws_tree_get(luaws_tree_get(t, "n"), "n"));
  assert_true(luaws_str_is(luaws_tree_text(t, "s"), "text"));
  assert_null(luaws_tree_text(t, "n").ptr);
  assert_true(luaws_tree_flag(t, "t"));
  assert_true(luaws_tree_flag(t, "x"));
  assert_false(luaws_tree_flag(t, "f"));
  assert_false(luaws_tree_flag(t, "n"));
  luaws_arena_clear(&arena);
}

static void maps_merge_and_all_else_is_replaced(void **state) {
  static const struct {
    const char *into, *from, *merged;
  } rows[] = {
      {"{}", "{\"a\":1}", "{\"a\": 1}"},
      {"{\"a\":1}", "{\"a\":2}", "{\"a\": 2}"},
      {"{\"a\":{\"b\":1,\"c\":[1,2]},\"z\":0}", "{\"a\":{\"c\":[3],\"d\":{\"e\":1}}}",
       "{\"a\": {\"b\": 1, \"c\": [3], \"d\": {\"e\": 1}}, \"z\": 0}"},
      {"{\"a\":{\"b\":1},\"z\":0}", "{\"a\":null}", "{\"a\": null, \"z\": 0}"},
      {"{\"a\":\"x\"}", "{\"a\":{\"b\":1}}", "{\"a\": {\"b\": 1}}"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct luaws_arena arena = {0};
    struct luaws_tree *into = parse(&arena, rows[i].into);
    assert_true(luaws_tree_merge(&arena, into, parse(&arena, rows[i].from)));
    assert_prints(into, rows[i].merged);
    luaws_arena_clear(&arena);
  }
}

/* Plays what the reader stands on into the writer. */
static void copy(struct luaws_reader *r, struct luaws_writer *w) {
  struct luaws_str key;
  enum luaws_kind key_kind;
  switch (r->ops->kind(r)) {
  case LUAWS_KIND_BOOLEAN:
    w->ops->boolean(w, r->ops->boolean(r));
    return;
  case LUAWS_KIND_INTEGER:
    w->ops->integer(w, r->ops->integer(r));
    return;
  case LUAWS_KIND_FLOAT:
    w->ops->floating(w, r->ops->floating(r));
    return;
  case LUAWS_KIND_STRING:
    w->ops->bytes(w, r->ops->bytes(r));
    return;
  case LUAWS_KIND_LIST:
    w->ops->begin_list(w, r->ops->length(r), false);
    for (size_t i = 0; r->ops->enter_item(r, i); i++) {
      copy(r, w);
      r->ops->leave(r);
    }
    w->ops->end_list(w);
    return;
  case LUAWS_KIND_MAP:
    w->ops->begin_map(w, r->ops->length(r), false);
    r->ops->begin_entries(r);
    while (r->ops->next_entry(r, &key, &key_kind)) {
      w->ops->key(w, key);
      copy(r, w);
      r->ops->leave(r);
    }
    w->ops->end_map(w);
    return;
  default:
    w->ops->null(w);
  }
}

static void what_a_reader_reads_a_writer_writes(void **state) {
  static const char *const texts[] = {
      "null",
      "{}",
      "[]",
      "[1, [2, [3, 4], 5], {\"a\": [], \"b\": {\"c\": \"d\"}}, 1.5, true, \"\"]",
      "{\"a\": {\"b\": {\"c\": [null, {\"d\": false}]}}, \"e\": -1}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct luaws_arena arena = {0};
    struct luaws_tree_reader r;
    struct luaws_tree_writer w;
    luaws_tree_reader_init(&r, parse(&arena, texts[i]));
    luaws_tree_writer_init(&w, &arena);
    copy(&r.base, &w.base);
    assert_false(w.failed);
    assert_prints(w.root, texts[i]);
    luaws_arena_clear(&arena);
  }
}

static void a_reader_steps_in_and_out(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_tree_reader tree;
  struct luaws_reader *r = &tree.base;
  luaws_tree_reader_init(&tree,
                         parse(&arena, "{\"a\":[10,20,30],\"b\":{\"c\":\"text\"}}"));
  assert_false(r->ops->enter_member(r, LUAWS_STR("x")));
  assert_false(r->ops->enter_item(r, 0));
  assert_true(r->ops->enter_member(r, LUAWS_STR("a")));
  static const size_t order[] = {2, 0, 1, 1, 2};
  for (size_t i = 0; i < 5; i++) {
    assert_true(r->ops->enter_item(r, order[i]));
    assert_int_equal(r->ops->integer(r), 10 * ((int)order[i] + 1));
    assert_true(r->ops->floating(r) == 10.0 * (double)(order[i] + 1));
    r->ops->leave(r);
  }
  assert_false(r->ops->enter_item(r, 3));
  assert_string_equal(r->ops->type_name(r), "array");
  r->ops->leave(r);
  assert_true(r->ops->enter_member(r, LUAWS_STR("b")));
  assert_true(r->ops->enter_member(r, LUAWS_STR("c")));
  struct luaws_stream s;
  assert_int_equal(r->ops->stream(r, &s, NULL), 0);
  assert_int_equal(s.kind, LUAWS_STREAM_BYTES);
  assert_int_equal(s.length, 4);
  struct luaws_buf out = {0};
  r->ops->describe(r, &out);
  assert_string_equal(out.ptr, "\"text\"");
  luaws_buf_clear(&out);
  luaws_arena_clear(&arena);
}

static void a_walk_over_a_map_can_stop_and_start_again(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_tree_reader tree;
  struct luaws_reader *r = &tree.base;
  struct luaws_str key;
  enum luaws_kind kind;
  luaws_tree_reader_init(&tree, parse(&arena, "{\"a\":{\"x\":1},\"b\":2}"));
  for (int round = 0; round < 2; round++) {
    r->ops->begin_entries(r);
    assert_true(r->ops->next_entry(r, &key, &kind));
    assert_true(luaws_str_is(key, "a"));
    assert_true(r->ops->enter_member(r, LUAWS_STR("x")));
    r->ops->leave(r);
    r->ops->leave(r);
    r->ops->end_entries(r);
  }
  luaws_arena_clear(&arena);
}

static void a_list_comes_in_pieces(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_tree_writer tree;
  struct luaws_writer *w = &tree.base;
  luaws_tree_writer_init(&tree, &arena);
  w->ops->begin_map(w, 0, false);
  for (int i = 0; i < 3; i++) {
    w->ops->key(w, LUAWS_STR("list"));
    w->ops->resume_list(w);
    w->ops->integer(w, i);
    w->ops->end_list(w);
    w->ops->key(w, LUAWS_STR("map"));
    w->ops->resume_map(w);
    w->ops->key(w, i == 0 ? LUAWS_STR("x") : i == 1 ? LUAWS_STR("y") : LUAWS_STR("z"));
    w->ops->timestamp(w, i + (i == 1 ? 0.5 : 0));
    w->ops->end_map(w);
  }
  w->ops->end_map(w);
  assert_false(tree.failed);
  assert_prints(tree.root,
                "{\"list\": [0, 1, 2], \"map\": {\"x\": 0, \"y\": 1.5, \"z\": 2}}");
  luaws_arena_clear(&arena);
}

static void too_many_levels_fail_the_writer(void **state) {
  struct luaws_arena arena = {0};
  struct luaws_tree_writer tree;
  luaws_tree_writer_init(&tree, &arena);
  for (int i = 0; i < 300; i++)
    tree.base.ops->begin_list(&tree.base, 0, false);
  for (int i = 0; i < 300; i++)
    tree.base.ops->end_list(&tree.base);
  assert_true(tree.failed);
  luaws_arena_clear(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_tree_prints_as_it_was_read),
      cmocka_unit_test(of_a_repeated_name_the_last_value_counts),
      cmocka_unit_test(a_mistake_is_told_by_line_and_column),
      cmocka_unit_test(members_are_found_by_name),
      cmocka_unit_test(maps_merge_and_all_else_is_replaced),
      cmocka_unit_test(what_a_reader_reads_a_writer_writes),
      cmocka_unit_test(a_reader_steps_in_and_out),
      cmocka_unit_test(a_walk_over_a_map_can_stop_and_start_again),
      cmocka_unit_test(a_list_comes_in_pieces),
      cmocka_unit_test(too_many_levels_fail_the_writer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
