#include "http/failure.h"

static const CURLcode tls_codes[] = {
    CURLE_SSL_CONNECT_ERROR,     CURLE_PEER_FAILED_VERIFICATION,
    CURLE_SSL_CERTPROBLEM,       CURLE_SSL_CIPHER,
    CURLE_SSL_CACERT_BADFILE,    CURLE_SSL_CRL_BADFILE,
    CURLE_SSL_ISSUER_ERROR,      CURLE_SSL_INVALIDCERTSTATUS,
    CURLE_SSL_CLIENTCERT,        CURLE_USE_SSL_FAILED,
    CURLE_SSL_ENGINE_NOTFOUND,   CURLE_SSL_ENGINE_SETFAILED,
    CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_SHUTDOWN_FAILED,
};

/* The peer hung up, or did not speak HTTP. */
static const CURLcode closed_codes[] = {
    CURLE_GOT_NOTHING,
    CURLE_SEND_ERROR,
    CURLE_RECV_ERROR,
    CURLE_PARTIAL_FILE,
    CURLE_HTTP2,
    CURLE_HTTP2_STREAM,
    CURLE_WEIRD_SERVER_REPLY,
    CURLE_UNSUPPORTED_PROTOCOL,
    CURLE_SEND_FAIL_REWIND,
    CURLE_BAD_CONTENT_ENCODING,
};

static bool is_one_of(CURLcode code, const CURLcode *codes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (codes[i] == code) return true;
  }
  return false;
}
#define IS_ONE_OF(code, codes) is_one_of(code, codes, sizeof(codes) / sizeof *(codes))

/* Before the request goes out, everything on the way through a proxy is the proxy's
   failure, but for TLS with the endpoint once the tunnel stands. */
static bool is_proxys(const struct luaws_failure *f, CURLcode code) {
  if (code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY) return true;
  if (!f->proxy || f->requested || !f->easy) return false;
  if (!luaws_str_is(f->request->scheme, "https")) return true;
  long status = 0;
  f->curl->easy_getinfo(f->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  return status / 100 != 2;
}

/* libcurl has limits of its own for a line of the head (which it calls a lack of memory)
   and for all of them. */
static bool is_heads(const struct luaws_failure *f, CURLcode code, const char *reason) {
  if (!f->awaits_head) return false;
  return code == CURLE_OUT_OF_MEMORY || strstr(reason, "Too large response headers");
}

void luaws_failure_explain(const struct luaws_failure *f, CURLcode code,
                           struct luaws_error *err) {
  const struct luaws_request *r = f->request;
  struct luaws_buf url = {0};
  luaws_buf_append_str(&url, r->scheme);
  luaws_buf_append_cstr(&url, "://");
  luaws_buf_append_str(&url, r->host);
  luaws_buf_append_str(&url, r->path);
  const char *endpoint = url.ptr ? url.ptr : "";
  const char *reason =
      f->message && f->message[0] ? f->message : f->curl->easy_strerror(code);

  if (is_heads(f, code, reason)) {
    luaws_error_set(err, LUAWS_E_HTTP, "HTTPClientError",
                    "An HTTP Client raised an unhandled exception: the headers of the "
                    "response are too large");
  } else if (code == CURLE_OUT_OF_MEMORY) {
    luaws_error_memory(err);
  } else if (is_proxys(f, code)) {
    luaws_error_set(err,
                    code == CURLE_OPERATION_TIMEDOUT ? LUAWS_E_TIMEOUT : LUAWS_E_CONNECT,
                    "ProxyConnectionError", "Failed to connect to proxy URL: \"%.*s\"",
                    LUAWS_STR_ARG(f->proxy ? f->proxy->masked : LUAWS_STR("")));
  } else if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT) {
    luaws_error_set(err, LUAWS_E_CONNECT, "EndpointConnectionError",
                    "Could not connect to the endpoint URL: \"%s\"", endpoint);
  } else if (code == CURLE_OPERATION_TIMEDOUT && !f->requested) {
    luaws_error_set(err, LUAWS_E_TIMEOUT, "ConnectTimeoutError",
                    "Connect timeout on endpoint URL: \"%s\"", endpoint);
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    luaws_error_set(err, LUAWS_E_TIMEOUT, "ReadTimeoutError",
                    "Read timeout on endpoint URL: \"%s\"", endpoint);
  } else if (IS_ONE_OF(code, tls_codes)) {
    luaws_error_set(err, LUAWS_E_TLS, "SSLError", "SSL validation failed for %s %s",
                    endpoint, reason);
  } else if (IS_ONE_OF(code, closed_codes)) {
    luaws_error_set(err, LUAWS_E_CLOSED, "ConnectionClosedError",
                    "Connection was closed before we received a valid response from "
                    "endpoint URL: \"%s\".",
                    endpoint);
  } else {
    luaws_error_set(err, LUAWS_E_HTTP, "HTTPClientError",
                    "An HTTP Client raised an unhandled exception: %s", reason);
  }
  luaws_buf_clear(&url);
}
