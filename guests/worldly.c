// worldly: prints all a program can learn that is not its input: clocks, random bytes, NaN bits. Two runs with
// one seed must print the same, on every engine.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile double zero = 0.0;
static volatile float zero_f = 0.0f;

static unsigned long long bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static unsigned bits_of_f(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

int main(void) {
  struct timespec real, mono;
  clock_gettime(CLOCK_REALTIME, &real);
  clock_gettime(CLOCK_MONOTONIC, &mono);
  uint8_t random[16];
  if (getentropy(random, sizeof random) != 0) return 1;
  printf("real %lld.%09ld\nmono %lld.%09ld\nrandom ", (long long)real.tv_sec, real.tv_nsec, (long long)mono.tv_sec,
         mono.tv_nsec);
  for (size_t i = 0; i < sizeof random; ++i) printf("%02x", random[i]);
  // A NaN with a sign and a payload, hidden from the compiler, which would fold it.
  volatile uint64_t odd = 0xFFF8000000001234u;
  const uint64_t bits = odd;
  double made;
  memcpy(&made, &bits, sizeof made);
  const double sums[6] = {zero / zero, zero - zero / zero, made / zero, __builtin_sqrt(-1.0 - zero), made + zero, zero * made};
  printf("\nnan");
  for (size_t i = 0; i < 6; ++i) printf(" %016llx", bits_of(sums[i]));
  printf(" %08x %08x %016llx\n", bits_of_f(zero_f / zero_f), bits_of_f((float)made), bits_of((double)(zero_f / zero_f)));
  return 0;
}
