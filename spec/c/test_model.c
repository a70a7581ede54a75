/* Packs, whole and broken; the sets that look into folders first; and what the compiler
   makes of AWS's models and of models nobody would write. */
#include "model/build.h"
#include "model/docs.h"
#include "model/model.h"
#include "model/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>
#include <cmocka.h>

#define PACK LUAWS_DATA_DIR "/models.pack"
#define DOCS LUAWS_DATA_DIR "/docs.pack"
#define NONE LUAWS_STR_NONE

/* ---- files of a test ---- */

static char folder[64]; /* of the running test */

static int make_folder(void **state) {
  snprintf(folder, sizeof folder, "/tmp/luaws-model-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  return system(command);
}

/* Good until the function has been called three times more. */
static const char *path_of(const char *name) {
  static char paths[4][256];
  static unsigned turn;
  char *path = paths[turn++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static const char *in_folder(const char *name) {
  char *path = (char *)path_of(name);
  for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
    *p = 0;
    mkdir(path, 0777);
    *p = '/';
  }
  return path;
}

static void write_bytes(const char *path, const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  assert_int_equal(fclose(f), 0);
}

static void write_text(const char *name, const char *text) {
  write_bytes(in_folder(name), text, strlen(text));
}

static struct luaws_buf read_bytes(const char *path) {
  struct luaws_buf b = {0};
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  char part[65536];
  size_t n;
  while ((n = fread(part, 1, sizeof part, f)) > 0)
    luaws_buf_append(&b, part, n);
  fclose(f);
  assert_false(b.failed);
  return b;
}

/* ---- shorthand ---- */

static struct luaws_pack *open_pack(const char *path) {
  struct luaws_pack *pack;
  struct luaws_error err = {0};
  if (luaws_pack_open(path, &pack, &err)) fail_msg("%s", luaws_error_message(&err));
  return pack;
}

static struct luaws_models *open_models(const char *path) {
  struct luaws_pack *pack = path ? open_pack(path) : NULL;
  struct luaws_models *m = luaws_models_new(pack);
  assert_non_null(m);
  luaws_pack_release(pack);
  return m;
}

static const void *find(struct luaws_models *m, enum luaws_section_type type,
                        const char *service, const char *version) {
  const void *section;
  struct luaws_error err = {0};
  if (luaws_models_find(m, type, luaws_str_from(service), luaws_str_from(version),
                        &section, &err)) {
    fail_msg("%s", luaws_error_message(&err));
  }
  return section;
}

static void assert_fails(struct luaws_models *m, enum luaws_section_type type,
                         const char *service, const char *version, const char *kind,
                         const char *message) {
  const void *section;
  struct luaws_error err = {0};
  int rc = luaws_models_find(m, type, luaws_str_from(service), luaws_str_from(version),
                             &section, &err);
  assert_int_equal(rc, LUAWS_E_MODEL);
  assert_string_equal(err.kind, kind);
  if (!strstr(luaws_error_message(&err), message)) {
    fail_msg("'%s' is not in '%s'", message, luaws_error_message(&err));
  }
  luaws_error_clear(&err);
}

static void assert_text(luaws_ref const *ref, const char *expected) {
  struct luaws_str s = luaws_ref_text(ref);
  if (!luaws_str_is(s, expected))
    fail_msg("'%.*s', not '%s'", LUAWS_STR_ARG(s), expected);
}

static const struct luaws_member *member(const struct luaws_service *s, const char *shape,
                                         const char *name) {
  const struct luaws_shape *found = luaws_service_shape(s, luaws_str_from(shape));
  assert_non_null(found);
  const struct luaws_member *m = luaws_shape_member(found, luaws_str_from(name));
  assert_non_null(m);
  return m;
}

/* ---- the pack of AWS's models ---- */

static void the_pack_knows_every_service(void **state) {
  struct luaws_models *m = open_models(PACK);
  struct luaws_str next = NONE, before = LUAWS_STR("");
  size_t services = 0, operations = 0;
  while ((next = luaws_models_next_service(m, LUAWS_SECTION_SERVICE, next)).ptr) {
    assert_true(luaws_str_cmp(before, next) < 0);
    before = next;
    services++;
    char name[128];
    snprintf(name, sizeof name, "%.*s", LUAWS_STR_ARG(next));
    const struct luaws_service *s = find(m, LUAWS_SECTION_SERVICE, name, NULL);
    assert_text(&s->name, name);
    for (uint32_t i = 0; i < s->operation_count; i++, operations++) {
      const struct luaws_operation *op = luaws_service_method_at(s, i);
      assert_ptr_equal(luaws_service_method(s, luaws_ref_text(&op->method_name)), op);
      assert_ptr_equal(luaws_service_operation(s, luaws_ref_text(&op->name)), op);
    }
  }
  assert_true(services > 400);
  assert_true(operations > 18000);
  luaws_models_free(m);
}

static void every_member_is_found_by_its_names(void **state) {
  struct luaws_models *m = open_models(PACK);
  const struct luaws_service *s = find(m, LUAWS_SECTION_SERVICE, "ec2", NULL);
  const struct luaws_shape *shapes = luaws_ref_get(&s->shapes);
  for (uint32_t i = 0; i < s->shape_count; i++) {
    assert_ptr_equal(luaws_service_shape(s, luaws_ref_text(&shapes[i].name)), &shapes[i]);
    if (shapes[i].type != LUAWS_TYPE_STRUCTURE) continue;
    unsigned hint = 0;
    for (unsigned j = 0; j < shapes[i].member_count; j++) {
      const struct luaws_member *x = luaws_shape_member_at(&shapes[i], j);
      struct luaws_str wire = luaws_ref_text(&x->wire_name);
      assert_ptr_equal(luaws_shape_member(&shapes[i], luaws_ref_text(&x->name)), x);
      assert_ptr_equal(luaws_shape_wire_member(&shapes[i], wire, &hint), x);
      assert_int_equal(hint, j + 1);
      assert_ptr_equal(luaws_shape_wire_member(&shapes[i], wire, NULL), x);
    }
    assert_null(luaws_shape_member(&shapes[i], LUAWS_STR("nobody has this")));
    assert_null(luaws_shape_wire_member(&shapes[i], LUAWS_STR("nor this"), &hint));
  }
  assert_null(luaws_service_shape(s, LUAWS_STR("NoSuchShape")));
  assert_null(luaws_service_operation(s, LUAWS_STR("NoSuchOperation")));
  assert_null(luaws_service_method(s, LUAWS_STR("no_such_method")));
  luaws_models_free(m);
}

static void sdk_extras_are_part_of_the_models(void **state) {
  struct luaws_models *m = open_models(PACK);
  const struct luaws_service *s3 = find(m, LUAWS_SECTION_SERVICE, "s3", NULL);
  assert_int_equal(luaws_service_shape(s3, LUAWS_STR("Expires"))->type,
                   LUAWS_TYPE_TIMESTAMP);
  const struct luaws_service *rds = find(m, LUAWS_SECTION_SERVICE, "rds", NULL);
  member(rds, "CopyDBSnapshotMessage", "SourceRegion");
  const struct luaws_service *eks = find(m, LUAWS_SECTION_SERVICE, "eks", NULL);
  assert_text(&eks->service_id, "EKS");
  luaws_models_free(m);
}

static void a_bucket_at_the_front_of_a_uri_is_left_to_the_endpoint(void **state) {
  struct luaws_models *m = open_models(PACK);
  const struct luaws_service *s3 = find(m, LUAWS_SECTION_SERVICE, "s3", NULL);
  const struct luaws_operation *op = luaws_service_method(s3, LUAWS_STR("put_object"));
  const struct luaws_uri_part *parts = luaws_ref_get(&op->path);
  assert_true(op->flags & LUAWS_OP_LABEL_IN_ENDPOINT);
  assert_int_equal(op->path_count, 2);
  assert_text(&parts[0].literal, "/");
  assert_int_equal(parts[0].member, -1);
  assert_true(parts[1].greedy);
  const struct luaws_shape *input = luaws_ref_get(&op->input);
  assert_text(&luaws_shape_member_at(input, (unsigned)parts[1].member)->name, "Key");
  op = luaws_service_method(s3, LUAWS_STR("list_objects_v2"));
  parts = luaws_ref_get(&op->path);
  assert_int_equal(op->path_count, 1);
  assert_text(&parts[0].literal, "/");
  assert_text(&op->query, "list-type=2");
  assert_text(&op->request_uri, "/{Bucket}?list-type=2");
  luaws_models_free(m);
}

static void the_newest_version_is_chosen_unless_another_is_asked_for(void **state) {
  struct luaws_models *m = open_models(PACK);
  const struct luaws_service *s = find(m, LUAWS_SECTION_SERVICE, "ec2", NULL);
  assert_text(&s->api_version, "2016-11-15");
  s = find(m, LUAWS_SECTION_SERVICE, "ec2", "2015-03-01");
  assert_text(&s->api_version, "2015-03-01");
  const void *section;
  struct luaws_str chosen;
  assert_int_equal(luaws_models_find_version(m, LUAWS_SECTION_SERVICE,
                                             LUAWS_STR("cloudwatch"), NONE, &section,
                                             &chosen, NULL),
                   0);
  assert_true(luaws_str_is(chosen, "2010-08-01"));
  struct luaws_str first =
      luaws_models_next_version(m, LUAWS_SECTION_SERVICE, LUAWS_STR("ec2"), NONE);
  assert_true(luaws_str_is(first, "2014-09-01"));
  assert_fails(m, LUAWS_SECTION_SERVICE, "ec2", "2000-01-01", "DataNotFoundError",
               "Unable to load data for: ec2/2000-01-01/service-2");
  luaws_models_free(m);
}

static void a_misspelt_service_is_told_the_nearest_names(void **state) {
  struct luaws_models *m = open_models(PACK);
  assert_fails(m, LUAWS_SECTION_SERVICE, "dynamdb", NULL, "UnknownServiceError",
               "Unknown service: 'dynamdb'. Did you mean: dynamodb? Valid service names "
               "are: accessanalyzer, account, ");
  assert_fails(m, LUAWS_SECTION_SERVICE, "qqqqqqqqqqqqqqq", NULL, "UnknownServiceError",
               "Unknown service: 'qqqqqqqqqqqqqqq'. Valid service names are: ");
  assert_fails(m, LUAWS_SECTION_RESOURCES, "kms", NULL, "UnknownServiceError",
               "Valid service names are: cloudformation, cloudwatch, dynamodb, ec2, ");
  luaws_models_free(m);
}

static void other_files_are_packed_json(void **state) {
  struct luaws_models *m = open_models(PACK);
  const struct luaws_node *waiters = find(m, LUAWS_SECTION_WAITERS, "ec2", NULL);
  const struct luaws_node *waiter = luaws_node_get(
      luaws_node_get(waiters, LUAWS_STR("waiters")), LUAWS_STR("InstanceRunning"));
  assert_int_equal(luaws_node_get(waiter, LUAWS_STR("delay"))->integer, 15);
  const struct luaws_node *acceptors = luaws_node_get(waiter, LUAWS_STR("acceptors"));
  assert_true(luaws_str_is(
      luaws_node_text(luaws_node_get(luaws_node_at(acceptors, 0), LUAWS_STR("expected"))),
      "running"));
  assert_null(luaws_node_at(acceptors, acceptors->count));
  assert_null(luaws_node_get(acceptors, LUAWS_STR("x")));
  assert_null(luaws_node_get(waiter, LUAWS_STR("x")));
  const struct luaws_node *partitions = find(m, LUAWS_SECTION_PARTITIONS, NULL, NULL);
  assert_non_null(luaws_node_get(partitions, LUAWS_STR("partitions")));
  find(m, LUAWS_SECTION_ENDPOINTS, NULL, NULL);
  find(m, LUAWS_SECTION_DEFAULTS, NULL, NULL);
  luaws_models_free(m);
}

static void documentation_lies_in_the_second_pack(void **state) {
  struct luaws_models *m = open_models(DOCS);
  struct luaws_docs *docs;
  const void *section = find(m, LUAWS_SECTION_DOCS, "ec2", NULL);
  assert_int_equal(luaws_docs_open(section, &docs, NULL), 0);
  assert_true(luaws_docs_service(docs).len > 0);
  struct luaws_str words = luaws_docs_operation(docs, LUAWS_STR("RunInstances"));
  assert_true(luaws_str_starts(words, LUAWS_STR("<p>Launches the specified number")));
  assert_true(luaws_docs_shape(docs, LUAWS_STR("Instance")).len > 0);
  assert_true(
      luaws_docs_member(docs, LUAWS_STR("Instance"), LUAWS_STR("InstanceId")).len > 0);
  assert_null(luaws_docs_operation(docs, LUAWS_STR("NoSuchOperation")).ptr);
  assert_null(luaws_docs_member(docs, LUAWS_STR("Instance"), LUAWS_STR("No")).ptr);
  luaws_docs_free(docs);
  const struct luaws_node *examples = find(m, LUAWS_SECTION_EXAMPLES, "s3", NULL);
  assert_non_null(luaws_node_get(examples, LUAWS_STR("examples")));
  luaws_models_free(m);
}

/* ---- broken packs ---- */

static void assert_no_pack(const char *path, const char *message) {
  struct luaws_pack *pack;
  struct luaws_error err = {0};
  assert_int_equal(luaws_pack_open(path, &pack, &err), LUAWS_E_MODEL);
  assert_null(pack);
  assert_string_equal(err.kind, "DataNotFoundError");
  const char *text = luaws_error_message(&err);
  assert_int_equal(strncmp(text, path, strlen(path)), 0);
  if (!strstr(text, message)) fail_msg("'%s' is not in '%s'", message, text);
  luaws_error_clear(&err);
}

static void what_is_no_pack_is_refused(void **state) {
  assert_no_pack(path_of("missing"), "No such file");
  assert_no_pack(folder, "no model pack");
  write_text("empty", "");
  assert_no_pack(path_of("empty"), "no model pack");
  write_text("foreign", "{\"version\": \"2.0\", \"metadata\": {}}");
  assert_no_pack(path_of("foreign"), "no model pack");
  write_text("short", "luaws");
  assert_no_pack(path_of("short"), "no model pack");
  write_text("magic", LUAWS_PACK_MAGIC);
  assert_no_pack(path_of("magic"), "truncated");
  struct luaws_pack_header h = {.magic = LUAWS_PACK_MAGIC,
                                .version = LUAWS_PACK_VERSION + 1};
  write_bytes(path_of("version"), &h, sizeof h);
  assert_no_pack(path_of("version"), "another version");
  h.version = LUAWS_PACK_VERSION;
  write_bytes(path_of("zeros"), &h, sizeof h);
  assert_no_pack(path_of("zeros"), "longer than it should be");
}

static void a_pack_cut_anywhere_is_refused(void **state) {
  struct luaws_buf whole = read_bytes(PACK);
  const char *path = path_of("cut");
  write_bytes(path, whole.ptr, whole.len);
  for (size_t size = (whole.len - 1) & ~(size_t)4095; size > 0; size -= 4096) {
    assert_int_equal(truncate(path, (off_t)size), 0);
    assert_no_pack(path, "truncated");
  }
  for (size_t size = sizeof(struct luaws_pack_header); size > 8; size--) {
    assert_int_equal(truncate(path, (off_t)size), 0);
    assert_no_pack(path, "truncated");
  }
  luaws_buf_clear(&whole);
}

static void a_flipped_bit_is_noticed(void **state) {
  struct luaws_buf whole = read_bytes(PACK);
  const struct luaws_pack_header *h = (const void *)whole.ptr;
  const char *path = path_of("flipped");
  write_bytes(path, whole.ptr, whole.len);
  FILE *f = fopen(path, "r+b");
  struct luaws_pack *pack;
  for (size_t at = 8; at < h->head_size; at += at < 128 ? 1 : 211) {
    fseek(f, (long)at, SEEK_SET);
    fputc(whole.ptr[at] ^ 4, f);
    fflush(f);
    assert_int_equal(luaws_pack_open(path, &pack, NULL), LUAWS_E_MODEL);
    fseek(f, (long)at, SEEK_SET);
    fputc(whole.ptr[at], f);
    fflush(f);
  }
  /* In a section: only who asks for that section is told. */
  const struct luaws_pack_entry *entries = luaws_ref_get(&h->entries);
  for (uint32_t i = 0; i < h->entry_count; i += 97) {
    if (entries[i].type != LUAWS_SECTION_SERVICE) continue;
    size_t at = entries[i].offset + entries[i].size / 3;
    fseek(f, (long)at, SEEK_SET);
    fputc(whole.ptr[at] ^ 1, f);
    fflush(f);
    struct luaws_models *m = open_models(path);
    char service[128], version[64];
    snprintf(service, sizeof service, "%.*s",
             LUAWS_STR_ARG(luaws_ref_text(&entries[i].service)));
    snprintf(version, sizeof version, "%.*s",
             LUAWS_STR_ARG(luaws_ref_text(&entries[i].version)));
    assert_fails(m, LUAWS_SECTION_SERVICE, service, version, "DataNotFoundError",
                 "is damaged");
    find(m, LUAWS_SECTION_PARTITIONS, NULL, NULL);
    luaws_models_free(m);
    fseek(f, (long)at, SEEK_SET);
    fputc(whole.ptr[at], f);
    fflush(f);
  }
  fclose(f);
  luaws_buf_clear(&whole);
}

/* A directory that contradicts itself although its checksum is right. */
static void a_forged_directory_is_refused(void **state) {
  struct luaws_buf whole = read_bytes(PACK);
  struct luaws_pack_header *h = (void *)whole.ptr;
  struct luaws_pack_entry *entries = (void *)luaws_ref_get(&h->entries);
  uint32_t *const fields[] = {(uint32_t *)&h->entries,
                              (uint32_t *)&h->source,
                              &h->entry_count,
                              &h->head_size,
                              (uint32_t *)&entries[7].service,
                              (uint32_t *)&entries[7].version,
                              &entries[7].type,
                              &entries[7].offset,
                              &entries[7].size};
  static const uint32_t values[] = {0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffff0};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
      uint32_t before = *fields[i], head = h->head_size;
      *fields[i] = values[j];
      h->head_checksum = 0;
      if (h->head_size == head) h->head_checksum = XXH3_64bits(whole.ptr, head);
      write_bytes(path_of("forged"), whole.ptr, whole.len);
      struct luaws_pack *pack;
      assert_int_equal(luaws_pack_open(path_of("forged"), &pack, NULL), LUAWS_E_MODEL);
      *fields[i] = before;
    }
  }
  luaws_buf_clear(&whole);
}

/* ---- building ---- */

static const char small_model[] =
    "{\"metadata\":{\"apiVersion\":\"2020-01-01\",\"protocol\":\"rest-json\","
    "\"endpointPrefix\":\"small\",\"serviceId\":\"Small Thing\","
    "\"serviceFullName\":\"Amazon Small-Thing (AWS)\"},"
    "\"documentation\":\"what it is\","
    "\"operations\":{\"GetThing\":{\"http\":{\"method\":\"GET\","
    "\"requestUri\":\"/things/{id}/x?a=b\"},\"input\":{\"shape\":\"In\"},"
    "\"output\":{\"shape\":\"Out\",\"resultWrapper\":\"W\"},"
    "\"errors\":[{\"shape\":\"Gone\"}],\"documentation\":\"gets\"}},"
    "\"shapes\":{"
    "\"In\":{\"type\":\"structure\",\"required\":[\"Id\"],\"members\":{"
    "\"Id\":{\"shape\":\"S\",\"location\":\"uri\",\"locationName\":\"id\"},"
    "\"When\":{\"shape\":\"T\"},\"Again\":{\"shape\":\"In\",\"documentation\":\"more\"}}}"
    ","
    "\"Out\":{\"type\":\"structure\",\"members\":{\"Body\":{\"shape\":\"B\"}},"
    "\"payload\":\"Body\"},"
    "\"Gone\":{\"type\":\"structure\",\"members\":{},\"exception\":true,"
    "\"error\":{\"code\":\"Gone.Thing\",\"httpStatusCode\":410}},"
    "\"S\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"],\"min\":2},"
    "\"T\":{\"type\":\"timestamp\",\"timestampFormat\":\"iso8601\"},"
    "\"B\":{\"type\":\"blob\",\"streaming\":true}}}";

static void build_to(const char *models, const char *docs) {
  struct luaws_source source = {0};
  struct luaws_error err = {0};
  assert_int_equal(luaws_source_add(&source, luaws_str_from(path_of("data")), &err), 0);
  if (luaws_models_build(&source, models, docs, &err)) {
    fail_msg("%s", luaws_error_message(&err));
  }
  luaws_source_clear(&source);
}

static void a_model_is_compiled_with_all_it_says(void **state) {
  write_text("data/small/2020-01-01/service-2.json", small_model);
  build_to(path_of("models.pack"), path_of("docs.pack"));
  struct luaws_models *m = open_models(path_of("models.pack"));
  const struct luaws_service *s = find(m, LUAWS_SECTION_SERVICE, "small", NULL);
  assert_text(&s->class_name, "SmallThing");
  assert_text(&s->hyphen_id, "small-thing");
  assert_text(&s->signing_name, "small");
  assert_int_equal(s->protocol, LUAWS_PROTOCOL_REST_JSON);
  const struct luaws_operation *op = luaws_service_method(s, LUAWS_STR("get_thing"));
  assert_int_equal(op->flags, LUAWS_OP_STREAM_OUT);
  assert_text(&op->query, "a=b");
  const struct luaws_uri_part *path = luaws_ref_get(&op->path);
  assert_int_equal(op->path_count, 3);
  assert_text(&path[0].literal, "/things/");
  assert_int_equal(path[1].member, 0);
  assert_text(&path[2].literal, "/x");
  const struct luaws_operation_extra *extra = luaws_ref_get(&op->extra);
  assert_text(&extra->result_wrapper, "W");
  const struct luaws_member *when = member(s, "In", "When");
  assert_int_equal(when->timestamp_format, LUAWS_TIMESTAMP_ISO8601);
  assert_ptr_equal(luaws_member_shape(member(s, "In", "Again")),
                   luaws_service_shape(s, LUAWS_STR("In")));
  const struct luaws_member *id = member(s, "In", "Id");
  assert_int_equal(id->flags, LUAWS_MEMBER_REQUIRED | LUAWS_MEMBER_HAS_LOCATION_NAME);
  assert_text(&id->wire_name, "id");
  const struct luaws_shape_extra *x = luaws_shape_extra(luaws_member_shape(id));
  assert_true(x->has_min && x->min == 2.0);
  const uint32_t *values = luaws_ref_get(&x->enum_values);
  assert_int_equal(values[0], 2);
  assert_text((const luaws_ref *)values + 2, "b");
  const struct luaws_shape *out = luaws_service_shape(s, LUAWS_STR("Out"));
  assert_text(&luaws_shape_payload(out)->name, "Body");
  assert_true(luaws_shape_payload(out)->flags & LUAWS_MEMBER_STREAMING);
  const struct luaws_shape *gone = luaws_service_error(s, LUAWS_STR("Gone.Thing"));
  assert_text(&gone->name, "Gone");
  assert_int_equal(luaws_shape_extra(gone)->http_status, 410);
  assert_null(luaws_service_error(s, LUAWS_STR("Gone")));
  luaws_models_free(m);

  m = open_models(path_of("docs.pack"));
  struct luaws_docs *docs;
  assert_int_equal(
      luaws_docs_open(find(m, LUAWS_SECTION_DOCS, "small", NULL), &docs, NULL), 0);
  struct luaws_buf all = {0};
  luaws_docs_dump(docs, &all);
  assert_string_equal(all.ptr, "{\"\": \"what it is\",\n\"o/GetThing\": \"gets\",\n"
                               "\"s/In/Again\": \"more\"}");
  luaws_buf_clear(&all);
  luaws_docs_free(docs);
  luaws_models_free(m);
}

static void the_same_models_give_the_same_bytes(void **state) {
  static const char *const order[][3] = {{"x", "y", "z"}, {"z", "x", "y"}};
  char name[64];
  for (int round = 0; round < 2; round++) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s/data'", folder);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 3; i++) {
      snprintf(name, sizeof name, "data/%s/2020-01-01/service-2.json", order[round][i]);
      write_text(name, small_model);
    }
    write_text("data/partitions.json", "{\"partitions\":[]}");
    build_to(path_of(round ? "b.pack" : "a.pack"), NULL);
  }
  struct luaws_buf first = read_bytes(path_of("a.pack")),
                   second = read_bytes(path_of("b.pack"));
  assert_true(luaws_str_eq(luaws_buf_str(&first), luaws_buf_str(&second)));
  luaws_buf_clear(&first);
  luaws_buf_clear(&second);
}

static void a_failed_build_leaves_the_old_file(void **state) {
  write_text("data/bad/2020-01-01/service-2.json", "{\"shapes\":");
  write_text("models.pack", "old");
  struct luaws_source source = {0};
  struct luaws_error err = {0};
  assert_int_equal(luaws_source_add(&source, luaws_str_from(path_of("data")), &err), 0);
  assert_int_equal(luaws_models_build(&source, path_of("models.pack"), NULL, &err),
                   LUAWS_E_MODEL);
  assert_non_null(strstr(luaws_error_message(&err),
                         "data/bad/2020-01-01/service-2.json: the text ends too early: "
                         "line 1 column 11"));
  luaws_error_clear(&err);
  luaws_source_clear(&source);
  struct luaws_buf old = read_bytes(path_of("models.pack"));
  assert_string_equal(old.ptr, "old");
  luaws_buf_clear(&old);
}

static void models_nobody_would_write_do_no_harm(void **state) {
  static const struct {
    const char *model;
    const char *problem; /* NULL: it compiles */
  } rows[] = {
      {"{}", NULL},
      {"[]", "is no JSON object"},
      {"null", "is no JSON object"},
      {"{\"metadata\":null,\"operations\":3,\"shapes\":[]}", NULL},
      {"{\"metadata\":{\"protocols\":[\"new\"],\"xmlNamespace\":7},\"shapes\":{}}", NULL},
      {"{\"operations\":{\"A\":null}}", NULL},
      {"{\"operations\":{\"A\":{\"http\":{\"requestUri\":\"a{b\"}}}}", NULL},
      {"{\"operations\":{\"A\":{\"http\":{\"requestUri\":\"/{b}\"}}}}", "label 'b'"},
      {"{\"operations\":{\"A\":{\"input\":{}}}}", "no shape for 'input'"},
      {"{\"operations\":{\"A\":{\"input\":{\"shape\":\"X\"}}}}", "missing shape 'X'"},
      {"{\"operations\":{\"A\":{\"errors\":[3]}}}", "'A' has no shape for"},
      {"{\"shapes\":{\"A\":1}}", "unknown type ''"},
      {"{\"shapes\":{\"A\":{\"type\":\"thing\"}}}", "unknown type 'thing'"},
      {"{\"shapes\":{\"A\":{\"type\":\"list\"}}}", "'A' has no shape"},
      {"{\"shapes\":{\"A\":{\"type\":\"map\",\"key\":{\"shape\":\"A\"}}}}", "no shape"},
      {"{\"shapes\":{\"A\":{\"type\":\"list\",\"member\":{\"shape\":\"A\"}}}}", NULL},
      {"{\"shapes\":{\"A\":{\"type\":\"structure\",\"members\":{\"B\":{\"shape\":\"C\"}}}"
       "}}",
       "'A' refers to the missing shape 'C'"},
      {"{\"shapes\":{\"A\":{\"type\":\"structure\",\"payload\":\"B\"}}}",
       "no member for its payload 'B'"},
      {"{\"shapes\":{\"A\":{\"type\":\"structure\",\"members\":5,\"required\":{}}}}",
       NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    write_text("data/odd/1/service-2.json", rows[i].model);
    struct luaws_models *m = luaws_models_new(NULL);
    assert_int_equal(luaws_models_add_folder(m, luaws_str_from(path_of("data")), NULL),
                     0);
    const void *section;
    struct luaws_error err = {0};
    int rc = luaws_models_find(m, LUAWS_SECTION_SERVICE, LUAWS_STR("odd"), NONE, &section,
                               &err);
    const char *message = luaws_error_message(&err);
    if (!rows[i].problem != (rc == 0)) fail_msg("%s: %s", rows[i].model, message);
    if (rc && !(strstr(message, rows[i].problem) &&
                strstr(message, "data/odd/1/service-2.json: "))) {
      fail_msg("%s: %s", rows[i].model, message);
    }
    luaws_error_clear(&err);
    luaws_models_free(m);
  }
}

/* ---- folders ---- */

static struct luaws_models *with_folders(const char *pack, const char *const *names) {
  struct luaws_models *m = open_models(pack);
  for (; *names; names++) {
    struct luaws_error err = {0};
    if (luaws_models_add_folder(m, luaws_str_from(path_of(*names)), &err)) {
      fail_msg("%s", luaws_error_message(&err));
    }
  }
  return m;
}

static const char *model_called(const char *name) {
  static char text[256];
  snprintf(text, sizeof text, "{\"metadata\":{\"apiVersion\":\"%s\"}}", name);
  return text;
}

static void the_first_folder_wins_and_versions_are_united(void **state) {
  static const char *const folders[] = {"one", "two", "not-there", NULL};
  write_text("one/thing/2020-01-01/service-2.json", model_called("one"));
  write_text("two/thing/2020-01-01/service-2.json", model_called("two"));
  write_text("two/thing/2021-01-01/service-2.json", model_called("two, newer"));
  write_text("two/thing/2019-01-01/waiters-2.json", "{\"waiters\":{}}");
  write_text("two/ec2/2030-01-01/service-2.json", model_called("future"));
  write_text("two/ec2/not-a-model.txt", "x");
  write_text("one/partitions.json", "{\"mine\":true}");
  struct luaws_models *m = with_folders(PACK, folders);
  const struct luaws_service *s = find(m, LUAWS_SECTION_SERVICE, "thing", "2020-01-01");
  assert_text(&s->api_version, "one");
  assert_ptr_equal(find(m, LUAWS_SECTION_SERVICE, "thing", "2020-01-01"), s);
  s = find(m, LUAWS_SECTION_SERVICE, "thing", NULL);
  assert_text(&s->api_version, "two, newer");
  const void *section;
  struct luaws_str chosen;
  luaws_models_find_version(m, LUAWS_SECTION_WAITERS, LUAWS_STR("thing"), NONE, &section,
                            &chosen, NULL);
  assert_true(luaws_str_is(chosen, "2019-01-01"));
  s = find(m, LUAWS_SECTION_SERVICE, "ec2", NULL);
  assert_text(&s->api_version, "future");
  luaws_models_find_version(m, LUAWS_SECTION_PAGINATORS, LUAWS_STR("ec2"), NONE, &section,
                            &chosen, NULL);
  assert_true(luaws_str_is(chosen, "2016-11-15"));
  assert_non_null(
      luaws_node_get(find(m, LUAWS_SECTION_PARTITIONS, NULL, NULL), LUAWS_STR("mine")));
  struct luaws_str v = NONE;
  static const char *const versions[] = {"2020-01-01", "2021-01-01"};
  for (int i = 0; i < 2; i++) {
    v = luaws_models_next_version(m, LUAWS_SECTION_SERVICE, LUAWS_STR("thing"), v);
    assert_true(luaws_str_is(v, versions[i]));
  }
  assert_null(
      luaws_models_next_version(m, LUAWS_SECTION_SERVICE, LUAWS_STR("thing"), v).ptr);
  struct luaws_str next =
      luaws_models_next_service(m, LUAWS_SECTION_SERVICE, LUAWS_STR("textract"));
  assert_true(luaws_str_is(next, "thing"));
  luaws_models_free(m);
}

static void extras_come_from_any_folder_and_from_the_pack(void **state) {
  static const char *const folders[] = {"one", "two", NULL};
  write_text("one/thing/1/service-2.json",
             "{\"metadata\":{\"serviceId\":\"A\"},\"shapes\":{\"S\":{\"type\":"
             "\"string\"}}}");
  write_text("two/thing/1/service-2.sdk-extras.json",
             "{\"version\":1.0,\"merge\":{\"metadata\":{\"serviceId\":\"B\"},\"shapes\":"
             "{\"N\":{\"type\":\"long\"}}}}");
  write_text("one/s3/2006-03-01/service-2.json",
             "{\"metadata\":{},\"shapes\":{\"Expires\":{\"type\":\"string\"}}}");
  write_text("one/sqs/2012-11-05/paginators-1.sdk-extras.json",
             "{\"merge\":{\"pagination\":{\"ListQueues\":{\"limit_key\":\"Mine\"}}}}");
  struct luaws_models *m = with_folders(PACK, folders);
  const struct luaws_service *s = find(m, LUAWS_SECTION_SERVICE, "thing", NULL);
  assert_text(&s->service_id, "B");
  assert_int_equal(luaws_service_shape(s, LUAWS_STR("N"))->type, LUAWS_TYPE_LONG);
  s = find(m, LUAWS_SECTION_SERVICE, "s3", NULL);
  assert_int_equal(s->operation_count, 0);
  assert_int_equal(luaws_service_shape(s, LUAWS_STR("Expires"))->type,
                   LUAWS_TYPE_TIMESTAMP);
  const struct luaws_node *pages = find(m, LUAWS_SECTION_PAGINATORS, "sqs", NULL);
  pages = luaws_node_get(luaws_node_get(pages, LUAWS_STR("pagination")),
                         LUAWS_STR("ListQueues"));
  assert_true(luaws_str_is(luaws_node_text(luaws_node_get(pages, LUAWS_STR("limit_key"))),
                           "Mine"));
  assert_non_null(luaws_node_get(pages, LUAWS_STR("input_token")));
  luaws_models_free(m);
}

static void gzipped_models_are_read(void **state) {
  static const char *const folders[] = {"zip", NULL};
  gzFile f = gzopen(in_folder("zip/thing/1/service-2.json.gz"), "wb");
  gzputs(f, small_model);
  gzclose(f);
  struct luaws_models *m = with_folders(NULL, folders);
  const struct luaws_service *s = find(m, LUAWS_SECTION_SERVICE, "thing", NULL);
  assert_int_equal(s->shape_count, 6);
  luaws_models_free(m);

  struct luaws_buf whole = read_bytes(path_of("zip/thing/1/service-2.json.gz"));
  write_bytes(path_of("zip/thing/1/service-2.json.gz"), whole.ptr, whole.len / 2);
  m = with_folders(NULL, folders);
  assert_fails(m, LUAWS_SECTION_SERVICE, "thing", NULL, "DataNotFoundError",
               "zip/thing/1/service-2.json.gz: ");
  luaws_models_free(m);
  luaws_buf_clear(&whole);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_pack_knows_every_service),
      cmocka_unit_test(every_member_is_found_by_its_names),
      cmocka_unit_test(sdk_extras_are_part_of_the_models),
      cmocka_unit_test(a_bucket_at_the_front_of_a_uri_is_left_to_the_endpoint),
      cmocka_unit_test(the_newest_version_is_chosen_unless_another_is_asked_for),
      cmocka_unit_test(a_misspelt_service_is_told_the_nearest_names),
      cmocka_unit_test(other_files_are_packed_json),
      cmocka_unit_test(documentation_lies_in_the_second_pack),
      IN_FOLDER(what_is_no_pack_is_refused),
      IN_FOLDER(a_pack_cut_anywhere_is_refused),
      IN_FOLDER(a_flipped_bit_is_noticed),
      IN_FOLDER(a_forged_directory_is_refused),
      IN_FOLDER(a_model_is_compiled_with_all_it_says),
      IN_FOLDER(the_same_models_give_the_same_bytes),
      IN_FOLDER(a_failed_build_leaves_the_old_file),
      IN_FOLDER(models_nobody_would_write_do_no_harm),
      IN_FOLDER(the_first_folder_wins_and_versions_are_united),
      IN_FOLDER(extras_come_from_any_folder_and_from_the_pack),
      IN_FOLDER(gzipped_models_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
