// The statistics of guests/textstats.c computed natively, so that the demonstration can check what came back.
//
// Plain C behind a C interface: the core is the very file that the guest compiles. One counter is fed texts in order
// and gives one report of all of them, which is what merging the guests' reports must give too.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct native_stats;

/// NULL when memory runs out.
struct native_stats* native_stats_new(void);
/// 0 when memory ran out.
int native_stats_feed(struct native_stats* stats, const uint8_t* data, size_t size);
/// Hands the report to `emit` piece by piece and uses the counter up. 0 when memory ran out.
int native_stats_report(struct native_stats* stats, void (*emit)(void* context, const char* text, size_t length), void* context);
void native_stats_free(struct native_stats* stats);

#ifdef __cplusplus
}
#endif
