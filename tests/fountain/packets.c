/* A C program on the installed library: an object from standard input as packets, and back.
 *
 *   packets encode T REPAIR  < object  > packets      one block; a packet is its block and ESI (4 bytes, big endian)
 *                                                     and T bytes
 *   packets decode F T       < packets > object       exit status 3: more packets are needed
 */
#include <fountain/fountain_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(int good, const char* what) {
  if (good) return;
  fprintf(stderr, "packets: %s\n", what);
  exit(2);
}

static uint8_t* read_all(size_t* bytes) {
  size_t room = 1 << 16;
  uint8_t* data = malloc(room);
  *bytes = 0;
  for (;;) {
    size_t got = fread(data + *bytes, 1, room - *bytes, stdin);
    if (got == 0) return data;
    *bytes += got;
    if (*bytes == room) data = realloc(data, room *= 2);
    require(data != NULL, "out of memory");
  }
}

static int encode(uint32_t symbol_bytes, uint32_t repair) {
  size_t bytes;
  uint8_t* object = read_all(&bytes);
  fountain_encoder* encoder = NULL;
  fountain_status made = fountain_encoder_create(object, bytes, symbol_bytes, NULL, &encoder);
  require(made == FOUNTAIN_OK, fountain_status_text(made));
  uint32_t count = fountain_encoder_k(encoder) + repair;
  uint32_t* esis = malloc(count * sizeof *esis);
  uint8_t* symbols = malloc((size_t)count * symbol_bytes);
  for (uint32_t i = 0; i < count; ++i) esis[i] = i;
  made = fountain_encoder_symbols(encoder, esis, count, symbols, (size_t)count * symbol_bytes);
  require(made == FOUNTAIN_OK, fountain_status_text(made));
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t id[4] = {0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
    fwrite(id, 1, sizeof id, stdout);
    fwrite(symbols + (size_t)i * symbol_bytes, 1, symbol_bytes, stdout);
  }
  fountain_encoder_free(encoder);
  free(symbols);
  free(esis);
  free(object);
  return 0;
}

static int decode(uint64_t object_bytes, uint32_t symbol_bytes) {
  size_t bytes;
  uint8_t* packets = read_all(&bytes);
  const size_t stride = (size_t)symbol_bytes + 4;
  fountain_decoder* decoder = NULL;
  require(fountain_decoder_create(object_bytes, symbol_bytes, NULL, &decoder) == FOUNTAIN_OK, "no such block");
  for (const uint8_t* packet = packets; packet + stride <= packets + bytes; packet += stride) {
    const uint32_t esi = (uint32_t)packet[1] << 16 | (uint32_t)packet[2] << 8 | packet[3];
    require(packet[0] == 0, "a packet of another block");
    require(fountain_decoder_add(decoder, esi, packet + 4, symbol_bytes) >= 0, "a packet that cannot be");
  }
  if (fountain_decoder_decode(decoder) == FOUNTAIN_MORE) return 3;
  uint8_t* object = malloc(object_bytes);
  require(fountain_decoder_block(decoder, object, object_bytes) == FOUNTAIN_OK, "the block is not there");
  fwrite(object, 1, object_bytes, stdout);
  fountain_decoder_free(decoder);
  free(object);
  free(packets);
  return 0;
}

int main(int argc, char** argv) {
  require(argc == 4, "packets encode T REPAIR | decode F T");
  const unsigned long long a = strtoull(argv[2], NULL, 10);
  const unsigned long b = strtoul(argv[3], NULL, 10);
  return strcmp(argv[1], "encode") == 0 ? encode((uint32_t)a, (uint32_t)b) : decode(a, (uint32_t)b);
}
