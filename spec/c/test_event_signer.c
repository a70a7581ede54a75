/* Signatures and frames of events that are sent. The signatures were made with Python's
   hmac and hashlib, after AWS's description of event stream signing: there are no
   published ones. */
#include "protocol/event_frame.h"
#include "sign/sign.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/encode.h"

static void put_date(struct luaws_buf *out, int64_t time_s) {
  struct luaws_event_header date = {.name = LUAWS_STR(":date"),
                                    .type = LUAWS_EVENT_HEADER_TIMESTAMP,
                                    .integer = time_s * 1000};
  luaws_buf_reset(out);
  assert_true(luaws_event_put_header(out, &date));
}

/* The request's own signature, the first, is what its header says. */
static struct luaws_request request_with(struct luaws_arena *arena, const char *text) {
  struct luaws_request r = {.arena = arena, .headers.arena = arena};
  if (text)
    luaws_headers_add(&r.headers, LUAWS_STR("Authorization"), luaws_str_from(text));
  return r;
}

static void signs_each_event_after_the_one_before(void **state) {
  static const struct {
    int64_t time_s;
    struct luaws_str payload;
    const char *signature;
  } events[] = {
      {1422172800, LUAWS_STR("first message"),
       "86908c31196b5ff56a782de06f8f5c44e57f3f52e04e87f7c8960829c351a2a8"},
      {1422259199, LUAWS_STR("\0\xff"),
       "c3a2fdfd45f9b22741e412b248ae602422b41c3708d6f8f900549aeddb57ee4e"},
      {1422259200, LUAWS_STR(""),
       "f188b33cc495b8cfd6dcaef03602ab88d3c7a32a6625c82d1873823b996e4e3f"},
  };
  struct luaws_arena arena = {0};
  struct luaws_buf headers = {0}, hex = {0};
  struct luaws_error err = {0};
  struct luaws_request r = request_with(
      &arena, "AWS4-HMAC-SHA256 Credential=AK/20150125/us-east-1/lex/aws4_request, "
              "SignedHeaders=host, Signature="
              "19b25856e1c150ca834cffc8b59b23adbd0ec0389e58eb22b3b64768098d002b");
  struct luaws_event_signer s = {
      .secret_key = LUAWS_STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
      .region = LUAWS_STR("us-east-1"),
      .service = LUAWS_STR("lex"),
      .cache = luaws_key_cache_new()};
  assert_int_equal(luaws_event_signer_begin(&s, &r, &err), 0);
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    unsigned char signature[LUAWS_EVENT_SIGNATURE_BYTES];
    put_date(&headers, events[i].time_s);
    assert_int_equal(luaws_event_signer_sign(&s, events[i].time_s,
                                             luaws_buf_str(&headers), events[i].payload,
                                             signature, &err),
                     0);
    luaws_buf_reset(&hex);
    luaws_hex_encode(&hex, (struct luaws_str){(char *)signature, sizeof signature});
    assert_string_equal(hex.ptr, events[i].signature);
  }
  luaws_key_cache_free(s.cache);
  luaws_buf_clear(&headers);
  luaws_buf_clear(&hex);
  luaws_arena_clear(&arena);
}

static void follows_only_a_request_that_is_signed(void **state) {
  static const char *const headers[] = {
      NULL,
      "Bearer abc",
      "AWS4-HMAC-SHA256 Credential=AK, SignedHeaders=host, Signature=abc",
      "AWS4-ECDSA-P256-SHA256 Credential=AK, SignedHeaders=host, Signature="
      "19b25856e1c150ca834cffc8b59b23adbd0ec0389e58eb22b3b64768098d002b",
  };
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    struct luaws_arena arena = {0};
    struct luaws_error err = {0};
    struct luaws_request r = request_with(&arena, headers[i]);
    struct luaws_event_signer s = {0};
    assert_int_equal(luaws_event_signer_begin(&s, &r, &err), LUAWS_E_CREDENTIALS);
    assert_string_equal(err.kind, "UnsupportedSignatureVersionError");
    luaws_error_clear(&err);
    luaws_arena_clear(&arena);
  }
}

static void writes_what_it_reads(void **state) {
  static const struct luaws_event_header headers[] = {
      {.name = LUAWS_STR("a"), .type = LUAWS_EVENT_HEADER_TRUE, .integer = 1},
      {.name = LUAWS_STR("b"), .type = LUAWS_EVENT_HEADER_FALSE},
      {.name = LUAWS_STR("c"), .type = LUAWS_EVENT_HEADER_BYTE, .integer = -1},
      {.name = LUAWS_STR("d"), .type = LUAWS_EVENT_HEADER_SHORT, .integer = -300},
      {.name = LUAWS_STR("e"), .type = LUAWS_EVENT_HEADER_INTEGER, .integer = INT32_MIN},
      {.name = LUAWS_STR("f"), .type = LUAWS_EVENT_HEADER_LONG, .integer = INT64_MIN},
      {.name = LUAWS_STR("g"),
       .type = LUAWS_EVENT_HEADER_BYTES,
       .bytes = LUAWS_STR("\0")},
      {.name = LUAWS_STR("h"),
       .type = LUAWS_EVENT_HEADER_STRING,
       .bytes = LUAWS_STR("t")},
      {.name = LUAWS_STR("i"), .type = LUAWS_EVENT_HEADER_TIMESTAMP, .integer = -1500},
      {.name = LUAWS_STR("j"),
       .type = LUAWS_EVENT_HEADER_UUID,
       .bytes = LUAWS_STR("0123456789abcdef")},
  };
  enum { COUNT = sizeof headers / sizeof *headers };
  struct luaws_buf text = {0}, message = {0};
  struct luaws_error err = {0};
  for (size_t i = 0; i < COUNT; i++)
    assert_true(luaws_event_put_header(&text, &headers[i]));
  assert_int_equal(
      luaws_event_write(&message, luaws_buf_str(&text), LUAWS_STR("payload"), &err), 0);
  struct luaws_event_decoder d = {0};
  struct luaws_event_message m;
  memcpy(luaws_event_decoder_room(&d, message.len), message.ptr, message.len);
  luaws_event_decoder_filled(&d, message.len);
  assert_int_equal(luaws_event_decoder_next(&d, &m, &err), 1);
  assert_int_equal(m.header_count, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    assert_true(luaws_str_eq(m.headers[i].name, headers[i].name));
    assert_int_equal(m.headers[i].type, headers[i].type);
    assert_int_equal(m.headers[i].integer, headers[i].integer);
    assert_true(luaws_str_eq(m.headers[i].bytes, headers[i].bytes));
  }
  assert_true(luaws_str_is(m.payload, "payload"));
  luaws_event_decoder_clear(&d);
  luaws_buf_clear(&text);
  luaws_buf_clear(&message);
}

static void refuses_what_is_too_large(void **state) {
  static char large[LUAWS_EVENT_MAX_PAYLOAD_BYTES + 1];
  struct luaws_buf out = {0};
  struct luaws_error err = {0};
  struct luaws_event_header h = {
      .name = LUAWS_STR("n"), .type = LUAWS_EVENT_HEADER_STRING, .bytes = {large, 32768}};
  assert_false(luaws_event_put_header(&out, &h));
  h.bytes.len--;
  h.name = (struct luaws_str){large, 256};
  assert_false(luaws_event_put_header(&out, &h));
  assert_int_equal(out.len, 0);
  struct luaws_str headers = {large, LUAWS_EVENT_MAX_HEADER_BYTES + 1};
  assert_int_equal(luaws_event_write(&out, headers, LUAWS_STR(""), &err),
                   LUAWS_E_ARGUMENT);
  assert_string_equal(err.kind, "InvalidHeadersLength");
  struct luaws_str payload = {large, sizeof large};
  assert_int_equal(luaws_event_write(&out, LUAWS_STR(""), payload, &err),
                   LUAWS_E_ARGUMENT);
  assert_string_equal(err.kind, "InvalidPayloadLength");
  assert_int_equal(out.len, 0);
  luaws_error_clear(&err);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(signs_each_event_after_the_one_before),
      cmocka_unit_test(follows_only_a_request_that_is_signed),
      cmocka_unit_test(writes_what_it_reads),
      cmocka_unit_test(refuses_what_is_too_large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
