/* Two passes, as two regular expressions would make them, the second over what the first
   left:

     1. any character before a capital with lower-case letters after it
          HTTPServer -> HTTP_Server
     2. a lower-case letter or digit before a capital
          getHTTP -> get_HTTP

   Before them a plural acronym at the end is taken out of harm's way
   (ListWebACLs -> ListWeb_acls), and some names go their own way altogether. */
#include "model/xform.h"

struct exception {
  struct luaws_str name;
  const char *snake;
};

/* Names that the passes would cut in the wrong place. Sorted by bytes. */
static const struct exception exceptions[] = {
    {LUAWS_STR("AssociateWhatsAppBusinessAccount"),
     "associate_whatsapp_business_account"},
    {LUAWS_STR("CreateCachediSCSIVolume"), "create_cached_iscsi_volume"},
    {LUAWS_STR("CreateStorediSCSIVolume"), "create_stored_iscsi_volume"},
    {LUAWS_STR("CreateWhatsAppMessageTemplate"), "create_whatsapp_message_template"},
    {LUAWS_STR("CreateWhatsAppMessageTemplateFromLibrary"),
     "create_whatsapp_message_template_from_library"},
    {LUAWS_STR("CreateWhatsAppMessageTemplateMedia"),
     "create_whatsapp_message_template_media"},
    {LUAWS_STR("DeleteWhatsAppMessageMedia"), "delete_whatsapp_message_media"},
    {LUAWS_STR("DeleteWhatsAppMessageTemplate"), "delete_whatsapp_message_template"},
    {LUAWS_STR("DescribeCachediSCSIVolumes"), "describe_cached_iscsi_volumes"},
    {LUAWS_STR("DescribeStorediSCSIVolumes"), "describe_stored_iscsi_volumes"},
    {LUAWS_STR("DisassociateWhatsAppBusinessAccount"),
     "disassociate_whatsapp_business_account"},
    {LUAWS_STR("ExecutePartiQLBatch"), "execute_partiql_batch"},
    {LUAWS_STR("ExecutePartiQLStatement"), "execute_partiql_statement"},
    {LUAWS_STR("ExecutePartiQLTransaction"), "execute_partiql_transaction"},
    {LUAWS_STR("GetLinkedWhatsAppBusinessAccount"),
     "get_linked_whatsapp_business_account"},
    {LUAWS_STR("GetLinkedWhatsAppBusinessAccountPhoneNumber"),
     "get_linked_whatsapp_business_account_phone_number"},
    {LUAWS_STR("GetOTelEnrichment"), "get_otel_enrichment"},
    {LUAWS_STR("GetWhatsAppMessageMedia"), "get_whatsapp_message_media"},
    {LUAWS_STR("GetWhatsAppMessageTemplate"), "get_whatsapp_message_template"},
    {LUAWS_STR("ListHITsForQualificationType"), "list_hits_for_qualification_type"},
    {LUAWS_STR("ListLinkedWhatsAppBusinessAccounts"),
     "list_linked_whatsapp_business_accounts"},
    {LUAWS_STR("ListWhatsAppMessageTemplates"), "list_whatsapp_message_templates"},
    {LUAWS_STR("ListWhatsAppTemplateLibrary"), "list_whatsapp_template_library"},
    {LUAWS_STR("PostWhatsAppMessageMedia"), "post_whatsapp_message_media"},
    {LUAWS_STR("PutWhatsAppBusinessAccountEventDestinations"),
     "put_whatsapp_business_account_event_destinations"},
    {LUAWS_STR("SendWhatsAppMessage"), "send_whatsapp_message"},
    {LUAWS_STR("StartOTelEnrichment"), "start_otel_enrichment"},
    {LUAWS_STR("StopOTelEnrichment"), "stop_otel_enrichment"},
    {LUAWS_STR("UpdateWhatsAppMessageTemplate"), "update_whatsapp_message_template"},
};

static bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
static bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
static char to_lower(char c) {
  return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static const char *find_exception(struct luaws_str name) {
  size_t low = 0, high = sizeof(exceptions) / sizeof(exceptions[0]);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = luaws_str_cmp(exceptions[middle].name, name);
    if (order == 0) return exceptions[middle].snake;
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return NULL;
}

static void append_lower(struct luaws_str s, struct luaws_buf *out) {
  for (size_t i = 0; i < s.len; i++)
    luaws_buf_append_char(out, to_lower(s.ptr[i]));
}

/* The length of the plural acronym that ends name ("ACLs", two capitals at least), or 0.
 */
static size_t plural_acronym(struct luaws_str name) {
  if (name.len < 3 || name.ptr[name.len - 1] != 's') return 0;
  size_t start = name.len - 1;
  while (start > 0 && is_upper(name.ptr[start - 1]))
    start--;
  size_t len = name.len - start;
  return len >= 3 ? len : 0;
}

/* What pass 1 finds at i: the length of a capital and the lower-case letters after it, or
 * 0. */
static size_t capitalized(struct luaws_str s, size_t i) {
  if (i + 1 >= s.len || !is_upper(s.ptr[i]) || !is_lower(s.ptr[i + 1])) return 0;
  size_t end = i + 1;
  while (end < s.len && is_lower(s.ptr[end]))
    end++;
  return end - i;
}

static void split_words(struct luaws_str s, char sep, struct luaws_buf *out) {
  size_t i = 0;
  while (i < s.len) {
    size_t word = s.ptr[i] == '\n' ? 0 : capitalized(s, i + 1);
    luaws_buf_append_char(out, s.ptr[i++]);
    if (word == 0) continue;
    luaws_buf_append_char(out, sep);
    luaws_buf_append(out, s.ptr + i, word);
    i += word;
  }
}

static void split_capitals(struct luaws_str s, char sep, struct luaws_buf *out) {
  for (size_t i = 0; i < s.len; i++) {
    char c = s.ptr[i];
    luaws_buf_append_char(out, to_lower(c));
    if ((is_lower(c) || is_digit(c)) && i + 1 < s.len && is_upper(s.ptr[i + 1]))
      luaws_buf_append_char(out, sep);
  }
}

void luaws_xform_name(struct luaws_str name, char sep, struct luaws_buf *out) {
  if (luaws_str_find(name, sep) >= 0) {
    luaws_buf_append_str(out, name);
    return;
  }
  const char *known = find_exception(name);
  if (known) {
    for (; *known; known++)
      luaws_buf_append_char(out, *known == '_' ? sep : *known);
    return;
  }
  struct luaws_buf whole = {0}, words = {0};
  size_t plural = plural_acronym(name);
  if (plural > 0) {
    luaws_buf_append(&whole, name.ptr, name.len - plural);
    luaws_buf_append_char(&whole, sep);
    append_lower(luaws_str_sub(name, name.len - plural, plural), &whole);
    name = luaws_buf_str(&whole);
  }
  split_words(name, sep, &words);
  split_capitals(luaws_buf_str(&words), sep, out);
  if (whole.failed || words.failed) out->failed = true;
  luaws_buf_clear(&whole);
  luaws_buf_clear(&words);
}
