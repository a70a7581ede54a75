#include "settings/ini.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "settings/profiles.h"
#include "settings/shell_words.h"

/* ---- what a file says ---- */

/* Sections as "[name]", values as "key@line=text|", blocks in braces. */
static void show_values(struct luaws_buf *out, const struct luaws_ini_value *v) {
  for (; v; v = v->next) {
    luaws_buf_printf(out, "%.*s@%u=", LUAWS_STR_ARG(v->key), v->line);
    if (v->is_block) {
      luaws_buf_append_char(out, '{');
      show_values(out, v->first);
      luaws_buf_append_char(out, '}');
    } else {
      luaws_buf_append_str(out, v->text);
    }
    luaws_buf_append_char(out, '|');
  }
}

static void show(struct luaws_buf *out, const struct luaws_ini_section *s) {
  luaws_buf_append_cstr(out, "");
  for (; s; s = s->next) {
    luaws_buf_printf(out, "[%.*s]", LUAWS_STR_ARG(s->name));
    show_values(out, s->first);
  }
}

static const struct {
  const char *text, *expected;
} files[] = {
    {"", ""},
    {"\n\n# only\n ; comments\n", ""},
    {"[a]\nk=v\n", "[a]k@2=v|"},
    {"[a]\nK : v # w\n", "[a]k@2=v # w|"},
    {"[a]\nk = 1\n  2\n\n  # no\n  3\nl = 4", "[a]k@2=1\n2\n\n3|l@7=4|"},
    {"[a]\n  k = 1\n  l = 2\n", "[a]k@2=1|l@3=2|"},
    {"[a]\nk =\nl =  \n", "[a]k@2=|l@3=|"},
    {"[a]\ns3 =\n  x = 1\n\n  # c\n  Y=2=3\n", "[a]s3@2={x@3=1|Y@6=2=3|}|"},
    {"[a]\ns3 =\n  x = 1\n  y = 2\n  x = 3\n", "[a]s3@2={x@5=3|y@4=2|}|"},
    {"[a]b]c\nk=v", "[a]b]k@2=v|"},
    {"[DEFAULT]\nk=v\n[a]\nl=w\n[DEFAULT]\nm=x\n", "[a]l@4=w|"},
    {"[a]\r\nk=v\r\n\rl=w\r", "[a]k@2=v|l@4=w|"},
    {"[a]\nk\xc2\xa0=\xe3\x80\x80v\xc2\x85\n", "[a]k@2=v|"},
};

static void a_file_is_read_as_python_reads_it(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    struct luaws_ini ini = {0};
    struct luaws_buf shown = {0};
    struct luaws_error err = {0};
    int rc = luaws_ini_parse(&ini, LUAWS_STR("f"), luaws_str_from(files[i].text), &err);
    assert_int_equal(rc, 0);
    show(&shown, ini.first);
    assert_string_equal(shown.ptr, files[i].expected);
    luaws_buf_clear(&shown);
    luaws_ini_clear(&ini);
  }
}

static const struct {
  const char *text, *message;
} mistakes[] = {
    {"k = v\n", "line 1: text before the first section"},
    {"\xef\xbb\xbf[a]\n",
     "line 1: a byte order mark: the file must be UTF-8 without one"},
    {"[a]\nk = hush\nk = hush\n", "line 3: a second time the key \"k\""},
    {"[a]\nk = 1\nK = 2\n", "line 3: a second time the key \"k\""},
    {"[a]\n[b]\n[a]\n", "line 3: a second section \"a\""},
    {"[DEFAULT]\nk=1\n[DEFAULT]\nk=2\n", "line 4: a second time the key \"k\""},
    {"[a]\n\nhush\n", "line 3: neither key and value nor a section"},
    {"[a\n", "line 1: a section without \"]\" behind its name"},
    {"[a]\nk = 1\n[b\nk = hush\n", "line 3: a section without \"]\" behind its name"},
    {"[]\n", "line 1: a section without a name"},
    {"\n\xef\xbb\xbf[a]\n", "line 2: text before the first section"},
    {"[a]\n = hush\n", "line 2: no key before the value"},
    {"[a]\ns3 =\n  x = 1\n\n  hush\n", "line 5: no \"=\" in a line of the block \"s3\""},
    {"[a]\nk = \xff\n", "line 2: not UTF-8"},
    {"[a]\nk = \xed\xa0\x80\n", "line 2: not UTF-8"},
    {"[a]\nk = \xc0\xaf\n", "line 2: not UTF-8"},
};

static void a_mistake_is_told_with_file_and_line_and_without_values(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
    struct luaws_ini ini = {0};
    struct luaws_error err = {0};
    char expected[200];
    snprintf(expected, sizeof expected, "Unable to parse config file: /f, %s",
             mistakes[i].message);
    struct luaws_str text = luaws_str_from(mistakes[i].text);
    assert_int_equal(luaws_ini_parse(&ini, LUAWS_STR("/f"), text, &err), LUAWS_E_CONFIG);
    assert_string_equal(err.kind, "ConfigParseError");
    assert_string_equal(err.message, expected);
    assert_null(strstr(err.message, "hush"));
    luaws_error_clear(&err);
    luaws_ini_clear(&ini);
  }
}

static void a_file_that_cannot_be_read_is_empty(void **state) {
  static const char *const paths[] = {"/no/such/file", "/tmp", "", "/dev/null"};
  (void)state;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    struct luaws_ini ini = {0};
    assert_int_equal(luaws_ini_load(&ini, luaws_str_from(paths[i]), NULL), 0);
    assert_false(ini.found);
    assert_null(ini.first);
    luaws_ini_clear(&ini);
  }
}

/* The kernel refuses to read this one, which counts as a plain file. */
static void what_reading_breaks_off_of_is_told(void **state) {
  struct luaws_ini ini = {0};
  (void)state;
  assert_int_equal(luaws_ini_load(&ini, LUAWS_STR("/proc/self/mem"), NULL), 0);
  assert_true(ini.found);
  assert_int_equal(ini.unreadable, EIO);
  assert_null(ini.first);
  luaws_ini_clear(&ini);
}

/* ---- words ---- */

static const struct {
  const char *line, *words; /* joined by "|"; NULL: refused */
} lines[] = {
    {"", ""},
    {"  \t ", ""},
    {"a b  c", "a|b|c"},
    {"profile 'a b'", "profile|a b"},
    {"\"a\\\"b\\\\c\\d\" 'e\\'", "a\"b\\c\\d|e\\"},
    {"a\\ b #c", "a b|#c"},
    {"a''b \"\"", "ab|"},
    {"a'b c'd", "ab cd"},
    {"a\"b", NULL},
    {"a 'b", NULL},
    {"a\\", NULL},
    {"\"a\\", NULL},
};

static void a_line_is_split_as_a_shell_does(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    struct luaws_arena arena = {0};
    struct luaws_str *words = NULL;
    struct luaws_buf joined = {0};
    size_t count = 0;
    bool ok = luaws_shell_split(&arena, luaws_str_from(lines[i].line), &words, &count);
    assert_int_equal(ok, lines[i].words != NULL);
    luaws_buf_append_cstr(&joined, "");
    for (size_t k = 0; ok && k < count; k++) {
      if (k) luaws_buf_append_char(&joined, '|');
      luaws_buf_append_str(&joined, words[k]);
    }
    if (ok) assert_string_equal(joined.ptr, lines[i].words);
    luaws_buf_clear(&joined);
    luaws_arena_clear(&arena);
  }
}

/* ---- both files ---- */

static struct luaws_str write_temporary(char *path, const char *text) {
  strcpy(path, "/tmp/luaws-ini-XXXXXX");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
  return luaws_str_from(path);
}

static void
credentials_are_laid_over_profiles_and_leave_the_config_as_it_was(void **state) {
  char config[32], credentials[32];
  struct luaws_profiles p = {0};
  struct luaws_buf all = {0}, own = {0};
  (void)state;
  struct luaws_str c = write_temporary(
      config,
      "[default]\nregion=r\noutput=o\n[profile b]\nx=1\n[sso-session s]\ny=2\n"
      "[services v]\nec2 =\n  endpoint_url = u\n[preview]\nz=3\n[profile]\nw=4\n");
  struct luaws_str k =
      write_temporary(credentials, "[default]\nregion=k\nsecret=t\n[new]\nn=1\n");
  assert_int_equal(luaws_profiles_load(&p, c, k, NULL), 0);
  show(&all, p.profiles);
  assert_string_equal(all.ptr,
                      "[default]region@2=k|output@3=o|secret@3=t|[b]x@5=1|[new]n@5=1|");
  show(&own, p.config_profiles);
  assert_string_equal(own.ptr, "[default]region@2=r|output@3=o|[b]x@5=1|");
  luaws_buf_reset(&all);
  show(&all, p.sso_sessions);
  show(&all, p.services);
  show(&all, p.others);
  assert_string_equal(all.ptr, "[s]y@7=2|[v]ec2@9={endpoint_url@10=u|}|[preview]z@12=3|");
  assert_true(luaws_str_eq(luaws_ini_value(p.profiles->first, "region")->path, k));
  luaws_buf_clear(&all);
  luaws_buf_clear(&own);
  luaws_profiles_clear(&p);
  unlink(config);
  unlink(credentials);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_read_as_python_reads_it),
      cmocka_unit_test(a_mistake_is_told_with_file_and_line_and_without_values),
      cmocka_unit_test(a_file_that_cannot_be_read_is_empty),
      cmocka_unit_test(what_reading_breaks_off_of_is_told),
      cmocka_unit_test(a_line_is_split_as_a_shell_does),
      cmocka_unit_test(credentials_are_laid_over_profiles_and_leave_the_config_as_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
