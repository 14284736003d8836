// The files that the binary serves, as tools/web_bundle made them: the dashboard's of web/dash, the browser node's of web/sdk.
#pragma once

#include <span>
#include <string_view>

namespace selvedge::host {

struct DashAsset {
  std::string_view path;     // "/app.js"
  std::string_view type;     // of its content
  std::string_view content;
};

std::span<const DashAsset> dash_assets();
std::span<const DashAsset> sdk_assets();

}  // namespace selvedge::host
