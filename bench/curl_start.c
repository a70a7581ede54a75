/* What any program that speaks through libcurl pays before its first request. */
#include <curl/curl.h>

int main(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL *easy = curl_easy_init();
  curl_easy_cleanup(easy);
  curl_global_cleanup();
  return easy ? 0 : 1;
}
