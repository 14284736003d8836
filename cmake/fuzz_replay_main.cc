// Runs a fuzz target over files and folders of inputs, so that every corpus is a regression test under any compiler,
// and over mutations of them drawn from a fixed seed, so that a plain build fuzzes a little on every run.
#include <cstdint>
#include <cstdio>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

uint64_t g_state = 0x5eed;
uint64_t draw() {  // splitmix64
  uint64_t z = g_state += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

void run(const std::vector<uint8_t>& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); }

std::vector<uint8_t> mutate(std::vector<uint8_t> input) {
  const uint64_t edits = 1 + draw() % 4;
  for (uint64_t i = 0; i < edits; ++i) {
    if (input.empty()) input.push_back(uint8_t(draw()));
    const size_t at = draw() % input.size();
    switch (draw() % 5) {
      case 0: input[at] ^= uint8_t(1u << draw() % 8); break;
      case 1: input[at] = uint8_t(draw()); break;
      case 2: input.resize(at); break;
      case 3: input.insert(input.begin() + long(at), uint8_t(draw())); break;
      default: input.erase(input.begin() + long(at)); break;
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kMutationsPerInput = 200;
  size_t count = 0;
  run({});
  for (int i = 1; i < argc; ++i) {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
    } else {
      files.emplace_back(argv[i]);
    }
    std::sort(files.begin(), files.end());
    for (const auto& path : files) {
      std::ifstream in(path, std::ios::binary);
      const std::vector<uint8_t> input((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      run(input);
      for (int m = 0; m < kMutationsPerInput; ++m) run(mutate(input));
      ++count;
    }
  }
  std::printf("replayed %zu inputs and %zu mutations\n", count, count * kMutationsPerInput);
  return count == 0 ? 1 : 0;
}
