#include <curl/curl.h>

#include <memory>

#include "codec/multibase.h"
#include "codec/pkarr.h"
#include "host/net/hints.h"

namespace selvedge::host {

namespace {

struct HttpAnswer {
  Bytes body;
  bool too_long = false;
};

size_t take_body(char* data, size_t size, size_t count, void* to) {
  HttpAnswer& answer = *static_cast<HttpAnswer*>(to);
  if (answer.body.size() + size * count > codec::kPkarrPayloadMax) {
    answer.too_long = true;
    return 0;  // ends the transfer
  }
  answer.body.insert(answer.body.end(), data, data + size * count);
  return size * count;
}

int go_on(void* stopping, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return static_cast<const std::atomic<bool>*>(stopping)->load() ? 1 : 0; }

struct Curl {
  Curl() : handle(curl_easy_init()) {}
  ~Curl() {
    curl_easy_cleanup(handle);
    curl_slist_free_all(headers);
  }
  CURL* handle;
  curl_slist* headers = nullptr;
};

/// The HTTP status, and what came with it.
Result<long> exchange(Curl& curl, const std::string& url, const crypto::PublicKey& node, const std::atomic<bool>& stopping, HttpAnswer& answer) {
  CURL* c = curl.handle;
  if (c == nullptr) return fail(Errc::kInternal, "libcurl has no memory");
  const std::string full = url + "/" + codec::key_text(node);
  char why[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(c, CURLOPT_URL, full.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);  // where it is told is what its owner chose
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, long(kHintTimeout.ms()));
  curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, go_on);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(&stopping));
  const CURLcode code = curl_easy_perform(c);
  if (answer.too_long) return fail(Errc::kInvalid, "the relay sent more than a PKARR packet has");
  if (code == CURLE_OPERATION_TIMEDOUT) return fail(Errc::kTimeout, "no answer");
  if (code != CURLE_OK) return fail(Errc::kUnavailable, why[0] != 0 ? why : curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

}  // namespace

Result<Bytes> fetch_pkarr(const std::string& url, const crypto::PublicKey& node, const std::atomic<bool>& stopping) {
  Curl curl;
  HttpAnswer answer;
  const long status = TRY(exchange(curl, url, node, stopping, answer));
  if (status == 200) return std::move(answer.body);
  if (status == 404) return fail(Errc::kNotFound, "does not know it");
  return fail(Errc::kUnavailable, "HTTP status " + std::to_string(status));
}

Result<long> http_get(const std::string& url, const std::function<Status(ByteView)>& take) {
  struct Sink {
    const std::function<Status(ByteView)>& take;
    Status status;
  } sink{take, {}};
  Curl curl;
  char why[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.handle, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl.handle, CURLOPT_PROXY, "");
  curl_easy_setopt(curl.handle, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(curl.handle, CURLOPT_WRITEDATA, &sink);
  curl_easy_setopt(curl.handle, CURLOPT_WRITEFUNCTION, +[](char* data, size_t size, size_t count, void* to) -> size_t {
    Sink& self = *static_cast<Sink*>(to);
    self.status = self.take(ByteView(reinterpret_cast<const uint8_t*>(data), size * count));
    return self.status.ok() ? size * count : 0;
  });
  const CURLcode code = curl_easy_perform(curl.handle);
  TRY(sink.status);
  if (code != CURLE_OK) return fail(Errc::kUnavailable, why[0] != 0 ? why : curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(curl.handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

Status put_pkarr(const std::string& url, const crypto::PublicKey& node, ByteView payload, const std::atomic<bool>& stopping) {
  Curl curl;
  HttpAnswer answer;
  curl.headers = curl_slist_append(curl.headers, "Content-Type: application/pkarr.org/relays#payload");
  curl.headers = curl_slist_append(curl.headers, "Expect:");
  curl_easy_setopt(curl.handle, CURLOPT_CUSTOMREQUEST, "PUT");
  curl_easy_setopt(curl.handle, CURLOPT_HTTPHEADER, curl.headers);
  curl_easy_setopt(curl.handle, CURLOPT_POSTFIELDSIZE, long(payload.size()));
  curl_easy_setopt(curl.handle, CURLOPT_COPYPOSTFIELDS, reinterpret_cast<const char*>(payload.data()));
  const long status = TRY(exchange(curl, url, node, stopping, answer));
  if (status >= 200 && status < 300) return ok();
  if (status == 409) return fail(Errc::kExists, "the relay has a newer one: is this machine's clock behind?");
  if (status == 429) return fail(Errc::kBusy, "the relay takes no more for now");
  return fail(Errc::kUnavailable, "HTTP status " + std::to_string(status));
}

}  // namespace selvedge::host
