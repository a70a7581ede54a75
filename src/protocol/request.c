#include "protocol/request.h"

#include "base/encode.h"
#include "protocol/scalar.h"

bool luaws_input_enter(struct luaws_serialize *s, const struct luaws_member *m,
                       struct luaws_str *token) {
  struct luaws_reader *r = s->params;
  *token = LUAWS_STR_NONE;
  if (r->ops->enter_member(r, luaws_ref_text(&m->name))) {
    if (r->ops->kind(r) != LUAWS_KIND_NULL) return true;
    r->ops->leave(r);
    return false;
  }
  if ((m->flags & LUAWS_MEMBER_IDEMPOTENCY_TOKEN) && s->idempotency_token) {
    *token = luaws_str_from(s->idempotency_token);
    return true;
  }
  return false;
}

/* ---- paths ---- */

static int missing_label(const struct luaws_member *m, struct luaws_error *err) {
  return luaws_error_set(err, LUAWS_E_ARGUMENT, "ParamValidationError",
                         "Parameter validation failed:\nMissing required parameter in "
                         "input: \"%.*s\"",
                         LUAWS_STR_ARG(luaws_ref_text(&m->name)));
}

/* Appends the text of a member that is part of a path or a host. */
static int append_label(struct luaws_serialize *s, const struct luaws_member *m,
                        struct luaws_error *err) {
  struct luaws_str token;
  if (!luaws_input_enter(s, m, &token)) return missing_label(m, err);
  if (token.ptr) {
    luaws_buf_append_str(s->body, token);
    return 0;
  }
  struct luaws_time_style style =
      luaws_time_style(m, LUAWS_TIMESTAMP_ISO8601, s->millisecond_timestamps);
  int rc = luaws_scalar_text(s->body, s->params, luaws_member_shape(m), style, err);
  s->params->ops->leave(s->params);
  return rc;
}

/* Takes what was written to the body since mark off again, into the arena. */
static int take_text(struct luaws_serialize *s, size_t mark, struct luaws_str *out,
                     struct luaws_error *err) {
  if (s->body->failed) return luaws_error_memory(err);
  *out = luaws_arena_str(s->request->arena,
                         luaws_str_sub(luaws_buf_str(s->body), mark, s->body->len));
  luaws_buf_truncate(s->body, mark);
  return out->ptr ? 0 : luaws_error_memory(err);
}

static int expand_path(struct luaws_serialize *s, struct luaws_str *out,
                       struct luaws_error *err) {
  const struct luaws_operation *op = s->operation;
  const struct luaws_uri_part *parts = luaws_ref_get(&op->path);
  const struct luaws_shape *input = luaws_ref_get(&op->input);
  size_t mark = s->body->len;
  for (int i = 0; i < op->path_count; i++) {
    if (parts[i].member < 0) {
      luaws_buf_append_str(s->body, luaws_ref_text(&parts[i].literal));
      continue;
    }
    size_t from = s->body->len;
    struct luaws_str label;
    int rc =
        append_label(s, luaws_shape_member_at(input, (unsigned)parts[i].member), err);
    if (rc == 0) rc = take_text(s, from, &label, err);
    if (rc) return rc;
    luaws_percent_encode(s->body, label, parts[i].greedy ? "/" : NULL);
  }
  return take_text(s, mark, out, err);
}

int luaws_request_join_path(struct luaws_request *r, struct luaws_str path,
                            struct luaws_error *err) {
  if (path.len == 0 || luaws_str_is(path, "/")) {
    if (r->path.len == 0) r->path = LUAWS_STR("/");
    return 0;
  }
  struct luaws_str own = r->path;
  if (own.len && own.ptr[own.len - 1] == '/' && path.ptr[0] == '/') own.len--;
  char *joined = luaws_arena_alloc(r->arena, own.len + path.len + 1);
  if (!joined) return luaws_error_memory(err);
  if (own.len) memcpy(joined, own.ptr, own.len);
  memcpy(joined + own.len, path.ptr, path.len);
  r->path = (struct luaws_str){joined, own.len + path.len};
  return 0;
}

int luaws_request_join_query(struct luaws_request *r, struct luaws_str encoded,
                             struct luaws_error *err) {
  if (encoded.len == 0) return 0;
  size_t sep = r->query.len > 0;
  char *joined = luaws_arena_alloc(r->arena, r->query.len + sep + encoded.len + 1);
  if (!joined) return luaws_error_memory(err);
  if (sep) {
    memcpy(joined, r->query.ptr, r->query.len);
    joined[r->query.len] = '&';
  }
  memcpy(joined + r->query.len + sep, encoded.ptr, encoded.len);
  r->query = (struct luaws_str){joined, r->query.len + sep + encoded.len};
  return 0;
}

/* ---- the host ---- */

static bool is_host_label(struct luaws_str s) {
  for (size_t i = 0; i < s.len; i++) {
    char c = s.ptr[i];
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (!ok) return false;
  }
  return s.len > 0;
}

int luaws_request_host_prefix(struct luaws_serialize *s, struct luaws_error *err) {
  const struct luaws_operation *op = s->operation;
  const struct luaws_operation_extra *extra = luaws_ref_get(&op->extra);
  if (op->host_prefix_count == 0 || !extra) return 0;
  const struct luaws_uri_part *parts = luaws_ref_get(&extra->host_prefix);
  const struct luaws_shape *input = luaws_ref_get(&op->input);
  size_t mark = s->body->len;
  for (int i = 0; i < op->host_prefix_count; i++) {
    if (parts[i].member < 0) {
      luaws_buf_append_str(s->body, luaws_ref_text(&parts[i].literal));
      continue;
    }
    const struct luaws_member *m =
        luaws_shape_member_at(input, (unsigned)parts[i].member);
    size_t from = s->body->len;
    int rc = append_label(s, m, err);
    if (rc) return rc;
    if (!is_host_label(luaws_str_sub(luaws_buf_str(s->body), from, s->body->len))) {
      return luaws_error_set(err, LUAWS_E_ARGUMENT, "ParamValidationError",
                             "Parameter validation failed:\nInvalid value for "
                             "parameter(s): %.*s. Must contain only alphanumeric "
                             "characters, hyphen, or period.",
                             LUAWS_STR_ARG(luaws_ref_text(&m->name)));
    }
  }
  if (s->inject_host_prefix) luaws_buf_append_str(s->body, s->request->host);
  struct luaws_str host;
  int rc = take_text(s, mark, &host, err);
  if (rc == 0 && s->inject_host_prefix) s->request->host = host;
  return rc;
}

/* ---- the whole ---- */

static void set_method(struct luaws_serialize *s) {
  struct luaws_str method = luaws_ref_text(&s->operation->http_method);
  s->request->method = method.len ? method : LUAWS_STR("POST");
}

int luaws_request_start_rpc(struct luaws_serialize *s, struct luaws_error *err) {
  set_method(s);
  int rc = luaws_request_host_prefix(s, err);
  return rc ? rc : luaws_request_join_path(s->request, LUAWS_STR("/"), err);
}

int luaws_request_start(struct luaws_serialize *s, struct luaws_error *err) {
  struct luaws_request *r = s->request;
  struct luaws_str path;
  set_method(s);
  int rc = luaws_request_host_prefix(s, err);
  if (rc == 0) rc = expand_path(s, &path, err);
  if (rc == 0) rc = luaws_request_join_path(r, path, err);
  if (rc == 0)
    rc = luaws_request_join_query(r, luaws_ref_text(&s->operation->query), err);
  return rc;
}

int luaws_request_finish(struct luaws_serialize *s, struct luaws_error *err) {
  if (s->body->failed) return luaws_error_memory(err);
  struct luaws_str body = luaws_buf_str(s->body);
  s->request->body = (struct luaws_stream){
      .kind = LUAWS_STREAM_BYTES, .length = (int64_t)body.len, .bytes = body};
  return 0;
}
