// Statistics of a text that can be computed in pieces: bytes, lines, words, a byte histogram and how often each
// word occurs. A word is a run of [A-Za-z]+ counted in lower case, by its first TEXT_WORD_MAX letters.
//
// Why the report looks as it does: a large text is cut anywhere, each piece is counted somewhere else, and merging
// the reports in order must give exactly the report of the whole. So a report carries all words, and also the run
// of letters at which its piece begins and the one at which it ends, because a cut may go through a word.
//
// Plain C11 without stdio, so that the same file is the guest's code and the native check. Memory is bounded by the
// number of different words; every function that can run out of memory returns 0 on failure, 1 otherwise.
#ifndef SELVEDGE_TEXTSTATS_CORE_H
#define SELVEDGE_TEXTSTATS_CORE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_WORD_MAX = 63, TEXT_TOP_WORDS = 10, TEXT_TABLE_FIRST = 1024 };

struct text_word {
  uint64_t count;
  uint8_t length;  // 0: the slot is free
  char letters[TEXT_WORD_MAX];
};

struct text_run {  // a run of letters, cut off at TEXT_WORD_MAX
  uint8_t length;
  char letters[TEXT_WORD_MAX];
};

struct text_stats {
  uint64_t bytes, lines, words, histogram[256];
  struct text_word* table;  // open addressing, at most half full
  size_t capacity, unique;
  struct text_run head;  // letters before the first byte that is none
  struct text_run tail;  // letters after the last byte that is none
  int split;             // a byte that is no letter was seen, so head and tail are not the same run
};

typedef void (*text_emit)(void* context, const char* text, size_t length);

static inline int text_stats_init(struct text_stats* s) {
  memset(s, 0, sizeof *s);
  s->capacity = TEXT_TABLE_FIRST;
  s->table = (struct text_word*)calloc(s->capacity, sizeof *s->table);
  return s->table != NULL;
}

static inline void text_stats_free(struct text_stats* s) {
  free(s->table);
  s->table = NULL;
}

static inline struct text_word* text_slot(struct text_word* table, size_t capacity, const char* word, uint8_t length) {
  uint64_t h = 0xcbf29ce484222325u;
  for (uint8_t i = 0; i < length; ++i) h = (h ^ (uint8_t)word[i]) * 0x100000001b3u;
  size_t at = (size_t)(h ^ h >> 32) & (capacity - 1);
  while (table[at].length != 0 && (table[at].length != length || memcmp(table[at].letters, word, length) != 0))
    at = (at + 1) & (capacity - 1);
  return &table[at];
}

static inline int text_grow(struct text_stats* s) {
  const size_t capacity = s->capacity * 2;
  struct text_word* table = (struct text_word*)calloc(capacity, sizeof *table);
  if (table == NULL) return 0;
  for (size_t i = 0; i < s->capacity; ++i)
    if (s->table[i].length != 0) *text_slot(table, capacity, s->table[i].letters, s->table[i].length) = s->table[i];
  free(s->table);
  s->table = table;
  s->capacity = capacity;
  return 1;
}

static inline int text_count(struct text_stats* s, const char* word, uint8_t length, uint64_t count) {
  if (length == 0 || count == 0) return 1;
  if (s->unique * 2 >= s->capacity && !text_grow(s)) return 0;
  struct text_word* slot = text_slot(s->table, s->capacity, word, length);
  if (slot->length == 0) {
    slot->length = length;
    memcpy(slot->letters, word, length);
    ++s->unique;
  }
  slot->count += count;
  s->words += count;
  return 1;
}

static inline void text_run_push(struct text_run* run, char letter) {
  if (run->length < TEXT_WORD_MAX) run->letters[run->length++] = letter;
}

static inline void text_run_append(struct text_run* run, const struct text_run* more) {
  for (uint8_t i = 0; i < more->length; ++i) text_run_push(run, more->letters[i]);
}

/// Ends the run at which the text stops for now: a complete word, unless it is also where the text began.
static inline int text_close_run(struct text_stats* s) {
  if (!s->split) {
    s->head = s->tail;
    s->split = 1;
  } else if (!text_count(s, s->tail.letters, s->tail.length, 1)) {
    return 0;
  }
  s->tail.length = 0;
  return 1;
}

static inline int text_stats_feed(struct text_stats* s, const uint8_t* data, size_t size) {
  s->bytes += size;
  for (size_t i = 0; i < size; ++i) {
    const uint8_t c = data[i];
    ++s->histogram[c];
    const uint8_t lower = c | 0x20;
    if (lower >= 'a' && lower <= 'z') {
      text_run_push(&s->tail, (char)lower);
      continue;
    }
    if ((s->tail.length != 0 || !s->split) && !text_close_run(s)) return 0;
    if (c == '\n') ++s->lines;
  }
  return 1;
}

static inline int text_by_word(const void* a, const void* b) {
  const struct text_word *x = (const struct text_word*)a, *y = (const struct text_word*)b;
  const int order = memcmp(x->letters, y->letters, x->length < y->length ? x->length : y->length);
  return order != 0 ? order : (int)x->length - (int)y->length;
}

static inline int text_by_count(const void* a, const void* b) {
  const struct text_word *x = (const struct text_word*)a, *y = (const struct text_word*)b;
  if (x->count != y->count) return x->count < y->count ? 1 : -1;
  return text_by_word(a, b);
}

static inline void text_emit_number(text_emit emit, void* context, uint64_t value, char after) {
  char digits[21];
  size_t at = sizeof digits;
  digits[--at] = after;
  do digits[--at] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  emit(context, digits + at, sizeof digits - at);
}

static inline void text_emit_field(text_emit emit, void* context, const char* name, uint64_t value) {
  emit(context, name, strlen(name));
  text_emit_number(emit, context, value, '\n');
}

static inline void text_emit_run(text_emit emit, void* context, const char* name, const struct text_run* run) {
  emit(context, name, strlen(name));
  emit(context, run->letters, run->length);
  emit(context, "\n", 1);
}

static inline void text_emit_words(text_emit emit, void* context, const char* name, const struct text_word* words,
                                   size_t count) {
  for (size_t i = 0; i < count; ++i) {
    emit(context, name, strlen(name));
    emit(context, words[i].letters, words[i].length);
    emit(context, " ", 1);
    text_emit_number(emit, context, words[i].count, '\n');
  }
}

/// Writes the report. The head and tail runs count as words in it. The statistics are used up: only free them after.
static inline int text_stats_report(struct text_stats* s, text_emit emit, void* context) {
  const struct text_run head = s->head, tail = s->tail;
  if (!text_count(s, tail.letters, tail.length, 1)) return 0;
  if (s->split && !text_count(s, head.letters, head.length, 1)) return 0;
  size_t n = 0;
  for (size_t i = 0; i < s->capacity; ++i)
    if (s->table[i].count != 0) s->table[n++] = s->table[i];  // merging leaves words behind that were none
  emit(context, "textstats 1\n", 12);
  text_emit_field(emit, context, "bytes ", s->bytes);
  text_emit_field(emit, context, "lines ", s->lines);
  text_emit_field(emit, context, "words ", s->words);
  text_emit_field(emit, context, "unique ", n);
  text_emit_field(emit, context, "split ", (uint64_t)s->split);
  text_emit_run(emit, context, "head ", &head);
  text_emit_run(emit, context, "tail ", &tail);
  for (unsigned c = 0; c < 256; ++c) {
    if (s->histogram[c] == 0) continue;
    emit(context, "b ", 2);
    text_emit_number(emit, context, c, ' ');
    text_emit_number(emit, context, s->histogram[c], '\n');
  }
  qsort(s->table, n, sizeof *s->table, text_by_count);
  text_emit_words(emit, context, "top ", s->table, n < TEXT_TOP_WORDS ? n : TEXT_TOP_WORDS);
  qsort(s->table, n, sizeof *s->table, text_by_word);
  text_emit_words(emit, context, "w ", s->table, n);
  emit(context, "end\n", 4);
  return 1;
}

// What merging knows of the report it is reading.
struct text_merge {
  int inside;  // between "textstats 1" and "end"
  struct text_run head, tail;
  int split;
};

static inline int text_parse_number(const char** at, const char* end, uint64_t* value) {
  const char* p = *at;
  *value = 0;
  while (p < end && *p >= '0' && *p <= '9' && p - *at < 19) *value = *value * 10 + (uint64_t)(*p++ - '0');
  if (p == *at || (p < end && *p != ' ')) return 0;
  *at = p < end ? p + 1 : p;
  return 1;
}

static inline int text_parse_run(const char** at, const char* end, struct text_run* run) {
  run->length = 0;
  while (*at < end && **at != ' ') {
    if (**at < 'a' || **at > 'z' || run->length == TEXT_WORD_MAX) return 0;
    text_run_push(run, *(*at)++);
  }
  if (*at < end) ++*at;
  return 1;
}

/// Takes one of the `count` occurrences of a run back: it turned out to be a part of a word.
static inline void text_uncount(struct text_stats* s, const struct text_run* run) {
  if (run->length == 0) return;
  struct text_word* slot = text_slot(s->table, s->capacity, run->letters, run->length);
  if (slot->length == 0 || slot->count == 0) return;
  --slot->count;
  --s->words;
}

/// The end of a report: joins the run at which the text so far ended with the one at which this piece began.
static inline int text_merge_join(struct text_stats* s, const struct text_merge* m) {
  text_uncount(s, &m->tail);
  if (m->split) text_uncount(s, &m->head);
  if (!m->split) {
    text_run_append(&s->tail, &m->tail);
    return 1;
  }
  text_run_append(&s->tail, &m->head);
  if (!text_close_run(s)) return 0;
  s->tail = m->tail;
  return 1;
}

/// One line of a report, without its end. Returns 0 for a line that is none or when memory runs out.
static inline int text_merge_line(struct text_stats* s, struct text_merge* m, const char* line, size_t length) {
  const char* const end = line + length;
  uint64_t value, other;
  struct text_run run;
  if (length == 11 && memcmp(line, "textstats 1", 11) == 0) {
    if (m->inside) return 0;
    memset(m, 0, sizeof *m);
    m->inside = 1;
    return 1;
  }
  if (!m->inside) return 0;
#define TEXT_FIELD(name) (length >= sizeof name - 1 && memcmp(line, name, sizeof name - 1) == 0 && (line += sizeof name - 1))
  if (length == 3 && memcmp(line, "end", 3) == 0) {
    m->inside = 0;
    return text_merge_join(s, m);
  }
  if (TEXT_FIELD("bytes ")) return text_parse_number(&line, end, &value) && (s->bytes += value, 1);
  if (TEXT_FIELD("lines ")) return text_parse_number(&line, end, &value) && (s->lines += value, 1);
  if (TEXT_FIELD("split ")) return text_parse_number(&line, end, &value) && (m->split = value != 0, 1);
  if (TEXT_FIELD("head ")) return text_parse_run(&line, end, &m->head);
  if (TEXT_FIELD("tail ")) return text_parse_run(&line, end, &m->tail);
  if (TEXT_FIELD("b "))
    return text_parse_number(&line, end, &value) && value < 256 && text_parse_number(&line, end, &other) &&
           (s->histogram[value] += other, 1);
  if (TEXT_FIELD("w "))
    return text_parse_run(&line, end, &run) && run.length != 0 && text_parse_number(&line, end, &value) &&
           text_count(s, run.letters, run.length, value);
  // What follows from the rest is recomputed, not read.
  return TEXT_FIELD("words ") || TEXT_FIELD("unique ") || TEXT_FIELD("top ");
#undef TEXT_FIELD
}

#endif  // SELVEDGE_TEXTSTATS_CORE_H
