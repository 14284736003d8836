// The selvedge command. Everything it does is in commands.h; this file only hands the command line over.
#include "cli/commands.h"

int main(int argc, char** argv) { return selvedge::cli::run_command_line(argc, argv, SELVEDGE_VERSION); }
