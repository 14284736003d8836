// words: C++ as people write it (containers, streams, algorithms, threads of none): the ten most frequent words of the files named, or of
// standard input, with their counts; to standard output, and to /out/words.txt when files were named.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

static void count(std::istream& in, std::map<std::string, int>& counts) {
  for (std::string word; in >> word;) {
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : char(c); });
    ++counts[word];
  }
}

int main(int argc, char** argv) {
  std::map<std::string, int> counts;
  for (int i = 1; i < argc; ++i) {
    std::ifstream in(argv[i]);
    if (!in) {
      std::cerr << "cannot open " << argv[i] << '\n';
      return 1;
    }
    count(in, counts);
  }
  if (argc == 1) count(std::cin, counts);
  std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::ostringstream out;
  for (size_t i = 0; i < std::min<size_t>(sorted.size(), 10); ++i) out << sorted[i].second << ' ' << sorted[i].first << '\n';
  std::cout << out.str();
  if (argc > 1) std::ofstream("/out/words.txt") << out.str();
  return 0;
}
