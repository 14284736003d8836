// What the engine needs beside itself: a module to warm up with, strings of JavaScript, and a service's state as the pool answers for it.
#pragma once

#include <JavaScriptCore/JavaScript.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "host/domain/runner/engine.h"

namespace selvedge::host::domain {

// (module (memory 1) (func (export "f") (param i32) (result i32) local.get 0 i32.load))
inline constexpr uint8_t kWarmUpModule[] = {0,    'a',  's',  'm',  1,    0,    0,    0,    0x01, 0x06, 0x01, 0x60, 0x01,
                                     0x7F, 0x01, 0x7F, 0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07,
                                     0x05, 0x01, 0x01, 'f',  0x00, 0x00, 0x0A, 0x09, 0x01, 0x07, 0x00, 0x20, 0x00,
                                     0x28, 0x02, 0x00, 0x0B};

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

/// The state of a service, which lies with the pool.
class AskedState final : public wasi::StateView {
 public:
  AskedState(DomainHandle handle, wasi::StateUse use, AskState ask) : handle_(handle), use_(use), ask_(std::move(ask)) {}
  std::optional<Bytes> get(std::string_view key) const override { return ask_({handle_, false, std::string(key), ""}); }
  std::optional<std::string> next(std::string_view prefix, std::string_view after) const override {
    const std::optional<Bytes> key = ask_({handle_, true, std::string(prefix), std::string(after)});
    return key ? std::optional(to_string(*key)) : std::nullopt;
  }
  wasi::StateUse use() const override { return use_; }

 private:
  DomainHandle handle_;
  wasi::StateUse use_;
  AskState ask_;
};

/// A context of JavaScript and what is done in it.
struct JsContext {
  JSGlobalContextRef context = nullptr;

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
};

}  // namespace selvedge::host::domain
