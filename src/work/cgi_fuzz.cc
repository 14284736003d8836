// What a guest writes may be anything; what goes on to a client is a response.
#include <cstdlib>

#include "work/cgi.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto reply = selvedge::work::parse_cgi_response({data, size});
  if (!reply.ok()) return 0;
  if (reply->status < 200 || reply->status > 999 || reply->body.size() > size) abort();
  for (const auto& [name, value] : reply->headers) {
    if ((name + value).find_first_of("\r\n") != std::string::npos) abort();
  }
  return 0;
}
