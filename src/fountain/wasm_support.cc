// What the WebAssembly module has instead of parts of the C and C++ libraries, so that a browser has less to fetch.
//
// The libraries' own allocator, and the printing of messages before they give up, are larger than the solver. In their
// place: an allocator of size classes, four to a doubling, whose freed pieces wait in lists for the next of their class
// (a decoder asks for the same sizes block after block); and traps, which are what the engine outside can see.
#if defined(__wasm__)

#include <__verbose_abort>  // style: allow layer because this replaces a function of libc++, where the library allows it
#include <cstddef>
#include <cstdint>
#include <new>

namespace {

constexpr size_t kPageBytes = 65536;
constexpr size_t kUnitBytes = 16;  // of alignment, and of the header before each piece
constexpr uint32_t kClassCount = 128;

struct Header {
  void* base;  // what the piece began as, before it was aligned
  uint32_t size_class;
};
static_assert(sizeof(Header) <= kUnitBytes);

struct Heap {
  void* freed[kClassCount];  // by size class; the first word of a piece names the next
  uintptr_t next;
  uintptr_t end;
};
Heap heap;  // zero from the start; the one state of the module, as the memory it hands out is

// Sizes 16 * (4 + quarter) << doubling: at most a quarter is wasted.
uint32_t class_of(size_t bytes) {
  const size_t units = (bytes + kUnitBytes - 1) / kUnitBytes;
  if (units <= 4) return 0;
  const uint32_t doubling = 31u - static_cast<uint32_t>(__builtin_clz(static_cast<uint32_t>(units - 1)));
  return (doubling - 2) * 4 + ((units - 1) >> (doubling - 2)) - 3;
}

size_t bytes_of(uint32_t size_class) {
  const size_t doubling = size_class / 4;
  return ((4 + size_class % 4) << doubling) * kUnitBytes;
}

void* fresh(size_t bytes) {
  if (heap.end == 0) heap.next = heap.end = __builtin_wasm_memory_size(0) * kPageBytes;
  if (heap.end - heap.next < bytes) {
    const size_t pages = (bytes - (heap.end - heap.next) + kPageBytes - 1) / kPageBytes;
    if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return nullptr;
    heap.end += pages * kPageBytes;
  }
  void* const piece = reinterpret_cast<void*>(heap.next);
  heap.next += bytes;
  return piece;
}

void* allocate(size_t bytes, size_t alignment) {
  constexpr size_t kBytesMax = size_t{1} << 31;
  if (bytes >= kBytesMax) return nullptr;
  const size_t slack = kUnitBytes + (alignment > kUnitBytes ? alignment : 0);
  const uint32_t size_class = class_of(bytes + slack);
  void* base = heap.freed[size_class];
  if (base != nullptr) {
    heap.freed[size_class] = *static_cast<void**>(base);
  } else {
    base = fresh(bytes_of(size_class));
    if (base == nullptr) return nullptr;
  }
  const uintptr_t at = (reinterpret_cast<uintptr_t>(base) + kUnitBytes + alignment - 1) / alignment * alignment;
  *reinterpret_cast<Header*>(at - kUnitBytes) = Header{base, size_class};
  return reinterpret_cast<void*>(at);
}

void release(void* memory) {
  if (memory == nullptr) return;
  const Header header = *reinterpret_cast<Header*>(static_cast<uint8_t*>(memory) - kUnitBytes);
  *static_cast<void**>(header.base) = heap.freed[header.size_class];
  heap.freed[header.size_class] = header.base;
}

void* required(void* memory) {
  if (memory == nullptr) __builtin_trap();
  return memory;
}

}  // namespace

extern "C" void* malloc(size_t bytes) { return allocate(bytes, kUnitBytes); }
extern "C" void free(void* memory) { release(memory); }

void std::__libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }

void* operator new(size_t bytes) { return required(allocate(bytes, kUnitBytes)); }
void* operator new[](size_t bytes) { return required(allocate(bytes, kUnitBytes)); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, kUnitBytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, kUnitBytes); }
void* operator new(size_t bytes, std::align_val_t alignment) { return required(allocate(bytes, static_cast<size_t>(alignment))); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }

#endif
