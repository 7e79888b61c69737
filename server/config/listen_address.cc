#include "server/config/listen_address.h"

#include <sys/un.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/loopback.h"

namespace graft::config {

std::string ListenAddress::ToString() const {
  if (!path.empty()) return absl::StrCat("unix:", path);
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

bool ListenAddress::IsLocal() const {
  return !path.empty() || IsLoopbackHost(host);
}

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view field, absl::string_view text) {
  const size_t colon = text.rfind(':');
  ListenAddress result;
  if (absl::string_view path = text; absl::ConsumePrefix(&path, "unix:")) {
    result.path = std::string(path);
    if (absl::StartsWith(path, "/") && path.size() < sizeof(sockaddr_un::sun_path)) return result;
    return InvalidField(field, absl::StrCat("'", text, "' is not unix: and an absolute path of at most ",
                                            sizeof(sockaddr_un::sun_path) - 1, " bytes"));
  }
  if (colon != absl::string_view::npos) {
    absl::string_view host = text.substr(0, colon);
    const bool brackets = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
    const bool plain = host.find_first_of("[]:") == absl::string_view::npos;
    if (!host.empty() && (brackets || plain) && absl::SimpleAtoi(text.substr(colon + 1), &result.port) &&
        result.port >= 0 && result.port <= 65535) {
      result.host = std::string(host);
      return result;
    }
  }
  return InvalidField(
      field, absl::StrCat("'", text, "' is not HOST:PORT, for example 127.0.0.1:50051 or [::1]:0, nor unix:/PATH"));
}

}  // namespace graft::config
