#include "native_stats.h"

#include "textstats_core.h"

struct native_stats {
  struct text_stats stats;
};

struct native_stats* native_stats_new(void) {
  struct native_stats* made = (struct native_stats*)malloc(sizeof *made);
  if (made == NULL) return NULL;
  if (text_stats_init(&made->stats)) return made;
  free(made);
  return NULL;
}

int native_stats_feed(struct native_stats* stats, const uint8_t* data, size_t size) { return text_stats_feed(&stats->stats, data, size); }

int native_stats_report(struct native_stats* stats, void (*emit)(void*, const char*, size_t), void* context) {
  return text_stats_report(&stats->stats, emit, context);
}

void native_stats_free(struct native_stats* stats) {
  if (stats == NULL) return;
  text_stats_free(&stats->stats);
  free(stats);
}
