/* The model pack and one part of it that belongs to no service, as cmocka's state. */
#ifndef SPEC_MODELS_FIXTURE_H
#define SPEC_MODELS_FIXTURE_H

#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

struct fixture {
  struct luaws_pack *pack;
  struct luaws_models *models;
  const struct luaws_node *part; /* as it was asked for */
};

static int open_models_with(void **state, enum luaws_section_type kind) {
  struct fixture *f = calloc(1, sizeof *f);
  struct luaws_error err = {0};
  const void *part;
  if (luaws_pack_open(LUAWS_DATA_DIR "/models.pack", &f->pack, &err))
    fail_msg("%s", luaws_error_message(&err));
  f->models = luaws_models_new(f->pack);
  assert_int_equal(
      luaws_models_find(f->models, kind, LUAWS_STR_NONE, LUAWS_STR_NONE, &part, &err), 0);
  f->part = part;
  *state = f;
  return 0;
}

static int close_models(void **state) {
  struct fixture *f = *state;
  luaws_models_free(f->models);
  luaws_pack_release(f->pack);
  free(f);
  return 0;
}

#endif
