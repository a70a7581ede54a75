/* The names in the table are facts of botocore's xform_name. */
#include "model/xform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct xform_case {
  const char *name;
  char sep;
  const char *expected;
};

static const struct xform_case cases[] = {
    {"", '_', ""},
    {"", '-', ""},
    {"A", '_', "a"},
    {"A", '-', "a"},
    {"a", '_', "a"},
    {"a", '-', "a"},
    {"s", '_', "s"},
    {"s", '-', "s"},
    {"ListBuckets", '_', "list_buckets"},
    {"ListBuckets", '-', "list-buckets"},
    {"DescribeInstances", '_', "describe_instances"},
    {"DescribeInstances", '-', "describe-instances"},
    {"DescribeDBInstances", '_', "describe_db_instances"},
    {"DescribeDBInstances", '-', "describe-db-instances"},
    {"ListWebACLs", '_', "list_web_acls"},
    {"ListWebACLs", '-', "list-web-acls"},
    {"GatewayARNs", '_', "gateway_arns"},
    {"GatewayARNs", '-', "gateway-arns"},
    {"SomeCNAMEs", '_', "some_cnames"},
    {"SomeCNAMEs", '-', "some-cnames"},
    {"ARNs", '_', "_arns"},
    {"ARNs", '-', "-arns"},
    {"ARNsAndMore", '_', "ar_ns_and_more"},
    {"ARNsAndMore", '-', "ar-ns-and-more"},
    {"As", '_', "as"},
    {"As", '-', "as"},
    {"ABs", '_', "_abs"},
    {"ABs", '-', "-abs"},
    {"HTTPServer", '_', "http_server"},
    {"HTTPServer", '-', "http-server"},
    {"getHTTP", '_', "get_http"},
    {"getHTTP", '-', "get-http"},
    {"Route53", '_', "route53"},
    {"Route53", '-', "route53"},
    {"ec2", '_', "ec2"},
    {"ec2", '-', "ec2"},
    {"IPv6Cidr", '_', "i_pv6_cidr"},
    {"IPv6Cidr", '-', "i-pv6-cidr"},
    {"EC2Instance", '_', "ec2_instance"},
    {"EC2Instance", '-', "ec2-instance"},
    {"S3KeyPrefix", '_', "s3_key_prefix"},
    {"S3KeyPrefix", '-', "s3-key-prefix"},
    {"DescribeSMBFileShares", '_', "describe_smb_file_shares"},
    {"DescribeSMBFileShares", '-', "describe-smb-file-shares"},
    {"already_done", '_', "already_done"},
    {"already_done", '-', "already_done"},
    {"with-dash", '_', "with-dash"},
    {"with-dash", '-', "with-dash"},
    {"GetSMSAttributes", '_', "get_sms_attributes"},
    {"GetSMSAttributes", '-', "get-sms-attributes"},
    {"MFADevice", '_', "mfa_device"},
    {"MFADevice", '-', "mfa-device"},
    {"CreateHapg", '_', "create_hapg"},
    {"CreateHapg", '-', "create-hapg"},
    {"ModifyDBClusterSnapshotAttribute", '_', "modify_db_cluster_snapshot_attribute"},
    {"ModifyDBClusterSnapshotAttribute", '-', "modify-db-cluster-snapshot-attribute"},
    {"X509", '_', "x509"},
    {"X509", '-', "x509"},
    {"aB", '_', "a_b"},
    {"aB", '-', "a-b"},
    {"aBC", '_', "a_bc"},
    {"aBC", '-', "a-bc"},
    {"aBCd", '_', "a_b_cd"},
    {"aBCd", '-', "a-b-cd"},
    {"A1B2c3", '_', "a1_b2c3"},
    {"A1B2c3", '-', "a1-b2c3"},
    {"ListAWSDefaultServiceQuotas", '_', "list_aws_default_service_quotas"},
    {"ListAWSDefaultServiceQuotas", '-', "list-aws-default-service-quotas"},
    {"DescribeVpcClassicLinkDnsSupport", '_', "describe_vpc_classic_link_dns_support"},
    {"DescribeVpcClassicLinkDnsSupport", '-', "describe-vpc-classic-link-dns-support"},
    {"PutBucketACL", '_', "put_bucket_acl"},
    {"PutBucketACL", '-', "put-bucket-acl"},
    {"Ab Cd", '_', "ab _cd"},
    {"Ab Cd", '-', "ab -cd"},
    {"a.Bc", '_', "a._bc"},
    {"a.Bc", '-', "a.-bc"},
    {"UserIDs", '_', "user_ids"},
    {"UserIDs", '-', "user-ids"},
    {"IDs", '_', "_ids"},
    {"IDs", '-', "-ids"},
    {"KeyIDsX", '_', "key_i_ds_x"},
    {"KeyIDsX", '-', "key-i-ds-x"},
    {"_", '_', "_"},
    {"_", '-', "_"},
    {"-", '_', "-"},
    {"-", '-', "-"},
    {"A_Bc", '_', "A_Bc"},
    {"A_Bc", '-', "a_-bc"},
    {"DescribeCacheEngineVersions", '_', "describe_cache_engine_versions"},
    {"DescribeCacheEngineVersions", '-', "describe-cache-engine-versions"},
    {"UpdateIPSet", '_', "update_ip_set"},
    {"UpdateIPSet", '-', "update-ip-set"},
    {"GetICMPTypes", '_', "get_icmp_types"},
    {"GetICMPTypes", '-', "get-icmp-types"},
    {"AssociateWhatsAppBusinessAccount", '_', "associate_whatsapp_business_account"},
    {"AssociateWhatsAppBusinessAccount", '-', "associate-whatsapp-business-account"},
    {"CreateCachediSCSIVolume", '_', "create_cached_iscsi_volume"},
    {"CreateCachediSCSIVolume", '-', "create-cached-iscsi-volume"},
    {"CreateStorediSCSIVolume", '_', "create_stored_iscsi_volume"},
    {"CreateStorediSCSIVolume", '-', "create-stored-iscsi-volume"},
    {"CreateWhatsAppMessageTemplate", '_', "create_whatsapp_message_template"},
    {"CreateWhatsAppMessageTemplate", '-', "create-whatsapp-message-template"},
    {"CreateWhatsAppMessageTemplateFromLibrary", '_',
     "create_whatsapp_message_template_from_library"},
    {"CreateWhatsAppMessageTemplateFromLibrary", '-',
     "create-whatsapp-message-template-from-library"},
    {"CreateWhatsAppMessageTemplateMedia", '_', "create_whatsapp_message_template_media"},
    {"CreateWhatsAppMessageTemplateMedia", '-', "create-whatsapp-message-template-media"},
    {"DeleteWhatsAppMessageMedia", '_', "delete_whatsapp_message_media"},
    {"DeleteWhatsAppMessageMedia", '-', "delete-whatsapp-message-media"},
    {"DeleteWhatsAppMessageTemplate", '_', "delete_whatsapp_message_template"},
    {"DeleteWhatsAppMessageTemplate", '-', "delete-whatsapp-message-template"},
    {"DescribeCachediSCSIVolumes", '_', "describe_cached_iscsi_volumes"},
    {"DescribeCachediSCSIVolumes", '-', "describe-cached-iscsi-volumes"},
    {"DescribeStorediSCSIVolumes", '_', "describe_stored_iscsi_volumes"},
    {"DescribeStorediSCSIVolumes", '-', "describe-stored-iscsi-volumes"},
    {"DisassociateWhatsAppBusinessAccount", '_',
     "disassociate_whatsapp_business_account"},
    {"DisassociateWhatsAppBusinessAccount", '-',
     "disassociate-whatsapp-business-account"},
    {"ExecutePartiQLBatch", '_', "execute_partiql_batch"},
    {"ExecutePartiQLBatch", '-', "execute-partiql-batch"},
    {"ExecutePartiQLStatement", '_', "execute_partiql_statement"},
    {"ExecutePartiQLStatement", '-', "execute-partiql-statement"},
    {"ExecutePartiQLTransaction", '_', "execute_partiql_transaction"},
    {"ExecutePartiQLTransaction", '-', "execute-partiql-transaction"},
    {"GetLinkedWhatsAppBusinessAccount", '_', "get_linked_whatsapp_business_account"},
    {"GetLinkedWhatsAppBusinessAccount", '-', "get-linked-whatsapp-business-account"},
    {"GetLinkedWhatsAppBusinessAccountPhoneNumber", '_',
     "get_linked_whatsapp_business_account_phone_number"},
    {"GetLinkedWhatsAppBusinessAccountPhoneNumber", '-',
     "get-linked-whatsapp-business-account-phone-number"},
    {"GetOTelEnrichment", '_', "get_otel_enrichment"},
    {"GetOTelEnrichment", '-', "get-otel-enrichment"},
    {"GetWhatsAppMessageMedia", '_', "get_whatsapp_message_media"},
    {"GetWhatsAppMessageMedia", '-', "get-whatsapp-message-media"},
    {"GetWhatsAppMessageTemplate", '_', "get_whatsapp_message_template"},
    {"GetWhatsAppMessageTemplate", '-', "get-whatsapp-message-template"},
    {"ListHITsForQualificationType", '_', "list_hits_for_qualification_type"},
    {"ListHITsForQualificationType", '-', "list-hits-for-qualification-type"},
    {"ListLinkedWhatsAppBusinessAccounts", '_', "list_linked_whatsapp_business_accounts"},
    {"ListLinkedWhatsAppBusinessAccounts", '-', "list-linked-whatsapp-business-accounts"},
    {"ListWhatsAppMessageTemplates", '_', "list_whatsapp_message_templates"},
    {"ListWhatsAppMessageTemplates", '-', "list-whatsapp-message-templates"},
    {"ListWhatsAppTemplateLibrary", '_', "list_whatsapp_template_library"},
    {"ListWhatsAppTemplateLibrary", '-', "list-whatsapp-template-library"},
    {"PostWhatsAppMessageMedia", '_', "post_whatsapp_message_media"},
    {"PostWhatsAppMessageMedia", '-', "post-whatsapp-message-media"},
    {"PutWhatsAppBusinessAccountEventDestinations", '_',
     "put_whatsapp_business_account_event_destinations"},
    {"PutWhatsAppBusinessAccountEventDestinations", '-',
     "put-whatsapp-business-account-event-destinations"},
    {"SendWhatsAppMessage", '_', "send_whatsapp_message"},
    {"SendWhatsAppMessage", '-', "send-whatsapp-message"},
    {"StartOTelEnrichment", '_', "start_otel_enrichment"},
    {"StartOTelEnrichment", '-', "start-otel-enrichment"},
    {"StopOTelEnrichment", '_', "stop_otel_enrichment"},
    {"StopOTelEnrichment", '-', "stop-otel-enrichment"},
    {"UpdateWhatsAppMessageTemplate", '_', "update_whatsapp_message_template"},
    {"UpdateWhatsAppMessageTemplate", '-', "update-whatsapp-message-template"},
};

static void names_come_out_as_botocore_makes_them(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct luaws_buf out = {0};
    luaws_xform_name(luaws_str_from(cases[i].name), cases[i].sep, &out);
    assert_false(out.failed);
    assert_string_equal(out.ptr ? out.ptr : "", cases[i].expected);
    luaws_buf_clear(&out);
  }
}

static void the_name_is_appended_to_what_is_there(void **state) {
  (void)state;
  struct luaws_buf out = {0};
  luaws_buf_append_cstr(&out, "s3:");
  luaws_xform_name(LUAWS_STR("ListBuckets"), '_', &out);
  assert_string_equal(out.ptr, "s3:list_buckets");
  luaws_buf_clear(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_come_out_as_botocore_makes_them),
      cmocka_unit_test(the_name_is_appended_to_what_is_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
