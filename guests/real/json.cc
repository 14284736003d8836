// json POINTER FILE: the part of a JSON document that a JSON pointer names, indented; its keys and size to out/about.txt. nlohmann-json.
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream in(argv[2]);
  const nlohmann::json all = nlohmann::json::parse(in, nullptr, false);
  if (all.is_discarded()) {
    std::cerr << argv[2] << " is not JSON\n";
    return 1;
  }
  const nlohmann::json::json_pointer where(argv[1]);
  if (!all.contains(where)) return 1;
  const nlohmann::json& part = all.at(where);
  std::cout << part.dump(2) << '\n';
  std::ofstream about("out/about.txt");
  about << part.type_name() << ' ' << part.size() << '\n';
  for (const auto& [key, value] : part.items()) about << key << ' ' << value.type_name() << '\n';
  return 0;
}
