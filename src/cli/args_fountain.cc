#include "cli/args.h"
#include "cli/fountain_verbs.h"

namespace selvedge::cli {

// The codec alone: no node is asked.
void add_fountain_verbs(CLI::App& app, Verb& chosen) {
  const auto shared = std::make_shared<FountainOptions>();
  FountainOptions& options = *shared;
  CLI::App* fountain = app.add_subcommand("fountain", "RaptorQ (RFC 6330) on plain files: any sufficient part of the symbols restores the file.")
                           ->require_subcommand(1)
                           ->group("Files");
  const auto add_shape = [&options](CLI::App* verb) {
    verb->add_option("--blocks", options.blocks, "source blocks (Z), coded on their own; without it, blocks of about 2000 symbols")->type_name("Z");
    verb->add_option("--sub-blocks", options.sub_blocks, "sub-blocks of a block (N)")->type_name("N")->capture_default_str();
  };
  CLI::App* symbols = add_verb(*fountain, chosen, "symbols", "Show the object's parameters (the 12 bytes of the OTI), then a line for each symbol: block, ESI, SHA-256.",
                               "  selvedge fountain symbols report.pdf --symbol-size 1024 --blocks 1 --esi 0-9\n"
                               "  selvedge fountain symbols report.pdf --symbol-size 1024 --esi 0,5000,16777215      source and repair alike, of every block\n",
                               verb_of(shared, run_fountain_symbols));
  symbols->add_option("FILE", options.input, "the object")->required();
  symbols->add_option("--symbol-size", options.symbol_bytes, "bytes of a symbol (T), 1 to 65535")->required()->check(CLI::Range(1, 65535))->type_name("T");
  symbols->add_option("--esi", options.esis, "encoding symbol ids: from 0 the source, from K on repair, up to 16777215")->required()->type_name("LIST");
  add_shape(symbols);
  CLI::App* encode = add_verb(*fountain, chosen, "encode", "Write a file as symbol files into a folder. Lose any of them, as long as enough are left.",
                              "  selvedge fountain encode film.mkv -o symbols                 5 % may get lost\n"
                              "  selvedge fountain encode film.mkv -o symbols --repair 50% --files 12\n"
                              "  mv symbols/part00[0-5].sym /media/a; mv symbols/*.sym /media/b      6 of the 12 files on each of two disks\n",
                              verb_of(shared, run_fountain_encode));
  encode->add_option("FILE", options.input, "the file; it may be larger than memory")->required();
  encode->add_option("-o,--output", options.out, "the folder; it is made, and has no symbol files yet")->required()->type_name("DIR");
  encode->add_option("--repair", options.repair, "repair symbols of each block: a share of its source symbols, or a number")->type_name("AMOUNT")->capture_default_str();
  encode->add_option("--symbol-size", options.symbol_bytes, "bytes of a symbol (T); without it, 1024 or more, by the size of the file")->check(CLI::Range(1, 65535))->type_name("T");
  encode->add_option("--files", options.files, "files that take the symbols in turn; without it, one for each symbol of a small file, else 256")->check(CLI::Range(1, 256))->type_name("N");
  add_shape(encode);
  CLI::App* decode = add_verb(*fountain, chosen, "decode", "Restore a file from its symbol files, whichever are left, in one folder or several.",
                              "  selvedge fountain decode symbols -o film.mkv\n"
                              "  selvedge fountain decode /media/a /media/c -o - | mpv -\n",
                              verb_of(shared, run_fountain_decode));
  decode->add_option("DIR", options.dirs, "folders with symbol files; damaged ones are left out")->required();
  decode->add_option("-o,--output", options.out, "the file to write; - for standard output")->required()->type_name("FILE");
  decode->add_option("--object", options.object, "which object, where the folders hold several: what encode printed, or its beginning")->type_name("ID");
  CLI::App* bench = add_verb(*fountain, chosen, "bench", "Measure the codec beside bounds of this machine: GB/s, milliseconds, and ratios.",
                             "  selvedge fountain bench\n"
                             "  selvedge fountain bench --kernel avx2 -k 1000,2000       with other inner loops; a name that is wrong lists those there are\n",
                             verb_of(shared, run_fountain_bench));
  bench->add_option("-k", options.ks, "source symbols of a block")->delimiter(',')->type_name("LIST");
  bench->add_option("--symbol-size", options.symbol_bytes, "bytes of a symbol (T); 1024 without it")->type_name("T");
  bench->add_option("--kernel", options.kernel, "inner loops for this instruction set instead of the fastest")->type_name("NAME");
  bench->add_flag("--quick", options.quick, "a single round of small blocks: shows that it works, not how fast");
  CLI::App* failures = add_verb(*fountain, chosen, "failures", "Count how often K, K+1 and K+2 random symbols do not suffice, against what the RFC promises.",
                                "  selvedge fountain failures\n"
                                "  selvedge fountain failures --trials 10000000 -k 10,26     a long run\n",
                                verb_of(shared, run_fountain_failures));
  failures->add_option("-k", options.ks, "source symbols of a block")->delimiter(',')->type_name("LIST");
  failures->add_option("--trials", options.trials, "symbol sets of 10 symbols; of K symbols, 10/K as many")->capture_default_str();
  failures->add_option("--seed", options.seed, "another seed, other sets")->capture_default_str();
}

}  // namespace selvedge::cli
