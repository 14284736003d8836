// Hand-made modules for tests: sections from bytes, so that a test can also write what no compiler would.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "wasm/wire.h"

namespace selvedge::wasm::testing {

constexpr uint8_t kI = 0x7F, kL = 0x7E, kF = 0x7D, kD = 0x7C;  // i32, i64, f32, f64

struct TestFunction {
  uint32_t type = 0;
  Bytes locals = {0};  // the encoded groups
  Bytes code;          // with its end
};

/// A module with one memory page unless told otherwise. build() writes the sections that have something in them.
struct TestModule {
  std::vector<Bytes> types = {{0x60, 0, 0}};
  std::vector<Bytes> imports;
  std::vector<TestFunction> functions;
  Bytes table;                  // the section's body, without its count
  Bytes memory = {0, 1};        // limits; empty: no memory
  std::vector<Bytes> globals;   // type, mutability, constant, end
  std::vector<Bytes> exports;
  Bytes start;                  // the section's body
  std::vector<Bytes> elements, data;
  int data_count = -1;          // the section is left out below zero
  Bytes extra;                  // whole sections, appended

  static Bytes import(std::string_view module, std::string_view name, uint32_t type) {
    Bytes out;
    Writer(out).name(module).name(name).byte(0).u32(type);
    return out;
  }
  static Bytes export_of(std::string_view name, uint8_t kind, uint32_t index) {
    Bytes out;
    Writer(out).name(name).byte(kind).u32(index);
    return out;
  }
  TestModule& function(uint32_t type, Bytes code, Bytes locals = {0}) {
    functions.push_back({type, std::move(locals), std::move(code)});
    return *this;
  }

  Bytes build() const {
    Bytes out = {0, 'a', 's', 'm', 1, 0, 0, 0};
    vector(out, 1, types);
    vector(out, 2, imports);
    if (!functions.empty()) {
      Bytes body;
      Writer w(body);
      w.u32(uint32_t(functions.size()));
      for (const TestFunction& f : functions) w.u32(f.type);
      Writer(out).byte(3).sized(body);
    }
    if (!table.empty()) vector(out, 4, {table});
    if (!memory.empty()) vector(out, 5, {memory});
    vector(out, 6, globals);
    vector(out, 7, exports);
    if (!start.empty()) Writer(out).byte(8).sized(start);
    vector(out, 9, elements);
    if (data_count >= 0) {
      Bytes body;
      Writer(body).u32(uint32_t(data_count));
      Writer(out).byte(12).sized(body);
    }
    if (!functions.empty()) {
      Bytes body;
      Writer w(body);
      w.u32(uint32_t(functions.size()));
      for (const TestFunction& f : functions) {
        Bytes one;
        Writer(one).raw(f.locals).raw(f.code);
        w.sized(one);
      }
      Writer(out).byte(10).sized(body);
    }
    vector(out, 11, data);
    Writer(out).raw(extra);
    return out;
  }

 private:
  static void vector(Bytes& out, uint8_t id, const std::vector<Bytes>& items) {
    if (items.empty()) return;
    Bytes body;
    Writer w(body);
    w.u32(uint32_t(items.size()));
    for (const Bytes& item : items) w.raw(item);
    Writer(out).byte(id).sized(body);
  }
};

}  // namespace selvedge::wasm::testing
