// RaptorQ forward error correction (RFC 6330) for C, and for every language that calls C.
//
// The face of fountain.h as functions over opaque handles; the rules of fountain.h hold: ESI is the RFC's ESI,
// RaptorQ finds no corruption (feed authenticated symbols only), nothing here starts a thread.
//
// Ownership: a handle comes from *_create and goes to *_free, which takes NULL too. A handle keeps what it needs of
// a cache, so a cache may be freed before the encoders and decoders that were made with it. Memory that is handed in
// stays the caller's; only the source of an encoder must stay in place and unchanged until the encoder is freed.
//
// Threads: different handles may be used on different threads; a cache and an encoder may be used by many threads
// at once, a decoder by one at a time.
//
// Errors: every function that can fail returns a fountain_status. Negative means failed, nothing changed.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fountain_cache fountain_cache;
typedef struct fountain_encoder fountain_encoder;
typedef struct fountain_decoder fountain_decoder;

typedef enum fountain_status {
  FOUNTAIN_OK = 0,
  FOUNTAIN_DUPLICATE = 1, /* add: the symbol is here already */
  FOUNTAIN_MORE = 2,      /* decode: too few symbols; fountain_decoder_needed says how many */
  FOUNTAIN_INVALID = -1,  /* a value out of range, NULL where there must be something, a wrong length */
  FOUNTAIN_FULL = -2,     /* add: the decoder holds as many spare symbols as it may */
  FOUNTAIN_MEMORY = -3    /* out of memory */
} fountain_status;

/* English, for people; never NULL, never freed. */
const char* fountain_status_text(fountain_status status);

/* The object transmission information. */
typedef struct fountain_object {
  uint64_t object_bytes;  /* F, 1 .. 946270874880 */
  uint32_t symbol_bytes;  /* T, 1 .. 65535 */
  uint32_t source_blocks; /* Z, 1 .. 255 */
  uint32_t sub_blocks;    /* N */
  uint32_t alignment;     /* Al, divides T */
} fountain_object;

typedef struct fountain_block {
  uint32_t k;            /* source symbols */
  uint64_t offset_bytes; /* in the object */
  uint64_t bytes;        /* of the object in this block */
} fountain_block;

#define FOUNTAIN_OTI_BYTES 12

/* The default partition: blocks of about 2000 symbols, no sub-blocks. */
fountain_status fountain_object_partition(uint64_t object_bytes, uint32_t symbol_bytes, fountain_object* object);
/* The 12 bytes of RFC 6330 3.3.2 and 3.3.3. */
fountain_status fountain_object_to_oti(const fountain_object* object, uint8_t oti[FOUNTAIN_OTI_BYTES]);
fountain_status fountain_object_from_oti(const uint8_t* oti, size_t oti_bytes, fountain_object* object);
/* Where block `number` (below source_blocks) lies. */
fountain_status fountain_object_block(const fountain_object* object, uint32_t number, fountain_block* block);

/* Keeps plans between blocks, at most `bytes_max` of them (0: 64 MiB). Make one for the process. */
fountain_status fountain_cache_create(size_t bytes_max, fountain_cache** cache);
void fountain_cache_free(fountain_cache* cache);

/* `cache` may be NULL, here and below. K = ceil(source_bytes / symbol_bytes), at most 56403. */
fountain_status fountain_encoder_create(const uint8_t* source, size_t source_bytes, uint32_t symbol_bytes,
                                        fountain_cache* cache, fountain_encoder** encoder);
void fountain_encoder_free(fountain_encoder* encoder);
uint32_t fountain_encoder_k(const fountain_encoder* encoder);
/* Symbol esis[i] to out + i * symbol_bytes, for each i below count; out_bytes >= count * symbol_bytes. */
fountain_status fountain_encoder_symbols(const fountain_encoder* encoder, const uint32_t* esis, size_t count,
                                         uint8_t* out, size_t out_bytes);

/* A decoder for a block of `block_bytes` (fountain_block.bytes). It allocates about that much. */
fountain_status fountain_decoder_create(uint64_t block_bytes, uint32_t symbol_bytes, fountain_cache* cache,
                                        fountain_decoder** decoder);
void fountain_decoder_free(fountain_decoder* decoder);
uint32_t fountain_decoder_k(const fountain_decoder* decoder);
/* OK, DUPLICATE, INVALID or FULL. The payload is copied. */
fountain_status fountain_decoder_add(fountain_decoder* decoder, uint32_t esi, const uint8_t* payload,
                                     size_t payload_bytes);
/* How many more symbols to bring before decode can work; 0: try now. */
uint32_t fountain_decoder_needed(const fountain_decoder* decoder);
/* OK: the block is complete. MORE: nothing is lost, bring fountain_decoder_needed() more. */
fountain_status fountain_decoder_decode(fountain_decoder* decoder);
/* The block, after decode said OK: out_bytes >= block_bytes. MORE before that. */
fountain_status fountain_decoder_block(const fountain_decoder* decoder, uint8_t* out, size_t out_bytes);
/* Source symbol `esi` as soon as it is here, without padding: *symbol points into the decoder, which stays its
 * owner, and is valid until the decoder is freed. MORE where it is not here yet. */
fountain_status fountain_decoder_source(const fountain_decoder* decoder, uint32_t esi, const uint8_t** symbol,
                                        size_t* symbol_bytes);

#ifdef __cplusplus
}
#endif
