// Which parts a build of the node has.
//
// A page fetches the node before it can be one, so there it is smaller: it works for others, holds for them, and audits itself. It keeps nobody's secrets,
// hosts no services, is no relay, has no devices beside it and nobody at its local API but the page. What it is sent about these is unknown to it.
#pragma once

namespace selvedge::node {

#if defined(__wasm__)
inline constexpr bool kWholeNode = false;
#else
inline constexpr bool kWholeNode = true;
#endif

}  // namespace selvedge::node
