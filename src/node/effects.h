// What a node wants done in the world, as values. host/ carries them out for real, sim/ in a simulated world; each
// effect with a token or a name of its own is answered by exactly one input of Node (node.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "codec/dag.h"
#include "mesh/coding.h"
#include "mesh/finder.h"
#include "mesh/session.h"
#include "object/identity.h"
#include "store/effects.h"
#include "work/cgi.h"
#include "work/dtaps.h"
#include "work/executor.h"

namespace selvedge::node {

using RequestId = uint64_t;
/// Of a connection between this machine and a program: even where the node asked for it, odd where a program came.
using SocketId = uint64_t;
using mesh::LinkId;
using mesh::NodeKey;

// ---- heavy, pure work for a worker (compute.h runs it); answered by on_computed

/// Names content: its chunks and, with a zone, the group it makes.
struct DescribeJob {
  std::shared_ptr<const Bytes> content;
  std::shared_ptr<const object::ZoneKeys> zone;  // may be null
  uint64_t epoch = 0;
};
struct Described {
  Result<object::BlockGroup> group;
  std::vector<codec::ChunkRef> chunks;
};
struct RewriteJob {
  std::shared_ptr<const Bytes> module;
};
using ComputeJob = std::variant<DescribeJob, std::shared_ptr<const mesh::EncodeJob>, std::shared_ptr<const mesh::DecodeJob>, RewriteJob>;
using ComputeResult = std::variant<Described, mesh::EncodeResult, mesh::DecodeResult, Result<wasm::Rewritten>>;

// ---- effects

struct DialPeer { NodeKey peer; std::string address; };            // on_link_opened or on_dial_failed. "circuit:N": by packets of on_circuit
struct DialAsNobody { NodeKey peer; std::string address; };        // under a key of the moment; on_visit_opened or on_visit_failed
struct CircuitPackets { uint64_t circuit; size_t segment; Bytes packets; };  // for the transport, as if they had come by UDP
struct SendMessage { LinkId link; Bytes message; };                // control channel
struct SendSymbols { LinkId link; Bytes frame; };                  // bulk channel
struct ClosePeer { LinkId link; std::string reason; };             // on_link_closed follows
struct AskHintSource { uint64_t token; mesh::HintSource source; NodeKey node; };  // where a node is, by name: on_hints
struct TellHintSource { uint64_t token; mesh::HintSource source; NodeKey node; Bytes payload; };  // on_hints_told
struct ListenLocal { RequestId request; std::string address; };     // on_listening; then on_local_connection for each that comes, not read from yet
struct CloseLocal { RequestId request; };                          // its connections stay
struct ConnectSocket { SocketId socket; std::string target; };     // on_socket_connected; not read from yet
struct WriteSocket { SocketId socket; Bytes bytes; };              // on_socket_written
struct EndSocket { SocketId socket; };                             // no more is written
struct PauseSocket { SocketId socket; bool paused; };              // on_socket_read, on_socket_end while it is not
struct CloseSocket { SocketId socket; bool reset; };               // nothing follows; without `reset` what was written still leaves
struct UseDisk { store::Effect effect; };                          // on_persisted, on_write_failed, on_loaded, on_load_failed
struct Compute { uint64_t token; ComputeJob job; };                // on_computed
struct Attest { uint64_t token; object::AttestationRequest request; };  // on_attested; only where NodeConfig::attestation names a hardware tier
struct StartTask { work::RunDomain run; };                         // on_domain
struct CancelTask { work::TaskId task; };                          // on_domain still follows, once
struct PaceTasks { uint64_t lease_number; std::optional<work::SetPace> pace; };  // from now on; none: the lease is no more. on_violation
struct ReclaimMemory {};                                           // what is kept only to be faster
struct StopTasks { uint64_t token; uint64_t lease_number; };       // on_tasks_stopped
struct ReadFile { uint64_t token; std::string path; uint64_t offset; uint64_t bytes_max; };  // on_file_read
/// Written to a file beside `path`, which takes its name with the last piece: a reader never sees half a file.
struct WriteFile { uint64_t token; std::string path; uint64_t offset; Bytes bytes; bool last; };  // on_file_written
/// A file that will not be finished: what lies beside `path` goes, `path` itself stays as it is.
struct DiscardFile { std::string path; };
struct Progress { RequestId request; std::string json; };
struct Answer { RequestId request; std::string json; };
struct Refuse { RequestId request; Error error; };
struct AnswerHttp { uint64_t id; work::HttpReply reply; };              // to a request of on_http
struct JobNews { uint64_t request; Bytes told; };                  // a JobTold (page_messages.h) of what on_job_asked was for; empty: the session broke, and nothing follows
struct OpenDash { RequestId request; };                            // answered to whoever asked, by the host
struct Shutdown {};
struct Trace { std::string text; };                                // for the log: no secrets, no contents

using Effect = std::variant<DialPeer, DialAsNobody, CircuitPackets, SendMessage, SendSymbols, ClosePeer, AskHintSource, TellHintSource, ListenLocal, CloseLocal, ConnectSocket, WriteSocket,
                            EndSocket, PauseSocket, CloseSocket, UseDisk, Compute, Attest, StartTask, CancelTask, PaceTasks, ReclaimMemory, StopTasks, ReadFile, WriteFile,
                            DiscardFile, Progress, Answer, Refuse, AnswerHttp, JobNews, OpenDash, Shutdown, Trace>;

/// The name of a file made of these chunks, in order. Errors: kLimit.
Result<codec::Cid> cid_of_chunks(const std::vector<codec::ChunkRef>& chunks);

/// Carries out a compute job. Pure; any thread.
ComputeResult compute(const ComputeJob& job);

}  // namespace selvedge::node
