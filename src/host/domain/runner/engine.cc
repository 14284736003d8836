#include "host/domain/runner/engine.h"

#include <JavaScriptCore/JavaScript.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "crypto/hash.h"
#include "host/domain/domain_pool.h"
#include "wasm/rewrite.h"

namespace selvedge::host::domain {
namespace {

// (module (memory 1) (func (export "f") (param i32) (result i32) local.get 0 i32.load))
constexpr uint8_t kWarmUpModule[] = {0,    'a',  's',  'm',  1,    0,    0,    0,    0x01, 0x06, 0x01, 0x60, 0x01,
                                     0x7F, 0x01, 0x7F, 0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07,
                                     0x05, 0x01, 0x01, 'f',  0x00, 0x00, 0x0A, 0x09, 0x01, 0x07, 0x00, 0x20, 0x00,
                                     0x28, 0x02, 0x00, 0x0B};

/// A program that grew its memory gets a new instance for its next task; the collector takes the old ones (resident
/// memory stays flat over a thousand). All the same a process asks to be replaced after so many.
constexpr int kInstancesMax = 256;

uint64_t cpu_now_ns() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return uint64_t(t.tv_sec) * 1'000'000'000u + uint64_t(t.tv_nsec);
}

/// A JavaScript string for the duration of a scope.
class Name {
 public:
  explicit Name(const char* text) : string_(JSStringCreateWithUTF8CString(text)) {}
  ~Name() { JSStringRelease(string_); }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  operator JSStringRef() const { return string_; }

 private:
  JSStringRef string_;
};

}  // namespace

struct Engine::Impl {
  JSGlobalContextRef context = nullptr;
  BetweenSlices between;
  ModuleFrame module;
  JSObjectRef wasm_module = nullptr, exports = nullptr, memory_view = nullptr;  // protected from collection
  JSObjectRef begin = nullptr, fuel_get = nullptr, fuel_set = nullptr, guest_start = nullptr, guest_main = nullptr;  // held by exports
  Bytes image;  // the memory after instantiation, up to its last byte that is not zero
  int instances = 0;
  bool clean = false;  // memory and instance are as after instantiation

  // The run in progress.
  std::unique_ptr<WasiRun> wasi;
  uint64_t granted = 0, fuel_limit = 0;
  uint64_t mark = 0;  // the last multiple of kFuelMark that a check found passed
  bool ended = false;
  DomainEnd end = DomainEnd::kExited;
  std::string message;
  bool comparable = true;
  bool metered = true;

  // --- calling ---------------------------------------------------------------------------------------------------

  static Impl* of(JSContextRef ctx) {
    return static_cast<Impl*>(JSObjectGetPrivate(JSContextGetGlobalObject(ctx)));
  }
  JSValueRef get(JSObjectRef object, const char* name) {
    JSValueRef exception = nullptr;
    JSValueRef value = JSObjectGetProperty(context, object, Name(name), &exception);
    return exception != nullptr ? nullptr : value;
  }
  JSObjectRef get_object(JSObjectRef object, const char* name) {
    JSValueRef value = get(object, name);
    return value != nullptr && JSValueIsObject(context, value) ? JSValueToObject(context, value, nullptr) : nullptr;
  }
  void set(JSObjectRef object, const char* name, JSValueRef value) {
    JSObjectSetProperty(context, object, Name(name), value, kJSPropertyAttributeNone, nullptr);
  }
  std::string text(JSValueRef value) {
    JSStringRef string = value != nullptr ? JSValueToStringCopy(context, value, nullptr) : nullptr;
    if (string == nullptr) return "";
    std::string out(std::min<size_t>(JSStringGetMaximumUTF8CStringSize(string), 1024), '\0');
    const size_t size = JSStringGetUTF8CString(string, out.data(), out.size());
    JSStringRelease(string);
    out.resize(size > 0 ? size - 1 : 0);
    return out;
  }
  void hold(JSObjectRef& slot, JSObjectRef object) {
    if (slot != nullptr) JSValueUnprotect(context, slot);
    slot = object;
    if (object != nullptr) JSValueProtect(context, object);
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

  static JSValueRef on_yield(JSContextRef ctx, JSObjectRef, JSObjectRef, size_t count, const JSValueRef args[],
                             JSValueRef* exception) {
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
    if (!between()) {
      stop(ctx, exception, DomainEnd::kKilled, "stopped", false);
      return 0;
    }
    const uint64_t used = granted + missing;
    mark = used - used % wasm::kFuelMark;
    const uint64_t to_mark = wasm::kFuelMark - granted % wasm::kFuelMark;
    const uint64_t slice = std::max(missing, std::min({uint64_t(kSliceFuel), to_mark, fuel_limit - granted}));
    granted += slice;
    return slice;
  }

  /// Takes fuel for what a host function did, and compares it as a loop's head does.
  void charge(JSContextRef ctx, JSValueRef* exception, uint64_t cost) {
    JSValueRef failed = nullptr;
    JSValueRef value = JSObjectCallAsFunction(context, fuel_get, nullptr, 0, nullptr, &failed);
    int64_t left = failed == nullptr ? JSValueToInt64(context, value, &failed) - int64_t(cost) : 0;
    if (failed == nullptr && left < 0) {
      const uint64_t slice = grant(ctx, exception, uint64_t(-left));
      if (slice == 0) return;
      left += int64_t(slice);
    }
    const JSValueRef args[] = {failed == nullptr ? JSBigIntCreateWithInt64(context, left, &failed) : nullptr};
    if (failed == nullptr) JSObjectCallAsFunction(context, fuel_set, nullptr, 1, args, &failed);
    if (failed != nullptr) stop(ctx, exception, DomainEnd::kOutOfMemory, "the engine ran short", false);
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

  template <wasm::WasiFunction kFunction>
  static JSValueRef on_wasi(JSContextRef ctx, JSObjectRef, JSObjectRef, size_t count, const JSValueRef args[],
                            JSValueRef* exception) {
    Impl& self = *of(ctx);
    // A guest does not go on after it was told to stop, whatever it makes of the exception.
    if (self.ended || self.wasi == nullptr) return self.stop(ctx, exception, DomainEnd::kTrapped, "ended");
    uint64_t numbers[wasm::kWasiArgsMax] = {};
    const char* types = wasm::wasi_types(kFunction);
    for (size_t i = 0; i < std::min(count, wasm::kWasiArgsMax) && types[i] != '>'; ++i) {
      numbers[i] = types[i] == 'l' ? uint64_t(JSValueToInt64(ctx, args[i], nullptr)) : uint32_t(int32_t(JSValueToNumber(ctx, args[i], nullptr)));
    }
    const std::function<uint64_t()> fuel = [&self] { return self.fuel_used(); };
    const WasiAnswer answer = self.wasi->call(kFunction, numbers, self.memory(), fuel);
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
    JSObjectRef imports = JSObjectMake(context, nullptr, nullptr);
    set(imports, "wasi_snapshot_preview1", wasi_module);
    set(imports, wasm::kYieldModule, host_module);
    return imports;
  }

  // --- modules and instances -------------------------------------------------------------------------------------

  Result<JSObjectRef> construct(const char* name, std::span<const JSValueRef> args) {
    JSObjectRef web_assembly = get_object(JSContextGetGlobalObject(context), "WebAssembly");
    JSObjectRef constructor = web_assembly != nullptr ? get_object(web_assembly, name) : nullptr;
    if (constructor == nullptr) return fail(Errc::kInternal, "the engine has no WebAssembly");
    JSValueRef exception = nullptr;
    JSObjectRef out = JSObjectCallAsConstructor(context, constructor, args.size(), args.data(), &exception);
    if (exception != nullptr || out == nullptr) return fail(Errc::kGuest, text(exception));
    return out;
  }

  Result<JSObjectRef> compile(ByteView bytes) {
    JSObjectRef array = JSObjectMakeTypedArray(context, kJSTypedArrayTypeUint8Array, bytes.size(), nullptr);
    if (array == nullptr) return fail(Errc::kLimit, "no memory for the module");
    std::memcpy(JSObjectGetTypedArrayBytesPtr(context, array, nullptr), bytes.data(), bytes.size());
    const JSValueRef args[] = {array};
    return construct("Module", args);
  }

  Status instantiate() {
    hold(memory_view, nullptr);
    hold(exports, nullptr);
    const JSValueRef args[] = {wasm_module, make_imports()};
    JSObjectRef instance = TRY(construct("Instance", args));
    ++instances;
    hold(exports, get_object(instance, "exports"));
    if (exports == nullptr) return fail(Errc::kInternal, "an instance without exports");
    guest_main = get_object(exports, "_start");
    if (guest_main == nullptr) return fail(Errc::kGuest, "the module exports no _start, so it cannot be run as a task");
    if (!metered) return ok();
    begin = get_object(exports, wasm::kExportBegin);
    fuel_get = get_object(exports, wasm::kExportFuelGet);
    fuel_set = get_object(exports, wasm::kExportFuelSet);
    guest_start = module.has_start ? get_object(exports, wasm::kExportStart) : nullptr;
    if (begin == nullptr || fuel_get == nullptr || fuel_set == nullptr || (module.has_start && guest_start == nullptr)) {
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

  void execute(const TaskFrame& task) {
    const JSValueRef pages[] = {JSValueMakeNumber(context, double(std::min<uint64_t>(task.memory_pages_max, 65'536)))};
    if (!call(begin, pages)) return;
    if (module.pages_min > task.memory_pages_max) {
      ended = true;
      end = DomainEnd::kOutOfMemory;
      message = "the module starts with " + std::to_string(module.pages_min) + " pages of memory; the task allows " +
                std::to_string(task.memory_pages_max);
      return;
    }
    if (guest_start != nullptr && !call(guest_start, {})) return;
    call(guest_main, {});
  }

  ResultFrame conclude(uint64_t cpu_start) {
    ResultFrame out;
    uint64_t used = fuel_used();
    if (comparable && used > fuel_limit) {
      // Fuel is checked at loops and calls only; what was overdrawn on the last straight line counts all the same.
      end = DomainEnd::kOutOfFuel;
      message = "the fuel limit of the task was reached";
    }
    Result<Bytes> output = wasi->take_output();
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
    out.exit_code = end == DomainEnd::kExited ? wasi->exit_code() : 0;
    out.fuel = used;
    out.memory_bytes = memory().size();
    out.comparable = comparable;
    out.reusable = comparable && instances < kInstancesMax;
    out.message = message;
    out.errors = wasi->errors();
    if (comparable) {
      wasm::TraceParts parts;
      parts.identity = module.identity;
      parts.args = wasi->world();
      parts.input = crypto::sha256(wasi->input().input);
      parts.seed = wasi->input().seed;
      parts.end = out.end;
      parts.exit_code = out.exit_code;
      parts.fuel = used;
      parts.output = crypto::sha256(*output);
      parts.memory = crypto::sha256(memory());
      out.trace = wasm::trace_commitment(parts);
    }
    out.output = std::move(output).value();
    wasi.reset();
    out.cpu_ns = cpu_now_ns() - cpu_start;
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

ResultFrame Engine::run(TaskFrame task) {
  const uint64_t cpu_start = cpu_now_ns();
  Impl& impl = *impl_;
  ResultFrame refused;
  refused.end = uint8_t(DomainEnd::kRefused);
  if (impl.exports == nullptr) {
    refused.message = "no module was loaded";
    return refused;
  }
  const Status reset = impl.reset();
  if (!reset.ok()) {
    refused.end = uint8_t(DomainEnd::kOutOfMemory);
    refused.message = "cannot reset the instance: " + reset.error().message;
    return refused;
  }
  impl.granted = impl.mark = 0;
  impl.fuel_limit = task.fuel_limit;
  impl.ended = false;
  impl.end = DomainEnd::kExited;
  impl.message.clear();
  impl.comparable = true;
  WasiInput input{std::move(task.args), std::move(task.environment), std::move(task.input), std::move(task.files), task.seed, task.output_bytes_max,
                  kDomainErrorsMax};
  Result<std::unique_ptr<WasiRun>> wasi = WasiRun::create(std::move(input));
  if (!wasi.ok()) {
    refused.message = "the task's files: " + wasi.error().message;
    refused.reusable = true;
    return refused;
  }
  impl.wasi = std::move(wasi).value();
  impl.clean = false;
  impl.execute(task);
  return impl.conclude(cpu_start);
}

void Engine::prepare() {
  // A failure shows again, with its reason, when the next task runs.
  if (impl_->exports != nullptr && !impl_->reset().ok()) impl_->clean = false;
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
  impl.wasi = TRY(WasiRun::create({args, {}, {}, {}, 0, kDomainOutputMax, kDomainErrorsMax}));
  impl.call(impl.guest_main, {});
  if (impl.ended && impl.end != DomainEnd::kExited) return fail(Errc::kGuest, impl.message);
  return ok();
}

}  // namespace selvedge::host::domain
