// The published vectors (docs/spec/vectors): what our code says, as data that another implementation can be held against.
//
// Everything follows from fixed seeds and times, so that the files are the same on every machine. selvedge-object-vectors writes
// them and vectors_test.cc compares them with what is checked in; web/ reads them with code that shares no line with this.
// Nothing in the product links this.
#pragma once

#include <string>
#include <vector>

namespace selvedge::object::vectors {

struct VectorFile {
  std::string name;  // "objects.json"
  std::string text;
};

/// Every file of docs/spec/vectors that is made by a program, by name.
std::vector<VectorFile> make_vectors();

/// The names of the kinds that objects.json has an example of, in the order of docs/spec/objects.md.
std::vector<std::string> kinds_with_examples();

// One function for each file, in the file of its subject.
std::string cbor_file();
std::string names_file();
std::string signatures_file();
std::string objects_file();
std::string sealed_file();
std::string symbols_file();
std::string patterns_file();
std::string policies_file();
std::string capabilities_file();
std::string revocations_file();
std::string epochs_file();
std::string quorums_file();
std::string diversity_file();
std::string bridging_file();
std::string decisions_file();

}  // namespace selvedge::object::vectors
