// The dashboard's files, as tools/web_bundle made them of web/dash.
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

}  // namespace selvedge::host
