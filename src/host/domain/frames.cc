#include "host/domain/frames.h"

#include "base/byte_reader.h"

namespace selvedge::host::domain {
namespace {

constexpr uint32_t kMessageBytesMax = 4096;
constexpr uint32_t kModuleBytesMax = 64u << 20;

class Out {
 public:
  explicit Out(FrameType type) {
    append_u32(bytes_, 0);
    bytes_.push_back(uint8_t(type));
  }
  Out& u8(uint8_t v) { bytes_.push_back(v); return *this; }
  Out& u32(uint32_t v) { append_u32(bytes_, v); return *this; }
  Out& u64(uint64_t v) { append_u64(bytes_, v); return *this; }
  Out& raw(ByteView v) { append(bytes_, v); return *this; }
  Out& blob(ByteView v) {
    bytes_.reserve(bytes_.size() + sizeof(uint32_t) + v.size());
    return u32(uint32_t(v.size())).raw(v);
  }
  Out& texts(const std::vector<std::string>& v) {
    u32(uint32_t(v.size()));
    for (const std::string& each : v) blob(view(each));
    return *this;
  }
  /// So many bytes of the frame follow apart.
  Bytes done(size_t apart = 0) {
    store_u32(bytes_.data(), uint32_t(bytes_.size() + apart - kFrameHeaderBytes));
    return std::move(bytes_);
  }

 private:
  Bytes bytes_;
};

class In : public ByteReader {
 public:
  explicit In(ByteView body) : ByteReader(body, "a frame") {}
  Result<ByteView> blob(uint64_t max) {
    const uint32_t n = TRY(u32());
    if (n > max) return fail(Errc::kLimit, "a part of a frame is too large");
    return raw(n);
  }
  Result<std::vector<std::string>> texts() {
    const uint32_t n = TRY(u32());
    if (n > kDomainArgsMax) return fail(Errc::kLimit, "too many arguments");
    std::vector<std::string> out;
    for (uint32_t i = 0; i < n; ++i) out.push_back(to_string(TRY(blob(kDomainArgBytesMax))));
    return out;
  }
};

}  // namespace

Bytes encode(const HelloFrame& frame) { return Out(FrameType::kHello).u32(frame.layers).done(); }

Bytes encode(const ModuleFrame& frame) {
  Out out(FrameType::kModule);
  out.raw(frame.identity).u8(frame.has_start).u8(frame.needs_fresh_instance).u8(frame.resumable).u8(frame.serves).u32(frame.pages_min).blob(frame.module);
  return out.done();
}

Bytes encode(const TaskFrame& frame) {
  Out out(FrameType::kTask);
  out.raw(frame.handle).u64(frame.seed).u64(frame.fuel_limit).u64(frame.memory_pages_max).u64(frame.output_bytes_max).u64(frame.service);
  out.u8(frame.has_state).u64(frame.state_use.bytes).u64(frame.state_use.keys);
  out.u32(frame.checkpoint_ms).texts(frame.args).texts(frame.environment).blob(frame.input).u32(uint32_t(frame.files.size()));
  for (const DomainFile& file : frame.files) out.blob(view(file.path)).blob(file.content);
  return out.blob(frame.resume).done();
}

Bytes encode(const ResultFrame& frame) {
  Out out(FrameType::kResult);
  out.raw(frame.handle);
  out.u8(frame.end).u32(uint32_t(frame.exit_code)).u64(frame.fuel).u64(frame.memory_bytes);
  out.u8(frame.comparable).u8(frame.reusable).raw(frame.trace);
  out.u32(uint32_t(frame.segments.size()));
  for (const wasm::Segment& segment : frame.segments) out.u64(segment.fuel).raw(segment.digest);
  out.blob(view(frame.message)).blob(view(frame.errors)).blob(frame.output).u32(uint32_t(frame.writes.size()));
  for (const wasi::StateWrite& write : frame.writes) out.blob(view(write.key)).u8(write.value.has_value()).blob(write.value ? ByteView(*write.value) : ByteView());
  return out.done();
}

Bytes encode(const CheckpointFrame& frame) {
  Bytes out = encode_checkpoint_head(frame.handle, frame.fuel, frame.checkpoint.size());
  append(out, frame.checkpoint);
  return out;
}

Bytes encode_checkpoint_head(const DomainHandle& handle, uint64_t fuel, size_t size) {
  return Out(FrameType::kCheckpoint).raw(handle).u64(fuel).u32(uint32_t(size)).done(size);
}

Bytes encode(const PaceFrame& frame) {
  return Out(FrameType::kPace).u32(frame.permille).u32(frame.burst_us).u32(frame.slice_us).done();
}

Bytes encode(const StateAskFrame& frame) {
  return Out(FrameType::kStateAsk).raw(frame.handle).u8(frame.next).blob(view(frame.key)).blob(view(frame.after)).done();
}

Bytes encode(const StateAnswerFrame& frame) { return Out(FrameType::kStateAnswer).u8(frame.found).blob(frame.bytes).done(); }

Result<HelloFrame> decode_hello(ByteView body) {
  In in(body);
  HelloFrame out;
  out.layers = TRY(in.u32());
  TRY(in.end());
  return out;
}

Result<ModuleFrame> decode_module(ByteView body) {
  In in(body);
  ModuleFrame out;
  out.identity = TRY(in.fixed<crypto::Digest>());
  out.has_start = TRY(in.flag());
  out.needs_fresh_instance = TRY(in.flag());
  out.resumable = TRY(in.flag());
  out.serves = TRY(in.flag());
  out.pages_min = TRY(in.u32());
  out.module = to_bytes(TRY(in.blob(kModuleBytesMax)));
  TRY(in.end());
  return out;
}

Result<TaskFrame> decode_task(ByteView body) {
  In in(body);
  TaskFrame out;
  out.handle = TRY(in.fixed<DomainHandle>());
  out.seed = TRY(in.u64());
  out.fuel_limit = TRY(in.u64());
  out.memory_pages_max = TRY(in.u64());
  out.output_bytes_max = TRY(in.u64());
  out.service = TRY(in.u64());
  out.has_state = TRY(in.flag());
  out.state_use.bytes = TRY(in.u64());
  out.state_use.keys = TRY(in.u64());
  out.checkpoint_ms = TRY(in.u32());
  out.args = TRY(in.texts());
  out.environment = TRY(in.texts());
  out.input = to_bytes(TRY(in.blob(kDomainInputMax)));
  const uint32_t files = TRY(in.u32());
  if (files > kDomainFilesMax) return fail(Errc::kLimit, "too many files");
  for (uint32_t i = 0; i < files; ++i) {
    const ByteView path = TRY(in.blob(wasi::kPathBytesMax)), content = TRY(in.blob(kDomainInputMax));
    out.files.push_back({to_string(path), to_bytes(content)});
  }
  out.resume = to_bytes(TRY(in.blob(kDomainCheckpointMax)));
  TRY(in.end());
  return out;
}

Result<ResultFrame> decode_result(ByteView body) {
  In in(body);
  ResultFrame out;
  out.handle = TRY(in.fixed<DomainHandle>());
  out.end = TRY(in.u8());
  if (out.end > uint8_t(DomainEnd::kRefused)) return fail(Errc::kInvalid, "a result with an unknown end");
  out.exit_code = int32_t(TRY(in.u32()));
  out.fuel = TRY(in.u64());
  out.memory_bytes = TRY(in.u64());
  out.comparable = TRY(in.flag());
  out.reusable = TRY(in.flag());
  out.trace = TRY(in.fixed<crypto::Digest>());
  const uint32_t segments = TRY(in.u32());
  if (segments > wasm::kSegmentsMax) return fail(Errc::kLimit, "too many segments");
  for (uint32_t i = 0; i < segments; ++i) {
    const uint64_t fuel = TRY(in.u64());
    out.segments.push_back({fuel, TRY(in.fixed<crypto::Digest>())});
  }
  out.message = to_string(TRY(in.blob(kMessageBytesMax)));
  out.errors = to_string(TRY(in.blob(kDomainErrorsMax)));
  out.output = to_bytes(TRY(in.blob(kDomainOutputMax)));
  const uint32_t writes = TRY(in.u32());
  if (writes > wasi::kStateWritesMax) return fail(Errc::kLimit, "too many writes");
  for (uint32_t i = 0; i < writes; ++i) {
    std::string key = to_string(TRY(in.blob(wasi::kStateKeyMax)));
    const bool stays = TRY(in.flag());
    const ByteView value = TRY(in.blob(stays ? wasi::kStateValueMax : 0));
    out.writes.push_back({std::move(key), stays ? std::optional(to_bytes(value)) : std::nullopt});
  }
  TRY(in.end());
  return out;
}

Result<CheckpointFrame> decode_checkpoint_frame(ByteView body) {
  In in(body);
  CheckpointFrame out;
  out.handle = TRY(in.fixed<DomainHandle>());
  out.fuel = TRY(in.u64());
  out.checkpoint = to_bytes(TRY(in.blob(kDomainCheckpointMax)));
  TRY(in.end());
  return out;
}

Result<PaceFrame> decode_pace(ByteView body) {
  In in(body);
  PaceFrame out;
  out.permille = TRY(in.u32());
  out.burst_us = TRY(in.u32());
  out.slice_us = TRY(in.u32());
  TRY(in.end());
  if (out.permille < 1 || out.permille > 1000) return fail(Errc::kInvalid, "a share that is not between 1 and 1000");
  return out;
}

Result<StateAskFrame> decode_state_ask(ByteView body) {
  In in(body);
  StateAskFrame out;
  out.handle = TRY(in.fixed<DomainHandle>());
  out.next = TRY(in.flag());
  out.key = to_string(TRY(in.blob(wasi::kStateKeyMax)));
  out.after = to_string(TRY(in.blob(wasi::kStateKeyMax)));
  TRY(in.end());
  return out;
}

Result<StateAnswerFrame> decode_state_answer(ByteView body) {
  In in(body);
  StateAnswerFrame out;
  out.found = TRY(in.flag());
  out.bytes = to_bytes(TRY(in.blob(wasi::kStateValueMax)));
  TRY(in.end());
  return out;
}

Result<FrameHeader> decode_header(ByteView header) {
  CHECK(header.size() >= kFrameHeaderBytes);
  const FrameHeader out{load_u32(header.data()), header[4]};
  if (out.body_bytes > kFrameBytesMax) return fail(Errc::kLimit, "a frame is too large");
  return out;
}

}  // namespace selvedge::host::domain
