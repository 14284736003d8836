// selvedge-object-vectors DIRECTORY: writes the published vectors. The test beside this compares them with what is checked in, so run it
// after a change of format: build/bin/selvedge-object-vectors docs/spec/vectors
#include <cstdio>
#include <fstream>

#include "object/vectors/vectors.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: selvedge-object-vectors DIRECTORY   (docs/spec/vectors)\n");
    return 2;
  }
  for (const auto& file : selvedge::object::vectors::make_vectors()) {
    std::ofstream out(std::string(arguments[1]) + "/" + file.name, std::ios::binary | std::ios::trunc);
    out << file.text;
    if (!out.flush()) {
      std::fprintf(stderr, "%s cannot be written in %s: does the directory exist?\n", file.name.c_str(), arguments[1]);
      return 1;
    }
  }
  return 0;
}
