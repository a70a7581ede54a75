/* Checksums: the check values that their definitions publish for "123456789", and pieces
 * of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/encode.h"
#include "http/aws_chunked.h"
#include "http/checksum.h"
#include "http/crc.h"
#include "http/range_sum.h"

static struct luaws_str value(enum luaws_checksum_algorithm a, const char *data,
                              size_t len, size_t piece, struct luaws_buf *out) {
  struct luaws_checksum *c = luaws_checksum_new(a);
  for (size_t i = 0; i < len; i += piece)
    luaws_checksum_update(c, data + i, len - i < piece ? len - i : piece);
  luaws_buf_reset(out);
  luaws_checksum_finish(c, out);
  luaws_checksum_free(c);
  return luaws_buf_str(out);
}

static void published_check_values(void **state) {
  static const struct {
    const char *name, *hex;
  } cases[] = {
      {"crc32", "cbf43926"},
      {"CRC32C", "e3069283"},
      {"CRC64NVME", "ae8b14860a799888"},
      {"sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
      {"SHA256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
      {"MD5", "25f9e794323b453885f5181f1b624d0b"},
      {"XXHASH64", "8cb841db40e6ae83"}};
  struct luaws_buf text = {0}, bytes = {0}, hex = {0};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    enum luaws_checksum_algorithm a = luaws_checksum_find(luaws_str_from(cases[i].name));
    assert_int_not_equal(a, LUAWS_CHECKSUM_ALGORITHMS);
    luaws_buf_reset(&bytes);
    luaws_buf_reset(&hex);
    assert_true(luaws_base64_decode(&bytes, value(a, "123456789", 9, 9, &text)));
    luaws_hex_encode(&hex, luaws_buf_str(&bytes));
    assert_string_equal(hex.ptr, cases[i].hex);
  }
  luaws_buf_clear(&text);
  luaws_buf_clear(&bytes);
  luaws_buf_clear(&hex);
}

static void pieces_do_not_matter(void **state) {
  enum { SIZE = 10007 };
  char *data = malloc(SIZE);
  for (int i = 0; i < SIZE; i++)
    data[i] = (char)(i * 31 + i / 7);
  struct luaws_buf whole = {0}, parts = {0};
  for (int a = 0; a < LUAWS_CHECKSUM_ALGORITHMS; a++) {
    struct luaws_str w =
        value((enum luaws_checksum_algorithm)a, data, SIZE, SIZE, &whole);
    assert_true(w.len > 0);
    for (size_t piece = 1; piece < 40; piece += 6) {
      value((enum luaws_checksum_algorithm)a, data, SIZE, piece, &parts);
      assert_string_equal(whole.ptr, parts.ptr);
    }
  }
  luaws_buf_clear(&whole);
  luaws_buf_clear(&parts);
  free(data);
}

/* However the processor does it, at every length around its steps and from any sum. */
static void crc64nvme_is_that_of_the_tables(void **state) {
  enum { SIZE = 700 };
  unsigned char data[SIZE];
  for (int i = 0; i < SIZE; i++)
    data[i] = (unsigned char)(i * 73 + i / 5);
  uint64_t before = 0;
  for (size_t len = 0; len < SIZE; len++) {
    uint64_t expected = luaws_crc64nvme_tables(before, data + len % 3, len - len % 3);
    assert_int_equal(luaws_crc64nvme(before, data + len % 3, len - len % 3), expected);
    before = expected;
  }
}

static const enum luaws_checksum_algorithm CRCS[] = {
    LUAWS_CHECKSUM_CRC32, LUAWS_CHECKSUM_CRC32C, LUAWS_CHECKSUM_CRC64NVME};

enum { OBJECT = 5000 };

static const char *object(void) {
  static char data[OBJECT];
  for (int i = 0; i < OBJECT && !data[OBJECT - 1]; i++)
    data[i] = (char)(i * 151 + i / 9);
  return data;
}

/* Of every length of the second around a few powers of two, and of none. */
static void two_sums_make_that_of_both(void **state) {
  const char *data = object();
  for (size_t i = 0; i < sizeof CRCS / sizeof *CRCS; i++) {
    uint64_t whole = luaws_checksum_crc(CRCS[i], 0, data, OBJECT);
    for (size_t len = 0; len <= OBJECT; len += len < 300 ? 1 : 97) {
      uint64_t first = luaws_checksum_crc(CRCS[i], 0, data, OBJECT - len);
      uint64_t second = luaws_checksum_crc(CRCS[i], 0, data + OBJECT - len, len);
      assert_int_equal(luaws_checksum_crc_combine(CRCS[i], first, second, len), whole);
    }
  }
}

/* What is behind them may be longer than any memory: zlib's crc32_combine, and, for the
   others, twice the half. */
static void sums_of_very_long_stretches_combine(void **state) {
  uint64_t tib = UINT64_C(5) << 40;
  assert_int_equal(luaws_crc32_combine(0xcbf43926, 0x12345678, tib),
                   crc32_combine(0xcbf43926, 0x12345678, (z_off_t)tib));
  for (size_t i = 0; i < sizeof CRCS / sizeof *CRCS; i++) {
    uint64_t once = luaws_checksum_crc_combine(CRCS[i], 0xcbf43926, 0, tib / 2);
    assert_int_equal(luaws_checksum_crc_combine(CRCS[i], once, 0, tib / 2),
                     luaws_checksum_crc_combine(CRCS[i], 0xcbf43926, 0, tib));
  }
}

/* Appends the CRC of a stretch, as AWS writes it but for the base64. */
static void append_crc(enum luaws_checksum_algorithm a, const char *ptr, size_t len,
                       struct luaws_buf *out) {
  struct luaws_buf text = {0};
  value(a, ptr, len, len ? len : 1, &text);
  luaws_base64_decode(out, luaws_buf_str(&text));
  luaws_buf_clear(&text);
}

/* Adds a range in pieces. */
static void sum_up(struct luaws_range_sum *s, size_t end, size_t piece) {
  for (size_t at = (size_t)s->at; at < end; at += piece)
    luaws_range_sum_add(s, object() + at, end - at < piece ? end - at : piece);
  assert_int_equal(s->at, end);
}

/* Sums up the object in ranges of this size. */
static void sum_ranges(struct luaws_range_sum *all, size_t range, size_t piece) {
  for (size_t first = 0; first < OBJECT; first += range) {
    size_t end = first + range < OBJECT ? first + range : OBJECT;
    struct luaws_range_sum s = *all;
    s.pieces = (struct luaws_buf){0};
    sum_up(&s, end, piece);
    luaws_range_sum_join(all, &s);
    assert_int_equal(all->at, end);
    luaws_buf_clear(&s.pieces);
  }
}

static void check_ranges(enum luaws_checksum_algorithm a, size_t range, size_t part) {
  struct luaws_buf expected = {0}, made = {0};
  size_t step = part ? part : OBJECT;
  for (size_t first = 0; first < OBJECT; first += step)
    append_crc(a, object() + first, OBJECT - first < step ? OBJECT - first : step,
               &expected);
  static const size_t pieces[] = {7, 512, OBJECT};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    struct luaws_range_sum all = {.algorithm = a, .part_size = (int64_t)part};
    sum_ranges(&all, range, pieces[i]);
    luaws_buf_reset(&made);
    luaws_range_sum_crcs(&all, &made);
    assert_int_equal(made.len, expected.len);
    assert_memory_equal(made.ptr, expected.ptr, expected.len);
    luaws_buf_clear(&all.pieces);
  }
  luaws_buf_clear(&expected);
  luaws_buf_clear(&made);
}

/* Whether ranges are parts, lie within them, span them, or end anywhere else. */
static void ranges_make_the_sums_of_parts(void **state) {
  static const size_t ranges[] = {61, 100, 500, 512, 999, 1000, 1001, 2500, OBJECT};
  static const size_t parts[] = {0, 43, 100, 333, 500, 1000, 4999, OBJECT, OBJECT + 1};
  for (size_t i = 0; i < sizeof CRCS / sizeof *CRCS; i++)
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
      for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        check_ranges(CRCS[i], ranges[r], parts[p]);
}

static void read_all(const struct luaws_stream *s, struct luaws_buf *out, size_t piece) {
  int64_t position = 0;
  char *local = malloc(piece);
  ptrdiff_t n;
  luaws_buf_reset(out);
  while ((n = luaws_stream_read(s, &position, local, piece, NULL)) > 0)
    luaws_buf_append(out, local, (size_t)n);
  free(local);
  assert_int_equal(n, 0);
  int64_t at = 1;
  assert_int_equal(luaws_stream_rewind(s, &at, NULL), 0);
}

static void a_chunked_body_ends_with_its_checksum(void **state) {
  struct luaws_str text = LUAWS_STR("123456789");
  struct luaws_stream s = {.kind = LUAWS_STREAM_BYTES, .bytes = text, .length = 9};
  struct luaws_buf out = {0};
  assert_int_equal(luaws_aws_chunked_wrap(&s, LUAWS_CHECKSUM_CRC32, NULL), 0);
  for (size_t piece = 1; piece < 50; piece += 7) { /* each time from its start */
    read_all(&s, &out, piece);
    assert_string_equal(out.ptr,
                        "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n");
  }
  luaws_stream_release(&s);
  s = (struct luaws_stream){.kind = LUAWS_STREAM_NONE};
  assert_int_equal(luaws_aws_chunked_wrap(&s, LUAWS_CHECKSUM_CRC32, NULL), 0);
  read_all(&s, &out, 100);
  assert_string_equal(out.ptr, "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
  luaws_stream_release(&s);
  luaws_buf_clear(&out);
}

static void check_long_body(size_t piece) {
  enum { SIZE = 300000 };
  char *data = malloc(SIZE);
  memset(data, 'x', SIZE);
  struct luaws_stream s = {
      .kind = LUAWS_STREAM_BYTES, .bytes = {data, SIZE}, .length = SIZE};
  struct luaws_buf out = {0}, plain = {0};
  assert_int_equal(luaws_aws_chunked_wrap(&s, LUAWS_CHECKSUM_SHA256, NULL), 0);
  read_all(&s, &out, piece);
  const char *p = out.ptr;
  for (;;) {
    char *end;
    unsigned long n = strtoul(p, &end, 16);
    assert_memory_equal(end, "\r\n", 2);
    if (n == 0) break;
    luaws_buf_append(&plain, end + 2, n);
    p = end + 2 + n + 2;
  }
  assert_int_equal(plain.len, SIZE);
  assert_memory_equal(plain.ptr, data, SIZE);
  luaws_stream_release(&s);
  luaws_buf_clear(&out);
  luaws_buf_clear(&plain);
  free(data);
}

/* In pieces of a chunk, and in chunks as large as there is room. */
static void a_long_body_has_many_chunks(void **state) {
  static const size_t pieces[] = {1000, 8191, 8192, 8213, 65524, 65536, 1 << 20};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
    check_long_body(pieces[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_check_values),
      cmocka_unit_test(pieces_do_not_matter),
      cmocka_unit_test(crc64nvme_is_that_of_the_tables),
      cmocka_unit_test(two_sums_make_that_of_both),
      cmocka_unit_test(sums_of_very_long_stretches_combine),
      cmocka_unit_test(ranges_make_the_sums_of_parts),
      cmocka_unit_test(a_chunked_body_ends_with_its_checksum),
      cmocka_unit_test(a_long_body_has_many_chunks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
