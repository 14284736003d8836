// textstats: statistics of the text on standard input, as a report that can be merged.
//
//   textstats        counts the text
//   textstats merge  reads reports, one after the other in the order of their pieces, and writes the report of all
//
// The same file compiles natively (the build makes textstats-native), which is how the guest's answers are checked.
#include "textstats_core.h"

#include <unistd.h>

enum { BLOCK_BYTES = 65536, LINE_MAX_BYTES = 256 };

static uint8_t in_block[BLOCK_BYTES];
static char out_block[BLOCK_BYTES];
static size_t out_used;
static int failed;

static void flush_out(void) {
  size_t done = 0;
  while (done < out_used && !failed) {
    const ssize_t n = write(1, out_block + done, out_used - done);
    if (n <= 0) failed = 1;
    else done += (size_t)n;
  }
  out_used = 0;
}

static void emit(void* context, const char* text, size_t length) {
  (void)context;
  if (out_used + length > sizeof out_block) flush_out();
  memcpy(out_block + out_used, text, length);
  out_used += length;
}

static int die(const char* why) {
  const ssize_t ignored = write(2, why, strlen(why));
  (void)ignored;
  return 1;
}

static int count_text(struct text_stats* stats) {
  ssize_t n;
  while ((n = read(0, in_block, sizeof in_block)) > 0)
    if (!text_stats_feed(stats, in_block, (size_t)n)) return die("textstats: out of memory; give the task more\n");
  return n == 0 ? 0 : die("textstats: cannot read standard input\n");
}

static int merge_reports(struct text_stats* stats) {
  struct text_merge merge = {0};
  char line[LINE_MAX_BYTES];
  size_t used = 0;
  ssize_t n;
  while ((n = read(0, in_block, sizeof in_block)) > 0) {
    for (ssize_t i = 0; i < n; ++i) {
      if (in_block[i] != '\n') {
        if (used == sizeof line) return die("textstats: a line of a report is too long; is this a report?\n");
        line[used++] = (char)in_block[i];
        continue;
      }
      if (!text_merge_line(stats, &merge, line, used)) return die("textstats: not a report, or out of memory\n");
      used = 0;
    }
  }
  if (n < 0) return die("textstats: cannot read standard input\n");
  if (merge.inside || used != 0) return die("textstats: the last report is cut off\n");
  return 0;
}

int main(int argc, char** argv) {
  struct text_stats stats;
  if (!text_stats_init(&stats)) return die("textstats: out of memory; give the task more\n");
  const int merging = argc > 1 && strcmp(argv[1], "merge") == 0;
  if (argc > 1 && !merging) return die("usage: textstats [merge] < text-or-reports\n");
  if ((merging ? merge_reports(&stats) : count_text(&stats)) != 0) return 1;
  if (!text_stats_report(&stats, emit, NULL)) return die("textstats: out of memory; give the task more\n");
  flush_out();
  text_stats_free(&stats);
  return failed;
}
