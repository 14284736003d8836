#include "host/domain/runner/engine.h"

#include <JavaScriptCore/JavaScript.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "crypto/hash.h"
#include "host/domain/domain_pool.h"
#include "host/domain/runner/clock.h"
#include "host/domain/runner/engine_parts.h"
#include "wasm/checkpoint.h"
#include "wasm/rewrite.h"
#include "wasm/trace.h"
#include "wasm/wasi.h"

namespace selvedge::host::domain {

using wasi::NearMemory, wasi::StateCalls, wasi::WasiAnswer, wasi::WasiInput, wasi::WasiRun;

namespace {

/// A program that grew its memory gets a new instance for its next task; the collector takes the old ones (resident
/// memory stays flat over a thousand). All the same a process asks to be replaced after so many.
constexpr int kInstancesMax = 256;
/// Between two checkpoints lies at least so many times what one takes.
constexpr uint64_t kCheckpointShare = 20;

}  // namespace

struct Engine::Impl : JsContext {
  BetweenSlices between;
  ModuleFrame module;
  JSObjectRef wasm_module = nullptr, exports = nullptr, memory_view = nullptr;  // protected from collection
  JSObjectRef begin = nullptr, fuel_get = nullptr, fuel_set = nullptr, slot_get = nullptr, guest_start = nullptr, guest_main = nullptr, guest_serve = nullptr;  // held by exports
  Bytes image;  // the memory after instantiation, up to its last byte that is not zero
  int instances = 0;
  bool clean = false;  // memory and instance are as after instantiation
  uint64_t standing = 0;  // the service whose requests this instance has answered so far, well; 0: none

  // The run in progress.
  std::unique_ptr<WasiRun> calls;
  std::optional<AskedState> asked_state;   // of a service's request that has any
  std::optional<StateCalls> state;
  uint64_t granted = 0, fuel_limit = 0, slice = 0;
  uint64_t mark = 0;  // the last multiple of kFuelMark that a check found passed
  crypto::Digest chain;  // of the segments that ended; spec: docs/spec/trace.md
  uint64_t boundary = 0;  // where the next one ends
  size_t output_hashed = 0;
  std::vector<wasm::Segment> segments;
  bool ended = false;
  DomainEnd end = DomainEnd::kExited;
  std::string message;
  bool comparable = true;
  bool metered = true;

  // Leaving a program's stack and coming back to it (wasm/checkpoint.h).
  enum class Stack : uint8_t { kRunning, kUnwinding, kRewinding } stack = Stack::kRunning;
  bool in_main = false;
  uint32_t area = 0;          // where the program's stack goes
  uint64_t next_unwind = 0;   // the fuel from which on the next call of checkpoint unwinds
  OnCheckpoint on_checkpoint;
  crypto::Digest task_chain;  // the trace's beginning: names program, arguments, input and seed
  uint64_t checkpoint_pause_ns = 0, next_checkpoint_ns = 0;

  // --- calling ---------------------------------------------------------------------------------------------------

  static Impl* of(JSContextRef ctx) {
    return static_cast<Impl*>(JSObjectGetPrivate(JSContextGetGlobalObject(ctx)));
  }

  /// Stops the run: `exception` unwinds the guest.
  JSValueRef stop(JSContextRef ctx, JSValueRef* exception, DomainEnd how, std::string why, bool says_something = true) {
    if (!ended) {
      ended = true;
      end = how;
      message = std::move(why);
      comparable = says_something;
    }
    *exception = JSValueMakeNumber(ctx, 0);
    return JSValueMakeUndefined(ctx);
  }

  // --- what the guest can call -----------------------------------------------------------------------------------

  static JSValueRef on_yield(JSContextRef ctx, JSObjectRef, JSObjectRef, size_t count, const JSValueRef args[], JSValueRef* exception) {
    Impl& self = *of(ctx);
    const auto reason = wasm::YieldReason(count > 0 ? uint32_t(JSValueToNumber(ctx, args[0], nullptr)) : 0);
    if (reason == wasm::YieldReason::kDepth) {
      return self.stop(ctx, exception, DomainEnd::kTrapped, "trap: the call depth limit was reached");
    }
    if (reason == wasm::YieldReason::kGrow) {
      return self.stop(ctx, exception, DomainEnd::kOutOfMemory, "the host could not provide the memory", false);
    }
    const uint64_t missing = count > 1 ? uint64_t(JSValueToNumber(ctx, args[1], nullptr)) : 0;
    const uint64_t slice = self.grant(ctx, exception, missing);
    return slice > 0 ? JSValueMakeNumber(ctx, double(slice)) : JSValueMakeUndefined(ctx);
  }

  /// At least what is missing, or 0 when the run ends here.
  uint64_t grant(JSContextRef ctx, JSValueRef* exception, uint64_t missing) {
    if (ended || missing > fuel_limit - granted) {
      stop(ctx, exception, DomainEnd::kOutOfFuel, "the fuel limit of the task was reached");
      return 0;
    }
    const uint64_t used = granted + missing;
    if (used > 0) mark = (used - 1) - (used - 1) % wasm::kFuelMark;
    if (mark >= boundary) end_segment(used);
    const uint64_t next = between(slice);
    if (next == 0) {
      stop(ctx, exception, DomainEnd::kKilled, "stopped", false);
      return 0;
    }
    const uint64_t to_mark = wasm::kFuelMark - granted % wasm::kFuelMark;
    slice = std::max(missing, std::min({next, to_mark, fuel_limit - granted}));
    granted += slice;
    return slice;
  }

  /// Takes fuel for what a host function did, and compares it as a loop's head does.
  void charge(JSContextRef ctx, JSValueRef* exception, uint64_t cost) {
    JSValueRef failed = nullptr;
    JSValueRef value = JSObjectCallAsFunction(context, fuel_get, nullptr, 0, nullptr, &failed);
    int64_t left = failed == nullptr ? JSValueToInt64(context, value, &failed) - int64_t(cost) : 0;
    if (failed == nullptr && left < 0) {
      const uint64_t granted_now = grant(ctx, exception, uint64_t(-left));
      if (granted_now == 0) return;
      left += int64_t(granted_now);
    }
    const JSValueRef args[] = {failed == nullptr ? JSBigIntCreateWithInt64(context, left, &failed) : nullptr};
    if (failed == nullptr) JSObjectCallAsFunction(context, fuel_set, nullptr, 1, args, &failed);
    if (failed != nullptr) stop(ctx, exception, DomainEnd::kOutOfMemory, "the engine ran short", false);
  }

  // On every machine the stack is unwound at the same calls, so that it makes no difference whether somebody looks.
  static JSValueRef on_checkpoint_call(JSContextRef ctx, JSObjectRef, JSObjectRef, size_t count, const JSValueRef args[],
                                       JSValueRef* exception) {
    Impl& self = *of(ctx);
    const JSValueRef nothing = JSValueMakeUndefined(ctx);
    if (self.ended) return self.stop(ctx, exception, DomainEnd::kTrapped, "ended");
    if (!self.module.resumable || !self.in_main || count < 2) return nothing;
    if (self.stack == Stack::kRewinding) {
      self.stack = Stack::kRunning;
      self.call_asyncify(wasm::kAsyncifyStopRewind, false, exception);
      return nothing;
    }
    const uint64_t used = self.fuel_used();
    if (self.stack != Stack::kRunning || used < self.next_unwind) return nothing;
    const uint32_t at = uint32_t(int32_t(JSValueToNumber(ctx, args[0], nullptr))), size = uint32_t(int32_t(JSValueToNumber(ctx, args[1], nullptr)));
    const std::span<uint8_t> memory = self.memory();
    if (size < wasm::kCheckpointAreaMin || uint64_t(at) + size > memory.size()) return nothing;
    const uint32_t pointers[] = {at + 8, at + size};
    for (size_t i = 0; i < 8; ++i) memory[at + i] = uint8_t(pointers[i / 4] >> (8 * (i % 4)));
    self.area = at;
    self.next_unwind = (used / wasm::kCheckpointFuel + 1) * wasm::kCheckpointFuel;
    self.stack = Stack::kUnwinding;
    self.call_asyncify(wasm::kAsyncifyStartUnwind, true, exception);
    return nothing;
  }

  void call_asyncify(const char* name, bool with_area, JSValueRef* exception) {
    JSObjectRef function = get_object(exports, name);
    const JSValueRef args[] = {JSValueMakeNumber(context, double(area))};
    if (function != nullptr) JSObjectCallAsFunction(context, function, nullptr, with_area ? 1 : 0, args, exception);
  }

  /// At the first check beyond a boundary.
  void end_segment(uint64_t used) {
    wasm::SegmentState now;
    now.fuel = used;
    now.globals = wasm::digest_words(slots());
    now.memory = crypto::sha256(memory());
    now.output = crypto::sha256(ByteView(calls->output()).subspan(output_hashed));
    now.input_bytes = calls->input_bytes_read();
    now.random_blocks = calls->random_blocks_drawn();
    output_hashed = calls->output().size();
    chain = wasm::segment_next(chain, now);
    boundary = wasm::segment_boundary(used, memory().size());
    if (segments.size() < wasm::kSegmentsMax) segments.push_back({used, chain});
  }

  uint64_t fuel_used() {
    if (!metered) return 0;
    JSValueRef exception = nullptr;
    JSValueRef left = JSObjectCallAsFunction(context, fuel_get, nullptr, 0, nullptr, &exception);
    if (exception != nullptr) return granted;
    return granted - uint64_t(JSValueToInt64(context, left, nullptr));
  }

  std::span<uint8_t> memory() {
    if (memory_view != nullptr && JSObjectGetTypedArrayByteLength(context, memory_view, nullptr) != 0) {
      return memory_of(memory_view);
    }
    // The memory grew, so the old view is detached.
    JSObjectRef object = get_object(exports, metered ? wasm::kExportMemory : "memory");
    JSObjectRef buffer = object != nullptr ? get_object(object, "buffer") : nullptr;
    if (buffer == nullptr) return {};
    hold(memory_view, JSObjectMakeTypedArrayWithArrayBuffer(context, kJSTypedArrayTypeUint8Array, buffer, nullptr));
    return memory_view != nullptr ? memory_of(memory_view) : std::span<uint8_t>();
  }
  std::span<uint8_t> memory_of(JSObjectRef array) {
    // JSObjectGetArrayBufferBytesPtr refuses the buffer of a WebAssembly.Memory; the typed array's pointer works.
    void* bytes = JSObjectGetTypedArrayBytesPtr(context, array, nullptr);
    const size_t size = JSObjectGetTypedArrayByteLength(context, array, nullptr);
    return bytes != nullptr ? std::span<uint8_t>(static_cast<uint8_t*>(bytes), size) : std::span<uint8_t>();
  }

  static void read_numbers(JSContextRef ctx, const char* types, size_t count, const JSValueRef args[], uint64_t* out) {
    for (size_t i = 0; i < std::min(count, wasm::kWasiArgsMax) && types[i] != '>'; ++i) {
      out[i] = types[i] == 'l' ? uint64_t(JSValueToInt64(ctx, args[i], nullptr)) : uint32_t(int32_t(JSValueToNumber(ctx, args[i], nullptr)));
    }
  }

  template <wasm::StateFunction kFunction>
  static JSValueRef on_state(JSContextRef ctx, JSObjectRef, JSObjectRef, size_t count, const JSValueRef args[], JSValueRef* exception) {
    Impl& self = *of(ctx);
    if (self.ended) return self.stop(ctx, exception, DomainEnd::kTrapped, "ended");
    if (!self.state) return JSValueMakeNumber(ctx, double(wasi::Errno::kNoSystemCall));
    uint64_t numbers[wasm::kWasiArgsMax] = {};
    read_numbers(ctx, wasm::state_types(kFunction), count, args, numbers);
    NearMemory memory(self.memory());
    const WasiAnswer answer = self.state->call(kFunction, numbers, memory);
    if (self.metered) self.charge(ctx, exception, answer.fuel);
    return JSValueMakeNumber(ctx, double(answer.error));
  }

  template <wasm::WasiFunction kFunction>
  static JSValueRef on_wasi(JSContextRef ctx, JSObjectRef, JSObjectRef, size_t count, const JSValueRef args[],
                            JSValueRef* exception) {
    Impl& self = *of(ctx);
    // A guest does not go on after it was told to stop, whatever it makes of the exception.
    if (self.ended || self.calls == nullptr) return self.stop(ctx, exception, DomainEnd::kTrapped, "ended");
    uint64_t numbers[wasm::kWasiArgsMax] = {};
    read_numbers(ctx, wasm::wasi_types(kFunction), count, args, numbers);
    const std::function<uint64_t()> fuel = [&self] { return self.fuel_used(); };
    NearMemory memory(self.memory());
    const WasiAnswer answer = self.calls->call(kFunction, numbers, memory, fuel);
    switch (answer.ends) {
      case WasiAnswer::Ends::kNo:
        if (answer.fuel > 0 && self.metered) self.charge(ctx, exception, answer.fuel);
        return JSValueMakeNumber(ctx, double(answer.error));
      case WasiAnswer::Ends::kExit: return self.stop(ctx, exception, DomainEnd::kExited, "");
      case WasiAnswer::Ends::kOutputTooLarge:
        return self.stop(ctx, exception, DomainEnd::kOutputTooLarge, "more output than the task allows");
    }
    return JSValueMakeUndefined(ctx);
  }

  template <size_t... kIndex>
  static void fill_callbacks(JSObjectCallAsFunctionCallback* out, std::index_sequence<kIndex...>) {
    ((out[kIndex] = &on_wasi<wasm::WasiFunction(kIndex)>), ...);
  }
  template <size_t... kIndex>
  void add_state_calls(JSObjectRef to, std::index_sequence<kIndex...>) {
    const auto add = [&](const char* name, JSObjectCallAsFunctionCallback function) { set(to, name, JSObjectMakeFunctionWithCallback(context, Name(name), function)); };
    (add(wasm::state_name(wasm::StateFunction(kIndex)), &on_state<wasm::StateFunction(kIndex)>), ...);
  }

  JSObjectRef make_imports() {
    JSObjectCallAsFunctionCallback callbacks[wasm::kWasiFunctions];
    fill_callbacks(callbacks, std::make_index_sequence<wasm::kWasiFunctions>());
    JSObjectRef wasi_module = JSObjectMake(context, nullptr, nullptr);
    for (size_t i = 0; i < wasm::kWasiFunctions; ++i) {
      const char* name = wasm::wasi_name(wasm::WasiFunction(i));
      set(wasi_module, name, JSObjectMakeFunctionWithCallback(context, Name(name), callbacks[i]));
    }
    JSObjectRef host_module = JSObjectMake(context, nullptr, nullptr);
    set(host_module, wasm::kYieldName, JSObjectMakeFunctionWithCallback(context, Name(wasm::kYieldName), &on_yield));
    const std::string checkpoint(wasm::kCheckpointName);
    JSObjectRef own_module = JSObjectMake(context, nullptr, nullptr);
    set(own_module, checkpoint.c_str(), JSObjectMakeFunctionWithCallback(context, Name(checkpoint.c_str()), &on_checkpoint_call));
    JSObjectRef imports = JSObjectMake(context, nullptr, nullptr);
    set(imports, std::string(wasm::kHostModule).c_str(), own_module);
    set(imports, "wasi_snapshot_preview1", wasi_module);
    JSObjectRef state_module = JSObjectMake(context, nullptr, nullptr);
    add_state_calls(state_module, std::make_index_sequence<wasm::kStateFunctions>());
    set(imports, std::string(wasm::kStateModule).c_str(), state_module);
    set(imports, wasm::kYieldModule, host_module);
    return imports;
  }

  // --- modules and instances -------------------------------------------------------------------------------------

  Status instantiate() {
    hold(memory_view, nullptr);
    hold(exports, nullptr);
    const JSValueRef args[] = {wasm_module, make_imports()};
    JSObjectRef instance = TRY(construct("Instance", args));
    ++instances;
    hold(exports, get_object(instance, "exports"));
    if (exports == nullptr) return fail(Errc::kInternal, "an instance without exports");
    guest_main = get_object(exports, "_start");
    guest_serve = module.serves ? get_object(exports, wasm::kExportServe) : nullptr;
    if (guest_main == nullptr && guest_serve != nullptr) guest_main = get_object(exports, wasm::kExportInitialize);
    if (guest_main == nullptr && guest_serve == nullptr) return fail(Errc::kGuest, "the module exports no _start, so it cannot be run as a task");
    if (!metered) return ok();
    begin = get_object(exports, wasm::kExportBegin);
    fuel_get = get_object(exports, wasm::kExportFuelGet);
    fuel_set = get_object(exports, wasm::kExportFuelSet);
    slot_get = get_object(exports, wasm::kExportSlotGet);
    guest_start = module.has_start ? get_object(exports, wasm::kExportStart) : nullptr;
    if (begin == nullptr || fuel_get == nullptr || fuel_set == nullptr || slot_get == nullptr || (module.has_start && guest_start == nullptr)) {
      return fail(Errc::kGuest, "the module was not rewritten");
    }
    if (memory().size() != uint64_t(module.pages_min) * wasm::kPageBytes) {
      return fail(Errc::kGuest, "the module's memory is not what was announced");
    }
    return ok();
  }

  void remember_image() {
    const std::span<uint8_t> bytes = memory();
    size_t used = bytes.size();
    while (used > 0 && bytes[used - 1] == 0) --used;
    image.assign(bytes.begin(), bytes.begin() + ptrdiff_t(used));
  }

  /// Memory as after instantiation. A memory that grew cannot shrink, and dropped segments do not come back: that takes a
  /// new instance.
  Status reset() {
    if (clean) return ok();
    clean = true;
    if (module.needs_fresh_instance || memory().size() != uint64_t(module.pages_min) * wasm::kPageBytes) return instantiate();
    const std::span<uint8_t> bytes = memory();
    std::copy(image.begin(), image.end(), bytes.begin());
    std::fill(bytes.begin() + ptrdiff_t(image.size()), bytes.end(), uint8_t(0));
    return ok();
  }

  // --- running ---------------------------------------------------------------------------------------------------

  /// Calls an export; on an exception that is not our own stop(), says what it was.
  bool call(JSObjectRef function, std::span<const JSValueRef> args) {
    JSValueRef exception = nullptr;
    JSObjectCallAsFunction(context, function, nullptr, args.size(), args.data(), &exception);
    if (ended) return false;
    if (exception == nullptr) return true;
    ended = true;
    JSObjectRef error = JSValueIsObject(context, exception) ? JSValueToObject(context, exception, nullptr) : nullptr;
    const std::string kind = error != nullptr ? text(get(error, "name")) : "";
    message = "trap: " + (error != nullptr ? text(get(error, "message")) : text(exception));
    // A wasm trap is a RuntimeError. Anything else is the engine's own trouble (its stack, its memory), which says
    // nothing about the program.
    comparable = kind == "RuntimeError";
    end = comparable ? DomainEnd::kTrapped : DomainEnd::kOutOfMemory;
    return false;
  }

  /// One request: the first one of an instance after what the program does before any.
  void serve(const TaskFrame& task, std::span<const JSValueRef> pages) {
    if (standing == 0) {
      if (!call(begin, pages)) return;
      if (guest_start != nullptr && !call(guest_start, {})) return;
      if (guest_main != nullptr && !call(guest_main, {})) return;
    } else if (!call_with_bits(wasm::kExportFuelSet, std::nullopt, 0).ok()) {
      stop_here(DomainEnd::kOutOfMemory, "the engine ran short");
      return;
    }
    if (call(guest_serve, {})) standing = task.service;
  }

  void stop_here(DomainEnd how, std::string why) {
    ended = true;
    comparable = false;
    end = how;
    message = std::move(why);
  }

  void execute(const TaskFrame& task) {
    const JSValueRef pages[] = {JSValueMakeNumber(context, double(std::min<uint64_t>(task.memory_pages_max, 65'536)))};
    if (task.service != 0 && guest_serve != nullptr && module.pages_min <= task.memory_pages_max) return serve(task, pages);
    if (!call(begin, pages)) return;
    if (module.pages_min > task.memory_pages_max) {
      ended = true;
      end = DomainEnd::kOutOfMemory;
      message = "the module starts with " + std::to_string(module.pages_min) + " pages of memory; the task allows " + std::to_string(task.memory_pages_max);
      return;
    }
    if (task.resume.empty()) {
      if (guest_start != nullptr && !call(guest_start, {})) return;
    } else {
      const Status resumed = take_up(task);
      if (!resumed.ok()) return stop_here(DomainEnd::kRefused, resumed.error().message);
    }
    in_main = true;
    run_main(!task.resume.empty());
    in_main = false;
  }

  /// Calls _start until it returns for good, with its stack unwound and wound up again in between.
  void run_main(bool rewind) {
    for (;;) {
      const JSValueRef address[] = {JSValueMakeNumber(context, double(area))};
      if (rewind) {
        stack = Stack::kRewinding;
        if (!call(get_object(exports, wasm::kAsyncifyStartRewind), address)) return;
      }
      if (!call(guest_main, {}) || stack != Stack::kUnwinding) return;
      if (!call(get_object(exports, wasm::kAsyncifyStopUnwind), {})) return;
      keep_checkpoint();
      rewind = true;
    }
  }

  uint64_t slot(uint32_t index) {
    const JSValueRef args[] = {JSValueMakeNumber(context, double(int32_t(index)))};
    JSValueRef word = JSObjectCallAsFunction(context, slot_get, nullptr, 1, args, nullptr);
    return word != nullptr ? uint64_t(JSValueToInt64(context, word, nullptr)) : 0;
  }
  /// The program's mutable globals.
  std::vector<uint64_t> slots() {
    std::vector<uint64_t> out(slot(UINT32_MAX));
    for (size_t i = 0; i < out.size(); ++i) out[i] = slot(uint32_t(i));
    return out;
  }
  /// Calls an export whose last argument is 64 bits wide, and the first one, if there is one, a small number.
  Status call_with_bits(const char* name, std::optional<uint32_t> first, uint64_t bits) {
    JSObjectRef function = get_object(exports, name);
    JSValueRef exception = nullptr;
    JSValueRef args[2] = {};  // on the stack, where the collector looks
    size_t count = 0;
    if (first) args[count++] = JSValueMakeNumber(context, *first);
    args[count++] = JSBigIntCreateWithUInt64(context, bits, nullptr);
    if (function != nullptr) JSObjectCallAsFunction(context, function, nullptr, count, args, &exception);
    return function != nullptr && exception == nullptr ? ok() : Status(fail(Errc::kGuest, "the module's state cannot be set"));
  }

  void keep_checkpoint() {
    const uint64_t begun = clock_ns(CLOCK_MONOTONIC);
    if (!on_checkpoint || begun < next_checkpoint_ns || module.needs_fresh_instance || !calls->can_be_saved()) return;
    wasm::Checkpoint out;
    out.task = task_chain;
    out.fuel = fuel_used();
    out.mark = mark;
    out.boundary = boundary;
    out.output_hashed = output_hashed;
    out.segments = segments;
    out.area = area;
    out.slots = slots();
    const ByteView bytes = memory();
    const auto yield = [this] { comparable = comparable && between(0) != 0; };
    out.pages = uint32_t(bytes.size() / wasm::kPageBytes);
    out.memory = wasm::memory_runs(bytes, yield);
    out.host = calls->save();
    const Bytes encoded = wasm::encode(out, yield);
    if (encoded.size() <= kDomainCheckpointMax) on_checkpoint(out.fuel, encoded);
    const uint64_t done = clock_ns(CLOCK_MONOTONIC);
    next_checkpoint_ns = done + std::max(checkpoint_pause_ns, (done - begun) * kCheckpointShare);
  }

  /// Puts everything back to what it was at the checkpoint. Errors: kInvalid, kLimit, kIntegrity (of another task or module).
  Status take_up(const TaskFrame& task) {
    const uint32_t pages_max = uint32_t(std::min<uint64_t>(task.memory_pages_max, UINT16_MAX + 1));
    const wasm::Checkpoint from = TRY(wasm::decode_checkpoint(task.resume, pages_max));
    if (from.task != task_chain) return fail(Errc::kIntegrity, "the checkpoint is of another task or program");
    if (from.fuel > fuel_limit || from.pages < module.pages_min || uint64_t(from.area) + wasm::kCheckpointAreaMin > uint64_t(from.pages) * wasm::kPageBytes) {
      return fail(Errc::kInvalid, "the checkpoint cannot be of this task");
    }
    TRY(calls->restore(from.host));
    if (from.output_hashed > calls->output().size()) return fail(Errc::kInvalid, "a checkpoint has less output than it hashed");
    if (slot(UINT32_MAX) != from.slots.size()) return fail(Errc::kInvalid, "the checkpoint has other globals than the program");
    for (uint32_t i = 0; i < from.slots.size(); ++i) TRY(call_with_bits(wasm::kExportSlotSet, i, from.slots[i]));
    TRY(grow_to(from.pages));
    fill_memory(from.memory);
    area = from.area;
    mark = from.mark;
    granted = from.fuel;
    next_unwind = (from.fuel / wasm::kCheckpointFuel + 1) * wasm::kCheckpointFuel;
    boundary = from.boundary;
    output_hashed = size_t(from.output_hashed);
    segments = from.segments;
    if (!segments.empty()) chain = segments.back().digest;
    return call_with_bits(wasm::kExportFuelSet, std::nullopt, 0);
  }

  /// All memory: these runs, and zeros between them. In steps, like all that may be long.
  void fill_memory(const std::vector<wasm::MemoryRun>& runs) {
    constexpr size_t kStep = 1u << 20;
    const std::span<uint8_t> bytes = memory();
    const auto in_steps = [&](size_t total, auto write) {
      for (size_t at = 0; at < total; at += kStep) {
        write(at, std::min(kStep, total - at));
        comparable = comparable && between(0) != 0;
      }
    };
    in_steps(bytes.size(), [&](size_t at, size_t size) { std::fill_n(bytes.begin() + ptrdiff_t(at), size, uint8_t(0)); });
    for (const wasm::MemoryRun& run : runs) {
      in_steps(run.bytes.size(), [&](size_t at, size_t size) { std::memcpy(bytes.data() + run.offset + at, run.bytes.data() + at, size); });
    }
  }

  Status grow_to(uint32_t pages) {
    const uint32_t missing = pages - uint32_t(memory().size() / wasm::kPageBytes);
    if (missing == 0) return ok();
    JSObjectRef object = get_object(exports, wasm::kExportMemory);
    JSObjectRef grow = object != nullptr ? get_object(object, "grow") : nullptr;
    JSValueRef exception = nullptr;
    const JSValueRef args[] = {JSValueMakeNumber(context, missing)};
    if (grow != nullptr) JSObjectCallAsFunction(context, grow, object, 1, args, &exception);
    if (grow == nullptr || exception != nullptr || memory().size() != uint64_t(pages) * wasm::kPageBytes) {
      return fail(Errc::kLimit, "the host could not provide the memory of the checkpoint");
    }
    return ok();
  }

  /// The digest of all memory, at the pace of the run: there may be gigabytes of it.
  crypto::Digest memory_digest() {
    constexpr size_t kStep = 1u << 20;
    crypto::Sha256 hash;
    for (std::span<const uint8_t> rest = memory(); !rest.empty(); rest = rest.subspan(std::min(kStep, rest.size()))) {
      hash.update(rest.first(std::min(kStep, rest.size())));
      comparable = comparable && between(0) != 0;
    }
    return hash.finish();
  }

  ResultFrame conclude(bool traced) {
    ResultFrame out;
    uint64_t used = fuel_used();
    if (comparable && used > fuel_limit) {
      // Fuel is checked at loops and calls only; what was overdrawn on the last straight line counts all the same.
      end = DomainEnd::kOutOfFuel;
      message = "the fuel limit of the task was reached";
    }
    Result<Bytes> output = calls->take_output();
    if (!output.ok()) {
      if (comparable && end == DomainEnd::kExited) {
        end = DomainEnd::kOutputTooLarge;
        message = output.error().message;
      }
      output = Bytes();
    }
    // A trap loses what was charged since fuel was last written down, but never a whole mark.
    used = std::max(used, mark);
    if (end == DomainEnd::kOutOfFuel) used = fuel_limit;
    used = std::min(used, fuel_limit);
    out.end = uint8_t(end);
    out.exit_code = end == DomainEnd::kExited ? calls->exit_code() : 0;
    out.fuel = used;
    out.memory_bytes = memory().size();
    const crypto::Digest memory_hash = comparable && traced ? memory_digest() : crypto::Digest();
    out.comparable = comparable && traced;
    out.reusable = comparable && instances < kInstancesMax;
    out.message = message;
    out.errors = calls->errors();
    if (out.comparable) {
      out.trace = wasm::trace_commitment(chain, {out.end, out.exit_code, used, crypto::sha256(*output), memory_hash});
      out.segments = std::move(segments);
    }
    out.output = std::move(output).value();
    if (state && end == DomainEnd::kExited) out.writes = state->take_writes();
    calls.reset();
    state.reset();
    asked_state.reset();
    return out;
  }
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() = default;  // the process ends with its virtual machine

Result<std::unique_ptr<Engine>> Engine::create(BetweenSlices between) {
  auto impl = std::make_unique<Impl>();
  impl->between = std::move(between);
  // A class of our own for the global object, because only such an object has room for a pointer to us.
  JSClassDefinition definition = kJSClassDefinitionEmpty;
  definition.className = "selvedge";
  JSClassRef global_class = JSClassCreate(&definition);
  impl->context = JSGlobalContextCreate(global_class);
  JSClassRelease(global_class);
  if (impl->context == nullptr) return fail(Errc::kInternal, "the engine did not start");
  JSObjectSetPrivate(JSContextGetGlobalObject(impl->context), impl.get());
  JSObjectRef warm_up = TRY(impl->compile(kWarmUpModule));
  const JSValueRef args[] = {warm_up};
  JSObjectRef instance = TRY(impl->construct("Instance", args));
  JSObjectRef exports = impl->get_object(instance, "exports");
  JSObjectRef function = exports != nullptr ? impl->get_object(exports, "f") : nullptr;
  if (function == nullptr) return fail(Errc::kInternal, "the engine does not run WebAssembly");
  // Once well and once into a trap: the engine installs its signal handlers on the way.
  for (const double at : {0.0, 1e9}) {
    const JSValueRef address[] = {JSValueMakeNumber(impl->context, at)};
    JSValueRef exception = nullptr;
    JSObjectCallAsFunction(impl->context, function, nullptr, 1, address, &exception);
  }
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Status Engine::load(const ModuleFrame& module) {
  if (impl_->wasm_module != nullptr) return fail(Errc::kExists, "this process already has a module");
  impl_->module = module;
  impl_->hold(impl_->wasm_module, TRY(impl_->compile(module.module)));
  impl_->module.module.clear();
  TRY(impl_->instantiate());
  impl_->remember_image();
  return ok();
}

void Engine::forget() {
  impl_->hold(impl_->memory_view, nullptr);
  impl_->hold(impl_->exports, nullptr);
  impl_->hold(impl_->wasm_module, nullptr);
  impl_->clean = false;
  impl_->standing = 0;
}

ResultFrame Engine::run(TaskFrame task, const OnCheckpoint& on_checkpoint, const AskState& ask_state) {
  Impl& impl = *impl_;
  ResultFrame refused;
  refused.end = uint8_t(DomainEnd::kRefused);
  if (impl.exports == nullptr) {
    refused.message = "no module was loaded";
    return refused;
  }
  // What stands is of one service and one lease; anything else begins anew.
  const bool stands = task.service != 0 && impl.standing == task.service;
  if (!stands) impl.standing = 0;
  const Status reset = stands ? ok() : impl.reset();
  if (!reset.ok()) {
    refused.end = uint8_t(DomainEnd::kOutOfMemory);
    refused.message = "cannot reset the instance: " + reset.error().message;
    return refused;
  }
  impl.granted = impl.mark = impl.slice = 0;
  impl.boundary = wasm::segment_boundary(0, uint64_t(impl.module.pages_min) * wasm::kPageBytes);
  impl.output_hashed = 0;
  impl.segments.clear();
  impl.fuel_limit = task.fuel_limit;
  impl.ended = false;
  impl.end = DomainEnd::kExited;
  impl.message.clear();
  impl.comparable = true;
  impl.stack = Impl::Stack::kRunning;
  impl.area = 0;
  impl.next_unwind = wasm::kCheckpointFuel;
  impl.on_checkpoint = on_checkpoint;
  impl.checkpoint_pause_ns = uint64_t(task.checkpoint_ms) * 1'000'000;
  impl.next_checkpoint_ns = clock_ns(CLOCK_MONOTONIC) + impl.checkpoint_pause_ns;
  WasiInput input{std::move(task.args), std::move(task.environment), std::move(task.input), std::move(task.files), task.seed, task.output_bytes_max,
                  kDomainErrorsMax};
  Result<std::unique_ptr<WasiRun>> calls = WasiRun::create(std::move(input));
  if (!calls.ok()) {
    refused.message = "the task's files: " + calls.error().message;
    refused.reusable = true;
    return refused;
  }
  impl.calls = std::move(calls).value();
  impl.chain = impl.task_chain = wasm::segment_start({impl.module.identity, impl.calls->world(), crypto::sha256(impl.calls->input().input), task.seed});
  if (task.has_state && task.service != 0 && ask_state) {
    impl.asked_state.emplace(task.handle, task.state_use, ask_state);
    impl.state.emplace(*impl.asked_state);
  }
  impl.clean = false;
  const bool traced = task.service == 0;
  impl.execute(task);
  if (impl.ended) impl.standing = 0;   // whatever state it is in, nobody is answered from it
  return impl.conclude(traced);
}

void Engine::prepare() {
  // A failure shows again, with its reason, when the next task runs.
  if (impl_->exports != nullptr && impl_->standing == 0 && !impl_->reset().ok()) impl_->clean = false;
}

Status Engine::run_unmetered(const Bytes& module, const std::vector<std::string>& args) {
  Impl& impl = *impl_;
  impl.metered = false;
  if (impl.wasm_module == nullptr) impl.hold(impl.wasm_module, TRY(impl.compile(module)));
  if (impl.exports == nullptr) {
    TRY(impl.instantiate());
    impl.remember_image();
    impl.module.pages_min = uint32_t(impl.memory().size() / wasm::kPageBytes);
  }
  TRY(impl.reset());
  impl.clean = false;
  impl.ended = false;
  impl.calls = TRY(WasiRun::create({args, {}, {}, {}, 0, kDomainOutputMax, kDomainErrorsMax}));
  impl.call(impl.guest_main, {});
  if (impl.ended && impl.end != DomainEnd::kExited) return fail(Errc::kGuest, impl.message);
  return ok();
}

}  // namespace selvedge::host::domain
