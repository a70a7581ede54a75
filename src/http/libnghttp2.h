/* libnghttp2, opened by the first request whose body is a stream of events: libcurl,
   which speaks HTTP/2 by means of it too, does not tell the end of an answer while the
   request is still being sent. */
#ifndef LUAWS_HTTP_LIBNGHTTP2_H
#define LUAWS_HTTP_LIBNGHTTP2_H

#include <nghttp2/nghttp2.h>

#include "base/error.h"

/* The functions in use, named without their "nghttp2_". */
#define LUAWS_NGHTTP2_FUNCTIONS(X)                     \
  X(http2_strerror)                                    \
  X(option_del)                                        \
  X(option_new)                                        \
  X(option_set_no_auto_window_update)                  \
  X(session_callbacks_del)                             \
  X(session_callbacks_new)                             \
  X(session_callbacks_set_on_begin_headers_callback)   \
  X(session_callbacks_set_on_data_chunk_recv_callback) \
  X(session_callbacks_set_on_frame_recv_callback)      \
  X(session_callbacks_set_on_header_callback)          \
  X(session_callbacks_set_on_stream_close_callback)    \
  X(session_client_new2)                               \
  X(session_consume)                                   \
  X(session_del)                                       \
  X(session_mem_recv)                                  \
  X(session_mem_send)                                  \
  X(session_resume_data)                               \
  X(session_set_local_window_size)                     \
  X(session_terminate_session)                         \
  X(session_want_read)                                 \
  X(session_want_write)                                \
  X(submit_ping)                                       \
  X(submit_request)                                    \
  X(submit_rst_stream)                                 \
  X(submit_settings)

struct luaws_nghttp2 {
#define LUAWS_NGHTTP2_MEMBER(name) __typeof__(nghttp2_##name) *name;
  LUAWS_NGHTTP2_FUNCTIONS(LUAWS_NGHTTP2_MEMBER)
#undef LUAWS_NGHTTP2_MEMBER
};

/* Opens it once in a process, from any thread. NULL with LUAWS_E_CONFIG and what is
   missing when it cannot be had. */
const struct luaws_nghttp2 *luaws_nghttp2(struct luaws_error *err);

#endif
