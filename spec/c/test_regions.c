/* endpoints.json as packed; scripts/walk-endpoints --regions compares all of it with
   botocore, these are the cases worth naming. */
#include "endpoint/regions.h"

#include "models_fixture.h"

static int open_models(void **state) {
  return open_models_with(state, LUAWS_SECTION_ENDPOINTS);
}

static void resolves_regions_as_a_client_does(void **state) {
  const struct fixture *f = *state;
  static const struct {
    const char *service, *region;
    bool dualstack, fips;
    const char *name, *hostname, *partition, *signing_region; /* or kind, message */
  } cases[] = {
      {"ec2", "us-west-2", 0, 0, "us-west-2", "ec2.us-west-2.amazonaws.com", "aws",
       "us-west-2"},
      {"ec2", "cn-north-1", 0, 0, "cn-north-1", "ec2.cn-north-1.amazonaws.com.cn",
       "aws-cn", "cn-north-1"},
      {"ec2", "us-new-7", 0, 0, "us-new-7", "ec2.us-new-7.amazonaws.com", "aws",
       "us-new-7"},
      {"ec2", "mars-north-1", 0, 0, "mars-north-1", "ec2.mars-north-1.amazonaws.com",
       "aws", "mars-north-1"},
      {"iam", "us-west-2", 0, 0, "aws-global", "iam.amazonaws.com", "aws", "us-east-1"},
      {"iam", NULL, 0, 0, "aws-global", "iam.amazonaws.com", "aws", "us-east-1"},
      {"iam", "cn-north-1", 0, 0, "aws-cn-global", "iam.cn-north-1.amazonaws.com.cn",
       "aws-cn", "cn-north-1"},
      {"s3", "eu-west-1", 1, 0, "eu-west-1", "s3.dualstack.eu-west-1.amazonaws.com",
       "aws", "eu-west-1"},
      {"s3", NULL, 1, 0, "us-east-1", "s3.dualstack.us-east-1.amazonaws.com", "aws",
       "us-east-1"},
      {"sqs", "us-east-1", 0, 1, "us-east-1", "sqs-fips.us-east-1.amazonaws.com", "aws",
       "us-east-1"},
      {"ec2", "eu-north-1", 1, 1, "eu-north-1", "ec2-fips.eu-north-1.api.aws", "aws",
       "eu-north-1"},
      {"ec2", NULL, 0, 0, NULL, "NoRegionError",
       "You must specify a region. It may be region_name in code, AWS_REGION, or region "
       "in the profile.",
       NULL},
      {"ec2", "us-isof-south-1", 1, 0, NULL, "EndpointVariantError",
       "Unable to construct a modeled endpoint with the following variant(s) "
       "['dualstack']: Endpoint does not exist for ec2 in region us-isof-south-1",
       NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_arena arena = {0};
    struct luaws_error err = {0};
    struct luaws_region_result r;
    struct luaws_region_request request = {.service = luaws_str_from(cases[i].service),
                                           .region = luaws_str_from(cases[i].region),
                                           .dualstack = cases[i].dualstack,
                                           .fips = cases[i].fips};
    int rc = luaws_region_for_client(f->part, &request, &arena, &r, &err);
    if (!cases[i].name) {
      assert_int_equal(rc, LUAWS_E_ENDPOINT);
      assert_string_equal(err.kind, cases[i].hostname);
      assert_string_equal(err.message, cases[i].partition);
    } else if (rc || !luaws_str_is(r.region, cases[i].name) ||
               !luaws_str_is(r.hostname, cases[i].hostname) ||
               !luaws_str_is(r.partition, cases[i].partition) ||
               !luaws_str_is(r.signing_region, cases[i].signing_region)) {
      fail_msg("%s %s: %.*s %.*s %.*s %s", cases[i].service,
               cases[i].region ? cases[i].region : "-", LUAWS_STR_ARG(r.region),
               LUAWS_STR_ARG(r.hostname), LUAWS_STR_ARG(r.signing_region),
               luaws_error_message(&err));
    }
    luaws_error_clear(&err);
    luaws_arena_clear(&arena);
  }
}

static void knows_the_partition_of_a_region(void **state) {
  const struct fixture *f = *state;
  static const struct {
    const char *region, *partition;
  } cases[] = {
      {"us-east-1", "aws"},
      {"eu-future-9", "aws"},
      {"cn-north-1", "aws-cn"},
      {"us-gov-east-1", "aws-us-gov"},
      {"us-iso-east-1", "aws-iso"},
      {"us-isob-east-1", "aws-iso-b"},
      {"eu-isoe-west-1", "aws-iso-e"},
      {"us-isof-south-1", "aws-iso-f"},
      {"eusc-de-east-1", "aws-eusc"},
      {"mars-north-1", NULL},
      {"", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_error err = {0};
    struct luaws_str name = LUAWS_STR_NONE;
    int rc =
        luaws_partition_for_region(f->part, luaws_str_from(cases[i].region), &name, &err);
    if (cases[i].partition) {
      assert_int_equal(rc, 0);
      assert_true(luaws_str_is(name, cases[i].partition));
    } else {
      assert_int_equal(rc, LUAWS_E_ENDPOINT);
      assert_string_equal(err.kind, "UnknownRegionError");
    }
    luaws_error_clear(&err);
  }
}

static size_t count_regions(const struct luaws_node *endpoints,
                            struct luaws_regions_query query) {
  size_t n = 0;
  for (uint32_t at = 0; luaws_regions_next(endpoints, &query, &at).ptr;)
    n++;
  return n;
}

static void lists_the_regions_of_a_service(void **state) {
  const struct luaws_node *e = ((struct fixture *)*state)->part;
  struct luaws_str s3 = LUAWS_STR("s3");
  size_t regional = count_regions(e, (struct luaws_regions_query){.service = s3});
  size_t all = count_regions(
      e, (struct luaws_regions_query){.service = s3, .allow_non_regional = true});
  size_t fips =
      count_regions(e, (struct luaws_regions_query){.service = s3, .fips = true});
  assert_true(regional > 30);
  assert_true(all > regional);
  assert_true(fips > 0 && fips < regional);
  assert_int_equal(
      count_regions(e, (struct luaws_regions_query){.service = LUAWS_STR("nothing")}), 0);
  assert_int_equal(
      count_regions(
          e, (struct luaws_regions_query){.service = s3, .partition = LUAWS_STR("none")}),
      0);
}

static void lists_partitions(void **state) {
  const struct luaws_node *e = ((struct fixture *)*state)->part;
  uint32_t count = 0;
  while (luaws_partition_at(e, count).ptr)
    count++;
  assert_int_equal(count, 8);
  assert_true(luaws_str_is(luaws_partition_at(e, 0), "aws"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resolves_regions_as_a_client_does),
      cmocka_unit_test(knows_the_partition_of_a_region),
      cmocka_unit_test(lists_the_regions_of_a_service),
      cmocka_unit_test(lists_partitions),
  };
  return cmocka_run_group_tests(tests, open_models, close_models);
}
